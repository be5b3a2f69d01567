package feed

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/collabledger/collabledger/eventstore"
)

// Limits of a relay.
const (
	maxGroup      = 32                     // events of which the broker confirms the last one
	window        = 8                      // groups on their way to the broker at a time; at their largest 66 MiB, half of what it queues
	busyPage      = 16                     // events that the end of the log gave at once, so that more are on their way
	gatherPause   = 8 * time.Millisecond   // at most, for these to gather: every wake-up costs relay and broker, whatever it brings
	confirmWait   = 5 * time.Second        // for the broker to confirm a group
	requestWait   = 5 * time.Second        // for the broker to answer a question about the stream
	watchEvery    = time.Second            // between two looks at the stream, which tell what no event tells
	shortestPause = 50 * time.Millisecond  // before the first new try after a failure; each further one takes twice as long
	longestPause  = time.Second            // up to this
	standbyPause  = 100 * time.Millisecond // between two looks of a relay that was beaten, whether the stream still moves
)

// Relay publishes the log to JetStream, in order and fenced: event n is published with the demand that the stream's last sequence
// be n-1, so the broker refuses whatever is lost, repeated or out of order.
//
// It keeps no checkpoint. The stream's own last sequence tells how far it has come, and whenever something does not go as planned,
// a disconnect, a timeout, a refusal, it asks for that and goes on from there. So a broker that has lost its tail gets it again, a
// deleted stream is made and filled anew, and a purged one, which keeps its last sequence, simply goes on.
//
// Any number of relays may share a stream, one per node, without a lease: whose event is refused knows that another was faster, and
// stands by until that one falls silent.
type Relay struct {
	store    *eventstore.Store
	conn     *nats.Conn
	settings Settings
	log      *slog.Logger

	mu       sync.Mutex
	position int64
	waiting  error
}

// NewRelay makes the relay of a store on a connection. The settings are the stream's, and must be valid.
func NewRelay(store *eventstore.Store, conn *nats.Conn, settings Settings, log *slog.Logger) *Relay {
	return &Relay{store: store, conn: conn, settings: settings, log: log}
}

// Run relays until ctx ends, and returns its error. A broker or database that is away is waited for. What cannot heal by itself is
// an error: ErrForeignStream, an event without a subject, a closed store or connection.
func (r *Relay) Run(ctx context.Context) error {
	pause := shortestPause
	standby, lostAt := false, int64(-1) // lostAt is where the stream was when a race was lost last
	for {
		began := time.Now()
		err := r.pump(ctx, standby)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		at, _ := r.Status()
		standby = lostRace(err)
		if standby && at != lostAt {
			r.log.Debug("feed: another relay was faster", "position", at, "error", err)
			lostAt = at
		} else { // or the race was lost to nobody, as the stream has not moved since the last one
			r.wait(err)
		}
		if permanent(err) {
			return err
		}
		if time.Since(began) > longestPause {
			pause = shortestPause
		}
		if err := rest(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, longestPause)
	}
}

// rest waits between half of a time and all of it, so that relays that met once do not meet again.
func rest(ctx context.Context, atMost time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(atMost/2 + rand.N(atMost/2)):
		return nil
	}
}

// Status tells the position of the last event that the stream is known to hold, and what keeps the relay from going on, if
// anything does.
func (r *Relay) Status() (position int64, waiting error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.position, r.waiting
}

// begin notes where the stream is as a pipeline begins; after a loss that is less than before.
func (r *Relay) begin(position, head int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if position > r.position || position == head {
		r.proceed()
	}
	r.position = position
}

// advance notes that the stream has reached a position, by this relay or another. What tells of it may come out of order.
func (r *Relay) advance(position int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if position > r.position {
		r.proceed()
		r.position = position
	}
}

// wait notes what keeps the stream from moving on, and warns of it once.
func (r *Relay) wait(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	level := slog.LevelDebug
	if r.waiting == nil {
		level = slog.LevelWarn
	}
	r.log.Log(context.Background(), level, "feed: waiting", "position", r.position, "error", err)
	r.waiting = err
}

// proceed ends the wait: the stream moves on, or is complete. The lock is held.
func (r *Relay) proceed() {
	if r.waiting != nil {
		r.log.Info("feed: going on", "position", r.position)
		r.waiting = nil
	}
}

// permanent tells whether trying again cannot help.
func permanent(err error) bool {
	return errors.Is(err, ErrForeignStream) || errors.Is(err, errNoSubject) ||
		errors.Is(err, eventstore.ErrClosed) || errors.Is(err, nats.ErrConnectionClosed)
}
