package sqldbtest_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

func TestEachRunsOnBothDatabases(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		require.True(t, strings.HasSuffix(t.Name(), "/"+string(db.Dialect)), "%s runs on %s", t.Name(), db.Dialect)
		require.NoError(t, db.Write.PingContext(t.Context()))
	})
}

func TestPostgresDatabasesAreDroppedWithTheirTest(t *testing.T) {
	server := sqldbtest.Postgres(t)
	var name string
	outer := t
	t.Run("a test that leaves a connection open", func(t *testing.T) {
		db, err := sqldb.OpenPostgres(t.Context(), sqldbtest.PostgresDSN(t))
		require.NoError(t, err)
		outer.Cleanup(func() { require.NoError(outer, db.Close()) })
		require.NoError(t, db.Write.QueryRowContext(t.Context(), "SELECT current_database()").Scan(&name))
	})
	require.Regexp(t, "^ledger_test_[0-9a-f]{32}$", name)
	var left int
	require.NoError(t, server.Read.QueryRowContext(t.Context(),
		"SELECT count(*) FROM pg_database WHERE datname = $1", name).Scan(&left))
	require.Zero(t, left)
}

// The test below runs TestEachRunsOnBothDatabases again, in a process without a server.
func TestWithoutAServerThePostgresRunIsSkippedAloudOrFails(t *testing.T) {
	for _, c := range []struct{ name, require, want string }{
		{"skipped", "", "SKIP: TestEachRunsOnBothDatabases/postgres"},
		{"required", "1", "FAIL: TestEachRunsOnBothDatabases/postgres"},
	} {
		t.Run(c.name, func(t *testing.T) {
			again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestEachRunsOnBothDatabases$", "-test.v")
			again.Env = append(os.Environ(), "LEDGER_TEST_POSTGRES=", "LEDGER_TEST_REQUIRE_POSTGRES="+c.require)
			output, err := again.CombinedOutput()
			require.Equal(t, c.require == "1", err != nil, "it fails only where Postgres is required: %s", output)
			require.Contains(t, string(output), c.want)
			require.Contains(t, string(output), "LEDGER_TEST_POSTGRES is not set")
			require.Contains(t, string(output), "PASS: TestEachRunsOnBothDatabases/sqlite")
		})
	}
}
