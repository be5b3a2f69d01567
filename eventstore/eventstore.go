// Package eventstore keeps the ledger's one log of events, on Postgres or SQLite.
//
// The log is gap-free: every event has a position 1, 2, 3, … in commit order, and no reader sees position n+1 before n.
// Positions come from the head row, which the committing transaction moves by compare-and-set, never from a sequence.
// An event's record is encoded once, when it is committed; the same bytes are stored, served, published and exported.
//
// The package knows streams, versions and bytes. What the events mean is the business of package domain.
package eventstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Limits of the log. A request past one of them is refused before anything is written.
const (
	MaxBatchEvents    = 1_024     // events, or commands without an event, that one transaction of the committer writes at most
	MaxAppendEvents   = 1_024     // events in one Append
	MaxAppendExpects  = 1_024     // streams that one Append expects something of
	MaxDataBytes      = 256 << 10 // bytes of one event's data
	MaxAppendBytes    = 8 << 20   // bytes of the data of all events in one Append, and in one transaction of the committer
	MaxAttributeBytes = 1_024     // bytes of one of an Append's optional attributes
	MaxTypeBytes      = 128       // bytes of an event's type
	MaxKindBytes      = 32        // bytes of a stream's kind
	MaxPageEvents     = 1_000     // events that one read returns at most
	MaxQueue          = 8_192     // appends that may wait for the committer; past it Append answers ErrQueueFull at once
	MaxQueueBytes     = 256 << 20 // bytes of their events' data; past it likewise
)

// uuidLength is how long a UUID is as text.
const uuidLength = 36

// StreamID names the stream that holds the history of one thing, for example collaboration-6b5f….
type StreamID struct {
	Kind string
	ID   uuid.UUID
}

// String is the stream's name as records, subjects and URLs show it: kind, hyphen, UUID.
func (s StreamID) String() string { return s.Kind + "-" + s.ID.String() }

// ParseStreamID reads a stream's name, for example one that came in a URL. It takes only what String writes.
func ParseStreamID(name string) (StreamID, error) {
	kind, id, _ := strings.Cut(name, "-")
	parsed, err := uuid.Parse(id) // which reads other spellings too
	stream := StreamID{Kind: kind, ID: parsed}
	if err != nil || len(id) != uuidLength || strings.ContainsAny(id, "ABCDEF") || !stream.valid() {
		return StreamID{}, fmt.Errorf("stream %q is not of the form kind-uuid", name)
	}
	return stream, nil
}

// valid tells whether a stream may be in the log: its kind is a short word in lower case, its UUID is not nil.
func (s StreamID) valid() bool {
	if s.Kind == "" || len(s.Kind) > MaxKindBytes || s.ID == uuid.Nil {
		return false
	}
	for _, c := range []byte(s.Kind) {
		if c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}

// StreamVersion says how many events a stream holds. Version 0 is a stream without events.
type StreamVersion struct {
	Stream  StreamID
	Version int64
}

// NewEvent is an event on its way into the log: all but what only the commit can tell.
type NewEvent struct {
	ID     uuid.UUID       // unique in the log, which is the caller's to see to; the CloudEvents id
	Stream StreamID        // the stream that it extends
	Type   string          // the wire name with its version, for example collaboration.AccessGranted.v1: letters, digits, dots
	Data   json.RawMessage // one JSON object; the record holds it compacted
}

// Append is one command's outcome: what it raised, and what must still be true for that to hold.
type Append struct {
	CommandID uuid.UUID       // makes the append idempotent for as long as the log lives
	BodyHash  [32]byte        // of the command, so that the same id with another body is refused
	Expect    []StreamVersion // every stream that the decision has read, also those it does not extend; each once
	Events    []NewEvent      // may be empty: the command is then recorded as done without an event
	Before    time.Time       // the events' RecordedAt must be earlier, else the answer is ErrLate; zero: the decision holds forever

	// Context of the command, told in every record it raises. Empty ones are left out of the record.
	Actor, OnBehalfOf, CorrelationID, CausationID, TraceParent string
}

// Appended is the answer to an Append: where its events stand in the log.
type Appended struct {
	First, Last int64    // positions of the first and the last event; without events First is Last+1 and Last the log's end then
	Records     []Record // the events as committed
	Repeated    bool     // this command id had been accepted before; Records are those of the first time
}

// Record is one event as the log holds it.
type Record struct {
	Position   int64     // place in the log, from 1, without gaps
	Stream     StreamID  // the stream it belongs to
	Version    int64     // place in the stream, from 1, without gaps
	Type       string    // wire name with version
	RecordedAt time.Time // UTC, microseconds; never earlier than that of the position before
	CommandID  uuid.UUID // the command that raised it
	Bytes      []byte    // CloudEvents 1.0 structured JSON, exactly as committed
}

// Head is the log's end, and which incarnation of the log that is.
type Head struct {
	Epoch      uuid.UUID // another one after a restore: whoever was ahead of the log must stop rather than skip
	Position   int64     // of the last event; 0 in an empty log
	RecordedAt time.Time // of the last event; zero in an empty log
}

// Errors that an Append can meet. All but ErrUnavailable say that it left the log as it was; after that one, the same command
// id again finds out.
var (
	ErrCommandReused = errors.New("eventstore: the command id was used before with another body")
	ErrQueueFull     = errors.New("eventstore: too many appends are waiting")
	ErrLate          = errors.New("eventstore: the moment has passed until which the decision held")
	ErrUnavailable   = errors.New("eventstore: the database does not answer; whether it wrote anything is unknown")
	ErrClosed        = errors.New("eventstore: the store is closed")
	ErrInvalid       = errors.New("eventstore: the append breaks a limit or contradicts itself")
)

// ConflictError says that a stream is no longer at the version a decision was based on: somebody else was faster.
type ConflictError struct {
	Stream   StreamID
	Expected int64
	Actual   int64
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("eventstore: %s is at version %d, not %d", e.Stream, e.Actual, e.Expected)
}
