package commands

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// The parties of the scenarios: a consultancy called the firm, a business called the shop, and who works there.
var (
	firmID, shopID, otherShopID = id(1), id(2), id(3)

	firmOwner   = domain.User(firmID, id(11))
	firmAdmin   = domain.User(firmID, id(12))
	firmManager = domain.User(firmID, id(13)) // account manager, assigned to the shop in what is called inside
	firmSpare   = domain.User(firmID, id(14)) // account manager without clients

	shopOwner   = domain.User(shopID, id(21))
	shopAdmin   = domain.User(shopID, id(22))
	shopFinance = domain.User(shopID, id(23))
	shopHR      = domain.User(shopID, id(24))

	stranger = domain.User(otherShopID, id(91)) // of an account that has nothing to do with the two
	impostor = domain.User(otherShopID, firmOwner.UserID)
	billing  = domain.Actor{Kind: domain.ActorService, Name: "billing"}
	operator = domain.Actor{Kind: domain.ActorService, Name: "operator", Reviews: true}
	maria    = domain.Actor{Kind: domain.ActorReviewer, Name: "maria"}
	clock    = domain.Actor{Kind: domain.ActorSystem, Name: "clock"}
	reactor  = domain.Actor{Kind: domain.ActorSystem, Name: "reactor"}

	firmAndShop = domain.Pair{ConsultancyID: firmID, ClientID: shopID}
	theirs      = PairFields(firmAndShop)

	firmDetails = domain.AccountDetails{LegalName: "Vidal Asesoría S.L.", TradeName: "Vidal", TaxID: "B12345678", Country: "ES", Email: "hola@vidal.example", Phone: "+34 931 234 567"}
	shopDetails = domain.AccountDetails{LegalName: "Can Roca S.A.", TradeName: "Roca", TaxID: "A-87654321", Country: "ES", Email: "hola@roca.example", Phone: "+34 972 234 567"}
	profile     = domain.Profile{DisplayName: "Vidal", Description: "Books for shops.", Services: []string{"bookkeeping"}, Specialties: []string{}, Languages: []string{"es", "ca"}, Country: "ES", City: "Barcelona", ContactEmail: "hola@vidal.example"}
)

// person is how an account knows one of them.
func person(a domain.Actor) domain.Person {
	n := a.UserID[15]
	return domain.Person{UserID: a.UserID, Name: fmt.Sprintf("Person %d", n), Email: fmt.Sprintf("person%d@example.com", n)}
}

func joined(a domain.Actor, role domain.Role) domain.Event {
	return domain.MemberJoined{AccountID: a.AccountID, InvitationID: a.UserID, Member: person(a), Role: role}
}

// What happened before, step by step. Each begins with the one before it.
var (
	firm = history(
		domain.AccountRegistered{AccountID: firmID, Type: domain.Consultancy, AccountDetails: firmDetails, Plan: domain.PlanBasic, FirmKind: domain.Agency, Owner: person(firmOwner)},
		joined(firmAdmin, domain.RoleAdministrator), joined(firmManager, domain.RoleAccountManager), joined(firmSpare, domain.RoleAccountManager))
	shop = history(
		domain.AccountRegistered{AccountID: shopID, Type: domain.Business, AccountDetails: shopDetails, Plan: domain.PlanPremium, Owner: person(shopOwner)},
		joined(shopAdmin, domain.RoleAdministrator), joined(shopFinance, domain.RoleFinance), joined(shopHR, domain.RoleHR))

	applied    = history(firm, domain.PartnershipApplied{ConsultancyID: firmID})
	partner    = history(applied, domain.PartnershipAccepted{ConsultancyID: firmID})
	inReview   = history(partner, submission(1))
	listedFirm = history(inReview, domain.ProfileApproved{ConsultancyID: firmID, Revision: 1})

	market  = history(shop, listedFirm)
	enquiry = history(market, domain.MessageSent{Pair: firmAndShop, MessageID: id(51), From: domain.ClientSide, Body: "Do you work with shops?"})
	pending = history(market, request(1))
	active  = history(pending, domain.CollaborationAccepted{Pair: firmAndShop, Engagement: 1})
	inside  = history(active, financeGrant, domain.AccountManagerAssigned{Pair: firmAndShop, UserID: firmManager.UserID})
	ended   = history(active, domain.CollaborationEnded{Pair: firmAndShop, Engagement: 1, EndedBy: domain.ClientSide, Reason: "done", AccessEpoch: 1})

	// What takes standing away, or all of an account.
	notInStanding = domain.PartnershipSuspended{ConsultancyID: firmID, Reason: domain.SuspendedForBreach}
	unpaid        = domain.PartnershipSuspended{ConsultancyID: firmID, Reason: domain.SuspendedForSubscription}
	reinstated    = domain.PartnershipReinstated{ConsultancyID: firmID}
	terminated    = domain.PartnershipTerminated{ConsultancyID: firmID, Reason: "terms_breached"}
	firmClosed    = domain.AccountClosed{AccountID: firmID}
	shopClosed    = domain.AccountClosed{AccountID: shopID}
)

func submission(revision int) domain.ProfileSubmitted {
	return domain.ProfileSubmitted{ConsultancyID: firmID, Revision: revision, SubmittedBy: firmAdmin.String(), Profile: profile}
}

// request is the shop's request of an engagement; requestEnd is when it lapses.
func request(engagement int) domain.CollaborationRequested {
	return domain.CollaborationRequested{Pair: firmAndShop, CollaborationID: firmAndShop.CollaborationID(), Engagement: engagement, Message: "Please keep our books.", ExpiresAt: requestEnd}
}

var requestEnd = noon.Add(24 * time.Hour)

// The grants of the scenarios.
var (
	grantID      = id(61)
	financeMay   = domain.Permissions{domain.Sales: domain.Edit, domain.Expenses: domain.Edit, domain.Banking: domain.Edit, domain.Inbox: domain.Edit, domain.Contacts: domain.Edit, domain.Journal: domain.Edit, domain.Projects: domain.Edit}
	salesMay     = domain.Permissions{domain.Sales: domain.Edit, domain.Contacts: domain.Edit, domain.Banking: domain.Read}
	financeGrant = domain.AccessGranted{Pair: firmAndShop, GrantID: grantID, RoleID: domain.RoleFinance, RoleVersion: 1, Permissions: financeMay, AccessEpoch: 1}
)

// What became of the finance grant.
var (
	suspended = domain.AccessSuspended{Pair: firmAndShop, GrantID: grantID, AccessEpoch: 2}
	resumed   = domain.AccessResumed{Pair: firmAndShop, GrantID: grantID, AccessEpoch: 2}
)

// until is the finance grant with an end.
func until(end time.Time) domain.AccessGranted {
	grant := financeGrant
	grant.ExpiresAt = end
	return grant
}

// ownRole is a role that the shop has defined.
var (
	ownRole    = domain.Role(id(71).String())
	ownMay     = domain.Permissions{domain.Journal: domain.Edit, domain.Team: domain.Read}
	roleExists = domain.RoleCreated{AccountID: shopID, CustomRole: domain.CustomRole{RoleID: ownRole, Name: "Month end", Permissions: ownMay, Version: 1}}
)

// subscribed is what billing says of an account.
func subscribed(a domain.Actor, plan domain.Plan) domain.Event {
	return domain.SubscriptionRecorded{AccountID: a.AccountID, Plan: plan, Status: domain.Current}
}

// ids are the user ids of some people.
func ids(people ...domain.Actor) []uuid.UUID {
	var ids []uuid.UUID
	for _, p := range people {
		ids = append(ids, p.UserID)
	}
	return ids
}
