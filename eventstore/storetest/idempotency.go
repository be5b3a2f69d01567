package storetest

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/eventstore"
)

// again is what a repeated command must be told.
func again(first eventstore.Appended) eventstore.Appended {
	first.Repeated = true
	return first
}

func repeatedCommand(t *testing.T, l *ledger) {
	store, other := l.open(), l.open()
	stream := newStream("task")
	a := extend(stream, 0, newStream("task"))
	first := l.append(store, a)
	require.Equal(t, again(first), l.append(store, a), "at once")
	l.append(store, extend(stream, 1))
	require.Equal(t, again(first), l.append(store, a), "when the stream has moved on")
	require.Equal(t, again(first), l.append(other, a), "on another node")
	a.Expect[0].Version = 2
	require.Equal(t, again(first), l.append(store, a), "decided again from what the stream is now")
	require.Len(t, l.log(store), 3)
}

func repeatedConcurrently(t *testing.T, l *ledger) {
	stores := []*eventstore.Store{l.open(), l.open()}
	for range 10 {
		a := extend(newStream("task"), 0)
		const callers = 8
		var answers [callers]eventstore.Appended
		var fresh atomic.Int64
		each(callers, func(i int) {
			appended, err := stores[i%2].Append(l.ctx, a)
			if err != nil {
				t.Error(err)
			}
			if !appended.Repeated {
				fresh.Add(1)
			}
			answers[i] = again(appended)
		})
		require.Equal(t, int64(1), fresh.Load(), "one was first")
		for i := range answers {
			require.Equal(t, answers[0], answers[i])
		}
	}
	require.Len(t, l.log(stores[0]), 10)
}

func reusedCommand(t *testing.T, l *ledger) {
	store, other := l.open(), l.open()
	stream := newStream("task")
	a := extend(stream, 0)
	first := l.append(store, a)
	for _, node := range []*eventstore.Store{store, other} {
		for _, version := range []int64{0, 1} {
			b := extend(stream, version)
			b.CommandID, b.BodyHash = a.CommandID, [32]byte{1}
			_, err := node.Append(l.ctx, b)
			require.ErrorIs(t, err, eventstore.ErrCommandReused)
		}
	}
	require.Equal(t, first.Records, l.log(store))
}

func twiceInABatch(t *testing.T, l *ledger) {
	stream := newStream("task")
	a, reused, conflicting := extend(stream, 0), extend(stream, 1), extend(stream, 7)
	reused.CommandID, reused.BodyHash = a.CommandID, [32]byte{1}
	better := extend(stream, 1)
	better.CommandID = conflicting.CommandID
	store, answers := l.batch(a, a, reused, conflicting, better)
	require.NoError(t, answers[0].err)
	require.Equal(t, answer{appended: again(answers[0].appended)}, answers[1])
	require.ErrorIs(t, answers[2].err, eventstore.ErrCommandReused)
	require.NoError(t, answers[4].err)
	require.Equal(t, answer{appended: again(answers[4].appended)}, answers[3], "the id is in the log by then")
	require.Len(t, l.log(store), 1+2)
}

func repeatedInABatch(t *testing.T, l *ledger) {
	stream := newStream("task")
	a, reused := extend(stream, 0), extend(newStream("task"), 0)
	empty := eventstore.Append{CommandID: extend(stream, 0).CommandID}
	other := l.open()
	first, nothing := l.append(other, a), l.append(other, empty)
	reused.CommandID, reused.BodyHash = empty.CommandID, [32]byte{1}

	fresh := newStream("task")
	store, answers := l.batch(extend(fresh, 0), a, empty, reused, extend(fresh, 1))
	require.NoError(t, answers[0].err)
	require.Equal(t, answer{appended: again(first)}, answers[1])
	require.Equal(t, answer{appended: again(nothing)}, answers[2])
	require.ErrorIs(t, answers[3].err, eventstore.ErrCommandReused)
	require.NoError(t, answers[4].err)
	require.Len(t, l.log(store), 1+1+2)
}
