package projections

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
)

// world is a ledger whose read models follow it while a test acts and asks.
type world struct {
	*ledger
	engine *Engine
}

var staff = ViewerFor(operator)

// onEach runs a test in a fresh world on each database.
func onEach(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	eachLedger(t, func(t *testing.T, l *ledger) {
		w := &world{ledger: l, engine: l.open()}
		l.run(w.engine)
		test(t, w)
	})
}

// settled waits until the read models have all that was done.
func (w *world) settled() context.Context {
	w.t.Helper()
	w.await(w.engine)
	return w.t.Context()
}

// pass moves the clock.
func (w *world) pass(d time.Duration) { w.now = w.now.Add(d) }

// client registers a business with a plan.
func (w *world) client(name string, plan domain.Plan) firm {
	w.t.Helper()
	return w.register(commands.RegisterAccount{Type: domain.Business, AccountDetails: details(name), Plan: plan, Owner: owner(name)})
}

// join makes a person a member of a firm.
func (w *world) join(f firm, name string, role domain.Role) domain.Actor {
	w.t.Helper()
	invited := w.do(f.owner, commands.InviteMember{
		AccountID: f.id, NewPerson: commands.NewPerson{Name: name, Email: uuid.NewString() + "@firm.example"}, Role: role,
	}).Result.(commands.InvitationResult)
	person := domain.User(f.id, invited.UserID)
	w.do(person, commands.AcceptInvitation{AccountID: f.id, InvitationID: invited.InvitationID})
	return person
}

// ask has the client ask the consultancy to collaborate.
func (w *world) ask(consultancy, client firm) commands.PairFields {
	w.t.Helper()
	pair := pair(consultancy, client)
	w.do(client.owner, commands.RequestCollaboration{PairFields: pair, Message: "Please keep our books."})
	return pair
}

// collaborate has the client ask and the consultancy accept.
func (w *world) collaborate(consultancy, client firm) commands.PairFields {
	w.t.Helper()
	pair := w.ask(consultancy, client)
	w.do(consultancy.owner, commands.AcceptCollaboration{PairFields: pair})
	return pair
}

// grant has the client grant access, until a moment if there is one.
func (w *world) grant(client firm, pair commands.PairFields, role domain.Role, until ...time.Time) uuid.UUID {
	w.t.Helper()
	terms := commands.GrantTerms{RoleID: role}
	if len(until) > 0 {
		terms.ExpiresAt = &until[0]
	}
	return w.do(client.owner, commands.GrantAccess{PairFields: pair, GrantTerms: terms}).Result.(commands.GrantResult).GrantID
}

// assign puts a person in charge of the client.
func (w *world) assign(consultancy firm, pair commands.PairFields, person domain.Actor) {
	w.t.Helper()
	w.do(consultancy.owner, commands.AssignAccountManagers{PairFields: pair, UserIDs: []uuid.UUID{person.UserID}})
}

// logIn opens the client's account.
func (w *world) logIn(person domain.Actor, pair commands.PairFields) uuid.UUID {
	w.t.Helper()
	return w.do(person, commands.OpenClientAccount{PairFields: pair, Purpose: "Monthly closing"}).Result.(commands.SessionResult).SessionID
}

// task raises a task of a client, due at a moment if there is one.
func (w *world) task(client firm, section domain.Section, title string, due ...time.Time) uuid.UUID {
	w.t.Helper()
	c := commands.RaiseTask{ClientID: client.id, Section: section, Title: title, ExternalRef: uuid.NewString(), GoTo: "https://app.example/1"}
	if len(due) > 0 {
		c.DueAt = &due[0]
	}
	return w.do(operator, c).Result.(commands.TaskResult).TaskID
}

// outOfStanding takes a consultancy's standing away.
func (w *world) outOfStanding(consultancy firm) {
	w.t.Helper()
	w.fact(domain.PartnershipStream, consultancy.id, domain.PartnershipRejected{ConsultancyID: consultancy.id, ReasonCode: "other"})
}

// fact appends an event that no command raises by itself.
func (w *world) fact(kind string, id uuid.UUID, event domain.Event) {
	w.t.Helper()
	data, err := json.Marshal(event)
	require.NoError(w.t, err)
	stream := eventstore.StreamID{Kind: kind, ID: id}
	versions, err := w.store.Versions(w.t.Context(), []eventstore.StreamID{stream})
	require.NoError(w.t, err)
	_, err = w.store.Append(w.t.Context(), eventstore.Append{
		CommandID: uuid.New(), Actor: operator.String(), Expect: []eventstore.StreamVersion{{Stream: stream, Version: versions[0]}},
		Events: []eventstore.NewEvent{{ID: uuid.New(), Stream: stream, Type: event.EventType(), Data: data}},
	})
	require.NoError(w.t, err)
}
