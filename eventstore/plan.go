package eventstore

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
)

// pending is an append that waits for the committer, and then for the outcome of its batch.
type pending struct {
	ctx     context.Context // the caller's
	append  *Append
	drafts  []draft
	size    int64        // bytes of data
	tips    []int        // for each expectation, the index of its stream in the last plan
	planned int64        // position of its first event, or of the one that would be, in the last plan that accepted it
	outcome chan outcome // holds one
}

// extends tells whether an event of the append belongs to the stream of an expectation.
func (a *pending) extends(expect int) bool {
	return slices.ContainsFunc(a.drafts, func(d draft) bool { return d.expect == expect })
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
	streams   map[StreamID]int  // index, in tips, of every stream that the batch expects something of
	tips      []Tip             // raised as appends are taken in
	commands  map[uuid.UUID]int // index in the batch
	accepted  []accepted
	repeated  []repeated
	conflicts []conflict
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

// conflict is an append whose expectation does not hold.
type conflict struct {
	*pending
	err *ConflictError
}

// newPlan begins a plan for appends that follow the head.
func newPlan(head Head, appends []*pending) *plan {
	events, expects := 0, 0
	for _, a := range appends {
		events += len(a.drafts)
		expects += len(a.append.Expect)
	}
	return &plan{
		batch: Batch{
			Head:     head,
			Records:  make([]Record, 0, events),
			Streams:  make([]int64, 0, events),
			Commands: make([]CommandRecord, 0, len(appends)),
		},
		streams:  make(map[StreamID]int, expects),
		tips:     make([]Tip, 0, expects),
		commands: make(map[uuid.UUID]int, len(appends)),
		accepted: make([]accepted, 0, len(appends)),
	}
}

// take decides one append as of the appends taken before it. now is not before the time of the head.
func (p *plan) take(a *pending, now time.Time) {
	if command, ok := p.commands[a.append.CommandID]; ok {
		p.repeated = append(p.repeated, repeated{pending: a, command: command})
		return
	}
	for i, e := range a.append.Expect {
		if actual := p.tips[a.tips[i]].Version; actual != e.Version {
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
		tip := &p.tips[a.tips[draft.expect]]
		if tip.First == 0 {
			tip.First = batch.Head.Position
		}
		tip.Version++
		stream := a.append.Expect[draft.expect].Stream
		batch.Records = append(batch.Records, draft.finish(stream, batch.Head.Position, tip.Version, now, a.append.CommandID))
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
