package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// messageDBCategories is over how many categories the streams are spread, beside all of them being of one: message-db writes one
// category at a time.
const messageDBCategories = 64

// maxTemplate is how large the database may be that has message-db in it, in bytes: a copy of all of it is made.
const maxTemplate = 1 << 30

// messageDBWriter writes through message-db's own function, each event in a transaction of its own.
type messageDBWriter struct {
	pool       *pgxpool.Pool
	categories int
	streams    []*clientStreams
}

// messageDBContestants are message-db with many categories and with one, where the database of the DSN has it: it is measured in
// copies of that database. There are none where it is not there, or cannot be copied, of which the report tells.
func messageDBContestants(ctx context.Context, s *scratch, report *Report) ([]contestant, error) {
	name, size, err := s.messageDB(ctx)
	if err != nil || name == "" {
		return nil, err
	}
	if size > maxTemplate {
		report.Notes = append(report.Notes, fmt.Sprintf("message-db is left out: %s has %d MiB, and more than %d are not copied.", name, size>>20, maxTemplate>>20))
		return nil, nil
	}
	template, err := s.create(ctx, name)
	if inUse(err) {
		report.Notes = append(report.Notes, fmt.Sprintf("message-db is left out: others are connected to %s, which therefore cannot be copied.", name))
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := s.run(ctx, template, "TRUNCATE message_store.messages"); err != nil {
		return nil, err
	}
	return []contestant{
		messageDB(messageDBName, template, messageDBCategories, fmt.Sprintf("message-db's write_message with the expected version, over up to %d connections and %d categories.",
			postgresConns, messageDBCategories)),
		messageDB(messageDBOneName, template, 1, "message-db with all streams in one category."),
	}, nil
}

// messageDB is message-db with so many categories.
func messageDB(name, template string, categories int, note string) contestant {
	return contestant{name: name, note: note, template: template, rows: 1, begin: func(ctx context.Context, db *database, clients int) (writer, error) {
		return newMessageDBWriter(ctx, db, categories, clients)
	}}
}

// messageDB gives the name and the size of the DSN's database if it has message-db.
func (s *scratch) messageDB(ctx context.Context) (name string, size int64, err error) {
	conn, err := s.connect(ctx, "")
	if err != nil {
		return "", 0, err
	}
	err = conn.QueryRow(ctx, `SELECT current_database(), pg_database_size(current_database())
		WHERE to_regprocedure('message_store.write_message(varchar, varchar, varchar, jsonb, jsonb, bigint)') IS NOT NULL`).Scan(&name, &size)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return name, size, errors.Join(err, conn.Close(ctx))
}

func newMessageDBWriter(ctx context.Context, db *database, categories, clients int) (writer, error) {
	config := db.Pool.Config()
	config.ConnConfig.RuntimeParams["search_path"] = "message_store, public" // its functions call each other without a schema
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	return &messageDBWriter{pool: pool, categories: categories, streams: streamsOf(clients)}, nil
}

func (w *messageDBWriter) write(ctx context.Context, client int) error {
	s := w.streams[client].next()
	event := oneEvent(s)
	_, err := w.pool.Exec(ctx, "SELECT write_message($1, $2, $3, $4, $5, $6)",
		event.Events[0].ID.String(), w.stream(s), benchType, event.Events[0].Data, messageDBMetadata(event.CommandID.String()), s.version-1)
	return err
}

// fill copies into message-db's table what its function would have written.
func (w *messageDBWriter) fill(ctx context.Context, events int) error {
	filler := streamsOf(1)[0]
	for done := 0; done < events; done += copyRows {
		row, rows := 0, min(copyRows, events-done)
		_, err := w.pool.CopyFrom(ctx, pgx.Identifier{"message_store", "messages"}, []string{"id", "stream_name", "type", "position", "data", "metadata"},
			pgx.CopyFromFunc(func() ([]any, error) {
				if row == rows {
					return nil, nil
				}
				row++
				s := filler.next()
				event := oneEvent(s)
				return []any{event.Events[0].ID, w.stream(s), benchType, s.version, event.Events[0].Data, messageDBMetadata(event.CommandID.String())}, nil
			}))
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *messageDBWriter) close() error {
	w.pool.Close()
	return nil
}

// stream is a stream's name, with the category before the hyphen.
func (w *messageDBWriter) stream(s stream) string {
	return benchKind + strconv.Itoa(int(s.id[0])%w.categories) + "-" + s.id.String()
}

// messageDBMetadata is what the ledger's record tells beside the event's data.
func messageDBMetadata(commandID string) []byte {
	return []byte(`{"actor":"` + benchActor + `","commandId":"` + commandID + `"}`)
}
