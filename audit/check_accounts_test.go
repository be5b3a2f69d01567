package audit_test

import (
	"github.com/google/uuid"

	"github.com/collabledger/collabledger/audit"
	"github.com/collabledger/collabledger/domain"
)

func wrongAccounts() []wrong {
	invited := func(p *play, who domain.Actor, as domain.Role) domain.MemberInvited {
		return domain.MemberInvited{AccountID: who.AccountID, InvitationID: invitationID, Member: person(who), Role: as, ExpiresAt: p.now.Add(7 * day)}
	}
	created := domain.RoleCreated{AccountID: espiga, CustomRole: domain.CustomRole{RoleID: role, Name: "Month end", Permissions: domain.Permissions{"journal": "edit"}, Version: 1}}
	advanced := func(p *play) *play {
		return registered(p).by(billing, domain.SubscriptionRecorded{AccountID: espiga, Plan: domain.PlanAdvanced, Status: domain.Current}).by(lucia, created)
	}
	return []wrong{
		{"a second registration", audit.AccountState, registered, func(p *play) {
			p.by(billing, account(vidal, domain.Consultancy, anna))
		}, []string{"AccountRegistered", "AccountRegistered"}},
		{"a subscription of nobody's", audit.AccountState, registered, func(p *play) {
			p.by(billing, domain.SubscriptionRecorded{AccountID: abaco, Plan: domain.PlanFree, Status: domain.Current})
		}, []string{"SubscriptionRecorded"}},
		{"a role for nobody", audit.AccountState, registered, func(p *play) {
			p.by(anna, domain.MemberRoleChanged{AccountID: vidal, UserID: xavi.UserID, Role: domain.RoleAdministrator})
		}, []string{"MemberRoleChanged"}},
		{"joined without an invitation", audit.AccountState, registered, func(p *play) {
			e := invited(p, domain.User(vidal, uuid.New()), domain.RoleAdministrator)
			p.by(anna, e).by(anna, domain.InvitationRevoked{AccountID: vidal, InvitationID: invitationID}).
				by(anna, domain.InvitationRevoked{AccountID: vidal, InvitationID: invitationID})
		}, []string{"InvitationRevoked"}},
		{"invited twice under one id", audit.AccountState, registered, func(p *play) {
			e := invited(p, domain.User(vidal, uuid.New()), domain.RoleAdministrator)
			p.by(anna, e).by(anna, e)
		}, []string{"MemberInvited", "MemberInvited"}},
		{"a lapse recorded twice", audit.AccountState, registered, func(p *play) {
			e := invited(p, domain.User(vidal, uuid.New()), domain.RoleAdministrator)
			lapsed := domain.InvitationExpired{AccountID: vidal, InvitationID: invitationID, ExpiredAt: e.ExpiresAt}
			p.by(anna, e).after(7*day).by(clock, lapsed).by(clock, lapsed)
		}, []string{"InvitationExpired", "InvitationExpired"}},
		{"joined twice", audit.AccountState, registered, func(p *play) {
			p.by(anna, invited(p, nuria, domain.RoleAdministrator))
			p.by(nuria, domain.MemberJoined{AccountID: vidal, InvitationID: invitationID, Member: person(nuria), Role: domain.RoleAdministrator})
		}, []string{"MemberJoined", "MemberJoined"}},
		{"joined by the ledger's doing", audit.ActorKindWrong, registered, func(p *play) {
			carla := domain.User(vidal, uuid.New())
			p.by(anna, invited(p, carla, domain.RoleAdministrator))
			p.by(clock, domain.MemberJoined{AccountID: vidal, InvitationID: invitationID, Member: person(carla), Role: domain.RoleAdministrator})
		}, []string{"MemberJoined"}},
		{"joined as a member of another account", audit.ActorNotAParty, registered, func(p *play) {
			carla := domain.User(vidal, uuid.New())
			p.by(anna, invited(p, carla, domain.RoleAdministrator))
			p.by(domain.User(abaco, carla.UserID), domain.MemberJoined{AccountID: vidal, InvitationID: invitationID, Member: person(carla), Role: domain.RoleAdministrator})
		}, []string{"MemberJoined"}},
		{"joined a closed account", audit.AccountClosed, registered, func(p *play) {
			carla := domain.User(vidal, uuid.New())
			p.by(anna, invited(p, carla, domain.RoleAdministrator)).by(anna, domain.AccountClosed{AccountID: vidal})
			p.by(carla, domain.MemberJoined{AccountID: vidal, InvitationID: invitationID, Member: person(carla), Role: domain.RoleAdministrator})
		}, []string{"MemberJoined", "AccountClosed"}},
		{"removed by a manager", audit.RoleNotSufficient, registered, func(p *play) {
			p.joins(domain.User(vidal, invitationID), domain.RoleAccountManager, anna).by(nuria, domain.MemberRemoved{AccountID: vidal, UserID: invitationID})
		}, []string{"MemberRemoved", "MemberJoined"}},
		{"joined with a better role", audit.AccountState, registered, func(p *play) {
			carla := domain.User(vidal, uuid.New())
			p.by(anna, invited(p, carla, domain.RoleAccountManager))
			p.by(carla, domain.MemberJoined{AccountID: vidal, InvitationID: invitationID, Member: person(carla), Role: domain.RoleAdministrator})
		}, []string{"MemberJoined", "MemberInvited"}},
		{"joined in another's place", audit.AccountState, registered, func(p *play) {
			carla := domain.User(vidal, uuid.New())
			p.by(anna, invited(p, carla, domain.RoleAccountManager))
			p.by(nuria, domain.MemberJoined{AccountID: vidal, InvitationID: invitationID, Member: person(carla), Role: domain.RoleAccountManager})
		}, []string{"MemberJoined", "MemberInvited"}},
		{"an invitation by a closed account", audit.AccountClosed, registered, func(p *play) {
			p.by(anna, domain.AccountClosed{AccountID: vidal}).by(anna, invited(p, domain.User(vidal, uuid.New()), domain.RoleAdministrator))
		}, []string{"MemberInvited", "AccountClosed"}},
		{"a request to a closed account", audit.AccountClosed, listed, func(p *play) {
			p.by(anna, domain.AccountClosed{AccountID: vidal}).asks(1)
		}, []string{"CollaborationRequested", "AccountClosed"}},
		{"the owner removed", audit.OwnerNotUnique, registered, func(p *play) {
			p.by(anna, domain.MemberRemoved{AccountID: vidal, UserID: anna.UserID})
		}, []string{"MemberRemoved", "AccountRegistered"}},
		{"the owner's role changed", audit.OwnerNotUnique, registered, func(p *play) {
			p.by(anna, domain.MemberRoleChanged{AccountID: vidal, UserID: anna.UserID, Role: domain.RoleAdministrator})
		}, []string{"MemberRoleChanged", "AccountRegistered"}},
		{"a second owner", audit.OwnerNotUnique, registered, func(p *play) {
			p.by(anna, domain.MemberRoleChanged{AccountID: vidal, UserID: nuria.UserID, Role: domain.RoleOwner})
		}, []string{"MemberRoleChanged"}},
		{"an ownership transferred from another", audit.OwnerNotUnique, registered, func(p *play) {
			p.by(anna, domain.OwnershipTransferred{AccountID: vidal, From: nuria.UserID, To: anna.UserID})
		}, []string{"OwnershipTransferred", "MemberJoined", "AccountRegistered"}},
		{"a business's role in a consultancy", audit.RoleWrong, registered, func(p *play) {
			p.by(anna, domain.MemberRoleChanged{AccountID: vidal, UserID: nuria.UserID, Role: domain.RoleSales})
		}, []string{"MemberRoleChanged"}},
		{"a role that the plan does not have", audit.RoleWrong, registered, func(p *play) { p.by(lucia, created) },
			[]string{"RoleCreated", "AccountRegistered"}},
		{"a role given after a downgrade", audit.RoleWrong, advanced, func(p *play) {
			p.by(billing, domain.SubscriptionRecorded{AccountID: espiga, Plan: domain.PlanFree, Status: domain.Current})
			p.by(lucia, domain.MemberRoleChanged{AccountID: espiga, UserID: pere.UserID, Role: role})
		}, []string{"MemberRoleChanged", "RoleCreated", "SubscriptionRecorded"}},
		{"a role's version skipped", audit.RoleWrong, advanced, func(p *play) {
			e := domain.RoleUpdated(created)
			e.Version = 3
			p.by(lucia, e)
		}, []string{"RoleUpdated", "RoleCreated"}},
		{"a role created twice", audit.RoleWrong, advanced, func(p *play) { p.by(lucia, created) },
			[]string{"RoleCreated", "RoleCreated"}},
		{"a consultancy's own role", audit.RoleWrong, registered, func(p *play) {
			e := created
			e.AccountID = vidal
			p.by(billing, domain.SubscriptionRecorded{AccountID: vidal, Plan: domain.PlanPremium, Status: domain.Current}).by(anna, e)
		}, []string{"RoleCreated"}},
		{"a role deleted that there is not", audit.RoleWrong, registered, func(p *play) {
			p.by(lucia, domain.RoleDeleted{AccountID: espiga, RoleID: role})
		}, []string{"RoleDeleted"}},
		{"a role deleted that somebody is invited with", audit.RoleWrong, advanced, func(p *play) {
			p.by(lucia, invited(p, domain.User(espiga, uuid.New()), role)).by(lucia, domain.RoleDeleted{AccountID: espiga, RoleID: role})
		}, []string{"RoleDeleted", "MemberInvited"}},
		{"a role that there is not", audit.RoleWrong, registered, func(p *play) {
			p.by(lucia, domain.MemberRoleChanged{AccountID: espiga, UserID: pere.UserID, Role: role})
		}, []string{"MemberRoleChanged"}},
		{"a role deleted that a member has", audit.RoleWrong, advanced, func(p *play) {
			p.by(lucia, domain.MemberRoleChanged{AccountID: espiga, UserID: pere.UserID, Role: role}).by(lucia, domain.RoleDeleted{AccountID: espiga, RoleID: role})
		}, []string{"RoleDeleted", "MemberRoleChanged"}},
		{"an invitation that lasts too long", audit.TermTooLong, registered, func(p *play) {
			e := invited(p, domain.User(vidal, uuid.New()), domain.RoleAdministrator)
			e.ExpiresAt = p.now.Add(8 * day)
			p.by(anna, e)
		}, []string{"MemberInvited"}},
	}
}

