package storetest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/eventstore"
)

// errCut is what a node sees of a connection that was cut.
var errCut = errors.New("the connection was cut")

func lostAnswer(t *testing.T, l *ledger) {
	hooked := &hooked{Backend: l.node()}
	store := l.openOn(hooked, eventstore.Options{})
	stream := newStream("task")
	a, empty, stale := extend(stream, 0, newStream("task")), eventstore.Append{CommandID: uuid.New()}, extend(stream, 7)
	held, release := hooked.hold()
	first := l.background(store, extend(newStream("first"), 0))
	l.receive(held)
	var waiting []<-chan answer
	for i, a := range []eventstore.Append{a, empty, a, stale} {
		waiting = append(waiting, l.background(store, a))
		require.Eventually(t, func() bool { return store.Waiting() == i+1 }, patience, poll)
	}
	var cut atomic.Bool
	hooked.onCommit(func(_ eventstore.Head, _ eventstore.Batch, commit func() error) error {
		err := commit()
		if err == nil && cut.CompareAndSwap(false, true) {
			return errCut
		}
		return err
	})
	release()
	require.NoError(t, (<-first).err)
	fresh, nothing, twice, conflict := <-waiting[0], <-waiting[1], <-waiting[2], <-waiting[3]
	require.NoError(t, fresh.err)
	require.False(t, fresh.appended.Repeated, "it was this append that wrote")
	require.Equal(t, answer{appended: eventstore.Appended{First: 4, Last: 3}}, nothing)
	require.NoError(t, twice.err)
	require.Equal(t, fresh.appended.Records, twice.appended.Records)
	require.Equal(t, &eventstore.ConflictError{Stream: stream, Expected: 7, Actual: 1}, conflict.err)
	require.True(t, cut.Load())
	require.Equal(t, fresh.appended.Records, l.log(store)[1:])
	l.append(store, extend(stream, 1))
}

func failedCommit(t *testing.T, l *ledger) {
	hooked := &hooked{Backend: l.node()}
	store := l.openOn(hooked, eventstore.Options{})
	failures := 0
	hooked.onCommit(func(_ eventstore.Head, _ eventstore.Batch, commit func() error) error {
		if failures++; failures <= 2 {
			return errCut
		}
		return commit()
	})
	appended := l.append(store, extend(newStream("task"), 0))
	require.False(t, appended.Repeated)
	require.Equal(t, appended.Records, l.log(store))
	require.Equal(t, int64(1), hooked.commits.Load())
}

func outage(t *testing.T, l *ledger) {
	hooked := &hooked{Backend: l.node()}
	store := l.openOn(hooked, eventstore.Options{})
	stream := newStream("task")
	first := l.append(store, extend(stream, 0))
	hooked.onCommit(func(eventstore.Head, eventstore.Batch, func() error) error { return errCut })
	looks := 0
	hooked.onHead(func(head eventstore.Head) (eventstore.Head, error) {
		if looks++; looks <= 3 {
			return eventstore.Head{}, errCut
		}
		hooked.onCommit(nil)
		return head, nil
	})
	second := l.append(store, extend(stream, 1))
	require.Equal(t, append(first.Records, second.Records...), l.log(store))
}

func lateCommit(t *testing.T, l *ledger) {
	hooked, other := &hooked{Backend: l.node()}, l.node()
	store := l.openOn(hooked, eventstore.Options{})
	arrives, late := make(chan struct{}), make(chan error, 1)
	tries := 0
	hooked.onCommit(func(from eventstore.Head, batch eventstore.Batch, commit func() error) error {
		if tries++; tries > 1 {
			close(arrives)
			hooked.onCommit(nil)
			return commit()
		}
		// What was sent over the connection that is cut reaches the database only when the next try is under way.
		go func() {
			<-arrives
			late <- other.Commit(l.ctx, from, batch, false)()
		}()
		return errCut
	})
	appended := l.append(store, extend(newStream("task"), 0))
	require.ErrorIs(t, <-late, eventstore.ErrFenced)
	require.Equal(t, appended.Records, l.log(store))
	require.NoError(t, other.Close())
}

