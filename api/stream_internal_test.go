package api

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/eventstore/sqlite"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

// Who follows one stream gets each of its events once, and does not have the whole log read for those that it has already.
func TestOneStreamIsFollowedFromItsOwnEvents(t *testing.T) {
	backend, err := sqlite.New(t.Context(), sqldbtest.SQLite(t))
	require.NoError(t, err)
	store, err := eventstore.Open(t.Context(), backend, eventstore.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	type stream = eventstore.StreamID
	ours, others := stream{Kind: "task", ID: uuid.New()}, stream{Kind: "task", ID: uuid.New()}
	positions := map[stream][]int64{}
	raise := func(s stream, times int) {
		a := eventstore.Append{CommandID: uuid.New(), Actor: "service:operator", Expect: []eventstore.StreamVersion{{Stream: s, Version: int64(len(positions[s]))}}}
		for range times {
			a.Events = append(a.Events, eventstore.NewEvent{ID: uuid.New(), Stream: s, Type: "task.TaskRaised.v1", Data: []byte("{}")})
		}
		appended, err := store.Append(t.Context(), a)
		require.NoError(t, err)
		for position := appended.First; position <= appended.Last; position++ {
			positions[s] = append(positions[s], position)
		}
	}
	raise(others, 3)
	raise(ours, scanReadItems+2)
	raise(others, 3)

	for name, after := range map[string]int64{"from the beginning": 0, "from within": 100, "from behind its last": scanReadItems + 6, "from the log's end": scanReadItems + 8} {
		t.Run(name, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			pages, ended := make(chan []eventstore.Record), make(chan error, 1)
			go func() {
				defer close(pages)
				ended <- followLog(ctx, store, ours, after, func(ctx context.Context, page []eventstore.Record) error {
					select {
					case pages <- page:
						return nil
					case <-ctx.Done():
						return ctx.Err()
					}
				})
			}()
			defer func() {
				stop()
				require.ErrorIs(t, <-ended, context.Canceled)
			}()
			var got []int64
			take := func(only bool) (until []int64) {
				for _, position := range positions[ours] {
					if position > after {
						until = append(until, position)
					}
				}
				for len(got) < len(until) {
					page, open := <-pages
					require.True(t, open)
					for _, record := range page {
						if record.Stream == ours {
							got = append(got, record.Position)
						} else {
							require.False(t, only, "position %d is read for nothing", record.Position)
						}
					}
				}
				return until
			}
			require.Equal(t, take(true), got)
			raise(others, 1)
			raise(ours, 1)
			require.Equal(t, take(false), got)
		})
	}
}
