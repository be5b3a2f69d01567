package audit_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/audit"
	"github.com/collabledger/collabledger/domain"
)

// wrong is a hand-made log that breaks one rule: what happened before, and what must not have happened then.
type wrong struct {
	name    string
	code    audit.Code
	before  func(*play) *play
	happens func(*play)
	names   []string // the events told of: the one that breaks the rule, and those that it contradicts
}

func TestEachViolationIsReportedWithItsEvents(t *testing.T) {
	for _, w := range slices.Concat(wrongAccess(), wrongAuthority(), wrongAccounts(), wrongPartnerships(), wrongCollaborations(), wrongGrants(), wrongWork()) {
		t.Run(string(w.code)+"/"+w.name, func(t *testing.T) {
			p := newPlay(t)
			w.before(p)
			require.Empty(t, p.check().Violations, "the history before")
			w.happens(p)
			report := p.check()
			require.Len(t, report.Violations, 1)
			violation := report.Violations[0]
			require.Equal(t, w.code, violation.Code, violation.Detail)
			require.NotEmpty(t, violation.Source)
			require.NotEmpty(t, violation.Detail)
			require.Equal(t, w.names, eventNames(violation.Events))
			require.Equal(t, 1, report.Found)
		})
	}
}

// eventNames are the events' types without their streams' kinds and versions.
func eventNames(events []audit.EventRef) []string {
	names := []string{}
	for _, e := range events {
		names = append(names, strings.Split(e.Type, ".")[1])
	}
	return names
}

func TestEveryRuleIsBrokenByATest(t *testing.T) {
	broken := map[audit.Code]bool{}
	for _, w := range slices.Concat(wrongAccess(), wrongAuthority(), wrongAccounts(), wrongPartnerships(), wrongCollaborations(), wrongGrants(), wrongWork()) {
		broken[w.code] = true
	}
	for _, w := range wrongLogs() {
		broken[w.code] = true
	}
	for _, rule := range audit.Rules() {
		require.True(t, broken[rule.Code], "no test breaks %s", rule.Code)
	}
	require.Len(t, broken, len(audit.Rules()), "every code is in the list of rules")
}

func TestAWholeEngagementIsClean(t *testing.T) {
	p := newPlay(t)
	again(p).by(lucia, grants(p, otherGrant, 4))
	p.by(anna, domain.ClientAccountOpened{
		Pair: pair, SessionID: sessionID, UserID: anna.UserID, GrantID: otherGrant, AccessEpoch: 4, StandingEpoch: 1, Permissions: effective, ExpiresAt: p.now.Add(time.Hour),
	})
	p.by(anna, domain.TaskCompleted{TaskID: domain.TaskID(espiga, "erp-1"), ClientID: espiga, Section: domain.Sales, ConsultancyID: vidal, GrantID: otherGrant})
	p.after(time.Hour).by(clock, domain.ClientAccountClosed{Pair: pair, SessionID: sessionID, Reason: domain.Lapsed})
	p.by(lucia, domain.AccessAttested{Pair: pair, GrantID: otherGrant, AttestedAt: p.now})
	end := noon.Add(10*day + 4*time.Hour)
	p.after(3*day).by(clock, domain.GrantEndReminded{Pair: pair, GrantID: otherGrant, DaysBefore: 7, ExpiresAt: end})
	p.after(8*day).by(clock, domain.AccessExpired{Pair: pair, GrantID: otherGrant, AccessEpoch: 5, ExpiredAt: end})
	report := p.check()
	require.Empty(t, report.Violations)
	require.EqualValues(t, 27, report.Events)
	require.Equal(t, 6, report.Streams)
}

func TestWhatTheLedgerEndsByItselfIsClean(t *testing.T) {
	left := domain.PartnershipTerminated{ConsultancyID: vidal, Reason: "other"}
	for name, happens := range map[string]func(*play){
		"a request": func(p *play) {
			pending(p).by(reviewer, left).by(clock, domain.CollaborationDeclined{Pair: pair, Engagement: 1, ReasonCode: domain.DeclinedForGood})
		},
		"a collaboration": func(p *play) {
			granted(p).by(reviewer, left).by(clock, domain.AccessRevoked{Pair: pair, GrantID: grantID, AccessEpoch: 2},
				domain.CollaborationEnded{Pair: pair, Engagement: 1, EndedBy: domain.ConsultancySide, Reason: "The partnership ended.", AccessEpoch: 3})
		},
		"a log-in of an earlier standing": func(p *play) {
			granted(p).by(anna, opens(p, anna)).by(reviewer, domain.PartnershipSuspended{ConsultancyID: vidal, Reason: domain.SuspendedForBreach})
			p.by(reviewer, domain.PartnershipReinstated{ConsultancyID: vidal})
			p.by(clock, domain.ClientAccountClosed{Pair: pair, SessionID: sessionID, Reason: domain.Lost})
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlay(t)
			happens(p)
			require.Empty(t, p.check().Violations)
		})
	}
}

