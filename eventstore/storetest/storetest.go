// Package storetest is the conformance suite of the event store: what it promises, on whichever database. Every backend's
// tests run it, against the real database.
package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/eventstore"
)

// patience is how long a test waits for what must happen before it fails.
const patience = 2 * time.Minute

// poll is how often a test looks whether it has.
const poll = time.Millisecond

// Database makes a fresh database, which goes with the test, and gives a function that opens a backend on it, as each node of
// a ledger would.
type Database func(t testing.TB) (node func() eventstore.Backend)

// Run runs the suite, each test on a fresh database.
func Run(t *testing.T, database Database) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, *ledger)
	}{
		{"an append is atomic over streams", appendIsAtomic},
		{"a record has the same bytes wherever it is read", recordsAreTheSameEverywhere},
		{"an append without events is recorded", emptyAppend},
		{"as many events as an append may have", largestAppend},
		{"many commands in one batch", manyCommands},
		{"large appends that share no batch", largeAppendsBesideEachOther},
		{"what breaks a limit is refused and leaves nothing", limits},
		{"streams of one UUID and different kinds are apart", kindsAreApart},
		{"pages and limits", pages},
		{"records at positions", recordsAtPositions},
		{"versions come in the order asked", versions},
		{"a log survives its node", reopen},

		{"a stream that moved on is a conflict", conflictIsTyped},
		{"a stream that was only read must not move on", expectationOfAReadStream},
		{"a stream that exists already cannot begin", streamExistsAlready},
		{"a conflict is answered alone", conflictInABatch},
		{"an append after the moment until which it holds is refused", tooLate},
		{"one that is too late is answered alone", tooLateInABatch},
		{"one winner for each version", oneWinnerForEachVersion},
		{"several nodes write one log without gaps", severalNodes},
		{"appends agree with a model", model},

		{"a repeated command gets the first answer again", repeatedCommand},
		{"a repeated command at the same time on two nodes", repeatedConcurrently},
		{"a command id with another body is refused", reusedCommand},
		{"a command id twice in one batch", twiceInABatch},
		{"a repeated command does not hold up its batch", repeatedInABatch},

		{"a commit whose answer is lost", lostAnswer},
		{"a commit that fails before it is written", failedCommit},
		{"a database that is away for a while", outage},
		{"a commit that arrives late", lateCommit},
		{"a refused batch leaves nothing", refusedBatch},
		{"a node under the lock keeps others out", lockKeepsOthersOut},
		{"a node writes what came while it waited for its turn", waitForTheTurn},
		{"a node that missed more than it can be told", missedTooMuch},
		{"a log that was restored stops its nodes", restored},
		{"an append whose caller gives up while it waits", cancelledWhileWaiting},
		{"an append whose caller gives up while it commits", cancelledWhileCommitting},
		{"time never runs backwards", clock},
		{"close lets appends finish", closing},

		{"follow from a checkpoint", follow},
		{"follow what other nodes write", followOtherNodes},
		{"follow gathers at the end", followGathers},
		{"follow ends with its handler's error", followEnds},
		{"follow stops ahead of the log", followAhead},
		{"many followers", manyFollowers},
		{"wait for a position", wait},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			t.Cleanup(cancel)
			test.run(t, &ledger{T: t, ctx: ctx, node: database(t)})
		})
	}
}

// ledger is one test's database, with what a test does to it.
type ledger struct {
	*testing.T
	ctx  context.Context
	node func() eventstore.Backend
}

// open starts a node of its own, which is closed with the test.
func (l *ledger) open() *eventstore.Store { return l.openOn(l.node(), eventstore.Options{}) }

func (l *ledger) openOn(backend eventstore.Backend, options eventstore.Options) *eventstore.Store {
	l.Helper()
	store, err := eventstore.Open(l.ctx, backend, options)
	require.NoError(l, err)
	l.Cleanup(func() { require.NoError(l, store.Close()) })
	return store
}

