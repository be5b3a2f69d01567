package feed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/collabledger/collabledger/eventstore"
)

// Limits of a reconciliation.
const (
	MaxDifferences = 100                    // that a reconciliation lists; it counts all of them
	catchUpWait    = 2 * time.Second        // for a relay that runs elsewhere to publish what the log holds already
	catchUpPoll    = 100 * time.Millisecond // between two looks whether it has
)

// Reconciliation is what a comparison of the stream with the log has found.
type Reconciliation struct {
	Epoch       uuid.UUID    `json:"epoch"`       // of the log
	StreamEpoch string       `json:"streamEpoch"` // of the log that the stream was made for; empty when there is no stream
	LogEnd      int64        `json:"logEnd"`      // position of the log's last event when the comparison began
	First       int64        `json:"first"`       // position of the first event that the stream still holds; what is before it was purged
	Last        int64        `json:"last"`        // the stream's last sequence
	Compared    int64        `json:"compared"`    // events that are in both, the same to the byte
	Behind      int64        `json:"behind"`      // events at the log's end that are not published
	Differing   int64        `json:"differing"`   // places where the two differ
	Differences []Difference `json:"differences"` // the first MaxDifferences of them
}

// Difference is one place where the stream is not what the log says.
type Difference struct {
	Position int64  `json:"position"`
	Kind     string `json:"kind"` // missing, bytes, subject or foreign
	Detail   string `json:"detail"`
}

// The kinds of differences.
const (
	Missing = "missing" // the stream does not hold the event, though it holds later ones
	Bytes   = "bytes"   // it holds other bytes
	Misfile = "subject" // it holds them under another subject
	Foreign = "foreign" // the log has no such event, or is another one
)

// Clean tells whether the stream is a complete copy of the log, but for what was purged at its beginning.
func (r Reconciliation) Clean() bool { return r.Differing == 0 && r.Behind == 0 }

func (r *Reconciliation) differ(position int64, kind, detail string) {
	r.Differing++
	if len(r.Differences) < MaxDifferences {
		r.Differences = append(r.Differences, Difference{Position: position, Kind: kind, Detail: detail})
	}
}

// Reconcile compares the stream with the log, event by event: positions, bytes and subjects. It changes nothing, and may run beside
// a relay; progress is told how many of how many events are compared. Its errors are those of the broker and the database.
func Reconcile(ctx context.Context, store *eventstore.Store, conn *nats.Conn, progress func(done, total int64)) (Reconciliation, error) {
	js, err := jetstream.New(conn, jetstream.WithDefaultTimeout(requestWait))
	if err != nil {
		return Reconciliation{}, fmt.Errorf("feed: %w", err)
	}
	head, err := store.Head(ctx)
	if err != nil {
		return Reconciliation{}, err
	}
	r := Reconciliation{Epoch: head.Epoch, LogEnd: head.Position, Differences: []Difference{}}
	stream, err := js.Stream(ctx, StreamName)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		r.Behind = head.Position
		return r, nil
	}
	if err != nil {
		return r, fmt.Errorf("feed: cannot read the state of the stream %s: %w", StreamName, err)
	}
	if err := awaitRelay(ctx, stream, head.Position); err != nil {
		return r, err
	}
	info := stream.CachedInfo()
	r.StreamEpoch = info.Config.Metadata[EpochMetadata]
	r.First, r.Last = int64(info.State.FirstSeq), int64(info.State.LastSeq)
	r.Behind = max(0, r.LogEnd-r.Last)
	if err := sameEpoch(stream, head.Epoch); err != nil {
		r.differ(0, Foreign, err.Error())
		return r, nil
	}
	return r, r.compare(ctx, store, stream, progress)
}

// awaitRelay gives a relay that runs elsewhere a moment to publish what the log holds, so that one which only lags is not taken for
// one that has stopped. The stream's state is then fresh.
func awaitRelay(ctx context.Context, stream jetstream.Stream, position int64) error {
	for deadline := time.Now().Add(catchUpWait); ; {
		info, err := stream.Info(ctx)
		if err != nil {
			return fmt.Errorf("feed: cannot read the state of the stream %s: %w", StreamName, err)
		}
		if int64(info.State.LastSeq) >= position || time.Now().After(deadline) {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(catchUpPoll):
		}
	}
}

// compare reads both sides in order.
func (r *Reconciliation) compare(ctx context.Context, store *eventstore.Store, stream jetstream.Stream, progress func(done, total int64)) error {
	published, err := newPublished(ctx, stream, r.First, r.Last)
	if err != nil {
		return err
	}
	defer published.stop()
	for at := r.First - 1; at < r.Last; {
		page, err := store.ReadAll(ctx, at, int(min(r.Last-at, eventstore.MaxPageEvents)))
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		messages, kept, err := published.page(ctx, stream, page)
		if err != nil {
			return err
		}
		for i, record := range page {
			if messages[i] != nil || record.Position >= kept {
				r.compareEvent(record, messages[i])
			}
		}
		at = page[len(page)-1].Position
		progress(at-r.First+1, r.Last-r.First+1)
	}
	head, err := store.Head(ctx) // the relay may have published what was not in the log when the comparison began
	if err != nil {
		return err
	}
	for position := head.Position + 1; position <= r.Last; position++ {
		r.differ(position, Foreign, "the stream goes on past the log's end")
	}
	return nil
}

