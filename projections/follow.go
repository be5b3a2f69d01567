package projections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/internal/wait"
)

// maxBehindEvents is how many events a transaction of followers takes that are far behind.
const maxBehindEvents = 8 * eventstore.MaxPageEvents

// follower is a generation of a model on its way through the log.
type follower struct {
	checkpoint
	model  model
	memory *memory // nil: nothing is held
}

// errMoved says that the checkpoints are not as they were read: another node has moved them, or a generation was replaced.
var errMoved = errors.New("the checkpoints have moved")

// foldError says that one model could not fold a page.
type foldError struct {
	follower follower
	position int64 // of the first event of the page
	final    bool  // trying again would not help
	err      error
}

func (e *foldError) Error() string {
	return fmt.Sprintf("read model %s cannot fold position %d: %v", e.follower.name, e.position, e.err)
}

func (e *foldError) Unwrap() error { return e.err }

// forGood tells whether to give up after this failure and those before it.
func (e *foldError) forGood(before wait.Backoff) bool {
	return e.final || before.Failures+1 >= maxAttempts
}

// Run keeps the models up to date until ctx ends. Any number of nodes may run it on one database: the checkpoints'
// compare-and-set lets one advance them, and the others wait. Models that had stopped are tried again.
//
// It returns an error when no model belongs to this log, each of them being ahead of it or of another incarnation; nothing is
// skipped then, and Status tells of it.
func (e *Engine) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		e.bringUp(ctx)
		return nil
	})
	group.Go(func() error { return e.follow(ctx) })
	return group.Wait()
}

// follow advances the live models, all in step.
func (e *Engine) follow(ctx context.Context) error {
	var before []follower
	for retry := (wait.Backoff{}); ctx.Err() == nil; {
		group, err := e.liveGroup(ctx)
		recall(group, before)
		before = group
		if err == nil && len(group) == 0 {
			select {
			case <-ctx.Done():
			case <-e.changed():
			case <-time.After(recheckInterval):
			}
			continue
		}
		if err == nil {
			err = e.followGroup(ctx, group)
		}
		if ctx.Err() != nil || errors.Is(err, eventstore.ErrClosed) {
			break
		}
		if err == nil || errors.Is(err, errMoved) {
			retry.Reset()
			continue
		}
		if _, ahead := errors.AsType[*eventstore.AheadError](err); ahead && len(group) == 0 {
			return fmt.Errorf("no read model belongs to this log, rebuild them: %w", err)
		}
		slog.WarnContext(ctx, "the read models are held up", "error", err)
		if stuck := stopping(err, group, retry); len(stuck) == 0 || e.stop(ctx, stuck, err) != nil {
			retry.Wait(ctx)
			continue
		}
		retry.Reset()
	}
	return nil
}

// stopping lists those of a group that an error stops: one whose fold failed for good, or all when they do not belong to the log.
func stopping(err error, group []follower, retry wait.Backoff) []follower {
	if failed, ok := errors.AsType[*foldError](err); ok && failed.forGood(retry) {
		return []follower{failed.follower}
	}
	if _, ok := errors.AsType[*eventstore.AheadError](err); ok {
		return group
	}
	return nil
}

// liveGroup reads which generations to advance: the live ones, which are in step. One that does not belong to the log comes alone,
// so that it is found out. Where none is live because none belongs to the log, that is an *eventstore.AheadError.
func (e *Engine) liveGroup(ctx context.Context) ([]follower, error) {
	all, err := readCheckpoints(ctx, e.db.Read)
	if err != nil {
		return nil, err
	}
	head, err := e.store.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("follow the log: %w", err)
	}
	var group []follower
	var foreign error
	for _, c := range all {
		m, ok := e.model(c.name)
		if !ok || !c.serving() || c.version != m.version {
			continue
		}
		f := follower{checkpoint: c, model: m}
		switch {
		case c.state == live && !c.belongsTo(head):
			return []follower{f}, nil
		case c.state == live && c.position == furthest(all, head):
			group = append(group, f)
		case !c.belongsTo(head):
			foreign = &eventstore.AheadError{Checkpoint: eventstore.Checkpoint{Epoch: c.epoch, Position: c.position}, Head: head}
		}
	}
	if len(group) == 0 {
		return nil, foreign
	}
	return group, nil
}

