package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/internal/bench"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

// brief is as short as a test needs a measurement to be.
func brief() bench.Timing { return bench.Timing{Duration: 20 * time.Millisecond, Rounds: 2} }

// eachBenchPlace runs a test with a fresh ledger on SQLite and on Postgres.
func eachBenchPlace(t *testing.T, test func(t *testing.T, place benchPlace, n *node)) {
	t.Helper()
	for name, dsn := range map[string]func(*testing.T) string{
		"sqlite":   func(*testing.T) string { return "" },
		"postgres": func(t *testing.T) string { return sqldbtest.PostgresDSN(t) },
	} {
		t.Run(name, func(t *testing.T) {
			place := benchPlace{Postgres: dsn(t), Data: t.TempDir()}
			require.NoError(t, place.serve(t.Context(), &streams{err: t.Output()}, nil, func(n *node) error {
				test(t, place, n)
				return nil
			}))
			left, err := os.ReadDir(place.Data)
			require.NoError(t, err)
			require.Empty(t, left, "nothing is left of the ledger")
		})
	}
}

func TestBenchCommand(t *testing.T) {
	eachBenchPlace(t, func(t *testing.T, place benchPlace, n *node) {
		config := bench.CommandConfig{Ledger: n.measured(), Timing: brief(), Clients: []int{1, 3}}
		for name, test := range map[string]struct {
			beside   *bench.Place
			measured []string
			compared []string
		}{
			"beside bare handlers": {new(place.place()), []string{"commands 1", "commands 3", "insert 1", "insert 3", "http 1", "http 3"},
				[]string{"commands/insert 1", "commands/insert 3", "commands/http 1", "commands/http 3"}},
			"alone": {nil, []string{"commands 1", "commands 3"}, nil},
		} {
			t.Run(name, func(t *testing.T) {
				config.Beside = test.beside
				report, err := bench.Command(t.Context(), config)
				require.NoError(t, err)
				var measured, compared []string
				for _, result := range report.Results {
					measured = append(measured, fmt.Sprintf("%s %d", result.Name, result.Clients))
					require.Positive(t, result.Median, result.Name)
					require.LessOrEqual(t, result.Latency.P50, result.Latency.P99)
				}
				for _, ratio := range report.Ratios {
					compared = append(compared, fmt.Sprintf("%s/%s %d", ratio.Of, ratio.To, ratio.Clients))
				}
				require.Equal(t, test.measured, measured)
				require.Equal(t, test.compared, compared)
			})
		}
	})
}

func TestBenchFeed(t *testing.T) {
	eachBenchPlace(t, func(t *testing.T, place benchPlace, n *node) {
		report, err := bench.Feed(t.Context(), bench.FeedConfig{
			Ledger: n.measured(), Place: place.place(), Timing: brief(), Broker: n.broker, Rate: 500, Events: 1_000, Log: slog.New(slog.DiscardHandler),
		})
		require.NoError(t, err)
		names := []string{}
		for _, result := range report.Results {
			names = append(names, result.Name)
			require.Positive(t, result.Median, result.Name)
		}
		require.Equal(t, []string{"accepted", "received", "relay"}, names)
	})
}

// Every query is measured on both logs, and finds something on each.
func TestBenchQuery(t *testing.T) {
	for name, dsn := range map[string]func(*testing.T) string{
		"sqlite":   func(*testing.T) string { return "" },
		"postgres": func(t *testing.T) string { return sqldbtest.PostgresDSN(t) },
	} {
		t.Run(name, func(t *testing.T) {
			place := benchPlace{Postgres: dsn(t), Data: t.TempDir()}
			err := place.serveFilled(t.Context(), &streams{err: t.Output()}, []int{1_000, 1_500}, nil, func(nodes []*node) error {
				config := bench.QueryConfig{Timing: brief(), Clients: []int{2}}
				for _, n := range nodes {
					config.Ledgers = append(config.Ledgers, n.measured())
				}
				report, err := bench.Query(t.Context(), config)
				require.NoError(t, err)
				names := []string{}
				for _, result := range report.Results {
					require.Positive(t, result.Median, result.Name)
					require.LessOrEqual(t, result.Latency.P50, result.Latency.P99)
					if query, log, _ := strings.Cut(result.Name, " at "); log == "1,000" {
						names = append(names, query)
					}
				}
				require.Equal(t, []string{
					"inbox", "portfolio", "access", "effective access", "log-ins", "KPIs", "tasks", "advice", "directory", "directory by name",
					"history", "notifications", "collaboration", "events", "stream",
				}, names)
				require.Len(t, report.Results, 2*len(names))
				require.Len(t, report.Ratios, len(names), "of the longer log to the shorter one")
				require.NotContains(t, strings.Join(report.Notes, "\n"), " 0.0 items", "each query finds something")
				return nil
			})
			require.NoError(t, err)
			left, err := os.ReadDir(place.Data)
			require.NoError(t, err)
			require.Empty(t, left, "nothing is left of the ledgers")
		})
	}
}

