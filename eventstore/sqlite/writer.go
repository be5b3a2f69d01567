package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/sqldb"
)

// insertRows is how many rows the statement for many inserts: each row of one costs half of one by itself.
const insertRows = 32

// insert adds rows to one table, as many at a time as it has a statement for.
type insert struct {
	one, many *sql.Stmt
	columns   int
}

// prepareInsert prepares the statements of a table. OR FAIL leaves it to the transaction to undo what a row in the way comes after;
// otherwise SQLite would copy each page first, to undo that statement alone.
func prepareInsert(ctx context.Context, db *sql.DB, into string, columns int) (insert, error) {
	row := "(?" + strings.Repeat(", ?", columns-1) + ")"
	one, err := db.PrepareContext(ctx, "INSERT OR FAIL INTO "+into+" VALUES "+row)
	if err != nil {
		return insert{}, err
	}
	many, err := db.PrepareContext(ctx, "INSERT OR FAIL INTO "+into+" VALUES "+row+strings.Repeat(", "+row, insertRows-1))
	if err != nil {
		return insert{}, errors.Join(err, one.Close())
	}
	return insert{one: one, many: many, columns: columns}, nil
}

// exec adds rows whose values follow each other, and answers the last one's row id. After an error some may be there.
func (i *insert) exec(ctx context.Context, tx *sql.Tx, values []any) (last int64, err error) {
	for _, s := range []struct {
		statement *sql.Stmt
		size      int
	}{{i.many, i.columns * insertRows}, {i.one, i.columns}} {
		if len(values) < s.size {
			continue
		}
		statement := tx.StmtContext(ctx, s.statement)
		for ; len(values) >= s.size; values = values[s.size:] {
			// With a context that can end, the driver would start a goroutine for every run.
			result, err := statement.ExecContext(context.WithoutCancel(ctx), values[:s.size]...)
			if err == nil {
				last, err = result.LastInsertId()
			}
			if err = errors.Join(err, ctx.Err()); err != nil {
				return 0, err
			}
		}
	}
	return last, nil
}

// lock is a write transaction that was begun before it is known what to write.
type lock struct {
	tx     *sql.Tx
	cancel context.CancelFunc // ends what the transaction holds on to, once it is over
}

// Lock begins a write transaction, of which SQLite has one at a time. What the readers see from then on is the log's end.
func (b *Backend) Lock(ctx context.Context, after int64) (eventstore.Head, []eventstore.Tip, error) {
	if err := b.Unlock(ctx); err != nil {
		return eventstore.Head{}, nil, err
	}
	// The transaction must outlive ctx, which only bounds the wait for it.
	held, cancel := context.WithCancel(context.WithoutCancel(ctx))
	waited := context.AfterFunc(ctx, cancel)
	tx, err := b.write.BeginTx(held, nil)
	if !waited() && err == nil {
		err = errors.Join(ctx.Err(), tx.Rollback())
	}
	if err != nil {
		cancel()
		return eventstore.Head{}, nil, fmt.Errorf("lock the log's head: %w", err)
	}
	b.lock = &lock{tx: tx, cancel: cancel}
	head, err := b.Head(ctx)
	if err != nil {
		return eventstore.Head{}, nil, errors.Join(err, b.Unlock(ctx))
	}
	tail, err := b.tail(ctx, after)
	if err != nil {
		return eventstore.Head{}, nil, errors.Join(err, b.Unlock(ctx))
	}
	return head, tail, nil
}

// tail reads which streams the events after a position belong to.
func (b *Backend) tail(ctx context.Context, after int64) ([]eventstore.Tip, error) {
	rows, err := b.readTail.QueryContext(ctx, after, eventstore.MaxTail)
	if err != nil {
		return nil, fmt.Errorf("read the streams of events after position %d: %w", after, err)
	}
	defer rows.Close()
	var tail []eventstore.Tip
	for rows.Next() {
		var tip eventstore.Tip
		if err := rows.Scan(&tip.First, &tip.Version); err != nil {
			return nil, fmt.Errorf("read the streams of events after position %d: %w", after, err)
		}
		tail = append(tail, tip)
	}
	return tail, rows.Err()
}

// Unlock ends a transaction that Lock began.
func (b *Backend) Unlock(context.Context) error {
	if b.lock == nil {
		return nil
	}
	err := b.lock.tx.Rollback()
	b.lock.cancel()
	b.lock = nil
	return err
}

// Commit writes a batch if the head is still at from.
func (b *Backend) Commit(ctx context.Context, from eventstore.Head, batch eventstore.Batch, _ bool) (outcome func() error) {
	return func() error { return b.commit(ctx, from, batch) }
}

// Behind is 0: there is no server that could write one batch while it is sent another.
func (b *Backend) Behind() int { return 0 }

func (b *Backend) commit(ctx context.Context, from eventstore.Head, batch eventstore.Batch) error {
	if b.lock == nil {
		tx, err := b.write.BeginTx(ctx, nil)
		if err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		return b.finish(ctx, tx, from, batch)
	}
	defer b.lock.cancel()
	tx := b.lock.tx
	b.lock = nil
	return b.finish(ctx, tx, from, batch)
}

// finish fills a transaction and commits it.
func (b *Backend) finish(ctx context.Context, tx *sql.Tx, from eventstore.Head, batch eventstore.Batch) error {
	if err := b.fill(ctx, tx, from, batch); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// fill moves the head and inserts the batch.
func (b *Backend) fill(ctx context.Context, tx *sql.Tx, from eventstore.Head, batch eventstore.Batch) error {
	recordedAt := int64(0)
	if !batch.Head.RecordedAt.IsZero() {
		recordedAt = batch.Head.RecordedAt.UnixMicro()
	}
	result, err := tx.StmtContext(ctx, b.moveHead).ExecContext(ctx, batch.Head.Position, recordedAt, from.Position, from.Epoch[:])
	if err != nil {
		return fmt.Errorf("move the head: %w", err)
	}
	if moved, err := result.RowsAffected(); err != nil || moved == 0 {
		return errors.Join(eventstore.ErrFenced, err)
	}
	var commands, streams, events []any
	for i := range batch.Commands {
		command := &batch.Commands[i]
		commands = append(commands, command.ID[:], command.BodyHash[:], command.First, command.Last)
	}
	for i := range batch.Records {
		record := &batch.Records[i]
		if batch.Streams[i] == record.Position {
			streams = append(streams, record.Stream.ID[:], record.Stream.Kind, record.Position)
		}
		events = append(events, batch.Streams[i], record.Version, record.Bytes)
	}
	if _, err := b.insertCommands.exec(ctx, tx, commands); err != nil {
		return refused("commands", err, eventstore.ErrDuplicate)
	}
	if _, err := b.insertStreams.exec(ctx, tx, streams); err != nil {
		return refused("streams", err, eventstore.ErrDuplicateStream)
	}
	last, err := b.insertEvents.exec(ctx, tx, events)
	if err != nil {
		return refused("events", err, eventstore.ErrDuplicateStream)
	}
	if len(batch.Records) > 0 && last != batch.Head.Position {
		return fmt.Errorf("the log ends at position %d, but the last of its events came to %d: they are not those of one log", batch.Head.Position, last)
	}
	return nil
}

// refused tells why rows were not inserted: duplicate where a unique key was in the way.
func refused(table string, err, duplicate error) error {
	if sqldb.IsUnique(err) {
		err = fmt.Errorf("%w: %w", duplicate, err)
	}
	return fmt.Errorf("insert into %s: %w", table, err)
}
