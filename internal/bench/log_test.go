package bench

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

// eachPlace runs a test on SQLite and on Postgres, and requires that nothing is left of it there.
func eachPlace(t *testing.T, test func(t *testing.T, place Place)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		place := Place{Folder: t.TempDir()}
		test(t, place)
		left, err := os.ReadDir(place.Folder)
		require.NoError(t, err)
		require.Empty(t, left)
	})
	t.Run("postgres", func(t *testing.T) {
		place := Place{Postgres: sqldbtest.PostgresDSN(t)}
		test(t, place)
		require.Empty(t, databases(t, place.Postgres))
	})
}

func TestRead(t *testing.T) {
	eachPlace(t, func(t *testing.T, place Place) {
		report, err := Read(t.Context(), ReadConfig{Place: place, Timing: brief(1), Clients: []int{1, 2}, Events: 1_001})
		require.NoError(t, err)
		requireSane(t, report)
		require.Len(t, measured(report, "pages"), 2)
		require.Len(t, measured(report, "streams"), 2)
	})
}

func TestProject(t *testing.T) {
	eachPlace(t, func(t *testing.T, place Place) {
		report, err := Project(t.Context(), ProjectConfig{Place: place, Rounds: 2, Events: 1_500})
		require.NoError(t, err)
		requireSane(t, report)
		require.Len(t, measured(report, "catch up"), 1)
		require.Len(t, measured(report, "rebuild"), 1)
	})
}

func TestALogIsRefusedThatIsTooSmallOrTooLarge(t *testing.T) {
	for _, events := range []int{MinEvents - 1, MaxEvents + 1} {
		_, err := Project(t.Context(), ProjectConfig{Rounds: 1, Events: events})
		require.ErrorContains(t, err, "events must be from 1000 to 20000000")
		_, err = Read(t.Context(), ReadConfig{Timing: brief(1), Clients: []int{1}, Events: events})
		require.ErrorContains(t, err, "events must be from 1000 to 20000000")
	}
}
