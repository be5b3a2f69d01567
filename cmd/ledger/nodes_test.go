package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/feed"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

// What is done to several nodes while they are killed.
const (
	nodes          = 3
	nodeClients    = 30 // spread over the nodes
	contestedPairs = 4  // collaborations whose histories are checked
	doers          = 6  // at each of them
)

// TestNodesOnOnePostgresAreKilledInTurn lets three servers write one log while each is killed and comes back, in turn. No command
// that any of them acknowledged is lost or there twice, the log and its streams have no gap, the broker has it all, the read models
// are what a rebuild makes, and what people were told about collaborations, by whichever node, is linearizable.
func TestNodesOnOnePostgresAreKilledInTurn(t *testing.T) {
	natsAddress := freeAddress(t)
	broker, err := feed.Embed(t.Context(), t.TempDir(), natsAddress, newLog(&syncBuffer{}, 0))
	require.NoError(t, err)
	t.Cleanup(broker.Shutdown)
	flags := []string{"--postgres", sqldbtest.PostgresDSN(t), "--nats", "nats://" + natsAddress}
	servers := startNodes(t, flags)
	operator := servers[0].Client()
	consultancy, business, pair := collaborating(t, operator)

	acks := &acknowledged{answers: map[uuid.UUID]client.Answer{}}
	stop := make(chan struct{})
	failures := make(chan error, nodeClients+contestedPairs*doers)
	var running sync.WaitGroup
	t.Cleanup(running.Wait)
	for i := range nodeClients {
		running.Go(func() { failures <- work(t.Context(), stop, servers[i%nodes].Client(), business, pair, acks) })
	}
	histories := contest(t, stop, &running, failures, servers, consultancy)

	for range scaled(2) {
		for i, server := range servers {
			enough := acks.count.Load() + acksBetweenKills
			require.Eventually(t, func() bool { return acks.count.Load() >= enough || len(failures) > 0 }, loadWait, pollWait)
			server.Kill9()
			servers[i] = startServer(t, append(flags, "--listen", server.Addr, "--data", server.Data)...)
		}
	}
	close(stop)
	running.Wait()
	close(failures)
	for err := range failures {
		require.NoError(t, err)
	}

	for _, h := range histories {
		h.requireLinearizable(t)
	}
	log := wholeLog(t, operator)
	requireWhole(t, log, acks.answers)
	requireFed(t, jetStream(t, natsAddress), log)
	incremental := readModels(t, servers[1].Client(), consultancy, business, pair, len(log))
	for _, server := range servers {
		server.Stop()
	}
	code, _, stderr := runLedger(t, nil, append([]string{"projections", "rebuild", "--data", servers[0].Data}, flags[:2]...)...)
	require.Equal(t, exitOK, code, stderr)
	again := startServer(t, append(flags, "--data", servers[0].Data)...)
	requireSame(t, incremental, readModels(t, again.Client(), consultancy, business, pair, len(log)))
	requireClean(t, flags[:2]...)
}

// startNodes starts servers that are one ledger: they share a database and a broker, by the flags, and the two keys.
func startNodes(t *testing.T, flags []string) []*process {
	t.Helper()
	servers := []*process{startServer(t, flags...)}
	for len(servers) < nodes {
		folder := filepath.Join(t.TempDir(), "data")
		require.NoError(t, os.Mkdir(folder, folderMode))
		for _, name := range []string{operatorKeyFile, sessionKeyFile} {
			key, err := os.ReadFile(filepath.Join(servers[0].Data, name))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(folder, name), key, secretMode))
		}
		servers = append(servers, startServer(t, append(flags, "--data", folder)...))
	}
	return servers
}

// contest lets people ask, accept, decline, withdraw and end at once, on collaborations of their own, and records what they are told.
func contest(t *testing.T, stop <-chan struct{}, running *sync.WaitGroup, failures chan<- error, servers []*process, consultancy firm) []*historian {
	t.Helper()
	var callers []*caller
	for _, server := range servers {
		callers = append(callers, newCaller(t, server.URL, server.Key, contestedPairs*doers))
	}
	var histories []*historian
	for i := range contestedPairs {
		business := register(t, servers[0].Client(), domain.Business, fmt.Sprintf("Tienda %d", i))
		pair := commands.PairFields{ConsultancyID: consultancy.id, ClientID: business.id}
		h := newHistorian(pair)
		histories = append(histories, h)
		for number := range doers {
			d := &doer{historian: h, number: number, nodes: callers, theirs: business, ours: consultancy, pair: pair, patient: number%2 == 0}
			running.Go(func() { failures <- d.act(t.Context(), stop) })
		}
	}
	return histories
}

// jetStream connects to a broker.
func jetStream(t *testing.T, address string) jetstream.JetStream {
	t.Helper()
	conn, err := nats.Connect("nats://" + address)
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	return js
}
