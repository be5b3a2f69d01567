package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
)

// Limits of the live stream.
const (
	MaxStreams          = 256              // open at the same time on one node
	StreamHeartbeat     = 15 * time.Second // between two signs of life, so that neither side takes the other for dead
	StreamWriteDeadline = 5 * time.Second  // for one write; who reads more slowly is dropped and comes back with Last-Event-ID
)

// stream sends the log as it grows, as server-sent events: id is the position, event the type, data the record as committed. A
// person gets the events to which their account is a party.
func (e *edge) stream(w http.ResponseWriter, r *http.Request, actor domain.Actor) error {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(e.ending, cancel)()
	query := r.URL.Query()
	after, err := streamStart(r.Header, query)
	if err != nil {
		return err
	}
	wanted, err := EventFilter{Stream: query.Get("stream"), Type: query.Get("type"), Party: query.Get("party")}.read(e.catalog)
	if err != nil {
		return err
	}
	if _, err := e.viewer(ctx, actor); err != nil {
		return err
	}
	if err := e.logHas(ctx, "after", after); err != nil {
		return err
	}
	select {
	case e.streams <- struct{}{}:
		defer func() { <-e.streams }()
	default:
		return &domain.Error{Kind: domain.Unavailable, Code: "too_many_streams", Detail: fmt.Sprintf("this node has %d streams open; try again or another node", MaxStreams)}
	}
	return e.follow(ctx, w, r, actor, wanted, after)
}

// streamStart is the position after which a stream begins: Last-Event-ID, which a browser sends by itself when it comes back, or
// the parameter.
func streamStart(headers http.Header, query url.Values) (int64, error) {
	for name := range query {
		if !slices.Contains([]string{"after", "stream", "type", "party"}, name) {
			return 0, domain.Invalid(name, "unknown query parameter")
		}
	}
	name, text := "Last-Event-ID", headers.Get("Last-Event-ID")
	if text == "" {
		name, text = "after", query.Get("after")
	}
	if text == "" {
		return 0, nil
	}
	after, err := parsePosition(text)
	if err != nil {
		return 0, domain.Invalid(name, "must be a position: a whole number from 0")
	}
	return after, nil
}

// follow writes the log from a position on until the caller goes, is too slow, or the ledger shuts down.
func (e *edge) follow(ctx context.Context, w http.ResponseWriter, r *http.Request, actor domain.Actor, wanted wanted, after int64) error {
	connection := http.NewResponseController(w)
	// The server's deadline for reading a request would end the stream as well.
	if err := connection.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	out := &eventWriter{w: w, connection: connection, position: after}
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead {
		return nil
	}
	if err := out.heartbeat(); err != nil {
		return nil // the caller has gone
	}

	ctx, cancel := context.WithCancel(ctx)
	pages := make(chan []eventstore.Record)
	ended := make(chan error, 1)
	var following sync.WaitGroup
	defer following.Wait()
	defer cancel()
	following.Go(func() {
		ended <- followLog(ctx, e.Store, wanted.stream, after, func(ctx context.Context, page []eventstore.Record) error {
			select {
			case pages <- page:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	beat := time.NewTicker(StreamHeartbeat)
	defer beat.Stop()
	for {
		var err error
		select {
		case page := <-pages:
			err = e.writePage(ctx, out, actor, wanted, page)
		case <-beat.C:
			err = out.heartbeat()
		case err = <-ended:
		}
		if err != nil {
			if ctx.Err() == nil {
				e.Log.InfoContext(ctx, "stream ended", "position", out.position, "cause", err)
			}
			return nil // the answer has begun; the caller comes back with Last-Event-ID
		}
	}
}

// followLog hands over the log after a position, page after page as it grows. Of one stream it hands over first what that holds already,
// which is little however long the log is; then the log, of which the stream is only a part.
func followLog(ctx context.Context, store *eventstore.Store, stream eventstore.StreamID, after int64, handle func(context.Context, []eventstore.Record) error) error {
	if stream != (eventstore.StreamID{}) {
		source, err := openSource(ctx, store, stream, after)
		if err != nil {
			return err
		}
		for more := true; more; {
			page, err := source.next(ctx, scanReadItems)
			if err == nil && len(page) > 0 {
				err = handle(ctx, page)
			}
			if err != nil {
				return err
			}
			more = len(page) == scanReadItems
		}
		after = max(source.after, source.head)
	}
	return store.Follow(ctx, eventstore.Checkpoint{Position: after}, handle)
}

// writePage writes those events of a page that are wanted and the actor's to see, who must still be a member of their account.
func (e *edge) writePage(ctx context.Context, out *eventWriter, actor domain.Actor, wanted wanted, page []eventstore.Record) error {
	viewer, err := e.viewer(ctx, actor)
	if err != nil {
		return err
	}
	for _, record := range page {
		visible, err := e.shows(viewer, wanted, record)
		if err != nil {
			return err
		}
		if visible {
			if err := out.event(record); err != nil {
				return err
			}
		}
		out.position = record.Position
	}
	return out.connection.Flush()
}

// eventWriter writes server-sent events, each within StreamWriteDeadline.
type eventWriter struct {
	w          http.ResponseWriter
	connection *http.ResponseController
	position   int64 // of the last event that was looked at
}

// event writes a record. Its bytes are one line, as JSON without line breaks is.
func (o *eventWriter) event(record eventstore.Record) error {
	if err := o.connection.SetWriteDeadline(time.Now().Add(StreamWriteDeadline)); err != nil {
		return err
	}
	_, err := fmt.Fprintf(o.w, "id: %d\nevent: %s\ndata: %s\n\n", record.Position, record.Type, record.Bytes)
	return err
}

// heartbeat writes a comment, and the position up to which the stream has looked, so that a person who comes back need not wait
// until all that is not theirs has been looked at again.
func (o *eventWriter) heartbeat() error {
	if err := o.connection.SetWriteDeadline(time.Now().Add(StreamWriteDeadline)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(o.w, ": heartbeat\nid: %d\n\n", o.position); err != nil {
		return err
	}
	return o.connection.Flush()
}
