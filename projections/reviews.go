package projections

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// maxOutcomes is how many of the earlier outcomes of a consultancy's applications are kept, the latest ones.
const maxOutcomes = 20

// reviewsModel keeps what waits for the platform's reviewers: applications (S2) and revisions of profiles (S3), with what an
// account tells of itself. What is published of a profile, and what is to be, is in {directory}.
func reviewsModel() model {
	return model{
		name: "reviews", version: 2,
		streams: []string{domain.AccountStream, domain.PartnershipStream},
		tables:  []table{reviews.table},
		fold:    foldReviews,
	}
}

// PartnershipOutcome is what became of an earlier application, or of the partnership that came of it.
type PartnershipOutcome struct {
	Outcome domain.PartnershipStatus `json:"outcome"`          // accepted, rejected, withdrawn or terminated
	Reason  string                   `json:"reason,omitempty"` // the code of a rejection or termination
	At      time.Time                `json:"at"`
}

// reviewRow is what reviewers look at of a consultancy.
type reviewRow struct {
	consultancy  uuid.UUID
	details      domain.AccountDetails
	firmKind     domain.FirmKind
	plan         domain.Plan
	subscription domain.SubscriptionStatus
	status       domain.AccountStatus
	registeredAt time.Time
	application  int64 // position of the application under review; 0: none
	appliedAt    time.Time
	earlier      []PartnershipOutcome // oldest first
	submission   int64                // position of the revision under review; 0: none
	submittedAt  time.Time
	submittedBy  string // an actor
}

var reviews = mapping[uuid.UUID, reviewRow]{
	table: table{
		name: "reviews", key: 1,
		columns: []column{
			{"consultancy_id", identifier}, {"details", text}, {"firm_kind", text}, {"plan", text}, {"subscription", text}, {"status", text},
			{"registered_at", integer}, {"application", integer}, {"applied_at", integer}, {"earlier", text},
			{"submission", integer}, {"submitted_at", integer}, {"submitted_by", text},
		},
		indexes: []string{"application", "submission"},
	},
	key:  func(r *reviewRow) uuid.UUID { return r.consultancy },
	args: func(id uuid.UUID) []any { return []any{id} },
	fields: func(r *reviewRow) []any {
		return []any{
			&r.consultancy, asJSON(&r.details), &r.firmKind, &r.plan, &r.subscription, &r.status,
			at(&r.registeredAt), &r.application, at(&r.appliedAt), asJSON(&r.earlier),
			&r.submission, at(&r.submittedAt), &r.submittedBy,
		}
	},
}

func foldReviews(ctx context.Context, tx tx, page []*Fact) error {
	var ids []uuid.UUID // a partnership has its account's id
	for _, fact := range tx.toLookUp(page) {
		if reviewed(fact.Event) {
			ids = append(ids, fact.Stream.ID)
		}
	}
	consultancies, err := reviews.load(ctx, tx, ids)
	if err != nil {
		return err
	}
	for _, fact := range page {
		if e, ok := fact.Event.(domain.AccountRegistered); ok && e.Type == domain.Consultancy {
			consultancies.add(reviewRow{
				consultancy: e.AccountID, details: e.AccountDetails, firmKind: e.FirmKind, plan: e.Plan, subscription: domain.Current,
				status: domain.AccountOpen, registeredAt: fact.At, earlier: []PartnershipOutcome{},
			})
			continue
		}
		if !reviewed(fact.Event) || consultancies.get(fact.Stream.ID) == nil { // a business has no reviews
			continue
		}
		consultancies.change(fact.Stream.ID).apply(fact)
	}
	return nil
}

// reviewed tells whether an event changes what reviewers look at. An account's members and roles do not.
func reviewed(event domain.Event) bool {
	switch event.(type) {
	case domain.AccountDetailsUpdated, domain.SubscriptionRecorded, domain.AccountClosed,
		domain.PartnershipApplied, domain.PartnershipAccepted, domain.PartnershipRejected, domain.ApplicationWithdrawn, domain.PartnershipTerminated,
		domain.ProfileSubmitted, domain.ProfileApproved, domain.ProfileRejected:
		return true
	}
	return false
}

