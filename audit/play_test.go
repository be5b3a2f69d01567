package audit_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/audit"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/eventstore/sqlite"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

// Who plays in hand-made logs: Vidal is a consultancy and Espiga a business.
var (
	vidal  = uuid.MustParse("0192f3c4-0000-7000-8000-000000000001")
	espiga = uuid.MustParse("0192f3c4-0000-7000-8000-000000000002")
	abaco  = uuid.MustParse("0192f3c4-0000-7000-8000-000000000003") // another consultancy
	pair   = domain.Pair{ConsultancyID: vidal, ClientID: espiga}

	anna  = domain.User(vidal, uuid.MustParse("0192f3c4-0000-7000-8000-0000000000a1"))  // owner
	nuria = domain.User(vidal, uuid.MustParse("0192f3c4-0000-7000-8000-0000000000a2"))  // account manager
	lucia = domain.User(espiga, uuid.MustParse("0192f3c4-0000-7000-8000-0000000000b1")) // owner
	pere  = domain.User(espiga, uuid.MustParse("0192f3c4-0000-7000-8000-0000000000b2")) // has the role sales
	xavi  = domain.User(abaco, uuid.MustParse("0192f3c4-0000-7000-8000-0000000000c1"))  // owner of Ábaco

	billing  = domain.Actor{Kind: domain.ActorService, Name: "billing"}
	reviewer = domain.Actor{Kind: domain.ActorReviewer, Name: "rosa"}
	clock    = domain.Actor{Kind: domain.ActorSystem, Name: "clock"}

	grantID, otherGrant     = uuid.MustParse("0192f3c4-0000-7000-8000-0000000000d1"), uuid.MustParse("0192f3c4-0000-7000-8000-0000000000d2")
	sessionID, otherSession = uuid.MustParse("0192f3c4-0000-7000-8000-0000000000e1"), uuid.MustParse("0192f3c4-0000-7000-8000-0000000000e2")
	invitationID            = uuid.MustParse("0192f3c4-0000-7000-8000-0000000000f1")
	role                    = domain.Role("0192f3c4-0000-7000-8000-0000000000f2")

	noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

	finance   = domain.Permissions{"sales": "edit", "expenses": "edit", "banking": "edit", "inbox": "edit", "contacts": "edit", "journal": "edit", "projects": "edit"}
	effective = domain.Permissions{"sales": "edit", "expenses": "edit", "banking": "edit", "inbox": "edit", "contacts": "edit", "journal": "edit"} // on plan basic
)

const day = 24 * time.Hour

// play writes a log by hand, an append at a time. Nobody checks what it is told to write.
type play struct {
	t        *testing.T
	store    *eventstore.Store
	now      time.Time
	versions map[eventstore.StreamID]int64
	policy   *audit.Policy
}

func newPlay(t *testing.T) *play {
	t.Helper()
	p := &play{t: t, now: noon, versions: map[eventstore.StreamID]int64{}}
	db := sqldbtest.SQLite(t)
	_, err := db.Write.ExecContext(t.Context(), "PRAGMA synchronous = OFF") // no test here pulls the plug, and each waits for the disk twenty times
	require.NoError(t, err)
	backend, err := sqlite.New(t.Context(), db)
	require.NoError(t, err)
	p.store, err = eventstore.Open(t.Context(), backend, eventstore.Options{Clock: func() time.Time { return p.now }})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.store.Close()) })
	return p
}

// after lets time pass.
func (p *play) after(d time.Duration) *play {
	p.now = p.now.Add(d)
	return p
}

// by appends events in the name of somebody, in one append.
func (p *play) by(actor domain.Actor, events ...domain.Event) *play {
	p.t.Helper()
	return p.append(eventstore.Append{CommandID: uuid.New(), Actor: actor.String()}, events...)
}

func (p *play) append(a eventstore.Append, events ...domain.Event) *play {
	p.t.Helper()
	for _, event := range events {
		data, err := json.Marshal(event)
		require.NoError(p.t, err)
		a.Events = append(a.Events, eventstore.NewEvent{ID: uuid.New(), Stream: streamOf(event), Type: event.EventType(), Data: data})
	}
	return p.raw(a)
}

// raw appends what is in no event of the domain.
func (p *play) raw(a eventstore.Append) *play {
	p.t.Helper()
	for _, e := range a.Events {
		expected := eventstore.StreamVersion{Stream: e.Stream, Version: p.versions[e.Stream]}
		known := false
		for _, before := range a.Expect {
			known = known || before.Stream == e.Stream
		}
		if !known {
			a.Expect = append(a.Expect, expected)
		}
	}
	for _, e := range a.Events {
		p.versions[e.Stream]++
	}
	_, err := p.store.Append(p.t.Context(), a)
	require.NoError(p.t, err)
	return p
}

func (p *play) check() audit.Report {
	p.t.Helper()
	report, err := audit.Check(p.t.Context(), p.store, audit.Options{Policy: p.policy})
	require.NoError(p.t, err)
	return report
}

