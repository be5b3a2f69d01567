package storetest

import (
	"encoding/json"
	"strings"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"testing"

	"github.com/collabledger/collabledger/eventstore"
)

func appendIsAtomic(t *testing.T, l *ledger) {
	store := l.open()
	one, two, three := newStream("account"), newStream("task"), newStream("session")
	first := l.append(store, extend(one, 0))
	require.Equal(t, []int64{1, 1}, []int64{first.First, first.Last})

	a := extend(one, 1)
	for _, stream := range []eventstore.StreamID{two, three} {
		a.Expect = append(a.Expect, eventstore.StreamVersion{Stream: stream})
	}
	for _, stream := range []eventstore.StreamID{two, one, three, two} {
		a.Events = append(a.Events, newEvent(stream))
	}
	second := l.append(store, a)
	require.Equal(t, []int64{2, 6}, []int64{second.First, second.Last})
	require.False(t, second.Repeated)
	require.Len(t, second.Records, 5)
	for i, want := range []struct {
		stream  eventstore.StreamID
		version int64
	}{{one, 2}, {two, 1}, {one, 3}, {three, 1}, {two, 2}} {
		record := second.Records[i]
		require.Equal(t, int64(2+i), record.Position)
		require.Equal(t, want.stream, record.Stream)
		require.Equal(t, want.version, record.Version)
		require.Equal(t, a.Events[i].Type, record.Type)
		require.Equal(t, a.CommandID, record.CommandID)
	}

	// One stale stream of three, and none of them is extended.
	stale := extend(one, 3, newStream("task"), two)
	stale.Expect[1].Version, stale.Expect[2].Version = 0, 1
	_, err := store.Append(l.ctx, stale)
	require.ErrorAs(t, err, new(*eventstore.ConflictError))
	require.Equal(t, append(first.Records, second.Records...), l.log(store))
}

func recordsAreTheSameEverywhere(t *testing.T, l *ledger) {
	store := l.open()
	stream := newStream("collaboration")
	a := eventstore.Append{
		CommandID: uuid.New(), BodyHash: [32]byte{1}, Expect: []eventstore.StreamVersion{{Stream: stream}},
		Actor: `user:"quoted"\back,"data":{}`, OnBehalfOf: "service:é☃", CorrelationID: `","commandid":"`, CausationID: "c",
		TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		Events: []eventstore.NewEvent{
			{ID: uuid.New(), Stream: stream, Type: "collaboration.AccessGranted.v1", Data: []byte(" {\"a\" : [1, 2],\n\"data\": \"\\u0000\\u2028<&>\" }\t")},
			{ID: uuid.New(), Stream: stream, Type: "collaboration.Noted.v2", Data: []byte(`{}`)},
		},
	}
	appended := l.append(store, a)
	require.Equal(t, appended.Records, l.log(store))
	fromStream, err := store.ReadStream(l.ctx, stream, 0, 10)
	require.NoError(t, err)
	require.Equal(t, appended.Records, fromStream)
	command, again, ok, err := store.Command(l.ctx, a.CommandID)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, eventstore.CommandRecord{ID: a.CommandID, BodyHash: a.BodyHash, First: 1, Last: 2}, command)
	require.Equal(t, appended.Records, again.Records)
	require.True(t, again.Repeated)

	head, err := store.Head(l.ctx)
	require.NoError(t, err)
	envelope, err := appended.Records[0].Envelope()
	require.NoError(t, err)
	require.Equal(t, eventstore.Envelope{
		ID: a.Events[0].ID.String(), Source: "urn:uuid:" + head.Epoch.String(), Type: "collaboration.AccessGranted.v1",
		Subject: stream.String(), Time: appended.Records[0].RecordedAt, Sequence: "1", StreamVersion: "1",
		Actor: a.Actor, OnBehalfOf: a.OnBehalfOf, CommandID: a.CommandID.String(),
		CorrelationID: a.CorrelationID, CausationID: a.CausationID, TraceParent: a.TraceParent,
		Data: json.RawMessage(`{"a":[1,2],"data":"\u0000\u2028<&>"}`),
	}, envelope)
	data, err := appended.Records[0].Data()
	require.NoError(t, err)
	require.Equal(t, envelope.Data, data)
}

