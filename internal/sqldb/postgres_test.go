package sqldb_test

import (
	"net"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

const secret = "s3cr3t-Pa55"

func TestPostgresReadsAndWritesThroughOneBoundedPool(t *testing.T) {
	dsn := sqldbtest.PostgresDSN(t)
	for _, c := range []struct {
		name, parameter string
		conns           int32
	}{
		{"by default", "", 16},
		{"as the DSN says", "pool_max_conns=3", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			db, err := sqldb.OpenPostgres(t.Context(), withParameter(t, dsn, c.parameter))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, db.Close()) })
			require.Equal(t, sqldb.Postgres, db.Dialect)
			require.Same(t, db.Write, db.Read)
			require.Equal(t, c.conns, db.Pool.Config().MaxConns)
			var limit string
			require.NoError(t, db.Write.QueryRowContext(t.Context(), "SHOW idle_in_transaction_session_timeout").Scan(&limit))
			require.Equal(t, "1min", limit)
		})
	}
}

// withParameter adds a parameter to a DSN's query.
func withParameter(t *testing.T, dsn, parameter string) string {
	parsed, err := url.Parse(dsn)
	require.NoError(t, err)
	parsed.RawQuery += "&" + parameter
	return parsed.String()
}

func TestPostgresThatDoesNotAnswerIsNamedWithoutItsPassword(t *testing.T) {
	// A listener that is closed again leaves a port where nothing answers.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())

	_, err = sqldb.OpenPostgres(t.Context(), "postgres://ledger:"+secret+"@"+address+"/ledger?sslmode=disable")
	require.ErrorContains(t, err, "cannot reach Postgres at "+address)
	require.NotContains(t, err.Error(), secret)

	_, err = sqldb.OpenPostgres(t.Context(), "postgres://ledger:"+secret+"@"+address+",127.0.0.1:1/ledger")
	require.ErrorContains(t, err, "cannot reach Postgres at "+address+", 127.0.0.1:1: ")
	require.NotContains(t, err.Error(), secret)
}

func TestPostgresWithoutTheDatabaseIsSaidSo(t *testing.T) {
	server, err := url.Parse(sqldbtest.PostgresDSN(t))
	require.NoError(t, err)
	server.User = url.UserPassword(server.User.Username(), secret)
	server.Path = "/no_such_database"
	_, err = sqldb.OpenPostgres(t.Context(), server.String())
	require.ErrorContains(t, err, "cannot reach Postgres at "+server.Host)
	require.ErrorContains(t, err, "no_such_database")
	require.NotContains(t, err.Error(), secret)
}

func TestPostgresDSNThatIsMalformedIsRefusedWithoutItsPassword(t *testing.T) {
	for _, c := range []struct{ name, dsn, want string }{
		{"an unknown sslmode", "postgres://ledger:" + secret + "@localhost/ledger?sslmode=perhaps", "sslmode is invalid"},
		{"a port that is no number", "postgres://ledger:" + secret + "@localhost:port/ledger", "it must be like"},
		{"a password that needs escaping", "postgres://ledger:" + secret + "%zz@localhost/ledger", "it must be like"},
		{"a word", secret, "it must be like"},
		{"an unknown word", "password=" + secret + " " + secret, "it must be like"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := sqldb.OpenPostgres(t.Context(), c.dsn)
			require.ErrorContains(t, err, "the Postgres DSN is not valid")
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), secret)
		})
	}
}
