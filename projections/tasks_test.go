package projections

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

// titles asks for tasks; the query must succeed.
func (w *world) titles(v Viewer, q TasksQuery) []string {
	w.t.Helper()
	page, err := w.engine.Tasks(w.settled(), v, q)
	require.NoError(w.t, err)
	titles := []string{}
	for _, item := range page.Items {
		titles = append(titles, item.Title)
	}
	return titles
}

// noTasks asks for tasks that are not the viewer's to see.
func (w *world) noTasks(v Viewer, q TasksQuery) {
	w.t.Helper()
	page, err := w.engine.Tasks(w.settled(), v, q)
	require.True(w.t, domain.HasCode(err, "no_access"), err)
	require.Empty(w.t, page.Items)
}

func TestTasksAreListedDueFirstAndThenAsRaised(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		soler := w.client("Soler", domain.PlanBasic)
		raisedAt := w.now
		due := raisedAt.Add(time.Hour)
		w.task(soler, domain.Sales, "someday")
		w.task(soler, domain.Banking, "tomorrow", raisedAt.Add(24*time.Hour))
		soon := w.task(soler, domain.Sales, "soon", due)
		w.task(soler, domain.Journal, "soon too", due)
		w.task(w.client("Mas", domain.PlanBasic), domain.Sales, "another client's")
		want := []string{"soon", "soon too", "tomorrow", "someday"}
		require.Equal(t, want, w.titles(soler.viewer(), TasksQuery{Client: soler.id}))
		require.Equal(t, want, w.titles(staff, TasksQuery{Client: soler.id}))
		require.Equal(t, []string{"soon", "someday"}, w.titles(staff, TasksQuery{Client: soler.id, Section: domain.Sales}))

		var paged []string
		q := TasksQuery{Client: soler.id, Paging: Paging{Limit: 1}}
		for {
			page, err := w.engine.Tasks(w.settled(), staff, q)
			require.NoError(t, err)
			require.Len(t, page.Items, 1)
			paged = append(paged, page.Items[0].Title)
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		require.Equal(t, want, paged)

		first := func() TaskItem {
			page, err := w.engine.Tasks(w.settled(), staff, TasksQuery{Client: soler.id})
			require.NoError(t, err)
			return page.Items[0]
		}
		item := first()
		require.NotEmpty(t, item.ExternalRef)
		item.ExternalRef = ""
		require.Equal(t, TaskItem{
			TaskID: soon, ClientID: soler.id, ClientName: "Soler", Section: domain.Sales, Title: "soon", GoTo: "https://app.example/1",
			Status: domain.TaskPending, RaisedAt: raisedAt, DueAt: &due,
		}, item)
		w.pass(time.Hour)
		require.False(t, first().Overdue, "due now")
		w.pass(time.Microsecond)
		require.True(t, first().Overdue)

		completedAt := w.now
		w.do(soler.owner, commands.CompleteTask{TaskID: soon})
		item = first()
		require.Equal(t, domain.TaskFinished, item.Status)
		require.False(t, item.Overdue, "done")
		require.Equal(t, &completedAt, item.CompletedAt)
		require.Equal(t, soler.owner.String(), item.CompletedBy)
		require.Equal(t, want[:1], w.titles(staff, TasksQuery{Client: soler.id, Status: domain.TaskFinished}))
		require.Equal(t, want[1:], w.titles(staff, TasksQuery{Client: soler.id, Status: domain.TaskPending}))
	})
}

