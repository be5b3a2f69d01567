package reactors

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/sqldb"
)

// maxAtOnce is how many commands of one reactor, or of the clock, are under way at a time.
const maxAtOnce = 16

// order is a command that the ledger gives itself.
type order struct {
	id      uuid.UUID // follows from what caused it, so that the same order is carried out once
	command string    // its name
	body    commands.Command
}

// orderID is the id of an order: the same for the same namespace, which is what caused it, and the same words.
func orderID(cause uuid.UUID, words ...any) uuid.UUID {
	return uuid.NewSHA1(cause, []byte(fmt.Sprintln(words...)))
}

// cause is the event that orders follow from; zero for the clock's.
type cause struct {
	event       uuid.UUID
	correlation string
}

// causeOf reads from a record what the records of its consequences name.
func causeOf(record eventstore.Record) (cause, error) {
	event, err := uuid.Parse(record.Attribute("id"))
	if err != nil {
		return cause{}, fmt.Errorf("the id of the event at position %d: %w", record.Position, err)
	}
	return cause{event: event, correlation: cmp.Or(record.Attribute("correlationid"), record.CommandID.String())}, nil
}

// execute carries orders out, several at a time, in the name of a part of the ledger. It tries all of them, whatever becomes of the
// others, and tells the last position that their answers name.
func (e *Engine) execute(ctx context.Context, name string, c cause, orders []order) (int64, error) {
	positions, failures := make([]int64, len(orders)), make([]error, len(orders))
	var group errgroup.Group
	group.SetLimit(maxAtOnce)
	for i, o := range orders {
		group.Go(func() error {
			positions[i], failures[i] = e.carryOut(ctx, name, c, o)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	last := int64(0)
	for _, position := range positions {
		last = max(last, position)
	}
	return last, errors.Join(failures...)
}

// carryOut executes one order. That the states have moved on, so that there is nothing left to do, is a normal end.
func (e *Engine) carryOut(ctx context.Context, name string, c cause, o order) (int64, error) {
	body, err := json.Marshal(o.body)
	if err != nil {
		return 0, fmt.Errorf("encode %s: %w", o.command, err)
	}
	request := commands.Request{
		ID: o.id, Name: o.command, Body: body, Actor: domain.Actor{Kind: domain.ActorSystem, Name: name}, CorrelationID: c.correlation,
	}
	if c.event != uuid.Nil {
		request.CausationID = c.event.String()
	}
	answer, err := e.executor.Execute(ctx, request)
	if domain.HasCode(err, "idempotency_key_reused") {
		// Somebody has used the id for something else: ids that follow from what people can see can be foreseen by them. Without it
		// the rules themselves still keep anything from being done twice.
		request.ID = e.executor.NewID()
		answer, err = e.executor.Execute(ctx, request)
	}
	if err == nil {
		return answer.Position, nil
	}
	refusal := domain.AsError(err)
	if refusal.Kind == domain.Refused || refusal.Kind == domain.NotFound {
		e.log.DebugContext(ctx, "the ledger's own command is pointless by now", "by", name, "command", o.command, "refusal", refusal)
		return 0, nil
	}
	return 0, fmt.Errorf("%s: %w", o.command, err)
}

// passes tells whether a failure is one of the surroundings, which may do later what they cannot do now.
func passes(err error) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			if !passes(err) {
				return false
			}
		}
		return true
	}
	switch domain.AsError(err).Kind {
	case domain.Unavailable, domain.Conflict, domain.TooMany:
		return true
	}
	return sqldb.IsUnavailable(err)
}
