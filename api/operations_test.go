package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/api"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/reactors"
	"github.com/collabledger/collabledger/webhooks"
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
		return strings.Contains(string(w.send(request{method: http.MethodGet, path: "/readyz"}).body), "read model access has stopped at position")
	}, wait, tick)
	w.readiness(t, http.StatusServiceUnavailable)
	require.Contains(t, string(w.get("/metrics", "").body), "\nledger_up 0\n")
	require.Equal(t, http.StatusOK, w.get("/healthz", "").status, "the process itself is alive")
}

func TestAReactorOrWebhooksThatHaveStoppedMakeTheLedgerUnready(t *testing.T) {
	w := startWorld(t)
	w.subscribe(w.espiga, "https://espiga.example/hooks", "account.AccountClosed.v1")
	reacting, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = w.config.Reactors.Run(reacting) }) // it is stopped
	defer running.Wait()
	defer stop()
	require.Eventually(t, func() bool {
		ready := w.readiness(t, http.StatusOK)
		caughtUp := ready.Webhooks.Position == ready.Position && ready.Webhooks.Behind == 0 && ready.Webhooks.BehindSeconds == 0
		for _, r := range ready.Reactors {
			caughtUp = caughtUp && r.State == reactors.Live && r.Behind == 0
		}
		return caughtUp
	}, wait, tick)

	// No read model sees a stream of this kind. A reactor and a webhook could be meant.
	w.raise(eventstore.StreamID{Kind: "novelty", ID: uuid.New()}, "novelty.Happened.v1", `{}`)
	position := w.config.Store.Committed()
	ready := api.Readiness{}
	require.Eventually(t, func() bool {
		a := w.send(request{method: http.MethodGet, path: "/readyz"})
		require.NoError(t, json.Unmarshal(a.body, &ready))
		return len(ready.Problems) == 5
	}, wait, tick, "four reactors and the webhooks stop")
	before := strconv.FormatInt(position-1, 10)
	require.Equal(t, []string{
		"reactor subscriptions has stopped at position " + before, "reactor endings has stopped at position " + before,
		"reactor assignments has stopped at position " + before, "reactor sessions has stopped at position " + before,
		"the webhooks have stopped at position " + before,
	}, w.readiness(t, http.StatusServiceUnavailable).Problems)
	require.Equal(t, webhooks.Stopped, ready.Webhooks.State)
	require.Contains(t, ready.Webhooks.Error, "position "+strconv.FormatInt(position, 10)+" (novelty.Happened.v1)")
	require.EqualValues(t, 1, ready.Webhooks.Behind)
	require.Positive(t, ready.Webhooks.BehindSeconds)
	metrics := string(w.get("/metrics", "").body)
	for _, line := range []string{"ledger_up 0", `ledger_reactor_up{reactor="sessions"} 0`, "ledger_webhook_up 0", "ledger_webhook_behind_events 1", "ledger_webhook_behind_seconds "} {
		require.Contains(t, metrics, "\n"+line)
	}
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
		`ledger_webhook_outcomes_total{outcome="dead"} 0`,
		`ledger_webhook_outcomes_total{outcome="delivered"} 0`,
		`ledger_webhook_outcomes_total{outcome="failed"} 0`,
		`ledger_webhook_behind_events 0`,
		`ledger_webhook_behind_seconds 0`,
		`ledger_webhook_up 1`,
		`ledger_webhook_waiting_events 0`,
		`ledger_webhook_dead_letters 0`,
		`ledger_webhooks{status="active"} 0`,
		`ledger_webhooks{status="paused"} 0`,
		`go_goroutines `,
	} {
		require.Contains(t, string(a.body), "\n"+line)
	}
	require.NotContains(t, string(a.body), "ledger_feed_behind_events", "there is no feed here")
}
