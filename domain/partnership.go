package domain

import (
	"slices"

	"github.com/google/uuid"
)

// PartnershipStatus is where a consultancy stands with the programme.
type PartnershipStatus string

// The states of a partnership. The empty one has not applied.
const (
	PartnershipNone       PartnershipStatus = ""
	PartnershipPending    PartnershipStatus = "applied"
	PartnershipInStanding PartnershipStatus = "accepted"
	PartnershipDeclined   PartnershipStatus = "rejected"
	PartnershipWithdrawn  PartnershipStatus = "withdrawn"
	PartnershipOnHold     PartnershipStatus = "suspended"
	PartnershipOver       PartnershipStatus = "terminated"
)

// RevisionStatus is where one revision of a profile stands with its review (S3).
type RevisionStatus string

// The states of a revision.
const (
	RevisionInReview   RevisionStatus = "in_review"
	RevisionApproved   RevisionStatus = "approved"
	RevisionRejected   RevisionStatus = "rejected"
	RevisionSuperseded RevisionStatus = "superseded"
)

// PartnershipApplied asks to join the programme (S2).
type PartnershipApplied struct {
	ConsultancyID uuid.UUID `json:"consultancyId"`
}

// PartnershipAccepted lets a consultancy into the programme (S2).
type PartnershipAccepted struct {
	ConsultancyID uuid.UUID `json:"consultancyId"`
}

// PartnershipRejected refuses an application (S2).
type PartnershipRejected struct {
	ConsultancyID uuid.UUID       `json:"consultancyId"`
	ReasonCode    RejectionReason `json:"reasonCode"`
}

// RejectionReason is why a reviewer said no.
type RejectionReason string

// ApplicationWithdrawn takes an application back (B).
type ApplicationWithdrawn struct {
	ConsultancyID uuid.UUID `json:"consultancyId"`
}

// SuspensionReason is why a partnership is suspended.
type SuspensionReason string

// The reasons. The ledger itself suspends for a lapsed subscription and for nothing else, and reviewers for the others.
const (
	SuspendedForSubscription SuspensionReason = "subscription_lapsed"
	SuspendedForBreach       SuspensionReason = "terms_breached"
	SuspendedForComplaints   SuspensionReason = "complaints"
	SuspendedOtherwise       SuspensionReason = "other"
)

// PartnershipSuspended takes a partner's standing away for the time being, and with it all access at once (B).
type PartnershipSuspended struct {
	ConsultancyID uuid.UUID        `json:"consultancyId"`
	Reason        SuspensionReason `json:"reason"`
}

// PartnershipReinstated gives a suspended partner its standing back (B).
type PartnershipReinstated struct {
	ConsultancyID uuid.UUID `json:"consultancyId"`
}

// TerminationReason is why a partnership ended for good.
type TerminationReason string

// PartnershipTerminated ends a partnership, and what was published of it (B). The consultancy may apply again.
type PartnershipTerminated struct {
	ConsultancyID uuid.UUID         `json:"consultancyId"`
	Reason        TerminationReason `json:"reason"`
}

// Profile is how a consultancy presents itself (S3).
type Profile struct {
	DisplayName  string   `json:"displayName" minLength:"1" maxLength:"120" doc:"Name in the directory"`
	Description  string   `json:"description" minLength:"1" maxLength:"4000" doc:"What the firm does, for whom"`
	Services     []string `json:"services" nullable:"false" minItems:"1" maxItems:"20" minLength:"1" maxLength:"80" doc:"Offered services, for example bookkeeping"`
	Specialties  []string `json:"specialties" nullable:"false" maxItems:"20" minLength:"1" maxLength:"80" doc:"Fields in which the firm is especially good"`
	Languages    []string `json:"languages" nullable:"false" minItems:"1" maxItems:"20" format:"language" minLength:"2" maxLength:"2" doc:"Languages spoken, ISO 639-1"`
	Country      string   `json:"country" format:"country" minLength:"2" maxLength:"2" doc:"ISO 3166-1 alpha-2"`
	City         string   `json:"city" minLength:"1" maxLength:"120" doc:"City of the office"`
	Website      string   `json:"website,omitempty" format:"uri" maxLength:"500" doc:"Public web site, https"`
	ContactEmail string   `json:"contactEmail" format:"email" maxLength:"254" doc:"Public address"`
	LogoURL      string   `json:"logoUrl,omitempty" format:"uri" maxLength:"500" doc:"Logo, https"`
}

// ProfileSubmitted hands in a revision for review (S3).
type ProfileSubmitted struct {
	ConsultancyID uuid.UUID `json:"consultancyId"`
	Revision      int       `json:"revision"`
	SubmittedBy   string    `json:"submittedBy"` // the actor, since nobody reviews what they submitted
	Profile
}

