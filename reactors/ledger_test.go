package reactors

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"io"
	"log/slog"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/audit"
	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/eventstore/postgres"
	"github.com/collabledger/collabledger/eventstore/sqlite"
	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
	"github.com/collabledger/collabledger/projections"
)

// operator is the service that registers accounts, bills and reviews.
var operator = domain.Actor{Kind: domain.ActorService, Name: "operator", Reviews: true}

// How long a test waits for what must happen, and how often it looks.
const (
	patience = 30 * time.Second
	often    = 20 * time.Millisecond
)

// hurry is the pace of engines in tests. None is taken for dead because the machine has more to do.
var hurry = pace{beat: often, lease: patience, clock: often}

// ledger is a whole ledger on a fresh database, with a clock that stands until a test moves it. Its read models follow the log.
type ledger struct {
	t        *testing.T
	db       *sqldb.DB
	store    *eventstore.Store
	models   *projections.Engine
	executor *commands.Executor
	clock    atomic.Int64 // µs
}

// eachLedger runs a test on each database, beside other tests: most of their time they wait for a database.
func eachLedger(t *testing.T, test func(t *testing.T, l *ledger)) {
	t.Helper()
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) { test(t, newLedger(t, db)) })
}

func newLedger(t *testing.T, db *sqldb.DB) *ledger {
	t.Helper()
	l := &ledger{t: t, db: db}
	l.set(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
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
	l.executor = l.newExecutor()
	l.models, err = projections.Open(t.Context(), l.store, db, domain.NewCatalog(), l.now)
	require.NoError(t, err)
	l.runs(l.models.Run)
	return l
}

// newExecutor is that of another node.
func (l *ledger) newExecutor() *commands.Executor {
	l.t.Helper()
	states, err := commands.NewStates(l.store, domain.NewCatalog())
	require.NoError(l.t, err)
	tokens, err := commands.NewTokenSigner(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), "https://ledger.example")
	require.NoError(l.t, err)
	return &commands.Executor{
		Store: l.store, States: states, Registry: commands.NewRegistry(), Tokens: tokens, Clock: l.now, NewID: uuid.New,
	}
}

func (l *ledger) now() time.Time { return time.UnixMicro(l.clock.Load()).UTC() }

func (l *ledger) set(moment time.Time) { l.clock.Store(moment.UnixMicro()) }

// pass moves the clock.
func (l *ledger) pass(d time.Duration) { l.set(l.now().Add(d)) }

// engine is that of a node of its own; without reactors it has those that the ledger has.
func (l *ledger) engine(reactors ...reactor) *Engine {
	l.t.Helper()
	if len(reactors) == 0 {
		reactors = all()
	}
	e, err := open(l.t.Context(), Config{
		Store: l.store, Models: l.models, Executor: l.newExecutor(), DB: l.db, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}, reactors, hurry)
	require.NoError(l.t, err)
	return e
}

// runs runs something until stop, or the end of the test.
func (l *ledger) runs(run func(context.Context) error) (stop func()) {
	l.t.Helper()
	ctx, cancel := context.WithCancel(l.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			require.NoError(l.t, <-ended)
		}
	}
	l.t.Cleanup(stop)
	return stop
}

// try submits a command, whose name is that of its type.
func (l *ledger) try(actor domain.Actor, command commands.Command) (commands.Answer, error) {
	return l.tryAs(uuid.New(), actor, command)
}

func (l *ledger) tryAs(id uuid.UUID, actor domain.Actor, command commands.Command) (commands.Answer, error) {
	l.t.Helper()
	body, err := json.Marshal(command)
	require.NoError(l.t, err)
	return l.executor.Execute(l.t.Context(), commands.Request{ID: id, Name: reflect.TypeOf(command).Name(), Body: body, Actor: actor})
}

// do submits a command that must be accepted.
func (l *ledger) do(actor domain.Actor, command commands.Command) commands.Answer {
	l.t.Helper()
	answer, err := l.try(actor, command)
	require.NoError(l.t, err)
	return answer
}

// happened is one event of the log with who caused it.
type happened struct {
	actor string
	event domain.Event
}

// log reads the events after a position.
func (l *ledger) log(after int64) []happened {
	l.t.Helper()
	var events []happened
	for catalog := domain.NewCatalog(); ; {
		page, err := l.store.ReadAll(l.t.Context(), after, eventstore.MaxPageEvents)
		require.NoError(l.t, err)
		for _, record := range page {
			data, err := record.Data()
			require.NoError(l.t, err)
			event, err := catalog.Decode(record.Type, data)
			require.NoError(l.t, err)
			events = append(events, happened{record.Attribute("actor"), event})
		}
		if len(page) < eventstore.MaxPageEvents {
			return events
		}
		after = page[len(page)-1].Position
	}
}

// head is the log's end.
func (l *ledger) head() int64 {
	l.t.Helper()
	head, err := l.store.Head(l.t.Context())
	require.NoError(l.t, err)
	return head.Position
}

