package api_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/api"
	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/eventstore/sqlite"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
	"github.com/collabledger/collabledger/projections"
	"github.com/collabledger/collabledger/reactors"
	"github.com/collabledger/collabledger/webhooks"
)

const operatorKey = "the-operators-key"

// How long tests wait for what takes a moment, and how often they look.
const (
	wait = 30 * time.Second
	tick = 5 * time.Millisecond
)

// ledger is a whole ledger on a fresh database, served over a real connection.
type ledger struct {
	t        testing.TB
	url      string
	config   api.Config
	handler  http.Handler
	operator *client.Client
	log      *syncBuffer
	stop     func() // ends it as a shutdown does; the test's end does so too
	stopRead func() // ends what keeps the read models up to date
}

// startLedger starts a ledger. change may replace parts of its configuration.
func startLedger(t testing.TB, change ...func(*api.Config)) *ledger {
	t.Helper()
	l := &ledger{t: t, log: &syncBuffer{}}
	db := sqldbtest.SQLite(t)
	backend, err := sqlite.New(t.Context(), db)
	require.NoError(t, err)
	store, err := eventstore.Open(t.Context(), backend, eventstore.Options{})
	require.NoError(t, err)
	catalog := domain.NewCatalog()
	engine, err := projections.Open(t.Context(), store, db, catalog, time.Now)
	require.NoError(t, err)
	states, err := commands.NewStates(store, catalog)
	require.NoError(t, err)
	_, sessionKey, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	tokens, err := commands.NewTokenSigner(sessionKey, "test")
	require.NoError(t, err)
	l.config = api.Config{
		Executor: &commands.Executor{
			Store: store, States: states, Registry: commands.NewRegistry(), Tokens: tokens, Clock: time.Now,
			NewID: func() uuid.UUID { return uuid.Must(uuid.NewV7()) },
		},
		Store: store, Engine: engine, OperatorKey: operatorKey, Version: "test", Clock: time.Now,
		Log: slog.New(slog.NewTextHandler(l.log, nil)),
	}
	l.config.Webhooks, err = webhooks.Open(t.Context(), webhooks.Config{
		Store: store, Executor: l.config.Executor, DB: db, Clock: time.Now, Log: l.config.Log, AllowInternal: true,
	})
	require.NoError(t, err)
	l.config.Reactors, err = reactors.Open(t.Context(), reactors.Config{Store: store, Models: engine, Executor: l.config.Executor, DB: db, Log: l.config.Log})
	require.NoError(t, err) // nobody runs them unless a test does
	for _, c := range change {
		c(&l.config)
	}
	serving, stopServing := context.WithCancel(context.Background())
	running, stopRunning := context.WithCancel(context.Background())
	l.stopRead = stopRunning
	l.handler, err = api.New(serving, l.config)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l.url = "http://" + listener.Addr().String()
	l.operator = client.New(l.url, operatorKey)
	var parts sync.WaitGroup
	parts.Go(func() { _ = engine.Run(running) })    // it ends with the test
	parts.Go(func() { _ = states.Follow(running) }) // likewise
	parts.Go(func() { _ = l.config.Webhooks.Follow(running) })
	parts.Go(func() { _ = l.config.Webhooks.Send(running) })
	served := make(chan error, 1)
	go func() { served <- api.Serve(serving, listener, l.handler, l.config.Log) }()
	l.stop = sync.OnceFunc(func() {
		stopServing()
		require.NoError(t, <-served)
		stopRunning()
		parts.Wait()
		require.NoError(t, store.Close())
	})
	t.Cleanup(l.stop)
	return l
}

