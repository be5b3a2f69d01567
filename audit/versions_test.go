package audit_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/audit"
	"github.com/collabledger/collabledger/eventstore"
)

// read is the client's request, read by the consultancy, as the first version of ConversationRead told it.
func read(data string) func(*play) {
	return func(p *play) {
		p.raw(eventstore.Append{CommandID: uuid.New(), Actor: anna.String(), Events: []eventstore.NewEvent{{
			ID: uuid.New(), Stream: eventstore.StreamID{Kind: "collaboration", ID: pair.CollaborationID()}, Type: "collaboration.ConversationRead.v1",
			Data: []byte(`{"consultancyId":"` + vidal.String() + `","clientId":"` + espiga.String() + `","side":"consultancy",` + data + `}`),
		}}})
	}
}

// An earlier version is held to its own shape, and what it says to the same rules as the newest.
func TestEarlierVersionsAreChecked(t *testing.T) {
	for name, c := range map[string]struct {
		data string
		want audit.Code
	}{
		"as it was written then":       {`"upTo":1`, ""},
		"more read than written":       {`"upTo":2`, audit.CollaborationState},
		"a field of the version after": {`"messagesRead":1`, audit.EventMalformed},
		"in other bytes":               {`"upTo":1,"messagesRead":1`, audit.EventMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlay(t)
			pending(p)
			read(c.data)(p)
			report := p.check()
			if c.want == "" {
				require.Empty(t, report.Violations)
				return
			}
			require.Len(t, report.Violations, 1)
			require.Equal(t, c.want, report.Violations[0].Code)
			require.Equal(t, "collaboration.ConversationRead.v1", report.Violations[0].Events[0].Type)
		})
	}
}

// A policy names an event, and is tried on all its versions in the newest shape.
func TestPoliciesAreTriedOnEarlierVersions(t *testing.T) {
	p := newPlay(t)
	pending(p)
	read(`"upTo":1`)(p)
	p.policy = parsed(t, `{"rules":[{"name":"read-nothing","on":"ConversationRead","require":[{"field":"messagesRead","atMost":0}]}]}`)
	refused := p.check().Refused
	require.Len(t, refused, 1)
	require.Equal(t, "collaboration.ConversationRead.v1", refused[0].Events[0].Type)

	_, err := audit.ParsePolicy([]byte(`{"rules":[{"name":"r","on":"ConversationRead","require":[{"field":"upTo","atMost":0}]}]}`))
	require.ErrorContains(t, err, `ConversationRead has no field "upTo"`)
}
