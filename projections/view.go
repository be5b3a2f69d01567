package projections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/internal/sqldb"
)

// view is one consistent look at the read models: all statements of a query see the same moment of the log. In its statements
// {requests} stands for the table requests in its live generation.
type view struct {
	sql    querier
	now    time.Time         // the query's clock: what has lapsed by it is shown as lapsed
	tables map[string]string // physical names of the tables of the models that are in step
	broken map[string]error  // why a table of another model cannot be read, by table
}

func (v view) query(ctx context.Context, statement string, args ...any) (*sql.Rows, error) {
	for _, reference := range tableReference.FindAllStringSubmatch(statement, -1) {
		if err := v.broken[reference[1]]; err != nil {
			return nil, err
		}
	}
	expanded, err := expand(statement, v.tables)
	if err != nil {
		return nil, err
	}
	return v.sql.QueryContext(ctx, expanded, args...)
}

// collect runs a query and reads each row of its result into an item.
func collect[T any](ctx context.Context, v view, statement string, args []any, read func(scan func(...any) error) (T, error)) ([]T, error) {
	result, err := v.query(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	items := []T{}
	err = sqldb.EachRow(result, func(s *sql.Rows) error {
		item, err := read(s.Scan)
		items = append(items, item)
		return err
	})
	return items, err
}

// arguments gathers a statement's parameters while its text is put together.
type arguments []any

// add gives the placeholder of one more parameter.
func (a *arguments) add(value any) string {
	*a = append(*a, value)
	return "$" + strconv.Itoa(len(*a))
}

// read answers a query from one view. Where the tables were replaced under it, it asks again.
func (e *Engine) read(ctx context.Context, query func(view) error) error {
	for attempt := 1; ; attempt++ {
		used, err := e.readOnce(ctx, query)
		if err == nil {
			return nil
		}
		if _, ours := errors.AsType[*domain.Error](err); ours || attempt == maxQueryAttempts {
			return err
		}
		current, failure := readCheckpoints(ctx, e.db.Read)
		if failure != nil || slices.Equal(servingIDs(used), servingIDs(current)) {
			return fmt.Errorf("query the read models: %w", err)
		}
	}
}

// readOnce runs a query in a transaction that only reads, and tells which checkpoints that saw.
func (e *Engine) readOnce(ctx context.Context, query func(view) error) ([]checkpoint, error) {
	if e.db.Dialect == sqldb.Postgres {
		return e.readOnPostgres(ctx, query)
	}
	tx, err := e.db.Read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback()
	all, err := readCheckpoints(ctx, tx)
	if err != nil {
		return nil, err
	}
	return all, query(e.view(tx, all))
}

// readOnPostgres is readOnce with a round trip less. A connection whose transaction cannot be ended is given up by its pool.
func (e *Engine) readOnPostgres(ctx context.Context, query func(view) error) ([]checkpoint, error) {
	conn, err := e.db.Read.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	defer conn.Close()
	all, err := beginRead(ctx, conn)
	if err != nil {
		return nil, err
	}
	defer func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		_, _ = conn.ExecContext(ending, "ROLLBACK") // nothing was written
	}()
	return all, query(e.view(conn, all))
}

// beginRead begins a transaction on Postgres that only reads, all as of one moment, and reads the checkpoints, both in one round trip.
func beginRead(ctx context.Context, conn *sql.Conn) (all []checkpoint, err error) {
	var batch pgx.Batch
	batch.Queue("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
	batch.Queue(selectCheckpoints).Query(func(rows pgx.Rows) (err error) {
		all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (checkpoint, error) { return scanCheckpoint(row.Scan) })
		return err
	})
	err = conn.Raw(func(driverConn any) error {
		return driverConn.(*stdlib.Conn).Conn().SendBatch(ctx, &batch).Close()
	})
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	slices.SortFunc(all, compareCheckpoints)
	return all, nil
}

// view makes the tables of the models that are in step readable, and says of the others why they are not.
func (e *Engine) view(tx querier, all []checkpoint) view {
	v := view{sql: tx, now: e.clock().UTC(), tables: map[string]string{}, broken: map[string]error{}}
	for _, m := range e.models {
		generation, broken := m.liveGeneration(all)
		for name, physical := range m.physicalNames(generation) {
			v.tables[name] = physical
			if broken != nil {
				v.broken[name] = broken
			}
		}
	}
	return v
}

// liveGeneration finds the generation from which the model's tables are read, or says why there is none.
func (m model) liveGeneration(all []checkpoint) (int, error) {
	for _, c := range all {
		switch {
		case c.name != m.name || !c.serving():
		case c.state == stopped:
			return 0, stoppedError(c)
		case c.version == m.version:
			return c.generation, nil
		}
	}
	return 0, &domain.Error{
		Kind: domain.Unavailable, Code: "read_model_rebuilding", State: m.name,
		Detail: fmt.Sprintf("the read model %s is being rebuilt; try again", m.name),
	}
}

// servingIDs lists which generations answer queries.
func servingIDs(all []checkpoint) []string {
	var ids []string
	for _, c := range all {
		if c.serving() {
			ids = append(ids, c.id())
		}
	}
	return ids
}
