package postgres

import (
	"encoding/binary"
	"fmt"

	"github.com/collabledger/collabledger/eventstore"
)

// The ends of COPY data in Postgres's binary format: signature, no flags, no extension; and the mark after the last row.
const (
	copyBegin = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"
	copyEnd   = "\xff\xff"
)

// Sizes by which a commit is taken apart, found by measuring Postgres's CPU time.
const (
	// maxCopyRows is how many rows one COPY has. Postgres keeps a thousand rows of a binary COPY before it writes them, and
	// what it spends on keeping them grows with the square of their number.
	maxCopyRows = 128
	// copyDataBytes is how long a CopyData message becomes before another one begins. Postgres takes fresh memory for long ones.
	copyDataBytes = 16 << 10
)

// appendCommit writes a whole commit as the server reads it: one Query message with all statements, which are one transaction,
// then the data of each COPY in it.
func appendCommit(buffer []byte, from eventstore.Head, batch eventstore.Batch, locked bool) []byte {
	c := commit{query: fmt.Appendf(nil, "EXECUTE move_head (%d, %d, %d, '%s')",
		from.Position, batch.Head.Position, toMicros(batch.Head.RecordedAt), from.Epoch)}
	c.copy("commands (command_id, body_hash, first_position, last_position)", len(batch.Commands), func(b []byte, i int) []byte {
		command := &batch.Commands[i]
		b = appendFields(b, 4)
		b = appendBytes(b, command.ID[:])
		b = appendBytes(b, command.BodyHash[:])
		b = appendInt(b, command.First)
		return appendInt(b, command.Last)
	})
	begins := beginnings(batch)
	c.copy("streams (id, kind, first_position)", len(begins), func(b []byte, i int) []byte {
		record := begins[i]
		b = appendFields(b, 3)
		b = appendBytes(b, record.Stream.ID[:])
		b = appendBytes(b, record.Stream.Kind)
		return appendInt(b, record.Position)
	})
	c.copy("events (position, stream, version, record)", len(batch.Records), func(b []byte, i int) []byte {
		record := &batch.Records[i]
		b = appendFields(b, 4)
		b = appendInt(b, record.Position)
		b = appendInt(b, batch.Streams[i])
		b = appendInt(b, record.Version)
		return appendBytes(b, record.Bytes)
	})
	if locked {
		c.query = append(c.query, "; COMMIT"...)
	}
	buffer, start := beginMessage(buffer, 'Q')
	buffer = append(append(buffer, c.query...), 0)
	endMessage(buffer, start)
	return c.appendData(buffer)
}

// commit is what a commit consists of: a query of several statements, and the data for those that are COPYs.
type commit struct {
	query  []byte
	copies []copyRows
}

// copyRows is the data of one COPY.
type copyRows struct {
	from, to  int
	appendRow func(b []byte, i int) []byte
}

// copy adds rows of a table, with as many COPYs as they need.
func (c *commit) copy(into string, rows int, appendRow func(b []byte, i int) []byte) {
	for from := 0; from < rows; from += maxCopyRows {
		c.query = append(append(append(c.query, "; COPY "...), into...), " FROM STDIN (FORMAT binary)"...)
		c.copies = append(c.copies, copyRows{from, min(from+maxCopyRows, rows), appendRow})
	}
}

// appendData writes the data of all COPYs: each as CopyData messages, which may end anywhere, and a CopyDone message.
func (c *commit) appendData(buffer []byte) []byte {
	var start int
	for _, rows := range c.copies {
		buffer, start = beginMessage(buffer, 'd')
		buffer = append(buffer, copyBegin...)
		for i := rows.from; i < rows.to; i++ {
			if len(buffer)-start >= copyDataBytes {
				endMessage(buffer, start)
				buffer, start = beginMessage(buffer, 'd')
			}
			buffer = rows.appendRow(buffer, i)
		}
		buffer = append(buffer, copyEnd...)
		endMessage(buffer, start)
		buffer, start = beginMessage(buffer, 'c')
		endMessage(buffer, start)
	}
	return buffer
}

// beginMessage writes a protocol message's type, and room for the length of what follows.
func beginMessage(buffer []byte, kind byte) (begun []byte, start int) {
	return append(buffer, kind, 0, 0, 0, 0), len(buffer) + 1
}

// endMessage fills in the length, which counts itself.
func endMessage(buffer []byte, start int) {
	binary.BigEndian.PutUint32(buffer[start:], uint32(len(buffer)-start))
}

// beginnings are the events of the batch with which a stream begins.
func beginnings(batch eventstore.Batch) []*eventstore.Record {
	var begins []*eventstore.Record
	for i := range batch.Records {
		if record := &batch.Records[i]; batch.Streams[i] == record.Position {
			begins = append(begins, record)
		}
	}
	return begins
}

// appendFields begins a row.
func appendFields(b []byte, count uint16) []byte { return binary.BigEndian.AppendUint16(b, count) }

func appendInt(b []byte, value int64) []byte {
	b = append(b, 0, 0, 0, 8)
	return binary.BigEndian.AppendUint64(b, uint64(value))
}

// appendBytes writes a field that is bytes, text or a UUID.
func appendBytes[T []byte | string](b []byte, value T) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(value)))
	return append(b, value...)
}
