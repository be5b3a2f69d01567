package webhooks

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/eventstore/postgres"
	"github.com/collabledger/collabledger/eventstore/sqlite"
	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

// operator is the service that registers accounts, and has the platform's webhooks.
var operator = domain.Actor{Kind: domain.ActorService, Name: "operator"}

// How long a test waits for what must happen, and how often it looks.
const (
	patience = 30 * time.Second
	often    = 10 * time.Millisecond
)

// ledger is a ledger on a fresh database, with a clock that stands until a test moves it.
type ledger struct {
	t        *testing.T
	db       *sqldb.DB
	store    *eventstore.Store
	executor *commands.Executor
	clock    atomic.Int64 // µs
}

// eachLedger runs a test on each database.
func eachLedger(t *testing.T, test func(t *testing.T, l *ledger)) {
	t.Helper()
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) { test(t, newLedger(t, db)) })
}

func newLedger(t *testing.T, db *sqldb.DB) *ledger {
	t.Helper()
	l := &ledger{t: t, db: db}
	l.clock.Store(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC).UnixMicro())
	var backend eventstore.Backend
	var err error
	if db.Dialect == sqldb.Postgres {
		backend, err = postgres.New(t.Context(), db)
	} else {
		backend, err = sqlite.New(t.Context(), db)
	}
	require.NoError(t, err)
	l.store, err = eventstore.Open(t.Context(), backend, eventstore.Options{Clock: l.now})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, l.store.Close())
		require.NoError(t, backend.Close())
	})
	states, err := commands.NewStates(l.store, domain.NewCatalog())
	require.NoError(t, err)
	tokens, err := commands.NewTokenSigner(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), "https://ledger.example")
	require.NoError(t, err)
	l.executor = &commands.Executor{
		Store: l.store, States: states, Registry: commands.NewRegistry(), Tokens: tokens, Clock: l.now, NewID: uuid.New, AllowInternalWebhooks: true,
	}
	return l
}

func (l *ledger) now() time.Time { return time.UnixMicro(l.clock.Load()).UTC() }

// pass moves the clock.
func (l *ledger) pass(d time.Duration) { l.clock.Add(d.Microseconds()) }

// sender is that of a node of its own.
func (l *ledger) sender(change ...func(*Config)) *Sender {
	l.t.Helper()
	config := Config{Store: l.store, Executor: l.executor, DB: l.db, Clock: l.now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), AllowInternal: true}
	for _, c := range change {
		c(&config)
	}
	s, err := Open(l.t.Context(), config)
	require.NoError(l.t, err)
	return s
}

// runs runs a part of a sender until the end of the test.
func (l *ledger) runs(part func(context.Context) error) {
	l.t.Helper()
	ctx, cancel := context.WithCancel(l.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- part(ctx) }()
	l.t.Cleanup(func() {
		cancel()
		require.NoError(l.t, <-ended)
	})
}

// do submits a command that must be accepted, whose name is that of its type.
func (l *ledger) do(actor domain.Actor, command commands.Command) commands.Answer {
	l.t.Helper()
	body, err := json.Marshal(command)
	require.NoError(l.t, err)
	answer, err := l.executor.Execute(l.t.Context(), commands.Request{ID: uuid.New(), Name: reflect.TypeOf(command).Name(), Body: body, Actor: actor})
	require.NoError(l.t, err)
	return answer
}

// account opens a business, and gives its owner.
func (l *ledger) account() domain.Actor {
	l.t.Helper()
	result := l.do(operator, commands.RegisterAccount{
		Type: domain.Business, Plan: domain.PlanPremium, Owner: commands.NewPerson{Name: "Joan", Email: "joan@roca.example"},
		AccountDetails: domain.AccountDetails{LegalName: "Can Roca S.A.", TradeName: "Roca", TaxID: "A-87654321", Country: "ES", Email: "hola@roca.example", Phone: "+34 972 234 567"},
	}).Result.(commands.AccountResult)
	return domain.User(result.AccountID, result.OwnerUserID)
}

// subscribe registers a webhook of an account.
func (l *ledger) subscribe(owner domain.Actor, url string, types ...string) commands.WebhookResult {
	l.t.Helper()
	return l.do(owner, commands.RegisterWebhook{AccountID: &owner.AccountID, WebhookFields: commands.WebhookFields{URL: url, Types: types}}).Result.(commands.WebhookResult)
}

