package journeys

import (
	"maps"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

func (w *world) registers(actor domain.Actor, c commands.RegisterAccount) ruling {
	firm := c.Type == "consultancy"
	if code := first(when(firm != (c.FirmKind != ""), "invalid"), when(actor.Kind != "service", "service_required")); code != "" {
		return no(code)
	}
	return creates(func(r commands.AccountResult) {
		w.accounts[r.AccountID] = &account{
			firm: firm, firmKind: c.FirmKind, details: c.AccountDetails, plan: c.Plan, subscription: "current",
			members:     map[uuid.UUID]*member{r.OwnerUserID: {c.Owner.Email, "owner"}},
			invitations: map[uuid.UUID]*invitation{}, roles: map[domain.Role]*customRole{},
		}
	})
}

func (w *world) updates(actor domain.Actor, c commands.UpdateAccountDetails) ruling {
	a := w.accounts[c.AccountID]
	if a == nil {
		return no("account_not_found")
	}
	if code := first(w.runs(actor, c.AccountID), when(a.details == c.AccountDetails, "nothing_changed")); code != "" {
		return no(code)
	}
	return yes(func() { a.details = c.AccountDetails })
}

func (w *world) closes(actor domain.Actor, c commands.CloseAccount) ruling {
	a := w.accounts[c.AccountID]
	if a == nil {
		return no("account_not_found")
	}
	if code := w.is(actor, c.AccountID, "owner"); code != "" {
		return no(code)
	}
	return yes(func() { a.closed = true })
}

func (w *world) bills(actor domain.Actor, c commands.RecordSubscription) ruling {
	a := w.accounts[c.AccountID]
	if code := first(when(a == nil, "account_not_found"), when(actor.Kind != "service", "service_required")); code != "" {
		return no(code)
	}
	return yes(func() { a.plan, a.subscription = c.Plan, c.Status })
}

// assignable checks that a role can be given to a member.
func (a *account) assignable(role domain.Role) string {
	_, custom := a.roles[role]
	_, _, known := a.permits(role)
	if a.firm {
		known = role == "administrator" || role == "account_manager"
	}
	return first(
		when(role == "owner", "owner_is_transferred"),
		when(!known, "role_unknown"),
		when(custom && !customRoles(a.plan), "plan_without_custom_roles"))
}

// isIn tells whether an address is a member's.
func (a *account) isIn(email string) bool {
	for _, m := range a.members {
		if strings.EqualFold(m.email, email) {
			return true
		}
	}
	return false
}

// isInvited tells whether an address has an open invitation beside one.
func (a *account) isInvited(email string, now time.Time, except uuid.UUID) bool {
	for id, i := range a.invitations {
		if id != except && strings.EqualFold(i.email, email) && now.Before(i.until) {
			return true
		}
	}
	return false
}

const invitationTerm = 7 * 24 * time.Hour

func (w *world) invites(actor domain.Actor, c commands.InviteMember) ruling {
	a, now := w.accounts[c.AccountID], w.now()
	if a == nil {
		return no("account_not_found")
	}
	if code := first(w.runs(actor, c.AccountID), a.assignable(c.Role),
		when(a.isIn(c.Email), "already_member"), when(a.isInvited(c.Email, now, uuid.Nil), "already_invited")); code != "" {
		return no(code)
	}
	return creates(func(r commands.InvitationResult) {
		a.invitations[r.InvitationID] = &invitation{member: member{c.Email, c.Role}, user: r.UserID, until: now.Add(invitationTerm)}
	})
}

func (w *world) resends(actor domain.Actor, c commands.ResendInvitation) ruling {
	a, now := w.accounts[c.AccountID], w.now()
	if a == nil {
		return no("account_not_found")
	}
	i := a.invitations[c.InvitationID]
	if i == nil {
		return no("invitation_not_found")
	}
	if code := first(w.runs(actor, c.AccountID), when(a.isIn(i.email), "already_member"),
		when(a.isInvited(i.email, now, c.InvitationID), "already_invited")); code != "" {
		return no(code)
	}
	return yes(func() { i.until, i.recorded = now.Add(invitationTerm), false })
}

func (w *world) takesBack(actor domain.Actor, c commands.RevokeInvitation) ruling {
	a := w.accounts[c.AccountID]
	if a == nil {
		return no("account_not_found")
	}
	if code := first(when(a.invitations[c.InvitationID] == nil, "invitation_not_found"), w.runs(actor, c.AccountID)); code != "" {
		return no(code)
	}
	return yes(func() { delete(a.invitations, c.InvitationID) })
}

func (w *world) joins(actor domain.Actor, c commands.AcceptInvitation) ruling {
	a, now := w.accounts[c.AccountID], w.now()
	if a == nil {
		return no("account_not_found")
	}
	i := a.invitations[c.InvitationID]
	if i == nil {
		return no("invitation_not_found")
	}
	if code := first(
		when(actor.Kind != "user" || actor.AccountID != c.AccountID || actor.UserID != i.user, "not_the_invited"),
		when(a.closed, "account_closed"), when(!now.Before(i.until), "invitation_expired"),
		when(a.isIn(i.email), "already_member"), a.assignable(i.role)); code != "" {
		return no(code)
	}
	return yes(func() {
		delete(a.invitations, c.InvitationID)
		joined := i.member
		a.members[i.user] = &joined
	})
}

func (w *world) lapsesInvitation(actor domain.Actor, c commands.ExpireInvitation) ruling {
	a, now := w.accounts[c.AccountID], w.now()
	if a == nil {
		return no("account_not_found")
	}
	i := a.invitations[c.InvitationID]
	if i == nil {
		return no("invitation_not_found")
	}
	if code := first(when(actor.Kind != "system", "system_required"), when(i.recorded, "already_expired"), when(now.Before(i.until), "not_due")); code != "" {
		return no(code)
	}
	return yes(func() { i.recorded = true })
}

func (w *world) changesRole(actor domain.Actor, c commands.ChangeMemberRole) ruling {
	a := w.accounts[c.AccountID]
	if a == nil {
		return no("account_not_found")
	}
	m := a.members[c.UserID]
	if m == nil {
		return no("member_not_found")
	}
	if code := first(w.runs(actor, c.AccountID), when(m.role == "owner", "owner_is_transferred"), a.assignable(c.Role), when(m.role == c.Role, "nothing_changed")); code != "" {
		return no(code)
	}
	return yes(func() { m.role = c.Role })
}

func (w *world) marksRead(actor domain.Actor, c commands.MarkNotificationsRead) ruling {
	of := memberOf{actor.AccountID, actor.UserID}
	switch {
	case c.UpTo > w.end():
		return no("invalid")
	case actor.Kind != "user":
		return no("member_required")
	}
	if code := w.is(actor, of.account); code != "" {
		return no(code)
	}
	return yes(func() { w.readings[of] = max(w.readings[of], c.UpTo) })
}

func (w *world) removes(actor domain.Actor, c commands.RemoveMember) ruling {
	a := w.accounts[c.AccountID]
	if a == nil {
		return no("account_not_found")
	}
	m := a.members[c.UserID]
	if m == nil {
		return no("member_not_found")
	}
	who := w.runs(actor, c.AccountID)
	if actor.Kind == "user" && actor.AccountID == c.AccountID && actor.UserID == c.UserID {
		who = when(a.closed, "account_closed")
	}
	if code := first(who, when(m.role == "owner", "owner_stays")); code != "" {
		return no(code)
	}
	return yes(func() { delete(a.members, c.UserID) })
}

func (w *world) handsOver(actor domain.Actor, c commands.TransferOwnership) ruling {
	a := w.accounts[c.AccountID]
	if a == nil {
		return no("account_not_found")
	}
	m := a.members[c.UserID]
	if m == nil {
		return no("member_not_found")
	}
	if code := first(w.is(actor, c.AccountID, "owner"), when(m.role == "owner", "nothing_changed")); code != "" {
		return no(code)
	}
	return yes(func() { a.members[actor.UserID].role, m.role = "administrator", "owner" })
}

// hasRole tells whether an account has another role of its own with a name.
func (a *account) hasRole(name string, except domain.Role) bool {
	for id, role := range a.roles {
		if id != except && strings.EqualFold(role.name, name) {
			return true
		}
	}
	return false
}

// said is what permissions amount to: a level none is as good as a section left out.
func said(may domain.Permissions) domain.Permissions {
	may = maps.Clone(may)
	maps.DeleteFunc(may, func(_ domain.Section, level domain.Level) bool { return level == "none" })
	return may
}

func (w *world) definesRole(actor domain.Actor, c commands.CreateRole) ruling {
	a := w.accounts[c.AccountID]
	if a == nil {
		return no("account_not_found")
	}
	if code := first(w.runs(actor, c.AccountID), when(a.firm, "not_a_business"), when(!customRoles(a.plan), "plan_without_custom_roles"), when(a.hasRole(c.Name, ""), "role_name_taken")); code != "" {
		return no(code)
	}
	return creates(func(r commands.RoleResult) { a.roles[r.RoleID] = &customRole{c.Name, said(c.Permissions), 1} })
}

func (w *world) redefinesRole(actor domain.Actor, c commands.UpdateRole) ruling {
	a := w.accounts[c.AccountID]
	if a == nil {
		return no("account_not_found")
	}
	role := a.roles[c.RoleID]
	if role == nil {
		return no("role_not_found")
	}
	same := role.name == c.Name && maps.Equal(role.may, said(c.Permissions))
	if code := first(w.runs(actor, c.AccountID), when(!customRoles(a.plan), "plan_without_custom_roles"), when(a.hasRole(c.Name, c.RoleID), "role_name_taken"), when(same, "nothing_changed")); code != "" {
		return no(code)
	}
	return yes(func() { a.roles[c.RoleID] = &customRole{c.Name, said(c.Permissions), role.version + 1} })
}

func (w *world) dropsRole(actor domain.Actor, c commands.DeleteRole) ruling {
	a := w.accounts[c.AccountID]
	if a == nil {
		return no("account_not_found")
	}
	if code := first(when(a.roles[c.RoleID] == nil, "role_not_found"), w.runs(actor, c.AccountID)); code != "" {
		return no(code)
	}
	for _, m := range a.members {
		if m.role == c.RoleID {
			return no("role_in_use")
		}
	}
	for _, i := range a.invitations {
		if i.role == c.RoleID {
			return no("role_in_use")
		}
	}
	return yes(func() { delete(a.roles, c.RoleID) })
}
