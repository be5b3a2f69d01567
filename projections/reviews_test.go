package projections

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

// reviewer is one of the platform's staff.
var reviewer = domain.Actor{Kind: domain.ActorReviewer, Name: "rosa"}

// applications asks for the queue of applications as a reviewer; the query must succeed.
func (w *world) applications() []ApplicationItem {
	w.t.Helper()
	page, err := w.engine.Applications(w.settled(), ViewerFor(reviewer), Paging{})
	require.NoError(w.t, err)
	return page.Items
}

// profileReviews asks for the queue of profiles as a reviewer; the query must succeed.
func (w *world) profileReviews() []ProfileReviewItem {
	w.t.Helper()
	page, err := w.engine.ProfileReviews(w.settled(), ViewerFor(reviewer), Paging{})
	require.NoError(w.t, err)
	return page.Items
}

func TestApplicationsWaitWithWhatReviewersNeedToKnow(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		registered := w.now
		vidal := w.consultancy("Vidal")
		w.do(vidal.owner, commands.ApplyForPartnership{ConsultancyID: vidal.id})
		w.pass(time.Hour)
		rejected := w.now
		w.do(reviewer, commands.RejectPartnership{ConsultancyID: vidal.id, ReasonCode: "incomplete"})
		require.Empty(t, w.applications(), "what was decided does not wait")

		w.pass(time.Hour)
		applied := w.now
		w.do(vidal.owner, commands.UpdateAccountDetails{AccountID: vidal.id, AccountDetails: details("Vidal i Filla")})
		w.do(vidal.owner, commands.ApplyForPartnership{ConsultancyID: vidal.id})
		w.do(operator, commands.RecordSubscription{AccountID: vidal.id, Plan: domain.PlanPremium, Status: domain.PastDue})
		require.Equal(t, []ApplicationItem{{
			ConsultancyID: vidal.id, AccountDetails: details("Vidal i Filla"), FirmKind: domain.Agency, Plan: domain.PlanPremium, Subscription: domain.PastDue,
			AccountStatus: domain.AccountOpen, RegisteredAt: registered, AppliedAt: applied,
			Earlier: []PartnershipOutcome{{domain.PartnershipDeclined, "incomplete", rejected}},
		}}, w.applications())

		w.do(vidal.owner, commands.CloseAccount{AccountID: vidal.id})
		require.Equal(t, domain.AccountOver, w.applications()[0].AccountStatus, "it waits until somebody decides")
	})
}

func TestEveryOutcomeOfAnApplicationIsRemembered(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal := w.consultancy("Vidal")
		apply := func() { w.do(vidal.owner, commands.ApplyForPartnership{ConsultancyID: vidal.id}) }
		apply()
		w.do(vidal.owner, commands.WithdrawApplication{ConsultancyID: vidal.id})
		apply()
		w.do(operator, commands.AcceptPartnership{ConsultancyID: vidal.id})
		w.do(operator, commands.TerminatePartnership{ConsultancyID: vidal.id, Reason: "terms_breached"})
		apply()
		require.Equal(t, []PartnershipOutcome{
			{domain.PartnershipWithdrawn, "", w.now}, {domain.PartnershipInStanding, "", w.now}, {domain.PartnershipOver, "terms_breached", w.now},
		}, w.applications()[0].Earlier)

		for range maxOutcomes {
			w.do(reviewer, commands.RejectPartnership{ConsultancyID: vidal.id, ReasonCode: "incomplete"})
			apply()
		}
		earlier := w.applications()[0].Earlier
		require.Len(t, earlier, maxOutcomes)
		require.Equal(t, domain.PartnershipDeclined, earlier[0].Outcome, "the oldest are forgotten")
	})
}

func TestAProfileUnderReviewShowsWhatItChanges(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal := w.partner("Vidal")
		require.Empty(t, w.profileReviews(), "the approved revision does not wait")
		submitted := w.now
		next := profile("Vidal")
		next.City, next.Languages, next.Website = "Girona", []string{"es"}, "https://vidal.example"
		w.do(vidal.owner, commands.SubmitProfile{ConsultancyID: vidal.id, Profile: next})
		items := w.profileReviews()
		require.Len(t, items, 1)
		require.Equal(t, []ProfileChange{
			{"languages", []string{"es", "ca"}, []string{"es"}}, {"city", []string{"Barcelona"}, []string{"Girona"}},
			{"website", []string{}, []string{"https://vidal.example"}},
		}, items[0].Changes)
		require.Equal(t, 2, items[0].Revision)
		require.Equal(t, 1, items[0].ApprovedRevision)
		require.Equal(t, submitted, items[0].SubmittedAt)
		require.Equal(t, vidal.owner.String(), items[0].SubmittedBy)
		require.Equal(t, "Vidal", items[0].ConsultancyName)
		require.Equal(t, "Girona", items[0].Profile.City)

		w.pass(time.Hour)
		w.do(vidal.owner, commands.SubmitProfile{ConsultancyID: vidal.id, Profile: profile("Vidal")})
		items = w.profileReviews()
		require.Len(t, items, 1, "a later revision supersedes the one under review")
		require.Equal(t, 3, items[0].Revision)
		require.Equal(t, w.now, items[0].SubmittedAt)
		require.Empty(t, items[0].Changes)

		w.do(operator, commands.SuspendPartnership{ConsultancyID: vidal.id, Reason: domain.SuspendedForBreach})
		require.Empty(t, w.profileReviews(), "nobody can review it now")
		w.do(operator, commands.ReinstatePartnership{ConsultancyID: vidal.id})
		require.Len(t, w.profileReviews(), 1)
		w.do(reviewer, commands.RejectProfile{ConsultancyID: vidal.id, Revision: 3, ReasonCode: "incomplete"})
		require.Empty(t, w.profileReviews())
	})
}

