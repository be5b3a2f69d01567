package commands

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/eventstore/sqlite"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

// scenario tells what must follow (then) when somebody asks for something (when) after a history (given). It runs through
// Execute on a fresh SQLite log.
type scenario struct {
	name  string
	given []domain.Event
	when  when
	then  then
}

// when is a command in the hands of an actor at a moment.
type when struct {
	actor   domain.Actor
	command string
	body    string
	moment  time.Time
}

// by is an actor's command at noon.
func by(actor domain.Actor, command Command) when {
	body, err := json.Marshal(command)
	if err != nil {
		panic(err)
	}
	return when{actor: actor, command: reflect.TypeOf(command).Name(), body: string(body), moment: noon}
}

// byJSON is a command that no client of ours would write.
func byJSON(actor domain.Actor, command, body string) when {
	return when{actor: actor, command: command, body: body, moment: noon}
}

func (w when) at(moment time.Time) when {
	w.moment = moment
	return w
}

// then is the outcome: events and what the answer says was created, or a refusal.
type then struct {
	events  []domain.Event
	result  any
	refusal *domain.Error // its Kind, Code, State, and the names of its Fields
}

func raises(events ...domain.Event) then { return then{events: events, result: Nothing{}} }

// and adds to the outcome what the answer's result must be.
func (t then) and(result any) then {
	t.result = result
	return t
}

// nothing is the outcome of a command that is accepted without an event.
func nothing() then { return raises() }

func refuses(code, state string) then { return refusal(domain.Refused, code, state) }
func forbids(code string) then        { return refusal(domain.Forbidden, code, "") }
func misses(code string) then         { return refusal(domain.NotFound, code, "") }

func refusal(kind domain.Kind, code, state string) then {
	return then{refusal: &domain.Error{Kind: kind, Code: code, State: state}}
}

// malforms refuses a body because of these fields.
func malforms(fields ...string) then {
	t := refusal(domain.Malformed, "invalid", "")
	for _, field := range fields {
		t.refusal.Fields = append(t.refusal.Fields, domain.FieldError{Field: field})
	}
	return t
}

// history joins what happened before.
func history(parts ...any) []domain.Event {
	events := []domain.Event{}
	for _, part := range parts {
		switch part := part.(type) {
		case []domain.Event:
			events = append(events, part...)
		case domain.Event:
			events = append(events, part)
		}
	}
	return events
}

