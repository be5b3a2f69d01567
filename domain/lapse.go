package domain

import (
	"time"

	"github.com/google/uuid"
)

// The rules of the clock. What has an end holds in [from, until) at every decision, whether or not its lapse has been recorded
// (invariant 3); the clock records it soon after, so that those who read the log learn of it.

// notDue refuses to record a lapse before it happens.
func notDue(state string, end time.Time) error {
	return Refuse("not_due", state, "it is not time for this before %s", end.Format(time.RFC3339))
}

// ExpireInvitation records that an invitation lapsed unanswered (B).
func (a *Account) ExpireInvitation(actor Actor, now time.Time, accountID, invitationID uuid.UUID) (Event, error) {
	if err := a.mustExist(accountID); err != nil {
		return nil, err
	}
	invitation, err := a.invitation(invitationID)
	if err != nil {
		return nil, err
	}
	if err := actor.mustBeSystem(); err != nil {
		return nil, err
	}
	if invitation.Expired {
		return nil, Refuse("already_expired", "expired", "the lapse of the invitation is recorded already")
	}
	if now.Before(invitation.ExpiresAt) {
		return nil, notDue("invited", invitation.ExpiresAt)
	}
	return InvitationExpired{AccountID: accountID, InvitationID: invitationID, ExpiredAt: invitation.ExpiresAt}, nil
}

// ExpireRequest records that a request lapsed unanswered (B).
func (g Engagement) ExpireRequest(actor Actor, now time.Time) ([]Event, error) {
	if err := g.known(); err != nil {
		return nil, err
	}
	if err := actor.mustBeSystem(); err != nil {
		return nil, err
	}
	if g.Collaboration.Status != CollaborationPending {
		return nil, g.mustBePending(now)
	}
	if now.Before(g.Collaboration.ExpiresAt) {
		return nil, notDue(string(CollaborationPending), g.Collaboration.ExpiresAt)
	}
	return g.lapsed(now), nil
}

// ExpireAccess records that a grant reached its end (B).
func (g Engagement) ExpireAccess(actor Actor, now time.Time) ([]Event, error) {
	if err := g.known(); err != nil {
		return nil, err
	}
	if err := actor.mustBeSystem(); err != nil {
		return nil, err
	}
	if err := g.mustBeActive(now); err != nil {
		return nil, err
	}
	grant := g.Collaboration.Grant
	if grant.lapsed(now) {
		return g.lapsed(now), nil
	}
	if err := g.mustHaveOpenGrant(now); err != nil {
		return nil, err
	}
	if err := grant.mustHaveEnd(); err != nil {
		return nil, err
	}
	return nil, notDue(string(grant.Status), grant.ExpiresAt)
}

// mustHaveEnd refuses what only a grant with an end allows.
func (g *Grant) mustHaveEnd() error {
	if g.ExpiresAt.IsZero() {
		return Refuse("grant_without_end", string(g.Status), "the grant holds until it is revoked")
	}
	return nil
}

// RemindGrantEnds reminds the client that its live grant is about to end (B): 30, 7 and 1 days before, each once. A reminder that
// comes late is the one that is true then; those it has overtaken are left out.
func (g Engagement) RemindGrantEnds(actor Actor, now time.Time) ([]Event, error) {
	if err := g.known(); err != nil {
		return nil, err
	}
	if err := actor.mustBeSystem(); err != nil {
		return nil, err
	}
	if err := g.mustBeWorking(now); err != nil {
		return nil, err
	}
	if err := g.mustHaveGrant(now); err != nil {
		return nil, err
	}
	grant := g.Collaboration.Grant
	if err := grant.mustHaveEnd(); err != nil {
		return nil, err
	}
	days := 0
	for _, before := range reminderDays() {
		if !now.Before(ReminderAt(grant.ExpiresAt, before)) {
			days = before
		}
	}
	if days == 0 {
		return nil, notDue(string(GrantLive), ReminderAt(grant.ExpiresAt, reminderDays()[0]))
	}
	if grant.Reminded != 0 && grant.Reminded <= days {
		return nil, Refuse("already_reminded", string(GrantLive), "the client was reminded %d days before the end", grant.Reminded)
	}
	return []Event{GrantEndReminded{Pair: g.Pair, GrantID: grant.GrantID, DaysBefore: days, ExpiresAt: grant.ExpiresAt}}, nil
}

// ReminderAt is when a reminder of a grant's end is due, so many days of 24 hours before it.
func ReminderAt(end time.Time, days int) time.Time {
	return end.Add(-time.Duration(days) * 24 * time.Hour)
}

// NextReminder tells how many days before a grant's end its client is reminded of it next, after a moment; ok is false when there is
// no reminder left. Those of which the time was over when the grant got its end are never made up for.
func NextReminder(end, after time.Time) (days int, ok bool) {
	for _, days := range reminderDays() {
		if ReminderAt(end, days).After(after) {
			return days, true
		}
	}
	return 0, false
}

// Expire records that a log-in reached its end (B).
func (s *Session) Expire(actor Actor, now time.Time) (Event, error) {
	if err := actor.mustBeSystem(); err != nil {
		return nil, err
	}
	if s.Status != SessionOpen {
		return nil, Refuse("session_closed", string(SessionClosed), "the session is over")
	}
	if now.Before(s.ExpiresAt) {
		return nil, notDue(string(SessionOpen), s.ExpiresAt)
	}
	return ClientAccountClosed{Pair: s.Pair, SessionID: s.SessionID, Reason: Lapsed}, nil
}