// planned is what a node would commit for an append, if it were let.
func (l *ledger) planned(a eventstore.Append) (from eventstore.Head, batch eventstore.Batch) {
	l.Helper()
	hooked := &hooked{Backend: l.node()}
	store := l.openOn(hooked, eventstore.Options{})
	hooked.onCommit(func(head eventstore.Head, planned eventstore.Batch, _ func() error) error {
		from, batch = head, planned
		return &eventstore.AheadError{}
	})
	_, err := store.Append(l.ctx, a)
	require.ErrorAs(l, err, new(*eventstore.AheadError))
	return from, batch
}

func refusedBatch(t *testing.T, l *ledger) {
	known := newStream("task")
	early, written := l.planned(extend(known, 0))
	backend := l.node()
	defer func() { require.NoError(t, backend.Close()) }()
	require.NoError(t, backend.Commit(l.ctx, early, written, false)())

	for _, c := range []struct {
		name   string
		change func(from *eventstore.Head, batch *eventstore.Batch)
		want   error
	}{
		{"behind the head", func(from *eventstore.Head, _ *eventstore.Batch) { from.Position-- }, eventstore.ErrFenced},
		{"ahead of the head", func(from *eventstore.Head, _ *eventstore.Batch) { from.Position++ }, eventstore.ErrFenced},
		{"of another epoch", func(from *eventstore.Head, _ *eventstore.Batch) { from.Epoch = uuid.New() }, eventstore.ErrFenced},
		{"with a command that is there", func(_ *eventstore.Head, batch *eventstore.Batch) {
			again := eventstore.CommandRecord{ID: written.Commands[0].ID, First: batch.Head.Position + 1, Last: batch.Head.Position}
			batch.Commands = append(batch.Commands, again)
		}, eventstore.ErrDuplicate},
		{"with a stream that is there", func(_ *eventstore.Head, batch *eventstore.Batch) {
			batch.Records[1].Stream = known
		}, eventstore.ErrDuplicateStream},
		{"with a version that is there", func(_ *eventstore.Head, batch *eventstore.Batch) {
			batch.Records[1].Version, batch.Streams[1] = 1, written.Streams[0]
		}, eventstore.ErrDuplicateStream},
	} {
		for _, locked := range []bool{false, true} {
			from, batch := l.planned(extend(newStream("task"), 0, newStream("task")))
			c.change(&from, &batch)
			if locked {
				_, _, err := backend.Lock(l.ctx, 0)
				require.NoError(t, err, c.name)
			}
			require.ErrorIs(t, backend.Commit(l.ctx, from, batch, false)(), c.want, c.name)

			head, err := backend.Head(l.ctx)
			require.NoError(t, err)
			require.Equal(t, written.Head, head, c.name)
			records, err := backend.ReadAll(l.ctx, 0, 10)
			require.NoError(t, err)
			require.Equal(t, written.Records, records, c.name)
			commands, err := backend.Commands(l.ctx, []uuid.UUID{batch.Commands[0].ID})
			require.NoError(t, err)
			require.Empty(t, commands, c.name)
			tips, err := backend.Tips(l.ctx, []eventstore.StreamID{batch.Records[0].Stream, known})
			require.NoError(t, err)
			require.Equal(t, []eventstore.Tip{{}, {First: 1, Version: 1}}, tips, c.name)
		}
	}
	from, batch := l.planned(extend(known, 1))
	require.NoError(t, backend.Commit(l.ctx, from, batch, false)(), "none of them is in the way of a good one")
}

