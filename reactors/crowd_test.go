package reactors

import (
	"encoding/json"
	"slices"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
)

// crowd lets a consultancy have many clients at once: of each ten, seven work with it and three have asked. The person is in charge of
// those who work with it, and logged in to their accounts.
func (l *ledger) crowd(consultancy firm, person domain.Actor, clients int) (active, pending []domain.Pair) {
	l.t.Helper()
	var events []eventstore.NewEvent
	var expect []eventstore.StreamVersion
	happened := func(kind string, id uuid.UUID, facts ...domain.Event) {
		expect = append(expect, eventstore.StreamVersion{Stream: eventstore.StreamID{Kind: kind, ID: id}})
		for _, fact := range facts {
			data, err := json.Marshal(fact)
			require.NoError(l.t, err)
			events = append(events, eventstore.NewEvent{ID: uuid.New(), Stream: eventstore.StreamID{Kind: kind, ID: id}, Type: fact.EventType(), Data: data})
		}
	}
	flush := func() {
		_, err := l.store.Append(l.t.Context(), eventstore.Append{CommandID: uuid.New(), Actor: "service:migration", Expect: slices.Clone(expect), Events: events})
		require.NoError(l.t, err)
		events, expect = nil, nil
	}
	may := domain.Permissions{domain.Sales: domain.Edit}
	for i := range clients {
		pair := domain.Pair{ConsultancyID: consultancy.id, ClientID: uuid.New()}
		grant, session := uuid.New(), uuid.New()
		happened(domain.AccountStream, pair.ClientID, domain.AccountRegistered{
			AccountID: pair.ClientID, Type: domain.Business, AccountDetails: details("Client"), Plan: domain.PlanBasic, Owner: domain.Person{UserID: uuid.New(), Name: "Owner", Email: "owner@firm.example"},
		})
		story := []domain.Event{domain.CollaborationRequested{
			Pair: pair, CollaborationID: pair.CollaborationID(), Engagement: 1, Message: "Please", ExpiresAt: l.now().Add(domain.RequestLasts),
		}}
		if i%10 < 7 {
			active = append(active, pair)
			story = append(story, domain.CollaborationAccepted{Pair: pair, Engagement: 1},
				domain.AccessGranted{Pair: pair, GrantID: grant, RoleID: domain.RoleSales, RoleVersion: 1, Permissions: may, AccessEpoch: 1},
				domain.AccountManagerAssigned{Pair: pair, UserID: person.UserID})
			happened(domain.SessionStream, session, domain.ClientAccountOpened{
				Pair: pair, SessionID: session, UserID: person.UserID, GrantID: grant, AccessEpoch: 1, StandingEpoch: 1, Permissions: may, ExpiresAt: l.now().Add(domain.MaxSessionLasts),
			})
		} else {
			pending = append(pending, pair)
		}
		happened(domain.CollaborationStream, pair.CollaborationID(), story...)
		if len(events) > eventstore.MaxAppendEvents/2 {
			flush()
		}
	}
	if len(events) > 0 {
		flush()
	}
	return active, pending
}

// counted counts the events after a position by type and by the stream's own thing, none of which may come twice.
func (l *ledger) counted(after int64) map[string]int {
	l.t.Helper()
	counts := map[string]int{}
	seen := map[string]bool{}
	for _, h := range l.log(after) {
		data, err := json.Marshal(h.event)
		require.NoError(l.t, err)
		key := h.event.EventType() + string(data)
		require.False(l.t, seen[key], "%s comes twice", key)
		seen[key] = true
		counts[h.event.EventType()]++
	}
	return counts
}

// terminated has the partnership ended for good.
func (l *ledger) terminates(consultancy firm) {
	l.t.Helper()
	l.do(operator, commands.TerminatePartnership{ConsultancyID: consultancy.id, Reason: "terms_breached"})
}
