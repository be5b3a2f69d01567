package feed_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/feed"
	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

func TestTheStreamHoldsEventNAtSequenceN(t *testing.T) {
	log, conn := newLog(t), embed(t)
	const before = 2*eventstore.MaxPageEvents + 345 // more than the window and than two pages
	appendEvents(t, log, before)
	r := relay(t, log, conn)
	r.reaches(t, before)
	requireCopy(t, conn, log, 1)

	for range 20 {
		appendEvents(t, log, 1)
	}
	r.reaches(t, before+20)
	requireCopy(t, conn, log, 1)
}

func TestTheLargestEventsArePublished(t *testing.T) {
	log, conn := newLog(t), embed(t)
	const around = len(`{"text":""}`)
	largest := `{"text":"` + strings.Repeat("x", eventstore.MaxDataBytes-around) + `"}`
	const count = 40
	for range count {
		_, err := log.Append(t.Context(), messages(1, largest))
		require.NoError(t, err)
	}
	relay(t, log, conn).reaches(t, count)
	requireCopy(t, conn, log, 1)
}

func TestAMessageIsTheRecordWithItsSubjectAndHeaders(t *testing.T) {
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	log, conn := newLog(t), embed(t)
	traced := messages(1, `{"traceparent":"not this one"}`)
	traced.TraceParent = parent
	untraced := messages(1, `{"note":",\"traceparent\":\"nor this one\"","traceparent":"nor that"}`)
	untraced.Actor = `,"traceparent":"nor what somebody calls himself"`
	for _, a := range []eventstore.Append{traced, untraced} {
		_, err := log.Append(t.Context(), a)
		require.NoError(t, err)
	}
	relay(t, log, conn).reaches(t, 2)

	records := wholeLog(t, log)
	for i, want := range []nats.Header{
		{"content-type": {"application/cloudevents+json"}, "Nats-Expected-Last-Sequence": {"0"}, "traceparent": {parent}},
		{"content-type": {"application/cloudevents+json"}, "Nats-Expected-Last-Sequence": {"1"}},
	} {
		message, err := stream(t, conn).GetMsg(t.Context(), uint64(i+1))
		require.NoError(t, err)
		require.Equal(t, "ledger.events.collaboration.MessageSent."+records[i].Stream.ID.String(), message.Subject)
		require.Equal(t, string(records[i].Bytes), string(message.Data))
		// A direct read adds what it says of the message itself.
		for _, added := range []string{jetstream.StreamHeader, jetstream.SequenceHeader, jetstream.TimeStampHeaer, jetstream.SubjectHeader} {
			delete(message.Header, added)
		}
		require.Equal(t, want, message.Header)
	}
}

func TestSubjectTellsKindEventAndID(t *testing.T) {
	id := uuid.MustParse("6b5f0a3e-7b1c-4f57-9f39-0d1d3c1f2a10")
	for _, c := range []struct{ kind, eventType, want string }{
		{"collaboration", "collaboration.CollaborationAccepted.v1", "ledger.events.collaboration.CollaborationAccepted." + id.String()},
		{"task", "task.TaskCompleted.v12", "ledger.events.task.TaskCompleted." + id.String()},
	} {
		record := eventstore.Record{Position: 1, Stream: eventstore.StreamID{Kind: c.kind, ID: id}, Type: c.eventType}
		got, err := feed.Subject(record)
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}
	for _, eventType := range []string{"", "TaskCompleted", "task.TaskCompleted", "task.TaskCompleted.v1.beta", "task..v1", ".TaskCompleted.v1", "task.TaskCompleted."} {
		_, err := feed.Subject(eventstore.Record{Position: 7, Stream: eventstore.StreamID{Kind: "task", ID: id}, Type: eventType})
		require.ErrorContains(t, err, "at position 7", eventType)
	}
}

