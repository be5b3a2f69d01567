package api_test

import (
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/api"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
)

func TestRoutesThatAreNotThere(t *testing.T) {
	l := startLedger(t)
	for _, path := range []string{"/", "/v1", "/v1/nonsense", "/v1/accounts/", "/v2/requests", "/docs", "/schemas"} {
		l.send(request{method: http.MethodGet, path: path}).problem(t, http.StatusNotFound, "unknown_path")
	}
	for path, allow := range map[string]string{"/v1/requests": "GET, HEAD", "/v1/commands/RegisterAccount": "POST", "/v1/commands/Nonsense": "POST", "/healthz": "GET, HEAD"} {
		a := l.send(request{method: http.MethodDelete, path: path})
		a.problem(t, http.StatusMethodNotAllowed, "method_not_allowed")
		require.Equal(t, allow, a.header.Get("Allow"))
	}
}

func TestAnswersAreForTheirReaderAlone(t *testing.T) {
	l := startLedger(t)
	for _, path := range []string{"/healthz", "/v1/directory", "/v1/requests", "/nonsense"} {
		a := l.send(request{method: http.MethodGet, path: path})
		require.Equal(t, "no-store", a.header.Get("Cache-Control"), path)
		require.Equal(t, "nosniff", a.header.Get("X-Content-Type-Options"), path)
	}
	require.Equal(t, http.StatusOK, l.send(request{method: http.MethodHead, path: "/healthz"}).status)
}

func TestInternalErrorsStayInside(t *testing.T) {
	w := startWorld(t)
	w.raise(eventstore.StreamID{Kind: domain.AccountStream, ID: uuid.New()}, "account.FromTheFuture.v1", `{}`)
	p := w.get("/v1/events", w.vidal.String()).problem(t, http.StatusInternalServerError, "internal")
	require.NotContains(t, p.Detail, "FromTheFuture")
	id := p.Detail[len(p.Detail)-len(uuid.Nil.String()):]
	require.Contains(t, w.log.String(), id, "the log tells what the answer does not")
	require.Contains(t, w.log.String(), "FromTheFuture")
	require.Equal(t, http.StatusOK, w.get("/v1/events", "").status, "who sees everything needs no event decoded")
}

func TestPanicsAreSurvived(t *testing.T) {
	l := startLedger(t, func(c *api.Config) {
		c.Executor.NewID = func() uuid.UUID { panic("secret cause") }
	})
	a := l.command("RegisterAccount", registration(t), nil)
	a.problem(t, http.StatusInternalServerError, "internal")
	require.NotContains(t, string(a.body), "secret cause")
	require.Contains(t, l.log.String(), "secret cause")
	require.Equal(t, http.StatusOK, l.get("/healthz", "").status)
}

func TestWithoutTheStore(t *testing.T) {
	w := startWorld(t)
	require.NoError(t, w.config.Store.Close())
	for name, a := range map[string]answer{
		"command":       w.command("RegisterAccount", registration(t), nil),
		"person":        w.get("/v1/directory", w.vidal.String()),
		"state":         w.get("/v1/accounts/"+w.vidal.account.String(), ""),
		"events":        w.get("/v1/events", ""),
		"read your own": w.get("/v1/directory?minPosition=1", ""),
		"receipt":       w.get("/v1/receipts/"+w.accept.CommandID.String(), ""),
		"stream":        w.get("/v1/events/stream?after=1", ""),
	} {
		t.Run(name, func(t *testing.T) {
			a.problem(t, http.StatusServiceUnavailable, "unavailable")
			require.Equal(t, "1", a.header.Get("Retry-After"))
		})
	}
}

func TestAnOperatorKeyIsNeeded(t *testing.T) {
	config := startLedger(t).config
	config.OperatorKey = ""
	_, err := api.New(t.Context(), config)
	require.ErrorContains(t, err, "operator key")
}
