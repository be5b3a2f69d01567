package domain

import (
	"fmt"

	"github.com/google/uuid"
)

// NotificationsRead says that a person has read their notifications up to a position of the log. The guide has no list of
// notifications: the stream is ours.
type NotificationsRead struct {
	AccountID uuid.UUID `json:"accountId"`
	UserID    uuid.UUID `json:"userId"`
	UpTo      int64     `json:"upTo"` // position of the log, from 1
}

func (NotificationsRead) EventType() string { return "notifications.NotificationsRead.v1" }

// Parties is the account for which the person acts.
func (e NotificationsRead) Parties() []uuid.UUID { return []uuid.UUID{e.AccountID} }

// NotificationsID is the stream id of a person's notifications. A person of two firms has one list for each (invariant 8).
func NotificationsID(accountID, userID uuid.UUID) uuid.UUID {
	return uuid.NewSHA1(accountID, userID[:])
}

// Notifications is how far a person has read their list. What is in the list follows from the log.
type Notifications struct {
	UpTo int64 `json:"upTo"` // position of the log; 0: nothing has been read
}

// Clone copies the state, so that folding on does not change what others hold.
func (n *Notifications) Clone() *Notifications {
	c := *n
	return &c
}

func (e NotificationsRead) Apply(n *Notifications) { n.UpTo = max(n.UpTo, e.UpTo) }

// MarkRead notes that a member has read their own list up to a position of a log that ends at end: what has not happened yet
// cannot have been read. How far they have read never goes back.
func (n *Notifications) MarkRead(actor Actor, account *Account, upTo, end int64) (Event, error) {
	if upTo > end {
		return nil, Invalid("upTo", fmt.Sprintf("must not be past the log's end, which is at %d", end))
	}
	if _, err := account.Authorize(actor); err != nil {
		return nil, err
	}
	if upTo <= n.UpTo {
		return nil, nil
	}
	return NotificationsRead{AccountID: actor.AccountID, UserID: actor.UserID, UpTo: upTo}, nil
}