// followGroup advances a group for a while.
func (e *Engine) followGroup(ctx context.Context, group []follower) error {
	// A page that is being folded is not interrupted when the while is over.
	whileCtx, cancel := context.WithTimeout(ctx, recheckInterval)
	defer cancel()
	var handled error
	var taken []Fact
	bytes := 0 // of their records
	from := eventstore.Checkpoint{Epoch: group[0].epoch, Position: group[0].position}
	err := e.store.Follow(whileCtx, from, func(_ context.Context, page []eventstore.Record) error {
		began, full := time.Now(), len(page) == eventstore.MaxPageEvents
		if facts := e.facts(page); len(taken) == 0 {
			taken = facts
		} else {
			taken = append(taken, facts...)
		}
		for _, record := range page {
			bytes += len(record.Bytes)
		}
		if full && len(taken) < maxBehindEvents && bytes < maxLiveMemory && e.store.Committed() > page[len(page)-1].Position {
			return nil // the next page is there, and what both change is written once
		}
		handled = e.handle(ctx, group, taken)
		taken, bytes = nil, 0
		if handled == nil && !full {
			e.rest(ctx, time.Since(began))
		}
		return handled
	})
	switch {
	case handled != nil:
		return handled
	case whileCtx.Err() == nil:
		return err
	case len(taken) > 0 && ctx.Err() == nil:
		return e.handle(ctx, group, taken)
	}
	return nil
}

// rest lets events gather for the next page, the longer the longer the last one took: the end of a busy log would be made of many
// small pages, and one of many events costs little more than one of a few. Nobody who waits for a position waits for this.
func (e *Engine) rest(ctx context.Context, took time.Duration) {
	select {
	case <-ctx.Done():
	case <-e.hurry:
	case <-time.After(min(restRatio*took, maxRest)):
	}
}

// facts decodes a page. What cannot be decoded is left to the models that would have to see it.
func (e *Engine) facts(page []eventstore.Record) []Fact {
	facts := make([]Fact, len(page))
	for i, record := range page {
		fact := Fact{
			Position: record.Position, At: record.RecordedAt, Stream: record.Stream, Version: record.Version, Type: record.Type,
			size: len(record.Bytes),
		}
		data, err := record.Data()
		if err == nil {
			fact.Event, err = e.catalog.Decode(record.Type, data)
		}
		fact.Actor = record.Decider()
		fact.By, _ = domain.ParseActor(fact.Actor)
		fact.unreadable = err
		facts[i] = fact
	}
	return facts
}

// factsAt reads the events that lines of a page tell of, each of which knows the position. Read models keep no copy of them.
func factsAt[T any](ctx context.Context, e *Engine, lines []T, position func(T) int64) (map[int64]*Fact, error) {
	positions := make([]int64, len(lines))
	for i, line := range lines {
		positions[i] = position(line)
	}
	records, err := e.store.ReadAt(ctx, positions)
	if err != nil {
		return nil, err
	}
	facts := make(map[int64]*Fact, len(records))
	for _, fact := range e.facts(records) {
		if fact.unreadable != nil {
			return nil, fact.unreadable
		}
		facts[fact.Position] = &fact
	}
	return facts, nil
}

// handle folds a page. When a model fails at it, its halves are folded one after the other, and so on, so that it stops right
// before the event at fault.
func (e *Engine) handle(ctx context.Context, group []follower, page []Fact) error {
	err := e.advance(ctx, group, page)
	if _, failed := errors.AsType[*foldError](err); !failed || len(page) == 1 {
		return err
	}
	half := len(page) / 2
	if err := e.handle(ctx, group, page[:half]); err != nil {
		return err
	}
	return e.handle(ctx, group, page[half:])
}

// advance folds a page into a group of generations that stand right before it, in one transaction with their checkpoints.
func (e *Engine) advance(ctx context.Context, group []follower, page []Fact) error {
	last := page[len(page)-1].Position
	remember(group, e.limits.live)
	err := e.inSession(ctx, func(s session, tx *sql.Tx) error {
		if err := e.claimLazily(ctx, tx, group, last); err != nil {
			return err
		}
		if err := e.leavesNobody(ctx, tx, group[0].checkpoint); err != nil {
			return err
		}
		return e.foldAll(ctx, s, group, page)
	})
	if err != nil {
		forget(group)
		return err
	}
	for i := range group {
		group[i].position = last
	}
	e.announce()
	return nil
}

