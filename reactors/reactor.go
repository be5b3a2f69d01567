package reactors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/wait"
	"github.com/collabledger/collabledger/projections"
)

// Limits of how a reactor tries again what failed.
const (
	maxFailures = 5                // at one event, of those that should not be; then the reactor stops
	modelsWait  = 10 * time.Second // for the read models to have folded the event that is answered
)

// reactor answers facts with commands. It sees every fact of its types once, and again after a crash, those of a page in any order.
type reactor struct {
	name string
	to   []domain.Event // what it answers: a value of each type
	// react lists what is to be done about a fact, a page at a time. The read models have folded the fact by then. It decides
	// nothing: what the states have made pointless meanwhile is refused by the rules, and that is the end of it.
	react func(ctx context.Context, models *projections.Engine, c cause, paging projections.Paging) (projections.Page[order], error)
}

// answers tells whether the reactor answers facts of a type, whichever its version.
func (r reactor) answers(eventType string) bool {
	name := domain.Unversioned(eventType)
	return slices.ContainsFunc(r.to, func(e domain.Event) bool { return domain.Unversioned(e.EventType()) == name })
}

// stopError says that a reactor goes no further.
type stopError struct {
	reactor string
	record  eventstore.Record
	err     error
}

func (e *stopError) Error() string {
	return fmt.Sprintf("reactor %s cannot answer position %d (%s): %v", e.reactor, e.record.Position, e.record.Type, e.err)
}

func (e *stopError) Unwrap() error { return e.err }

// follow leads a reactor through the log until ctx ends or it stops.
func (e *Engine) follow(ctx context.Context, r reactor) {
	for retry := (wait.Backoff{}); ctx.Err() == nil; retry.Wait(ctx) {
		err := e.store.Follow(ctx, e.placeOf(r.name).Checkpoint, func(ctx context.Context, page []eventstore.Record) error {
			retry.Reset()
			return e.handle(ctx, r, page)
		})
		if ctx.Err() != nil {
			return
		}
		_, broken := errors.AsType[*stopError](err)
		_, foreign := errors.AsType[*eventstore.AheadError](err)
		if broken || foreign {
			e.is(r.name, Stopped, err)
			e.log.ErrorContext(ctx, "a reactor has stopped", "reactor", r.name, "error", err)
			return
		}
		e.is(r.name, Retrying, err)
	}
}

// handle answers the facts of a page, some at the same time.
func (e *Engine) handle(ctx context.Context, r reactor, page []eventstore.Record) error {
	epoch := e.placeOf(r.name).Epoch
	var facts []eventstore.Record
	for i, record := range page {
		switch {
		case !e.types[record.Type]:
			if err := e.answerAll(ctx, r, facts); err != nil {
				return err
			}
			e.reached(r.name, epoch, record.Position-1)
			return &stopError{r.name, record, errors.New("this version of the ledger does not know the event's type, nor whether it is one to answer")}
		case r.answers(record.Type):
			facts = append(facts, record)
		}
		if last := i == len(page)-1; last || len(facts) == maxAtOnce {
			if err := e.answerAll(ctx, r, facts); err != nil {
				return err
			}
			facts = nil
			e.reached(r.name, epoch, record.Position)
		}
	}
	e.is(r.name, Live, nil)
	return nil
}

// answerAll answers facts at the same time: what is done about them does not depend on their order, but on the states. Where some
// are not answered, the reactor stands before the first of them.
func (e *Engine) answerAll(ctx context.Context, r reactor, facts []eventstore.Record) error {
	failures := make([]error, len(facts))
	var work sync.WaitGroup
	for i, record := range facts {
		work.Go(func() { failures[i] = e.answer(ctx, r, record) })
	}
	work.Wait()
	for i, err := range failures {
		if err != nil {
			e.reached(r.name, e.placeOf(r.name).Epoch, facts[i].Position-1)
			return err
		}
	}
	return nil
}

// answer answers one fact, as often as it takes. What does not answer is waited for; what fails as it should not is given up after
// some attempts.
func (e *Engine) answer(ctx context.Context, r reactor, record eventstore.Record) error {
	failures := 0
	for retry := (wait.Backoff{}); ; retry.Wait(ctx) {
		err := e.answerOnce(ctx, r, record)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !passes(err) {
			failures++
		}
		if failures == maxFailures {
			return &stopError{r.name, record, err}
		}
		e.is(r.name, Retrying, err)
	}
}

// answerOnce does all that a reactor wants done about a fact. Where it is interrupted it begins again: what is done is then either
// no longer listed, or answered as the first time.
func (e *Engine) answerOnce(ctx context.Context, r reactor, record eventstore.Record) error {
	data, err := record.Data()
	if err != nil {
		return err
	}
	fact, err := e.catalog.Decode(record.Type, data)
	if err != nil {
		return err
	}
	if err := e.await(ctx, record.Position); err != nil {
		return err
	}
	c := cause{
		by: r.name, fact: fact, event: record.Attribute("id"), correlation: cmp.Or(record.Attribute("correlationid"), record.CommandID.String()),
	}
	for paging := (projections.Paging{Limit: projections.MaxPageItems}); ; {
		page, err := r.react(ctx, e.models, c, paging)
		if err != nil {
			return err
		}
		if _, err := e.execute(ctx, c, page.Items); err != nil {
			return err
		}
		if page.Next == "" {
			return nil
		}
		paging.Cursor = page.Next
	}
}

// await waits until the read models have folded a position.
func (e *Engine) await(ctx context.Context, position int64) error {
	ctx, cancel := context.WithTimeout(ctx, modelsWait)
	defer cancel()
	return e.models.Wait(ctx, position)
}