func lockKeepsOthersOut(t *testing.T, l *ledger) {
	one, two := l.node(), l.node()
	defer func() { require.NoError(t, errors.Join(one.Close(), two.Close())) }()
	streams := []eventstore.StreamID{newStream("task"), newStream("task")}
	from, batch := l.planned(extend(streams[0], 0, streams[1]))
	other, rival := l.planned(extend(newStream("task"), 0))

	head, tail, err := one.Lock(l.ctx, 0)
	require.NoError(t, err)
	require.Equal(t, from, head)
	require.Empty(t, tail)
	refused := make(chan error, 1)
	go func() { refused <- two.Commit(l.ctx, other, rival, false)() }()
	require.NoError(t, one.Commit(l.ctx, from, batch, false)(), "whoever holds the lock is not overtaken")
	require.ErrorIs(t, <-refused, eventstore.ErrFenced)

	// Under a lock that is taken again, and then given back.
	for range 2 {
		head, tail, err = one.Lock(l.ctx, 0)
		require.NoError(t, err)
		require.Equal(t, batch.Head, head)
		require.Equal(t, []eventstore.Tip{{First: 1, Version: 1}, {First: 2, Version: 1}}, tail)
	}
	require.NoError(t, one.Unlock(l.ctx))
	from, batch = l.planned(extend(streams[0], 1))
	require.NoError(t, two.Commit(l.ctx, from, batch, false)())
	_, tail, err = one.Lock(l.ctx, 2)
	require.NoError(t, err)
	require.Equal(t, []eventstore.Tip{{First: 1, Version: 2}}, tail)
	require.NoError(t, one.Unlock(l.ctx))
}

func waitForTheTurn(t *testing.T, l *ledger) {
	hooked, rival := &hooked{Backend: l.node()}, l.node()
	store := l.openOn(hooked, eventstore.Options{})
	l.append(l.open(), extend(newStream("task"), 0))
	l.append(store, extend(newStream("task"), 0)) // It finds that it is not alone, so from now on it takes the lock first.
	_, _, err := rival.Lock(l.ctx, 0)
	require.NoError(t, err)
	locks, commits := hooked.locks.Load(), hooked.commits.Load()
	stream := newStream("task")
	answers := []<-chan answer{l.background(store, extend(stream, 0))}
	require.Eventually(t, func() bool { return hooked.locks.Load() > locks }, patience, poll)
	for i, a := range []eventstore.Append{extend(stream, 1), extend(stream, 0), extend(newStream("task"), 0)} {
		answers = append(answers, l.background(store, a))
		require.Eventually(t, func() bool { return store.Waiting() == i+1 }, patience, poll)
	}
	require.NoError(t, errors.Join(rival.Unlock(l.ctx), rival.Close()))
	for i, want := range []error{nil, nil, &eventstore.ConflictError{Stream: stream, Expected: 0, Actual: 2}, nil} {
		require.Equal(t, want, (<-answers[i]).err, i)
	}
	require.Equal(t, commits+1, hooked.commits.Load())
	require.Len(t, l.log(store), 2+3)
}

func missedTooMuch(t *testing.T, l *ledger) {
	store, other := l.open(), l.open()
	stream, same := newStream("task"), newStream("task")
	l.append(store, extend(stream, 0, same))
	l.append(other, extend(stream, 1))
	filler := newStream("filler")
	for at := int64(0); at <= eventstore.MaxTail; at += eventstore.MaxAppendEvents {
		a := extend(filler, at)
		a.Events = events(filler, eventstore.MaxAppendEvents, `{}`)
		l.append(other, a)
	}
	// Nothing but the node's memory stands between this append and the log: it only reads the stream that has moved on.
	a := extend(newStream("task"), 0)
	a.Expect = append(a.Expect, eventstore.StreamVersion{Stream: stream, Version: 1})
	_, err := store.Append(l.ctx, a)
	require.Equal(t, &eventstore.ConflictError{Stream: stream, Expected: 1, Actual: 2}, err)
	a.Expect[1].Version = 2
	l.append(store, a)
	l.append(store, extend(same, 1))
	l.log(store)
}