func TestAnEventWithoutASubjectStopsTheRelay(t *testing.T) {
	log, conn := newLog(t), embed(t)
	appendEvents(t, log, 3)
	nameless := messages(1, "{}")
	nameless.Events[0].Type = "nameless"
	_, err := log.Append(t.Context(), nameless)
	require.NoError(t, err)
	appendEvents(t, log, 1)

	r := relay(t, log, conn)
	require.ErrorContains(t, r.failure(t), `the type of the event at position 4 is "nameless"`)
	_, waiting := r.Status()
	require.ErrorContains(t, waiting, "position 4")
	require.LessOrEqual(t, stream(t, conn).CachedInfo().State.LastSeq, uint64(3), "nothing is skipped")
}

func TestARelayGoesOnWhereTheLastOneStopped(t *testing.T) {
	log, conn := newLog(t), embed(t)
	appendEvents(t, log, 700)
	first := relay(t, log, conn)
	first.reaches(t, 700)
	first.end(t)
	created := stream(t, conn).CachedInfo().Created

	appendEvents(t, log, 700)
	relay(t, log, conn).reaches(t, 1400)
	require.Equal(t, created, stream(t, conn).CachedInfo().Created, "it is the same stream")
	requireCopy(t, conn, log, 1)
}

func TestARelayStoppedAtAnyMomentIsFollowedByAnother(t *testing.T) {
	log, conn := newLog(t), embed(t)
	const count = 5 * eventstore.MaxPageEvents
	appendEvents(t, log, count)
	for _, enough := range []int64{1, 100, 1000, 2500} {
		r := relay(t, log, conn)
		require.Eventually(t, func() bool {
			position, _ := r.Status()
			return position >= enough
		}, eventually, often)
		r.end(t)
	}
	relay(t, log, conn).reaches(t, count)
	requireCopy(t, conn, log, 1)
}

func TestADeletedStreamIsMadeAnewAndFilled(t *testing.T) {
	log, conn := newLog(t), embed(t)
	appendEvents(t, log, 600)
	r := relay(t, log, conn)
	r.reaches(t, 600)
	created := stream(t, conn).CachedInfo().Created
	js, err := jetstream.New(conn)
	require.NoError(t, err)

	// While no event comes, the relay has to notice by itself.
	require.NoError(t, js.DeleteStream(t.Context(), feed.StreamName))
	require.Eventually(t, func() bool {
		s, err := js.Stream(t.Context(), feed.StreamName)
		return err == nil && s.CachedInfo().State.LastSeq == 600
	}, eventually, often)
	require.NotEqual(t, created, stream(t, conn).CachedInfo().Created)
	r.reaches(t, 600)
	requireCopy(t, conn, log, 1)

	// While events come.
	require.NoError(t, js.DeleteStream(t.Context(), feed.StreamName))
	appendEvents(t, log, 600)
	r.reaches(t, 1200)
	requireCopy(t, conn, log, 1)
}

func TestAPurgedStreamGoesOnAndIsNotFilledAgain(t *testing.T) {
	log, conn := newLog(t), embed(t)
	appendEvents(t, log, 100)
	r := relay(t, log, conn)
	r.reaches(t, 100)

	require.NoError(t, stream(t, conn).Purge(t.Context(), jetstream.WithPurgeSequence(51)))
	appendEvents(t, log, 100)
	r.reaches(t, 200)
	requireCopy(t, conn, log, 51)
	r.end(t)

	require.NoError(t, stream(t, conn).Purge(t.Context()))
	again := relay(t, log, conn)
	again.reaches(t, 200)
	appendEvents(t, log, 1)
	again.reaches(t, 201)
	requireCopy(t, conn, log, 201)
}

func TestNoSingleEventCanBeDeleted(t *testing.T) {
	log, conn := newLog(t), embed(t)
	appendEvents(t, log, 3)
	relay(t, log, conn).reaches(t, 3)
	require.Error(t, stream(t, conn).DeleteMsg(t.Context(), 2))
	requireCopy(t, conn, log, 1)
}

