package commands

import (
	"testing"
	"time"

	"github.com/collabledger/collabledger/domain"
)

func TestAccessCommands(t *testing.T)      { run(t, accessScenarios()) }
func TestGrantUpkeepCommands(t *testing.T) { run(t, grantUpkeepScenarios()) }

func accessScenarios() []scenario {
	wish := RequestAccess{theirs, domain.RoleFinance, "Monthly closing"}
	grant := func(role domain.Role, end *time.Time) GrantAccess { return GrantAccess{theirs, GrantTerms{role, end}} }
	change := func(role domain.Role, end *time.Time) ChangeAccess {
		return ChangeAccess{theirs, GrantTerms{role, end}}
	}
	grants := func(e domain.AccessGranted, before ...domain.Event) then {
		e.GrantID = fresh(1)
		return raises(history(before, e)...).and(GrantResult{GrantID: fresh(1)})
	}
	changes := func(role domain.Role, version int, may domain.Permissions, epoch int, end time.Time) then {
		return raises(domain.AccessChanged{Pair: firmAndShop, GrantID: grantID, RoleID: role, RoleVersion: version, Permissions: may, AccessEpoch: epoch, ExpiresAt: end})
	}
	next := func(epoch int) domain.AccessGranted {
		e := financeGrant
		e.AccessEpoch = epoch
		return e
	}
	ownGrant := domain.AccessGranted{Pair: firmAndShop, RoleID: ownRole, RoleVersion: 1, Permissions: ownMay, AccessEpoch: 1}
	heldOwn := ownGrant
	heldOwn.GrantID = grantID
	narrowed := domain.RoleUpdated{AccountID: shopID, CustomRole: domain.CustomRole{RoleID: ownRole, Name: "Month end", Permissions: domain.Permissions{domain.Journal: domain.Read}, Version: 2}}
	revoked := domain.AccessRevoked{Pair: firmAndShop, GrantID: grantID, AccessEpoch: 2}
	expiredGrant := domain.AccessExpired{Pair: firmAndShop, GrantID: grantID, AccessEpoch: 2, ExpiredAt: noon}
	inAYear, now, tooFar, farthest := noon.AddDate(1, 0, 0), noon, noon.Add(domain.MaxGrantLasts+time.Microsecond), noon.Add(domain.MaxGrantLasts)
	second := history(ended, request(2), domain.CollaborationAccepted{Pair: firmAndShop, Engagement: 2})
	return []scenario{
		{"the consultancy's owner", active, by(firmOwner, wish), raises(domain.AccessRequested{Pair: firmAndShop, SuggestedRole: domain.RoleFinance, Purpose: "Monthly closing"})},
		{"an assigned account manager, for another role", inside, by(firmManager, RequestAccess{theirs, domain.RoleHR, "Payroll"}), raises(domain.AccessRequested{Pair: firmAndShop, SuggestedRole: domain.RoleHR, Purpose: "Payroll"})},
		{"a pair without history", market, by(firmOwner, wish), misses("collaboration_not_found")},
		{"an account manager without assignment", active, by(firmManager, wish), forbids("not_assigned")},
		{"the client", active, by(shopOwner, wish), forbids("not_a_member")},
		{"before the request is accepted", pending, by(firmOwner, wish), refuses("collaboration_not_active", "pending")},
		{"of a client that has closed its account", history(active, shopClosed), by(firmOwner, wish), refuses("account_closed", "closed")},
		{"the owner's role", active, by(firmOwner, RequestAccess{theirs, domain.RoleOwner, "p"}), refuses("owner_never_granted", "owner")},
		{"a role that the client lacks", active, by(firmOwner, RequestAccess{theirs, ownRole, "p"}), refuses("role_unknown", string(ownRole))},
		{"a role of which the plan includes a part", history(active, subscribed(shopOwner, domain.PlanAdvanced)), by(firmOwner, RequestAccess{theirs, "hr", "p"}), raises(domain.AccessRequested{Pair: firmAndShop, SuggestedRole: domain.RoleHR, Purpose: "p"})},
		{"a role of which the smallest plan includes nothing", history(active, subscribed(shopOwner, domain.PlanFree)), by(firmOwner, RequestAccess{theirs, "hr", "p"}), refuses("role_not_in_plan", "free")},

		{"the client's owner", active, by(shopOwner, grant(domain.RoleFinance, nil)), grants(financeGrant)},
		{"the client's administrator, with an end", active, by(shopAdmin, grant(domain.RoleFinance, &inAYear)), grants(until(inAYear))},
		{"with the latest end", active, by(shopAdmin, grant(domain.RoleFinance, &farthest)), grants(until(farthest))},
		{"a role of the client's own", history(active, roleExists), by(shopOwner, grant(ownRole, nil)), grants(ownGrant)},
		{"again after it was revoked", history(inside, revoked), by(shopOwner, grant(domain.RoleFinance, nil)), grants(next(3))},
		{"again after it expired", history(active, until(noon), expiredGrant), by(shopOwner, grant(domain.RoleFinance, nil)), grants(next(3))},
		{"when the one before has ended unrecorded", history(active, until(noon)), by(shopOwner, grant(domain.RoleFinance, nil)), grants(next(3), expiredGrant)},
		{"in a new engagement", second, by(shopOwner, grant(domain.RoleFinance, nil)), grants(next(2))},
		{"a pair without history", market, by(shopOwner, grant(domain.RoleFinance, nil)), misses("collaboration_not_found")},
		{"an unknown client", listedFirm, by(shopOwner, grant(domain.RoleFinance, nil)), misses("client_not_found")},
		{"a client's user", active, by(shopFinance, grant(domain.RoleFinance, nil)), forbids("role_not_sufficient")},
		{"only the client widens access", active, by(firmOwner, grant(domain.RoleFinance, nil)), forbids("not_a_member")},
		{"a service", active, by(operator, grant(domain.RoleFinance, nil)), forbids("member_required")},
		{"before the request is accepted", pending, by(shopOwner, grant(domain.RoleFinance, nil)), refuses("collaboration_not_active", "pending")},
		{"after the collaboration ended", ended, by(shopOwner, grant(domain.RoleFinance, nil)), refuses("collaboration_not_active", "ended")},
		{"a partnership that lost its standing", history(active, notInStanding), by(shopOwner, grant(domain.RoleFinance, nil)), refuses("partnership_not_in_standing", "suspended")},
		{"a second role", inside, by(shopOwner, grant(domain.RoleSales, nil)), refuses("grant_exists", "granted")},
		{"while the grant is suspended", history(inside, suspended), by(shopOwner, grant(domain.RoleFinance, nil)), refuses("grant_exists", "suspended")},
		{"when the one before has ended while suspended, unrecorded", history(active, until(noon), suspended), by(shopOwner, grant(domain.RoleFinance, nil)), grants(next(4), domain.AccessExpired{Pair: firmAndShop, GrantID: grantID, AccessEpoch: 3, ExpiredAt: noon})},
		{"a consultancy that has closed its account", history(active, firmClosed), by(shopOwner, grant(domain.RoleFinance, nil)), refuses("account_closed", "closed")},
		{"the client has closed its account", history(active, shopClosed), by(shopOwner, grant(domain.RoleFinance, nil)), refuses("account_closed", "closed")},
		{"a terminated partnership", history(active, terminated), by(shopOwner, grant(domain.RoleFinance, nil)), refuses("partnership_not_in_standing", "terminated")},
		{"the owner's role", active, by(shopOwner, grant(domain.RoleOwner, nil)), refuses("owner_never_granted", "owner")},
		{"a consultancy's role", active, by(shopOwner, grant(domain.RoleAccountManager, nil)), refuses("role_unknown", "account_manager")},
		{"a role of its own after a downgrade", history(active, roleExists, subscribed(shopOwner, domain.PlanStandard)), by(shopOwner, grant(ownRole, nil)), refuses("plan_without_custom_roles", "standard")},
		{"a role of which the plan includes a part", history(active, subscribed(shopOwner, domain.PlanStandard)), by(shopOwner, grant(domain.RoleInventory, nil)), grants(domain.AccessGranted{Pair: firmAndShop, RoleID: domain.RoleInventory, RoleVersion: 1, Permissions: domain.Permissions{domain.Inventory: domain.Edit, domain.Contacts: domain.Edit}, AccessEpoch: 1})},
		{"a role of which the smallest plan includes nothing", history(active, subscribed(shopOwner, domain.PlanFree)), by(shopOwner, grant(domain.RoleCRM, nil)), refuses("role_not_in_plan", "free")},
		{"an end that is now", active, by(shopOwner, grant(domain.RoleFinance, &now)), refuses("expiry_in_the_past", "")},
		{"an end too far away", active, by(shopOwner, grant(domain.RoleFinance, &tooFar)), refuses("expiry_too_far", "")},

		{"another role", inside, by(shopOwner, change(domain.RoleSales, nil)), changes(domain.RoleSales, 1, salesMay, 2, time.Time{})},
		{"another end", inside, by(shopAdmin, change(domain.RoleFinance, &inAYear)), changes(domain.RoleFinance, 1, financeMay, 2, inAYear)},
		{"no end any more", history(active, until(inAYear)), by(shopAdmin, change(domain.RoleFinance, nil)), changes(domain.RoleFinance, 1, financeMay, 2, time.Time{})},
		{"consent to a newer version of the same role", history(active, roleExists, heldOwn, narrowed), by(shopOwner, change(ownRole, nil)), changes(ownRole, 2, domain.Permissions{domain.Journal: domain.Read}, 2, time.Time{})},
		{"a pair without history", market, by(shopOwner, change(domain.RoleSales, nil)), misses("collaboration_not_found")},
		{"a client's user", inside, by(shopFinance, change(domain.RoleSales, nil)), forbids("role_not_sufficient")},
		{"only the client may change it", inside, by(firmOwner, change(domain.RoleSales, nil)), forbids("not_a_member")},
		{"after the collaboration ended", ended, by(shopOwner, change(domain.RoleSales, nil)), refuses("collaboration_not_active", "ended")},
		{"without a grant", active, by(shopOwner, change(domain.RoleSales, nil)), refuses("no_live_grant", "none")},
		{"after it was revoked", history(inside, revoked), by(shopOwner, change(domain.RoleSales, nil)), refuses("no_live_grant", "revoked")},
		{"at its end", history(active, until(noon)), by(shopOwner, change(domain.RoleFinance, &inAYear)), refuses("no_live_grant", "expired")},
		{"while it is suspended", history(inside, suspended), by(shopOwner, change(domain.RoleSales, nil)), refuses("no_live_grant", "suspended")},
		{"a consultancy that has closed its account", history(inside, firmClosed), by(shopOwner, change(domain.RoleSales, nil)), refuses("account_closed", "closed")},
		{"the owner's role", inside, by(shopOwner, change(domain.RoleOwner, nil)), refuses("owner_never_granted", "owner")},
		{"a role that the client lacks", inside, by(shopOwner, change(ownRole, nil)), refuses("role_unknown", string(ownRole))},
		{"a role of its own after a downgrade", history(inside, roleExists, subscribed(shopOwner, domain.PlanBasic)), by(shopOwner, change(ownRole, nil)), refuses("plan_without_custom_roles", "basic")},
		{"a role of which the plan includes nothing", history(inside, subscribed(shopOwner, domain.PlanFree)), by(shopOwner, change(domain.RoleHR, nil)), refuses("role_not_in_plan", "free")},
		{"an end in the past", inside, by(shopOwner, change(domain.RoleFinance, &morning)), refuses("expiry_in_the_past", "")},
		{"an end too far away", inside, by(shopOwner, change(domain.RoleFinance, &tooFar)), refuses("expiry_too_far", "")},
		{"to what it is", inside, by(shopOwner, change(domain.RoleFinance, nil)), refuses("nothing_changed", "granted")},

		{"the client", inside, by(shopAdmin, RevokeAccess{theirs}), raises(revoked)},
		{"the consultancy may narrow access too", inside, by(firmAdmin, RevokeAccess{theirs}), raises(revoked)},
		{"without standing", history(inside, notInStanding), by(shopOwner, RevokeAccess{theirs}), raises(revoked)},
		{"while it is suspended", history(inside, suspended), by(firmOwner, RevokeAccess{theirs}), raises(domain.AccessRevoked{Pair: firmAndShop, GrantID: grantID, AccessEpoch: 3})},
		{"of a consultancy that has closed its account", history(inside, firmClosed), by(shopOwner, RevokeAccess{theirs}), raises(revoked)},
		{"by a consultancy that has closed its account", history(inside, firmClosed), by(firmOwner, RevokeAccess{theirs}), refuses("account_closed", "closed")},
		{"a pair without history", market, by(shopOwner, RevokeAccess{theirs}), misses("collaboration_not_found")},
		{"an account manager", inside, by(firmManager, RevokeAccess{theirs}), forbids("role_not_sufficient")},
		{"a client's user", inside, by(shopFinance, RevokeAccess{theirs}), forbids("role_not_sufficient")},
		{"a stranger", inside, by(stranger, RevokeAccess{theirs}), forbids("not_a_member")},
		{"a service", inside, by(billing, RevokeAccess{theirs}), forbids("member_required")},
		{"after the collaboration ended", ended, by(shopOwner, RevokeAccess{theirs}), refuses("collaboration_not_active", "ended")},
		{"without a grant", active, by(shopOwner, RevokeAccess{theirs}), refuses("no_grant", "none")},
		{"twice", history(inside, revoked), by(shopOwner, RevokeAccess{theirs}), refuses("no_grant", "revoked")},
		{"at its end", history(active, until(noon)), by(shopOwner, RevokeAccess{theirs}), refuses("no_grant", "expired")},
	}
}

