package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/feed"
	"github.com/collabledger/collabledger/internal/demo"
	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

func TestTheDemoPlaysTheGuide(t *testing.T) {
	for name, flags := range map[string]func(t *testing.T) []string{
		"SQLite, NATS embedded": func(*testing.T) []string { return nil },
		"Postgres, NATS nats://": func(t *testing.T) []string {
			return []string{"--postgres", sqldbtest.PostgresDSN(t), "--nats", externalBroker(t)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := runLedger(t, nil, append([]string{"demo"}, flags(t)...)...)
			require.Equal(t, exitOK, code, "%s\n%s", stdout, stderr)
			require.Empty(t, stderr)
			for step := 1; step <= 11; step++ {
				require.Contains(t, stdout, fmt.Sprintf("\nStep %d · ", step))
			}
			for _, refusal := range []string{
				"422 subscription_not_current", "403 role_not_sufficient", "422 collaboration_not_active", "422 grant_exists", "422 section_not_granted",
				"422 idempotency_key_reused", "422 stale_revision",
			} {
				require.Contains(t, stdout, "refused "+refusal)
			}
			require.Contains(t, stdout, name)
			require.Regexp(t, `(?m)^✓ \d+ checks passed: 11 steps, (\d+) events in the log, the same (\d+) on the broker$`, stdout)
			require.Equal(t, checksPassed(t, stdout), strings.Count(stdout, "✓")-1, "every check is told, and so is their number")
		})
	}
}

// externalBroker starts a NATS server that is reached over TCP.
func externalBroker(t *testing.T) string {
	t.Helper()
	broker, err := feed.Embed(t.Context(), t.TempDir(), "127.0.0.1:0", newLog(&syncBuffer{}, slog.LevelWarn))
	require.NoError(t, err)
	t.Cleanup(func() {
		broker.Shutdown()
	})
	return broker.ClientURL()
}

// checksPassed reads how many checks the demo counted.
func checksPassed(t *testing.T, stdout string) int {
	t.Helper()
	var n int
	_, err := fmt.Sscanf(regexp.MustCompile(`\d+ checks passed`).FindString(stdout), "%d checks", &n)
	require.NoError(t, err)
	return n
}

func TestTheDemoFindsWhatIsWrong(t *testing.T) {
	for name, test := range map[string]struct {
		truth, lie string // what a proxy before the ledger makes of its answers
		want       demo.DeviationError
	}{
		"another refusal": {`"section_not_granted"`, `"role_not_sufficient"`, demo.DeviationError{
			Where: "Step 10 · Complete a pending task: CompleteTask by Núria Soler · Vidal", Expected: "refused: section_not_granted (422)",
			Found: "CompleteTask: role_not_sufficient (422): the grant does not give edit on banking",
		}},
		"another event": {`collaboration.CollaborationDeclined.v1`, `collaboration.CollaborationAccepted.v1`, demo.DeviationError{
			Where:    "Step 5 · Manage requests and accept a collaboration: DeclineCollaboration by Anna Vidal · Vidal",
			Expected: "CollaborationDeclined", Found: "CollaborationAccepted",
		}},
		"a read model that shows more": {`"completed":1`, `"completed":2`, demo.DeviationError{
			Where:    "Step 10 · Complete a pending task: Anna is told of 3 pending activities at La Espiga, none overdue, and 1 completed",
			Expected: "[3 0 1]", Found: "[3 0 2]",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			broker := externalBroker(t)
			s := serveHere(t, "--nats", broker)
			proxy := lyingProxy(t, s.url, test.truth, test.lie)
			key, err := readOperatorKey(s.data)
			require.NoError(t, err)
			conn, err := feed.Dial(broker, newLog(&syncBuffer{}, slog.LevelWarn))
			require.NoError(t, err)
			t.Cleanup(conn.Close)
			_, err = demo.Play(t.Context(), demo.Config{URL: proxy, Key: key, Broker: conn, Out: io.Discard})
			deviation, ok := errors.AsType[*demo.DeviationError](err)
			require.True(t, ok, "%v", err)
			require.Equal(t, test.want, *deviation)
		})
	}
}

