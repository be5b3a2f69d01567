package sqldb_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

func TestIsUniqueTellsBrokenUniqueKeysFromOtherFailures(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		for _, statement := range []string{
			"CREATE TABLE firms (id BIGINT PRIMARY KEY, name TEXT NOT NULL UNIQUE, size BIGINT CHECK (size > 0))",
			"CREATE TABLE pairs (a BIGINT NOT NULL, b BIGINT NOT NULL, PRIMARY KEY (a, b))",
			"CREATE TABLE counters (id INTEGER PRIMARY KEY, firm BIGINT REFERENCES firms (id))",
			"INSERT INTO firms (id, name, size) VALUES (1, 'one', 1)",
			"INSERT INTO pairs (a, b) VALUES (1, 1)",
			"INSERT INTO counters (id, firm) VALUES (1, 1)",
		} {
			_, err := db.Write.ExecContext(t.Context(), statement)
			require.NoError(t, err, statement)
		}
		for _, c := range []struct {
			name, statement string
			unique          bool
		}{
			{"primary key", "INSERT INTO firms (id, name) VALUES (1, 'two')", true},
			{"unique column", "INSERT INTO firms (id, name) VALUES (2, 'one')", true},
			{"primary key of two columns", "INSERT INTO pairs (a, b) VALUES (1, 1)", true},
			{"integer primary key", "INSERT INTO counters (id) VALUES (1)", true},
			{"not null", "INSERT INTO firms (id) VALUES (3)", false},
			{"check", "INSERT INTO firms (id, name, size) VALUES (3, 'three', 0)", false},
			{"foreign key", "INSERT INTO counters (id, firm) VALUES (2, 99)", false},
			{"no such table", "INSERT INTO nothing (id) VALUES (1)", false},
		} {
			t.Run(c.name, func(t *testing.T) {
				_, err := db.Write.ExecContext(t.Context(), c.statement)
				require.Error(t, err)
				require.Equal(t, c.unique, sqldb.IsUnique(fmt.Errorf("insert: %w", err)), "%v", err)
			})
		}
	})
	require.False(t, sqldb.IsUnique(nil))
	require.False(t, sqldb.IsUnique(errors.New("UNIQUE constraint failed")))
}

func TestACommittedWriteIsSeenByTheReaders(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		_, err := db.Write.ExecContext(t.Context(), "CREATE TABLE numbers (n BIGINT PRIMARY KEY)")
		require.NoError(t, err)
		for n := range 3 {
			_, err := db.Write.ExecContext(t.Context(), "INSERT INTO numbers (n) VALUES ($1)", n)
			require.NoError(t, err)
			var count int
			require.NoError(t, db.Read.QueryRowContext(t.Context(), "SELECT count(*) FROM numbers").Scan(&count))
			require.Equal(t, n+1, count)
		}
	})
}

func TestEachTestGetsADatabaseOfItsOwn(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, first *sqldb.DB) {
		second := sqldbtest.SQLite(t)
		if first.Dialect == sqldb.Postgres {
			second = sqldbtest.Postgres(t)
		}
		for _, db := range []*sqldb.DB{first, second} {
			_, err := db.Write.ExecContext(t.Context(), "CREATE TABLE mine (n BIGINT PRIMARY KEY)")
			require.NoError(t, err)
		}
	})
}
