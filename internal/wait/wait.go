// Package wait has the ways in which followers of the log wait.
package wait

import (
	"context"
	"time"
)

// Waits before something that failed is tried again.
const (
	firstRetry = 50 * time.Millisecond // doubled each time
	maxRetry   = 5 * time.Second
)

// Backoff spaces out attempts at something that keeps failing, so that it is not in the way of its own recovery. The zero value is
// ready to use.
type Backoff struct{ Failures int }

// Reset forgets the failures, once something has gone well.
func (b *Backoff) Reset() { b.Failures = 0 }

// Wait counts a failure and waits before the next attempt, or until ctx ends.
func (b *Backoff) Wait(ctx context.Context) {
	For(ctx, min(firstRetry<<min(b.Failures, 16), maxRetry))
	b.Failures++
}

// For waits for a time, or until ctx ends.
func For(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