func restored(t *testing.T, l *ledger) {
	epoch := uuid.New()
	for _, head := range []func(eventstore.Head) (eventstore.Head, error){
		func(head eventstore.Head) (eventstore.Head, error) { return eventstore.Head{Epoch: head.Epoch}, nil },
		func(head eventstore.Head) (eventstore.Head, error) {
			return eventstore.Head{Epoch: epoch, Position: 100}, nil
		},
	} {
		hooked := &hooked{Backend: l.node()}
		store := l.openOn(hooked, eventstore.Options{})
		at := l.append(store, extend(newStream("task"), 0)).Last
		following := make(chan error, 1)
		begun := make(chan struct{})
		go func() {
			following <- store.Follow(l.ctx, eventstore.Checkpoint{Position: at - 1}, func(context.Context, []eventstore.Record) error {
				close(begun)
				return nil
			})
		}()
		l.receive(begun)
		hooked.onHead(head)
		hooked.onCommit(func(eventstore.Head, eventstore.Batch, func() error) error { return eventstore.ErrFenced })
		for range 2 {
			_, err := store.Append(l.ctx, extend(newStream("task"), 0))
			var ahead *eventstore.AheadError
			require.ErrorAs(t, err, &ahead)
			require.Equal(t, at, ahead.Checkpoint.Position)
		}
		require.ErrorAs(t, <-following, new(*eventstore.AheadError))
	}
}

func cancelledWhileWaiting(t *testing.T, l *ledger) {
	hooked := &hooked{Backend: l.node()}
	store := l.openOn(hooked, eventstore.Options{})
	held, release := hooked.hold()
	first := l.background(store, extend(newStream("task"), 0))
	l.receive(held)
	ctx, cancel := context.WithCancel(l.ctx)
	a := extend(newStream("task"), 0)
	given := make(chan error, 1)
	go func() {
		_, err := store.Append(ctx, a)
		given <- err
	}()
	require.Eventually(t, func() bool { return store.Waiting() == 1 }, patience, poll)
	cancel()
	require.ErrorIs(t, <-given, context.Canceled)
	release()
	require.NoError(t, (<-first).err)
	l.append(store, extend(newStream("task"), 0))
	require.Len(t, l.log(store), 2)
	require.False(t, l.append(store, a).Repeated)
}

func cancelledWhileCommitting(t *testing.T, l *ledger) {
	hooked := &hooked{Backend: l.node()}
	store := l.openOn(hooked, eventstore.Options{})
	held, release := hooked.hold()
	ctx, cancel := context.WithCancel(l.ctx)
	a := extend(newStream("task"), 0)
	given := make(chan error, 1)
	go func() {
		_, err := store.Append(ctx, a)
		given <- err
	}()
	l.receive(held)
	cancel()
	require.ErrorIs(t, <-given, context.Canceled)
	release()
	repeated := l.append(store, a)
	require.True(t, repeated.Repeated)
	require.Equal(t, repeated.Records, l.log(store))
}

func closing(t *testing.T, l *ledger) {
	hooked := &hooked{Backend: l.node()}
	store, err := eventstore.Open(l.ctx, hooked, eventstore.Options{})
	require.NoError(t, err)
	following, waiting := make(chan error, 1), make(chan error, 1)
	go func() {
		following <- store.Follow(l.ctx, eventstore.Checkpoint{}, func(context.Context, []eventstore.Record) error { return nil })
	}()
	go func() { waiting <- store.Wait(l.ctx, 100) }()
	held, release := hooked.hold()
	first := l.background(store, extend(newStream("task"), 0))
	l.receive(held)
	second := l.background(store, extend(newStream("task"), 0))
	require.Eventually(t, func() bool { return store.Waiting() == 1 }, patience, poll)
	closed := make(chan error, 1)
	go func() { closed <- store.Close() }()
	require.ErrorIs(t, <-following, eventstore.ErrClosed)
	require.ErrorIs(t, <-waiting, eventstore.ErrClosed)
	_, err = store.Append(l.ctx, extend(newStream("task"), 0))
	require.ErrorIs(t, err, eventstore.ErrClosed)
	release()
	require.NoError(t, (<-first).err)
	require.NoError(t, (<-second).err)
	require.NoError(t, <-closed)
	require.NoError(t, store.Close(), "as often as one likes")
	require.Len(t, l.log(l.open()), 2)
}
