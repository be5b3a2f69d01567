package feed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/collabledger/collabledger/eventstore"
)

// MaxReplicas is the most that JetStream keeps of a stream.
const MaxReplicas = 5

// MinMaxAge is the shortest time for which JetStream can keep events.
const MinMaxAge = 100 * time.Millisecond

// Settings are what an operator may say about the stream. What is zero is left as it is in a stream that exists; a new one has one
// replica then, and keeps events for ever. Whatever the stream no longer holds is served from the log, over HTTP.
type Settings struct {
	Replicas int           // brokers of a cluster that each keep a copy: 1, 3 or 5 make sense
	MaxAge   time.Duration // for which the stream keeps an event
	MaxBytes int64         // that the stream keeps; the oldest events go first
}

// Validate tells which setting JetStream would never take.
func (s Settings) Validate() error {
	switch {
	case s.Replicas < 0 || s.Replicas > MaxReplicas:
		return fmt.Errorf("the stream's replicas must be from 1 to %d, not %d", MaxReplicas, s.Replicas)
	case s.MaxAge != 0 && s.MaxAge < MinMaxAge:
		return fmt.Errorf("the stream's age must be at least %s, not %s", MinMaxAge, s.MaxAge)
	case s.MaxBytes < 0:
		return fmt.Errorf("the stream's bytes must not be negative, as %d is", s.MaxBytes)
	}
	return nil
}

// SettingsOf are those that the stream has, for whoever deletes it and wants the next one like it. Without a stream they are zero.
func SettingsOf(ctx context.Context, conn *nats.Conn) (Settings, error) {
	js, err := jetstream.New(conn, jetstream.WithDefaultTimeout(requestWait))
	if err != nil {
		return Settings{}, fmt.Errorf("feed: %w", err)
	}
	stream, err := js.Stream(ctx, StreamName)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return Settings{}, nil
	}
	if err != nil {
		return Settings{}, fmt.Errorf("feed: cannot read the state of the stream %s: %w", StreamName, err)
	}
	config := stream.CachedInfo().Config
	return Settings{Replicas: config.Replicas, MaxAge: config.MaxAge, MaxBytes: max(0, config.MaxBytes)}, nil
}

// Or fills in what is not given.
func (s Settings) Or(other Settings) Settings {
	return Settings{cmp.Or(s.Replicas, other.Replicas), cmp.Or(s.MaxAge, other.MaxAge), cmp.Or(s.MaxBytes, other.MaxBytes)}
}

// apply puts the settings into a stream's configuration, and tells whether that has changed it.
func (s Settings) apply(config *jetstream.StreamConfig) (changed bool) {
	before := *config
	if s.Replicas != 0 {
		config.Replicas = s.Replicas
	}
	if s.MaxAge != 0 {
		config.MaxAge = s.MaxAge
		config.Duplicates = min(config.Duplicates, s.MaxAge) // JetStream refuses more
	}
	if s.MaxBytes != 0 {
		config.MaxBytes = s.MaxBytes
	}
	return config.Replicas != before.Replicas || config.MaxAge != before.MaxAge || config.MaxBytes != before.MaxBytes
}

// firstKept is the position with which a new stream begins: what comes before it the settings would not have kept. Without limits
// it is 1. It may be too low, and then the stream discards what is too much; at its end the log always has the stream's next event.
func (s Settings) firstKept(ctx context.Context, store *eventstore.Store, head int64, now time.Time) (int64, error) {
	first := int64(1)
	if s.MaxAge != 0 {
		var failed error
		oldest := now.Add(-s.MaxAge)
		// Times do not run backwards in a log.
		older := sort.Search(int(head), func(i int) bool {
			page, err := store.ReadAll(ctx, int64(i), 1)
			if err != nil {
				failed = err
			}
			return len(page) == 0 || !page[0].RecordedAt.Before(oldest)
		})
		if failed != nil {
			return 0, failed
		}
		first = int64(older) + 1
	}
	if s.MaxBytes == 0 {
		return first, nil
	}
	var kept int64 // a message in the stream is larger than the record in it
	for end := head; end >= first; {
		from := max(end-eventstore.MaxPageEvents, first-1)
		page, err := store.ReadAll(ctx, from, int(end-from))
		if err != nil {
			return 0, err
		}
		for i := len(page) - 1; i >= 0; i-- {
			if kept += int64(len(page[i].Bytes)); kept > s.MaxBytes {
				return page[i].Position + 1, nil
			}
		}
		end = from
	}
	return first, nil
}
