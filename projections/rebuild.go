package projections

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/internal/wait"
)

// analyzeTarget is Postgres's statistics target for tables that were just filled: 3,000 rows of each are looked at, for a tenth of the
// time that its own 100 takes. Autovacuum refines that as they grow.
const analyzeTarget = 10

// Rebuild fills a new generation of the named model (empty: of all) from the log beside the live one, and swaps it in with one
// transaction once it has caught up. progress, unless it is nil, is told how many of the log's events are folded.
//
// It may run while the models are followed and queried, here or in other processes. A rebuild of the same model that was
// interrupted, or that another process is at, is joined rather than begun again. One that fails leaves the live generation.
func (e *Engine) Rebuild(ctx context.Context, name string, progress func(done, total int64)) error {
	chosen := e.models
	if name != "" {
		m, ok := e.model(name)
		if !ok {
			return domain.Missing("read_model", name)
		}
		chosen = []model{m}
	}
	if progress == nil {
		progress = func(int64, int64) {}
	}
	if err := e.rebuild(ctx, chosen, progress); err != nil {
		return fmt.Errorf("rebuild the read models: %w", err)
	}
	return nil
}

// rebuild fills new generations of the models and swaps them in together. One that cannot be filled is given up, and the others
// go on; its error is among those returned at the end.
func (e *Engine) rebuild(ctx context.Context, chosen []model, progress func(done, total int64)) error {
	goal, err := e.begin(ctx, chosen)
	if err != nil {
		return err
	}
	var failures []error
	for retry := (wait.Backoff{}); ; {
		done, err := e.rebuildStep(ctx, goal, progress)
		if done {
			return errors.Join(append(failures, e.analyze(ctx, goal), e.dropRetired(ctx))...)
		}
		if err == nil || errors.Is(err, errMoved) {
			retry.Reset()
			continue
		}
		failed, isFold := errors.AsType[*foldError](err)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case isFold && failed.forGood(retry):
			if err := e.giveUp(ctx, failed); err != nil {
				return err
			}
			goal = slices.DeleteFunc(goal, func(f follower) bool { return f.id() == failed.follower.id() })
			failures = append(failures, err)
			retry.Reset()
		case retry.Failures+1 >= maxAttempts:
			return err
		default:
			retry.Wait(ctx)
		}
	}
}

// giveUp ends the filling of a generation that failed. Beside one that serves it is dropped; where none does it stops, and so does
// one of an older version, which nobody can read any more.
func (e *Engine) giveUp(ctx context.Context, failed *foldError) error {
	err := e.inTx(ctx, func(tx *sql.Tx) error {
		all, err := readCheckpoints(ctx, tx)
		if err != nil {
			return err
		}
		stops := failed.follower.checkpoint
		if !isRebuilding(all, stops.name) {
			return nil // another process has given it up, or swapped it in
		}
		for _, c := range all {
			if c.name == stops.name && c.serving() {
				if err := dropGeneration(ctx, tx, stops); err != nil || c.version == stops.version {
					return err
				}
				stops = c
			}
		}
		_, err = tx.ExecContext(ctx, "UPDATE read_model_checkpoints SET state = 'stopped', error = $1 WHERE name = $2 AND generation = $3",
			failed.Error(), stops.name, stops.generation)
		return err
	})
	if err != nil {
		return fmt.Errorf("give up %s: %w", failed.follower.id(), err)
	}
	e.announce()
	return nil
}

// begin finds or makes the generations that a rebuild fills. Half-filled ones of another version or log are dropped.
func (e *Engine) begin(ctx context.Context, chosen []model) (goal []follower, err error) {
	head, err := e.store.Head(ctx)
	if err != nil {
		return nil, err
	}
	if err := e.dropRetired(ctx); err != nil {
		return nil, err
	}
	err = e.inTx(ctx, func(tx *sql.Tx) error {
		all, err := readCheckpoints(ctx, tx)
		if err != nil {
			return err
		}
		for _, m := range chosen {
			next, err := e.nextGeneration(ctx, tx, m, all, head.Epoch)
			if err != nil {
				return err
			}
			goal = append(goal, follower{checkpoint: next, model: m})
		}
		return nil
	})
	return goal, err
}

