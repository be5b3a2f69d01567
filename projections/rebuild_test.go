package projections

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/domain"
)

// generations lists all generations that the database has, with their states.
func generations(t *testing.T, engine *Engine) map[string]state {
	t.Helper()
	all, err := readCheckpoints(t.Context(), engine.db.Read)
	require.NoError(t, err)
	states := map[string]state{}
	for _, c := range all {
		states[c.id()] = c.state
	}
	return states
}

// tightLimits let a filling of a short log do all that one of a long log does.
func tightLimits() engineLimits {
	return engineLimits{live: 5_000, page: 5, batch: 8_000, appending: 3_000, together: 1, memory: 20_000, last: 2}
}

// positionOf is where a generation stands.
func positionOf(t *testing.T, engine *Engine, id string) int64 {
	t.Helper()
	all, err := readCheckpoints(t.Context(), engine.db.Read)
	require.NoError(t, err)
	i := slices.IndexFunc(all, func(c checkpoint) bool { return c.id() == id })
	require.GreaterOrEqual(t, i, 0)
	return all[i].position
}

func TestARebuildPutsANewGenerationInThePlaceOfTheOld(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		engine := l.open(tallyModel("first", 1, nil), tallyModel("second", 1, nil))
		l.run(engine)
		const accounts = 3
		for range accounts {
			l.business("Client")
		}
		l.await(engine)
		_, err := l.db.Write.ExecContext(t.Context(), "UPDATE first_g1 SET events = 17")
		require.NoError(t, err)

		var done, total []int64
		require.NoError(t, engine.Rebuild(t.Context(), "first", func(d, n int64) { done, total = append(done, d), append(total, n) }))
		require.EqualValues(t, []int64{accounts}, done)
		require.EqualValues(t, []int64{accounts}, total)
		require.Equal(t, accounts, counted(t, engine, "first"))
		require.Equal(t, map[string]state{"first_g2": live, "second_g1": live}, generations(t, engine))
		_, err = l.db.Read.ExecContext(t.Context(), "SELECT * FROM first_g1")
		require.Error(t, err, "the old tables are dropped")

		require.NoError(t, engine.Rebuild(t.Context(), "", nil))
		require.Equal(t, map[string]state{"first_g3": live, "second_g2": live}, generations(t, engine))

		l.business("Another")
		l.await(engine)
		require.Equal(t, accounts+1, counted(t, engine, "first"), "the new generation goes on")
	})
}

func TestOpenFilledFillsTheReadModelsOfALogThatHasNone(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		const accounts = 3
		for range accounts {
			l.business("Client")
		}
		var folded int64
		engine, err := OpenFilled(t.Context(), l.store, l.db, domain.NewCatalog(), func() time.Time { return l.now }, func(done, _ int64) { folded = done })
		require.NoError(t, err)
		require.EqualValues(t, accounts, folded)
		statuses, err := engine.Status(t.Context())
		require.NoError(t, err)
		require.Len(t, statuses, len(models()))
		for _, s := range statuses {
			require.Equal(t, Status{Name: s.Name, Generation: 1, Position: accounts, State: string(live), Epoch: s.Epoch}, s)
		}

		l.run(engine)
		l.business("Another")
		l.await(engine)
		require.Equal(t, int64(accounts+1), positionOf(t, engine, "names_g1"), "they follow from there")
	})
}

func TestARebuildOfAnUnknownModelIsRefused(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		require.True(t, domain.HasCode(l.open().Rebuild(t.Context(), "nonsense", nil), "read_model_not_found"))
	})
}

