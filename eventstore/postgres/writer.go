package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/collabledger/collabledger/eventstore"
)

// Limits of the connection that writes.
const (
	closeTimeout = time.Second // for a farewell to a server that may not listen any more
	maxBuffer    = 4 << 20     // bytes of the buffer that are kept from one commit to the next
	behindEvents = 24          // in a batch that is sent behind another one; the rows of fewer take less time than the disk
)

// SQLSTATEs that say why a batch was not written.
const (
	divisionByZero       = "22012"
	uniqueViolation      = "23505"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
)

// errBroken says of a batch that was to follow another one that there is no connection, or none any more.
var errBroken = errors.New("the connection broke with the batch before")

// commandIndex is the unique index of command ids.
const commandIndex = "events_command"

// setUp prepares a connection for writing. Its plans are made once and for all, and while the tables are still small, so they
// must be told to use the indexes. move_head divides by the number of head rows it has moved, so that a batch that is fenced off
// ends there. A node that hangs under the lock loses it, and so does one whose machine or network is gone in the midst of a batch,
// which the server would else wait for by the hour; and none waits for another without end.
//
// The setting ledger.batch is the number of the last batch that this connection has written; what a batch that is not written sets is
// undone with it. So it tells a batch that is sent behind another one whether that was written.
//
// The long string is there for what freeing it does: a COPY takes and frees some hundred kilobytes, which glibc would give back to
// the kernel each time, to be asked for them again by the next. It keeps twice as much as the largest block freed so far.
const setUp = `
	SELECT octet_length(repeat(' ', 8 << 20));
	SET plan_cache_mode = force_generic_plan;
	SET enable_seqscan = off;
	SET default_transaction_isolation = 'read committed';
	SET idle_in_transaction_session_timeout = '5s';
	SET lock_timeout = '5s';
	SET tcp_keepalives_idle = '5s';
	SET tcp_keepalives_interval = '2s';
	SET tcp_keepalives_count = 3;
	SET tcp_user_timeout = '10s';
	SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
	PREPARE move_head (bigint, bigint, bigint, uuid, bigint, bigint) AS
		WITH moved AS (
			UPDATE log SET position = $2, recorded_at = $3
			WHERE position = $1 AND epoch = $4 AND ($6 = 0 OR current_setting('ledger.batch', true) = $6::text) RETURNING 1
		) SELECT 1 / count(*), set_config('ledger.batch', $5::text, false) FROM moved;
	PREPARE lock_head AS SELECT epoch, position, recorded_at FROM log ORDER BY position DESC LIMIT 1 FOR UPDATE;
	PREPARE read_tail (bigint, bigint) AS SELECT stream, version FROM events WHERE position > $1 ORDER BY position LIMIT $2`

// writer is the one connection that writes. A batch goes to the server in one piece and is answered in one: statements and
// COPY data follow each other without waiting for what the server says in between, which is a round trip saved for each of
// them. The protocol allows it: the server reads its messages in order, and after an error it ignores COPY data. So a batch may also
// follow another one that is not answered yet.
type writer struct {
	config *pgconn.Config
	conn   *pgconn.PgConn // nil when there is none that works; while a batch is under way, its outcome's alone
	socket net.Conn       // of conn, or of the last one that there was; nil before the first
	locked bool
	sent   int64 // batches, by which they are numbered from 1
	buffer []byte
}

// Behind is from how many events on a batch is sent behind another one.
func (b *Backend) Behind() int { return behindEvents }

// Commit sends a batch that is written if the head is still at from: move_head, then COPY, all in one transaction.
func (b *Backend) Commit(ctx context.Context, from eventstore.Head, batch eventstore.Batch, behind bool) (outcome func() error) {
	w := &b.writer
	after, locked := w.sent, false
	if !behind {
		if err := w.connect(ctx); err != nil {
			return func() error { return err }
		}
		after, locked, w.locked = 0, w.locked, false
	}
	w.sent++
	w.buffer = appendCommit(w.buffer[:0], place{from: from, number: w.sent, after: after}, batch, locked)
	err := w.send(ctx)
	if cap(w.buffer) > maxBuffer {
		w.buffer = nil
	}
	return func() error {
		if err != nil {
			w.close()
			return err
		}
		err := w.receive(ctx)
		if w.conn != nil && w.conn.TxStatus() != 'I' {
			err = errors.Join(err, w.rollback(ctx))
		}
		return err
	}
}

// Lock waits for the head row's lock, and reads in the same round trip what was committed before it was had. Each statement
// sees what was committed before that statement, so the second one sees all that the first has waited for.
func (b *Backend) Lock(ctx context.Context, after int64) (eventstore.Head, []eventstore.Tip, error) {
	w := &b.writer
	w.locked = false
	if err := w.connect(ctx); err != nil {
		return eventstore.Head{}, nil, err
	}
	results, err := w.conn.Exec(ctx, fmt.Sprintf("BEGIN; EXECUTE lock_head; EXECUTE read_tail (%d, %d)", after, eventstore.MaxTail)).ReadAll()
	if err != nil {
		w.close()
		return eventstore.Head{}, nil, fmt.Errorf("lock the log's head: %w", err)
	}
	head, tail, err := parseLocked(results)
	if err != nil {
		w.close()
		return eventstore.Head{}, nil, fmt.Errorf("lock the log's head: %w", err)
	}
	w.locked = true
	return head, tail, nil
}

