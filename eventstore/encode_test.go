package eventstore

import (
	"cmp"
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var (
	testEpoch   = uuid.MustParse("0d6e7f2a-6d3f-4e0e-9a59-6f1f5c3a2b10")
	testCommand = uuid.MustParse("019a2b3c-4d5e-7f60-8a9b-0c1d2e3f4a5b")
	testEvent   = uuid.MustParse("019a2b3c-4d5e-7f60-8a9b-0c1d2e3f4a5c")
	testStream  = StreamID{Kind: "collaboration", ID: uuid.MustParse("6b5f1b6e-2f0c-5d5e-9f6b-1a2b3c4d5e6f")}
)

// encodeOne encodes an append of one event and gives it a place.
func encodeOne(t require.TestingT, a Append, position, version int64, recordedAt time.Time) Record {
	expects, err := a.validate()
	require.NoError(t, err)
	drafts, err := encode(&a, "urn:uuid:"+testEpoch.String(), expects)
	require.NoError(t, err)
	require.Len(t, drafts, 1)
	// The committer may plan a batch more than once, with other places.
	draft := &drafts[0]
	at, other := stampOf(recordedAt), stampOf(time.Unix(0, 0).UTC())
	first := draft.finish(testStream, 1, 1, &other, a.CommandID)
	before := string(first.Bytes)
	require.Equal(t, int64(math.MaxInt64), draft.finish(testStream, math.MaxInt64, math.MaxInt64, &other, a.CommandID).Position)
	record := draft.finish(testStream, position, version, &at, a.CommandID)
	require.Equal(t, before, string(first.Bytes), "the bytes of an earlier plan stay as they are")
	return record
}

// The bytes of records are for ever: what is written here must never have to change.
func TestRecordsKeepTheirBytes(t *testing.T) {
	event := NewEvent{ID: testEvent, Stream: testStream, Type: "collaboration.AccessGranted.v1", Data: []byte("{\n  \"grantId\" : \"g\",\t\"roles\":[1.0, -2e3] }")}
	minimal := Append{CommandID: testCommand, Expect: []StreamVersion{{Stream: testStream}}, Events: []NewEvent{event}}
	full := minimal
	full.Actor, full.OnBehalfOf = `user:"anna"\é`, "account:1"
	full.CorrelationID, full.CausationID = "correlation", "causation"
	full.TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for _, c := range []struct {
		name              string
		append            Append
		position, version int64
		at                time.Time
		want              string
	}{
		{
			"every attribute", full, 1234567, 42, time.Date(2026, 3, 1, 11, 59, 59, 123456000, time.UTC),
			`{"specversion":"1.0","id":"019a2b3c-4d5e-7f60-8a9b-0c1d2e3f4a5c","source":"urn:uuid:0d6e7f2a-6d3f-4e0e-9a59-6f1f5c3a2b10",` +
				`"type":"collaboration.AccessGranted.v1","subject":"collaboration-6b5f1b6e-2f0c-5d5e-9f6b-1a2b3c4d5e6f",` +
				`"time":"2026-03-01T11:59:59.123456Z","datacontenttype":"application/json",` +
				`"dataschema":"/schemas/collaboration.AccessGranted.v1.json","sequence":"1234567","streamversion":"42",` +
				`"actor":"user:\"anna\"\\é","onbehalfof":"account:1","commandid":"019a2b3c-4d5e-7f60-8a9b-0c1d2e3f4a5b",` +
				`"correlationid":"correlation","causationid":"causation",` +
				`"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","data":{"grantId":"g","roles":[1.0,-2e3]}}`,
		},
		{
			"no optional attribute, no fraction", minimal, 1, 1, time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
			`{"specversion":"1.0","id":"019a2b3c-4d5e-7f60-8a9b-0c1d2e3f4a5c","source":"urn:uuid:0d6e7f2a-6d3f-4e0e-9a59-6f1f5c3a2b10",` +
				`"type":"collaboration.AccessGranted.v1","subject":"collaboration-6b5f1b6e-2f0c-5d5e-9f6b-1a2b3c4d5e6f",` +
				`"time":"2026-03-01T12:00:00.000000Z","datacontenttype":"application/json",` +
				`"dataschema":"/schemas/collaboration.AccessGranted.v1.json","sequence":"1","streamversion":"1",` +
				`"commandid":"019a2b3c-4d5e-7f60-8a9b-0c1d2e3f4a5b","data":{"grantId":"g","roles":[1.0,-2e3]}}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			record := encodeOne(t, c.append, c.position, c.version, c.at)
			require.Equal(t, c.want, string(record.Bytes))
			parsed, err := ParseRecord(record.Bytes)
			require.NoError(t, err)
			require.Equal(t, record, parsed)
		})
	}
}

func TestRecordsAreValidJSONWhateverTheyTell(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.OneOf(rapid.Rune(), rapid.SampledFrom([]rune(`"\,:{}`)))).Filter(validText)
		data, err := json.Marshal(map[string]string{rapid.String().Draw(t, "key"): rapid.String().Draw(t, "value"), "data": `,"data":`})
		require.NoError(t, err)
		a := Append{
			CommandID: testCommand, Expect: []StreamVersion{{Stream: testStream, Version: 6}},
			Events: []NewEvent{{ID: testEvent, Stream: testStream, Type: "task.Raised.v1", Data: data}},
			Actor:  text.Draw(t, "actor"), OnBehalfOf: text.Draw(t, "onbehalfof"), CorrelationID: text.Draw(t, "correlationid"),
			CausationID: text.Draw(t, "causationid"), TraceParent: text.Draw(t, "traceparent"),
		}
		at := time.UnixMicro(rapid.Int64Range(0, 4e15).Draw(t, "time")).UTC()
		position := rapid.Int64Min(1).Draw(t, "position")
		record := encodeOne(t, a, position, 7, at)

		parsed, err := ParseRecord(record.Bytes)
		require.NoError(t, err)
		require.Equal(t, record, parsed)
		envelope, err := record.Envelope()
		require.NoError(t, err)
		require.Equal(t, []string{a.Actor, a.OnBehalfOf, a.CorrelationID, a.CausationID, a.TraceParent},
			[]string{envelope.Actor, envelope.OnBehalfOf, envelope.CorrelationID, envelope.CausationID, envelope.TraceParent})
		require.Equal(t, cmp.Or(a.OnBehalfOf, a.Actor), record.Decider())
		require.True(t, at.Equal(envelope.Time))
		got, err := record.Data()
		require.NoError(t, err)
		require.Equal(t, string(data), string(got))
		require.Equal(t, string(data), string(envelope.Data))
	})
}

func TestBytesThatAreNoRecordAreRefused(t *testing.T) {
	whole := encodeOne(t, Append{
		CommandID: testCommand, Expect: []StreamVersion{{Stream: testStream}},
		Events: []NewEvent{{ID: testEvent, Stream: testStream, Type: "task.Raised.v1", Data: []byte(`{}`)}},
	}, 1, 1, time.Unix(0, 0).UTC()).Bytes
	commandEnds := len(whole) - len(`","data":{}}`)
	for cut := range commandEnds {
		_, err := ParseRecord(whole[:cut])
		require.ErrorIs(t, err, ErrNoRecord, "%s", whole[:cut])
	}
	for _, record := range []string{"", "{}", `{"type":"a"}`} {
		_, err := ParseRecord([]byte(record))
		require.ErrorIs(t, err, ErrNoRecord)
		_, err = Record{Bytes: []byte(record), Position: 7}.Data()
		require.ErrorContains(t, err, "position 7")
	}
	_, err := Record{Bytes: []byte("{"), Position: 7}.Envelope()
	require.ErrorContains(t, err, "position 7")
}

func BenchmarkParseRecord(b *testing.B) {
	record := encodeOne(b, Append{
		CommandID: testCommand, Expect: []StreamVersion{{Stream: testStream}}, Actor: "user:8f14e45f-ceea-467f-a0d5-1c2b3d4e5f60",
		Events: []NewEvent{{ID: testEvent, Stream: testStream, Type: "collaboration.AccessGranted.v1", Data: []byte(`{}`)}},
	}, 123456, 12, time.Unix(1772366399, 123456000).UTC()).Bytes
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseRecord(record); err != nil {
			b.Fatal(err)
		}
	}
}