func TestRebuildsDisturbNeitherFollowersNorQueries(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		models := func() []model { return []model{tallyModel("first", 1, nil), tallyModel("second", 1, nil)} }
		here, there := l.open(models()...), l.open(models()...)
		here.limits, there.limits = tightLimits(), tightLimits()
		l.run(here)
		l.run(there)

		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		rebuilt := make(chan error, 2)
		for _, engine := range []*Engine{here, there} { // both rebuild the same model at once, over and over
			go func() {
				var err error
				for err == nil && ctx.Err() == nil {
					err = engine.Rebuild(ctx, "first", nil)
				}
				if ctx.Err() != nil {
					err = nil
				}
				rebuilt <- err
			}()
		}
		const accounts = 100
		for i := range accounts {
			l.business(fmt.Sprintf("Client %d", i))
			if i%10 == 9 {
				l.await(here)
				require.Equal(t, i+1, counted(t, here, "first"))
				require.Equal(t, i+1, counted(t, there, "second"))
			}
		}
		cancel()
		require.NoError(t, <-rebuilt)
		require.NoError(t, <-rebuilt)
		require.Greater(t, statusOf(t, here, "first").Generation, 1)
		require.Equal(t, 1, statusOf(t, here, "second").Generation)
	})
}

func TestAnInterruptedRebuildIsContinued(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		engine := l.open(tallyModel("tally", 1, nil))
		l.business("One")
		l.business("Two")
		stop := l.run(engine)
		l.await(engine)
		stop()
		goal, err := engine.begin(t.Context(), engine.models)
		require.NoError(t, err)
		building, err := readCheckpoints(t.Context(), l.db.Read)
		require.NoError(t, err)
		group, err := buildingOf(building, goal)
		require.NoError(t, err)
		page, err := l.store.ReadAll(t.Context(), 0, 1)
		require.NoError(t, err)
		require.NoError(t, engine.advance(t.Context(), group, engine.facts(page)))
		require.Equal(t, string(rebuilding), statusOf(t, engine, "tally").State)

		again := l.open(tallyModel("tally", 1, nil))
		require.NoError(t, again.Rebuild(t.Context(), "tally", nil))
		require.Equal(t, map[string]state{"tally_g2": live}, generations(t, again))
		require.Equal(t, 2, counted(t, again, "tally"), "the event that was folded before counts once")
	})
}

func TestARebuildThatIsStoppedGoesOnFromWhatItHasWritten(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		const accounts = 40
		for i := range accounts {
			l.business(fmt.Sprintf("Client %d", i))
		}
		engine := l.open(tallyModel("tally", 1, nil))
		stop := l.run(engine)
		l.await(engine)
		stop()

		engine.limits = tightLimits()
		ctx, cancel := context.WithCancel(t.Context())
		err := engine.Rebuild(ctx, "tally", func(done, _ int64) {
			if done > 3*accounts/4 { // two batches, of which the second was not begun to be written before the first one was
				cancel()
			}
		})
		require.ErrorIs(t, err, context.Canceled)
		written := positionOf(t, engine, "tally_g2")
		require.Positive(t, written)
		require.Less(t, written, int64(accounts))

		again := l.open(tallyModel("tally", 1, func(f *Fact) error {
			if f.Position <= written {
				return errors.New("this event is counted already")
			}
			return nil
		}))
		again.limits = tightLimits()
		require.NoError(t, again.Rebuild(t.Context(), "tally", nil))
		require.Equal(t, map[string]state{"tally_g2": live}, generations(t, again))
		require.Equal(t, accounts, counted(t, again, "tally"))
	})
}

func TestAModelThatAppendsIsFilledAheadOfTheOthers(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		const accounts, stopAt = 40, 15
		for i := range accounts {
			l.business(fmt.Sprintf("Client %d", i))
		}
		var appended []int64
		models := func() []model {
			return []model{tallyModel("tally", 1, nil), appendingModel("appending", func(f *Fact) { appended = append(appended, f.Position) })}
		}
		engine := l.open(models()...)
		stop := l.run(engine)
		l.await(engine)
		stop()

		engine.limits = tightLimits()
		engine.limits.batch = engine.limits.memory
		ctx, cancel := context.WithCancel(t.Context())
		err := engine.Rebuild(ctx, "", func(done, _ int64) {
			if done >= stopAt { // the first of what was appended was written before the second was begun to be
				cancel()
			}
		})
		require.ErrorIs(t, err, context.Canceled)
		written := positionOf(t, engine, "appending_g2")
		require.Positive(t, written)
		require.Zero(t, positionOf(t, engine, "tally_g2"))

		again := l.open(models()...)
		again.limits = tightLimits()
		appended = nil
		require.NoError(t, again.Rebuild(t.Context(), "", nil))
		require.Equal(t, map[string]state{"tally_g2": live, "appending_g2": live}, generations(t, again))
		require.Equal(t, accounts, counted(t, again, "tally"))
		require.Equal(t, accounts, counted(t, again, "appending"))
		require.Len(t, appended, accounts-int(written), "what was written counts once")
	})
}