// nextGeneration finds or makes the generation that a rebuild of one model fills.
func (e *Engine) nextGeneration(ctx context.Context, tx *sql.Tx, m model, all []checkpoint, epoch uuid.UUID) (checkpoint, error) {
	next := checkpoint{name: m.name, generation: 1, version: m.version, epoch: epoch, state: rebuilding}
	for _, c := range all {
		switch {
		case c.name != m.name:
			continue
		case c.state == rebuilding && c.version == m.version && c.epoch == epoch:
			return c, nil
		case c.state == rebuilding:
			if err := dropGeneration(ctx, tx, c); err != nil {
				return checkpoint{}, err
			}
		}
		next.generation = c.generation + 1
	}
	return next, e.addGeneration(ctx, tx, m, next)
}

// rebuildStep fills the generations that stand furthest back as far as the next ones, or, once all stand together, as far as the
// live ones, and swaps them in. done tells that there is nothing more to do.
func (e *Engine) rebuildStep(ctx context.Context, goal []follower, progress func(done, total int64)) (done bool, err error) {
	building, target, err := e.building(ctx, goal)
	if err != nil || len(building) == 0 {
		return err == nil, err
	}
	recall(building, goal)
	group, until := lowest(building)
	defer func() { keep(goal, group) }()
	if gap := target - group[0].position; until == 0 && gap >= 0 && gap <= int64(e.limits.last) {
		if err := e.addIndexes(ctx, group, table.addIndexes); err != nil {
			return false, err
		}
		err := e.swap(ctx, group)
		if err == nil {
			progress(group[0].position, group[0].position)
		}
		if _, failed := errors.AsType[*foldError](err); !failed {
			return false, err
		}
		// Folded outside of the swap, in smaller and smaller parts, the generation stops right before the event at fault.
	}
	if until == 0 {
		until = target
	}
	if until <= group[0].position {
		wait.For(ctx, waitPoll) // until the live ones have come as far
		return false, nil
	}
	err = e.fill(ctx, group, until, func(position int64) { progress(position, max(target, position)) })
	if errors.Is(err, errMoved) {
		wait.For(ctx, recheckInterval) // another process fills the same generations: leave it to that
	}
	return false, err
}

// building reads the generations of a rebuild that are not swapped in yet, and where they are to meet the live ones.
func (e *Engine) building(ctx context.Context, goal []follower) (building []follower, target int64, err error) {
	all, err := readCheckpoints(ctx, e.db.Read)
	if err != nil {
		return nil, 0, err
	}
	head, err := e.store.Head(ctx)
	if err != nil {
		return nil, 0, err
	}
	building, err = buildingOf(all, goal)
	if err != nil {
		return nil, 0, err
	}
	for _, f := range building {
		if !f.belongsTo(head) {
			return nil, 0, &eventstore.AheadError{Checkpoint: eventstore.Checkpoint{Epoch: f.epoch, Position: f.position}, Head: head}
		}
	}
	return building, meetingPoint(all, head), nil
}

// buildingOf finds the generations of a rebuild that are not swapped in yet. Another process may have swapped one in, and even
// replaced it since; one that is gone otherwise was given up.
func buildingOf(all []checkpoint, goal []follower) ([]follower, error) {
	var building []follower
	for _, g := range goal {
		done := false
		for _, c := range all {
			if c.id() == g.id() && c.state == rebuilding {
				building = append(building, follower{checkpoint: c, model: g.model})
				done = true
			}
			done = done || c.name == g.name && c.serving() && c.generation >= g.generation
		}
		if !done {
			return nil, fmt.Errorf("another process that filled %s has given it up", g.id())
		}
	}
	return building, nil
}

// keep notes in a goal where a group of its generations stands now, and what is held of them.
func keep(goal, group []follower) {
	for _, f := range group {
		if i := slices.IndexFunc(goal, func(g follower) bool { return g.id() == f.id() }); i >= 0 {
			goal[i] = f
		}
	}
}

// lowest picks the generations that stand furthest back, and where the next ones stand (0: there are no others).
func lowest(building []follower) (group []follower, until int64) {
	least := slices.MinFunc(building, func(a, b follower) int { return cmp.Compare(a.position, b.position) }).position
	for _, f := range building {
		switch {
		case f.position == least:
			group = append(group, f)
		case until == 0 || f.position < until:
			until = f.position
		}
	}
	return group, until
}

// meetingPoint is where a new generation joins the live ones: where they stand, for it is the engine that takes them on from
// there. Where none is live it is the log's end.
func meetingPoint(all []checkpoint, head eventstore.Head) int64 {
	if position := furthest(all, head); position >= 0 {
		return position
	}
	return head.Position
}