// Unlock gives up the lock.
func (b *Backend) Unlock(ctx context.Context) error {
	b.writer.locked = false
	return b.writer.rollback(ctx)
}

// parseLocked reads the results of BEGIN and the two queries of Lock, which are text.
func parseLocked(results []*pgconn.Result) (eventstore.Head, []eventstore.Tip, error) {
	var head eventstore.Head
	if len(results) != 3 || len(results[1].Rows) != 1 {
		return head, nil, errors.New("the log has no head row")
	}
	var errs []error
	integer := func(text []byte) int64 {
		n, err := strconv.ParseInt(string(text), 10, 64)
		errs = append(errs, err)
		return n
	}
	row := results[1].Rows[0]
	epoch, err := uuid.ParseBytes(row[0])
	errs = append(errs, err)
	head = eventstore.Head{Epoch: epoch, Position: integer(row[1]), RecordedAt: fromMicros(integer(row[2]))}
	tail := make([]eventstore.Tip, len(results[2].Rows))
	for i, row := range results[2].Rows {
		tail[i] = eventstore.Tip{First: integer(row[0]), Version: integer(row[1])}
	}
	return head, tail, errors.Join(errs...)
}

// connect makes sure that there is a connection, outside of any transaction but one that holds the lock.
func (w *writer) connect(ctx context.Context) error {
	if w.conn != nil && !w.conn.IsClosed() {
		if w.locked || w.conn.TxStatus() == 'I' {
			return nil
		}
	}
	w.close()
	conn, err := pgconn.ConnectConfig(ctx, w.config)
	if err != nil {
		return fmt.Errorf("connect to write: %w", err)
	}
	w.conn, w.socket = conn, conn.Conn()
	if _, err := conn.Exec(ctx, setUp).ReadAll(); err != nil {
		w.close()
		return fmt.Errorf("prepare the connection that writes: %w", err)
	}
	return nil
}

// close ends the connection and with it whatever was under way.
func (w *writer) close() {
	if w.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	// What fails here is a connection that is given up anyway.
	_ = w.conn.Close(ctx)
	w.conn, w.locked = nil, false
}

// rollback ends a transaction that is not to be committed.
func (w *writer) rollback(ctx context.Context) error {
	if w.conn == nil {
		return nil
	}
	if _, err := w.conn.Exec(ctx, "ROLLBACK").ReadAll(); err != nil {
		w.close()
		return fmt.Errorf("roll back: %w", err)
	}
	return nil
}

// send sends the buffer. An error leaves open what the server does.
func (w *writer) send(ctx context.Context) error {
	if w.socket == nil {
		return errBroken
	}
	deadline, _ := ctx.Deadline()
	err := w.socket.SetWriteDeadline(deadline)
	if err == nil {
		_, err = w.socket.Write(w.buffer)
	}
	if err == nil {
		err = w.socket.SetWriteDeadline(time.Time{})
	}
	if err != nil {
		return fmt.Errorf("send the batch: %w", err)
	}
	return nil
}

// receive reads what the server says of one batch, until it is ready for more. An error that leaves open what the server did
// ends the connection.
func (w *writer) receive(ctx context.Context) error {
	if w.conn == nil {
		return errBroken
	}
	var refusal error
	deadline, _ := ctx.Deadline()
	err := w.socket.SetReadDeadline(deadline)
	for err == nil {
		var message pgproto3.BackendMessage
		if message, err = w.conn.ReceiveMessage(context.Background()); err != nil {
			break
		}
		switch message := message.(type) {
		case *pgproto3.ErrorResponse:
			refusal = refusalOf(pgconn.ErrorResponseToPgError(message))
		case *pgproto3.ReadyForQuery:
			return errors.Join(refusal, w.socket.SetReadDeadline(time.Time{}))
		}
	}
	w.close()
	return errors.Join(refusal, fmt.Errorf("read the answer to the batch: %w", err))
}

// refusalOf tells what the server's error means. Those named here are certain to have left nothing behind.
func refusalOf(err *pgconn.PgError) error {
	switch err.Code {
	case divisionByZero, serializationFailure, deadlockDetected:
		return fmt.Errorf("%w: %w", eventstore.ErrFenced, err)
	case uniqueViolation:
		if err.ConstraintName == commandIndex {
			return fmt.Errorf("%w: %w", eventstore.ErrDuplicate, err)
		}
		return fmt.Errorf("%w: %w", eventstore.ErrDuplicateStream, err)
	}
	return err
}
