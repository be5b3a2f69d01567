package projections

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// mapping says how the rows of a table are kept in Go: R is a row, and K the value of its key.
type mapping[K comparable, R any] struct {
	table  table
	key    func(*R) K     // the key of a row
	args   func(K) []any  // the values of the key columns
	fields func(*R) []any // pointers to the row's fields, in the order of the table's columns; see also at and asJSON
}

// rows are the rows of one table that folds work on: loaded at once, changed in memory, and written at once with all that one
// transaction holds. They stay in memory from page to page. A field that is a slice or a map is replaced, not changed in its place.
type rows[K comparable, R any] struct {
	mapping[K, R]
	memory  *memory
	held    map[K]*heldRow[K, R]
	changed []*heldRow[K, R] // in the order of their first change, so that what is written does not depend on the order of a map
	added   []*R             // by append
}

// heldRow is what is known of the row with a key.
type heldRow[K comparable, R any] struct {
	key     K
	row     R
	exists  bool // false: there is no such row, or it was deleted
	stored  presence
	changed bool // since it was written
	needed  int  // memory.bytes when it was last needed
}

// presence is whether the database has a row.
type presence int

const (
	unknown presence = iota
	absent
	present
)

// load fetches the rows with the keys, as far as they exist and are not held already.
func (m mapping[K, R]) load(ctx context.Context, tx tx, keys []K) (*rows[K, R], error) {
	r, kept := tx.memory.tables[m.table.name].(*rows[K, R])
	if !kept {
		r = &rows[K, R]{mapping: m, memory: tx.memory, held: map[K]*heldRow[K, R]{}}
		tx.memory.tables[m.table.name] = r
	}
	if r.memory.whole {
		return r, nil
	}
	var missing []K
	for _, key := range keys {
		if h, held := r.held[key]; held {
			h.needed = r.memory.bytes
		} else {
			r.held[key] = &heldRow[K, R]{key: key, stored: absent, needed: r.memory.bytes}
			missing = append(missing, key)
		}
	}
	for some := range slices.Chunk(missing, maxStatementRows) {
		if err := r.find(ctx, tx, some); err != nil {
			return nil, fmt.Errorf("load %s: %w", r.table.name, err)
		}
	}
	return r, nil
}

// find fetches the rows with keys that are not held.
func (r *rows[K, R]) find(ctx context.Context, tx tx, keys []K) error {
	condition, args, err := r.keyIn(tx, keys)
	if err != nil {
		return err
	}
	return tx.query(ctx, fmt.Sprintf("SELECT %s FROM {%s} WHERE %s", strings.Join(r.table.columnNames(), ", "), r.table.name, condition), args,
		func(s *sql.Rows) error {
			var row R
			if err := s.Scan(r.fields(&row)...); err != nil {
				return err
			}
			found := r.held[r.key(&row)]
			if found == nil {
				return fmt.Errorf("a row with the key %v was not asked for", r.key(&row))
			}
			found.row, found.exists, found.stored = row, true, present
			return nil
		})
}

// get is a row to read; nil when there is none.
func (r *rows[K, R]) get(key K) *R {
	if h := r.held[key]; h != nil && h.exists {
		h.needed = r.memory.bytes
		return &h.row
	}
	return nil
}

// change is a row to change, which is then written; nil when there is none.
func (r *rows[K, R]) change(key K) *R {
	h := r.held[key]
	if h == nil || !h.exists {
		return nil
	}
	r.note(h)
	return &h.row
}

// put adds a row, or replaces the one with its key.
func (r *rows[K, R]) put(row R) *R { return r.set(row, unknown) }

// add adds a row with a key that no row has had before.
func (r *rows[K, R]) add(row R) *R { return r.set(row, absent) }

func (r *rows[K, R]) set(row R, stored presence) *R {
	h := r.hold(r.key(&row), stored)
	h.row, h.exists = row, true
	return &h.row
}

// append is add for a row that no fold looks at again: it is not held once it is written.
func (r *rows[K, R]) append(row R) { r.added = append(r.added, &row) }

// delete removes the row with a key, if there is one.
func (r *rows[K, R]) delete(key K) {
	h := r.hold(key, unknown)
	var none R
	h.row, h.exists = none, false
}

// hold finds what is held with a key, which is about to change. stored is what to take for true where nothing is held.
func (r *rows[K, R]) hold(key K, stored presence) *heldRow[K, R] {
	h := r.held[key]
	if h == nil {
		if r.memory.whole {
			stored = absent
		}
		h = &heldRow[K, R]{key: key, stored: stored}
		r.held[key] = h
	}
	r.note(h)
	return h
}

func (r *rows[K, R]) note(h *heldRow[K, R]) {
	h.needed = r.memory.bytes
	if !h.changed {
		h.changed = true
		r.changed = append(r.changed, h)
	}
}

// letGo drops the rows that were last needed before memory.bytes was so much.
func (r *rows[K, R]) letGo(from int) {
	maps.DeleteFunc(r.held, func(_ K, h *heldRow[K, R]) bool { return h.needed < from && !h.changed })
}

// take hands over what was changed, to be written as it is now: copies of it where folding goes on meanwhile.
func (r *rows[K, R]) take(folding bool) writable {
	c := &changes[K, R]{mapping: r.mapping, fresh: r.added}
	var copies []R
	if folding {
		copies = make([]R, len(r.changed))
	}
	for i, h := range r.changed {
		row := &h.row
		if folding {
			row = &copies[i]
			*row = h.row
		}
		switch {
		case h.exists && h.stored == absent:
			c.fresh = append(c.fresh, row)
		case h.exists:
			c.replaced = append(c.replaced, row)
		case h.stored != absent:
			c.gone = append(c.gone, h.key)
		}
		h.changed, h.stored = false, absent
		if h.exists {
			h.stored = present
		}
	}
	r.changed, r.added = nil, nil
	return c
}

// keyIn is the condition that a row has one of the keys.
func (m mapping[K, R]) keyIn(tx tx, keys []K) (condition string, args []any, err error) {
	values := make([][]any, len(keys))
	for i, key := range keys {
		values[i] = m.args(key)
	}
	columns := m.table.columns[:m.table.key]
	source, args, err := tx.listed(columns, values)
	if err != nil {
		return "", nil, err
	}
	list := strings.Join(m.table.columnNames()[:m.table.key], ", ")
	return "(" + list + ") IN (SELECT " + list + " FROM " + source + ")", args, nil
}
