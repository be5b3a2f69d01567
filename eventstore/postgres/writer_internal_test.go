package postgres

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

// The head row leaves a dead version of itself behind with each commit, and a long transaction keeps them all.
func TestTheHeadIsFoundThroughItsIndexHoweverManyDeadVersionsThereAre(t *testing.T) {
	backend, err := New(t.Context(), sqldbtest.Postgres(t))
	require.NoError(t, err)
	defer func() { require.NoError(t, backend.Close()) }()
	require.NoError(t, backend.writer.connect(t.Context()))
	for _, statement := range []string{
		"EXECUTE move_head (0, 1, 0, '00000000-0000-0000-0000-000000000000')",
		"SELECT epoch, position, recorded_at FROM log ORDER BY position DESC LIMIT 1 FOR UPDATE",
	} {
		results, err := backend.writer.conn.Exec(t.Context(), "EXPLAIN "+statement).ReadAll()
		require.NoError(t, err)
		plan := ""
		for _, row := range results[0].Rows {
			plan += string(row[0]) + "\n"
		}
		require.Regexp(t, `Index Scan( Backward)? using log_pkey`, plan)
		require.NotContains(t, plan, "Seq Scan on log")
	}
}
