package commands

import (
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// OpenClientAccount logs a person of the consultancy in to the client's account (S9).
type OpenClientAccount struct {
	PairFields
	Purpose string `json:"purpose,omitempty" maxLength:"1000" doc:"What the log-in is for"`
}

// SessionResult is the log-in. The token opens the client's application until expiresAt.
type SessionResult struct {
	SessionID uuid.UUID `json:"sessionId"`
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// Decide asks the pair; the log-in has a stream of its own.
func (c OpenClientAccount) Decide(d *Decision) error {
	g, err := d.engagement(c.pair())
	if err != nil {
		return err
	}
	id := d.NewID()
	begin[domain.Session](d, domain.SessionStream, id)
	event, err := g.OpenClientAccount(d.Actor, d.Now, id, c.Purpose)
	if err != nil {
		return err
	}
	d.raise(domain.SessionStream, id, event)
	return nil
}

func opened(x *Executor, _ OpenClientAccount, events []domain.Event) (SessionResult, error) {
	e, err := only[domain.ClientAccountOpened](events)
	if err != nil {
		return SessionResult{}, err
	}
	token, err := x.Tokens.Sign(e)
	return SessionResult{SessionID: e.SessionID, Token: token, ExpiresAt: e.ExpiresAt}, err
}

// CloseClientAccount ends a log-in (S9).
type CloseClientAccount struct {
	SessionID uuid.UUID `json:"sessionId" format:"uuid" doc:"The log-in"`
}

// Decide asks the pair that the log-in belongs to.
func (c CloseClientAccount) Decide(d *Decision) error {
	session, err := d.knownSession(c.SessionID)
	if err != nil {
		return err
	}
	g, err := d.engagement(session.Pair)
	if err != nil {
		return err
	}
	event, err := g.CloseClientAccount(d.Actor, d.Now, session)
	if err != nil {
		return err
	}
	d.raise(domain.SessionStream, c.SessionID, event)
	return nil
}

// ExpireSession records that a log-in reached its end (B). Only the clock asks for it.
type ExpireSession struct {
	SessionID uuid.UUID `json:"sessionId" format:"uuid" doc:"The log-in"`
}

// Decide asks the log-in.
func (c ExpireSession) Decide(d *Decision) error {
	session, err := d.knownSession(c.SessionID)
	if err != nil {
		return err
	}
	event, err := session.Expire(d.Actor, d.Now)
	if err != nil {
		return err
	}
	d.raise(domain.SessionStream, c.SessionID, event)
	return nil
}

// knownSession loads a log-in that there must be.
func (d *Decision) knownSession(id uuid.UUID) (*domain.Session, error) {
	session, err := d.session(id)
	if err == nil && session.SessionID == uuid.Nil {
		err = domain.Missing("session", id)
	}
	return session, err
}
