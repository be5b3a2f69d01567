package storetest

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/eventstore"
)

func conflictIsTyped(t *testing.T, l *ledger) {
	store := l.open()
	stream := newStream("task")
	l.append(store, extend(stream, 0))
	l.append(store, extend(stream, 1))
	for _, expected := range []int64{0, 1, 3, 100} {
		a := extend(stream, expected)
		_, err := store.Append(l.ctx, a)
		require.Equal(t, &eventstore.ConflictError{Stream: stream, Expected: expected, Actual: 2}, err)
		require.ErrorContains(t, err, stream.String())
		_, _, ok, err := store.Command(l.ctx, a.CommandID)
		require.NoError(t, err)
		require.False(t, ok, "a command in conflict may be tried again")
	}
	unknown := newStream("task")
	_, err := store.Append(l.ctx, extend(unknown, 1))
	require.Equal(t, &eventstore.ConflictError{Stream: unknown, Expected: 1, Actual: 0}, err)
	require.Len(t, l.log(store), 2)
}

func expectationOfAReadStream(t *testing.T, l *ledger) {
	store := l.open()
	read, extended, absent := newStream("partnership"), newStream("collaboration"), newStream("subject")
	l.append(store, extend(read, 0))
	decide := func(readAt, extendedAt int64) eventstore.Append {
		a := extend(extended, extendedAt)
		a.Expect = append(a.Expect, eventstore.StreamVersion{Stream: read, Version: readAt}, eventstore.StreamVersion{Stream: absent})
		return a
	}
	l.append(store, decide(1, 0))
	l.append(store, extend(read, 1))
	_, err := store.Append(l.ctx, decide(1, 1))
	require.Equal(t, &eventstore.ConflictError{Stream: read, Expected: 1, Actual: 2}, err)
	l.append(store, decide(2, 1))
	// Another node, which has read nothing yet, begins the stream that must not exist.
	l.append(l.open(), extend(absent, 0))
	_, err = store.Append(l.ctx, decide(2, 2))
	require.Equal(t, &eventstore.ConflictError{Stream: absent, Expected: 0, Actual: 1}, err)
}

func streamExistsAlready(t *testing.T, l *ledger) {
	one, two := newStream("task"), newStream("task")
	l.append(l.open(), extend(one, 0, two))
	// A node that knows nothing of the streams: one append of the batch means to begin one of them, another knows better.
	known := extend(two, 1)
	store, answers := l.batch(extend(newStream("task"), 0), extend(one, 0), known, extend(newStream("task"), 0))
	require.NoError(t, answers[0].err)
	require.Equal(t, &eventstore.ConflictError{Stream: one, Expected: 0, Actual: 1}, answers[1].err)
	require.NoError(t, answers[2].err)
	require.NoError(t, answers[3].err)
	require.Len(t, l.log(store), 2+1+3)
}

func tooLate(t *testing.T, l *ledger) {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	store := l.openOn(l.node(), eventstore.Options{Clock: func() time.Time { return now }})
	decided := func(before time.Time) eventstore.Append {
		a := extend(newStream("task"), 0)
		a.Before = before
		return a
	}
	for _, before := range []time.Time{now.Add(-time.Hour), now} {
		a := decided(before)
		_, err := store.Append(l.ctx, a)
		require.ErrorIs(t, err, eventstore.ErrLate)
		_, _, ok, err := store.Command(l.ctx, a.CommandID)
		require.NoError(t, err)
		require.False(t, ok, "a command that came too late may be tried again")
	}
	inTime := decided(now.Add(time.Microsecond))
	appended := l.append(store, inTime)
	require.Equal(t, now, appended.Records[0].RecordedAt)
	now = now.Add(time.Hour)
	require.Equal(t, appended.Records, l.append(store, inTime).Records, "what was in time stays accepted")
	nothing := decided(now.Add(-time.Minute))
	nothing.Events = nil
	l.append(store, nothing) // is not told by any event, and so at no time

	// A node whose clock is behind must not record earlier than the log's last event, and so comes too late as well.
	l.append(store, extend(newStream("task"), 0))
	behind := l.openOn(l.node(), eventstore.Options{Clock: func() time.Time { return now.Add(-time.Hour) }})
	_, err := behind.Append(l.ctx, decided(now.Add(-time.Minute)))
	require.ErrorIs(t, err, eventstore.ErrLate)
	require.Len(t, l.log(store), 2)
}