// grantUpkeepScenarios are about a grant that stays the same grant: extended, attested, suspended and resumed.
func grantUpkeepScenarios() []scenario {
	soon, inAYear, now, tooFar := noon.Add(time.Hour), noon.AddDate(1, 0, 0), noon, noon.Add(domain.MaxGrantLasts+time.Microsecond)
	ending := history(active, until(soon))
	extend := func(end time.Time) ExtendAccess { return ExtendAccess{theirs, end} }
	extended := domain.AccessExtended{Pair: firmAndShop, GrantID: grantID, ExpiresAt: inAYear}
	attest, suspend, resume := AttestAccess{theirs}, SuspendAccess{theirs}, ResumeAccess{theirs}
	attested := domain.AccessAttested{Pair: firmAndShop, GrantID: grantID, AttestedAt: noon}
	revoked := domain.AccessRevoked{Pair: firmAndShop, GrantID: grantID, AccessEpoch: 2}
	onHold := history(inside, suspended)
	suspendedAgain, resumedAgain := suspended, resumed
	suspendedAgain.AccessEpoch, resumedAgain.AccessEpoch = 3, 3
	return []scenario{
		{"the client's administrator", ending, by(shopAdmin, extend(inAYear)), raises(extended)},
		{"a second time", history(ending, extended), by(shopOwner, extend(inAYear.Add(time.Microsecond))), raises(domain.AccessExtended{Pair: firmAndShop, GrantID: grantID, ExpiresAt: inAYear.Add(time.Microsecond)})},
		{"in the grant's last microsecond", ending, by(shopOwner, extend(inAYear)).at(soon.Add(-time.Microsecond)), raises(extended)},
		{"a pair without history", market, by(shopOwner, extend(inAYear)), misses("collaboration_not_found")},
		{"a client's user", ending, by(shopFinance, extend(inAYear)), forbids("role_not_sufficient")},
		{"only the client widens access", ending, by(firmOwner, extend(inAYear)), forbids("not_a_member")},
		{"a service", ending, by(operator, extend(inAYear)), forbids("member_required")},
		{"the clock", ending, by(clock, extend(inAYear)), forbids("member_required")},
		{"after the collaboration ended", ended, by(shopOwner, extend(inAYear)), refuses("collaboration_not_active", "ended")},
		{"a consultancy that has closed its account", history(ending, firmClosed), by(shopOwner, extend(inAYear)), refuses("account_closed", "closed")},
		{"a partnership that lost its standing", history(ending, notInStanding), by(shopOwner, extend(inAYear)), refuses("partnership_not_in_standing", "suspended")},
		{"without a grant", active, by(shopOwner, extend(inAYear)), refuses("no_live_grant", "none")},
		{"at its end", history(active, until(noon)), by(shopOwner, extend(inAYear)), refuses("no_live_grant", "expired")},
		{"while it is suspended", history(ending, suspended), by(shopOwner, extend(inAYear)), refuses("no_live_grant", "suspended")},
		{"a grant without an end", inside, by(shopOwner, extend(inAYear)), refuses("grant_without_end", "granted")},
		{"to the end that it has", ending, by(shopOwner, extend(soon)), refuses("not_an_extension", "granted")},
		{"to an earlier end", ending, by(shopOwner, extend(now)), refuses("not_an_extension", "granted")},
		{"to an end too far away", ending, by(shopOwner, extend(tooFar)), refuses("expiry_too_far", "")},
		{"to no end", ending, byJSON(shopOwner, "ExtendAccess", `{"consultancyId":"`+firmID.String()+`","clientId":"`+shopID.String()+`"}`), malforms("expiresAt")},

		{"the client's owner", inside, by(shopOwner, attest), raises(attested)},
		{"every time anew", history(inside, attested), by(shopAdmin, attest), raises(attested)},
		{"a pair without history", market, by(shopOwner, attest), misses("collaboration_not_found")},
		{"a client's user", inside, by(shopFinance, attest), forbids("role_not_sufficient")},
		{"the consultancy, of its own access", inside, by(firmOwner, attest), forbids("not_a_member")},
		{"after the collaboration ended", ended, by(shopOwner, attest), refuses("collaboration_not_active", "ended")},
		{"without standing", history(inside, notInStanding), by(shopOwner, attest), refuses("partnership_not_in_standing", "suspended")},
		{"without a grant", active, by(shopOwner, attest), refuses("no_live_grant", "none")},
		{"at its end", history(active, until(noon)), by(shopOwner, attest), refuses("no_live_grant", "expired")},
		{"while it is suspended", onHold, by(shopOwner, attest), refuses("no_live_grant", "suspended")},

		{"the client", inside, by(shopAdmin, suspend), raises(suspended)},
		{"the consultancy may narrow access too", inside, by(firmAdmin, suspend), raises(suspended)},
		{"once more after it was resumed", history(onHold, resumed), by(shopOwner, suspend), raises(suspendedAgain)},
		{"without standing", history(inside, notInStanding), by(shopOwner, suspend), raises(suspended)},
		{"of a consultancy that has closed its account", history(inside, firmClosed), by(shopOwner, suspend), raises(suspended)},
		{"a pair without history", market, by(shopOwner, suspend), misses("collaboration_not_found")},
		{"an account manager", inside, by(firmManager, suspend), forbids("role_not_sufficient")},
		{"a client's user", inside, by(shopFinance, suspend), forbids("role_not_sufficient")},
		{"a stranger", inside, by(stranger, suspend), forbids("not_a_member")},
		{"a service", inside, by(billing, suspend), forbids("member_required")},
		{"before the request is accepted", pending, by(shopOwner, suspend), refuses("collaboration_not_active", "pending")},
		{"after the collaboration ended", ended, by(shopOwner, suspend), refuses("collaboration_not_active", "ended")},
		{"without a grant", active, by(shopOwner, suspend), refuses("no_live_grant", "none")},
		{"after it was revoked", history(inside, revoked), by(shopOwner, suspend), refuses("no_live_grant", "revoked")},
		{"at its end", history(active, until(noon)), by(shopOwner, suspend), refuses("no_live_grant", "expired")},
		{"twice", onHold, by(shopOwner, suspend), refuses("no_live_grant", "suspended")},

		{"the client's administrator", onHold, by(shopAdmin, resume), raises(resumed)},
		{"a second time", history(onHold, resumed, suspendedAgain), by(shopOwner, resume), raises(resumedAgain)},
		{"until the last microsecond of the grant", history(ending, suspended), by(shopOwner, resume).at(soon.Add(-time.Microsecond)), raises(resumed)},
		{"a pair without history", market, by(shopOwner, resume), misses("collaboration_not_found")},
		{"a client's user", onHold, by(shopFinance, resume), forbids("role_not_sufficient")},
		{"the consultancy, which suspended it itself", onHold, by(firmOwner, resume), forbids("not_a_member")},
		{"a service", onHold, by(operator, resume), forbids("member_required")},
		{"after the collaboration ended", ended, by(shopOwner, resume), refuses("collaboration_not_active", "ended")},
		{"a client that has closed its account", history(onHold, shopClosed), by(shopOwner, resume), refuses("account_closed", "closed")},
		{"a partnership that lost its standing", history(onHold, notInStanding), by(shopOwner, resume), refuses("partnership_not_in_standing", "suspended")},
		{"without a grant", active, by(shopOwner, resume), refuses("grant_not_suspended", "none")},
		{"one that is live", inside, by(shopOwner, resume), refuses("grant_not_suspended", "granted")},
		{"after it was revoked", history(inside, revoked), by(shopOwner, resume), refuses("grant_not_suspended", "revoked")},
		{"when it has ended meanwhile", history(ending, suspended), by(shopOwner, resume).at(soon), refuses("grant_not_suspended", "expired")},
	}
}