// claimLazily claims a position for a group, or fails with errMoved. The transaction is spared the wait until the disk has it: when
// Postgres crashes, the last events folded may be lost, rows and checkpoint together, and are folded again. SQLite has no such
// setting for one transaction.
func (e *Engine) claimLazily(ctx context.Context, tx *sql.Tx, group []follower, position int64) error {
	if e.db.Dialect == sqldb.Postgres {
		if _, err := tx.ExecContext(ctx, "SET LOCAL synchronous_commit = off"); err != nil {
			return fmt.Errorf("commit lazily: %w", err)
		}
	}
	ours, err := claim(ctx, tx, group, position)
	if err == nil && !ours {
		return errMoved
	}
	return err
}

// leavesNobody makes sure that a model which has joined the live ones since the group was read is not left behind.
func (e *Engine) leavesNobody(ctx context.Context, tx *sql.Tx, from checkpoint) error {
	if from.state != live {
		return nil
	}
	all, err := readCheckpoints(ctx, tx)
	if err != nil {
		return err
	}
	for _, c := range all {
		if m, ok := e.model(c.name); ok && c.state == live && c.version == m.version && c.position == from.position {
			return errMoved
		}
	}
	return nil
}

// foldAll folds a page into each generation of a group, and writes what has changed: into all at the same time when they are far
// behind, else into one after the other, so that whoever submits commands meanwhile finds a processor.
func (e *Engine) foldAll(ctx context.Context, s session, group []follower, page []Fact) error {
	var folding errgroup.Group // without a context: a statement that is interrupted would cost the connection
	if len(page) < maxBehindEvents {
		folding.SetLimit(1)
	}
	for _, f := range group {
		folding.Go(func() error {
			return f.fold(ctx, e.tx(s, f), page)
		})
	}
	if err := folding.Wait(); err != nil {
		return err
	}
	changes := make([][]writable, len(group))
	for i, f := range group {
		changes[i] = f.memory.take(f.model, false)
	}
	return e.writeAll(ctx, s, group, changes)
}

// writeAll writes what has changed in generations: on Postgres with one round trip, but for what it copies.
func (e *Engine) writeAll(ctx context.Context, s session, group []follower, changes [][]writable) error {
	queue := &statements{}
	failedAt := func(f follower, err error) error { return &foldError{follower: f, position: f.position + 1, err: err} }
	for i, f := range group {
		tx := e.tx(s, f)
		if tx.dialect == sqldb.Postgres {
			tx.queue = queue
		}
		for _, c := range changes[i] {
			if err := c.write(ctx, tx); err != nil {
				return failedAt(f, err)
			}
		}
		queue.end()
	}
	if of, err := queue.send(ctx, s); err != nil {
		return failedAt(group[of], err)
	}
	return nil
}

// tx is what a generation is folded in.
func (e *Engine) tx(s session, f follower) tx {
	return tx{
		session: s, dialect: e.db.Dialect, tables: f.model.physicalNames(f.generation), filling: f.state == rebuilding, memory: f.memory,
	}
}

// fold folds a page.
func (f follower) fold(ctx context.Context, tx tx, page []Fact) error {
	read := make([]*Fact, 0, len(page))
	for i := range page {
		fact := &page[i]
		f.memory.bytes += fact.size
		if !slices.Contains(f.model.streams, fact.Stream.Kind) {
			continue
		}
		if fact.unreadable != nil {
			return &foldError{follower: f, position: fact.Position, final: true, err: fact.unreadable}
		}
		read = append(read, fact)
	}
	if len(read) == 0 {
		return nil
	}
	if err := f.model.fold(ctx, tx, read); err != nil {
		return &foldError{follower: f, position: page[0].Position, err: err}
	}
	return nil
}

// stop records that generations go no further, and why.
func (e *Engine) stop(ctx context.Context, stuck []follower, reason error) error {
	err := e.inTx(ctx, func(tx *sql.Tx) error {
		for _, f := range stuck {
			if _, err := tx.ExecContext(ctx, `UPDATE read_model_checkpoints SET state = 'stopped', error = $1
				WHERE name = $2 AND generation = $3 AND position = $4 AND state = 'live'`,
				reason.Error(), f.name, f.generation, f.position); err != nil {
				return fmt.Errorf("stop read model %s: %w", f.name, err)
			}
		}
		return nil
	})
	e.announce()
	return err
}
