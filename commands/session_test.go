package commands

import (
	"testing"
	"time"

	"github.com/collabledger/collabledger/domain"
)

func TestSessionCommands(t *testing.T) { run(t, sessionScenarios()) }

// login is the log-in of the assigned account manager, in the morning before noon.
var login = domain.ClientAccountOpened{Pair: firmAndShop, SessionID: id(81), UserID: firmManager.UserID, GrantID: grantID, AccessEpoch: 1, StandingEpoch: 1, Permissions: financeMay, Purpose: "Monthly closing", ExpiresAt: noon.Add(time.Minute)}

// opens is the outcome of logging in at noon.
func opens(actor domain.Actor, permissions domain.Permissions, epoch int, end time.Time) then {
	return opensIn(1, actor, permissions, epoch, end)
}

// opensIn is that in a later standing of the partnership.
func opensIn(standing int, actor domain.Actor, permissions domain.Permissions, epoch int, end time.Time) then {
	e := domain.ClientAccountOpened{Pair: firmAndShop, SessionID: fresh(1), UserID: actor.UserID, GrantID: grantID, AccessEpoch: epoch, StandingEpoch: standing, Permissions: permissions, Purpose: "Monthly closing", ExpiresAt: end}
	tokens, err := NewTokenSigner(testKey, testIssuer)
	if err != nil {
		panic(err)
	}
	token, err := tokens.Sign(e)
	if err != nil {
		panic(err)
	}
	return raises(e).and(SessionResult{SessionID: e.SessionID, Token: token, ExpiresAt: end})
}

