package projections

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

// portfolio asks for all pages of a portfolio, each of so many items; the query must succeed.
func (w *world) portfolio(v Viewer, q PortfolioQuery, limit int) []PortfolioItem {
	w.t.Helper()
	q.Limit = limit
	var items []PortfolioItem
	for {
		page, err := w.engine.Portfolio(w.settled(), v, q)
		require.NoError(w.t, err)
		require.LessOrEqual(w.t, len(page.Items), limit)
		items = append(items, page.Items...)
		if q.Cursor = page.Next; q.Cursor == "" {
			return items
		}
	}
}

func namesOf(items []PortfolioItem) []string {
	names := []string{}
	for _, item := range items {
		names = append(names, item.ClientName)
	}
	return names
}

func TestThePortfolioShowsAClientWithWhatMatters(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler := w.partner("Vidal"), w.client("Soler", domain.PlanBasic)
		jordi, pau := w.join(vidal, "Jordi Puig", domain.RoleAccountManager), w.join(vidal, "Pau Roca", domain.RoleAccountManager)
		pair := w.collaborate(vidal, soler)
		until := w.now.Add(48 * time.Hour)
		grant := w.grant(soler, pair, domain.RoleSales, until)
		w.assign(vidal, pair, jordi)
		agreed := w.now
		w.pass(time.Minute)
		w.task(soler, domain.Sales, "one", w.now.Add(time.Hour))
		w.task(soler, domain.Banking, "two")
		raised := w.now
		w.pass(time.Minute)
		w.task(soler, domain.Journal, "three") // which the grant does not show

		shared := PortfolioItem{
			CollaborationID: domain.Pair(pair).CollaborationID(), ClientID: soler.id, ClientName: "Soler", Status: RequestApproved,
			Access:   &AccessTerms{GrantID: grant, RoleID: domain.RoleSales, Status: domain.GrantLive, Until: &until},
			Managers: []Manager{{UserID: jordi.UserID, Name: "Jordi Puig"}},
			Sections: []domain.Section{domain.Sales, domain.Banking, domain.Contacts}, Pending: 2, LastActivity: raised,
		}
		q := PortfolioQuery{Consultancy: vidal.id}
		for _, viewer := range []Viewer{vidal.viewer(), ViewerFor(jordi), staff} {
			require.Equal(t, []PortfolioItem{shared}, w.portfolio(viewer, q, 50))
		}
		blind := shared
		blind.Sections, blind.Pending, blind.LastActivity = []domain.Section{}, 0, agreed
		require.Equal(t, []PortfolioItem{blind}, w.portfolio(ViewerFor(pau), q, 50), "not assigned: the client is known, its tasks are not")

		w.do(vidal.owner, commands.ConfigureKPINotifications{PairFields: pair, Sections: []domain.Section{domain.Banking}})
		chosen := shared
		chosen.Sections, chosen.Pending, chosen.LastActivity = []domain.Section{domain.Banking}, 1, w.now
		require.Equal(t, []PortfolioItem{chosen}, w.portfolio(vidal.viewer(), q, 50))

		w.pass(2 * time.Hour)
		require.Equal(t, 1, w.portfolio(staff, q, 50)[0].Overdue, "without any event")
		w.do(soler.owner, commands.SuspendAccess{PairFields: pair})
		suspended := w.portfolio(staff, q, 50)[0]
		require.Equal(t, domain.GrantSuspended, suspended.Access.Status)
		require.Empty(t, suspended.Sections)
		require.Zero(t, suspended.Pending+suspended.Overdue)
		w.pass(48 * time.Hour)
		require.Equal(t, domain.GrantExpired, w.portfolio(staff, q, 50)[0].Access.Status, "before the clock records it")

		w.do(soler.owner, commands.EndCollaboration{PairFields: pair, Reason: "Done."})
		ended := w.portfolio(vidal.viewer(), q, 50)[0]
		require.Equal(t, RequestEnded, ended.Status)
		require.Empty(t, ended.Managers)
		w.collaborate(vidal, soler)
		again := w.portfolio(vidal.viewer(), q, 50)[0]
		require.Nil(t, again.Access, "a grant of an older engagement is none")
	})
}