func TestAnEmptyLogIsClean(t *testing.T) {
	report := newPlay(t).check()
	require.Zero(t, report.Events)
	require.Empty(t, report.Violations)
}

func wrongAccess() []wrong {
	return []wrong{
		{"a log-in before any collaboration", audit.AccessNotActive, pending, func(p *play) {
			p.by(anna, opens(p, anna))
		}, []string{"ClientAccountOpened", "CollaborationRequested"}},
		{"a log-in after the end", audit.AccessNotActive, ended, func(p *play) {
			p.by(anna, opens(p, anna))
		}, []string{"ClientAccountOpened", "CollaborationEnded"}},
		{"a task completed after the end", audit.AccessNotActive, ended, func(p *play) {
			p.by(anna, completed(vidal))
		}, []string{"TaskCompleted", "CollaborationEnded"}},
		{"a log-in without a grant", audit.AccessNoGrant, active, func(p *play) {
			p.by(anna, opens(p, anna))
		}, []string{"ClientAccountOpened"}},
		{"a log-in after the revocation", audit.AccessNoGrant, granted, func(p *play) {
			p.by(lucia, domain.AccessRevoked{Pair: pair, GrantID: grantID, AccessEpoch: 2}).by(anna, opens(p, anna))
		}, []string{"ClientAccountOpened", "AccessRevoked"}},
		{"a task completed while the grant is suspended", audit.AccessNoGrant, granted, func(p *play) {
			p.by(lucia, domain.AccessSuspended{Pair: pair, GrantID: grantID, AccessEpoch: 2}).by(anna, completed(vidal))
		}, []string{"TaskCompleted", "AccessSuspended"}},
		{"a log-in while the partnership is suspended", audit.AccessNoStanding, granted, func(p *play) {
			p.by(reviewer, domain.PartnershipSuspended{ConsultancyID: vidal, Reason: domain.SuspendedForBreach}).by(anna, opens(p, anna))
		}, []string{"ClientAccountOpened", "PartnershipSuspended"}},
		{"a log-in of a manager who is not assigned", audit.AccessNotEntitled, granted, func(p *play) {
			p.by(nuria, opens(p, nuria))
		}, []string{"ClientAccountOpened"}},
		{"a task completed by a manager who was unassigned", audit.AccessNotEntitled, granted, func(p *play) {
			p.by(anna, domain.AccountManagerAssigned{Pair: pair, UserID: nuria.UserID}).by(anna, domain.AccountManagerUnassigned{Pair: pair, UserID: nuria.UserID})
			p.by(nuria, completed(vidal))
		}, []string{"TaskCompleted", "AccountManagerAssigned"}},
		{"a log-in to a closed account", audit.AccessAccountClosed, granted, func(p *play) {
			p.by(lucia, domain.AccountClosed{AccountID: espiga}).by(anna, opens(p, anna))
		}, []string{"ClientAccountOpened", "AccountClosed"}},
		{"a task completed outside the grant", audit.SectionNotGranted, active, func(p *play) {
			e := grants(p, grantID, 1)
			e.RoleID, e.Permissions = domain.RoleSales, domain.Permissions{"sales": "edit", "contacts": "edit", "banking": "read"}
			raise := domain.TaskRaised{TaskID: domain.TaskID(espiga, "erp-2"), ClientID: espiga, Section: domain.Banking, ExternalRef: "erp-2"}
			p.by(lucia, e).by(billing, raise)
			p.by(anna, domain.TaskCompleted{TaskID: raise.TaskID, ClientID: espiga, Section: domain.Banking, ConsultancyID: vidal, GrantID: grantID})
		}, []string{"TaskCompleted", "AccessGranted"}},
		{"a grant that permits more than its role", audit.PermissionsWrong, active, func(p *play) {
			e := grants(p, grantID, 1)
			e.RoleID = domain.RoleSales
			p.by(lucia, e)
		}, []string{"AccessGranted"}},
		{"a log-in to what the plan does not include", audit.PermissionsWrong, granted, func(p *play) {
			e := opens(p, anna)
			e.Permissions = finance
			p.by(anna, e)
		}, []string{"ClientAccountOpened", "AccessGranted", "AccountRegistered"}},
		{"a log-in after the grant's end", audit.ActedAfterEnd, granted, func(p *play) {
			p.after(10 * day)
			e := opens(p, anna)
			e.ExpiresAt = p.now.Add(-time.Hour)
			p.by(anna, e)
		}, []string{"ClientAccountOpened", "AccessGranted"}},
		{"a task completed at the grant's very end", audit.ActedAfterEnd, active, func(p *play) {
			p.by(lucia, grants(p, grantID, 1)).by(billing, raised()).after(10*day).by(anna, completed(vidal))
		}, []string{"TaskCompleted", "AccessGranted"}},
		{"an old epoch", audit.EpochStale, granted, func(p *play) {
			p.by(lucia, domain.AccessSuspended{Pair: pair, GrantID: grantID, AccessEpoch: 2}).by(lucia, domain.AccessResumed{Pair: pair, GrantID: grantID, AccessEpoch: 2})
			p.by(anna, opens(p, anna))
		}, []string{"ClientAccountOpened", "AccessSuspended"}},
		{"an old standing", audit.EpochStale, granted, func(p *play) {
			p.by(reviewer, domain.PartnershipSuspended{ConsultancyID: vidal, Reason: domain.SuspendedForBreach}).by(reviewer, domain.PartnershipReinstated{ConsultancyID: vidal})
			p.by(anna, opens(p, anna))
		}, []string{"ClientAccountOpened", "PartnershipReinstated"}},
		{"a grant of the engagement before", audit.EngagementRevived, again, func(p *play) {
			p.by(anna, opens(p, anna))
		}, []string{"ClientAccountOpened", "AccessGranted", "CollaborationAccepted"}},
		{"a manager of the engagement before", audit.EngagementRevived, again, func(p *play) {
			p.by(lucia, grants(p, otherGrant, 4))
			e := opens(p, nuria)
			e.GrantID, e.AccessEpoch = otherGrant, 4
			p.by(nuria, e)
		}, []string{"ClientAccountOpened", "AccountManagerAssigned"}},
		{"a grant resumed in the next engagement", audit.EngagementRevived, again, func(p *play) {
			p.by(lucia, domain.AccessResumed{Pair: pair, GrantID: grantID, AccessEpoch: 3})
		}, []string{"AccessResumed", "AccessGranted", "CollaborationAccepted"}},
	}
}

