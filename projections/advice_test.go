package projections

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

// advice asks for the consultancies of a client; the query must succeed.
func (w *world) advice(v Viewer, client firm) []AdviceItem {
	w.t.Helper()
	page, err := w.engine.Advice(w.settled(), v, AdviceQuery{Client: client.id})
	require.NoError(w.t, err)
	return page.Items
}

func TestAdviceTellsWhomAClientWorksWith(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler := w.partner("Vidal"), w.client("Soler", domain.PlanBasic)
		jordi := w.join(vidal, "Jordi Puig", domain.RoleAccountManager)
		w.do(soler.owner, commands.SendMessage{PairFields: pair(vidal, soler), Body: "Do you work with shops?"})
		begun := w.now
		w.pass(time.Minute)
		w.do(vidal.owner, commands.SendMessage{PairFields: pair(vidal, soler), Body: "We do."})
		require.Equal(t, []AdviceItem{{
			CollaborationID: domain.Pair(pair(vidal, soler)).CollaborationID(), ConsultancyID: vidal.id, ConsultancyName: "Vidal", Status: RequestEnquiry,
			Since: begun, People: []AccessPerson{}, Managers: []Manager{}, LastMessage: "We do.", LastMessageAt: w.now, Unread: 1,
		}}, w.advice(soler.viewer(), soler))

		w.pass(time.Minute)
		pair := w.collaborate(vidal, soler)
		accepted := w.now
		until := w.now.Add(48 * time.Hour)
		grant := w.grant(soler, pair, domain.RoleSales, until)
		w.pass(time.Minute)
		w.assign(vidal, pair, jordi)
		w.logIn(vidal.owner, pair)
		latest := w.logIn(jordi, pair)
		loggedIn := w.now
		item := AdviceItem{
			CollaborationID: domain.Pair(pair).CollaborationID(), ConsultancyID: vidal.id, ConsultancyName: "Vidal", Status: RequestApproved, Since: accepted,
			Access: &AccessTerms{GrantID: grant, RoleID: domain.RoleSales, Status: domain.GrantLive, Until: &until},
			People: []AccessPerson{
				{UserID: jordi.UserID, Name: "Jordi Puig", Role: domain.RoleAccountManager},
				{UserID: vidal.owner.UserID, Name: "Owner of Vidal", Role: domain.RoleOwner},
			},
			Managers: []Manager{{UserID: jordi.UserID, Name: "Jordi Puig"}}, LastMessage: "Please keep our books.", LastMessageAt: accepted,
			LastLogIn: &LastLogIn{SessionID: latest, UserName: "Jordi Puig", OpenedAt: loggedIn, Purpose: "Monthly closing"},
		}
		require.Equal(t, []AdviceItem{item}, w.advice(soler.viewer(), soler))
		require.Equal(t, []AdviceItem{item}, w.advice(staff, soler))

		w.pass(48 * time.Hour)
		expired := w.advice(soler.viewer(), soler)[0]
		require.Equal(t, domain.GrantExpired, expired.Access.Status, "before the clock records it")
		require.Empty(t, expired.People)
		require.NotEmpty(t, expired.Managers)
		w.do(soler.owner, commands.EndCollaboration{PairFields: pair, Reason: "Done."})
		ended := w.advice(soler.viewer(), soler)[0]
		require.Equal(t, RequestEnded, ended.Status)
		require.Equal(t, w.now, ended.Since)
		require.Empty(t, ended.Managers)

		w.do(soler.owner, commands.RequestCollaboration{PairFields: pair, Message: "Again, please."})
		lapses := w.now.Add(domain.RequestLasts)
		w.pass(domain.RequestLasts + time.Hour)
		lapsed := w.advice(soler.viewer(), soler)[0]
		require.Equal(t, RequestCancelled, lapsed.Status)
		require.Equal(t, lapses, lapsed.Since, "before the clock records it")
		w.do(clockActor, commands.ExpireRequest{PairFields: pair})
		require.Equal(t, lapsed, w.advice(soler.viewer(), soler)[0], "nor does recording it change anything")
	})
}

func TestAdviceIsForTheClientsOwnPeopleAndComesInPages(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		soler := w.client("Soler", domain.PlanBasic)
		var last firm
		for _, name := range []string{"rius", "Ábaco", "Vidal"} {
			last = w.partner(name)
			w.collaborate(last, soler)
		}
		w.collaborate(last, w.client("Mas", domain.PlanBasic))
		for _, limit := range []int{1, 2, 50} {
			var names []string
			q := AdviceQuery{Client: soler.id, Paging: Paging{Limit: limit}}
			for {
				page, err := w.engine.Advice(w.settled(), soler.viewer(), q)
				require.NoError(t, err)
				require.LessOrEqual(t, len(page.Items), limit)
				for _, item := range page.Items {
					names = append(names, item.ConsultancyName)
				}
				if q.Cursor = page.Next; q.Cursor == "" {
					break
				}
			}
			require.Equal(t, []string{"Ábaco", "rius", "Vidal"}, names)
		}
		require.Empty(t, w.advice(staff, firm{id: uuid.New()}))
		for code, refused := range map[string][]struct {
			v Viewer
			q AdviceQuery
		}{
			"unauthenticated":  {{Viewer{}, AdviceQuery{Client: soler.id}}},
			"not_your_account": {{last.viewer(), AdviceQuery{Client: soler.id}}, {w.client("Pons", domain.PlanBasic).viewer(), AdviceQuery{Client: soler.id}}},
			"invalid": {
				{staff, AdviceQuery{}}, {staff, AdviceQuery{Client: soler.id, Paging: Paging{Cursor: "!"}}},
				{staff, AdviceQuery{Client: soler.id, Paging: Paging{Limit: -1}}},
			},
		} {
			for _, r := range refused {
				_, err := w.engine.Advice(w.settled(), r.v, r.q)
				require.True(t, domain.HasCode(err, code), "%+v: %v", r.q, err)
			}
		}
	})
}
