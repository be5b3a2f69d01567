package projections

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

// kpis asks for KPIs; the query must succeed.
func (w *world) kpis(v Viewer, q KPIQuery) []KPIItem {
	w.t.Helper()
	page, err := w.engine.KPIs(w.settled(), v, q)
	require.NoError(w.t, err)
	return page.Items
}

// kpiSections asks which sections of the consultancy's one client are counted.
func (w *world) kpiSections(v Viewer, consultancy firm) []domain.Section {
	w.t.Helper()
	items := w.kpis(v, KPIQuery{Consultancy: consultancy.id})
	require.Len(w.t, items, 1)
	sections := []domain.Section{}
	for _, section := range items[0].Sections {
		sections = append(sections, section.Section)
	}
	return sections
}

func TestKPIsCountPendingOverdueAndCompletedTasks(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler := w.partner("Vidal"), w.client("Soler", domain.PlanBasic)
		w.grant(soler, w.collaborate(vidal, soler), domain.RoleSales)
		due := w.now.Add(time.Hour)
		done := w.task(soler, domain.Sales, "one", due)
		w.task(soler, domain.Sales, "two", due)
		w.task(soler, domain.Sales, "three")
		w.task(soler, domain.Banking, "four", due.Add(time.Hour))
		w.task(soler, domain.Journal, "five", due)
		w.do(vidal.owner, commands.CompleteTask{TaskID: done})

		own := KPIQuery{Client: soler.id}
		shared := KPIItem{ClientID: soler.id, ClientName: "Soler", Pending: 3, Completed: 1, Sections: []KPISection{
			{Section: domain.Sales, Pending: 2, Completed: 1}, {Section: domain.Banking, Pending: 1}, {Section: domain.Contacts},
		}}
		require.Equal(t, []KPIItem{shared}, w.kpis(vidal.viewer(), KPIQuery{Consultancy: vidal.id}))
		require.Equal(t, []KPIItem{shared}, w.kpis(vidal.viewer(), own))

		w.pass(time.Hour)
		require.Equal(t, []KPIItem{shared}, w.kpis(vidal.viewer(), own), "due now is not overdue")
		w.pass(time.Microsecond)
		shared.Overdue, shared.Sections[0].Overdue = 1, 1
		require.Equal(t, []KPIItem{shared}, w.kpis(vidal.viewer(), own), "without any event")
		all := KPIItem{ClientID: soler.id, ClientName: "Soler", Pending: 4, Overdue: 2, Completed: 1, Sections: []KPISection{
			{Section: domain.Sales, Pending: 2, Overdue: 1, Completed: 1}, {Section: domain.Expenses}, {Section: domain.Banking, Pending: 1},
			{Section: domain.Inbox}, {Section: domain.Contacts}, {Section: domain.Journal, Pending: 1, Overdue: 1},
		}}
		require.Equal(t, []KPIItem{all}, w.kpis(soler.viewer(), own), "the client itself sees every section")
		require.Equal(t, []KPIItem{all}, w.kpis(staff, own))
		require.Equal(t, []KPIItem{shared}, w.kpis(staff, KPIQuery{Consultancy: vidal.id}))
	})
}

func TestKPIsAreCutToWhatThePersonChoseToSee(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler := w.partner("Vidal"), w.client("Soler", domain.PlanBasic)
		berta := w.join(vidal, "Berta Riba", domain.RoleAdministrator)
		pair := w.collaborate(vidal, soler)
		w.grant(soler, pair, domain.RoleSales)
		all := []domain.Section{domain.Sales, domain.Banking, domain.Contacts}
		require.Equal(t, all, w.kpiSections(ViewerFor(berta), vidal))

		w.do(berta, commands.ConfigureKPINotifications{PairFields: pair, Sections: []domain.Section{domain.Journal, domain.Banking}})
		require.Equal(t, []domain.Section{domain.Banking}, w.kpiSections(ViewerFor(berta), vidal), "a choice shows nothing that the grant does not")
		require.Equal(t, all, w.kpiSections(vidal.viewer(), vidal), "the choice is one person's own")
		require.Equal(t, all, w.kpiSections(staff, vidal))

		w.do(berta, commands.ConfigureKPINotifications{PairFields: pair, Sections: []domain.Section{}})
		require.Empty(t, w.kpiSections(ViewerFor(berta), vidal))
	})
}

