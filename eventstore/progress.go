package eventstore

import (
	"sync"
	"sync/atomic"
)

// progress is the log's end as far as this process knows, and wakes those who wait for more.
type progress struct {
	waiting atomic.Int64 // how many wait for a change

	mu      sync.Mutex
	head    Head
	changed chan struct{} // closed, and replaced, when head changes
}

func newProgress(head Head) *progress { return &progress{head: head, changed: make(chan struct{})} }

// get gives the head, and a channel that is closed when it is no longer that.
func (p *progress) get() (Head, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.head, p.changed
}

func (p *progress) position() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.head.Position
}

// advance takes a head that was read or committed. One that was overtaken meanwhile changes nothing.
func (p *progress) advance(head Head) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if head.Position > p.head.Position || head.Epoch != p.head.Epoch {
		p.set(head)
	}
}

// observe takes a head that was read after the log was known to have reached a position. If it is not there, the log was
// restored under us, and those who wait must find out.
func (p *progress) observe(before int64, head Head) {
	p.advance(head)
	p.mu.Lock()
	defer p.mu.Unlock()
	if head.Position < before {
		p.set(head)
	}
}

func (p *progress) set(head Head) {
	p.head = head
	close(p.changed)
	p.changed = make(chan struct{})
}
