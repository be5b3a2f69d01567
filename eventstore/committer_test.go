package eventstore

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// waiting is an append that waits, of so many events and bytes.
func waiting(events int, size int64) *pending {
	return &pending{ctx: context.Background(), append: &Append{}, drafts: make([]draft, events), size: size}
}

func TestAQueueThatIsFullRefusesAtOnce(t *testing.T) {
	for _, c := range []struct {
		name  string
		queue int
		sizes []int64
	}{
		{"appends", 2, []int64{1, 1, 1}},
		{"bytes", 10, []int64{MaxQueueBytes / 2, MaxQueueBytes / 2, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &Store{queue: make(chan *pending, c.queue), closed: make(chan struct{})}
			require.NoError(t, s.enqueue(waiting(0, c.sizes[0])))
			require.NoError(t, s.enqueue(waiting(0, c.sizes[1])))
			for range 2 {
				require.ErrorIs(t, s.enqueue(waiting(0, c.sizes[2])), ErrQueueFull)
			}
			require.Equal(t, 2, s.Waiting())

			// It takes appends again when the committer has taken some.
			c := committer{queue: s.queue, waiting: &s.waitingBytes, gathered: &s.gathered, clock: time.Now}
			for len(s.queue) > 0 || c.carried != nil {
				c.gather(newPlan(Head{}, nil), c.first())
			}
			require.Zero(t, s.waitingBytes.Load())
			require.NoError(t, s.enqueue(waiting(0, 1)))
		})
	}
}

func TestABatchHoldsWhatItsLimitsAllow(t *testing.T) {
	many := func(count int, events int, size int64, expects int) (appends []*pending) {
		for range count {
			p := waiting(events, size)
			p.append.Expect = make([]StreamVersion, expects)
			appends = append(appends, p)
		}
		return appends
	}
	for _, c := range []struct {
		name    string
		appends []*pending
		batches []int
	}{
		{"all that wait", many(5, 3, 100, 2), []int{5}},
		{"events", many(5, MaxBatchEvents/2, 100, 1), []int{2, 2, 1}},
		{"commands without events", many(MaxBatchEvents+1, 0, 0, 0), []int{MaxBatchEvents, 1}},
		{"bytes", many(3, 1, MaxAppendBytes/2+1, 1), []int{1, 1, 1}},
		{"expectations", many(5, 1, 1, MaxAppendExpects), []int{4, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlan(Head{}, nil)
			var batches []int
			for _, a := range c.appends {
				if !p.hold(a) {
					batches = append(batches, len(p.appends))
					p = newPlan(Head{}, nil)
					require.True(t, p.hold(a))
				}
			}
			require.Equal(t, c.batches, append(batches, len(p.appends)))
		})
	}
}

// unreachable is a database that cannot be reached.
type unreachable struct{ Backend }

var errUnreachable = errors.New("no route to host")

func (unreachable) Head(context.Context) (Head, error) { return Head{}, errUnreachable }
func (unreachable) Lock(context.Context, int64) (Head, []Tip, error) {
	return Head{}, nil, errUnreachable
}
func (unreachable) Commit(context.Context, Head, Batch, bool) func() error {
	return func() error { return errUnreachable }
}

func TestAppendsAreAnsweredWhenTheDatabaseStaysAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &committer{
			backend: unreachable{}, clock: time.Now, gathered: new(atomic.Int64),
			head: Head{Epoch: testEpoch}, progress: newProgress(Head{Epoch: testEpoch}),
		}
		answer := func() (time.Duration, error) {
			begun := time.Now()
			p := waiting(0, 0)
			p.append.CommandID, p.outcome = uuid.New(), make(chan outcome, 1)
			c.settle([]*pending{p}, nil)
			err := (<-p.outcome).err
			return time.Since(begun), err
		}
		took, err := answer()
		require.ErrorIs(t, err, ErrUnavailable)
		require.ErrorIs(t, err, errUnreachable)
		require.True(t, took >= maxOutage && took <= maxOutage+maxRetryWait, fmt.Sprint("in the bubble's time: ", took))

		// Those that come while it is away need not wait for it once more.
		took, err = answer()
		require.ErrorIs(t, err, ErrUnavailable)
		require.Zero(t, took)
	})
}