// ProfileApproved publishes a revision (S3).
type ProfileApproved struct {
	ConsultancyID uuid.UUID `json:"consultancyId"`
	Revision      int       `json:"revision"`
}

// ProfileRejected sends a revision back; the approved one stays published (S3).
type ProfileRejected struct {
	ConsultancyID uuid.UUID       `json:"consultancyId"`
	Revision      int             `json:"revision"`
	ReasonCode    RejectionReason `json:"reasonCode"`
	Note          string          `json:"note,omitempty"`
}

// ProfileUnlisted takes the profile off the directory at the consultancy's own wish (B). It stays approved.
type ProfileUnlisted struct {
	ConsultancyID uuid.UUID `json:"consultancyId"`
}

// ProfileRelisted puts the profile back into the directory (B).
type ProfileRelisted struct {
	ConsultancyID uuid.UUID `json:"consultancyId"`
}

func (PartnershipApplied) EventType() string    { return "partnership.PartnershipApplied.v1" }
func (PartnershipAccepted) EventType() string   { return "partnership.PartnershipAccepted.v1" }
func (PartnershipRejected) EventType() string   { return "partnership.PartnershipRejected.v1" }
func (ApplicationWithdrawn) EventType() string  { return "partnership.ApplicationWithdrawn.v1" }
func (PartnershipSuspended) EventType() string  { return "partnership.PartnershipSuspended.v1" }
func (PartnershipReinstated) EventType() string { return "partnership.PartnershipReinstated.v1" }
func (PartnershipTerminated) EventType() string { return "partnership.PartnershipTerminated.v1" }
func (ProfileUnlisted) EventType() string       { return "partnership.ProfileUnlisted.v1" }
func (ProfileRelisted) EventType() string       { return "partnership.ProfileRelisted.v1" }
func (ProfileSubmitted) EventType() string      { return "partnership.ProfileSubmitted.v1" }
func (ProfileApproved) EventType() string       { return "partnership.ProfileApproved.v1" }
func (ProfileRejected) EventType() string       { return "partnership.ProfileRejected.v1" }

func (e PartnershipApplied) Parties() []uuid.UUID    { return []uuid.UUID{e.ConsultancyID} }
func (e PartnershipAccepted) Parties() []uuid.UUID   { return []uuid.UUID{e.ConsultancyID} }
func (e PartnershipRejected) Parties() []uuid.UUID   { return []uuid.UUID{e.ConsultancyID} }
func (e ApplicationWithdrawn) Parties() []uuid.UUID  { return []uuid.UUID{e.ConsultancyID} }
func (e PartnershipSuspended) Parties() []uuid.UUID  { return []uuid.UUID{e.ConsultancyID} }
func (e PartnershipReinstated) Parties() []uuid.UUID { return []uuid.UUID{e.ConsultancyID} }
func (e PartnershipTerminated) Parties() []uuid.UUID { return []uuid.UUID{e.ConsultancyID} }
func (e ProfileUnlisted) Parties() []uuid.UUID       { return []uuid.UUID{e.ConsultancyID} }
func (e ProfileRelisted) Parties() []uuid.UUID       { return []uuid.UUID{e.ConsultancyID} }
func (e ProfileSubmitted) Parties() []uuid.UUID      { return []uuid.UUID{e.ConsultancyID} }
func (e ProfileApproved) Parties() []uuid.UUID       { return []uuid.UUID{e.ConsultancyID} }
func (e ProfileRejected) Parties() []uuid.UUID       { return []uuid.UUID{e.ConsultancyID} }

// Partnership is the state of a consultancy's partnership stream.
type Partnership struct {
	ConsultancyID uuid.UUID         `json:"consultancyId"`
	Status        PartnershipStatus `json:"status"`
	StandingEpoch int               `json:"standingEpoch"`        // how often it has come into standing: log-ins of an older one stay lost
	Suspension    SuspensionReason  `json:"suspension,omitempty"` // why, while it is suspended
	Unlisted      bool              `json:"unlisted,omitempty"`   // at the consultancy's own wish
	Revisions     []Revision        `json:"revisions"`            // revision n is at n-1
	Published     int               `json:"publishedRevision"`    // 0: none
}

// Revision is one version of the profile with its review.
type Revision struct {
	Number      int            `json:"revision"`
	Status      RevisionStatus `json:"status"`
	SubmittedBy string         `json:"submittedBy"`
	Profile     Profile        `json:"profile"`
}

// Clone copies the state, so that folding on does not change what others hold.
func (p *Partnership) Clone() *Partnership {
	c := *p
	c.Revisions = slices.Clone(p.Revisions)
	return &c
}

func (e PartnershipApplied) Apply(p *Partnership) {
	p.ConsultancyID, p.Status = e.ConsultancyID, PartnershipPending
}
func (e PartnershipAccepted) Apply(p *Partnership) { p.comeIntoStanding() }
func (e PartnershipRejected) Apply(p *Partnership) { p.Status = PartnershipDeclined }

