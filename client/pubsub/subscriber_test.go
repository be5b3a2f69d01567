package pubsub_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/client/pubsub"
)

const topic = "test.topic"

// publish publishes messages whose UUIDs are 1, 2, 3, …
func publish(t testing.TB, publisher message.Publisher, count int) {
	t.Helper()
	for i := range count {
		require.NoError(t, publisher.Publish(topic, message.NewMessage(strconv.Itoa(i+1), []byte("x"))))
	}
}

func subscribe(t testing.TB, subscriber message.Subscriber) <-chan *message.Message {
	t.Helper()
	messages, err := subscriber.Subscribe(t.Context(), topic)
	require.NoError(t, err)
	return messages
}

// next waits for a message.
func next(t testing.TB, messages <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case m, open := <-messages:
		require.True(t, open, "the subscription has ended")
		return m
	case <-time.After(eventually):
		require.FailNow(t, "no message came")
		return nil
	}
}

// ack acknowledges so many messages and gives their UUIDs.
func ack(t testing.TB, messages <-chan *message.Message, count int) []string {
	t.Helper()
	var ids []string
	for range count {
		m := next(t, messages)
		require.True(t, m.Ack())
		ids = append(ids, m.UUID)
	}
	return ids
}

// consumerInfo is what the broker tells of the durable consumer of a name.
func consumerInfo(t testing.TB, js jetstream.JetStream, durable string) *jetstream.ConsumerInfo {
	t.Helper()
	consumer, err := js.Consumer(t.Context(), streamName, pubsub.ConsumerName(durable, topic))
	require.NoError(t, err)
	return consumer.CachedInfo()
}

// awaitSettled waits until the broker knows that a consumer has acknowledged everything up to a sequence.
func awaitSettled(t testing.TB, js jetstream.JetStream, durable string, sequence uint64) {
	t.Helper()
	require.Eventually(t, func() bool {
		info := consumerInfo(t, js, durable)
		return info.AckFloor.Stream == sequence && info.NumAckPending == 0
	}, eventually, often)
}

// The stock adapter makes consumers that the broker removes when nobody has asked them for five seconds.
func TestAConsumerIsDurableAndNeverRemovedForBeingIdle(t *testing.T) {
	conn, js := newStream(t)
	for name, competing := range map[string]bool{"ordered": false, "competing": true} {
		subscribe(t, newSubscriber(t, conn, pubsub.Config{Durable: name, Competing: competing}))
		config := consumerInfo(t, js, name).Config
		require.Equal(t, pubsub.ConsumerName(name, topic), config.Durable)
		require.Zero(t, config.InactiveThreshold)
		require.Equal(t, jetstream.AckExplicitPolicy, config.AckPolicy)
		require.Equal(t, name+" reads "+topic, config.Description)
	}
}

// The stock adapter deletes its durable consumer when it is closed.
func TestClosingKeepsTheConsumerAndItsPlace(t *testing.T) {
	conn, js := newStream(t)
	publish(t, newPublisher(t, conn), 5)
	first := newSubscriber(t, conn, pubsub.Config{Durable: "billing"})
	require.Equal(t, []string{"1", "2"}, ack(t, subscribe(t, first), 2))
	require.NoError(t, first.Close())
	require.EqualValues(t, 2, consumerInfo(t, js, "billing").AckFloor.Stream)

	second := newSubscriber(t, conn, pubsub.Config{Durable: "billing"})
	require.Equal(t, []string{"3", "4", "5"}, ack(t, subscribe(t, second), 3))
}

// The stock adapter panics on such a header.
func TestAHeaderWithSeveralValuesIsKept(t *testing.T) {
	conn, js := newStream(t)
	_, err := js.PublishMsg(t.Context(), &nats.Msg{Subject: topic, Header: nats.Header{"x": {"a", "b, c", ""}, "y": {"d"}}})
	require.NoError(t, err)
	m := next(t, subscribe(t, newSubscriber(t, conn, pubsub.Config{Durable: "billing"})))
	require.Equal(t, message.Metadata{"x": "a\nb, c\n", "y": "d"}, m.Metadata)

	m.Ack()

	require.NoError(t, newPublisher(t, conn).Publish("test.again", m.Copy()))
	again, err := js.Stream(t.Context(), streamName)
	require.NoError(t, err)
	stored, err := again.GetLastMsgForSubject(t.Context(), "test.again")
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b, c", ""}, stored.Header["x"])
}

