package journeys

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
)

// prepare is how a story begins: two or three accounts on each side, then a consultancy that is listed, is asked by a
// client, collaborates with it, and has access, with an account manager in charge who is logged in, and a task. It is appended at once, since commits
// take most of a journey's time; what the model makes of it is held to what the ledger does, as after any step.
func (j *journey) prepare(stage int) {
	count := rapid.IntRange(2, 3)
	var events []domain.Event
	var by []domain.Actor
	begin := func(actor domain.Actor, command commands.Command, created any, event domain.Event) {
		ruling := j.expects(actor, command)
		j.lines = append(j.lines, j.tell(actor, command))
		j.require(ruling.code == "", "the model does not expect %s", ruling.code)
		ruling.then(created)
		j.learn(command, created)
		j.recorded(streamOf(event).String())
		events, by = append(events, event), append(by, actor)
	}
	register := func(name string, c commands.RegisterAccount) {
		c.AccountDetails, c.Owner = details, commands.NewPerson{Name: "ann of " + name, Email: "ann@" + name + ".example"}
		owner := domain.Person{UserID: uuid.New(), Name: c.Owner.Name, Email: c.Owner.Email}
		e := domain.AccountRegistered{AccountID: uuid.New(), Type: c.Type, AccountDetails: details, Plan: c.Plan, FirmKind: c.FirmKind, Owner: owner}
		begin(billing, c, commands.AccountResult{AccountID: e.AccountID, OwnerUserID: owner.UserID}, e)
	}
	for _, name := range []string{"acme", "bold", "cork"}[:count.Draw(j.t, "consultancies")] {
		register(name, commands.RegisterAccount{Type: domain.Consultancy, Plan: domain.PlanBasic, FirmKind: domain.Agency})
	}
	for _, name := range []string{"dune", "elba", "fern"}[:count.Draw(j.t, "clients")] {
		register(name, commands.RegisterAccount{Type: domain.Business, Plan: domain.PlanPremium})
	}
	for i, part := range []func(func(domain.Actor, commands.Command, any, domain.Event)){j.getListed, j.getAsked, j.getTogether, j.getToWork} {
		if stage > i {
			part(begin)
		}
	}
	j.happened(events, by)
}

// getListed lets the first consultancy into the programme and the directory.
func (j *journey) getListed(begin func(domain.Actor, commands.Command, any, domain.Event)) {
	firm := j.firms[0]
	owner := domain.User(firm, j.people[firm][0])
	begin(owner, commands.ApplyForPartnership{ConsultancyID: firm}, nil, domain.PartnershipApplied{ConsultancyID: firm})
	begin(maria, commands.AcceptPartnership{ConsultancyID: firm}, nil, domain.PartnershipAccepted{ConsultancyID: firm})
	begin(owner, commands.SubmitProfile{ConsultancyID: firm, Profile: profile}, nil, domain.ProfileSubmitted{ConsultancyID: firm, Revision: 1, SubmittedBy: owner.String(), Profile: profile})
	begin(maria, commands.ApproveProfile{ConsultancyID: firm, Revision: 1}, nil, domain.ProfileApproved{ConsultancyID: firm, Revision: 1})
}

// getAsked has the first client ask the first consultancy to collaborate.
func (j *journey) getAsked(begin func(domain.Actor, commands.Command, any, domain.Event)) {
	pair, message := domain.Pair{ConsultancyID: j.firms[0], ClientID: j.shops[0]}, "Please keep our books."
	begin(domain.User(pair.ClientID, j.people[pair.ClientID][0]), commands.RequestCollaboration{PairFields: commands.PairFields(pair), Message: message}, commands.RequestResult{},
		domain.CollaborationRequested{Pair: pair, CollaborationID: pair.CollaborationID(), Engagement: 1, Message: message, ExpiresAt: j.start.Add(requestTerm)})
}

// getTogether begins their collaboration.
func (j *journey) getTogether(begin func(domain.Actor, commands.Command, any, domain.Event)) {
	pair := domain.Pair{ConsultancyID: j.firms[0], ClientID: j.shops[0]}
	begin(domain.User(pair.ConsultancyID, j.people[pair.ConsultancyID][0]), commands.AcceptCollaboration{PairFields: commands.PairFields(pair)}, nil, domain.CollaborationAccepted{Pair: pair, Engagement: 1})
}

