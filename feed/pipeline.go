package feed

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/collabledger/collabledger/eventstore"
)

// errTailLost ends a pipeline whose stream is shorter than it was.
var errTailLost = errors.New("feed: the stream has lost events at its end")

// errEventLost holds up a relay whose stream counts a last event that it does not hold, as JetStream leaves it when the server is
// stopped after its disk was full. That event cannot be published again, and to go on would leave a hole in the feed.
var errEventLost = errors.New("feed: the stream " + StreamName + " counts a last event that it has lost")

// pipeline publishes events one behind the other without waiting for each to be confirmed. It begins with the question where the
// stream is, and ends with the first thing that does not go as planned.
//
// Of a group of events only the last is confirmed, which spares broker and relay an answer to each: they are fenced by one another,
// so that the last can be in the stream only behind all others. What refuses an event in between shows as a refusal of the last, for
// not being the next one. The first group of a pipeline is therefore one event, whose refusal tells the reason, and each further one
// is twice as large.
type pipeline struct {
	relay    *Relay
	js       jetstream.JetStream
	standby  bool                    // another relay is in the lead
	epoch    uuid.UUID               // the log's, and so the stream's
	group    int                     // how many events the next group may have
	inFlight chan struct{}           // one token for each group on its way to the broker; its capacity is the window
	end      context.CancelCauseFunc // stops everything; the first reason counts
}

// pump runs one pipeline: it publishes what the stream lacks, and then what comes, until something is in the way. One that stands
// by begins to publish only when the stream stands still.
func (r *Relay) pump(ctx context.Context, standby bool) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	p := &pipeline{relay: r, standby: standby, group: 1, inFlight: make(chan struct{}, window), end: end}
	var err error
	p.js, err = jetstream.New(r.conn,
		jetstream.WithDefaultTimeout(requestWait),
		jetstream.WithPublishAsyncTimeout(confirmWait),
		jetstream.WithPublishAsyncAckHandler(p.confirmed),
		jetstream.WithPublishAsyncErrHandler(p.failed))
	if err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	defer p.js.CleanupPublisher()
	from, err := p.locate(ctx)
	if err != nil {
		return err
	}
	var watching sync.WaitGroup
	watching.Go(func() { end(p.watch(ctx)) })
	end(r.store.Follow(ctx, from, p.publish))
	watching.Wait()
	err = context.Cause(ctx)
	if ahead, ok := errors.AsType[*eventstore.AheadError](err); ok {
		err = fmt.Errorf("%w: %w", ErrForeignStream, ahead)
	}
	return err
}

// locate finds out how far the stream has come, and makes it when there is none. Its last event must be the log's event of that
// position, byte for byte: the sequence alone would not tell a log that was restored and has grown past the stream again.
func (p *pipeline) locate(ctx context.Context) (eventstore.Checkpoint, error) {
	stream, err := p.stream(ctx)
	missing := errors.Is(err, jetstream.ErrStreamNotFound)
	if err != nil && !missing {
		return eventstore.Checkpoint{}, err
	}
	// Asked after the stream, the log can only have come further: it is committed first and published then.
	head, err := p.relay.store.Head(ctx)
	if err != nil {
		return eventstore.Checkpoint{}, err
	}
	if missing {
		if stream, err = p.create(ctx, head); err != nil {
			return eventstore.Checkpoint{}, err
		}
	}
	from := eventstore.Checkpoint{Epoch: head.Epoch, Position: int64(stream.CachedInfo().State.LastSeq)}
	if err := sameEpoch(stream, head.Epoch); err != nil {
		return eventstore.Checkpoint{}, err
	}
	if from.Position > head.Position {
		return eventstore.Checkpoint{}, fmt.Errorf("%w: its last sequence is %d, but the log ends at position %d",
			ErrForeignStream, from.Position, head.Position)
	}
	if err := p.sameEvent(ctx, stream, from.Position); err != nil {
		return eventstore.Checkpoint{}, err
	}
	if err := p.configure(ctx, stream); err != nil {
		return eventstore.Checkpoint{}, err
	}
	p.epoch = head.Epoch
	p.relay.begin(from.Position, head.Position)
	return from, nil
}

// create makes the stream, so that the next event is the first of those that the relay's settings let it keep.
func (p *pipeline) create(ctx context.Context, head eventstore.Head) (jetstream.Stream, error) {
	first, err := p.relay.settings.firstKept(ctx, p.relay.store, head.Position, time.Now())
	if err != nil {
		return nil, err
	}
	stream, err := p.js.CreateStream(ctx, streamConfig(head.Epoch, first, p.relay.settings))
	if err != nil {
		return nil, fmt.Errorf("feed: cannot create the stream %s: %w", StreamName, err)
	}
	p.relay.log.Info("feed: created the stream", "stream", StreamName, "epoch", head.Epoch, "first", first)
	return stream, nil
}

// configure sets a stream that exists to the relay's settings. What cannot be had now, as more replicas than brokers are up, keeps no
// event from its way.
func (p *pipeline) configure(ctx context.Context, stream jetstream.Stream) error {
	config := stream.CachedInfo().Config
	if !p.relay.settings.apply(&config) {
		return nil
	}
	if _, err := p.js.UpdateStream(ctx, config); err != nil {
		p.relay.log.Warn("feed: the stream keeps its settings", "stream", StreamName, "error", err)
	}
	return ctx.Err()
}

