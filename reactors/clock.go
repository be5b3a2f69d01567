package reactors

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/internal/wait"
	"github.com/collabledger/collabledger/projections"
)

// ClockName is how the clock is called, among the reactors and as who acts.
const ClockName = "clock"

// keepTime records what has lapsed, and reminds of ends, until ctx ends. What cannot be recorded keeps nothing else from it, and is
// tried again.
func (e *Engine) keepTime(ctx context.Context) {
	var problem error // of this time through what is due
	cursor := ""
	for retry := (wait.Backoff{}); ctx.Err() == nil; {
		next, err := e.recordDue(ctx, cursor)
		if ctx.Err() != nil {
			return
		}
		cursor = next
		if err != nil {
			problem = err
			e.is(ClockName, Retrying, err)
			retry.Wait(ctx)
		}
		if cursor != "" {
			continue
		}
		if problem == nil {
			retry.Reset()
			e.is(ClockName, Live, nil)
		}
		problem = nil
		wait.For(ctx, e.pace.clock)
	}
}

// recordDue records a page of what is due, and waits until the read models know of it. next is the cursor of the rest; empty at
// the end.
func (e *Engine) recordDue(ctx context.Context, cursor string) (next string, err error) {
	page, err := e.models.Due(ctx, projections.Paging{Cursor: cursor, Limit: projections.MaxPageItems})
	if err != nil {
		return "", err
	}
	orders := make([]order, len(page.Items))
	for i, d := range page.Items {
		if orders[i], err = recording(d); err != nil {
			return "", err
		}
	}
	last, err := e.execute(ctx, cause{by: ClockName}, orders)
	if err != nil {
		return page.Next, err
	}
	return page.Next, e.await(ctx, last)
}

// recording is the order that records a deadline, or reminds of it. The same end of the same thing is the same order.
func recording(d projections.Deadline) (order, error) {
	pair := commands.PairFields(d.Pair)
	o := order{id: uuid.NewSHA1(d.Subject, fmt.Appendf(nil, "%s %s %d %d", ClockName, d.Kind, d.DueAt.UnixMicro(), d.Until.UnixMicro()))}
	switch d.Kind {
	case projections.InvitationLapses:
		o.command, o.body = "ExpireInvitation", commands.ExpireInvitation{AccountID: d.Account, InvitationID: d.Subject}
	case projections.RequestLapses:
		o.command, o.body = "ExpireRequest", commands.ExpireRequest{PairFields: pair}
	case projections.GrantEnds:
		o.command, o.body = "ExpireAccess", commands.ExpireAccess{PairFields: pair}
	case projections.GrantReminder:
		o.command, o.body = "RemindGrantEnds", commands.RemindGrantEnds{PairFields: pair}
	case projections.SessionLapses:
		o.command, o.body = "ExpireSession", commands.ExpireSession{SessionID: d.Subject}
	default:
		return order{}, fmt.Errorf("the clock knows no deadline of kind %q", d.Kind)
	}
	return o, nil
}
