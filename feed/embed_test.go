package feed_test

import (
	"bytes"
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/feed"
)

// freeAddress is a port of this machine on which nothing listens, below those that systems give to outgoing connections, so that it
// is still free when a test takes it again.
func freeAddress(t testing.TB) string {
	t.Helper()
	const lowest, highest, tries = 20_000, 30_000, 100
	for range tries {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(lowest+rand.N(highest-lowest)))
		if listener, err := net.Listen("tcp", address); err == nil {
			require.NoError(t, listener.Close())
			return address
		}
	}
	require.FailNow(t, "no free port")
	return ""
}

func TestAnEmbeddedServerOpensNoPortAndKeepsItsStreams(t *testing.T) {
	log, dir := newLog(t), filepath.Join(t.TempDir(), "nats", "below")
	appendEvents(t, log, 10)
	embedded := embedIn(t, dir, "")
	require.Empty(t, embedded.ClientURL())
	r := relay(t, log, connect(t, embedded))
	r.reaches(t, 10)
	r.end(t)
	embedded.Shutdown()

	requireCopy(t, connect(t, embedIn(t, dir, "")), log, 1)
}

func TestAnEmbeddedServerListensWhereItIsTold(t *testing.T) {
	log := newLog(t)
	appendEvents(t, log, 10)
	embedded := embedIn(t, t.TempDir(), "127.0.0.1:0")
	relay(t, log, connect(t, embedded)).reaches(t, 10)
	requireCopy(t, dial(t, embedded.ClientURL()), log, 1)

	address := freeAddress(t)
	require.Equal(t, "nats://"+address, embedIn(t, t.TempDir(), address).ClientURL())
}

func TestAnEmbeddedServerThatCannotStartSaysWhy(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, taken.Close()) })
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))

	for _, c := range []struct{ name, dir, listen, want string }{
		{"a port that is in use", t.TempDir(), taken.Addr().String(), "address already in use"},
		{"a folder that is a file", file, "", file},
		{"a folder below a file", filepath.Join(file, "nats"), "", file},
		{"an address without port", t.TempDir(), "localhost", "not of the form host:port"},
		{"a port that is no number", t.TempDir(), "localhost:nats", "no port from 0 to 65535"},
		{"a port that is too high", t.TempDir(), "localhost:65536", "no port from 0 to 65535"},
		{"a port below zero", t.TempDir(), "localhost:-1", "no port from 0 to 65535"},
	} {
		t.Run(c.name, func(t *testing.T) {
			embedded, err := feed.Embed(t.Context(), c.dir, c.listen, quiet())
			require.ErrorContains(t, err, c.want)
			require.Nil(t, embedded)
		})
	}
}

func TestAnEmbeddedServerIsNotStartedForAContextThatHasEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := feed.Embed(ctx, t.TempDir(), "", quiet())
	require.ErrorIs(t, err, context.Canceled)
}

func TestAnEmbeddedServerIsQuietWhileAllIsWell(t *testing.T) {
	var written bytes.Buffer
	log := slog.New(slog.NewTextHandler(&written, &slog.HandlerOptions{Level: slog.LevelInfo}))
	embedded, err := feed.Embed(t.Context(), t.TempDir(), "127.0.0.1:0", log)
	require.NoError(t, err)
	conn, err := feed.Connect(embedded, log)
	require.NoError(t, err)
	require.NoError(t, conn.Flush())
	conn.Close()
	embedded.Shutdown()
	require.Empty(t, written.String())
}

func TestDialRefusesWhatIsNoURL(t *testing.T) {
	for _, c := range []struct{ urls, want string }{
		{"", "NATS URL 1"},
		{"nats://localhost:4222,", "NATS URL 2"},
		{"nats://", "it has no host"},
		{"nats://:4222", "it has no host"},
		{"http://localhost:4222", `its scheme is "http"`},
		{"nats://localhost:http", "it is malformed"},
		{"nats://localhost:65536", "its port is not from 0 to 65535"},
		{"nats://ledger:s3cret%zz@localhost:4222", "it is malformed"},
		{"nats://ledger:s3cret@local host:4222", "it is malformed"},
		{"nats://localhost:4222, ftp://ledger:s3cret@localhost", "NATS URL 2"},
		{"nats://localhost:4222,ws://ledger:s3cret@localhost:80", "websocket"},
	} {
		t.Run(c.urls, func(t *testing.T) {
			conn, err := feed.Dial(c.urls, quiet())
			require.ErrorContains(t, err, c.want)
			require.False(t, strings.Contains(err.Error(), "s3cret"), "the error repeats the password: %v", err)
			require.Nil(t, conn)
		})
	}
}

func TestDialTakesOneOrMoreURLs(t *testing.T) {
	embedded := embedIn(t, t.TempDir(), "127.0.0.1:0")
	address := strings.TrimPrefix(embedded.ClientURL(), "nats://")
	for _, urls := range []string{"nats://" + address, address, "nats://" + freeAddress(t) + ", nats://" + address} {
		t.Run(urls, func(t *testing.T) {
			require.Eventually(t, dial(t, urls).IsConnected, eventually, often)
		})
	}
}
