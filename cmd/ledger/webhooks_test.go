package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/webhooks"
)

// receiver is a downstream service that notes what comes, and fails as long as it is broken.
type receiver struct {
	url    string
	broken atomic.Bool

	mu  sync.Mutex
	got []string // sequences of the events that it took
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		var event struct{ Sequence string }
		body, err := io.ReadAll(request.Body)
		if err != nil || json.Unmarshal(body, &event) != nil || r.broken.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, event.Sequence)
	}))
	t.Cleanup(server.Close)
	r.url = server.URL + "/hooks"
	return r
}

func (r *receiver) took() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.got, " ")
}

func TestWebhooksAreSeenTo(t *testing.T) {
	r, s := newReceiver(t), serveHere(t, "--webhooks-allow-internal")
	key, err := readOperatorKey(s.data)
	require.NoError(t, err)
	espiga := register(t, client.New(s.url, key), domain.Business, "Espiga")
	owner := espiga.id.String() + "/" + espiga.owner.String()
	run := func(args ...string) (code int, stdout, stderr string) {
		t.Helper()
		return runLedger(t, nil, append(append([]string{"webhooks"}, args...), "--url", s.url, "--key-from", s.data, "--as", owner)...)
	}
	ask := func(args ...string) string {
		t.Helper()
		code, stdout, stderr := run(args...)
		require.Equal(t, exitOK, code, stderr)
		return stdout
	}
	waits := func(pattern string, args ...string) {
		t.Helper()
		line := regexp.MustCompile(pattern)
		require.Eventually(t, func() bool { return line.MatchString(ask(args...)) }, readyWait, pollEvery, pattern)
	}
	raise := func(reference string) {
		t.Helper()
		_, err := client.New(s.url, key).Do(t.Context(), "RaiseTask", commands.RaiseTask{
			ClientID: espiga.id, Section: domain.Sales, Title: "Match payments", ExternalRef: reference, GoTo: "https://app.example/1",
		})
		require.NoError(t, err)
	}

	added := ask("add", r.url, "--type", "task.TaskRaised.v1,task.TaskCompleted.v1", "--description", "Our ERP")
	require.Regexp(t, `(?m)^secret: whsec_\S+$`, added)
	hook := regexp.MustCompile(`(?m)^webhookId: (\S+)$`).FindStringSubmatch(added)[1]
	waits(`(?m)^`+hook+` +active +0 +0 +http://\S+/hooks +task\.TaskCompleted\.v1, task\.TaskRaised\.v1 +Our ERP$`, "list")
	require.Equal(t, ask("list"), ask("list", "--account", espiga.id.String()))
	require.Len(t, page[webhooks.Item](t, ask("list", "--json")).Items, 1)
	code, stdout, stderr := runLedger(t, nil, "webhooks", "list", "--url", s.url, "--key-from", s.data)
	require.Equal(t, exitOK, code, stderr)
	require.Empty(t, stdout, "the platform has none")

	raise("erp-1")
	waits(`(?m)^3 +task\.TaskRaised\.v1 +task-\S+ +delivered +1 +200 `, "deliveries", hook)
	r.broken.Store(true)
	raise("erp-2")
	raise("erp-3")
	waits(`(?s)5 +task\.TaskRaised\.v1 +task-\S+ +pending +1 +500 .* the receiver answered 500\n.*4 .* +pending +1 +500 `, "deliveries", hook)
	_, _, stderr = run("dead-letters", hook)
	require.Contains(t, stderr, "nothing found")
	_, _, stderr = run("replay", hook, "--all")
	require.Contains(t, stderr, "nothing found")

	s.stop() // three days pass
	db, err := sqldb.OpenSQLite(t.Context(), filepath.Join(s.data, databaseFile))
	require.NoError(t, err)
	_, err = db.Write.ExecContext(context.Background(), "UPDATE webhook_deliveries SET attempts = 9, due = 0 WHERE state = 'pending'")
	require.NoError(t, err)
	require.NoError(t, db.Close())
	s = serveHere(t, "--webhooks-allow-internal", "--data", s.data)
	waits(`(?s)5 .* dead +10 +500 .*4 .* dead +10 +500 `, "dead-letters", hook)
	r.broken.Store(false)
	require.Equal(t, "event 4 is to be sent again\nevent 5 is to be sent again\n", ask("replay", hook, "--all"))
	require.Eventually(t, func() bool { return len(r.took()) == len("3 4 5") }, readyWait, pollEvery)
	var answer client.Answer
	require.NoError(t, json.Unmarshal([]byte(ask("replay", hook, "3", "--json")), &answer))
	require.Equal(t, "webhook.WebhookReplayRequested.v1", answer.Events[0].Type)
	require.Eventually(t, func() bool { return strings.HasSuffix(r.took(), " 3") }, readyWait, pollEvery)

	ask("pause", hook)
	waits(`(?m)^`+hook+` +paused \(asked\) `, "list")
	ask("resume", hook)
	rotated := ask("rotate", hook)
	require.Regexp(t, `(?m)^secret: whsec_\S+$`, rotated)
	require.NotEqual(t, added[strings.Index(added, "secret: "):], rotated[strings.Index(rotated, "secret: "):])
	ask("delete", hook)
	code, _, stderr = run("resume", hook)
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "refused: webhook_deleted: ")
	code, _, stderr = run("add", "ftp://erp.example")
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "url: must be an https URL")
}
