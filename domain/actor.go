package domain

import (
	"strings"

	"github.com/google/uuid"
)

// ActorKind says what sort of actor somebody is.
type ActorKind string

// The kinds of actors.
const (
	ActorUser     ActorKind = "user"     // a member of an account, acting for that account
	ActorReviewer ActorKind = "reviewer" // staff of the platform
	ActorService  ActorKind = "service"  // billing, a client's ERP connector, the operator
	ActorSystem   ActorKind = "system"   // the clock and the reactors
)

// Actor is who asks for something. A person of two firms acts for one of them at a time, so a user's actor names the account.
type Actor struct {
	Kind      ActorKind
	AccountID uuid.UUID // of a user
	UserID    uuid.UUID // of a user
	Name      string    // of everybody else; a reviewer who is also a member of an account is named by their user id
	Reviews   bool      // a service that may also review, as the operator's key may

	// Via is the service whose key vouched for the user (Ledger-Act-As); empty when the actor came by itself.
	Via string
}

// User is a member of an account, acting for it.
func User(accountID, userID uuid.UUID) Actor {
	return Actor{Kind: ActorUser, AccountID: accountID, UserID: userID}
}

// String is the actor's name in records: user:<accountId>/<userId>, reviewer:<name>, service:<name> or system:<name>.
func (a Actor) String() string {
	if a.Kind == ActorUser {
		return "user:" + a.AccountID.String() + "/" + a.UserID.String()
	}
	return string(a.Kind) + ":" + a.Name
}

// ParseActor reads an actor's name out of a record; ok is false for anything that String does not write.
func ParseActor(name string) (a Actor, ok bool) {
	kind, rest, _ := strings.Cut(name, ":")
	a.Kind = ActorKind(kind)
	switch a.Kind {
	case ActorUser:
		account, user, found := strings.Cut(rest, "/")
		accountID, ok1 := ParseUUID(account)
		userID, ok2 := ParseUUID(user)
		a.AccountID, a.UserID = accountID, userID
		ok = found && ok1 && ok2
	case ActorReviewer, ActorService, ActorSystem:
		a.Name = rest
		ok = rest != ""
	}
	if !ok {
		return Actor{}, false
	}
	return a, true
}

// ParseUUID reads a UUID as String writes it, in lower case with hyphens, so that each has one name; uuid.Parse takes other forms too.
func ParseUUID(text string) (id uuid.UUID, ok bool) {
	id, err := uuid.Parse(text)
	return id, err == nil && len(text) == uuidLength && text == strings.ToLower(text)
}

// mustBeService lets only services of the platform through.
func (a Actor) mustBeService() error {
	if a.Kind != ActorService {
		return Forbid("service_required", "only a service of the platform may do this, not %s", a.Kind)
	}
	return nil
}

// mustBeSystem lets only the ledger itself through: the clock and the reactors.
func (a Actor) mustBeSystem() error {
	if a.Kind != ActorSystem {
		return Forbid("system_required", "only the ledger itself may do this, not %s", a.Kind)
	}
	return nil
}

// MayReview tells whether the actor decides on applications and profiles: the platform's reviewers, and the operator's key.
func (a Actor) MayReview() bool {
	return a.Kind == ActorReviewer || a.Kind == ActorService && a.Reviews
}

// mustReview lets only the platform's reviewers through.
func (a Actor) mustReview() error {
	if a.MayReview() {
		return nil
	}
	return Forbid("reviewer_required", "only a reviewer may do this, not %s", a.Kind)
}
