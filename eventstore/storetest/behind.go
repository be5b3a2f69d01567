package storetest

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/eventstore"
)

// RunBehind tests the backends that are sent one batch behind another. The commit of one is held up, another one is sent behind it, and
// a third one gathers behind that. Each goes on where the one before ends, so that none of them may be in the log without it.
func RunBehind(t *testing.T, database Database) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	l := &ledger{T: t, ctx: ctx, node: database(t)}
	probe := l.node()
	least := probe.Behind()
	require.NoError(t, probe.Close())
	require.Positive(t, least, "events from which on a batch is sent behind another one")
	for _, c := range []struct {
		name   string
		commit func(commit func() error) error
	}{
		{"that is written", func(commit func() error) error { return commit() }},
		{"that another node was faster than, by as many events", func(commit func() error) error {
			l.append(l.open(), extend(newStream("task"), 0))
			return commit()
		}},
		{"that is lost on its way", func(func() error) error { return errCut }},
		{"whose answer is lost", func(commit func() error) error {
			require.NoError(t, commit())
			return errCut
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			hooked := &hooked{Backend: l.node(), behind: true}
			store := l.openOn(hooked, eventstore.Options{})
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
				return c.commit(commit)
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
