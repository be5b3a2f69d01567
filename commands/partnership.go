package commands

import (
	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// onPartnership decides a command about a consultancy's partnership that raises one event.
func (d *Decision) onPartnership(id uuid.UUID, decide func(*domain.Account, *domain.Partnership) (domain.Event, error)) error {
	consultancy, err := d.account(id)
	if err != nil {
		return err
	}
	partnership, err := d.partnership(id)
	if err != nil {
		return err
	}
	event, err := decide(consultancy, partnership)
	if err != nil {
		return err
	}
	d.raise(domain.PartnershipStream, id, event)
	return nil
}

// ApplyForPartnership asks to join the programme (S2).
type ApplyForPartnership struct {
	ConsultancyID uuid.UUID `json:"consultancyId" format:"uuid" doc:"The consultancy"`
}

// Decide asks the partnership.
func (c ApplyForPartnership) Decide(d *Decision) error {
	return d.onPartnership(c.ConsultancyID, func(a *domain.Account, p *domain.Partnership) (domain.Event, error) {
		return p.ApplyFor(d.Actor, a, c.ConsultancyID)
	})
}

// AcceptPartnership lets a consultancy into the programme (S2).
type AcceptPartnership struct {
	ConsultancyID uuid.UUID `json:"consultancyId" format:"uuid" doc:"The consultancy"`
}

// Decide asks the partnership.
func (c AcceptPartnership) Decide(d *Decision) error {
	return d.onPartnership(c.ConsultancyID, func(a *domain.Account, p *domain.Partnership) (domain.Event, error) {
		return p.Accept(d.Actor, a, c.ConsultancyID)
	})
}

// RejectPartnership refuses an application (S2).
type RejectPartnership struct {
	ConsultancyID uuid.UUID              `json:"consultancyId" format:"uuid" doc:"The consultancy"`
	ReasonCode    domain.RejectionReason `json:"reasonCode" enum:"not_a_consultancy,subscription_not_current,incomplete,not_credible,other" doc:"Why"`
}

// Decide asks the partnership.
func (c RejectPartnership) Decide(d *Decision) error {
	return d.onPartnership(c.ConsultancyID, func(_ *domain.Account, p *domain.Partnership) (domain.Event, error) {
		return p.Reject(d.Actor, domain.PartnershipRejected(c))
	})
}

// WithdrawApplication takes the consultancy's application back (B).
type WithdrawApplication struct {
	ConsultancyID uuid.UUID `json:"consultancyId" format:"uuid" doc:"The consultancy"`
}

// Decide asks the partnership.
func (c WithdrawApplication) Decide(d *Decision) error {
	return d.onPartnership(c.ConsultancyID, func(a *domain.Account, p *domain.Partnership) (domain.Event, error) {
		return p.WithdrawApplication(d.Actor, a, c.ConsultancyID)
	})
}

// SuspendPartnership takes a partner's standing away for the time being, and with it all access at once (B).
type SuspendPartnership struct {
	ConsultancyID uuid.UUID               `json:"consultancyId" format:"uuid" doc:"The consultancy"`
	Reason        domain.SuspensionReason `json:"reason" enum:"subscription_lapsed,terms_breached,complaints,other" doc:"Why; subscription_lapsed is the ledger's own"`
}

// Decide asks the partnership.
func (c SuspendPartnership) Decide(d *Decision) error {
	return d.onPartnership(c.ConsultancyID, func(a *domain.Account, p *domain.Partnership) (domain.Event, error) {
		return p.Suspend(d.Actor, a, domain.PartnershipSuspended(c))
	})
}

// ReinstatePartnership gives a suspended partner its standing back (B).
type ReinstatePartnership struct {
	ConsultancyID uuid.UUID `json:"consultancyId" format:"uuid" doc:"The consultancy"`
}

// Decide asks the partnership.
func (c ReinstatePartnership) Decide(d *Decision) error {
	return d.onPartnership(c.ConsultancyID, func(a *domain.Account, p *domain.Partnership) (domain.Event, error) {
		return p.Reinstate(d.Actor, a, c.ConsultancyID)
	})
}

// TerminatePartnership ends a partnership (B). The consultancy may apply again.
type TerminatePartnership struct {
	ConsultancyID uuid.UUID                `json:"consultancyId" format:"uuid" doc:"The consultancy"`
	Reason        domain.TerminationReason `json:"reason" enum:"terms_breached,complaints,inactive,own_wish,other" doc:"Why"`
}

// Decide asks the partnership.
func (c TerminatePartnership) Decide(d *Decision) error {
	return d.onPartnership(c.ConsultancyID, func(_ *domain.Account, p *domain.Partnership) (domain.Event, error) {
		return p.Terminate(d.Actor, domain.PartnershipTerminated(c))
	})
}

// SubmitProfile hands in a revision of the profile for review (S3).
type SubmitProfile struct {
	ConsultancyID uuid.UUID `json:"consultancyId" format:"uuid" doc:"The consultancy"`
	domain.Profile
}

// RevisionResult names the revision that SubmitProfile handed in.
type RevisionResult struct {
	Revision int `json:"revision"`
}

// Decide asks the partnership.
func (c SubmitProfile) Decide(d *Decision) error {
	return d.onPartnership(c.ConsultancyID, func(a *domain.Account, p *domain.Partnership) (domain.Event, error) {
		return p.SubmitProfile(d.Actor, a, c.ConsultancyID, c.Profile)
	})
}

func submitted(_ *Executor, _ SubmitProfile, events []domain.Event) (RevisionResult, error) {
	e, err := only[domain.ProfileSubmitted](events)
	return RevisionResult{Revision: e.Revision}, err
}

// ApproveProfile publishes the latest revision (S3).
type ApproveProfile struct {
	ConsultancyID uuid.UUID `json:"consultancyId" format:"uuid" doc:"The consultancy"`
	Revision      int       `json:"revision" minimum:"1" maximum:"1000000" doc:"The latest revision"`
}

// Decide asks the partnership.
func (c ApproveProfile) Decide(d *Decision) error {
	return d.onPartnership(c.ConsultancyID, func(_ *domain.Account, p *domain.Partnership) (domain.Event, error) {
		return p.ApproveProfile(d.Actor, domain.ProfileApproved(c))
	})
}

// RejectProfile sends the latest revision back (S3).
type RejectProfile struct {
	ConsultancyID uuid.UUID              `json:"consultancyId" format:"uuid" doc:"The consultancy"`
	Revision      int                    `json:"revision" minimum:"1" maximum:"1000000" doc:"The latest revision"`
	ReasonCode    domain.RejectionReason `json:"reasonCode" enum:"incomplete,misleading,inappropriate,other" doc:"Why"`
	Note          string                 `json:"note,omitempty" maxLength:"2000" doc:"What to change"`
}

// Decide asks the partnership.
func (c RejectProfile) Decide(d *Decision) error {
	return d.onPartnership(c.ConsultancyID, func(_ *domain.Account, p *domain.Partnership) (domain.Event, error) {
		return p.RejectProfile(d.Actor, domain.ProfileRejected(c))
	})
}

// UnlistProfile takes the consultancy's profile off the directory (B).
type UnlistProfile struct {
	ConsultancyID uuid.UUID `json:"consultancyId" format:"uuid" doc:"The consultancy"`
}

// Decide asks the partnership.
func (c UnlistProfile) Decide(d *Decision) error {
	return d.onPartnership(c.ConsultancyID, func(a *domain.Account, p *domain.Partnership) (domain.Event, error) {
		return p.Unlist(d.Actor, a, c.ConsultancyID)
	})
}

// RelistProfile puts an unlisted profile back into the directory (B).
type RelistProfile struct {
	ConsultancyID uuid.UUID `json:"consultancyId" format:"uuid" doc:"The consultancy"`
}

// Decide asks the partnership.
func (c RelistProfile) Decide(d *Decision) error {
	return d.onPartnership(c.ConsultancyID, func(a *domain.Account, p *domain.Partnership) (domain.Event, error) {
		return p.Relist(d.Actor, a, c.ConsultancyID)
	})
}
