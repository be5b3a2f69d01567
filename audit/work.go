package audit

import (
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// session is a log-in of a consultancy's person to a client's account.
type session struct {
	pair   domain.Pair
	user   uuid.UUID
	grant  uuid.UUID
	epoch  int
	stands int // which standing of the partnership
	until  time.Time
	opened EventRef
	closed EventRef // none while it is open
}

// task is a pending activity of a client.
type task struct {
	client  uuid.UUID
	section domain.Section
	status  domain.TaskStatus
	since   EventRef
}

// mayWork checks all that somebody of the consultancy needs at the moment at which they do something in the client's account
// (invariant 1), and that the grant they name is the one that gives it.
func (c *checker) mayWork(f *fact, k *collaboration, pair domain.Pair, grantID uuid.UUID) {
	c.byConsultant(f, k, pair, AccessNotEntitled)
	c.bothOpen(pair, AccessAccountClosed)
	c.inStanding(pair, AccessNoStanding)
	if c.must(k.status == domain.CollaborationActive, AccessNotActive, refs(k.since), "the collaboration is %s", named(string(k.status))) {
		c.granted(k, grantID, AccessNoGrant, domain.GrantLive)
		c.unexpired(f, k)
	}
}

// foldSession takes in log-ins.
func (c *checker) foldSession(f *fact) {
	switch e := f.event.(type) {
	case domain.ClientAccountOpened:
		c.in(f, domain.SessionStream, e.SessionID)
		k, partner := get(c.collaborations, e.Pair), get(c.partnerships, e.ConsultancyID)
		c.mayWork(f, k, e.Pair, e.GrantID)
		c.must(e.UserID == f.actor.UserID, ActorNotAParty, nil, "it is the log-in of person %s", e.UserID)
		s := get(c.sessions, e.SessionID)
		c.must(s.opened.Position == 0, SessionState, refs(s.opened), "session %s was opened before", e.SessionID)
		if e.GrantID == k.grant.id {
			c.must(e.AccessEpoch == k.grant.epoch, EpochStale, refs(k.raised),
				"it is of epoch %d, and the grant of %d", e.AccessEpoch, k.grant.epoch)
			client := get(c.accounts, e.ClientID)
			effective := cut(k.grant.permissions, client.plan)
			c.must(same(e.Permissions, effective) && len(effective) > 0, PermissionsWrong, refs(k.grant.since, client.billed),
				"it may %v, and the grant within plan %s gives %v", e.Permissions, client.plan, effective)
			c.must(k.grant.until.IsZero() || !e.ExpiresAt.After(k.grant.until), SessionTooLong, refs(k.grant.since),
				"it ends at %s, and the grant at %s", stamp(e.ExpiresAt), stamp(k.grant.until))
		}
		c.must(e.StandingEpoch == 0 || e.StandingEpoch == partner.standings, EpochStale, refs(partner.since), "it is of standing %d, and the partnership of %d", e.StandingEpoch, partner.standings)
		c.must(e.ExpiresAt.Sub(f.at()) <= sessionLasts, SessionTooLong, nil, "it ends at %s, more than an hour later", stamp(e.ExpiresAt))
		*s = session{pair: e.Pair, user: e.UserID, grant: e.GrantID, epoch: e.AccessEpoch, stands: e.StandingEpoch, until: e.ExpiresAt, opened: f.ref}
	case domain.ClientAccountClosed:
		c.foldClosed(f, e)
	}
}

func (c *checker) foldClosed(f *fact, e domain.ClientAccountClosed) {
	c.in(f, domain.SessionStream, e.SessionID)
	s := get(c.sessions, e.SessionID)
	c.must(s.opened.Position != 0 && s.closed.Position == 0 && s.pair == e.Pair, SessionState, refs(s.opened, s.closed),
		"session %s is not open", e.SessionID)
	switch e.Reason {
	case domain.Lapsed:
		c.bySystem(f)
		c.clock(s.until, s.until, s.opened)
	case domain.Lost:
		c.bySystem(f)
		c.must(!c.holds(s, f.at()), SessionState, refs(s.opened), "the access behind session %s holds", e.SessionID)
	case domain.LoggedOut:
		roles := managing()
		if f.actor.AccountID == s.pair.ConsultancyID && f.actor.UserID == s.user {
			roles = nil
		}
		c.byMember(f, roles, s.pair.ConsultancyID, s.pair.ClientID)
	default:
		c.must(false, SessionState, nil, "a session does not end for %q", e.Reason)
	}
	if e.Reason != domain.Lapsed {
		c.must(!reached(s.until, f.at()), ActedAfterEnd, refs(s.opened), "the session ended at %s", stamp(s.until))
	}
	s.closed = f.ref
}

// holds tells whether the access behind a log-in is what it was.
func (c *checker) holds(s *session, at time.Time) bool {
	consultancy, client, k := get(c.accounts, s.pair.ConsultancyID), get(c.accounts, s.pair.ClientID), get(c.collaborations, s.pair)
	partner := get(c.partnerships, s.pair.ConsultancyID)
	m, there := consultancy.members[s.user]
	_, assigned := k.managers[s.user]
	return there && (m.role != domain.RoleAccountManager || assigned) &&
		consultancy.closed.Position == 0 && client.closed.Position == 0 &&
		k.status == domain.CollaborationActive && partner.status == domain.PartnershipInStanding && partner.standings == s.stands &&
		k.grant.id == s.grant && k.grant.status == domain.GrantLive && !reached(k.grant.until, at) && k.grant.epoch == s.epoch
}

// taskStream is the id of a client's task: a UUID of version 5 in the client's name space, so that raising it twice is one task.
func taskStream(client uuid.UUID, externalRef string) uuid.UUID {
	return uuid.NewSHA1(client, []byte("task:"+externalRef))
}

// foldTask takes in the pending activities of clients.
func (c *checker) foldTask(f *fact) {
	switch e := f.event.(type) {
	case domain.TaskRaised:
		c.in(f, domain.TaskStream, e.TaskID)
		c.must(e.TaskID == taskStream(e.ClientID, e.ExternalRef), StreamWrong, nil, "the client's reference %q is another task's", e.ExternalRef)
		t := get(c.tasks, e.TaskID)
		c.must(t.since.Position == 0, TaskState, refs(t.since), "task %s was raised before", e.TaskID)
		*t = task{client: e.ClientID, section: e.Section}
		c.keepsTasks(f, e.ClientID, e.Section)
		t.status, t.since = domain.TaskPending, f.ref
	case domain.TaskCancelled:
		c.moveTask(f, e.TaskID, e.ClientID, e.Section, domain.TaskPending, domain.TaskAbandoned)
		c.keepsTasks(f, e.ClientID, e.Section)
	case domain.TaskReopened:
		c.moveTask(f, e.TaskID, e.ClientID, e.Section, domain.TaskFinished, domain.TaskPending)
		c.keepsTasks(f, e.ClientID, e.Section)
	case domain.TaskCompleted:
		c.moveTask(f, e.TaskID, e.ClientID, e.Section, domain.TaskPending, domain.TaskFinished)
		if e.ConsultancyID == uuid.Nil {
			c.editsOwn(f, e.ClientID, e.Section)
			return
		}
		pair := domain.Pair{ConsultancyID: e.ConsultancyID, ClientID: e.ClientID}
		k := get(c.collaborations, pair)
		c.mayWork(f, k, pair, e.GrantID)
		if k.grant.id == e.GrantID {
			plan := get(c.accounts, e.ClientID).plan
			c.must(cut(k.grant.permissions, plan)[e.Section] == domain.Edit, SectionNotGranted, refs(k.grant.since),
				"the grant within plan %s does not give edit on %s", plan, e.Section)
		}
	}
}

// moveTask takes a task from one state to another.
func (c *checker) moveTask(f *fact, id, client uuid.UUID, section domain.Section, from, to domain.TaskStatus) {
	c.in(f, domain.TaskStream, id)
	t := get(c.tasks, id)
	c.must(t.status == from, TaskState, refs(t.since), "the task is %s", named(string(t.status)))
	c.must(t.client == client && t.section == section, TaskState, refs(t.since), "the task is of another client or section")
	t.status, t.since = to, f.ref
}

// keepsTasks holds what services do, and members of the client who may edit the section.
func (c *checker) keepsTasks(f *fact, client uuid.UUID, section domain.Section) {
	a := get(c.accounts, client)
	c.must(a.kind == domain.Business, TaskState, refs(a.registered), "account %s is not a business that is registered", client)
	if f.actor.Kind == domain.ActorService {
		c.must(a.closed.Position == 0, AccountClosed, refs(a.closed), "account %s is closed", client)
		return
	}
	c.editsOwn(f, client, section)
}

// editsOwn holds what members of the client do whose role gives edit on the section.
func (c *checker) editsOwn(f *fact, client uuid.UUID, section domain.Section) {
	_, role := c.byMember(f, nil, client)
	if role == "" {
		return
	}
	permissions, _, _ := get(c.accounts, client).role(role)
	c.must(permissions[section] == domain.Edit, RoleNotSufficient, nil, "role %s may not edit %s", role, section)
}
