package audit

import (
	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// reading is how far a person has read their notifications.
type reading struct {
	upTo  int64
	since EventRef
}

// listStream is the id of a person's list: a UUID of version 5 in the account's name space, so that each person has one for each account.
func listStream(account, user uuid.UUID) uuid.UUID { return uuid.NewSHA1(account, user[:]) }

// foldNotifications takes in how far people have read their notifications.
func (c *checker) foldNotifications(f *fact) {
	e, ok := f.event.(domain.NotificationsRead)
	if !ok {
		return
	}
	c.in(f, domain.NotificationsStream, listStream(e.AccountID, e.UserID))
	if c.byMember(f, nil, e.AccountID); f.actor.Kind == domain.ActorUser {
		c.must(f.actor.UserID == e.UserID, ReadingWrong, nil, "the list is that of person %s", e.UserID)
	}
	r := get(c.readings, f.Stream.ID)
	c.must(e.UpTo > r.upTo, ReadingWrong, refs(r.since), "it was read up to %d before", r.upTo)
	c.must(e.UpTo < f.Position, ReadingWrong, nil, "it is read up to %d, which had not happened then", e.UpTo)
	r.upTo, r.since = max(r.upTo, e.UpTo), f.ref
}