func (ApplicationWithdrawn) Apply(p *Partnership) { p.Status = PartnershipWithdrawn }

func (e PartnershipSuspended) Apply(p *Partnership) {
	p.Status, p.Suspension = PartnershipOnHold, e.Reason
}

func (PartnershipReinstated) Apply(p *Partnership) {
	p.comeIntoStanding()
	p.Suspension = ""
}

// comeIntoStanding begins a new standing.
func (p *Partnership) comeIntoStanding() {
	p.Status = PartnershipInStanding
	p.StandingEpoch++
}

func (PartnershipTerminated) Apply(p *Partnership) {
	p.Status, p.Suspension = PartnershipOver, ""
	p.supersede()
	p.Published, p.Unlisted = 0, false // who is accepted again begins with a new profile
}

func (ProfileUnlisted) Apply(p *Partnership) { p.Unlisted = true }
func (ProfileRelisted) Apply(p *Partnership) { p.Unlisted = false }

// supersede ends the review of a revision that is under review.
func (p *Partnership) supersede() {
	for i := range p.Revisions {
		if p.Revisions[i].Status == RevisionInReview {
			p.Revisions[i].Status = RevisionSuperseded
		}
	}
}

func (e ProfileSubmitted) Apply(p *Partnership) {
	p.supersede()
	p.Revisions = append(p.Revisions, Revision{Number: e.Revision, Status: RevisionInReview, SubmittedBy: e.SubmittedBy, Profile: e.Profile})
}

func (e ProfileApproved) Apply(p *Partnership) {
	p.review(e.Revision, RevisionApproved)
	p.Published = e.Revision
}

func (e ProfileRejected) Apply(p *Partnership) { p.review(e.Revision, RevisionRejected) }

func (p *Partnership) review(revision int, status RevisionStatus) {
	if revision >= 1 && revision <= len(p.Revisions) {
		p.Revisions[revision-1].Status = status
	}
}

// InStanding tells whether the consultancy may act as a partner now; without standing no access holds (invariant 1).
func (p *Partnership) InStanding() bool { return p.Status == PartnershipInStanding }

// Listed tells whether clients find the consultancy in the directory and may ask it to collaborate (S3, S5).
func (p *Partnership) Listed() bool { return p.InStanding() && p.Published > 0 && !p.Unlisted }

// eligible checks what the guide's step 2 asks of an applicant; it is checked at the application and again at its acceptance, and
// when a suspended partner is to be reinstated.
func eligible(consultancy *Account) error {
	if err := consultancy.mustBeOpen(); err != nil {
		return err
	}
	if consultancy.Subscription != Current {
		return Refuse("subscription_not_current", string(consultancy.Subscription), "the subscription is %s, not current", consultancy.Subscription)
	}
	switch consultancy.FirmKind {
	case Agency, ConsultancyCo, ExternalCFO:
		return nil
	}
	return Refuse("firm_kind_not_eligible", string(consultancy.FirmKind), "the programme is for agencies, consultancies and external CFOs")
}

// ApplyFor asks to join the programme (S2).
func (p *Partnership) ApplyFor(actor Actor, consultancy *Account, consultancyID uuid.UUID) (Event, error) {
	if err := consultancy.mustExist(consultancyID); err != nil {
		return nil, err
	}
	if err := consultancy.AuthorizeAdmin(actor); err != nil {
		return nil, err
	}
	if consultancy.Type != Consultancy {
		return nil, Refuse("not_a_consultancy", string(consultancy.Type), "only consultancies join the programme")
	}
	switch p.Status {
	case PartnershipPending:
		return nil, Refuse("already_applied", string(p.Status), "the application is under review")
	case PartnershipInStanding, PartnershipOnHold:
		return nil, Refuse("already_partner", string(p.Status), "the consultancy is a partner already")
	}
	if err := eligible(consultancy); err != nil {
		return nil, err
	}
	return PartnershipApplied{ConsultancyID: consultancyID}, nil
}

func (p *Partnership) mustBeApplied(actor Actor, consultancyID uuid.UUID) error {
	if p.Status == PartnershipNone {
		return Missing("partnership", consultancyID)
	}
	if err := actor.mustReview(); err != nil {
		return err
	}
	return p.mustBeUnderReview()
}

// mustBeUnderReview refuses what only an open application allows.
func (p *Partnership) mustBeUnderReview() error {
	if p.Status != PartnershipPending {
		return Refuse("not_applied", string(p.Status), "the partnership is %s, not under review", p.Status)
	}
	return nil
}

