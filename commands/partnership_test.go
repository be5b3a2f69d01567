package commands

import (
	"testing"

	"github.com/collabledger/collabledger/domain"
)

func TestPartnershipCommands(t *testing.T) { run(t, partnershipScenarios()) }
func TestProfileCommands(t *testing.T)     { run(t, profileScenarios()) }

// firmOf is a consultancy of a kind, with its owner alone.
func firmOf(kind domain.FirmKind) []domain.Event {
	e := firm[0].(domain.AccountRegistered)
	e.FirmKind = kind
	return history(e)
}

func partnershipScenarios() []scenario {
	apply, accept, reject := ApplyForPartnership{firmID}, AcceptPartnership{firmID}, RejectPartnership{firmID, "incomplete"}
	didApply, didAccept := domain.PartnershipApplied{ConsultancyID: firmID}, domain.PartnershipAccepted{ConsultancyID: firmID}
	didReject := domain.PartnershipRejected{ConsultancyID: firmID, ReasonCode: "incomplete"}
	pastDue := domain.SubscriptionRecorded{AccountID: firmID, Plan: domain.PlanBasic, Status: domain.PastDue}
	cancelled := domain.SubscriptionRecorded{AccountID: firmID, Plan: domain.PlanBasic, Status: domain.Cancelled}
	return []scenario{
		{"the owner", firm, by(firmOwner, apply), raises(didApply)},
		{"an administrator", firm, by(firmAdmin, apply), raises(didApply)},
		{"a consultancy by kind of firm", firmOf(domain.ConsultancyCo), by(firmOwner, apply), raises(didApply)},
		{"an external CFO", firmOf(domain.ExternalCFO), by(firmOwner, apply), raises(didApply)},
		{"again after a rejection", history(applied, didReject), by(firmOwner, apply), raises(didApply)},
		{"once the subscription is current again", history(firm, pastDue, subscribed(firmOwner, domain.PlanBasic)), by(firmOwner, apply), raises(didApply)},
		{"an unknown account", nil, by(firmOwner, apply), misses("account_not_found")},
		{"an account manager", firm, by(firmManager, apply), forbids("role_not_sufficient")},
		{"somebody of another account", firm, by(stranger, apply), forbids("not_a_member")},
		{"a reviewer", firm, by(maria, apply), forbids("member_required")},
		{"a business", shop, by(shopOwner, ApplyForPartnership{shopID}), refuses("not_a_consultancy", "business")},
		{"under review", applied, by(firmOwner, apply), refuses("already_applied", "applied")},
		{"a partner", partner, by(firmOwner, apply), refuses("already_partner", "accepted")},
		{"a subscription past due", history(firm, pastDue), by(firmOwner, apply), refuses("subscription_not_current", "past_due")},
		{"a cancelled subscription", history(firm, cancelled), by(firmOwner, apply), refuses("subscription_not_current", "cancelled")},
		{"another kind of firm", firmOf(domain.OtherFirm), by(firmOwner, apply), refuses("firm_kind_not_eligible", "other")},

		{"a reviewer", applied, by(maria, accept), raises(didAccept)},
		{"the operator, who also reviews", applied, by(operator, accept), raises(didAccept)},
		{"a consultancy that has not applied", firm, by(firmOwner, accept), misses("partnership_not_found")},
		{"the owner", applied, by(firmOwner, accept), forbids("reviewer_required")},
		{"a service that does not review", applied, by(billing, accept), forbids("reviewer_required")},
		{"a partner", partner, by(maria, accept), refuses("not_applied", "accepted")},
		{"after a rejection", history(applied, didReject), by(maria, accept), refuses("not_applied", "rejected")},
		{"the subscription lapsed during the review", history(applied, pastDue), by(maria, accept), refuses("subscription_not_current", "past_due")},
		{"another kind of firm that slipped in", history(firmOf(domain.OtherFirm), didApply), by(maria, accept), refuses("firm_kind_not_eligible", "other")},

		{"a reviewer", applied, by(maria, reject), raises(didReject)},
		{"whatever the subscription", history(applied, pastDue), by(maria, reject), raises(didReject)},
		{"a consultancy that has not applied", firm, by(maria, reject), misses("partnership_not_found")},
		{"the owner", applied, by(firmOwner, reject), forbids("reviewer_required")},
		{"a partner", partner, by(maria, reject), refuses("not_applied", "accepted")},
		{"twice", history(applied, didReject), by(maria, reject), refuses("not_applied", "rejected")},
	}
}

