package projections

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

// ending asks for the grants that end; the query must succeed.
func (w *world) ending(v Viewer, q EndingQuery) []EndingItem {
	w.t.Helper()
	page, err := w.engine.Ending(w.settled(), v, q)
	require.NoError(w.t, err)
	return page.Items
}

func TestGrantsThatEndSoonShowTheirReminders(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler := w.partner("Vidal"), w.client("Soler", domain.PlanBasic)
		pair := w.collaborate(vidal, soler)
		until := w.now.Add(31 * 24 * time.Hour)
		grant := w.grant(soler, pair, domain.RoleSales, until)
		require.Empty(t, w.ending(soler.viewer(), EndingQuery{Client: soler.id}), "not within 30 days")
		require.Len(t, w.ending(soler.viewer(), EndingQuery{Client: soler.id, Days: 31}), 1)

		w.pass(24 * time.Hour)
		w.do(clockActor, commands.RemindGrantEnds{PairFields: pair})
		reminded := w.now
		w.pass(time.Minute)
		w.do(soler.owner, commands.AttestAccess{PairFields: pair})
		attested := w.now
		reminders := []Reminder{{DaysBefore: 30, At: reminded}}
		item := EndingItem{
			CollaborationID: domain.Pair(pair).CollaborationID(), ConsultancyID: vidal.id, ClientID: soler.id, ConsultancyName: "Vidal", ClientName: "Soler",
			GrantID: grant, Status: domain.GrantLive, RoleID: domain.RoleSales, Until: until, LastAttested: &attested, Reminders: reminders,
		}
		for _, viewer := range []Viewer{soler.viewer(), vidal.viewer(), staff} {
			require.Equal(t, []EndingItem{item}, w.ending(viewer, EndingQuery{Client: soler.id}))
			require.Equal(t, []EndingItem{item}, w.ending(viewer, EndingQuery{Consultancy: vidal.id, Client: soler.id}))
			shown := w.access(viewer, AccessQuery{Client: soler.id})[0]
			require.Equal(t, &attested, shown.LastAttested)
			require.Equal(t, reminders, shown.Reminders)
		}

		w.do(soler.owner, commands.ExtendAccess{PairFields: pair, ExpiresAt: until.Add(24 * time.Hour)})
		extended := w.ending(staff, EndingQuery{Client: soler.id, Days: MaxEndingDays})[0]
		require.Empty(t, extended.Reminders, "of the new end there was none")
		require.Equal(t, &attested, extended.LastAttested)
		w.do(soler.owner, commands.SuspendAccess{PairFields: pair})
		require.Equal(t, domain.GrantSuspended, w.ending(staff, EndingQuery{Client: soler.id, Days: 60})[0].Status)
		w.pass(31 * 24 * time.Hour)
		require.Empty(t, w.ending(staff, EndingQuery{Client: soler.id}), "it has ended, before the clock records it")
	})
}

func TestGrantsThatEndSoonComeInTheOrderOfTheirEnds(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, rius := w.partner("Vidal"), w.partner("Rius")
		for i, name := range []string{"Mas", "Soler", "Pons", "Endless", "Revoked"} {
			client := w.client(name, domain.PlanBasic)
			pair := w.collaborate(vidal, client)
			if name == "Endless" {
				w.grant(client, pair, domain.RoleSales)
				continue
			}
			w.grant(client, pair, domain.RoleSales, w.now.Add(time.Duration(9-i)*24*time.Hour))
			if name == "Revoked" {
				w.do(client.owner, commands.RevokeAccess{PairFields: pair})
			}
		}
		for _, limit := range []int{1, 2, 50} {
			var names []string
			q := EndingQuery{Consultancy: vidal.id, Paging: Paging{Limit: limit}}
			for {
				page, err := w.engine.Ending(w.settled(), vidal.viewer(), q)
				require.NoError(t, err)
				require.LessOrEqual(t, len(page.Items), limit)
				for _, item := range page.Items {
					names = append(names, item.ClientName)
				}
				if q.Cursor = page.Next; q.Cursor == "" {
					break
				}
			}
			require.Equal(t, []string{"Pons", "Soler", "Mas"}, names)
		}
		require.Empty(t, w.ending(rius.viewer(), EndingQuery{Consultancy: vidal.id}), "nothing of it is theirs")
		require.Empty(t, w.ending(staff, EndingQuery{Consultancy: uuid.New()}))
		_, err := w.engine.Ending(w.settled(), Viewer{}, EndingQuery{Consultancy: vidal.id})
		require.True(t, domain.HasCode(err, "unauthenticated"), err)
		for _, q := range []EndingQuery{{}, {Client: vidal.id, Days: -1}, {Client: vidal.id, Days: MaxEndingDays + 1}, {Client: vidal.id, Paging: Paging{Cursor: "!"}}} {
			_, err := w.engine.Ending(w.settled(), staff, q)
			require.True(t, domain.HasCode(err, "invalid"), "%+v: %v", q, err)
		}
	})
}
