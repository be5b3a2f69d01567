// Package postgres keeps a log of events on Postgres.
package postgres

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/sqldb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// The queries. Each looks rows up in an index, whatever the planner believes of the table's size when it plans.
const (
	selectTips = `
		SELECT coalesce(first, 0), coalesce((SELECT max(version) FROM events WHERE stream = first), 0)
		FROM (
			SELECT n, (SELECT position FROM events WHERE stream_id = asked.id AND stream_kind = asked.kind) AS first
			FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS asked (kind, id, n)
			OFFSET 0
		) AS found
		ORDER BY n`
	selectCommands = `
		SELECT command_id, body_hash, coalesce(position, last_position + 1), last_position FROM events WHERE command_id = ANY ($1)`
	selectStream = `
		SELECT record FROM events
		WHERE stream = (SELECT position FROM events WHERE stream_id = $1 AND stream_kind = $2) AND version > $3
		ORDER BY version LIMIT $4`
	selectAll = `
		SELECT record FROM events WHERE position > $1 ORDER BY position LIMIT $2`
	selectAt = `
		SELECT record FROM events WHERE position = ANY ($1) ORDER BY position`
)

// Backend is a log on Postgres. It reads through the database's pool and writes through a connection of its own.
type Backend struct {
	pool   *pgxpool.Pool
	writer writer
}

// New brings the log's tables up to date. The first of their migrations begins the log, with an epoch of its own.
func New(ctx context.Context, db *sqldb.DB) (*Backend, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	if err := db.Migrate(ctx, "ledger_log_version", files); err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return &Backend{pool: db.Pool, writer: writer{config: &db.Pool.Config().ConnConfig.Config}}, nil
}

// Close closes the connection that writes.
func (b *Backend) Close() error {
	b.writer.close()
	return nil
}

// Head reads the log's end.
func (b *Backend) Head(ctx context.Context) (eventstore.Head, error) {
	var head eventstore.Head
	var recordedAt int64
	row := b.pool.QueryRow(ctx, "SELECT epoch, position, recorded_at FROM log ORDER BY position DESC LIMIT 1")
	if err := row.Scan(&head.Epoch, &head.Position, &recordedAt); err != nil {
		return eventstore.Head{}, fmt.Errorf("read the log's head: %w", err)
	}
	head.RecordedAt = fromMicros(recordedAt)
	return head, nil
}

// Tips reads where streams end.
func (b *Backend) Tips(ctx context.Context, streams []eventstore.StreamID) ([]eventstore.Tip, error) {
	kinds, ids := make([]string, len(streams)), make([]uuid.UUID, len(streams))
	for i, stream := range streams {
		kinds[i], ids[i] = stream.Kind, stream.ID
	}
	rows, err := b.pool.Query(ctx, selectTips, kinds, ids)
	if err != nil {
		return nil, fmt.Errorf("read the versions of streams: %w", err)
	}
	tips, err := pgx.CollectRows(rows, pgx.RowToStructByPos[eventstore.Tip])
	if err != nil {
		return nil, fmt.Errorf("read the versions of streams: %w", err)
	}
	return tips, nil
}

// Commands finds accepted commands by their ids.
func (b *Backend) Commands(ctx context.Context, ids []uuid.UUID) ([]eventstore.CommandRecord, error) {
	rows, err := b.pool.Query(ctx, selectCommands, ids)
	if err != nil {
		return nil, fmt.Errorf("read commands: %w", err)
	}
	commands, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (eventstore.CommandRecord, error) {
		var c eventstore.CommandRecord
		var hash []byte
		err := row.Scan(&c.ID, &hash, &c.First, &c.Last)
		copy(c.BodyHash[:], hash)
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("read commands: %w", err)
	}
	return commands, nil
}

// ReadStream reads records of one stream with versions above after, in order.
func (b *Backend) ReadStream(ctx context.Context, stream eventstore.StreamID, after int64, limit int) ([]eventstore.Record, error) {
	records, err := b.read(ctx, selectStream, stream.ID, stream.Kind, after, limit)
	if err != nil {
		return nil, fmt.Errorf("read %s after version %d: %w", stream, after, err)
	}
	return records, nil
}

// ReadAll reads records with positions above after, in order.
func (b *Backend) ReadAll(ctx context.Context, after int64, limit int) ([]eventstore.Record, error) {
	records, err := b.read(ctx, selectAll, after, limit)
	if err != nil {
		return nil, fmt.Errorf("read the log after position %d: %w", after, err)
	}
	return records, nil
}

// ReadAt reads records by their positions.
func (b *Backend) ReadAt(ctx context.Context, positions []int64) ([]eventstore.Record, error) {
	records, err := b.read(ctx, selectAt, positions)
	if err != nil {
		return nil, fmt.Errorf("read the log at %d positions: %w", len(positions), err)
	}
	return records, nil
}

// read takes records as they come off the wire.
func (b *Backend) read(ctx context.Context, query string, args ...any) ([]eventstore.Record, error) {
	rows, err := b.pool.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var records []eventstore.Record
	for rows.Next() {
		record, err := eventstore.ParseRecord(append([]byte(nil), rows.RawValues()[0]...))
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	return records, rows.Err()
}

// fromMicros is the time of microseconds since 1970; 0 stands for none.
func fromMicros(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// toMicros is the other way round.
func toMicros(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixMicro()
}
