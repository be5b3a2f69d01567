// Package sqlite keeps a log of events in a SQLite file.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/sqldb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Backend is a log in a SQLite file. It writes through the database's one connection for that, and reads through the others.
type Backend struct {
	write *sql.DB
	lock  *lock // nil when it is not held

	moveHead       *sql.Stmt
	insertCommands insert
	insertStreams  insert
	insertEvents   insert

	readHead, readTip, readCommand, readStream, readAll, readAt, readTail *sql.Stmt
}

// New brings the log's tables up to date and begins the log, with an epoch of its own, where there is none.
func New(ctx context.Context, db *sqldb.DB) (*Backend, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	if err := db.Migrate(ctx, "ledger_log_version", files); err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	if epoch := uuid.New(); !db.ReadOnly {
		if _, err := db.Write.ExecContext(ctx,
			"INSERT INTO log (singleton, epoch, position, recorded_at) VALUES (1, $1, 0, 0) ON CONFLICT DO NOTHING", epoch[:]); err != nil {
			return nil, fmt.Errorf("begin the log: %w", err)
		}
	}
	b := &Backend{write: db.Write}
	if err := b.prepare(ctx, db); err != nil {
		return nil, errors.Join(fmt.Errorf("open the log: %w", err), b.Close())
	}
	return b, nil
}

// prepare makes all statements, so that none is parsed twice.
func (b *Backend) prepare(ctx context.Context, db *sqldb.DB) error {
	for _, s := range []struct {
		statement **sql.Stmt
		on        *sql.DB
		query     string
	}{
		{&b.moveHead, db.Write, "UPDATE log SET position = $1, recorded_at = $2 WHERE position = $3 AND epoch = $4"},
		{&b.readHead, db.Read, "SELECT epoch, position, recorded_at FROM log"},
		{&b.readTail, db.Read, "SELECT stream, version FROM events WHERE position > $1 ORDER BY position LIMIT $2"},
		{&b.readTip, db.Read, `
			SELECT stream, version FROM events
			WHERE stream = (SELECT first_position FROM streams WHERE id = $1 AND kind = $2) ORDER BY version DESC LIMIT 1`},
		{&b.readCommand, db.Read, "SELECT body_hash, first_position, last_position FROM commands WHERE command_id = $1"},
		{&b.readStream, db.Read, `
			SELECT record FROM events
			WHERE stream = (SELECT first_position FROM streams WHERE id = $1 AND kind = $2) AND version > $3 ORDER BY version LIMIT $4`},
		{&b.readAll, db.Read, "SELECT record FROM events WHERE position > $1 ORDER BY position LIMIT $2"},
		{&b.readAt, db.Read, "SELECT record FROM events WHERE position IN (SELECT value FROM json_each($1)) ORDER BY position"},
	} {
		statement, err := s.on.PrepareContext(ctx, s.query)
		if err != nil {
			return err
		}
		*s.statement = statement
	}
	var err error
	if b.insertCommands, err = prepareInsert(ctx, db.Write, "commands (command_id, body_hash, first_position, last_position)", 4); err != nil {
		return err
	}
	if b.insertStreams, err = prepareInsert(ctx, db.Write, "streams (id, kind, first_position)", 3); err != nil {
		return err
	}
	// A position is a row id, and SQLite gives each row the next one. A statement that names row ids may fail halfway in its eyes, and
	// gets copies of pages to be undone with.
	b.insertEvents, err = prepareInsert(ctx, db.Write, "events (stream, version, record)", 3)
	return err
}

// Close closes the statements.
func (b *Backend) Close() error {
	var errs []error
	for _, statement := range []*sql.Stmt{
		b.moveHead, b.readHead, b.readTip, b.readCommand, b.readStream, b.readAll, b.readAt, b.readTail,
		b.insertCommands.one, b.insertCommands.many, b.insertStreams.one, b.insertStreams.many, b.insertEvents.one, b.insertEvents.many,
	} {
		if statement != nil {
			errs = append(errs, statement.Close())
		}
	}
	return errors.Join(errs...)
}

// Head reads the log's end.
func (b *Backend) Head(ctx context.Context) (eventstore.Head, error) {
	return scanHead(b.readHead.QueryRowContext(ctx))
}

func scanHead(row *sql.Row) (eventstore.Head, error) {
	var head eventstore.Head
	var epoch []byte
	var recordedAt int64
	if err := row.Scan(&epoch, &head.Position, &recordedAt); err != nil {
		return eventstore.Head{}, fmt.Errorf("read the log's head: %w", err)
	}
	copy(head.Epoch[:], epoch)
	if recordedAt != 0 {
		head.RecordedAt = time.UnixMicro(recordedAt).UTC()
	}
	return head, nil
}

// Tips reads where streams end.
func (b *Backend) Tips(ctx context.Context, streams []eventstore.StreamID) ([]eventstore.Tip, error) {
	tips := make([]eventstore.Tip, len(streams))
	for i, stream := range streams {
		err := b.readTip.QueryRowContext(ctx, stream.ID[:], stream.Kind).Scan(&tips[i].First, &tips[i].Version)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, fmt.Errorf("read the version of %s: %w", stream, err)
		}
	}
	return tips, nil
}

// Commands finds accepted commands by their ids.
func (b *Backend) Commands(ctx context.Context, ids []uuid.UUID) ([]eventstore.CommandRecord, error) {
	var commands []eventstore.CommandRecord
	for _, id := range ids {
		command := eventstore.CommandRecord{ID: id}
		var hash []byte
		switch err := b.readCommand.QueryRowContext(ctx, id[:]).Scan(&hash, &command.First, &command.Last); {
		case err == nil:
			copy(command.BodyHash[:], hash)
			commands = append(commands, command)
		case !errors.Is(err, sql.ErrNoRows):
			return nil, fmt.Errorf("read command %s: %w", id, err)
		}
	}
	return commands, nil
}

// ReadStream reads records of one stream with versions above after, in order.
func (b *Backend) ReadStream(ctx context.Context, stream eventstore.StreamID, after int64, limit int) ([]eventstore.Record, error) {
	records, err := read(ctx, b.readStream, stream.ID[:], stream.Kind, after, limit)
	if err != nil {
		return nil, fmt.Errorf("read %s after version %d: %w", stream, after, err)
	}
	return records, nil
}

// ReadAll reads records with positions above after, in order.
func (b *Backend) ReadAll(ctx context.Context, after int64, limit int) ([]eventstore.Record, error) {
	records, err := read(ctx, b.readAll, after, limit)
	if err != nil {
		return nil, fmt.Errorf("read the log after position %d: %w", after, err)
	}
	return records, nil
}

// ReadAt reads records by their positions.
func (b *Backend) ReadAt(ctx context.Context, positions []int64) ([]eventstore.Record, error) {
	list, err := json.Marshal(positions)
	if err != nil {
		return nil, err
	}
	records, err := read(ctx, b.readAt, string(list))
	if err != nil {
		return nil, fmt.Errorf("read the log at %d positions: %w", len(positions), err)
	}
	return records, nil
}

func read(ctx context.Context, query *sql.Stmt, args ...any) ([]eventstore.Record, error) {
	rows, err := query.QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var records []eventstore.Record
	for rows.Next() {
		var bytes []byte
		if err := rows.Scan(&bytes); err != nil {
			return nil, err
		}
		record, err := eventstore.ParseRecord(bytes)
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	return records, rows.Err()
}
