package eventstore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"time"
)

// Limits of one batch.
const (
	enoughEvents   = 256              // in a batch that does not linger for more
	maxBehindBytes = 1 << 20          // of data, that are sent while the database has others to read first
	commitTimeout  = 10 * time.Second // for one transaction; then its outcome is unknown
)

// committer is the one goroutine that decides a store's appends (group commit): it takes all that wait, decides them in memory
// and has the database write them in one transaction. Meanwhile it decides the next ones, as if that had happened already, and may
// send them behind the first. There is no timer: when idle, an append is taken at once. What the database refuses goes to settle,
// which starts over.
type committer struct {
	backend  Backend
	clock    func() time.Time
	queue    <-chan *pending
	waiting  *atomic.Int64 // bytes of data in the queue
	gathered *atomic.Int64 // appends taken from the queue for the next batch
	progress *progress

	head    Head
	known   memory
	carried *pending // taken from the queue, but the plan was full

	batch     []*pending // what settle has still to answer
	checkNew  bool       // a stream that the batch took to be new was not: ask for all that are not known
	lockFirst int        // batches for which the lock is still taken first, because another node writes too
	locked    bool       // the lock is held
	doubtful  bool       // the last commit may or may not have happened, so head and known are not certain
	downSince time.Time  // of the first failure since the database last answered; zero when it does
}

// run commits until the queue is closed and empty.
func (c *committer) run() {
	next := newPlan(c.head, nil)
	for {
		if len(next.appends) == 0 {
			first := c.first()
			if first == nil {
				return
			}
			c.gather(next, first)
		}
		if c.isPlain(next) {
			next = c.fly(next)
		} else {
			c.settle(next.appends, nil)
			next = newPlan(c.head, nil)
		}
	}
}

// isPlain tells whether all that is left to do for a plan is to commit it.
func (c *committer) isPlain(p *plan) bool {
	return p.err == nil && len(p.batch.Commands) > 0 && c.lockFirst == 0 && !c.doubtful && !slices.ContainsFunc(p.appends, (*pending).isGivenUp)
}

// flight is a plan on its way to the database.
type flight struct {
	*plan
	over chan struct{} // closed when it is known what came of it
	err  error         // what came of it
}

func (f *flight) wait() error {
	<-f.over
	return f.err
}

// fly commits a plan while the next one gathers, and that behind it, and so on. It comes back with the next one when that is better
// off to gather some more: when it is small still, and those who are answered now may come back with another append.
func (c *committer) fly(p *plan) (next *plan) {
	first, next := c.launch(p, nil), newPlan(p.batch.Head, p)
	for {
		second, gathering, err := c.gatherDuring(next, first)
		next = gathering
		switch {
		case err != nil:
			c.fail(first, err, second)
			c.settle(next.appends, nil)
			return newPlan(c.head, nil)
		case second == nil && (next.events < enoughEvents || !c.isPlain(next)):
			c.finish(first.plan)
			next.after = nil
			if c.carried == nil {
				if more := c.next(next); more != nil {
					c.gather(next, more)
				}
			}
			return next
		case second == nil:
			second, next = c.launch(next, nil), newPlan(next.batch.Head, next)
		}
		c.finish(first.plan)
		second.after = nil
		first = second
	}
}

// launch has the database write a plan, behind another one or not, and tells what came of it. The plan is sent before anything else
// is done: a goroutine that is to send it would have to wait until all who are answered meanwhile have had their turn.
func (c *committer) launch(p *plan, before *flight) *flight {
	c.gathered.Store(0)
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	outcome := c.backend.Commit(ctx, p.from, p.batch, before != nil)
	f := &flight{plan: p, over: make(chan struct{})}
	go func() {
		defer cancel()
		defer close(f.over)
		if before != nil {
			<-before.over
		}
		f.err = outcome()
	}()
	return f
}

// mayFollow tells whether a plan is worth sending behind one that is being written. Half as large as that is large enough: then the
// database always has one to write, while those whom the other one answers come back.
func (c *committer) mayFollow(p *plan, first *flight) bool {
	least := c.backend.Behind()
	return least > 0 && p.events >= max(least, first.events/2) && p.size <= maxBehindBytes && c.isPlain(p)
}

// fail settles a plan that was not written, or may not have been, and the one that was sent behind it.
func (c *committer) fail(first *flight, refusal error, second *flight) {
	if second == nil {
		c.settle(first.appends, refusal)
		return
	}
	behind := second.wait() // before anything else is asked of the connection
	switch {
	case behind == nil:
		behind = fmt.Errorf("written behind a batch of which this is not known: %w", refusal)
	case errors.Is(behind, ErrFenced):
		behind = nil
	}
	c.settle(first.appends, refusal)
	c.settle(second.appends, behind)
}

// finish answers the appends of a plan that is in the log, and remembers what it says.
func (c *committer) finish(p *plan) {
	c.head, c.downSince = p.batch.Head, time.Time{}
	c.progress.committed(p.batch.Head, p.batch.Records)
	p.answer() // first, so that the callers go on meanwhile
	for _, end := range p.ends {
		if end.news {
			c.known.learn(end.stream, end.Tip)
		}
	}
	c.answerConflicts(p.conflicts)
}

// first waits for an append; nil when the queue is closed and empty.
func (c *committer) first() *pending {
	if first := c.carried; first != nil {
		c.carried = nil
		return first
	}
	return <-c.queue
}

// next is the next append that waits, or nil. While the plan is small, those whose answers were given just now get a turn first
// to come back with another one: a larger batch costs less for each of its events. A large one is better committed while the
// next gathers.
func (c *committer) next(p *plan) *pending {
	select {
	case next := <-c.queue:
		return next
	default:
	}
	if p.events >= enoughEvents {
		return nil
	}
	runtime.Gosched()
	select {
	case next := <-c.queue:
		return next
	default:
		return nil
	}
}

// gather takes into a plan an append and what waits behind it, as far as the plan holds it.
func (c *committer) gather(p *plan, first *pending) {
	from := len(p.appends)
	for next := first; next != nil; next = c.next(p) {
		if !p.hold(next) {
			c.carried = next
			break
		}
		c.waiting.Add(-next.size)
	}
	gathered := len(p.appends)
	if c.carried != nil {
		gathered++
	}
	c.gathered.Store(int64(gathered))
	if p.err == nil {
		p.err = c.decide(p, p.appends[from:])
	}
}

// gatherDuring gathers a plan until the one before it is committed or refused. Once it is worth it, the plan is sent as the second, and
// another one gathered behind that.
func (c *committer) gatherDuring(next *plan, first *flight) (second *flight, gathering *plan, err error) {
	for {
		if carried := c.carried; carried != nil && len(next.appends) == 0 {
			c.carried = nil
			c.gather(next, carried)
		}
		if second == nil && c.mayFollow(next, first) {
			second, next = c.launch(next, first), newPlan(next.batch.Head, next)
			continue
		}
		if c.carried != nil {
			return second, next, first.wait()
		}
		select {
		case <-first.over:
			return second, next, first.err
		case more, open := <-c.queue:
			if !open {
				return second, next, first.wait()
			}
			c.gather(next, more)
		}
	}
}
