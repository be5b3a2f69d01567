package client_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/client/pubsub"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/feed"
)

// Waits of the tests. They bound a failure, no test takes that long.
const (
	eventually = 30 * time.Second
	often      = time.Millisecond
)

// newLedger starts a ledger for the length of a test.
func newLedger(t testing.TB) *ledger {
	t.Helper()
	l, err := startLedger(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.close()) })
	return l
}

// messages appends so many messages of a conversation; their bodies count from the number after the last one's.
func messages(t testing.TB, l *ledger, after, count int) {
	t.Helper()
	var events []domain.Event
	for i := range count {
		events = append(events, domain.MessageSent{MessageID: uuid.New(), Body: fmt.Sprint(after + i + 1)})
	}
	require.NoError(t, l.write(t.Context(), events...))
}

// purge takes the first events out of the broker's stream, up to a position.
func purge(t testing.TB, l *ledger, position uint64) {
	t.Helper()
	js, err := jetstream.New(l.conn)
	require.NoError(t, err)
	stream, err := js.Stream(t.Context(), client.StreamName)
	require.NoError(t, err)
	require.NoError(t, stream.Purge(t.Context(), jetstream.WithPurgeSequence(position+1)))
}

// awaitRelayed waits until the broker has the log up to a position.
func awaitRelayed(t testing.TB, l *ledger, position uint64) {
	t.Helper()
	js, err := jetstream.New(l.conn)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		stream, err := js.Stream(t.Context(), client.StreamName)
		return err == nil && stream.CachedInfo().State.LastSeq == position
	}, eventually, often)
}

func TestNamesAreTheFeeds(t *testing.T) {
	require.Equal(t, feed.StreamName, client.StreamName)
	require.Equal(t, feed.SubjectPrefix+".>", client.EventSubjects)
}

func TestAServiceHandlesEveryEventInOrder(t *testing.T) {
	l := newLedger(t)
	messages(t, l, 0, 50)
	s := newService(t, l).start()
	s.has(bodies(1, 50)...)
	messages(t, l, 50, 50)
	s.has(bodies(1, 100)...)
	s.saved(100)
	require.Equal(t, 100, s.counted("handled"))
	require.Zero(t, s.counted("fetched"))

	head, err := l.log.Head(t.Context())
	require.NoError(t, err)
	records, err := l.log.ReadAll(t.Context(), 50, 1)
	require.NoError(t, err)
	envelope, err := records[0].Envelope()
	require.NoError(t, err)
	require.Equal(t, client.Meta{
		Position: 51, Epoch: head.Epoch.String(), ID: envelope.ID, Type: "collaboration.MessageSent.v1", Stream: envelope.Subject, StreamVersion: 1,
		Time: envelope.Time, Actor: "service:test", CommandID: envelope.CommandID, CorrelationID: "order-7", TraceParent: envelope.TraceParent,
	}, s.metas[50])
	require.Equal(t, client.Position{Epoch: head.Epoch.String(), Sequence: 100}, s.position())
}

func TestAServiceGoesOnWhereItStopped(t *testing.T) {
	l := newLedger(t)
	messages(t, l, 0, 10)
	s := newService(t, l).start()
	s.has(bodies(1, 10)...)
	s.saved(10)
	s.stop()
	messages(t, l, 10, 10)
	s.start().has(bodies(1, 20)...)
	require.Zero(t, s.counted("fetched"))
	require.Zero(t, s.counted("repeated"))
}

func TestWhatTheStreamNoLongerHoldsIsReadFromTheLedger(t *testing.T) {
	l := newLedger(t)
	messages(t, l, 0, 600) // more than a page
	awaitRelayed(t, l, 600)
	purge(t, l, 590)
	s := newService(t, l).start()
	s.has(bodies(1, 600)...)
	require.Equal(t, 590, s.counted("fetched"))
	s.saved(600)
	s.stop()

	messages(t, l, 600, 10)
	awaitRelayed(t, l, 610)
	purge(t, l, 610) // all of it, so that no message tells of the gap
	s.start().has(bodies(1, 610)...)
	messages(t, l, 610, 1)
	s.has(bodies(1, 611)...)
	require.Equal(t, 600, s.counted("fetched"))
}

func TestAPositionThatIsBehindTheConsumerIsWhatCounts(t *testing.T) {
	l := newLedger(t)
	messages(t, l, 0, 10)
	s := newService(t, l).start()
	s.has(bodies(1, 10)...)
	s.saved(10)
	s.stop()
	require.NoError(t, s.Positions.Save(t.Context(), client.Position{Epoch: s.position().Epoch, Sequence: 6})) // as from a backup
	s.start().has(append(bodies(1, 10), "7", "8", "9", "10")...)
	require.Equal(t, 4, s.counted("fetched"))
}

