package commands

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

func TestConversationCommands(t *testing.T)   { run(t, conversationScenarios()) }
func TestRequestCommands(t *testing.T)        { run(t, requestScenarios()) }
func TestResponsibilityCommands(t *testing.T) { run(t, responsibilityScenarios()) }
func TestEndCommand(t *testing.T)             { run(t, endScenarios()) }

// What can become of the shop's request.
var (
	accepted  = domain.CollaborationAccepted{Pair: firmAndShop, Engagement: 1}
	declined  = domain.CollaborationDeclined{Pair: firmAndShop, Engagement: 1, ReasonCode: domain.DeclinedNoCapacity}
	withdrawn = domain.RequestWithdrawn{Pair: firmAndShop, Engagement: 1}
	expired   = domain.RequestExpired{Pair: firmAndShop, Engagement: 1, ExpiredAt: requestEnd}
	blockedIt = domain.CollaborationDeclined{Pair: firmAndShop, Engagement: 1, ReasonCode: domain.DeclinedByBlock}
	block     = domain.ClientBlocked{Pair: firmAndShop}
	unblock   = domain.ClientUnblocked{Pair: firmAndShop}
)

func conversationScenarios() []scenario {
	send := SendMessage{theirs, "Do you work with shops?"}
	sent := func(from domain.Side) then {
		return raises(domain.MessageSent{Pair: firmAndShop, MessageID: fresh(1), From: from, Body: "Do you work with shops?"})
	}
	read := MarkConversationRead{theirs}
	hasRead := func(side domain.Side, messages int) then {
		return raises(domain.ConversationRead{Pair: firmAndShop, Side: side, MessagesRead: messages})
	}
	reply := domain.MessageSent{Pair: firmAndShop, MessageID: id(52), From: domain.ConsultancySide, Body: "We do."}
	return []scenario{
		{"a client writes before asking to collaborate", market, by(shopAdmin, send), sent(domain.ClientSide)},
		{"the consultancy answers", enquiry, by(firmOwner, send), sent(domain.ConsultancySide)},
		{"an assigned account manager answers", inside, by(firmManager, send), sent(domain.ConsultancySide)},
		{"a client of an active collaboration, also to an unlisted consultancy", history(active, notInStanding), by(shopOwner, send), sent(domain.ClientSide)},
		{"a client after the collaboration ended", ended, by(shopOwner, send), sent(domain.ClientSide)},
		{"a client once it is unblocked", history(enquiry, block, unblock), by(shopOwner, send), sent(domain.ClientSide)},
		{"an unknown consultancy", shop, by(shopOwner, send), misses("consultancy_not_found")},
		{"an unknown client", listedFirm, by(firmOwner, send), misses("client_not_found")},
		{"two businesses", history(shop, domain.AccountRegistered{AccountID: firmID, Type: domain.Business, AccountDetails: shopDetails, Plan: domain.PlanFree, Owner: person(firmOwner)}), by(shopOwner, send), misses("consultancy_not_found")},
		{"the consultancy writes first", market, by(firmOwner, send), misses("collaboration_not_found")},
		{"a client's user", market, by(shopFinance, send), forbids("role_not_sufficient")},
		{"an account manager without assignment", enquiry, by(firmSpare, send), forbids("not_assigned")},
		{"a stranger", enquiry, by(stranger, send), forbids("not_a_member")},
		{"a service", enquiry, by(billing, send), forbids("member_required")},
		{"a blocked client", history(enquiry, block), by(shopOwner, send), refuses("client_blocked", "blocked")},
		{"to a consultancy that has taken its profile off", history(market, domain.ProfileUnlisted{ConsultancyID: firmID}), by(shopOwner, send), refuses("consultancy_not_listed", "unlisted")},
		{"to a consultancy that has closed its account", history(enquiry, firmClosed), by(shopOwner, send), refuses("account_closed", "closed")},
		{"in an active collaboration, to a consultancy that has closed its account", history(active, firmClosed), by(shopOwner, send), refuses("account_closed", "closed")},
		{"to a client that has closed its account", history(enquiry, shopClosed), by(firmOwner, send), refuses("account_closed", "closed")},
		{"a client that has closed its account", history(active, shopClosed), by(shopOwner, send), refuses("account_closed", "closed")},
		{"to a consultancy that is no partner", history(shop, firm), by(shopOwner, send), refuses("partnership_not_in_standing", "")},
		{"to a consultancy without a published profile", history(shop, inReview), by(shopOwner, send), refuses("consultancy_not_listed", "unlisted")},

		{"the consultancy", enquiry, by(firmAdmin, read), hasRead(domain.ConsultancySide, 1)},
		{"an assigned account manager", inside, by(firmManager, read), hasRead(domain.ConsultancySide, 1)},
		{"the client", history(enquiry, reply), by(shopAdmin, read), hasRead(domain.ClientSide, 2)},
		{"what one has written oneself is read", enquiry, by(shopOwner, read), nothing()},
		{"twice", history(enquiry, domain.ConversationRead{Pair: firmAndShop, Side: domain.ConsultancySide, MessagesRead: 1}), by(firmOwner, read), nothing()},
		{"a request is a message too", pending, by(firmOwner, read), hasRead(domain.ConsultancySide, 1)},
		{"a pair without history", market, by(shopOwner, read), misses("collaboration_not_found")},
		{"a client's user", enquiry, by(shopFinance, read), forbids("role_not_sufficient")},
		{"an account manager without assignment", enquiry, by(firmSpare, read), forbids("not_assigned")},
		{"a stranger", enquiry, by(stranger, read), forbids("not_a_member")},
	}
}

