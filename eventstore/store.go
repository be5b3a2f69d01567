package eventstore

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// Options of a Store.
type Options struct {
	Clock func() time.Time // nil: time.Now
}

// Store is the ledger's log on one database: appends go through one committer, reads straight to the database.
type Store struct {
	backend  Backend
	source   string // of its records: the log's epoch
	progress *progress

	closing      sync.RWMutex  // held while closed is read or written, so that nothing enters a closed queue
	closed       chan struct{} // closed by Close
	queue        chan *pending
	waitingBytes atomic.Int64 // bytes of data in the queue
	gathered     atomic.Int64 // appends that the committer has taken for its next batch
	running      sync.WaitGroup
}

// Open starts the store's committer on a backend whose schema is up to date.
func Open(ctx context.Context, backend Backend, options Options) (*Store, error) {
	head, err := backend.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the event store: %w", err)
	}
	if options.Clock == nil {
		options.Clock = time.Now
	}
	s := &Store{
		backend:  backend,
		source:   "urn:uuid:" + head.Epoch.String(),
		progress: newProgress(head),
		closed:   make(chan struct{}),
		queue:    make(chan *pending, MaxQueue),
	}
	c := &committer{
		backend: backend, clock: options.Clock, queue: s.queue, waiting: &s.waitingBytes, gathered: &s.gathered,
		progress: s.progress, head: head,
	}
	s.running.Go(c.run)
	s.running.Go(s.watch)
	return s, nil
}

// Append commits one command's outcome. When it returns without error, the events are durable. Its errors are those listed in
// this package, a *ConflictError, an *AheadError, or ctx's: when ctx ends first, an append that still waits is dropped, one
// that the committer has taken goes on without its caller. As after ErrUnavailable, the same command id again finds out.
func (s *Store) Append(ctx context.Context, a Append) (Appended, error) {
	expects, err := a.validate()
	if err != nil {
		return Appended{}, err
	}
	drafts, err := encode(&a, s.source, expects)
	if err != nil {
		return Appended{}, err
	}
	p := &pending{ctx: ctx, append: &a, drafts: drafts, size: a.size(), outcome: make(chan outcome, 1)}
	if err := s.enqueue(p); err != nil {
		return Appended{}, err
	}
	select {
	case o := <-p.outcome:
		if o.earlier == nil {
			return o.appended, o.err
		}
		return s.repeat(ctx, &a, o)
	case <-ctx.Done():
		return Appended{}, fmt.Errorf("eventstore: the outcome of command %s is not known yet: %w", a.CommandID, ctx.Err())
	}
}

// enqueue hands an append to the committer, which answers it even when the store is closed meanwhile.
func (s *Store) enqueue(p *pending) error {
	s.closing.RLock()
	defer s.closing.RUnlock()
	if s.isClosed() {
		return ErrClosed
	}
	if s.waitingBytes.Add(p.size) > MaxQueueBytes {
		s.waitingBytes.Add(-p.size)
		return ErrQueueFull
	}
	select {
	case s.queue <- p:
		return nil
	default:
		s.waitingBytes.Add(-p.size)
		return ErrQueueFull
	}
}

