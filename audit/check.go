package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/eventstore"
)

// MaxFindings is how many violations, and how many refusals by policy, a report tells at most; it counts them all.
const MaxFindings = 1_000

// Log is what a check reads: an *eventstore.Store, or one of its backends opened for reading.
type Log interface {
	Head(ctx context.Context) (eventstore.Head, error)
	ReadAll(ctx context.Context, after int64, limit int) ([]eventstore.Record, error)
}

// Options are what a check may do besides checking the invariants.
type Options struct {
	Policy   *Policy                 // rules to back-test; nil: none
	Progress func(done, total int64) // told after every page how many events have been read; nil: nobody
}

// Check folds the log up to where it ends when the check begins, and reports what it finds. An error says that the log could not be
// read; what is wrong inside the log is never an error but a violation. It holds a page of the log, a few hundred bytes for each
// account, pair, session and task, and the ids of all events and commands, about 50 bytes an event.
func Check(ctx context.Context, log Log, options Options) (Report, error) {
	head, err := log.Head(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("check the log: %w", err)
	}
	c := newChecker(head, options.Policy)
	for after := int64(0); after < head.Position; {
		page, err := readPage(ctx, log, after, int(min(head.Position-after, eventstore.MaxPageEvents)))
		if err != nil {
			return Report{}, fmt.Errorf("check the log: %w", err)
		}
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			if r.broken != nil {
				c.broken(r.Position, r.broken)
			} else {
				c.record(r.Record)
			}
		}
		if last := page[len(page)-1].Position; last > after {
			after = last
		} else {
			break // its records do not go forward, which has been told
		}
		if options.Progress != nil {
			options.Progress(min(after, head.Position), head.Position)
		}
	}
	return c.finish(), nil
}

// read is a record of a page, or why the bytes at its position are none.
type read struct {
	eventstore.Record
	broken error
}

// readPage reads a page. One that holds bytes which are no record is read again one by one, so that all others are checked.
func readPage(ctx context.Context, log Log, after int64, limit int) ([]read, error) {
	records, err := log.ReadAll(ctx, after, limit)
	if err == nil {
		page := make([]read, len(records))
		for i, r := range records {
			page[i].Record = r
		}
		return page, nil
	}
	if !errors.Is(err, eventstore.ErrNoRecord) {
		return nil, err
	}
	if limit == 1 {
		return []read{{Record: eventstore.Record{Position: after + 1}, broken: err}}, nil
	}
	first, err := readPage(ctx, log, after, limit/2)
	if err != nil || len(first) == 0 {
		return first, err
	}
	rest, err := readPage(ctx, log, max(after+1, first[len(first)-1].Position), limit-limit/2)
	return slices.Concat(first, rest), err
}

// checker is one check under way: the world as the log has told it so far, and what was found.
type checker struct {
	world
	head   eventstore.Head
	report Report
	decode decoder
	policy *backtest

	position int64 // of the record before, or where it should have been
	versions map[eventstore.StreamID]int64
	events   map[uuid.UUID]struct{} // ids of events
	commands map[uuid.UUID]struct{}
	last     EventRef // the record before
	command  command  // the one whose events are being read
	now      *fact    // the event in hand
}

func newChecker(head eventstore.Head, policy *Policy) *checker {
	c := &checker{
		world: newWorld(), head: head, decode: newDecoder(), report: Report{Epoch: head.Epoch, Violations: []Violation{}},
		versions: map[eventstore.StreamID]int64{}, events: map[uuid.UUID]struct{}{}, commands: map[uuid.UUID]struct{}{},
	}
	if policy != nil {
		c.report.Refused = []Violation{}
		c.policy = &backtest{policy: policy, world: &c.world, report: &c.report}
	}
	return c
}

// finish tells what only the log's end shows.
func (c *checker) finish() Report {
	c.endCommand()
	if c.position < c.head.Position {
		c.report.add(PositionGap, nil, "the log's head is at position %d, and its last event at %d", c.head.Position, c.position)
	}
	c.policy.atEnd(c.last)
	c.report.Streams = len(c.versions)
	return c.report
}

// must reports the event in hand when a rule does not hold, with the earlier events that it contradicts.
func (c *checker) must(holds bool, rule Code, because []EventRef, detail string, args ...any) bool {
	if !holds {
		c.report.add(rule, slices.Concat([]EventRef{c.now.ref}, because), detail, args...)
	}
	return holds
}

// refs are those of the events given that there are.
func refs(events ...EventRef) []EventRef {
	return slices.DeleteFunc(events, func(e EventRef) bool { return e.Position == 0 })
}
