package postgres

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/collabledger/collabledger/eventstore"
)

// The ends of COPY data in Postgres's binary format: signature, no flags, no extension; and the mark after the last row.
const (
	copyBegin = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"
	copyEnd   = "\xff\xff"
)

// appendCommit writes a whole commit as the server reads it: one Query message with all statements, which are one transaction,
// then the data of each COPY in it.
func appendCommit(buffer []byte, from eventstore.Head, batch eventstore.Batch, locked bool) []byte {
	query := fmt.Sprintf("EXECUTE move_head (%d, %d, %d, '%s')",
		from.Position, batch.Head.Position, toMicros(batch.Head.RecordedAt), from.Epoch)
	query += strings.Repeat("; COPY commands (command_id, body_hash, first_position, last_position) FROM STDIN (FORMAT binary)", (len(batch.Commands)+chunk-1)/chunk)
	begins := beginsStream(batch)
	if begins {
		query += "; COPY streams (id, kind, first_position) FROM STDIN (FORMAT binary)"
	}
	if len(batch.Records) > 0 {
		query += "; COPY events (position, stream, version, record) FROM STDIN (FORMAT binary)"
	}
	if locked {
		query += "; COMMIT"
	}
	buffer = appendMessage(buffer, 'Q', func(b []byte) []byte { return append(append(b, query...), 0) })
	for c := range slices.Chunk(batch.Commands, chunk) {
		buffer = appendCopy(buffer, func(b []byte) []byte { return appendCommands(b, c) })
	}
	if begins {
		buffer = appendCopy(buffer, func(b []byte) []byte { return appendStreams(b, batch) })
	}
	if len(batch.Records) > 0 {
		buffer = appendCopy(buffer, func(b []byte) []byte { return appendEvents(b, batch) })
	}
	return buffer
}

// beginsStream tells whether the batch has a stream's first event.
func beginsStream(batch eventstore.Batch) bool {
	for i := range batch.Records {
		if batch.Streams[i] == batch.Records[i].Position {
			return true
		}
	}
	return false
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

func appendStreams(b []byte, batch eventstore.Batch) []byte {
	for i := range batch.Records {
		record := &batch.Records[i]
		if batch.Streams[i] != record.Position {
			continue
		}
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

var chunk, _ = strconv.Atoi(os.Getenv("CHUNK"))