func TestAStreamThatCountsAnEventThatItHasLostIsNotGoneOnWith(t *testing.T) {
	log, conn := newLog(t), embed(t)
	appendEvents(t, log, 3)
	head, err := log.Head(t.Context())
	require.NoError(t, err)
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{ // one that lets single events be deleted
		Name: feed.StreamName, Subjects: []string{feed.SubjectPrefix + ".>"}, Metadata: map[string]string{feed.EpochMetadata: head.Epoch.String()},
	})
	require.NoError(t, err)
	first := relay(t, log, conn)
	first.reaches(t, 3)
	first.end(t)
	require.NoError(t, stream(t, conn).DeleteMsg(t.Context(), 3))

	appendEvents(t, log, 1)
	second := relay(t, log, conn)
	require.Eventually(t, func() bool {
		_, waiting := second.Status()
		return waiting != nil && strings.Contains(waiting.Error(), "lost, that at position 3; delete the stream")
	}, eventually, often)
	require.EqualValues(t, 3, stream(t, conn).CachedInfo().State.LastSeq, "nothing was published behind the hole")
	require.NoError(t, js.DeleteStream(t.Context(), feed.StreamName))
	second.reaches(t, 4)
	requireCopy(t, conn, log, 1)
}

func TestABrokerThatLostItsTailGetsItAgain(t *testing.T) {
	log := newLog(t)
	dir, backup, address := t.TempDir(), t.TempDir(), freeAddress(t)
	broker := embedIn(t, dir, address)
	conn := dial(t, "nats://"+address)
	r := relay(t, log, conn)
	appendEvents(t, log, 400)
	r.reaches(t, 400)
	broker.Shutdown()
	require.NoError(t, os.CopyFS(backup, os.DirFS(dir)))

	broker = embedIn(t, dir, address)
	appendEvents(t, log, 700)
	r.reaches(t, 1100)
	broker.Shutdown()

	// It comes back as it was, and no new event tells the relay. When one comes it goes to the end, not into the gap.
	embedIn(t, backup, address)
	require.Eventually(t, func() bool {
		js, err := jetstream.New(conn)
		require.NoError(t, err)
		s, err := js.Stream(t.Context(), feed.StreamName)
		return err == nil && s.CachedInfo().State.LastSeq == 1100
	}, eventually, often)
	appendEvents(t, log, 1)
	r.reaches(t, 1101)
	requireCopy(t, conn, log, 1)
}

func TestEventsOfABrokersAbsenceAreThereWhenItIsBack(t *testing.T) {
	log := newLog(t)
	dir, address := t.TempDir(), freeAddress(t)
	conn := dial(t, "nats://"+address) // before the broker is there
	r := relay(t, log, conn)
	appendEvents(t, log, 10)
	require.Eventually(t, func() bool {
		_, waiting := r.Status()
		return waiting != nil
	}, eventually, often)

	total := int64(10)
	for _, meanwhile := range []int64{1000, 0, 1} {
		broker := embedIn(t, dir, address)
		r.reaches(t, total)
		requireCopy(t, conn, log, 1)
		broker.Shutdown()
		appendEvents(t, log, int(meanwhile))
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			position, waiting := r.Status()
			assert.Equal(c, total, position)
			assert.Error(c, waiting)
		}, eventually, often)
		total += meanwhile
	}
	embedIn(t, dir, address)
	r.reaches(t, total)
	requireCopy(t, conn, log, 1)
}

func TestABrokerThatStopsInTheMiddleOfALongLogMissesNothing(t *testing.T) {
	log := newLog(t)
	const count = 20_000
	appendEvents(t, log, count)
	dir, address := t.TempDir(), freeAddress(t)
	conn := dial(t, "nats://"+address)
	r := relay(t, log, conn)
	for _, enough := range []int64{1, 5_000} {
		broker := embedIn(t, dir, address)
		require.Eventually(t, func() bool {
			position, _ := r.Status()
			return position >= enough
		}, eventually, often)
		broker.Shutdown()
	}
	embedIn(t, dir, address)
	r.reaches(t, count)
	requireCopy(t, conn, log, 1)
}

