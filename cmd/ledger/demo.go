package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/collabledger/collabledger/internal/demo"
	"github.com/collabledger/collabledger/internal/term"
)

// demoCommand plays the guide on a fresh ledger.
type demoCommand struct {
	Data     string `placeholder:"DIR" help:"Folder to leave the ledger in; without it, one that is removed at the end."`
	Postgres string `placeholder:"DSN" help:"Postgres database to play on; without it, SQLite in the folder."`
	broker
	Listen string `default:"127.0.0.1:0" placeholder:"ADDR" help:"Address to serve on; port 0 takes any free one."`
	Keep   bool   `help:"Go on serving afterwards, until Ctrl-C."`
}

// Help tells what the play checks.
func (demoCommand) Help() string {
	return `It starts a ledger, plays the eleven steps of the guide over HTTP with two consultancies and three clients, and tries on the way what must be refused. Every answer, read model and event on the broker is checked; the first one that is not as it must be ends the play with exit code 1.

A log forgets nothing, so it plays on an empty ledger only. A folder that holds one already is left alone; in a database that does, the demo makes a schema of its own and drops it at the end.

Examples:

  ledger demo
  ledger demo --keep
  ledger demo --postgres postgres://ledger@127.0.0.1/demo`
}

// Run plays it.
func (c demoCommand) Run(ctx context.Context, std *streams) error {
	if c.Postgres != "" {
		fresh, drop, err := demoSchema(ctx, c.Postgres)
		if err != nil {
			return err
		}
		c.Postgres = fresh
		return errors.Join(c.runInFolder(ctx, std), drop(ctx))
	}
	return c.runInFolder(ctx, std)
}

// runInFolder plays it in the folder that was asked for, or in one that is removed at the end.
func (c demoCommand) runInFolder(ctx context.Context, std *streams) error {
	if c.Data != "" {
		return c.runIn(ctx, std, c.Data)
	}
	folder, err := os.MkdirTemp("", "ledger-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	return errors.Join(c.runIn(ctx, std, folder), os.RemoveAll(folder))
}

// runIn serves a ledger in a folder while the play goes on.
func (c demoCommand) runIn(ctx context.Context, std *streams, folder string) error {
	log := newLog(std.err, slog.LevelWarn)
	slog.SetDefault(log) // for what libraries log
	n, err := openNode(ctx, nodeConfig{storage: storage{Data: folder, Postgres: c.Postgres}, broker: c.broker, listen: c.Listen, log: log})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	stopped := make(chan error, 1)
	go func() { stopped <- n.run(running) }()
	err = c.play(ctx, std, n)
	stop()
	return errors.Join(err, <-stopped)
}

func (c demoCommand) play(ctx context.Context, std *streams, n *node) error {
	style := term.StyleFor(std.out)
	if _, err := fmt.Fprintf(std.out, "%s\nA fresh ledger serves %s (%s).\n", style.Bold("The Partner Programme guide, played on the ledger"), n.url, n.where); err != nil {
		return err
	}
	cast, err := demo.Play(ctx, demo.Config{URL: n.url, Key: n.key, Broker: n.broker, Out: std.out, Style: style})
	if err != nil {
		return err
	}
	if !c.Keep {
		return nil
	}
	if err := invite(std, n, cast); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// invite prints lines to paste into a shell.
func invite(std *streams, n *node, cast demo.Cast) error {
	_, err := fmt.Fprintf(std.out, `
The ledger goes on serving until Ctrl-C. Look around, for example:

  export LEDGER_URL=%[1]s LEDGER_KEY=%[2]s
  curl -sH "Authorization: Bearer $LEDGER_KEY" "$LEDGER_URL/v1/requests?party=%[3]s"
  curl -sH "Authorization: Bearer $LEDGER_KEY" "$LEDGER_URL/v1/access?client=%[4]s"
  curl -sH "Authorization: Bearer $LEDGER_KEY" -H "Ledger-Act-As: %[3]s/%[6]s" "$LEDGER_URL/v1/kpis?consultancy=%[3]s"
  curl -sH "Authorization: Bearer $LEDGER_KEY" "$LEDGER_URL/v1/collaborations/%[5]s/history"
  curl -sNH "Authorization: Bearer $LEDGER_KEY" "$LEDGER_URL/v1/events/stream"
  curl -s "$LEDGER_URL/v1/directory?q=asesoria"

With the same two variables: ledger history %[5]s
`, n.url, n.key, cast.Consultancy, cast.Client, cast.Collaboration, cast.Manager)
	return err
}
