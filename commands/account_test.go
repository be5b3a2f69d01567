package commands

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

func TestAccountCommands(t *testing.T) { run(t, accountScenarios()) }
func TestMemberCommands(t *testing.T)  { run(t, memberScenarios()) }
func TestRoleCommands(t *testing.T)    { run(t, roleScenarios()) }

func accountScenarios() []scenario {
	anna := NewPerson{Name: "Anna Vidal", Email: "anna@vidal.example"}
	newFirm := RegisterAccount{Type: domain.Consultancy, AccountDetails: firmDetails, Plan: domain.PlanBasic, FirmKind: domain.Agency, Owner: anna}
	newShop := RegisterAccount{Type: domain.Business, AccountDetails: shopDetails, Plan: domain.PlanFree, Owner: anna}
	firmWithoutKind, shopWithKind := newFirm, newShop
	firmWithoutKind.FirmKind, shopWithKind.FirmKind = "", domain.OtherFirm
	owner := domain.Person{UserID: fresh(2), Name: anna.Name, Email: anna.Email}
	update := UpdateAccountDetails{firmID, shopDetails}
	record := RecordSubscription{firmID, domain.PlanPremium, domain.PastDue}
	closeIt := CloseAccount{firmID}
	return []scenario{
		{"a consultancy", nil, by(billing, newFirm),
			raises(domain.AccountRegistered{AccountID: fresh(1), Type: domain.Consultancy, AccountDetails: firmDetails, Plan: domain.PlanBasic, FirmKind: domain.Agency, Owner: owner}).
				and(AccountResult{AccountID: fresh(1), OwnerUserID: fresh(2)})},
		{"a business", nil, by(billing, newShop),
			raises(domain.AccountRegistered{AccountID: fresh(1), Type: domain.Business, AccountDetails: shopDetails, Plan: domain.PlanFree, Owner: owner}).
				and(AccountResult{AccountID: fresh(1), OwnerUserID: fresh(2)})},
		{"a consultancy without its kind of firm", nil, by(billing, firmWithoutKind), malforms("firmKind")},
		{"a business with a kind of firm", nil, by(billing, shopWithKind), malforms("firmKind")},
		{"what is malformed is told before who may ask", nil, by(stranger, firmWithoutKind), malforms("firmKind")},
		{"a user", nil, by(stranger, newFirm), forbids("service_required")},
		{"a reviewer", nil, by(maria, newFirm), forbids("service_required")},

		{"the owner", firm, by(firmOwner, update), raises(domain.AccountDetailsUpdated{AccountID: firmID, AccountDetails: shopDetails})},
		{"an administrator", firm, by(firmAdmin, update), raises(domain.AccountDetailsUpdated{AccountID: firmID, AccountDetails: shopDetails})},
		{"an unknown account", nil, by(firmOwner, update), misses("account_not_found")},
		{"an account manager", firm, by(firmManager, update), forbids("role_not_sufficient")},
		{"somebody of another account", firm, by(stranger, update), forbids("not_a_member")},
		{"a member who acts for another account", firm, by(impostor, update), forbids("not_a_member")},
		{"a service", firm, by(billing, update), forbids("member_required")},
		{"the same details", firm, by(firmOwner, UpdateAccountDetails{firmID, firmDetails}), refuses("nothing_changed", "open")},
		{"after the account was closed", history(firm, firmClosed), by(firmOwner, update), refuses("account_closed", "closed")},
		{"who is asking comes before the account's state", history(firm, firmClosed), by(firmManager, update), forbids("role_not_sufficient")},

		{"the owner", firm, by(firmOwner, closeIt), raises(firmClosed)},
		{"a business", shop, by(shopOwner, CloseAccount{shopID}), raises(shopClosed)},
		{"whatever depends on it", inside, by(firmOwner, closeIt), raises(firmClosed)},
		{"the new owner", history(firm, domain.OwnershipTransferred{AccountID: firmID, From: firmOwner.UserID, To: firmAdmin.UserID}), by(firmAdmin, closeIt), raises(firmClosed)},
		{"an unknown account", nil, by(firmOwner, closeIt), misses("account_not_found")},
		{"an administrator", firm, by(firmAdmin, closeIt), forbids("role_not_sufficient")},
		{"somebody of another account", firm, by(stranger, closeIt), forbids("not_a_member")},
		{"a service", firm, by(operator, closeIt), forbids("member_required")},
		{"twice", history(firm, firmClosed), by(firmOwner, closeIt), refuses("account_closed", "closed")},

		{"of an account that was closed", history(firm, firmClosed), by(billing, RecordSubscription{firmID, domain.PlanBasic, domain.Cancelled}), raises(domain.SubscriptionRecorded{AccountID: firmID, Plan: domain.PlanBasic, Status: domain.Cancelled})},
		{"billing", firm, by(billing, record), raises(domain.SubscriptionRecorded{AccountID: firmID, Plan: domain.PlanPremium, Status: domain.PastDue})},
		{"the same once more", history(firm, subscribed(firmOwner, domain.PlanPremium)), by(billing, RecordSubscription{firmID, domain.PlanPremium, domain.Current}), raises(subscribed(firmOwner, domain.PlanPremium))},
		{"an unknown account, whoever asks", nil, by(firmOwner, record), misses("account_not_found")},
		{"the owner", firm, by(firmOwner, record), forbids("service_required")},
		{"a reviewer", firm, by(maria, record), forbids("service_required")},
	}
}

