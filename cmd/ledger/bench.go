package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/collabledger/collabledger/internal/bench"
	"github.com/collabledger/collabledger/internal/term"
)

// benchCommand measures.
type benchCommand struct {
	Append  benchAppendCommand  `cmd:"" help:"Measure appends beside plain INSERTs, message-db where it is installed, and COPY."`
	Read    benchReadCommand    `cmd:"" help:"Measure reading the log."`
	Project benchProjectCommand `cmd:"" help:"Measure the rebuild of all read models."`
	Command benchCommandCommand `cmd:"" help:"Measure whole commands over HTTP, beside bare handlers."`
	Query   benchQueryCommand   `cmd:"" help:"Measure queries over HTTP, on logs of several lengths beside each other."`
	Feed    benchFeedCommand    `cmd:"" help:"Measure how soon events reach the feed, and how fast a log is published."`
}

// Help tells what is touched.
func (benchCommand) Help() string {
	return `Everything is measured in scratch databases, which are dropped at the end, also on Ctrl-C: on SQLite in a temporary folder, or with --postgres on a server of yours, beside the database that the DSN names. That one is only looked at. The user needs the right to create databases.

Figures depend on the machine, so they are printed with it; compare those of one run with each other.`
}

// benchOutput is how a report is printed.
type benchOutput struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// benchPlace is where the scratch databases are made. Its flags are no variables: what the environment names is a ledger in use.
type benchPlace struct {
	Postgres string `env:"-" placeholder:"DSN" xor:"database" help:"Server to measure on; without it, SQLite."`
	SQLite   bool   `name:"sqlite" env:"-" xor:"database" help:"Measure on SQLite, as without --postgres."`
	Data     string `env:"-" placeholder:"DIR" help:"Folder to make temporary files in; without it, the system's. What a commit costs depends on its disk."`
}

func (p benchPlace) place() bench.Place { return bench.Place{Postgres: p.Postgres, Folder: p.Data} }

// benchTiming is how long something is measured.
type benchTiming struct {
	Seconds int `default:"3" help:"Length of each measurement, ${default} unless given."`
	Rounds  int `default:"3" help:"How often each is repeated, ${default} unless given; the medians are reported."`
}

func (t benchTiming) timing() bench.Timing {
	return bench.Timing{Duration: time.Duration(t.Seconds) * time.Second, Rounds: t.Rounds}
}

// benchAppendCommand measures appends.
type benchAppendCommand struct {
	benchOutput
	benchPlace
	benchTiming
	Clients []int `default:"1,16,64,256,1024" help:"Numbers of clients that write at the same time, ${default} unless given."`
	Nodes   int   `placeholder:"N" help:"Measure also so many nodes that write one log on Postgres, with the clients spread over them."`
	Preload int   `placeholder:"N" help:"Measure on logs that hold so many events already."`
}

// Run measures them.
func (c benchAppendCommand) Run(ctx context.Context, std *streams) error {
	return c.report(std, func(watch bench.Progress) (bench.Report, error) {
		return bench.Append(ctx, bench.AppendConfig{
			Place: c.place(), Timing: c.timing(), Clients: c.Clients, Nodes: c.Nodes, Preload: c.Preload, Progress: watch,
		})
	})
}

// benchReadCommand measures reading.
type benchReadCommand struct {
	benchOutput
	benchPlace
	benchTiming
	Clients []int `default:"1,2" help:"Numbers of readers at the same time, ${default} unless given."`
	Events  int   `default:"200000" help:"Events of the log, ${default} unless given."`
}

// Run measures it.
func (c benchReadCommand) Run(ctx context.Context, std *streams) error {
	return c.report(std, func(watch bench.Progress) (bench.Report, error) {
		return bench.Read(ctx, bench.ReadConfig{Place: c.place(), Timing: c.timing(), Clients: c.Clients, Events: c.Events, Progress: watch})
	})
}

