package eventstore

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Options of a Store.
type Options struct {
	Clock func() time.Time // nil: time.Now
}

// Store is the ledger's log on one database: appends go through one committer, reads straight to the database.
type Store struct{}

// Open starts the store's committer on a backend whose schema is up to date.
func Open(ctx context.Context, backend Backend, options Options) (*Store, error) {
	panic("not written")
}

// Append commits one command's outcome. When it returns without error, the events are durable.
func (s *Store) Append(ctx context.Context, a Append) (Appended, error) { panic("not written") }

// Command finds an accepted command and what it raised; ok is false when the log has none with this id.
func (s *Store) Command(ctx context.Context, id uuid.UUID) (record CommandRecord, appended Appended, ok bool, err error) {
	panic("not written")
}

// ReadStream reads up to limit records (MaxPageEvents at most) of one stream with versions above after.
func (s *Store) ReadStream(ctx context.Context, stream StreamID, after int64, limit int) ([]Record, error) {
	panic("not written")
}

// ReadAll reads up to limit records (MaxPageEvents at most) with positions above after.
func (s *Store) ReadAll(ctx context.Context, after int64, limit int) ([]Record, error) {
	panic("not written")
}

// Versions reads how many events each stream holds, in the order asked.
func (s *Store) Versions(ctx context.Context, streams []StreamID) ([]int64, error) {
	panic("not written")
}

// Head reads the log's end from the database, so that it includes what other nodes have committed.
func (s *Store) Head(ctx context.Context) (Head, error) { panic("not written") }

// Wait returns once the log has reached the position, whichever node wrote it.
func (s *Store) Wait(ctx context.Context, position int64) error { panic("not written") }

// Checkpoint is how far a follower has come, and in which incarnation of the log.
type Checkpoint struct {
	Epoch    uuid.UUID // zero: the follower has not begun
	Position int64     // of the last event that it has handled
}

// AheadError stops a follower whose checkpoint is not a place in this log: past its end, or of another incarnation (a restore).
// It is never retried; somebody has to look.
type AheadError struct {
	Checkpoint Checkpoint
	Head       Head
}

func (e *AheadError) Error() string { panic("not written") }

// Follow hands the log to a follower, page after page in order (MaxPageEvents at most each), from its checkpoint on, and waits
// for more at the end, until ctx ends or handle fails; it returns that error. handle saves the checkpoint with what it wrote.
// New events wake it at once when this process appended them, and within FollowPoll otherwise.
func (s *Store) Follow(ctx context.Context, from Checkpoint, handle func(ctx context.Context, page []Record) error) error {
	panic("not written")
}

// Close lets appends under way finish and refuses later ones with ErrClosed. It does not close the database.
func (s *Store) Close() error { panic("not written") }
