package projections

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

// logInOften records that a person opened a client's account so many times, with a grant that was theirs.
func (w *world) logInOften(user uuid.UUID, pair domain.Pair, grant uuid.UUID, times int) {
	w.t.Helper()
	a := eventstore.Append{CommandID: uuid.New(), Actor: operator.String()}
	for range times {
		stream := eventstore.StreamID{Kind: domain.SessionStream, ID: uuid.New()}
		event := domain.ClientAccountOpened{Pair: pair, SessionID: stream.ID, UserID: user, GrantID: grant, ExpiresAt: w.now.Add(domain.MaxSessionLasts)}
		data, err := json.Marshal(event)
		require.NoError(w.t, err)
		a.Expect = append(a.Expect, eventstore.StreamVersion{Stream: stream})
		a.Events = append(a.Events, eventstore.NewEvent{ID: uuid.New(), Stream: stream, Type: event.EventType(), Data: data})
	}
	_, err := w.store.Append(w.t.Context(), a)
	require.NoError(w.t, err)
}

// Log-ins are most of what a person leaves behind: what they ask must not cost more for every one.
func TestQueriesReadNoMoreLogInsThanTheyShow(t *testing.T) {
	t.Parallel()
	const limit, ours, others, othersEach = 5, 500, 100, 20
	const bounds = 2    // rows: the first and the last of those that may be open
	const planning = 12 // rows, from the ends of the indexes, that Postgres looks at to estimate what a range holds
	w := &world{ledger: newLedger(t, sqldbtest.Postgres(t))}
	w.engine = w.open()
	w.run(w.engine)
	vidal, soler := w.partner("Vidal"), w.client("Soler", domain.PlanBasic)
	jordi := w.join(vidal, "Jordi Puig", domain.RoleAccountManager)
	pair := w.collaborate(vidal, soler)
	grant := w.grant(soler, pair, domain.RoleSales)
	w.assign(vidal, pair, jordi)
	w.logInOften(jordi.UserID, domain.Pair(pair), grant, ours)
	for range others {
		w.logInOften(uuid.New(), domain.Pair{ConsultancyID: uuid.New(), ClientID: uuid.New()}, uuid.New(), othersEach)
	}
	w.pass(2 * domain.MaxSessionLasts)
	quiet := w.now.Add(-time.Minute)
	w.logIn(jordi, pair)
	w.logIn(jordi, pair)
	ctx := w.settled()
	require.NoError(t, w.engine.Rebuild(ctx, "", nil), "after which Postgres knows what the tables hold")

	page := Paging{Limit: limit}
	log := func(viewer Viewer, q SessionLogQuery) func(view) (int, error) {
		q.Paging = page
		return func(v view) (int, error) {
			page, err := querySessions(ctx, v, viewer, q)
			return len(page.Items), err
		}
	}
	sessions := func(viewer Viewer, q AccessQuery) func(view) (int, error) {
		return log(viewer, SessionLogQuery{AccessQuery: q})
	}
	for name, query := range map[string]struct {
		ask         func(view) (items int, err error)
		items, most int // log-ins read
	}{
		"the log-ins of a person, to themselves":    {sessions(ViewerFor(jordi), AccessQuery{User: jordi.UserID}), limit, limit + 1},
		"the log-ins of a person, to the firm":      {sessions(vidal.viewer(), AccessQuery{Consultancy: vidal.id, User: jordi.UserID}), limit, limit + 1},
		"the log-ins of a person, to the client":    {sessions(soler.viewer(), AccessQuery{Client: soler.id, User: jordi.UserID}), limit, limit + 1},
		"the log-ins of a firm":                     {sessions(vidal.viewer(), AccessQuery{Consultancy: vidal.id}), limit, limit + 1},
		"the log-ins of a firm to a client's books": {sessions(vidal.viewer(), AccessQuery{Consultancy: vidal.id, Client: soler.id}), limit, limit + 1},
		"who of a firm is logged in":                {sessions(vidal.viewer(), AccessQuery{Consultancy: vidal.id, LiveOnly: true}), 2, 2 + bounds},
		"who is logged in to a client's books":      {sessions(soler.viewer(), AccessQuery{Client: soler.id, LiveOnly: true}), 2, 2 + bounds},
		"who of a firm was, when nobody was":        {log(vidal.viewer(), SessionLogQuery{AccessQuery: AccessQuery{Consultancy: vidal.id}, OpenAt: quiet}), 0, bounds},
		"what a person may do and has done": {func(v view) (int, error) {
			page, err := queryAccess(ctx, v, ViewerFor(jordi), AccessQuery{User: jordi.UserID, Paging: page})
			return len(page.Items), err
		}, 1, 0},
		"the consultancies of a client": {func(v view) (int, error) {
			page, err := queryAdvice(ctx, v, soler.viewer(), AdviceQuery{Client: soler.id, Paging: page})
			return len(page.Items), err
		}, 1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, w.engine.read(ctx, func(v view) error {
				before := rowsRead(t, v, "sessions")
				items, err := query.ask(v)
				require.NoError(t, err)
				require.Equal(t, query.items, items)
				require.LessOrEqual(t, rowsRead(t, v, "sessions")-before, query.most+planning)
				return nil
			}))
		})
	}
}

