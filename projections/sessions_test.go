package projections

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

// sessions asks for log-ins; the query must succeed.
func (w *world) sessions(v Viewer, q AccessQuery) []SessionItem {
	w.t.Helper()
	page, err := w.engine.Sessions(w.settled(), v, SessionLogQuery{AccessQuery: q})
	require.NoError(w.t, err)
	return page.Items
}

func TestSessionsTellWhoLoggedInAndHowItEnded(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler := w.partner("Vidal"), w.client("Soler", domain.PlanBasic)
		pair := w.collaborate(vidal, soler)
		grant := w.grant(soler, pair, domain.RoleSales)
		opened := w.now
		first := w.logIn(vidal.owner, pair)
		w.pass(10 * time.Minute)
		second := w.logIn(vidal.owner, pair)
		w.pass(10 * time.Minute)
		closed := w.now
		w.do(vidal.owner, commands.CloseClientAccount{SessionID: second})

		items := w.sessions(soler.viewer(), AccessQuery{Client: soler.id})
		require.Len(t, items, 2)
		require.Equal(t, second, items[0].SessionID, "newest first")
		require.Equal(t, "logout", items[0].Status)
		require.Equal(t, &closed, items[0].ClosedAt)
		require.Equal(t, SessionItem{
			SessionID: first, ConsultancyID: vidal.id, ClientID: soler.id, ConsultancyName: "Vidal", ClientName: "Soler",
			UserID: vidal.owner.UserID, UserName: "Owner of Vidal", GrantID: grant,
			Permissions: domain.Permissions{domain.Sales: domain.Edit, domain.Contacts: domain.Edit, domain.Banking: domain.Read},
			Purpose:     "Monthly closing", Status: "open", OpenedAt: opened, ExpiresAt: opened.Add(domain.MaxSessionLasts),
		}, items[1])
		require.Equal(t, items, w.sessions(vidal.viewer(), AccessQuery{Consultancy: vidal.id}))
		require.Equal(t, items, w.sessions(staff, AccessQuery{User: vidal.owner.UserID}))
		require.Equal(t, items[1:], w.sessions(staff, AccessQuery{Client: soler.id, LiveOnly: true}))
		require.Empty(t, w.sessions(w.client("Mas", domain.PlanFree).viewer(), AccessQuery{Client: soler.id}))

		w.pass(40 * time.Minute)
		items = w.sessions(staff, AccessQuery{Client: soler.id})
		require.Equal(t, "expired", items[1].Status, "an hour after it was opened, without any event")
		require.Equal(t, &items[1].ExpiresAt, items[1].ClosedAt)
		require.Equal(t, "logout", items[0].Status)
		require.Empty(t, w.sessions(staff, AccessQuery{Client: soler.id, LiveOnly: true}))
	})
}

