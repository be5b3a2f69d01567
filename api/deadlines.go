package api

import (
	"context"
	"sync"
	"time"
)

// deadlineShare is within which time commands must begin to share a context.
const deadlineShare = time.Second

// deadlines gives commands the contexts in which they have RequestTimeout, and deadlineShare more at most. A context for each command,
// bound to its connection, would cost as much as reading its body. So commands that begin at about the same time share one; and one whose
// caller hangs up is carried out all the same: sent again, it gets its first answer.
type deadlines struct {
	mu     sync.Mutex
	shared context.Context
	renew  time.Time // when the next one is due
}

// from is the context of a command whose body has come by now.
func (d *deadlines) from(now time.Time) context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !now.Before(d.renew) {
		shared, release := context.WithTimeout(context.Background(), RequestTimeout+deadlineShare)
		context.AfterFunc(shared, release) // and not before, for commands are at work in it
		d.shared, d.renew = shared, now.Add(deadlineShare)
	}
	return d.shared
}
