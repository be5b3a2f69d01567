package projections

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxStatementRows is how many rows one INSERT writes, and how many keys one SELECT or DELETE asks for, at most.
const maxStatementRows = 1_000

// mapping says how the rows of a table are kept in Go: R is a row, and K the value of its key.
type mapping[K comparable, R any] struct {
	table  table
	key    func(*R) K     // the key of a row
	args   func(K) []any  // the values of the key columns
	fields func(*R) []any // pointers to the row's fields, in the order of the table's columns; see also at and asJSON
}

// rows are the rows of one table that a fold works on: loaded at once, changed in memory, written back at once.
type rows[K comparable, R any] struct {
	mapping[K, R]
	tx      tx
	held    map[K]*R // nil: known to be absent, or deleted
	order   []K      // as first met, so that what is written does not depend on the order of a map
	changed map[K]bool
}

// load fetches the rows with the keys, as far as they exist.
func (m mapping[K, R]) load(ctx context.Context, tx tx, keys []K) (*rows[K, R], error) {
	r := &rows[K, R]{mapping: m, tx: tx, held: map[K]*R{}, changed: map[K]bool{}}
	return r, r.load(ctx, keys)
}

// load fetches more rows. Those held already stay as they are.
func (r *rows[K, R]) load(ctx context.Context, keys []K) error {
	var missing []K
	for _, key := range keys {
		if _, held := r.held[key]; !held {
			r.hold(key, nil)
			missing = append(missing, key)
		}
	}
	for some := range slices.Chunk(missing, maxStatementRows) {
		condition, args, err := r.keyed(some)
		if err != nil {
			return err
		}
		if err := r.find(ctx, condition, args); err != nil {
			return err
		}
	}
	return nil
}

// loadBy fetches the rows in which a column has one of the values, for example all grants of some clients. Rows held already
// stay as they are, so it finds them by what they were when the page began.
func (r *rows[K, R]) loadBy(ctx context.Context, name string, values []any) error {
	i := slices.IndexFunc(r.table.columns, func(c column) bool { return c.name == name })
	for some := range slices.Chunk(values, maxStatementRows) {
		listed := make([][]any, len(some))
		for j, value := range some {
			listed[j] = []any{value}
		}
		condition, args, err := r.tx.among(r.table.columns[i:i+1], listed)
		if err != nil {
			return err
		}
		if err := r.find(ctx, condition, args); err != nil {
			return err
		}
	}
	return nil
}

func (r *rows[K, R]) find(ctx context.Context, condition string, args []any) error {
	found, err := r.tx.query(ctx, fmt.Sprintf("SELECT %s FROM {%s} WHERE %s ORDER BY %s", strings.Join(r.table.columnNames(), ", "),
		r.table.name, condition, strings.Join(r.table.columnNames()[:r.table.key], ", ")), args...)
	if err != nil {
		return fmt.Errorf("load %s: %w", r.table.name, err)
	}
	return scan(found, func(s *sql.Rows) error {
		row := new(R)
		if err := s.Scan(r.fields(row)...); err != nil {
			return fmt.Errorf("load %s: %w", r.table.name, err)
		}
		if r.held[r.key(row)] == nil && !r.changed[r.key(row)] {
			r.hold(r.key(row), row)
		}
		return nil
	})
}

func (r *rows[K, R]) hold(key K, row *R) {
	if _, held := r.held[key]; !held {
		r.order = append(r.order, key)
	}
	r.held[key] = row
}

// get is a row to read; nil when there is none.
func (r *rows[K, R]) get(key K) *R { return r.held[key] }

// change is a row to change, which is written at save; nil when there is none.
func (r *rows[K, R]) change(key K) *R {
	row := r.held[key]
	if row != nil {
		r.changed[key] = true
	}
	return row
}

// put adds a row, or replaces the one with its key.
func (r *rows[K, R]) put(row R) *R {
	key := r.key(&row)
	r.hold(key, &row)
	r.changed[key] = true
	return &row
}

// delete removes a row, if there is one.
func (r *rows[K, R]) delete(key K) {
	if r.held[key] != nil {
		r.hold(key, nil)
		r.changed[key] = true
	}
}

