package postgres

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

// upTo brings a database's log to an earlier version of its schema.
func upTo(t *testing.T, db *sqldb.DB, files ...string) {
	earlier := fstest.MapFS{}
	for _, name := range files {
		content, err := fs.ReadFile(migrations, "migrations/"+name)
		require.NoError(t, err)
		earlier[name] = &fstest.MapFile{Data: content}
	}
	require.NoError(t, db.Migrate(t.Context(), "ledger_log_version", earlier))
}

func TestALogInThreeTablesBecomesOneAndSaysTheSame(t *testing.T) {
	// A log as it is written today gives records and commands to write in the old way.
	db := sqldbtest.Postgres(t)
	backend, err := New(t.Context(), db)
	require.NoError(t, err)
	store, err := eventstore.Open(t.Context(), backend, eventstore.Options{})
	require.NoError(t, err)
	first := someAppend()
	second := eventstore.Append{CommandID: uuid.New(), Actor: "user:anna",
		Expect: []eventstore.StreamVersion{{Stream: first.Expect[0].Stream, Version: 1}},
		Events: []eventstore.NewEvent{{ID: uuid.New(), Stream: first.Expect[0].Stream, Type: "task.TaskCompleted.v1", Data: []byte(`{}`)}}}
	idle := eventstore.Append{CommandID: uuid.New(), Actor: "user:anna"}
	for _, a := range []eventstore.Append{first, second, idle} {
		_, err := store.Append(t.Context(), a)
		require.NoError(t, err)
	}
	ids := []uuid.UUID{first.CommandID, second.CommandID, idle.CommandID}
	streams := []eventstore.StreamID{first.Expect[0].Stream, first.Expect[1].Stream}
	head, err := backend.Head(t.Context())
	require.NoError(t, err)
	records, err := backend.ReadAll(t.Context(), 0, 10)
	require.NoError(t, err)
	require.Len(t, records, 3)
	commands, err := backend.Commands(t.Context(), ids)
	require.NoError(t, err)
	require.Len(t, commands, 3)
	tips, err := backend.Tips(t.Context(), streams)
	require.NoError(t, err)
	require.NoError(t, store.Close())

	old := sqldbtest.Postgres(t)
	upTo(t, old, "00001_log.sql", "00002_append_only.sql")
	for _, r := range records {
		key := r.Position
		if r.Version == 2 {
			key = 1
		}
		_, err := old.Pool.Exec(t.Context(), "INSERT INTO events (position, stream, version, record) VALUES ($1, $2, $3, $4)", r.Position, key, r.Version, r.Bytes)
		require.NoError(t, err)
		if r.Version == 1 {
			_, err := old.Pool.Exec(t.Context(), "INSERT INTO streams (id, kind, first_position) VALUES ($1, $2, $3)", r.Stream.ID, r.Stream.Kind, key)
			require.NoError(t, err)
		}
	}
	for _, c := range commands {
		_, err := old.Pool.Exec(t.Context(), "INSERT INTO commands (command_id, body_hash, first_position, last_position) VALUES ($1, $2, $3, $4)",
			c.ID, c.BodyHash[:], c.First, c.Last)
		require.NoError(t, err)
	}
	_, err = old.Pool.Exec(t.Context(), "UPDATE log SET position = $1, recorded_at = $2, epoch = $3", head.Position, toMicros(head.RecordedAt), head.Epoch)
	require.NoError(t, err)

	migrated, err := New(t.Context(), old)
	require.NoError(t, err)
	again, err := migrated.Head(t.Context())
	require.NoError(t, err)
	require.Equal(t, head, again)
	requireSame := func(want, have any, err error) {
		t.Helper()
		require.NoError(t, err)
		require.ElementsMatch(t, want, have)
	}
	have, err := migrated.ReadAll(t.Context(), 0, 10)
	requireSame(records, have, err)
	known, err := migrated.Commands(t.Context(), ids)
	requireSame(commands, known, err)
	ends, err := migrated.Tips(t.Context(), streams)
	requireSame(tips, ends, err)

	store, err = eventstore.Open(t.Context(), migrated, eventstore.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	for _, a := range []eventstore.Append{first, second, idle} {
		appended, err := store.Append(t.Context(), a)
		require.NoError(t, err)
		require.True(t, appended.Repeated)
	}
	_, err = old.Pool.Exec(t.Context(), "DELETE FROM events")
	require.ErrorContains(t, err, "append-only")
}
