package commands

import (
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// RequestAccess tells the client which access the consultancy needs (S6).
type RequestAccess struct {
	PairFields
	SuggestedRole domain.Role `json:"suggestedRole" pattern:"^[a-z0-9_-]{1,64}$" patternDescription:"a role" doc:"A predefined role, or the id of a custom one"`
	Purpose       string      `json:"purpose" minLength:"1" maxLength:"1000" doc:"What the access is for"`
}

// Decide asks the pair.
func (c RequestAccess) Decide(d *Decision) error {
	return d.onPair(c.pair(), func(g domain.Engagement) ([]domain.Event, error) {
		return g.RequestAccess(d.Actor, d.Now, c.SuggestedRole, c.Purpose)
	})
}

// GrantTerms are the role and the end of a grant.
type GrantTerms struct {
	RoleID    domain.Role `json:"roleId" pattern:"^[a-z0-9_-]{1,64}$" patternDescription:"a role" doc:"A predefined role, or the id of a custom one"`
	ExpiresAt *time.Time  `json:"expiresAt,omitempty" doc:"When the grant ends; without it, it holds until it is revoked"`
}

// until is the end in the log's precision; zero when there is none.
func (t GrantTerms) until() time.Time {
	if t.ExpiresAt == nil {
		return time.Time{}
	}
	return logTime(*t.ExpiresAt)
}

// logTime is a time that somebody named, in the log's precision.
func logTime(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// GrantAccess lets the consultancy into the client's account (S6).
type GrantAccess struct {
	PairFields
	GrantTerms
}

// GrantResult names what GrantAccess created.
type GrantResult struct {
	GrantID uuid.UUID `json:"grantId"`
}

// Decide asks the pair.
func (c GrantAccess) Decide(d *Decision) error {
	return d.onPair(c.pair(), func(g domain.Engagement) ([]domain.Event, error) {
		return g.GrantAccess(d.Actor, d.Now, d.NewID(), c.RoleID, c.until())
	})
}

func granted(_ *Executor, _ GrantAccess, events []domain.Event) (GrantResult, error) {
	e, err := only[domain.AccessGranted](events)
	return GrantResult{GrantID: e.GrantID}, err
}

// ChangeAccess gives the live grant another role or end (S6).
type ChangeAccess struct {
	PairFields
	GrantTerms
}

// Decide asks the pair.
func (c ChangeAccess) Decide(d *Decision) error {
	return d.onPair(c.pair(), func(g domain.Engagement) ([]domain.Event, error) {
		return g.ChangeAccess(d.Actor, d.Now, c.RoleID, c.until())
	})
}

// RevokeAccess takes the access away; the collaboration stays active (H).
type RevokeAccess struct{ PairFields }

// Decide asks the pair.
func (c RevokeAccess) Decide(d *Decision) error {
	return d.onPair(c.pair(), func(g domain.Engagement) ([]domain.Event, error) { return g.RevokeAccess(d.Actor, d.Now) })
}

// ExtendAccess gives the live grant a later end (B).
type ExtendAccess struct {
	PairFields
	ExpiresAt time.Time `json:"expiresAt" doc:"When the grant ends from now on"`
}

// Decide asks the pair.
func (c ExtendAccess) Decide(d *Decision) error {
	return d.onPair(c.pair(), func(g domain.Engagement) ([]domain.Event, error) {
		return g.ExtendAccess(d.Actor, d.Now, logTime(c.ExpiresAt))
	})
}

// AttestAccess confirms in a periodic review that the live grant is still as the client wants it (B).
type AttestAccess struct{ PairFields }

// Decide asks the pair.
func (c AttestAccess) Decide(d *Decision) error {
	return d.onPair(c.pair(), func(g domain.Engagement) ([]domain.Event, error) { return g.AttestAccess(d.Actor, d.Now) })
}

// SuspendAccess takes the access away until the client resumes it (B).
type SuspendAccess struct{ PairFields }

// Decide asks the pair.
func (c SuspendAccess) Decide(d *Decision) error {
	return d.onPair(c.pair(), func(g domain.Engagement) ([]domain.Event, error) { return g.SuspendAccess(d.Actor, d.Now) })
}

// ResumeAccess gives a suspended grant back as it was (B).
type ResumeAccess struct{ PairFields }

// Decide asks the pair.
func (c ResumeAccess) Decide(d *Decision) error {
	return d.onPair(c.pair(), func(g domain.Engagement) ([]domain.Event, error) { return g.ResumeAccess(d.Actor, d.Now) })
}

// ExpireAccess records that a grant reached its end (B). Only the clock asks for it.
type ExpireAccess struct{ PairFields }

// Decide asks the pair.
func (c ExpireAccess) Decide(d *Decision) error {
	return d.onPair(c.pair(), func(g domain.Engagement) ([]domain.Event, error) { return g.ExpireAccess(d.Actor, d.Now) })
}

// RemindGrantEnds reminds the client that its grant is about to end (B). Only the clock asks for it.
type RemindGrantEnds struct{ PairFields }

// Decide asks the pair.
func (c RemindGrantEnds) Decide(d *Decision) error {
	return d.onPair(c.pair(), func(g domain.Engagement) ([]domain.Event, error) { return g.RemindGrantEnds(d.Actor, d.Now) })
}