// raise raises a task of a client, which begins a stream, and tells the position of the event.
func (l *ledger) raise(client domain.Actor, reference string) (task uuid.UUID, position int64) {
	l.t.Helper()
	answer := l.do(client, commands.RaiseTask{ClientID: client.AccountID, Section: domain.Sales, Title: "Match payments", ExternalRef: reference, GoTo: "https://app.example/" + reference})
	return answer.Result.(commands.TaskResult).TaskID, answer.Position
}

// complete goes on with a task's stream.
func (l *ledger) complete(client domain.Actor, task uuid.UUID) int64 {
	l.t.Helper()
	return l.do(client, commands.CompleteTask{TaskID: task}).Position
}

// received is one request that came to a receiver.
type received struct {
	record eventstore.Record
	header http.Header
	body   []byte
}

// receiver is the HTTP server of a downstream service. It answers as the test says, 204 unless it does.
type receiver struct {
	t   *testing.T
	url string

	mu     sync.Mutex
	got    []received
	answer func(received, http.ResponseWriter)
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{t: t, answer: func(_ received, w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.url = server.URL + "/hooks"
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return // the sender has gone
	}
	record, err := eventstore.ParseRecord(body)
	if err != nil {
		r.t.Errorf("what came is no record: %v", err)
	}
	got := received{record, request.Header.Clone(), body}
	r.mu.Lock()
	r.got = append(r.got, got)
	answer := r.answer
	r.mu.Unlock()
	answer(got, w)
}

// answers says how the receiver answers from now on.
func (r *receiver) answers(answer func(received, http.ResponseWriter)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

// fails lets some events fail with a status.
func (r *receiver) fails(status int, which func(eventstore.Record) bool) {
	r.answers(func(got received, w http.ResponseWriter) {
		if which(got.record) {
			w.WriteHeader(status)
		}
	})
}

// all are the requests that have come, in their order.
func (r *receiver) all() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]received{}, r.got...)
}

// positions are those of the events that have come, again for each time.
func (r *receiver) positions() []int64 {
	positions := []int64{}
	for _, got := range r.all() {
		positions = append(positions, got.record.Position)
	}
	return positions
}

// eventually waits until something holds.
func (l *ledger) eventually(holds func() bool, what string) {
	l.t.Helper()
	require.Eventually(l.t, holds, patience, often, what)
}

// looked waits until all that has happened is noted.
func (l *ledger) looked() {
	l.t.Helper()
	l.eventually(func() bool {
		var position int64
		require.NoError(l.t, l.db.Read.QueryRowContext(context.Background(), "SELECT position FROM webhook_checkpoint").Scan(&position))
		return position == l.store.Committed()
	}, "the sender looks through the log")
}

// stands is how a delivery stands.
func (l *ledger) stands(webhook uuid.UUID, position int64) (state string, attempts int, due time.Time) {
	l.t.Helper()
	var µs int64
	err := l.db.Read.QueryRowContext(l.t.Context(), "SELECT state, attempts, due FROM webhook_deliveries WHERE webhook = $1 AND position = $2", webhook.String(), position).
		Scan(&state, &attempts, &µs)
	require.NoError(l.t, err)
	return state, attempts, time.UnixMicro(µs).UTC()
}

// settle makes all attempts that are due, one after the other, without a sender that runs.
func (l *ledger) settle(s *Sender) {
	l.t.Helper()
	for {
		attempts, err := s.claim(l.t.Context())
		require.NoError(l.t, err)
		if len(attempts) == 0 {
			return
		}
		for _, a := range attempts {
			require.NoError(l.t, s.try(l.t.Context(), a))
			s.free(a.webhook)
		}
	}
}

// follows is a sender that notes what is to be sent, and sends nothing by itself.
func (l *ledger) follows(change ...func(*Config)) *Sender {
	l.t.Helper()
	s := l.sender(change...)
	l.runs(s.Follow)
	return s
}

// works is a sender that does all that it does.
func (l *ledger) works() {
	l.t.Helper()
	l.runs(l.follows().Send)
}

// verify checks a request's signature with a secret, as a receiver would.
func verify(t *testing.T, got received, secret string) error {
	t.Helper()
	verifier, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	return verifier.VerifyIgnoringTimestamp(got.body, got.header)
}
