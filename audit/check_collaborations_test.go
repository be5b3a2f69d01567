package audit_test

import (
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/audit"
	"github.com/collabledger/collabledger/domain"
)

func wrongCollaborations() []wrong {
	message := func(from domain.Side) domain.MessageSent {
		return domain.MessageSent{Pair: pair, MessageID: uuid.New(), From: from, Body: "Hello"}
	}
	return []wrong{
		{"accepted twice", audit.CollaborationState, active, func(p *play) {
			p.by(anna, domain.CollaborationAccepted{Pair: pair, Engagement: 1})
		}, []string{"CollaborationAccepted", "CollaborationAccepted"}},
		{"accepted once withdrawn", audit.CollaborationState, pending, func(p *play) {
			p.by(lucia, domain.RequestWithdrawn{Pair: pair, Engagement: 1}).by(anna, domain.CollaborationAccepted{Pair: pair, Engagement: 1})
		}, []string{"CollaborationAccepted", "RequestWithdrawn"}},
		{"asked while active", audit.CollaborationState, active, func(p *play) { p.asks(2) },
			[]string{"CollaborationRequested", "CollaborationAccepted"}},
		{"an engagement skipped", audit.CollaborationState, ended, func(p *play) { p.asks(3) },
			[]string{"CollaborationRequested", "CollaborationEnded"}},
		{"the consultancy writes first", audit.CollaborationState, listed, func(p *play) { p.by(anna, message(domain.ConsultancySide)) },
			[]string{"MessageSent"}},
		{"more read than written", audit.CollaborationState, active, func(p *play) {
			p.by(anna, domain.ConversationRead{Pair: pair, Side: domain.ConsultancySide, UpTo: 2})
		}, []string{"ConversationRead"}},
		{"blocked while active", audit.CollaborationState, active, func(p *play) { p.by(anna, domain.ClientBlocked{Pair: pair}) },
			[]string{"ClientBlocked", "CollaborationAccepted"}},
		{"unblocked without a block", audit.CollaborationState, ended, func(p *play) { p.by(anna, domain.ClientUnblocked{Pair: pair}) },
			[]string{"ClientUnblocked"}},
		{"an unlisted consultancy is asked", audit.NotApproachable, listed, func(p *play) {
			p.by(anna, domain.ProfileUnlisted{ConsultancyID: vidal}).asks(1)
		}, []string{"CollaborationRequested", "ProfileUnlisted", "PartnershipAccepted"}},
		{"a blocked client writes", audit.NotApproachable, ended, func(p *play) {
			p.by(anna, domain.ClientBlocked{Pair: pair}).by(lucia, message(domain.ClientSide))
		}, []string{"MessageSent", "ClientBlocked"}},
		{"accepted without standing", audit.NotApproachable, pending, func(p *play) {
			p.by(reviewer, domain.PartnershipSuspended{ConsultancyID: vidal, Reason: domain.SuspendedForBreach})
			p.by(anna, domain.CollaborationAccepted{Pair: pair, Engagement: 1})
		}, []string{"CollaborationAccepted", "PartnershipSuspended"}},
		{"a manager who is no member", audit.ManagerWrong, active, func(p *play) {
			p.by(anna, domain.AccountManagerAssigned{Pair: pair, UserID: pere.UserID})
		}, []string{"AccountManagerAssigned"}},
		{"a manager assigned twice", audit.ManagerWrong, active, func(p *play) {
			e := domain.AccountManagerAssigned{Pair: pair, UserID: nuria.UserID}
			p.by(anna, e).by(anna, e)
		}, []string{"AccountManagerAssigned", "AccountManagerAssigned"}},
		{"a manager unassigned who is none", audit.ManagerWrong, active, func(p *play) {
			p.by(anna, domain.AccountManagerUnassigned{Pair: pair, UserID: nuria.UserID})
		}, []string{"AccountManagerUnassigned"}},
		{"an end that leaves the grant", audit.EndIncomplete, granted, func(p *play) {
			p.by(lucia, domain.CollaborationEnded{Pair: pair, Engagement: 1, EndedBy: domain.ClientSide, AccessEpoch: 2})
		}, []string{"CollaborationEnded", "AccessGranted"}},
		{"an end that leaves a manager", audit.EndIncomplete, active, func(p *play) {
			p.by(anna, domain.AccountManagerAssigned{Pair: pair, UserID: nuria.UserID})
			p.by(lucia, domain.CollaborationEnded{Pair: pair, Engagement: 1, EndedBy: domain.ClientSide, AccessEpoch: 1})
		}, []string{"CollaborationEnded", "AccountManagerAssigned"}},
		{"half an end", audit.EndIncomplete, active, func(p *play) {
			p.by(anna, domain.AccountManagerAssigned{Pair: pair, UserID: nuria.UserID})
			p.by(lucia, domain.AccountManagerUnassigned{Pair: pair, UserID: nuria.UserID})
		}, []string{"AccountManagerUnassigned"}},
		{"an end for the wrong side", audit.EndIncomplete, active, func(p *play) {
			p.by(lucia, domain.CollaborationEnded{Pair: pair, Engagement: 1, EndedBy: domain.ConsultancySide, AccessEpoch: 1})
		}, []string{"CollaborationEnded"}},
		{"an end by the ledger for nobody", audit.EndIncomplete, active, func(p *play) {
			p.by(clock, domain.CollaborationEnded{Pair: pair, Engagement: 1, EndedBy: domain.ClientSide, AccessEpoch: 1})
		}, []string{"CollaborationEnded"}},
		{"a request that lasts too long", audit.TermTooLong, listed, func(p *play) {
			p.by(lucia, domain.CollaborationRequested{Pair: pair, CollaborationID: pair.CollaborationID(), Engagement: 1, ExpiresAt: p.now.Add(91 * day)})
		}, []string{"CollaborationRequested"}},
	}
}

