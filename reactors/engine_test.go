package reactors

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
	"github.com/collabledger/collabledger/projections"
)

// watching is a reactor that tells of every account that is registered, and does nothing about it.
func watching(name string, seen func(domain.AccountRegistered) error) reactor {
	return reactor{
		name: name, to: []domain.Event{domain.AccountRegistered{}},
		react: func(_ context.Context, _ *projections.Engine, c cause, _ projections.Paging) (projections.Page[order], error) {
			return projections.Page[order]{}, seen(c.fact.(domain.AccountRegistered))
		},
	}
}

// names collects the names of the accounts that a reactor has seen.
type names struct {
	mu  sync.Mutex
	all []string
}

func (n *names) add(e domain.AccountRegistered) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, e.TradeName)
	return nil
}

func (n *names) seen() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string{}, n.all...)
}

// status is how one reactor is.
func (l *ledger) status(e *Engine, name string) ReactorStatus {
	l.t.Helper()
	statuses, err := e.Status(l.t.Context())
	require.NoError(l.t, err)
	for _, s := range statuses {
		if s.Name == name {
			return s
		}
	}
	require.Fail(l.t, "no reactor "+name)
	return ReactorStatus{}
}

func TestAReactorGoesOnWhereItWas(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		var seen names
		e := l.engine(watching("watch", seen.add))
		l.business("First")
		stop := l.runs(e.Run)
		l.business("Second")
		l.settled(e)
		stop()
		l.business("Third")
		require.EqualValues(t, 1, l.status(e, "watch").Behind)
		l.runs(l.engine(watching("watch", seen.add)).Run)
		l.settled(e)
		require.ElementsMatch(t, []string{"First", "Second", "Third"}, seen.seen())
	})
}

func TestOneEngineIsActive(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		var seen names
		engines := []*Engine{l.engine(watching("watch", seen.add)), l.engine(watching("watch", seen.add)), l.engine(watching("watch", seen.add))}
		var stops []func()
		for _, e := range engines {
			stops = append(stops, l.runs(e.Run))
		}
		var want []string
		for i := range 20 {
			want = append(want, fmt.Sprint("Client ", i))
			l.business(want[i])
		}
		l.settled(engines[0])
		require.ElementsMatch(t, want, seen.seen())

		for _, stop := range stops[:2] { // whoever of them was active, the third one is now
			stop()
		}
		l.business("Last")
		l.settled(engines[2])
		require.ElementsMatch(t, append(want, "Last"), seen.seen())
	})
}

// An engine that was taken for dead neither moves the checkpoints of the one that has taken over, nor does anything twice.
func TestAnEngineThatWasTakenForDeadIsDeposed(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		old, next := l.engine(), l.engine()
		held, err := old.acquire(t.Context())
		require.NoError(t, err)
		require.NoError(t, old.recall(t.Context()))
		vidal, soler := l.partner("Vidal"), l.business("Soler")
		pair := l.collaborate(vidal, soler)
		l.terminates(vidal)

		var seen lease
		require.NoError(t, l.db.Read.QueryRowContext(t.Context(), "SELECT holder, beat FROM reactor_lease").Scan(&seen.holder, &seen.beat))
		require.Equal(t, held, seen)
		require.NoError(t, next.beat(t.Context(), &seen, next.id.String()), "it has stood still for long enough")
		require.NoError(t, next.recall(t.Context()))

		page, err := l.store.ReadAll(t.Context(), 0, eventstore.MaxPageEvents)
		require.NoError(t, err)
		after := l.head()
		done := make(chan error, 2)
		for _, e := range []*Engine{old, next} {
			go func() { done <- e.handle(t.Context(), endings(), page) }()
		}
		require.NoError(t, <-done)
		require.NoError(t, <-done)
		l.follows(after, domain.CollaborationEnded{
			Pair: domain.Pair(pair), Engagement: 1, EndedBy: domain.ConsultancySide, Reason: "The partnership was terminated.", AccessEpoch: 1,
		})

		require.NoError(t, next.beat(t.Context(), &seen, next.id.String()))
		require.EqualValues(t, after, l.status(next, "endings").Position)
		old.reached("endings", uuid.Nil, 1)
		require.ErrorIs(t, old.beat(t.Context(), &held, held.holder), errDeposed)
		require.EqualValues(t, after, l.status(next, "endings").Position)
		old.forget()
		require.ErrorIs(t, old.release(t.Context(), &held), errDeposed, "nor does it give away what it does not hold")
	})
}

