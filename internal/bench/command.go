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
	Clients []int // numbers of clients that submit commands at the same time, one measurement for each
	// Beside is where bare handlers write that are measured beside the ledger, in this process: the ledger must be on this machine
	// and its data in the same place. Without it the ledger is measured alone.
	Beside   *Place
	Progress Progress
}

// answering is one way of answering commands that is measured beside the others.
type answering struct {
	name string
	note string // what it does, for the report
	// begin gives what each client does again and again, and what ends it.
	begin func(ctx context.Context, clients int) (submit operation, end func() error, err error)
}

// Command measures how fast a ledger answers whole commands over HTTP: a usual mix, each one decided, committed and answered
// before its client submits the next. Beside it, in turns, it measures what answers without a ledger would cost. The ledger is left
// with the firms and their work in it.
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
	ways := []answering{ledgerAnswers(offices)}
	if config.Beside != nil {
		s, err := newScratch(*config.Beside)
		if err != nil {
			return Report{}, err
		}
		defer func() { err = errors.Join(err, s.remove(ctx)) }()
		bare, err := bareAnswers(ctx, s)
		if err != nil {
			return Report{}, err
		}
		ways = append(ways, bare...)
	}
	report = newReport("command", config.Where,
		fmt.Sprintf("%s after a warm-up, and the medians of these. The clients share this machine with the ledger, if that runs here.", config.Timing))
	err = config.run(ctx, ways, &report)
	return report, err
}

// run measures every way of answering at every number of clients, and reports.
func (c CommandConfig) run(ctx context.Context, ways []answering, report *Report) error {
	var turns []turn
	for _, clients := range c.Clients {
		for _, way := range ways {
			turns = append(turns, turn{way.name, clients, func(ctx context.Context) (figure, error) {
				return way.measure(ctx, clients, c.Timing)
			}})
		}
	}
	figures, err := takeTurns(ctx, c.Rounds, c.Progress, turns)
	if err != nil {
		return err
	}
	for i, way := range ways {
		report.tell(way.name, way.note, commandsPerSecond, turns, figures)
		if i > 0 {
			report.compare(ways[0].name, way.name)
		}
	}
	return nil
}

func (a answering) measure(ctx context.Context, clients int, timing Timing) (measured figure, err error) {
	submit, end, err := a.begin(ctx, clients)
	if err != nil {
		return figure{}, err
	}
	defer func() { err = errors.Join(err, end()) }()
	sample, err := measure(ctx, clients, timing, submit)
	if err != nil {
		return figure{}, err
	}
	return sample.figure(), nil
}

// ledgerAnswers is the ledger itself.
func ledgerAnswers(offices []*office) answering {
	return answering{
		name: "commands",
		note: "each client is a consultancy at work for one of its clients: it raises and completes tasks, writes, reads, logs in and out.",
		begin: func(context.Context, int) (operation, func() error, error) {
			submit := func(ctx context.Context, client int) (int, error) { return 1, offices[client].work(ctx) }
			return submit, func() error { return nil }, nil
		},
	}
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