// run plays scenarios. What is accepted is asked for once more, under the same id, and must get the same answer again.
func run(t *testing.T, scenarios []scenario) {
	for _, s := range scenarios {
		t.Run(s.when.command+"/"+strings.ReplaceAll(s.name, "/", " or "), func(t *testing.T) {
			n := newNode(t)
			n.happened(s.given...)
			before := n.events()
			n.setClock(s.when.moment)
			request := Request{ID: uuid.New(), Name: s.when.command, Body: []byte(s.when.body), Actor: s.when.actor}
			answer, err := n.Execute(t.Context(), request)
			raised := n.events()[len(before):]
			if s.then.refusal != nil {
				require.Empty(t, raised, "a refusal leaves nothing behind")
				requireRefusal(t, s.then.refusal, err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, history(s.then.events), history(raised))
			require.Equal(t, s.then.result, answer.Result)
			require.False(t, answer.Repeated)
			n.requireRecorded(request, answer, len(before))

			again, err := n.Execute(t.Context(), request)
			require.NoError(t, err)
			require.True(t, again.Repeated)
			again.Repeated = false
			require.Equal(t, answer, again)
			require.Len(t, n.events(), len(before)+len(raised), "a repeated command raises nothing")
		})
	}
}

// requireRefusal compares what programs may rely on: kind, code, state and the names of fields.
func requireRefusal(t testing.TB, want *domain.Error, err error) {
	t.Helper()
	require.IsType(t, &domain.Error{}, err)
	got := domain.AsError(err)
	shown := domain.Error{Kind: got.Kind, Code: got.Code, State: got.State}
	for _, field := range got.Fields {
		require.NotEmpty(t, field.Rule)
		shown.Fields = append(shown.Fields, domain.FieldError{Field: field.Field})
	}
	require.NotEmpty(t, got.Detail)
	require.Equal(t, *want, shown, "%v", err)
}

// node is one process of a ledger: an executor with its own cache on a store.
type node struct {
	*Executor
	t     testing.TB
	clock *atomic.Int64 // µs
}

// noon is the moment of a scenario's command; what was given happened the morning before.
var (
	noon    = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	morning = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
)

// newNode is a node on a fresh SQLite log.
func newNode(t testing.TB) *node {
	t.Helper()
	clock := &atomic.Int64{}
	backend, err := sqlite.New(t.Context(), sqldbtest.SQLite(t))
	require.NoError(t, err)
	return newNodeOn(t, openStore(t, backend, clock), clock)
}

func openStore(t testing.TB, backend eventstore.Backend, clock *atomic.Int64) *eventstore.Store {
	t.Helper()
	clock.Store(morning.UnixMicro())
	store, err := eventstore.Open(t.Context(), backend, eventstore.Options{Clock: func() time.Time { return time.UnixMicro(clock.Load()) }})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

// newNodeOn is another node on a store. The ids that it makes are fresh(1), fresh(2) and so on.
func newNodeOn(t testing.TB, store *eventstore.Store, clock *atomic.Int64) *node {
	t.Helper()
	states, err := NewStates(store, domain.NewCatalog())
	require.NoError(t, err)
	tokens, err := NewTokenSigner(testKey, testIssuer)
	require.NoError(t, err)
	var made atomic.Uint64
	return &node{t: t, clock: clock, Executor: &Executor{
		Store: store, States: states, Registry: NewRegistry(), Tokens: tokens,
		Clock: func() time.Time { return time.UnixMicro(clock.Load()) },
		NewID: func() uuid.UUID { return fresh(made.Add(1)) },
	}}
}

const testIssuer = "https://ledger.example"

var testKey = ed25519.NewKeyFromSeed([]byte("a seed of thirty-two bytes, test"))

// fresh is the n-th id that a node makes.
func fresh(n uint64) uuid.UUID {
	id := uuid.MustParse("f0000000-0000-7000-8000-000000000000")
	binary.BigEndian.PutUint32(id[12:], uint32(n))
	return id
}

// id is an id that scenarios have given to something.
func id(n uint16) uuid.UUID {
	id := uuid.MustParse("0192f3c4-0000-7000-8000-000000000000")
	binary.BigEndian.PutUint16(id[14:], n)
	return id
}

func (n *node) setClock(moment time.Time) { n.clock.Store(moment.UnixMicro()) }

// happened appends events, whatever the rules say, so that a history can also hold what no command raises yet.
func (n *node) happened(events ...domain.Event) {
	n.t.Helper()
	for batch := range slices.Chunk(events, eventstore.MaxAppendEvents) {
		a := eventstore.Append{CommandID: uuid.New(), Actor: "system:history"}
		for _, event := range batch {
			stream := streamOf(event)
			a.Events = append(a.Events, eventstore.NewEvent{ID: uuid.New(), Stream: stream, Type: event.EventType(), Data: encoded(event)})
			if !slices.ContainsFunc(a.Expect, func(e eventstore.StreamVersion) bool { return e.Stream == stream }) {
				versions, err := n.Store.Versions(n.t.Context(), []eventstore.StreamID{stream})
				require.NoError(n.t, err)
				a.Expect = append(a.Expect, eventstore.StreamVersion{Stream: stream, Version: versions[0]})
			}
		}
		_, err := n.Store.Append(n.t.Context(), a)
		require.NoError(n.t, err)
	}
}

// encoded is what the log holds of an event.
func encoded(event domain.Event) json.RawMessage {
	data, err := json.Marshal(event)
	if err != nil {
		panic(err)
	}
	return data
}

// streamOf names the stream that an event extends.
func streamOf(event domain.Event) eventstore.StreamID {
	kind, _, _ := strings.Cut(event.EventType(), ".")
	key := map[string]string{
		domain.AccountStream: "AccountID", domain.PartnershipStream: "ConsultancyID", domain.CollaborationStream: "Pair",
		domain.SessionStream: "SessionID", domain.TaskStream: "TaskID", domain.WebhookStream: "WebhookID",
	}[kind]
	if e, ok := event.(domain.NotificationsRead); ok {
		return eventstore.StreamID{Kind: kind, ID: domain.NotificationsID(e.AccountID, e.UserID)}
	}
	switch key := reflect.ValueOf(event).FieldByName(key).Interface().(type) {
	case domain.Pair:
		return eventstore.StreamID{Kind: kind, ID: key.CollaborationID()}
	default:
		return eventstore.StreamID{Kind: kind, ID: key.(uuid.UUID)}
	}
}

// events reads the whole log.
func (n *node) events() []domain.Event {
	n.t.Helper()
	var events []domain.Event
	for {
		page, err := n.Store.ReadAll(context.Background(), int64(len(events)), eventstore.MaxPageEvents)
		require.NoError(n.t, err)
		decoded, err := n.States.decode(page)
		require.NoError(n.t, err)
		events = append(events, decoded...)
		if len(page) < eventstore.MaxPageEvents {
			return events
		}
	}
}

// do executes a command under a fresh id.
func (n *node) do(w when) (Answer, error) {
	return n.Execute(n.t.Context(), Request{ID: uuid.New(), Name: w.command, Body: []byte(w.body), Actor: w.actor})
}

// must executes a command that is to be accepted.
func (n *node) must(w when) Answer {
	n.t.Helper()
	answer, err := n.do(w)
	require.NoError(n.t, err)
	return answer
}

// requireRecorded holds an answer and the log to each other: the records after a position are the command's, and nobody else's.
func (n *node) requireRecorded(r Request, answer Answer, after int) {
	n.t.Helper()
	records, err := n.Store.ReadAll(n.t.Context(), int64(after), eventstore.MaxPageEvents)
	require.NoError(n.t, err)
	require.Equal(n.t, r.ID, answer.CommandID)
	require.Equal(n.t, int64(after+len(records)), answer.Position)
	require.Len(n.t, answer.Events, len(records))
	for i, record := range records {
		require.Equal(n.t, EventRef{Type: record.Type, Stream: record.Stream.String(), Version: record.Version, Position: record.Position}, answer.Events[i])
		require.Equal(n.t, r.ID, record.CommandID)
		envelope, err := record.Envelope()
		require.NoError(n.t, err)
		require.Equal(n.t, r.Actor.String(), envelope.Actor)
		require.Empty(n.t, envelope.OnBehalfOf)
	}
}
