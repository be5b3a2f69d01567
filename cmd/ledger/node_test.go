package main

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/internal/sqldb"
)

// served is a ledger that serves within the test's own process.
type served struct {
	url, data string
	stop      func() (code int, stderr string)
}

// serveHere runs ledger serve, in the process of the test, until stop or the end of the test.
func serveHere(t *testing.T, args ...string) served {
	t.Helper()
	s := served{data: flagValue(args, "--data")}
	if s.data == "" {
		s.data = filepath.Join(t.TempDir(), "data")
		args = append(args, "--data", s.data)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stdout, stderr, code := &syncBuffer{}, &syncBuffer{}, make(chan int, 1)
	go func() {
		code <- run(ctx, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...), strings.NewReader(""), stdout, stderr)
	}()
	ended := make(chan struct{})
	result := exitOK
	go func() {
		result = <-code
		close(ended)
	}()
	s.stop = func() (int, string) {
		cancel()
		<-ended
		return result, stderr.String()
	}
	t.Cleanup(func() { s.stop() })
	require.Eventually(t, func() bool {
		select {
		case <-ended:
			return true
		default:
			s.url = servedURL(stdout.String())
			return s.url != ""
		}
	}, readyWait, pollEvery)
	require.NotEmpty(t, s.url, "stderr:\n%s", stderr)
	return s
}

func TestAServerStopsInOrder(t *testing.T) {
	s := serveHere(t)
	code, stderr := s.stop()
	require.Equal(t, exitOK, code, stderr)
	require.NotContains(t, stderr, "level=ERROR")
	require.NotContains(t, stderr, "level=WARN")
	code, _, stderr = runLedger(t, nil, "projections", "status", "--url", s.url)
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "connection refused")
}

func TestWhatKeepsAServerFromStarting(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, taken.Close()) })
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, secretMode))

	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"address in use":       {[]string{"--listen", taken.Addr().String()}, "cannot listen on " + taken.Addr().String() + ": .*address already in use"},
		"address is none":      {[]string{"--listen", "nowhere"}, "cannot listen on nowhere"},
		"Postgres is away":     {[]string{"--postgres", "postgres://ledger:hunter2@" + closed.Addr().String() + "/ledger"}, "cannot reach Postgres at " + regexp.QuoteMeta(closed.Addr().String())},
		"DSN is none":          {[]string{"--postgres", "hunter2"}, "the Postgres DSN is not valid"},
		"NATS URL is none":     {[]string{"--nats", "http://ledger:hunter2@broker:4222"}, "feed: NATS URL 1 must be like nats://"},
		"NATS address is none": {[]string{"--nats-listen", "nowhere"}, `feed: the NATS listen address "nowhere" is not of the form host:port`},
		"folder is a file":     {[]string{"--data", file}, "cannot use the folder " + file},
	} {
		t.Run(name, func(t *testing.T) {
			args := test.args
			if flagValue(args, "--data") == "" {
				args = append(args, "--data", filepath.Join(t.TempDir(), "data"))
			}
			if flagValue(args, "--listen") == "" {
				args = append(args, "--listen", "127.0.0.1:0")
			}
			code, stdout, stderr := runLedger(t, nil, append([]string{"serve"}, args...)...)
			require.Equal(t, exitFailed, code)
			require.Empty(t, stdout, "it was never ready")
			require.Regexp(t, `^ledger: `+test.want, stderr)
			require.Equal(t, 1, strings.Count(stderr, "\n"), "one line:\n%s", stderr)
			require.NotContains(t, stderr, "hunter2")
		})
	}
}

func TestASchemaThatIsNewerThanTheBinaryIsLeftAlone(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	first := serveHere(t, "--data", data)
	code, stderr := first.stop()
	require.Equal(t, exitOK, code, stderr)
	db, err := sqldb.OpenSQLite(t.Context(), filepath.Join(data, databaseFile))
	require.NoError(t, err)
	future(t, db.Write)
	require.NoError(t, db.Close())

	for _, args := range [][]string{{"serve", "--listen", "127.0.0.1:0"}, {"migrate"}} {
		code, _, stderr := runLedger(t, nil, append(args, "--data", data)...)
		require.Equal(t, exitFailed, code)
		require.Contains(t, stderr, "the database has schema version 9999, newer than this binary's")
	}
}

// future makes a log's schema look as if a later ledger had migrated it.
func future(t *testing.T, db *sql.DB) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), "INSERT INTO ledger_log_version (version_id, is_applied) VALUES (9999, TRUE)")
	require.NoError(t, err)
}

func TestABrokerThatIsAwayKeepsNobodyFromWorking(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	s := serveHere(t, "--nats", fmt.Sprintf("nats://ledger:hunter2@%s", closed.Addr()))
	connect := []string{"--url", s.url, "--key-from", s.data}
	code, stdout, stderr := runLedger(t, nil, append([]string{"do", "RegisterAccount", "--data", registrationJSON(t, "La Espiga")}, connect...)...)
	require.Equal(t, exitOK, code, stderr)
	require.Contains(t, stdout, "accepted at position 1")
	require.Eventually(t, func() bool {
		ready, err := readiness(t.Context(), s.url)
		return err == nil && ready.Ready && ready.Feed != nil && ready.Feed.State == "broker unreachable" && ready.Feed.Behind == 1
	}, readyWait, pollEvery)
	code, stderr = s.stop()
	require.Equal(t, exitOK, code, stderr)
	require.Contains(t, stderr, "the broker is away")
	require.NotContains(t, stderr, "hunter2")
}

func TestRedactedShowsNoPassword(t *testing.T) {
	for given, want := range map[string]string{
		"nats://broker:4222":                      "nats://broker:4222",
		"broker:4222":                             "nats://broker:4222",
		"nats://ledger:hunter2@a:1,tls://b:2":     "nats://ledger:xxxxx@a:1,tls://b:2",
		"ledger:hunter2@a:1, ledger:hunter2@b:99": "nats://ledger:xxxxx@a:1,nats://ledger:xxxxx@b:99",
		"nats://ledger:hunter2@a:port":            "a server",
	} {
		require.Equal(t, want, redacted(given))
	}
}