// append appends what must be accepted.
func (l *ledger) append(store *eventstore.Store, a eventstore.Append) eventstore.Appended {
	l.Helper()
	appended, err := store.Append(l.ctx, a)
	require.NoError(l, err)
	return appended
}

// log reads the whole log and checks its order: positions and versions without gaps, times that do not run backwards.
func (l *ledger) log(store *eventstore.Store) []eventstore.Record {
	l.Helper()
	var log []eventstore.Record
	for {
		page, err := store.ReadAll(l.ctx, int64(len(log)), eventstore.MaxPageEvents)
		require.NoError(l, err)
		if len(page) == 0 {
			requireOrdered(l, log)
			return log
		}
		log = append(log, page...)
	}
}

// requireOrdered checks a log from its beginning.
func requireOrdered(t require.TestingT, log []eventstore.Record) {
	versions := map[eventstore.StreamID]int64{}
	last := time.Time{}
	for i, record := range log {
		versions[record.Stream]++
		require.Equal(t, int64(i+1), record.Position)
		require.Equal(t, versions[record.Stream], record.Version, "%s at position %d", record.Stream, record.Position)
		require.False(t, record.RecordedAt.Before(last), "position %d is earlier than the one before", record.Position)
		last = record.RecordedAt
	}
}

// background starts an append whose answer a test waits for later.
func (l *ledger) background(store *eventstore.Store, a eventstore.Append) <-chan answer {
	answers := make(chan answer, 1)
	go func() {
		appended, err := store.Append(l.ctx, a)
		answers <- answer{appended, err}
	}()
	return answers
}

// answer is what an append in the background was told.
type answer struct {
	appended eventstore.Appended
	err      error
}

// batch makes appends meet in one batch, in this order: it holds up the commit of a first append until all wait behind it.
func (l *ledger) batch(appends ...eventstore.Append) (store *eventstore.Store, answers []answer) {
	l.Helper()
	hooked := &hooked{Backend: l.node()}
	store = l.openOn(hooked, eventstore.Options{})
	return store, l.batchOn(store, hooked, appends...)
}

func (l *ledger) batchOn(store *eventstore.Store, hooked *hooked, appends ...eventstore.Append) []answer {
	l.Helper()
	held, release := hooked.hold()
	first := l.background(store, extend(newStream("first"), 0))
	l.receive(held)
	var waiting []<-chan answer
	for i, a := range appends {
		waiting = append(waiting, l.background(store, a))
		require.Eventually(l, func() bool { return store.Waiting() == i+1 }, patience, poll)
	}
	release()
	require.NoError(l, (<-first).err)
	var answers []answer
	for _, w := range waiting {
		answers = append(answers, <-w)
	}
	return answers
}

// receive waits for a signal.
func (l *ledger) receive(signal <-chan struct{}) {
	l.Helper()
	select {
	case <-signal:
	case <-l.ctx.Done():
		require.FailNow(l, "what the test waits for did not happen")
	}
}

// newStream names a stream that nobody has used.
func newStream(kind string) eventstore.StreamID {
	return eventstore.StreamID{Kind: kind, ID: uuid.New()}
}

// newEvent is an event with a little data.
func newEvent(stream eventstore.StreamID) eventstore.NewEvent {
	return eventstore.NewEvent{
		ID: uuid.New(), Stream: stream, Type: stream.Kind + ".Changed.v1", Data: fmt.Appendf(nil, `{"note":%q}`, uuid.New()),
	}
}

// extend is a command that raises one event in each stream, all of which are at the version.
func extend(stream eventstore.StreamID, version int64, others ...eventstore.StreamID) eventstore.Append {
	a := eventstore.Append{CommandID: uuid.New(), Actor: "user:anna", CorrelationID: "request-7"}
	for _, s := range append([]eventstore.StreamID{stream}, others...) {
		a.Expect = append(a.Expect, eventstore.StreamVersion{Stream: s, Version: version})
		a.Events = append(a.Events, newEvent(s))
	}
	return a
}

// each runs n goroutines and waits for them.
func each(n int, run func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { run(i) })
	}
	wg.Wait()
}
