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

// Project measures how fast all read models are rebuilt from the log.
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
	engine, err := projections.Open(ctx, log.store, log.db.DB, domain.NewCatalog(), time.Now)
	if err != nil {
		return Report{}, err
	}
	report = newReport("project", log.described,
		fmt.Sprintf("A log of %d events of a made-up ledger, from which all read models are rebuilt together; the median of %d times.", config.Events, config.Rounds))
	var figures []figure
	for round := range config.Rounds {
		watch := func(done, total int64) {
			if config.Progress != nil {
				config.Progress(fmt.Sprintf("round %d of %d: rebuild all read models", round+1, config.Rounds), int(done), int(total))
			}
		}
		began := time.Now()
		if err := engine.Rebuild(ctx, "", watch); err != nil {
			return Report{}, err
		}
		figures = append(figures, figure{rate: float64(config.Events) / time.Since(began).Seconds()})
	}
	report.add("rebuild", 1, eventsPerSecond, figures)
	return report, nil
}
