package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/feed"
)

func TestReconcile(t *testing.T) {
	server := serveHere(t)
	key, err := readOperatorKey(server.data)
	require.NoError(t, err)
	register(t, client.New(server.url, key), domain.Business, "Harbour")

	code, _, stderr := runLedger(t, nil, "reconcile", "--data", server.data)
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "stop it first")
	server.stop()

	require.NoError(t, os.RemoveAll(filepath.Join(server.data, brokerFolder))) // the stream is lost
	code, stdout, stderr := runLedger(t, nil, "reconcile", "--data", server.data)
	require.Equal(t, exitFailed, code)
	require.Contains(t, stdout, "stream: none, 1 events are not published")
	require.Contains(t, stderr, "not a complete copy")

	code, _, stderr = runLedger(t, nil, "reconcile", "--data", server.data, "--repair")
	require.Equal(t, exitOK, code, stderr)
	require.Contains(t, stderr, "mended")

	code, stdout, stderr = runLedger(t, nil, "reconcile", "--data", server.data, "--json")
	require.Equal(t, exitOK, code, stderr)
	var found feed.Reconciliation
	require.NoError(t, json.Unmarshal([]byte(stdout), &found))
	require.True(t, found.Clean())
	require.EqualValues(t, 1, found.Compared)

	code, stdout, _ = runLedger(t, nil, "reconcile", "--data", server.data, "--refill")
	require.Equal(t, exitOK, code, "there is nothing to mend")
	require.Contains(t, stdout, "stream: 1 to 1, the same to the byte")
}

// A stream that somebody else wrote to is made anew, with the settings that are given and those that it had.
func TestReconcileRefillsAStreamAsItIsTold(t *testing.T) {
	broker := externalBroker(t)
	server := startServer(t, "--nats", broker, "--stream-max-age", "2h")
	register(t, server.Client(), domain.Business, "Harbour")
	js := jetStream(t, strings.TrimPrefix(broker, "nats://"))
	var subject string
	require.Eventually(t, func() bool {
		stream, err := js.Stream(t.Context(), feed.StreamName)
		if err != nil {
			return false
		}
		first, err := stream.GetMsg(t.Context(), 1)
		if err != nil {
			return false
		}
		subject = first.Subject
		return true
	}, readyWait, pollEvery)
	server.Stop()
	_, err := js.Publish(t.Context(), subject, []byte("forged"))
	require.NoError(t, err)

	code, _, stderr := runLedger(t, nil, "reconcile", "--data", server.Data, "--nats", broker, "--repair")
	require.Equal(t, exitFailed, code, "a sequence is given once")
	require.Contains(t, stderr, "not a complete copy")
	code, _, stderr = runLedger(t, nil, "reconcile", "--data", server.Data, "--nats", broker, "--refill", "--stream-max-bytes", "1000000")
	require.Equal(t, exitOK, code, stderr)
	stream, err := js.Stream(t.Context(), feed.StreamName)
	require.NoError(t, err)
	require.Equal(t, 2*time.Hour, stream.CachedInfo().Config.MaxAge)
	require.EqualValues(t, 1_000_000, stream.CachedInfo().Config.MaxBytes)
	require.EqualValues(t, 1, stream.CachedInfo().State.Msgs)
}

func TestReconcileSaysWhatItCannotReach(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no ledger":    {[]string{"--data", t.TempDir()}, "there is no ledger in"},
		"no broker":    {[]string{"--data", withDatabase(t), "--nats", "nats://" + freeAddress(t)}, "does not answer"},
		"no such URL":  {[]string{"--data", withDatabase(t), "--nats", "http://localhost"}, "its scheme is"},
		"no such flag": {[]string{"--mend"}, "unknown flag"},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := runLedger(t, nil, append([]string{"reconcile"}, c.args...)...)
			require.NotEqual(t, exitOK, code)
			require.Contains(t, stderr, c.want)
		})
	}
}

// withDatabase is a folder with an empty ledger.
func withDatabase(t *testing.T) string {
	t.Helper()
	server := serveHere(t)
	server.stop()
	return server.data
}
