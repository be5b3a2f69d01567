package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/projections"
)

// ProjectConfig says how the rebuild of the read models is measured.
type ProjectConfig struct {
	Place
	Rounds   int
	Events   int // of the log
	Progress Progress
}

// Project measures how fast the read models come up to a log that they find, and how fast all of them are rebuilt from it beside
// the live ones.
func Project(ctx context.Context, config ProjectConfig) (report Report, err error) {
	err = errors.Join(within("rounds", config.Rounds, 1, MaxRounds, ""), within("events", config.Events, MinEvents, MaxEvents, ""))
	if err != nil {
		return Report{}, err
	}
	log, err := prepareLog(ctx, config.Place, config.Events, config.Progress)
	if err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(stopped(ctx, err), log.close(ctx)) }()
	report = newReport("project", log.described,
		fmt.Sprintf("A log of %d events of a made-up ledger.", config.Events),
		"catch up: the live read models follow it from its beginning, once.",
		"rebuild: all of them are rebuilt together beside the live ones, and swapped in.")
	err = config.run(ctx, log, &report)
	return report, err
}

func (c ProjectConfig) run(ctx context.Context, log *preparedLog, report *Report) error {
	engine, err := projections.Open(ctx, log.store, log.db.DB, domain.NewCatalog(), time.Now)
	if err != nil {
		return err
	}
	steps := steps{watch: c.Progress, total: 1}
	steps.begin("let the read models catch up")
	took, err := catchUp(ctx, engine, int64(c.Events))
	if err != nil {
		return err
	}
	report.add("catch up", 1, eventsPerSecond, []figure{{rate: float64(c.Events) / took.Seconds()}})
	var figures []figure
	for round := range c.Rounds {
		watch := func(done, total int64) {
			if c.Progress != nil {
				c.Progress(fmt.Sprintf("round %d of %d: rebuild all read models", round+1, c.Rounds), int(done), int(total))
			}
		}
		began := time.Now()
		if err := engine.Rebuild(ctx, "", watch); err != nil {
			return err
		}
		figures = append(figures, figure{rate: float64(c.Events) / time.Since(began).Seconds()})
		if err := complete(ctx, engine, int64(c.Events)); err != nil {
			return err
		}
	}
	report.add("rebuild", 1, eventsPerSecond, figures)
	return nil
}

// catchUp runs the read models until they have come to a position.
func catchUp(ctx context.Context, engine *projections.Engine, position int64) (took time.Duration, err error) {
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	began := time.Now()
	go func() { ended <- engine.Run(running) }()
	err = engine.Wait(ctx, position)
	took = time.Since(began)
	stop()
	return took, errors.Join(err, <-ended)
}

// complete makes sure that what was measured is the whole work.
func complete(ctx context.Context, engine *projections.Engine, position int64) error {
	models, err := engine.Status(ctx)
	if err != nil {
		return err
	}
	for _, model := range models {
		if model.Position != position || model.State != "live" {
			return fmt.Errorf("the read model %s is %s at position %d after its rebuild, not live at %d: %s", model.Name, model.State, model.Position, position, model.Error)
		}
	}
	return nil
}