func TestAConsultancySeesTheTasksOfTheSectionsThatItsGrantShows(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler := w.partner("Vidal"), w.client("Soler", domain.PlanBasic)
		w.task(soler, domain.Sales, "invoices")
		w.task(soler, domain.Journal, "entries")
		all := TasksQuery{Client: soler.id}
		w.noTasks(vidal.viewer(), all)

		pair := w.collaborate(vidal, soler)
		w.noTasks(vidal.viewer(), all)

		until := w.now.Add(time.Hour)
		w.grant(soler, pair, domain.RoleSales, until)
		require.Equal(t, []string{"invoices"}, w.titles(vidal.viewer(), all))
		w.noTasks(vidal.viewer(), TasksQuery{Client: soler.id, Section: domain.Journal})
		require.Empty(t, w.titles(vidal.viewer(), TasksQuery{Client: soler.id, Section: domain.Banking}))

		w.pass(time.Hour)
		w.noTasks(vidal.viewer(), all)

		w.grant(soler, pair, domain.RoleFinance)
		require.Equal(t, []string{"invoices", "entries"}, w.titles(vidal.viewer(), all))
		w.do(operator, commands.RecordSubscription{AccountID: soler.id, Plan: domain.PlanFree, Status: domain.Current})
		require.Equal(t, []string{"invoices"}, w.titles(vidal.viewer(), all), "the free plan has no journal")

		w.do(vidal.owner, commands.EndCollaboration{PairFields: pair, Reason: "Done."})
		w.noTasks(vidal.viewer(), all)
		require.Equal(t, []string{"invoices", "entries"}, w.titles(soler.viewer(), all))
	})
}

func TestAnAccountManagerSeesTheTasksOfAssignedClientsOnly(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler := w.partner("Vidal"), w.client("Soler", domain.PlanBasic)
		jordi := w.join(vidal, "Jordi Puig", domain.RoleAccountManager)
		w.task(soler, domain.Sales, "invoices")
		pair := w.collaborate(vidal, soler)
		w.grant(soler, pair, domain.RoleSales)
		all := TasksQuery{Client: soler.id}
		w.noTasks(ViewerFor(jordi), all)
		w.assign(vidal, pair, jordi)
		require.Equal(t, []string{"invoices"}, w.titles(ViewerFor(jordi), all))
		w.do(vidal.owner, commands.RemoveMember{AccountID: vidal.id, UserID: jordi.UserID})
		w.noTasks(ViewerFor(jordi), all)
		w.noTasks(w.client("Mas", domain.PlanBasic).viewer(), all)
	})
}

func TestAQueryOfTasksNamesWhatIsWrongWithIt(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		soler := w.client("Soler", domain.PlanBasic)
		for field, q := range map[string]TasksQuery{
			"client":  {},
			"section": {Client: soler.id, Section: domain.Payroll},
			"status":  {Client: soler.id, Status: "done"},
			"limit":   {Client: soler.id, Paging: Paging{Limit: MaxPageItems + 1}},
			"cursor":  {Client: soler.id, Paging: Paging{Cursor: "?"}},
		} {
			_, err := w.engine.Tasks(w.settled(), staff, q)
			require.Error(t, err, field)
			require.Equal(t, field, domain.AsError(err).Fields[0].Field)
		}
		_, err := w.engine.Tasks(w.settled(), Viewer{}, TasksQuery{Client: soler.id})
		require.True(t, domain.HasCode(err, "unauthenticated"), err)
	})
}

func TestATaskIsReopenedAndCancelled(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		soler := w.client("Soler", domain.PlanBasic)
		task := w.task(soler, domain.Sales, "Categorise")
		tells := func(status domain.TaskStatus, pending, completed int) TaskItem {
			t.Helper()
			page, err := w.engine.Tasks(w.settled(), soler.viewer(), TasksQuery{Client: soler.id, Status: status})
			require.NoError(t, err)
			require.Len(t, page.Items, 1)
			sales := w.kpis(soler.viewer(), KPIQuery{Client: soler.id})[0].Sections[0]
			require.Equal(t, KPISection{Section: domain.Sales, Pending: pending, Completed: completed}, sales)
			return page.Items[0]
		}
		w.do(soler.owner, commands.CompleteTask{TaskID: task})
		completed := tells(domain.TaskFinished, 0, 1)
		require.Equal(t, &w.now, completed.CompletedAt)
		require.Equal(t, soler.owner.String(), completed.CompletedBy)

		w.do(soler.owner, commands.ReopenTask{TaskID: task})
		reopened := tells(domain.TaskPending, 1, 0)
		require.Nil(t, reopened.CompletedAt)
		require.Empty(t, reopened.CompletedBy)

		w.do(soler.owner, commands.CancelTask{TaskID: task})
		tells(domain.TaskAbandoned, 0, 0)
	})
}