// repeat answers an append whose command id the log has accepted before, be it this append's own doing.
func (s *Store) repeat(ctx context.Context, a *Append, o outcome) (Appended, error) {
	if o.earlier.BodyHash != a.BodyHash {
		return Appended{}, ErrCommandReused
	}
	appended, err := s.appended(ctx, *o.earlier)
	if err != nil {
		return Appended{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	appended.Repeated = !o.own
	return appended, nil
}

// appended reads what an accepted command raised.
func (s *Store) appended(ctx context.Context, c CommandRecord) (Appended, error) {
	appended := Appended{First: c.First, Last: c.Last, Repeated: true}
	if count := int(c.Last - c.First + 1); count > 0 {
		records, err := s.backend.ReadAll(ctx, c.First-1, count)
		if err != nil {
			return Appended{}, fmt.Errorf("read the events of command %s: %w", c.ID, err)
		}
		appended.Records = records
	}
	return appended, nil
}

// Command finds an accepted command and what it raised; ok is false when the log has none with this id.
func (s *Store) Command(ctx context.Context, id uuid.UUID) (record CommandRecord, appended Appended, ok bool, err error) {
	records, err := s.backend.Commands(ctx, []uuid.UUID{id})
	if err != nil || len(records) == 0 {
		return CommandRecord{}, Appended{}, false, err
	}
	appended, err = s.appended(ctx, records[0])
	return records[0], appended, err == nil, err
}

// ReadStream reads up to limit records (MaxPageEvents at most) of one stream with versions above after.
func (s *Store) ReadStream(ctx context.Context, stream StreamID, after int64, limit int) ([]Record, error) {
	return s.backend.ReadStream(ctx, stream, after, pageSize(limit))
}

// ReadAll reads up to limit records (MaxPageEvents at most) with positions above after.
func (s *Store) ReadAll(ctx context.Context, after int64, limit int) ([]Record, error) {
	return s.backend.ReadAll(ctx, after, pageSize(limit))
}

// ReadAt reads the records at positions (MaxPageEvents at most), in the log's order. A position past the log's end is an error: whoever
// asks for one has it from another log.
func (s *Store) ReadAt(ctx context.Context, positions []int64) ([]Record, error) {
	if len(positions) > MaxPageEvents {
		return nil, fmt.Errorf("eventstore: %d positions are asked for at once, but a page has %d events", len(positions), MaxPageEvents)
	}
	if len(positions) == 0 {
		return nil, nil
	}
	asked := slices.Compact(slices.Sorted(slices.Values(positions)))
	records, err := s.backend.ReadAt(ctx, asked)
	if err == nil && len(records) < len(asked) {
		err = fmt.Errorf("eventstore: of %d events asked for, up to position %d, the log has %d", len(asked), asked[len(asked)-1], len(records))
	}
	return records, err
}

func pageSize(limit int) int { return max(0, min(limit, MaxPageEvents)) }

// Versions reads how many events each stream holds, in the order asked.
func (s *Store) Versions(ctx context.Context, streams []StreamID) ([]int64, error) {
	tips, err := s.backend.Tips(ctx, streams)
	if err != nil {
		return nil, err
	}
	versions := make([]int64, len(tips))
	for i, tip := range tips {
		versions[i] = tip.Version
	}
	return versions, nil
}

// Head reads the log's end from the database, so that it includes what other nodes have committed.
func (s *Store) Head(ctx context.Context) (Head, error) {
	head, err := s.backend.Head(ctx)
	if err != nil {
		return Head{}, err
	}
	s.progress.read(head)
	return head, nil
}

// Committed is the position of the last event that this process knows to be in the log. It costs nothing, and other nodes may
// be further.
func (s *Store) Committed() int64 { return s.progress.position() }

// CommittedAt is the time of the last event that this process knows to be in the log. Whoever decides something must not believe
// that it is earlier: the log's time never runs backwards, whatever a clock says.
func (s *Store) CommittedAt() time.Time {
	head, _ := s.progress.get()
	return head.RecordedAt
}

// Waiting is how many appends wait for a batch to begin: at most MaxQueue that the committer has not taken yet, and those that it
// has gathered for its next batch.
func (s *Store) Waiting() int { return len(s.queue) + int(s.gathered.Load()) }

// Close lets appends under way finish and refuses later ones with ErrClosed; Follow and Wait end with it too. It does not
// close the database.
func (s *Store) Close() error {
	s.closing.Lock()
	if s.isClosed() {
		s.closing.Unlock()
		s.running.Wait()
		return nil
	}
	close(s.closed)
	close(s.queue)
	s.closing.Unlock()
	s.running.Wait()
	return s.backend.Close()
}

func (s *Store) isClosed() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}