func TestAGapInWhatTheConsumerDeliversIsFilled(t *testing.T) {
	l := newLedger(t)
	messages(t, l, 0, 3)
	s := newService(t, l).start()
	s.has(bodies(1, 3)...)
	s.saved(3)
	l.stopRelay()
	messages(t, l, 3, 5)

	// Somebody else uses the consumer's name and takes two events away.
	s.stop()
	l.startRelay()
	awaitRelayed(t, l, 8)
	js, err := jetstream.New(l.conn)
	require.NoError(t, err)
	consumer, err := js.Consumer(t.Context(), client.StreamName, pubsub.ConsumerName("billing", client.EventSubjects))
	require.NoError(t, err)
	for range 2 {
		taken, err := consumer.Next(jetstream.FetchMaxWait(eventually))
		require.NoError(t, err)
		require.NoError(t, taken.DoubleAck(t.Context()))
	}
	s.start().has(bodies(1, 8)...)
	require.Equal(t, 2, s.counted("fetched"))
}

func TestRepeatsAreLeftOut(t *testing.T) {
	l := newLedger(t)
	messages(t, l, 0, 10)
	s := newService(t, l).start()
	s.has(bodies(1, 10)...)
	s.saved(10)
	js, err := jetstream.New(l.conn)
	require.NoError(t, err)
	require.NoError(t, js.DeleteConsumer(t.Context(), client.StreamName, pubsub.ConsumerName("billing", client.EventSubjects)))
	messages(t, l, 10, 1)
	s.has(bodies(1, 11)...)
	require.Equal(t, 10, s.counted("repeated"), "the new consumer began anew")
}

func TestAStreamThatIsFilledAnewIsGoneOnWith(t *testing.T) {
	l := newLedger(t)
	messages(t, l, 0, 10)
	s := newService(t, l).start()
	s.has(bodies(1, 10)...)
	s.saved(10)
	js, err := jetstream.New(l.conn)
	require.NoError(t, err)
	require.NoError(t, js.DeleteStream(t.Context(), client.StreamName))
	messages(t, l, 10, 10)
	s.has(bodies(1, 20)...)
}

func TestAnotherIncarnationOfTheLogEndsASubscription(t *testing.T) {
	l, other := newLedger(t), newLedger(t)
	messages(t, l, 0, 3)
	messages(t, other, 0, 5)
	s := newService(t, l).start()
	s.has(bodies(1, 3)...)
	s.saved(3)

	t.Run("while it runs", func(t *testing.T) {
		l.stopRelay()
		js, err := jetstream.New(l.conn)
		require.NoError(t, err)
		require.NoError(t, js.DeleteStream(t.Context(), client.StreamName))
		ctx, cancel := context.WithCancel(t.Context())
		var relaying sync.WaitGroup
		relaying.Go(func() { _ = feed.NewRelay(other.log, l.conn, feed.Settings{}, quiet()).Run(ctx) }) // it is stopped
		defer relaying.Wait()
		defer cancel()
		require.ErrorIs(t, s.failure(), client.ErrOtherEpoch)
		s.has(bodies(1, 3)...)
	})
	t.Run("when it begins", func(t *testing.T) {
		s.Conn, s.ledger = other.conn, other.Client
		require.ErrorIs(t, s.start().failure(), client.ErrOtherEpoch)
		s.has(bodies(1, 3)...)
	})
}

func TestAPositionPastTheLogsEndEndsASubscription(t *testing.T) {
	l := newLedger(t)
	messages(t, l, 0, 3)
	awaitRelayed(t, l, 3)
	head, err := l.log.Head(t.Context())
	require.NoError(t, err)
	s := newService(t, l)
	require.NoError(t, s.Positions.Save(t.Context(), client.Position{Epoch: head.Epoch.String(), Sequence: 4}))
	require.ErrorIs(t, s.start().failure(), client.ErrAhead)
}

func TestAFailureIsTriedAgain(t *testing.T) {
	l := newLedger(t)
	messages(t, l, 0, 3)
	s := newService(t, l)
	tries := 0
	s.fail = func(body string) error {
		if body == "2" && tries < 2 {
			tries++
			return errors.New("the database is away")
		}
		return nil
	}
	s.start().has(bodies(1, 3)...)
	require.Equal(t, 2, tries)
	require.Zero(t, s.counted("poisoned"))
}

