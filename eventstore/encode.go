package eventstore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// timeLayout writes a record's time always at the same width: UTC with microseconds.
const timeLayout = "2006-01-02T15:04:05.000000Z"

// draft is an event whose record is encoded but for what only the committer can tell: time, position and version. It is made
// in the goroutine that appends, so that the committer, which is one for all, has little left to do.
type draft struct {
	stream StreamID
	typ    string
	opened []byte // from the brace to the quote before the time
	closed []byte // from the first attribute after streamversion to the brace
}

// encode encodes the events of a validated append. epoch is the log's incarnation, which is the records' source.
func encode(a *Append, epoch uuid.UUID) ([]draft, error) {
	source := "urn:uuid:" + epoch.String()
	drafts := make([]draft, len(a.Events))
	for i, e := range a.Events {
		opened := make([]byte, 0, 256)
		opened = append(opened, `{"specversion":"1.0","id":"`...)
		opened = append(opened, e.ID.String()...)
		opened = appendAttribute(opened, "source", source)
		opened = appendAttribute(opened, "type", e.Type)
		opened = appendAttribute(opened, "subject", e.Stream.String())
		opened = append(opened, `","time":"`...)

		closed := make([]byte, 0, 256+len(e.Data))
		for _, attribute := range a.attributes() {
			if attribute.value != "" {
				closed = appendAttribute(closed, attribute.name, attribute.value)
			}
		}
		data := bytes.NewBuffer(append(closed, `","data":`...))
		if err := json.Compact(data, e.Data); err != nil {
			return nil, invalid("data of event %d is not JSON: %v", i, err)
		}
		data.WriteByte('}')
		drafts[i] = draft{stream: e.Stream, typ: e.Type, opened: opened, closed: data.Bytes()}
	}
	return drafts, nil
}

// attributes are those that come from the append rather than from its events, in the record's order.
func (a *Append) attributes() [6]struct{ name, value string } {
	return [6]struct{ name, value string }{
		{"actor", a.Actor},
		{"onbehalfof", a.OnBehalfOf},
		{"commandid", a.CommandID.String()},
		{"correlationid", a.CorrelationID},
		{"causationid", a.CausationID},
		{"traceparent", a.TraceParent},
	}
}

// appendAttribute writes a string attribute up to its closing quote, which the next one begins with. Control characters are
// not valid in CloudEvents and never come here, so only quote and backslash need escaping.
func appendAttribute(record []byte, name, value string) []byte {
	record = append(record, `","`...)
	record = append(record, name...)
	record = append(record, `":"`...)
	for i := range len(value) {
		if value[i] == '"' || value[i] == '\\' {
			record = append(record, '\\')
		}
		record = append(record, value[i])
	}
	return record
}

// finish gives the event its place and completes its bytes.
func (d *draft) finish(position, version int64, recordedAt time.Time, commandID uuid.UUID) Record {
	const between = len(timeLayout) + len(`","datacontenttype":"application/json","dataschema":"/schemas/.json","sequence":"","streamversion":"`) + 2*19
	record := make([]byte, 0, len(d.opened)+between+len(d.typ)+len(d.closed))
	record = append(record, d.opened...)
	record = recordedAt.AppendFormat(record, timeLayout)
	record = append(record, `","datacontenttype":"application/json","dataschema":"/schemas/`...)
	record = append(record, d.typ...)
	record = append(record, `.json","sequence":"`...)
	record = strconv.AppendInt(record, position, 10)
	record = append(record, `","streamversion":"`...)
	record = strconv.AppendInt(record, version, 10)
	record = append(record, d.closed...)
	return Record{
		Position: position, Stream: d.stream, Version: version, Type: d.typ, RecordedAt: recordedAt, CommandID: commandID, Bytes: record,
	}
}

