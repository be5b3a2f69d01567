package eventstore

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// pending is an append that waits for the committer, and then for the outcome of its batch.
type pending struct {
	ctx      context.Context // the caller's
	append   Append
	extended map[StreamID]bool // of the streams it expects something of: whether it extends them
	drafts   []draft
	size     int64        // bytes of data
	planned  int64        // position of its first event, or of the one that would be, in the last plan that accepted it
	outcome  chan outcome // holds one
}

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
	batch     Batch
	tips      map[StreamID]Tip // of every stream that the batch expects something of, raised as appends are taken in
	commands  map[uuid.UUID]int
	accepted  []accepted
	repeated  []repeated
	conflicts []conflict
}

// accepted is an append that the batch holds: commands[i] and records[from:to] of it.
type accepted struct {
	*pending
	from, to int
}

// repeated is an append whose command id is that of another one in the same batch.
type repeated struct {
	*pending
	command int // index in the batch
}

// conflict is an append whose expectation does not hold.
type conflict struct {
	*pending
	err *ConflictError
}

// newPlan begins a plan for a batch that follows the head.
func newPlan(head Head) *plan {
	return &plan{batch: Batch{Head: head}, tips: map[StreamID]Tip{}, commands: map[uuid.UUID]int{}}
}

// take decides one append as of the appends taken before it. A stream that has no tip is taken to be new; if it is not, the
// database refuses the batch. now is not before the time of the head.
func (p *plan) take(a *pending, now time.Time) {
	if command, ok := p.commands[a.append.CommandID]; ok {
		p.repeated = append(p.repeated, repeated{pending: a, command: command})
		return
	}
	for _, e := range a.append.Expect {
		if actual := p.tips[e.Stream].Version; actual != e.Version {
			p.conflicts = append(p.conflicts, conflict{pending: a, err: &ConflictError{Stream: e.Stream, Expected: e.Version, Actual: actual}})
			return
		}
	}
	batch, from := &p.batch, len(p.batch.Records)
	first := batch.Head.Position + 1
	for i := range a.drafts {
		draft := &a.drafts[i]
		batch.Head.Position++
		batch.Head.RecordedAt = now
		tip := p.tips[draft.stream]
		if tip.First == 0 {
			tip.First = batch.Head.Position
		}
		tip.Version++
		p.tips[draft.stream] = tip
		batch.Records = append(batch.Records, draft.finish(batch.Head.Position, tip.Version, now, a.append.CommandID))
		batch.Streams = append(batch.Streams, tip.First)
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
		a.outcome <- outcome{appended: Appended{First: command.First, Last: command.Last, Records: p.batch.Records[a.from:a.to:a.to]}}
	}
	for _, r := range p.repeated {
		r.outcome <- outcome{earlier: &p.batch.Commands[r.command]}
	}
}
