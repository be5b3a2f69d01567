package projections

import (
	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// Viewer is whose eyes a query is answered for. Every query takes one, and this file alone decides what it may see: a person
// sees what the account for which they act may see, and staff and services of the platform see everything. The zero Viewer is
// the public, who sees the public directory and nothing else.
type Viewer struct {
	everything bool
	reviews    bool // may see what waits for a reviewer
	account    uuid.UUID
	user       uuid.UUID
}

// ViewerFor is the viewer that an actor is. A person must still be a member of the account: the caller has checked that.
func ViewerFor(actor domain.Actor) Viewer {
	if actor.Kind == domain.ActorUser {
		return Viewer{account: actor.AccountID, user: actor.UserID}
	}
	return Viewer{everything: actor.Kind != "", reviews: actor.MayReview()}
}

// SignedIn tells whether the viewer is anybody at all.
func (v Viewer) SignedIn() bool { return v.everything || v.account != uuid.Nil }

// MaySee tells whether a fact about these accounts is the viewer's to see.
func (v Viewer) MaySee(parties ...uuid.UUID) bool {
	if v.everything {
		return true
	}
	for _, party := range parties {
		if party == v.account && party != uuid.Nil {
			return true
		}
	}
	return false
}

// mustBeSignedIn keeps the public out.
func (v Viewer) mustBeSignedIn() error {
	if !v.SignedIn() {
		return &domain.Error{Kind: domain.Unauthenticated, Code: "unauthenticated", Detail: "this is not for the public: sign in"}
	}
	return nil
}

// mustBe lets a viewer ask about one party by name: people about the account for which they act, staff and services about any.
func (v Viewer) mustBe(party uuid.UUID) error {
	if err := v.mustBeSignedIn(); err != nil {
		return err
	}
	if !v.MaySee(party) {
		return domain.Forbid("not_your_account", "account %s is not the one you act for", party)
	}
	return nil
}

// mustBeAPerson keeps out whoever is no member of an account: what is a person's own is nobody else's.
func (v Viewer) mustBeAPerson() error {
	if err := v.mustBeSignedIn(); err != nil {
		return err
	}
	if v.everything {
		return domain.Forbid("member_required", "this is a person's own: ask for it as a member of an account")
	}
	return nil
}

// mustReview lets only reviewers through: what waits for them is nobody else's to see.
func (v Viewer) mustReview() error {
	if err := v.mustBeSignedIn(); err != nil {
		return err
	}
	if !v.reviews {
		return domain.Forbid("reviewer_required", "only reviewers see what waits for a review")
	}
	return nil
}

// restrict is the condition, on the columns that name the parties of a row, under which the row is the viewer's to see. Every
// statement that reads items has it.
func (v Viewer) restrict(args *arguments, partyColumns ...string) string {
	if v.everything {
		return "TRUE"
	}
	if v.account == uuid.Nil {
		return "FALSE"
	}
	account := args.add(v.account)
	condition := ""
	for i, column := range partyColumns {
		if i > 0 {
			condition += " OR "
		}
		condition += column + " = " + account
	}
	return "(" + condition + ")"
}