// request is one HTTP request as a test writes it.
type request struct {
	method, path, body string
	key                string // empty: none
	as                 string // Ledger-Act-As; empty: none
	header             http.Header
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// send sends a request, whatever it is.
func (l *ledger) send(r request) answer {
	l.t.Helper()
	out, err := http.NewRequestWithContext(l.t.Context(), r.method, l.url+r.path, strings.NewReader(r.body))
	require.NoError(l.t, err)
	for name, values := range r.header {
		out.Header[name] = values
	}
	if r.key != "" {
		out.Header.Set("Authorization", "Bearer "+r.key)
	}
	if r.as != "" {
		out.Header.Set("Ledger-Act-As", r.as)
	}
	response, err := http.DefaultClient.Do(out)
	require.NoError(l.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(l.t, err)
	return answer{response.StatusCode, response.Header, body}
}

// get asks a query with the operator's key, and for a person when as is not empty.
func (l *ledger) get(path, as string) answer {
	l.t.Helper()
	return l.send(request{method: http.MethodGet, path: path, key: operatorKey, as: as})
}

// command sends a command with the headers that every command needs, and those given beside or instead.
func (l *ledger) command(name, body string, header http.Header) answer {
	l.t.Helper()
	all := http.Header{"Content-Type": {"application/json"}, "Idempotency-Key": {uuid.NewString()}}
	for key, values := range header {
		all[key] = values
	}
	return l.send(request{method: http.MethodPost, path: "/v1/commands/" + name, body: body, key: operatorKey, header: all})
}

// problem reads an answer that must be a problem of a status and code.
func (a answer) problem(t testing.TB, status int, code string) api.Problem {
	t.Helper()
	require.Equal(t, status, a.status, "%s", a.body)
	require.Equal(t, "application/problem+json", a.header.Get("Content-Type"))
	var p api.Problem
	decoder := json.NewDecoder(bytes.NewReader(a.body))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&p))
	require.Equal(t, code, p.Code, "%s", a.body)
	require.Equal(t, status, p.Status)
	require.Equal(t, "/problems/"+code, p.Type)
	require.NotEmpty(t, p.Title)
	require.NotEmpty(t, p.Detail)
	return p
}

// into reads an answer that must be 200 and JSON.
func into[T any](t testing.TB, a answer) T {
	t.Helper()
	require.Equal(t, http.StatusOK, a.status, "%s", a.body)
	require.Equal(t, "application/json", a.header.Get("Content-Type"))
	var value T
	require.NoError(t, json.Unmarshal(a.body, &value), "%s", a.body)
	return value
}

// encoded is a value as JSON.
func encoded(t testing.TB, value any) string {
	t.Helper()
	body, err := json.Marshal(value)
	require.NoError(t, err)
	return string(body)
}

// world is a ledger in which a consultancy works for a client, and a stranger has nothing to do with them.
type world struct {
	*ledger
	vidal, espiga, stranger person // owners of the consultancy, the client and another business
	reader                  person // account manager of the consultancy
	collaboration           uuid.UUID
	session                 uuid.UUID
	task                    uuid.UUID
	accept                  client.Answer // of AcceptCollaboration
	last                    int64         // position of the last event
}

// person is a member of an account.
type person struct{ account, user uuid.UUID }

func (p person) String() string { return p.account.String() + "/" + p.user.String() }

// do submits a command that must be accepted, for a person or, without one, as the operator.
func (w *world) do(who person, command any) client.Answer {
	w.t.Helper()
	c := w.operator
	if who.user != uuid.Nil {
		c = c.As(who.account, who.user)
	}
	answer, err := c.Do(w.t.Context(), commandName(w.t, command), command)
	require.NoError(w.t, err)
	w.last = answer.Position
	return answer
}

// commandName finds a command's name in the list.
func commandName(t testing.TB, command any) string {
	t.Helper()
	for _, spec := range commands.List() {
		if sameType(spec.Example, command) {
			return spec.Name
		}
	}
	t.Fatalf("%T is not a command of the list", command)
	return ""
}

// created reads a command's result.
func created[R any](w *world, a client.Answer) R {
	w.t.Helper()
	var result R
	require.NoError(w.t, json.Unmarshal(a.Result, &result))
	return result
}

// register opens an account.
func (w *world) register(kind domain.AccountType, name string) person {
	w.t.Helper()
	c := commands.RegisterAccount{
		Type: kind, Plan: domain.PlanPremium, Owner: commands.NewPerson{Name: "Owner of " + name, Email: "owner@" + strings.ToLower(name) + ".example"},
		AccountDetails: domain.AccountDetails{LegalName: name + " S.L.", TradeName: name, TaxID: "B12345678", Country: "ES", Email: "hola@" + strings.ToLower(name) + ".example", Phone: "+34 931 234 567"},
	}
	if kind == domain.Consultancy {
		c.FirmKind = domain.Agency
	}
	result := created[commands.AccountResult](w, w.do(person{}, c))
	return person{result.AccountID, result.OwnerUserID}
}