func wrongAuthority() []wrong {
	return []wrong{
		{"an acceptance after the request's end", audit.ActedAfterEnd, pending, func(p *play) {
			p.after(90*day).by(anna, domain.CollaborationAccepted{Pair: pair, Engagement: 1})
		}, []string{"CollaborationAccepted", "CollaborationRequested"}},
		{"an extension after the grant's end", audit.ActedAfterEnd, granted, func(p *play) {
			p.after(10*day).by(lucia, domain.AccessExtended{Pair: pair, GrantID: grantID, ExpiresAt: p.now.Add(day)})
		}, []string{"AccessExtended", "AccessGranted"}},
		{"a membership after the invitation's end", audit.ActedAfterEnd, registered, func(p *play) {
			carla := domain.User(vidal, uuid.New())
			p.by(anna, domain.MemberInvited{AccountID: vidal, InvitationID: invitationID, Member: person(carla), Role: domain.RoleAdministrator, ExpiresAt: p.now.Add(day)})
			p.after(day).by(carla, domain.MemberJoined{AccountID: vidal, InvitationID: invitationID, Member: person(carla), Role: domain.RoleAdministrator})
		}, []string{"MemberJoined", "MemberInvited"}},
		{"a request expired early", audit.ClockEarly, pending, func(p *play) {
			p.after(90*day-time.Second).by(clock, domain.RequestExpired{Pair: pair, Engagement: 1, ExpiredAt: p.now.Add(time.Second)})
		}, []string{"RequestExpired", "CollaborationRequested"}},
		{"a grant expired at another end than its own", audit.ClockEarly, granted, func(p *play) {
			p.after(10*day).by(clock, domain.AccessExpired{Pair: pair, GrantID: grantID, AccessEpoch: 2, ExpiredAt: p.now})
		}, []string{"AccessExpired", "AccessGranted"}},
		{"an invitation expired early", audit.ClockEarly, registered, func(p *play) {
			end := p.now.Add(day)
			p.by(anna, domain.MemberInvited{AccountID: vidal, InvitationID: invitationID, Member: person(nuria), Role: domain.RoleAdministrator, ExpiresAt: end})
			p.by(clock, domain.InvitationExpired{AccountID: vidal, InvitationID: invitationID, ExpiredAt: end})
		}, []string{"InvitationExpired", "MemberInvited"}},
		{"a reminder too early", audit.ClockEarly, granted, func(p *play) {
			p.by(clock, domain.GrantEndReminded{Pair: pair, GrantID: grantID, DaysBefore: 1, ExpiresAt: p.now.Add(10*day - time.Hour)})
		}, []string{"GrantEndReminded", "AccessGranted"}},
		{"a session expired early", audit.ClockEarly, granted, func(p *play) {
			p.by(anna, opens(p, anna)).by(clock, domain.ClientAccountClosed{Pair: pair, SessionID: sessionID, Reason: domain.Lapsed})
		}, []string{"ClientAccountClosed", "ClientAccountOpened"}},
		{"a revocation that keeps the epoch", audit.EpochNotRaised, granted, func(p *play) {
			p.by(lucia, domain.AccessRevoked{Pair: pair, GrantID: grantID, AccessEpoch: 1})
		}, []string{"AccessRevoked", "AccessGranted"}},
		{"an end that keeps the epoch", audit.EpochNotRaised, active, func(p *play) {
			p.by(lucia, domain.CollaborationEnded{Pair: pair, Engagement: 1, EndedBy: domain.ClientSide})
		}, []string{"CollaborationEnded"}},
		{"a resumption that raises the epoch", audit.EpochNotRaised, granted, func(p *play) {
			p.by(anna, domain.AccessSuspended{Pair: pair, GrantID: grantID, AccessEpoch: 2}).by(lucia, domain.AccessResumed{Pair: pair, GrantID: grantID, AccessEpoch: 3})
		}, []string{"AccessResumed", "AccessSuspended"}},
		{"a grant by the consultancy", audit.WidenedByOther, active, func(p *play) {
			p.by(anna, grants(p, grantID, 1))
		}, []string{"AccessGranted"}},
		{"a resumption by the consultancy", audit.WidenedByOther, granted, func(p *play) {
			p.by(anna, domain.AccessSuspended{Pair: pair, GrantID: grantID, AccessEpoch: 2}).by(anna, domain.AccessResumed{Pair: pair, GrantID: grantID, AccessEpoch: 2})
		}, []string{"AccessResumed"}},
		{"an attestation by a service", audit.WidenedByOther, granted, func(p *play) {
			p.by(billing, domain.AccessAttested{Pair: pair, GrantID: grantID, AttestedAt: p.now})
		}, []string{"AccessAttested"}},
		{"an acceptance by another consultancy", audit.ActorNotAParty, pending, func(p *play) {
			p.by(xavi, domain.CollaborationAccepted{Pair: pair, Engagement: 1})
		}, []string{"CollaborationAccepted"}},
		{"a log-in for somebody else", audit.ActorNotAParty, granted, func(p *play) {
			p.by(anna, opens(p, nuria))
		}, []string{"ClientAccountOpened"}},
		{"a grant by who has left", audit.ActorNotAMember, active, func(p *play) {
			p.by(lucia, domain.MemberRemoved{AccountID: espiga, UserID: pere.UserID}).by(pere, grants(p, grantID, 1))
		}, []string{"AccessGranted", "MemberRemoved"}},
		{"a grant by a member who may not", audit.RoleNotSufficient, active, func(p *play) {
			p.by(pere, grants(p, grantID, 1))
		}, []string{"AccessGranted", "MemberJoined"}},
		{"a message of a manager who is not assigned", audit.RoleNotSufficient, active, func(p *play) {
			p.by(nuria, domain.MessageSent{Pair: pair, MessageID: uuid.New(), From: domain.ConsultancySide, Body: "Hello"})
		}, []string{"MessageSent"}},
		{"an account registered by a person", audit.ActorKindWrong, registered, func(p *play) {
			p.by(xavi, account(abaco, domain.Consultancy, xavi))
		}, []string{"AccountRegistered"}},
		{"a message of a service", audit.ActorKindWrong, active, func(p *play) {
			p.by(billing, domain.MessageSent{Pair: pair, MessageID: uuid.New(), From: domain.ConsultancySide, Body: "Hello"})
		}, []string{"MessageSent"}},
		{"an application accepted by a member", audit.ActorKindWrong, registered, func(p *play) {
			p.by(anna, domain.PartnershipApplied{ConsultancyID: vidal}).by(anna, domain.PartnershipAccepted{ConsultancyID: vidal})
		}, []string{"PartnershipAccepted"}},
	}
}
