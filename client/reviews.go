package client

import (
	"context"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// Application is an application that waits for a reviewer (S2).
type Application struct {
	ConsultancyID uuid.UUID `json:"consultancyId"`
	domain.AccountDetails
	FirmKind      domain.FirmKind           `json:"firmKind"`
	Plan          domain.Plan               `json:"plan"`
	Subscription  domain.SubscriptionStatus `json:"subscription"`
	AccountStatus domain.AccountStatus      `json:"accountStatus"`
	RegisteredAt  time.Time                 `json:"registeredAt"`
	AppliedAt     time.Time                 `json:"appliedAt"`
	Earlier       []PartnershipOutcome      `json:"earlier"` // the latest 20, oldest first
}

// PartnershipOutcome is what became of an earlier application, or of the partnership that came of it.
type PartnershipOutcome struct {
	Outcome domain.PartnershipStatus `json:"outcome"`          // accepted, rejected, withdrawn or terminated
	Reason  string                   `json:"reason,omitempty"` // the code of a rejection or termination
	At      time.Time                `json:"at"`
}

// ProfileReview is a revision of a profile that waits for a reviewer (S3).
type ProfileReview struct {
	ConsultancyID    uuid.UUID            `json:"consultancyId"`
	ConsultancyName  string               `json:"consultancyName"`
	AccountStatus    domain.AccountStatus `json:"accountStatus"`
	Revision         int                  `json:"revision"`
	SubmittedAt      time.Time            `json:"submittedAt"`
	SubmittedBy      string               `json:"submittedBy"` // an actor, who must not review it
	Profile          domain.Profile       `json:"profile"`
	ApprovedRevision int                  `json:"approvedRevision"` // 0: none yet
	Changes          []ProfileChange      `json:"changes"`          // against the approved revision
}

// ProfileChange is a field of a profile that a revision changes. A text is a list of one value, and what is absent an empty list.
type ProfileChange struct {
	Field     string   `json:"field"`
	Approved  []string `json:"approved"`
	Submitted []string `json:"submitted"`
}

// Applications are those that wait for a reviewer (S2), the longest waiting first.
func (c *Client) Applications(ctx context.Context) iter.Seq2[Application, error] {
	return list[Application](ctx, c, "/v1/reviews/applications", nil)
}

// ProfileReviews are the revisions of profiles that wait for a reviewer (S3), the longest waiting first.
func (c *Client) ProfileReviews(ctx context.Context) iter.Seq2[ProfileReview, error] {
	return list[ProfileReview](ctx, c, "/v1/reviews/profiles", nil)
}
