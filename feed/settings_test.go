package feed_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/feed"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

// state is what the broker tells of the stream now.
func state(t *testing.T, conn *nats.Conn) jetstream.StreamState {
	t.Helper()
	return stream(t, conn).CachedInfo().State
}

func TestAStreamOfLimitedSizeKeepsTheLogsEnd(t *testing.T) {
	log, conn := newLog(t), embed(t)
	const count, limit = 2_500, 200_000
	appendEvents(t, log, count)
	r := relayWith(t, log, conn, feed.Settings{MaxBytes: limit})
	r.reaches(t, count)
	first := state(t, conn).FirstSeq
	require.Greater(t, first, uint64(1))
	require.LessOrEqual(t, state(t, conn).Bytes, uint64(limit))
	require.Greater(t, state(t, conn).Bytes, uint64(limit*9/10))
	require.True(t, reconciled(t, log, conn).Clean(), "what the limit let go is not missing")

	appendEvents(t, log, 100)
	r.reaches(t, count+100)
	require.Greater(t, state(t, conn).FirstSeq, first)
	requireCopy(t, conn, log, int64(state(t, conn).FirstSeq))

	// A new stream begins near what it can keep, and not with the log.
	require.NoError(t, feed.DeleteStream(t.Context(), conn))
	appendEvents(t, log, 1)
	r.reaches(t, count+101)
	require.Greater(t, stream(t, conn).CachedInfo().Config.FirstSeq, uint64(count/2))
	require.Greater(t, state(t, conn).Bytes, uint64(limit*9/10), "it is full again")
	requireCopy(t, conn, log, int64(state(t, conn).FirstSeq))
}

func TestANewStreamBeginsWithTheEventsThatAreYoungEnough(t *testing.T) {
	now := time.Now().Add(-2 * time.Hour)
	log := openLogWith(t, sqldbtest.SQLite(t), eventstore.Options{Clock: func() time.Time { return now }})
	conn := embed(t)
	settings := feed.Settings{MaxAge: time.Hour}
	appendEvents(t, log, 50)
	r := relayWith(t, log, conn, settings)
	r.reaches(t, 50)
	require.Zero(t, state(t, conn).Msgs, "none is young enough")
	require.True(t, reconciled(t, log, conn).Clean())

	now = time.Now().Add(-time.Minute)
	appendEvents(t, log, 50)
	r.reaches(t, 100)
	requireCopy(t, conn, log, 51)
	require.NoError(t, feed.DeleteStream(t.Context(), conn))
	appendEvents(t, log, 1)
	r.reaches(t, 101)
	requireCopy(t, conn, log, 51)
}

func TestTheFeedGoesOnWhenAllItsEventsHaveExpired(t *testing.T) {
	log, conn := newLog(t), embed(t)
	settings := feed.Settings{MaxAge: feed.MinMaxAge}
	r := relayWith(t, log, conn, settings)
	for _, total := range []int64{10, 20, 30} {
		appendEvents(t, log, 10)
		r.reaches(t, total)
		require.Eventually(t, func() bool { return state(t, conn).Msgs == 0 }, eventually, often)
		require.EqualValues(t, total, state(t, conn).LastSeq)
		require.True(t, reconciled(t, log, conn).Clean())
		if total == 20 { // and for a relay that begins there
			r.end(t)
			r = relayWith(t, log, conn, settings)
			r.reaches(t, total)
		}
	}
}

func TestAStreamTakesTheSettingsThatAreGiven(t *testing.T) {
	log, conn := newLog(t), embed(t)
	appendEvents(t, log, 1)
	config := func() jetstream.StreamConfig { return stream(t, conn).CachedInfo().Config }
	follow := func(settings feed.Settings) {
		r := relayWith(t, log, conn, settings)
		r.reaches(t, 1)
		r.end(t)
	}
	follow(feed.Settings{})
	require.Equal(t, 1, config().Replicas)
	require.Zero(t, config().MaxAge)
	require.EqualValues(t, -1, config().MaxBytes)

	follow(feed.Settings{MaxAge: time.Minute}) // less than JetStream's window for duplicates, which must follow
	require.Equal(t, time.Minute, config().MaxAge)
	follow(feed.Settings{MaxBytes: 1 << 20})
	require.Equal(t, time.Minute, config().MaxAge, "what is not given stays")
	require.EqualValues(t, 1<<20, config().MaxBytes)

	had, err := feed.SettingsOf(t.Context(), conn)
	require.NoError(t, err)
	require.Equal(t, feed.Settings{Replicas: 1, MaxAge: time.Minute, MaxBytes: 1 << 20}, had)
	require.Equal(t, feed.Settings{Replicas: 3, MaxAge: time.Minute, MaxBytes: 5}, feed.Settings{Replicas: 3, MaxBytes: 5}.Or(had))

	// A setting that cannot be had now keeps no event from a stream that exists; one without a stream is waited for.
	follow(feed.Settings{Replicas: 3})
	require.Equal(t, 1, config().Replicas)
	require.NoError(t, feed.DeleteStream(t.Context(), conn))
	none, err := feed.SettingsOf(t.Context(), conn)
	require.NoError(t, err)
	require.Zero(t, none)
	r := relayWith(t, log, conn, feed.Settings{Replicas: 3})
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		_, waiting := r.Status()
		assert.ErrorContains(c, waiting, "cannot create the stream LEDGER")
		assert.ErrorContains(c, waiting, "replicas > 1 not supported")
	}, eventually, often)
}
