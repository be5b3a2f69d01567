package audit

import (
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// account is what is known of an account.
type account struct {
	registered, closed EventRef
	kind               domain.AccountType
	firm               domain.FirmKind
	plan               domain.Plan
	subscription       domain.SubscriptionStatus
	billed             EventRef // the last word about plan and subscription
	members            map[uuid.UUID]member
	left               map[uuid.UUID]EventRef // who was a member and is none
	invitations        map[uuid.UUID]invitation
	roles              map[domain.Role]customRole
}

type member struct {
	role  domain.Role
	since EventRef
}

type invitation struct {
	person  domain.Person
	role    domain.Role
	until   time.Time
	expired bool // its lapse is recorded
	since   EventRef
}

type customRole struct {
	permissions domain.Permissions
	version     int
	since       EventRef
}

// role finds what a role of the account permits then, and in which version.
func (a *account) role(role domain.Role) (permissions domain.Permissions, version int, ok bool) {
	if permissions, ok = businessRole(role); ok && a.kind == domain.Business {
		return permissions, predefinedVersion, true
	}
	custom, ok := a.roles[role]
	return custom.permissions, custom.version, ok
}

// accountOf finds the account that an event is about, which must be registered, and open where the event needs that.
func (c *checker) accountOf(f *fact, id uuid.UUID) *account {
	c.in(f, domain.AccountStream, id)
	a := get(c.accounts, id)
	if _, registers := f.event.(domain.AccountRegistered); !registers {
		c.must(a.registered.Position != 0, AccountState, nil, "account %s is not registered", id)
	}
	return a
}

func (c *checker) foldAccount(f *fact) {
	switch e := f.event.(type) {
	case domain.AccountRegistered:
		a := c.accountOf(f, e.AccountID)
		c.byService(f)
		c.must(a.registered.Position == 0, AccountState, refs(a.registered), "account %s is registered already", e.AccountID)
		*a = account{
			registered: f.ref, billed: f.ref, kind: e.Type, firm: e.FirmKind, plan: e.Plan, subscription: domain.Current,
			members: map[uuid.UUID]member{e.Owner.UserID: {domain.RoleOwner, f.ref}}, left: map[uuid.UUID]EventRef{},
			invitations: map[uuid.UUID]invitation{}, roles: map[domain.Role]customRole{},
		}
	case domain.AccountDetailsUpdated:
		c.accountOf(f, e.AccountID)
		c.byMember(f, managing(), e.AccountID)
	case domain.AccountClosed:
		a := c.accountOf(f, e.AccountID)
		c.byMember(f, []domain.Role{domain.RoleOwner}, e.AccountID)
		a.closed = f.ref
	case domain.SubscriptionRecorded:
		a := c.accountOf(f, e.AccountID)
		c.byService(f)
		a.plan, a.subscription, a.billed = e.Plan, e.Status, f.ref
	case domain.RoleCreated:
		a := c.customRolesOf(f, e.AccountID)
		_, taken := a.roles[e.RoleID]
		c.must(!taken && e.Version == 1, RoleWrong, refs(a.roles[e.RoleID].since), "role %s begins in version %d", e.RoleID, e.Version)
		put(&a.roles, e.RoleID, customRole{e.Permissions, e.Version, f.ref})
	case domain.RoleUpdated:
		a := c.customRolesOf(f, e.AccountID)
		before, there := a.roles[e.RoleID]
		c.must(there && e.Version == before.version+1, RoleWrong, refs(before.since),
			"version %d of role %s follows %d", e.Version, e.RoleID, before.version)
		put(&a.roles, e.RoleID, customRole{e.Permissions, e.Version, f.ref})
	case domain.RoleDeleted:
		c.foldRoleDeleted(f, e)
	default:
		c.foldMembers(f)
	}
}

// customRolesOf finds the account in which a role is defined, which must be a business whose plan has roles of its own.
func (c *checker) customRolesOf(f *fact, id uuid.UUID) *account {
	a := c.accountOf(f, id)
	c.byMember(f, managing(), id)
	c.must(a.kind == domain.Business, RoleWrong, nil, "a %s has no roles of its own", a.kind)
	c.must(customRoles(a.plan), RoleWrong, refs(a.billed), "plan %s has no custom roles", a.plan)
	return a
}

func (c *checker) foldRoleDeleted(f *fact, e domain.RoleDeleted) {
	a := c.accountOf(f, e.AccountID)
	c.byMember(f, managing(), e.AccountID)
	_, there := a.roles[e.RoleID]
	c.must(there, RoleWrong, nil, "there is no role %s", e.RoleID)
	for id, m := range a.members {
		c.must(m.role != e.RoleID, RoleWrong, refs(m.since), "member %s has role %s", id, e.RoleID)
	}
	for id, i := range a.invitations {
		c.must(i.role != e.RoleID, RoleWrong, refs(i.since), "invitation %s is for role %s", id, e.RoleID)
	}
	delete(a.roles, e.RoleID)
}

// foldMembers takes in what happens to members and invitations.
func (c *checker) foldMembers(f *fact) {
	switch e := f.event.(type) {
	case domain.MemberInvited:
		a := c.accountOf(f, e.AccountID)
		c.byMember(f, managing(), e.AccountID)
		before, again := a.invitations[e.InvitationID]
		c.must(!again, AccountState, refs(before.since), "invitation %s is there already", e.InvitationID)
		c.assignable(a, e.Role)
		c.notLongerThan(e.ExpiresAt, invitationLasts)
		put(&a.invitations, e.InvitationID, invitation{person: e.Member, role: e.Role, until: e.ExpiresAt, since: f.ref})
	case domain.InvitationResent:
		a := c.accountOf(f, e.AccountID)
		c.byMember(f, managing(), e.AccountID)
		i := c.invited(a, e.InvitationID)
		c.notLongerThan(e.ExpiresAt, invitationLasts)
		i.until, i.expired, i.since = e.ExpiresAt, false, f.ref
		put(&a.invitations, e.InvitationID, i)
	case domain.InvitationRevoked:
		a := c.accountOf(f, e.AccountID)
		c.byMember(f, managing(), e.AccountID)
		c.invited(a, e.InvitationID)
		delete(a.invitations, e.InvitationID)
	case domain.InvitationExpired:
		a := c.accountOf(f, e.AccountID)
		c.bySystem(f)
		i := c.invited(a, e.InvitationID)
		c.must(!i.expired, AccountState, refs(i.since), "the lapse of invitation %s is recorded already", e.InvitationID)
		c.clock(i.until, e.ExpiredAt, i.since)
		i.expired, i.since = true, f.ref
		put(&a.invitations, e.InvitationID, i)
	case domain.MemberJoined:
		c.foldJoined(f, e)
	case domain.MemberRoleChanged:
		a := c.accountOf(f, e.AccountID)
		c.byMember(f, managing(), e.AccountID)
		m := c.memberOf(a, e.UserID)
		c.must(m.role != domain.RoleOwner, OwnerNotUnique, refs(m.since), "person %s is the owner", e.UserID)
		c.assignable(a, e.Role)
		put(&a.members, e.UserID, member{e.Role, f.ref})
	case domain.MemberRemoved:
		c.foldRemoved(f, e)
	case domain.OwnershipTransferred:
		a := c.accountOf(f, e.AccountID)
		c.byMember(f, []domain.Role{domain.RoleOwner}, e.AccountID)
		from, to := a.members[e.From], c.memberOf(a, e.To)
		c.must(from.role == domain.RoleOwner && to.role != domain.RoleOwner, OwnerNotUnique, refs(from.since, to.since),
			"the ownership goes from a member with role %s to one with role %s", from.role, to.role)
		put(&a.members, e.From, member{domain.RoleAdministrator, f.ref})
		put(&a.members, e.To, member{domain.RoleOwner, f.ref})
	}
}

// foldJoined checks that the invited person, and nobody else, became what they were invited as.
func (c *checker) foldJoined(f *fact, e domain.MemberJoined) {
	a := c.accountOf(f, e.AccountID)
	i := c.invited(a, e.InvitationID)
	if c.kind(f,
		"the invited person", domain.ActorUser) && c.must(f.actor.AccountID == e.AccountID, ActorNotAParty, nil, "account %s did not invite", f.actor.AccountID) {
		c.must(f.actor.UserID == i.person.UserID && e.Member == i.person && e.Role == i.role, AccountState, refs(i.since),
			"invitation %s was for another person or role", e.InvitationID)
	}
	c.must(!reached(i.until, f.at()), ActedAfterEnd, refs(i.since), "invitation %s ended at %s", e.InvitationID, stamp(i.until))
	c.must(a.closed.Position == 0, AccountClosed, refs(a.closed), "account %s is closed", e.AccountID)
	before, again := a.members[e.Member.UserID]
	c.must(!again, AccountState, refs(before.since), "person %s is a member already", e.Member.UserID)
	c.assignable(a, e.Role)
	delete(a.invitations, e.InvitationID)
	delete(a.left, e.Member.UserID)
	put(&a.members, e.Member.UserID, member{e.Role, f.ref})
}

func (c *checker) foldRemoved(f *fact, e domain.MemberRemoved) {
	a := c.accountOf(f, e.AccountID)
	roles := managing()
	if f.actor.UserID == e.UserID {
		roles = nil // everybody may leave
	}
	c.byMember(f, roles, e.AccountID)
	m := c.memberOf(a, e.UserID)
	c.must(m.role != domain.RoleOwner, OwnerNotUnique, refs(m.since), "person %s is the owner", e.UserID)
	delete(a.members, e.UserID)
	put(&a.left, e.UserID, f.ref)
}

// assignable checks that the account has a role for its members, and that the plan allows it.
func (c *checker) assignable(a *account, role domain.Role) {
	if !c.must(role != domain.RoleOwner, OwnerNotUnique, nil, "the owner's role is transferred, never assigned") {
		return
	}
	if a.kind == domain.Consultancy {
		c.must(role == domain.RoleAdministrator || role == domain.RoleAccountManager, RoleWrong, nil, "a consultancy has no role %s", role)
		return
	}
	_, _, there := a.role(role)
	c.must(there, RoleWrong, nil, "the account has no role %s", role)
	if custom, ok := a.roles[role]; ok {
		c.must(customRoles(a.plan), RoleWrong, refs(custom.since, a.billed), "plan %s has no custom roles", a.plan)
	}
}

func (c *checker) invited(a *account, id uuid.UUID) invitation {
	i, ok := a.invitations[id]
	c.must(ok, AccountState, nil, "there is no invitation %s", id)
	return i
}

func (c *checker) memberOf(a *account, id uuid.UUID) member {
	m, ok := a.members[id]
	c.must(ok, AccountState, refs(a.left[id]), "person %s is not a member", id)
	return m
}

// put is an assignment that also works on a map which no event has made.
func put[K comparable, V any](m *map[K]V, key K, value V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[key] = value
}