// swap folds the last events into the new generations, while the live ones are kept where they are, and puts the new ones in
// the places of the old.
func (e *Engine) swap(ctx context.Context, group []follower) error {
	var reached int64
	remember(group, e.limits.memory)
	err := e.inSession(ctx, func(s session, tx *sql.Tx) error {
		// Whoever follows moves the checkpoints by updates, and so waits here.
		if _, err := tx.ExecContext(ctx, "UPDATE read_model_checkpoints SET state = state WHERE state IN ('live', 'stopped')"); err != nil {
			return fmt.Errorf("hold the live read models: %w", err)
		}
		all, err := readCheckpoints(ctx, tx)
		if err != nil {
			return err
		}
		head, err := e.store.Head(ctx) // after the checkpoints, so that none is ahead of it
		if err != nil {
			return err
		}
		from := group[0].position
		reached = meetingPoint(all, head)
		ours, err := claim(ctx, tx, group, reached)
		if err != nil {
			return err
		}
		if !ours || reached < from || reached-from > int64(e.limits.last) {
			return errMoved
		}
		if reached > from {
			page, err := e.store.ReadAll(ctx, from, int(reached-from))
			if err != nil {
				return err
			}
			if err := e.foldAll(ctx, s, group, e.facts(page)); err != nil {
				return err
			}
		}
		return replace(ctx, tx, group)
	})
	if err != nil {
		forget(group)
		return err
	}
	for i := range group {
		group[i].position = reached
	}
	e.announce()
	return nil
}

// replace makes new generations the live ones.
func replace(ctx context.Context, tx *sql.Tx, group []follower) error {
	for _, f := range group {
		if _, err := tx.ExecContext(ctx, "UPDATE read_model_checkpoints SET state = 'retired' WHERE name = $1 AND state IN ('live', 'stopped')", f.name); err != nil {
			return fmt.Errorf("retire %s: %w", f.name, err)
		}
		if _, err := tx.ExecContext(ctx, "UPDATE read_model_checkpoints SET state = 'live' WHERE name = $1 AND generation = $2", f.name, f.generation); err != nil {
			return fmt.Errorf("make %s live: %w", f.id(), err)
		}
	}
	return nil
}

// analyze has Postgres look at what the new generations hold. It would do so by itself a minute later, and guess until then: to show the
// latest log-ins of a person it would gather all of them and sort them.
func (e *Engine) analyze(ctx context.Context, group []follower) error {
	if e.db.Dialect != sqldb.Postgres {
		return nil
	}
	var analyzing errgroup.Group
	analyzing.SetLimit(maxAtOnce)
	for _, f := range group {
		analyzing.Go(func() error {
			return e.inTx(ctx, func(tx *sql.Tx) error { return f.analyze(ctx, tx) })
		})
	}
	return analyzing.Wait()
}

// analyze is Engine.analyze for one generation, unless that is replaced already. It can be followed meanwhile, but not dropped.
func (f follower) analyze(ctx context.Context, tx *sql.Tx) error {
	var live bool
	err := tx.QueryRowContext(ctx, "SELECT TRUE FROM read_model_checkpoints WHERE name = $1 AND generation = $2 AND state = 'live' FOR KEY SHARE",
		f.name, f.generation).Scan(&live)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil {
		_, err = tx.ExecContext(ctx, "SET LOCAL default_statistics_target = "+strconv.Itoa(analyzeTarget))
	}
	for _, t := range f.model.tables {
		if err == nil {
			_, err = tx.ExecContext(ctx, "ANALYZE "+t.physical(f.generation))
		}
	}
	if err != nil {
		return fmt.Errorf("analyze %s: %w", f.id(), err)
	}
	return nil
}

// dropRetired drops the generations that were replaced. A query that still reads one ends first, or is asked again.
func (e *Engine) dropRetired(ctx context.Context) error {
	all, err := readCheckpoints(ctx, e.db.Read)
	if err != nil {
		return err
	}
	var dropping errgroup.Group
	dropping.SetLimit(maxAtOnce)
	for _, c := range all {
		if c.state == retired {
			dropping.Go(func() error {
				return e.inTx(ctx, func(tx *sql.Tx) error { return dropGeneration(ctx, tx, c) })
			})
		}
	}
	return dropping.Wait()
}

// dropGeneration drops a generation's tables and its checkpoint.
func dropGeneration(ctx context.Context, tx *sql.Tx, c checkpoint) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM read_model_checkpoints WHERE name = $1 AND generation = $2", c.name, c.generation); err != nil {
		return fmt.Errorf("drop %s: %w", c.id(), err)
	}
	for _, name := range strings.Fields(c.tables) {
		if _, err := tx.ExecContext(ctx, "DROP TABLE IF EXISTS "+name); err != nil {
			return fmt.Errorf("drop %s: %w", c.id(), err)
		}
	}
	return nil
}
