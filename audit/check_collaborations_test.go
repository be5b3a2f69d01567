package audit_test

import (
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/audit"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
)

func wrongCollaborations() []wrong {
	message := func(from domain.Side) domain.MessageSent {
		return domain.MessageSent{Pair: pair, MessageID: uuid.New(), From: from, Body: "Hello"}
	}
	return []wrong{
		{"accepted twice", audit.CollaborationState, active, func(p *play) {
			p.by(anna, domain.CollaborationAccepted{Pair: pair, Engagement: 1})
		}, []string{"CollaborationAccepted", "CollaborationAccepted"}},
		{"declined by the ledger itself while both are there", audit.CollaborationState, pending, func(p *play) {
			p.by(clock, domain.CollaborationDeclined{Pair: pair, Engagement: 1, ReasonCode: domain.DeclinedForGood})
		}, []string{"CollaborationDeclined"}},
		{"declined for the ledger's own reason", audit.ActorKindWrong, pending, func(p *play) {
			p.by(anna, domain.CollaborationDeclined{Pair: pair, Engagement: 1, ReasonCode: domain.DeclinedForGood})
		}, []string{"CollaborationDeclined"}},
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
			p.by(anna, domain.ConversationRead{Pair: pair, Side: domain.ConsultancySide, MessagesRead: 2})
		}, []string{"ConversationRead"}},
		{"a pair of the wrong kinds", audit.CollaborationState, listed, func(p *play) {
			p.by(billing, account(abaco, domain.Consultancy, xavi)).by(xavi, domain.PartnershipApplied{ConsultancyID: abaco})
			swapped := domain.Pair{ConsultancyID: vidal, ClientID: abaco}
			p.by(xavi, domain.MessageSent{Pair: swapped, MessageID: uuid.New(), From: domain.ClientSide, Body: "Hello"})
		}, []string{"MessageSent", "AccountRegistered", "AccountRegistered"}},
		{"written for the other side", audit.ActorNotAParty, active, func(p *play) { p.by(anna, message(domain.ClientSide)) },
			[]string{"MessageSent"}},
		{"blocked twice", audit.CollaborationState, ended, func(p *play) {
			p.by(anna, domain.ClientBlocked{Pair: pair}).by(anna, domain.ClientBlocked{Pair: pair})
		}, []string{"ClientBlocked", "ClientBlocked"}},
		{"declined as of another engagement", audit.CollaborationState, pending, func(p *play) {
			p.by(anna, domain.CollaborationDeclined{Pair: pair, Engagement: 2, ReasonCode: domain.DeclinedOther})
		}, []string{"CollaborationDeclined", "CollaborationRequested"}},
		{"a lapse of what is accepted", audit.CollaborationState, active, func(p *play) {
			p.after(90*day).by(clock, domain.RequestExpired{Pair: pair, Engagement: 1, ExpiredAt: noon.Add(90*day + time.Hour)})
		}, []string{"RequestExpired", "CollaborationAccepted"}},
		{"a lapse as of another engagement", audit.CollaborationState, pending, func(p *play) {
			p.after(90*day).by(clock, domain.RequestExpired{Pair: pair, Engagement: 2, ExpiredAt: noon.Add(90*day + time.Hour)})
		}, []string{"RequestExpired", "CollaborationRequested"}},
		{"a lapse recorded by another consultancy", audit.ActorNotAParty, pending, func(p *play) {
			p.after(90*day).by(xavi, domain.RequestExpired{Pair: pair, Engagement: 1, ExpiredAt: noon.Add(90*day + time.Hour)})
		}, []string{"RequestExpired"}},
		{"a choice of KPIs for somebody else", audit.ActorNotAParty, active, func(p *play) {
			p.by(anna, domain.KPINotificationsConfigured{Pair: pair, UserID: nuria.UserID, Sections: []domain.Section{}})
		}, []string{"KPINotificationsConfigured"}},
		{"a choice of KPIs before it is accepted", audit.CollaborationState, pending, func(p *play) {
			p.by(anna, domain.KPINotificationsConfigured{Pair: pair, UserID: anna.UserID, Sections: []domain.Section{}})
		}, []string{"KPINotificationsConfigured", "CollaborationRequested"}},
		{"a manager unassigned after the end", audit.CollaborationState, active, func(p *play) {
			p.by(anna, domain.AccountManagerAssigned{Pair: pair, UserID: nuria.UserID}).by(anna, domain.AccountManagerUnassigned{Pair: pair, UserID: nuria.UserID})
			p.by(lucia, domain.CollaborationEnded{Pair: pair, Engagement: 1, EndedBy: domain.ClientSide, AccessEpoch: 1})
			p.by(lucia, domain.CollaborationEnded{Pair: pair, Engagement: 1, EndedBy: domain.ClientSide, AccessEpoch: 2})
		}, []string{"CollaborationEnded", "CollaborationEnded"}},
		{"an end of another engagement", audit.CollaborationState, active, func(p *play) {
			p.by(lucia, domain.CollaborationEnded{Pair: pair, Engagement: 2, EndedBy: domain.ClientSide, AccessEpoch: 1})
		}, []string{"CollaborationEnded", "CollaborationAccepted"}},
		{"access asked for with a closed client", audit.AccountClosed, active, func(p *play) {
			p.by(lucia, domain.AccountClosed{AccountID: espiga}).by(anna, domain.AccessRequested{Pair: pair, SuggestedRole: domain.RoleSales, Purpose: "Closing"})
		}, []string{"AccessRequested", "AccountClosed"}},
		{"a request under another id", audit.StreamWrong, listed, func(p *play) {
			p.by(lucia, domain.CollaborationRequested{Pair: pair, CollaborationID: grantID, Engagement: 1, ExpiresAt: p.now.Add(day)})
		}, []string{"CollaborationRequested"}},
		{"a pair's second stream", audit.StreamWrong, active, func(p *play) {
			p.raw(eventstore.Append{CommandID: uuid.New(), Actor: anna.String(), Events: []eventstore.NewEvent{{
				ID: uuid.New(), Stream: eventstore.StreamID{Kind: domain.CollaborationStream, ID: grantID}, Type: domain.AccessRequested{}.EventType(),
				Data: []byte(`{"consultancyId":"` + vidal.String() + `","clientId":"` + espiga.String() + `","suggestedRole":"sales","purpose":"Closing"}`),
			}}})
		}, []string{"AccessRequested"}},
		{"an event in a stream of another kind", audit.StreamWrong, active, func(p *play) {
			p.raw(eventstore.Append{CommandID: uuid.New(), Actor: anna.String(), Events: []eventstore.NewEvent{{
				ID: uuid.New(), Stream: eventstore.StreamID{Kind: domain.TaskStream, ID: pair.CollaborationID()}, Type: domain.AccessRequested{}.EventType(),
				Data: []byte(`{"consultancyId":"` + vidal.String() + `","clientId":"` + espiga.String() + `","suggestedRole":"sales","purpose":"Closing"}`),
			}}})
		}, []string{"AccessRequested"}},
		{"a manager of the engagement before unassigned", audit.EngagementRevived, again, func(p *play) {
			p.by(anna, domain.AccountManagerUnassigned{Pair: pair, UserID: nuria.UserID})
		}, []string{"AccountManagerUnassigned", "AccountManagerAssigned"}},
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
		{"granted without standing", audit.GrantState, active, func(p *play) {
			p.by(reviewer, domain.PartnershipSuspended{ConsultancyID: vidal, Reason: domain.SuspendedForBreach}).by(lucia, grants(p, grantID, 1))
		}, []string{"AccessGranted", "PartnershipSuspended"}},
		{"expired without an end", audit.ClockEarly, active, func(p *play) {
			e := grants(p, grantID, 1)
			e.ExpiresAt = time.Time{}
			p.by(lucia, e).after(day).by(clock, domain.AccessExpired{Pair: pair, GrantID: grantID, AccessEpoch: 2, ExpiredAt: p.now})
		}, []string{"AccessExpired", "AccessGranted"}},
		{"expired twice", audit.GrantState, granted, func(p *play) {
			end := noon.Add(10*day + 2*time.Hour)
			p.after(10*day).by(clock, domain.AccessExpired{Pair: pair, GrantID: grantID, AccessEpoch: 2, ExpiredAt: end})
			p.by(clock, domain.AccessExpired{Pair: pair, GrantID: grantID, AccessEpoch: 3, ExpiredAt: end})
		}, []string{"AccessExpired", "AccessExpired"}},
		{"a reminder that comes twice", audit.GrantState, granted, func(p *play) {
			e := domain.GrantEndReminded{Pair: pair, GrantID: grantID, DaysBefore: 7, ExpiresAt: noon.Add(10*day + 2*time.Hour)}
			p.after(4*day).by(clock, e).by(clock, e)
		}, []string{"GrantEndReminded", "AccessGranted"}},
		{"a reminder of its own making", audit.GrantState, granted, func(p *play) {
			p.after(9*day).by(clock, domain.GrantEndReminded{Pair: pair, GrantID: grantID, DaysBefore: 2, ExpiresAt: noon.Add(10*day + 2*time.Hour)})
		}, []string{"GrantEndReminded", "AccessGranted"}},
		{"a grant changed to another's permissions", audit.PermissionsWrong, granted, func(p *play) {
			p.by(lucia, domain.AccessChanged{Pair: pair, GrantID: grantID, RoleID: domain.RoleSales, RoleVersion: 1, Permissions: finance, AccessEpoch: 2})
		}, []string{"AccessChanged"}},
		{"revoked by the ledger without the end", audit.EndIncomplete, granted, func(p *play) {
			p.by(clock, domain.AccessRevoked{Pair: pair, GrantID: grantID, AccessEpoch: 2})
		}, []string{"AccessRevoked"}},
		{"revoked by another consultancy", audit.ActorNotAParty, granted, func(p *play) {
			p.by(xavi, domain.AccessRevoked{Pair: pair, GrantID: grantID, AccessEpoch: 2})
		}, []string{"AccessRevoked"}},
		{"a custom role after a downgrade", audit.GrantRole, active, func(p *play) {
			p.by(billing, domain.SubscriptionRecorded{AccountID: espiga, Plan: domain.PlanAdvanced, Status: domain.Current})
			custom := domain.CustomRole{RoleID: role, Name: "Month end", Permissions: domain.Permissions{"journal": "edit"}, Version: 1}
			p.by(lucia, domain.RoleCreated{AccountID: espiga, CustomRole: custom})
			p.by(billing, domain.SubscriptionRecorded{AccountID: espiga, Plan: domain.PlanBasic, Status: domain.Current})
			e := grants(p, grantID, 1)
			e.RoleID, e.Permissions = role, custom.Permissions
			p.by(lucia, e)
		}, []string{"AccessGranted", "RoleCreated", "SubscriptionRecorded"}},
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
		{"notifications read past the log", audit.NotificationsState, granted, func(p *play) {
			p.by(anna, domain.NotificationsRead{AccountID: vidal, UserID: anna.UserID, UpTo: 1_000})
		}, []string{"NotificationsRead"}},
		{"notifications read backwards", audit.NotificationsState, granted, func(p *play) {
			p.by(anna, domain.NotificationsRead{AccountID: vidal, UserID: anna.UserID, UpTo: 5}).
				by(anna, domain.NotificationsRead{AccountID: vidal, UserID: anna.UserID, UpTo: 4})
		}, []string{"NotificationsRead", "NotificationsRead"}},
		{"another's notifications read", audit.ActorNotAParty, granted, func(p *play) {
			p.by(anna, domain.NotificationsRead{AccountID: vidal, UserID: nuria.UserID, UpTo: 5})
		}, []string{"NotificationsRead"}},
		{"a webhook of another account", audit.ActorNotAParty, granted, func(p *play) {
			p.by(anna, hook(1))
		}, []string{"WebhookRegistered"}},
		{"a webhook of a member who does not run the account", audit.RoleNotSufficient, granted, func(p *play) {
			p.by(pere, hook(1))
		}, []string{"WebhookRegistered", "MemberJoined"}},
		{"a webhook registered twice", audit.WebhookState, granted, func(p *play) {
			p.by(lucia, hook(1)).by(lucia, hook(2))
		}, []string{"WebhookRegistered", "WebhookRegistered"}},
		{"a secret that comes again", audit.WebhookState, granted, func(p *play) {
			p.by(lucia, hook(1)).by(lucia, domain.WebhookDeleted{WebhookRef: hook(1).WebhookRef}).by(lucia, hook(1))
		}, []string{"WebhookRegistered", "WebhookDeleted"}},
		{"a rotation to the same secret", audit.WebhookState, granted, func(p *play) {
			p.by(lucia, hook(1)).by(billing, domain.WebhookSecretRotated{WebhookRef: hook(1).WebhookRef, SecretVersion: 1})
		}, []string{"WebhookSecretRotated", "WebhookRegistered"}},
		{"a webhook resumed that is not paused", audit.WebhookState, granted, func(p *play) {
			p.by(lucia, hook(1)).by(lucia, domain.WebhookResumed{WebhookRef: hook(1).WebhookRef})
		}, []string{"WebhookResumed", "WebhookRegistered"}},
		{"a webhook paused twice", audit.WebhookState, granted, func(p *play) {
			paused := domain.WebhookPaused{WebhookRef: hook(1).WebhookRef, Reason: domain.PauseAsked}
			p.by(lucia, hook(1)).by(lucia, paused).by(lucia, paused)
		}, []string{"WebhookPaused", "WebhookPaused"}},
		{"a replay of what has not happened", audit.WebhookState, granted, func(p *play) {
			p.by(lucia, hook(1)).by(lucia, domain.WebhookReplayRequested{WebhookRef: hook(1).WebhookRef, Position: 1_000})
		}, []string{"WebhookReplayRequested"}},
		{"a receiver said to be gone by a member", audit.ActorKindWrong, granted, func(p *play) {
			p.by(lucia, hook(1)).by(lucia, domain.WebhookPaused{WebhookRef: hook(1).WebhookRef, Reason: domain.PauseGone})
		}, []string{"WebhookPaused"}},
		{"a session closed for no reason", audit.SessionState, granted, func(p *play) {
			p.by(anna, opens(p, anna)).by(anna, domain.ClientAccountClosed{Pair: pair, SessionID: sessionID, Reason: "bored"})
		}, []string{"ClientAccountClosed"}},
		{"a session closed by a colleague", audit.RoleNotSufficient, granted, func(p *play) {
			p.by(anna, opens(p, anna)).by(nuria, domain.ClientAccountClosed{Pair: pair, SessionID: sessionID, Reason: domain.LoggedOut})
		}, []string{"ClientAccountClosed", "MemberJoined"}},
		{"a log-in with another grant than there is", audit.AccessNoGrant, granted, func(p *play) {
			e := opens(p, anna)
			e.GrantID = otherGrant
			p.by(anna, e)
		}, []string{"ClientAccountOpened", "AccessGranted"}},
		{"a task of a consultancy", audit.TaskState, granted, func(p *play) {
			id := domain.TaskID(vidal, "erp-1")
			p.by(billing, domain.TaskRaised{TaskID: id, ClientID: vidal, Section: domain.Sales, ExternalRef: "erp-1"})
		}, []string{"TaskRaised", "AccountRegistered"}},
		{"a task for a closed account", audit.AccountClosed, granted, func(p *play) {
			p.by(lucia, domain.AccountClosed{AccountID: espiga})
			p.by(billing, domain.TaskCancelled{TaskID: domain.TaskID(espiga, "erp-1"), ClientID: espiga, Section: domain.Sales})
		}, []string{"TaskCancelled", "AccountClosed"}},
		{"a task under another's name", audit.StreamWrong, granted, func(p *play) {
			e := raised()
			e.TaskID = domain.TaskID(espiga, "erp-2")
			p.by(billing, e)
		}, []string{"TaskRaised"}},
	}
}

// hook is a webhook of the client.
func hook(secret int) domain.WebhookRegistered {
	return domain.WebhookRegistered{WebhookRef: domain.WebhookRef{WebhookID: domain.WebhookID(espiga, 1), AccountID: espiga}, SecretVersion: secret}
}
