package eventstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// Limits of the committer's work on one batch.
const (
	enoughEvents    = 256              // in a batch that does not linger for more
	maxBatchExpects = 4_096            // expectations that a batch holds at most, unless its first append alone has more
	commitTimeout   = 10 * time.Second // for one transaction; then its outcome is unknown
	readTimeout     = 2 * time.Second  // for one read, or for taking the lock, that a batch needs
	maxOutage       = 5 * time.Second  // that the database may fail before appends are answered ErrUnavailable
	maxRounds       = 100              // plans made for one batch, so that a database that contradicts itself cannot hold it for good
	minRetryWait    = 10 * time.Millisecond
	maxRetryWait    = 500 * time.Millisecond // between two rounds that the database failed; the actual wait is random below it
	aloneAfter      = 16                     // batches in a row, each under the lock, that met no other node's events before it races again
)

// committer is the one goroutine that writes a store's appends (group commit): it takes all that wait, decides them in memory
// and writes them in one transaction, while the next ones gather. There is no timer: when idle, an append is taken at once.
type committer struct {
	backend  Backend
	clock    func() time.Time
	queue    <-chan *pending
	waiting  *atomic.Int64 // bytes of data in the queue
	progress *progress

	head    Head
	known   memory
	carried *pending   // taken from the queue, but the batch was full
	batch   []*pending // what is to be answered now

	checkNew  bool      // a stream that the batch took to be new was not: ask for all that are not known
	lockFirst int       // batches for which the lock is still taken first, because another node writes too
	locked    bool      // the lock is held
	doubtful  bool      // the last commit may or may not have happened, so head and known are not certain
	downSince time.Time // of the first failure since the database last answered; zero when it does
}

// run commits until the queue is closed and empty.
func (c *committer) run() {
	for {
		first := c.carried
		if c.carried = nil; first == nil {
			if first = <-c.queue; first == nil {
				return
			}
		}
		if batch := c.gather(first); len(batch) > 0 {
			c.settle(batch)
		}
	}
}

// gather takes what waits behind a first append, as far as one batch holds it. It skips those whose callers have given up.
func (c *committer) gather(first *pending) []*pending {
	var batch []*pending
	events, expects, size := 0, 0, int64(0)
	for next := first; next != nil; next = c.next(events) {
		events += max(1, len(next.drafts))
		expects += len(next.append.Expect)
		size += next.size
		if next != first && (events > MaxBatchEvents || expects > maxBatchExpects || size > MaxAppendBytes) {
			c.carried = next
			break
		}
		c.waiting.Add(-next.size)
		if next.ctx.Err() == nil {
			batch = append(batch, next)
		}
	}
	return batch
}

