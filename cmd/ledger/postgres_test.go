package main

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

// TestTheServerOutlivesItsPostgres kills Postgres again and again under the load of commands and queries. The server goes on by
// itself. Meanwhile callers hear 503 with Retry-After and nothing else that is not an answer, and in the end every acknowledged
// command is in the log once, which has no gap; the broker has it all, and the read models are what a rebuild makes.
func TestTheServerOutlivesItsPostgres(t *testing.T) {
	cluster := sqldbtest.NewCluster(t)
	natsAddress := freeAddress(t)
	flags := []string{"--postgres", cluster.DSN, "--nats-listen", natsAddress}
	server := startServer(t, flags...)
	operator := server.Client()
	consultancy, business, pair := collaborating(t, operator)

	load := startTraffic(t, newCaller(t, server.URL, server.Key, outageClients), outageClients, business, pair)
	for i := range scaled(2) {
		for _, end := range []func(){cluster.StopImmediately, cluster.Kill9} {
			load.awaitAcks(t, acksBetweenKills)
			end()
			if i == 0 { // for as long as it takes until commands are given up
				before, beforeRead := load.away.Load(), load.awayRead.Load()
				load.await(t, func() bool { return load.away.Load() > before || load.awayRead.Load() > beforeRead })
			}
			cluster.Start()
		}
	}
	load.awaitAcks(t, acksBetweenKills)
	load.finish(t)
	t.Logf("%d commands acknowledged, %d answered 503; %d queries answered, %d answered 503",
		load.acks.count.Load(), load.away.Load(), load.queries.Load(), load.awayRead.Load())

	require.Eventually(t, func() bool {
		_, err := readiness(context.Background(), server.URL)
		return err == nil
	}, readyWait, 20*time.Millisecond, "it is ready again by itself")
	log := wholeLog(t, operator)
	requireWhole(t, log, load.acks.answers)
	conn, err := nats.Connect("nats://" + natsAddress)
	require.NoError(t, err)
	defer conn.Close()
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	requireFed(t, js, log)

	incremental := readModels(t, operator, consultancy, business, pair, len(log))
	server.Stop()
	code, _, stderr := runLedger(t, nil, "projections", "rebuild", "--data", server.Data, "--postgres", cluster.DSN)
	require.Equal(t, exitOK, code, stderr)
	startServer(t, append(flags, "--listen", server.Addr, "--data", server.Data)...)
	require.Equal(t, incremental, readModels(t, operator, consultancy, business, pair, len(log)), "as rebuilt")
}

// outageClients is how many clients work while Postgres is killed.
const outageClients = 32
