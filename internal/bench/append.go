package bench

import (
	"context"
	"errors"
	"fmt"
)

// The names under which ways of writing are reported.
const (
	ledgerName       = "ledger"
	nodesName        = "nodes"
	insertName       = "insert"
	messageDBName    = "message-db"
	messageDBOneName = "message-db/1"
	copyName         = "copy"
)

const eventsPerSecond = "events/s"

// AppendConfig says how appends are measured.
type AppendConfig struct {
	Place
	Timing
	Clients  []int // numbers of clients that write at the same time, one measurement for each
	Nodes    int   // when more than 1: that many nodes that write one log on Postgres, with the clients spread over them, are measured too
	Preload  int   // events that a log holds already when it is measured
	Progress Progress
}

func (c AppendConfig) validate() error {
	if c.Nodes > 1 && c.Postgres == "" {
		return &InvalidError{Setting: "nodes", Rule: "need Postgres: a log on SQLite has one node"}
	}
	return errors.Join(c.Timing.validate(), validateClients(c.Clients), within("nodes", c.Nodes, 0, maxNodes, ""),
		within("preload", c.Preload, 0, MaxEvents, " events"))
}

// contestant is one way of writing events that is measured beside the others.
type contestant struct {
	name     string
	note     string // what it does, for the report
	template string // the Postgres database that it begins with a copy of
	single   bool   // it has one client, which writes rows of events at a time
	rows     int    // events of one write
	begin    func(ctx context.Context, db *database, clients int) (writer, error)
}

// writer is a contestant at work in a database of its own.
type writer interface {
	// write writes the next rows of a client; they are durable when it returns.
	write(ctx context.Context, client int) error
	// fill makes it a log that holds events already, in whatever way is fastest.
	fill(ctx context.Context, events int) error
	close() error
}

// Append measures how fast events are appended, one event a command, by the ledger and by what else a database offers. The
// contestants take turns, each time in a fresh database, so that what disturbs the machine meanwhile disturbs all of them.
func Append(ctx context.Context, config AppendConfig) (report Report, err error) {
	if err := config.validate(); err != nil {
		return Report{}, err
	}
	s, err := newScratch(config.Place)
	if err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(stopped(ctx, err), s.remove(ctx)) }()
	database, err := s.describe(ctx)
	if err != nil {
		return Report{}, err
	}
	record, err := sampleRecord(ctx, s)
	if err != nil {
		return Report{}, err
	}
	report = newReport("append", database,
		fmt.Sprintf("%s after a warm-up, and the medians of these; the contestants take turns, each time in a fresh database with %d events.", config.Timing, config.Preload),
		fmt.Sprintf("Each event is a record of %d bytes; each client extends its own streams, of %d events on average, and expects their versions.",
			len(record), eventsPerStream))
	contestants, err := config.contestants(ctx, s, record, &report)
	if err != nil {
		return Report{}, err
	}
	err = config.run(ctx, s, contestants, &report)
	return report, err
}

// contestants lists the ways of writing that the database offers, the ledger first.
func (c AppendConfig) contestants(ctx context.Context, s *scratch, record []byte, report *Report) ([]contestant, error) {
	contestants := []contestant{ledgerNodes(ledgerName, 1, "one event an append, in this process, committed in groups.")}
	if c.Nodes > 1 {
		contestants = append(contestants, ledgerNodes(nodesName, c.Nodes,
			fmt.Sprintf("the ledger as %d nodes that write one log, each with a part of the clients and a connection of its own that writes.", c.Nodes)))
	}
	if s.place.Postgres == "" {
		return append(contestants, sqliteInsert(record)), nil
	}
	contestants = append(contestants, postgresInsert(record))
	messageDBs, err := messageDBContestants(ctx, s, report)
	if err != nil {
		return nil, err
	}
	return append(append(contestants, messageDBs...), postgresCopy(record)), nil
}

// run measures every contestant at every number of clients, and reports.
func (c AppendConfig) run(ctx context.Context, s *scratch, contestants []contestant, report *Report) error {
	var turns []turn
	for i, clients := range c.Clients {
		for _, contestant := range contestants {
			if contestant.single && i > 0 {
				continue
			}
			at := clients
			if contestant.single {
				at = 1
			}
			turns = append(turns, turn{contestant.name, at, func(ctx context.Context) (figure, error) {
				return c.measure(ctx, s, contestant, at)
			}})
		}
	}
	figures, err := takeTurns(ctx, c.Rounds, c.Progress, turns)
	if err != nil {
		return err
	}
	for _, contestant := range contestants {
		report.tell(contestant.name, contestant.note, eventsPerSecond, turns, figures)
		switch contestant.name {
		case ledgerName:
		case nodesName:
			report.compare(nodesName, ledgerName)
		default:
			report.compare(ledgerName, contestant.name)
		}
	}
	return nil
}

// measure measures a contestant once, in a database of its own.
func (c AppendConfig) measure(ctx context.Context, s *scratch, contestant contestant, clients int) (measured figure, err error) {
	db, err := s.freshFrom(ctx, contestant.template)
	if err != nil {
		return figure{}, err
	}
	defer func() { err = errors.Join(err, db.close(ctx)) }()
	writer, err := contestant.begin(ctx, db, clients)
	if err != nil {
		return figure{}, err
	}
	defer func() { err = errors.Join(err, writer.close()) }()
	if err := writer.fill(ctx, c.Preload); err != nil {
		return figure{}, fmt.Errorf("preload: %w", err)
	}
	sample, err := measure(ctx, clients, c.Timing, func(ctx context.Context, client int) (int, error) {
		return contestant.rows, writer.write(ctx, client)
	})
	if err != nil {
		return figure{}, err
	}
	measured = sample.figure()
	if contestant.rows > 1 {
		measured.latency = nil // nobody waits for a COPY
	}
	return measured, nil
}

// sampleRecord is an event of the benchmark as the ledger stores it, so that the others write the same.
func sampleRecord(ctx context.Context, s *scratch) (record []byte, err error) {
	db, err := s.fresh(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.close(ctx)) }()
	store, err := db.openStore(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	appended, err := store.Append(ctx, oneEvent(newStream()))
	if err != nil {
		return nil, err
	}
	return appended.Records[0].Bytes, nil
}