// startWorld plays the guide up to a log-in and a task, and waits until the read models show it.
func startWorld(t testing.TB, change ...func(*api.Config)) *world {
	t.Helper()
	w := &world{ledger: startLedger(t, change...)}
	w.vidal = w.register(domain.Consultancy, "Vidal")
	w.espiga = w.register(domain.Business, "Espiga")
	w.stranger = w.register(domain.Business, "Stranger")
	pair := commands.PairFields{ConsultancyID: w.vidal.account, ClientID: w.espiga.account}
	w.collaboration = domain.Pair(pair).CollaborationID()

	invited := created[commands.InvitationResult](w, w.do(w.vidal, commands.InviteMember{
		AccountID: w.vidal.account, NewPerson: commands.NewPerson{Name: "Rita Roca", Email: "rita@vidal.example"}, Role: domain.RoleAccountManager,
	}))
	w.reader = person{w.vidal.account, invited.UserID}
	w.do(w.reader, commands.AcceptInvitation{AccountID: w.vidal.account, InvitationID: invited.InvitationID})
	w.do(w.vidal, commands.ApplyForPartnership{ConsultancyID: w.vidal.account})
	w.do(person{}, commands.AcceptPartnership{ConsultancyID: w.vidal.account})
	w.do(w.vidal, commands.SubmitProfile{ConsultancyID: w.vidal.account, Profile: domain.Profile{
		DisplayName: "Bufete Vidal", Description: "Tax and accounts for shops.", Services: []string{"bookkeeping"}, Specialties: []string{"retail"},
		Languages: []string{"es"}, Country: "ES", City: "Barcelona", ContactEmail: "hola@vidal.example",
	}})
	w.do(person{}, commands.ApproveProfile{ConsultancyID: w.vidal.account, Revision: 1})
	w.do(w.espiga, commands.RequestCollaboration{PairFields: pair, Message: "Please do our payroll."})
	w.accept = w.do(w.vidal, commands.AcceptCollaboration{PairFields: pair})
	w.do(w.espiga, commands.GrantAccess{PairFields: pair, GrantTerms: commands.GrantTerms{RoleID: domain.RoleFinance}})
	w.session = created[commands.SessionResult](w, w.do(w.vidal, commands.OpenClientAccount{PairFields: pair, Purpose: "Second quarter"})).SessionID
	w.task = created[commands.TaskResult](w, w.do(person{}, commands.RaiseTask{
		ClientID: w.espiga.account, Section: domain.Sales, Title: "Match 4 payments", ExternalRef: "erp-4711", GoTo: "https://app.example/sales/4711",
	})).TaskID
	require.Equal(t, http.StatusOK, w.get("/v1/directory?minPosition="+strconv.FormatInt(w.last, 10), "").status)
	return w
}

// pair names the two in a query.
func (w *world) pair() commands.PairFields {
	return commands.PairFields{ConsultancyID: w.vidal.account, ClientID: w.espiga.account}
}

// query asks for a value and reads it, at or after the world's last event.
func query[T any](w *world, who person, path string, parameters url.Values) T {
	w.t.Helper()
	c := w.operator
	if who.user != uuid.Nil {
		c = c.As(who.account, who.user)
	}
	if parameters == nil {
		parameters = url.Values{}
	}
	parameters.Set("minPosition", strconv.FormatInt(w.last, 10))
	var value T
	require.NoError(w.t, c.Get(w.t.Context(), path, parameters, &value))
	return value
}

// problemOf finds the problem that a client met.
func problemOf(t testing.TB, err error) *client.Problem {
	t.Helper()
	p, ok := errors.AsType[*client.Problem](err)
	require.True(t, ok, "%v", err)
	return p
}

// syncBuffer is a log that a test can read while it is written.
type syncBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *syncBuffer) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(data)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// sameType tells whether two values are of one type.
func sameType(a, b any) bool { return reflect.TypeOf(a) == reflect.TypeOf(b) }