func TestWhatCannotBeHandledGoesToThePoisonQueueAndTheRestGoesOn(t *testing.T) {
	l := newLedger(t)
	messages(t, l, 0, 6)
	awaitRelayed(t, l, 6)
	purge(t, l, 2) // so that one of them does not come from the stream
	s := newService(t, l)
	s.GiveUpAfter = 300 * time.Millisecond
	s.fail = func(body string) error {
		switch body {
		case "2":
			return client.Permanent(errors.New("no such customer\n\tat the bank"))
		case "3":
			return fmt.Errorf("still away")
		case "4":
			panic("a bug")
		case "5":
			return client.Permanent(errors.New(strings.Repeat("é", 1<<20)))
		}
		return nil
	}
	s.start().has("1", "6")
	require.Equal(t, 4, s.counted("poisoned"))
	records, err := l.log.ReadAll(t.Context(), 0, 10)
	require.NoError(t, err)

	js, err := jetstream.New(l.conn)
	require.NoError(t, err)
	stream, err := js.Stream(t.Context(), client.PoisonStreamName)
	require.NoError(t, err)
	for i, reason := range []string{"no such customer\n\tat the bank", "still away", `panic occurred: "a bug"`, strings.Repeat("é", 2048)} {
		poisoned, err := pubsub.NewSubscriber(l.conn, pubsub.Config{Stream: client.PoisonStreamName, Durable: fmt.Sprint("operator-", i), StartSequence: uint64(i) + 1}, quiet())
		require.NoError(t, err)
		found, err := poisoned.Subscribe(t.Context(), client.PoisonSubject+"billing")
		require.NoError(t, err)
		m := <-found
		require.Equal(t, string(records[i+1].Bytes), string(m.Payload))
		require.Contains(t, m.Metadata["reason_poisoned"], reason)
		require.Less(t, len(m.Metadata["reason_poisoned"]), 5<<10)
		require.Equal(t, "application/cloudevents+json", m.Metadata["content-type"])
		require.Equal(t, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", m.Metadata["traceparent"])
		m.Ack()
		require.NoError(t, poisoned.Close())
	}
	require.EqualValues(t, 4, stream.CachedInfo().State.Msgs)
}

func TestAFullPoisonQueueIsWaitedFor(t *testing.T) {
	l := newLedger(t)
	messages(t, l, 0, 3)
	js, err := jetstream.New(l.conn)
	require.NoError(t, err)
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{ // as an operator has set it
		Name: client.PoisonStreamName, Subjects: []string{client.PoisonSubject + "*"}, MaxMsgs: 1, Discard: jetstream.DiscardNew,
	})
	require.NoError(t, err)
	s := newService(t, l)
	s.fail = func(body string) error {
		if body != "3" {
			return client.Permanent(errors.New("never"))
		}
		return nil
	}
	s.start().saved(1)
	require.Eventually(t, func() bool { return s.counted("poisoned") >= 3 }, eventually, often, "the second is tried again")
	require.EqualValues(t, 1, s.position().Sequence)
	stream, err := js.Stream(t.Context(), client.PoisonStreamName)
	require.NoError(t, err)
	require.NoError(t, stream.Purge(t.Context()))
	s.has("3")
}

func TestEventsWithoutAHandlerAreSkippedAndTold(t *testing.T) {
	l := newLedger(t)
	require.NoError(t, l.write(t.Context(), domain.ConversationRead{MessagesRead: 1}, unheardOf{}, domain.MessageSent{Body: "1"}, unheardOf{}))
	s := newService(t, l)
	var mu sync.Mutex
	var skipped []string
	s.Skipped = func(_ context.Context, meta client.Meta) {
		mu.Lock()
		defer mu.Unlock()
		skipped = append(skipped, fmt.Sprint(meta.Position, " ", meta.Type))
	}
	s.start().has("1")
	require.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(skipped) == 3
	}, eventually, often)
	s.stop()
	require.Equal(t, []string{"1 collaboration.ConversationRead.v2", "2 collaboration.Unheard.v9", "4 collaboration.Unheard.v9"}, skipped)
	require.EqualValues(t, 4, s.position().Sequence)
	require.Equal(t, 3, s.counted("skipped"))
	require.NoError(t, testutil.GatherAndCompare(s.Metrics.(*prometheus.Registry), strings.NewReader(`
# HELP ledger_subscription_position Position in the log of the last event that the subscription has dealt with.
# TYPE ledger_subscription_position gauge
ledger_subscription_position{subscription="billing"} 4
`), "ledger_subscription_position"))
}

