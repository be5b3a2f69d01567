package projections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/sqldb"
)

// Limits of a filling.
const (
	maxPostgresBatch = maxFillingMemory // bytes of records whose rows are written at once, and a page more: the larger, the fewer are written again
	maxSQLiteBatch   = 16 << 20         // likewise; smaller, because everybody else who writes waits meanwhile
	maxAppending     = 16 << 20         // bytes of records until generations that append are written: no row of those is written again
	pagesAhead       = 8                // that are decoded before they are folded
	maxAtOnce        = 4                // transactions that write, index or drop generations at the same time
)

// decoded is a page of the log, or why it could not be read.
type decoded struct {
	facts []Fact
	err   error
}

// filling is how generations that nobody reads yet are filled: a page is read and decoded while the one before is folded in memory,
// and what came of a batch of pages is written while the next batch is folded, several generations at the same time. Those that
// append are written more often than the others, and are ahead of them meanwhile. What was committed before an interruption
// counts: the next filling goes on from there.
type filling struct {
	e         *Engine
	group     []follower // as they are in the database
	until     int64      // the position to come to
	reached   int64      // up to where they are folded in memory
	bytes     int        // of the records that are folded and not taken to be written
	appending int        // likewise, by those that append
	writing   chan error // of the batch that is being written; nil: there is none
	writes    []follower // the generations as that leaves them
}

// fill folds the log into generations up to a position. Where a fold fails, it goes over the batch again in small transactions, so
// that the generation stops right before the event at fault.
func (e *Engine) fill(ctx context.Context, group []follower, until int64, progress func(position int64)) error {
	f := &filling{e: e, group: group, until: until, reached: group[0].position}
	err := f.run(ctx, progress)
	if err = errors.Join(err, f.written()); err == nil {
		return nil
	}
	forget(group)
	if _, failed := errors.AsType[*foldError](err); !failed {
		return err
	}
	behind, _ := lowest(group)
	for behind[0].position < f.reached {
		page, err := e.store.ReadAll(ctx, behind[0].position, int(min(f.reached-behind[0].position, eventstore.MaxPageEvents)))
		if err != nil {
			return err
		}
		if err := e.handle(ctx, behind, e.facts(page)); err != nil {
			return err
		}
	}
	return nil
}

