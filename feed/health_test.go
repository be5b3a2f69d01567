package feed_test

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/feed"
)

func TestAnEmbeddedServerGoesOnAfterAFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("ledger-test", disk, "tmpfs", 0, "size=16m"); err != nil {
		t.Skipf("this test mounts a small disk, and may not: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(disk, 0)) })
	dir, filler := filepath.Join(disk, "nats"), filepath.Join(disk, "filler")
	embedded := embedIn(t, dir, "")
	watching, stop := context.WithCancel(t.Context())
	watched := make(chan error, 1)
	go func() { watched <- embedded.KeepHealthy(watching) }()
	t.Cleanup(func() {
		stop()
		require.ErrorIs(t, <-watched, context.Canceled)
	})

	log, conn := newLog(t), connect(t, embedded)
	relaying := relay(t, log, conn)
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	for position := uint64(100); position <= 200; position += 100 {
		require.ErrorIs(t, os.WriteFile(filler, make([]byte, 16<<20), 0o600), syscall.ENOSPC)
		appendEvents(t, log, 100) // the log is on another disk
		require.Eventually(t, func() bool {
			_, waiting := relaying.Status()
			return waiting != nil && !embedded.Healthy()
		}, eventually, often)
		require.NoError(t, os.Remove(filler))
		require.Eventually(t, func() bool {
			// An event that the server had confirmed before it found out about the disk is published again.
			stream, err := js.Stream(t.Context(), feed.StreamName)
			return err == nil && stream.CachedInfo().State.LastSeq == position
		}, eventually, often)
	}
	requireCopy(t, conn, log, 1)
}