// The stock adapter lets a message be delivered again while its handler still runs.
func TestAMessageInWorkIsNotDeliveredAgain(t *testing.T) {
	t.Parallel()
	for name, competing := range map[string]bool{"ordered": false, "competing": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, js := newStream(t)
			publish(t, newPublisher(t, conn), 3)
			alive := make(chan string, 1000)
			watching, err := conn.Subscribe("$JS.ACK.>", func(m *nats.Msg) {
				if string(m.Data) == "+WPI" {
					alive <- m.Subject
				}
			})
			require.NoError(t, err)
			defer func() { require.NoError(t, watching.Unsubscribe()) }()
			config := pubsub.Config{Durable: "slow", Competing: competing, AckWait: 2 * time.Second}
			messages := subscribe(t, newSubscriber(t, conn, config))
			inWork := next(t, messages)
			require.Equal(t, "1", inWork.UUID)

			// AckWait passes by twice, with three signs of life for each message.
			signs := 6
			if competing {
				signs *= 3
			}
			for range signs {
				select {
				case <-alive:
				case <-time.After(eventually):
					require.FailNow(t, "the broker hears nothing")
				}
			}
			info := consumerInfo(t, js, "slow")
			require.Zero(t, info.NumRedelivered)
			if competing {
				require.Equal(t, 3, info.NumAckPending, "also what waits for its turn is kept")
			} else {
				require.Equal(t, 1, info.NumAckPending)
			}
			inWork.Ack()
		})
	}
}

// The stock adapter closes the connection that it was given.
func TestTheConnectionStaysOpen(t *testing.T) {
	conn, _ := newStream(t)
	publisher := newPublisher(t, conn)
	publish(t, publisher, 1)
	subscriber := newSubscriber(t, conn, pubsub.Config{Durable: "billing"})
	ack(t, subscribe(t, subscriber), 1)
	require.NoError(t, subscriber.Close())
	require.NoError(t, publisher.Close())
	require.True(t, conn.IsConnected())
}

func TestWhatWasFetchedAndNotHandedOutIsGivenBackAtOnce(t *testing.T) {
	conn, js := newStream(t)
	publish(t, newPublisher(t, conn), 40)
	first := newSubscriber(t, conn, pubsub.Config{Durable: "billing", Competing: true})
	require.Equal(t, []string{"1"}, ack(t, subscribe(t, first), 1))
	require.Eventually(t, func() bool { return consumerInfo(t, js, "billing").NumAckPending == 39 }, eventually, often)
	require.NoError(t, first.Close())

	// AckWait is half a minute, so what comes now was given back.
	second := newSubscriber(t, conn, pubsub.Config{Durable: "billing", Competing: true})
	require.ElementsMatch(t, strings.Fields("2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40"),
		ack(t, subscribe(t, second), 39))
	awaitSettled(t, js, "billing", 40)
}

func TestASubscriptionHoldsALimitedNumberOfMessages(t *testing.T) {
	conn, js := newStream(t)
	publish(t, newPublisher(t, conn), 200)
	messages := subscribe(t, newSubscriber(t, conn, pubsub.Config{Durable: "billing", Competing: true}))
	require.Eventually(t, func() bool { return consumerInfo(t, js, "billing").NumAckPending == 64 }, eventually, often)
	m := next(t, messages)
	require.Equal(t, 64, consumerInfo(t, js, "billing").NumAckPending)
	m.Ack()
}