// next is the next append that waits, or nil. While the batch is small, those whose answers were given just now get a turn
// first to come back with another one: a larger batch costs less for each of its events. A large one is better committed while
// the next gathers.
func (c *committer) next(events int) *pending {
	select {
	case next := <-c.queue:
		return next
	default:
	}
	if events >= enoughEvents {
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

// settle brings every append of a batch to its answer. Whatever the database says, the batch is planned again from what the
// log then holds, until it is committed or the database has failed for too long.
func (c *committer) settle(batch []*pending) {
	c.batch, c.checkNew = batch, false
	defer c.unlock()
	for round := 1; len(c.batch) > 0; round++ {
		p, err := c.attempt()
		if err == nil {
			c.downSince = time.Time{}
			p.answer()
			c.answerConflicts(p.conflicts)
			return
		}
		if ahead, ok := errors.AsType[*AheadError](err); ok {
			c.refuse(ahead)
			return
		}
		if !c.again(err, round) {
			c.refuse(fmt.Errorf("%w: %w", ErrUnavailable, err))
			return
		}
	}
}

// attempt makes one plan for the batch and has the database commit it.
func (c *committer) attempt() (*plan, error) {
	if c.lockFirst > 0 || c.doubtful {
		if err := c.lock(); err != nil {
			return nil, err
		}
	}
	if c.doubtful {
		// The lock has waited for a commit of ours that was still under way, so now it is certain what became of it. One that
		// has not reached the database yet is fenced off, or commits what this very batch is about to commit again.
		if err := c.answerEarlier(); err != nil {
			return nil, err
		}
		c.doubtful = false
	}
	p, err := c.plan()
	if err != nil {
		return nil, err
	}
	if len(p.batch.Commands) == 0 {
		err = c.confirmHead()
		c.unlock()
	} else {
		err = c.commit(p)
	}
	if err != nil {
		return nil, err
	}
	for stream, i := range p.streams {
		c.known.learn(stream, p.tips[i])
	}
	c.head = p.batch.Head
	c.progress.committed(c.head, p.batch.Records)
	return p, nil
}

// lock takes the head row's lock and catches up with what other nodes have committed.
func (c *committer) lock() error {
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	head, tail, err := c.backend.Lock(ctx, c.head.Position)
	if err != nil {
		return fmt.Errorf("lock the log's head: %w", err)
	}
	c.locked = true
	if head.Epoch != c.head.Epoch || head.Position < c.head.Position {
		return &AheadError{Checkpoint: Checkpoint{Epoch: c.head.Epoch, Position: c.head.Position}, Head: head}
	}
	switch missed := head.Position - c.head.Position; {
	case missed == 0:
		c.lockFirst = max(0, c.lockFirst-1)
	case missed > int64(len(tail)):
		c.lockFirst, c.known = aloneAfter, memory{}
	default:
		c.lockFirst = aloneAfter
		c.known.advance(tail)
	}
	c.head = head
	c.progress.read(head)
	return nil
}

// unlock gives the lock back when nothing was committed under it.
func (c *committer) unlock() {
	if !c.locked {
		return
	}
	c.locked = false
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	if err := c.backend.Unlock(ctx); err != nil {
		c.doubtful = true // The next Lock begins afresh.
	}
}

// plan decides the batch.
func (c *committer) plan() (*plan, error) {
	p := newPlan(c.head, c.batch)
	if err := c.recall(p); err != nil {
		return nil, err
	}
	now := c.clock().UTC().Truncate(time.Microsecond)
	if now.Before(c.head.RecordedAt) {
		now = c.head.RecordedAt
	}
	for _, a := range c.batch {
		p.take(a, now)
	}
	return p, nil
}

// recall fills in where the streams of the batch end. Of those that it does not know it asks the database, all at once; but one
// that an append means to begin is taken to be new, as it nearly always is: if it is not, its unique key refuses the commit,
// and then checkNew asks.
func (c *committer) recall(p *plan) error {
	var sure []bool // by the index in tips
	var unknown []StreamID
	for _, a := range c.batch {
		a.tips = a.tips[:0]
		for i, e := range a.append.Expect {
			slot, ok := p.streams[e.Stream]
			if !ok {
				tip, known := c.known.tip(e.Stream)
				slot = len(p.tips)
				p.streams[e.Stream], p.tips, sure = slot, append(p.tips, tip), append(sure, known)
			}
			a.tips = append(a.tips, slot)
			if !sure[slot] && (c.checkNew || e.Version != 0 || !a.extends(i)) {
				sure[slot] = true
				unknown = append(unknown, e.Stream)
			}
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	tips, err := c.backend.Tips(ctx, unknown)
	if err != nil {
		return fmt.Errorf("read the versions of streams: %w", err)
	}
	for i, stream := range unknown {
		p.tips[p.streams[stream]] = tips[i]
	}
	return nil
}

// commit has the database write the plan, and notes what its refusal says about what the committer believed.
func (c *committer) commit(p *plan) error {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	err := c.backend.Commit(ctx, c.head, p.batch)
	c.locked = false
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrFenced):
		c.lockFirst = aloneAfter
	case errors.Is(err, ErrDuplicateStream):
		if c.checkNew {
			c.known = memory{}
		}
		c.checkNew = true
	case errors.Is(err, ErrDuplicate):
		if err := c.answerEarlier(); err != nil {
			return err
		}
	default:
		c.doubtful = true
	}
	return fmt.Errorf("commit: %w", err)
}

// confirmHead makes sure that a plan of nothing but conflicts was made from where the log really is.
func (c *committer) confirmHead() error {
	if c.locked {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	head, err := c.backend.Head(ctx)
	if err != nil {
		return fmt.Errorf("read the log's head: %w", err)
	}
	if head.Epoch != c.head.Epoch || head.Position != c.head.Position {
		c.lockFirst = aloneAfter
		return ErrFenced
	}
	return nil
}

// again tells whether to try another round, after a random wait if it was the database that failed.
func (c *committer) again(err error, round int) bool {
	if errors.Is(err, ErrFenced) || errors.Is(err, ErrDuplicate) || errors.Is(err, ErrDuplicateStream) {
		return round < maxRounds
	}
	if c.downSince.IsZero() {
		c.downSince = time.Now()
	}
	if round == maxRounds || time.Since(c.downSince) > maxOutage {
		return false
	}
	<-time.After(rand.N(min(maxRetryWait, minRetryWait<<min(round, 10))))
	return true
}

// answerEarlier finds those commands of the batch that are in the log, answers them, and keeps the others.
func (c *committer) answerEarlier() error {
	found, err := c.earlier(c.batch)
	if err != nil {
		return err
	}
	left := c.batch[:0]
	for _, a := range c.batch {
		if earlier, ok := found[a.append.CommandID]; ok {
			a.outcome <- outcome{earlier: earlier, own: c.doubtful && earlier.First == a.planned}
		} else {
			left = append(left, a)
		}
	}
	c.batch = left
	return nil
}

// answerConflicts answers appends whose expectations do not hold. That is also how the retry of an accepted command looks,
// which has itself changed what it expects; so their ids are looked up first.
func (c *committer) answerConflicts(conflicts []conflict) {
	if len(conflicts) == 0 {
		return
	}
	appends := make([]*pending, len(conflicts))
	for i, conflict := range conflicts {
		appends[i] = conflict.pending
	}
	found, err := c.earlier(appends)
	for _, conflict := range conflicts {
		switch earlier, ok := found[conflict.append.CommandID]; {
		case err != nil:
			conflict.outcome <- outcome{err: fmt.Errorf("%w: %w", ErrUnavailable, err)}
		case ok:
			conflict.outcome <- outcome{earlier: earlier}
		default:
			conflict.outcome <- outcome{err: conflict.err}
		}
	}
}

// earlier reads which of the appends' commands the log has accepted already.
func (c *committer) earlier(appends []*pending) (map[uuid.UUID]*CommandRecord, error) {
	ids := make([]uuid.UUID, len(appends))
	for i, a := range appends {
		ids[i] = a.append.CommandID
	}
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	records, err := c.backend.Commands(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read command ids: %w", err)
	}
	found := make(map[uuid.UUID]*CommandRecord, len(records))
	for i := range records {
		found[records[i].ID] = &records[i]
	}
	return found, nil
}

// refuse answers what is left of the batch with an error.
func (c *committer) refuse(err error) {
	for _, a := range c.batch {
		a.outcome <- outcome{err: err}
	}
}
