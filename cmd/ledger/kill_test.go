package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/api"
	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/feed"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

// The load under which servers are killed.
const (
	loadClients      = 64
	kills            = 10
	acksBetweenKills = 100
	loadWait         = 3 * time.Minute // for a number of acknowledgements, restarts included
)

// acknowledged are the answers that clients have got, by command id.
type acknowledged struct {
	mu      sync.Mutex
	answers map[uuid.UUID]client.Answer
	count   atomic.Int64
}

func (a *acknowledged) add(id uuid.UUID, answer client.Answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answers[id] = answer
	a.count.Add(1)
}

// firm is an account with its owner, as tests act for it.
type firm struct {
	id, owner uuid.UUID
}

func register(t *testing.T, ledger *client.Client, kind domain.AccountType, name string) firm {
	t.Helper()
	body := registration(name)
	body.Type = kind
	if kind == domain.Consultancy {
		body.FirmKind = domain.Agency
	}
	answer, err := ledger.Do(t.Context(), "RegisterAccount", body)
	require.NoError(t, err)
	var created commands.AccountResult
	require.NoError(t, json.Unmarshal(answer.Result, &created))
	return firm{created.AccountID, created.OwnerUserID}
}

func must(t *testing.T, ledger *client.Client, name string, body any) client.Answer {
	t.Helper()
	answer, err := ledger.Do(t.Context(), name, body)
	require.NoError(t, err, name)
	return answer
}

// partner registers a consultancy and takes it through the programme until it is listed.
func partner(t *testing.T, operator *client.Client) firm {
	t.Helper()
	consultancy := register(t, operator, domain.Consultancy, "Vidal Asesoría")
	person := operator.As(consultancy.id, consultancy.owner)
	must(t, person, "ApplyForPartnership", commands.ApplyForPartnership{ConsultancyID: consultancy.id})
	must(t, operator, "AcceptPartnership", commands.AcceptPartnership{ConsultancyID: consultancy.id})
	must(t, person, "SubmitProfile", commands.SubmitProfile{ConsultancyID: consultancy.id, Profile: domain.Profile{
		DisplayName: "Vidal Asesoría", Description: "Accounts for shops.", Services: []string{"bookkeeping"}, Specialties: []string{},
		Languages: []string{"es"}, Country: "ES", City: "Barcelona", ContactEmail: "hola@vidal.example",
	}})
	must(t, operator, "ApproveProfile", commands.ApproveProfile{ConsultancyID: consultancy.id, Revision: 1})
	return consultancy
}

// collaborating is a partner with a client that has granted it access.
func collaborating(t *testing.T, operator *client.Client) (consultancy, business firm, pair commands.PairFields) {
	t.Helper()
	consultancy = partner(t, operator)
	business = register(t, operator, domain.Business, "La Espiga")
	pair = commands.PairFields{ConsultancyID: consultancy.id, ClientID: business.id}
	must(t, operator.As(business.id, business.owner), "RequestCollaboration", commands.RequestCollaboration{PairFields: pair, Message: "Please keep our books."})
	must(t, operator.As(consultancy.id, consultancy.owner), "AcceptCollaboration", commands.AcceptCollaboration{PairFields: pair})
	must(t, operator.As(business.id, business.owner), "GrantAccess", commands.GrantAccess{PairFields: pair, GrantTerms: commands.GrantTerms{RoleID: domain.RoleFinance}})
	return consultancy, business, pair
}

// freeAddress is an address on which nobody listens, for a server that has to come back to the same one: below the ports that systems
// give to outgoing connections, of which one may be that of a client which tries to reach the server while it is away.
func freeAddress(t *testing.T) string {
	t.Helper()
	const lowest, highest, tries = 20_000, 30_000, 100
	for range tries {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(lowest+rand.N(highest-lowest)))
		if listener, err := net.Listen("tcp", address); err == nil {
			require.NoError(t, listener.Close())
			return address
		}
	}
	require.FailNow(t, "no free port")
	return ""
}

// persist submits a command under one id until the ledger answers, however often it is killed meanwhile, or the command loses a race.
func persist(ctx context.Context, ledger *client.Client, id uuid.UUID, name string, body any) (client.Answer, error) {
	for {
		answer, err := ledger.DoWithID(ctx, id, name, body)
		if problem, ok := errors.AsType[*client.Problem](err); err == nil || ctx.Err() != nil || ok && problem.Status < 500 && problem.Status != http.StatusConflict {
			return answer, err
		}
	}
}