func TestARebuildNamesTheEventThatItCannotFold(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		const accounts, bad = 30, 17
		broken := false
		engine := l.open(tallyModel("tally", 1, func(f *Fact) error {
			if broken && f.Position == bad {
				return errors.New("this fold is broken")
			}
			return nil
		}), tallyModel("other", 1, nil))
		for i := range accounts {
			l.business(fmt.Sprintf("Client %d", i))
		}
		stop := l.run(engine)
		l.await(engine)
		stop()
		broken = true
		for _, limits := range []engineLimits{tightLimits(), limitsOf(l.db.Dialect)} {
			engine.limits = limits
			require.ErrorContains(t, engine.Rebuild(t.Context(), "", nil), fmt.Sprintf("read model tally cannot fold position %d: this fold is broken", bad))
			require.Equal(t, accounts, counted(t, engine, "tally"), "the live generation stays")
			require.Equal(t, accounts, counted(t, engine, "other"))
		}
	})
}

func TestARebuildThatFailsLeavesTheLiveGeneration(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		var broken bool
		engine := l.open(tallyModel("tally", 1, func(*Fact) error {
			if broken {
				return errors.New("this fold is broken")
			}
			return nil
		}))
		l.business("One")
		stop := l.run(engine)
		l.await(engine)
		stop()
		broken = true
		require.ErrorContains(t, engine.Rebuild(t.Context(), "tally", nil), "this fold is broken")
		require.Equal(t, map[string]state{"tally_g1": live}, generations(t, engine))
		require.Equal(t, 1, counted(t, engine, "tally"))
	})
}

func TestAModelOfANewVersionIsRebuiltAtTheStart(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		old := l.open(tallyModel("changed", 1, nil), tallyModel("same", 1, nil))
		stop := l.run(old)
		l.business("One")
		l.await(old)
		stop()
		_, err := l.db.Write.ExecContext(t.Context(), "UPDATE changed_g1 SET events = 17")
		require.NoError(t, err)

		engine := l.open(tallyModel("changed", 2, nil), tallyModel("same", 1, nil))
		require.ErrorContains(t, engine.read(t.Context(), func(v view) error {
			_, err := v.query(t.Context(), "SELECT * FROM {changed}")
			return err
		}), "read_model_rebuilding", "the old rows may mean something else")
		l.run(engine)
		require.Eventually(t, func() bool { return statusOf(t, engine, "changed").Generation == 2 }, patience, waitPoll)
		l.business("Two")
		l.await(engine)
		require.Equal(t, 2, counted(t, engine, "changed"))
		require.Equal(t, 2, counted(t, engine, "same"))
	})
}

func TestAModelThatCannotBeRebuiltForANewVersionStops(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		old := l.open(tallyModel("tally", 1, nil))
		stop := l.run(old)
		l.business("One")
		l.await(old)
		stop()
		engine := l.open(tallyModel("tally", 2, func(*Fact) error { return errors.New("this fold is broken") }))
		l.run(engine)
		require.Contains(t, becomes(t, engine, "tally", stopped).Error, "this fold is broken")
	})
}

func TestANewModelCatchesUpBeforeItIsQueried(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		before := l.open(tallyModel("old", 1, nil))
		stop := l.run(before)
		l.business("One")
		l.await(before)
		stop()
		engine := l.open(tallyModel("old", 1, nil), tallyModel("new", 1, nil))
		require.ErrorContains(t, engine.read(t.Context(), func(v view) error {
			_, err := v.query(t.Context(), "SELECT * FROM {new}")
			return err
		}), "read_model_rebuilding")
		l.run(engine)
		l.await(engine)
		require.Equal(t, 1, counted(t, engine, "new"))
	})
}
