package projections

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/collabledger/collabledger/internal/sqldb"
)

// How many rows one statement takes.
const (
	maxStatementRows = 1_000 // at most, of those written, asked for or deleted
	minCopyRows      = 100   // from which on COPY costs Postgres less than INSERT, though it is parsed each time
)

// changes are what is to be written of one table.
type changes[K comparable, R any] struct {
	mapping[K, R]
	gone     []K
	fresh    []*R // rows that the table does not have
	replaced []*R // rows that it may have
}

// write writes the changes of one table.
func (c *changes[K, R]) write(ctx context.Context, tx tx) error {
	if tx.filling && len(c.gone)+len(c.replaced) > 0 {
		if err := tx.exec(ctx, c.table.keyIndex("{"+c.table.name+"}")); err != nil { // which such a table gets as late as possible
			return fmt.Errorf("index %s: %w", c.table.name, err)
		}
	}
	if err := c.remove(ctx, tx); err != nil {
		return fmt.Errorf("delete from %s: %w", c.table.name, err)
	}
	if err := c.insert(ctx, tx); err != nil {
		return fmt.Errorf("add to %s: %w", c.table.name, err)
	}
	if err := c.replace(ctx, tx); err != nil {
		return fmt.Errorf("replace in %s: %w", c.table.name, err)
	}
	return nil
}

func (c *changes[K, R]) remove(ctx context.Context, tx tx) error {
	for some := range slices.Chunk(c.gone, maxStatementRows) {
		condition, args, err := c.keyIn(tx, some)
		if err != nil {
			return err
		}
		if err := tx.exec(ctx, "DELETE FROM {"+c.table.name+"} WHERE "+condition, args...); err != nil {
			return err
		}
	}
	return nil
}

func (c *changes[K, R]) insert(ctx context.Context, tx tx) error {
	switch {
	case tx.dialect == sqldb.SQLite:
		return c.insertSQLite(ctx, tx, c.fresh, "")
	case len(c.fresh) >= minCopyRows:
		return c.copy(ctx, tx)
	}
	return c.insertListed(ctx, tx, c.fresh, "")
}

func (c *changes[K, R]) replace(ctx context.Context, tx tx) error {
	names := c.table.columnNames()
	action := "NOTHING"
	if len(names) > c.table.key {
		updates := make([]string, 0, len(names))
		for _, name := range names[c.table.key:] {
			updates = append(updates, name+" = excluded."+name)
		}
		action = "UPDATE SET " + strings.Join(updates, ", ")
	}
	conflict := fmt.Sprintf(" ON CONFLICT (%s) DO %s", strings.Join(names[:c.table.key], ", "), action)
	if tx.dialect == sqldb.SQLite {
		return c.insertSQLite(ctx, tx, c.replaced, conflict)
	}
	for some := range slices.Chunk(c.replaced, maxStatementRows) {
		if err := c.insertListed(ctx, tx, some, conflict); err != nil {
			return err
		}
	}
	return nil
}

// insertListed writes rows with one statement.
func (c *changes[K, R]) insertListed(ctx context.Context, tx tx, written []*R, conflict string) error {
	if len(written) == 0 {
		return nil
	}
	values := make([][]any, len(written))
	for i, row := range written {
		values[i] = c.fields(row)
	}
	source, args, err := tx.listed(c.table.columns, values)
	if err != nil {
		return err
	}
	columns := strings.Join(c.table.columnNames(), ", ")
	return tx.exec(ctx, fmt.Sprintf("INSERT INTO {%s} (%s) SELECT %s FROM %s%s", c.table.name, columns, columns, source, conflict), args...)
}