// all lists the rows that are held, those loaded first in the order of their keys.
func (r *rows[K, R]) all() []*R {
	var all []*R
	for _, key := range r.order {
		if row := r.held[key]; row != nil {
			all = append(all, row)
		}
	}
	return all
}

// save writes what was changed: one DELETE and one INSERT for as many rows as a statement takes.
func (r *rows[K, R]) save(ctx context.Context) error {
	var gone, written []K
	for _, key := range r.order {
		switch {
		case !r.changed[key]:
		case r.held[key] == nil:
			gone = append(gone, key)
		default:
			written = append(written, key)
		}
	}
	for some := range slices.Chunk(gone, maxStatementRows) {
		condition, args, err := r.keyed(some)
		if err != nil {
			return err
		}
		if err := r.tx.exec(ctx, "DELETE FROM {"+r.table.name+"} WHERE "+condition, args...); err != nil {
			return fmt.Errorf("delete from %s: %w", r.table.name, err)
		}
	}
	for some := range slices.Chunk(written, maxStatementRows) {
		if err := r.upsert(ctx, some); err != nil {
			return fmt.Errorf("write %s: %w", r.table.name, err)
		}
	}
	clear(r.changed)
	return nil
}

func (r *rows[K, R]) upsert(ctx context.Context, keys []K) error {
	values := make([][]any, len(keys))
	for i, key := range keys {
		values[i] = r.fields(r.held[key])
	}
	source, args, err := r.tx.listed(r.table.columns, values)
	if err != nil {
		return err
	}
	names := r.table.columnNames()
	action := "NOTHING"
	if len(names) > r.table.key {
		updates := make([]string, 0, len(names))
		for _, name := range names[r.table.key:] {
			updates = append(updates, name+" = excluded."+name)
		}
		action = "UPDATE SET " + strings.Join(updates, ", ")
	}
	columns := strings.Join(names, ", ")
	return r.tx.exec(ctx, fmt.Sprintf("INSERT INTO {%s} (%s) SELECT %s FROM %s WHERE TRUE ON CONFLICT (%s) DO %s", r.table.name, columns, columns,
		source, strings.Join(names[:r.table.key], ", "), action), args...)
}

// keyed is the condition that a row has one of the keys.
func (r *rows[K, R]) keyed(keys []K) (condition string, args []any, err error) {
	values := make([][]any, len(keys))
	for i, key := range keys {
		values[i] = r.args(key)
	}
	return r.tx.among(r.table.columns[:r.table.key], values)
}

// scan hands each row of a result to f and closes the result.
func scan(result *sql.Rows, f func(*sql.Rows) error) error {
	for result.Next() {
		if err := f(result); err != nil {
			return errors.Join(err, result.Close())
		}
	}
	return errors.Join(result.Err(), result.Close())
}

// at keeps a time in an integer column: UTC microseconds, 0 for the zero time.
func at(t *time.Time) any { return (*micros)(t) }

type micros time.Time

// Value is what the column holds.
func (m micros) Value() (driver.Value, error) { return toMicros(time.Time(m)), nil }

// Scan reads what the column holds.
func (m *micros) Scan(value any) error {
	us, ok := value.(int64)
	if !ok {
		return fmt.Errorf("a time is kept as an integer, not as %T", value)
	}
	*m = micros(fromMicros(us))
	return nil
}

func toMicros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// asJSON keeps a value, given by a pointer, in a text column.
func asJSON(pointer any) any { return jsonColumn{pointer} }

type jsonColumn struct{ pointer any }

// Value is what the column holds.
func (j jsonColumn) Value() (driver.Value, error) {
	encoded, err := json.Marshal(j.pointer)
	return string(encoded), err
}

// Scan reads what the column holds.
func (j jsonColumn) Scan(value any) error {
	switch encoded := value.(type) {
	case string:
		return json.Unmarshal([]byte(encoded), j.pointer)
	case []byte:
		return json.Unmarshal(encoded, j.pointer)
	}
	return fmt.Errorf("JSON is kept as text, not as %T", value)
}