// run folds the log and has it written. The last batch may still be being written when it returns.
func (f *filling) run(ctx context.Context, progress func(position int64)) error {
	if err := f.remember(ctx); err != nil {
		return err
	}
	readCtx, stop := context.WithCancel(ctx)
	pages := make(chan chan decoded, pagesAhead)
	var reading sync.WaitGroup
	from := eventstore.Checkpoint{Epoch: f.group[0].epoch, Position: f.reached}
	reading.Go(func() {
		defer close(pages)
		f.e.readPages(readCtx, from, f.until, pages)
	})
	defer reading.Wait()
	defer stop()
	for next := range pages {
		page := <-next
		if page.err != nil {
			return page.err
		}
		f.reached = page.facts[len(page.facts)-1].Position
		if err := f.fold(ctx, page.facts); err != nil {
			return err
		}
		for _, fact := range page.facts {
			f.bytes += fact.size
			f.appending += fact.size
		}
		progress(f.reached)
		if err := f.writeDue(ctx); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// fold folds a page into each generation, all at the same time.
func (f *filling) fold(ctx context.Context, page []Fact) error {
	var folding errgroup.Group
	for _, g := range f.group {
		folding.Go(func() error { return g.fold(ctx, f.e.tx(session{sql: f.e.db.Read, busy: &sync.Mutex{}}, g), page) })
	}
	return folding.Wait()
}

// writeDue has those generations written for which it is time, and lets go what memory holds when that has become too much.
func (f *filling) writeDue(ctx context.Context) error {
	ends := f.reached == f.until
	full := slices.ContainsFunc(f.group, func(g follower) bool { return g.memory.full(f.e.limits.memory) })
	all := ends || full || f.bytes >= f.e.limits.batch
	if !all && f.appending < f.e.limits.appending {
		return nil
	}
	if err := f.write(ctx, all, !ends && !full); err != nil || ends || !full {
		return err
	}
	if err := f.written(); err != nil {
		return err
	}
	return f.remember(ctx)
}

// write has a batch written, of all generations or of those that append, once the batch before it is. folding tells that the next
// one is folded meanwhile.
func (f *filling) write(ctx context.Context, all, folding bool) error {
	if err := f.written(); err != nil {
		return err
	}
	var changes [][]writable
	f.writing, f.writes, f.appending = make(chan error, 1), nil, 0
	for _, g := range f.group {
		if all || g.model.appends() {
			f.writes = append(f.writes, g)
			changes = append(changes, g.memory.take(g.model, folding))
		}
	}
	if all {
		f.bytes = 0
	}
	go func(writing chan<- error, group []follower, to int64) {
		writing <- f.e.writeBatch(ctx, group, to, changes)
	}(f.writing, f.writes, f.reached)
	return nil
}

// written waits until the batch that is being written is committed.
func (f *filling) written() error {
	if f.writing == nil {
		return nil
	}
	err := <-f.writing
	f.writing = nil
	for _, done := range f.writes { // also when the writing of some has failed
		i := slices.IndexFunc(f.group, func(g follower) bool { return g.id() == done.id() })
		f.group[i].position = done.position
	}
	return err
}

// remember gives the generations a memory to begin with, or makes room in it. Unless it holds every row, rows will have to be looked up
// from then on.
func (f *filling) remember(ctx context.Context) error {
	remember(f.group, f.e.limits.memory)
	var asking []follower
	for _, g := range f.group {
		if !g.memory.whole {
			asking = append(asking, g)
		}
	}
	return f.e.addIndexes(ctx, asking, table.addLookupIndex)
}

// writeBatch writes what has changed in generations from where they stand to a position, and moves those that are written there.
func (e *Engine) writeBatch(ctx context.Context, group []follower, to int64, changes [][]writable) error {
	var writing errgroup.Group
	writing.SetLimit(maxAtOnce)
	for some := range slices.Chunk(group, e.limits.together) {
		theirs := changes[:len(some)]
		changes = changes[len(some):]
		writing.Go(func() error { return e.writeTogether(ctx, some, to, theirs) })
	}
	return writing.Wait()
}

// writeTogether is writeBatch in one transaction.
func (e *Engine) writeTogether(ctx context.Context, group []follower, to int64, changes [][]writable) error {
	err := e.inSession(ctx, func(s session, tx *sql.Tx) error {
		if err := e.claimLazily(ctx, tx, group, to); err != nil {
			return err
		}
		for i := range group { // one after the other, for what they write may be much
			if err := e.writeAll(ctx, s, group[i:i+1], changes[i:i+1]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range group {
		group[i].position = to
	}
	return nil
}

// readPages reads the log from a checkpoint up to a position, some pages ahead of who takes them, unless it fails. They are decoded
// at the same time, as many as there are processors.
func (e *Engine) readPages(ctx context.Context, from eventstore.Checkpoint, until int64, pages chan<- chan decoded) {
	var decoding errgroup.Group
	decoding.SetLimit(runtime.GOMAXPROCS(0))
	for from.Position < until {
		records, err := e.readPage(ctx, from, until)
		page := make(chan decoded, 1)
		if err != nil {
			page <- decoded{err: err}
		} else {
			from.Position = records[len(records)-1].Position
			decoding.Go(func() error {
				page <- decoded{facts: e.facts(records)}
				return nil
			})
		}
		select {
		case pages <- page:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// readPage reads the page after a checkpoint, provided that the log is still the one that the checkpoint belongs to.
func (e *Engine) readPage(ctx context.Context, from eventstore.Checkpoint, until int64) ([]eventstore.Record, error) {
	page, err := e.store.ReadAll(ctx, from.Position, int(min(until-from.Position, int64(e.limits.page))))
	if err != nil {
		return nil, err
	}
	head, err := e.store.Head(ctx)
	if err != nil {
		return nil, err
	}
	if head.Epoch != from.Epoch || head.Position < until {
		return nil, &eventstore.AheadError{Checkpoint: from, Head: head}
	}
	if len(page) == 0 {
		return nil, fmt.Errorf("the event at position %d is missing", from.Position+1)
	}
	return page, nil
}

// addIndexes adds to the tables of generations. Each generation's checkpoint is held meanwhile, so that two processes do not make the
// same indexes. Each is made by one process: those of the other generations keep the rest of the machine busy, and what workers of one
// index sort, they exchange over files.
func (e *Engine) addIndexes(ctx context.Context, group []follower, add func(t table, ctx context.Context, tx *sql.Tx, generation int) error) error {
	var indexing errgroup.Group
	indexing.SetLimit(maxAtOnce)
	for i, f := range group {
		indexing.Go(func() error {
			return e.inTx(ctx, func(tx *sql.Tx) error {
				if err := e.claimLazily(ctx, tx, group[i:i+1], f.position); err != nil {
					return err
				}
				if e.db.Dialect == sqldb.Postgres {
					if _, err := tx.ExecContext(ctx, "SET LOCAL max_parallel_maintenance_workers = 0"); err != nil {
						return fmt.Errorf("index in one process: %w", err)
					}
				}
				for _, t := range f.model.tables {
					if err := add(t, ctx, tx, f.generation); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	return indexing.Wait()
}
