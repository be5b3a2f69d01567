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

func (PartnershipApplied) EventType() string  { return "partnership.PartnershipApplied.v1" }
func (PartnershipAccepted) EventType() string { return "partnership.PartnershipAccepted.v1" }
func (PartnershipRejected) EventType() string { return "partnership.PartnershipRejected.v1" }
func (ProfileSubmitted) EventType() string    { return "partnership.ProfileSubmitted.v1" }
func (ProfileApproved) EventType() string     { return "partnership.ProfileApproved.v1" }
func (ProfileRejected) EventType() string     { return "partnership.ProfileRejected.v1" }

func (e PartnershipApplied) Parties() []uuid.UUID  { return []uuid.UUID{e.ConsultancyID} }
func (e PartnershipAccepted) Parties() []uuid.UUID { return []uuid.UUID{e.ConsultancyID} }
func (e PartnershipRejected) Parties() []uuid.UUID { return []uuid.UUID{e.ConsultancyID} }
func (e ProfileSubmitted) Parties() []uuid.UUID    { return []uuid.UUID{e.ConsultancyID} }
func (e ProfileApproved) Parties() []uuid.UUID     { return []uuid.UUID{e.ConsultancyID} }
func (e ProfileRejected) Parties() []uuid.UUID     { return []uuid.UUID{e.ConsultancyID} }

// Partnership is the state of a consultancy's partnership stream.
type Partnership struct {
	ConsultancyID uuid.UUID         `json:"consultancyId"`
	Status        PartnershipStatus `json:"status"`
	Revisions     []Revision        `json:"revisions"` // revision n is at n-1
	Published     int               `json:"publishedRevision"`
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
func (e PartnershipAccepted) Apply(p *Partnership) { p.Status = PartnershipInStanding }
func (e PartnershipRejected) Apply(p *Partnership) { p.Status = PartnershipDeclined }

func (e ProfileSubmitted) Apply(p *Partnership) {
	for i := range p.Revisions {
		if p.Revisions[i].Status == RevisionInReview {
			p.Revisions[i].Status = RevisionSuperseded
		}
	}
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
func (p *Partnership) Listed() bool { return p.InStanding() && p.Published > 0 }

// eligible checks what the guide's step 2 asks of an applicant; it is checked at the application and again at its acceptance.
func eligible(consultancy *Account) error {
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
	case PartnershipInStanding:
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

// MustBeInStanding refuses what only a partner in standing may do.
func (p *Partnership) MustBeInStanding() error {
	if !p.InStanding() {
		return Refuse("partnership_not_in_standing", string(p.Status), "the consultancy is not a partner in standing")
	}
	return nil
}

// SubmitProfile hands in the next revision (S3). One under review is superseded by it; the approved one stays published.
func (p *Partnership) SubmitProfile(actor Actor, consultancy *Account, consultancyID uuid.UUID, profile Profile) (Event, error) {
	if err := consultancy.MustBe(Consultancy, consultancyID); err != nil {
		return nil, err
	}
	if err := consultancy.AuthorizeAdmin(actor); err != nil {
		return nil, err
	}
	if err := p.MustBeInStanding(); err != nil {
		return nil, err
	}
	return ProfileSubmitted{ConsultancyID: consultancyID, Revision: len(p.Revisions) + 1, SubmittedBy: actor.String(), Profile: profile}, nil
}

// reviewable checks that the actor may review the revision, and that it is the latest and still under review (S3).
func (p *Partnership) reviewable(actor Actor, consultancyID uuid.UUID, revision int) error {
	if p.Status == PartnershipNone {
		return Missing("partnership", consultancyID)
	}
	if revision < 1 || revision > len(p.Revisions) {
		return Missing("revision", revision)
	}
	if err := actor.mustReview(); err != nil {
		return err
	}
	if submitter, _ := ParseActor(p.Revisions[revision-1].SubmittedBy); submitter.UserID.String() == actor.Name {
		return Forbid("submitter_cannot_review", "nobody reviews what they submitted")
	}
	if err := p.MustBeInStanding(); err != nil {
		return err
	}
	if revision != len(p.Revisions) {
		return Refuse("stale_revision", string(p.Revisions[revision-1].Status), "revision %d is the latest, not %d", len(p.Revisions), revision)
	}
	if status := p.Revisions[revision-1].Status; status != RevisionInReview {
		return Refuse("already_reviewed", string(status), "revision %d is %s", revision, status)
	}
	return nil
}

// ApproveProfile publishes the latest revision (S3).
func (p *Partnership) ApproveProfile(actor Actor, e ProfileApproved) (Event, error) {
	if err := p.reviewable(actor, e.ConsultancyID, e.Revision); err != nil {
		return nil, err
	}
	return e, nil
}

// RejectProfile sends the latest revision back (S3).
func (p *Partnership) RejectProfile(actor Actor, e ProfileRejected) (Event, error) {
	if err := p.reviewable(actor, e.ConsultancyID, e.Revision); err != nil {
		return nil, err
	}
	return e, nil
}
