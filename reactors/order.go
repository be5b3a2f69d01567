package reactors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/projections"
)

// maxAtOnce is how many facts a reactor answers at a time, and how many commands of all reactors and the clock are under way.
const maxAtOnce = 16

// order is a command that the ledger gives itself.
type order struct {
	id      uuid.UUID // follows from what caused it, so that the same order is carried out once
	command string    // its name
	body    commands.Command
}

// cause is what orders follow from: who gives them, and the event that made them do so.
type cause struct {
	by          string       // a reactor, or the clock, which has no event
	fact        domain.Event // what happened
	event       string       // its id
	correlation string       // of it and all that follows from it
}

// order is what a reactor wants done to something about the fact. The same reactor, event, command and target are the same order.
func (c cause) order(command string, target uuid.UUID, body commands.Command) order {
	return order{id: uuid.NewSHA1(target, []byte(c.by+" "+c.event+" "+command)), command: command, body: body}
}

// nothing is the answer to a fact about which there is nothing to do.
func nothing() (projections.Page[order], error) { return projections.Page[order]{}, nil }

// only is the answer to a fact about which there is one thing to do.
func only(o order) (projections.Page[order], error) {
	return projections.Page[order]{Items: []order{o}}, nil
}

// each makes an order of each item of a page.
func each[T any](page projections.Page[T], err error, orderFor func(T) order) (projections.Page[order], error) {
	orders := projections.Page[order]{Next: page.Next}
	for _, item := range page.Items {
		orders.Items = append(orders.Items, orderFor(item))
	}
	return orders, err
}

// execute carries orders out, several at a time. It tries all of them, whatever becomes of the others, and tells the last position
// that their answers name.
func (e *Engine) execute(ctx context.Context, c cause, orders []order) (int64, error) {
	positions, failures := make([]int64, len(orders)), make([]error, len(orders))
	var work sync.WaitGroup
	for i, o := range orders {
		work.Go(func() {
			e.hands <- struct{}{}
			defer func() { <-e.hands }()
			positions[i], failures[i] = e.carryOut(ctx, c, o)
		})
	}
	work.Wait()
	last := int64(0)
	for _, position := range positions {
		last = max(last, position)
	}
	return last, errors.Join(failures...)
}

// carryOut executes one order. That the states have moved on, so that there is nothing left to do, is a normal end.
func (e *Engine) carryOut(ctx context.Context, c cause, o order) (int64, error) {
	body, err := json.Marshal(o.body)
	if err != nil {
		return 0, fmt.Errorf("encode %s: %w", o.command, err)
	}
	request := commands.Request{
		ID: o.id, Name: o.command, Body: body, Actor: domain.Actor{Kind: domain.ActorSystem, Name: c.by},
		CorrelationID: c.correlation, CausationID: c.event,
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
	if refusal.Kind == domain.Refused || refusal.Kind == domain.NotFound && refusal.Code != "unknown_command" {
		e.log.DebugContext(ctx, "the ledger's own command is pointless by now", "by", c.by, "command", o.command, "refusal", refusal)
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
