package pubsub_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/collabledger/collabledger/client/pubsub"
)

// TestMessagesComeAsTheyWerePublished publishes whatever metadata there may be, among them names and values that would mean
// something to NATS.
func TestMessagesComeAsTheyWerePublished(t *testing.T) {
	conn, _ := newStream(t)
	publisher := newPublisher(t, conn)
	messages := subscribe(t, newSubscriber(t, conn, pubsub.Config{Durable: "reader"}))
	names := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
		"", "Status", "Description", "Nats-Expected-Last-Sequence", "Nats-Msg-Id", "watermill-uuid", "watermill-metadata", "a:b", "a b", "traceparent",
	}))
	values := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "a\nb", "a\r\nb", " a ", "\n", "404", "{}", "7"}))
	rapid.Check(t, func(rt *rapid.T) {
		sent := message.NewMessage(strconv.FormatUint(rapid.Uint64().Draw(rt, "uuid"), 10), rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(rt, "payload"))
		sent.Metadata = rapid.MapOfN(names, values, 0, 5).Draw(rt, "metadata")
		if err := publisher.Publish(topic, sent); err != nil {
			rt.Fatal(err)
		}
		got := next(t, messages)
		got.Ack()
		if !sent.Equals(got) {
			rt.Fatalf("sent %v %q, got %v %q", sent.Metadata, sent.Payload, got.Metadata, got.Payload)
		}
	})
}

func TestAMessageOfAnotherPublisherIsNamedAfterItsPlace(t *testing.T) {
	conn, js := newStream(t)
	_, err := js.PublishMsg(t.Context(), &nats.Msg{Subject: topic, Data: []byte("x"), Header: nats.Header{
		"Nats-Expected-Last-Sequence": {"0"}, "Nats-Msg-Id": {"1"}, "watermill-metadata": {"no JSON"},
	}})
	require.NoError(t, err)
	m := next(t, subscribe(t, newSubscriber(t, conn, pubsub.Config{Durable: "reader"})))
	m.Ack()
	require.Equal(t, "TEST:1", m.UUID)
	require.Equal(t, message.Metadata{"watermill-metadata": "no JSON"}, m.Metadata, "without what was meant for the broker")
	require.NoError(t, newPublisher(t, conn).Publish(topic, m.Copy()), "so that it can be published again")
}

func TestAMessageLargerThanTheBrokerTakesIsAnError(t *testing.T) {
	conn, _ := newStream(t)
	err := newPublisher(t, conn).Publish(topic, message.NewMessage("1", []byte(strings.Repeat("x", int(conn.MaxPayload())+1))))
	require.ErrorIs(t, err, nats.ErrMaxPayload)
}
