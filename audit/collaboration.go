package audit

import (
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// collaboration is where a pair stands.
type collaboration struct {
	known          bool // it has a history
	status         domain.CollaborationStatus
	since          EventRef
	engagement     int
	requestEnds    time.Time // of the pending request
	blocked        EventRef  // the block that holds; none while there is none
	messages       int
	read           map[domain.Side]int
	epoch          int
	raised         EventRef // what raised the epoch last
	grant          grant    // the last one of this engagement
	grants         map[uuid.UUID]EventRef
	managers       map[uuid.UUID]EventRef
	formerManagers map[uuid.UUID]formerManager
}

// formerManager is somebody who was assigned to the client, and in which engagement the last time.
type formerManager struct {
	engagement int
	since      EventRef
}

// pairStream is the id of a pair's one collaboration: a UUID of version 5 in the name space of the consultancy.
func pairStream(pair domain.Pair) uuid.UUID {
	return uuid.NewSHA1(pair.ConsultancyID, pair.ClientID[:])
}

// pairOf finds the collaboration that an event is about.
func (c *checker) pairOf(f *fact, pair domain.Pair) *collaboration {
	c.in(f, domain.CollaborationStream, pairStream(pair))
	consultancy, client := get(c.accounts, pair.ConsultancyID), get(c.accounts, pair.ClientID)
	c.must(consultancy.kind == domain.Consultancy && client.kind == domain.Business, CollaborationState, refs(consultancy.registered, client.registered),
		"the pair is not a consultancy and a business that are registered")
	return get(c.collaborations, pair)
}

// mustBe holds what only some states allow.
func (c *checker) mustBe(k *collaboration, from ...domain.CollaborationStatus) {
	c.must(slices.Contains(from, k.status), CollaborationState, refs(k.since), "the collaboration is %s", named(string(k.status)))
}

// foldConversation takes in what the two tell each other, and the block that keeps them from it.
func (c *checker) foldConversation(f *fact) {
	switch e := f.event.(type) {
	case domain.MessageSent:
		k := c.pairOf(f, e.Pair)
		c.bothOpen(e.Pair, AccountClosed)
		if c.bySide(f, k, e.Pair, e.From) == domain.ClientSide {
			if k.status != domain.CollaborationActive {
				c.approachable(k, e.ConsultancyID)
			}
		} else {
			c.must(k.known, CollaborationState, nil, "the consultancy writes first")
		}
		k.begin(f)
		k.heard(e.From)
	case domain.ConversationRead:
		k := c.pairOf(f, e.Pair)
		c.bySide(f, k, e.Pair, e.Side)
		c.must(e.MessagesRead == k.messages && e.MessagesRead > k.read[e.Side], CollaborationState, nil,
			"of %d messages %d were read, and now %d are", k.messages, k.read[e.Side], e.MessagesRead)
		put(&k.read, e.Side, e.MessagesRead)
	case domain.ClientBlocked:
		k := c.pairOf(f, e.Pair)
		c.byMember(f, managing(), e.ConsultancyID)
		c.must(k.known && k.status != domain.CollaborationActive && k.status != domain.CollaborationPending, CollaborationState, refs(k.since),
			"the collaboration is %s", named(string(k.status)))
		c.must(k.blocked.Position == 0, CollaborationState, refs(k.blocked), "the client is blocked already")
		k.blocked = f.ref
	case domain.ClientUnblocked:
		k := c.pairOf(f, e.Pair)
		c.byMember(f, managing(), e.ConsultancyID)
		c.must(k.blocked.Position != 0, CollaborationState, nil, "the client is not blocked")
		k.blocked = EventRef{}
	}
}

// bySide holds what the people of one side do, and that the event names the side they are of.
func (c *checker) bySide(f *fact, k *collaboration, pair domain.Pair, told domain.Side) domain.Side {
	side := domain.ConsultancySide
	if f.actor.Kind == domain.ActorUser && f.actor.AccountID == pair.ClientID {
		side = domain.ClientSide
		c.byMember(f, managing(), pair.ClientID)
	} else {
		c.byConsultant(f, k, pair, RoleNotSufficient)
	}
	c.must(side == told, ActorNotAParty, nil, "it is told of the %s, and done by the %s", told, side)
	return side
}

// begin opens the pair's history.
func (k *collaboration) begin(f *fact) {
	if !k.known {
		k.known, k.status, k.since = true, domain.CollaborationEnquiry, f.ref
	}
}

// heard counts a message; who writes has read what came before.
func (k *collaboration) heard(from domain.Side) {
	k.messages++
	put(&k.read, from, k.messages)
}

// approachable checks that the client may write to and ask the consultancy (S5).
func (c *checker) approachable(k *collaboration, consultancyID uuid.UUID) {
	c.must(k.blocked.Position == 0, NotApproachable, refs(k.blocked), "the client is blocked")
	p := get(c.partnerships, consultancyID)
	c.must(p.listed(), NotApproachable, refs(p.unlisted, p.since),
		"the consultancy is not listed: its partnership is %s", named(string(p.status)))
}

// foldEngagement takes in the request, what becomes of it, and the end.
func (c *checker) foldEngagement(f *fact) {
	const pending = domain.CollaborationPending
	switch e := f.event.(type) {
	case domain.CollaborationRequested:
		c.foldRequested(f, e)
	case domain.CollaborationAccepted:
		k := c.pairOf(f, e.Pair)
		c.byMember(f, managing(), e.ConsultancyID)
		c.bothOpen(e.Pair, AccountClosed)
		p := get(c.partnerships, e.ConsultancyID)
		c.must(p.status == domain.PartnershipInStanding, NotApproachable, refs(p.since), "the partnership is %s", named(string(p.status)))
		c.answer(f, k, e.Engagement, domain.CollaborationActive)
	case domain.CollaborationDeclined:
		k := c.pairOf(f, e.Pair)
		own := f.actor.Kind == domain.ActorSystem
		if own {
			c.must(c.leftFor(e.Pair) != "", CollaborationState, nil, "the ledger itself declines, and no side has left for good")
		} else {
			c.byMember(f, managing(), e.ConsultancyID)
		}
		c.must(own == (e.ReasonCode == domain.DeclinedForGood), ActorKindWrong, nil, "a %s does not decline for %s", f.actor.Kind, e.ReasonCode)
		c.answer(f, k, e.Engagement, domain.CollaborationRefused)
	case domain.RequestWithdrawn:
		k := c.pairOf(f, e.Pair)
		c.byMember(f, managing(), e.ClientID)
		c.answer(f, k, e.Engagement, domain.CollaborationWithdrawn)
	case domain.RequestExpired:
		k := c.pairOf(f, e.Pair)
		c.byClock(f, e.Pair)
		c.mustBe(k, pending)
		c.counted(k, e.Engagement)
		c.clock(k.requestEnds, e.ExpiredAt, k.since)
		k.status, k.since = domain.CollaborationExpired, f.ref
	case domain.KPINotificationsConfigured:
		k := c.pairOf(f, e.Pair)
		c.byConsultant(f, k, e.Pair, RoleNotSufficient)
		c.must(e.UserID == f.actor.UserID, ActorNotAParty, nil, "it is the choice of person %s", e.UserID)
		c.working(k, e.Pair)
	case domain.AccountManagerAssigned:
		c.foldAssigned(f, e)
	case domain.AccountManagerUnassigned:
		c.foldUnassigned(f, e)
	case domain.CollaborationEnded:
		c.foldEnded(f, e)
	}
}

func (c *checker) foldRequested(f *fact, e domain.CollaborationRequested) {
	k := c.pairOf(f, e.Pair)
	c.byMember(f, managing(), e.ClientID)
	c.bothOpen(e.Pair, AccountClosed)
	c.must(k.status != domain.CollaborationPending && k.status != domain.CollaborationActive, CollaborationState, refs(k.since),
		"the collaboration is %s", k.status)
	c.approachable(k, e.ConsultancyID)
	c.must(e.Engagement == k.engagement+1, CollaborationState, refs(k.since), "engagement %d follows %d", e.Engagement, k.engagement)
	c.must(e.CollaborationID == pairStream(e.Pair), StreamWrong, nil, "it names %s as the pair's collaboration", e.CollaborationID)
	c.notLongerThan(e.ExpiresAt, requestLasts)
	k.begin(f)
	k.heard(domain.ClientSide)
	k.status, k.since, k.engagement, k.requestEnds, k.grant = domain.CollaborationPending, f.ref, e.Engagement, e.ExpiresAt, grant{}
}

// answer closes a pending request, which must not have lapsed.
func (c *checker) answer(f *fact, k *collaboration, engagement int, status domain.CollaborationStatus) {
	c.mustBe(k, domain.CollaborationPending)
	c.counted(k, engagement)
	c.must(k.status != domain.CollaborationPending || !reached(k.requestEnds, f.at()), ActedAfterEnd, refs(k.since),
		"the request ended at %s", stamp(k.requestEnds))
	k.status, k.since = status, f.ref
}

// counted checks that an event is of the engagement in which it comes.
func (c *checker) counted(k *collaboration, engagement int) {
	c.must(engagement == k.engagement, CollaborationState, refs(k.since), "it is of engagement %d, in engagement %d", engagement, k.engagement)
}

// byClock holds what the ledger itself records, or a party whose command meets an end that nobody has recorded.
func (c *checker) byClock(f *fact, pair domain.Pair) {
	if f.actor.Kind != domain.ActorSystem {
		c.byMember(f, nil, pair.ConsultancyID, pair.ClientID)
	}
}

// working holds what an active collaboration of two open accounts alone allows.
func (c *checker) working(k *collaboration, pair domain.Pair) {
	c.bothOpen(pair, AccountClosed)
	c.mustBe(k, domain.CollaborationActive)
}

func (c *checker) foldAssigned(f *fact, e domain.AccountManagerAssigned) {
	k := c.pairOf(f, e.Pair)
	c.byMember(f, managing(), e.ConsultancyID)
	c.working(k, e.Pair)
	before, again := k.managers[e.UserID]
	c.must(!again, ManagerWrong, refs(before), "person %s is assigned already", e.UserID)
	a := get(c.accounts, e.ConsultancyID)
	_, there := a.members[e.UserID]
	c.must(there, ManagerWrong, refs(a.left[e.UserID]), "person %s is not a member of the consultancy", e.UserID)
	put(&k.managers, e.UserID, f.ref)
	put(&k.formerManagers, e.UserID, formerManager{k.engagement, f.ref})
}

func (c *checker) foldUnassigned(f *fact, e domain.AccountManagerUnassigned) {
	k := c.pairOf(f, e.Pair)
	c.mustBe(k, domain.CollaborationActive)
	_, there := k.managers[e.UserID]
	former := k.formerManagers[e.UserID]
	if !there && former.engagement > 0 && former.engagement < k.engagement {
		c.must(false, EngagementRevived, refs(former.since),
			"person %s was assigned in engagement %d, and this is %d", e.UserID, former.engagement, k.engagement)
	} else {
		c.must(there, ManagerWrong, refs(former.since), "person %s is not assigned", e.UserID)
	}
	a := get(c.accounts, e.ConsultancyID)
	_, member := a.members[e.UserID]
	switch {
	case f.actor.Kind == domain.ActorUser && f.actor.AccountID == e.ConsultancyID:
		c.byMember(f, managing(), e.ConsultancyID)
	case f.actor.Kind == domain.ActorSystem && !member: // who left
	default: // the client, or the ledger itself for a side that left for good
		c.command.endings = append(c.command.endings, f.ref)
	}
	delete(k.managers, e.UserID)
}

// foldEnded checks that nothing of the engagement is left when it ends (S11).
func (c *checker) foldEnded(f *fact, e domain.CollaborationEnded) {
	k := c.pairOf(f, e.Pair)
	c.mustBe(k, domain.CollaborationActive)
	c.counted(k, e.Engagement)
	c.must(!k.grant.open(), EndIncomplete, refs(k.grant.since), "grant %s is still %s", k.grant.id, k.grant.status)
	for _, id := range sortedKeys(k.managers) {
		c.must(false, EndIncomplete, refs(k.managers[id]), "account manager %s is still assigned", id)
	}
	c.must(e.EndedBy == c.endsFor(f, e.Pair), EndIncomplete, nil, "it is told to be ended by the %s", e.EndedBy)
	c.raise(f, k, e.AccessEpoch)
	c.command.endings = nil
	clear(k.managers)
	k.status, k.since, k.grant = domain.CollaborationOver, f.ref, grant{}
}

// endsFor is the side for which somebody may end the collaboration; the ledger itself does it for one that has left for good.
func (c *checker) endsFor(f *fact, pair domain.Pair) domain.Side {
	if f.actor.Kind != domain.ActorSystem {
		if account, _ := c.byMember(f, managing(), pair.ConsultancyID, pair.ClientID); account == pair.ClientID {
			return domain.ClientSide
		}
		return domain.ConsultancySide
	}
	side := c.leftFor(pair)
	c.must(side != "", EndIncomplete, nil, "the ledger itself ends it, and no side has left for good")
	return cmp.Or(side, domain.ClientSide)
}

// leftFor is the side that has left for good, if one has: its partnership was terminated, whatever came after, or its account is closed.
func (c *checker) leftFor(pair domain.Pair) domain.Side {
	partner := get(c.partnerships, pair.ConsultancyID).status
	switch {
	case partner != domain.PartnershipInStanding && partner != domain.PartnershipOnHold, get(c.accounts, pair.ConsultancyID).closed.Position != 0:
		return domain.ConsultancySide
	case get(c.accounts, pair.ClientID).closed.Position != 0:
		return domain.ClientSide
	}
	return ""
}

// endCommand looks back at a command: what only an end of the collaboration explains must have come with it.
func (c *checker) endCommand() {
	if len(c.command.endings) > 0 {
		c.report.add(EndIncomplete, c.command.endings, "access or an account manager is taken away as by an end, and the collaboration is not ended in the same append")
	}
	c.command = command{}
}
