package projections

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/sqldb"
)

// tally is a row of the tests' own read model: how many events of a stream it has counted.
type tally struct {
	stream uuid.UUID
	events int
}

// tallyModel counts events by account. fails, unless it is nil, tells which facts its fold cannot take.
func tallyModel(name string, version int, fails func(*Fact) error) model {
	tallies := tallyRows(name)
	return model{
		name: name, version: version, streams: []string{domain.AccountStream}, tables: []table{tallies.table},
		fold: func(ctx context.Context, tx tx, page []*Fact) error {
			rows, err := tallies.load(ctx, tx, streamIDs(page))
			if err != nil {
				return err
			}
			for _, fact := range page {
				if fails != nil {
					if err := fails(fact); err != nil {
						return err
					}
				}
				row := rows.change(fact.Stream.ID)
				if row == nil {
					row = rows.put(tally{stream: fact.Stream.ID})
				}
				row.events++
			}
			return nil
		},
	}
}

// appendingModel appends a tally of one for each event, which it tells.
func appendingModel(name string, tell func(*Fact)) model {
	tallies := tallyRows(name)
	tallies.table.appends = true
	return model{
		name: name, version: 1, streams: []string{domain.AccountStream}, tables: []table{tallies.table},
		fold: func(ctx context.Context, tx tx, page []*Fact) error {
			rows, err := tallies.load(ctx, tx, nil)
			if err != nil {
				return err
			}
			for _, fact := range page {
				tell(fact)
				rows.append(tally{stream: fact.Stream.ID, events: 1})
			}
			return nil
		},
	}
}

func tallyRows(name string) mapping[uuid.UUID, tally] {
	return mapping[uuid.UUID, tally]{
		table:  table{name: name, key: 1, columns: []column{{"stream", identifier}, {"events", integer}}},
		key:    func(r *tally) uuid.UUID { return r.stream },
		args:   func(id uuid.UUID) []any { return []any{id} },
		fields: func(r *tally) []any { return []any{&r.stream, &r.events} },
	}
}

func streamIDs(page []*Fact) []uuid.UUID {
	ids := make([]uuid.UUID, len(page))
	for i, fact := range page {
		ids[i] = fact.Stream.ID
	}
	return ids
}

// counted is the sum of what a model has counted.
func counted(t *testing.T, engine *Engine, name string) int {
	t.Helper()
	return number(t, engine, "SELECT COALESCE(SUM(events), 0) FROM {"+name+"}")
}

// number is the one number that a query of the read models answers.
func number(t *testing.T, engine *Engine, query string) (answer int) {
	t.Helper()
	require.NoError(t, engine.read(t.Context(), func(v view) error {
		found, err := collect(t.Context(), v, query, nil, func(scan func(...any) error) (n int, err error) {
			err = scan(&n)
			return n, err
		})
		if err == nil {
			answer = found[0]
		}
		return err
	}))
	return answer
}

// statusOf is the status of one model.
func statusOf(t *testing.T, engine *Engine, name string) Status {
	t.Helper()
	all, err := engine.Status(t.Context())
	require.NoError(t, err)
	for _, s := range all {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("there is no model %s", name)
	return Status{}
}

// becomes waits until a model is in a state.
func becomes(t *testing.T, engine *Engine, name string, want state) Status {
	t.Helper()
	require.Eventually(t, func() bool { return statusOf(t, engine, name).State == string(want) }, patience, waitPoll)
	return statusOf(t, engine, name)
}

func TestTwoEnginesOnOneDatabaseCountEachEventOnce(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		models := func() []model { return []model{tallyModel("even", 1, nil), tallyModel("odd", 1, nil)} }
		here, there := l.open(models()...), l.open(models()...)
		l.run(here)
		l.run(there)
		const accounts = 60
		for i := range accounts {
			l.business(fmt.Sprintf("Client %d", i))
			if i%20 == 0 {
				l.await(here)
			}
		}
		l.await(here)
		l.await(there)
		for _, engine := range []*Engine{here, there} {
			require.Equal(t, accounts, counted(t, engine, "even"))
			require.Equal(t, accounts, counted(t, engine, "odd"))
		}
	})
}

