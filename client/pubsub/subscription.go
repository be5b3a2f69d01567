package pubsub

import (
	"context"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"
)

// subscription reads one topic for one caller of Subscribe.
type subscription struct {
	*Subscriber
	topic string
	out   chan *message.Message

	mu   sync.Mutex
	held map[jetstream.Msg]struct{} // what the broker has given and has not been told about yet
}

// run hands out messages until ctx ends or the connection is closed.
func (s *subscription) run(ctx context.Context, consumer jetstream.Consumer) {
	defer close(s.out)
	keeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	var keeper sync.WaitGroup
	keeper.Go(func() { s.keepAlive(keeping) })
	defer keeper.Wait()
	defer stop()
	defer s.flush()

	for pause := shortestPause; ; {
		began := time.Now()
		err := s.batch(ctx, consumer)
		for err != nil && ctx.Err() == nil && !s.js.Conn().IsClosed() {
			s.log.Warn("pubsub: a subscription was interrupted and goes on", "stream", s.config.Stream, "topic", s.topic, "error", err, "in", pause)
			if time.Since(began) > longestPause {
				pause = shortestPause
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
			pause = min(2*pause, longestPause)
			began = time.Now()
			consumer, err = s.consumer(ctx, s.topic) // it or its stream may be gone
		}
		if err != nil || ctx.Err() != nil {
			return
		}
	}
}

// batch asks for as many messages as the subscription may hold and hands them out one by one. It returns nil when it had that many,
// and otherwise why there are no more; either way nothing of the batch is left.
func (s *subscription) batch(ctx context.Context, consumer jetstream.Consumer) error {
	size := orderedBatch
	if s.config.Competing {
		size = competingBatch
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(size), jetstream.StopAfter(size),
		jetstream.PullExpiry(pullExpiry), jetstream.PullHeartbeat(pullHeartbeat))
	if err != nil {
		return err
	}
	fetched := make(chan jetstream.Msg, size) // room for the whole batch, so that each message is held as soon as it has come
	ended := make(chan error, 1)
	go func() {
		defer close(fetched)
		count, err := s.fetch(messages, fetched, jetstream.NextContext(ctx))
		if count == size {
			err = nil
		}
		messages.Drain()
		_, _ = s.fetch(messages, fetched, jetstream.NextMaxWait(drainWait)) // what was on its way; it ends with the messages
		ended <- err
	}()
	for received := range fetched {
		s.handOut(ctx, received)
	}
	return <-ended
}

// fetch takes messages over until there is none, and tells why.
func (s *subscription) fetch(messages jetstream.MessagesContext, fetched chan<- jetstream.Msg, wait jetstream.NextOpt) (count int, err error) {
	for ; ; count++ {
		received, err := messages.Next(wait)
		if err != nil {
			return count, err
		}
		s.mu.Lock()
		s.held[received] = struct{}{}
		s.mu.Unlock()
		fetched <- received
	}
}

// handOut gives a message to the subscriber's caller, waits for the answer and passes it on to the broker.
func (s *subscription) handOut(ctx context.Context, received jetstream.Msg) {
	if ctx.Err() != nil {
		s.settle(received, received.Nak)
		return
	}
	refuse := func() error { return received.NakWithDelay(s.config.NackDelay) }
	place, err := received.Metadata()
	if err != nil { // it did not come from a stream, so nobody waits to be told
		s.log.Error("pubsub: a message without a place in the stream was left out", "stream", s.config.Stream, "topic", s.topic, "error", err)
		s.settle(received, received.Ack)
		return
	}
	m := decode(received, place)
	handling, done := context.WithCancel(ctx)
	defer done()
	m.SetContext(handling)
	select {
	case s.out <- m:
	case <-ctx.Done():
		s.settle(received, received.Nak)
		return
	}
	var tooLate <-chan time.Time
	for ended := ctx.Done(); ; {
		select {
		case <-m.Acked():
			s.settle(received, received.Ack)
			return
		case <-m.Nacked():
			s.settle(received, refuse)
			return
		case <-ended:
			ended, tooLate = nil, time.After(closeWait)
		case <-tooLate:
			s.settle(received, received.Nak)
			return
		}
	}
}

// settle tells the broker what has become of a message. Where that fails, the message is delivered again after AckWait.
func (s *subscription) settle(received jetstream.Msg, tell func() error) {
	s.mu.Lock()
	delete(s.held, received)
	s.mu.Unlock()
	if err := tell(); err != nil {
		s.log.Warn("pubsub: the broker was not told what became of a message", "stream", s.config.Stream, "topic", s.topic, "error", err)
	}
}

// keepAlive tells the broker again and again that the messages held are still in work, until ctx ends.
func (s *subscription) keepAlive(ctx context.Context) {
	beat := time.NewTicker(s.config.AckWait / keepAlives)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
		}
		s.mu.Lock()
		for received := range s.held {
			_ = received.InProgress() // the next one may get through
		}
		s.mu.Unlock()
	}
}

// flush waits until the broker has what it was told. Without a connection that will be when there is one again.
func (s *subscription) flush() {
	if conn := s.js.Conn(); conn.IsConnected() {
		if err := conn.FlushTimeout(flushWait); err != nil {
			s.log.Warn("pubsub: the broker may not know yet what became of the last messages", "error", err)
		}
	}
}