// getToWork lets Dana, an account manager of the consultancy, into the client's account, where there is something to do.
func (j *journey) getToWork(begin func(domain.Actor, commands.Command, any, domain.Event)) {
	firm, shop := j.firms[0], j.shops[0]
	pair := domain.Pair{ConsultancyID: firm, ClientID: shop}
	theirs := commands.PairFields(pair)
	acme, dune, dana := domain.User(firm, j.people[firm][0]), domain.User(shop, j.people[shop][0]), domain.User(firm, j.dana)
	invitation, grant, session := uuid.New(), uuid.New(), uuid.New()
	who := domain.Person{UserID: j.dana, Name: "dana", Email: "dana@example.com"}
	may, _, _ := j.accounts[shop].permits(domain.RoleFinance)
	t := commands.RaiseTask{ClientID: shop, Section: domain.Sales, Title: "Categorise", ExternalRef: "erp-1", GoTo: "https://app.example/1"}
	id := domain.TaskID(shop, t.ExternalRef)

	begin(acme, commands.InviteMember{AccountID: firm, NewPerson: commands.NewPerson{Name: who.Name, Email: who.Email}, Role: domain.RoleAccountManager}, commands.InvitationResult{UserID: j.dana, InvitationID: invitation},
		domain.MemberInvited{AccountID: firm, InvitationID: invitation, Member: who, Role: domain.RoleAccountManager, ExpiresAt: j.start.Add(invitationTerm)})
	begin(dana, commands.AcceptInvitation{AccountID: firm, InvitationID: invitation}, nil, domain.MemberJoined{AccountID: firm, InvitationID: invitation, Member: who, Role: domain.RoleAccountManager})
	begin(acme, commands.AssignAccountManagers{PairFields: theirs, UserIDs: []uuid.UUID{j.dana}}, nil, domain.AccountManagerAssigned{Pair: pair, UserID: j.dana})
	begin(dune, commands.GrantAccess{PairFields: theirs, GrantTerms: commands.GrantTerms{RoleID: domain.RoleFinance}}, commands.GrantResult{GrantID: grant},
		domain.AccessGranted{Pair: pair, GrantID: grant, RoleID: domain.RoleFinance, RoleVersion: 1, Permissions: may, AccessEpoch: 1})
	begin(dana, commands.OpenClientAccount{PairFields: theirs}, commands.SessionResult{SessionID: session},
		domain.ClientAccountOpened{Pair: pair, SessionID: session, UserID: j.dana, GrantID: grant, AccessEpoch: 1, StandingEpoch: 1, Permissions: may, ExpiresAt: j.start.Add(longestSession)})
	begin(billing, t, commands.TaskResult{TaskID: id}, domain.TaskRaised{TaskID: id, ClientID: shop, Section: t.Section, Title: t.Title, ExternalRef: t.ExternalRef, GoTo: t.GoTo})
}

// beginner is in whose name beginnings are appended.
const beginner = "system:journey"

// happened appends events at once, and remembers who acted in each.
func (j *journey) happened(events []domain.Event, by []domain.Actor) {
	a := eventstore.Append{CommandID: uuid.New(), Actor: beginner}
	for _, event := range events {
		data, err := json.Marshal(event)
		require.NoError(j.t, err)
		stream := streamOf(event)
		a.Events = append(a.Events, eventstore.NewEvent{ID: uuid.New(), Stream: stream, Type: event.EventType(), Data: data})
		if begins := (eventstore.StreamVersion{Stream: stream}); !slices.Contains(a.Expect, begins) {
			a.Expect = append(a.Expect, begins)
		}
	}
	appended, err := j.ledger.Store.Append(j.t.Context(), a)
	require.NoError(j.t, err)
	for i, record := range appended.Records {
		j.ledger.beganBy[record.Position] = by[i]
	}
}

// streamOf is the stream that one of the events which begin a story extends.
func streamOf(event domain.Event) eventstore.StreamID {
	kind, _, _ := strings.Cut(event.EventType(), ".")
	parties := event.Parties()
	id := parties[0]
	switch e := event.(type) {
	case domain.ClientAccountOpened:
		id = e.SessionID
	case domain.TaskRaised:
		id = e.TaskID
	default:
		if kind == domain.CollaborationStream {
			id = domain.Pair{ConsultancyID: parties[0], ClientID: parties[1]}.CollaborationID()
		}
	}
	return eventstore.StreamID{Kind: kind, ID: id}
}