// asked is the outcome of a request at noon.
func asked(engagement int, before ...domain.Event) then {
	e := request(engagement)
	e.ExpiresAt = noon.Add(90 * 24 * time.Hour)
	return raises(history(before, e)...).and(RequestResult{CollaborationID: firmAndShop.CollaborationID(), Engagement: engagement})
}

func requestScenarios() []scenario {
	ask := RequestCollaboration{theirs, "Please keep our books."}
	leave, gone := DeclineCollaboration{theirs, domain.DeclinedForGood}, domain.CollaborationDeclined{Pair: firmAndShop, Engagement: 1, ReasonCode: domain.DeclinedForGood}
	accept, decline, withdraw := AcceptCollaboration{theirs}, DeclineCollaboration{theirs, domain.DeclinedNoCapacity}, WithdrawRequest{theirs}
	lapse := ExpireRequest{theirs}
	blocks, unblocks := BlockClient{theirs}, UnblockClient{theirs}
	lastMoment := requestEnd.Add(-time.Microsecond)
	lateAsk := func(engagement int) then {
		t := asked(engagement, expired)
		e := t.events[1].(domain.CollaborationRequested)
		e.ExpiresAt = requestEnd.Add(90 * 24 * time.Hour)
		t.events[1] = e
		return t
	}
	return []scenario{
		{"the client's owner", market, by(shopOwner, ask), asked(1)},
		{"the client's administrator, after an enquiry", enquiry, by(shopAdmin, ask), asked(1)},
		{"again after it was declined", history(pending, declined), by(shopOwner, ask), asked(2)},
		{"again after it was withdrawn", history(pending, withdrawn), by(shopOwner, ask), asked(2)},
		{"again after it expired", history(pending, expired), by(shopOwner, ask), asked(2)},
		{"again after the collaboration ended", ended, by(shopOwner, ask), asked(2)},
		{"again after a block was lifted", history(pending, blockedIt, block, unblock), by(shopOwner, ask), asked(2)},
		{"when the one before has lapsed unrecorded", pending, by(shopOwner, ask).at(requestEnd), lateAsk(2)},
		{"oneself", market, byJSON(shopOwner, "RequestCollaboration", `{"consultancyId":"`+shopID.String()+`","clientId":"`+shopID.String()+`","message":"m"}`), malforms("clientId")},
		{"an unknown consultancy", shop, by(shopOwner, ask), misses("consultancy_not_found")},
		{"an unknown client", listedFirm, by(shopOwner, ask), misses("client_not_found")},
		{"a client's user", market, by(shopFinance, ask), forbids("role_not_sufficient")},
		{"the consultancy for the client", market, by(firmOwner, ask), forbids("not_a_member")},
		{"a service", market, by(billing, ask), forbids("member_required")},
		{"a request is pending", pending, by(shopOwner, ask), refuses("already_pending", "pending")},
		{"in the request's last microsecond", pending, by(shopOwner, ask).at(lastMoment), refuses("already_pending", "pending")},
		{"the collaboration is active", active, by(shopOwner, ask), refuses("already_active", "active")},
		{"a blocked client", history(enquiry, block), by(shopOwner, ask), refuses("client_blocked", "blocked")},
		{"a consultancy that has closed its account", history(market, firmClosed), by(shopOwner, ask), refuses("account_closed", "closed")},
		{"a consultancy that has taken its profile off", history(market, domain.ProfileUnlisted{ConsultancyID: firmID}), by(shopOwner, ask), refuses("consultancy_not_listed", "unlisted")},
		{"a terminated partnership", history(market, terminated), by(shopOwner, ask), refuses("partnership_not_in_standing", "terminated")},
		{"a consultancy that lost its standing", history(market, notInStanding), by(shopOwner, ask), refuses("partnership_not_in_standing", "suspended")},
		{"a consultancy without a published profile", history(shop, inReview), by(shopOwner, ask), refuses("consultancy_not_listed", "unlisted")},

		{"the owner", pending, by(firmOwner, accept), raises(accepted)},
		{"an administrator", pending, by(firmAdmin, accept), raises(accepted)},
		{"in the last microsecond", pending, by(firmOwner, accept).at(lastMoment), raises(accepted)},
		{"an unknown consultancy", shop, by(firmOwner, accept), misses("consultancy_not_found")},
		{"an unknown client", listedFirm, by(firmOwner, accept), misses("client_not_found")},
		{"a pair without history", market, by(firmOwner, accept), misses("collaboration_not_found")},
		{"an account manager", pending, by(firmManager, accept), forbids("role_not_sufficient")},
		{"the client", pending, by(shopOwner, accept), forbids("not_a_member")},
		{"a service", pending, by(operator, accept), forbids("member_required")},
		{"an enquiry is no request", enquiry, by(firmOwner, accept), refuses("not_pending", "enquiry")},
		{"two administrators at once, the second", active, by(firmAdmin, accept), refuses("not_pending", "active")},
		{"lost to withdraw", history(pending, withdrawn), by(firmOwner, accept), refuses("not_pending", "withdrawn")},
		{"lost to decline", history(pending, declined), by(firmOwner, accept), refuses("not_pending", "declined")},
		{"lost to block", history(pending, blockedIt, block), by(firmOwner, accept), refuses("not_pending", "blocked")},
		{"lost to expire", history(pending, expired), by(firmOwner, accept), refuses("not_pending", "expired")},
		{"lost to the clock, unrecorded", pending, by(firmOwner, accept).at(requestEnd), refuses("not_pending", "expired")},
		{"after the collaboration ended", ended, by(firmOwner, accept), refuses("not_pending", "ended")},
		{"a client that has closed its account", history(pending, shopClosed), by(firmOwner, accept), refuses("account_closed", "closed")},
		{"a partnership that lost its standing", history(pending, notInStanding), by(firmOwner, accept), refuses("partnership_not_in_standing", "suspended")},

		{"an administrator", pending, by(firmAdmin, decline), raises(declined)},
		{"also without standing", history(pending, notInStanding), by(firmOwner, decline), raises(declined)},
		{"a pair without history", market, by(firmOwner, decline), misses("collaboration_not_found")},
		{"an account manager", pending, by(firmManager, decline), forbids("role_not_sufficient")},
		{"the client", pending, by(shopOwner, decline), forbids("not_a_member")},
		{"lost to accept", active, by(firmOwner, decline), refuses("not_pending", "active")},
		{"lost to the clock", pending, by(firmOwner, decline).at(requestEnd), refuses("not_pending", "expired")},
		{"the ledger, when the partnership was terminated", history(pending, terminated), by(reactor, leave), raises(gone)},
		{"the ledger, when who was terminated has applied again", history(pending, terminated, domain.PartnershipApplied{ConsultancyID: firmID}), by(reactor, leave), raises(gone)},
		{"the ledger, when the consultancy has closed its account", history(pending, firmClosed), by(reactor, leave), raises(gone)},
		{"the ledger, when the client has closed its account", history(pending, shopClosed), by(reactor, leave), raises(gone)},
		{"the ledger, when the partnership is only suspended", history(pending, notInStanding), by(reactor, leave), refuses("collaboration_goes_on", "pending")},
		{"the ledger, twice", history(pending, gone, terminated), by(reactor, leave), refuses("not_pending", "declined")},
		{"the ledger, for a reason of people", history(pending, terminated), by(reactor, decline), forbids("reason_reserved")},
		{"a person, for the ledger's own reason", history(pending, shopClosed), by(firmOwner, leave), forbids("reason_reserved")},
		{"a block is no reason that one may give", pending, by(firmOwner, DeclineCollaboration{theirs, domain.DeclinedByBlock}), malforms("reasonCode")},

		{"the client's administrator", pending, by(shopAdmin, withdraw), raises(withdrawn)},
		{"a pair without history", market, by(shopOwner, withdraw), misses("collaboration_not_found")},
		{"a client's user", pending, by(shopFinance, withdraw), forbids("role_not_sufficient")},
		{"the consultancy", pending, by(firmOwner, withdraw), forbids("not_a_member")},
		{"lost to accept", active, by(shopOwner, withdraw), refuses("not_pending", "active")},
		{"lost to block", history(pending, blockedIt, block), by(shopOwner, withdraw), refuses("not_pending", "blocked")},
		{"lost to the clock", pending, by(shopOwner, withdraw).at(requestEnd), refuses("not_pending", "expired")},

		{"at its end", pending, by(clock, lapse).at(requestEnd), raises(expired)},
		{"of a client that has closed its account", history(pending, shopClosed), by(clock, lapse).at(requestEnd.AddDate(1, 0, 0)), raises(expired)},
		{"an unknown consultancy", shop, by(clock, lapse), misses("consultancy_not_found")},
		{"a pair without history", market, by(clock, lapse), misses("collaboration_not_found")},
		{"the client", pending, by(shopOwner, lapse).at(requestEnd), forbids("system_required")},
		{"a service", pending, by(operator, lapse).at(requestEnd), forbids("system_required")},
		{"a microsecond before its end", pending, by(clock, lapse).at(lastMoment), refuses("not_due", "pending")},
		{"an enquiry is no request", enquiry, by(clock, lapse), refuses("not_pending", "enquiry")},
		{"lost to accept", active, by(clock, lapse).at(requestEnd), refuses("not_pending", "active")},
		{"lost to withdraw", history(pending, withdrawn), by(clock, lapse).at(requestEnd), refuses("not_pending", "withdrawn")},
		{"lost to block", history(pending, blockedIt, block), by(clock, lapse).at(requestEnd), refuses("not_pending", "blocked")},
		{"twice", history(pending, expired), by(clock, lapse).at(requestEnd), refuses("not_pending", "expired")},
		{"after the collaboration ended", ended, by(clock, lapse), refuses("not_pending", "ended")},

		{"an enquiry", enquiry, by(firmAdmin, blocks), raises(block)},
		{"declines a pending request with it", pending, by(firmOwner, blocks), raises(blockedIt, block)},
		{"records a lapsed request with it", pending, by(firmOwner, blocks).at(requestEnd), raises(expired, block)},
		{"after the collaboration ended", ended, by(firmOwner, blocks), raises(block)},
		{"a pair without history", market, by(firmOwner, blocks), misses("collaboration_not_found")},
		{"an account manager", pending, by(firmManager, blocks), forbids("role_not_sufficient")},
		{"the client", pending, by(shopOwner, blocks), forbids("not_a_member")},
		{"an active collaboration is ended first", active, by(firmOwner, blocks), refuses("collaboration_active", "active")},
		{"twice", history(enquiry, block), by(firmOwner, blocks), refuses("already_blocked", "blocked")},

		{"an administrator", history(enquiry, block), by(firmAdmin, unblocks), raises(unblock)},
		{"a pair without history", market, by(firmOwner, unblocks), misses("collaboration_not_found")},
		{"an account manager", history(enquiry, block), by(firmManager, unblocks), forbids("role_not_sufficient")},
		{"the client", history(enquiry, block), by(shopOwner, unblocks), forbids("not_a_member")},
		{"who is not blocked", enquiry, by(firmOwner, unblocks), refuses("not_blocked", "enquiry")},
	}
}

