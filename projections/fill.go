package projections

import (
	"context"
	"database/sql"
	"fmt"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/collabledger/collabledger/eventstore"
)

// maxBatchBytes is how many bytes of records one transaction folds into generations that are being filled, within one page more.
// Beside what is held in memory, up to three such batches are: one that is folded, one that waits, one that is read.
const maxBatchBytes = 16 << 20

// maxIndexing is how many generations are indexed at the same time.
const maxIndexing = 4

// batch is a part of the log that one transaction folds, or why it could not be read.
type batch struct {
	facts []Fact
	err   error
}

// fill folds the log into generations that nobody reads yet, up to a position, in large transactions. The next batch is read and
// decoded meanwhile. What was committed before an interruption counts: the next fill goes on from there.
func (e *Engine) fill(ctx context.Context, group []follower, until int64, progress func(position int64)) error {
	readCtx, stop := context.WithCancel(ctx)
	batches := make(chan batch)
	var reading sync.WaitGroup
	from := eventstore.Checkpoint{Epoch: group[0].epoch, Position: group[0].position}
	reading.Go(func() {
		defer close(batches)
		e.readBatches(readCtx, from, until, batches)
	})
	defer reading.Wait()
	defer stop()
	for b := range batches {
		if b.err != nil {
			return b.err
		}
		if err := e.handle(ctx, group, b.facts); err != nil {
			return err
		}
		progress(group[0].position)
	}
	return ctx.Err()
}

// readBatches reads the log from a checkpoint up to a position, always one batch ahead of who takes them, unless it fails.
func (e *Engine) readBatches(ctx context.Context, from eventstore.Checkpoint, until int64, batches chan<- batch) {
	for from.Position < until {
		var b batch
		b.facts, b.err = e.readBatch(ctx, from, until)
		select {
		case batches <- b:
		case <-ctx.Done():
			return
		}
		if b.err != nil {
			return
		}
		from.Position = b.facts[len(b.facts)-1].Position
	}
}

// readBatch reads pages one after the other, and decodes those that it has read as fast as there are processors for it.
func (e *Engine) readBatch(ctx context.Context, from eventstore.Checkpoint, until int64) ([]Fact, error) {
	head, err := e.store.Head(ctx)
	if err != nil {
		return nil, err
	}
	if head.Epoch != from.Epoch || head.Position < until {
		return nil, &eventstore.AheadError{Checkpoint: from, Head: head}
	}
	var decoding errgroup.Group
	decoding.SetLimit(runtime.GOMAXPROCS(0))
	var pages []*[]Fact
	for position, bytes := from.Position, 0; position < until && bytes < maxBatchBytes; {
		page, err := e.store.ReadAll(ctx, position, int(min(until-position, eventstore.MaxPageEvents)))
		if err == nil && len(page) == 0 {
			err = fmt.Errorf("the event at position %d is missing", position+1)
		}
		if err != nil {
			_ = decoding.Wait() // it cannot fail
			return nil, err
		}
		for _, record := range page {
			bytes += len(record.Bytes)
		}
		position = page[len(page)-1].Position
		decoded := new([]Fact)
		pages = append(pages, decoded)
		decoding.Go(func() error {
			*decoded = e.facts(page)
			return nil
		})
	}
	if err := decoding.Wait(); err != nil {
		return nil, err
	}
	var facts []Fact
	for _, page := range pages {
		facts = append(facts, *page...)
	}
	return facts, nil
}

// index makes the indexes of generations that are filled; those made before stay. Each generation's checkpoint is held meanwhile, so
// that two processes do not make the same ones.
func (e *Engine) index(ctx context.Context, group []follower) error {
	var indexing errgroup.Group
	indexing.SetLimit(maxIndexing)
	for i := range group {
		indexing.Go(func() error {
			return e.inTx(ctx, func(tx *sql.Tx) error {
				ours, err := claim(ctx, tx, group[i:i+1], group[i].position)
				if err != nil {
					return err
				}
				if !ours {
					return errMoved
				}
				for _, t := range group[i].model.tables {
					if err := t.addIndexes(ctx, tx, group[i].generation); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	return indexing.Wait()
}
