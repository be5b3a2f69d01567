package email

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/eventstore/postgres"
	"github.com/collabledger/collabledger/eventstore/sqlite"
	"github.com/collabledger/collabledger/internal/smtptest"
	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
	"github.com/collabledger/collabledger/projections"
)

// operator is the service that registers accounts and reviews.
var operator = domain.Actor{Kind: domain.ActorService, Name: "operator", Reviews: true}

// How long a test waits for what must happen, and how often it looks.
const (
	patience = 30 * time.Second
	often    = 20 * time.Millisecond
)

// ledger is a whole ledger on a fresh database, with a clock that stands until a test moves it. Its read models follow the log.
type ledger struct {
	t        *testing.T
	db       *sqldb.DB
	store    *eventstore.Store
	models   *projections.Engine
	executor *commands.Executor
	clock    atomic.Int64 // µs
	log      logged       // what its mailers log
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
	l.executor = &commands.Executor{Store: l.store, States: states, Registry: commands.NewRegistry(), Tokens: tokens, Clock: l.now, NewID: uuid.New}
	l.models, err = projections.Open(t.Context(), l.store, db, domain.NewCatalog(), l.now)
	require.NoError(t, err)
	l.runs(l.models.Run)
	return l
}

func (l *ledger) now() time.Time { return time.UnixMicro(l.clock.Load()).UTC() }

// pass moves the clock.
func (l *ledger) pass(d time.Duration) { l.clock.Add(d.Microseconds()) }

// logged collects what is logged.
type logged struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *logged) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(data)
}

func (b *logged) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// mailer is that of a node of its own, which has e-mail switched on.
func (l *ledger) mailer(server *smtptest.Server, change ...func(*Server)) *Mailer {
	l.t.Helper()
	config := Server{Address: server.Addr, TLS: StartTLS, From: "The ledger <ledger@example.com>", Roots: server.Roots}
	for _, c := range change {
		c(&config)
	}
	require.NoError(l.t, config.Check())
	m, err := Open(l.t.Context(), Config{
		Server: config, Store: l.store, Models: l.models, States: l.executor.States, DB: l.db, Clock: l.now, Log: slog.New(slog.NewTextHandler(&l.log, nil)),
	})
	require.NoError(l.t, err)
	return m
}

// runs runs something until stop, or the end of the test.
func (l *ledger) runs(run func(context.Context) error) (stop func()) {
	l.t.Helper()
	ctx, cancel := context.WithCancel(l.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(l.t, <-ended)
	})
	l.t.Cleanup(stop)
	return stop
}

// works has a mailer do all that it does, until stop or the end of the test.
func (l *ledger) works(m *Mailer) (stop func()) {
	l.t.Helper()
	following, sending := l.runs(m.Follow), l.runs(m.Send)
	return func() { following(); sending() }
}

// status is how a mailer says that it is.
func (l *ledger) status(m *Mailer) MailerStatus {
	l.t.Helper()
	s, err := m.Status(context.Background()) // also from require.Eventually's goroutine
	require.NoError(l.t, err)
	return s
}

// noted waits until a mailer has looked through all that has happened.
func (l *ledger) noted(m *Mailer) {
	l.t.Helper()
	l.eventually(func() bool { return l.status(m).Behind == 0 }, "all is looked through")
}

// settled waits until nothing waits to be sent that is due.
func (l *ledger) settled(m *Mailer) {
	l.t.Helper()
	l.noted(m)
	l.eventually(func() bool { return l.status(m).Waiting == 0 }, "nothing waits")
}