// work keeps one client busy until stop is closed: it raises tasks, writes to the consultancy, and completes what it raised. What it
// has begun it brings to an end, so that nothing is under way afterwards.
func work(ctx context.Context, stop <-chan struct{}, ledger *client.Client, business firm, pair commands.PairFields, acks *acknowledged) error {
	person := ledger.As(business.id, business.owner)
	for !closed(stop) {
		id := uuid.New()
		raise := commands.RaiseTask{
			ClientID: business.id, Section: domain.Sales, Title: "Categorise an invoice", ExternalRef: id.String(), GoTo: "https://app.example/sales",
		}
		var body any = raise
		name := "RaiseTask"
		if rand.N(4) == 0 {
			name, body = "SendMessage", commands.SendMessage{PairFields: pair, Body: "About " + id.String()}
		}
		answer, err := persist(ctx, person, id, name, body)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		acks.add(id, answer)
		if name != "RaiseTask" {
			continue
		}
		done := uuid.New()
		answer, err = persist(ctx, person, done, "CompleteTask", commands.CompleteTask{TaskID: domain.TaskID(business.id, id.String())})
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("CompleteTask: %w", err)
		}
		acks.add(done, answer)
	}
	return nil
}

func closed(signal <-chan struct{}) bool {
	select {
	case <-signal:
		return true
	default:
		return false
	}
}

// logEvent is what the tests look at in a record of the log.
type logEvent struct {
	Sequence  string    `json:"sequence"`
	Subject   string    `json:"subject"`
	Version   string    `json:"streamversion"`
	CommandID uuid.UUID `json:"commandid"`
	raw       json.RawMessage
}

// wholeLog reads every record over HTTP.
func wholeLog(t *testing.T, ledger *client.Client) []logEvent {
	t.Helper()
	var log []logEvent
	for {
		var page struct {
			Items []json.RawMessage `json:"items"`
		}
		require.NoError(t, ledger.Get(t.Context(), "/v1/events", url.Values{"after": {strconv.Itoa(len(log))}, "limit": {"1000"}}, &page))
		if len(page.Items) == 0 {
			return log
		}
		for _, raw := range page.Items {
			event := logEvent{raw: raw}
			require.NoError(t, json.Unmarshal(raw, &event))
			log = append(log, event)
		}
	}
}

// requireWhole checks that the log has no gap, neither as a whole nor in any stream, and holds every acknowledged command once, as
// it was answered.
func requireWhole(t *testing.T, log []logEvent, acks map[uuid.UUID]client.Answer) {
	t.Helper()
	versions, commandsSeen := map[string]int{}, map[uuid.UUID][]int64{}
	for i, event := range log {
		require.Equal(t, strconv.Itoa(i+1), event.Sequence, "no gap in the log")
		versions[event.Subject]++
		require.Equal(t, strconv.Itoa(versions[event.Subject]), event.Version, "no gap in %s", event.Subject)
		commandsSeen[event.CommandID] = append(commandsSeen[event.CommandID], int64(i+1))
	}
	for id, answer := range acks {
		var positions []int64
		for _, event := range answer.Events {
			positions = append(positions, event.Position)
		}
		require.Equal(t, positions, commandsSeen[id], "command %s is there once, where its answer says", id)
	}
}

// requireFed waits until the broker has the whole log, and checks that sequence = position and that the bytes are the log's.
func requireFed(t *testing.T, js jetstream.JetStream, log []logEvent) {
	t.Helper()
	require.Eventually(t, func() bool {
		stream, err := js.Stream(t.Context(), feed.StreamName)
		return err == nil && stream.CachedInfo().State.LastSeq == uint64(len(log))
	}, loadWait, 50*time.Millisecond, "the broker catches up")
	consumer, err := js.OrderedConsumer(t.Context(), feed.StreamName, jetstream.OrderedConsumerConfig{})
	require.NoError(t, err)
	messages, err := consumer.Messages()
	require.NoError(t, err)
	defer messages.Stop()
	for i, event := range log {
		message, err := messages.Next(jetstream.NextMaxWait(loadWait))
		require.NoError(t, err)
		metadata, err := message.Metadata()
		require.NoError(t, err)
		require.EqualValues(t, i+1, metadata.Sequence.Stream)
		require.True(t, bytes.Equal(event.raw, message.Data()), "event %d is the same to the byte", i+1)
	}
}

