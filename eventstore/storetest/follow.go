package storetest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/eventstore"
)

// errEnough ends a follower that has seen what it wanted to.
var errEnough = errors.New("enough")

// followTo follows a log until a position and gives what it was handed.
func followTo(ctx context.Context, store *eventstore.Store, from eventstore.Checkpoint, position int64) ([]eventstore.Record, error) {
	var seen []eventstore.Record
	err := store.Follow(ctx, from, func(_ context.Context, page []eventstore.Record) error {
		if len(page) == 0 || len(page) > eventstore.MaxPageEvents {
			return errors.New("a page that is empty or too large")
		}
		seen = append(seen, page...)
		if seen[len(seen)-1].Position >= position {
			return errEnough
		}
		return nil
	})
	return seen, err
}

func follow(t *testing.T, l *ledger) {
	store := l.open()
	head, err := store.Head(l.ctx)
	require.NoError(t, err)
	const already = 2*eventstore.MaxPageEvents + 48
	stream := newStream("task")
	for _, at := range []int64{0, already / 2} {
		a := extend(stream, at)
		a.Events = events(stream, already/2, `{}`)
		l.append(store, a)
	}
	followed := make(chan []eventstore.Record, 1)
	reached := make(chan struct{})
	go func() {
		var seen []eventstore.Record
		err := store.Follow(l.ctx, eventstore.Checkpoint{}, func(_ context.Context, page []eventstore.Record) error {
			seen = append(seen, page...)
			switch len(seen) {
			case already:
				close(reached)
			case already + 2:
				return errEnough
			}
			return nil
		})
		if !errors.Is(err, errEnough) {
			t.Error(err)
		}
		followed <- seen
	}()
	l.receive(reached)
	a := extend(stream, already)
	a.Events = events(stream, 2, `{}`)
	l.append(store, a)
	log := l.log(store)
	require.Equal(t, log, <-followed)

	for _, from := range []int64{1, already - 1, already + 1} {
		seen, err := followTo(l.ctx, store, eventstore.Checkpoint{Epoch: head.Epoch, Position: from}, already+2)
		require.ErrorIs(t, err, errEnough)
		require.Equal(t, log[from:], seen)
	}
}

func followOtherNodes(t *testing.T, l *ledger) {
	store, other := l.open(), l.open()
	stream := newStream("task")
	for version := range int64(3) {
		appended := l.append(other, extend(stream, version))
		seen, err := followTo(l.ctx, store, eventstore.Checkpoint{Position: version}, version+1)
		require.ErrorIs(t, err, errEnough)
		require.Equal(t, appended.Records, seen)
	}
	seen := make(chan []eventstore.Record, 1)
	begun := make(chan struct{})
	go func() {
		close(begun)
		records, _ := followTo(l.ctx, store, eventstore.Checkpoint{Position: 3}, 5)
		seen <- records
	}()
	l.receive(begun)
	first := l.append(other, extend(stream, 3))
	second := l.append(store, extend(stream, 4))
	require.Equal(t, append(first.Records, second.Records...), <-seen)
}

// followGathers: at the log's end a page holds all that came while the one before it was handled.
func followGathers(t *testing.T, l *ledger) {
	store := l.open()
	stream := newStream("task")
	l.append(store, extend(stream, 0))
	var sizes []int
	err := store.Follow(l.ctx, eventstore.Checkpoint{}, func(_ context.Context, page []eventstore.Record) error {
		if sizes = append(sizes, len(page)); len(sizes) == 2 {
			return errEnough
		}
		for version := range int64(3) {
			l.append(store, extend(stream, version+1))
		}
		return nil
	})
	require.Equal(t, errEnough, err)
	require.Equal(t, []int{1, 3}, sizes)
}