// invitation is an open invitation of the firm, which ends at the time given.
func invitation(email string, role domain.Role, end time.Time) domain.MemberInvited {
	return domain.MemberInvited{AccountID: firmID, InvitationID: id(31), Member: domain.Person{UserID: newcomer.UserID, Name: "Nora New", Email: email}, Role: role, ExpiresAt: end}
}

var (
	newcomer      = domain.User(firmID, id(32)) // invited by the firm, no member yet
	invitationEnd = noon.Add(time.Hour)
	invitedNora   = invitation("nora@example.com", domain.RoleAccountManager, invitationEnd)
)

// members are so many members of the firm beside its owner.
func members(n int) []domain.Event {
	events := history(firm[0])
	for i := range n {
		actor := domain.User(firmID, uuid.NewSHA1(firmID, fmt.Append(nil, i)))
		member := domain.Person{UserID: actor.UserID, Name: "Somebody", Email: fmt.Sprintf("somebody%d@example.com", i)}
		events = append(events, domain.MemberJoined{AccountID: firmID, InvitationID: actor.UserID, Member: member, Role: domain.RoleAdministrator})
	}
	return events
}

func memberScenarios() []scenario {
	nora := NewPerson{Name: "Nora New", Email: "nora@example.com"}
	invite := InviteMember{firmID, nora, domain.RoleAccountManager}
	inShop := func(role domain.Role) InviteMember { return InviteMember{shopID, nora, role} }
	invited := func(account uuid.UUID, role domain.Role) then {
		return raises(domain.MemberInvited{
			AccountID: account, InvitationID: fresh(1), Role: role, ExpiresAt: noon.Add(7 * 24 * time.Hour),
			Member: domain.Person{UserID: fresh(2), Name: nora.Name, Email: nora.Email},
		}).and(InvitationResult{UserID: fresh(2), InvitationID: fresh(1)})
	}
	lapsed := invitation("nora@example.com", domain.RoleAccountManager, noon)
	inviteAnew := lapsed
	inviteAnew.InvitationID, inviteAnew.Member.UserID, inviteAnew.ExpiresAt = id(33), id(34), invitationEnd
	noraIsIn := domain.MemberJoined{AccountID: firmID, InvitationID: id(33), Member: inviteAnew.Member, Role: domain.RoleAdministrator}
	resent := domain.InvitationResent{AccountID: firmID, InvitationID: id(31), ExpiresAt: noon.Add(7 * 24 * time.Hour)}
	noraJoins := domain.MemberJoined{AccountID: firmID, InvitationID: id(31), Member: invitedNora.Member, Role: domain.RoleAccountManager}
	lapse := ExpireInvitation{firmID, id(31)}
	lapseOf := func(e domain.MemberInvited) domain.Event {
		return domain.InvitationExpired{AccountID: firmID, InvitationID: e.InvitationID, ExpiredAt: e.ExpiresAt}
	}
	resend, revoke, accept := ResendInvitation{firmID, id(31)}, RevokeInvitation{firmID, id(31)}, AcceptInvitation{firmID, id(31)}
	intoOwnRole := domain.MemberInvited{AccountID: shopID, InvitationID: id(31), Member: domain.Person{UserID: id(32), Name: nora.Name, Email: nora.Email}, Role: ownRole, ExpiresAt: invitationEnd}
	promote := ChangeMemberRole{firmID, firmManager.UserID, domain.RoleAdministrator}
	return []scenario{
		{"an administrator invites an account manager", firm, by(firmAdmin, invite), invited(firmID, domain.RoleAccountManager)},
		{"a business invites into a predefined role", shop, by(shopOwner, inShop(domain.RoleFinance)), invited(shopID, domain.RoleFinance)},
		{"a business invites into a role of its own", history(shop, roleExists), by(shopOwner, inShop(ownRole)), invited(shopID, ownRole)},
		{"anew after the invitation lapsed", history(firm, lapsed), by(firmOwner, invite), invited(firmID, domain.RoleAccountManager)},
		{"anew after the person left", history(firm, invitedNora, noraJoins, domain.MemberRemoved{AccountID: firmID, UserID: newcomer.UserID}), by(firmOwner, invite), invited(firmID, domain.RoleAccountManager)},
		{"an unknown account", nil, by(firmOwner, invite), misses("account_not_found")},
		{"into an account that was closed", history(firm, firmClosed), by(firmOwner, invite), refuses("account_closed", "closed")},
		{"anew after the lapse was recorded", history(firm, lapsed, lapseOf(lapsed)), by(firmOwner, invite), invited(firmID, domain.RoleAccountManager)},
		{"an account manager invites", firm, by(firmManager, invite), forbids("role_not_sufficient")},
		{"somebody of another account", firm, by(stranger, invite), forbids("not_a_member")},
		{"a service", firm, by(billing, invite), forbids("member_required")},
		{"a second owner", firm, by(firmOwner, InviteMember{firmID, nora, domain.RoleOwner}), refuses("owner_is_transferred", "owner")},
		{"a consultancy has no finance role", firm, by(firmOwner, InviteMember{firmID, nora, domain.RoleFinance}), refuses("role_unknown", "finance")},
		{"a business has no account managers", shop, by(shopOwner, inShop(domain.RoleAccountManager)), refuses("role_unknown", "account_manager")},
		{"a role that was never defined", shop, by(shopOwner, inShop(ownRole)), refuses("role_unknown", string(ownRole))},
		{"a role of its own after a downgrade", history(shop, roleExists, subscribed(shopOwner, domain.PlanStandard)), by(shopOwner, inShop(ownRole)), refuses("plan_without_custom_roles", "standard")},
		{"a member's address in other letters", history(firm, noraIsIn), by(firmOwner, InviteMember{firmID, NewPerson{"N", "NORA@example.com"}, domain.RoleAccountManager}), refuses("already_member", "administrator")},
		{"an invited person's address", history(firm, invitedNora), by(firmOwner, InviteMember{firmID, NewPerson{"N", "Nora@Example.com"}, domain.RoleAccountManager}), refuses("already_invited", "invited")},
		{"the last place", members(domain.MaxMembers - 2), by(firmOwner, invite), invited(firmID, domain.RoleAccountManager)},
		{"one more than the account may have", members(domain.MaxMembers - 1), by(firmOwner, invite), refuses("too_many_members", "")},

		{"a new term", history(firm, invitedNora), by(firmAdmin, resend), raises(resent)},
		{"a new term for one that lapsed", history(firm, lapsed), by(firmAdmin, resend), raises(resent)},
		{"a new term for one whose lapse was recorded", history(firm, lapsed, lapseOf(lapsed)), by(firmAdmin, resend), raises(resent)},
		{"an unknown account", nil, by(firmOwner, resend), misses("account_not_found")},
		{"an unknown invitation", firm, by(stranger, resend), misses("invitation_not_found")},
		{"one that was accepted", history(firm, invitedNora, noraJoins), by(firmOwner, resend), misses("invitation_not_found")},
		{"an account manager", history(firm, invitedNora), by(firmManager, resend), forbids("role_not_sufficient")},
		{"the person was invited anew", history(firm, lapsed, inviteAnew), by(firmOwner, resend), refuses("already_invited", "invited")},
		{"the person joined by another invitation", history(firm, lapsed, inviteAnew, noraIsIn), by(firmOwner, resend), refuses("already_member", "administrator")},

		{"an administrator", history(firm, invitedNora), by(firmAdmin, revoke), raises(domain.InvitationRevoked{AccountID: firmID, InvitationID: id(31)})},
		{"one that lapsed", history(firm, lapsed), by(firmAdmin, revoke), raises(domain.InvitationRevoked{AccountID: firmID, InvitationID: id(31)})},
		{"an unknown account", nil, by(firmOwner, revoke), misses("account_not_found")},
		{"an unknown invitation", firm, by(firmOwner, revoke), misses("invitation_not_found")},
		{"one that was revoked", history(firm, invitedNora, domain.InvitationRevoked{AccountID: firmID, InvitationID: id(31)}), by(firmOwner, revoke), misses("invitation_not_found")},
		{"the invited person", history(firm, invitedNora), by(newcomer, revoke), forbids("not_a_member")},

		{"the invited person, who is no member yet", history(firm, invitedNora), by(newcomer, accept), raises(noraJoins)},
		{"in the last microsecond", history(firm, invitedNora), by(newcomer, accept).at(invitationEnd.Add(-time.Microsecond)), raises(noraJoins)},
		{"one that was sent again after it lapsed", history(firm, lapsed, resent), by(newcomer, accept), raises(noraJoins)},
		{"an unknown account", nil, by(newcomer, accept), misses("account_not_found")},
		{"one that was revoked", history(firm, invitedNora, domain.InvitationRevoked{AccountID: firmID, InvitationID: id(31)}), by(newcomer, accept), misses("invitation_not_found")},
		{"the owner for them", history(firm, invitedNora), by(firmOwner, accept), forbids("not_the_invited")},
		{"the person, acting for another account", history(firm, invitedNora), by(domain.User(otherShopID, newcomer.UserID), accept), forbids("not_the_invited")},
		{"a service", history(firm, invitedNora), by(billing, accept), forbids("not_the_invited")},
		{"one whose lapse was recorded, sent again", history(firm, lapsed, lapseOf(lapsed), resent), by(newcomer, accept), raises(noraJoins)},
		{"one whose lapse was recorded", history(firm, lapsed, lapseOf(lapsed)), by(newcomer, accept), refuses("invitation_expired", "expired")},
		{"into an account that was closed", history(firm, invitedNora, firmClosed), by(newcomer, accept), refuses("account_closed", "closed")},
		{"when it has lapsed", history(firm, invitedNora), by(newcomer, accept).at(invitationEnd), refuses("invitation_expired", "expired")},
		{"the person is in by another invitation", history(firm, invitedNora, inviteAnew, noraIsIn), by(newcomer, accept), refuses("already_member", "administrator")},
		{"into a role of its own after a downgrade", history(shop, roleExists, intoOwnRole, subscribed(shopOwner, domain.PlanBasic)), by(domain.User(shopID, id(32)), AcceptInvitation{shopID, id(31)}), refuses("plan_without_custom_roles", "basic")},

		{"at its end", history(firm, invitedNora), by(clock, lapse).at(invitationEnd), raises(lapseOf(invitedNora))},
		{"long after its end, of an account that was closed", history(firm, invitedNora, firmClosed), by(clock, lapse).at(invitationEnd.AddDate(1, 0, 0)), raises(lapseOf(invitedNora))},
		{"the second lapse of one that was sent again", history(firm, lapsed, lapseOf(lapsed), domain.InvitationResent{AccountID: firmID, InvitationID: id(31), ExpiresAt: invitationEnd}), by(clock, lapse).at(invitationEnd), raises(lapseOf(invitedNora))},
		{"an unknown account", nil, by(clock, lapse), misses("account_not_found")},
		{"one that was accepted", history(firm, invitedNora, noraJoins), by(clock, lapse), misses("invitation_not_found")},
		{"one that was revoked", history(firm, invitedNora, domain.InvitationRevoked{AccountID: firmID, InvitationID: id(31)}), by(clock, lapse), misses("invitation_not_found")},
		{"the owner", history(firm, lapsed), by(firmOwner, lapse), forbids("system_required")},
		{"a service", history(firm, lapsed), by(operator, lapse), forbids("system_required")},
		{"a microsecond before its end", history(firm, invitedNora), by(clock, lapse).at(invitationEnd.Add(-time.Microsecond)), refuses("not_due", "invited")},
		{"twice", history(firm, lapsed, lapseOf(lapsed)), by(clock, lapse), refuses("already_expired", "expired")},

		{"an administrator promotes", firm, by(firmAdmin, promote), raises(domain.MemberRoleChanged{AccountID: firmID, UserID: firmManager.UserID, Role: domain.RoleAdministrator})},
		{"an administrator steps back", firm, by(firmAdmin, ChangeMemberRole{firmID, firmAdmin.UserID, domain.RoleAccountManager}), raises(domain.MemberRoleChanged{AccountID: firmID, UserID: firmAdmin.UserID, Role: domain.RoleAccountManager})},
		{"an unknown account", nil, by(firmOwner, promote), misses("account_not_found")},
		{"an unknown member", firm, by(stranger, ChangeMemberRole{firmID, id(99), domain.RoleAdministrator}), misses("member_not_found")},
		{"by oneself", firm, by(firmManager, promote), forbids("role_not_sufficient")},
		{"of the owner", firm, by(firmAdmin, ChangeMemberRole{firmID, firmOwner.UserID, domain.RoleAdministrator}), refuses("owner_is_transferred", "owner")},
		{"to owner", firm, by(firmOwner, ChangeMemberRole{firmID, firmAdmin.UserID, domain.RoleOwner}), refuses("owner_is_transferred", "owner")},
		{"to a role that the account lacks", firm, by(firmOwner, ChangeMemberRole{firmID, firmAdmin.UserID, domain.RoleSales}), refuses("role_unknown", "sales")},
		{"to a role of its own after a downgrade", history(shop, roleExists, subscribed(shopOwner, domain.PlanFree)), by(shopOwner, ChangeMemberRole{shopID, shopHR.UserID, ownRole}), refuses("plan_without_custom_roles", "free")},
		{"to the role that they have", firm, by(firmOwner, ChangeMemberRole{firmID, firmAdmin.UserID, domain.RoleAdministrator}), refuses("nothing_changed", "administrator")},

		{"an administrator removes", firm, by(firmAdmin, RemoveMember{firmID, firmManager.UserID}), raises(domain.MemberRemoved{AccountID: firmID, UserID: firmManager.UserID})},
		{"a member leaves", firm, by(firmManager, RemoveMember{firmID, firmManager.UserID}), raises(domain.MemberRemoved{AccountID: firmID, UserID: firmManager.UserID})},
		{"an unknown account", nil, by(firmOwner, RemoveMember{firmID, firmManager.UserID}), misses("account_not_found")},
		{"an unknown member", firm, by(firmOwner, RemoveMember{firmID, id(99)}), misses("member_not_found")},
		{"who was removed before", history(firm, domain.MemberRemoved{AccountID: firmID, UserID: firmManager.UserID}), by(firmOwner, RemoveMember{firmID, firmManager.UserID}), misses("member_not_found")},
		{"an account manager removes another", firm, by(firmManager, RemoveMember{firmID, firmSpare.UserID}), forbids("role_not_sufficient")},
		{"the person, acting for another account", firm, by(domain.User(otherShopID, firmManager.UserID), RemoveMember{firmID, firmManager.UserID}), forbids("not_a_member")},
		{"a member leaves an account that was closed", history(firm, firmClosed), by(firmManager, RemoveMember{firmID, firmManager.UserID}), refuses("account_closed", "closed")},
		{"the owner", firm, by(firmAdmin, RemoveMember{firmID, firmOwner.UserID}), refuses("owner_stays", "owner")},
		{"the owner leaves", firm, by(firmOwner, RemoveMember{firmID, firmOwner.UserID}), refuses("owner_stays", "owner")},

		{"the owner", firm, by(firmOwner, TransferOwnership{firmID, firmManager.UserID}), raises(domain.OwnershipTransferred{AccountID: firmID, From: firmOwner.UserID, To: firmManager.UserID})},
		{"the new owner transfers it back", history(firm, domain.OwnershipTransferred{AccountID: firmID, From: firmOwner.UserID, To: firmAdmin.UserID}), by(firmAdmin, TransferOwnership{firmID, firmOwner.UserID}), raises(domain.OwnershipTransferred{AccountID: firmID, From: firmAdmin.UserID, To: firmOwner.UserID})},
		{"an unknown account", nil, by(firmOwner, TransferOwnership{firmID, firmAdmin.UserID}), misses("account_not_found")},
		{"to somebody who is no member", firm, by(firmOwner, TransferOwnership{firmID, id(99)}), misses("member_not_found")},
		{"an administrator", firm, by(firmAdmin, TransferOwnership{firmID, firmAdmin.UserID}), forbids("role_not_sufficient")},
		{"the former owner", history(firm, domain.OwnershipTransferred{AccountID: firmID, From: firmOwner.UserID, To: firmAdmin.UserID}), by(firmOwner, TransferOwnership{firmID, firmOwner.UserID}), forbids("role_not_sufficient")},
		{"to the owner", firm, by(firmOwner, TransferOwnership{firmID, firmOwner.UserID}), refuses("nothing_changed", "owner")},
	}
}

