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

// maxCopyRows is how many of its narrow rows one COPY takes. Postgres keeps the rows of a COPY until they fill 64 KiB, and what
// it spends on keeping them grows with the square of their number. Events are wide enough to be never that many.
const maxCopyRows = 128

// appendCommit writes a whole commit as the server reads it: one Query message with all statements, which are one transaction,
// then the data of each COPY in it.
func appendCommit(buffer []byte, from eventstore.Head, batch eventstore.Batch, locked bool) []byte {
	query := fmt.Appendf(nil, "EXECUTE move_head (%d, %d, %d, '%s')",
		from.Position, batch.Head.Position, toMicros(batch.Head.RecordedAt), from.Epoch)
	var data []func([]byte) []byte
	for commands := range slices.Chunk(batch.Commands, maxCopyRows) {
		query = append(query, "; COPY commands (command_id, body_hash, first_position, last_position) FROM STDIN (FORMAT binary)"...)
		data = append(data, func(b []byte) []byte { return appendCommands(b, commands) })
	}
	for begins := range slices.Chunk(beginnings(batch), maxCopyRows) {
		query = append(query, "; COPY streams (id, kind, first_position) FROM STDIN (FORMAT binary)"...)
		data = append(data, func(b []byte) []byte { return appendStreams(b, begins) })
	}
	if len(batch.Records) > 0 {
		query = append(query, "; COPY events (position, stream, version, record) FROM STDIN (FORMAT binary)"...)
		data = append(data, func(b []byte) []byte { return appendEvents(b, batch) })
	}
	if locked {
		query = append(query, "; COMMIT"...)
	}
	buffer = appendMessage(buffer, 'Q', func(b []byte) []byte { return append(append(b, query...), 0) })
	for _, appendRows := range data {
		buffer = appendCopy(buffer, appendRows)
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
