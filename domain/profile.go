package domain

import "github.com/google/uuid"

// presents checks that the actor decides how a partner in standing presents itself: its owner or an administrator.
func (p *Partnership) presents(actor Actor, consultancy *Account, consultancyID uuid.UUID) error {
	if err := consultancy.MustBe(Consultancy, consultancyID); err != nil {
		return err
	}
	if err := consultancy.AuthorizeAdmin(actor); err != nil {
		return err
	}
	return p.MustBeInStanding()
}

// SubmitProfile hands in the next revision (S3). One under review is superseded by it; the approved one stays published.
func (p *Partnership) SubmitProfile(actor Actor, consultancy *Account, consultancyID uuid.UUID, profile Profile) (Event, error) {
	if err := p.presents(actor, consultancy, consultancyID); err != nil {
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

// Unlist takes the profile off the directory (B). It stays approved, and collaborations go on.
func (p *Partnership) Unlist(actor Actor, consultancy *Account, consultancyID uuid.UUID) (Event, error) {
	if err := p.presents(actor, consultancy, consultancyID); err != nil {
		return nil, err
	}
	if !p.Listed() {
		return nil, Refuse("consultancy_not_listed", "unlisted", "the consultancy is not listed in the directory")
	}
	return ProfileUnlisted{ConsultancyID: consultancyID}, nil
}

// Relist puts an unlisted profile back into the directory (B).
func (p *Partnership) Relist(actor Actor, consultancy *Account, consultancyID uuid.UUID) (Event, error) {
	if err := p.presents(actor, consultancy, consultancyID); err != nil {
		return nil, err
	}
	if !p.Unlisted {
		return nil, Refuse("profile_not_unlisted", string(p.Status), "the consultancy has not taken its profile off the directory")
	}
	return ProfileRelisted{ConsultancyID: consultancyID}, nil
}
