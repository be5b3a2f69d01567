package domain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// The kinds of streams. A stream's name is its kind, a hyphen and the id of what it tells of.
const (
	AccountStream       = "account"
	PartnershipStream   = "partnership"
	CollaborationStream = "collaboration"
	SessionStream       = "session"
	TaskStream          = "task"
	NotificationsStream = "notifications"
	WebhookStream       = "webhook"
)

// Event is a fact. Beside EventType and Parties each event has Apply(*S) for the state S of its stream.
type Event interface {
	// EventType is the wire name with its version, for example collaboration.AccessGranted.v1. A version's shape never changes.
	EventType() string
	// Parties are the accounts whose people may see the fact.
	Parties() []uuid.UUID
}

// EventOf is an event of the stream whose state is S.
type EventOf[S any] interface {
	Event
	Apply(*S)
}

// EventType describes one version of a type of event. Events lists those that are written.
type EventType struct {
	Name      string      // the wire name with its version
	Stream    string      // the kind of stream that it extends
	Title     string      // what the fact says, in one sentence
	Example   Event       // a complete one, for golden files and documentation
	Earlier   []EventType // of one that is written: the versions before it, oldest first
	Successor string      // of one that is written no longer: the version after it
	decode    func([]byte) (Event, error)
}

// describe makes the list's entry for an event type from an example of it, and from the versions before it, oldest first.
func describe[E Event](title string, example E, earlier ...EventType) EventType {
	t := shapeOf(example)
	t.Title, t.Earlier = title, earlier
	successor := t.Name
	for i := range slices.Backward(earlier) {
		earlier[i].Title, earlier[i].Successor = title, successor
		successor = earlier[i].Name
	}
	return t
}

// shapeOf describes a version of an event type by an example's own shape.
func shapeOf[E Event](example E) EventType {
	name := example.EventType()
	stream, _, _ := strings.Cut(name, ".")
	decode := DecoderOf[E]()
	return EventType{Name: name, Stream: stream, Example: example, decode: func(data []byte) (Event, error) {
		event, err := decode(data)
		if err != nil {
			return nil, fmt.Errorf("data of %s: %w", name, err)
		}
		return event, nil
	}}
}

// Catalog finds event types by their wire names, all versions of them.
type Catalog struct {
	types       map[string]EventType
	unversioned map[string]bool
}

// NewCatalog indexes the list of events.
func NewCatalog() *Catalog {
	c := &Catalog{types: map[string]EventType{}, unversioned: map[string]bool{}}
	for _, t := range Versions() {
		c.types[t.Name], c.unversioned[Unversioned(t.Name)] = t, true
	}
	return c
}

// Knows tells whether a wire name, with a version or without, is one of the list's.
func (c *Catalog) Knows(name string) bool {
	_, ok := c.types[name]
	return ok || c.unversioned[name]
}

// Decode reads an event's data, in whichever version it was written, and tells it in the newest shape. An unknown type or version is
// an error: nothing is skipped.
func (c *Catalog) Decode(name string, data []byte) (Event, error) {
	t, ok := c.types[name]
	if !ok {
		return nil, fmt.Errorf("event type %q is not known to this version of the ledger", name)
	}
	event, err := t.decode(data)
	if err != nil {
		return nil, err
	}
	return Newest(event), nil
}

// Fold applies events to a state, oldest first. An event of another stream's kind is an error.
func Fold[S any](state *S, events ...Event) error {
	for _, event := range events {
		fact, ok := event.(EventOf[S])
		if !ok {
			return fmt.Errorf("%s does not belong to a stream of %T", event.EventType(), *state)
		}
		fact.Apply(state)
	}
	return nil
}

// Pair names the two accounts of a collaboration. Every event about both carries it, so that whoever reads needs no look-up.
type Pair struct {
	ConsultancyID uuid.UUID `json:"consultancyId" doc:"Account of the consultancy"`
	ClientID      uuid.UUID `json:"clientId" doc:"Account of the client"`
}

// Parties are both accounts.
func (p Pair) Parties() []uuid.UUID { return []uuid.UUID{p.ConsultancyID, p.ClientID} }

// CollaborationID is the pair's stream id. It follows from the pair, so that a pair can never have two collaborations.
func (p Pair) CollaborationID() uuid.UUID {
	return uuid.NewSHA1(p.ConsultancyID, p.ClientID[:])
}

// TaskID follows from the client and the reference that its own system gave the task, so that raising it twice is one task (S10).
func TaskID(clientID uuid.UUID, externalRef string) uuid.UUID {
	return uuid.NewSHA1(clientID, []byte("task:"+externalRef))
}

// Side is one of the two parties of a collaboration.
type Side string

// The sides.
const (
	ConsultancySide Side = "consultancy"
	ClientSide      Side = "client"
)

// Side tells on which side of the pair an account stands.
func (p Pair) Side(accountID uuid.UUID) (Side, bool) {
	switch accountID {
	case p.ConsultancyID:
		return ConsultancySide, true
	case p.ClientID:
		return ClientSide, true
	}
	return "", false
}

// put is an assignment that also works on a map which no event has made yet, so that Apply cannot fail.
func put[K comparable, V any](m *map[K]V, key K, value V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[key] = value
}

// sortedIDs keeps output independent of the order of maps.
func sortedIDs(ids []uuid.UUID) []uuid.UUID {
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
	return ids
}