func TestASecondEngagementRevivesNoChoice(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler := w.partner("Vidal"), w.client("Soler", domain.PlanBasic)
		jordi := w.join(vidal, "Jordi Puig", domain.RoleAccountManager)
		pair := w.collaborate(vidal, soler)
		w.grant(soler, pair, domain.RoleSales)
		w.assign(vidal, pair, jordi)
		for _, person := range []domain.Actor{vidal.owner, jordi} {
			w.do(person, commands.ConfigureKPINotifications{PairFields: pair, Sections: []domain.Section{domain.Sales}})
			require.Equal(t, []domain.Section{domain.Sales}, w.kpiSections(ViewerFor(person), vidal))
		}

		w.do(soler.owner, commands.EndCollaboration{PairFields: pair, Reason: "Done."})
		q := KPIQuery{Consultancy: vidal.id}
		require.Empty(t, w.kpis(vidal.viewer(), q), "an ended collaboration shows no KPI")
		require.Empty(t, w.kpis(vidal.viewer(), KPIQuery{Client: soler.id}))
		require.Empty(t, w.kpis(staff, q))

		w.collaborate(vidal, soler)
		require.Empty(t, w.kpiSections(vidal.viewer(), vidal), "active again, and no grant yet")
		w.grant(soler, pair, domain.RoleSales)
		require.Equal(t, []domain.Section{domain.Sales, domain.Banking, domain.Contacts}, w.kpiSections(vidal.viewer(), vidal))
		require.Empty(t, w.kpis(ViewerFor(jordi), q), "not assigned again")

		w.assign(vidal, pair, jordi)
		require.Equal(t, []domain.Section{domain.Sales, domain.Banking, domain.Contacts}, w.kpiSections(ViewerFor(jordi), vidal))
	})
}

func TestKPIsOfAConsultancyAreThoseOfItsClientsByName(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, rius := w.partner("Vidal"), w.partner("Rius")
		jordi := w.join(vidal, "Jordi Puig", domain.RoleAccountManager)
		for _, name := range []string{"mas", "Soler", "Álvarez", "Costa"} {
			client := w.client(name, domain.PlanBasic)
			pair := w.collaborate(vidal, client)
			w.task(client, domain.Sales, "invoices")
			if name == "Soler" {
				w.assign(vidal, pair, jordi)
			}
			if name != "Costa" {
				w.grant(client, pair, domain.RoleSales)
			}
		}
		w.collaborate(rius, w.client("Another", domain.PlanBasic))

		pending := func(v Viewer, limit int) (names []string, counts []int) {
			q := KPIQuery{Consultancy: vidal.id, Paging: Paging{Limit: limit}}
			for {
				page, err := w.engine.KPIs(w.settled(), v, q)
				require.NoError(t, err)
				require.LessOrEqual(t, len(page.Items), limit)
				for _, item := range page.Items {
					names, counts = append(names, item.ClientName), append(counts, item.Pending)
				}
				if q.Cursor = page.Next; q.Cursor == "" {
					return names, counts
				}
			}
		}
		for _, limit := range []int{1, 3, 50} {
			names, counts := pending(vidal.viewer(), limit)
			require.Equal(t, []string{"Álvarez", "Costa", "mas", "Soler"}, names)
			require.Equal(t, []int{1, 0, 1, 1}, counts, "nothing without a grant")
		}
		names, _ := pending(ViewerFor(jordi), 50)
		require.Equal(t, []string{"Soler"}, names, "an account manager's assigned client")

		for _, stranger := range []domain.Actor{rius.owner, w.client("Other", domain.PlanBasic).owner} {
			_, err := w.engine.KPIs(w.settled(), ViewerFor(stranger), KPIQuery{Consultancy: vidal.id})
			require.True(t, domain.HasCode(err, "not_your_account"), err)
		}
		_, err := w.engine.KPIs(w.settled(), Viewer{}, KPIQuery{Client: vidal.id})
		require.True(t, domain.HasCode(err, "unauthenticated"), err)
		for _, q := range []KPIQuery{{}, {Client: rius.id, Consultancy: vidal.id}} {
			_, err := w.engine.KPIs(w.settled(), staff, q)
			require.True(t, domain.HasCode(err, "invalid"), err)
		}
	})
}
