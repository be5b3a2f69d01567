package projections

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

// BenchmarkRebuild tells how many events a second all models are rebuilt from.
func BenchmarkRebuild(b *testing.B) {
	for name, open := range map[string]func(testing.TB) *sqldb.DB{"sqlite": sqldbtest.SQLite, "postgres": sqldbtest.Postgres} {
		b.Run(name, func(b *testing.B) {
			const appends, eventsEach = 20, 1_000
			l := newLedger(b, open(b))
			for range appends {
				l.raiseMany(eventsEach)
			}
			engine := l.open()
			stop := l.run(engine)
			l.await(engine)
			stop()
			events := 0
			for b.Loop() {
				require.NoError(b, engine.Rebuild(b.Context(), "", nil))
				events += appends * eventsEach
			}
			b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// raiseMany appends messages and tasks of as many pairs, half of each.
func (l *ledger) raiseMany(events int) {
	l.t.Helper()
	a := eventstore.Append{CommandID: uuid.New(), Actor: operator.String()}
	for i := range events {
		pair := domain.Pair{ConsultancyID: uuid.New(), ClientID: uuid.New()}
		var event domain.Event = domain.MessageSent{Pair: pair, MessageID: uuid.New(), From: domain.ClientSide, Body: "Do you work with shops?"}
		stream := eventstore.StreamID{Kind: domain.CollaborationStream, ID: pair.CollaborationID()}
		if i%2 == 1 {
			stream = eventstore.StreamID{Kind: domain.TaskStream, ID: uuid.New()}
			event = domain.TaskRaised{TaskID: stream.ID, ClientID: pair.ClientID, Section: domain.Sales, Title: fmt.Sprint("Task ", i), DueAt: l.now.Add(time.Hour)}
		}
		data, err := json.Marshal(event)
		require.NoError(l.t, err)
		a.Expect = append(a.Expect, eventstore.StreamVersion{Stream: stream})
		a.Events = append(a.Events, eventstore.NewEvent{ID: uuid.New(), Stream: stream, Type: event.EventType(), Data: data})
	}
	_, err := l.store.Append(l.t.Context(), a)
	require.NoError(l.t, err)
}