func TestThePortfolioIsSortedAndFilteredAndComesInPages(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, rius := w.partner("Vidal"), w.partner("Rius")
		jordi := w.join(vidal, "Jordi Puig", domain.RoleAccountManager)
		w.collaborate(rius, w.client("Elsewhere", domain.PlanBasic))
		for i, name := range []string{"mas y Soler", "Soler", "Álvarez 100%", "Costa"} {
			w.pass(time.Minute)
			client := w.client(name, domain.PlanBasic)
			if name == "Costa" {
				w.do(client.owner, commands.SendMessage{PairFields: pair(vidal, client), Body: "Do you work with shops?"})
				continue
			}
			pair := w.collaborate(vidal, client)
			if name == "Álvarez 100%" {
				w.grant(client, pair, domain.RoleSales)
			} else {
				w.grant(client, pair, domain.RoleSales, w.now.Add(time.Duration(9-i)*24*time.Hour))
			}
			if name == "Soler" {
				w.assign(vidal, pair, jordi)
			}
			for range i + 1 {
				w.task(client, domain.Sales, "invoices", w.now.Add(time.Hour*time.Duration(i)))
			}
		}
		w.pass(90 * time.Minute)
		for sort, want := range map[string][]string{
			"":             {"Álvarez 100%", "Costa", "mas y Soler", "Soler"},
			"name":         {"Álvarez 100%", "Costa", "mas y Soler", "Soler"},
			"pending":      {"Costa", "mas y Soler", "Soler", "Álvarez 100%"},
			"lastActivity": {"mas y Soler", "Soler", "Álvarez 100%", "Costa"},
		} {
			for _, limit := range []int{1, 3, 50} {
				require.Equal(t, want, namesOf(w.portfolio(vidal.viewer(), PortfolioQuery{Consultancy: vidal.id, Sort: sort}, limit)), "%s", sort)
				backwards := namesOf(w.portfolio(vidal.viewer(), PortfolioQuery{Consultancy: vidal.id, Sort: sort, Descending: true}, limit))
				require.Equal(t, reversed(want), backwards, "%s", sort)
			}
		}
		ends := namesOf(w.portfolio(staff, PortfolioQuery{Consultancy: vidal.id, Sort: "grantEnd"}, 1))
		require.Equal(t, []string{"Soler", "mas y Soler"}, ends[:2], "who has no end comes last")
		require.Equal(t, "Soler", namesOf(w.portfolio(staff, PortfolioQuery{Consultancy: vidal.id, Sort: "overdue", Descending: true}, 1))[0])
		require.Equal(t, "Costa", namesOf(w.portfolio(staff, PortfolioQuery{Consultancy: vidal.id, Sort: "status", Descending: true}, 1))[0])

		for name, test := range map[string]struct {
			q    PortfolioQuery
			want []string
		}{
			"status":          {PortfolioQuery{Status: RequestEnquiry}, []string{"Costa"}},
			"manager":         {PortfolioQuery{Manager: jordi.UserID}, []string{"Soler"}},
			"no manager":      {PortfolioQuery{Manager: vidal.owner.UserID}, []string{}},
			"name":            {PortfolioQuery{Text: "SOLER"}, []string{"mas y Soler", "Soler"}},
			"parts of words":  {PortfolioQuery{Text: "sol ma"}, []string{"mas y Soler"}},
			"without accents": {PortfolioQuery{Text: "alvarez"}, []string{"Álvarez 100%"}},
			"no wildcards":    {PortfolioQuery{Text: "so%er \x00zz"}, []string{}},
			"nothing to find": {PortfolioQuery{Text: "Pons"}, []string{}},
		} {
			test.q.Consultancy = vidal.id
			require.Equal(t, test.want, namesOf(w.portfolio(vidal.viewer(), test.q, 50)), name)
		}
	})
}

func reversed(names []string) []string {
	backwards := []string{}
	for i := range names {
		backwards = append(backwards, names[len(names)-1-i])
	}
	return backwards
}

func TestThePortfolioIsForTheConsultancysOwnPeople(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler := w.partner("Vidal"), w.client("Soler", domain.PlanBasic)
		w.collaborate(vidal, soler)
		w.collaborate(vidal, w.client("Mas", domain.PlanBasic))
		byName, err := w.engine.Portfolio(w.settled(), staff, PortfolioQuery{Consultancy: vidal.id, Paging: Paging{Limit: 1}})
		require.NoError(t, err)
		for code, refused := range map[string][]struct {
			v Viewer
			q PortfolioQuery
		}{
			"unauthenticated":  {{Viewer{}, PortfolioQuery{Consultancy: vidal.id}}},
			"not_your_account": {{soler.viewer(), PortfolioQuery{Consultancy: vidal.id}}, {w.partner("Rius").viewer(), PortfolioQuery{Consultancy: vidal.id}}},
			"invalid": {
				{staff, PortfolioQuery{}},
				{staff, PortfolioQuery{Consultancy: vidal.id, Status: "odd"}},
				{staff, PortfolioQuery{Consultancy: vidal.id, Sort: "odd"}},
				{staff, PortfolioQuery{Consultancy: vidal.id, Text: strings.Repeat("a", maxSearchRunes+1)}},
				{staff, PortfolioQuery{Consultancy: vidal.id, Text: strings.Repeat("a ", maxSearchWords+1)}},
				{staff, PortfolioQuery{Consultancy: vidal.id, Paging: Paging{Limit: MaxPageItems + 1}}},
				{staff, PortfolioQuery{Consultancy: vidal.id, Sort: "pending", Paging: Paging{Cursor: byName.Next}}},
				{staff, PortfolioQuery{Consultancy: vidal.id, Descending: true, Paging: Paging{Cursor: byName.Next}}},
			},
		} {
			for _, r := range refused {
				_, err := w.engine.Portfolio(w.settled(), r.v, r.q)
				require.True(t, domain.HasCode(err, code), "%+v: %v", r.q, err)
			}
		}
		require.Empty(t, w.portfolio(staff, PortfolioQuery{Consultancy: uuid.New()}, 50))
	})
}
