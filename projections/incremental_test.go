package projections

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/collabledger/collabledger/audit"
	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

// postgresRuns is how many runs are tried on Postgres, where a fresh database costs more.
const postgresRuns = 8

// Folding the log bit by bit, in whatever pages and with whatever interruptions, gives the same rows in all tables of all models
// as folding it at once; and the inbox, all that shows access and what is due agree with the domain.
func TestIncrementalFoldsEqualARebuild(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			r := runs().Draw(rt, "run")
			if !t.Run("run", func(t *testing.T) { incrementalEqualsRebuilt(t, newLedger(t, sqldbtest.SQLite(t)), r) }) {
				rt.FailNow()
			}
		})
	})
	t.Run("postgres", func(t *testing.T) {
		for seed := range postgresRuns {
			incrementalEqualsRebuilt(t, newLedger(t, sqldbtest.Postgres(t)), runs().Example(seed))
		}
	})
}

// step is one thing that somebody tries, and how the models follow it.
type step struct {
	action      int // which of the attempts
	consultancy int // for which of the consultancies
	client      int // and which of the clients
	stranger    int // 0: somebody else than who is likely to be allowed tries it
	choice      int // of what else the attempt needs
	pages       int // how many pages are folded after it
	pageEvents  int // of how many events at most
	restart     bool
	rebuild     bool
}

// runs draws runs of steps.
func runs() *rapid.Generator[[]step] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		return step{
			action:      rapid.IntRange(0, len(attempts())-1).Draw(t, "action"),
			consultancy: rapid.IntRange(0, 1).Draw(t, "consultancy"),
			client:      rapid.IntRange(0, 1).Draw(t, "client"),
			stranger:    rapid.IntRange(0, 9).Draw(t, "stranger"),
			choice:      rapid.IntRange(0, 99).Draw(t, "choice"),
			pages:       rapid.IntRange(0, 3).Draw(t, "pages"),
			pageEvents:  rapid.IntRange(1, 7).Draw(t, "pageEvents"),
			restart:     rapid.IntRange(0, 9).Draw(t, "restart") == 0,
			rebuild:     rapid.IntRange(0, 29).Draw(t, "rebuild") == 0,
		}
	}), 10, 80)
}

func incrementalEqualsRebuilt(t *testing.T, l *ledger, run []step) {
	c := newCast(l)
	engine := l.open()
	for _, s := range run {
		c.take(s)
		if s.restart {
			engine = l.open()
		}
		for range s.pages {
			foldPage(t, engine, s.pageEvents)
		}
		if s.restart || s.rebuild {
			engine.limits = tightLimits()
		}
		if s.rebuild {
			name := engine.models[s.choice%len(engine.models)].name
			require.NoError(t, engine.Rebuild(t.Context(), name, nil))
		}
	}
	for foldPage(t, engine, 7) {
	}
	incremental := allRows(t, engine)
	for _, limits := range []engineLimits{tightLimits(), limitsOf(l.db.Dialect)} {
		engine.limits = limits
		require.NoError(t, engine.Rebuild(t.Context(), "", nil))
		require.Equal(t, incremental, allRows(t, engine))
	}
	c.compareInbox(engine)
	c.compareDirectory(engine)
	c.compareReviews(engine)
	c.compareAccess(engine)
	c.compareDeadlines(engine)
	report, err := audit.Check(t.Context(), l.store, audit.Options{})
	require.NoError(t, err)
	require.Positive(t, report.Events)
	require.Empty(t, report.Violations)
}

// foldPage folds one page and tells whether there was one.
func foldPage(t *testing.T, engine *Engine, events int) bool {
	t.Helper()
	group, err := engine.liveGroup(t.Context())
	require.NoError(t, err)
	require.Len(t, group, len(engine.models), "the models are in step")
	page, err := engine.store.ReadAll(t.Context(), group[0].position, events)
	require.NoError(t, err)
	if len(page) > 0 {
		require.NoError(t, engine.handle(t.Context(), group, engine.facts(page)))
	}
	return len(page) > 0
}

// allRows reads all rows of all live tables, by table, in the order of their keys.
func allRows(t *testing.T, engine *Engine) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	require.NoError(t, engine.read(t.Context(), func(v view) error {
		for _, m := range engine.models {
			for _, table := range m.tables {
				names := table.columnNames()
				result, err := v.query(t.Context(), fmt.Sprintf("SELECT %s FROM {%s} ORDER BY %s",
					strings.Join(names, ", "), table.name, strings.Join(names[:table.key], ", ")))
				if err != nil {
					return err
				}
				all[table.name] = nil
				err = sqldb.EachRow(result, func(s *sql.Rows) error {
					values := make([]any, len(names))
					for i := range values {
						values[i] = new(any)
					}
					err := s.Scan(values...)
					row := ""
					for i, name := range names {
						row += fmt.Sprintf("%s=%v ", name, *values[i].(*any))
					}
					all[table.name] = append(all[table.name], row)
					return err
				})
				if err != nil {
					return err
				}
			}
		}
		return nil
	}))
	return all
}