// Accept lets the consultancy in, if what it needed to apply still holds (S2).
func (p *Partnership) Accept(actor Actor, consultancy *Account, consultancyID uuid.UUID) (Event, error) {
	if err := p.mustBeApplied(actor, consultancyID); err != nil {
		return nil, err
	}
	if err := eligible(consultancy); err != nil {
		return nil, err
	}
	return PartnershipAccepted{ConsultancyID: consultancyID}, nil
}

// Reject refuses the application (S2).
func (p *Partnership) Reject(actor Actor, e PartnershipRejected) (Event, error) {
	if err := p.mustBeApplied(actor, e.ConsultancyID); err != nil {
		return nil, err
	}
	return e, nil
}

// WithdrawApplication takes the application back (B).
func (p *Partnership) WithdrawApplication(actor Actor, consultancy *Account, consultancyID uuid.UUID) (Event, error) {
	if p.Status == PartnershipNone {
		return nil, Missing("partnership", consultancyID)
	}
	if err := consultancy.AuthorizeAdmin(actor); err != nil {
		return nil, err
	}
	if err := p.mustBeUnderReview(); err != nil {
		return nil, err
	}
	return ApplicationWithdrawn{ConsultancyID: consultancyID}, nil
}

// Suspend takes the standing away for the time being (B): a reviewer for a reason of theirs, the ledger itself for a subscription
// that lapsed. A reviewer's suspension takes the place of the ledger's own, so that paying does not lift it.
func (p *Partnership) Suspend(actor Actor, consultancy *Account, e PartnershipSuspended) (Event, error) {
	if err := p.reviewed(actor, e.ConsultancyID); err != nil {
		return nil, err
	}
	own := actor.Kind == ActorSystem
	if own != (e.Reason == SuspendedForSubscription) {
		return nil, Forbid("reason_reserved", "the ledger itself suspends for a lapsed subscription, and reviewers for anything else")
	}
	if p.Status == PartnershipOnHold && (own || p.Suspension != SuspendedForSubscription) {
		return nil, Refuse("already_suspended", string(p.Status), "the partnership is suspended already: %s", p.Suspension)
	}
	if err := p.mustBePartner(); err != nil {
		return nil, err
	}
	if own && consultancy.Subscription == Current {
		return nil, Refuse("subscription_current", string(Current), "the subscription is current")
	}
	return e, nil
}

// Reinstate gives a suspended partner its standing back, if what it needed to apply holds (B). The ledger itself lifts only what
// it imposed itself: a reviewer's suspension is lifted by a reviewer.
func (p *Partnership) Reinstate(actor Actor, consultancy *Account, consultancyID uuid.UUID) (Event, error) {
	if err := p.reviewed(actor, consultancyID); err != nil {
		return nil, err
	}
	if p.Status != PartnershipOnHold {
		return nil, Refuse("not_suspended", string(p.Status), "the partnership is %s, not suspended", p.Status)
	}
	if actor.Kind == ActorSystem && p.Suspension != SuspendedForSubscription {
		return nil, Refuse("suspended_by_reviewer", string(p.Status), "a reviewer suspended the partnership: %s", p.Suspension)
	}
	if err := eligible(consultancy); err != nil {
		return nil, err
	}
	return PartnershipReinstated{ConsultancyID: consultancyID}, nil
}

// Terminate ends the partnership (B). Only a reviewer can.
func (p *Partnership) Terminate(actor Actor, e PartnershipTerminated) (Event, error) {
	if p.Status == PartnershipNone {
		return nil, Missing("partnership", e.ConsultancyID)
	}
	if err := actor.mustReview(); err != nil {
		return nil, err
	}
	if err := p.mustBePartner(); err != nil {
		return nil, err
	}
	return e, nil
}

// isPartner tells whether the consultancy is a partner, be it in standing or suspended. Who was terminated is none, also after
// applying again.
func (p *Partnership) isPartner() bool {
	return p.Status == PartnershipInStanding || p.Status == PartnershipOnHold
}

// mustBePartner refuses what only a partner can meet with.
func (p *Partnership) mustBePartner() error {
	if !p.isPartner() {
		return Refuse("not_a_partner", string(p.Status), "the consultancy is no partner: %s", p.Status)
	}
	return nil
}

// reviewed checks that the consultancy has applied once, and that the actor is a reviewer or the ledger itself.
func (p *Partnership) reviewed(actor Actor, consultancyID uuid.UUID) error {
	if p.Status == PartnershipNone {
		return Missing("partnership", consultancyID)
	}
	if actor.Kind == ActorSystem {
		return nil
	}
	return actor.mustReview()
}

// MustBeInStanding refuses what only a partner in standing may do.
func (p *Partnership) MustBeInStanding() error {
	if !p.InStanding() {
		return Refuse("partnership_not_in_standing", string(p.Status), "the consultancy is not a partner in standing")
	}
	return nil
}