// A handler gets every version of its type that the client knows in the newest shape. A version to come is not one to leave out in
// silence: it goes to the poison queue.
func TestAHandlerGetsAllVersionsOfItsType(t *testing.T) {
	l := newLedger(t)
	pair := domain.Pair{ConsultancyID: uuid.New(), ClientID: uuid.New()}
	read := func(version, field string) written {
		return written{"collaboration.ConversationRead." + version, fmt.Sprintf(`{"consultancyId":%q,"clientId":%q,"side":"client","%s":7}`, pair.ConsultancyID, pair.ClientID, field)}
	}
	require.NoError(t, l.write(t.Context(), read("v1", "upTo"), read("v2", "messagesRead"), read("v3", "readIn"), read("v1", "upTo")))
	s := newService(t, l)
	type told struct {
		read    domain.ConversationRead
		version string
	}
	handled := make(chan told, 4)
	s.Handlers = []client.Handler{client.On(func(_ context.Context, read domain.ConversationRead, meta client.Meta) error {
		handled <- told{read, meta.Type}
		return nil
	})}
	s.start()
	for _, version := range []string{"v1", "v2", "v1"} {
		want := told{domain.ConversationRead{Pair: pair, Side: domain.ClientSide, MessagesRead: 7}, "collaboration.ConversationRead." + version}
		select {
		case got := <-handled:
			require.Equal(t, want, got)
		case <-time.After(eventually):
			require.FailNow(t, "an event was not handled", version)
		}
	}
	s.saved(4)
	s.stop()
	require.Equal(t, 1, s.counted("poisoned"))
	require.Zero(t, s.counted("skipped"))
	js, err := jetstream.New(l.conn)
	require.NoError(t, err)
	stream, err := js.Stream(t.Context(), client.PoisonStreamName)
	require.NoError(t, err)
	poisoned, err := stream.GetMsg(t.Context(), 1)
	require.NoError(t, err)
	require.Contains(t, poisoned.Header.Get("reason_poisoned"), `event type "collaboration.ConversationRead.v3" is not known to this version of the ledger`)
}

// written is an event as another version of the ledger writes it.
type written struct{ name, data string }

func (w written) EventType() string            { return w.name }
func (written) Parties() []uuid.UUID           { return nil }
func (w written) MarshalJSON() ([]byte, error) { return []byte(w.data), nil }

// unheardOf is an event of a later version of the ledger.
type unheardOf struct{}

func (unheardOf) EventType() string    { return "collaboration.Unheard.v9" }
func (unheardOf) Parties() []uuid.UUID { return nil }

func TestTheBrokerAndTheLedgerAreWaitedFor(t *testing.T) {
	l := newLedger(t)
	messages(t, l, 0, 5)
	dir, address := t.TempDir(), freeAddress(t)
	broker, err := feed.Embed(t.Context(), dir, address, quiet())
	require.NoError(t, err)
	t.Cleanup(broker.Shutdown)
	l.stopRelay()
	l.conn, err = feed.Dial("nats://"+address, quiet())
	require.NoError(t, err)
	t.Cleanup(l.conn.Close)
	l.startRelay()
	awaitRelayed(t, l, 5)
	purge(t, l, 2)
	l.stopRelay()
	broker.Shutdown()
	require.Eventually(t, func() bool { return !l.conn.IsConnected() }, eventually, often)

	asked, answering := make(chan struct{}, 100), atomic.Bool{}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !answering.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			asked <- struct{}{}
			return
		}
		l.handler.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	s := newService(t, l)
	s.ledger = client.New(front.URL, operatorKey)
	s.start()
	again, err := feed.Embed(t.Context(), dir, address, quiet())
	require.NoError(t, err)
	t.Cleanup(again.Shutdown)
	<-asked
	answering.Store(true)
	s.has(bodies(1, 5)...)
	require.Equal(t, 2, s.counted("fetched"))
}

// freeAddress is an address on which nobody listens.
func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }()
	return listener.Addr().String()
}

func TestTwoProcessesOfOneNameShareTheWork(t *testing.T) {
	l := newLedger(t)
	a := newService(t, l)
	b := newService(t, l)
	b.Positions = a.Positions
	a.start()
	b.start()
	for i := range 20 {
		messages(t, l, i*10, 10)
	}
	a.saved(200)
	a.stop()
	b.stop()
	require.ElementsMatch(t, bodies(1, 200), union(a.handled, b.handled))
	for _, handled := range [][]string{a.handled, b.handled} {
		require.True(t, slices.IsSortedFunc(handled, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }), handled)
	}
}

// union is what is in either list, once. A machine that is busy enough lets one process take over from the other, which then handles
// an event twice.
func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