func TestRelaysOfSeveralNodesShareTheStream(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		embedded := embedIn(t, t.TempDir(), "")
		const nodes, perNode = 3, 200
		var relays []*relaying
		var logs []*eventstore.Store
		for range nodes {
			log := openLog(t, db)
			logs = append(logs, log)
			relays = append(relays, relay(t, log, connect(t, embedded)))
		}
		var appending sync.WaitGroup
		errs := make(chan error, nodes*perNode)
		for _, log := range logs {
			appending.Go(func() {
				for range perNode {
					_, err := log.Append(t.Context(), messages(2, "{}"))
					errs <- err
				}
			})
		}
		appending.Wait()
		close(errs)
		for err := range errs {
			require.NoError(t, err)
		}
		for _, r := range relays {
			r.reaches(t, nodes*perNode*2)
		}
		requireCopy(t, connect(t, embedded), logs[0], 1)

		// Whichever is left goes on alone.
		for i, r := range relays[:nodes-1] {
			r.end(t)
			appendEvents(t, logs[i], 50)
			relays[nodes-1].reaches(t, nodes*perNode*2+50*int64(i+1))
		}
		requireCopy(t, connect(t, embedded), logs[0], 1)
	})
}

func TestAStreamThatIsNoCopyOfTheLogStopsTheRelay(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, conn *nats.Conn) *eventstore.Store // what the log is when the relay starts
		want  string
		last  uint64 // what the stream still ends with
	}{
		{"another log's", func(t *testing.T, conn *nats.Conn) *eventstore.Store {
			other := newLog(t)
			appendEvents(t, other, 5)
			r := relay(t, other, conn)
			r.reaches(t, 5)
			r.end(t)
			log := newLog(t)
			appendEvents(t, log, 10)
			return log
		}, "but the log's epoch is", 5},
		{"another application's", func(t *testing.T, conn *nats.Conn) *eventstore.Store {
			js, err := jetstream.New(conn)
			require.NoError(t, err)
			_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: feed.StreamName, Subjects: []string{"general.>"}})
			require.NoError(t, err)
			return newLog(t)
		}, `its metadata ledger-epoch is ""`, 0},
		{"ahead of a log that was restored", func(t *testing.T, conn *nats.Conn) *eventstore.Store {
			return restored(t, conn, 0)
		}, "its last sequence is 20, but the log ends at position 10", 20},
		{"overtaken by a log that was restored", func(t *testing.T, conn *nats.Conn) *eventstore.Store {
			return restored(t, conn, 15)
		}, "its event at sequence 20 is not the log's event at that position", 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := embed(t)
			r := relay(t, c.spoil(t, conn), conn)
			err := r.failure(t)
			require.ErrorIs(t, err, feed.ErrForeignStream)
			require.ErrorContains(t, err, c.want)
			_, waiting := r.Status()
			require.ErrorIs(t, waiting, feed.ErrForeignStream)
			require.Equal(t, c.last, stream(t, conn).CachedInfo().State.LastSeq, "the stream is left as it was")
		})
	}
}

// restored is a log of 20 events, all of them published, that was set back to its first 10 without anybody telling it, and has
// then grown by more.
func restored(t *testing.T, conn *nats.Conn, more int) *eventstore.Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.db")
	grow := func(path string, count int) (*eventstore.Store, func()) {
		db, err := sqldb.OpenSQLite(t.Context(), path)
		require.NoError(t, err)
		log := openLog(t, db)
		appendEvents(t, log, count)
		return log, func() {
			require.NoError(t, log.Close())
			require.NoError(t, db.Close())
		}
	}
	_, closeFirst := grow(path, 10)
	closeFirst()
	backup := filepath.Join(t.TempDir(), "backup.db")
	copyFile(t, path, backup)

	log, closeSecond := grow(path, 10)
	r := relay(t, log, conn)
	r.reaches(t, 20)
	r.end(t)
	closeSecond()

	log, closeRestored := grow(backup, more)
	t.Cleanup(closeRestored)
	return log
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, content, 0o600))
}

func TestAStreamThatBecomesAnotherLogsStopsTheRelay(t *testing.T) {
	log, conn := newLog(t), embed(t)
	appendEvents(t, log, 5)
	r := relay(t, log, conn)
	r.reaches(t, 5)

	js, err := jetstream.New(conn)
	require.NoError(t, err)
	config := stream(t, conn).CachedInfo().Config
	config.Metadata = map[string]string{feed.EpochMetadata: uuid.NewString()}
	_, err = js.UpdateStream(t.Context(), config)
	require.NoError(t, err)
	require.ErrorIs(t, r.failure(t), feed.ErrForeignStream)
}