func TestAModelStopsAtAnUnknownEventAndOthersGoOn(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		vidal, bar := l.partner("Vidal"), l.business("Bar")
		poison := l.raise(eventstore.StreamID{Kind: domain.TaskStream, ID: uuid.New()}, "task.TaskVanished.v1", `{}`)
		l.do(bar.owner, commands.SendMessage{PairFields: pair(vidal, bar), Body: "Hello"})
		engine := l.open()
		l.run(engine)

		status := becomes(t, engine, "tasks", stopped)
		require.Equal(t, poison-1, status.Position, "it stops right before the event")
		require.Contains(t, status.Error, "task.TaskVanished.v1")
		require.Contains(t, status.Error, fmt.Sprint(poison))
		require.Eventually(t, func() bool { return statusOf(t, engine, "requests").Behind == 0 }, patience, waitPoll)
		require.Len(t, inboxOf(t, engine, vidal, RequestsQuery{}), 1)

		_, err := engine.Tasks(t.Context(), bar.viewer(), TasksQuery{Client: bar.id})
		require.True(t, domain.HasCode(err, "read_model_stopped"), "%v", err)
		err = engine.Wait(t.Context(), poison)
		require.True(t, domain.HasCode(err, "read_model_stopped"), "%v", err)
		require.ErrorContains(t, err, "the read model")
		require.NoError(t, engine.Wait(t.Context(), poison-1))
	})
}

func TestAStoppedModelIsTriedAgainAtTheNextStart(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		l.business("One")
		bad := l.business("Two")
		l.business("Three")
		var failures atomic.Int64
		fails := func(f *Fact) error {
			if f.Stream.ID == bad.id {
				failures.Add(1)
				return errors.New("two is one too many")
			}
			return nil
		}
		engine := l.open(tallyModel("good", 1, nil), tallyModel("bad", 1, fails))
		stop := l.run(engine)
		status := becomes(t, engine, "bad", stopped)
		require.EqualValues(t, 1, status.Position, "what comes before the event in its page is folded")
		require.Contains(t, status.Error, "two is one too many")
		require.Eventually(t, func() bool { return counted(t, engine, "good") == 3 }, patience, waitPoll)
		stop()

		failures.Store(0)
		engine = l.open(tallyModel("good", 1, nil), tallyModel("bad", 1, fails))
		stop = l.run(engine)
		require.Eventually(t, func() bool { return failures.Load() >= maxAttempts }, patience, waitPoll)
		require.EqualValues(t, 1, becomes(t, engine, "bad", stopped).Position, "it stops again where it did")
		require.Equal(t, 3, counted(t, engine, "good"))
		stop()

		mended := l.open(tallyModel("good", 1, nil), tallyModel("bad", 1, nil))
		l.run(mended)
		becomes(t, mended, "bad", live)
		l.business("Four")
		l.await(mended)
		require.Equal(t, 4, counted(t, mended, "bad"))
		require.Equal(t, 4, counted(t, mended, "good"))
		require.Empty(t, statusOf(t, mended, "bad").Error)
	})
}

// What all models write is sent to the database together: the one that it refuses is told from the others all the same.
func TestAModelWhoseTableRefusesAnEventStopsAloneBeforeIt(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		l.business("One")
		bad := l.business("Two")
		l.business("Three")
		engine := l.open(tallyModel("first", 1, nil), tallyModel("picky", 1, nil), tallyModel("third", 1, nil))
		refuse := "ALTER TABLE picky_g1 ADD CONSTRAINT two_is_refused CHECK (stream <> '%s')"
		if l.db.Dialect == sqldb.SQLite {
			refuse = "CREATE TRIGGER two BEFORE INSERT ON picky_g1 WHEN NEW.stream = '%s' BEGIN SELECT RAISE(ABORT, 'two_is_refused'); END"
		}
		_, err := l.db.Write.ExecContext(t.Context(), fmt.Sprintf(refuse, bad.id))
		require.NoError(t, err)

		l.run(engine)
		status := becomes(t, engine, "picky", stopped)
		require.EqualValues(t, 1, status.Position)
		require.Contains(t, status.Error, "two_is_refused")
		for _, name := range []string{"first", "third"} {
			require.Eventually(t, func() bool { return counted(t, engine, name) == 3 }, patience, waitPoll)
			require.Equal(t, string(live), statusOf(t, engine, name).State)
		}
	})
}

func TestAFoldThatFailsForAWhileLosesNothing(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		failures := 0
		engine := l.open(tallyModel("shaky", 1, func(*Fact) error {
			if failures++; failures%3 != 0 {
				return errors.New("the database is away")
			}
			return nil
		}))
		l.run(engine)
		l.business("One")
		l.await(engine)
		require.Equal(t, 1, counted(t, engine, "shaky"))
	})
}

