package eventstore

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// timeLayout writes a record's time always at the same width: UTC with microseconds.
const timeLayout = "2006-01-02T15:04:05.000000Z"

// draft is an event whose record is encoded but for what only the committer can tell: time, position and version. It is made
// in the goroutine that appends, so that the committer, which is one for all, has little left to do.
type draft struct {
	expect int    // index of its stream among those that the append expects something of
	text   []byte // the record; before it is finished, with room for what is not known yet
	opened int    // bytes of the record before its time
	closed int    // bytes of the record after its version
	typ    string

	finished bool
}

// between is what stands between the known parts of a record, but for the type and the two numbers.
const between = timeLayout + `","datacontenttype":"application/json","dataschema":"/schemas/` + `.json","sequence":"` + `","streamversion":"`

// maxDigits is how many an int64 has at most.
const maxDigits = 19

// sharedRoom is room on the stack for the attributes that all events of an append have, unless they are very long.
const sharedRoom = 512

// encode encodes the events of a validated append. source names the log's incarnation.
func encode(a *Append, source string, expects []int) ([]draft, error) {
	shared := a.appendShared(make([]byte, 0, sharedRoom))
	drafts := make([]draft, len(a.Events))
	for i := range a.Events {
		e := &a.Events[i]
		const names = len(`{"specversion":"1.0","id":"","source":"","type":"","subject":"","time":"`)
		known := names + len(source) + len(e.Type) + len(e.Stream.Kind) + 2*uuidLength + 1
		room := len(between) + len(e.Type) + 2*maxDigits
		text := make([]byte, 0, known+room+len(shared)+len(e.Data)+1)
		text = append(text, `{"specversion":"1.0","id":"`...)
		text = appendUUID(text, e.ID)
		text = appendAttribute(text, "source", source)
		text = appendAttribute(text, "type", e.Type)
		text = appendAttribute(text, "subject", e.Stream.Kind)
		text = appendUUID(append(text, '-'), e.Stream.ID)
		text = append(text, `","time":"`...)
		d := draft{expect: expects[i], typ: e.Type, opened: len(text)}

		text = append(text[:len(text)+room], shared...)
		rest := bytes.NewBuffer(text)
		if err := json.Compact(rest, e.Data); err != nil {
			return nil, invalid("data of event %d is not JSON: %v", i, err)
		}
		rest.WriteByte('}')
		d.text = rest.Bytes()
		d.closed = len(d.text) - d.opened - room
		drafts[i] = d
	}
	return drafts, nil
}

// namedValue is an attribute that comes from the append rather than from its events; without a value it is left out of the record.
type namedValue struct{ name, value string }

// deciders are the attributes that stand before the command's id in a record, and causes those that stand behind it.
func (a *Append) deciders() [2]namedValue {
	return [2]namedValue{{"actor", a.Actor}, {"onbehalfof", a.OnBehalfOf}}
}

func (a *Append) causes() [3]namedValue {
	return [3]namedValue{{"correlationid", a.CorrelationID}, {"causationid", a.CausationID}, {"traceparent", a.TraceParent}}
}

// appendShared writes what the records of an append have in common, from the end of the stream version to the data.
func (a *Append) appendShared(b []byte) []byte {
	add := func(attributes ...namedValue) {
		for _, attribute := range attributes {
			if attribute.value != "" {
				b = appendAttribute(b, attribute.name, attribute.value)
			}
		}
	}
	deciders, causes := a.deciders(), a.causes()
	add(deciders[:]...)
	b = appendUUID(append(b, `","commandid":"`...), a.CommandID)
	add(causes[:]...)
	return append(b, `","data":`...)
}

// appendUUID writes a UUID as text.
func appendUUID(b []byte, id uuid.UUID) []byte {
	for i, part := range [...][2]int{{0, 4}, {4, 6}, {6, 8}, {8, 10}, {10, 16}} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, id[part[0]:part[1]])
	}
	return b
}