func TestAnEventThatTheBrokerRefusesIsWaitedForAndNotSkipped(t *testing.T) {
	log := newLog(t)
	appendEvents(t, log, 3)
	_, err := log.Append(t.Context(), messages(1, `{"text":"`+strings.Repeat("x", 10_000)+`"}`))
	require.NoError(t, err)
	appendEvents(t, log, 3)

	conn := connect(t, plainServer(t, &server.Options{JetStream: true, StoreDir: t.TempDir(), DontListen: true, MaxPayload: 5_000}))
	r := relay(t, log, conn)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		position, waiting := r.Status()
		assert.EqualValues(c, 3, position)
		assert.ErrorIs(c, waiting, nats.ErrMaxPayload)
		assert.ErrorContains(c, waiting, "position 4")
	}, eventually, often)
	require.EqualValues(t, 3, stream(t, conn).CachedInfo().State.LastSeq)
}

// The broker confirms the last event of a group, and here it refuses one in the middle.
func TestTheReasonOfARefusalInTheMiddleOfAGroupIsTold(t *testing.T) {
	log, conn := newLog(t), embed(t)
	appendEvents(t, log, 200)
	r := relay(t, log, conn)
	r.reaches(t, 200)
	limit := func(bytes int32) {
		js, err := jetstream.New(conn)
		require.NoError(t, err)
		config := stream(t, conn).CachedInfo().Config
		config.MaxMsgSize = bytes
		_, err = js.UpdateStream(t.Context(), config)
		require.NoError(t, err)
	}
	limit(5_000)
	a := messages(20, "{}")
	a.Events[10].Data = json.RawMessage(`{"text":"` + strings.Repeat("x", 10_000) + `"}`)
	_, err := log.Append(t.Context(), a)
	require.NoError(t, err)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		position, waiting := r.Status()
		assert.EqualValues(c, 210, position)
		assert.ErrorContains(c, waiting, "after position 210")
		assert.ErrorContains(c, waiting, "message size exceeds maximum allowed")
	}, eventually, often)
	limit(-1)
	r.reaches(t, 220)
	requireCopy(t, conn, log, 1)
}

func TestABrokerWithoutJetStreamIsWaitedFor(t *testing.T) {
	conn := connect(t, plainServer(t, &server.Options{DontListen: true}))
	r := relay(t, newLog(t), conn)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		_, waiting := r.Status()
		assert.ErrorContains(c, waiting, "the broker has no JetStream")
	}, eventually, often)
	r.end(t)
}

// plainServer is a broker with other settings than an embedded one has.
func plainServer(t *testing.T, options *server.Options) *server.Server {
	t.Helper()
	options.NoLog, options.NoSigs = true, true
	broker, err := server.NewServer(options)
	require.NoError(t, err)
	broker.Start()
	t.Cleanup(func() { stop(broker) })
	require.True(t, broker.ReadyForConnections(eventually))
	return broker
}

func TestARelayEndsWithItsContextItsLogAndItsConnection(t *testing.T) {
	t.Run("context, while the broker is away", func(t *testing.T) {
		r := relay(t, newLog(t), dial(t, "nats://"+freeAddress(t)))
		require.Eventually(t, func() bool {
			_, waiting := r.Status()
			return waiting != nil
		}, eventually, often)
		r.end(t)
	})
	t.Run("context, at the end of the log", func(t *testing.T) {
		log := newLog(t)
		appendEvents(t, log, 1)
		r := relay(t, log, embed(t))
		r.reaches(t, 1)
		r.end(t)
	})
	t.Run("log", func(t *testing.T) {
		log := newLog(t)
		appendEvents(t, log, 1)
		r := relay(t, log, embed(t))
		r.reaches(t, 1)
		require.NoError(t, log.Close())
		require.ErrorIs(t, r.failure(t), eventstore.ErrClosed)
	})
	t.Run("connection", func(t *testing.T) {
		log, conn := newLog(t), embed(t)
		appendEvents(t, log, 1)
		r := relay(t, log, conn)
		r.reaches(t, 1)
		conn.Close()
		require.ErrorIs(t, r.failure(t), nats.ErrConnectionClosed)
	})
}
