package feed_test

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/feed"
)

// forged makes a stream by hand, which says that it is a copy of the log.
func forged(t *testing.T, log *eventstore.Store, conn *nats.Conn) jetstream.JetStream {
	t.Helper()
	head, err := log.Head(t.Context())
	require.NoError(t, err)
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: feed.StreamName, Subjects: []string{feed.SubjectPrefix + ".>"}, Metadata: map[string]string{feed.EpochMetadata: head.Epoch.String()},
	})
	require.NoError(t, err)
	return js
}

func reconciled(t *testing.T, log *eventstore.Store, conn *nats.Conn) feed.Reconciliation {
	t.Helper()
	found, err := feed.Reconcile(t.Context(), log, conn, func(done, total int64) { require.LessOrEqual(t, done, total) })
	require.NoError(t, err)
	return found
}

func TestACompleteStreamIsClean(t *testing.T) {
	log, conn := newLog(t), embed(t)
	const count = 2*eventstore.MaxPageEvents + 7
	appendEvents(t, log, count)
	relay(t, log, conn).reaches(t, count)
	found := reconciled(t, log, conn)
	require.True(t, found.Clean())
	require.Equal(t, []int64{count, 1, count, count}, []int64{found.LogEnd, found.First, found.Last, found.Compared})

	require.NoError(t, stream(t, conn).Purge(t.Context(), jetstream.WithPurgeSequence(1_001)))
	found = reconciled(t, log, conn)
	require.True(t, found.Clean(), "what an operator has purged is not missing")
	require.Equal(t, []int64{1_001, count, count - 1_000}, []int64{found.First, found.Last, found.Compared})

	require.NoError(t, stream(t, conn).Purge(t.Context()))
	require.True(t, reconciled(t, log, conn).Clean())
}

func TestWhatIsLetGoDuringTheComparisonIsNotMissing(t *testing.T) {
	log, conn := newLog(t), embed(t)
	const count = 2*eventstore.MaxPageEvents + 7
	appendEvents(t, log, count)
	relay(t, log, conn).reaches(t, count)
	found, err := feed.Reconcile(t.Context(), log, conn, func(done, _ int64) {
		if done == eventstore.MaxPageEvents { // the first page is compared
			require.NoError(t, stream(t, conn).Purge(t.Context(), jetstream.WithPurgeSequence(1_801)))
		}
	})
	require.NoError(t, err)
	require.True(t, found.Clean(), "%v", found.Differences)
	require.Less(t, found.Compared, int64(count), "some had gone before they were read")
	require.GreaterOrEqual(t, found.Compared, int64(count-800))
}

func TestEachDifferenceIsTold(t *testing.T) {
	log, conn := newLog(t), embed(t)
	appendEvents(t, log, 6)
	js := forged(t, log, conn)
	for _, record := range wholeLog(t, log) {
		subject, err := feed.Subject(record)
		require.NoError(t, err)
		data := record.Bytes
		switch record.Position {
		case 2:
			data = []byte(strings.Replace(string(data), "March", "April", 1))
		case 3:
			subject = feed.SubjectPrefix + ".task.Elsewhere.1"
		}
		_, err = js.Publish(t.Context(), subject, data)
		require.NoError(t, err)
	}
	_, err := js.Publish(t.Context(), feed.SubjectPrefix+".task.Invented.1", []byte(`{}`))
	require.NoError(t, err)
	require.NoError(t, stream(t, conn).DeleteMsg(t.Context(), 5))

	found := reconciled(t, log, conn)
	require.False(t, found.Clean())
	kinds := map[int64]string{}
	for _, d := range found.Differences {
		kinds[d.Position] = d.Kind
		require.NotEmpty(t, d.Detail)
	}
	require.Equal(t, map[int64]string{2: feed.Bytes, 3: feed.Misfile, 5: feed.Missing, 7: feed.Foreign}, kinds)
	require.EqualValues(t, 4, found.Differing)
	require.EqualValues(t, 3, found.Compared)

	// The only cure is a new stream.
	require.NoError(t, feed.DeleteStream(t.Context(), conn))
	require.NoError(t, feed.DeleteStream(t.Context(), conn), "that there is none is fine")
	require.NoError(t, feed.NewRelay(log, conn, feed.Settings{}, quiet()).CatchUp(t.Context()))
	require.True(t, reconciled(t, log, conn).Clean())
	requireCopy(t, conn, log, 1)
}

func TestAnEventLostAtTheStreamsEndIsTold(t *testing.T) {
	log, conn := newLog(t), embed(t)
	appendEvents(t, log, 3)
	forged(t, log, conn)
	require.NoError(t, feed.NewRelay(log, conn, feed.Settings{}, quiet()).CatchUp(t.Context()))
	require.NoError(t, stream(t, conn).DeleteMsg(t.Context(), 3))
	found := reconciled(t, log, conn)
	require.EqualValues(t, 1, found.Differing)
	require.Equal(t, feed.Missing, found.Differences[0].Kind)
	require.EqualValues(t, 3, found.Differences[0].Position)
}

func TestDifferencesAreListedUpToTheirLimit(t *testing.T) {
	log, conn := newLog(t), embed(t)
	const count = feed.MaxDifferences + 5
	appendEvents(t, log, count)
	js := forged(t, log, conn)
	for range count {
		_, err := js.Publish(t.Context(), feed.SubjectPrefix+".task.Invented.1", []byte(`{}`))
		require.NoError(t, err)
	}
	found := reconciled(t, log, conn)
	require.EqualValues(t, count, found.Differing)
	require.Len(t, found.Differences, feed.MaxDifferences)
}

func TestAStreamOfAnotherLogIsForeign(t *testing.T) {
	log, other, conn := newLog(t), newLog(t), embed(t)
	appendEvents(t, log, 3)
	appendEvents(t, other, 3)
	require.NoError(t, feed.NewRelay(other, conn, feed.Settings{}, quiet()).CatchUp(t.Context()))
	found := reconciled(t, log, conn)
	require.False(t, found.Clean())
	require.Equal(t, feed.Foreign, found.Differences[0].Kind)
	require.ErrorIs(t, feed.NewRelay(log, conn, feed.Settings{}, quiet()).CatchUp(t.Context()), feed.ErrForeignStream)
}

func TestATailThatIsNotPublishedIsBehind(t *testing.T) {
	log, conn := newLog(t), embed(t)
	appendEvents(t, log, 3)
	found := reconciled(t, log, conn)
	require.False(t, found.Clean(), "there is no stream")
	require.EqualValues(t, 3, found.Behind)

	relayed := feed.NewRelay(log, conn, feed.Settings{}, quiet())
	require.NoError(t, relayed.CatchUp(t.Context()))
	appendEvents(t, log, 2)
	found = reconciled(t, log, conn)
	require.EqualValues(t, 2, found.Behind)
	require.Zero(t, found.Differing)
	require.NoError(t, relayed.CatchUp(t.Context()))
	require.True(t, reconciled(t, log, conn).Clean())
}
