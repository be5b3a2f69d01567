package sqldb_test

import (
	"context"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pressly/goose/v3/lock"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

// migrations are two versions of a schema; applying the second one twice would leave two rows, or fail.
func migrations() fstest.MapFS {
	return fstest.MapFS{
		"00001_firms.sql": {Data: []byte("-- +goose Up\nCREATE TABLE firms (name TEXT NOT NULL);\n")},
		"00002_first.sql": {Data: []byte("-- +goose Up\nINSERT INTO firms (name) VALUES ('first');\n")},
	}
}

func count(t *testing.T, db *sqldb.DB, query string) int {
	t.Helper()
	var n int
	require.NoError(t, db.Read.QueryRowContext(t.Context(), query).Scan(&n))
	return n
}

func TestMigrateAppliesEachFileOnce(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		files := migrations()
		for range 2 {
			require.NoError(t, db.Migrate(t.Context(), "schema_firms", files))
			require.Equal(t, 1, count(t, db, "SELECT count(*) FROM firms"))
		}
		files["00003_second.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nINSERT INTO firms (name) VALUES ('second');\n")}
		require.NoError(t, db.Migrate(t.Context(), "schema_firms", files))
		require.Equal(t, 2, count(t, db, "SELECT count(*) FROM firms"))
	})
}

func TestMigrateKeepsCountOfEachPartOfTheSchemaByItself(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		require.NoError(t, db.Migrate(t.Context(), "schema_firms", migrations()))
		require.NoError(t, db.Migrate(t.Context(), "schema_tasks", fstest.MapFS{
			"00001_tasks.sql": {Data: []byte("-- +goose Up\nCREATE TABLE tasks (title TEXT NOT NULL);\n")},
		}))
		require.Equal(t, 2, count(t, db, "SELECT max(version_id) FROM schema_firms"))
		require.Equal(t, 1, count(t, db, "SELECT max(version_id) FROM schema_tasks"))
		require.Equal(t, 0, count(t, db, "SELECT count(*) FROM tasks"))
	})
}

func TestMigrateRefusesASchemaNewerThanItsFiles(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		files := migrations()
		files["00007_later.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nALTER TABLE firms ADD COLUMN size BIGINT;\n")}
		require.NoError(t, db.Migrate(t.Context(), "schema_firms", files))
		versions := count(t, db, "SELECT count(*) FROM schema_firms")

		err := db.Migrate(t.Context(), "schema_firms", migrations())
		require.ErrorContains(t, err,
			"the database has schema version 7, newer than this binary's 2; install a newer ledger")
		require.Equal(t, versions, count(t, db, "SELECT count(*) FROM schema_firms"), "nothing was recorded")
		require.Equal(t, 1, count(t, db, "SELECT count(*) FROM firms"), "nothing was applied again")
		require.Equal(t, 0, count(t, db, "SELECT count(size) FROM firms"), "the newer column is still there")
	})
}

func TestMigrateLeavesNothingOfAFileThatFails(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		files := migrations()
		files["00003_broken.sql"] = &fstest.MapFile{Data: []byte(
			"-- +goose Up\nINSERT INTO firms (name) VALUES ('half');\nINSERT INTO missing (name) VALUES ('broken');\n")}
		require.ErrorContains(t, db.Migrate(t.Context(), "schema_firms", files), "version:3")
		require.Equal(t, 1, count(t, db, "SELECT count(*) FROM firms"))
		require.Equal(t, 2, count(t, db, "SELECT max(version_id) FROM schema_firms"))
	})
}

func TestMigrateRefusesAFolderWithoutMigrations(t *testing.T) {
	require.ErrorContains(t, sqldbtest.SQLite(t).Migrate(t.Context(), "schema_firms", fstest.MapFS{}), "no migrations")
}

// migrateTogether migrates the same database from several nodes that start together. The first version is there already, so
// that nothing but Migrate keeps the nodes from applying the second one each.
func migrateTogether(t *testing.T, nodes []*sqldb.DB) {
	files := migrations()
	require.NoError(t, nodes[0].Migrate(t.Context(), "schema_firms", fstest.MapFS{"00001_firms.sql": files["00001_firms.sql"]}))
	var wg sync.WaitGroup
	errs := make([]error, len(nodes))
	for i, node := range nodes {
		wg.Go(func() { errs[i] = node.Migrate(t.Context(), "schema_firms", files) })
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.Equal(t, 1, count(t, nodes[0], "SELECT count(*) FROM firms"))
	require.Equal(t, 1, count(t, nodes[0], "SELECT count(*) FROM schema_firms WHERE version_id = 2"))
}

func TestNodesThatStartTogetherMigrateOnce(t *testing.T) {
	dsn := sqldbtest.PostgresDSN(t)
	var nodes []*sqldb.DB
	for range 4 {
		node, err := sqldb.OpenPostgres(t.Context(), dsn)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, node.Close()) })
		nodes = append(nodes, node)
	}
	migrateTogether(t, nodes)
}

func TestMigrateWaitsForTheNodeThatIsMigrating(t *testing.T) {
	db := sqldbtest.Postgres(t)
	other, err := db.Write.Conn(t.Context())
	require.NoError(t, err)
	defer other.Close()
	_, err = other.ExecContext(t.Context(), "SELECT pg_advisory_lock($1)", lock.DefaultLockID)
	require.NoError(t, err)

	impatient, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, db.Migrate(impatient, "schema_firms", migrations()), context.DeadlineExceeded)
	require.Zero(t, count(t, db, "SELECT count(*) FROM pg_tables WHERE tablename IN ('firms', 'schema_firms')"))

	_, err = other.ExecContext(t.Context(), "SELECT pg_advisory_unlock($1)", lock.DefaultLockID)
	require.NoError(t, err)
	require.NoError(t, db.Migrate(t.Context(), "schema_firms", migrations()))
}

func TestPartsOfOneProcessThatMigrateTogetherMigrateOnce(t *testing.T) {
	db := sqldbtest.SQLite(t)
	migrateTogether(t, []*sqldb.DB{db, db, db, db})
}