// lyingProxy stands before a ledger and changes its answers.
func lyingProxy(t *testing.T, ledger, truth, lie string) string {
	t.Helper()
	target, err := url.Parse(ledger)
	require.NoError(t, err)
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ModifyResponse: func(r *http.Response) error {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return err
			}
			body = bytes.ReplaceAll(body, []byte(truth), []byte(lie))
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			r.Header.Set("Content-Length", strconv.Itoa(len(body)))
			return nil
		},
	})
	t.Cleanup(proxy.Close)
	return proxy.URL
}

func TestTheDemoLeavesALedgerInUseAlone(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := serveHere(t, "--data", data)
	code, _, stderr := runLedger(t, nil, "do", "RegisterAccount", "--data", registrationJSON(t, "La Espiga"), "--url", s.url, "--key-from", data)
	require.Equal(t, exitOK, code, stderr)
	code, stderr = s.stop()
	require.Equal(t, exitOK, code, stderr)

	code, _, stderr = runLedger(t, nil, "demo", "--data", data)
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "expected: one without any event")
}

func TestTheDemoPlaysBesideALogInTheSameDatabase(t *testing.T) {
	dsn := sqldbtest.PostgresDSN(t)
	for range 2 {
		code, stdout, stderr := runLedger(t, nil, "demo", "--postgres", dsn)
		require.Equal(t, exitOK, code, "%s\n%s", stdout, stderr)
		require.Contains(t, stdout, "checks passed")
	}
	db, err := sqldb.OpenPostgres(t.Context(), dsn)
	require.NoError(t, err)
	defer db.Close()
	var schemas int
	require.NoError(t, db.Read.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'ledger_demo_%'").Scan(&schemas))
	require.Zero(t, schemas, "the second play's schema is dropped")
}

func TestTheDemoLeavesTheStreamOfAnotherLedgerAlone(t *testing.T) {
	broker := externalBroker(t)
	code, _, stderr := runLedger(t, nil, "demo", "--nats", broker)
	require.Equal(t, exitOK, code, stderr)
	code, _, stderr = runLedger(t, nil, "demo", "--nats", broker)
	require.Equal(t, exitFailed, code)
	require.Regexp(t, `the broker's stream holds \d+ events of another ledger`, stderr)
}

func TestTheDemoGoesOnServingWhenAskedTo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out, errOut, ended := &syncBuffer{}, &syncBuffer{}, make(chan int, 1)
	go func() { ended <- run(ctx, []string{"demo", "--keep"}, strings.NewReader(""), out, errOut) }()
	require.Eventually(t, func() bool { return strings.Contains(out.String(), "With the same two variables: ") }, readyWait, pollEvery, "%s", errOut)

	shell := regexp.MustCompile(`export LEDGER_URL=(\S+) LEDGER_KEY=(\S+)`).FindStringSubmatch(out.String())
	require.NotNil(t, shell)
	history := regexp.MustCompile(`ledger history (\S+)`).FindStringSubmatch(out.String())
	require.NotNil(t, history)
	code, stdout, stderr := runLedger(t, nil, "history", history[1], "--url", shell[1], "--key", shell[2])
	require.Equal(t, exitOK, code, stderr)
	require.Contains(t, stdout, "Lucía Fernández (La Espiga) ended the collaboration")
	for _, target := range regexp.MustCompile(`"\$LEDGER_URL(/v1/[^"]+)"`).FindAllStringSubmatch(out.String(), -1) {
		if target[1] == "/v1/events/stream" {
			continue // it has no end
		}
		var answer json.RawMessage
		require.NoError(t, client.New(shell[1], shell[2]).Get(t.Context(), target[1], nil, &answer), target[1])
		require.Contains(t, string(answer), `"items":[{`, target[1])
	}
	cancel()
	require.Equal(t, exitOK, <-ended, errOut)
}

func TestTheDemoLeavesAFolderThatWasAskedFor(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	code, stdout, stderr := runLedger(t, nil, "demo", "--data", data)
	require.Equal(t, exitOK, code, "%s\n%s", stdout, stderr)
	_, err := os.Stat(filepath.Join(data, databaseFile))
	require.NoError(t, err)
}