func TestAHandlerThatStillRunsMayAcknowledgeAfterTheEnd(t *testing.T) {
	conn, js := newStream(t)
	publish(t, newPublisher(t, conn), 1)
	subscriber := newSubscriber(t, conn, pubsub.Config{Durable: "billing"})
	ctx, cancel := context.WithCancel(t.Context())
	messages, err := subscriber.Subscribe(ctx, topic)
	require.NoError(t, err)
	m := next(t, messages)
	cancel()
	<-m.Context().Done() // the handler is told, and finishes
	require.True(t, m.Ack())
	require.NoError(t, subscriber.Close())
	require.EqualValues(t, 1, consumerInfo(t, js, "billing").AckFloor.Stream)
	_, open := <-messages
	require.False(t, open)
}

func TestARefusedMessageComesAgainAndKeepsItsPlace(t *testing.T) {
	conn, _ := newStream(t)
	publish(t, newPublisher(t, conn), 3)
	config := pubsub.Config{Durable: "billing", NackDelay: 10 * time.Millisecond}
	messages := []<-chan *message.Message{subscribe(t, newSubscriber(t, conn, config)), subscribe(t, newSubscriber(t, conn, config))}
	var got []string
	refusals := map[string]int{}
	for len(got) < 3 {
		var m *message.Message
		select {
		case m = <-messages[0]:
		case m = <-messages[1]:
		case <-time.After(eventually):
			require.FailNow(t, "no message came")
		}
		if refusals[m.UUID] < 3 {
			refusals[m.UUID]++
			m.Nack()
			continue
		}
		got = append(got, m.UUID)
		m.Ack()
	}
	require.Equal(t, []string{"1", "2", "3"}, got)
}

func TestCompetingSubscribersShareTheWork(t *testing.T) {
	conn, js := newStream(t)
	config := pubsub.Config{Durable: "billing", Competing: true}
	first, second := subscribe(t, newSubscriber(t, conn, config)), subscribe(t, newSubscriber(t, conn, config))
	publish(t, newPublisher(t, conn), 200)
	a, b := next(t, first), next(t, second) // both have one at the same time
	require.NotEqual(t, a.UUID, b.UUID)
	a.Ack()
	b.Ack()
	for left := 198; left > 0; left-- {
		select {
		case m := <-first:
			m.Ack()
		case m := <-second:
			m.Ack()
		case <-time.After(eventually):
			require.FailNow(t, "no message came")
		}
	}
	awaitSettled(t, js, "billing", 200)
	require.Zero(t, consumerInfo(t, js, "billing").NumRedelivered)
}

func TestANewConsumerBeginsWhereItIsTold(t *testing.T) {
	conn, _ := newStream(t)
	publish(t, newPublisher(t, conn), 5)
	first := newSubscriber(t, conn, pubsub.Config{Durable: "billing", StartSequence: 3})
	require.Equal(t, []string{"3"}, ack(t, subscribe(t, first), 1))
	require.NoError(t, first.Close())

	again := newSubscriber(t, conn, pubsub.Config{Durable: "billing", StartSequence: 1, AckWait: time.Minute})
	require.Equal(t, []string{"4", "5"}, ack(t, subscribe(t, again), 2), "one that exists goes on")
}

func TestALostConsumerIsMadeAnew(t *testing.T) {
	conn, js := newStream(t)
	publisher := newPublisher(t, conn)
	publish(t, publisher, 2)
	messages := subscribe(t, newSubscriber(t, conn, pubsub.Config{Durable: "billing"}))
	ack(t, messages, 2)
	awaitSettled(t, js, "billing", 2)
	require.NoError(t, js.DeleteConsumer(t.Context(), streamName, pubsub.ConsumerName("billing", topic)))
	require.Equal(t, []string{"1", "2"}, ack(t, messages, 2), "from the beginning: nobody knows better where it was")
}

// publishSoon publishes a message and does not wait long for the confirmation, which a broker that goes away never sends.
func publishSoon(t *testing.T, publisher message.Publisher, id string) error {
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	return publisher.Publish(topic, message.NewMessageWithContext(ctx, id, nil))
}

