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
		<-time.After(deadlineShare - time.Nanosecond)
		last := d.from(time.Now())
		require.Same(t, first, last)
		<-time.After(time.Nanosecond)
		next := d.from(time.Now())
		require.NotSame(t, first, next)

		<-time.After(RequestTimeout - time.Nanosecond)
		synctest.Wait()
		require.NoError(t, last.Err(), "who came last has RequestTimeout too")
		<-time.After(time.Nanosecond)
		synctest.Wait()
		require.ErrorIs(t, last.Err(), context.DeadlineExceeded)
		require.NoError(t, next.Err())
		<-time.After(deadlineShare)
		synctest.Wait()
		require.ErrorIs(t, next.Err(), context.DeadlineExceeded)
	})
}