func emptyAppend(t *testing.T, l *ledger) {
	store := l.open()
	stream := newStream("task")
	empty := eventstore.Append{CommandID: uuid.New(), Expect: []eventstore.StreamVersion{{Stream: stream}}}
	require.Equal(t, eventstore.Appended{First: 1, Last: 0}, l.append(store, empty))
	l.append(store, extend(stream, 0))

	_, err := store.Append(l.ctx, eventstore.Append{CommandID: uuid.New(), Expect: empty.Expect})
	require.Equal(t, &eventstore.ConflictError{Stream: stream, Expected: 0, Actual: 1}, err, "its expectation counts as well")
	nothing := eventstore.Append{CommandID: uuid.New()}
	require.Equal(t, eventstore.Appended{First: 2, Last: 1}, l.append(store, nothing))

	require.Equal(t, eventstore.Appended{First: 1, Last: 0, Repeated: true}, l.append(store, empty), "it is remembered")
	_, appended, ok, err := store.Command(l.ctx, nothing.CommandID)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, eventstore.Appended{First: 2, Last: 1, Repeated: true}, appended)
	require.Len(t, l.log(store), 1)
}

func largestAppend(t *testing.T, l *ledger) {
	store := l.open()
	a := eventstore.Append{CommandID: uuid.New()}
	for range eventstore.MaxAppendEvents {
		stream := newStream("task")
		a.Expect = append(a.Expect, eventstore.StreamVersion{Stream: stream})
		a.Events = append(a.Events, newEvent(stream))
	}
	big := newStream("task")
	b := extend(big, 0)
	b.Events[0].Data = []byte(`{"text":"` + strings.Repeat("x", eventstore.MaxDataBytes-11) + `"}`)
	require.Len(t, b.Events[0].Data, eventstore.MaxDataBytes)

	appended := l.append(store, a)
	require.Len(t, appended.Records, eventstore.MaxAppendEvents)
	largest := l.append(store, b)
	require.Equal(t, append(appended.Records, largest.Records...), l.log(store))
	require.Equal(t, appended.Records, l.append(store, a).Records, "as a repeat, in more than one page")
}

func manyCommands(t *testing.T, l *ledger) {
	const count = 300
	var appends []eventstore.Append
	for range count {
		appends = append(appends, extend(newStream("task"), 0))
	}
	store, answers := l.batch(appends...)
	log := l.log(store)
	require.Len(t, log, 1+count)
	for i, a := range answers {
		require.NoError(t, a.err)
		require.Equal(t, log[1+i:2+i], a.appended.Records, "in the order in which they came")
		_, appended, ok, err := store.Command(l.ctx, appends[i].CommandID)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, again(a.appended), appended)
	}
}

func largeAppendsBesideEachOther(t *testing.T, l *ledger) {
	note := []byte(`{"note":"` + strings.Repeat("x", eventstore.MaxDataBytes-20) + `"}`)
	var appends []eventstore.Append
	for range 3 {
		a := extend(newStream("task"), 0)
		for size := len(note); size <= eventstore.MaxAppendBytes/2; size += len(note) {
			a.Events = append(a.Events, eventstore.NewEvent{ID: uuid.New(), Stream: a.Expect[0].Stream, Type: "task.Changed.v1", Data: note})
		}
		appends = append(appends, a)
	}
	_, answers := l.batch(appends...)
	for i, answer := range answers {
		require.NoError(t, answer.err)
		require.Len(t, answer.appended.Records, len(appends[i].Events))
	}
}

