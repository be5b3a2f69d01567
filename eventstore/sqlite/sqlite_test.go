package sqlite_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/eventstore/sqlite"
	"github.com/collabledger/collabledger/eventstore/storetest"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

func database(t testing.TB) func() eventstore.Backend {
	db := sqldbtest.SQLite(t)
	return func() eventstore.Backend {
		backend, err := sqlite.New(t.Context(), db)
		require.NoError(t, err)
		return backend
	}
}

func TestConformance(t *testing.T) { storetest.Run(t, database) }

// A position is the row id that SQLite gives an event, so the log's head and its events must agree.
func TestAHeadThatIsNotWhereTheEventsEndIsNotAppendedTo(t *testing.T) {
	db := sqldbtest.SQLite(t)
	backend, err := sqlite.New(t.Context(), db)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, backend.Close()) })
	_, err = db.Write.ExecContext(t.Context(), "UPDATE log SET position = 5")
	require.NoError(t, err)
	head, err := backend.Head(t.Context())
	require.NoError(t, err)

	batch := eventstore.Batch{
		Head:     eventstore.Head{Epoch: head.Epoch, Position: 6, RecordedAt: time.Now()},
		Records:  []eventstore.Record{{Position: 6, Stream: eventstore.StreamID{Kind: "task", ID: uuid.New()}, Version: 1, Bytes: []byte("{}")}},
		Streams:  []int64{6},
		Commands: []eventstore.CommandRecord{{ID: uuid.New(), First: 6, Last: 6}},
	}
	require.ErrorContains(t, backend.Commit(t.Context(), head, batch, false)(), "the log ends at position 6, but the last of its events came to 1")
	after, err := backend.Head(t.Context())
	require.NoError(t, err)
	require.Equal(t, head, after, "nothing is written")
}

func BenchmarkAppend(b *testing.B) {
	for _, clients := range storetest.Clients {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) { storetest.BenchmarkAppend(b, clients, database(b)()) })
	}
}

func BenchmarkReadAll(b *testing.B) { storetest.BenchmarkReadAll(b, database(b)()) }
