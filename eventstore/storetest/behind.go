package storetest

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/eventstore"
)

// RunBehind tests the backends that are sent one batch behind another. The commit of one is held up, another one is sent behind it, and
// a third one gathers behind that. Each goes on where the one before ends, so that none of them may be in the log without it.
func RunBehind(t *testing.T, database Database) {
	fresh := func(t *testing.T) *ledger {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		t.Cleanup(cancel)
		return &ledger{T: t, ctx: ctx, node: database(t)}
	}
	t.Run("that leaves the head where it is", func(t *testing.T) { behindNoEvents(t, fresh(t)) })
	for _, c := range []struct {
		name   string
		commit func(l *ledger, commit func() error) error
	}{
		{"that is written", func(_ *ledger, commit func() error) error { return commit() }},
		{"that another node was faster than, by as many events", func(l *ledger, commit func() error) error {
			l.append(l.open(), extend(newStream("task"), 0))
			return commit()
		}},
		{"that is lost on its way", func(*ledger, func() error) error { return errCut }},
		{"whose answer is lost", func(l *ledger, commit func() error) error {
			require.NoError(l, commit())
			return errCut
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := fresh(t)
			hooked := &hooked{Backend: l.node(), behind: true}
			store, least := l.openOn(hooked, eventstore.Options{}), hooked.Behind()
			require.Positive(t, least, "events from which on a batch is sent behind another one")
			stream := newStream("task")
			l.append(store, extend(stream, 0)) // so that there is a connection
			held, release := make(chan struct{}), make(chan struct{})
			var commits atomic.Int64
			hooked.onCommit(func(_ eventstore.Head, _ eventstore.Batch, commit func() error) error {
				if commits.Add(1) > 1 {
					return commit()
				}
				close(held)
				<-release
				return c.commit(l, commit)
			})
			answers := []<-chan answer{l.background(store, extend(stream, 1))}
			l.receive(held)
			for i := range least + 1 {
				answers = append(answers, l.background(store, extend(stream, int64(i)+2)))
				gathered := (i + 1) % least // what is sent does not wait any more
				require.Eventually(t, func() bool { return store.Waiting() == gathered }, patience, poll)
			}
			close(release)
			for i, got := range answers {
				got := <-got
				require.NoError(t, got.err)
				require.False(t, got.appended.Repeated)
				require.Equal(t, int64(i)+2, got.appended.Records[0].Version)
			}
			versions, err := store.Versions(l.ctx, []eventstore.StreamID{stream})
			require.NoError(t, err)
			require.Equal(t, []int64{int64(least) + 3}, versions)
			l.log(store)
		})
	}
}

// behindNoEvents sends a batch behind one of a command without events. It goes on where that one began, so only that one's outcome tells
// whether it may be written.
func behindNoEvents(t *testing.T, l *ledger) {
	backend := l.node()
	defer func() { require.NoError(t, backend.Close()) }()
	early, there := l.planned(extend(newStream("task"), 0))
	require.NoError(t, backend.Commit(l.ctx, early, there, false)())
	for _, c := range []struct {
		name  string
		id    uuid.UUID // of the command without events
		first error
		then  error
	}{
		{"refused", there.Commands[0].ID, eventstore.ErrDuplicate, eventstore.ErrFenced},
		{"written", uuid.New(), nil, nil},
	} {
		from, batch := l.planned(extend(newStream("task"), 0))
		none := eventstore.Batch{Head: from, Commands: []eventstore.CommandRecord{{ID: c.id, First: from.Position + 1, Last: from.Position}}}
		first := backend.Commit(l.ctx, from, none, false)
		second := backend.Commit(l.ctx, from, batch, true)
		require.ErrorIs(t, first(), c.first, c.name)
		require.ErrorIs(t, second(), c.then, c.name)
		head, err := backend.Head(l.ctx)
		require.NoError(t, err)
		require.Equal(t, c.then == nil, head == batch.Head, c.name)
	}
}
