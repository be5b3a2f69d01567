package main

import (
	"context"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/feed"
	"github.com/collabledger/collabledger/internal/sqldb"
)

// What is done to a cluster of brokers.
const (
	brokers        = 3
	brokerKills    = 5
	brokerClients  = 16
	brokerAcks     = 50                     // between two kills
	brokerLookWait = 500 * time.Millisecond // for the cluster to tell who leads; a broker that was just killed never answers
	brokerLookEach = 20 * time.Millisecond  // between two looks
	leaderWait     = time.Minute            // for a new leader, and the relay to find it
)

// brokerCluster is a JetStream cluster of real NATS servers, each a process of its own.
type brokerCluster struct {
	URLs string // of all of them, for --nats

	t       *testing.T
	js      jetstream.JetStream
	command map[string][]string  // by the server's name, what starts it
	running map[string]*exec.Cmd // by the server's name
}

// startBrokers builds the NATS server of this module's go.mod and starts a cluster of it, which ends with the test.
func startBrokers(t *testing.T) *brokerCluster {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "nats-server")
	output, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "github.com/nats-io/nats-server/v2").CombinedOutput()
	require.NoError(t, err, "%s", output)
	c := &brokerCluster{t: t, command: map[string][]string{}, running: map[string]*exec.Cmd{}}
	var urls, routes []string
	for range brokers {
		urls, routes = append(urls, "nats://"+freeAddress(t)), append(routes, "nats://"+freeAddress(t))
	}
	c.URLs = strings.Join(urls, ",")
	for i := range brokers {
		name := "broker-" + strconv.Itoa(i)
		c.command[name] = []string{
			binary, "--name", name, "--net", "127.0.0.1", "--port", portOf(urls[i]), "--jetstream", "--store_dir", t.TempDir(),
			"--cluster_name", "brokers", "--cluster", routes[i], "--routes", strings.Join(routes, ","),
		}
		c.start(name)
	}
	t.Cleanup(func() {
		for name := range c.running {
			c.kill9(name)
		}
	})
	conn, err := nats.Connect(c.URLs, nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(brokerLookEach))
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	c.js, err = jetstream.New(conn)
	require.NoError(t, err)
	return c
}

func portOf(url string) string { return url[strings.LastIndexByte(url, ':')+1:] }

func (c *brokerCluster) start(name string) {
	c.t.Helper()
	command := exec.Command(c.command[name][0], c.command[name][1:]...)
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // it does not outlive a test that is killed
	require.NoError(c.t, command.Start())
	c.running[name] = command
}

func (c *brokerCluster) kill9(name string) {
	_ = c.running[name].Process.Kill() // it may be gone already
	_ = c.running[name].Wait()         // it was killed
}

// stream is what the cluster tells of the ledger's stream; nil while it does not.
func (c *brokerCluster) stream() *jetstream.StreamInfo {
	ctx, cancel := context.WithTimeout(c.t.Context(), brokerLookWait)
	defer cancel()
	stream, err := c.js.Stream(ctx, feed.StreamName)
	if err != nil {
		return nil
	}
	return stream.CachedInfo()
}

// leader waits until the stream has a leader on all brokers and holds events past a position, and gives the leader and its last.
func (c *brokerCluster) leader(past uint64) (name string, last uint64) {
	c.t.Helper()
	require.Eventually(c.t, func() bool {
		info := c.stream()
		if info == nil || info.Cluster == nil || info.Cluster.Leader == "" || len(info.Cluster.Replicas) != brokers-1 || info.State.LastSeq <= past {
			return false
		}
		name, last = info.Cluster.Leader, info.State.LastSeq
		return true
	}, leaderWait, brokerLookEach, "the stream goes on past %d", past)
	return name, last
}

// relayBeside relays a server's log as another node would, until the end of the test or stop.
func relayBeside(t *testing.T, server *process, urls string, settings feed.Settings) (stop func()) {
	t.Helper()
	db, err := sqldb.OpenSQLite(t.Context(), filepath.Join(server.Data, databaseFile))
	require.NoError(t, err)
	store, err := openStore(t.Context(), db)
	require.NoError(t, err)
	conn, err := feed.Dial(urls, newLog(io.Discard, 0))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- feed.NewRelay(store, conn, settings, newLog(io.Discard, 0)).Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		assert.ErrorIs(t, <-ended, context.Canceled)
		conn.Close()
		assert.NoError(t, store.Close())
		assert.NoError(t, db.Close())
	})
	t.Cleanup(stop)
	return stop
}

// TestTheStreamSurvivesItsLeaders kills, under load, the broker that leads the stream, and the next one, five times, while two relays
// publish. The stream began on one broker and was raised to all of them with what it held. In the end it holds event n of the log at
// sequence n, each with the log's bytes, and nothing else.
func TestTheStreamSurvivesItsLeaders(t *testing.T) {
	t.Parallel() // it mostly waits
	cluster := startBrokers(t)
	server := startServer(t, "--nats", cluster.URLs)
	collaborating(t, server.Client())
	require.Eventually(t, func() bool {
		info := cluster.stream()
		return info != nil && info.Config.Replicas == 1 && info.State.LastSeq > 0
	}, leaderWait, brokerLookEach, "a new stream is on one broker")
	server.Stop()
	server = startServer(t, "--nats", cluster.URLs, "--stream-replicas", strconv.Itoa(brokers), "--data", server.Data)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the server says:\n%s", server.stderr)
		}
	})
	operator := server.Client()
	_, business, pair := collaborating(t, operator)
	stopSecond := relayBeside(t, server, cluster.URLs, feed.Settings{Replicas: brokers})

	acks := &acknowledged{answers: map[uuid.UUID]client.Answer{}}
	stop := make(chan struct{})
	failures := make(chan error, brokerClients)
	var clients sync.WaitGroup
	t.Cleanup(clients.Wait)
	for range brokerClients {
		clients.Go(func() { failures <- work(t.Context(), stop, operator, business, pair, acks) })
	}
	for range brokerKills {
		enough := acks.count.Load() + brokerAcks
		require.Eventually(t, func() bool { return acks.count.Load() >= enough || len(failures) > 0 }, loadWait, pollWait)
		leader, last := cluster.leader(0)
		killed := time.Now()
		cluster.kill9(leader)
		cluster.start(leader)
		next, at := cluster.leader(last)
		t.Logf("%s was killed at %d; %s later the stream went on, at %d under %s", leader, last, time.Since(killed).Round(time.Millisecond), at, next)
	}
	close(stop)
	clients.Wait()
	close(failures)
	for err := range failures {
		require.NoError(t, err)
	}

	log := wholeLog(t, operator)
	requireWhole(t, log, acks.answers)
	requireFed(t, cluster.js, log)
	require.EqualValues(t, len(log), cluster.stream().State.Msgs)
	require.Eventually(t, func() bool {
		ready, err := readiness(context.Background(), server.URL)
		return err == nil && ready.Feed != nil && ready.Feed.State == "live" && ready.Feed.Position == int64(len(log))
	}, readyWait, pollEvery)
	stopSecond()
	server.Stop()
	code, stdout, stderr := runLedger(t, nil, "reconcile", "--data", server.Data, "--nats", cluster.URLs)
	require.Equal(t, exitOK, code, stderr)
	require.Contains(t, stdout, "the same to the byte")
}
