package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/collabledger/collabledger/feed"
)

// Limits of watching the feed.
const (
	feedOffices = 64               // connections over which commands are submitted at a steady rate
	feedWait    = 30 * time.Second // for the feed to come to what has been accepted
	feedPoll    = time.Millisecond // between two looks at how far a relay has come
)

// FeedConfig says how the feed is measured.
type FeedConfig struct {
	Ledger
	Place // of the log that is relayed
	Timing
	Broker   *nats.Conn // where the ledger publishes
	Rate     int        // commands a second
	Events   int        // of the log that is relayed
	Log      *slog.Logger
	Progress Progress
}

// Feed measures how soon after its acceptance a command's event reaches a subscriber of the feed, at a steady rate of commands,
// and how fast a relay publishes a log that it finds.
func Feed(ctx context.Context, config FeedConfig) (Report, error) {
	err := errors.Join(config.Timing.validate(), within("rate", config.Rate, 1, MaxRate, " commands/s"),
		within("events", config.Events, MinEvents, MaxEvents, ""))
	if err != nil {
		return Report{}, err
	}
	report := newReport("feed", config.Where,
		fmt.Sprintf("accepted, received: %d commands/s of %d clients, %s, and the medians of these; the latency is until the answer, and from there until a subscriber has the event (0s: it was there before).", config.Rate, feedOffices, config.Timing),
		fmt.Sprintf("relay: a log of %d events of a made-up ledger is published to an embedded broker.", config.Events))
	if err := config.watch(ctx, &report); err != nil {
		return Report{}, stopped(ctx, err)
	}
	if err := config.relay(ctx, &report); err != nil {
		return Report{}, stopped(ctx, err)
	}
	return report, nil
}

// watch measures acceptance and receipt.
func (c FeedConfig) watch(ctx context.Context, report *Report) (err error) {
	at, err := newServer(c.URL, c.Key)
	if err != nil {
		return err
	}
	offices, err := c.openOffices(ctx, at, feedOffices, c.Progress)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, hangUp(offices)) }()
	var accepted, received []figure
	steps := steps{watch: c.Progress, total: c.Rounds}
	for round := range c.Rounds {
		steps.begin("round %d of %d: watch the feed at %d commands/s", round+1, c.Rounds, c.Rate)
		if _, err := c.steady(ctx, offices, c.warmUp()); err != nil {
			return err
		}
		a, r, err := c.round(ctx, offices)
		if err != nil {
			return err
		}
		accepted, received = append(accepted, a.figure()), append(received, r.figure())
	}
	report.add("accepted", feedOffices, commandsPerSecond, accepted)
	report.add("received", feedOffices, eventsPerSecond, received)
	return nil
}

// acceptance is when a command was submitted and accepted, and where its event is.
type acceptance struct {
	position  int64
	submitted time.Time
	at        time.Time
}

// round submits commands at the rate while a subscriber listens.
func (c FeedConfig) round(ctx context.Context, offices []*office) (accepted, received sample, err error) {
	first, err := offices[0].raiseTask(ctx)
	if err != nil {
		return accepted, received, err
	}
	subscriber, err := subscribe(ctx, c.Broker, first.position)
	if err != nil {
		return accepted, received, err
	}
	defer subscriber.stop()
	began := time.Now()
	acceptances, err := c.steady(ctx, offices, c.Duration)
	if err != nil {
		return accepted, received, err
	}
	elapsed := time.Since(began)
	last := slices.MaxFunc(acceptances, func(a, b acceptance) int { return int(a.position - b.position) })
	at, err := subscriber.until(ctx, last.position)
	if err != nil {
		return accepted, received, err
	}
	accepted = sample{things: len(acceptances), elapsed: elapsed}
	received = sample{things: len(acceptances), elapsed: time.Since(began)}
	for _, a := range acceptances {
		accepted.latencies = append(accepted.latencies, a.at.Sub(a.submitted))
		received.latencies = append(received.latencies, max(0, at[a.position].Sub(a.at))) // the answer itself takes its time
	}
	slices.Sort(accepted.latencies)
	slices.Sort(received.latencies)
	return accepted, received, nil
}

