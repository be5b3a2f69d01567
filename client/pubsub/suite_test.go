package pubsub_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/client/pubsub"
)

// Waits of the tests. They bound a failure, no test takes that long.
const (
	eventually = 30 * time.Second
	often      = time.Millisecond
)

// streamName is the stream of all tests; it listens to their topics, test.>.
const streamName = "TEST"

// startBroker starts a server on a folder and a port, -1 for any.
func startBroker(t testing.TB, dir string, port int) *server.Server {
	t.Helper()
	broker, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, NoLog: true, NoSigs: true})
	require.NoError(t, err)
	broker.Start()
	t.Cleanup(func() { stopBroker(broker) })
	require.True(t, broker.ReadyForConnections(eventually))
	return broker
}

// stopBroker stops a server and waits until its files are closed. Stopping it again does nothing.
func stopBroker(broker *server.Server) {
	broker.Shutdown()
	broker.WaitForShutdown()
}

func connect(t testing.TB, broker *server.Server) *nats.Conn {
	t.Helper()
	conn, err := nats.Connect(broker.ClientURL(), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	return conn
}

// newStream makes the tests' stream on a broker of its own and connects to it.
func newStream(t testing.TB) (*nats.Conn, jetstream.JetStream) {
	t.Helper()
	conn := connect(t, startBroker(t, t.TempDir(), server.RANDOM_PORT))
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: streamName, Subjects: []string{"test.>"}})
	require.NoError(t, err)
	return conn, js
}

func newPublisher(t testing.TB, conn *nats.Conn) *pubsub.Publisher {
	t.Helper()
	publisher, err := pubsub.NewPublisher(conn)
	require.NoError(t, err)
	return publisher
}

func newSubscriber(t testing.TB, conn *nats.Conn, config pubsub.Config) *pubsub.Subscriber {
	t.Helper()
	config.Stream = streamName
	subscriber, err := pubsub.NewSubscriber(conn, config, quiet())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, subscriber.Close()) })
	return subscriber
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// suite is Watermill's suite on a broker of its own. Its test of reconnects is left out: it compares what was received with a list
// that its publishers still write to. TestAllMessagesComeThroughRestartsOfTheBroker stands in its place.
func suite(t *testing.T, competing bool) {
	conn, _ := newStream(t)
	construct := func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
		return newPublisher(t, conn), newSubscriber(t, conn, pubsub.Config{Durable: group, Competing: competing, NackDelay: time.Millisecond})
	}
	features := tests.Features{
		ConsumerGroups: true, GuaranteedOrder: !competing, Persistent: true,
		GenerateTopicFunc: func(tctx tests.TestContext) string { return "test." + tctx.TestID.String() },
	}
	tests.TestPubSub(t, features, func(t *testing.T) (message.Publisher, message.Subscriber) { return construct(t, "all") }, construct)
}

func TestWatermillsSuiteInOrder(t *testing.T) {
	t.Parallel()
	suite(t, false)
}

func TestWatermillsSuiteCompeting(t *testing.T) {
	t.Parallel()
	suite(t, true)
}

func TestANewNameReceivesOldMessages(t *testing.T) {
	conn, _ := newStream(t)
	features := tests.Features{NewSubscriberReceivesOldMessages: true, GenerateTopicFunc: func(tests.TestContext) string { return "test.old" }}
	tests.TestNewSubscriberReceivesOldMessages(t, tests.TestContext{TestID: tests.NewTestID(), Features: features},
		func(t *testing.T) (message.Publisher, message.Subscriber) {
			return newPublisher(t, conn), newSubscriber(t, conn, pubsub.Config{Durable: uuid.NewString()})
		})
}