// stream asks the broker for the stream and its state.
func (p *pipeline) stream(ctx context.Context) (jetstream.Stream, error) {
	switch conn := p.relay.conn; {
	case conn.IsClosed():
		return nil, fmt.Errorf("feed: %w", nats.ErrConnectionClosed)
	case !conn.IsConnected():
		return nil, fmt.Errorf("feed: the broker is away: %w", cmp.Or(conn.LastError(), nats.ErrDisconnected))
	}
	stream, err := p.js.Stream(ctx, StreamName)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return nil, fmt.Errorf("feed: the broker has no JetStream, or none that is ready: %w", err)
	case err != nil:
		return nil, fmt.Errorf("feed: cannot read the state of the stream %s: %w", StreamName, err)
	}
	return stream, nil
}

// sameEpoch checks that the stream was made for this incarnation of the log.
func sameEpoch(stream jetstream.Stream, epoch uuid.UUID) error {
	if of := stream.CachedInfo().Config.Metadata[EpochMetadata]; of != epoch.String() {
		return fmt.Errorf("%w: its metadata %s is %q, but the log's epoch is %s", ErrForeignStream, EpochMetadata, of, epoch)
	}
	return nil
}

// sameEvent checks that the stream and the log hold the same event at a position, the stream's last. One that was purged cannot be
// compared, and then there is none at all.
func (p *pipeline) sameEvent(ctx context.Context, stream jetstream.Stream, position int64) error {
	if position == 0 {
		return nil
	}
	published, err := stream.GetMsg(ctx, uint64(position))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		if stream.CachedInfo().State.Msgs > 0 {
			return fmt.Errorf("%w, that at position %d; delete the stream, and it is made and filled anew", errEventLost, position)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("feed: cannot read the last event of the stream %s: %w", StreamName, err)
	}
	records, err := p.relay.store.ReadAll(ctx, position-1, 1)
	if err != nil {
		return err
	}
	if len(records) == 0 || !bytes.Equal(records[0].Bytes, published.Data) {
		return fmt.Errorf("%w: its event at sequence %d is not the log's event at that position", ErrForeignStream, position)
	}
	return nil
}

// publish sends a page on its way, and waits only where the window is full, or at the end of a busy log for more to send.
func (p *pipeline) publish(ctx context.Context, page []eventstore.Record) error {
	if p.standby {
		var err error
		if page, err = p.standBy(ctx, page); err != nil {
			return err
		}
	}
	busy := len(page) >= busyPage && len(page) < eventstore.MaxPageEvents
	for len(page) > 0 {
		group := page[:min(p.group, len(page))]
		select {
		case p.inFlight <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		for i, record := range group {
			if err := p.publishEvent(record, i == len(group)-1); err != nil {
				return fmt.Errorf("feed: cannot publish the event at position %d: %w", record.Position, err)
			}
		}
		page = page[len(group):]
		p.group = min(2*p.group, maxGroup)
	}
	if busy {
		return rest(ctx, gatherPause)
	}
	return nil
}

// publishEvent sends one event on its way, to be confirmed or not.
func (p *pipeline) publishEvent(record eventstore.Record, confirm bool) error {
	message, err := message(record)
	if err != nil {
		return err
	}
	if !confirm {
		message.Header.Set(jetstream.ExpectedLastSeqHeader, strconv.FormatInt(record.Position-1, 10))
		return p.relay.conn.PublishMsg(message)
	}
	// A retry by the client would only come out of order; the relay begins anew instead.
	_, err = p.js.PublishMsgAsync(message, jetstream.WithExpectLastSequence(uint64(record.Position-1)), jetstream.WithRetryAttempts(0))
	return err
}

// standBy leaves a page to the relay that was faster for as long as the stream moves on. Then it takes over, and returns what the
// stream lacks of the page.
func (p *pipeline) standBy(ctx context.Context, page []eventstore.Record) ([]eventstore.Record, error) {
	for {
		if err := rest(ctx, standbyPause); err != nil {
			return nil, err
		}
		last, err := p.look(ctx)
		if err != nil {
			return nil, err
		}
		published := last - (page[0].Position - 1)
		switch {
		case published >= int64(len(page)):
			return nil, nil
		case published == 0:
			p.standby = false
			return page, nil
		}
		page = page[published:]
	}
}

// confirmed is called by the client when the broker has stored a group of events.
func (p *pipeline) confirmed(_ jetstream.JetStream, _ *nats.Msg, ack *jetstream.PubAck) {
	<-p.inFlight
	p.relay.advance(int64(ack.Sequence))
}

// failed is called by the client when the broker has refused an event, or has not answered.
func (p *pipeline) failed(_ jetstream.JetStream, message *nats.Msg, err error) {
	<-p.inFlight
	p.end(fmt.Errorf("feed: the event after position %s was not published: %w",
		message.Header.Get(jetstream.ExpectedLastSeqHeader), err))
}

// lostRace tells whether a pipeline ended because the stream was not where it was expected: another relay has published the event,
// or, seldom, an earlier pipeline of this one, whose event was still on its way when the next one located the stream.
func lostRace(err error) bool {
	refusal, ok := errors.AsType[*jetstream.APIError](err)
	return ok && refusal.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence
}

// watch looks at the stream now and then, and returns what is wrong with it while no event comes whose publication would tell.
func (p *pipeline) watch(ctx context.Context) error {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
			if _, err := p.look(ctx); err != nil {
				return err
			}
		}
	}
}

// look reads the stream's last sequence, which other relays may have moved. That the stream is gone, is another log's now, or has
// lost its tail, is an error.
func (p *pipeline) look(ctx context.Context) (last int64, err error) {
	before, _ := p.relay.Status()
	stream, err := p.stream(ctx)
	if err != nil {
		return 0, err
	}
	if err := sameEpoch(stream, p.epoch); err != nil {
		return 0, err
	}
	last = int64(stream.CachedInfo().State.LastSeq)
	if last < before {
		return 0, fmt.Errorf("%w: its last sequence was %d and is %d", errTailLost, before, last)
	}
	p.relay.advance(last)
	return last, nil
}
