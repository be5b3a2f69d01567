package pubsub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Config says what a subscriber reads and how.
type Config struct {
	Stream  string // which must exist
	Durable string // names the consumers, one for each topic; subscribers with the same name share them

	// Competing lets the subscriptions of a consumer work side by side, each on one message at a time. Without it a message is
	// delivered when the one before it is acknowledged, in the stream's order, also to several subscriptions.
	Competing bool

	// StartSequence is where a consumer begins that does not exist yet; zero is the stream's first message. One that exists goes on
	// where it was.
	StartSequence uint64

	AckWait   time.Duration // DefaultAckWait if zero; handlers may take longer, a subscription tells the broker that they still run
	NackDelay time.Duration // DefaultNackDelay if zero
}

// Subscriber gives Watermill the messages of a JetStream stream through durable pull consumers. Closing it leaves the consumers as
// they are: a subscriber of the same name goes on where this one stopped. Its methods may be used from several goroutines.
type Subscriber struct {
	js     jetstream.JetStream
	config Config
	log    *slog.Logger

	closing context.Context // ends with Close
	close   context.CancelFunc

	mu            sync.Mutex // held while a subscription begins, or Close
	subscriptions sync.WaitGroup
}

// NewSubscriber makes a subscriber on a connection, which stays the caller's: the subscriber does not close it. To ride through
// a broker that is away the connection should reconnect for ever (nats.MaxReconnects(-1)).
func NewSubscriber(conn *nats.Conn, config Config, log *slog.Logger) (*Subscriber, error) {
	for name, value := range map[string]string{"Stream": config.Stream, "Durable": config.Durable} {
		if value == "" || strings.ContainsAny(value, ">*. /\\\t\r\n") {
			return nil, fmt.Errorf("pubsub: %s is %q; it must not be empty nor have dots, wildcards, slashes or white space", name, value)
		}
	}
	if config.AckWait < 0 || config.NackDelay < 0 {
		return nil, errors.New("pubsub: AckWait and NackDelay must not be negative")
	}
	if config.AckWait == 0 {
		config.AckWait = DefaultAckWait
	}
	if config.NackDelay == 0 {
		config.NackDelay = DefaultNackDelay
	}
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, fmt.Errorf("pubsub: %w", err)
	}
	s := &Subscriber{js: js, config: config, log: log}
	s.closing, s.close = context.WithCancel(context.Background())
	return s, nil
}

// Subscribe gives the messages of a topic, one after the other: the next one when the last is acknowledged or refused. It makes the
// topic's consumer when there is none. Once it has begun it goes on through whatever happens to the broker, the stream and the
// consumer, until ctx ends, the subscriber is closed, or the connection is; then it closes the channel. A message's context ends with
// its acknowledgement and with the subscription. What is on its way then is given back to the broker at once, and a handler that
// still has a message may acknowledge it for a moment longer.
func (s *Subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	if s.closing.Err() != nil {
		return nil, ErrClosed
	}
	consumer, err := s.consumer(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("pubsub: subscribe to %s of the stream %s: %w", topic, s.config.Stream, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Err() != nil {
		return nil, ErrClosed
	}
	ctx, cancel := context.WithCancel(ctx)
	detach := context.AfterFunc(s.closing, cancel)
	sub := &subscription{Subscriber: s, topic: topic, out: make(chan *message.Message), held: map[jetstream.Msg]struct{}{}}
	s.subscriptions.Go(func() {
		defer cancel()
		defer detach()
		sub.run(ctx, consumer)
	})
	return sub.out, nil
}

// Close ends all subscriptions and waits until they have given back what they held.
func (s *Subscriber) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.close()
	s.subscriptions.Wait()
	return nil
}

// consumer finds the durable consumer of a topic, or makes it.
func (s *Subscriber) consumer(ctx context.Context, topic string) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, requestWait, errors.New("the broker did not answer in time"))
	defer cancel()
	want := s.consumerConfig(topic)
	found, err := s.js.Consumer(ctx, s.config.Stream, want.Durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		found, err = s.js.CreateConsumer(ctx, s.config.Stream, want)
		if errors.Is(err, jetstream.ErrConsumerExists) { // another subscriber was faster, with another start
			found, err = s.js.Consumer(ctx, s.config.Stream, want.Durable)
		}
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	has := found.CachedInfo().Config
	if has.AckWait == want.AckWait && has.MaxAckPending == want.MaxAckPending {
		return found, nil
	}
	has.AckWait, has.MaxAckPending = want.AckWait, want.MaxAckPending
	return s.js.UpdateConsumer(ctx, s.config.Stream, has)
}

func (s *Subscriber) consumerConfig(topic string) jetstream.ConsumerConfig {
	config := jetstream.ConsumerConfig{
		Durable:       ConsumerName(s.config.Durable, topic),
		Description:   s.config.Durable + " reads " + topic,
		FilterSubject: topic,
		DeliverPolicy: jetstream.DeliverAllPolicy,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       s.config.AckWait,
		MaxAckPending: 1,
	}
	if s.config.Competing {
		config.MaxAckPending = competingPending
	}
	if s.config.StartSequence > 0 {
		config.DeliverPolicy, config.OptStartSeq = jetstream.DeliverByStartSequencePolicy, s.config.StartSequence
	}
	return config
}

// nameBytes is how much of a topic's hash a consumer's name has.
const nameBytes = 6

// ConsumerName is the name at the broker of the consumer of a topic. Names may have no dots and no wildcards, so the topic stands in
// it as a hash; the consumer's description spells it out.
func ConsumerName(durable, topic string) string {
	hash := sha256.Sum256([]byte(topic))
	return durable + "-" + hex.EncodeToString(hash[:nameBytes])
}
