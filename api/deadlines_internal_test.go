package api

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCommandsThatBeginTogetherShareADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d deadlines
		first := d.from(time.Now())
		time.Sleep(deadlineShare - time.Nanosecond)
		last := d.from(time.Now())
		require.Equal(t, first, last)
		time.Sleep(time.Nanosecond)
		next := d.from(time.Now())
		require.NotEqual(t, first, next)

		time.Sleep(RequestTimeout - time.Nanosecond)
		synctest.Wait()
		require.NoError(t, last.Err(), "who came last has RequestTimeout too")
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		require.ErrorIs(t, last.Err(), context.DeadlineExceeded)
		require.NoError(t, next.Err())
		time.Sleep(deadlineShare)
		synctest.Wait()
		require.ErrorIs(t, next.Err(), context.DeadlineExceeded)
	})
}
