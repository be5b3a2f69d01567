package eventstore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

const maxBatchExpects = 4_096 // expectations that a batch holds at most, unless its first append alone has more

// pending is an append that waits for the committer, and then for the outcome of its batch.
type pending struct {
	ctx     context.Context // the caller's
	append  *Append
	drafts  []draft
	size    int64        // bytes of data
	ends    []int        // for each expectation, the index of its stream's end in the last plan
	planned int64        // position of its first event, or of the one that would be, in the last plan that accepted it
	outcome chan outcome // holds one
}

// extends tells whether an event of the append belongs to the stream of an expectation.
func (a *pending) extends(expect int) bool {
	return slices.ContainsFunc(a.drafts, func(d draft) bool { return d.expect == expect })
}

// events is how many it counts for among the events of a batch; one without any counts for one.
func (a *pending) events() int { return max(1, len(a.drafts)) }

// isGivenUp tells whether nobody waits for the outcome any more.
func (a *pending) isGivenUp() bool { return a.ctx.Err() != nil }

// outcome is what the committer answers. It is one of appended, earlier and err.
type outcome struct {
	appended Appended
	earlier  *CommandRecord // the command id is in the log: the caller's goroutine compares and rereads it
	own      bool           // earlier is what this very append wrote, in a commit whose answer was lost
	err      error
}

// plan is what the committer means to do with the appends of one batch, given where it believes the log to be. Nothing of it
// is true, and nobody is answered, before the database has moved the head from there.
type plan struct {
	from    Head
	after   *plan      // the one that is being committed, whose batch this one takes to be in the log; nil when there is none
	appends []*pending // within the limits of a batch
	events  int        // of them
	expects int        // their expectations
	size    int64      // bytes of their data
	err     error      // why they are not decided

	batch     Batch
	streams   map[StreamID]int  // index, in ends, of every stream that the batch expects something of
	ends      []end             // moved on as appends are taken in
	commands  map[uuid.UUID]int // index in the batch
	accepted  []accepted
	repeated  []repeated
	conflicts []conflict
}

// end is where a stream ends for a plan.
type end struct {
	Tip
	stream StreamID
	sure   bool // it was known, rather than that of a stream taken to be new
	news   bool // to what the committer remembers
}

// accepted is an append that the batch holds: the command of the same index, and records from and up to.
type accepted struct {
	*pending
	from, to int
}

// repeated is an append whose command id is that of another one in the same batch.
type repeated struct {
	*pending
	command int // index in the batch
}

// conflict is an append that the log has no place for any more: an expectation does not hold, or it comes too late.
type conflict struct {
	*pending
	err error
}

// newPlan begins a plan for what follows the head, which is that of the log, or that of the plan before it.
func newPlan(head Head, after *plan) *plan {
	p := &plan{from: head, after: after, batch: Batch{Head: head}}
	var streams, commands, records int // as many as the plan before it had, most likely, or somewhat more
	if after != nil {
		streams, commands, records = roomFor(after.ends), roomFor(after.accepted), roomFor(after.batch.Records)
	}
	p.streams, p.ends = make(map[StreamID]int, streams), make([]end, 0, streams)
	p.commands, p.accepted = make(map[uuid.UUID]int, commands), make([]accepted, 0, commands)
	p.batch.Commands = make([]CommandRecord, 0, commands)
	p.batch.Records, p.batch.Streams = make([]Record, 0, records), make([]int64, 0, records)
	return p
}

func roomFor[T any](before []T) int { return len(before) + len(before)/4 }

// hold takes an append in, to be decided; false when the plan is full. One whose caller has given up is left out.
func (p *plan) hold(a *pending) bool {
	full := p.events+a.events() > MaxBatchEvents || p.expects+len(a.append.Expect) > maxBatchExpects || p.size+a.size > MaxAppendBytes
	if full && len(p.appends) > 0 {
		return false
	}
	if !a.isGivenUp() {
		p.add(a)
	}
	return true
}

// add takes an append in, whether there is room or not.
func (p *plan) add(a *pending) {
	p.appends = append(p.appends, a)
	p.events, p.expects, p.size = p.events+a.events(), p.expects+len(a.append.Expect), p.size+a.size
}

