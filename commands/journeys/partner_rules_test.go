package journeys

import (
	"github.com/google/uuid"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

// reviews tells whether somebody is one of the platform's reviewers.
func reviews(actor domain.Actor) bool {
	return actor.Kind == "reviewer" || actor.Kind == "service" && actor.Reviews
}

// eligible checks what the programme asks of a consultancy.
func (a *account) eligible() string {
	return first(when(a.closed, "account_closed"), when(a.subscription != "current", "subscription_not_current"), when(a.firmKind == "other", "firm_kind_not_eligible"))
}

func (w *world) applies(actor domain.Actor, c commands.ApplyForPartnership) ruling {
	a, p := w.accounts[c.ConsultancyID], w.partner(c.ConsultancyID)
	if a == nil {
		return no("account_not_found")
	}
	if code := first(w.runs(actor, c.ConsultancyID), when(!a.firm, "not_a_consultancy"), when(p.status == "applied", "already_applied"),
		when(p.status == "accepted" || p.status == "suspended", "already_partner"), a.eligible()); code != "" {
		return no(code)
	}
	return yes(func() { p.status = "applied" })
}

// underReview checks that a reviewer may answer an application.
func (w *world) underReview(actor domain.Actor, firm uuid.UUID) string {
	p := w.partner(firm)
	return first(when(p.status == "", "partnership_not_found"), when(!reviews(actor), "reviewer_required"), when(p.status != "applied", "not_applied"))
}

func (w *world) admits(actor domain.Actor, c commands.AcceptPartnership) ruling {
	code := w.underReview(actor, c.ConsultancyID)
	if code == "" {
		code = w.accounts[c.ConsultancyID].eligible()
	}
	if code != "" {
		return no(code)
	}
	return yes(w.partner(c.ConsultancyID).accept)
}

func (w *world) turnsAway(actor domain.Actor, c commands.RejectPartnership) ruling {
	if code := w.underReview(actor, c.ConsultancyID); code != "" {
		return no(code)
	}
	return yes(func() { w.partner(c.ConsultancyID).status = "rejected" })
}

func (w *world) withdrawsApplication(actor domain.Actor, c commands.WithdrawApplication) ruling {
	p := w.partner(c.ConsultancyID)
	if p.status == "" {
		return no("partnership_not_found")
	}
	if code := first(w.runs(actor, c.ConsultancyID), when(p.status != "applied", "not_applied")); code != "" {
		return no(code)
	}
	return yes(func() { p.status = "withdrawn" })
}

func (w *world) suspendsPartner(actor domain.Actor, c commands.SuspendPartnership) ruling {
	p, ledger := w.partner(c.ConsultancyID), actor.Kind == "system"
	if code := first(when(p.status == "", "partnership_not_found"), when(!ledger && !reviews(actor), "reviewer_required"),
		when(ledger != (c.Reason == "subscription_lapsed"), "reason_reserved"),
		when(p.status == "suspended" && (ledger || !p.byLedger), "already_suspended"),
		when(p.status != "accepted" && p.status != "suspended", "not_a_partner")); code != "" {
		return no(code)
	}
	if ledger && w.accounts[c.ConsultancyID].subscription == "current" {
		return no("subscription_current")
	}
	return yes(func() { p.status, p.byLedger = "suspended", ledger })
}

func (w *world) reinstates(actor domain.Actor, c commands.ReinstatePartnership) ruling {
	p, ledger := w.partner(c.ConsultancyID), actor.Kind == "system"
	code := first(when(p.status == "", "partnership_not_found"), when(!ledger && !reviews(actor), "reviewer_required"),
		when(p.status != "suspended", "not_suspended"), when(ledger && !p.byLedger, "suspended_by_reviewer"))
	if code == "" {
		code = w.accounts[c.ConsultancyID].eligible()
	}
	if code != "" {
		return no(code)
	}
	return yes(p.accept)
}

func (w *world) terminates(actor domain.Actor, c commands.TerminatePartnership) ruling {
	p := w.partner(c.ConsultancyID)
	if code := first(when(p.status == "", "partnership_not_found"), when(!reviews(actor), "reviewer_required"),
		when(p.status != "accepted" && p.status != "suspended", "not_a_partner")); code != "" {
		return no(code)
	}
	return yes(func() {
		p.supersede()
		p.status, p.published, p.unlisted = "terminated", 0, false
	})
}

// supersede ends the review of whatever is under review.
func (p *partner) supersede() {
	for _, r := range p.revisions {
		if r.status == "in_review" {
			r.status = "superseded"
		}
	}
}

// presents checks that somebody decides how a partner in standing shows itself.
func (w *world) presents(actor domain.Actor, firm uuid.UUID) string {
	a := w.accounts[firm]
	if a == nil || !a.firm {
		return "consultancy_not_found"
	}
	return first(w.runs(actor, firm), when(!w.partner(firm).inStanding(), "partnership_not_in_standing"))
}

func (w *world) submits(actor domain.Actor, c commands.SubmitProfile) ruling {
	if code := w.presents(actor, c.ConsultancyID); code != "" {
		return no(code)
	}
	p := w.partner(c.ConsultancyID)
	return yes(func() {
		p.supersede()
		p.revisions = append(p.revisions, &revision{"in_review", actor.UserID})
	})
}

// reviewable checks that somebody may review a revision.
func (w *world) reviewable(actor domain.Actor, firm uuid.UUID, n int) string {
	p := w.partner(firm)
	if code := first(when(p.status == "", "partnership_not_found"), when(n > len(p.revisions), "revision_not_found"), when(!reviews(actor), "reviewer_required")); code != "" {
		return code
	}
	r := p.revisions[n-1]
	return first(when(actor.Name == r.submitter.String(), "submitter_cannot_review"), when(!p.inStanding(), "partnership_not_in_standing"),
		when(n < len(p.revisions), "stale_revision"), when(r.status != "in_review", "already_reviewed"))
}

func (w *world) approves(actor domain.Actor, c commands.ApproveProfile) ruling {
	if code := w.reviewable(actor, c.ConsultancyID, c.Revision); code != "" {
		return no(code)
	}
	p := w.partner(c.ConsultancyID)
	return yes(func() { p.revisions[c.Revision-1].status, p.published = "approved", c.Revision })
}

func (w *world) sendsBack(actor domain.Actor, c commands.RejectProfile) ruling {
	if code := w.reviewable(actor, c.ConsultancyID, c.Revision); code != "" {
		return no(code)
	}
	return yes(func() { w.partner(c.ConsultancyID).revisions[c.Revision-1].status = "rejected" })
}

func (w *world) unlists(actor domain.Actor, c commands.UnlistProfile) ruling {
	p := w.partner(c.ConsultancyID)
	if code := first(w.presents(actor, c.ConsultancyID), when(p.published == 0 || p.unlisted, "consultancy_not_listed")); code != "" {
		return no(code)
	}
	return yes(func() { p.unlisted = true })
}

func (w *world) relists(actor domain.Actor, c commands.RelistProfile) ruling {
	p := w.partner(c.ConsultancyID)
	if code := first(w.presents(actor, c.ConsultancyID), when(!p.unlisted, "profile_not_unlisted")); code != "" {
		return no(code)
	}
	return yes(func() { p.unlisted = false })
}
