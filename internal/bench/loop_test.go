package bench

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestClientsWorkOneOperationAfterAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var atOnce, most atomic.Int64
		s, err := closedLoop(t.Context(), 3, time.Second, func(ctx context.Context, client int) (int, error) {
			most.Store(max(most.Load(), atOnce.Add(1)))
			defer atOnce.Add(-1)
			return 10, wait(ctx, time.Duration(client+1)*100*time.Millisecond)
		})
		require.NoError(t, err)
		require.Equal(t, int64(3), most.Load(), "all clients at the same time")
		require.Len(t, s.latencies, 10+5+4, "one takes 100 ms, one 200, and one 300, whose last is finished")
		require.Equal(t, 190, s.things)
		require.Equal(t, 1200*time.Millisecond, s.elapsed, "until the last one is finished")
		require.True(t, slices.IsSorted(s.latencies))
		require.Equal(t, 100*time.Millisecond, s.quantile(0.5))
		require.Equal(t, 300*time.Millisecond, s.quantile(0.99))
	})
}

func TestAWarmUpDoesNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		s, err := measure(t.Context(), 1, Timing{Duration: time.Second, Rounds: 1}, func(ctx context.Context, _ int) (int, error) {
			calls++
			return 1, wait(ctx, 100*time.Millisecond)
		})
		require.NoError(t, err)
		require.Equal(t, 10, s.things)
		require.Equal(t, 12, calls, "a fifth of it goes before")
	})
}

func TestAClientThatFailsEndsTheMeasurement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		began := time.Now()
		_, err := closedLoop(t.Context(), 2, time.Hour, func(ctx context.Context, client int) (int, error) {
			if client == 1 {
				return 0, broken
			}
			return 1, wait(ctx, time.Minute)
		})
		require.ErrorIs(t, err, broken)
		require.Zero(t, time.Since(began))
	})
}

func TestAMeasurementEndsWhenItIsInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := closedLoop(ctx, 2, time.Hour, func(context.Context, int) (int, error) {
			return 1, wait(context.Background(), 300*time.Millisecond) // does not look at ctx
		})
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}