// steady submits commands at the rate for a while, each office its share of them.
func (c FeedConfig) steady(ctx context.Context, offices []*office, duration time.Duration) ([]acceptance, error) {
	shares := make([][]acceptance, len(offices))
	start := time.Now()
	submitting, ctx := errgroup.WithContext(ctx)
	commands := max(1, int(float64(c.Rate)*duration.Seconds()))
	for i, office := range offices {
		submitting.Go(func() error {
			for n := i; n < commands; n += len(offices) {
				if err := wait(ctx, time.Until(start.Add(time.Duration(n)*time.Second/time.Duration(c.Rate)))); err != nil {
					return err
				}
				submitted := time.Now()
				answer, err := office.raiseTask(ctx)
				if err != nil {
					return err
				}
				shares[i] = append(shares[i], acceptance{position: answer.position, submitted: submitted, at: time.Now()})
			}
			return nil
		})
	}
	err := submitting.Wait()
	return slices.Concat(shares...), err
}

// wait waits for a moment that may have passed already.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// subscriber notes when events arrive from the feed.
type subscriber struct {
	stop func()

	mu      sync.Mutex
	at      map[int64]time.Time
	last    int64
	awaited int64
	arrived chan struct{} // closed when the awaited event is there
}

// subscribe listens to the events after a position. It waits for the feed to come there, since an empty feed has no stream yet.
func subscribe(ctx context.Context, broker *nats.Conn, after int64) (*subscriber, error) {
	ctx, cancel := context.WithTimeout(ctx, feedWait)
	defer cancel()
	js, err := jetstream.New(broker)
	if err != nil {
		return nil, err
	}
	for {
		stream, err := js.Stream(ctx, feed.StreamName)
		if err == nil && stream.CachedInfo().State.LastSeq >= uint64(after) {
			return listen(ctx, stream, after)
		}
		if err := wait(ctx, feedPoll); err != nil {
			return nil, fmt.Errorf("the feed does not come to position %d: %w", after, err)
		}
	}
}

func listen(ctx context.Context, stream jetstream.Stream, after int64) (*subscriber, error) {
	consumer, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: uint64(after) + 1})
	if err != nil {
		return nil, err
	}
	s := &subscriber{at: map[int64]time.Time{}, arrived: make(chan struct{})}
	consuming, err := consumer.Consume(func(message jetstream.Msg) {
		now := time.Now()
		if metadata, err := message.Metadata(); err == nil {
			s.note(int64(metadata.Sequence.Stream), now)
		}
	})
	if err != nil {
		return nil, err
	}
	s.stop = consuming.Stop
	return s, nil
}

func (s *subscriber) note(position int64, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at[position], s.last = now, position
	if s.awaited > 0 && s.last >= s.awaited {
		close(s.arrived)
		s.awaited = 0
	}
}

// until waits for an event, and tells when it and those before it arrived.
func (s *subscriber) until(ctx context.Context, position int64) (map[int64]time.Time, error) {
	s.mu.Lock()
	if s.last < position {
		s.awaited = position
	} else {
		close(s.arrived)
	}
	s.mu.Unlock()
	select {
	case <-s.arrived:
	case <-time.After(feedWait):
		return nil, fmt.Errorf("the event at position %d has not come within %s", position, feedWait)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.at), nil
}

// relay measures how fast a relay publishes a log.
func (c FeedConfig) relay(ctx context.Context, report *Report) (err error) {
	log, err := prepareLog(ctx, c.Place, c.Events, c.Progress)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.close(ctx)) }()
	var figures []figure
	steps := steps{watch: c.Progress, total: c.Rounds}
	for round := range c.Rounds {
		steps.begin("round %d of %d: relay %d events", round+1, c.Rounds, c.Events)
		took, err := c.relayOnce(ctx, log)
		if err != nil {
			return err
		}
		figures = append(figures, figure{rate: float64(c.Events) / took.Seconds()})
	}
	report.add("relay", 1, eventsPerSecond, figures)
	return nil
}

// relayOnce lets a relay fill the stream of a fresh broker.
func (c FeedConfig) relayOnce(ctx context.Context, log *preparedLog) (took time.Duration, err error) {
	folder, err := os.MkdirTemp(c.Folder, "ledger-bench-nats-")
	if err != nil {
		return 0, fmt.Errorf("make a folder for NATS: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	embedded, err := feed.Embed(ctx, folder, "", c.Log)
	if err != nil {
		return 0, err
	}
	defer embedded.Shutdown()
	conn, err := feed.Connect(embedded, c.Log)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	running, stop := context.WithCancel(ctx)
	defer stop()
	relay := feed.NewRelay(log.store, conn, feed.Settings{}, c.Log)
	began := time.Now()
	ended := make(chan error, 1)
	go func() { ended <- relay.Run(running) }()
	for {
		if position, _ := relay.Status(); position >= int64(c.Events) {
			took = time.Since(began)
			stop()
			<-ended
			return took, nil
		}
		select {
		case err := <-ended:
			return 0, err
		case <-time.After(feedPoll):
		}
	}
}