func TestBenchPrintsATable(t *testing.T) {
	code, stdout, stderr := runLedger(t, nil, "bench", "project", "--sqlite", "--events", "1000", "--rounds", "1", "--data", t.TempDir())
	require.Equal(t, exitOK, code, stderr)
	require.Empty(t, stderr, "there is no terminal to draw progress on")
	require.Regexp(t, `(?m)^rebuild +1 +[0-9,]+ .*events/s`, stdout)
}

func TestBenchRefusesWhatItCannotMeasure(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no time":           {[]string{"append", "--seconds", "0"}, "--seconds must be from"},
		"clients of none":   {[]string{"append", "--clients", "4,0"}, "--clients must be from 1 to 4096, not 0"},
		"two databases":     {[]string{"read", "--sqlite", "--postgres", "postgres://x/y"}, "can't be used together"},
		"a server unasked":  {[]string{"command", "--url", "http://127.0.0.1:1"}, "--key"},
		"a key to nothing":  {[]string{"command", "--key", "k"}, "--url"},
		"not a URL":         {[]string{"command", "--url", "127.0.0.1:1", "--key", "k"}, "--url must be like http://host:port"},
		"not a DSN":         {[]string{"append", "--postgres", "mysql://x"}, "--postgres must be a DSN"},
		"a tiny log":        {[]string{"project", "--events", "10"}, "--events must be from"},
		"a short log":       {[]string{"query", "--preload", "1000,10"}, "--preload must be from 1000 to 20000000 events, not 10"},
		"the same log":      {[]string{"query", "--preload", "1000,1000"}, "--preload names 1000 twice"},
		"a rate past limit": {[]string{"feed", "--rate", "1000000"}, "--rate must be from 1 to 50000 commands/s"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := runLedger(t, nil, append([]string{"bench"}, c.args...)...)
			require.Equal(t, exitUsage, code, stderr)
			require.Empty(t, stdout)
			require.Contains(t, stderr, c.want)
		})
	}
}

// What the environment names is a ledger in use, on which nothing is measured by accident.
func TestBenchPrintsJSONAndTakesNoPlaceFromTheEnvironment(t *testing.T) {
	t.Setenv("LEDGER_POSTGRES", "postgres://nobody@127.0.0.1:1/none")
	t.Setenv("LEDGER_URL", "http://127.0.0.1:1")
	t.Setenv("LEDGER_KEY", "key")
	t.Setenv("LEDGER_DATA", "/nowhere/at/all")
	code, stdout, stderr := runLedger(t, nil, "bench", "read", "--json", "--events", "1000", "--rounds", "1", "--seconds", "1", "--clients", "1")
	require.Equal(t, exitOK, code, stderr)
	var report struct {
		Machine struct{ CPUs int }
		Results []struct{ Median float64 }
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &report))
	require.Len(t, report.Results, 2)
	require.Positive(t, report.Results[0].Median)
	require.Positive(t, report.Machine.CPUs)
}

func TestBenchTidiesUpWhenItIsInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	folder := t.TempDir()
	place := benchPlace{Data: folder}
	err := place.serve(ctx, &streams{err: t.Output()}, nil, func(n *node) error {
		_, err := bench.Command(ctx, bench.CommandConfig{
			Ledger: n.measured(), Timing: bench.Timing{Duration: bench.MaxDuration, Rounds: 1}, Clients: []int{2}, Beside: new(place.place()),
			Progress: func(string, int, int) { interrupt() },
		})
		return err
	})
	require.ErrorIs(t, err, context.Canceled)
	left, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Empty(t, left)
}
