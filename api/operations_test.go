package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/api"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
)

// readiness reads /readyz, whatever its status.
func (l *ledger) readiness(t *testing.T, status int) api.Readiness {
	t.Helper()
	a := l.send(request{method: http.MethodGet, path: "/readyz"})
	require.Equal(t, status, a.status, "%s", a.body)
	var ready api.Readiness
	require.NoError(t, json.Unmarshal(a.body, &ready))
	require.Equal(t, status == http.StatusOK, ready.Ready)
	require.Equal(t, ready.Ready, len(ready.Problems) == 0)
	return ready
}

func TestReadiness(t *testing.T) {
	w := startWorld(t)
	ready := w.readiness(t, http.StatusOK)
	require.Equal(t, w.last, ready.Position)
	require.NotEmpty(t, ready.ReadModels)
	for _, model := range ready.ReadModels {
		require.Equal(t, ready.Epoch, model.Epoch)
	}
	require.Nil(t, ready.Feed)
}

func TestABrokerThatIsAwayDoesNotMakeTheLedgerUnready(t *testing.T) {
	feed := api.FeedStatus{Position: 3, Behind: 4, State: "broker unreachable", Error: "no servers"}
	l := startLedger(t, func(c *api.Config) { c.FeedStatus = func(context.Context) api.FeedStatus { return feed } })
	require.Equal(t, &feed, l.readiness(t, http.StatusOK).Feed)
	require.Contains(t, string(l.get("/metrics", "").body), "\nledger_feed_behind_events 4\n")
}

func TestAReadModelThatHasStoppedMakesTheLedgerUnready(t *testing.T) {
	w := startWorld(t)
	w.raise(eventstore.StreamID{Kind: domain.AccountStream, ID: uuid.New()}, "account.FromTheFuture.v1", `{}`)
	require.Eventually(t, func() bool {
		return w.send(request{method: http.MethodGet, path: "/readyz"}).status == http.StatusServiceUnavailable
	}, wait, tick)
	ready := w.readiness(t, http.StatusServiceUnavailable)
	require.Contains(t, ready.Problems[0], "has stopped")
	require.Contains(t, string(w.get("/metrics", "").body), "\nledger_up 0\n")
	require.Equal(t, http.StatusOK, w.get("/healthz", "").status, "the process itself is alive")
}

func TestAStoreThatIsAwayMakesTheLedgerUnready(t *testing.T) {
	w := startWorld(t)
	require.NoError(t, w.config.Store.Close())
	require.Contains(t, w.readiness(t, http.StatusServiceUnavailable).Problems, "the event store does not answer")
}

func TestMetrics(t *testing.T) {
	w := startWorld(t)
	w.command("RegisterAccount", `{}`, nil).problem(t, http.StatusBadRequest, "invalid")
	w.command("RegisterAccount", `{}`, http.Header{"Content-Type": nil}).problem(t, http.StatusUnsupportedMediaType, "json_required")
	stream := w.stream(t, "", w.last)
	defer stream.cancel()
	a := w.send(request{method: http.MethodGet, path: "/metrics"})
	require.Equal(t, http.StatusOK, a.status)
	for _, line := range []string{
		`ledger_commands_total{code="accepted",name="RegisterAccount"} 3`,
		`ledger_commands_total{code="invalid",name="RegisterAccount"} 1`,
		`ledger_commands_total{code="json_required",name="RegisterAccount"} 1`,
		`ledger_command_seconds_count{name="RegisterAccount"} 5`,
		`ledger_up 1`,
		`ledger_streams 1`,
		`ledger_read_model_behind_events{model="requests"} 0`,
		`ledger_read_model_up{model="requests"} 1`,
		`go_goroutines `,
	} {
		require.Contains(t, string(a.body), "\n"+line)
	}
	require.NotContains(t, string(a.body), "ledger_feed_behind_events", "there is no feed here")
}
