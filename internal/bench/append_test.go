package bench

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

// brief is as short as a test needs a measurement to be.
func brief(rounds int) Timing { return Timing{Duration: 5 * time.Millisecond, Rounds: rounds} }

// databases lists the databases that benchmarks have made beside a database.
func databases(t *testing.T, dsn string) []string {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), dsn)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(context.Background())) }()
	rows, err := conn.Query(context.Background(), "SELECT datname FROM pg_database WHERE datname LIKE current_database() || '\\_bench\\_%'")
	require.NoError(t, err)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return names
}

// measured finds the results of one thing.
func measured(r Report, name string) map[int]Result {
	found := map[int]Result{}
	for _, result := range r.Results {
		if result.Name == name {
			found[result.Clients] = result
		}
	}
	return found
}

func requireSane(t *testing.T, r Report) {
	t.Helper()
	for _, result := range r.Results {
		require.Positive(t, result.Median, result.Name)
		require.LessOrEqual(t, result.Min, result.Median)
		require.GreaterOrEqual(t, result.Max, result.Median)
		if result.Latency != nil {
			require.LessOrEqual(t, result.Latency.P50, result.Latency.P99)
		}
	}
}

func TestAppendOnSQLite(t *testing.T) {
	folder := t.TempDir()
	report, err := Append(t.Context(), AppendConfig{Place: Place{Folder: folder}, Timing: brief(2), Clients: []int{1, 8}, Preload: 1_100})
	require.NoError(t, err)
	requireSane(t, report)
	require.Len(t, measured(report, ledgerName), 2)
	require.Len(t, measured(report, insertName), 2)
	require.Len(t, report.Ratios, 2)
	left, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Empty(t, left, "its files are removed")
}

func TestAppendOnPostgres(t *testing.T) {
	dsn := sqldbtest.PostgresDSN(t)
	installMessageDB(t, dsn)
	report, err := Append(t.Context(), AppendConfig{Place: Place{Postgres: dsn}, Timing: brief(1), Clients: []int{8}, Nodes: 2, Preload: 1_100})
	require.NoError(t, err)
	requireSane(t, report)
	for _, name := range []string{ledgerName, nodesName, insertName, messageDBName, messageDBOneName} {
		require.Contains(t, measured(report, name), 8, name)
	}
	require.Contains(t, measured(report, copyName), 1, "COPY has one client")
	require.Len(t, report.Ratios, 5, "of the ledger to each other one, and of two nodes to one")
	require.Empty(t, databases(t, dsn), "its databases are dropped")
}

// installMessageDB makes the least that the benchmark takes for message-db: its schema, table and function, with a message in it.
func installMessageDB(t *testing.T, dsn string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(context.Background())) }()
	_, err = conn.Exec(t.Context(), `
		CREATE SCHEMA message_store;
		CREATE TABLE message_store.messages (
			global_position bigserial PRIMARY KEY, position bigint NOT NULL, stream_name text NOT NULL, type text NOT NULL,
			data jsonb, metadata jsonb, id uuid NOT NULL UNIQUE, UNIQUE (stream_name, position));
		CREATE FUNCTION message_store.write_message(id varchar, stream_name varchar, type varchar, data jsonb, metadata jsonb, expected_version bigint)
		RETURNS bigint LANGUAGE plpgsql AS $$
		DECLARE last bigint;
		BEGIN
			SELECT coalesce(max(m.position), -1) INTO last FROM messages m WHERE m.stream_name = write_message.stream_name;
			IF last <> expected_version THEN RAISE EXCEPTION 'Wrong expected version: %, not %', expected_version, last; END IF;
			INSERT INTO messages (id, stream_name, position, type, data, metadata)
			VALUES (write_message.id::uuid, write_message.stream_name, last + 1, write_message.type, write_message.data, write_message.metadata);
			RETURN last + 1;
		END $$;
		SET search_path = message_store;
		SELECT write_message(gen_random_uuid()::text, 'task1-1', 'Kept', '{}', NULL, -1)`)
	require.NoError(t, err)
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), dsn)
		require.NoError(t, err)
		var messages int
		require.NoError(t, conn.QueryRow(context.Background(), "SELECT count(*) FROM message_store.messages").Scan(&messages))
		require.Equal(t, 1, messages, "the user's message-db is left as it was")
		require.NoError(t, conn.Close(context.Background()))
	})
}

func TestAppendTidiesUpWhenItIsInterrupted(t *testing.T) {
	dsn := sqldbtest.PostgresDSN(t)
	ctx, interrupt := context.WithCancel(t.Context())
	report, err := Append(ctx, AppendConfig{
		Place: Place{Postgres: dsn}, Timing: Timing{Duration: MaxDuration, Rounds: 1}, Clients: []int{2},
		Progress: func(string, int, int) { interrupt() },
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, report.Results)
	require.Empty(t, databases(t, dsn))
}

func TestAppendRefusesWhatItCannotMeasure(t *testing.T) {
	good := AppendConfig{Timing: Timing{Duration: MinDuration, Rounds: 1}, Clients: []int{1}}
	for name, c := range map[string]struct {
		change func(*AppendConfig)
		want   string
	}{
		"too short":       {func(c *AppendConfig) { c.Duration = 0 }, "seconds must be from 1ms to 2m0s, not 0s"},
		"too long":        {func(c *AppendConfig) { c.Duration = time.Hour }, "seconds must be from 1ms to 2m0s, not 1h0m0s"},
		"no rounds":       {func(c *AppendConfig) { c.Rounds = 0 }, "rounds must be from 1 to 20, not 0"},
		"no clients":      {func(c *AppendConfig) { c.Clients = nil }, "clients must be 1 to 16 numbers, not 0"},
		"a client of 0":   {func(c *AppendConfig) { c.Clients = []int{1, 0} }, "clients must be from 1 to 4096, not 0"},
		"a load twice":    {func(c *AppendConfig) { c.Clients = []int{4, 4} }, "clients names 4 twice"},
		"too many nodes":  {func(c *AppendConfig) { c.Nodes, c.Postgres = 17, "postgres://" }, "nodes must be from 0 to 16, not 17"},
		"nodes on SQLite": {func(c *AppendConfig) { c.Nodes = 2 }, "nodes need Postgres: a log on SQLite has one node"},
		"a huge preload":  {func(c *AppendConfig) { c.Preload = MaxEvents + 1 }, "preload must be from 0 to 20000000 events, not 20000001"},
		"a broken DSN":    {func(c *AppendConfig) { c.Postgres = "postgres://%" }, ""},
		"a folder gone":   {func(c *AppendConfig) { c.Folder = "/nowhere/at/all" }, ""},
		"a server absent": {func(c *AppendConfig) { c.Postgres = "postgres://127.0.0.1:1/x?connect_timeout=1" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			config := good
			c.change(&config)
			_, err := Append(t.Context(), config)
			require.Error(t, err)
			if c.want == "" {
				return
			}
			_, invalid := errors.AsType[*InvalidError](err)
			require.True(t, invalid)
			require.EqualError(t, err, c.want)
		})
	}
}
