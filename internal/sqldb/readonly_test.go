package sqldb_test

import (
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

// readOnly runs a test on a fresh database of each kind, opened twice: for writing, and for reading alone.
func readOnly(t *testing.T, test func(t *testing.T, writing, reading *sqldb.DB)) {
	t.Helper()
	both := func(t *testing.T, open, openReadOnly func() (*sqldb.DB, error)) {
		writing, err := open()
		require.NoError(t, err)
		reading, err := openReadOnly()
		require.NoError(t, err)
		test(t, writing, reading)
		require.NoError(t, reading.Close())
		require.NoError(t, writing.Close())
	}
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "ledger.db")
		both(t, func() (*sqldb.DB, error) { return sqldb.OpenSQLite(t.Context(), path) },
			func() (*sqldb.DB, error) { return sqldb.OpenSQLiteReadOnly(t.Context(), path) })
	})
	t.Run("postgres", func(t *testing.T) {
		dsn := sqldbtest.PostgresDSN(t)
		both(t, func() (*sqldb.DB, error) { return sqldb.OpenPostgres(t.Context(), dsn) },
			func() (*sqldb.DB, error) { return sqldb.OpenPostgresReadOnly(t.Context(), dsn) })
	})
}

func TestReadingAloneSeesWhatIsWrittenAndWritesNothing(t *testing.T) {
	readOnly(t, func(t *testing.T, writing, reading *sqldb.DB) {
		require.NoError(t, writing.Migrate(t.Context(), "schema_firms", migrations()))
		require.True(t, reading.ReadOnly)
		require.False(t, writing.ReadOnly)
		require.Equal(t, 1, count(t, reading, "SELECT count(*) FROM firms"))
		_, err := writing.Write.ExecContext(t.Context(), "INSERT INTO firms (name) VALUES ('second')")
		require.NoError(t, err)
		require.Equal(t, 2, count(t, reading, "SELECT count(*) FROM firms"))
		_, err = reading.Write.ExecContext(t.Context(), "INSERT INTO firms (name) VALUES ('third')")
		require.ErrorContains(t, err, "read")
		require.Equal(t, 2, count(t, writing, "SELECT count(*) FROM firms"))
	})
}

func TestReadingAloneTakesTheSchemaAsItIs(t *testing.T) {
	readOnly(t, func(t *testing.T, writing, reading *sqldb.DB) {
		require.ErrorContains(t, reading.Migrate(t.Context(), "schema_firms", migrations()), "no such schema")
		require.NoError(t, writing.Migrate(t.Context(), "schema_firms", migrations()))
		require.NoError(t, reading.Migrate(t.Context(), "schema_firms", migrations()))

		files := migrations()
		files["00003_later.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nALTER TABLE firms ADD COLUMN size BIGINT;\n")}
		require.ErrorContains(t, reading.Migrate(t.Context(), "schema_firms", files), "schema version 2, older than this binary's 3")
		require.NoError(t, writing.Migrate(t.Context(), "schema_firms", files))
		require.ErrorContains(t, reading.Migrate(t.Context(), "schema_firms", migrations()), "schema version 3, newer than this binary's 2")
		require.NoError(t, reading.Migrate(t.Context(), "schema_firms", files))
	})
}

func TestReadingAloneMakesNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	_, err := sqldb.OpenSQLiteReadOnly(t.Context(), path)
	require.ErrorContains(t, err, "cannot open the SQLite database "+path)
	require.NoFileExists(t, path)
}