func followEnds(t *testing.T, l *ledger) {
	store := l.open()
	stream := newStream("task")
	l.append(store, extend(stream, 0))
	calls := 0
	err := store.Follow(l.ctx, eventstore.Checkpoint{}, func(context.Context, []eventstore.Record) error {
		calls++
		return errEnough
	})
	require.Equal(t, errEnough, err)
	require.Equal(t, 1, calls)

	ctx, cancel := context.WithCancel(l.ctx)
	err = store.Follow(ctx, eventstore.Checkpoint{}, func(context.Context, []eventstore.Record) error {
		cancel()
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
}

func followAhead(t *testing.T, l *ledger) {
	store := l.open()
	head, err := store.Head(l.ctx)
	require.NoError(t, err)
	never := func(context.Context, []eventstore.Record) error {
		t.Error("a follower that is not on this log was handed a page")
		return nil
	}
	l.append(store, extend(newStream("task"), 0))
	for _, from := range []eventstore.Checkpoint{
		{Position: 2},
		{Epoch: head.Epoch, Position: 2},
		{Epoch: uuid.New()},
		{Epoch: uuid.New(), Position: 1},
	} {
		err := store.Follow(l.ctx, from, never)
		var ahead *eventstore.AheadError
		require.ErrorAs(t, err, &ahead)
		require.Equal(t, from, ahead.Checkpoint)
		require.Equal(t, int64(1), ahead.Head.Position)
		require.Equal(t, head.Epoch, ahead.Head.Epoch)
	}
}

func manyFollowers(t *testing.T, l *ledger) {
	hooked := &hooked{Backend: l.node()}
	store, other := l.openOn(hooked, eventstore.Options{}), l.open()
	const followers, writers, rounds = 20, 8, 25
	const total = writers * rounds
	for i, c := range []struct {
		writer *eventstore.Store
		reads  int64
	}{
		{store, followers}, // what this node appends it need not read, unless a follower begins between commit and answer
		{other, total},     // what others append it reads once, for all followers
	} {
		begin := int64(i * total)
		hooked.reads.Store(0)
		seen := make(chan []eventstore.Record, followers)
		for f := range followers {
			go func() {
				records, err := followTo(l.ctx, store, eventstore.Checkpoint{Position: begin}, begin+total)
				if !errors.Is(err, errEnough) {
					t.Errorf("follower %d: %v", f, err)
				}
				seen <- records
			}()
		}
		each(writers, func(int) {
			stream := newStream("task")
			for version := range int64(rounds) {
				if _, err := c.writer.Append(l.ctx, extend(stream, version)); err != nil {
					t.Error(err)
				}
			}
		})
		log := l.log(other)
		for range followers {
			require.Equal(t, log[begin:], <-seen)
		}
		require.LessOrEqual(t, hooked.reads.Load(), c.reads)
	}
}

func wait(t *testing.T, l *ledger) {
	store, other := l.open(), l.open()
	require.NoError(t, store.Wait(l.ctx, 0))
	stream := newStream("task")
	var woken atomic.Int64
	const waiters = 10
	done := make(chan error, waiters)
	for range waiters {
		go func() {
			err := store.Wait(l.ctx, 2)
			woken.Add(1)
			done <- err
		}()
	}
	l.append(store, extend(stream, 0))
	require.Zero(t, woken.Load(), "position 1 is not position 2")
	l.append(other, extend(stream, 1))
	for range waiters {
		require.NoError(t, <-done)
	}
	require.NoError(t, store.Wait(l.ctx, 1))
	l.append(other, extend(stream, 2))
	require.NoError(t, store.Wait(l.ctx, 3))

	ctx, cancel := context.WithCancel(l.ctx)
	go func() { done <- store.Wait(ctx, 4) }()
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
}

func clock(t *testing.T, l *ledger) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.FixedZone("east", 3600))
	at := noon
	store := l.openOn(l.node(), eventstore.Options{Clock: func() time.Time { return at }})
	stream := newStream("task")
	want := noon.UTC().Truncate(time.Microsecond)
	var times []time.Time
	for i, step := range []time.Duration{0, -time.Hour, time.Nanosecond, 0, 300 * time.Millisecond, -time.Microsecond} {
		at = noon.Add(step)
		times = append(times, l.append(store, extend(stream, int64(i))).Records[0].RecordedAt)
	}
	require.Equal(t, []time.Time{want, want, want, want, want.Add(300 * time.Millisecond), want.Add(300 * time.Millisecond)}, times)

	// Another node, whose clock is behind.
	behind := l.openOn(l.node(), eventstore.Options{Clock: func() time.Time { return noon.Add(-time.Hour) }})
	require.Equal(t, times[5], l.append(behind, extend(stream, 6)).Records[0].RecordedAt)
	at = noon
	require.Equal(t, times[5], l.append(store, extend(stream, 7)).Records[0].RecordedAt)
	require.Contains(t, string(l.log(store)[0].Bytes), `"time":"2026-03-01T11:00:00.123456Z"`)
}
