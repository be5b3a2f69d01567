package wait_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/internal/wait"
)

func TestBackoffDoublesUpToItsLimitAndBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b wait.Backoff
		took := func() time.Duration {
			began := time.Now()
			b.Wait(t.Context())
			return time.Since(began)
		}
		for _, want := range []time.Duration{50, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000} {
			require.Equal(t, want*time.Millisecond, took())
		}
		b.Failures = 100
		require.Equal(t, 5*time.Second, took())
		b.Reset()
		require.Equal(t, 50*time.Millisecond, took())
	})
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		wait.For(ctx, time.Hour)
		require.Equal(t, time.Second, time.Since(began))
	})
}