// benchProjectCommand measures the rebuild of the read models.
type benchProjectCommand struct {
	benchOutput
	benchPlace
	Rounds int `default:"3" help:"How often it is repeated, ${default} unless given; the median is reported."`
	Events int `default:"200000" help:"Events of the log, ${default} unless given."`
}

// Run measures it.
func (c benchProjectCommand) Run(ctx context.Context, std *streams) error {
	return c.report(std, func(watch bench.Progress) (bench.Report, error) {
		return bench.Project(ctx, bench.ProjectConfig{Place: c.place(), Rounds: c.Rounds, Events: c.Events, Progress: watch})
	})
}

// benchCommandCommand measures whole commands.
type benchCommandCommand struct {
	benchOutput
	benchPlace
	benchTiming
	Clients []int  `default:"1,16,64,256" help:"Numbers of clients that submit commands at the same time, ${default} unless given."`
	URL     string `name:"url" env:"-" xor:"database" and:"server" help:"Measure a ledger that runs. Its log is left with the benchmark's firms and their work in it: take one that is there to be measured."`
	Key     string `env:"-" and:"server" placeholder:"KEY" help:"The operator's key of that ledger."`
}

// Run measures them.
func (c benchCommandCommand) Run(ctx context.Context, std *streams) error {
	return c.report(std, func(watch bench.Progress) (report bench.Report, err error) {
		config := bench.CommandConfig{Timing: c.timing(), Clients: c.Clients, Progress: watch}
		if c.URL != "" {
			config.Ledger = bench.Ledger{URL: c.URL, Key: c.Key, Where: c.URL}
			return bench.Command(ctx, config)
		}
		err = c.serve(ctx, std, nil, func(n *node) error {
			config.Ledger, config.Beside = n.measured(), new(c.place())
			report, err = bench.Command(ctx, config)
			return err
		})
		return report, err
	})
}

// benchQueryCommand measures queries.
type benchQueryCommand struct {
	benchOutput
	benchPlace
	benchTiming
	Clients []int  `default:"4" help:"Numbers of clients that ask at the same time, ${default} unless given."`
	Preload []int  `default:"10000,100000" placeholder:"N,N" help:"Numbers of events of the logs that take turns, ${default} unless given; the others are compared with the first."`
	URL     string `name:"url" env:"-" xor:"database" and:"server" help:"Measure a ledger that runs, as it is; --preload then counts for nothing."`
	Key     string `env:"-" and:"server" placeholder:"KEY" help:"The operator's key of that ledger."`
}

// Run measures them.
func (c benchQueryCommand) Run(ctx context.Context, std *streams) error {
	return c.report(std, func(watch bench.Progress) (report bench.Report, err error) {
		config := bench.QueryConfig{Timing: c.timing(), Clients: c.Clients, Progress: watch}
		if c.URL != "" {
			config.Ledgers = []bench.Ledger{{URL: c.URL, Key: c.Key, Where: c.URL}}
			return bench.Query(ctx, config)
		}
		if err := bench.ValidatePreloads(c.Preload); err != nil {
			return bench.Report{}, err
		}
		err = c.serveFilled(ctx, std, c.Preload, watch, func(nodes []*node) error {
			for _, n := range nodes {
				config.Ledgers = append(config.Ledgers, n.measured())
			}
			report, err = bench.Query(ctx, config)
			return err
		})
		return report, err
	})
}

// serveFilled serves ledgers that hold so many events, all at the same time, while they are measured.
func (p benchPlace) serveFilled(ctx context.Context, std *streams, events []int, watch bench.Progress, measure func([]*node) error, served ...*node) error {
	if len(events) == 0 {
		return measure(served)
	}
	fill := func(place storage) error {
		dir, err := openDataDir(place.Data)
		if err != nil {
			return err
		}
		db, err := openDatabase(ctx, dir, place.Postgres)
		if err != nil {
			return errors.Join(err, dir.close())
		}
		store, err := openStore(ctx, db)
		if err != nil {
			return errors.Join(err, db.Close(), dir.close())
		}
		return errors.Join(bench.Furnish(ctx, store, db, events[0], watch), store.Close(), db.Close(), dir.close())
	}
	return p.serve(ctx, std, fill, func(n *node) error {
		return p.serveFilled(ctx, std, events[1:], watch, measure, append(served, n)...)
	})
}

