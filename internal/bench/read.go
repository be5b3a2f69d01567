package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/collabledger/collabledger/eventstore"
)

const (
	recordsPerSecond = "records/s"
	streamSamples    = 10 // pages of the log from whose records the streams are drawn that are read
)

// ReadConfig says how reading is measured.
type ReadConfig struct {
	Place
	Timing
	Clients  []int // numbers of readers at the same time, one measurement for each
	Events   int   // of the log; rounded up to whole pages
	Progress Progress
}

// Read measures how fast the log is read, in pages from its beginning and stream by stream.
func Read(ctx context.Context, config ReadConfig) (report Report, err error) {
	err = errors.Join(config.Timing.validate(), validateClients(config.Clients),
		within("events", config.Events, MinEvents, MaxEvents, ""))
	if err != nil {
		return Report{}, err
	}
	const page = eventstore.MaxPageEvents
	config.Events = (config.Events + page - 1) / page * page
	log, err := prepareLog(ctx, config.Place, config.Events, config.Progress)
	if err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(stopped(ctx, err), log.close(ctx)) }()
	streams, err := log.sampleStreams(ctx, config.Events)
	if err != nil {
		return Report{}, err
	}
	report = newReport("read", log.described,
		fmt.Sprintf("%s after a warm-up, and the medians of these, on a log of %d events of a made-up ledger.", config.Timing, config.Events),
		fmt.Sprintf("pages: each reader reads the whole log in pages of %d, again and again; the latency is a page's.", page),
		"streams: each reader reads whole streams, those of records drawn evenly from the log; the latency is a stream's.")
	err = config.run(ctx, &report, []reading{{"pages", log.readPages(config.Events)}, {"streams", log.readStreams(streams)}})
	return report, err
}

// reading is a way to read, with what a number of clients does.
type reading struct {
	name string
	work func(clients int) operation
}

func (c ReadConfig) run(ctx context.Context, report *Report, readings []reading) error {
	steps := steps{watch: c.Progress, total: len(readings) * len(c.Clients) * c.Rounds}
	for _, reading := range readings {
		for _, clients := range c.Clients {
			var figures []figure
			for round := range c.Rounds {
				steps.begin("round %d of %d: %s with %d readers", round+1, c.Rounds, reading.name, clients)
				sample, err := measure(ctx, clients, c.Timing, reading.work(clients))
				if err != nil {
					return fmt.Errorf("read %s: %w", reading.name, err)
				}
				figures = append(figures, sample.figure())
			}
			report.add(reading.name, clients, recordsPerSecond, figures)
		}
	}
	return nil
}

// preparedLog is a log of believable histories in a database of its own.
type preparedLog struct {
	store     *eventstore.Store
	db        *database
	scratch   *scratch
	described string
}

// prepareLog makes a log to be measured.
func prepareLog(ctx context.Context, place Place, events int, watch Progress) (log *preparedLog, err error) {
	s, err := newScratch(place)
	if err != nil {
		return nil, err
	}
	log = &preparedLog{scratch: s}
	defer func() {
		if err != nil {
			err = errors.Join(stopped(ctx, err), log.close(ctx))
		}
	}()
	if log.described, err = s.describe(ctx); err != nil {
		return nil, err
	}
	if log.db, err = s.fresh(ctx); err != nil {
		return nil, err
	}
	if log.store, err = log.db.openStore(ctx); err != nil {
		return nil, err
	}
	done := func(int) {}
	if watch != nil {
		done = func(at int) { watch("make up a ledger's events", at, events) }
	}
	return log, fillHistory(ctx, log.store, events, done)
}

// close closes what is open and drops the database.
func (l *preparedLog) close(ctx context.Context) error {
	var errs []error
	if l.store != nil {
		errs = append(errs, l.store.Close())
	}
	if l.db != nil {
		errs = append(errs, l.db.Close())
	}
	return errors.Join(append(errs, l.scratch.remove(ctx))...)
}

func (l *preparedLog) readPages(events int) func(int) operation {
	return func(clients int) operation {
		at := make([]int64, clients)
		return func(ctx context.Context, client int) (int, error) {
			page, err := l.store.ReadAll(ctx, at[client], eventstore.MaxPageEvents)
			at[client] = (at[client] + int64(len(page))) % int64(events)
			return len(page), err
		}
	}
}

func (l *preparedLog) readStreams(streams []eventstore.StreamID) func(int) operation {
	return func(clients int) operation {
		random := make([]*rand.Rand, clients)
		for client := range random {
			random[client] = rand.New(rand.NewPCG(uint64(client), streamSamples))
		}
		return func(ctx context.Context, client int) (int, error) {
			page, err := l.store.ReadStream(ctx, streams[random[client].IntN(len(streams))], 0, eventstore.MaxPageEvents)
			return len(page), err
		}
	}
}

// sampleStreams are the streams of records from all over the log.
func (l *preparedLog) sampleStreams(ctx context.Context, events int) ([]eventstore.StreamID, error) {
	var streams []eventstore.StreamID
	for i := range streamSamples {
		page, err := l.store.ReadAll(ctx, int64(events/streamSamples*i), min(events/streamSamples, eventstore.MaxPageEvents))
		if err != nil {
			return nil, err
		}
		for _, record := range page {
			streams = append(streams, record.Stream)
		}
	}
	return streams, nil
}