func TestRefusalsEndASubscription(t *testing.T) {
	l := newLedger(t)
	messages(t, l, 0, 3)
	awaitRelayed(t, l, 3)
	purge(t, l, 3)
	refusing := func(answer http.HandlerFunc) *client.Client {
		server := httptest.NewServer(answer)
		t.Cleanup(server.Close)
		return client.New(server.URL, "key")
	}
	for name, test := range map[string]struct {
		status int
		body   string
		check  func(t *testing.T, err error)
	}{
		"a key that is not known": {401, `{"code":"unauthenticated","status":401}`, func(t *testing.T, err error) {
			problem, ok := errors.AsType[*client.Problem](err)
			require.True(t, ok, "%v", err)
			require.Equal(t, "unauthenticated", problem.Code)
		}},
		"the key of a person": {200, `{"items":[{"source":"urn:uuid:e","sequence":"2","streamversion":"1","type":"a.B.v1","subject":"a-1","time":"2026-01-02T03:04:05Z"}]}`,
			func(t *testing.T, err error) { require.ErrorIs(t, err, client.ErrGap) }},
		"a log that ends before the stream":  {200, `{"items":[]}`, func(t *testing.T, err error) { require.ErrorIs(t, err, client.ErrGap) }},
		"what is no record":                  {200, `{"items":[{"id":7}]}`, func(t *testing.T, err error) { require.ErrorIs(t, err, client.ErrNoRecord) }},
		"a record without a place":           {200, `{"items":[{"source":"urn:uuid:e","sequence":"0","streamversion":"1"}]}`, func(t *testing.T, err error) { require.ErrorIs(t, err, client.ErrNoRecord) }},
		"a record whose source is no ledger": {200, `{"items":[{"source":"https://x","sequence":"1","streamversion":"1","type":"a.B.v1","subject":"a-1"}]}`, func(t *testing.T, err error) { require.ErrorIs(t, err, client.ErrNoRecord) }},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t, l)
			s.t = t
			s.ledger = refusing(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.body)) // the client sees when it fails
			})
			test.check(t, s.start().failure())
			require.Empty(t, s.handled)
		})
	}
}

func TestAClosedConnectionEndsASubscription(t *testing.T) {
	l := newLedger(t)
	messages(t, l, 0, 1)
	s := newService(t, l)
	conn, err := feed.Connect(l.broker, quiet())
	require.NoError(t, err)
	s.Conn = conn
	s.start().has("1")
	conn.Close()
	require.ErrorIs(t, s.failure(), nats.ErrConnectionClosed)
}

func TestMistakesInASubscriptionAreErrors(t *testing.T) {
	l := newLedger(t)
	for want, change := range map[string]func(*client.Subscription){
		"needs a Name":          func(s *client.Subscription) { s.Name = "" },
		"needs a Name, a Conn":  func(s *client.Subscription) { s.Conn = nil },
		"Positions":             func(s *client.Subscription) { s.Positions = nil },
		"and Handlers":          func(s *client.Subscription) { s.Handlers = nil },
		"must not be empty nor": func(s *client.Subscription) { s.Name = "a.b" },
		"two handlers of":       func(s *client.Subscription) { s.Handlers = append(s.Handlers, s.Handlers...) },
		"handler 2 of": func(s *client.Subscription) {
			s.Handlers = append(s.Handlers, client.On(func(context.Context, domain.Event, client.Meta) error { return nil }))
		},
		"not a pointer to it": func(s *client.Subscription) {
			s.Handlers = append(s.Handlers, client.On(func(context.Context, *domain.AccessGranted, client.Meta) error { return nil }))
		},
		"must not be negative":        func(s *client.Subscription) { s.GiveUpAfter = -1 },
		"does not hold a position":    func(s *client.Subscription) { s.Positions = client.FilePositions("subscribe_test.go") },
		"load the position of billin": func(s *client.Subscription) { s.Positions = client.FilePositions(".") },
	} {
		s := newService(t, l).Subscription
		change(&s)
		require.ErrorContains(t, l.Subscribe(t.Context(), s), want)
	}
}

func TestAPositionInAFileIsReplacedAsAWhole(t *testing.T) {
	dir := t.TempDir()
	positions := client.FilePositions(filepath.Join(dir, "position.json"))
	none, err := positions.Load(t.Context())
	require.NoError(t, err)
	require.Zero(t, none)
	for i := range 3 {
		saved := client.Position{Epoch: "e", Sequence: int64(i) + 1}
		require.NoError(t, positions.Save(t.Context(), saved))
		loaded, err := positions.Load(t.Context())
		require.NoError(t, err)
		require.Equal(t, saved, loaded)
	}
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 1)
	require.Error(t, client.FilePositions(filepath.Join(dir, "none", "position.json")).Save(t.Context(), client.Position{Epoch: "e", Sequence: 1}))
}
