package commands

import (
	"fmt"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
)

// MarkNotificationsRead notes that the actor has read their own notifications up to a position of the log.
type MarkNotificationsRead struct {
	UpTo int64 `json:"upTo" minimum:"1" maximum:"9007199254740991" doc:"Position of the newest notification that was read; those before it are read with it"`
}

// Decide asks the actor's own list.
func (c MarkNotificationsRead) Decide(d *Decision) error {
	account, err := d.account(d.Actor.AccountID)
	if err != nil {
		return err
	}
	id := domain.NotificationsID(d.Actor.AccountID, d.Actor.UserID)
	list, err := load[domain.Notifications](d, domain.NotificationsStream, id)
	if err != nil {
		return err
	}
	end, err := d.logEnd()
	if err != nil {
		return err
	}
	event, err := list.MarkRead(d.Actor, account, c.UpTo, end)
	if err != nil {
		return err
	}
	d.raise(domain.NotificationsStream, id, event)
	return nil
}

// logEnd is the position of the log's last event. It is no expectation: it only grows, so what it allows stays allowed.
func (d *Decision) logEnd() (int64, error) {
	head, err := d.states.store.Head(d.ctx)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", eventstore.ErrUnavailable, err)
	}
	return head.Position, nil
}
