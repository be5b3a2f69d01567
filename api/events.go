package api

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/projections"
)

// Limits of a page of events.
const (
	MaxPageBytes  = 4 << 20 // of records in one page; the record that passes it is the page's last
	MaxPageScan   = 10_000  // events that are looked at for one page, of which few may be wanted and the caller's
	scanReadItems = 250     // events that one read of that scan takes at most, which bounds its memory
)

// eventsInput selects a page of the log.
type eventsInput struct {
	After int64 `query:"after" minimum:"0" doc:"Position after which the page begins; 0 is the log's beginning"`
	Limit int   `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Events of the page at most"`
	EventFilter
	Reading
}

// eventsOutput is a page of events, in the bytes in which they were committed.
type eventsOutput struct {
	ContentType string `header:"Content-Type"`
	Position    int64  `header:"Ledger-Position" doc:"Position up to which the page has looked: where to go on, also at the log's end"`
	Body        []byte
}

// addEvents adds the ways to read the log itself.
func (e *edge) addEvents() {
	register(e, keyRequired, e.eventsOperation(), e.listEvents)
	register(e, keyRequired, query("getReceipt", "/v1/receipts/{id}", "The receipt of an accepted command",
		"What the log remembers of a command: the hash of what was asked and by whom, and the events that it raised. The parties of its events see it, and services and staff.", exampleReceipt()), e.getReceipt)
	e.handle(keyRequired, e.streamOperation(), e.stream)
}

// listEvents answers a page of the log. To a person it gives the events to which their account is a party.
func (e *edge) listEvents(ctx context.Context, actor domain.Actor, in *eventsInput) (*eventsOutput, error) {
	viewer, err := e.viewer(ctx, actor)
	if err != nil {
		return nil, err
	}
	if err := e.logHas(ctx, "after", in.After); err != nil {
		return nil, err
	}
	if err := e.logHas(ctx, "minPosition", in.MinPosition); err != nil {
		return nil, err
	}
	wanted, err := in.read(e.catalog)
	if err != nil {
		return nil, err
	}
	page, err := e.scan(ctx, viewer, wanted, in.After, in.Limit)
	if err != nil {
		return nil, err
	}
	next := ""
	if !page.end {
		next = strconv.FormatInt(page.position, 10)
	}
	body := fmt.Appendf(nil, `{"items":[%s],"next":%q}`, bytes.Join(page.records, []byte(",")), next)
	return &eventsOutput{ContentType: "application/json", Position: page.position, Body: body}, nil
}

// scanned is what a scan of the log found.
type scanned struct {
	records  [][]byte
	position int64 // of the last event looked at
	end      bool  // there was nothing after it
}

// scan reads on from a position until it has found enough that is wanted and the viewer may see, has looked at enough, or is at the end.
func (e *edge) scan(ctx context.Context, v projections.Viewer, w wanted, after int64, limit int) (scanned, error) {
	source, err := openSource(ctx, e.Store, w.stream, after)
	if err != nil {
		return scanned{}, unreadable(err)
	}
	found, size := scanned{position: after}, 0
	for looked := 0; looked < MaxPageScan; {
		items := scanReadItems
		if w.showsAll(v) {
			items = min(items, limit-len(found.records))
		}
		records, err := source.next(ctx, items)
		if err != nil {
			return scanned{}, unreadable(err)
		}
		for _, record := range records {
			visible, err := e.shows(v, w, record)
			if err != nil {
				return scanned{}, err
			}
			found.position = record.Position
			if !visible {
				continue
			}
			found.records = append(found.records, record.Bytes)
			size += len(record.Bytes)
			if len(found.records) == limit || size > MaxPageBytes {
				return found, nil
			}
		}
		if len(records) < items {
			found.end, found.position = true, max(found.position, source.head)
			return found, nil
		}
		looked += len(records)
	}
	return found, nil
}

