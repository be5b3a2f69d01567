package projections

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/eventstore/postgres"
	"github.com/collabledger/collabledger/eventstore/sqlite"
	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

// operator is the service that registers accounts and reviews.
var operator = domain.Actor{Kind: domain.ActorService, Name: "operator", Reviews: true}

// ledger is a whole ledger on a fresh database, with a clock that stands until a test moves it.
type ledger struct {
	t        testing.TB
	db       *sqldb.DB
	store    *eventstore.Store
	executor *commands.Executor
	now      time.Time
}

// eachLedger runs a test on each database.
func eachLedger(t *testing.T, test func(t *testing.T, l *ledger)) {
	t.Helper()
	t.Parallel() // most of their time tests wait for a database
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) { test(t, newLedger(t, db)) })
}

func newLedger(t testing.TB, db *sqldb.DB) *ledger {
	t.Helper()
	l := &ledger{t: t, db: db, now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return l.now }
	var backend eventstore.Backend
	var err error
	if db.Dialect == sqldb.Postgres {
		backend, err = postgres.New(t.Context(), db)
	} else {
		backend, err = sqlite.New(t.Context(), db)
	}
	require.NoError(t, err)
	l.store, err = eventstore.Open(t.Context(), backend, eventstore.Options{Clock: clock})
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
		Store: l.store, States: states, Registry: commands.NewRegistry(), Tokens: tokens, Clock: clock, NewID: uuid.New,
	}
	return l
}

// try submits a command, whose name is that of its type.
func (l *ledger) try(actor domain.Actor, command commands.Command) (commands.Answer, error) {
	l.t.Helper()
	body, err := json.Marshal(command)
	require.NoError(l.t, err)
	return l.executor.Execute(l.t.Context(), commands.Request{ID: uuid.New(), Name: reflect.TypeOf(command).Name(), Body: body, Actor: actor})
}

// do submits a command that must be accepted.
func (l *ledger) do(actor domain.Actor, command commands.Command) commands.Answer {
	l.t.Helper()
	answer, err := l.try(actor, command)
	require.NoError(l.t, err)
	return answer
}

// raise appends an event that no command raises, as the first of its stream.
func (l *ledger) raise(stream eventstore.StreamID, eventType, data string) int64 {
	l.t.Helper()
	appended, err := l.store.Append(l.t.Context(), eventstore.Append{
		CommandID: uuid.New(), Actor: operator.String(), Expect: []eventstore.StreamVersion{{Stream: stream}},
		Events: []eventstore.NewEvent{{ID: uuid.New(), Stream: stream, Type: eventType, Data: json.RawMessage(data)}},
	})
	require.NoError(l.t, err)
	return appended.Last
}

// open makes an engine over the ledger's read models, or over others.
func (l *ledger) open(models ...model) *Engine {
	l.t.Helper()
	if len(models) == 0 {
		engine, err := Open(l.t.Context(), l.store, l.db, domain.NewCatalog(), func() time.Time { return l.now })
		require.NoError(l.t, err)
		return engine
	}
	engine, err := open(l.t.Context(), l.store, l.db, domain.NewCatalog(), func() time.Time { return l.now }, models)
	require.NoError(l.t, err)
	return engine
}

// run lets an engine follow the log until the test, or stop, ends it.
func (l *ledger) run(engine *Engine) (stop func()) {
	l.t.Helper()
	ctx, cancel := context.WithCancel(l.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- engine.Run(ctx) }()
	var once bool
	stop = func() {
		if !once {
			once = true
			cancel()
			require.NoError(l.t, <-ended)
		}
	}
	l.t.Cleanup(stop)
	return stop
}

// caughtUp is an engine that has folded the whole log and goes no further.
func (l *ledger) caughtUp() *Engine {
	l.t.Helper()
	engine := l.open()
	stop := l.run(engine)
	l.await(engine)
	stop()
	return engine
}

// await waits until an engine has folded the whole log.
func (l *ledger) await(engine *Engine) {
	l.t.Helper()
	head, err := l.store.Head(l.t.Context())
	require.NoError(l.t, err)
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	require.NoError(l.t, engine.Wait(ctx, head.Position))
}

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// firm is an account with its owner.
type firm struct {
	id    uuid.UUID
	owner domain.Actor
}

func (f firm) viewer() Viewer { return ViewerFor(f.owner) }

// business registers a client's account.
func (l *ledger) business(name string) firm {
	l.t.Helper()
	return l.register(commands.RegisterAccount{Type: domain.Business, AccountDetails: details(name), Plan: domain.PlanPremium, Owner: owner(name)})
}

// consultancy registers a consultancy's account.
func (l *ledger) consultancy(name string) firm {
	l.t.Helper()
	return l.register(commands.RegisterAccount{
		Type: domain.Consultancy, AccountDetails: details(name), Plan: domain.PlanBasic, FirmKind: domain.Agency, Owner: owner(name),
	})
}

// partner registers a consultancy that is listed in the directory.
func (l *ledger) partner(name string) firm {
	l.t.Helper()
	f := l.consultancy(name)
	l.do(f.owner, commands.ApplyForPartnership{ConsultancyID: f.id})
	l.do(operator, commands.AcceptPartnership{ConsultancyID: f.id})
	l.do(f.owner, commands.SubmitProfile{ConsultancyID: f.id, Profile: profile(name)})
	l.do(operator, commands.ApproveProfile{ConsultancyID: f.id, Revision: 1})
	return f
}

func (l *ledger) register(command commands.RegisterAccount) firm {
	l.t.Helper()
	result := l.do(operator, command).Result.(commands.AccountResult)
	return firm{result.AccountID, domain.User(result.AccountID, result.OwnerUserID)}
}

func details(name string) domain.AccountDetails {
	return domain.AccountDetails{LegalName: name + " S.L.", TradeName: name, TaxID: "B12345678", Country: "ES", Email: "hola@firm.example", Phone: "+34 931 234 567"}
}

func owner(name string) commands.NewPerson {
	return commands.NewPerson{Name: "Owner of " + name, Email: "owner@firm.example"}
}

func profile(name string) domain.Profile {
	return domain.Profile{
		DisplayName: name, Description: "Tax and accounts for shops.", Services: []string{"bookkeeping"}, Specialties: []string{"retail"},
		Languages: []string{"es", "ca"}, Country: "ES", City: "Barcelona", ContactEmail: "hola@firm.example",
	}
}

// pair names the two accounts in a command.
func pair(consultancy, client firm) commands.PairFields {
	return commands.PairFields{ConsultancyID: consultancy.id, ClientID: client.id}
}