func responsibilityScenarios() []scenario {
	watch := func(sections ...domain.Section) ConfigureKPINotifications {
		return ConfigureKPINotifications{theirs, append([]domain.Section{}, sections...)}
	}
	watches := func(actor domain.Actor, sections ...domain.Section) domain.Event {
		return domain.KPINotificationsConfigured{Pair: firmAndShop, UserID: actor.UserID, Sections: append([]domain.Section{}, sections...)}
	}
	assign := func(people ...domain.Actor) AssignAccountManagers {
		return AssignAccountManagers{theirs, ids(people...)}
	}
	assigned := func(p domain.Actor) domain.Event {
		return domain.AccountManagerAssigned{Pair: firmAndShop, UserID: p.UserID}
	}
	full := history(active)
	for i := range domain.MaxManagers {
		full = append(full, domain.AccountManagerAssigned{Pair: firmAndShop, UserID: uuid.NewSHA1(firmID, []byte{byte(i)})})
	}
	unassign := UnassignAccountManager{theirs, firmManager.UserID}
	unassigned := domain.AccountManagerUnassigned{Pair: firmAndShop, UserID: firmManager.UserID}
	left := domain.MemberRemoved{AccountID: firmID, UserID: firmManager.UserID}
	return []scenario{
		{"in the order of sections", active, by(firmOwner, watch(domain.Journal, domain.Sales)), raises(watches(firmOwner, domain.Sales, domain.Journal))},
		{"an assigned account manager", inside, by(firmManager, watch(domain.Inbox)), raises(watches(firmManager, domain.Inbox))},
		{"none at all, for the first time", active, by(firmAdmin, watch()), raises(watches(firmAdmin))},
		{"the same choice again", history(active, watches(firmOwner, domain.Sales, domain.Journal)), by(firmOwner, watch(domain.Journal, domain.Sales)), nothing()},
		{"each person has a choice of their own", history(active, watches(firmOwner, domain.Sales)), by(firmAdmin, watch(domain.Sales)), raises(watches(firmAdmin, domain.Sales))},
		{"a section without tasks", active, by(firmOwner, watch(domain.Sales, domain.Payroll)), malforms("sections[1]")},
		{"a section twice", active, by(firmOwner, watch(domain.Sales, domain.Sales)), malforms("sections[1]")},
		{"a pair without history", market, by(firmOwner, watch(domain.Sales)), misses("collaboration_not_found")},
		{"an account manager without assignment", inside, by(firmSpare, watch(domain.Sales)), forbids("not_assigned")},
		{"the client", active, by(shopOwner, watch(domain.Sales)), forbids("not_a_member")},
		{"a service", active, by(billing, watch(domain.Sales)), forbids("member_required")},
		{"of a client that has closed its account", history(active, shopClosed), by(firmOwner, watch(domain.Sales)), refuses("account_closed", "closed")},
		{"after the collaboration ended", ended, by(firmOwner, watch(domain.Sales)), refuses("collaboration_not_active", "ended")},

		{"several people at once", active, by(firmAdmin, assign(firmSpare, firmOwner, firmManager)), raises(assigned(firmOwner), assigned(firmManager), assigned(firmSpare))},
		{"who is in charge already stays so", inside, by(firmOwner, assign(firmManager, firmSpare)), raises(assigned(firmSpare))},
		{"without a grant yet, and without standing", history(active, notInStanding), by(firmOwner, assign(firmManager)), raises(assigned(firmManager))},
		{"somebody twice", active, by(firmOwner, assign(firmManager, firmManager)), malforms("userIds[1]")},
		{"nobody", active, byJSON(firmOwner, "AssignAccountManagers", `{"consultancyId":"`+firmID.String()+`","clientId":"`+shopID.String()+`","userIds":[]}`), malforms("userIds")},
		{"a pair without history", market, by(firmOwner, assign(firmManager)), misses("collaboration_not_found")},
		{"somebody who is no member", active, by(firmOwner, assign(firmManager, stranger)), misses("member_not_found")},
		{"the client's people", active, by(firmOwner, assign(shopAdmin)), misses("member_not_found")},
		{"a former member", history(active, left), by(firmOwner, assign(firmManager)), misses("member_not_found")},
		{"an account manager", active, by(firmManager, assign(firmManager)), forbids("role_not_sufficient")},
		{"the client", active, by(shopOwner, assign(firmManager)), forbids("not_a_member")},
		{"before the request is accepted", pending, by(firmOwner, assign(firmManager)), refuses("collaboration_not_active", "pending")},
		{"for a client that has closed its account", history(active, shopClosed), by(firmOwner, assign(firmManager)), refuses("account_closed", "closed")},
		{"who is in charge already", inside, by(firmOwner, assign(firmManager)), refuses("already_assigned", "assigned")},
		{"one more than a client may have", full, by(firmOwner, assign(firmManager)), refuses("too_many_managers", "")},

		{"an administrator", inside, by(firmAdmin, unassign), raises(unassigned)},
		{"who has left the consultancy", history(inside, left), by(firmAdmin, unassign), raises(unassigned)},
		{"a pair without history", market, by(firmOwner, unassign), misses("collaboration_not_found")},
		{"by oneself", inside, by(firmManager, unassign), forbids("role_not_sufficient")},
		{"the client", inside, by(shopOwner, unassign), forbids("not_a_member")},
		{"after the collaboration ended", ended, by(firmOwner, unassign), refuses("collaboration_not_active", "ended")},
		{"who is not in charge", active, by(firmOwner, unassign), refuses("not_a_manager", "unassigned")},
		{"the ledger, who has left the consultancy", history(inside, left), by(reactor, unassign), raises(unassigned)},
		{"the ledger, after the collaboration ended", history(ended, left), by(reactor, unassign), refuses("collaboration_not_active", "ended")},
		{"the ledger, who is not in charge", history(active, left), by(reactor, unassign), refuses("not_a_manager", "unassigned")},
		{"the ledger, who is still a member", inside, by(reactor, unassign), refuses("still_a_member", "account_manager")},
	}
}