// source is what events are read from: the log, or one stream, which is short however long the log is.
type source struct {
	store   *eventstore.Store
	stream  eventstore.StreamID // zero: the log
	version int64               // of the stream, up to which it was read
	after   int64               // position, likewise of the log
	head    int64               // position up to which the stream has been looked through when nothing comes any more; of the log 0
}

// openSource begins after a position. In a stream versions rise with positions, so the version there is looked for by halves.
func openSource(ctx context.Context, store *eventstore.Store, stream eventstore.StreamID, after int64) (*source, error) {
	s := &source{store: store, stream: stream, after: after}
	if stream == (eventstore.StreamID{}) {
		return s, nil
	}
	head, err := store.Head(ctx) // before the stream is read, so that nothing up to there can be missed
	s.head = head.Position
	if err != nil || after == 0 {
		return s, err
	}
	versions, err := store.Versions(ctx, []eventstore.StreamID{stream})
	if err != nil {
		return nil, err
	}
	for above := versions[0]; s.version < above; {
		middle := (s.version + above) / 2
		record, err := store.ReadStream(ctx, stream, middle, 1)
		if err != nil {
			return nil, err
		}
		if len(record) == 1 && record[0].Position <= after {
			s.version = middle + 1
		} else {
			above = middle
		}
	}
	return s, nil
}

// next reads on.
func (s *source) next(ctx context.Context, limit int) (records []eventstore.Record, err error) {
	if s.stream == (eventstore.StreamID{}) {
		records, err = s.store.ReadAll(ctx, s.after, limit)
	} else {
		records, err = s.store.ReadStream(ctx, s.stream, s.version, limit)
	}
	if len(records) > 0 {
		last := records[len(records)-1]
		s.after, s.version = last.Position, last.Version
	}
	return records, err
}

// Receipt is what the log remembers of an accepted command.
type Receipt struct {
	CommandID  uuid.UUID           `json:"commandId" doc:"The command's Idempotency-Key"`
	BodyHash   string              `json:"bodyHash" minLength:"64" maxLength:"64" doc:"SHA-256, in hexadecimal, of what was asked and by whom"`
	Position   int64               `json:"position" doc:"Position of its last event, or of the log's end when it raised none"`
	RecordedAt time.Time           `json:"recordedAt,omitzero" doc:"When its events were committed"`
	Events     []commands.EventRef `json:"events" doc:"What it raised, in order, as far as it is the caller's to see"`
}

// receiptInput names a command.
type receiptInput struct {
	ID uuid.UUID `path:"id" doc:"The command's Idempotency-Key"`
	Reading
}

// getReceipt answers a command's receipt. A person sees it when their account is a party of one of its events.
func (e *edge) getReceipt(ctx context.Context, actor domain.Actor, in *receiptInput) (*bodyOutput[Receipt], error) {
	viewer, err := e.viewer(ctx, actor)
	if err != nil {
		return nil, err
	}
	if err := e.logHas(ctx, "minPosition", in.MinPosition); err != nil {
		return nil, err
	}
	command, appended, found, err := e.Store.Command(ctx, in.ID)
	if err != nil {
		return nil, unreadable(err)
	}
	receipt := Receipt{CommandID: in.ID, BodyHash: hex.EncodeToString(command.BodyHash[:]), Position: command.Last, Events: []commands.EventRef{}}
	for _, record := range appended.Records {
		visible, err := e.shows(viewer, wanted{}, record)
		if err != nil {
			return nil, err
		}
		if visible {
			receipt.RecordedAt = record.RecordedAt
			receipt.Events = append(receipt.Events, commands.EventRef{Type: record.Type, Stream: record.Stream.String(), Version: record.Version, Position: record.Position})
		}
	}
	if !found || len(receipt.Events) == 0 && !viewer.MaySee() {
		return nil, domain.Missing("receipt", in.ID)
	}
	return &bodyOutput[Receipt]{Body: receipt}, nil
}