func wrongGrants() []wrong {
	return []wrong{
		{"a second grant", audit.GrantState, granted, func(p *play) { p.by(lucia, grants(p, otherGrant, 2)) },
			[]string{"AccessGranted", "AccessGranted"}},
		{"a grant's id given again", audit.GrantState, granted, func(p *play) {
			p.by(lucia, domain.AccessRevoked{Pair: pair, GrantID: grantID, AccessEpoch: 2}).by(lucia, grants(p, grantID, 3))
		}, []string{"AccessGranted", "AccessGranted"}},
		{"resumed without a suspension", audit.GrantState, granted, func(p *play) {
			p.by(lucia, domain.AccessResumed{Pair: pair, GrantID: grantID, AccessEpoch: 1})
		}, []string{"AccessResumed", "AccessGranted"}},
		{"revoked twice", audit.GrantState, granted, func(p *play) {
			p.by(lucia, domain.AccessRevoked{Pair: pair, GrantID: grantID, AccessEpoch: 2}).by(lucia, domain.AccessRevoked{Pair: pair, GrantID: grantID, AccessEpoch: 3})
		}, []string{"AccessRevoked", "AccessRevoked"}},
		{"another grant than there is", audit.GrantState, granted, func(p *play) {
			p.by(lucia, domain.AccessAttested{Pair: pair, GrantID: otherGrant, AttestedAt: p.now})
		}, []string{"AccessAttested", "AccessGranted"}},
		{"extended to an earlier end", audit.GrantState, granted, func(p *play) {
			p.by(lucia, domain.AccessExtended{Pair: pair, GrantID: grantID, ExpiresAt: p.now.Add(day)})
		}, []string{"AccessExtended", "AccessGranted"}},
		{"the owner's role", audit.GrantRole, active, func(p *play) {
			e := grants(p, grantID, 1)
			e.RoleID = domain.RoleOwner
			p.by(lucia, e)
		}, []string{"AccessGranted"}},
		{"a role that the plan includes nothing of", audit.GrantRole, active, func(p *play) {
			e := grants(p, grantID, 1)
			e.RoleID, e.Permissions = domain.RoleCRM, domain.Permissions{"crm": "edit"}
			p.by(lucia, e)
		}, []string{"AccessGranted", "AccountRegistered"}},
		{"a grant that lasts too long", audit.TermTooLong, active, func(p *play) {
			e := grants(p, grantID, 1)
			e.ExpiresAt = p.now.Add(731 * day)
			p.by(lucia, e)
		}, []string{"AccessGranted"}},
	}
}

