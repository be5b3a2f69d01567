package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/feed"
)

// Waits for the broker.
const (
	streamWait   = 30 * time.Second       // for the ledger to make its stream
	streamPoll   = 100 * time.Millisecond // between two looks whether it has
	deliveryWait = 30 * time.Second       // for an event that is in the log to be delivered
)

// subscribe begins to listen to the ledger's stream, as a downstream service would, until it is told to stop.
func (s *stage) subscribe(conn *nats.Conn) (stop func()) {
	if s.err != nil {
		return func() {}
	}
	consumer, err := consume(s.ctx, conn)
	if err == nil {
		s.broker, err = consumer.Messages()
	}
	if err != nil {
		s.deviate("subscribe to the stream "+feed.StreamName, "a subscription", err.Error())
		return func() {}
	}
	return s.broker.Stop
}

// consume waits for the stream, which the ledger makes when it reaches the broker.
func consume(ctx context.Context, conn *nats.Conn) (jetstream.Consumer, error) {
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, streamWait)
	defer cancel()
	for {
		stream, err := js.Stream(ctx, feed.StreamName)
		if err == nil && stream.CachedInfo().State.LastSeq > 0 {
			return nil, fmt.Errorf("the broker's stream holds %d events of another ledger", stream.CachedInfo().State.LastSeq)
		}
		if err == nil {
			return stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{})
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("the broker has no such stream after %s: %w", streamWait, err)
		case <-time.After(streamPoll):
		}
	}
}

// hear takes what the broker delivers up to the last answer's event, and compares it with the log: event n is at sequence n, and
// is the same to the byte.
func (s *stage) hear() {
	if s.err != nil || s.heard >= s.position {
		return
	}
	for _, record := range s.log(s.heard) {
		message, err := s.broker.Next(jetstream.NextMaxWait(deliveryWait))
		if err != nil {
			s.deviate(fmt.Sprintf("event %d on the broker", s.heard+1), "delivered", err.Error())
			return
		}
		metadata, err := message.Metadata()
		if err != nil {
			s.deviate(fmt.Sprintf("event %d on the broker", s.heard+1), "JetStream's metadata", err.Error())
			return
		}
		var event eventstore.Envelope
		if err := json.Unmarshal(message.Data(), &event); err != nil {
			s.deviate(fmt.Sprintf("event %d on the broker", s.heard+1), "a CloudEvent", err.Error())
			return
		}
		if at := strconv.FormatUint(metadata.Sequence.Stream, 10); event.Sequence != at || at != strconv.FormatInt(s.heard+1, 10) {
			s.deviate("events on the broker", fmt.Sprintf("event %d at sequence %d", s.heard+1, s.heard+1), fmt.Sprintf("event %s at sequence %s", event.Sequence, at))
			return
		}
		if !bytes.Equal(record, message.Data()) {
			s.deviate(fmt.Sprintf("event %d on the broker", s.heard+1), string(record), string(message.Data()))
			return
		}
		s.heard++
	}
	if s.heard != s.position {
		s.deviate("the log's end", fmt.Sprintf("position %d, as answered", s.position), fmt.Sprintf("position %d", s.heard))
		return
	}
	s.passed(s.style.Dim(fmt.Sprintf("the broker delivers up to #%d: sequence = position, bytes as in /v1/events", s.heard)))
}

// eventsPage is a page of the log.
type eventsPage struct {
	Items []json.RawMessage `json:"items"`
}

// log reads the log's records after a position.
func (s *stage) log(after int64) []json.RawMessage {
	return ask[eventsPage](s, s.ledger, "/v1/events", url.Values{"after": {strconv.FormatInt(after, 10)}, "limit": {"200"}}).Items
}

// mustBeEmpty refuses a ledger that has a history: a log forgets nothing, so believable firms must not get into a real one.
func (s *stage) mustBeEmpty() {
	if records := s.log(0); len(records) > 0 {
		s.deviate("the ledger to play on", "one without any event, since its log keeps what the demo writes", "one that is in use")
	}
}
