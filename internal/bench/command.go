package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
)

const commandsPerSecond = "commands/s"

// Ledger is one that serves, and is measured from outside.
type Ledger struct {
	URL   string // of its API
	Key   string // of its operator, who speaks for every service and person
	Where string // its data are, for the report
}

// CommandConfig says how whole commands are measured.
type CommandConfig struct {
	Ledger
	Timing
	Clients  []int // numbers of clients that submit commands at the same time, one measurement for each
	Progress Progress
}

// Command measures how fast a ledger answers whole commands over HTTP: a usual mix, each one decided, committed and answered
// before its client submits the next. The ledger is left with the firms and their work in it.
func Command(ctx context.Context, config CommandConfig) (report Report, err error) {
	if err := errors.Join(config.Timing.validate(), validateClients(config.Clients)); err != nil {
		return Report{}, err
	}
	at, err := newServer(config.URL, config.Key)
	if err != nil {
		return Report{}, err
	}
	offices, err := config.openOffices(ctx, at, slices.Max(config.Clients), config.Progress)
	if err != nil {
		return Report{}, stopped(ctx, err)
	}
	defer func() { err = errors.Join(stopped(ctx, err), hangUp(offices)) }()
	report = newReport("command", config.Where,
		fmt.Sprintf("%s after a warm-up, and the medians of these. The clients share this machine with the ledger, if that runs here.", config.Timing),
		"Each client is a consultancy at work for one of its clients: it raises and completes tasks, writes, reads, logs in and out.")
	steps := steps{watch: config.Progress, total: config.Rounds * len(config.Clients)}
	for _, clients := range config.Clients {
		var figures []figure
		for round := range config.Rounds {
			steps.begin("round %d of %d: commands of %d clients", round+1, config.Rounds, clients)
			sample, err := measure(ctx, clients, config.Timing, func(ctx context.Context, client int) (int, error) {
				return 1, offices[client].work(ctx)
			})
			if err != nil {
				return Report{}, err
			}
			figures = append(figures, sample.figure())
		}
		report.add("commands", clients, commandsPerSecond, figures)
	}
	return report, nil
}

// openOffices opens offices and tells of it.
func (l Ledger) openOffices(ctx context.Context, at *server, count int, watch Progress) ([]*office, error) {
	var opened atomic.Int64
	return openOffices(ctx, at, l.URL, count, func(more int) {
		if done := opened.Add(int64(more)); watch != nil {
			watch("set up firms", int(done), count)
		}
	})
}

func hangUp(offices []*office) error {
	var errs []error
	for _, office := range offices {
		errs = append(errs, office.close())
	}
	return errors.Join(errs...)
}