func profileScenarios() []scenario {
	submit, approve := SubmitProfile{firmID, profile}, ApproveProfile{firmID, 1}
	reject := RejectProfile{firmID, 1, "incomplete", "Please name your services."}
	approved, rejected := domain.ProfileApproved{ConsultancyID: firmID, Revision: 1}, domain.ProfileRejected{ConsultancyID: firmID, Revision: 1, ReasonCode: "incomplete", Note: "Please name your services."}
	submittedBy := func(revision int, actor domain.Actor) then {
		e := submission(revision)
		e.SubmittedBy = actor.String()
		return raises(e).and(RevisionResult{Revision: revision})
	}
	submitter := domain.Actor{Kind: domain.ActorReviewer, Name: firmAdmin.UserID.String()} // staff who are also the firm's administrator
	return []scenario{
		{"the first", partner, by(firmOwner, submit), submittedBy(1, firmOwner)},
		{"edited during review", inReview, by(firmAdmin, submit), submittedBy(2, firmAdmin)},
		{"while one is published", listedFirm, by(firmAdmin, submit), submittedBy(2, firmAdmin)},
		{"after one was sent back", history(inReview, rejected), by(firmAdmin, submit), submittedBy(2, firmAdmin)},
		{"an unknown consultancy", nil, by(firmOwner, submit), misses("consultancy_not_found")},
		{"a business is no consultancy", shop, by(shopOwner, SubmitProfile{shopID, profile}), misses("consultancy_not_found")},
		{"an account manager", partner, by(firmManager, submit), forbids("role_not_sufficient")},
		{"a reviewer", partner, by(maria, submit), forbids("member_required")},
		{"before the application", firm, by(firmOwner, submit), refuses("partnership_not_in_standing", "")},
		{"before the acceptance", applied, by(firmOwner, submit), refuses("partnership_not_in_standing", "applied")},
		{"after the standing is lost", history(listedFirm, notInStanding), by(firmOwner, submit), refuses("partnership_not_in_standing", "rejected")},

		{"a reviewer", inReview, by(maria, approve), raises(approved)},
		{"the operator, who also reviews", inReview, by(operator, approve), raises(approved)},
		{"a later revision", history(listedFirm, submission(2)), by(maria, ApproveProfile{firmID, 2}), raises(domain.ProfileApproved{ConsultancyID: firmID, Revision: 2})},
		{"a consultancy that has not applied", firm, by(maria, approve), misses("partnership_not_found")},
		{"a revision that was never submitted", inReview, by(firmOwner, ApproveProfile{firmID, 2}), misses("revision_not_found")},
		{"the firm itself", inReview, by(firmOwner, approve), forbids("reviewer_required")},
		{"a service that does not review", inReview, by(billing, approve), forbids("reviewer_required")},
		{"the submitter as a reviewer", inReview, by(submitter, approve), forbids("submitter_cannot_review")},
		{"the standing was lost", history(inReview, notInStanding), by(maria, approve), refuses("partnership_not_in_standing", "rejected")},
		{"an old revision approved late", history(inReview, submission(2)), by(maria, approve), refuses("stale_revision", "superseded")},
		{"approved already", listedFirm, by(maria, approve), refuses("already_reviewed", "approved")},
		{"rejected already", history(inReview, rejected), by(maria, approve), refuses("already_reviewed", "rejected")},

		{"a reviewer", inReview, by(maria, reject), raises(rejected)},
		{"a consultancy that has not applied", nil, by(maria, reject), misses("partnership_not_found")},
		{"a revision that was never submitted", inReview, by(maria, RejectProfile{firmID, 7, "other", ""}), misses("revision_not_found")},
		{"the firm itself", inReview, by(firmOwner, reject), forbids("reviewer_required")},
		{"the submitter as a reviewer", inReview, by(submitter, reject), forbids("submitter_cannot_review")},
		{"the standing was lost", history(inReview, notInStanding), by(maria, reject), refuses("partnership_not_in_standing", "rejected")},
		{"an old revision", history(inReview, submission(2)), by(maria, reject), refuses("stale_revision", "superseded")},
		{"approved already", listedFirm, by(maria, reject), refuses("already_reviewed", "approved")},
	}
}
