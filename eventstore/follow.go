package eventstore

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
)

// FollowPoll is how often a store with followers at the log's end looks for what other nodes have written. It is one small
// read, however many followers there are.
const FollowPoll = 50 * time.Millisecond

// Checkpoint is how far a follower has come, and in which incarnation of the log.
type Checkpoint struct {
	Epoch    uuid.UUID // zero: the follower has not begun
	Position int64     // of the last event that it has handled
}

// AheadError stops whoever believes in a place that is not in this log: past its end, or of another incarnation (a restore).
// It is never retried; somebody has to look.
type AheadError struct {
	Checkpoint Checkpoint
	Head       Head
}

func (e *AheadError) Error() string {
	if e.Checkpoint.Epoch != uuid.Nil && e.Checkpoint.Epoch != e.Head.Epoch {
		return fmt.Sprintf("eventstore: the checkpoint at position %d is of epoch %s, but the log is of epoch %s: it was restored, or is another one",
			e.Checkpoint.Position, e.Checkpoint.Epoch, e.Head.Epoch)
	}
	return fmt.Sprintf("eventstore: the checkpoint at position %d is ahead of the log, which ends at %d", e.Checkpoint.Position, e.Head.Position)
}

// check tells whether the checkpoint is a place in the log.
func (c Checkpoint) check(head Head) error {
	if (c.Epoch != uuid.Nil && c.Epoch != head.Epoch) || c.Position > head.Position {
		return &AheadError{Checkpoint: c, Head: head}
	}
	return nil
}

// Follow hands the log to a follower, page after page in order (MaxPageEvents at most each), from its checkpoint on, and waits
// for more at the end, until ctx ends, handle fails or the log cannot be read; it returns that error. handle saves the
// checkpoint with what it wrote. The next page is read meanwhile, but at the log's end only after that, so that it holds all that
// has come in between. New events wake it at once when this process appended them, and within FollowPoll otherwise. Pages may be
// shared with other followers: handle only reads them.
func (s *Store) Follow(ctx context.Context, from Checkpoint, handle func(ctx context.Context, page []Record) error) error {
	head, err := s.Head(ctx)
	if err != nil {
		return fmt.Errorf("follow the log: %w", err)
	}
	if err := from.check(head); err != nil {
		return err
	}
	from.Epoch = head.Epoch

	readCtx, stop := context.WithCancel(ctx)
	pages, handled := make(chan []Record), make(chan struct{}, 1)
	var readErr error
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(pages)
		readErr = s.readPages(readCtx, from, pages, handled)
	})
	defer reading.Wait()
	defer stop()
	for page := range pages {
		if err := handle(ctx, page); err != nil {
			return err
		}
		if isLast(page) {
			handled <- struct{}{}
		}
	}
	return readErr
}

// isLast tells whether a page was read at the log's end.
func isLast(page []Record) bool { return len(page) < MaxPageEvents }

// readPages reads the log from a checkpoint on, one page ahead of who takes them until it comes to the log's end. There it waits for
// handled.
func (s *Store) readPages(ctx context.Context, from Checkpoint, pages chan<- []Record, handled <-chan struct{}) error {
	for {
		if err := s.waitAfter(ctx, from); err != nil {
			return err
		}
		page, err := s.nextPage(ctx, from.Position)
		if err != nil {
			return fmt.Errorf("follow the log after position %d: %w", from.Position, err)
		}
		if len(page) == 0 || page[0].Position != from.Position+1 {
			return fmt.Errorf("follow the log: the event at position %d is missing", from.Position+1)
		}
		select {
		case pages <- page:
			from.Position = page[len(page)-1].Position
		case <-ctx.Done():
			return ctx.Err()
		}
		if !isLast(page) {
			continue
		}
		select {
		case <-handled:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// nextPage gives what follows a position, which there is. Near the log's end followers share what one of them has read.
func (s *Store) nextPage(ctx context.Context, position int64) ([]Record, error) {
	if page := s.progress.after(position); page != nil {
		return page, nil
	}
	if !s.progress.isRecent(position) {
		return s.ReadAll(ctx, position, MaxPageEvents)
	}
	select {
	case s.progress.reading <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-s.progress.reading }()
	if page := s.progress.after(position); page != nil {
		return page, nil
	}
	page, err := s.ReadAll(ctx, position, MaxPageEvents)
	if err == nil {
		s.progress.page(page)
	}
	return page, err
}

// waitAfter waits until the log goes on after a place in it.
func (s *Store) waitAfter(ctx context.Context, at Checkpoint) error {
	for {
		head, changed := s.progress.get()
		if head.Epoch == at.Epoch && head.Position > at.Position {
			return nil
		}
		if head.Epoch != at.Epoch || head.Position < at.Position {
			// The log may have been restored under us; or what is known here lags behind the page that was read last.
			head, err := s.Head(ctx)
			if err != nil {
				return fmt.Errorf("follow the log: %w", err)
			}
			if err := at.check(head); err != nil {
				return err
			}
			continue
		}
		if err := s.waitChange(ctx, changed); err != nil {
			return err
		}
	}
}

// Wait returns once the log has reached the position, whichever node wrote it.
func (s *Store) Wait(ctx context.Context, position int64) error {
	for first := true; ; first = false {
		head, changed := s.progress.get()
		if head.Position >= position {
			return nil
		}
		if first {
			if _, err := s.Head(ctx); err != nil {
				return fmt.Errorf("wait for position %d: %w", position, err)
			}
			continue
		}
		if err := s.waitChange(ctx, changed); err != nil {
			return err
		}
	}
}

// waitChange waits until the head changes as far as this process knows, and makes it look meanwhile.
func (s *Store) waitChange(ctx context.Context, changed <-chan struct{}) error {
	s.progress.waiting.Add(1)
	defer s.progress.waiting.Add(-1)
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closed:
		return ErrClosed
	}
}

// watch looks for what other nodes have written, while somebody waits for it, until the store is closed.
func (s *Store) watch() {
	ticker := time.NewTicker(FollowPoll)
	defer ticker.Stop()
	for {
		select {
		case <-s.closed:
			return
		case <-ticker.C:
		}
		if s.progress.waiting.Load() > 0 {
			s.look()
		}
	}
}

// look reads the head once. A database that does not answer is asked again with the next tick.
func (s *Store) look() {
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	before := s.progress.position()
	if head, err := s.backend.Head(ctx); err == nil {
		s.progress.observed(before, head)
	}
}
