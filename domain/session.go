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
	SessionID   uuid.UUID   `json:"sessionId"`
	UserID      uuid.UUID   `json:"userId"`
	GrantID     uuid.UUID   `json:"grantId"`
	AccessEpoch int         `json:"accessEpoch"`
	Permissions Permissions `json:"permissions"` // effective ones (invariant 2)
	Purpose     string      `json:"purpose,omitempty"`
	ExpiresAt   time.Time   `json:"expiresAt"`
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

func (e ClientAccountOpened) Apply(s *Session) { *s = Session{e, SessionOpen} }
func (e ClientAccountClosed) Apply(s *Session) { s.Status = SessionClosed }

// OpenClientAccount logs the actor in to the client's account (S9): with a live grant, in standing, for an hour at most, and
// with no more than grant, plan and assignment together permit.
func (g Engagement) OpenClientAccount(actor Actor, now time.Time, sessionID uuid.UUID, purpose string) (Event, error) {
	if err := g.known(); err != nil {
		return nil, err
	}
	if err := g.works(actor); err != nil {
		return nil, err
	}
	if err := g.mustBeActive(now); err != nil {
		return nil, err
	}
	if err := g.Partnership.MustBeInStanding(); err != nil {
		return nil, err
	}
	if err := g.mustHaveGrant(now); err != nil {
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
		Permissions: permissions, Purpose: purpose, ExpiresAt: expiresAt,
	}, nil
}

// CloseClientAccount ends a log-in: by the person who logged in, or by the owner or an administrator of either side, since
// either side may narrow access (invariant 6).
func (g Engagement) CloseClientAccount(actor Actor, now time.Time, session *Session) (Event, error) {
	if actor.Kind == ActorUser && actor.AccountID == session.ConsultancyID && actor.UserID == session.UserID {
		if _, err := g.Consultancy.Authorize(actor); err != nil {
			return nil, err
		}
	} else if _, err := g.either(actor); err != nil {
		return nil, err
	}
	if session.Status != SessionOpen || !now.Before(session.ExpiresAt) {
		return nil, Refuse("session_closed", string(SessionClosed), "the session is over")
	}
	return ClientAccountClosed{Pair: g.Pair, SessionID: session.SessionID, Reason: LoggedOut}, nil
}
