package projections

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/domain"
)

// due lists all that is due now.
func (l *ledger) due(engine *Engine) []Deadline {
	l.t.Helper()
	var all []Deadline
	for paging := (Paging{Limit: 2}); ; {
		page, err := engine.Due(l.t.Context(), paging)
		require.NoError(l.t, err)
		all = append(all, page.Items...)
		if paging.Cursor = page.Next; paging.Cursor == "" {
			return all
		}
	}
}

// compareDeadlines holds what is due, now and later, to what the domain lets the clock record then.
func (c *cast) compareDeadlines(engine *Engine) {
	for _, later := range []time.Duration{0, time.Minute, domain.MaxSessionLasts, domain.InvitationLasts, 30 * 24 * time.Hour, domain.RequestLasts} {
		c.now = c.now.Add(later)
		want, got := c.owed(), map[deadlineKey]bool{}
		for _, d := range c.due(engine) {
			require.False(c.t, d.DueAt.After(c.now))
			if d.Kind != GrantReminder {
				got[deadlineKey{d.Kind, d.Subject}] = true
				continue
			}
			_, err := c.engagement(firm{id: d.Pair.ConsultancyID}, firm{id: d.Pair.ClientID}).RemindGrantEnds(clockActor, c.now)
			ended := domain.HasCode(err, "no_live_grant") || domain.HasCode(err, "account_closed") // it waits for that to be tidied up
			require.True(c.t, err == nil || ended, "%v", err)
		}
		require.Equal(c.t, want, got)
		count, err := engine.CountDue(c.t.Context())
		require.NoError(c.t, err)
		require.EqualValues(c.t, len(c.due(engine)), count)
	}
}

// owed are the ends that the domain lets the clock record now.
func (c *cast) owed() map[deadlineKey]bool {
	owed := map[deadlineKey]bool{}
	note := func(kind DeadlineKind, subject uuid.UUID, err error) {
		if err == nil {
			owed[deadlineKey{kind, subject}] = true
		}
	}
	for _, consultancy := range c.consultancies {
		for _, client := range c.clients {
			g := c.engagement(consultancy, client)
			_, err := g.ExpireRequest(clockActor, c.now)
			note(RequestLapses, g.Pair.CollaborationID(), err)
			_, err = g.ExpireAccess(clockActor, c.now)
			note(GrantEnds, g.Pair.CollaborationID(), err)
		}
	}
	for _, id := range c.sessions {
		_, err := stateOf[domain.Session](c.ledger, domain.SessionStream, id).Expire(clockActor, c.now)
		note(SessionLapses, id, err)
	}
	for _, i := range c.invitations {
		_, err := stateOf[domain.Account](c.ledger, domain.AccountStream, i.AccountID).ExpireInvitation(clockActor, c.now, i.AccountID, i.InvitationID)
		note(InvitationLapses, i.InvitationID, err)
	}
	return owed
}

func TestWhatIsDueComesInTheOrderOfItsTime(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler, mas := w.partner("Vidal"), w.client("Soler", domain.PlanBasic), w.client("Mas", domain.PlanBasic)
		pair := w.collaborate(vidal, soler)
		end := w.now.Add(50 * 24 * time.Hour)
		w.grant(soler, pair, domain.RoleSales, end)
		session := w.logIn(vidal.owner, pair)
		opened := w.now
		asked := domain.Pair(w.ask(vidal, mas))
		w.settled()
		require.Empty(t, w.due(w.engine))

		w.pass(domain.RequestLasts)
		ours := domain.Pair(pair)
		require.Equal(t, []Deadline{
			{Kind: SessionLapses, Subject: session, Pair: ours, User: vidal.owner.UserID, DueAt: opened.Add(domain.MaxSessionLasts), Until: opened.Add(domain.MaxSessionLasts)},
			{Kind: GrantReminder, Subject: ours.CollaborationID(), Pair: ours, DueAt: domain.ReminderAt(end, 30), Until: end},
			{Kind: GrantEnds, Subject: ours.CollaborationID(), Pair: ours, DueAt: end, Until: end},
			{Kind: RequestLapses, Subject: asked.CollaborationID(), Pair: asked, DueAt: w.now, Until: w.now},
		}, w.due(w.engine))
		_, err := w.engine.Due(t.Context(), Paging{Limit: MaxPageItems + 1})
		require.True(t, domain.HasCode(err, "invalid"))
	})
}
