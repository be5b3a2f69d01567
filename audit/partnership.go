package audit

import (
	"slices"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// partnership is how a consultancy stands with the programme.
type partnership struct {
	status     domain.PartnershipStatus
	since      EventRef
	standings  int // how often it has come into standing
	suspension domain.SuspensionReason
	profile    EventRef // the latest revision's submission or review
	revisions  int
	submitter  string // of the latest revision
	inReview   bool   // the latest revision
	published  bool
	unlisted   EventRef // at the consultancy's own wish; none while it is listed
}

// listed tells whether clients find the consultancy.
func (p *partnership) listed() bool {
	return p.status == domain.PartnershipInStanding && p.published && p.unlisted.Position == 0
}

// partnershipOf finds the partnership that an event is about, which must be in one of the states.
func (c *checker) partnershipOf(f *fact, id uuid.UUID, from ...domain.PartnershipStatus) *partnership {
	c.in(f, domain.PartnershipStream, id)
	p := get(c.partnerships, id)
	c.must(slices.Contains(from, p.status), PartnershipState, refs(p.since), "the partnership is %s", named(string(p.status)))
	return p
}

// named is a state in a sentence.
func named(state string) string {
	if state == "" {
		return "none"
	}
	return state
}

func (c *checker) foldPartnership(f *fact) {
	const (
		none, applied, accepted, rejected = domain.PartnershipNone, domain.PartnershipPending, domain.PartnershipInStanding, domain.PartnershipDeclined
		withdrawn, suspended, terminated  = domain.PartnershipWithdrawn, domain.PartnershipOnHold, domain.PartnershipOver
	)
	switch e := f.event.(type) {
	case domain.PartnershipApplied:
		p := c.partnershipOf(f, e.ConsultancyID, none, rejected, withdrawn, terminated)
		c.byMember(f, managing(), e.ConsultancyID)
		c.eligible(e.ConsultancyID)
		p.status, p.since = applied, f.ref
	case domain.PartnershipAccepted:
		p := c.partnershipOf(f, e.ConsultancyID, applied)
		c.byReviewer(f)
		c.eligible(e.ConsultancyID)
		p.status, p.since = accepted, f.ref
		p.standings++
	case domain.PartnershipRejected:
		p := c.partnershipOf(f, e.ConsultancyID, applied)
		c.byReviewer(f)
		p.status, p.since = rejected, f.ref
	case domain.ApplicationWithdrawn:
		p := c.partnershipOf(f, e.ConsultancyID, applied)
		c.byMember(f, managing(), e.ConsultancyID)
		p.status, p.since = withdrawn, f.ref
	case domain.PartnershipSuspended:
		c.foldSuspended(f, e)
	case domain.PartnershipReinstated:
		p := c.partnershipOf(f, e.ConsultancyID, suspended)
		if f.actor.Kind == domain.ActorSystem {
			c.must(p.suspension == domain.SuspendedForSubscription, PartnershipState, refs(p.since), "a reviewer suspended it: %s", p.suspension)
		} else {
			c.byReviewer(f)
		}
		c.eligible(e.ConsultancyID)
		p.status, p.suspension, p.since = accepted, "", f.ref
		p.standings++
	case domain.PartnershipTerminated:
		p := c.partnershipOf(f, e.ConsultancyID, accepted, suspended)
		c.byReviewer(f)
		p.status, p.suspension, p.since = terminated, "", f.ref
		p.inReview, p.published, p.unlisted = false, false, EventRef{}
	default:
		c.foldProfile(f)
	}
}

// foldSuspended checks who suspends for what: the ledger itself for a lapsed subscription, reviewers for anything else. A reviewer's
// suspension takes the place of the ledger's own.
func (c *checker) foldSuspended(f *fact, e domain.PartnershipSuspended) {
	own := f.actor.Kind == domain.ActorSystem
	p := get(c.partnerships, e.ConsultancyID)
	if !own && p.status == domain.PartnershipOnHold && p.suspension == domain.SuspendedForSubscription {
		c.partnershipOf(f, e.ConsultancyID, domain.PartnershipOnHold)
	} else {
		c.partnershipOf(f, e.ConsultancyID, domain.PartnershipInStanding)
	}
	if own {
		a := get(c.accounts, e.ConsultancyID)
		c.must(a.subscription != domain.Current, PartnershipState, refs(a.billed), "the subscription is current")
	} else {
		c.byReviewer(f)
	}
	c.must(own == (e.Reason == domain.SuspendedForSubscription), ActorKindWrong, nil, "a %s does not suspend for %s", f.actor.Kind, e.Reason)
	p.status, p.suspension, p.since = domain.PartnershipOnHold, e.Reason, f.ref
}

// eligible checks what the guide's step 2 asks of a partner.
func (c *checker) eligible(id uuid.UUID) {
	a := get(c.accounts, id)
	firms := []domain.FirmKind{domain.Agency, domain.ConsultancyCo, domain.ExternalCFO}
	c.must(a.kind == domain.Consultancy && slices.Contains(firms, a.firm), NotEligible, refs(a.registered),
		"the account is a %s of kind %s", a.kind, named(string(a.firm)))
	c.must(a.subscription == domain.Current, NotEligible, refs(a.billed), "the subscription is %s", a.subscription)
	byItself := c.now.actor.Kind == domain.ActorUser // then byMember has told of a closed account
	c.must(a.closed.Position == 0 || byItself, NotEligible, refs(a.closed), "the account is closed")
}

// foldProfile takes in the profile, its reviews, and whether it is listed.
func (c *checker) foldProfile(f *fact) {
	const accepted = domain.PartnershipInStanding
	switch e := f.event.(type) {
	case domain.ProfileSubmitted:
		p := c.partnershipOf(f, e.ConsultancyID, accepted)
		c.byMember(f, managing(), e.ConsultancyID)
		c.must(e.Revision == p.revisions+1, ReviewWrong, refs(p.profile), "revision %d follows %d", e.Revision, p.revisions)
		c.must(e.SubmittedBy == f.actor.String(), ReviewWrong, nil, "it names %s as who submitted it", e.SubmittedBy)
		p.revisions, p.submitter, p.inReview, p.profile = e.Revision, e.SubmittedBy, true, f.ref
	case domain.ProfileApproved:
		p := c.review(f, e.ConsultancyID, e.Revision)
		p.published = true
	case domain.ProfileRejected:
		c.review(f, e.ConsultancyID, e.Revision)
	case domain.ProfileUnlisted:
		p := c.partnershipOf(f, e.ConsultancyID, accepted)
		c.byMember(f, managing(), e.ConsultancyID)
		c.must(p.listed(), PartnershipState, refs(p.unlisted), "the profile is not listed")
		p.unlisted = f.ref
	case domain.ProfileRelisted:
		p := c.partnershipOf(f, e.ConsultancyID, accepted)
		c.byMember(f, managing(), e.ConsultancyID)
		c.must(p.unlisted.Position != 0, PartnershipState, nil, "the profile has not been taken off the directory")
		p.unlisted = EventRef{}
	}
}

// review checks a review of a revision: it is the latest, still under review, and the reviewer is not who submitted it.
func (c *checker) review(f *fact, id uuid.UUID, revision int) *partnership {
	p := c.partnershipOf(f, id, domain.PartnershipInStanding)
	c.byReviewer(f)
	submitter, _ := domain.ParseActor(p.submitter)
	c.must(submitter.UserID == uuid.Nil || f.actor.Name != submitter.UserID.String(), ReviewWrong, refs(p.profile),
		"%s reviews what they submitted", f.actor.Name)
	c.must(revision == p.revisions && p.inReview, ReviewWrong, refs(p.profile), "revision %d is not the latest under review", revision)
	p.inReview, p.profile = false, f.ref
	return p
}