// validate checks all limits and that the append does not contradict itself. It tells of each stream that the append expects
// something of whether it extends that stream.
func (a *Append) validate() (extended map[StreamID]bool, err error) {
	if a.CommandID == uuid.Nil {
		return nil, invalid("the command id is nil")
	}
	for _, attribute := range a.attributes() {
		if len(attribute.value) > MaxAttributeBytes {
			return nil, invalid("%s has %d bytes, more than %d", attribute.name, len(attribute.value), MaxAttributeBytes)
		}
		if !validText(attribute.value) {
			return nil, invalid("%s has control characters or is not UTF-8", attribute.name)
		}
	}
	if extended, err = a.validateExpect(); err != nil {
		return nil, err
	}
	if len(a.Events) > MaxAppendEvents {
		return nil, invalid("%d events, more than %d", len(a.Events), MaxAppendEvents)
	}
	ids := make(map[uuid.UUID]bool, len(a.Events))
	for i, e := range a.Events {
		if err := e.validate(); err != nil {
			return nil, invalid("event %d: %v", i, err)
		}
		if ids[e.ID] {
			return nil, invalid("event %d: the id %s is another event's already", i, e.ID)
		}
		ids[e.ID] = true
		if _, expected := extended[e.Stream]; !expected {
			return nil, invalid("event %d extends %s, of which nothing is expected", i, e.Stream)
		}
		extended[e.Stream] = true
	}
	if size := a.size(); size > MaxAppendBytes {
		return nil, invalid("%d bytes of data, more than %d", size, MaxAppendBytes)
	}
	return extended, nil
}

// validateExpect checks the expectations and gives the set of their streams.
func (a *Append) validateExpect() (map[StreamID]bool, error) {
	if len(a.Expect) > MaxAppendExpects {
		return nil, invalid("%d expected versions, more than %d", len(a.Expect), MaxAppendExpects)
	}
	streams := make(map[StreamID]bool, len(a.Expect))
	for _, e := range a.Expect {
		if !e.Stream.valid() {
			return nil, invalid("stream %q: the kind must be a word of a to z, %d bytes at most, and the UUID not nil", e.Stream, MaxKindBytes)
		}
		if e.Version < 0 {
			return nil, invalid("%s is expected at version %d", e.Stream, e.Version)
		}
		if _, twice := streams[e.Stream]; twice {
			return nil, invalid("%s is expected twice", e.Stream)
		}
		streams[e.Stream] = false
	}
	return streams, nil
}

// size is the data of all events in bytes.
func (a *Append) size() int64 {
	var size int64
	for _, e := range a.Events {
		size += int64(len(e.Data))
	}
	return size
}

// validate checks what can be said of an event by itself. Its stream is checked among the expected ones.
func (e *NewEvent) validate() error {
	switch data := bytes.TrimLeft(e.Data, " \t\r\n"); {
	case e.ID == uuid.Nil:
		return fmt.Errorf("the id is nil")
	case !validType(e.Type):
		return fmt.Errorf("the type %q is not made of letters, digits and dots, %d bytes at most", e.Type, MaxTypeBytes)
	case len(e.Data) > MaxDataBytes:
		return fmt.Errorf("data has %d bytes, more than %d", len(e.Data), MaxDataBytes)
	case len(data) == 0 || data[0] != '{':
		return fmt.Errorf("data is not a JSON object")
	case !utf8.Valid(data):
		return fmt.Errorf("data is not UTF-8")
	}
	return nil
}

// validType tells whether a type can stand in a record, in the URL of its schema and in a subject without any escaping.
func validType(name string) bool {
	for _, c := range []byte(name) {
		if c != '.' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return name != "" && len(name) <= MaxTypeBytes
}

// validText tells whether a string may be a CloudEvents attribute: UTF-8 without control characters or noncharacters.
func validText(s string) bool {
	for _, r := range s {
		if r < ' ' || (r >= 0x7f && r <= 0x9f) || (r >= 0xfdd0 && r <= 0xfdef) || r&0xfffe == 0xfffe {
			return false
		}
	}
	return utf8.ValidString(s)
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}