// compareEvent compares one event with the message in its place; nil when there is none.
func (r *Reconciliation) compareEvent(record eventstore.Record, message jetstream.Msg) {
	subject, err := Subject(record)
	switch {
	case err != nil:
		r.differ(record.Position, Misfile, err.Error())
	case message == nil:
		r.differ(record.Position, Missing, record.Type+" of "+record.Stream.String()+" is not in the stream")
	case !bytes.Equal(message.Data(), record.Bytes):
		r.differ(record.Position, Bytes, fmt.Sprintf("the stream holds %d other bytes than the %d of the %s in the log", len(message.Data()), len(record.Bytes), record.Type))
	case message.Subject() != subject:
		r.differ(record.Position, Misfile, fmt.Sprintf("it is under %s, not under %s", message.Subject(), subject))
	default:
		r.Compared++
	}
}

// published reads the stream in order.
type published struct {
	messages jetstream.MessagesContext // nil when there are none
	last     int64                     // sequence up to which there are messages
	read     int64                     // sequence up to which they are read
	latest   jetstream.Msg             // the one at that sequence; nil before the first, and at the end of a stream that has lost its tail
}

// newPublished begins with the message first. An iterator goes on by itself when its consumer is lost with a broker, or, on a cluster,
// is not known everywhere yet.
func newPublished(ctx context.Context, stream jetstream.Stream, first, last int64) (*published, error) {
	if first == 0 || first > last {
		return &published{last: last, read: last}, nil // it is empty
	}
	consumer, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: uint64(first)})
	if err != nil {
		return nil, fmt.Errorf("feed: cannot read the stream %s: %w", StreamName, err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return nil, fmt.Errorf("feed: cannot read the stream %s: %w", StreamName, err)
	}
	return &published{messages: messages, last: last, read: first - 1}, nil
}

func (p *published) stop() {
	if p.messages != nil {
		p.messages.Stop()
	}
}

// page is the messages of a page of records; nil where the stream has none. One before the position kept is not lost: the stream's
// limits, or an operator, have let it go meanwhile.
func (p *published) page(ctx context.Context, stream jetstream.Stream, records []eventstore.Record) (messages []jetstream.Msg, kept int64, err error) {
	lacks := false
	for _, record := range records {
		message, err := p.at(record.Position)
		if err != nil {
			return nil, 0, err
		}
		messages = append(messages, message)
		lacks = lacks || message == nil
	}
	if !lacks {
		return messages, 0, nil
	}
	info, err := stream.Info(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("feed: cannot read the state of the stream %s: %w", StreamName, err)
	}
	return messages, int64(info.State.FirstSeq), nil
}

// at is the message at a position; nil when the stream has lost it. Positions are asked for in order.
func (p *published) at(position int64) (jetstream.Msg, error) {
	for p.read < position && p.read < p.last {
		if err := p.next(); err != nil {
			return nil, err
		}
	}
	if p.read != position {
		return nil, nil
	}
	return p.latest, nil
}

// next reads one message. When none comes the rest of the stream is lost.
func (p *published) next() error {
	message, err := p.messages.Next(jetstream.NextMaxWait(requestWait))
	if errors.Is(err, nats.ErrTimeout) {
		p.read, p.latest = p.last, nil
		return nil
	}
	if err != nil {
		return fmt.Errorf("feed: cannot read the stream %s: %w", StreamName, err)
	}
	meta, err := message.Metadata()
	if err != nil {
		return fmt.Errorf("feed: a message of the stream %s: %w", StreamName, err)
	}
	p.read, p.latest = int64(meta.Sequence.Stream), message
	return nil
}

// CatchUp relays until the stream holds all that the log holds now: a tail that the broker has lost, or the whole log when there is
// no stream. Its errors are Run's.
func (r *Relay) CatchUp(ctx context.Context) error {
	head, err := r.store.Head(ctx)
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- r.Run(running) }()
	ticker := time.NewTicker(catchUpPoll)
	defer ticker.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-ticker.C:
			if position, _ := r.Status(); position >= head.Position {
				stop()
				if err := <-ended; !errors.Is(err, context.Canceled) {
					return err
				}
				return ctx.Err()
			}
		}
	}
}

// DeleteStream deletes the stream with all its consumers, so that a relay makes and fills a new one: the only way to mend a stream
// that holds something wrong, as a sequence is given once. Whoever had a durable consumer makes it again, and reads from the
// beginning or from the position that it has kept.
func DeleteStream(ctx context.Context, conn *nats.Conn) error {
	js, err := jetstream.New(conn, jetstream.WithDefaultTimeout(requestWait))
	if err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	if err := js.DeleteStream(ctx, StreamName); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("feed: cannot delete the stream %s: %w", StreamName, err)
	}
	return nil
}