// apply follows the account, the application and the review of the profile as the domain does.
func (r *reviewRow) apply(fact *Fact) {
	switch e := fact.Event.(type) {
	case domain.AccountDetailsUpdated:
		r.details = e.AccountDetails
	case domain.SubscriptionRecorded:
		r.plan, r.subscription = e.Plan, e.Status
	case domain.AccountClosed:
		r.status = domain.AccountOver
	case domain.PartnershipApplied:
		r.application, r.appliedAt = fact.Position, fact.At
	case domain.PartnershipAccepted:
		r.decided(domain.PartnershipInStanding, "", fact.At)
	case domain.PartnershipRejected:
		r.decided(domain.PartnershipDeclined, string(e.ReasonCode), fact.At)
	case domain.ApplicationWithdrawn:
		r.decided(domain.PartnershipWithdrawn, "", fact.At)
	case domain.PartnershipTerminated:
		r.decided(domain.PartnershipOver, string(e.Reason), fact.At)
		r.submission, r.submittedAt, r.submittedBy = 0, time.Time{}, ""
	case domain.ProfileSubmitted:
		r.submission, r.submittedAt, r.submittedBy = fact.Position, fact.At, e.SubmittedBy
	case domain.ProfileApproved, domain.ProfileRejected:
		r.submission, r.submittedAt, r.submittedBy = 0, time.Time{}, ""
	}
}

// decided ends the review of an application, or the partnership, and keeps the outcome for a later review.
func (r *reviewRow) decided(outcome domain.PartnershipStatus, reason string, at time.Time) {
	r.application, r.appliedAt = 0, time.Time{}
	r.earlier = slices.Concat(r.earlier, []PartnershipOutcome{{outcome, reason, at}})
	r.earlier = r.earlier[max(0, len(r.earlier)-maxOutcomes):]
}