// insertSQLite writes rows with a prepared statement, one by one: for a statement of several rows SQLite keeps a journal of its own,
// in case that one of them fails.
func (c *changes[K, R]) insertSQLite(ctx context.Context, tx tx, written []*R, conflict string) error {
	if len(written) == 0 {
		return nil
	}
	text, err := expand(fmt.Sprintf("INSERT INTO {%s} (%s) VALUES (%s?)%s", c.table.name, strings.Join(c.table.columnNames(), ", "),
		strings.Repeat("?, ", len(c.table.columns)-1), conflict), tx.tables)
	if err != nil {
		return err
	}
	tx.busy.Lock()
	defer tx.busy.Unlock()
	statement, err := tx.conn.PrepareContext(ctx, text)
	if err != nil {
		return err
	}
	defer statement.Close()
	args := make([]any, len(c.table.columns))
	for _, row := range written {
		for i, field := range c.fields(row) {
			if args[i], err = c.table.columns[i].value(field); err != nil {
				return err
			}
		}
		// With a context that can end, the driver would start a goroutine for every run.
		if _, err := statement.ExecContext(context.WithoutCancel(ctx), args...); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// copy writes rows with Postgres's COPY, in its binary format.
func (c *changes[K, R]) copy(ctx context.Context, tx tx) error {
	text, err := expand(fmt.Sprintf("COPY {%s} (%s) FROM STDIN (FORMAT binary)", c.table.name, strings.Join(c.table.columnNames(), ", ")), tx.tables)
	if err != nil {
		return err
	}
	tx.busy.Lock()
	defer tx.busy.Unlock()
	return tx.conn.Raw(func(driverConn any) error {
		source := &copySource[K, R]{changes: c, left: c.fresh, encoded: []byte(copyBegin)}
		_, err := driverConn.(*stdlib.Conn).Conn().PgConn().CopyFrom(ctx, source, text)
		return err
	})
}

// The first and the last bytes of what COPY reads in the binary format: a signature, no flags, no extension; and no further row.
const (
	copyBegin = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"
	copyEnd   = "\xff\xff"
)

// copySource encodes rows as they are read.
type copySource[K comparable, R any] struct {
	changes *changes[K, R]
	left    []*R
	encoded []byte // that nobody has read yet
	ended   bool
}

// Read gives what comes next.
func (s *copySource[K, R]) Read(p []byte) (n int, err error) {
	for len(s.encoded) < len(p) && !s.ended {
		if len(s.left) == 0 {
			s.encoded, s.ended = append(s.encoded, copyEnd...), true
			break
		}
		if s.encoded, err = s.changes.appendBinary(s.encoded, s.left[0]); err != nil {
			return 0, err
		}
		s.left = s.left[1:]
	}
	if len(s.encoded) == 0 {
		return 0, io.EOF
	}
	n = copy(p, s.encoded)
	s.encoded = s.encoded[:copy(s.encoded, s.encoded[n:])]
	return n, nil
}

// appendBinary appends a row: how many columns it has, then each with its length in bytes.
func (c *changes[K, R]) appendBinary(encoded []byte, row *R) ([]byte, error) {
	encoded = binary.BigEndian.AppendUint16(encoded, uint16(len(c.table.columns)))
	for i, field := range c.fields(row) {
		var err error
		if encoded, err = c.table.columns[i].appendBinary(encoded, field); err != nil {
			return nil, err
		}
	}
	return encoded, nil
}

func (c column) appendBinary(encoded []byte, field any) ([]byte, error) {
	switch c.kind {
	case integer:
		value, err := integerOf(field)
		return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(encoded, 8), uint64(value)), err
	case boolean:
		value, err := booleanOf(field)
		encoded = binary.BigEndian.AppendUint32(encoded, 1)
		if value {
			return append(encoded, 1), err
		}
		return append(encoded, 0), err
	case identifier:
		id, err := identifierOf(field)
		return append(binary.BigEndian.AppendUint32(encoded, uint32(len(id))), id[:]...), err
	}
	value, err := textOf(field)
	return append(binary.BigEndian.AppendUint32(encoded, uint32(len(value))), value...), err
}
