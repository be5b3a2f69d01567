package sqldbtest_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

func TestAClusterKeepsWhatWasCommittedHoweverItEnds(t *testing.T) {
	cluster := sqldbtest.NewCluster(t)
	rows := 0
	run := func(statement string) {
		conn, err := pgx.Connect(t.Context(), cluster.DSN)
		require.NoError(t, err)
		defer conn.Close(context.WithoutCancel(t.Context()))
		_, err = conn.Exec(t.Context(), statement)
		require.NoError(t, err)
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM kept").Scan(&rows))
	}
	run("CREATE TABLE kept (id int)")
	for i, end := range []func(){cluster.Kill9, cluster.StopImmediately, cluster.Kill9} {
		run("INSERT INTO kept VALUES (1)")
		require.Equal(t, i+1, rows)
		end()
		_, err := pgx.Connect(t.Context(), cluster.DSN)
		require.Error(t, err, "it is gone")
		cluster.Start()
	}
	run("SELECT 1")
	require.Equal(t, 3, rows)
}