// appendAttribute writes a string attribute up to its closing quote, which the next one begins with. Control characters are
// not valid in CloudEvents and never come here, so only quote and backslash need escaping.
func appendAttribute(record []byte, name, value string) []byte {
	record = append(record, `","`...)
	record = append(record, name...)
	record = append(record, `":"`...)
	for {
		i := strings.IndexAny(value, `"\`)
		if i < 0 {
			return append(record, value...)
		}
		record = append(record, value[:i]...)
		record = append(record, '\\', value[i])
		value = value[i+1:]
	}
}

// stamp is a time as it stands in records.
type stamp struct {
	time time.Time
	text [len(timeLayout)]byte
}

func stampOf(at time.Time) stamp {
	s := stamp{time: at}
	copy(s.text[:], at.Format(timeLayout))
	return s
}

// finish gives the event its place and completes its bytes: the first time in the room that was left for that, later, when its
// batch is planned again, in a place of their own, because the first ones may be on their way to the database.
func (d *draft) finish(stream StreamID, position, version int64, at *stamp, commandID uuid.UUID) Record {
	closed := d.text[len(d.text)-d.closed:]
	record := d.text[:d.opened]
	if d.finished {
		record = append(make([]byte, 0, len(d.text)+2*maxDigits), record...)
	}
	record = append(record, at.text[:]...)
	record = append(record, `","datacontenttype":"application/json","dataschema":"/schemas/`...)
	record = append(record, d.typ...)
	record = append(record, `.json","sequence":"`...)
	record = strconv.AppendInt(record, position, 10)
	record = append(record, `","streamversion":"`...)
	record = strconv.AppendInt(record, version, 10)
	record = append(record, closed...)
	d.text, d.finished = record, true
	return Record{
		Position: position, Stream: stream, Version: version, Type: d.typ, RecordedAt: at.time, CommandID: commandID, Bytes: record,
	}
}

// few is up to how many things comparing each with each is cheaper than a map.
const few = 16

// twice finds something that stands in a list twice; n is its length.
func twice[T comparable](n int, at func(int) T) (again T, ok bool) {
	if n <= few {
		for i := range n {
			for j := range i {
				if at(i) == at(j) {
					return at(i), true
				}
			}
		}
		return again, false
	}
	seen := make(map[T]bool, n)
	for i := range n {
		if seen[at(i)] {
			return at(i), true
		}
		seen[at(i)] = true
	}
	return again, false
}

// validate checks all limits and that the append does not contradict itself. It tells of each event which of the expectations
// is that of its stream.
func (a *Append) validate() (expects []int, err error) {
	if a.CommandID == uuid.Nil {
		return nil, invalid("the command id is nil")
	}
	deciders, causes := a.deciders(), a.causes()
	for _, attribute := range append(deciders[:], causes[:]...) {
		if len(attribute.value) > MaxAttributeBytes {
			return nil, invalid("%s has %d bytes, more than %d", attribute.name, len(attribute.value), MaxAttributeBytes)
		}
		if !validText(attribute.value) {
			return nil, invalid("%s has control characters or is not UTF-8", attribute.name)
		}
	}
	if err := a.validateExpect(); err != nil {
		return nil, err
	}
	if len(a.Events) > MaxAppendEvents {
		return nil, invalid("%d events, more than %d", len(a.Events), MaxAppendEvents)
	}
	expects = make([]int, len(a.Events))
	expectation := a.expectations()
	for i := range a.Events {
		e := &a.Events[i]
		if err := e.validate(); err != nil {
			return nil, invalid("event %d: %v", i, err)
		}
		if expects[i] = expectation(e.Stream); expects[i] < 0 {
			return nil, invalid("event %d extends %s, of which nothing is expected", i, e.Stream)
		}
	}
	if id, ok := twice(len(a.Events), func(i int) uuid.UUID { return a.Events[i].ID }); ok {
		return nil, invalid("two events have the id %s", id)
	}
	if size := a.size(); size > MaxAppendBytes {
		return nil, invalid("%d bytes of data, more than %d", size, MaxAppendBytes)
	}
	return expects, nil
}

// validateExpect checks the expectations by themselves.
func (a *Append) validateExpect() error {
	if len(a.Expect) > MaxAppendExpects {
		return invalid("%d expected versions, more than %d", len(a.Expect), MaxAppendExpects)
	}
	for i := range a.Expect {
		e := &a.Expect[i]
		if !e.Stream.valid() {
			return invalid("stream %q: the kind must be a word of a to z, %d bytes at most, and the UUID not nil", e.Stream, MaxKindBytes)
		}
		if e.Version < 0 {
			return invalid("%s is expected at version %d", e.Stream, e.Version)
		}
	}
	if stream, ok := twice(len(a.Expect), func(i int) StreamID { return a.Expect[i].Stream }); ok {
		return invalid("%s is expected twice", stream)
	}
	return nil
}

// expectations finds the index of what is expected of a stream; -1 when nothing is.
func (a *Append) expectations() func(StreamID) int {
	if len(a.Expect) <= few {
		return func(stream StreamID) int {
			return slices.IndexFunc(a.Expect, func(e StreamVersion) bool { return e.Stream == stream })
		}
	}
	index := make(map[StreamID]int, len(a.Expect))
	for i, e := range a.Expect {
		index[e.Stream] = i
	}
	return func(stream StreamID) int {
		if i, ok := index[stream]; ok {
			return i
		}
		return -1
	}
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
