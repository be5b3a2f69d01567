package postgres

import (
	"encoding/binary"
	"fmt"
	"slices"

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
	buffer = appendMessage(buffer, 'Q', append(c.query, 0))
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
	for _, rows := range c.copies {
		buffer, start := beginMessage(buffer, 'd')
		...
	}
	return buffer
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

func appendCommands(b []byte, commands []eventstore.CommandRecord) []byte {
	for i := range commands {
		command := &commands[i]
		b = appendFields(b, 4)
		b = appendBytes(b, command.ID[:])
		b = appendBytes(b, command.BodyHash[:])
		b = appendInt(b, command.First)
		b = appendInt(b, command.Last)
	}
	return b
}

func appendStreams(b []byte, begins []*eventstore.Record) []byte {
	for _, record := range begins {
		b = appendFields(b, 3)
		b = appendBytes(b, record.Stream.ID[:])
		b = appendBytes(b, record.Stream.Kind)
		b = appendInt(b, record.Position)
	}
	return b
}

func appendEvents(b []byte, batch eventstore.Batch) []byte {
	for i := range batch.Records {
		record := &batch.Records[i]
		b = appendFields(b, 4)
		b = appendInt(b, record.Position)
		b = appendInt(b, batch.Streams[i])
		b = appendInt(b, record.Version)
		b = appendBytes(b, record.Bytes)
	}
	return b
}

// appendCopy writes one COPY's rows as a CopyData message and the CopyDone message after it.
func appendCopy(buffer []byte, appendRows func([]byte) []byte) []byte {
	buffer = appendMessage(buffer, 'd', func(b []byte) []byte {
		return append(appendRows(append(b, copyBegin...)), copyEnd...)
	})
	return appendMessage(buffer, 'c', func(b []byte) []byte { return b })
}

// appendMessage writes a protocol message: type, length of what follows with the length itself, body.
func appendMessage(buffer []byte, kind byte, appendBody func([]byte) []byte) []byte {
	buffer = append(buffer, kind, 0, 0, 0, 0)
	start := len(buffer)
	buffer = appendBody(buffer)
	binary.BigEndian.PutUint32(buffer[start-4:], uint32(len(buffer)-start+4))
	return buffer
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