func TestModelsOfAnotherIncarnationOfTheLogStop(t *testing.T) {
	for name, spoil := range map[string]string{
		"another epoch":     "UPDATE read_model_checkpoints SET epoch = '" + uuid.NewString() + "'",
		"ahead of the log":  "UPDATE read_model_checkpoints SET position = position + 1000",
		"one is ahead only": "UPDATE read_model_checkpoints SET position = position + 1 WHERE name = 'first'",
	} {
		t.Run(name, func(t *testing.T) {
			eachLedger(t, func(t *testing.T, l *ledger) {
				l.business("One")
				models := func() []model { return []model{tallyModel("first", 1, nil), tallyModel("second", 1, nil)} }
				engine := l.open(models()...)
				stop := l.run(engine)
				l.await(engine)
				stop()
				_, err := l.db.Write.ExecContext(t.Context(), spoil)
				require.NoError(t, err)

				engine = l.open(models()...)
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- engine.Run(ctx) }()
				require.NotEmpty(t, becomes(t, engine, "first", stopped).Error)
				l.business("Two")
				if name == "one is ahead only" {
					require.Eventually(t, func() bool { return counted(t, engine, "second") == 2 }, patience, waitPoll)
					cancel()
					require.NoError(t, <-ended)
				} else {
					ahead, ok := errors.AsType[*eventstore.AheadError](<-ended)
					require.True(t, ok)
					require.Equal(t, uuid.Version(4), ahead.Checkpoint.Epoch.Version())
				}
				cancel()

				// A rebuild brings them back, and no event counts twice.
				engine = l.open(models()...)
				require.NoError(t, engine.Rebuild(t.Context(), "", nil))
				l.run(engine)
				l.await(engine)
				require.Equal(t, 2, counted(t, engine, "first"))
				require.Equal(t, 2, counted(t, engine, "second"))
			})
		})
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		engine := l.open()
		ctx, cancel := context.WithTimeout(t.Context(), waitPoll)
		defer cancel()
		err := engine.Wait(ctx, 1)
		require.True(t, domain.HasCode(err, "read_models_behind"), "%v", err)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, engine.Wait(t.Context(), 0))
	})
}

func TestWaitSeesWhatAnotherNodeFolds(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		here, there := l.open(), l.open()
		l.run(there)
		l.business("One")
		l.await(here)
		require.Zero(t, statusOf(t, here, "names").Behind)
	})
}

func TestTablesOfANewerVersionAreLeftAlone(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		l.open(tallyModel("tally", 2, nil))
		_, err := open(t.Context(), l.store, l.db, domain.NewCatalog(), time.Now, []model{tallyModel("tally", 1, nil)})
		require.ErrorContains(t, err, "newer")
	})
}

func TestNodesThatStartTogetherInstallEachModelOnce(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		l.business("One")
		var group errgroup.Group
		for range 4 {
			group.Go(func() error {
				_, err := open(t.Context(), l.store, l.db, domain.NewCatalog(), time.Now, []model{tallyModel("tally", 1, nil)})
				return err
			})
		}
		require.NoError(t, group.Wait())
		engine := l.open(tallyModel("tally", 1, nil))
		require.Equal(t, map[string]state{"tally_g1": live}, generations(t, engine))
		l.run(engine)
		l.await(engine)
		require.Equal(t, 1, counted(t, engine, "tally"))
	})
}

func TestRestBetweenPages(t *testing.T) {
	for name, test := range map[string]struct {
		took   time.Duration
		waited bool // for a position
		want   time.Duration
	}{
		"some times as long as the page took": {took: time.Millisecond, want: restRatio * time.Millisecond},
		"not longer than its limit":           {took: time.Hour, want: maxRest},
		"not while somebody waits":            {took: time.Hour, waited: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := &Engine{hurry: make(chan struct{}, 1)}
				if test.waited {
					e.hurry <- struct{}{}
				}
				began := time.Now()
				e.rest(t.Context(), test.took)
				require.Equal(t, test.want, time.Since(began))
			})
		})
	}
}

func TestModelsThatAreFarBehindCatchUp(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		const bad = maxBehindEvents + eventstore.MaxPageEvents/2
		for range maxBehindEvents/eventstore.MaxPageEvents + 2 {
			l.raiseMany(eventstore.MaxPageEvents)
		}
		const events = maxBehindEvents + 2*eventstore.MaxPageEvents
		broken := func(f *Fact) error {
			if f.Position == bad {
				return errors.New("this fold is broken")
			}
			return nil
		}
		models := []model{tallyModel("whole", 1, nil), tallyModel("broken", 1, broken)}
		for i := range models {
			models[i].streams = []string{domain.TaskStream} // of which every second event is one
		}
		engine := l.open(models...)
		l.run(engine)
		require.EqualValues(t, bad-1, becomes(t, engine, "broken", stopped).Position)
		require.Eventually(t, func() bool { return statusOf(t, engine, "whole").Position == events }, patience, waitPoll)
		require.Equal(t, events/2, counted(t, engine, "whole"))
	})
}