func limits(t *testing.T, l *ledger) {
	store := l.open()
	stream := newStream("task")
	long := strings.Repeat("x", eventstore.MaxAttributeBytes+1)
	for name, breaks := range map[string]func(a *eventstore.Append){
		"nil command id":                     func(a *eventstore.Append) { a.CommandID = uuid.Nil },
		"nil event id":                       func(a *eventstore.Append) { a.Events[0].ID = uuid.Nil },
		"one event id twice":                 func(a *eventstore.Append) { a.Events = append(a.Events, a.Events[0]) },
		"nil stream id":                      func(a *eventstore.Append) { a.Events[0].Stream.ID, a.Expect[0].Stream.ID = uuid.Nil, uuid.Nil },
		"no kind":                            func(a *eventstore.Append) { a.Events[0].Stream.Kind, a.Expect[0].Stream.Kind = "", "" },
		"kind with a capital":                func(a *eventstore.Append) { a.Events[0].Stream.Kind, a.Expect[0].Stream.Kind = "Task", "Task" },
		"kind that is too long":              func(a *eventstore.Append) { a.Expect[0].Stream.Kind = long[:eventstore.MaxKindBytes+1] },
		"stream that nothing is expected of": func(a *eventstore.Append) { a.Expect[0].Stream = newStream("task") },
		"stream expected twice":              func(a *eventstore.Append) { a.Expect = append(a.Expect, a.Expect[0]) },
		"stream expected at two versions": func(a *eventstore.Append) {
			a.Expect = append(a.Expect, eventstore.StreamVersion{Stream: stream, Version: 1})
		},
		"negative version":       func(a *eventstore.Append) { a.Expect[0].Version = -1 },
		"no type":                func(a *eventstore.Append) { a.Events[0].Type = "" },
		"type with a slash":      func(a *eventstore.Append) { a.Events[0].Type = "task/Raised" },
		"type that is too long":  func(a *eventstore.Append) { a.Events[0].Type = long[:eventstore.MaxTypeBytes+1] },
		"no data":                func(a *eventstore.Append) { a.Events[0].Data = nil },
		"data that is not JSON":  func(a *eventstore.Append) { a.Events[0].Data = []byte(`{"a":}`) },
		"data that is no object": func(a *eventstore.Append) { a.Events[0].Data = []byte(`[1]`) },
		"data that goes on":      func(a *eventstore.Append) { a.Events[0].Data = []byte(`{} {}`) },
		"data that is not UTF-8": func(a *eventstore.Append) { a.Events[0].Data = []byte("{\"a\":\"\xff\"}") },
		"data that is too large": func(a *eventstore.Append) {
			a.Events[0].Data = []byte(`{"a":"` + strings.Repeat("x", eventstore.MaxDataBytes) + `"}`)
		},
		"attribute that is too long":    func(a *eventstore.Append) { a.Actor = long },
		"attribute that is not UTF-8":   func(a *eventstore.Append) { a.CausationID = "\xff" },
		"attribute with a line end":     func(a *eventstore.Append) { a.TraceParent = "a\nb" },
		"attribute with a noncharacter": func(a *eventstore.Append) { a.OnBehalfOf = "a\uffff" },
		"too many events":               func(a *eventstore.Append) { a.Events = events(stream, eventstore.MaxAppendEvents+1, `{}`) },
		"too many bytes": func(a *eventstore.Append) {
			a.Events = events(stream, eventstore.MaxAppendBytes/eventstore.MaxDataBytes+1, `{"a":"`+strings.Repeat("x", eventstore.MaxDataBytes-8)+`"}`)
		},
		"too many expectations": func(a *eventstore.Append) {
			for range eventstore.MaxAppendExpects {
				a.Expect = append(a.Expect, eventstore.StreamVersion{Stream: newStream("task")})
			}
		},
	} {
		a := extend(stream, 0)
		breaks(&a)
		_, err := store.Append(l.ctx, a)
		require.ErrorIs(t, err, eventstore.ErrInvalid, name)
		if a.CommandID != uuid.Nil {
			_, _, ok, err := store.Command(l.ctx, a.CommandID)
			require.NoError(t, err)
			require.False(t, ok, name)
		}
	}
	require.Empty(t, l.log(store))
	l.append(store, extend(stream, 0))
}

// events are many events of one stream with the same data.
func events(stream eventstore.StreamID, count int, data string) []eventstore.NewEvent {
	events := make([]eventstore.NewEvent, count)
	for i := range events {
		events[i] = newEvent(stream)
		events[i].Data = []byte(data)
	}
	return events
}

func kindsAreApart(t *testing.T, l *ledger) {
	store := l.open()
	account := newStream("account")
	partnership := eventstore.StreamID{Kind: "partnership", ID: account.ID}
	one, two := l.append(store, extend(account, 0)), l.append(store, extend(partnership, 0))
	for _, each := range []eventstore.Appended{one, two} {
		records, err := store.ReadStream(l.ctx, each.Records[0].Stream, 0, 10)
		require.NoError(t, err)
		require.Equal(t, each.Records, records)
	}
	// Names that sort or fold differently from byte to byte elsewhere.
	for _, kind := range []string{"a", "aa", "ab", "b"} {
		l.append(store, extend(eventstore.StreamID{Kind: kind, ID: account.ID}, 0))
	}
	l.log(store)
}