// readModels is what all read models answer once they have the whole log.
func readModels(t *testing.T, ledger *client.Client, consultancy, business firm, pair commands.PairFields, head int) map[string]string {
	t.Helper()
	answers := map[string]string{}
	for _, query := range []string{
		"/v1/requests?party=" + consultancy.id.String(), "/v1/requests?party=" + business.id.String(),
		"/v1/access?client=" + business.id.String(), "/v1/sessions?client=" + business.id.String(),
		"/v1/kpis?client=" + business.id.String(), "/v1/portfolio?consultancy=" + consultancy.id.String(), "/v1/advice?client=" + business.id.String(),
		"/v1/access/ending?within=730d&client=" + business.id.String(), "/v1/tasks?client=" + business.id.String(), "/v1/directory?q=vidal",
		"/v1/collaborations/" + domain.Pair(pair).CollaborationID().String() + "/history",
	} {
		parsed, err := url.Parse(query)
		require.NoError(t, err)
		values := parsed.Query()
		values.Set("minPosition", strconv.Itoa(head))
		for cursor := "start"; cursor != ""; {
			var page struct {
				Items []json.RawMessage `json:"items"`
				Next  string            `json:"next"`
			}
			require.NoError(t, ledger.Get(t.Context(), parsed.Path, values, &page))
			for _, item := range page.Items {
				answers[query] += string(item) + "\n"
			}
			cursor = page.Next
			values.Set("cursor", cursor)
		}
	}
	return answers
}

