package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/collabledger/collabledger/client/pubsub"
	"github.com/collabledger/collabledger/domain"
)

// Where the ledger's events are on NATS, and where a subscriber puts those that it cannot handle.
const (
	StreamName       = "LEDGER"          // event n is at sequence n
	EventSubjects    = "ledger.events.>" // ledger.events.<stream kind>.<event>.<id>
	PoisonStreamName = "LEDGER_POISON"   // made by the first subscriber
	PoisonSubject    = "ledger.poison."  // and behind it the subscription's name

	epochMetadata = "ledger-epoch" // the stream's metadata key for the log's epoch
)

// Limits of a subscription.
const (
	MaxPoisoned        = 10_000          // events of one subscription in the poison queue; when it is full the subscription waits
	DefaultGiveUpAfter = 5 * time.Minute // for which an event is tried before it goes to the poison queue
	firstHandlerRetry  = 100 * time.Millisecond
	maxHandlerRetry    = 15 * time.Second // between two tries; the first is firstHandlerRetry, each is twice as long
	maxHandlerRetries  = 1_000
	maxReasonBytes     = 4 << 10          // of a failure's text in the poison queue
	maxUnsaved         = 256              // events without a handler after which the position is saved
	lookWait           = 30 * time.Second // for the broker and the ledger to tell where they are
	takeOverWait       = 3 * time.Second  // until an event of a process that has fallen silent is delivered again
	waitPause          = time.Second      // between two tries while the broker or the ledger is away
	routerCloseWait    = 10 * time.Second // for the handler that runs when a subscription ends
	lastSaveWait       = 5 * time.Second  // for the position to be saved when a subscription ends
)

// Why a subscription stops by itself: going on would skip events or mix two logs, so somebody has to look.
var (
	ErrOtherEpoch = errors.New("client: the events are of another incarnation of the log than the position")
	ErrAhead      = errors.New("client: the position is past the log's end")
	ErrGap        = errors.New("client: the ledger leaves out events; a subscriber needs the key of a service, which sees all")
)

// Subscription says what a service follows, and what it does about it.
type Subscription struct {
	Name      string     // of the service; letters, digits and hyphens. Processes of the same name share the work, one at a time
	Conn      *nats.Conn // to the ledger's broker; it stays the caller's. It should reconnect for ever (nats.MaxReconnects(-1))
	Positions Positions  // where the service keeps how far it has come; processes of the same name share it
	Handlers  []Handler  // one for each type of event that matters to the service

	Skipped     func(context.Context, Meta) // told of each event without a handler; may be nil
	GiveUpAfter time.Duration               // DefaultGiveUpAfter if zero
	Metrics     prometheus.Registerer       // may be nil
	Log         *slog.Logger                // may be nil
}

// Subscribe follows the ledger until ctx ends: every event, in the log's order, is handled at least once. It returns why it ended.
//
// It reads the stream on NATS through a durable consumer, goes on after the stored position, knows repeats, gaps and another
// incarnation of the log by the positions, and reads over HTTP what the stream no longer holds. Whatever is away, the broker or the
// ledger, is waited for. An event whose handler fails for good goes to the poison queue, with the reason in its headers, and the rest
// goes on; so does one in a version that this client does not know yet, if there is a handler of its type. ErrOtherEpoch, ErrAhead,
// ErrGap, ErrNoRecord and the ledger's refusals end it. It returns when the handler that runs has.
func (c *Client) Subscribe(ctx context.Context, s Subscription) error {
	f, err := c.newFollower(s)
	if err != nil {
		return err
	}
	ctx, f.stop = context.WithCancelCause(ctx)
	defer f.stop(nil)
	if f.reached, err = s.Positions.Load(ctx); err != nil {
		return fmt.Errorf("client: load the position of %s: %w", s.Name, err)
	}
	defer f.saveLast(ctx)
	for {
		err := f.prepare(ctx)
		if err == nil {
			err = f.run(ctx)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if isFatal(err) {
			return err
		}
		f.Log.Warn("client: a subscription waits", "subscription", f.Name, "error", err, "for", waitPause)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(waitPause):
		}
	}
}