func wrongWork() []wrong {
	return []wrong{
		{"a session opened twice", audit.SessionState, granted, func(p *play) { p.by(anna, opens(p, anna)).by(anna, opens(p, anna)) },
			[]string{"ClientAccountOpened", "ClientAccountOpened"}},
		{"a session closed twice", audit.SessionState, granted, func(p *play) {
			e := domain.ClientAccountClosed{Pair: pair, SessionID: sessionID, Reason: domain.LoggedOut}
			p.by(anna, opens(p, anna)).by(anna, e).by(anna, e)
		}, []string{"ClientAccountClosed", "ClientAccountOpened", "ClientAccountClosed"}},
		{"a session closed for access that holds", audit.SessionState, granted, func(p *play) {
			p.by(anna, opens(p, anna)).by(clock, domain.ClientAccountClosed{Pair: pair, SessionID: sessionID, Reason: domain.Lost})
		}, []string{"ClientAccountClosed", "ClientAccountOpened"}},
		{"a log-out after the session's end", audit.ActedAfterEnd, granted, func(p *play) {
			p.by(anna, opens(p, anna)).after(time.Hour).by(anna, domain.ClientAccountClosed{Pair: pair, SessionID: sessionID, Reason: domain.LoggedOut})
		}, []string{"ClientAccountClosed", "ClientAccountOpened"}},
		{"a session longer than an hour", audit.SessionTooLong, granted, func(p *play) {
			e := opens(p, anna)
			e.ExpiresAt = e.ExpiresAt.Add(time.Microsecond)
			p.by(anna, e)
		}, []string{"ClientAccountOpened"}},
		{"a session longer than its grant", audit.SessionTooLong, granted, func(p *play) {
			p.after(10*day-90*time.Minute).by(anna, opens(p, anna))
		}, []string{"ClientAccountOpened", "AccessGranted"}},
		{"a task completed twice", audit.TaskState, granted, func(p *play) { p.by(lucia, completed(uuid.Nil)).by(anna, completed(vidal)) },
			[]string{"TaskCompleted", "TaskCompleted"}},
		{"a task raised twice", audit.TaskState, granted, func(p *play) { p.by(billing, raised()) },
			[]string{"TaskRaised", "TaskRaised"}},
		{"a pending task reopened", audit.TaskState, granted, func(p *play) {
			p.by(lucia, domain.TaskReopened{TaskID: domain.TaskID(espiga, "erp-1"), ClientID: espiga, Section: domain.Sales})
		}, []string{"TaskReopened", "TaskRaised"}},
		{"a task in another section", audit.TaskState, granted, func(p *play) {
			e := completed(uuid.Nil)
			e.Section = domain.Banking
			p.by(lucia, e)
		}, []string{"TaskCompleted", "TaskRaised"}},
		{"a task completed by a member who may not", audit.RoleNotSufficient, granted, func(p *play) {
			raise := domain.TaskRaised{TaskID: domain.TaskID(espiga, "erp-2"), ClientID: espiga, Section: domain.Banking, ExternalRef: "erp-2"}
			p.by(billing, raise).by(pere, domain.TaskCompleted{TaskID: raise.TaskID, ClientID: espiga, Section: domain.Banking})
		}, []string{"TaskCompleted"}},
		{"a task under another's name", audit.StreamWrong, granted, func(p *play) {
			e := raised()
			e.TaskID = domain.TaskID(espiga, "erp-2")
			p.by(billing, e)
		}, []string{"TaskRaised"}},
	}
}