func sessionScenarios() []scenario {
	open, inAnHour := OpenClientAccount{theirs, "Monthly closing"}, noon.Add(time.Hour)
	financeOnFree := domain.Permissions{domain.Sales: domain.Edit, domain.Expenses: domain.Edit, domain.Contacts: domain.Edit, domain.Inbox: domain.Edit}
	ownGrant := domain.AccessGranted{Pair: firmAndShop, GrantID: grantID, RoleID: ownRole, RoleVersion: 1, Permissions: ownMay, AccessEpoch: 1}
	widened := domain.RoleUpdated{AccountID: shopID, CustomRole: domain.CustomRole{RoleID: ownRole, Name: "Month end", Permissions: financeMay, Version: 2}}
	journalOnly := domain.Permissions{domain.Journal: domain.Edit}
	revoked := domain.AccessRevoked{Pair: firmAndShop, GrantID: grantID, AccessEpoch: 2}
	again := domain.AccessGranted{Pair: firmAndShop, GrantID: grantID, RoleID: domain.RoleSales, RoleVersion: 1, Permissions: salesMay, AccessEpoch: 3}
	left := domain.MemberRemoved{AccountID: firmID, UserID: firmManager.UserID}
	loggedIn := history(inside, login)
	closed := domain.ClientAccountClosed{Pair: firmAndShop, SessionID: login.SessionID, Reason: domain.LoggedOut}
	logOut := CloseClientAccount{login.SessionID}
	newEngagement := func(before []domain.Event) []domain.Event {
		return history(before,
			domain.AccessRevoked{Pair: firmAndShop, GrantID: grantID, AccessEpoch: 2},
			domain.CollaborationEnded{Pair: firmAndShop, Engagement: 1, EndedBy: domain.ClientSide, Reason: "done", AccessEpoch: 3},
			request(2), domain.CollaborationAccepted{Pair: firmAndShop, Engagement: 2})
	}
	changed := domain.AccessChanged{Pair: firmAndShop, GrantID: grantID, RoleID: domain.RoleSales, RoleVersion: 1, Permissions: salesMay, AccessEpoch: 2}
	lost, lapsed := closed, closed
	lost.Reason, lapsed.Reason = domain.Lost, domain.Lapsed
	expire := ExpireSession{login.SessionID}
	return []scenario{
		{"an assigned account manager", inside, by(firmManager, open), opens(firmManager, financeMay, 1, inAnHour)},
		{"an administrator without assignment", inside, by(firmAdmin, open), opens(firmAdmin, financeMay, 1, inAnHour)},
		{"the owner without assignment", inside, by(firmOwner, open), opens(firmOwner, financeMay, 1, inAnHour)},
		{"no longer than the grant", history(active, until(noon.Add(time.Minute))), by(firmOwner, open), opens(firmOwner, financeMay, 1, noon.Add(time.Minute))},
		{"no longer than an hour", history(active, until(noon.Add(2*time.Hour))), by(firmOwner, open), opens(firmOwner, financeMay, 1, inAnHour)},
		{"no more than the client's plan includes", history(inside, subscribed(shopOwner, domain.PlanFree)), by(firmOwner, open), opens(firmOwner, financeOnFree, 1, inAnHour)},
		{"a role widened later does not widen the grant", history(active, roleExists, ownGrant, widened), by(firmOwner, open), opens(firmOwner, ownMay, 1, inAnHour)},
		{"a role deleted later stays pinned in the grant", history(active, roleExists, ownGrant, domain.RoleDeleted{AccountID: shopID, RoleID: ownRole}), by(firmOwner, open), opens(firmOwner, ownMay, 1, inAnHour)},
		{"a downgrade takes the custom role's plan away", history(active, roleExists, ownGrant, subscribed(shopOwner, domain.PlanBasic)), by(firmOwner, open), opens(firmOwner, journalOnly, 1, inAnHour)},
		{"revoked and granted again", history(inside, revoked, again), by(firmManager, open), opens(firmManager, salesMay, 3, inAnHour)},
		{"while the client is logged in to twice", loggedIn, by(firmManager, open), opens(firmManager, financeMay, 1, inAnHour)},
		{"an unknown consultancy", shop, by(firmOwner, open), misses("consultancy_not_found")},
		{"an unknown client", firm, by(firmOwner, open), misses("client_not_found")},
		{"a pair without history", market, by(stranger, open), misses("collaboration_not_found")},
		{"an account manager without assignment", inside, by(firmSpare, open), forbids("not_assigned")},
		{"the client's owner", inside, by(shopOwner, open), forbids("not_a_member")},
		{"a former account manager, still assigned", history(inside, left), by(firmManager, open), forbids("not_a_member")},
		{"the person, acting for another account", inside, by(impostor, open), forbids("not_a_member")},
		{"a service", inside, by(operator, open), forbids("member_required")},
		{"before the request is accepted", pending, by(firmOwner, open), refuses("collaboration_not_active", "pending")},
		{"when the request has lapsed", pending, by(firmOwner, open).at(requestEnd), refuses("collaboration_not_active", "expired")},
		{"after the collaboration ended", ended, by(firmOwner, open), refuses("collaboration_not_active", "ended")},
		{"a partnership that lost its standing", history(inside, notInStanding), by(firmOwner, open), refuses("partnership_not_in_standing", "suspended")},
		{"without a grant", active, by(firmOwner, open), refuses("no_live_grant", "none")},
		{"after the grant was revoked", history(inside, revoked), by(firmManager, open), refuses("no_live_grant", "revoked")},
		{"while the grant is suspended", history(inside, suspended), by(firmManager, open), refuses("no_live_grant", "suspended")},
		{"once the grant is resumed", history(inside, suspended, resumed), by(firmManager, open), opens(firmManager, financeMay, 2, inAnHour)},
		{"no longer than the grant as it was extended", history(active, until(noon.Add(time.Minute)), domain.AccessExtended{Pair: firmAndShop, GrantID: grantID, ExpiresAt: noon.Add(time.Hour / 2)}), by(firmOwner, open), opens(firmOwner, financeMay, 1, noon.Add(time.Hour/2))},
		{"the consultancy has closed its account", history(inside, firmClosed), by(firmOwner, open), refuses("account_closed", "closed")},
		{"the client has closed its account", history(inside, shopClosed), by(firmManager, open), refuses("account_closed", "closed")},
		{"a terminated partnership", history(inside, terminated), by(firmOwner, open), refuses("partnership_not_in_standing", "terminated")},
		{"a partner that was reinstated", history(inside, notInStanding, reinstated), by(firmOwner, open), opensIn(2, firmOwner, financeMay, 1, inAnHour)},
		{"at the grant's end", history(active, until(noon)), by(firmOwner, open), refuses("no_live_grant", "expired")},
		{"a new engagement revives no grant", newEngagement(inside), by(firmOwner, open), refuses("no_live_grant", "none")},
		{"a grant of which the plan includes nothing", history(active, roleExists, domain.AccessGranted{Pair: firmAndShop, GrantID: grantID, RoleID: domain.RoleHR, RoleVersion: 1, Permissions: domain.Permissions{domain.Team: domain.Edit}, AccessEpoch: 1}, subscribed(shopOwner, domain.PlanBasic)), by(firmOwner, open), refuses("role_not_in_plan", "basic")},

		{"by the person who logged in", loggedIn, by(firmManager, logOut), raises(closed)},
		{"by the consultancy's administrator", loggedIn, by(firmAdmin, logOut), raises(closed)},
		{"by the client's owner", loggedIn, by(shopOwner, logOut), raises(closed)},
		{"after the grant was revoked", history(loggedIn, revoked), by(firmManager, logOut), raises(closed)},
		{"of a former account manager, by the client", history(loggedIn, left), by(shopAdmin, logOut), raises(closed)},
		{"an unknown log-in", inside, by(stranger, logOut), misses("session_not_found")},
		{"by another account manager", loggedIn, by(firmSpare, logOut), forbids("role_not_sufficient")},
		{"by a client's user", loggedIn, by(shopFinance, logOut), forbids("role_not_sufficient")},
		{"by a stranger", loggedIn, by(stranger, logOut), forbids("not_a_member")},
		{"by the person, after they left the consultancy", history(loggedIn, left), by(firmManager, logOut), forbids("not_a_member")},
		{"by a service", loggedIn, by(billing, logOut), forbids("member_required")},
		{"twice", history(loggedIn, closed), by(firmManager, logOut), refuses("session_closed", "closed")},
		{"when it is over", loggedIn, by(firmManager, logOut).at(login.ExpiresAt), refuses("session_closed", "closed")},
		{"by a person whose consultancy has closed its account", history(loggedIn, firmClosed), by(firmManager, logOut), refuses("account_closed", "closed")},

		{"the ledger, after the grant was revoked", history(loggedIn, revoked), by(reactor, logOut), raises(lost)},
		{"the ledger, after it was granted again", history(loggedIn, revoked, again), by(reactor, logOut), raises(lost)},
		{"the ledger, after it was changed", history(loggedIn, changed), by(reactor, logOut), raises(lost)},
		{"the ledger, while the grant is suspended", history(loggedIn, suspended), by(reactor, logOut), raises(lost)},
		{"the ledger, after the grant was resumed", history(loggedIn, suspended, resumed), by(reactor, logOut), raises(lost)},
		{"the ledger, without standing", history(loggedIn, notInStanding), by(reactor, logOut), raises(lost)},
		{"the ledger, after the partnership was reinstated", history(loggedIn, notInStanding, reinstated), by(reactor, logOut), raises(lost)},
		{"the ledger, after the collaboration ended", newEngagement(loggedIn), by(reactor, logOut), raises(lost)},
		{"the ledger, after the person left", history(loggedIn, left), by(reactor, logOut), raises(lost)},
		{"the ledger, after the person was unassigned", history(loggedIn, domain.AccountManagerUnassigned{Pair: firmAndShop, UserID: firmManager.UserID}), by(reactor, logOut), raises(lost)},
		{"the ledger, after the consultancy closed its account", history(loggedIn, firmClosed), by(reactor, logOut), raises(lost)},
		{"the ledger, after the client closed its account", history(loggedIn, shopClosed), by(reactor, logOut), raises(lost)},
		{"the ledger, while the access holds", loggedIn, by(reactor, logOut), refuses("access_not_lost", "open")},
		{"the ledger, while an extended grant holds", history(loggedIn, domain.AccessExtended{Pair: firmAndShop, GrantID: grantID, ExpiresAt: inAnHour}), by(reactor, logOut), refuses("access_not_lost", "open")},
		{"the ledger, when it is over", history(loggedIn, revoked), by(reactor, logOut).at(login.ExpiresAt), refuses("session_closed", "closed")},

		{"at its end", loggedIn, by(clock, expire).at(login.ExpiresAt), raises(lapsed)},
		{"long after its end, of a grant that was revoked", history(loggedIn, revoked), by(clock, expire).at(login.ExpiresAt.AddDate(1, 0, 0)), raises(lapsed)},
		{"an unknown log-in", inside, by(clock, expire), misses("session_not_found")},
		{"the person who logged in", loggedIn, by(firmManager, expire).at(login.ExpiresAt), forbids("system_required")},
		{"a service", loggedIn, by(operator, expire).at(login.ExpiresAt), forbids("system_required")},
		{"a microsecond before its end", loggedIn, by(clock, expire).at(login.ExpiresAt.Add(-time.Microsecond)), refuses("not_due", "open")},
		{"one that was closed", history(loggedIn, closed), by(clock, expire).at(login.ExpiresAt), refuses("session_closed", "closed")},
		{"twice", history(loggedIn, lapsed), by(clock, expire).at(login.ExpiresAt), refuses("session_closed", "closed")},
	}
}