func recordsAtPositions(t *testing.T, l *ledger) {
	store := l.open()
	l.append(store, extend(newStream("task"), 0))
	a := extend(newStream("task"), 0)
	a.Events = events(a.Events[0].Stream, 7, `{}`)
	l.append(store, a)
	log := l.log(store)

	read, err := store.ReadAt(l.ctx, []int64{8, 1, 5, 1})
	require.NoError(t, err)
	require.Equal(t, []eventstore.Record{log[0], log[4], log[7]}, read, "in the log's order, each once")
	read, err = store.ReadAt(l.ctx, nil)
	require.NoError(t, err)
	require.Empty(t, read)
	for _, positions := range [][]int64{{9}, {0}, {1, 9}, make([]int64, eventstore.MaxPageEvents+1)} {
		_, err = store.ReadAt(l.ctx, positions)
		require.Error(t, err)
	}
}

func pages(t *testing.T, l *ledger) {
	store := l.open()
	stream, other := newStream("task"), newStream("task")
	const count = eventstore.MaxPageEvents + 10
	for at := int64(0); at < count; at += count / 2 {
		a := extend(stream, at)
		a.Expect = append(a.Expect, eventstore.StreamVersion{Stream: other, Version: at / (count / 2)})
		a.Events = append(events(stream, count/2, `{}`), newEvent(other))
		l.append(store, a)
	}
	log := l.log(store)
	require.Len(t, log, count+2)

	read := func(after int64, limit int) (all, ofStream []eventstore.Record) {
		all, err := store.ReadAll(l.ctx, after, limit)
		require.NoError(t, err)
		ofStream, err = store.ReadStream(l.ctx, stream, after, limit)
		require.NoError(t, err)
		return all, ofStream
	}
	for _, c := range []struct {
		after         int64
		limit         int
		all, ofStream int
	}{
		{0, 1, 1, 1},
		{0, 0, 0, 0},
		{0, -1, 0, 0},
		{0, count, eventstore.MaxPageEvents, eventstore.MaxPageEvents},
		{count - 3, 100, 5, 3},
		{count, 100, 2, 0},
		{count + 2, 100, 0, 0},
		{-1, 2, 2, 2},
	} {
		all, ofStream := read(c.after, c.limit)
		require.Len(t, all, c.all, "%+v", c)
		require.Len(t, ofStream, c.ofStream, "%+v", c)
		if c.all > 0 {
			require.Equal(t, max(c.after, 0)+1, all[0].Position)
		}
		if c.ofStream > 0 {
			require.Equal(t, max(c.after, 0)+1, ofStream[0].Version)
			require.Equal(t, stream, ofStream[c.ofStream-1].Stream)
		}
	}
	none, err := store.ReadStream(l.ctx, newStream("task"), 0, 10)
	require.NoError(t, err)
	require.Empty(t, none)
}

func versions(t *testing.T, l *ledger) {
	store := l.open()
	one, two := newStream("task"), newStream("task")
	l.append(store, extend(one, 0, two))
	l.append(store, extend(two, 1))
	got, err := store.Versions(l.ctx, []eventstore.StreamID{two, newStream("task"), one, two})
	require.NoError(t, err)
	require.Equal(t, []int64{2, 0, 1, 2}, got)
	got, err = store.Versions(l.ctx, nil)
	require.NoError(t, err)
	require.Empty(t, got)
}

func reopen(t *testing.T, l *ledger) {
	stream := newStream("task")
	first, err := eventstore.Open(l.ctx, l.node(), eventstore.Options{})
	require.NoError(t, err)
	appended := l.append(first, extend(stream, 0))
	before, err := first.Head(l.ctx)
	require.NoError(t, err)
	require.Equal(t, int64(1), before.Position)
	require.Equal(t, appended.Records[0].RecordedAt, before.RecordedAt)
	require.NotEqual(t, uuid.Nil, before.Epoch)
	require.NoError(t, first.Close())

	second := l.open()
	after, err := second.Head(l.ctx)
	require.NoError(t, err)
	require.Equal(t, before, after)
	require.Equal(t, int64(1), second.Committed())
	require.Equal(t, appended.Records, l.log(second))
	require.Equal(t, int64(2), l.append(second, extend(stream, 1)).First)
}
