package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/nats-io/nats.go"

	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/feed"
	"github.com/collabledger/collabledger/internal/term"
)

// reconcileCommand compares the broker's stream with the log, and mends it.
type reconcileCommand struct {
	storage
	NATS string `name:"nats" placeholder:"URL" help:"NATS server that the events are published on; without it, the one inside, in the folder."`
	streamSettings
	Repair bool `help:"Publish what the stream lacks at its end."`
	Refill bool `help:"When the stream holds something wrong: delete it, with all its consumers, and fill a new one like it from the log."`
	JSON   bool `name:"json" help:"Print JSON."`
}

// Help tells what is compared, and when it may run.
func (reconcileCommand) Help() string {
	return `Every event of the stream must be the log's event of that position, byte for byte and under its subject. Exit code 1 when one is not, or when some are not published.

A ledger on Postgres with a broker of its own may go on serving meanwhile; it publishes a lost tail by itself. One whose log or broker is in its folder has to be stopped first.

Examples:

  ledger reconcile --data ./ledger-data
  ledger reconcile --postgres "$DSN" --nats nats://broker:4222 --repair`
}

// errNotReconciled makes the exit code tell what the report says.
var errNotReconciled = errors.New("the stream is not a complete copy of the log")

// Run compares, mends if it is told to, and reports what was found.
func (c reconcileCommand) Run(ctx context.Context, std *streams) (err error) {
	database, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.close()) }()
	store, err := openStore(ctx, database.DB)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	quiet := slog.New(slog.DiscardHandler) // whatever is wrong is in the report or an error
	conn, disconnect, err := c.connect(ctx, quiet)
	if err != nil {
		return err
	}
	defer disconnect()
	progress := &progress{std: std, doing: "comparing"}
	found, err := feed.Reconcile(ctx, store, conn, progress.tell)
	progress.end()
	if err != nil {
		return err
	}
	if err := c.report(std, found); err != nil {
		return err
	}
	mended, err := c.mend(ctx, store, conn, found, quiet)
	switch {
	case err != nil:
		return err
	case mended:
		_, err = fmt.Fprintln(std.err, "mended: the stream is a complete copy of the log")
		return err
	case !found.Clean():
		return errNotReconciled
	}
	return nil
}

// connect reaches the broker, or starts the one in the folder.
func (c reconcileCommand) connect(ctx context.Context, log *slog.Logger) (conn *nats.Conn, disconnect func(), err error) {
	if c.NATS != "" {
		if conn, err = feed.Dial(c.NATS, log); err != nil {
			return nil, nil, err
		}
		if !conn.IsConnected() {
			conn.Close()
			return nil, nil, fmt.Errorf("the broker at %s does not answer", redacted(c.NATS))
		}
		return conn, conn.Close, nil
	}
	dir, release, err := c.brokerDir()
	if err != nil {
		return nil, nil, err
	}
	embedded, err := feed.Embed(ctx, dir, "", log)
	if err != nil {
		release()
		return nil, nil, err
	}
	conn, err = feed.Connect(embedded, log)
	if err != nil {
		embedded.Shutdown()
		release()
		return nil, nil, err
	}
	return conn, func() { conn.Close(); embedded.Shutdown(); release() }, nil
}

// brokerDir is where the broker inside keeps its files. With the log on Postgres the folder is not held yet.
func (c reconcileCommand) brokerDir() (path string, release func(), err error) {
	if c.Postgres == "" {
		return (&dataDir{path: c.Data}).file(brokerFolder), func() {}, nil
	}
	if !exists(c.Data) {
		return "", nil, fmt.Errorf("there is no broker in %s; name its folder with --data, or its URL with --nats", absolute(c.Data))
	}
	dir, err := openDataDir(c.Data)
	if err != nil {
		return "", nil, fmt.Errorf("%w; stop it first", err)
	}
	return dir.file(brokerFolder), func() { _ = dir.close() }, nil // nothing was written to it
}

// mend does what the flags allow and what was found asks for, and compares again.
func (c reconcileCommand) mend(ctx context.Context, store *eventstore.Store, conn *nats.Conn, found feed.Reconciliation, log *slog.Logger) (mended bool, err error) {
	settings := c.settings()
	switch {
	case found.Clean():
		return false, nil
	case found.Differing > 0 && c.Refill:
		had, err := feed.SettingsOf(ctx, conn)
		if err != nil {
			return false, err
		}
		settings = settings.Or(had)
		if err := feed.DeleteStream(ctx, conn); err != nil {
			return false, err
		}
	case found.Differing > 0 || !c.Repair && !c.Refill:
		return false, nil
	}
	if err := feed.NewRelay(store, conn, settings, log).CatchUp(ctx); err != nil {
		return false, err
	}
	again, err := feed.Reconcile(ctx, store, conn, func(int64, int64) {})
	if err != nil {
		return false, err
	}
	if !again.Clean() {
		return false, fmt.Errorf("%w after it was mended: %d differences, %d events behind", errNotReconciled, again.Differing, again.Behind)
	}
	return true, nil
}

// report prints what was found.
func (c reconcileCommand) report(std *streams, found feed.Reconciliation) error {
	if c.JSON {
		return printJSON(std.out, found)
	}
	_, err := fmt.Fprintf(std.out, "log: %d events, epoch %s\nstream: %s\n", found.LogEnd, found.Epoch, streamSummary(found))
	if err != nil || len(found.Differences) == 0 {
		return err
	}
	table := term.NewTable("POSITION", "DIFFERENCE", "DETAIL")
	for _, d := range found.Differences {
		table.Row(d.Position, d.Kind, d.Detail)
	}
	if err := table.Write(std.out, term.StyleFor(std.out), ""); err != nil {
		return err
	}
	if more := found.Differing - int64(len(found.Differences)); more > 0 {
		_, err = fmt.Fprintf(std.out, "and %d more\n", more)
	}
	return err
}

// streamSummary says in a line what the stream is.
func streamSummary(found feed.Reconciliation) string {
	switch {
	case found.StreamEpoch == "" && found.Last == 0:
		return fmt.Sprintf("none, %d events are not published", found.Behind)
	case found.Differing > 0:
		return fmt.Sprintf("%d to %d, %d events the same to the byte, %d differences, %d not published", found.First, found.Last, found.Compared, found.Differing, found.Behind)
	case found.Behind > 0:
		return fmt.Sprintf("%d to %d, the same to the byte, %d events are not published", found.First, found.Last, found.Behind)
	}
	return fmt.Sprintf("%d to %d, the same to the byte", found.First, found.Last)
}
