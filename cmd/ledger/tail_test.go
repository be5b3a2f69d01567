package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTailGoesOnWhereTheConnectionBroke(t *testing.T) {
	var connections atomic.Int64
	ledger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		switch connections.Add(1) {
		case 1:
			_, _ = fmt.Fprintf(w, ": heartbeat\nid: 4\n\nid: 5\nevent: a.B.v1\ndata: %s\n\n", streamRecord(5))
		case 2:
			_, _ = fmt.Fprintf(w, "id: %s\ndata: %s\n\n: heartbeat\nid: 9\n\n", r.Header.Get("Last-Event-ID"), streamRecord(6))
		default:
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprintf(w, `{"status":403,"code":"not_a_member","detail":"after %s"}`, r.Header.Get("Last-Event-ID"))
		}
	}))
	t.Cleanup(ledger.Close)
	code, stdout, stderr := runLedger(t, nil, "tail", "--url", ledger.URL, "--key", strings.Repeat("k", minKeyLength), "--after", "3")
	require.Equal(t, exitFailed, code)
	require.Equal(t, ""+
		"     5  2026-03-02 09:30:00  collaboration.AccessGranted.v1                collaboration-1  user:1/2\n"+
		"     6  2026-03-02 09:30:00  collaboration.AccessGranted.v1                collaboration-1  user:1/2\n", stdout)
	require.Contains(t, stderr, "connecting again after position 5\n")
	require.Contains(t, stderr, "refused: not_a_member: after 9\n")
}

// streamRecord is a record as the stream sends it.
func streamRecord(position int) string {
	return fmt.Sprintf(`{"type":"collaboration.AccessGranted.v1","subject":"collaboration-1","time":"2026-03-02T09:30:00Z","sequence":"%d","actor":"service:operator","onbehalfof":"user:1/2"}`, position)
}

func TestTailRefusesAFilterThatNothingMeets(t *testing.T) {
	s := serveHere(t)
	for _, filter := range [][]string{{"--type", "task.TaskImagined.v1"}, {"--stream", "task"}, {"--party", "me"}} {
		code, _, stderr := runLedger(t, nil, append([]string{"tail", "--url", s.url, "--key-from", s.data}, filter...)...)
		require.Equal(t, exitFailed, code)
		require.Contains(t, stderr, strings.TrimPrefix(filter[0], "--")+": must be")
	}
}

func TestTailFollowsALedger(t *testing.T) {
	s := serveHere(t)
	connect := []string{"--url", s.url, "--key-from", s.data}
	register := func(name string) {
		code, _, stderr := runLedger(t, nil, append([]string{"do", "RegisterAccount", "--data", registrationJSON(t, name)}, connect...)...)
		require.Equal(t, exitOK, code, stderr)
	}
	register("La Espiga")
	ctx, cancel := context.WithCancel(t.Context())
	out, errOut, ended := &syncBuffer{}, &syncBuffer{}, make(chan int, 1)
	go func() {
		ended <- run(ctx, append([]string{"tail", "--json", "--type", "account.AccountClosed.v1,account.AccountRegistered.v1"}, connect...), strings.NewReader(""), out, errOut)
	}()
	require.Eventually(t, func() bool { return strings.Count(out.String(), "\n") == 1 }, readyWait, pollEvery)
	register("Café Ártico")
	require.Eventually(t, func() bool { return strings.Count(out.String(), "\n") == 2 }, readyWait, pollEvery)
	code, stderr := s.stop()
	require.Equal(t, exitOK, code, "a server stops although somebody follows it: %s", stderr)
	require.Eventually(t, func() bool { return strings.Contains(errOut.String(), "connecting again after position 2") }, readyWait, pollEvery)
	cancel()
	require.Equal(t, exitOK, <-ended, errOut)
	for i, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		var record struct{ Sequence, Type string }
		require.NoError(t, json.Unmarshal([]byte(line), &record))
		require.Equal(t, fmt.Sprint(i+1), record.Sequence)
		require.Equal(t, "account.AccountRegistered.v1", record.Type)
	}
}