func wrongPartnerships() []wrong {
	suspended := domain.PartnershipSuspended{ConsultancyID: vidal, Reason: domain.SuspendedForBreach}
	return []wrong{
		{"accepted without an application", audit.PartnershipState, registered, func(p *play) {
			p.by(reviewer, domain.PartnershipAccepted{ConsultancyID: vidal})
		}, []string{"PartnershipAccepted"}},
		{"rejected once accepted", audit.PartnershipState, listed, func(p *play) {
			p.by(reviewer, domain.PartnershipRejected{ConsultancyID: vidal, ReasonCode: "other"})
		}, []string{"PartnershipRejected", "PartnershipAccepted"}},
		{"suspended twice", audit.PartnershipState, listed, func(p *play) { p.by(reviewer, suspended).by(reviewer, suspended) },
			[]string{"PartnershipSuspended", "PartnershipSuspended"}},
		{"suspended for a subscription that is current", audit.PartnershipState, listed, func(p *play) {
			p.by(clock, domain.PartnershipSuspended{ConsultancyID: vidal, Reason: domain.SuspendedForSubscription})
		}, []string{"PartnershipSuspended", "AccountRegistered"}},
		{"a reviewer's suspension lifted by the ledger", audit.PartnershipState, listed, func(p *play) {
			p.by(reviewer, suspended).by(clock, domain.PartnershipReinstated{ConsultancyID: vidal})
		}, []string{"PartnershipReinstated", "PartnershipSuspended"}},
		{"suspended by a reviewer for what the ledger alone sees", audit.ActorKindWrong, listed, func(p *play) {
			p.by(reviewer, domain.PartnershipSuspended{ConsultancyID: vidal, Reason: domain.SuspendedForSubscription})
		}, []string{"PartnershipSuspended"}},
		{"suspended by a member", audit.ActorKindWrong, listed, func(p *play) { p.by(anna, suspended) },
			[]string{"PartnershipSuspended"}},
		{"relisted without being unlisted", audit.PartnershipState, listed, func(p *play) {
			p.by(anna, domain.ProfileRelisted{ConsultancyID: vidal})
		}, []string{"ProfileRelisted"}},
		{"submitted in another's name", audit.ReviewWrong, listed, func(p *play) {
			e := submitted(2)
			e.SubmittedBy = nuria.String()
			p.by(anna, e)
		}, []string{"ProfileSubmitted"}},
		{"reinstated once closed", audit.NotEligible, listed, func(p *play) {
			p.by(reviewer, suspended).by(anna, domain.AccountClosed{AccountID: vidal}).by(reviewer, domain.PartnershipReinstated{ConsultancyID: vidal})
		}, []string{"PartnershipReinstated", "AccountClosed"}},
		{"approved while suspended", audit.PartnershipState, listed, func(p *play) {
			p.by(anna, submitted(2)).by(reviewer, suspended).by(reviewer, domain.ProfileApproved{ConsultancyID: vidal, Revision: 2})
		}, []string{"ProfileApproved", "PartnershipSuspended"}},
		{"unlisted once terminated and accepted again", audit.PartnershipState, listed, func(p *play) {
			p.by(reviewer, domain.PartnershipTerminated{ConsultancyID: vidal, Reason: "other"}).by(anna, domain.PartnershipApplied{ConsultancyID: vidal})
			p.by(reviewer, domain.PartnershipAccepted{ConsultancyID: vidal}).by(anna, domain.ProfileUnlisted{ConsultancyID: vidal})
		}, []string{"ProfileUnlisted"}},
		{"a profile without a partnership", audit.PartnershipState, registered, func(p *play) { p.by(anna, submitted(1)) },
			[]string{"ProfileSubmitted"}},
		{"unlisted twice", audit.PartnershipState, listed, func(p *play) {
			p.by(anna, domain.ProfileUnlisted{ConsultancyID: vidal}).by(anna, domain.ProfileUnlisted{ConsultancyID: vidal})
		}, []string{"ProfileUnlisted", "ProfileUnlisted"}},
		{"a business's application", audit.NotEligible, registered, func(p *play) {
			p.by(lucia, domain.PartnershipApplied{ConsultancyID: espiga})
		}, []string{"PartnershipApplied", "AccountRegistered"}},
		{"accepted with a subscription past due", audit.NotEligible, registered, func(p *play) {
			p.by(anna, domain.PartnershipApplied{ConsultancyID: vidal}).by(billing, domain.SubscriptionRecorded{AccountID: vidal, Plan: domain.PlanBasic, Status: domain.PastDue})
			p.by(reviewer, domain.PartnershipAccepted{ConsultancyID: vidal})
		}, []string{"PartnershipAccepted", "SubscriptionRecorded"}},
		{"an older revision approved", audit.ReviewWrong, listed, func(p *play) {
			p.by(anna, submitted(2)).by(anna, submitted(3)).by(reviewer, domain.ProfileApproved{ConsultancyID: vidal, Revision: 2})
		}, []string{"ProfileApproved", "ProfileSubmitted"}},
		{"a revision reviewed twice", audit.ReviewWrong, listed, func(p *play) {
			p.by(reviewer, domain.ProfileRejected{ConsultancyID: vidal, Revision: 1, ReasonCode: "other"})
		}, []string{"ProfileRejected", "ProfileApproved"}},
		{"approved by who submitted it", audit.ReviewWrong, listed, func(p *play) {
			self := domain.Actor{Kind: domain.ActorReviewer, Name: anna.UserID.String()}
			p.by(anna, submitted(2)).by(self, domain.ProfileApproved{ConsultancyID: vidal, Revision: 2})
		}, []string{"ProfileApproved", "ProfileSubmitted"}},
		{"a revision skipped", audit.ReviewWrong, listed, func(p *play) { p.by(anna, submitted(3)) },
			[]string{"ProfileSubmitted", "ProfileApproved"}},
	}
}
