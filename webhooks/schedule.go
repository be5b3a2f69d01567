package webhooks

import (
	"math/rand/v2"
	"time"
)

// Limits of when an attempt is made again.
const (
	maxRetryAfter = 24 * time.Hour // that a receiver may ask for
	jitterShare   = 10             // a wait is longer by up to one part in so many, at random
)

// retryWaits are those after the first failure, the second and so on: three days in all, as Standard Webhooks suggests. After the
// last one the event is a dead letter.
func retryWaits() []time.Duration {
	return []time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
}

// retryIn is how long to wait after so many attempts; ok is false when there is no further one.
func retryIn(attempts int, asked time.Duration) (wait time.Duration, ok bool) {
	waits := retryWaits()
	if attempts > len(waits) {
		return 0, false
	}
	wait = waits[attempts-1]
	return max(asked, wait+rand.N(wait/jitterShare)), true
}
