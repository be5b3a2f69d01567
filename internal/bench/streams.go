package bench

import (
	"encoding/json"
	"math/rand/v2"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/eventstore"
)

// How the streams of one client of the append benchmark grow: as in a ledger, most events extend a stream and some begin one.
const (
	streamsPerClient = 16
	eventsPerStream  = 8 // on average
)

// The event of the append benchmark. It is what completing a task raises, the commonest fact of a ledger.
const (
	benchKind  = "task"
	benchType  = "task.TaskCompleted.v1"
	benchActor = "service:bench"
)

// stream is one that a client extends.
type stream struct {
	id      uuid.UUID
	key     int64 // the number of a client's stream, in the order in which they began
	version int64 // how many events it holds
}

func newStream() stream { return stream{id: uuid.New()} }

func (s stream) name() string { return s.streamID().String() }

func (s stream) streamID() eventstore.StreamID { return eventstore.StreamID{Kind: benchKind, ID: s.id} }

// clientStreams draws which stream a client extends next. Each client has its own, so that no two of them are in conflict.
type clientStreams struct {
	random *rand.Rand
	begun  *atomic.Int64 // how many streams all clients have begun
	open   [streamsPerClient]stream
}

// streamsOf makes the streams of each client, the same ones in each run but for their ids.
func streamsOf(clients int) []*clientStreams {
	begun := &atomic.Int64{}
	all := make([]*clientStreams, clients)
	for client := range all {
		all[client] = &clientStreams{random: rand.New(rand.NewPCG(uint64(client), eventsPerStream)), begun: begun}
	}
	return all
}

// next gives the stream that is extended next, as it is before.
func (c *clientStreams) next() stream {
	s := &c.open[c.random.IntN(streamsPerClient)]
	if s.version == 0 || c.random.IntN(eventsPerStream) == 0 {
		*s = stream{id: uuid.New(), key: c.begun.Add(1)}
	}
	before := *s
	s.version++
	return before
}

// benchData is the data of the benchmark's event.
func benchData(id uuid.UUID) json.RawMessage {
	return json.RawMessage(`{"taskId":"` + id.String() + `","clientId":"0192f3c4-0000-7000-8000-000000000002","section":"sales"}`)
}

// oneEvent is an append of the next event to a stream.
func oneEvent(s stream) eventstore.Append { return appendTo(1, s) }

// appendTo is an append of as many events to each of the streams.
func appendTo(events int, streams ...stream) eventstore.Append {
	a := eventstore.Append{CommandID: uuid.Must(uuid.NewV7()), Actor: benchActor}
	for _, s := range streams {
		a.Expect = append(a.Expect, eventstore.StreamVersion{Stream: s.streamID(), Version: s.version})
		for range events {
			a.Events = append(a.Events, eventstore.NewEvent{ID: uuid.Must(uuid.NewV7()), Stream: s.streamID(), Type: benchType, Data: benchData(s.id)})
		}
	}
	return a
}
