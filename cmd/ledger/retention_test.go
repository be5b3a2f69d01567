package main

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/feed"
)

// TestAServiceIsGivenWhatTheBrokerNoLongerKeeps lets the broker keep but the end of the log. A service that begins then is given the
// log from its first event on, in order, from the event pages and then from the stream.
func TestAServiceIsGivenWhatTheBrokerNoLongerKeeps(t *testing.T) {
	natsAddress := freeAddress(t)
	server := serveHere(t, "--nats-listen", natsAddress, "--stream-max-bytes", "20000")
	key, err := readOperatorKey(server.data)
	require.NoError(t, err)
	operator := client.New(server.url, key)
	const before, after = 40, 5
	for i := range before {
		register(t, operator, domain.Business, fmt.Sprintf("Tienda %d", i))
	}
	js := jetStream(t, natsAddress)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		stream, err := js.Stream(t.Context(), feed.StreamName)
		if assert.NoError(c, err) {
			assert.EqualValues(c, before, stream.CachedInfo().State.LastSeq)
			assert.Greater(c, stream.CachedInfo().State.FirstSeq, uint64(before/2))
		}
	}, readyWait, pollEvery)

	conn, err := nats.Connect("nats://" + natsAddress)
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	following, stop := context.WithCancel(t.Context())
	var last atomic.Int64
	ended := make(chan error, 1)
	go func() {
		ended <- operator.Subscribe(following, client.Subscription{
			Name: "late", Conn: conn, Positions: client.FilePositions(filepath.Join(t.TempDir(), positionFile)),
			Handlers: []client.Handler{client.On(func(_ context.Context, _ domain.AccountRegistered, meta client.Meta) error {
				if !last.CompareAndSwap(meta.Position-1, meta.Position) {
					return client.Permanent(fmt.Errorf("position %d comes after %d", meta.Position, last.Load()))
				}
				return nil
			})},
		})
	}()
	reaches := func(position int64) {
		require.Eventually(t, func() bool { return last.Load() == position }, readyWait, pollEvery)
	}
	reaches(before)
	for i := range after {
		register(t, operator, domain.Business, fmt.Sprintf("Tienda %d", before+i))
	}
	reaches(before + after)
	stop()
	require.ErrorIs(t, <-ended, context.Canceled)
	code, stderr := server.stop()
	require.Equal(t, exitOK, code, stderr)
	code, stdout, stderr := runLedger(t, nil, "reconcile", "--data", server.data)
	require.Equal(t, exitOK, code, stderr)
	require.Regexp(t, `stream: \d\d to 45, the same to the byte`, stdout)
}
