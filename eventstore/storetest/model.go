package storetest

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/collabledger/collabledger/eventstore"
)

// model has two nodes append at random to a few streams, and compares what they answer with a model of a dozen lines.
func model(t *testing.T, l *ledger) {
	stores := []*eventstore.Store{l.open(), l.open()}
	rapid.Check(t, func(rt *rapid.T) {
		var streams []eventstore.StreamID
		for range 4 {
			streams = append(streams, newStream("task"))
		}
		versions := map[eventstore.StreamID]int64{}
		var accepted []eventstore.Append
		var answers []eventstore.Appended
		end, err := stores[0].Head(l.ctx)
		require.NoError(rt, err)
		begin, head := end.Position, end.Position
		for range rapid.IntRange(1, 12).Draw(rt, "appends") {
			store := stores[rapid.IntRange(0, 1).Draw(rt, "node")]
			if len(accepted) > 0 && rapid.IntRange(0, 4).Draw(rt, "repeat") == 0 {
				i := rapid.IntRange(0, len(accepted)-1).Draw(rt, "which")
				appended, err := store.Append(l.ctx, accepted[i])
				require.NoError(rt, err)
				require.Equal(rt, again(answers[i]), appended)
				continue
			}
			a := drawAppend(rt, streams, versions)
			var conflicts []error // any of which may be answered
			for _, e := range a.Expect {
				if actual := versions[e.Stream]; actual != e.Version {
					conflicts = append(conflicts, &eventstore.ConflictError{Stream: e.Stream, Expected: e.Version, Actual: actual})
				}
			}
			appended, err := store.Append(l.ctx, a)
			if len(conflicts) > 0 {
				require.Contains(rt, conflicts, err)
				continue
			}
			require.NoError(rt, err)
			require.Equal(rt, []int64{head + 1, head + int64(len(a.Events))}, []int64{appended.First, appended.Last})
			for i, e := range a.Events {
				head++
				versions[e.Stream]++
				require.Equal(rt, head, appended.Records[i].Position)
				require.Equal(rt, versions[e.Stream], appended.Records[i].Version)
			}
			accepted, answers = append(accepted, a), append(answers, appended)
		}
		requireReads(rt, l, stores[0], streams, begin, answers)
	})
}

// drawAppend makes an append that expects something of some streams, mostly what is true, and extends some of them.
func drawAppend(rt *rapid.T, streams []eventstore.StreamID, versions map[eventstore.StreamID]int64) eventstore.Append {
	a := eventstore.Append{CommandID: uuid.New(), BodyHash: [32]byte{rapid.Byte().Draw(rt, "hash")}}
	for _, stream := range rapid.SliceOfDistinct(rapid.SampledFrom(streams), rapid.ID).Draw(rt, "expected") {
		version := versions[stream]
		if rapid.IntRange(0, 9).Draw(rt, "stale") == 0 {
			version = rapid.Int64Range(0, version+2).Draw(rt, "version")
		}
		a.Expect = append(a.Expect, eventstore.StreamVersion{Stream: stream, Version: version})
		for range rapid.IntRange(0, 3).Draw(rt, "events") {
			a.Events = append(a.Events, newEvent(stream))
		}
	}
	return a
}

// requireReads checks that all reads give what was answered when it was appended.
func requireReads(rt *rapid.T, l *ledger, store *eventstore.Store, streams []eventstore.StreamID, begin int64, answers []eventstore.Appended) {
	var log []eventstore.Record
	byStream := map[eventstore.StreamID][]eventstore.Record{}
	for _, appended := range answers {
		log = append(log, appended.Records...)
		for _, record := range appended.Records {
			byStream[record.Stream] = append(byStream[record.Stream], record)
		}
	}
	all, err := store.ReadAll(l.ctx, begin, eventstore.MaxPageEvents)
	require.NoError(rt, err)
	require.Equal(rt, log, all)
	for _, stream := range streams {
		records, err := store.ReadStream(l.ctx, stream, 0, eventstore.MaxPageEvents)
		require.NoError(rt, err)
		require.Equal(rt, byStream[stream], records)
	}
}
