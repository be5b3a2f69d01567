package journeys

import (
	"context"
	"crypto/ed25519"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/collabledger/collabledger/audit"
	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/eventstore/sqlite"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

// How many journeys are made and how long they are, where -rapid.checks and -rapid.steps do not say.
const (
	journeysUsually = "250"
	journeysLong    = "10000" // with LEDGER_TEST_LONG=1, as of scripts/test --long
	turnsUsually    = "20"    // on average, after the beginning
)

// TestMain sets how many journeys are made: rapid knows one number for the whole package.
func TestMain(m *testing.M) {
	flags := map[string]string{"rapid.checks": journeysUsually, "rapid.steps": turnsUsually}
	if os.Getenv("LEDGER_TEST_LONG") == "1" {
		flags["rapid.checks"] = journeysLong
	}
	flag.Parse()
	flag.Visit(func(given *flag.Flag) { delete(flags, given.Name) })
	for name, value := range flags {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	m.Run()
}

// TestJourneys lets random people ask for random things, right and wrong, while the clock goes on and sometimes back. After every
// step the ledger must have done what an independent model of the rules expects, and every invariant must hold. A failure is shrunk
// to the shortest journey that shows it.
func TestJourneys(t *testing.T) {
	l := newLedger(t)
	rapid.Check(t, func(r *rapid.T) {
		if l.latest.Year() >= lastYear {
			l.requireChecked(t)
			l = newLedger(t)
		}
		j := newJourney(r, l)
		j.prepare(rapid.SampledFrom([]int{0, 4, 2, 4, 3, 4, 1, 4, 2, 4, 3, 4}).Draw(r, "prepared"))
		r.Repeat(map[string]func(*rapid.T){
			"":     func(*rapid.T) { j.requireAsModelled() },
			"turn": func(r *rapid.T) { j.turns().Draw(r, "turn").do() },
		})
	})
	l.requireChecked(t)
}

// requireChecked holds the whole log to the rules of those who check logs, which share none with the commands or with the model.
func (l *ledger) requireChecked(t *testing.T) {
	t.Helper()
	report, err := audit.Check(t.Context(), signed{l.Store, l.beganBy}, audit.Options{})
	require.NoError(t, err)
	require.Empty(t, report.Violations)
}

// signed is a log whose stories begin under the names of those who act in them, although each beginning was appended at once.
type signed struct {
	*eventstore.Store
	by map[int64]domain.Actor // by position
}

// ReadAll reads a page with the names put in, each event as of a command of its own.
func (s signed) ReadAll(ctx context.Context, after int64, limit int) ([]eventstore.Record, error) {
	page, err := s.Store.ReadAll(ctx, after, limit)
	for i, record := range page {
		if actor, ok := s.by[record.Position]; ok {
			page[i].CommandID = uuid.New()
			named := strings.NewReplacer(beginner, actor.String(), record.CommandID.String(), page[i].CommandID.String())
			page[i].Bytes = []byte(named.Replace(string(record.Bytes)))
		}
	}
	return page, err
}

// lastYear is when a ledger is left to itself: the journeys that share it follow one another in time, and commands name no time
// after commands.LatestYear.
const lastYear = commands.LatestYear - 20

// ledger is a node with a log of its own, which many journeys share: each has accounts of its own, and begins when the last has ended.
type ledger struct {
	*commands.Executor
	clock   *atomic.Int64          // µs
	latest  time.Time              // that the clock has ever said
	next    []uuid.UUID            // ids that it is to make before any others
	beganBy map[int64]domain.Actor // who acted in the events with which stories begin, by position
}

func newLedger(t *testing.T) *ledger {
	t.Helper()
	l := &ledger{clock: &atomic.Int64{}, beganBy: map[int64]domain.Actor{}}
	l.setClock(time.Date(2027, 12, 30, 9, 0, 0, 0, time.UTC))
	db := sqldbtest.SQLite(t)
	_, err := db.Write.ExecContext(t.Context(), "PRAGMA synchronous = OFF") // no journey pulls the plug, and waiting for the disk takes half the time
	require.NoError(t, err)
	backend, err := sqlite.New(t.Context(), db)
	require.NoError(t, err)
	store, err := eventstore.Open(t.Context(), backend, eventstore.Options{Clock: l.now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	states, err := commands.NewStates(store, domain.NewCatalog())
	require.NoError(t, err)
	tokens, err := commands.NewTokenSigner(ed25519.NewKeyFromSeed([]byte("a seed of thirty-two bytes, test")), "https://ledger.example")
	require.NoError(t, err)
	l.Executor = &commands.Executor{Store: store, States: states, Registry: commands.NewRegistry(), Tokens: tokens, Clock: l.now, NewID: l.newID}
	return l
}

func (l *ledger) now() time.Time { return time.UnixMicro(l.clock.Load()).UTC() }

func (l *ledger) setClock(at time.Time) {
	l.clock.Store(at.UnixMicro())
	if at.After(l.latest) {
		l.latest = at
	}
}

func (l *ledger) newID() uuid.UUID {
	if len(l.next) == 0 {
		return uuid.New()
	}
	id := l.next[0]
	l.next = l.next[1:]
	return id
}

// journey is one story, and what has become known in it, in the order in which it did.
type journey struct {
	*world
	ledger *ledger
	t      *rapid.T
	start  time.Time
	lines  []string
	names  map[string]string // by id

	firms, shops []uuid.UUID
	people       map[uuid.UUID][]uuid.UUID // who ever belonged to an account
	custom       map[uuid.UUID][]domain.Role
	invited      []invited
	opened       []uuid.UUID
	hooks        []uuid.UUID
	secrets      []string
	done         []done
	dana         uuid.UUID // one person whom several accounts may invite
}

type invited struct{ account, id uuid.UUID }

// done is a step that was accepted, with its answer.
type done struct {
	line    string
	request commands.Request
	answer  commands.Answer
}

func newJourney(t *rapid.T, l *ledger) *journey {
	start := l.latest.Truncate(24 * time.Hour).Add(33 * time.Hour) // at nine the next day
	l.setClock(start)
	j := &journey{
		world: newWorld(start, start), ledger: l, t: t, start: start,
		names: map[string]string{nowhere.String(): "nobody"}, people: map[uuid.UUID][]uuid.UUID{}, custom: map[uuid.UUID][]domain.Role{}, dana: uuid.New(),
	}
	j.names[j.dana.String()] = "dana"
	j.end = l.Store.Committed
	return j
}

// do asks the ledger, and holds it to what the model expects.
func (j *journey) do(actor domain.Actor, command commands.Command) {
	j.t.Helper()
	line, expected := j.tell(actor, command), j.expects(actor, command)
	j.ledger.next = j.idsFor(command)
	name := fmt.Sprintf("%T", command)
	request := commands.Request{ID: uuid.New(), Name: name[strings.LastIndex(name, ".")+1:], Body: encode(command), Actor: actor}
	before := j.granted()
	answer, err := j.ledger.Execute(j.t.Context(), request)
	j.ledger.next = nil
	j.lines = append(j.lines, line+" -> "+first(codeOf(err), "accepted"))
	j.require(codeOf(err) == expected.code, "the model expects this to be %s", first(expected.code, "accepted"))
	if err != nil {
		return
	}
	j.done = append(j.done, done{line, request, answer})
	streams := []string{}
	for _, event := range answer.Events {
		streams = append(streams, event.Stream)
	}
	j.recorded(streams...)
	expected.then(answer.Result)
	j.learn(command, answer.Result)
	j.requireOnlyTheClientWidens(actor, before)
	j.requireActsForOneAccount(actor, streams)
}

// repeat asks for what was accepted before once more, and then for something else under the same id (invariant 7).
func (j *journey) repeat(d done) {
	j.lines = append(j.lines, j.at(j.clock)+" once more: "+d.line)
	head, err := j.ledger.Store.Head(j.t.Context())
	require.NoError(j.t, err)
	answer, err := j.ledger.Execute(j.t.Context(), d.request)
	j.require(err == nil && answer.Repeated, "a command retried gets the first answer again, not %q", codeOf(err))
	answer.Repeated = false
	require.Equal(j.t, d.answer, answer)

	other := commands.Request{ID: d.request.ID, Name: "CloseAccount", Body: encode(commands.CloseAccount{AccountID: nowhere}), Actor: d.request.Actor}
	_, err = j.ledger.Execute(j.t.Context(), other)
	j.require(domain.HasCode(err, "idempotency_key_reused"), "a command id is used once: %q", codeOf(err))
	after, err := j.ledger.Store.Head(j.t.Context())
	require.NoError(j.t, err)
	j.require(head == after, "neither leaves anything behind")
}

// require tells the whole journey when something is not as it must be.
func (j *journey) require(holds bool, format string, args ...any) {
	j.t.Helper()
	if !holds {
		j.t.Fatalf("%s, after:\n%s", fmt.Sprintf(format, args...), strings.Join(j.lines, "\n"))
	}
}

// idsFor are the ids that a command is to create things under, where that matters: Dana is the same person wherever she is invited.
func (j *journey) idsFor(command commands.Command) []uuid.UUID {
	if c, ok := command.(commands.InviteMember); ok && c.Name == "dana" {
		return []uuid.UUID{uuid.New(), j.dana}
	}
	return nil
}

// learn notes what a step has created, and gives it a name.
func (j *journey) learn(command commands.Command, created any) {
	switch r := created.(type) {
	case commands.AccountResult:
		c := command.(commands.RegisterAccount)
		if c.Type == domain.Consultancy {
			j.firms = append(j.firms, r.AccountID)
		} else {
			j.shops = append(j.shops, r.AccountID)
		}
		_, name, ok := strings.Cut(c.Owner.Name, " of ")
		if !ok {
			name = fmt.Sprintf("late%d", len(j.firms)+len(j.shops))
		}
		j.names[r.AccountID.String()] = name
		j.belongs(r.AccountID, r.OwnerUserID, c.Owner.Name)
	case commands.InvitationResult:
		c := command.(commands.InviteMember)
		j.invited = append(j.invited, invited{c.AccountID, r.InvitationID})
		j.names[r.InvitationID.String()] = fmt.Sprintf("invitation%d", len(j.invited))
		j.belongs(c.AccountID, r.UserID, c.Name)
	case commands.RoleResult:
		c := command.(commands.CreateRole)
		j.custom[c.AccountID] = append(j.custom[c.AccountID], r.RoleID)
		j.names[string(r.RoleID)] = fmt.Sprintf("own%d", len(j.custom[c.AccountID]))
	case commands.WebhookResult:
		j.learnWebhook(r)
	case commands.SessionResult:
		j.opened = append(j.opened, r.SessionID)
		j.names[r.SessionID.String()] = fmt.Sprintf("session%d", len(j.opened))
	case commands.TaskResult:
		c := command.(commands.RaiseTask)
		j.names[r.TaskID.String()] = j.names[c.ClientID.String()] + "/" + c.ExternalRef
	}
}

// belongs notes that somebody belongs to an account, or is to.
func (j *journey) belongs(account, user uuid.UUID, name string) {
	if !slices.Contains(j.people[account], user) {
		j.people[account] = append(j.people[account], user)
	}
	if j.names[user.String()] == "" {
		j.names[user.String()] = fmt.Sprintf("%s%d", strings.Fields(name)[0], len(j.people[account]))
	}
}
