package postgres_test

import (
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/eventstore/postgres"
	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

// openStore starts a node on the database of a DSN.
func openStore(t *testing.T, dsn string) (*eventstore.Store, *sqldb.DB) {
	db, err := sqldb.OpenPostgres(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	backend, err := postgres.New(t.Context(), db)
	require.NoError(t, err)
	store, err := eventstore.Open(t.Context(), backend, eventstore.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store, db
}

// note is an append of one event.
func note(stream eventstore.StreamID, version int64) eventstore.Append {
	return eventstore.Append{
		CommandID: uuid.New(), Expect: []eventstore.StreamVersion{{Stream: stream, Version: version}},
		Events: []eventstore.NewEvent{{ID: uuid.New(), Stream: stream, Type: "task.Noted.v1", Data: []byte(`{}`)}},
	}
}

func newStream() eventstore.StreamID { return eventstore.StreamID{Kind: "task", ID: uuid.New()} }

// requireOnce checks that the log holds what the appends were answered, each once, without gaps.
func requireOnce(t *testing.T, store *eventstore.Store, answers []eventstore.Appended) {
	log, err := store.ReadAll(t.Context(), 0, eventstore.MaxPageEvents)
	require.NoError(t, err)
	require.Len(t, log, len(answers))
	for i, record := range log {
		require.Equal(t, int64(i+1), record.Position)
	}
	for _, answer := range answers {
		require.False(t, answer.Repeated)
		require.Equal(t, log[answer.First-1:answer.Last], answer.Records)
	}
}

// load has writers append at the same time, and gives what they were answered.
func load(t *testing.T, store *eventstore.Store, writers, rounds int) []eventstore.Appended {
	answers := make([]eventstore.Appended, writers*rounds)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			stream := newStream()
			for round := range rounds {
				var err error
				if answers[w*rounds+round], err = store.Append(t.Context(), note(stream, int64(round))); err != nil {
					t.Errorf("writer %d, round %d: %v", w, round, err)
					return
				}
			}
		})
	}
	wg.Wait()
	return answers
}

func TestAppendsGoOnWhenTheServerEndsTheConnection(t *testing.T) {
	dsn := sqldbtest.PostgresDSN(t)
	store, _ := openStore(t, dsn)
	_, admin := openStore(t, dsn)
	var answers []eventstore.Appended
	for range 5 {
		loaded := make(chan []eventstore.Appended, 1)
		go func() { loaded <- load(t, store, 8, 5) }()
		require.Eventually(t, func() bool {
			var ended int
			err := admin.Read.QueryRowContext(t.Context(), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
				WHERE datname = current_database() AND query LIKE '%EXECUTE move_head%' AND pid <> pg_backend_pid()`).Scan(&ended)
			return err == nil && ended > 0
		}, time.Minute, time.Millisecond)
		answers = append(answers, <-loaded...)
	}
	requireOnce(t, store, answers)
}

func TestANodeThatDiesUnderTheLockLetsItGo(t *testing.T) {
	dsn := sqldbtest.PostgresDSN(t)
	store, db := openStore(t, dsn)
	dying, err := postgres.New(t.Context(), db)
	require.NoError(t, err)
	_, _, err = dying.Lock(t.Context(), 0)
	require.NoError(t, err)
	answered := make(chan error, 1)
	go func() {
		_, err := store.Append(t.Context(), note(newStream(), 0))
		answered <- err
	}()
	require.Eventually(t, func() bool {
		var waiting int
		err := db.Read.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()").Scan(&waiting)
		return err == nil && waiting == 1
	}, time.Minute, time.Millisecond, "the other node waits for the lock")
	require.NoError(t, dying.Close())
	require.NoError(t, <-answered)
}

func TestNothingInTheLogCanBeChanged(t *testing.T) {
	store, db := openStore(t, sqldbtest.PostgresDSN(t))
	appended, err := store.Append(t.Context(), note(newStream(), 0))
	require.NoError(t, err)
	for _, statement := range []string{
		"UPDATE events SET record = ''", "DELETE FROM events", "TRUNCATE events",
		"INSERT INTO log VALUES (9, gen_random_uuid(), 0)", "DELETE FROM log", "TRUNCATE log",
	} {
		_, err := db.Write.ExecContext(t.Context(), statement)
		require.ErrorContains(t, err, "append-only", statement)
	}
	requireOnce(t, store, []eventstore.Appended{appended})
}

func TestNodesThatStartTogetherBeginOneLog(t *testing.T) {
	db := sqldbtest.Postgres(t)
	var epochs [4]uuid.UUID
	var wg sync.WaitGroup
	for i := range epochs {
		wg.Go(func() {
			backend, err := postgres.New(t.Context(), db)
			if err != nil {
				t.Error(err)
				return
			}
			head, err := backend.Head(t.Context())
			if err != nil {
				t.Error(err)
			}
			epochs[i] = head.Epoch
		})
	}
	wg.Wait()
	for _, epoch := range epochs {
		require.NotEqual(t, uuid.Nil, epoch)
		require.Equal(t, epochs[0], epoch)
	}
}