// follows waits until these events, and no others, have followed a position.
func (l *ledger) follows(after int64, want ...domain.Event) {
	l.t.Helper()
	require.Eventually(l.t, func() bool { return l.head() >= after+int64(len(want)) }, patience, often, "%d events after %d", len(want), after)
	var got []domain.Event
	for _, h := range l.log(after) {
		got = append(got, h.event)
	}
	require.ElementsMatch(l.t, want, got)
}

// settled waits until an engine has nothing left to do about the log as it is and as it becomes by that.
func (l *ledger) settled(e *Engine) {
	l.t.Helper()
	require.Eventually(l.t, func() bool {
		head := l.head()
		statuses, err := e.Status(l.t.Context())
		require.NoError(l.t, err)
		for _, s := range statuses {
			if s.Behind > 0 || s.State != Live {
				return false
			}
		}
		return l.head() == head
	}, patience, often, "nothing left to do")
}

// isClean holds the log to rules that share nothing with those that accepted it.
func (l *ledger) isClean() {
	l.t.Helper()
	report, err := audit.Check(l.t.Context(), l.store, audit.Options{})
	require.NoError(l.t, err)
	require.EqualValues(l.t, l.head(), report.Events)
	require.Empty(l.t, report.Violations)
}

// firm is an account with its owner.
type firm struct {
	id    uuid.UUID
	owner domain.Actor
}

// business registers a client's account.
func (l *ledger) business(name string) firm {
	l.t.Helper()
	return l.register(commands.RegisterAccount{Type: domain.Business, AccountDetails: details(name), Plan: domain.PlanPremium, Owner: owner(name)})
}

// partner registers a consultancy that is listed in the directory.
func (l *ledger) partner(name string) firm {
	l.t.Helper()
	f := l.register(commands.RegisterAccount{
		Type: domain.Consultancy, AccountDetails: details(name), Plan: domain.PlanBasic, FirmKind: domain.Agency, Owner: owner(name),
	})
	l.do(f.owner, commands.ApplyForPartnership{ConsultancyID: f.id})
	l.do(operator, commands.AcceptPartnership{ConsultancyID: f.id})
	l.list(f, 1)
	return f
}

// list publishes a consultancy's next profile.
func (l *ledger) list(f firm, revision int) {
	l.t.Helper()
	l.do(f.owner, commands.SubmitProfile{ConsultancyID: f.id, Profile: domain.Profile{
		DisplayName: "Vidal", Description: "Tax and accounts for shops.", Services: []string{"bookkeeping"}, Specialties: []string{"retail"},
		Languages: []string{"es", "ca"}, Country: "ES", City: "Barcelona", ContactEmail: "hola@firm.example",
	}})
	l.do(operator, commands.ApproveProfile{ConsultancyID: f.id, Revision: revision})
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

// join makes a person a member of a firm.
func (l *ledger) join(f firm, role domain.Role) domain.Actor {
	l.t.Helper()
	invited := l.do(f.owner, commands.InviteMember{
		AccountID: f.id, NewPerson: commands.NewPerson{Name: "Jordi Puig", Email: uuid.NewString() + "@firm.example"}, Role: role,
	}).Result.(commands.InvitationResult)
	person := domain.User(f.id, invited.UserID)
	l.do(person, commands.AcceptInvitation{AccountID: f.id, InvitationID: invited.InvitationID})
	return person
}

// pair names the two accounts in a command.
func pair(consultancy, client firm) commands.PairFields {
	return commands.PairFields{ConsultancyID: consultancy.id, ClientID: client.id}
}

// ask has the client ask the consultancy to collaborate.
func (l *ledger) ask(consultancy, client firm) commands.PairFields {
	l.t.Helper()
	pair := pair(consultancy, client)
	l.do(client.owner, commands.RequestCollaboration{PairFields: pair, Message: "Please keep our books."})
	return pair
}

// collaborate has the client ask and the consultancy accept.
func (l *ledger) collaborate(consultancy, client firm) commands.PairFields {
	l.t.Helper()
	pair := l.ask(consultancy, client)
	l.do(consultancy.owner, commands.AcceptCollaboration{PairFields: pair})
	return pair
}

// grant has the client grant access, until a moment if there is one.
func (l *ledger) grant(client firm, pair commands.PairFields, until ...time.Time) uuid.UUID {
	l.t.Helper()
	terms := commands.GrantTerms{RoleID: domain.RoleFinance}
	if len(until) > 0 {
		terms.ExpiresAt = &until[0]
	}
	return l.do(client.owner, commands.GrantAccess{PairFields: pair, GrantTerms: terms}).Result.(commands.GrantResult).GrantID
}

// assign puts people in charge of the client.
func (l *ledger) assign(consultancy firm, pair commands.PairFields, people ...domain.Actor) {
	l.t.Helper()
	var ids []uuid.UUID
	for _, person := range people {
		ids = append(ids, person.UserID)
	}
	l.do(consultancy.owner, commands.AssignAccountManagers{PairFields: pair, UserIDs: ids})
}

// logIn opens the client's account.
func (l *ledger) logIn(person domain.Actor, pair commands.PairFields) uuid.UUID {
	l.t.Helper()
	return l.do(person, commands.OpenClientAccount{PairFields: pair}).Result.(commands.SessionResult).SessionID
}