func TestAnotherEngineTakesOverFromOneThatDied(t *testing.T) {
	l := newLedger(t, sqldbtest.SQLite(t))
	dead := l.engine()
	_, err := dead.acquire(t.Context())
	require.NoError(t, err)
	var seen names
	e := l.engine(watching("watch", seen.add))
	e.pace.lease = 5 * often
	l.runs(e.Run)
	l.business("Soler")
	require.Eventually(t, func() bool { return len(seen.seen()) == 1 }, patience, often)
}

func TestAReactorThatFailsStopsAloneAndSkipsNothing(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		var sound, mended names
		broken := watching("broken", func(domain.AccountRegistered) error { return errors.New("it has a bug") })
		e := l.engine(broken, watching("sound", sound.add))
		stop := l.runs(e.Run)
		l.business("First")
		l.business("Second")
		require.Eventually(t, func() bool { return l.status(e, "broken").State == Stopped }, patience, often)
		status := l.status(e, "broken")
		require.Equal(t, "reactor broken cannot answer position 1 (account.AccountRegistered.v1): it has a bug", status.Error)
		require.Zero(t, status.Position)
		require.EqualValues(t, 2, status.Behind)
		require.Eventually(t, func() bool { return l.status(e, "sound").Behind == 0 }, patience, often)
		require.ElementsMatch(t, []string{"First", "Second"}, sound.seen())
		require.Equal(t, status, l.status(l.engine(broken), "broken"), "every node tells of it")
		stop()

		e = l.engine(watching("broken", mended.add), watching("sound", sound.add))
		l.runs(e.Run)
		l.settled(e)
		require.ElementsMatch(t, []string{"First", "Second"}, mended.seen())
	})
}

// What does not answer is waited for, for as long as it takes.
func TestAReactorWaitsForWhatIsAway(t *testing.T) {
	l := newLedger(t, sqldbtest.SQLite(t))
	var seen names
	var attempts atomic.Int64
	e := l.engine(watching("watch", func(a domain.AccountRegistered) error {
		if attempts.Add(1) <= maxFailures+1 {
			return fmt.Errorf("asked: %w", &domain.Error{Kind: domain.Unavailable, Code: "unavailable"})
		}
		return seen.add(a)
	}))
	l.runs(e.Run)
	l.business("Soler")
	require.Eventually(t, func() bool { return l.status(e, "watch").State == Retrying }, patience, often)
	require.Contains(t, l.status(e, "watch").Error, "unavailable")
	l.settled(e)
	require.Equal(t, []string{"Soler"}, seen.seen())
	require.Empty(t, l.status(e, "watch").Error)
}

// A command that should not be refused so is a bug, and one that is pointless by now is none.
func TestWhatBecomesOfAReactorsCommands(t *testing.T) {
	l := newLedger(t, sqldbtest.SQLite(t))
	vidal, soler := l.partner("Vidal"), l.business("Soler")
	pair := l.collaborate(vidal, soler)
	ordering := func(command string, body commands.Command) error {
		c := cause{by: "test", event: uuid.NewString()}
		_, err := l.engine().execute(t.Context(), c, []order{c.order(command, soler.id, body)})
		return err
	}
	after := l.head()
	require.NoError(t, ordering("EndCollaboration", commands.EndCollaboration{PairFields: pair, Reason: "Done"}), "collaboration_goes_on")
	require.NoError(t, ordering("ExpireSession", commands.ExpireSession{SessionID: uuid.New()}), "session_not_found")
	require.ErrorContains(t, ordering("AcceptCollaboration", commands.AcceptCollaboration{PairFields: pair}), "member_required")
	require.ErrorContains(t, ordering("EndCollaboration", commands.EndCollaboration{PairFields: pair}), "invalid")
	require.ErrorContains(t, ordering("Conjure", commands.EndCollaboration{PairFields: pair, Reason: "Done"}), "unknown_command")
	l.follows(after)
}

func TestFailuresThatPass(t *testing.T) {
	away, lost := &domain.Error{Kind: domain.Unavailable}, &domain.Error{Kind: domain.Conflict}
	bug := errors.New("a bug")
	for _, err := range []error{away, lost, fmt.Errorf("asked: %w", away), errors.Join(away, lost)} {
		require.True(t, passes(err), "%v", err)
	}
	for _, err := range []error{bug, &domain.Error{Kind: domain.Forbidden}, &domain.Error{Kind: domain.Internal, Err: bug}, errors.Join(away, bug)} {
		require.False(t, passes(err), "%v", err)
	}
}