// eventually waits until something holds.
func (l *ledger) eventually(holds func() bool, what string) {
	l.t.Helper()
	require.Eventually(l.t, holds, patience, often, what)
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

// office is a consultancy and a client with their people, before anything between them.
type office struct {
	*ledger
	pair                  commands.PairFields
	owner, admin, manager domain.Actor // of the consultancy, Vidal
	client                domain.Actor // owner of the client, Soler
}

func newOffice(l *ledger) office {
	l.t.Helper()
	register := func(kind domain.AccountType, name string) domain.Actor {
		command := commands.RegisterAccount{
			Type: kind, Plan: domain.PlanPremium, Owner: commands.NewPerson{Name: "Owner of " + name, Email: "owner@" + strings.ToLower(name) + ".example"},
			AccountDetails: domain.AccountDetails{LegalName: name + " S.L.", TradeName: name, TaxID: "B12345678", Country: "ES", Email: "hola@firm.example", Phone: "+34 931 234 567"},
		}
		if kind == domain.Consultancy {
			command.FirmKind = domain.Agency
		}
		result := l.do(operator, command).Result.(commands.AccountResult)
		return domain.User(result.AccountID, result.OwnerUserID)
	}
	o := office{ledger: l, owner: register(domain.Consultancy, "Vidal"), client: register(domain.Business, "Soler")}
	vidal := o.owner.AccountID
	o.pair = commands.PairFields{ConsultancyID: vidal, ClientID: o.client.AccountID}
	l.do(o.owner, commands.ApplyForPartnership{ConsultancyID: vidal})
	l.do(operator, commands.AcceptPartnership{ConsultancyID: vidal})
	l.do(o.owner, commands.SubmitProfile{ConsultancyID: vidal, Profile: domain.Profile{
		DisplayName: "Vidal", Description: "Tax and accounts for shops.", Services: []string{"bookkeeping"}, Specialties: []string{"retail"},
		Languages: []string{"es", "ca"}, Country: "ES", City: "Barcelona", ContactEmail: "hola@vidal.example",
	}})
	l.do(operator, commands.ApproveProfile{ConsultancyID: vidal, Revision: 1})
	o.admin = o.join("Jordi Puig", "admin@vidal.example", domain.RoleAdministrator)
	o.manager = o.join("Núria Serra", "manager@vidal.example", domain.RoleAccountManager)
	return o
}

// join makes a person a member of the consultancy.
func (o office) join(name, address string, role domain.Role) domain.Actor {
	o.t.Helper()
	vidal := o.owner.AccountID
	invited := o.do(o.owner, commands.InviteMember{AccountID: vidal, NewPerson: commands.NewPerson{Name: name, Email: address}, Role: role}).Result.(commands.InvitationResult)
	person := domain.User(vidal, invited.UserID)
	o.do(person, commands.AcceptInvitation{AccountID: vidal, InvitationID: invited.InvitationID})
	return person
}

// request has the client ask to collaborate.
func (o office) request() commands.Answer {
	o.t.Helper()
	return o.do(o.client, commands.RequestCollaboration{PairFields: o.pair, Message: "Please keep our books."})
}

// say has the client write a message, of which the consultancy's owner and administrator are told.
func (o office) say(body string) commands.Answer {
	o.t.Helper()
	return o.do(o.client, commands.SendMessage{PairFields: o.pair, Body: body})
}

// got lists who has got which mails, as recipient: subject, sorted.
func got(server *smtptest.Server) []string {
	mails := []string{}
	for _, m := range server.Mails() {
		mails = append(mails, m.To+": "+m.Subject)
	}
	slices.Sort(mails)
	return mails
}

// list is a person's own list of notifications, the newest first.
func (l *ledger) list(person domain.Actor) []projections.NotificationItem {
	l.t.Helper()
	page, err := l.models.Notifications(l.t.Context(), projections.ViewerFor(person), projections.NotificationsQuery{})
	require.NoError(l.t, err)
	return page.Items
}

// dueLater counts the mails that wait for a second attempt, now that the first is recorded: one under way is due later than that.
func (l *ledger) dueLater() (n int) {
	l.t.Helper()
	require.NoError(l.t, l.db.Read.QueryRowContext(context.Background(), "SELECT count(*) FROM email_waiting WHERE due > $1 AND due < $2",
		l.now().UnixMicro(), l.now().Add(claimLasts).UnixMicro()).Scan(&n))
	return n
}

// passToDue moves the clock to when the next mail is due, if any waits.
func (l *ledger) passToDue() {
	l.t.Helper()
	var due int64
	require.NoError(l.t, l.db.Read.QueryRowContext(l.t.Context(), "SELECT COALESCE(min(due), 0) FROM email_waiting").Scan(&due))
	l.clock.Store(max(l.clock.Load(), due))
}

// waitingFor are the notifications that a person is told of, as mails name them.
func (l *ledger) waitingFor(person domain.Actor) (told []projections.Told) {
	l.t.Helper()
	for _, item := range l.list(person) {
		told = append(told, projections.Told{Account: person.AccountID, User: person.UserID, Position: item.Position})
	}
	require.NotEmpty(l.t, told)
	return told
}

// id is one of some ids.
func id(n byte) uuid.UUID { return uuid.UUID{15: n} }
