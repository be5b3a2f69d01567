package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
)

// A disk that is small enough to be filled.
const (
	diskSize    = "size=128m" // of which a ledger that has done little takes a fifth
	diskClients = 16
)

// TestTheServerOutlivesAFullDisk fills the disk under the ledger's folder again and again, under a load of commands and queries.
// Commands are refused with 503 and hear why, nothing of them is written, and queries go on. Once there is space, the ledger goes
// on by itself: log, read models and feed.
func TestTheServerOutlivesAFullDisk(t *testing.T) {
	t.Parallel() // it mostly waits
	disk := smallDisk(t)
	natsAddress := freeAddress(t)
	flags := []string{"--data", filepath.Join(disk, "data"), "--nats-listen", natsAddress}
	server := startServer(t, flags...)
	operator := server.Client()
	consultancy, business, pair := collaborating(t, operator)

	ask := newCaller(t, server.URL, server.Key, diskClients)
	load := startTraffic(t, ask, diskClients, business, pair)
	filler := filepath.Join(disk, "filler")
	for range scaled(2) {
		load.awaitAcks(t, acksBetweenKills)
		fill(t, filler)
		away := load.away.Load()
		load.await(t, func() bool { return load.away.Load() >= away+diskClients })
		refused := ask.as(business).submit(t.Context(), uuid.New(), "SendMessage", commands.SendMessage{PairFields: pair, Body: "Hello"})
		require.True(t, refused.away(), "%s", refused)
		require.Equal(t, "storage_full", refused.problem().Code)
		require.NoError(t, os.Remove(filler))
	}
	load.awaitAcks(t, acksBetweenKills)
	load.finish(t)
	load.report(t)
	require.Zero(t, load.awayRead.Load(), "queries go on")
	requireConsistent(t, load, server, flags, jetStream(t, natsAddress), consultancy, business, pair)
}

// TestAKillOnAFullDiskLosesNothing kills a server that has no space left.
func TestAKillOnAFullDiskLosesNothing(t *testing.T) {
	t.Parallel() // it mostly waits
	disk := smallDisk(t)
	natsAddress := freeAddress(t)
	flags := []string{"--data", filepath.Join(disk, "data"), "--nats-listen", natsAddress}
	server := startServer(t, flags...)
	consultancy, business, pair := collaborating(t, server.Client())
	load := startTraffic(t, newCaller(t, server.URL, server.Key, diskClients), diskClients, business, pair)
	load.awaitAcks(t, acksBetweenKills)
	filler := filepath.Join(disk, "filler")
	fill(t, filler)
	load.await(t, func() bool { return load.away.Load() >= diskClients })
	load.abandon()
	server.Kill9()

	require.NoError(t, os.Remove(filler))
	server = startServer(t, flags...)
	requireConsistent(t, load, server, flags, jetStream(t, natsAddress), consultancy, business, pair)
}

// smallDisk mounts a disk of its own, for which the test must run as root; elsewhere it is skipped, aloud.
func smallDisk(t *testing.T) string {
	t.Helper()
	disk := t.TempDir()
	if err := syscall.Mount("ledger-test", disk, "tmpfs", 0, diskSize); err != nil {
		t.Skipf("this test mounts a small disk, and may not: %v", err)
	}
	t.Cleanup(func() { // once the server that used it is gone
		require.Eventually(t, func() bool { return syscall.Unmount(disk, 0) == nil }, exitWait, pollWait)
	})
	return disk
}

// fill writes a file until there is no space for another byte.
func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	require.NoError(t, err)
	defer file.Close()
	for chunk := make([]byte, 1<<20); len(chunk) > 0; {
		if _, err := file.Write(chunk); err != nil {
			require.ErrorIs(t, err, syscall.ENOSPC)
			chunk = chunk[:len(chunk)/2]
		}
	}
}
