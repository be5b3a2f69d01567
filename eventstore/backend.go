package eventstore

import (
	"context"
	"errors"

	"github.com/google/uuid"
)

// Errors by which a Backend tells the committer why it wrote nothing.
var (
	ErrFenced          = errors.New("eventstore: another node moved the head of the log")
	ErrDuplicateStream = errors.New("eventstore: a stream already has an event of this version")
	ErrDuplicate       = errors.New("eventstore: a command id of the batch is in the log already")
)

// Backend is a database that holds a log: Postgres or SQLite. What each must do is written down in package storetest.
//
// A Backend decides nothing. The committer keeps the head and the versions of streams in memory, and the head's compare-and-set
// in Commit tells it whether its memory was still right.
type Backend interface {
	// Head reads the log's end.
	Head(ctx context.Context) (Head, error)
	// Versions reads how many events each stream holds, in the order asked.
	Versions(ctx context.Context, streams []StreamID) ([]int64, error)
	// Commands finds those of the command ids that the log has accepted, in any order.
	Commands(ctx context.Context, ids []uuid.UUID) ([]CommandRecord, error)
	// Commit writes a batch in one durable transaction, provided that the log's head is still at from: else it writes nothing
	// and answers ErrFenced. A command id that is there already makes it write nothing and answer ErrDuplicate. Any other error
	// leaves open whether the batch was written; the committer finds out by reading the command ids.
	Commit(ctx context.Context, from Head, batch Batch) error
	// ReadStream reads records of one stream with versions above after, in order.
	ReadStream(ctx context.Context, stream StreamID, after int64, limit int) ([]Record, error)
	// ReadAll reads records with positions above after, in order.
	ReadAll(ctx context.Context, after int64, limit int) ([]Record, error)
}

// CommandRecord is the log's memory of one accepted command.
type CommandRecord struct {
	ID          uuid.UUID
	BodyHash    [32]byte
	First, Last int64 // as in Appended
}

// Batch is what one transaction of the committer writes: events at the positions that follow the head, and their commands.
type Batch struct {
	Records  []Record
	Commands []CommandRecord
}
