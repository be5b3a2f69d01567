package postgres

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
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
		"EXECUTE move_head (0, 1, 0, '00000000-0000-0000-0000-000000000000', 1, 0)",
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

// A plan that reads the whole table is made while there is next to nothing in it, and stays.
func TestNoQueryReadsTheWholeLog(t *testing.T) {
	db := sqldbtest.Postgres(t)
	backend, err := New(t.Context(), db)
	require.NoError(t, err)
	defer func() { require.NoError(t, backend.Close()) }()
	conn, err := db.Pool.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	_, err = conn.Exec(t.Context(), "SET plan_cache_mode = force_generic_plan")
	require.NoError(t, err)
	for name, query := range map[string]string{"tips": selectTips, "commands": selectCommands, "stream": selectStream, "pages": selectAll} {
		prepared, err := conn.Conn().Prepare(t.Context(), name, query)
		require.NoError(t, err)
		values := strings.TrimSuffix(strings.Repeat("NULL, ", len(prepared.ParamOIDs)), ", ")
		rows, err := conn.Query(t.Context(), fmt.Sprintf("EXPLAIN EXECUTE %s (%s)", name, values))
		require.NoError(t, err)
		plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		require.NotContains(t, strings.Join(plan, "\n"), "Seq Scan on events", name)
	}
}