// Whatever field of a profile changes, reviewers see that it does, under its name in JSON.
func TestEveryFieldOfAProfileIsCompared(t *testing.T) {
	encoded, err := json.Marshal(domain.Profile{
		DisplayName: "x", Description: "x", Services: []string{"x"}, Specialties: []string{"x"}, Languages: []string{"x"}, Country: "x", City: "x",
		Website: "x", ContactEmail: "x", LogoURL: "x",
	})
	require.NoError(t, err)
	var fields map[string]any
	require.NoError(t, json.Unmarshal(encoded, &fields))
	for name, value := range fields {
		changed, err := json.Marshal(map[string]any{name: value})
		require.NoError(t, err)
		var p domain.Profile
		require.NoError(t, json.Unmarshal(changed, &p))
		require.Equal(t, []ProfileChange{{name, []string{}, []string{"x"}}}, profileChanges(domain.Profile{}, p))
		require.Equal(t, []ProfileChange{{name, []string{"x"}, []string{}}}, profileChanges(p, domain.Profile{}))
		require.Empty(t, profileChanges(p, p))
	}
	require.Len(t, profileFields(domain.Profile{}), len(fields))
}

func TestQueuesForReviewersHavePagesOldestFirst(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		var want, applied, submitted []uuid.UUID
		for i := range 5 {
			partner := w.partner(fmt.Sprint("Partner ", i))
			w.do(partner.owner, commands.SubmitProfile{ConsultancyID: partner.id, Profile: profile("New")})
			submitted = append(submitted, partner.id)
			f := w.consultancy(fmt.Sprint("Applicant ", i))
			w.do(f.owner, commands.ApplyForPartnership{ConsultancyID: f.id})
			want = append(want, f.id)
		}
		q := Paging{Limit: 2}
		for pages := 1; ; pages++ {
			page, err := w.engine.Applications(w.settled(), staff, q)
			require.NoError(t, err)
			for _, item := range page.Items {
				applied = append(applied, item.ConsultancyID)
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				require.Equal(t, 3, pages)
				break
			}
		}
		require.Equal(t, want, applied)
		first, err := w.engine.ProfileReviews(w.settled(), staff, Paging{Limit: 4})
		require.NoError(t, err)
		rest, err := w.engine.ProfileReviews(w.settled(), staff, Paging{Limit: 4, Cursor: first.Next})
		require.NoError(t, err)
		require.Empty(t, rest.Next)
		for i, item := range append(first.Items, rest.Items...) {
			require.Equal(t, submitted[i], item.ConsultancyID)
		}
		made, err := w.engine.Applications(w.settled(), staff, Paging{Cursor: cursorOf("-7")})
		require.NoError(t, err)
		require.Len(t, made.Items, 5, "a cursor that somebody made up shows nothing that does not wait")
	})
}

func TestOnlyReviewersSeeWhatWaitsForThem(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal := w.partner("Vidal")
		w.do(vidal.owner, commands.SubmitProfile{ConsultancyID: vidal.id, Profile: profile("New")})
		f := w.consultancy("Applicant")
		w.do(f.owner, commands.ApplyForPartnership{ConsultancyID: f.id})
		ctx := w.settled()
		for who, c := range map[string]struct {
			viewer Viewer
			code   string
		}{
			"the public": {Viewer{}, "unauthenticated"}, "the partner itself": {vidal.viewer(), "reviewer_required"}, "the applicant": {f.viewer(), "reviewer_required"},
			"a service":         {ViewerFor(domain.Actor{Kind: domain.ActorService, Name: "billing"}), "reviewer_required"},
			"the ledger itself": {ViewerFor(clockActor), "reviewer_required"},
			"a reviewer":        {ViewerFor(reviewer), ""}, "the operator": {staff, ""},
		} {
			applications, err := w.engine.Applications(ctx, c.viewer, Paging{})
			profiles, failure := w.engine.ProfileReviews(ctx, c.viewer, Paging{})
			if c.code == "" {
				require.NoError(t, err, who)
				require.NoError(t, failure, who)
				require.Len(t, applications.Items, 1, who)
				require.Len(t, profiles.Items, 1, who)
				continue
			}
			require.True(t, domain.HasCode(err, c.code), "%s: %v", who, err)
			require.True(t, domain.HasCode(failure, c.code), "%s: %v", who, failure)
		}
	})
}

// compareReviews holds the queues to what the domain would let a reviewer decide.
func (c *cast) compareReviews(engine *Engine) {
	applied, submitted := map[uuid.UUID]bool{}, map[uuid.UUID]int{}
	applications, err := engine.Applications(c.t.Context(), staff, Paging{})
	require.NoError(c.t, err)
	for _, item := range applications.Items {
		applied[item.ConsultancyID] = true
	}
	profiles, err := engine.ProfileReviews(c.t.Context(), staff, Paging{})
	require.NoError(c.t, err)
	for _, item := range profiles.Items {
		submitted[item.ConsultancyID] = item.Revision
	}
	for _, f := range c.consultancies {
		partnership := stateOf[domain.Partnership](c.ledger, domain.PartnershipStream, f.id)
		_, err := partnership.Reject(reviewer, domain.PartnershipRejected{ConsultancyID: f.id})
		require.Equal(c.t, err == nil, applied[f.id], "%v", err)
		latest := len(partnership.Revisions)
		_, err = partnership.RejectProfile(reviewer, domain.ProfileRejected{ConsultancyID: f.id, Revision: latest})
		if err != nil {
			latest = 0
		}
		require.Equal(c.t, latest, submitted[f.id], "%v", err)
	}
}
