package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ErrNoRecord tells that something which should be an event of a ledger is none.
var ErrNoRecord = errors.New("client: not a record of a ledger")

// Meta is what a record tells beside the event's own data: its CloudEvents attributes.
type Meta struct {
	Position      int64  // in the log: 1, 2, 3, … without gaps
	Epoch         string // which incarnation of the log it is a position of: a UUID
	ID            string // of the event
	Type          string // for example collaboration.AccessGranted.v1
	Stream        string // for example collaboration-6b5f…
	StreamVersion int64  // of the stream with this event: 1, 2, 3, … without gaps
	Time          time.Time
	Actor         string // who acted
	OnBehalfOf    string // the person for whom a service acted
	CommandID     string // of the command that raised the event
	CorrelationID string
	CausationID   string
	TraceParent   string // W3C trace context
}

// record is an event as the ledger publishes and serves it, in the bytes in which it was committed.
type record struct {
	Meta
	data  json.RawMessage
	bytes []byte
}

// epochPrefix is what stands before the epoch in a record's source.
const epochPrefix = "urn:uuid:"

// parseRecord reads a record's attributes.
func parseRecord(bytes []byte) (record, error) {
	var e struct {
		ID, Source, Type, Subject, Actor, OnBehalfOf, CommandID, CorrelationID, CausationID, TraceParent string

		Time          time.Time
		Sequence      int64 `json:",string"`
		StreamVersion int64 `json:",string"`
		Data          json.RawMessage
	}
	if err := json.Unmarshal(bytes, &e); err != nil {
		return record{}, fmt.Errorf("%w: %w", ErrNoRecord, err)
	}
	epoch, found := strings.CutPrefix(e.Source, epochPrefix)
	if !found || epoch == "" || e.Sequence < 1 || e.Type == "" || e.Subject == "" {
		return record{}, fmt.Errorf("%w: it lacks a source, sequence, type or subject: %.200q", ErrNoRecord, bytes)
	}
	return record{data: e.Data, bytes: bytes, Meta: Meta{
		Position: e.Sequence, Epoch: epoch, ID: e.ID, Type: e.Type, Stream: e.Subject, StreamVersion: e.StreamVersion, Time: e.Time,
		Actor: e.Actor, OnBehalfOf: e.OnBehalfOf, CommandID: e.CommandID, CorrelationID: e.CorrelationID, CausationID: e.CausationID,
		TraceParent: e.TraceParent,
	}}, nil
}

// pageEvents is how many events a subscriber asks for at a time.
const pageEvents int64 = 500

// records reads events of the log over HTTP: at most so many of those after a position, none at the log's end. The client must see
// every event, as services and staff do.
func (c *Client) records(ctx context.Context, after, limit int64) ([]record, error) {
	var page struct {
		Items []json.RawMessage `json:"items"`
	}
	query := url.Values{"after": {strconv.FormatInt(after, 10)}, "limit": {strconv.FormatInt(limit, 10)}}
	err := c.Get(ctx, "/v1/events", query, &page)
	if problem, ok := errors.AsType[*Problem](err); ok && problem.Status == http.StatusBadRequest {
		return nil, fmt.Errorf("%w: position %d: %w", ErrAhead, after, err)
	}
	if err != nil {
		return nil, err
	}
	var records []record
	for _, item := range page.Items {
		r, err := parseRecord(item)
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, nil
}

// causeKey is the key of the event that a context belongs to.
type causeKey struct{}

// withCause gives a context the event on account of which things are done in it.
func withCause(ctx context.Context, cause record) context.Context {
	return context.WithValue(ctx, causeKey{}, cause)
}

func causeOf(ctx context.Context) (record, bool) {
	cause, ok := ctx.Value(causeKey{}).(record)
	return cause, ok
}

// nameCause tells the ledger which event a request is made on account of, so that what follows from it can be traced back: the trace
// and the correlation go on, and the cause is the event.
func nameCause(r *http.Request) {
	cause, ok := causeOf(r.Context())
	if !ok {
		return
	}
	for name, value := range map[string]string{
		"Traceparent": cause.TraceParent, "Ledger-Correlation-Id": cause.CorrelationID, "Ledger-Causation-Id": cause.ID,
	} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
}