// TestNothingAcknowledgedIsLostWhenTheServerIsKilled kills the server ten times under the load of 64 clients. In the end every
// acknowledged command is in the log once, the log has no gap, the broker has it all, and the read models are what a rebuild makes.
func TestNothingAcknowledgedIsLostWhenTheServerIsKilled(t *testing.T) {
	for name, storage := range map[string]func(*testing.T) []string{
		"sqlite":   func(*testing.T) []string { return nil },
		"postgres": func(t *testing.T) []string { return []string{"--postgres", sqldbtest.PostgresDSN(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			natsAddress := freeAddress(t)
			place := storage(t)
			server := startServer(t, append(slices.Clone(place), "--nats-listen", natsAddress)...)
			restart := append(slices.Clone(place), "--nats-listen", natsAddress, "--listen", server.Addr, "--data", server.Data)
			operator := server.Client()
			consultancy, business, pair := collaborating(t, operator)

			acks := &acknowledged{answers: map[uuid.UUID]client.Answer{}}
			stop := make(chan struct{})
			failures := make(chan error, loadClients)
			var clients sync.WaitGroup
			for range loadClients {
				clients.Go(func() { failures <- work(t.Context(), stop, operator, business, pair, acks) })
			}
			for range kills {
				enough := acks.count.Load() + acksBetweenKills
				require.Eventually(t, func() bool { return acks.count.Load() >= enough || len(failures) > 0 }, loadWait, time.Millisecond)
				server.Kill9()
				server = startServer(t, restart...)
			}
			close(stop)
			clients.Wait()
			close(failures)
			for err := range failures {
				require.NoError(t, err)
			}

			log := wholeLog(t, operator)
			requireWhole(t, log, acks.answers)
			conn, err := nats.Connect("nats://" + natsAddress)
			require.NoError(t, err)
			defer conn.Close()
			js, err := jetstream.New(conn)
			require.NoError(t, err)
			requireFed(t, js, log)

			incremental := readModels(t, operator, consultancy, business, pair, len(log))
			server.Stop()
			code, _, stderr := runLedger(t, nil, append([]string{"projections", "rebuild", "--data", server.Data}, place...)...)
			require.Equal(t, exitOK, code, stderr)
			startServer(t, restart...)
			require.Equal(t, incremental, readModels(t, operator, consultancy, business, pair, len(log)), "as rebuilt")
			requireClean(t, append([]string{"--data", server.Data}, place...)...)
		})
	}
}

// TestOneAnswerWinsARequest lets 64 clients accept, withdraw and decline one request at once.
func TestOneAnswerWinsARequest(t *testing.T) {
	server := startServer(t)
	operator := server.Client()
	consultancy := partner(t, operator)
	business := register(t, operator, domain.Business, "La Espiga")
	pair := commands.PairFields{ConsultancyID: consultancy.id, ClientID: business.id}
	theirs, ours := operator.As(business.id, business.owner), operator.As(consultancy.id, consultancy.owner)
	must(t, theirs, "RequestCollaboration", commands.RequestCollaboration{PairFields: pair, Message: "Please keep our books."})

	states := map[string]string{"AcceptCollaboration": "active", "WithdrawRequest": "withdrawn", "DeclineCollaboration": "declined"}
	type try struct {
		name string
		err  error
	}
	tries := make(chan try, loadClients)
	start := make(chan struct{})
	for i := range loadClients {
		go func() {
			<-start
			var err error
			name := []string{"AcceptCollaboration", "WithdrawRequest", "DeclineCollaboration"}[i%3]
			switch name {
			case "AcceptCollaboration":
				_, err = ours.Do(t.Context(), name, commands.AcceptCollaboration{PairFields: pair})
			case "WithdrawRequest":
				_, err = theirs.Do(t.Context(), name, commands.WithdrawRequest{PairFields: pair})
			case "DeclineCollaboration":
				_, err = ours.Do(t.Context(), name, commands.DeclineCollaboration{PairFields: pair, ReasonCode: domain.DeclinedNoCapacity})
			}
			tries <- try{name, err}
		}()
	}
	close(start)
	var winners []string
	lostTo := map[string]int{}
	for range loadClients {
		try := <-tries
		if try.err == nil {
			winners = append(winners, try.name)
			continue
		}
		problem, ok := errors.AsType[*client.Problem](try.err)
		require.True(t, ok, "%v", try.err)
		require.Equal(t, 422, problem.Status)
		require.Equal(t, "not_pending", problem.Code)
		lostTo[problem.State]++
	}
	require.Len(t, winners, 1)
	require.Equal(t, map[string]int{states[winners[0]]: loadClients - 1}, lostTo, "each loser hears the state it lost to")
}

// TestCommandsAndQueriesWorkWithoutTheBroker stops an external broker for a while.
func TestCommandsAndQueriesWorkWithoutTheBroker(t *testing.T) {
	address, folder := freeAddress(t), t.TempDir()
	silent := newLog(&syncBuffer{}, 0)
	broker, err := feed.Embed(t.Context(), folder, address, silent)
	require.NoError(t, err)
	server := startServer(t, "--nats", "nats://"+address)
	operator := server.Client()
	consultancy, business, pair := collaborating(t, operator)

	broker.Shutdown()
	answer := must(t, operator.As(consultancy.id, consultancy.owner), "SendMessage", commands.SendMessage{PairFields: pair, Body: "Good morning"})
	var inbox []client.Request
	for item, err := range operator.AtLeast(answer.Position).Requests(t.Context(), client.RequestsQuery{Party: business.id}) {
		require.NoError(t, err)
		inbox = append(inbox, item)
	}
	require.Len(t, inbox, 1)
	require.Equal(t, "Good morning", inbox[0].LastMessage)

	broker, err = feed.Embed(t.Context(), folder, address, silent)
	require.NoError(t, err)
	defer broker.Shutdown()
	conn, err := nats.Connect("nats://" + address)
	require.NoError(t, err)
	defer conn.Close()
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	requireFed(t, js, wholeLog(t, operator))
}

// TestABrokerThatIsFrozenIsWaitedFor stops a broker's process without ending it, so that its connections stay open and nothing
// answers. Commands go on, /readyz tells how far the feed is behind, and what the broker took before it froze is not there twice.
func TestABrokerThatIsFrozenIsWaitedFor(t *testing.T) {
	address := freeAddress(t)
	broker := startHelped(t, asBroker, brokerSetup{Dir: t.TempDir(), Address: address})
	server := startServer(t, "--nats", "nats://"+address)
	operator := server.Client()
	consultancy, _, pair := collaborating(t, operator)
	feedIs := func(fits func(api.FeedStatus) bool) {
		require.Eventually(t, func() bool {
			ready, err := readiness(context.Background(), server.URL)
			return err == nil && ready.Feed != nil && fits(*ready.Feed)
		}, readyWait, pollEvery)
	}
	feedIs(func(feed api.FeedStatus) bool { return feed.State == "live" })

	require.NoError(t, broker.cmd.Process.Signal(syscall.SIGSTOP))
	const count = 10
	for range count {
		must(t, operator.As(consultancy.id, consultancy.owner), "SendMessage", commands.SendMessage{PairFields: pair, Body: "Good morning"})
	}
	feedIs(func(feed api.FeedStatus) bool { return feed.Behind == count && feed.Error != "" })
	require.NoError(t, broker.cmd.Process.Signal(syscall.SIGCONT))
	feedIs(func(feed api.FeedStatus) bool { return feed.State == "live" && feed.Behind == 0 })
	requireFed(t, jetStream(t, address), wholeLog(t, operator))
}
