package feed_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/eventstore/postgres"
	"github.com/collabledger/collabledger/eventstore/sqlite"
	"github.com/collabledger/collabledger/feed"
	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

// Waits of the tests. They bound a failure, no test takes that long.
const (
	eventually = time.Minute
	often      = 5 * time.Millisecond
)

// newLog opens a fresh log on SQLite.
func newLog(t testing.TB) *eventstore.Store { return openLog(t, sqldbtest.SQLite(t)) }

// openLog opens the log in a database.
func openLog(t testing.TB, db *sqldb.DB) *eventstore.Store {
	t.Helper()
	return openLogWith(t, db, eventstore.Options{})
}

func openLogWith(t testing.TB, db *sqldb.DB, options eventstore.Options) *eventstore.Store {
	t.Helper()
	var backend eventstore.Backend
	var err error
	switch db.Dialect {
	case sqldb.Postgres:
		backend, err = postgres.New(t.Context(), db)
	case sqldb.SQLite:
		backend, err = sqlite.New(t.Context(), db)
	}
	require.NoError(t, err)
	log, err := eventstore.Open(t.Context(), backend, options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, log.Close()) })
	return log
}

// appendEvents appends so many events to a log, as many in one command as fit.
func appendEvents(t testing.TB, log *eventstore.Store, count int) {
	t.Helper()
	for count > 0 {
		size := min(count, eventstore.MaxAppendEvents)
		_, err := log.Append(t.Context(), messages(size, `{"text":"Could you send us the March invoices?"}`))
		require.NoError(t, err)
		count -= size
	}
}

// messages is a command that raises so many events in a new collaboration.
func messages(count int, data string) eventstore.Append {
	stream := eventstore.StreamID{Kind: "collaboration", ID: uuid.New()}
	a := eventstore.Append{
		CommandID: uuid.New(),
		Expect:    []eventstore.StreamVersion{{Stream: stream}},
		Actor:     "user-1",
	}
	for range count {
		a.Events = append(a.Events, eventstore.NewEvent{
			ID: uuid.New(), Stream: stream, Type: "collaboration.MessageSent.v1", Data: json.RawMessage(data),
		})
	}
	return a
}

// wholeLog reads all records of a log.
func wholeLog(t testing.TB, log *eventstore.Store) []eventstore.Record {
	t.Helper()
	var records []eventstore.Record
	for {
		page, err := log.ReadAll(t.Context(), int64(len(records)), eventstore.MaxPageEvents)
		require.NoError(t, err)
		if len(page) == 0 {
			return records
		}
		records = append(records, page...)
	}
}

// embed starts an embedded server without a port for the length of a test.
func embed(t testing.TB) *nats.Conn {
	t.Helper()
	return connect(t, embedIn(t, t.TempDir(), ""))
}

// embedIn starts an embedded server on a folder and, if listen is not empty, a port. The test may stop it before its end.
func embedIn(t testing.TB, dir, listen string) *feed.Embedded {
	t.Helper()
	embedded, err := feed.Embed(t.Context(), dir, listen, quiet())
	require.NoError(t, err)
	t.Cleanup(embedded.Shutdown)
	return embedded
}

// stop stops a server and waits until its files are closed. Stopping it again does nothing.
func stop(server *server.Server) {
	server.Shutdown()
	server.WaitForShutdown()
}

func connect(t testing.TB, embedded nats.InProcessConnProvider) *nats.Conn {
	t.Helper()
	conn, err := feed.Connect(embedded, quiet())
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	return conn
}

func dial(t testing.TB, url string) *nats.Conn {
	t.Helper()
	conn, err := feed.Dial(url, quiet())
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	return conn
}

// quiet is a log that nobody reads.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// relaying is a relay that runs.
type relaying struct {
	*feed.Relay
	stop  context.CancelFunc
	ended chan error // what Run returned
}

// relay starts a relay, and stops it at the end of the test if it still runs.
func relay(t testing.TB, log *eventstore.Store, conn *nats.Conn) *relaying {
	t.Helper()
	return relayWith(t, log, conn, feed.Settings{})
}

func relayWith(t testing.TB, log *eventstore.Store, conn *nats.Conn, settings feed.Settings) *relaying {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &relaying{Relay: feed.NewRelay(log, conn, settings, quiet()), stop: cancel, ended: make(chan error, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.ended <- r.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return r
}

// end stops a relay and waits for it.
func (r *relaying) end(t testing.TB) {
	t.Helper()
	r.stop()
	require.ErrorIs(t, r.failure(t), context.Canceled)
}

// failure waits for what ends a relay by itself.
func (r *relaying) failure(t testing.TB) error {
	t.Helper()
	select {
	case err := <-r.ended:
		return err
	case <-time.After(eventually):
		require.FailNow(t, "the relay has not ended")
		return nil
	}
}

// reaches waits until a relay knows that the stream holds this position, and that nothing is in its way.
func (r *relaying) reaches(t testing.TB, position int64) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		reached, waiting := r.Status()
		assert.NoError(c, waiting)
		assert.Equal(c, position, reached)
	}, eventually, often)
}

// stream is what a downstream service sees of the stream, through nothing but the NATS client.
func stream(t testing.TB, conn *nats.Conn) jetstream.Stream {
	t.Helper()
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	s, err := js.Stream(t.Context(), feed.StreamName)
	require.NoError(t, err)
	return s
}

// requireCopy reads the whole stream with a consumer of its own, from the first sequence on, and checks it event by event: it
// begins at this position, the sequence is the position, the bytes are the log's, and it ends where the log does.
func requireCopy(t testing.TB, conn *nats.Conn, log *eventstore.Store, first int64) {
	t.Helper()
	records := wholeLog(t, log)
	info := stream(t, conn).CachedInfo()
	require.EqualValues(t, len(records), info.State.LastSeq)
	require.EqualValues(t, int64(len(records))-first+1, info.State.Msgs)
	consumer, err := stream(t, conn).OrderedConsumer(t.Context(), jetstream.OrderedConsumerConfig{})
	require.NoError(t, err)
	events, err := consumer.Messages()
	require.NoError(t, err)
	defer events.Stop()
	for _, record := range records[first-1:] {
		received, err := events.Next(jetstream.NextMaxWait(eventually))
		require.NoError(t, err)
		metadata, err := received.Metadata()
		require.NoError(t, err)
		require.EqualValues(t, record.Position, metadata.Sequence.Stream)
		require.Equal(t, string(record.Bytes), string(received.Data()))
		var event struct{ Sequence string }
		require.NoError(t, json.Unmarshal(received.Data(), &event))
		require.Equal(t, strconv.FormatUint(metadata.Sequence.Stream, 10), event.Sequence)
	}
}