// streamOf is the stream that an event belongs to.
func streamOf(event domain.Event) eventstore.StreamID {
	switch e := event.(type) {
	case domain.ClientAccountOpened:
		return eventstore.StreamID{Kind: domain.SessionStream, ID: e.SessionID}
	case domain.ClientAccountClosed:
		return eventstore.StreamID{Kind: domain.SessionStream, ID: e.SessionID}
	case domain.NotificationsRead:
		return eventstore.StreamID{Kind: domain.NotificationsStream, ID: domain.NotificationsID(e.AccountID, e.UserID)}
	case interface{ Webhook() domain.WebhookRef }:
		return eventstore.StreamID{Kind: domain.WebhookStream, ID: e.Webhook().WebhookID}
	case domain.TaskRaised:
		return eventstore.StreamID{Kind: domain.TaskStream, ID: e.TaskID}
	case domain.TaskCompleted:
		return eventstore.StreamID{Kind: domain.TaskStream, ID: e.TaskID}
	case domain.TaskCancelled:
		return eventstore.StreamID{Kind: domain.TaskStream, ID: e.TaskID}
	case domain.TaskReopened:
		return eventstore.StreamID{Kind: domain.TaskStream, ID: e.TaskID}
	}
	parties := event.Parties()
	if len(parties) == 2 {
		return eventstore.StreamID{Kind: domain.CollaborationStream, ID: domain.Pair{ConsultancyID: parties[0], ClientID: parties[1]}.CollaborationID()}
	}
	kind, _, _ := strings.Cut(event.EventType(), ".")
	return eventstore.StreamID{Kind: kind, ID: parties[0]}
}

// What happened before, each going on where the one before ends.

// registered is two open accounts with their people.
func registered(p *play) *play {
	p.by(billing, account(vidal, domain.Consultancy, anna)).by(billing, account(espiga, domain.Business, lucia))
	p.joins(nuria, domain.RoleAccountManager, anna).joins(pere, domain.RoleSales, lucia)
	return p.after(time.Hour)
}

func account(id uuid.UUID, kind domain.AccountType, owner domain.Actor) domain.AccountRegistered {
	e := domain.AccountRegistered{AccountID: id, Type: kind, Plan: domain.PlanBasic, Owner: person(owner)}
	if kind == domain.Consultancy {
		e.FirmKind = domain.Agency
	}
	return e
}

func person(who domain.Actor) domain.Person {
	return domain.Person{UserID: who.UserID, Name: "Somebody", Email: "somebody@firm.example"}
}

// joins invites a person and lets them join.
func (p *play) joins(who domain.Actor, as domain.Role, by domain.Actor) *play {
	p.t.Helper()
	id := uuid.New()
	p.by(by, domain.MemberInvited{AccountID: who.AccountID, InvitationID: id, Member: person(who), Role: as, ExpiresAt: p.now.Add(7 * day)})
	return p.by(who, domain.MemberJoined{AccountID: who.AccountID, InvitationID: id, Member: person(who), Role: as})
}

// listed is a partner in standing with an approved profile.
func listed(p *play) *play {
	registered(p).by(anna, domain.PartnershipApplied{ConsultancyID: vidal}).by(reviewer, domain.PartnershipAccepted{ConsultancyID: vidal})
	return p.by(anna, submitted(1)).by(reviewer, domain.ProfileApproved{ConsultancyID: vidal, Revision: 1})
}

func submitted(revision int) domain.ProfileSubmitted {
	return domain.ProfileSubmitted{ConsultancyID: vidal, Revision: revision, SubmittedBy: anna.String()}
}

// pending is a client that has asked.
func pending(p *play) *play { return listed(p).asks(1) }

func (p *play) asks(engagement int) *play {
	p.t.Helper()
	return p.by(lucia, domain.CollaborationRequested{
		Pair: pair, CollaborationID: pair.CollaborationID(), Engagement: engagement, Message: "Please", ExpiresAt: p.now.Add(90 * day),
	})
}

// active is a consultancy that has accepted.
func active(p *play) *play {
	return pending(p).by(anna, domain.CollaborationAccepted{Pair: pair, Engagement: 1}).after(time.Hour)
}

// granted is access until ten days later, and a task to do.
func granted(p *play) *play {
	active(p).by(lucia, grants(p, grantID, 1)).by(billing, raised())
	return p.after(time.Hour)
}

func grants(p *play, id uuid.UUID, epoch int) domain.AccessGranted {
	return domain.AccessGranted{
		Pair: pair, GrantID: id, RoleID: domain.RoleFinance, RoleVersion: 1, Permissions: finance, AccessEpoch: epoch, ExpiresAt: p.now.Add(10 * day),
	}
}

func raised() domain.TaskRaised {
	return domain.TaskRaised{TaskID: domain.TaskID(espiga, "erp-1"), ClientID: espiga, Section: domain.Sales, Title: "Categorise", ExternalRef: "erp-1", GoTo: "https://app.example"}
}

func completed(by uuid.UUID) domain.TaskCompleted {
	e := domain.TaskCompleted{TaskID: domain.TaskID(espiga, "erp-1"), ClientID: espiga, Section: domain.Sales}
	if by != uuid.Nil {
		e.ConsultancyID, e.GrantID = by, grantID
	}
	return e
}

// opens is a log-in as it should be.
func opens(p *play, who domain.Actor) domain.ClientAccountOpened {
	return domain.ClientAccountOpened{
		Pair: pair, SessionID: sessionID, UserID: who.UserID, GrantID: grantID, AccessEpoch: 1, StandingEpoch: 1, Permissions: effective, ExpiresAt: p.now.Add(time.Hour),
	}
}

// ended is an engagement that is over, with nothing left of it.
func ended(p *play) *play {
	granted(p).by(anna, domain.AccountManagerAssigned{Pair: pair, UserID: nuria.UserID})
	return p.by(lucia,
		domain.AccessRevoked{Pair: pair, GrantID: grantID, AccessEpoch: 2}, domain.AccountManagerUnassigned{Pair: pair, UserID: nuria.UserID},
		domain.CollaborationEnded{Pair: pair, Engagement: 1, EndedBy: domain.ClientSide, Reason: "Done", AccessEpoch: 3})
}

// again is the next engagement, active and without access.
func again(p *play) *play {
	return ended(p).asks(2).by(anna, domain.CollaborationAccepted{Pair: pair, Engagement: 2}).after(time.Hour)
}
