package domain

import (
	"time"

	"github.com/google/uuid"
)

// MaxSessionLasts is the longest term of one log-in to a client's account (S9).
const MaxSessionLasts = time.Hour

// SessionStatus is where a log-in stands.
type SessionStatus string

// The states of a session.
const (
	SessionOpen   SessionStatus = "open"
	SessionClosed SessionStatus = "closed"
)

// CloseReason is why a session ended.
type CloseReason string

// The reasons.
const (
	LoggedOut CloseReason = "logout"
	Lapsed    CloseReason = "expired"
	Lost      CloseReason = "access_lost"
)

// ClientAccountOpened is a log-in of a consultancy's user to a client's account (S9).
type ClientAccountOpened struct {
	Pair
	SessionID     uuid.UUID   `json:"sessionId"`
	UserID        uuid.UUID   `json:"userId"`
	GrantID       uuid.UUID   `json:"grantId"`
	AccessEpoch   int         `json:"accessEpoch"`
	StandingEpoch int         `json:"standingEpoch,omitempty"` // of the partnership; log-ins from before there was one have none
	Permissions   Permissions `json:"permissions"`             // effective ones (invariant 2)
	Purpose       string      `json:"purpose,omitempty"`
	ExpiresAt     time.Time   `json:"expiresAt"`
}

// ClientAccountClosed ends a log-in.
type ClientAccountClosed struct {
	Pair
	SessionID uuid.UUID   `json:"sessionId"`
	Reason    CloseReason `json:"reason"`
}

func (ClientAccountOpened) EventType() string { return "session.ClientAccountOpened.v1" }
func (ClientAccountClosed) EventType() string { return "session.ClientAccountClosed.v1" }

// Session is the state of a session's stream.
type Session struct {
	ClientAccountOpened
	Status SessionStatus `json:"status"`
}

// Clone copies the state, so that folding on does not change what others hold.
func (s *Session) Clone() *Session {
	c := *s
	return &c
}

// NextEnd is when the log-in ends by itself; zero: it has ended.
func (s *Session) NextEnd(now time.Time) time.Time {
	if s.Status == SessionOpen && now.Before(s.ExpiresAt) {
		return s.ExpiresAt
	}
	return time.Time{}
}

func (e ClientAccountOpened) Apply(s *Session) { *s = Session{e, SessionOpen} }
func (e ClientAccountClosed) Apply(s *Session) { s.Status = SessionClosed }

// mustHaveAccess refuses whatever the consultancy's people do in the client's account unless everything holds that access needs
// (invariant 1).
func (g Engagement) mustHaveAccess(now time.Time) error {
	for _, err := range g.accessRefusals(now) {
		if err != nil {
			return err
		}
	}
	return nil
}

// accessRefusals is what each thing that access needs has against it at a moment, nil for what holds, in the order of refusals (invariant 1).
func (g Engagement) accessRefusals(now time.Time) []error {
	return []error{g.Consultancy.mustBeOpen(), g.Client.mustBeOpen(), g.mustBeActive(now), g.Partnership.MustBeInStanding(), g.mustHaveGrant(now)}
}

// Obstacles lists all that keeps a person out of the client's account at a moment, in the order in which a log-in is refused for it.
// Without any, the person may use what the grant and the client's plan together permit (invariants 1 and 2).
func (g Engagement) Obstacles(person Actor, now time.Time) []*Error {
	found := []*Error{}
	refusals := g.accessRefusals(now)
	if err := g.works(person); !HasCode(err, "account_closed") { // that is among the refusals
		refusals = append([]error{err}, refusals...)
	}
	for _, err := range refusals {
		if err != nil {
			found = append(found, AsError(err))
		}
	}
	return found
}

// holds tells whether the access behind a log-in is what it was: the grant and its epoch, the partnership's standing without a break
// (invariant 4), and the person's work for the client.
func (g Engagement) holds(session *Session, now time.Time) bool {
	if g.works(User(session.ConsultancyID, session.UserID)) != nil || g.mustHaveAccess(now) != nil {
		return false
	}
	grant := g.Collaboration.Grant
	return grant.GrantID == session.GrantID && grant.AccessEpoch == session.AccessEpoch && g.Partnership.StandingEpoch == session.StandingEpoch
}

// OpenClientAccount logs the actor in to the client's account (S9): with a live grant, in standing, for an hour at most, and
// with no more than grant, plan and assignment together permit.
func (g Engagement) OpenClientAccount(actor Actor, now time.Time, sessionID uuid.UUID, purpose string) (Event, error) {
	if err := g.known(); err != nil {
		return nil, err
	}
	if err := g.works(actor); err != nil {
		return nil, err
	}
	if err := g.mustHaveAccess(now); err != nil {
		return nil, err
	}
	grant := g.Collaboration.Grant
	permissions := grant.Permissions.Within(g.Client.Plan.Sections())
	if len(permissions) == 0 {
		return nil, Refuse("role_not_in_plan", string(g.Client.Plan), "the client's plan %s includes nothing that the grant permits", g.Client.Plan)
	}
	expiresAt := now.Add(MaxSessionLasts)
	if !grant.ExpiresAt.IsZero() && grant.ExpiresAt.Before(expiresAt) {
		expiresAt = grant.ExpiresAt
	}
	return ClientAccountOpened{
		Pair: g.Pair, SessionID: sessionID, UserID: actor.UserID, GrantID: grant.GrantID, AccessEpoch: grant.AccessEpoch,
		StandingEpoch: g.Partnership.StandingEpoch, Permissions: permissions, Purpose: purpose, ExpiresAt: expiresAt,
	}, nil
}

// CloseClientAccount ends a log-in: by the person who logged in, or by the owner or an administrator of either side, since
// either side may narrow access (invariant 6). The ledger itself does it when the access behind the log-in is lost.
func (g Engagement) CloseClientAccount(actor Actor, now time.Time, session *Session) (Event, error) {
	reason := LoggedOut
	if actor.Kind == ActorSystem {
		reason = Lost
	} else if actor.Kind == ActorUser && actor.AccountID == session.ConsultancyID && actor.UserID == session.UserID {
		if _, err := g.Consultancy.Authorize(actor); err != nil {
			return nil, err
		}
	} else if _, err := g.either(actor); err != nil {
		return nil, err
	}
	if session.Status != SessionOpen || !now.Before(session.ExpiresAt) {
		return nil, Refuse("session_closed", string(SessionClosed), "the session is over")
	}
	if reason == Lost && g.holds(session, now) {
		return nil, Refuse("access_not_lost", string(SessionOpen), "the access behind the session holds")
	}
	return ClientAccountClosed{Pair: g.Pair, SessionID: session.SessionID, Reason: reason}, nil
}