func TestACheckpointThatDoesNotBelongToTheLogStopsItsReactor(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		var ahead, foreign, sound names
		e := l.engine(watching("ahead", ahead.add), watching("foreign", foreign.add), watching("sound", sound.add))
		head, err := l.store.Head(t.Context())
		require.NoError(t, err)
		for name, at := range map[string]eventstore.Checkpoint{"ahead": {Epoch: head.Epoch, Position: 9}, "foreign": {Epoch: uuid.New()}} {
			_, err := l.db.Write.ExecContext(t.Context(), "INSERT INTO reactor_checkpoints (name, epoch, position, state, error) VALUES ($1, $2, $3, 'live', '')",
				name, at.Epoch.String(), at.Position)
			require.NoError(t, err)
		}
		l.runs(e.Run)
		for name, want := range map[string]string{"ahead": "is ahead of the log", "foreign": "it was restored, or is another one"} {
			require.Eventually(t, func() bool { return l.status(e, name).State == Stopped }, patience, often)
			require.Contains(t, l.status(e, name).Error, want)
		}
		l.business("Soler")
		require.Eventually(t, func() bool { return len(sound.seen()) == 1 }, patience, often)
		require.Empty(t, ahead.seen())
		require.Empty(t, foreign.seen())
	})
}

// A reactor answers a fact, and not the version in which it was written.
func TestFactsOfEarlierVersionsAreAnswered(t *testing.T) {
	l := newLedger(t, sqldbtest.SQLite(t))
	consultancy, client := l.partner("Vidal"), l.business("Soler")
	l.ask(consultancy, client)
	pair := domain.Pair{ConsultancyID: consultancy.id, ClientID: client.id}
	stream := eventstore.StreamID{Kind: domain.CollaborationStream, ID: pair.CollaborationID()}
	_, err := l.store.Append(t.Context(), eventstore.Append{
		CommandID: uuid.New(), Actor: consultancy.owner.String(), Expect: []eventstore.StreamVersion{{Stream: stream, Version: 1}},
		Events: []eventstore.NewEvent{{ID: uuid.New(), Stream: stream, Type: "collaboration.ConversationRead.v1",
			Data: fmt.Appendf(nil, `{"consultancyId":%q,"clientId":%q,"side":"consultancy","upTo":1}`, consultancy.id, client.id)}},
	})
	require.NoError(t, err)
	answered := make(chan domain.Event, 1)
	e := l.engine(reactor{
		name: "watch", to: []domain.Event{domain.ConversationRead{}},
		react: func(_ context.Context, _ *projections.Engine, c cause, _ projections.Paging) (projections.Page[order], error) {
			answered <- c.fact
			return projections.Page[order]{}, nil
		},
	})
	l.runs(e.Run)
	select {
	case fact := <-answered:
		require.Equal(t, domain.ConversationRead{Pair: pair, Side: domain.ConsultancySide, MessagesRead: 1}, fact)
	case <-time.After(patience):
		require.FailNow(t, "nothing was answered")
	}
	l.isClean()
}

// An event that this version does not know could be one to answer.
func TestAnUnknownEventStopsTheReactors(t *testing.T) {
	l := newLedger(t, sqldbtest.SQLite(t))
	var seen names
	e := l.engine(watching("watch", seen.add))
	l.business("Soler")
	stream := eventstore.StreamID{Kind: "novelty", ID: uuid.New()}
	_, err := l.store.Append(t.Context(), eventstore.Append{
		CommandID: uuid.New(), Actor: "service:tomorrow", Expect: []eventstore.StreamVersion{{Stream: stream}},
		Events: []eventstore.NewEvent{{ID: uuid.New(), Stream: stream, Type: "novelty.Happened.v1", Data: []byte(`{}`)}},
	})
	require.NoError(t, err)
	l.runs(e.Run)
	require.Eventually(t, func() bool { return l.status(e, "watch").State == Stopped }, patience, often)
	require.Contains(t, l.status(e, "watch").Error, "position 2 (novelty.Happened.v1)")
	require.Equal(t, []string{"Soler"}, seen.seen())
}

func TestTheReactorsAreTellable(t *testing.T) {
	names := map[string]bool{ClockName: true}
	for _, r := range all() {
		require.Regexp(t, "^[a-z]+$", r.name)
		require.False(t, names[r.name], "%s is there twice", r.name)
		names[r.name] = true
		require.NotEmpty(t, r.to)
	}
}
