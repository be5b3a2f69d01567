package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
)

// What every record says of its form.
const (
	specVersion = "1.0"
	contentType = "application/json"
	timeLayout  = "2006-01-02T15:04:05.000000Z"
)

// attributes are all that a record has, besides which it must have none.
type attributes struct {
	SpecVersion     string          `json:"specversion"`
	ID              string          `json:"id"`
	Source          string          `json:"source"`
	Type            string          `json:"type"`
	Subject         string          `json:"subject"`
	Time            string          `json:"time"`
	DataContentType string          `json:"datacontenttype"`
	DataSchema      string          `json:"dataschema"`
	Sequence        string          `json:"sequence"`
	StreamVersion   string          `json:"streamversion"`
	Actor           string          `json:"actor"`
	OnBehalfOf      string          `json:"onbehalfof"`
	CommandID       string          `json:"commandid"`
	CorrelationID   string          `json:"correlationid"`
	CausationID     string          `json:"causationid"`
	TraceParent     string          `json:"traceparent"`
	Data            json.RawMessage `json:"data"`
}

// fact is an event in hand: what it says, when, and whose decision it was.
type fact struct {
	eventstore.Record
	attrs attributes
	ref   EventRef
	event domain.Event // nil when its data cannot be decoded
	actor domain.Actor // the person on whose behalf a service acted, or who acted by itself
}

// at is when the event was recorded.
func (f *fact) at() time.Time { return f.RecordedAt }

// broken reports bytes that are no record at all.
func (c *checker) broken(position int64, err error) {
	c.report.Events++
	c.position = position
	c.report.add(RecordMalformed, []EventRef{{Position: position}}, "%v", err)
}

// record checks a record as such, and folds its event.
func (c *checker) record(r eventstore.Record) {
	c.report.Events++
	f := &fact{Record: r, ref: refTo(r)}
	c.now = f
	c.must(r.Position == c.position+1, PositionGap, refs(c.last), "position %d follows %d", r.Position, c.position)
	c.position = r.Position
	c.must(!r.RecordedAt.Before(c.last.Time), TimeBackwards, refs(c.last), "it is recorded before the event at position %d", c.last.Position)
	before := c.versions[r.Stream]
	c.must(r.Version == before+1, StreamVersionGap, nil, "version %d of its stream follows %d", r.Version, before)
	c.versions[r.Stream] = r.Version
	c.last = f.ref
	if err := strictly(r.Bytes, &f.attrs); err != nil {
		c.must(false, RecordMalformed, nil, "its attributes cannot be read: %v", err)
		return
	}
	c.attributesOf(f)
	c.commandOf(f)
	event, err := c.decode.event(r.Type, f.attrs.Data)
	if !c.must(err == nil, EventMalformed, nil, "%v", err) {
		return
	}
	f.event = event
	c.fold(f)
}

// attributesOf checks that a record says of itself what is true.
func (c *checker) attributesOf(f *fact) {
	id, err := uuid.Parse(f.attrs.ID)
	if c.must(err == nil && id.String() == f.attrs.ID, RecordMalformed, nil, "its id %q is not a UUID", f.attrs.ID) {
		_, again := c.events[id]
		c.must(!again, EventIDRepeated, nil, "an earlier event has the id %s", id)
		c.events[id] = struct{}{}
	}
	for _, a := range []struct{ name, is, should string }{
		{"specversion", f.attrs.SpecVersion, specVersion},
		{"datacontenttype", f.attrs.DataContentType, contentType},
		{"dataschema", f.attrs.DataSchema, "/schemas/" + f.Type + ".json"},
		{"type", f.attrs.Type, f.Type},
		{"subject", f.attrs.Subject, f.Stream.String()},
		{"time", f.attrs.Time, f.RecordedAt.UTC().Format(timeLayout)},
		{"sequence", f.attrs.Sequence, strconv.FormatInt(f.Position, 10)},
		{"streamversion", f.attrs.StreamVersion, strconv.FormatInt(f.Version, 10)},
		{"commandid", f.attrs.CommandID, f.CommandID.String()},
	} {
		c.must(a.is == a.should, RecordMalformed, nil, "its %s is %q, not %q", a.name, a.is, a.should)
	}
	own := "urn:uuid:" + c.head.Epoch.String()
	c.must(f.attrs.Source == own, SourceForeign, nil, "its source is %q, and the log's %q", f.attrs.Source, own)
	actor, ok := domain.ParseActor(f.attrs.Actor)
	c.must(ok, RecordMalformed, nil, "its actor %q is nobody's name", f.attrs.Actor)
	if f.attrs.OnBehalfOf != "" {
		c.must(actor.Kind == domain.ActorService, RecordMalformed, nil, "%s acts on behalf of somebody, as only a service may", f.attrs.Actor)
		actor, ok = domain.ParseActor(f.attrs.OnBehalfOf)
		c.must(ok, RecordMalformed, nil, "whom it was done for, %q, is nobody's name", f.attrs.OnBehalfOf)
	}
	f.actor = actor
}

// command is what the events of one append have in common.
type command struct {
	id                uuid.UUID
	first             EventRef
	actor, onBehalfOf string
	endings           []EventRef // what only an end of the collaboration in the same append explains
}

// commandOf checks that the events of a command are one append: neighbours, of one moment and one actor.
func (c *checker) commandOf(f *fact) {
	id := f.CommandID
	if id == c.command.id {
		same := f.RecordedAt.Equal(c.command.first.Time) && f.attrs.Actor == c.command.actor && f.attrs.OnBehalfOf == c.command.onBehalfOf
		c.must(same, CommandMixed, refs(c.command.first), "its command's first event has another time or actor")
		return
	}
	c.endCommand()
	_, again := c.commands[id]
	c.must(!again, CommandReused, nil, "command %s has appended before", id)
	c.commands[id] = struct{}{}
	c.command = command{id: id, first: f.ref, actor: f.attrs.Actor, onBehalfOf: f.attrs.OnBehalfOf}
}

// decoder reads events' data by their wire names, each version in its own shape.
type decoder map[string]reflect.Type

func newDecoder() decoder {
	d := decoder{}
	for _, t := range domain.Versions() {
		d[t.Name] = reflect.TypeOf(t.Example)
	}
	return d
}

// event reads data strictly: it must be what the ledger itself would have written for that version, byte for byte. What comes out has
// the newest shape.
func (d decoder) event(name string, data []byte) (domain.Event, error) {
	t, ok := d[name]
	if !ok {
		return nil, fmt.Errorf("the ledger has no event type %q", name)
	}
	value := reflect.New(t)
	if err := strictly(data, value.Interface()); err != nil {
		return nil, fmt.Errorf("its data cannot be read: %w", err)
	}
	event := value.Elem().Interface().(domain.Event)
	again, err := json.Marshal(event)
	if err != nil {
		return nil, fmt.Errorf("its data cannot be written again: %w", err)
	}
	if !bytes.Equal(again, data) {
		return nil, errors.New("its data is not written as the ledger writes it")
	}
	return domain.Newest(event), nil
}

// strictly decodes one JSON value that has no unknown fields and nothing behind it.
func strictly(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON value")
	}
	return nil
}
