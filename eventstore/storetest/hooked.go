package storetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/collabledger/collabledger/eventstore"
)

// hooked is a backend between whose commits and the database a test can step.
type hooked struct {
	eventstore.Backend
	behind  bool         // let batches be sent behind others; without it, what waits for a batch is one
	commits atomic.Int64 // that reached the backend
	locks   atomic.Int64 // that were asked for
	reads   atomic.Int64 // of pages of the log

	mu     sync.Mutex
	commit func(from eventstore.Head, batch eventstore.Batch, commit func() error) error // nil: just commit
	head   func(head eventstore.Head) (eventstore.Head, error)                           // nil: as it is
}

// onCommit sets what happens instead of the commits from now on; it may call the real one.
func (h *hooked) onCommit(commit func(from eventstore.Head, batch eventstore.Batch, commit func() error) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.commit = commit
}

// onHead sets what is read of the head from now on, by Head and by Lock.
func (h *hooked) onHead(head func(head eventstore.Head) (eventstore.Head, error)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.head = head
}

// hold makes the next commit wait until release is called. held is closed when it has come there.
func (h *hooked) hold() (held <-chan struct{}, release func()) {
	arrived, released := make(chan struct{}), make(chan struct{})
	var once sync.Once
	h.onCommit(func(_ eventstore.Head, _ eventstore.Batch, commit func() error) error {
		once.Do(func() {
			close(arrived)
			<-released
		})
		return commit()
	})
	return arrived, func() { close(released) }
}

func (h *hooked) Behind() int {
	if !h.behind {
		return 0
	}
	return h.Backend.Behind()
}

func (h *hooked) Commit(ctx context.Context, from eventstore.Head, batch eventstore.Batch, behind bool) func() error {
	h.mu.Lock()
	hook := h.commit
	h.mu.Unlock()
	commit := func() error {
		h.commits.Add(1)
		return h.Backend.Commit(ctx, from, batch, behind)()
	}
	if hook == nil {
		return commit
	}
	return func() error { return hook(from, batch, commit) }
}

func (h *hooked) Head(ctx context.Context) (eventstore.Head, error) {
	head, err := h.Backend.Head(ctx)
	if err != nil {
		return head, err
	}
	return h.seen(head)
}

func (h *hooked) Lock(ctx context.Context, after int64) (eventstore.Head, []eventstore.Tip, error) {
	h.locks.Add(1)
	head, tail, err := h.Backend.Lock(ctx, after)
	if err != nil {
		return head, tail, err
	}
	if head, err = h.seen(head); err != nil {
		err = errors.Join(err, h.Unlock(ctx))
	}
	return head, tail, err
}

func (h *hooked) seen(head eventstore.Head) (eventstore.Head, error) {
	h.mu.Lock()
	hook := h.head
	h.mu.Unlock()
	if hook == nil {
		return head, nil
	}
	return hook(head)
}

func (h *hooked) ReadAll(ctx context.Context, after int64, limit int) ([]eventstore.Record, error) {
	h.reads.Add(1)
	return h.Backend.ReadAll(ctx, after, limit)
}
