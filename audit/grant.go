package audit

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// grant is the access that a client gave in an engagement; the zero grant is none.
type grant struct {
	id          uuid.UUID
	status      domain.GrantStatus
	since       EventRef // of its status, role or end
	granted     EventRef
	role        domain.Role
	permissions domain.Permissions
	epoch       int
	until       time.Time // zero: it holds until it is revoked
	attested    EventRef  // the last attestation, or the grant itself
	reminded    int       // days before the end; 0: not yet
}

// open tells whether the grant is live or may become so again, as recorded.
func (g *grant) open() bool { return g.status == domain.GrantLive || g.status == domain.GrantSuspended }

// sortedKeys keeps reports independent of the order of maps.
func sortedKeys[V any](m map[uuid.UUID]V) []uuid.UUID {
	return slices.SortedFunc(maps.Keys(m), func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
}

// raise checks that an event raises the access epoch by one (invariant 4).
func (c *checker) raise(f *fact, k *collaboration, epoch int) {
	c.must(epoch == k.epoch+1, EpochNotRaised, refs(k.raised), "epoch %d follows %d", epoch, k.epoch)
	k.epoch, k.raised = epoch, f.ref
}

// foldGrant takes in what happens to a client's access.
func (c *checker) foldGrant(f *fact) {
	switch e := f.event.(type) {
	case domain.AccessRequested:
		k := c.pairOf(f, e.Pair)
		c.byConsultant(f, k, e.Pair, RoleNotSufficient)
		c.working(k, e.Pair)
	case domain.AccessGranted:
		c.foldGranted(f, e)
	case domain.AccessChanged:
		k := c.consented(f, e.Pair, e.GrantID, domain.GrantLive)
		c.grantable(e.Pair, e.RoleID, e.RoleVersion, e.Permissions)
		c.notLongerThan(e.ExpiresAt, grantLasts)
		c.raise(f, k, e.AccessEpoch)
		if !k.grant.until.Equal(e.ExpiresAt) {
			k.grant.reminded = 0
		}
		k.grant.role, k.grant.permissions, k.grant.epoch, k.grant.until, k.grant.since = e.RoleID, e.Permissions, e.AccessEpoch, e.ExpiresAt, f.ref
	case domain.AccessExtended:
		k := c.consented(f, e.Pair, e.GrantID, domain.GrantLive)
		c.inStanding(e.Pair, GrantState)
		c.must(!k.grant.until.IsZero() && e.ExpiresAt.After(k.grant.until), GrantState, refs(k.grant.since),
			"the end %s is extended to %s", stamp(k.grant.until), stamp(e.ExpiresAt))
		c.notLongerThan(e.ExpiresAt, grantLasts)
		k.grant.until, k.grant.reminded, k.grant.since = e.ExpiresAt, 0, f.ref
	case domain.AccessAttested:
		k := c.consented(f, e.Pair, e.GrantID, domain.GrantLive)
		c.inStanding(e.Pair, GrantState)
		c.policy.held(e.Pair, &k.grant, f.ref)
		k.grant.attested = f.ref
	case domain.AccessResumed:
		k := c.consented(f, e.Pair, e.GrantID, domain.GrantSuspended)
		c.inStanding(e.Pair, GrantState)
		c.must(e.AccessEpoch == k.epoch, EpochNotRaised, refs(k.raised), "it resumes with epoch %d in epoch %d", e.AccessEpoch, k.epoch)
		k.grant.status, k.grant.since = domain.GrantLive, f.ref
	case domain.AccessSuspended:
		k := c.narrowed(f, e.Pair, e.GrantID, domain.GrantLive)
		c.raise(f, k, e.AccessEpoch)
		k.grant.status, k.grant.epoch, k.grant.since = domain.GrantSuspended, e.AccessEpoch, f.ref
	case domain.AccessRevoked:
		k := c.narrowed(f, e.Pair, e.GrantID, domain.GrantLive, domain.GrantSuspended)
		c.raise(f, k, e.AccessEpoch)
		c.policy.held(e.Pair, &k.grant, f.ref)
		k.grant.status, k.grant.since = domain.GrantRevoked, f.ref
	default:
		c.foldGrantEnd(f)
	}
}

// foldGrantEnd takes in what the clock tells of a grant's end.
func (c *checker) foldGrantEnd(f *fact) {
	switch e := f.event.(type) {
	case domain.AccessExpired:
		k := c.pairOf(f, e.Pair)
		c.byClock(f, e.Pair)
		c.mustBe(k, domain.CollaborationActive)
		c.granted(k, e.GrantID, GrantState, domain.GrantLive, domain.GrantSuspended)
		c.clock(k.grant.until, e.ExpiredAt, k.grant.since)
		c.raise(f, k, e.AccessEpoch)
		c.policy.held(e.Pair, &k.grant, f.ref)
		k.grant.status, k.grant.since = domain.GrantExpired, f.ref
	case domain.GrantEndReminded:
		k := c.pairOf(f, e.Pair)
		c.bySystem(f)
		c.working(k, e.Pair)
		c.granted(k, e.GrantID, GrantState, domain.GrantLive)
		c.unexpired(f, k)
		due := k.grant.until.Add(-time.Duration(e.DaysBefore) * 24 * time.Hour)
		c.clock(due, e.ExpiresAt.Add(-time.Duration(e.DaysBefore)*24*time.Hour), k.grant.since)
		c.must(slices.Contains([]int{30, 7, 1}, e.DaysBefore), GrantState, refs(k.grant.since),
			"a client is not reminded %d days before the end", e.DaysBefore)
		c.must(k.grant.reminded == 0 || e.DaysBefore < k.grant.reminded, GrantState, refs(k.grant.since),
			"the client was reminded %d days before the end", k.grant.reminded)
		k.grant.reminded = e.DaysBefore
	}
}

func (c *checker) foldGranted(f *fact, e domain.AccessGranted) {
	k := c.pairOf(f, e.Pair)
	c.byClient(f, e.Pair)
	c.working(k, e.Pair)
	c.inStanding(e.Pair, GrantState)
	c.must(!k.grant.open(), GrantState, refs(k.grant.since), "grant %s is %s", k.grant.id, k.grant.status)
	before, again := k.grants[e.GrantID]
	c.must(!again, GrantState, refs(before), "grant %s was given before", e.GrantID)
	c.grantable(e.Pair, e.RoleID, e.RoleVersion, e.Permissions)
	c.notLongerThan(e.ExpiresAt, grantLasts)
	c.raise(f, k, e.AccessEpoch)
	put(&k.grants, e.GrantID, f.ref)
	k.grant = grant{
		id: e.GrantID, status: domain.GrantLive, since: f.ref, granted: f.ref, role: e.RoleID, permissions: e.Permissions,
		epoch: e.AccessEpoch, until: e.ExpiresAt, attested: f.ref,
	}
}

// consented checks what the client does to the grant it gave (invariant 6), while that holds.
func (c *checker) consented(f *fact, pair domain.Pair, id uuid.UUID, from domain.GrantStatus) *collaboration {
	k := c.pairOf(f, pair)
	c.byClient(f, pair)
	c.working(k, pair)
	c.granted(k, id, GrantState, from)
	c.unexpired(f, k)
	return k
}

// narrowed checks what either side takes away of a grant that holds; the ledger itself does so only with the end.
func (c *checker) narrowed(f *fact, pair domain.Pair, id uuid.UUID, from ...domain.GrantStatus) *collaboration {
	k := c.pairOf(f, pair)
	if f.actor.Kind == domain.ActorSystem {
		c.command.endings = append(c.command.endings, f.ref)
	} else {
		c.byMember(f, managing(), pair.ConsultancyID, pair.ClientID)
	}
	c.mustBe(k, domain.CollaborationActive)
	c.granted(k, id, GrantState, from...)
	c.unexpired(f, k)
	return k
}

// granted checks that an event is about the grant that there is in this engagement, in a state that allows it.
func (c *checker) granted(k *collaboration, id uuid.UUID, rule Code, from ...domain.GrantStatus) {
	given, known := k.grants[id]
	switch {
	case id == k.grant.id:
		c.must(slices.Contains(from, k.grant.status), rule, refs(k.grant.since), "the grant is %s", named(string(k.grant.status)))
	case known && given.Position < k.since.Position && k.status == domain.CollaborationActive:
		c.must(false, EngagementRevived, refs(given, k.since), "grant %s was given in an earlier engagement", id)
	default:
		c.must(false, rule, refs(given, k.grant.since), "grant %s is not the one that there is", id)
	}
}

// unexpired checks that a grant which is recorded as open has not reached its end (invariant 3).
func (c *checker) unexpired(f *fact, k *collaboration) {
	c.must(!k.grant.open() || !reached(k.grant.until, f.at()), ActedAfterEnd, refs(k.grant.since),
		"the grant ended at %s", stamp(k.grant.until))
}

// inStanding holds what only a partner in standing is given.
func (c *checker) inStanding(pair domain.Pair, rule Code) {
	p := get(c.partnerships, pair.ConsultancyID)
	c.must(p.status == domain.PartnershipInStanding, rule, refs(p.since), "the partnership is %s", named(string(p.status)))
}

// grantable checks the one role of a grant (S6), and that the grant pins what it permits then (invariant 2).
func (c *checker) grantable(pair domain.Pair, role domain.Role, version int, pinned domain.Permissions) {
	client := get(c.accounts, pair.ClientID)
	permissions, current, there := client.role(role)
	custom := client.roles[role]
	if !c.must(there && role != domain.RoleOwner, GrantRole, refs(custom.since), "the client's account grants no role %s", role) {
		return
	}
	c.must(custom.version == 0 || customRoles(client.plan), GrantRole, refs(custom.since, client.billed),
		"plan %s has no custom roles", client.plan)
	c.must(len(cut(permissions, client.plan)) > 0, GrantRole, refs(client.billed),
		"role %s permits nothing that plan %s includes", role, client.plan)
	c.must(version == current && same(pinned, permissions), PermissionsWrong, refs(custom.since),
		"it pins %v in version %d, and role %s permits %v in version %d", pinned, version, role, permissions, current)
}