// A directory grows with the partners: who looks for one of them, or for the first of many, must not wait for all.
func TestASearchReadsNoMoreOfTheDirectoryThanItShows(t *testing.T) {
	t.Parallel()
	const limit, partners = 3, 150
	const planning = 2 // rows, the first and the last by their key, that Postgres looks at to estimate a join
	w := &world{ledger: newLedger(t, sqldbtest.Postgres(t))}
	w.engine = w.open()
	w.run(w.engine)
	for i := range partners {
		w.partner(fmt.Sprintf("Gestoria n%d", i))
	}
	ctx := w.settled()
	_, err := w.db.Write.ExecContext(ctx, "ANALYZE")
	require.NoError(t, err)

	page := Paging{Limit: limit}
	all, err := w.engine.Directory(ctx, Viewer{}, DirectoryQuery{Paging: page})
	require.NoError(t, err)
	next := Paging{Limit: limit, Cursor: all.Next}
	for name, query := range map[string]struct {
		DirectoryQuery
		items, most int
	}{
		"all":                                 {DirectoryQuery{Paging: page}, limit, limit + 1},
		"a word that all have":                {DirectoryQuery{Text: "tax", Service: "bookkeeping", City: "Barcelona", Paging: page}, limit, limit + 1},
		"the next page of that":               {DirectoryQuery{Text: "tax", Service: "bookkeeping", City: "Barcelona", Paging: next}, limit, limit + 1},
		"one's name":                          {DirectoryQuery{Text: "n42", Paging: page}, 1, 1},
		"one's name and a word that all have": {DirectoryQuery{Text: "tax n42", Service: "bookkeeping", Language: "es", Paging: page}, 1, 1},
		"a tag that nobody has":               {DirectoryQuery{Text: "tax", Specialty: "farms", Paging: page}, 0, 0},
		"a city where nobody is":              {DirectoryQuery{City: "Vic", Paging: page}, 0, 0},
		"a country where nobody is":           {DirectoryQuery{Country: "PT", Paging: page}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, w.engine.read(ctx, func(v view) error {
				before := rowsRead(t, v, "directory")
				found, err := queryDirectory(ctx, v, query.DirectoryQuery)
				require.NoError(t, err)
				require.Len(t, found.Items, query.items)
				require.LessOrEqual(t, rowsRead(t, v, "directory")-before, query.most+planning)
				return nil
			}))
		})
	}
}

// A client's finished tasks grow without end: a page of the list must not cost more for every one, of whatever status it is.
func TestAListOfTasksReadsNoMoreOfThemThanItMayShow(t *testing.T) {
	t.Parallel()
	const limit, tasks = 4, 120
	w := &world{ledger: newLedger(t, sqldbtest.Postgres(t))}
	w.engine = w.open()
	w.run(w.engine)
	soler := w.client("Soler", domain.PlanBasic)
	for i := range tasks {
		id := w.task(soler, domain.Sales, fmt.Sprintf("Invoice %d", i))
		switch i % 3 {
		case 0:
			w.do(soler.owner, commands.CompleteTask{TaskID: id})
		case 1:
			w.do(operator, commands.CancelTask{TaskID: id})
		}
	}
	ctx := w.settled()
	_, err := w.db.Write.ExecContext(ctx, "ANALYZE")
	require.NoError(t, err)

	page := Paging{Limit: limit}
	all, err := w.engine.Tasks(ctx, soler.viewer(), TasksQuery{Client: soler.id, Paging: page})
	require.NoError(t, err)
	next := Paging{Limit: limit, Cursor: all.Next}
	for name, query := range map[string]struct {
		TasksQuery
		most int
	}{
		"of any status":            {TasksQuery{Client: soler.id, Paging: page}, 3 * (limit + 1)},
		"the next page of that":    {TasksQuery{Client: soler.id, Paging: next}, 3 * (limit + 1)},
		"pending":                  {TasksQuery{Client: soler.id, Status: domain.TaskPending, Paging: page}, limit + 1},
		"of one section, finished": {TasksQuery{Client: soler.id, Section: domain.Sales, Status: domain.TaskFinished, Paging: page}, limit + 1},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, w.engine.read(ctx, func(v view) error {
				before := rowsRead(t, v, "tasks")
				found, err := queryTasks(ctx, v, soler.viewer(), query.TasksQuery)
				require.NoError(t, err)
				require.Len(t, found.Items, limit)
				require.LessOrEqual(t, rowsRead(t, v, "tasks")-before, query.most)
				return nil
			}))
		})
	}
}

// rowsRead tells how many rows of a table the view's connection has read, as Postgres counts them.
func rowsRead(t *testing.T, v view, table string) int {
	rows, err := collect(t.Context(), v, "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = $1", []any{v.tables[table]},
		func(scan func(...any) error) (rows int, err error) {
			err = scan(&rows)
			return rows, err
		})
	require.NoError(t, err)
	require.Len(t, rows, 1)
	return rows[0]
}