func TestASessionIsLostAtOnceWithWhatItRestsOn(t *testing.T) {
	for name, lose := range map[string]func(w *world, vidal, soler firm, pair commands.PairFields, person domain.Actor){
		"when the grant is revoked": func(w *world, _, soler firm, pair commands.PairFields, _ domain.Actor) {
			w.do(soler.owner, commands.RevokeAccess{PairFields: pair})
		},
		"when the grant is changed": func(w *world, _, soler firm, pair commands.PairFields, _ domain.Actor) {
			w.do(soler.owner, commands.ChangeAccess{PairFields: pair, GrantTerms: commands.GrantTerms{RoleID: domain.RoleSales}})
		},
		"when the collaboration ends": func(w *world, _, soler firm, pair commands.PairFields, _ domain.Actor) {
			w.do(soler.owner, commands.EndCollaboration{PairFields: pair, Reason: "Done."})
		},
		"when the person is no longer assigned": func(w *world, vidal, _ firm, pair commands.PairFields, person domain.Actor) {
			w.do(vidal.owner, commands.UnassignAccountManager{PairFields: pair, UserID: person.UserID})
		},
		"when the consultancy falls out of standing": func(w *world, vidal, _ firm, _ commands.PairFields, _ domain.Actor) {
			w.outOfStanding(vidal)
		},
		"when the access is suspended": func(w *world, _, soler firm, pair commands.PairFields, _ domain.Actor) {
			w.do(soler.owner, commands.SuspendAccess{PairFields: pair})
		},
		"when the access is suspended, and stays so when it is resumed": func(w *world, _, soler firm, pair commands.PairFields, _ domain.Actor) {
			w.do(soler.owner, commands.SuspendAccess{PairFields: pair})
			w.do(soler.owner, commands.ResumeAccess{PairFields: pair})
		},
		"when the partnership is suspended": func(w *world, vidal, _ firm, _ commands.PairFields, _ domain.Actor) {
			w.do(operator, commands.SuspendPartnership{ConsultancyID: vidal.id, Reason: domain.SuspendedForBreach})
		},
		"when the partnership is suspended, and stays so when it is reinstated": func(w *world, vidal, _ firm, _ commands.PairFields, _ domain.Actor) {
			w.do(operator, commands.SuspendPartnership{ConsultancyID: vidal.id, Reason: domain.SuspendedForBreach})
			w.do(operator, commands.ReinstatePartnership{ConsultancyID: vidal.id})
		},
		"when the consultancy closes its account": func(w *world, vidal, _ firm, _ commands.PairFields, _ domain.Actor) {
			w.do(vidal.owner, commands.CloseAccount{AccountID: vidal.id})
		},
		"when the client closes its account": func(w *world, _, soler firm, _ commands.PairFields, _ domain.Actor) {
			w.do(soler.owner, commands.CloseAccount{AccountID: soler.id})
		},
		"when the person is removed": func(w *world, vidal, _ firm, _ commands.PairFields, person domain.Actor) {
			w.do(vidal.owner, commands.RemoveMember{AccountID: vidal.id, UserID: person.UserID})
		},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, w *world) {
				vidal, soler := w.partner("Vidal"), w.client("Soler", domain.PlanBasic)
				jordi := w.join(vidal, "Jordi Puig", domain.RoleAccountManager)
				pair := w.collaborate(vidal, soler)
				w.grant(soler, pair, domain.RoleFinance)
				w.assign(vidal, pair, jordi)
				w.logIn(jordi, pair)
				w.pass(5 * time.Minute)
				require.Equal(t, "open", w.sessions(staff, AccessQuery{Client: soler.id})[0].Status)

				lose(w, vidal, soler, pair, jordi)
				lost := w.now
				for _, later := range []time.Duration{0, domain.MaxSessionLasts} {
					w.pass(later)
					item := w.sessions(staff, AccessQuery{Client: soler.id})[0]
					require.Equal(t, "access_lost", item.Status)
					require.Equal(t, &lost, item.ClosedAt)
					require.Empty(t, w.sessions(staff, AccessQuery{Client: soler.id, LiveOnly: true}))
				}
			})
		})
	}
}

func TestASessionThatHadEndedIsNotLostLater(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler := w.partner("Vidal"), w.client("Soler", domain.PlanBasic)
		pair := w.collaborate(vidal, soler)
		w.grant(soler, pair, domain.RoleSales)
		w.logIn(vidal.owner, pair)
		w.pass(2 * domain.MaxSessionLasts)
		second := w.logIn(vidal.owner, pair)
		w.pass(time.Minute)
		w.do(vidal.owner, commands.CloseClientAccount{SessionID: second})
		w.pass(time.Minute)
		w.do(soler.owner, commands.RevokeAccess{PairFields: pair})
		items := w.sessions(staff, AccessQuery{Client: soler.id})
		require.Equal(t, "logout", items[0].Status)
		require.Equal(t, "expired", items[1].Status)
	})
}

func TestASessionEndsWithItsGrantsTerm(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler := w.partner("Vidal"), w.client("Soler", domain.PlanBasic)
		pair := w.collaborate(vidal, soler)
		until := w.now.Add(20 * time.Minute)
		w.grant(soler, pair, domain.RoleSales, until)
		w.logIn(vidal.owner, pair)
		w.pass(20 * time.Minute)
		item := w.sessions(staff, AccessQuery{Client: soler.id})[0]
		require.Equal(t, "expired", item.Status)
		require.Equal(t, &until, item.ClosedAt)

		w.pass(time.Minute)
		w.grant(soler, pair, domain.RoleSales) // records the end of the old grant
		require.Equal(t, item, w.sessions(staff, AccessQuery{Client: soler.id})[0])
	})
}