// rolesOfShop are so many roles that the shop has defined.
func rolesOfShop(n int) []domain.Event {
	events := history(shop)
	for i := range n {
		role := domain.CustomRole{RoleID: domain.Role(uuid.NewSHA1(shopID, fmt.Append(nil, i)).String()), Name: fmt.Sprintf("Role %d", i), Permissions: ownMay, Version: 1}
		events = append(events, domain.RoleCreated{AccountID: shopID, CustomRole: role})
	}
	return events
}

func roleScenarios() []scenario {
	terms := RoleTerms{Name: "Month end", Permissions: ownMay}
	widened := domain.Permissions{domain.Journal: domain.Edit, domain.Team: domain.Edit}
	withNone := domain.Permissions{domain.Journal: domain.Edit, domain.Team: domain.Read, domain.CRM: domain.None}
	created := raises(domain.RoleCreated{AccountID: shopID, CustomRole: domain.CustomRole{RoleID: domain.Role(fresh(1).String()), Name: "Month end", Permissions: ownMay, Version: 1}}).
		and(RoleResult{RoleID: domain.Role(fresh(1).String())})
	updated := func(name string, permissions domain.Permissions, version int) domain.Event {
		return domain.RoleUpdated{AccountID: shopID, CustomRole: domain.CustomRole{RoleID: ownRole, Name: name, Permissions: permissions, Version: version}}
	}
	withRole := history(shop, roleExists)
	second := domain.RoleCreated{AccountID: shopID, CustomRole: domain.CustomRole{RoleID: domain.Role(id(72).String()), Name: "Stock", Permissions: ownMay, Version: 1}}
	create, update, remove := CreateRole{shopID, terms}, UpdateRole{shopID, ownRole, RoleTerms{"Year end", widened}}, DeleteRole{shopID, ownRole}
	invitedIntoIt := domain.MemberInvited{AccountID: shopID, InvitationID: id(31), Member: domain.Person{UserID: id(32), Name: "Nora", Email: "nora@example.com"}, Role: ownRole, ExpiresAt: morning}
	ownGrant := domain.AccessGranted{Pair: firmAndShop, GrantID: grantID, RoleID: ownRole, RoleVersion: 1, Permissions: ownMay, AccessEpoch: 1}
	return []scenario{
		{"an administrator", shop, by(shopAdmin, create), created},
		{"a level none is as good as left out", shop, by(shopAdmin, CreateRole{shopID, RoleTerms{"Month end", withNone}}), created},
		{"on the advanced plan", history(shop, subscribed(shopOwner, domain.PlanAdvanced)), by(shopOwner, create), created},
		{"the last one", rolesOfShop(domain.MaxCustomRoles - 1), by(shopOwner, create), created},
		{"an unknown section and level", shop, by(shopOwner, CreateRole{shopID, RoleTerms{"x", domain.Permissions{"kitchen": domain.Read, domain.Sales: "admin"}}}), malforms("permissions.kitchen", "permissions.sales")},
		{"nothing permitted", shop, by(shopOwner, CreateRole{shopID, RoleTerms{"x", domain.Permissions{domain.Sales: domain.None}}}), malforms("permissions")},
		{"an unknown account", nil, by(shopOwner, create), misses("account_not_found")},
		{"a finance member", shop, by(shopFinance, create), forbids("role_not_sufficient")},
		{"somebody of another account", shop, by(firmOwner, create), forbids("not_a_member")},
		{"a consultancy", firm, by(firmOwner, CreateRole{firmID, terms}), refuses("not_a_business", "consultancy")},
		{"on the standard plan", history(shop, subscribed(shopOwner, domain.PlanStandard)), by(shopOwner, create), refuses("plan_without_custom_roles", "standard")},
		{"a name that is taken", withRole, by(shopOwner, CreateRole{shopID, RoleTerms{"MONTH END", widened}}), refuses("role_name_taken", "")},
		{"one more than the account may have", rolesOfShop(domain.MaxCustomRoles), by(shopOwner, create), refuses("too_many_roles", "")},

		{"name and permissions", withRole, by(shopAdmin, update), raises(updated("Year end", widened, 2))},
		{"the letters of its own name", withRole, by(shopAdmin, UpdateRole{shopID, ownRole, RoleTerms{"MONTH END", ownMay}}), raises(updated("MONTH END", ownMay, 2))},
		{"twice", history(withRole, updated("Year end", widened, 2)), by(shopAdmin, UpdateRole{shopID, ownRole, RoleTerms{"Year end", withNone}}), raises(updated("Year end", ownMay, 3))},
		{"an unknown account", nil, by(shopOwner, update), misses("account_not_found")},
		{"an unknown role", shop, by(stranger, update), misses("role_not_found")},
		{"a finance member", withRole, by(shopFinance, update), forbids("role_not_sufficient")},
		{"after a downgrade", history(withRole, subscribed(shopOwner, domain.PlanBasic)), by(shopOwner, update), refuses("plan_without_custom_roles", "basic")},
		{"to a name that is taken", history(withRole, second), by(shopOwner, UpdateRole{shopID, ownRole, RoleTerms{"stock", ownMay}}), refuses("role_name_taken", "")},
		{"to what it is", withRole, by(shopOwner, UpdateRole{shopID, ownRole, terms}), refuses("nothing_changed", "")},
		{"to what it is, with a level none more", withRole, by(shopOwner, UpdateRole{shopID, ownRole, RoleTerms{"Month end", withNone}}), refuses("nothing_changed", "")},

		{"an administrator", withRole, by(shopAdmin, remove), raises(domain.RoleDeleted{AccountID: shopID, RoleID: ownRole})},
		{"after a downgrade", history(withRole, subscribed(shopOwner, domain.PlanFree)), by(shopAdmin, remove), raises(domain.RoleDeleted{AccountID: shopID, RoleID: ownRole})},
		{"the client deletes a role in use by a grant", history(active, roleExists, ownGrant), by(shopAdmin, remove), raises(domain.RoleDeleted{AccountID: shopID, RoleID: ownRole})},
		{"an unknown account", nil, by(shopOwner, remove), misses("account_not_found")},
		{"an unknown role", shop, by(shopOwner, remove), misses("role_not_found")},
		{"a finance member", withRole, by(shopFinance, remove), forbids("role_not_sufficient")},
		{"the client deletes a role in use by a member", history(withRole, domain.MemberRoleChanged{AccountID: shopID, UserID: shopHR.UserID, Role: ownRole}), by(shopOwner, remove), refuses("role_in_use", "")},
		{"somebody is invited with it", history(withRole, invitedIntoIt), by(shopOwner, remove), refuses("role_in_use", "")},
		{"a predefined role has no id", shop, byJSON(shopOwner, "DeleteRole", strings.ReplaceAll(`{"accountId":"SHOP","roleId":"finance"}`, "SHOP", shopID.String())), malforms("roleId")},
	}
}
