package projections

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"
)

// statements are sent to Postgres together, so that all of them take one round trip. Their parameters are encoded already, each as
// an array: to hand the driver every element as a value of its own would cost several times as much.
type statements struct {
	texts []string
	args  [][][]byte
	ends  []int // of each generation's, in the order of generations
}

func (q *statements) add(text string, args []any) error {
	encoded := make([][]byte, len(args))
	for i, arg := range args {
		array, ok := arg.(encodedArray)
		if !ok {
			return fmt.Errorf("a statement that is queued takes arrays, not %T", arg)
		}
		encoded[i] = array
	}
	q.texts, q.args = append(q.texts, text), append(q.args, encoded)
	return nil
}

// end notes that all statements of a generation are there.
func (q *statements) end() { q.ends = append(q.ends, len(q.texts)) }

// send sends them, and waits for all to be done. With an error it tells of which generation the statement is that failed.
func (q *statements) send(ctx context.Context, s session) (of int, err error) {
	if len(q.texts) == 0 {
		return 0, nil
	}
	done := 0
	s.busy.Lock()
	defer s.busy.Unlock()
	err = s.conn.Raw(func(driverConn any) error {
		var err error
		done, err = q.sendTo(ctx, driverConn.(*stdlib.Conn).Conn())
		return err
	})
	failed := min(done, len(q.texts)-1) // what goes wrong behind the last one counts as its failure
	return slices.IndexFunc(q.ends, func(end int) bool { return failed < end }), err
}

// sendTo tells how many statements were done.
func (q *statements) sendTo(ctx context.Context, conn *pgx.Conn) (done int, err error) {
	prepared := make([]*pgconn.StatementDescription, len(q.texts))
	for i, text := range q.texts {
		if prepared[i], err = conn.Prepare(ctx, text, text); err != nil { // once, for as long as the connection lasts
			return i, err
		}
	}
	pipeline := conn.PgConn().StartPipeline(ctx)
	for i, statement := range prepared {
		pipeline.SendQueryPrepared(statement.Name, q.args[i], []int16{pgtype.BinaryFormatCode}, nil)
	}
	if err = pipeline.Sync(); err == nil {
		done, err = q.await(pipeline)
	}
	return done, errors.Join(err, pipeline.Close())
}

// await reads what comes of the statements, one after the other.
func (q *statements) await(pipeline *pgconn.Pipeline) (done int, err error) {
	for done = range q.texts {
		results, err := pipeline.GetResults()
		if err != nil {
			return done, err
		}
		if of, ok := results.(*pgconn.ResultReader); ok {
			_, err = of.Close()
		}
		if err != nil {
			return done, err
		}
	}
	return len(q.texts), nil
}

// encodedArray is an array in Postgres's binary format.
type encodedArray []byte

// encodedArray is array, encoded: how many dimensions it has, whether nulls are in it, of what type it is, how long, and with which
// index it begins; then its elements, each with its length in bytes, as in what COPY reads.
func (c column) encodedArray(rows [][]any, i int) (any, error) {
	const (
		header  = 5 * 4
		element = 4 + 16 // unless it is a longer text
	)
	array := make(encodedArray, 0, header+len(rows)*element)
	for _, part := range []uint32{1, 0, c.kind.elementType(), uint32(len(rows)), 1} {
		array = binary.BigEndian.AppendUint32(array, part)
	}
	var err error
	for _, row := range rows {
		if array, err = c.appendBinary(array, row[i]); err != nil {
			return nil, err
		}
	}
	return array, nil
}

// elementType is the number by which Postgres knows the type of such values.
func (k columnKind) elementType() uint32 {
	switch k {
	case integer:
		return pgtype.Int8OID
	case boolean:
		return pgtype.BoolOID
	case identifier:
		return pgtype.UUIDOID
	}
	return pgtype.TextOID
}
