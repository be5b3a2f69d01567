package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/cenkalti/backoff/v5"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/collabledger/collabledger/client/pubsub"
	"github.com/collabledger/collabledger/domain"
)

// follower takes events one by one, each position once and in order, wherever they come from.
type follower struct {
	Subscription
	ledger   *Client
	js       jetstream.JetStream
	poison   *pubsub.Publisher
	catalog  *domain.Catalog
	handlers map[string]Handler
	chain    message.HandlerFunc
	count    *counts
	stop     context.CancelCauseFunc

	taking  sync.Mutex // held while events are taken, one after the other
	reached Position   // the last event that was dealt with
	unsaved int        // events after the saved position, none of which had a handler
}

// newChain is what happens to an event that has a handler: it is handled, again and again while that fails, and at last put into the
// poison queue.
func (f *follower) newChain() (message.HandlerFunc, error) {
	poison, err := middleware.PoisonQueueWithFilter(f.poison, PoisonSubject+f.Name, isGivenUp)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	retry := middleware.Retry{
		MaxRetries: maxHandlerRetries, MaxElapsedTime: f.GiveUpAfter, InitialInterval: firstHandlerRetry, MaxInterval: maxHandlerRetry,
		Multiplier: 2, RandomizationFactor: 0.5, ResetContextOnRetry: true,
		Logger: watermill.NewSlogLoggerWithLevelMapping(f.Log, map[slog.Level]slog.Level{slog.LevelError: slog.LevelWarn}),
	}
	return poison(f.giveUp(retry.Middleware(f.try(middleware.Recoverer(f.handle))))), nil
}

// givenUpError is why an event goes to the poison queue.
type givenUpError struct{ text string }

func (e givenUpError) Error() string { return e.text }

func isGivenUp(err error) bool {
	_, ok := errors.AsType[givenUpError](err)
	return ok
}

// giveUp says of a failure that it is the event's last, unless the subscription ends, which is no fault of the event.
func (f *follower) giveUp(next message.HandlerFunc) message.HandlerFunc {
	return func(m *message.Message) ([]*message.Message, error) {
		_, err := next(m)
		if err == nil || m.Context().Err() != nil {
			return nil, err
		}
		text := err.Error()
		if len(text) > maxReasonBytes {
			text = strings.ToValidUTF8(text[:maxReasonBytes], "")
		}
		cause, _ := causeOf(m.Context())
		f.Log.Error("client: an event goes to the poison queue", "subscription", f.Name, "position", cause.Position, "type", cause.Type, "error", err)
		f.count.poisoned.Inc()
		return nil, givenUpError{text}
	}
}

// try counts failures, and tells the retries of those that trying again cannot heal.
func (f *follower) try(next message.HandlerFunc) message.HandlerFunc {
	return func(m *message.Message) ([]*message.Message, error) {
		_, err := next(m)
		if err != nil {
			f.count.failures.Inc()
		}
		if isPermanent(err) {
			err = backoff.Permanent(err)
		}
		return nil, err
	}
}

// handle gives an event to its handler.
func (f *follower) handle(m *message.Message) ([]*message.Message, error) {
	cause, _ := causeOf(m.Context())
	event, err := f.catalog.Decode(cause.Type, cause.data)
	if err != nil {
		return nil, Permanent(err)
	}
	return nil, f.handlers[domain.Unversioned(cause.Type)].handle(m.Context(), event, cause.Meta)
}

// follow takes what the stream delivers. An event that is there already is acknowledged and left out, and what is missing before it
// is read from the ledger. What cannot heal ends the subscription; after other failures the message is delivered again.
func (f *follower) follow(m *message.Message) error {
	f.taking.Lock()
	defer f.taking.Unlock()
	err := f.place(m)
	if err != nil && isFatal(err) {
		f.stop(err)
	}
	return err
}

func (f *follower) place(m *message.Message) error {
	next, err := parseRecord(m.Payload)
	if err != nil {
		return err
	}
	if next.Position > f.reached.Sequence+1 {
		if err := f.reload(m.Context()); err != nil {
			return err
		}
	}
	if err := f.catchUp(m.Context(), next.Position-1); err != nil {
		return err
	}
	return f.take(m.Context(), next, m)
}

// reload takes over the stored position where another process of the same name has come further meanwhile.
func (f *follower) reload(ctx context.Context) error {
	stored, err := f.Positions.Load(ctx)
	if err != nil {
		return fmt.Errorf("client: load the position of %s: %w", f.Name, err)
	}
	if stored.Sequence > f.reached.Sequence {
		f.reached, f.unsaved = stored, 0
	}
	return nil
}

// catchUp reads events from the ledger until a position is reached.
func (f *follower) catchUp(ctx context.Context, position int64) error {
	for f.reached.Sequence < position {
		page, err := f.ledger.records(ctx, f.reached.Sequence, min(pageEvents, position-f.reached.Sequence))
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return fmt.Errorf("%w: position %d is wanted, and the log ends at %d", ErrGap, position, f.reached.Sequence)
		}
		for _, r := range page {
			if r.Position != f.reached.Sequence+1 {
				return fmt.Errorf("%w: after position %d comes %d", ErrGap, f.reached.Sequence, r.Position)
			}
			f.count.fetched.Inc()
			m := message.NewMessage(r.ID, r.bytes)
			m.Metadata.Set("content-type", "application/cloudevents+json") // as on the stream
			if r.TraceParent != "" {
				m.Metadata.Set("traceparent", r.TraceParent)
			}
			if err := f.take(ctx, r, m); err != nil {
				return err
			}
		}
	}
	return nil
}

// take deals with the next event, or leaves out one that is there already, and remembers the position.
func (f *follower) take(ctx context.Context, r record, m *message.Message) error {
	if f.reached.Epoch != "" && r.Epoch != f.reached.Epoch {
		return fmt.Errorf("%w: the event at %d is of %s, the position of %s", ErrOtherEpoch, r.Position, r.Epoch, f.reached.Epoch)
	}
	if r.Position <= f.reached.Sequence {
		f.count.repeated.Inc()
		return nil
	}
	reached := Position{Epoch: r.Epoch, Sequence: r.Position}
	ctx = withCause(ctx, r)
	if _, ok := f.handlers[domain.Unversioned(r.Type)]; !ok {
		if f.Skipped != nil {
			f.Skipped(ctx, r.Meta)
		}
		f.count.skipped.Inc()
		f.unsaved++
		if f.unsaved < maxUnsaved {
			f.reach(reached)
			return nil
		}
	} else {
		m.UUID = r.ID
		m.SetContext(ctx)
		if _, err := f.chain(m); err != nil {
			return err
		}
		f.count.handled.Inc()
	}
	if err := f.Positions.Save(ctx, reached); err != nil {
		return fmt.Errorf("client: save the position of %s: %w", f.Name, err)
	}
	f.unsaved = 0
	f.reach(reached)
	return nil
}

func (f *follower) reach(position Position) {
	f.reached = position
	f.count.position.Set(float64(position.Sequence))
}

// saveLast saves the position when the subscription ends, which may have passed events without a handler since.
func (f *follower) saveLast(ctx context.Context) {
	f.taking.Lock()
	defer f.taking.Unlock()
	if f.unsaved == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSaveWait)
	defer cancel()
	if err := f.Positions.Save(ctx, f.reached); err != nil { // these events are only left out once more
		f.Log.Warn("client: the last position was not saved", "subscription", f.Name, "error", err)
	}
}
