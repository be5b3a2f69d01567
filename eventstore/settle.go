package eventstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Limits of the work on a batch that the database did not take as it was planned.
const (
	readTimeout  = 2 * time.Second // for one read, or for taking the lock, that a batch needs
	maxOutage    = 5 * time.Second // that the database may fail before appends are answered ErrUnavailable
	maxRounds    = 100             // plans made for one batch, so that a database that contradicts itself cannot hold it for good
	minRetryWait = 10 * time.Millisecond
	maxRetryWait = 500 * time.Millisecond // between two rounds that the database failed; the actual wait is random below it
	aloneAfter   = 16                     // batches in a row, each under the lock, that met no other node's events before it races again
)

// settle brings every append of a batch to its answer. Whatever the database says, the batch is planned again from what the
// log then holds, until it is committed or the database has failed for too long. refusal is what became of it before; nil when
// it was not tried, or only decided as if another one were in the log, and then whoever has given up is left out.
func (c *committer) settle(batch []*pending, refusal error) {
	if refusal == nil {
		batch = slices.DeleteFunc(batch, (*pending).isGivenUp)
	}
	c.batch, c.checkNew = batch, false
	c.gathered.Store(0)
	defer c.unlock()
	err := refusal
	if err != nil {
		err = c.refused(err)
	}
	for round := 1; len(c.batch) > 0; round++ {
		if err == nil {
			if err = c.attempt(); err == nil {
				return
			}
		}
		if ahead, ok := errors.AsType[*AheadError](err); ok {
			c.refuse(ahead)
			return
		}
		if !c.again(err, round) {
			c.refuse(fmt.Errorf("%w: %w", ErrUnavailable, err))
			return
		}
		err = nil
	}
}

// attempt makes one plan for the batch, has the database commit it, and answers.
func (c *committer) attempt() error {
	if c.lockFirst > 0 || c.doubtful {
		if err := c.lock(); err != nil {
			return err
		}
	}
	if c.doubtful {
		// The lock has waited for a commit of ours that was still under way, so now it is certain what became of it. One that
		// has not reached the database yet is fenced off, or commits what this very batch is about to commit again.
		if err := c.answerEarlier(); err != nil {
			return err
		}
		c.doubtful = false
	}
	p := newPlan(c.head, nil)
	for _, a := range c.batch {
		p.add(a)
	}
	if c.locked {
		c.join(p)
		c.batch = p.appends
	}
	if err := c.decide(p, p.appends); err != nil {
		return err
	}
	if len(p.batch.Commands) == 0 {
		if err := c.confirmHead(); err != nil {
			return err
		}
		c.unlock()
	} else {
		err := c.launch(p, nil).wait()
		c.locked = false
		if err != nil {
			return c.refused(err)
		}
	}
	c.finish(p)
	return nil
}

// join takes into a plan what has come while the lock was waited for: the longer a node waits for its turn, the more it writes in it.
func (c *committer) join(p *plan) {
	for c.carried == nil {
		select {
		case next, open := <-c.queue:
			switch {
			case !open:
				return
			case !p.hold(next):
				c.carried = next
			default:
				c.waiting.Add(-next.size)
			}
		default:
			return
		}
	}
}

// refused notes what a commit's refusal says about what the committer believed.
func (c *committer) refused(err error) error {
	switch {
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

// answerConflicts answers appends whose expectations do not hold, or that come too late. That is also how the retry of an accepted
// command looks, which has itself changed what it expects; so their ids are looked up first.
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
