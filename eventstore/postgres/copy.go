package postgres

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/collabledger/collabledger/eventstore"
)

// Parts of COPY data in Postgres's binary format: signature, no flags, no extension; and the mark after the last row.
const (
	copyBegin = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"
	copyEnd   = "\xff\xff"
	null      = "\xff\xff\xff\xff" // a field without a value
)

// Sizes by which a commit is taken apart, found by measuring Postgres's CPU time.
const (
	// maxCopyRows is how many rows one COPY has. Postgres keeps a thousand rows of a binary COPY before it writes them, and
	// what it spends on keeping them grows with the square of their number.
	maxCopyRows = 256
	// copyDataBytes is how long a CopyData message becomes before another one begins. Postgres takes fresh memory for long ones.
	copyDataBytes = 16 << 10
)

// copyStatement writes rows of events.
const copyStatement = "; COPY events (position, stream, version, last_position, command_id, body_hash, stream_id, stream_kind, record) FROM STDIN (FORMAT binary)"

// fields is how many each row has.
const fields = 9

// place is where a batch goes.
type place struct {
	from          eventstore.Head
	number, after int64 // its own on the connection, and that of the batch without which it must not be written; 0: of none
}

// appendCommit writes a whole commit as the server reads it: one Query message with all statements, which are one transaction,
// then the data of each COPY in it.
func appendCommit(buffer []byte, at place, batch eventstore.Batch, locked bool) []byte {
	rows := rowsOf(batch)
	buffer, start := beginMessage(buffer, 'Q')
	buffer = fmt.Appendf(buffer, "EXECUTE move_head (%d, %d, %d, '%s', %d, %d)",
		at.from.Position, batch.Head.Position, toMicros(batch.Head.RecordedAt), at.from.Epoch, at.number, at.after)
	for range slices.Chunk(rows, maxCopyRows) {
		buffer = append(buffer, copyStatement...)
	}
	if locked {
		buffer = append(buffer, "; COMMIT"...)
	}
	buffer = append(buffer, 0)
	endMessage(buffer, start)
	for rows := range slices.Chunk(rows, maxCopyRows) {
		buffer = appendData(buffer, rows)
	}
	return buffer
}

// row is one of events: an event, with the command if it is its first one; or a command that raised none.
type row struct {
	record  *eventstore.Record
	stream  int64
	command *eventstore.CommandRecord
}

func rowsOf(batch eventstore.Batch) []row {
	rows := make([]row, 0, len(batch.Records)+len(batch.Commands))
	next := 0
	for i := range batch.Commands {
		command := &batch.Commands[i]
		if command.Last < command.First {
			rows = append(rows, row{command: command})
		}
		for ; next < len(batch.Records) && batch.Records[next].Position <= command.Last; next++ {
			row := row{record: &batch.Records[next], stream: batch.Streams[next]}
			if row.record.Position == command.First {
				row.command = command
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// appendData writes the data of one COPY: as CopyData messages, which may end anywhere, and a CopyDone message.
func appendData(buffer []byte, rows []row) []byte {
	buffer, start := beginMessage(buffer, 'd')
	buffer = append(buffer, copyBegin...)
	for _, row := range rows {
		if len(buffer)-start >= copyDataBytes {
			endMessage(buffer, start)
			buffer, start = beginMessage(buffer, 'd')
		}
		buffer = appendRow(buffer, row)
	}
	buffer = append(buffer, copyEnd...)
	endMessage(buffer, start)
	buffer, start = beginMessage(buffer, 'c')
	endMessage(buffer, start)
	return buffer
}

func appendRow(b []byte, row row) []byte {
	b = binary.BigEndian.AppendUint16(b, fields)
	if row.record != nil {
		b = appendInt(b, row.record.Position)
		b = appendInt(b, row.stream)
		b = appendInt(b, row.record.Version)
	} else {
		b = append(b, null+null+null...)
	}
	if row.command != nil {
		b = appendInt(b, row.command.Last)
		b = appendBytes(b, row.command.ID[:])
		b = appendBytes(b, row.command.BodyHash[:])
	} else {
		b = append(b, null+null+null...)
	}
	if row.record != nil && row.record.Position == row.stream {
		b = appendBytes(b, row.record.Stream.ID[:])
		b = appendBytes(b, row.record.Stream.Kind)
	} else {
		b = append(b, null+null...)
	}
	if row.record != nil {
		return appendBytes(b, row.record.Bytes)
	}
	return append(b, null...)
}

// beginMessage writes a protocol message's type, and room for the length of what follows.
func beginMessage(buffer []byte, kind byte) (begun []byte, start int) {
	return append(buffer, kind, 0, 0, 0, 0), len(buffer) + 1
}

// endMessage fills in the length, which counts itself.
func endMessage(buffer []byte, start int) {
	binary.BigEndian.PutUint32(buffer[start:], uint32(len(buffer)-start))
}

func appendInt(b []byte, value int64) []byte {
	b = append(b, 0, 0, 0, 8)
	return binary.BigEndian.AppendUint64(b, uint64(value))
}

// appendBytes writes a field that is bytes, text or a UUID.
func appendBytes[T []byte | string](b []byte, value T) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(value)))
	return append(b, value...)
}