func tooLateInABatch(t *testing.T, l *ledger) {
	late := extend(newStream("task"), 0)
	late.Before = time.Now().Add(-time.Hour)
	store, answers := l.batch(extend(newStream("task"), 0), late, extend(late.Expect[0].Stream, 0))
	require.NoError(t, answers[0].err)
	require.ErrorIs(t, answers[1].err, eventstore.ErrLate)
	require.NoError(t, answers[2].err)
	require.Len(t, l.log(store), 1+2)
}

func conflictInABatch(t *testing.T, l *ledger) {
	stream := newStream("task")
	store, answers := l.batch(extend(stream, 0), extend(stream, 0), extend(stream, 1), extend(stream, 1), extend(newStream("task"), 0))
	for i, want := range []error{
		nil, &eventstore.ConflictError{Stream: stream, Expected: 0, Actual: 1},
		nil, &eventstore.ConflictError{Stream: stream, Expected: 1, Actual: 2},
		nil,
	} {
		require.Equal(t, want, answers[i].err, i)
	}
	require.Len(t, l.log(store), 1+3)
}

func oneWinnerForEachVersion(t *testing.T, l *ledger) {
	store := l.open()
	stream := newStream("task")
	const writers, versions = 16, 20
	var winners [versions]atomic.Int64
	each(writers, func(int) {
		for version := range winners {
			_, err := store.Append(l.ctx, extend(stream, int64(version)))
			if err == nil {
				winners[version].Add(1)
			} else if conflict, ok := errors.AsType[*eventstore.ConflictError](err); !ok || conflict.Actual <= int64(version) {
				t.Errorf("version %d: %v", version, err)
			}
		}
	})
	for version := range winners {
		require.Equal(t, int64(1), winners[version].Load(), "winners of version %d", version)
	}
	require.Len(t, l.log(store), versions)
}

// severalNodes has nodes write to streams of their own and to streams that they share, while readers watch.
func severalNodes(t *testing.T, l *ledger) {
	const nodes, writers, rounds = 3, 4, 20
	shared := []eventstore.StreamID{newStream("account"), newStream("account"), newStream("account")}
	var stores []*eventstore.Store
	for range nodes {
		stores = append(stores, l.open())
	}
	watching, stop := context.WithCancel(l.ctx)
	watched := make(chan int64)
	go func() { watched <- watchOrder(t, watching, stores[0]) }()
	each(nodes*writers, func(i int) {
		store, own := stores[i%nodes], newStream("task")
		for round := range int64(rounds) {
			if err := extendWithShared(l.ctx, store, own, round, shared[rand.N(len(shared))]); err != nil {
				t.Errorf("node %d: %v", i%nodes, err)
			}
		}
	})
	const total = 2 * nodes * writers * rounds
	for _, store := range stores {
		require.NoError(t, store.Wait(l.ctx, total))
	}
	stop()
	require.LessOrEqual(t, <-watched, int64(total))
	require.Len(t, l.log(stores[0]), total)
	got, err := stores[0].Versions(l.ctx, shared)
	require.NoError(t, err)
	require.Equal(t, int64(total/2), got[0]+got[1]+got[2])
}

// extendWithShared appends to a writer's own stream and to a shared one, again from its current version while others are faster.
func extendWithShared(ctx context.Context, store *eventstore.Store, own eventstore.StreamID, version int64, shared eventstore.StreamID) error {
	for {
		versions, err := store.Versions(ctx, []eventstore.StreamID{shared})
		if err != nil {
			return err
		}
		a := extend(own, version, shared)
		a.Expect[1].Version = versions[0]
		_, err = store.Append(ctx, a)
		if conflict, ok := errors.AsType[*eventstore.ConflictError](err); ok && conflict.Stream == shared {
			continue
		}
		return err
	}
}

// watchOrder reads the log as it grows and fails when a position or a version is seen before the one in front of it. It answers
// how far it has come when ctx ends.
func watchOrder(t *testing.T, ctx context.Context, store *eventstore.Store) int64 {
	versions := map[eventstore.StreamID]int64{}
	at := int64(0)
	for {
		page, err := store.ReadAll(ctx, at, 100)
		if ctx.Err() != nil {
			return at
		}
		if err != nil {
			t.Errorf("read after %d: %v", at, err)
			return at
		}
		for _, record := range page {
			if record.Position != at+1 || record.Version != versions[record.Stream]+1 {
				t.Errorf("position %d of %s version %d after position %d", record.Position, record.Stream, record.Version, at)
				return at
			}
			at = record.Position
			versions[record.Stream]++
		}
	}
}