func TestAllMessagesComeThroughRestartsOfTheBroker(t *testing.T) {
	for name, competing := range map[string]bool{"ordered": false, "competing": true} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			broker := startBroker(t, dir, server.RANDOM_PORT)
			conn := connect(t, broker)
			js, err := jetstream.New(conn)
			require.NoError(t, err)
			_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: streamName, Subjects: []string{"test.>"}})
			require.NoError(t, err)
			port, err := strconv.Atoi(broker.ClientURL()[strings.LastIndex(broker.ClientURL(), ":")+1:])
			require.NoError(t, err)

			messages := subscribe(t, newSubscriber(t, conn, pubsub.Config{Durable: "billing", Competing: competing, AckWait: time.Second}))
			const count, restarts = 600, 3
			publisher := newPublisher(t, conn)
			var publishing sync.WaitGroup
			publishing.Go(func() {
				for i := range count {
					for publishSoon(t, publisher, strconv.Itoa(i+1)) != nil { // it may be there twice then
					}
				}
			})
			defer publishing.Wait()
			seen := map[string]bool{}
			order := []string{}
			for len(seen) < count {
				m := next(t, messages)
				if !seen[m.UUID] {
					order = append(order, m.UUID)
				}
				seen[m.UUID] = true
				m.Ack()
				if len(order)%(count/(restarts+1)) == 0 && len(order) < count {
					stopBroker(broker)
					broker = startBroker(t, dir, port)
				}
			}
			if !competing {
				for i, id := range order {
					require.Equal(t, strconv.Itoa(i+1), id)
				}
			}
		})
	}
}

func TestASubscriptionEndsWithTheConnection(t *testing.T) {
	conn, _ := newStream(t)
	messages := subscribe(t, newSubscriber(t, conn, pubsub.Config{Durable: "billing"}))
	conn.Close()
	select {
	case _, open := <-messages:
		require.False(t, open)
	case <-time.After(eventually):
		require.FailNow(t, "it goes on")
	}
}

func TestWhatIsClosedIsNotUsed(t *testing.T) {
	conn, _ := newStream(t)
	publisher := newPublisher(t, conn)
	require.NoError(t, publisher.Close())
	require.NoError(t, publisher.Close())
	require.ErrorIs(t, publisher.Publish(topic, message.NewMessage("1", nil)), pubsub.ErrClosed)
	subscriber := newSubscriber(t, conn, pubsub.Config{Durable: "billing"})
	require.NoError(t, subscriber.Close())
	require.NoError(t, subscriber.Close())
	_, err := subscriber.Subscribe(t.Context(), topic)
	require.ErrorIs(t, err, pubsub.ErrClosed)
}

func TestMistakesAreErrors(t *testing.T) {
	conn, _ := newStream(t)
	for _, config := range []pubsub.Config{
		{Durable: "billing"}, {Stream: "TEST"}, {Stream: "TEST", Durable: "a.b"}, {Stream: "TEST", Durable: "a b"}, {Stream: "T>", Durable: "a"},
		{Stream: "TEST", Durable: "a", AckWait: -1}, {Stream: "TEST", Durable: "a", NackDelay: -1},
	} {
		_, err := pubsub.NewSubscriber(conn, config, quiet())
		require.Error(t, err, fmt.Sprint(config))
	}
	none, err := pubsub.NewSubscriber(conn, pubsub.Config{Stream: "NONE", Durable: "billing"}, quiet())
	require.NoError(t, err)
	_, err = none.Subscribe(t.Context(), topic)
	require.ErrorIs(t, err, jetstream.ErrStreamNotFound)
	for _, bad := range []string{"", "test.*", "test.>", "test .x", "test..x", ".test", "test."} {
		require.ErrorContains(t, newPublisher(t, conn).Publish(bad, message.NewMessage("1", nil)), "no subject to publish to", bad)
	}
	require.ErrorContains(t, newPublisher(t, conn).Publish(topic, message.NewMessage("a\nb", nil)), "cannot be a header")
	require.Error(t, newPublisher(t, conn).Publish("nobody.listens", message.NewMessage("1", nil)))
}