func TestTheLogTellsWhichLogInsWereOpenAtAMoment(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler := w.partner("Vidal"), w.client("Soler", domain.PlanBasic)
		jordi := w.join(vidal, "Jordi Puig", domain.RoleAccountManager)
		pair := w.collaborate(vidal, soler)
		w.grant(soler, pair, domain.RoleSales)
		w.assign(vidal, pair, jordi)
		began := w.now
		lapses := w.logIn(vidal.owner, pair)
		w.pass(10 * time.Minute)
		isClosed := w.logIn(vidal.owner, pair)
		w.pass(10 * time.Minute)
		isLost := w.logIn(jordi, pair)
		w.pass(10 * time.Minute)
		w.do(vidal.owner, commands.CloseClientAccount{SessionID: isClosed})
		w.pass(10 * time.Minute)
		w.do(vidal.owner, commands.UnassignAccountManager{PairFields: pair, UserID: jordi.UserID})
		w.pass(10 * time.Hour)
		ctx := w.settled()
		openAt := func(at time.Time, q AccessQuery) []uuid.UUID {
			page, err := w.engine.Sessions(ctx, soler.viewer(), SessionLogQuery{AccessQuery: q, OpenAt: at})
			require.NoError(t, err)
			ids := []uuid.UUID{}
			for _, item := range page.Items {
				ids = append(ids, item.SessionID)
			}
			return ids
		}
		const before = -time.Microsecond
		for after, want := range map[time.Duration][]uuid.UUID{
			before:                  {},
			0:                       {lapses},
			10 * time.Minute:        {isClosed, lapses},
			30*time.Minute + before: {isLost, isClosed, lapses},
			30 * time.Minute:        {isLost, lapses},
			40*time.Minute + before: {isLost, lapses},
			40 * time.Minute:        {lapses},
			60*time.Minute + before: {lapses},
			60 * time.Minute:        {},
		} {
			require.Equal(t, want, openAt(began.Add(after), AccessQuery{Client: soler.id}), "%s after the first", after)
		}
		at := began.Add(25 * time.Minute)
		require.Equal(t, []uuid.UUID{isLost}, openAt(at, AccessQuery{User: jordi.UserID}))
		require.Equal(t, []uuid.UUID{isLost, isClosed, lapses}, openAt(at, AccessQuery{Consultancy: vidal.id}))
		require.Empty(t, openAt(at, AccessQuery{Consultancy: vidal.id, LiveOnly: true}), "none of those is open now")
		_, err := w.engine.Sessions(ctx, staff, SessionLogQuery{AccessQuery: AccessQuery{Client: soler.id}, OpenAt: w.now.Add(time.Microsecond)})
		require.True(t, domain.HasCode(err, "invalid"), "%v", err)
	})
}

func TestSessionPagesFollowEachOther(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler := w.partner("Vidal"), w.client("Soler", domain.PlanBasic)
		pair := w.collaborate(vidal, soler)
		w.grant(soler, pair, domain.RoleSales)
		opened := []uuid.UUID{w.logIn(vidal.owner, pair), w.logIn(vidal.owner, pair), w.logIn(vidal.owner, pair)}
		q := SessionLogQuery{AccessQuery: AccessQuery{Consultancy: vidal.id, LiveOnly: true, Paging: Paging{Limit: 2}}}
		first, err := w.engine.Sessions(w.settled(), staff, q)
		require.NoError(t, err)
		require.Len(t, first.Items, 2)
		require.Equal(t, opened[2], first.Items[0].SessionID)
		q.Cursor = first.Next
		rest, err := w.engine.Sessions(w.settled(), staff, q)
		require.NoError(t, err)
		require.Len(t, rest.Items, 1)
		require.Equal(t, opened[0], rest.Items[0].SessionID)
		require.Empty(t, rest.Next)
	})
}
