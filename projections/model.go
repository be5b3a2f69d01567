package projections

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/collabledger/collabledger/internal/sqldb"
)

// model is one read model: its tables and how the log is folded into them. A fold reads and writes its own tables only, and
// takes everything from the facts, never from a clock, so that folding the log again gives the same rows. Queries may join the
// tables of several models, because the engine keeps these in step.
type model struct {
	name    string
	version int      // raised whenever the tables or the fold change: the model is then rebuilt at the next start
	streams []string // the kinds of streams that it reads; it never sees facts of others
	tables  []table
	fold    func(ctx context.Context, tx tx, page []*Fact) error // page is never empty
}

// models is the list of read models. Whatever follows, rebuilds or reports them reads it.
func models() []model {
	return []model{
		accessModel(),
		activityModel(),
		deadlinesModel(),
		directoryModel(),
		historyModel(),
		kpiModel(),
		namesModel(),
		notificationsModel(),
		requestsModel(),
		reviewsModel(),
		sessionsModel(),
		tasksModel(),
	}
}

// table declares a table of a read model. The engine creates it anew for each generation, with the generation in its name.
// No column may be NULL: zero times, ids and texts stand for what is absent.
type table struct {
	name    string // in snake_case; unique among all models
	key     int    // how many columns, from the first, are the primary key
	columns []column
	indexes []string // each a list of columns, for example "client_id, granted_at"
	appends bool     // its fold only appends rows
}

// column is a column of a table: its name and its kind.
type column struct {
	name string
	kind columnKind
}

// columnKind is what a column holds.
type columnKind int

// The kinds of columns.
const (
	text       columnKind = iota // texts and JSON; ordered by bytes on both databases
	identifier                   // UUIDs, ordered likewise
	integer                      // numbers, and times in microseconds since 1970
	boolean
)

// sqlType is the column's type in a CREATE TABLE. SQLite orders texts by bytes as it is; Postgres has to be told, and keeps UUIDs in
// less than half of what their texts take.
func (k columnKind) sqlType(dialect sqldb.Dialect) string {
	switch {
	case k == integer:
		return "BIGINT"
	case k == boolean:
		return "BOOLEAN"
	case k == identifier && dialect == sqldb.Postgres:
		return "UUID"
	case dialect == sqldb.Postgres:
		return `TEXT COLLATE "C"`
	}
	return "TEXT"
}

// physical is the table's name in a generation.
func (t table) physical(generation int) string { return t.name + "_g" + strconv.Itoa(generation) }

// columnNames lists the columns in their declared order.
func (t table) columnNames() []string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.name
	}
	return names
}

// create makes the table for a generation, without indexes.
func (t table) create(ctx context.Context, tx *sql.Tx, dialect sqldb.Dialect, generation int) error {
	columns := make([]string, len(t.columns))
	for i, c := range t.columns {
		columns[i] = fmt.Sprintf("%s %s NOT NULL", c.name, c.kind.sqlType(dialect))
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("CREATE TABLE %s (%s)", t.physical(generation), strings.Join(columns, ", "))); err != nil {
		return fmt.Errorf("create %s: %w", t.physical(generation), err)
	}
	return nil
}

// addIndexes makes those of a generation's indexes that are not there yet.
func (t table) addIndexes(ctx context.Context, tx *sql.Tx, generation int) error {
	if err := t.addKeyIndex(ctx, tx, generation); err != nil {
		return err
	}
	physical := t.physical(generation)
	for i, columns := range t.indexes {
		if _, err := tx.ExecContext(ctx, fmt.Sprintf("CREATE INDEX IF NOT EXISTS %s_i%d ON %s (%s)", physical, i+1, physical, columns)); err != nil {
			return fmt.Errorf("index %s: %w", physical, err)
		}
	}
	return nil
}

// addKeyIndex makes the index of the primary key, unless it is there.
func (t table) addKeyIndex(ctx context.Context, tx *sql.Tx, generation int) error {
	if _, err := tx.ExecContext(ctx, t.keyIndex(t.physical(generation))); err != nil {
		return fmt.Errorf("index the key of %s: %w", t.physical(generation), err)
	}
	return nil
}

// addLookupIndex makes the index that a fold needs to look up rows, unless it is there.
func (t table) addLookupIndex(ctx context.Context, tx *sql.Tx, generation int) error {
	if t.appends {
		return nil
	}
	return t.addKeyIndex(ctx, tx, generation)
}

// keyIndex is the statement that makes the index of the primary key. It is not part of the table, for an index costs least when
// it is made of what the table holds already.
func (t table) keyIndex(physical string) string {
	return fmt.Sprintf("CREATE UNIQUE INDEX IF NOT EXISTS %s_key ON %s (%s)", physical, physical, strings.Join(t.columnNames()[:t.key], ", "))
}

// appends tells whether the model's fold only appends rows to one of its tables.
func (m model) appends() bool {
	return slices.ContainsFunc(m.tables, func(t table) bool { return t.appends })
}

// physicalNames maps a model's tables to their names in a generation.
func (m model) physicalNames(generation int) map[string]string {
	names := make(map[string]string, len(m.tables))
	for _, t := range m.tables {
		names[t.name] = t.physical(generation)
	}
	return names
}

// tx is what a fold works in: the page's transaction, and what is held in memory of the generation that is being written. In its
// statements {requests} stands for the table requests in that generation.
type tx struct {
	session
	dialect sqldb.Dialect
	tables  map[string]string
	filling bool // the indexes need not be there yet
	memory  *memory
	queue   *statements // takes what is to be sent together; nil: each statement is sent at once
}

// session is a transaction with its connection. Several models may be folded in one at the same time.
type session struct {
	conn *sql.Conn
	sql  querier
	busy *sync.Mutex // held while a statement runs
}

func (t tx) exec(ctx context.Context, statement string, args ...any) error {
	expanded, err := expand(statement, t.tables)
	if err != nil {
		return err
	}
	if t.queue != nil {
		return t.queue.add(expanded, args)
	}
	t.busy.Lock()
	defer t.busy.Unlock()
	_, err = t.sql.ExecContext(ctx, expanded, args...)
	return err
}

// query hands each row of the result to read.
func (t tx) query(ctx context.Context, statement string, args []any, read func(*sql.Rows) error) error {
	expanded, err := expand(statement, t.tables)
	if err != nil {
		return err
	}
	t.busy.Lock()
	defer t.busy.Unlock()
	result, err := t.sql.QueryContext(ctx, expanded, args...)
	if err != nil {
		return err
	}
	return sqldb.EachRow(result, read)
}

var tableReference = regexp.MustCompile(`\{([a-z_]+)\}`)

// expand puts tables' physical names for the {names} in a statement.
func expand(statement string, tables map[string]string) (string, error) {
	var unknown error
	expanded := tableReference.ReplaceAllStringFunc(statement, func(reference string) string {
		name := reference[1 : len(reference)-1]
		physical, ok := tables[name]
		if !ok {
			unknown = fmt.Errorf("table %s cannot be read here", name)
		}
		return physical
	})
	return expanded, unknown
}