// decide decides appends as of those decided before them.
func (c *committer) decide(p *plan, appends []*pending) error {
	if err := c.recall(p, appends); err != nil {
		return err
	}
	now := c.clock().UTC().Truncate(time.Microsecond)
	if now.Before(p.batch.Head.RecordedAt) {
		now = p.batch.Head.RecordedAt
	}
	at := stampOf(now)
	for _, a := range appends {
		p.take(a, &at)
	}
	return nil
}

// recall fills in where the streams of appends end. Of those that it does not know it asks the database, all at once; but one
// that an append means to begin is taken to be new, as it nearly always is: if it is not, its unique key refuses the commit,
// and then checkNew asks.
func (c *committer) recall(p *plan, appends []*pending) error {
	var unknown []StreamID
	for _, a := range appends {
		a.ends = a.ends[:0]
		for i, e := range a.append.Expect {
			slot, ok := p.streams[e.Stream]
			if !ok {
				tip, known := c.tip(p, e.Stream)
				slot = len(p.ends)
				p.streams[e.Stream], p.ends = slot, append(p.ends, end{Tip: tip, stream: e.Stream, sure: known})
			}
			a.ends = append(a.ends, slot)
			if at := &p.ends[slot]; !at.sure && at.First == 0 && (c.checkNew || e.Version != 0 || !a.extends(i)) {
				at.sure = true
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
		at := &p.ends[p.streams[stream]]
		at.Tip, at.news = tips[i], true
	}
	return nil
}

// tip is where a stream ends before a plan, as far as the committer knows.
func (c *committer) tip(p *plan, stream StreamID) (Tip, bool) {
	for before := p.after; before != nil; before = before.after {
		if slot, ok := before.streams[stream]; ok && before.ends[slot].First != 0 {
			return before.ends[slot].Tip, true
		}
	}
	return c.known.tip(stream)
}

// take decides one append as of the appends taken before it. The time is not before that of the head.
func (p *plan) take(a *pending, at *stamp) {
	if command, ok := p.commands[a.append.CommandID]; ok {
		p.repeated = append(p.repeated, repeated{pending: a, command: command})
		return
	}
	for i, e := range a.append.Expect {
		if actual := p.ends[a.ends[i]].Version; actual != e.Version {
			p.conflicts = append(p.conflicts, conflict{pending: a, err: &ConflictError{Stream: e.Stream, Expected: e.Version, Actual: actual}})
			return
		}
	}
	if before := a.append.Before; !before.IsZero() && len(a.drafts) > 0 && !at.time.Before(before) {
		p.conflicts = append(p.conflicts, conflict{pending: a, err: ErrLate})
		return
	}
	batch, from := &p.batch, len(p.batch.Records)
	first := batch.Head.Position + 1
	for i := range a.drafts {
		draft := &a.drafts[i]
		batch.Head.Position++
		batch.Head.RecordedAt = at.time
		end := &p.ends[a.ends[draft.expect]]
		if end.First == 0 {
			end.First = batch.Head.Position
		}
		end.Version++
		end.news = true
		batch.Records = append(batch.Records, draft.finish(end.stream, batch.Head.Position, end.Version, at, a.append.CommandID))
		batch.Streams = append(batch.Streams, end.First)
	}
	a.planned = first
	p.commands[a.append.CommandID] = len(batch.Commands)
	batch.Commands = append(batch.Commands, CommandRecord{ID: a.append.CommandID, BodyHash: a.append.BodyHash, First: first, Last: batch.Head.Position})
	p.accepted = append(p.accepted, accepted{pending: a, from: from, to: len(batch.Records)})
}

// answer tells all but those in conflict what became of them, once the batch is committed.
func (p *plan) answer() {
	for i, a := range p.accepted {
		command := p.batch.Commands[i]
		appended := Appended{First: command.First, Last: command.Last}
		if a.from < a.to {
			appended.Records = p.batch.Records[a.from:a.to:a.to]
		}
		a.outcome <- outcome{appended: appended}
	}
	for _, r := range p.repeated {
		r.outcome <- outcome{earlier: &p.batch.Commands[r.command]}
	}
}
