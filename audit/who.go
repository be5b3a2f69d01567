package audit

import (
	"slices"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// Who may do what: the rules about actors, one function for each sort of 'who may' in docs/domain.md.

// managing are the roles that manage an account.
func managing() []domain.Role { return []domain.Role{domain.RoleOwner, domain.RoleAdministrator} }

// kind holds what only some kinds of actors do. An actor whose name could not be read has been told of.
func (c *checker) kind(f *fact, does string, kinds ...domain.ActorKind) bool {
	if f.actor.Kind == "" {
		return false
	}
	return c.must(slices.Contains(kinds, f.actor.Kind), ActorKindWrong, nil, "a %s did what only %s does", f.actor.Kind, does)
}

// byService holds what only the platform's services do.
func (c *checker) byService(f *fact) { c.kind(f, "a service", domain.ActorService) }

// byReviewer holds what only reviewers do. A service that may review leaves no other trace than a service.
func (c *checker) byReviewer(f *fact) {
	c.kind(f, "a reviewer", domain.ActorReviewer, domain.ActorService)
}

// bySystem holds what only the ledger itself does.
func (c *checker) bySystem(f *fact) { c.kind(f, "the ledger itself", domain.ActorSystem) }

// byMember holds what only members of one of the accounts do (invariant 8), with one of the roles where some are given. It tells
// for which account and in which role, if any, the actor acted.
func (c *checker) byMember(f *fact, roles []domain.Role, accounts ...uuid.UUID) (uuid.UUID, domain.Role) {
	if !c.kind(f, "a member of an account", domain.ActorUser) {
		return uuid.Nil, ""
	}
	if !c.must(slices.Contains(accounts, f.actor.AccountID), ActorNotAParty, nil,
		"account %s is not the one whose members may do this", f.actor.AccountID) {
		return uuid.Nil, ""
	}
	a := get(c.accounts, f.actor.AccountID)
	m, ok := a.members[f.actor.UserID]
	if !c.must(ok, ActorNotAMember, refs(a.left[f.actor.UserID]), "person %s is not a member of the account then", f.actor.UserID) {
		return f.actor.AccountID, ""
	}
	c.must(len(roles) == 0 || slices.Contains(roles, m.role), RoleNotSufficient, refs(m.since), "role %s may not do this", m.role)
	c.must(a.closed.Position == 0, AccountClosed, refs(a.closed), "account %s is closed", f.actor.AccountID)
	return f.actor.AccountID, m.role
}

// byClient holds what only the client's owner and administrators do to its access (invariant 6).
func (c *checker) byClient(f *fact, pair domain.Pair) {
	own := f.actor.Kind == domain.ActorUser && f.actor.AccountID == pair.ClientID
	if c.must(own || f.actor.Kind == "", WidenedByOther, nil, "who did it is not of the client") {
		c.byMember(f, managing(), pair.ClientID)
	}
}

// byConsultant holds what only those of the consultancy do who work for the client: its owner, administrators and the client's
// account managers.
func (c *checker) byConsultant(f *fact, k *collaboration, pair domain.Pair, otherwise Code) {
	_, role := c.byMember(f, nil, pair.ConsultancyID)
	if role == "" || slices.Contains(managing(), role) {
		return
	}
	if _, assigned := k.managers[f.actor.UserID]; assigned {
		return
	}
	before := k.formerManagers[f.actor.UserID]
	if before.engagement > 0 && before.engagement < k.engagement {
		c.must(false, EngagementRevived, refs(before.since),
			"person %s was assigned in engagement %d, and this is %d", f.actor.UserID, before.engagement, k.engagement)
		return
	}
	c.must(false, otherwise, refs(before.since), "person %s, with role %s, is not assigned to the client", f.actor.UserID, role)
}

// bothOpen holds what two open accounts are needed for.
func (c *checker) bothOpen(pair domain.Pair, rule Code) {
	for _, id := range []uuid.UUID{pair.ConsultancyID, pair.ClientID} {
		if a := get(c.accounts, id); id != c.now.actor.AccountID { // byMember has told of the actor's own
			c.must(a.closed.Position == 0, rule, refs(a.closed), "account %s is closed", id)
		}
	}
}
