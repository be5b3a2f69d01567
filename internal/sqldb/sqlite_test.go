package sqldb_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

func TestSQLiteConnectionsAreDurableAndReadersOnlyRead(t *testing.T) {
	db := sqldbtest.SQLite(t)
	require.Nil(t, db.Pool)
	require.Equal(t, 1, db.Write.Stats().MaxOpenConnections)
	require.Greater(t, db.Read.Stats().MaxOpenConnections, 1)
	for _, c := range []struct {
		pool   *sql.DB
		pragma string
		want   string
	}{
		{db.Write, "journal_mode", "wal"},
		{db.Write, "synchronous", "2"}, // FULL
		{db.Write, "foreign_keys", "1"},
		{db.Write, "busy_timeout", "10000"},
		{db.Write, "wal_autocheckpoint", "10000"},
		{db.Write, "query_only", "0"},
		{db.Read, "journal_mode", "wal"},
		{db.Read, "busy_timeout", "10000"},
		{db.Read, "query_only", "1"},
	} {
		var got string
		require.NoError(t, c.pool.QueryRowContext(t.Context(), "PRAGMA "+c.pragma).Scan(&got))
		require.Equal(t, c.want, got, c.pragma)
	}
	_, err := db.Read.ExecContext(t.Context(), "CREATE TABLE t (n BIGINT)")
	require.ErrorContains(t, err, "readonly")
}

// A transaction that has read before it writes fails at once with SQLITE_BUSY when another connection wrote in between, unless
// it took the write lock at its beginning. Two databases opened on one file stand for two such connections.
func TestSQLiteTransactionsTakeTheWriteLockAtTheirBeginning(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	const connections, rounds = 2, 20
	var wg sync.WaitGroup
	errs := make(chan error, connections*rounds)
	for i := range connections {
		db, err := sqldb.OpenSQLite(t.Context(), path)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		if i == 0 {
			_, err := db.Write.ExecContext(t.Context(), "CREATE TABLE counter (n BIGINT); INSERT INTO counter VALUES (0)")
			require.NoError(t, err)
		}
		wg.Go(func() {
			for range rounds {
				errs <- increment(t, db.Write)
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	db, err := sqldb.OpenSQLite(t.Context(), path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	var n int
	require.NoError(t, db.Read.QueryRowContext(t.Context(), "SELECT n FROM counter").Scan(&n))
	require.Equal(t, connections*rounds, n)
}

// increment reads the counter and writes one more, as a decision does.
func increment(t *testing.T, db *sql.DB) error {
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var n int
	if err := tx.QueryRowContext(t.Context(), "SELECT n FROM counter").Scan(&n); err != nil {
		return err
	}
	if _, err := tx.ExecContext(t.Context(), "UPDATE counter SET n = $1", n+1); err != nil {
		return err
	}
	return tx.Commit()
}

func TestSQLiteFilesAreForTheirOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	db, err := sqldb.OpenSQLite(t.Context(), path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err = db.Write.ExecContext(t.Context(), "CREATE TABLE t (n BIGINT)")
	require.NoError(t, err)
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
	}
}

func TestSQLiteOpensAnyFileName(t *testing.T) {
	for _, name := range []string{"plain.db", "with space.db", "100%25?mode=memory#x.db", "été.db"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			db, err := sqldb.OpenSQLite(t.Context(), path)
			require.NoError(t, err)
			_, err = db.Write.ExecContext(t.Context(), "CREATE TABLE t (n BIGINT)")
			require.NoError(t, err)
			require.NoError(t, db.Close())
			info, err := os.Stat(path)
			require.NoError(t, err)
			require.Positive(t, info.Size(), "the table is in the file of that name")
		})
	}
}

func TestSQLiteRefusesWhatItCannotOpen(t *testing.T) {
	folder := t.TempDir()
	garbage := filepath.Join(folder, "garbage.db")
	content := []byte("These lines are no database, though there are enough of them to fill a header of one hundred bytes or so.\n")
	require.NoError(t, os.WriteFile(garbage, content, 0o600))
	for _, c := range []struct{ name, path string }{
		{"not a database", garbage},
		{"a folder", folder},
		{"a missing folder", filepath.Join(folder, "missing", "ledger.db")},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := sqldb.OpenSQLite(t.Context(), c.path)
			require.ErrorContains(t, err, "cannot open the SQLite database")
			require.ErrorContains(t, err, c.path)
		})
	}
	after, err := os.ReadFile(garbage)
	require.NoError(t, err)
	require.Equal(t, content, after, "a file that is no database is left as it was")
}
