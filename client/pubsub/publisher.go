package pubsub

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Publisher publishes Watermill's messages to JetStream. Its methods may be used from several goroutines.
type Publisher struct {
	js     jetstream.JetStream
	closed atomic.Bool
}

// NewPublisher makes a publisher on a connection, which stays the caller's: the publisher does not close it.
func NewPublisher(conn *nats.Conn) (*Publisher, error) {
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, fmt.Errorf("pubsub: %w", err)
	}
	return &Publisher{js: js}, nil
}

// Publish publishes messages in order, each once the broker has confirmed the one before it, and ends at the first that it does
// not confirm. A message whose confirmation is lost may be there nevertheless; publishing it again makes it two: JetStream's
// deduplication is not used, for within its window it would swallow a message that somebody publishes again on purpose, from a
// poison queue for example.
func (p *Publisher) Publish(topic string, messages ...*message.Message) error {
	for _, m := range messages {
		if p.closed.Load() {
			return ErrClosed
		}
		encoded, err := encode(topic, m)
		if err != nil {
			return err
		}
		if err := p.publish(m.Context(), encoded); err != nil {
			return fmt.Errorf("pubsub: publish message %s to %s: %w", m.UUID, topic, err)
		}
	}
	return nil
}

func (p *Publisher) publish(ctx context.Context, m *nats.Msg) error {
	ctx, cancel := context.WithTimeoutCause(ctx, publishWait, errors.New("the broker did not confirm it in time"))
	defer cancel()
	_, err := p.js.PublishMsg(ctx, m)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// Close refuses further messages. There is nothing to wait for: what Publish has returned for is in the stream.
func (p *Publisher) Close() error {
	p.closed.Store(true)
	return nil
}