// ApplicationItem is an application that waits for a reviewer (S2), with what the account tells of itself.
type ApplicationItem struct {
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

// applicationLine is an item with what its page is made from.
type applicationLine struct {
	item     ApplicationItem
	position int64
}

// Applications answers the applications that wait for a reviewer, the longest waiting first. Only reviewers see them.
func (e *Engine) Applications(ctx context.Context, viewer Viewer, q Paging) (page Page[ApplicationItem], err error) {
	err = e.read(ctx, func(v view) error {
		page, err = queryApplications(ctx, v, viewer, q)
		return err
	})
	return page, err
}

// queryApplications lists what waits, in the order in which it came.
func queryApplications(ctx context.Context, v view, viewer Viewer, q Paging) (Page[ApplicationItem], error) {
	limit, after, err := q.queue(viewer)
	if err != nil {
		return Page[ApplicationItem]{}, err
	}
	lines, err := collect(ctx, v, `SELECT consultancy_id, details, firm_kind, plan, subscription, status, registered_at, applied_at, earlier, application
		FROM {reviews} WHERE application > $1 ORDER BY application LIMIT $2`, []any{after, limit + 1},
		func(scan func(...any) error) (applicationLine, error) {
			var l applicationLine
			err := scan(&l.item.ConsultancyID, asJSON(&l.item.AccountDetails), &l.item.FirmKind, &l.item.Plan, &l.item.Subscription,
				&l.item.AccountStatus, at(&l.item.RegisteredAt), at(&l.item.AppliedAt), asJSON(&l.item.Earlier), &l.position)
			return l, err
		})
	if err != nil {
		return Page[ApplicationItem]{}, fmt.Errorf("query applications: %w", err)
	}
	page, err := paged(lines, limit, func(l applicationLine) int64 { return l.position })
	return pageOf(page, func(l applicationLine) ApplicationItem { return l.item }), err
}

// queue begins the query of what waits for reviewers: how many items the page has, and after which position it begins.
func (p Paging) queue(viewer Viewer) (limit int, after int64, err error) {
	if err := viewer.mustReview(); err != nil {
		return 0, 0, err
	}
	if limit, err = p.limit(); err != nil {
		return 0, 0, err
	}
	_, err = p.after(&after)
	return limit, max(after, 0), err // what does not wait is at 0
}

// ProfileReviewItem is a revision of a profile that waits for a reviewer (S3), and how it differs from the approved one.
type ProfileReviewItem struct {
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
	Field     string   `json:"field"` // as the profile names it, for example displayName
	Approved  []string `json:"approved"`
	Submitted []string `json:"submitted"`
}

// profileReviewLine is an item with what its page is made from.
type profileReviewLine struct {
	item     ProfileReviewItem
	position int64
}

// ProfileReviews answers the revisions of profiles that wait for a reviewer, the longest waiting first. Only reviewers see them.
func (e *Engine) ProfileReviews(ctx context.Context, viewer Viewer, q Paging) (page Page[ProfileReviewItem], err error) {
	err = e.read(ctx, func(v view) error {
		page, err = queryProfileReviews(ctx, v, viewer, q)
		return err
	})
	return page, err
}

// queryProfileReviews lists what waits, in the order in which it came. While a partner is suspended, nobody can review its profile.
func queryProfileReviews(ctx context.Context, v view, viewer Viewer, q Paging) (Page[ProfileReviewItem], error) {
	limit, after, err := q.queue(viewer)
	if err != nil {
		return Page[ProfileReviewItem]{}, err
	}
	lines, err := collect(ctx, v, `SELECT r.consultancy_id, n.name, r.status, d.pending_revision, r.submitted_at, r.submitted_by, d.pending,
			d.revision, d.profile, r.submission
		FROM {reviews} r JOIN {directory} d ON d.consultancy_id = r.consultancy_id JOIN {account_names} n ON n.account_id = r.consultancy_id
		WHERE r.submission > $1 AND d.in_standing ORDER BY r.submission LIMIT $2`, []any{after, limit + 1}, scanProfileReview)
	if err != nil {
		return Page[ProfileReviewItem]{}, fmt.Errorf("query profiles under review: %w", err)
	}
	page, err := paged(lines, limit, func(l profileReviewLine) int64 { return l.position })
	return pageOf(page, func(l profileReviewLine) ProfileReviewItem { return l.item }), err
}

func scanProfileReview(scan func(...any) error) (l profileReviewLine, err error) {
	var approved domain.Profile
	err = scan(&l.item.ConsultancyID, &l.item.ConsultancyName, &l.item.AccountStatus, &l.item.Revision, at(&l.item.SubmittedAt), &l.item.SubmittedBy,
		asJSON(&l.item.Profile), &l.item.ApprovedRevision, asJSON(&approved), &l.position)
	l.item.Changes = profileChanges(approved, l.item.Profile)
	return l, err
}

// profileChanges lists in which fields a revision differs from the approved one; without one, in all that it fills in.
func profileChanges(approved, submitted domain.Profile) []ProfileChange {
	changes := []ProfileChange{}
	before := profileFields(approved)
	for i, field := range profileFields(submitted) {
		if !slices.Equal(before[i].values, field.values) {
			changes = append(changes, ProfileChange{Field: field.name, Approved: before[i].values, Submitted: field.values})
		}
	}
	return changes
}

// profileField is a field of a profile as reviewers compare it.
type profileField struct {
	name   string
	values []string
}

// profileFields lists every field of a profile, under its name in JSON.
func profileFields(p domain.Profile) []profileField {
	one := func(name, value string) profileField {
		if value == "" {
			return profileField{name, []string{}}
		}
		return profileField{name, []string{value}}
	}
	many := func(name string, values []string) profileField {
		return profileField{name, append([]string{}, values...)}
	}
	return []profileField{
		one("displayName", p.DisplayName), one("description", p.Description),
		many("services", p.Services), many("specialties", p.Specialties), many("languages", p.Languages),
		one("country", p.Country), one("city", p.City), one("website", p.Website), one("contactEmail", p.ContactEmail), one("logoUrl", p.LogoURL),
	}
}