// benchFeedCommand measures the feed.
type benchFeedCommand struct {
	benchOutput
	benchPlace
	benchTiming
	Rate   int `default:"1000" help:"Commands a second while the feed is watched, ${default} unless given."`
	Events int `default:"200000" help:"Events of the log that is published, ${default} unless given."`
}

// Run measures it.
func (c benchFeedCommand) Run(ctx context.Context, std *streams) error {
	return c.report(std, func(watch bench.Progress) (report bench.Report, err error) {
		err = c.serve(ctx, std, nil, func(n *node) error {
			report, err = bench.Feed(ctx, bench.FeedConfig{
				Ledger: n.measured(), Place: c.place(), Timing: c.timing(), Broker: n.broker, Rate: c.Rate, Events: c.Events, Log: n.log, Progress: watch,
			})
			return err
		})
		return report, err
	})
}

// measured is the node as a benchmark sees it.
func (n *node) measured() bench.Ledger { return bench.Ledger{URL: n.url, Key: n.key, Where: n.where} }

// serve serves a fresh ledger while it is measured, and removes it. One that is filled first, unless fill is nil, does nothing but
// answer: its relay, reactors and webhooks would be at work on what they find for as long as it is measured.
func (p benchPlace) serve(ctx context.Context, std *streams, fill func(storage) error, measure func(*node) error) (err error) {
	folder, err := os.MkdirTemp(p.Data, "ledger-bench-")
	if err != nil {
		return fmt.Errorf("make a folder for the ledger: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	place := storage{Data: folder}
	if p.Postgres != "" {
		var drop func(context.Context) error
		if place.Postgres, drop, err = bench.ScratchPostgres(ctx, p.Postgres); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, drop(ctx)) }()
	}
	if fill != nil {
		if err := fill(place); err != nil {
			return err
		}
	}
	n, err := openNode(ctx, nodeConfig{storage: place, listen: "127.0.0.1:0", log: newLog(std.err, slog.LevelWarn)})
	if err != nil {
		return err
	}
	if fill != nil {
		n.parts = slices.DeleteFunc(n.parts, func(p part) bool { return p.name != statesPart && p.name != modelsPart })
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- n.run(running) }()
	err = measure(n)
	stop()
	return errors.Join(err, <-ended)
}

// report measures, with a progress bar where a person watches, and prints what came of it.
func (o benchOutput) report(std *streams, measure func(bench.Progress) (bench.Report, error)) error {
	watch, finish := progressOn(std.err)
	report, err := measure(watch)
	finish()
	if invalid, ok := errors.AsType[*bench.InvalidError](err); ok {
		return usageError{fmt.Errorf("--%w", invalid)}
	}
	if err != nil {
		return err
	}
	if o.JSON {
		return printJSON(std.out, report)
	}
	return report.Write(std.out, term.StyleFor(std.out))
}

// progressOn draws a progress bar on a terminal. Elsewhere it gives nil, since nobody watches.
func progressOn(w io.Writer) (watch bench.Progress, finish func()) {
	if !term.IsTerminal(w) {
		return nil, func() {}
	}
	bar := progressbar.NewOptions64(1, progressbar.OptionSetWriter(w), progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(false), progressbar.OptionClearOnFinish())
	watch = func(step string, done, total int) {
		bar.Describe(step)
		bar.ChangeMax(total)
		_ = bar.Set(done) // a bar that cannot be drawn stops nothing
	}
	return watch, func() { _ = bar.Finish() }
}