func endScenarios() []scenario {
	end := EndCollaboration{theirs, "done"}
	over := func(side domain.Side, epoch int) domain.Event {
		return domain.CollaborationEnded{Pair: firmAndShop, Engagement: 1, EndedBy: side, Reason: "done", AccessEpoch: epoch}
	}
	revoked := domain.AccessRevoked{Pair: firmAndShop, GrantID: grantID, AccessEpoch: 2}
	unassigned := func(p domain.Actor) domain.Event {
		return domain.AccountManagerUnassigned{Pair: firmAndShop, UserID: p.UserID}
	}
	two := history(inside, domain.AccountManagerAssigned{Pair: firmAndShop, UserID: firmOwner.UserID})
	return []scenario{
		{"all access is gone with it", two, by(shopOwner, end), raises(revoked, unassigned(firmOwner), unassigned(firmManager), over(domain.ClientSide, 3))},
		{"the consultancy's administrator", inside, by(firmAdmin, end), raises(revoked, unassigned(firmManager), over(domain.ConsultancySide, 3))},
		{"without a grant", active, by(shopAdmin, end), raises(over(domain.ClientSide, 1))},
		{"with a revoked grant", history(active, financeGrant, revoked), by(shopAdmin, end), raises(over(domain.ClientSide, 3))},
		{"with a grant whose end is not recorded", history(active, until(noon)), by(shopAdmin, end), raises(domain.AccessExpired{Pair: firmAndShop, GrantID: grantID, AccessEpoch: 2, ExpiredAt: noon}, over(domain.ClientSide, 3))},
		{"without standing", history(active, notInStanding), by(firmOwner, end), raises(over(domain.ConsultancySide, 1))},
		{"with a suspended grant", history(active, financeGrant, suspended), by(shopAdmin, end), raises(domain.AccessRevoked{Pair: firmAndShop, GrantID: grantID, AccessEpoch: 3}, over(domain.ClientSide, 4))},
		{"the ledger, when the partnership was terminated", history(inside, terminated), by(reactor, end), raises(revoked, unassigned(firmManager), over(domain.ConsultancySide, 3))},
		{"the ledger, when who was terminated has applied again", history(active, terminated, domain.PartnershipApplied{ConsultancyID: firmID}), by(reactor, end), raises(over(domain.ConsultancySide, 1))},
		{"the ledger, when the consultancy has closed its account", history(active, firmClosed), by(reactor, end), raises(over(domain.ConsultancySide, 1))},
		{"the ledger, when the client has closed its account", history(active, shopClosed), by(reactor, end), raises(over(domain.ClientSide, 1))},
		{"with a consultancy that has closed its account", history(active, firmClosed), by(shopOwner, end), raises(over(domain.ClientSide, 1))},
		{"by a consultancy that has closed its account", history(active, firmClosed), by(firmOwner, end), refuses("account_closed", "closed")},
		{"the ledger, when the partnership is only suspended", history(active, notInStanding), by(reactor, end), refuses("collaboration_goes_on", "active")},
		{"the ledger, twice", history(ended, terminated), by(reactor, end), refuses("collaboration_not_active", "ended")},
		{"an unknown consultancy", shop, by(shopOwner, end), misses("consultancy_not_found")},
		{"a pair without history", market, by(shopOwner, end), misses("collaboration_not_found")},
		{"an account manager", inside, by(firmManager, end), forbids("role_not_sufficient")},
		{"a client's user", inside, by(shopFinance, end), forbids("role_not_sufficient")},
		{"a stranger", inside, by(stranger, end), forbids("not_a_member")},
		{"a service", inside, by(operator, end), forbids("member_required")},
		{"an enquiry", enquiry, by(shopOwner, end), refuses("collaboration_not_active", "enquiry")},
		{"a pending request", pending, by(shopOwner, end), refuses("collaboration_not_active", "pending")},
		{"twice", ended, by(shopOwner, end), refuses("collaboration_not_active", "ended")},
	}
}
