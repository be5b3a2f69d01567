package main

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/reactors"
)

// A server acts by itself, and tells how that goes.
func TestAServerRunsTheClockAndTheReactors(t *testing.T) {
	server := serveHere(t)
	key, err := readOperatorKey(server.data)
	require.NoError(t, err)
	operator := client.New(server.url, key)
	do := func(as *client.Client, name string, command commands.Command) {
		t.Helper()
		_, err := as.Do(t.Context(), name, command)
		require.NoError(t, err)
	}
	vidal := register(t, operator, domain.Consultancy, "Vidal")
	do(operator.As(vidal.id, vidal.owner), "ApplyForPartnership", commands.ApplyForPartnership{ConsultancyID: vidal.id})
	do(operator, "AcceptPartnership", commands.AcceptPartnership{ConsultancyID: vidal.id})
	do(operator, "RecordSubscription", commands.RecordSubscription{AccountID: vidal.id, Plan: domain.PlanBasic, Status: domain.PastDue})

	names := func() (live []string) {
		ready, err := readiness(t.Context(), server.url)
		require.NoError(t, err)
		for _, r := range ready.Reactors {
			if r.State == reactors.Live && r.Behind == 0 && ready.Position == 5 {
				live = append(live, r.Name)
			}
		}
		return live
	}
	require.Eventually(t, func() bool { return len(names()) == 5 }, readyWait, pollEvery, "the partnership's suspension is the fifth event")
	require.Equal(t, []string{"clock", "subscriptions", "endings", "assignments", "sessions"}, names())
	response, err := http.Get(server.url + "/metrics")
	require.NoError(t, err)
	metrics, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	for _, line := range []string{`ledger_clock_due 0`, `ledger_reactor_up{reactor="clock"} 1`, `ledger_reactor_behind_events{reactor="sessions"} 0`} {
		require.Contains(t, string(metrics), line)
	}
}
