package eventstore

import (
	"context"
	"errors"

	"github.com/google/uuid"
)

// Errors by which a Backend tells the committer why it wrote nothing.
var (
	ErrFenced          = errors.New("eventstore: another node moved the head of the log")
	ErrDuplicateStream = errors.New("eventstore: a stream of the batch is in the log already, or further on than the batch has it")
	ErrDuplicate       = errors.New("eventstore: a command id of the batch is in the log already")
)

// Backend is a database that holds a log: Postgres or SQLite. What each must do is written down in package storetest.
//
// A Backend decides nothing. The committer keeps the head and the tips of streams in memory, and the head's compare-and-set
// in Commit tells it whether its memory was still right. Lock, Unlock and Commit are called by one goroutine, the others by any;
// and none of the three before the last Commit's outcome is known, but a Commit behind another one.
type Backend interface {
	// Head reads the log's end.
	Head(ctx context.Context) (Head, error)
	// Tips reads where streams end, in the order asked.
	Tips(ctx context.Context, streams []StreamID) ([]Tip, error)
	// Commands finds those of the command ids that the log has accepted, in any order.
	Commands(ctx context.Context, ids []uuid.UUID) ([]CommandRecord, error)
	// Commit writes a batch in one durable transaction, provided that the log's head is still at from: else it writes nothing
	// and answers ErrFenced. A command id that is there already makes it write nothing and answer ErrDuplicate, a stream that
	// is not as the batch takes it to be ErrDuplicateStream. Any other error leaves open whether the batch was written; the
	// committer finds out by reading the command ids. Whatever it answers, a lock is released.
	//
	// Commit itself only sends the batch, if that is a step of its own. What it returns does the rest and waits for the answer,
	// in whatever goroutine, while ctx goes on.
	//
	// behind tells that the outcome of the Commit before is not known yet, and is called for first. Then the batch is written only if
	// that one was, else the answer is ErrFenced: where the head is does not tell, for another node may have moved it just as far.
	Commit(ctx context.Context, from Head, batch Batch, behind bool) (outcome func() error)
	// Behind is from how many events on a batch is better sent behind one that is being written than with what comes meanwhile; 0:
	// none is, and none is ever sent so.
	Behind() int
	// Lock waits for its turn and then keeps other nodes from moving the head until Commit or Unlock. It answers the head and
	// what the streams' tips became after position after, in the log's order, one tip for each event, MaxTail at most. It
	// drops whatever connection or lock was left from before.
	Lock(ctx context.Context, after int64) (Head, []Tip, error)
	// Unlock gives up a lock that nothing is to be committed under.
	Unlock(ctx context.Context) error
	// ReadStream reads records of one stream with versions above after, in order.
	ReadStream(ctx context.Context, stream StreamID, after int64, limit int) ([]Record, error)
	// ReadAll reads records with positions above after, in order.
	ReadAll(ctx context.Context, after int64, limit int) ([]Record, error)
	// ReadAt reads the records at those of the positions at which the log has one, in the log's order.
	ReadAt(ctx context.Context, positions []int64) ([]Record, error)
	// Close gives back what Commit and Lock hold, such as a connection. The database stays open.
	Close() error
}

// MaxTail is how many events' tips a Backend tells of at most after a Lock. A node that missed more forgets what it knew.
const MaxTail = 8_192

// Tip is where a stream ends. The position of its first event, which never changes, is the short key by which the database
// knows the stream: half as wide in the index as kind and UUID, and new streams go to the index's end.
type Tip struct {
	First   int64 // position of the stream's first event; 0: the stream has none
	Version int64 // how many events it holds
}

// CommandRecord is the log's memory of one accepted command.
type CommandRecord struct {
	ID          uuid.UUID
	BodyHash    [32]byte
	First, Last int64 // as in Appended
}

// Batch is what one transaction of the committer writes: events at the positions that follow the head, and their commands.
type Batch struct {
	Head     Head            // the log's end when the batch is written
	Records  []Record        // in the log's order; none when every command of the batch was done without an event
	Streams  []int64         // Tip.First of each record's stream; that of a stream that begins here is the record's own position
	Commands []CommandRecord // at least one, in the order of their events; each record is an event of one of them
}
