// Package commands holds what people and services may ask of the ledger: one struct per command with its Decide, the list of
// them all, and Execute, the one way from a request to committed events.
package commands

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
)

// Command is a request to the ledger. Decide loads the states that it needs, asks the domain, and raises the events that follow.
type Command interface {
	Decide(*Decision) error
}

// Decision is one attempt at deciding a command. Every state loaded is an expectation of the append: if it has changed by
// then, the command is decided again.
type Decision struct {
	Actor domain.Actor
	Now   time.Time // never before the facts that the decision is based on, whatever this node's clock says

	ctx              context.Context
	states           *States
	newID            func() uuid.UUID
	internalWebhooks bool // the executor's AllowInternalWebhooks

	guess  bool // take a stream that the command most likely begins to have no events, without a look
	expect []eventstore.StreamVersion
	loaded []cachedState // of the streams expected, in the same order
	before time.Time     // the next end of something in these states, until which the decision holds; zero: nothing in them ends
	raised []raised
}

type raised struct {
	stream eventstore.StreamID
	event  domain.Event
}

// NewID gives a fresh id for what the command creates.
func (d *Decision) NewID() uuid.UUID { return d.newID() }

// raise adds events to the outcome of the command. A nil event is none.
func (d *Decision) raise(kind string, id uuid.UUID, events ...domain.Event) {
	for _, event := range events {
		if event != nil {
			d.raised = append(d.raised, raised{eventstore.StreamID{Kind: kind, ID: id}, event})
		}
	}
}

func (d *Decision) account(id uuid.UUID) (*domain.Account, error) {
	return load[domain.Account](d, domain.AccountStream, id)
}

func (d *Decision) partnership(id uuid.UUID) (*domain.Partnership, error) {
	return load[domain.Partnership](d, domain.PartnershipStream, id)
}

func (d *Decision) session(id uuid.UUID) (*domain.Session, error) {
	return load[domain.Session](d, domain.SessionStream, id)
}

func (d *Decision) task(id uuid.UUID) (*domain.Task, error) {
	return load[domain.Task](d, domain.TaskStream, id)
}

// engagement loads all that the rules about a pair look at.
func (d *Decision) engagement(pair domain.Pair) (domain.Engagement, error) {
	g := domain.Engagement{Pair: pair}
	var err error
	if g.Consultancy, err = d.account(pair.ConsultancyID); err != nil {
		return g, err
	}
	if g.Client, err = d.account(pair.ClientID); err != nil {
		return g, err
	}
	if g.Partnership, err = d.partnership(pair.ConsultancyID); err != nil {
		return g, err
	}
	g.Collaboration, err = load[domain.Collaboration](d, domain.CollaborationStream, pair.CollaborationID())
	return g, err
}

// onPair decides a command about a pair whose events all belong to the collaboration's stream.
func (d *Decision) onPair(pair domain.Pair, decide func(domain.Engagement) ([]domain.Event, error)) error {
	g, err := d.engagement(pair)
	if err != nil {
		return err
	}
	events, err := decide(g)
	if err != nil {
		return err
	}
	d.raise(domain.CollaborationStream, pair.CollaborationID(), events...)
	return nil
}

// onAccount decides a command about one account that raises one event.
func (d *Decision) onAccount(id uuid.UUID, decide func(*domain.Account) (domain.Event, error)) error {
	account, err := d.account(id)
	if err != nil {
		return err
	}
	event, err := decide(account)
	if err != nil {
		return err
	}
	d.raise(domain.AccountStream, id, event)
	return nil
}

// load reads a state and notes its version, when it is first read, as an expectation.
func load[S any, P state[S]](d *Decision, kind string, id uuid.UUID) (P, error) {
	stream := eventstore.StreamID{Kind: kind, ID: id}
	current, entry, err := read[S, P](d.ctx, d.states, stream)
	if err != nil {
		return nil, err
	}
	if entry.recordedAt.After(d.Now) {
		d.Now = entry.recordedAt
	}
	d.expected(stream, entry)
	return current, nil
}

// begin expects that a stream has no events, and gives the state of one. With a fresh id it need not be read to know.
func begin[S any, P state[S]](d *Decision, kind string, id uuid.UUID) P {
	none := P(new(S))
	d.expected(eventstore.StreamID{Kind: kind, ID: id}, cachedState{state: none, extend: extend[S, P]})
	return none
}

// loadOrBegin is load for a stream that the command most likely begins, though its id is not fresh. The first decision guesses that
// what is not in memory does not exist, which saves nearly all commands a read. A wrong guess is a race lost, be it at the append or
// when a refusal is checked, and the next decision reads.
func loadOrBegin[S any, P state[S]](d *Decision, kind string, id uuid.UUID) (P, error) {
	if _, held := d.states.get(eventstore.StreamID{Kind: kind, ID: id}); held || !d.guess || !d.states.mayGuess() {
		return load[S, P](d, kind, id)
	}
	return begin[S, P](d, kind, id), nil
}

// expected notes once for each stream what the decision is based on.
func (d *Decision) expected(stream eventstore.StreamID, entry cachedState) {
	for _, already := range d.expect {
		if already.Stream == stream {
			return
		}
	}
	d.expect = append(d.expect, eventstore.StreamVersion{Stream: stream, Version: entry.version})
	d.loaded = append(d.loaded, entry)
	if s, ok := entry.state.(ending); ok {
		if end := s.NextEnd(d.Now); !end.IsZero() && (d.before.IsZero() || end.Before(d.before)) {
			d.before = end
		}
	}
}

// ending is a state in which something ends by itself when its time has come.
type ending interface {
	NextEnd(now time.Time) time.Time
}

// facts are the events raised, or those of them that extend one stream.
func (d *Decision) facts(stream *eventstore.StreamID) []domain.Event {
	var facts []domain.Event
	for _, r := range d.raised {
		if stream == nil || r.stream == *stream {
			facts = append(facts, r.event)
		}
	}
	return facts
}

// events encodes what was raised for the store.
func (d *Decision) events() ([]eventstore.NewEvent, error) {
	events := make([]eventstore.NewEvent, len(d.raised))
	for i, r := range d.raised {
		data, err := json.Marshal(r.event)
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", r.event.EventType(), err)
		}
		events[i] = eventstore.NewEvent{ID: d.newID(), Stream: r.stream, Type: r.event.EventType(), Data: data}
	}
	return events, nil
}
