package audit

import (
	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// reader is how far a person has read their notifications.
type reader struct {
	upTo int64 // position of the log
	last EventRef
}

// notificationsStream is the id of a person's list in an account: a UUID of version 5 in the account's name space.
func notificationsStream(account, user uuid.UUID) uuid.UUID { return uuid.NewSHA1(account, user[:]) }

// foldNotifications checks that a person has read their own list, further than before, and not past the log.
func (c *checker) foldNotifications(f *fact) {
	e, ok := f.event.(domain.NotificationsRead)
	if !ok {
		return
	}
	id := notificationsStream(e.AccountID, e.UserID)
	c.in(f, domain.NotificationsStream, id)
	c.byMember(f, nil, e.AccountID)
	c.must(e.UserID == f.actor.UserID, ActorNotAParty, nil, "it is the list of person %s", e.UserID)
	r := get(c.readers, id)
	c.must(e.UpTo > r.upTo && e.UpTo < f.Position, NotificationsState, refs(r.last), "position %d is read after %d", e.UpTo, r.upTo)
	*r = reader{e.UpTo, f.ref}
}