func (c *Client) newFollower(s Subscription) (*follower, error) {
	if s.Name == "" || s.Conn == nil || s.Positions == nil || len(s.Handlers) == 0 {
		return nil, errors.New("client: a subscription needs a Name, a Conn, Positions and Handlers")
	}
	if s.GiveUpAfter < 0 {
		return nil, errors.New("client: GiveUpAfter must not be negative")
	}
	if s.GiveUpAfter == 0 {
		s.GiveUpAfter = DefaultGiveUpAfter
	}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	handlers, err := byType("the subscription "+s.Name, s.Handlers)
	if err != nil {
		return nil, err
	}
	f := &follower{Subscription: s, ledger: c, catalog: domain.NewCatalog(), handlers: handlers}
	js, err := jetstream.New(s.Conn)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	f.js = js
	if f.poison, err = pubsub.NewPublisher(s.Conn); err != nil {
		return nil, err
	}
	if f.count, err = newCounts(s.Metrics, s.Name); err != nil {
		return nil, err
	}
	if f.chain, err = f.newChain(); err != nil {
		return nil, err
	}
	// A mistake in the name is found at once, and not only when the broker is there.
	_, err = pubsub.NewSubscriber(s.Conn, f.subscriberConfig(), s.Log)
	return f, err
}

func (f *follower) subscriberConfig() pubsub.Config {
	f.taking.Lock()
	defer f.taking.Unlock()
	return pubsub.Config{Stream: StreamName, Durable: f.Name, StartSequence: uint64(f.reached.Sequence) + 1, AckWait: takeOverWait}
}

// prepare makes sure that the stream is this log's and reads from the ledger what it will not deliver.
func (f *follower) prepare(ctx context.Context) error {
	f.taking.Lock()
	defer f.taking.Unlock()
	undelivered, err := f.look(ctx)
	if err != nil {
		return err
	}
	return f.catchUp(ctx, undelivered)
}

// look compares the position with the stream, makes the poison queue, and tells up to which position the consumer will deliver
// nothing: the stream begins after it, or the consumer has had it.
func (f *follower) look(ctx context.Context) (undelivered int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookWait)
	defer cancel()
	stream, err := f.js.Stream(ctx, StreamName)
	if err != nil {
		return 0, fmt.Errorf("look at the stream %s: %w", StreamName, err)
	}
	info := stream.CachedInfo()
	if epoch := info.Config.Metadata[epochMetadata]; epoch != "" && f.reached.Epoch != "" && epoch != f.reached.Epoch {
		return 0, fmt.Errorf("%w: the stream %s is of %q, the position of %q", ErrOtherEpoch, StreamName, epoch, f.reached.Epoch)
	}
	if uint64(f.reached.Sequence) > info.State.LastSeq { // the stream lags, or the log was set back
		if _, err := f.ledger.records(ctx, f.reached.Sequence, 1); err != nil {
			return 0, err
		}
	}
	undelivered = int64(info.State.FirstSeq) - 1
	consumer, err := stream.Consumer(ctx, pubsub.ConsumerName(f.Name, EventSubjects))
	switch {
	case err == nil:
		undelivered = max(undelivered, int64(consumer.CachedInfo().AckFloor.Stream))
	case !errors.Is(err, jetstream.ErrConsumerNotFound):
		return 0, fmt.Errorf("look at the consumer: %w", err)
	}
	return undelivered, f.makePoisonStream(ctx)
}

// makePoisonStream makes the poison queue unless there is one, which is left as its operator has set it.
func (f *follower) makePoisonStream(ctx context.Context) error {
	_, err := f.js.CreateStream(ctx, jetstream.StreamConfig{
		Name:                 PoisonStreamName,
		Description:          "Events that a subscriber of the ledger could not handle",
		Subjects:             []string{PoisonSubject + "*"},
		MaxMsgsPerSubject:    MaxPoisoned,
		Discard:              jetstream.DiscardNew,
		DiscardNewPerSubject: true,
	})
	if err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return fmt.Errorf("make the stream %s: %w", PoisonStreamName, err)
	}
	return nil
}

// run follows the stream until ctx ends.
func (f *follower) run(ctx context.Context) error {
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: routerCloseWait},
		watermill.NewSlogLoggerWithLevelMapping(f.Log, map[slog.Level]slog.Level{slog.LevelInfo: slog.LevelDebug}))
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	subscriber, err := pubsub.NewSubscriber(f.Conn, f.subscriberConfig(), f.Log)
	if err != nil {
		return err
	}
	router.AddConsumerHandler(f.Name, EventSubjects, subscriber, f.follow)
	err = errors.Join(router.Run(ctx), subscriber.Close())
	if f.Conn.IsClosed() {
		err = nats.ErrConnectionClosed
	}
	return fmt.Errorf("client: the subscription %s was interrupted: %w", f.Name, err)
}

// isFatal tells whether waiting cannot heal a failure.
func isFatal(err error) bool {
	if problem, ok := errors.AsType[*Problem](err); ok && problem.Status >= http.StatusBadRequest && problem.Status < http.StatusInternalServerError {
		return problem.Status != http.StatusTooManyRequests
	}
	return slices.ContainsFunc([]error{ErrOtherEpoch, ErrAhead, ErrGap, ErrNoRecord, nats.ErrConnectionClosed},
		func(fatal error) bool { return errors.Is(err, fatal) })
}
