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
	didWithdraw := domain.ApplicationWithdrawn{ConsultancyID: firmID}
	paidAgain := subscribed(firmOwner, domain.PlanBasic)
	withdraw, reinstate, terminate := WithdrawApplication{firmID}, ReinstatePartnership{firmID}, TerminatePartnership{firmID, "terms_breached"}
	suspend, lapse := SuspendPartnership{firmID, domain.SuspendedForBreach}, SuspendPartnership{firmID, domain.SuspendedForSubscription}
	return []scenario{
		{"the owner", firm, by(firmOwner, apply), raises(didApply)},
		{"an administrator", firm, by(firmAdmin, apply), raises(didApply)},
		{"a consultancy by kind of firm", firmOf(domain.ConsultancyCo), by(firmOwner, apply), raises(didApply)},
		{"an external CFO", firmOf(domain.ExternalCFO), by(firmOwner, apply), raises(didApply)},
		{"again after a rejection", history(applied, didReject), by(firmOwner, apply), raises(didApply)},
		{"again after it was withdrawn", history(applied, didWithdraw), by(firmOwner, apply), raises(didApply)},
		{"again after the partnership was terminated", history(listedFirm, terminated), by(firmOwner, apply), raises(didApply)},
		{"once the subscription is current again", history(firm, pastDue, subscribed(firmOwner, domain.PlanBasic)), by(firmOwner, apply), raises(didApply)},
		{"an unknown account", nil, by(firmOwner, apply), misses("account_not_found")},
		{"an account manager", firm, by(firmManager, apply), forbids("role_not_sufficient")},
		{"somebody of another account", firm, by(stranger, apply), forbids("not_a_member")},
		{"a reviewer", firm, by(maria, apply), forbids("member_required")},
		{"a business", shop, by(shopOwner, ApplyForPartnership{shopID}), refuses("not_a_consultancy", "business")},
		{"under review", applied, by(firmOwner, apply), refuses("already_applied", "applied")},
		{"a partner", partner, by(firmOwner, apply), refuses("already_partner", "accepted")},
		{"a suspended partner", history(partner, notInStanding), by(firmOwner, apply), refuses("already_partner", "suspended")},
		{"after the account was closed", history(firm, firmClosed), by(firmOwner, apply), refuses("account_closed", "closed")},
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
		{"after it was withdrawn", history(applied, didWithdraw), by(maria, accept), refuses("not_applied", "withdrawn")},
		{"a suspended partner", history(partner, notInStanding), by(maria, accept), refuses("not_applied", "suspended")},
		{"the account was closed during the review", history(applied, firmClosed), by(maria, accept), refuses("account_closed", "closed")},
		{"another kind of firm that slipped in", history(firmOf(domain.OtherFirm), didApply), by(maria, accept), refuses("firm_kind_not_eligible", "other")},

		{"a reviewer", applied, by(maria, reject), raises(didReject)},
		{"whatever the subscription", history(applied, pastDue), by(maria, reject), raises(didReject)},
		{"a consultancy that has not applied", firm, by(maria, reject), misses("partnership_not_found")},
		{"the owner", applied, by(firmOwner, reject), forbids("reviewer_required")},
		{"a partner", partner, by(maria, reject), refuses("not_applied", "accepted")},
		{"twice", history(applied, didReject), by(maria, reject), refuses("not_applied", "rejected")},

		{"an administrator", applied, by(firmAdmin, withdraw), raises(didWithdraw)},
		{"whatever the subscription", history(applied, pastDue), by(firmOwner, withdraw), raises(didWithdraw)},
		{"a second application", history(applied, didReject, didApply), by(firmOwner, withdraw), raises(didWithdraw)},
		{"a consultancy that has not applied", firm, by(firmOwner, withdraw), misses("partnership_not_found")},
		{"an account manager", applied, by(firmManager, withdraw), forbids("role_not_sufficient")},
		{"a reviewer", applied, by(maria, withdraw), forbids("member_required")},
		{"a partner", partner, by(firmOwner, withdraw), refuses("not_applied", "accepted")},
		{"after a rejection", history(applied, didReject), by(firmOwner, withdraw), refuses("not_applied", "rejected")},
		{"twice", history(applied, didWithdraw), by(firmOwner, withdraw), refuses("not_applied", "withdrawn")},

		{"a reviewer", listedFirm, by(maria, suspend), raises(notInStanding)},
		{"the operator, who also reviews", partner, by(operator, suspend), raises(notInStanding)},
		{"the ledger, when the subscription lapsed", history(partner, pastDue), by(reactor, lapse), raises(unpaid)},
		{"the ledger, when the subscription was cancelled", history(partner, cancelled), by(reactor, lapse), raises(unpaid)},
		{"again, once reinstated", history(partner, notInStanding, reinstated), by(maria, suspend), raises(notInStanding)},
		{"a reviewer's takes the place of the ledger's", history(partner, pastDue, unpaid), by(maria, suspend), raises(notInStanding)},
		{"a consultancy that has not applied", firm, by(maria, suspend), misses("partnership_not_found")},
		{"the owner", partner, by(firmOwner, suspend), forbids("reviewer_required")},
		{"a service that does not review", partner, by(billing, lapse), forbids("reviewer_required")},
		{"a reviewer for the ledger's reason", history(partner, pastDue), by(maria, lapse), forbids("reason_reserved")},
		{"the ledger for a reviewer's reason", partner, by(reactor, suspend), forbids("reason_reserved")},
		{"a reason that nobody knows", partner, by(maria, SuspendPartnership{firmID, "mood"}), malforms("reason")},
		{"under review", applied, by(maria, suspend), refuses("not_a_partner", "applied")},
		{"after it was terminated", history(partner, terminated), by(maria, suspend), refuses("not_a_partner", "terminated")},
		{"twice", history(partner, notInStanding), by(maria, suspend), refuses("already_suspended", "suspended")},
		{"the ledger, twice", history(partner, pastDue, unpaid), by(reactor, lapse), refuses("already_suspended", "suspended")},
		{"the ledger, what a reviewer has suspended", history(partner, pastDue, notInStanding), by(reactor, lapse), refuses("already_suspended", "suspended")},
		{"the ledger, while the subscription is current", partner, by(reactor, lapse), refuses("subscription_current", "current")},

		{"a reviewer", history(partner, notInStanding), by(maria, reinstate), raises(reinstated)},
		{"the ledger, when the subscription is current again", history(partner, pastDue, unpaid, paidAgain), by(reactor, reinstate), raises(reinstated)},
		{"a reviewer, what the ledger has suspended", history(partner, pastDue, unpaid, paidAgain), by(maria, reinstate), raises(reinstated)},
		{"a consultancy that has not applied", firm, by(maria, reinstate), misses("partnership_not_found")},
		{"the owner", history(partner, notInStanding), by(firmOwner, reinstate), forbids("reviewer_required")},
		{"a partner in standing", partner, by(maria, reinstate), refuses("not_suspended", "accepted")},
		{"under review", applied, by(maria, reinstate), refuses("not_suspended", "applied")},
		{"after it was terminated", history(partner, notInStanding, terminated), by(maria, reinstate), refuses("not_suspended", "terminated")},
		{"the ledger, what a reviewer has suspended", history(partner, notInStanding), by(reactor, reinstate), refuses("suspended_by_reviewer", "suspended")},
		{"the ledger, after a reviewer's took its place", history(partner, pastDue, unpaid, notInStanding, paidAgain), by(reactor, reinstate), refuses("suspended_by_reviewer", "suspended")},
		{"while the subscription is past due", history(partner, pastDue, unpaid), by(reactor, reinstate), refuses("subscription_not_current", "past_due")},
		{"a reviewer, while the subscription is cancelled", history(partner, notInStanding, cancelled), by(maria, reinstate), refuses("subscription_not_current", "cancelled")},
		{"after the account was closed", history(partner, notInStanding, firmClosed), by(maria, reinstate), refuses("account_closed", "closed")},

		{"a reviewer", listedFirm, by(maria, terminate), raises(terminated)},
		{"a suspended partner", history(partner, notInStanding), by(operator, terminate), raises(terminated)},
		{"whose account was closed", history(partner, firmClosed), by(maria, terminate), raises(terminated)},
		{"a consultancy that has not applied", firm, by(maria, terminate), misses("partnership_not_found")},
		{"the owner", partner, by(firmOwner, terminate), forbids("reviewer_required")},
		{"the ledger", partner, by(reactor, terminate), forbids("reviewer_required")},
		{"under review", applied, by(maria, terminate), refuses("not_a_partner", "applied")},
		{"twice", history(partner, terminated), by(maria, terminate), refuses("not_a_partner", "terminated")},
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
	unlist, relist := UnlistProfile{firmID}, RelistProfile{firmID}
	unlisted, relisted := domain.ProfileUnlisted{ConsultancyID: firmID}, domain.ProfileRelisted{ConsultancyID: firmID}
	backAgain := history(listedFirm, submission(2), terminated, domain.PartnershipApplied{ConsultancyID: firmID}, domain.PartnershipAccepted{ConsultancyID: firmID})
	submitter := domain.Actor{Kind: domain.ActorReviewer, Name: firmAdmin.UserID.String()} // staff who are also the firm's administrator
	return []scenario{
		{"the first", partner, by(firmOwner, submit), submittedBy(1, firmOwner)},
		{"edited during review", inReview, by(firmAdmin, submit), submittedBy(2, firmAdmin)},
		{"while one is published", listedFirm, by(firmAdmin, submit), submittedBy(2, firmAdmin)},
		{"after one was sent back", history(inReview, rejected), by(firmAdmin, submit), submittedBy(2, firmAdmin)},
		{"as a partner again, after a termination", backAgain, by(firmAdmin, submit), submittedBy(3, firmAdmin)},
		{"an unknown consultancy", nil, by(firmOwner, submit), misses("consultancy_not_found")},
		{"a business is no consultancy", shop, by(shopOwner, SubmitProfile{shopID, profile}), misses("consultancy_not_found")},
		{"an account manager", partner, by(firmManager, submit), forbids("role_not_sufficient")},
		{"a reviewer", partner, by(maria, submit), forbids("member_required")},
		{"before the application", firm, by(firmOwner, submit), refuses("partnership_not_in_standing", "")},
		{"before the acceptance", applied, by(firmOwner, submit), refuses("partnership_not_in_standing", "applied")},
		{"after the standing is lost", history(listedFirm, notInStanding), by(firmOwner, submit), refuses("partnership_not_in_standing", "suspended")},

		{"a reviewer", inReview, by(maria, approve), raises(approved)},
		{"the operator, who also reviews", inReview, by(operator, approve), raises(approved)},
		{"a later revision", history(listedFirm, submission(2)), by(maria, ApproveProfile{firmID, 2}), raises(domain.ProfileApproved{ConsultancyID: firmID, Revision: 2})},
		{"a consultancy that has not applied", firm, by(maria, approve), misses("partnership_not_found")},
		{"a revision that was never submitted", inReview, by(firmOwner, ApproveProfile{firmID, 2}), misses("revision_not_found")},
		{"the firm itself", inReview, by(firmOwner, approve), forbids("reviewer_required")},
		{"a service that does not review", inReview, by(billing, approve), forbids("reviewer_required")},
		{"the submitter as a reviewer", inReview, by(submitter, approve), forbids("submitter_cannot_review")},
		{"the standing was lost", history(inReview, notInStanding), by(maria, approve), refuses("partnership_not_in_standing", "suspended")},
		{"an old revision approved late", history(inReview, submission(2)), by(maria, approve), refuses("stale_revision", "superseded")},
		{"from before the partnership was terminated", backAgain, by(maria, ApproveProfile{firmID, 2}), refuses("already_reviewed", "superseded")},
		{"approved already", listedFirm, by(maria, approve), refuses("already_reviewed", "approved")},
		{"rejected already", history(inReview, rejected), by(maria, approve), refuses("already_reviewed", "rejected")},

		{"a reviewer", inReview, by(maria, reject), raises(rejected)},
		{"a consultancy that has not applied", nil, by(maria, reject), misses("partnership_not_found")},
		{"a revision that was never submitted", inReview, by(maria, RejectProfile{firmID, 7, "other", ""}), misses("revision_not_found")},
		{"the firm itself", inReview, by(firmOwner, reject), forbids("reviewer_required")},
		{"the submitter as a reviewer", inReview, by(submitter, reject), forbids("submitter_cannot_review")},
		{"the standing was lost", history(inReview, notInStanding), by(maria, reject), refuses("partnership_not_in_standing", "suspended")},
		{"an old revision", history(inReview, submission(2)), by(maria, reject), refuses("stale_revision", "superseded")},
		{"approved already", listedFirm, by(maria, reject), refuses("already_reviewed", "approved")},

		{"an administrator", listedFirm, by(firmAdmin, unlist), raises(unlisted)},
		{"while a change is under review", history(listedFirm, submission(2)), by(firmOwner, unlist), raises(unlisted)},
		{"once it is listed again", history(listedFirm, unlisted, relisted), by(firmOwner, unlist), raises(unlisted)},
		{"an unknown consultancy", nil, by(firmOwner, unlist), misses("consultancy_not_found")},
		{"an account manager", listedFirm, by(firmManager, unlist), forbids("role_not_sufficient")},
		{"a reviewer", listedFirm, by(maria, unlist), forbids("member_required")},
		{"without standing", history(listedFirm, notInStanding), by(firmOwner, unlist), refuses("partnership_not_in_standing", "suspended")},
		{"nothing published", inReview, by(firmOwner, unlist), refuses("consultancy_not_listed", "unlisted")},
		{"twice", history(listedFirm, unlisted), by(firmOwner, unlist), refuses("consultancy_not_listed", "unlisted")},
		{"what a termination took off", backAgain, by(firmOwner, unlist), refuses("consultancy_not_listed", "unlisted")},

		{"an administrator", history(listedFirm, unlisted), by(firmAdmin, relist), raises(relisted)},
		{"after a revision was approved meanwhile", history(listedFirm, unlisted, submission(2), domain.ProfileApproved{ConsultancyID: firmID, Revision: 2}), by(firmOwner, relist), raises(relisted)},
		{"an unknown consultancy", nil, by(firmOwner, relist), misses("consultancy_not_found")},
		{"an account manager", history(listedFirm, unlisted), by(firmManager, relist), forbids("role_not_sufficient")},
		{"without standing", history(listedFirm, unlisted, notInStanding), by(firmOwner, relist), refuses("partnership_not_in_standing", "suspended")},
		{"one that is listed", listedFirm, by(firmOwner, relist), refuses("profile_not_unlisted", "accepted")},
		{"what a termination took off", backAgain, by(firmOwner, relist), refuses("profile_not_unlisted", "accepted")},
	}
}
