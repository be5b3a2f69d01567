package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/collabledger/collabledger/eventstore"
)

const (
	fillers          = 4                                          // goroutines that fill a log: some encode while another's batch is committed
	eventsPerHistory = 2 * clientsPerConsultancy * factsPerClient // of a history at least, so that the firms of a short log are as large as those of a long one
)

// source gives appends of as many events as it is asked for.
type source func(events int) (eventstore.Append, error)

// fillLog appends so many events from a source for each of its goroutines, as many at a time as one append may hold. done, unless
// it is nil, is told how many there are.
func fillLog(ctx context.Context, store *eventstore.Store, events, goroutines int, sourceOf func(filler int) source, done func(events int)) error {
	var total atomic.Int64
	filling, ctx := errgroup.WithContext(ctx)
	for i := range goroutines {
		share := events/goroutines + min(1, max(0, events%goroutines-i))
		filling.Go(func() error {
			next := sourceOf(i)
			for left := share; left > 0; left -= eventstore.MaxAppendEvents {
				n := min(left, eventstore.MaxAppendEvents)
				a, err := next(n)
				if err != nil {
					return err
				}
				if _, err := store.Append(ctx, a); err != nil {
					return err
				}
				if at := total.Add(int64(n)); done != nil {
					done(int(at))
				}
			}
			return nil
		})
	}
	return filling.Wait()
}

// fillHistory fills a log with believable histories.
func fillHistory(ctx context.Context, store *eventstore.Store, events int, done func(events int)) error {
	now := time.Now().UTC().Truncate(time.Microsecond)
	err := fillLog(ctx, store, events, min(fillers, max(1, events/eventsPerHistory)), func(filler int) source { return newHistory(uint64(filler), now).append }, done)
	if err != nil {
		return fmt.Errorf("fill a log with %d events: %w", events, err)
	}
	return nil
}

// append is an append of the next events of a history.
func (h *history) append(events int) (eventstore.Append, error) {
	for len(h.facts) < events {
		if err := h.goOn(); err != nil {
			return eventstore.Append{}, err
		}
	}
	a := eventstore.Append{CommandID: uuid.Must(uuid.NewV7()), Actor: benchActor, Events: make([]eventstore.NewEvent, events)}
	expected := map[eventstore.StreamID]bool{}
	for i, fact := range h.facts[:events] {
		if !expected[fact.stream] {
			expected[fact.stream] = true
			a.Expect = append(a.Expect, eventstore.StreamVersion{Stream: fact.stream, Version: fact.after})
		}
		data, err := json.Marshal(fact.event)
		if err != nil {
			return eventstore.Append{}, fmt.Errorf("encode %s: %w", fact.event.EventType(), err)
		}
		a.Events[i] = eventstore.NewEvent{ID: h.id(), Stream: fact.stream, Type: fact.event.EventType(), Data: data}
	}
	h.facts = append(h.facts[:0], h.facts[events:]...)
	return a, nil
}
