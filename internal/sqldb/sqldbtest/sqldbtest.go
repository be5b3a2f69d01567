// Package sqldbtest gives tests fresh databases: SQLite always, Postgres when LEDGER_TEST_POSTGRES holds a server's DSN.
package sqldbtest

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/internal/sqldb"
)

// The environment variables by which scripts/test tells the tests about its server.
const (
	postgresVariable        = "LEDGER_TEST_POSTGRES"         // DSN, as a URL, of a server on which databases may be created
	requirePostgresVariable = "LEDGER_TEST_REQUIRE_POSTGRES" // 1: a test that needs Postgres fails without one
)

// Each runs a test once on each database, each time on a fresh one. Without LEDGER_TEST_POSTGRES the Postgres run is skipped,
// aloud; with LEDGER_TEST_REQUIRE_POSTGRES=1 (scripts/test sets it) that is a failure instead.
func Each(t *testing.T, test func(t *testing.T, db *sqldb.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, Postgres(t)) })
}

// SQLite opens a fresh SQLite database in the test's folder.
func SQLite(t testing.TB) *sqldb.DB {
	t.Helper()
	db, err := sqldb.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// Postgres opens a fresh Postgres database, dropped when the test ends; it skips, aloud, without a server.
func Postgres(t testing.TB) *sqldb.DB {
	t.Helper()
	db, err := sqldb.OpenPostgres(t.Context(), PostgresDSN(t))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// PostgresDSN makes a fresh Postgres database, dropped when the test ends, for a process that opens it by itself.
func PostgresDSN(t testing.TB) string {
	t.Helper()
	server, err := url.Parse(postgresServer(t))
	require.NoError(t, err, "%s must be a URL", postgresVariable)
	name := "ledger_test_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	administer(t, t.Context(), server, "CREATE DATABASE "+name+" TEMPLATE template0")
	// The test's own context has ended by the time of its cleanup. FORCE ends connections that a test has left open.
	t.Cleanup(func() { administer(t, context.Background(), server, "DROP DATABASE "+name+" WITH (FORCE)") })
	database := *server
	database.Path = "/" + name
	return database.String()
}

// postgresServer is the DSN of the server that tests may use; without one it skips the test, or fails it where one is required.
func postgresServer(t testing.TB) string {
	t.Helper()
	dsn := os.Getenv(postgresVariable)
	if dsn != "" {
		return dsn
	}
	lacking(t, postgresVariable+" is not set: this test needs a Postgres server; scripts/test starts one")
	return ""
}

// lacking skips a test for which there is no Postgres, aloud, or fails it where one is required.
func lacking(t testing.TB, what string) {
	t.Helper()
	if os.Getenv(requirePostgresVariable) == "1" {
		t.Fatalf("%s; %s=1 requires it", what, requirePostgresVariable)
	}
	t.Skip(what)
}

// administer runs one statement that cannot run inside the database it is about.
func administer(t testing.TB, ctx context.Context, server *url.URL, statement string) {
	t.Helper()
	conn, err := pgx.Connect(ctx, server.String())
	require.NoError(t, err)
	_, err = conn.Exec(ctx, statement)
	require.NoError(t, err)
	require.NoError(t, conn.Close(ctx))
}
