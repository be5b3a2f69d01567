package main

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

// outageClients is how many clients work while Postgres is killed.
const outageClients = 32

// TestTheServerOutlivesItsPostgres kills Postgres again and again under the load of commands and queries. The server goes on by
// itself. Meanwhile callers hear 503 with Retry-After and nothing else that is not an answer, and in the end every acknowledged
// command is in the log once, which has no gap; the broker has it all, and the read models are what a rebuild makes.
func TestTheServerOutlivesItsPostgres(t *testing.T) {
	t.Parallel() // it mostly waits
	cluster := sqldbtest.NewCluster(t)
	natsAddress := freeAddress(t)
	flags := []string{"--postgres", cluster.DSN, "--nats-listen", natsAddress}
	server := startServer(t, flags...)
	operator := server.Client()
	consultancy, business, pair := collaborating(t, operator)

	load := startTraffic(t, newCaller(t, server.URL, server.Key, outageClients), outageClients, business, pair)
	for i := range scaled(4) {
		load.awaitAcks(t, acksBetweenKills)
		[]func(){cluster.StopImmediately, cluster.Kill9}[i%2]()
		if i == 0 { // for as long as it takes until commands are given up; the other times they may wait for it
			load.await(t, func() bool { return load.away.Load() > 0 && load.awayRead.Load() > 0 })
		}
		cluster.Start()
		back := time.Now()
		load.awaitAcks(t, 1)
		t.Logf("commands are accepted again %s after Postgres was back", time.Since(back).Round(time.Millisecond))
	}
	load.awaitAcks(t, acksBetweenKills)
	load.finish(t)
	load.report(t)
	require.Eventually(t, func() bool {
		_, err := readiness(context.Background(), server.URL)
		return err == nil
	}, readyWait, 20*time.Millisecond, "it is ready again by itself")
	requireConsistent(t, load, server, flags, jetStream(t, natsAddress), consultancy, business, pair)
}
