package sqldb_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

func TestStatementsThatAreWrongAreNoOutage(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		_, err := db.Write.ExecContext(t.Context(), "CREATE TABLE firms (id BIGINT PRIMARY KEY, size BIGINT NOT NULL CHECK (size > 0))")
		require.NoError(t, err)
		for _, statement := range []string{
			"SELEC 1", "SELECT id FROM nothing", "INSERT INTO firms (id, size) VALUES (1, 0)", "INSERT INTO firms (id) VALUES (1)",
		} {
			_, err := db.Write.ExecContext(t.Context(), statement)
			require.Error(t, err, statement)
			require.False(t, sqldb.IsUnavailable(err), "%s: %v", statement, err)
			require.False(t, sqldb.IsFull(err), "%s: %v", statement, err)
		}
	})
}

func TestPostgresThatIsAwayIsUnavailable(t *testing.T) {
	cluster := sqldbtest.NewCluster(t)
	db, err := sqldb.OpenPostgres(t.Context(), cluster.DSN)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	tx, err := db.Write.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback() }() // its connection is gone by then
	cluster.StopImmediately()
	_, inTx := tx.ExecContext(t.Context(), "SELECT 1")
	_, afresh := db.Write.ExecContext(t.Context(), "SELECT 1")
	_, again := db.Write.ExecContext(t.Context(), "SELECT 1")
	for _, err := range []error{inTx, afresh, again} {
		require.Error(t, err)
		require.True(t, sqldb.IsUnavailable(fmt.Errorf("query: %w", err)), "%v", err)
		require.False(t, sqldb.IsFull(err), "%v", err)
	}
}

func TestSQLiteThatIsFullOrLockedIsUnavailable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	db, err := sqldb.OpenSQLite(t.Context(), path)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	for _, statement := range []string{"CREATE TABLE notes (body BLOB)", "PRAGMA max_page_count = 10", "PRAGMA busy_timeout = 0"} {
		_, err := db.Write.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	_, full := db.Write.ExecContext(t.Context(), "INSERT INTO notes VALUES (zeroblob(1000000))")
	require.True(t, sqldb.IsFull(full), "%v", full)
	require.True(t, sqldb.IsUnavailable(full), "%v", full)

	other, err := sqldb.OpenSQLite(t.Context(), path)
	require.NoError(t, err)
	defer func() { require.NoError(t, other.Close()) }()
	tx, err := other.Write.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, locked := db.Write.ExecContext(t.Context(), "INSERT INTO notes VALUES (zeroblob(10))")
	require.True(t, sqldb.IsUnavailable(locked), "%v", locked)
	require.False(t, sqldb.IsFull(locked), "%v", locked)
	require.NoError(t, tx.Rollback())
}

func TestFailuresByWhatTheySpeakOf(t *testing.T) {
	state := func(code string) error { return &pgconn.PgError{Code: code} }
	for _, c := range []struct {
		name              string
		err               error
		unavailable, full bool
	}{
		{"disk full", state("53100"), true, true},
		{"too many connections", state("53300"), true, false},
		{"shutting down", state("57P01"), true, false},
		{"starting up", state("57P03"), true, false},
		{"connection failure", state("08006"), true, false},
		{"input/output error", state("58030"), true, false},
		{"undefined table", state("42P01"), false, false},
		{"unique violation", state("23505"), false, false},
		{"the connection ended", io.ErrUnexpectedEOF, true, false},
		{"the connection is not usable", driver.ErrBadConn, true, false},
		{"the connection was reset", &net.OpError{Op: "read", Err: syscall.ECONNRESET}, true, false},
		{"no space", &net.OpError{Op: "write", Err: syscall.ENOSPC}, true, true},
		{"the caller gave up", context.Canceled, false, false},
		{"something else", errors.New("disk full"), false, false},
		{"nothing", nil, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.unavailable, sqldb.IsUnavailable(c.err))
			require.Equal(t, c.full, sqldb.IsFull(c.err))
		})
	}
}
