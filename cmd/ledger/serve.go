package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
)

// serveCommand runs a ledger until it is interrupted.
type serveCommand struct {
	storage
	broker
	Listen string `default:"127.0.0.1:8080" placeholder:"ADDR" help:"Address to serve on, ${default} unless given; port 0 takes any free one."`

	mailing

	WebhooksAllowInternal bool `help:"Send webhooks to this machine and private networks too; for tests and development."`
}

// Help explains what the first start makes.
func (serveCommand) Help() string {
	return `The first start makes the folder with two keys in it: operator.key, which callers show as "Authorization: Bearer KEY", and session.key, which signs log-ins. Nodes that share a Postgres need the same two files.

Examples:

  ledger serve
  ledger serve --data /var/lib/ledger --listen 0.0.0.0:8080
  ledger serve --postgres postgres://ledger@db/ledger --nats nats://broker:4222
  ledger serve --smtp-server smtp.example.com:587 --smtp-user ledger --smtp-password-file smtp.key --email-from "Ledger <ledger@example.com>"

Ctrl-C or SIGTERM stops it in order: requests under way are answered first.`
}

// Run serves.
func (c serveCommand) Run(ctx context.Context, std *streams) error {
	mailServer, err := c.mailing.server()
	if err != nil {
		return err
	}
	log := newLog(std.err, slog.LevelInfo)
	slog.SetDefault(log) // for what libraries log
	n, err := openNode(ctx, nodeConfig{
		storage: c.storage, broker: c.broker, listen: c.Listen, log: log, mailServer: mailServer, allowInternalWebhooks: c.WebhooksAllowInternal,
	})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(std.out, "ledger serves %s (%s)\n", n.url, n.where); err != nil {
		return errors.Join(err, n.close())
	}
	return n.run(ctx)
}

func newLog(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}

// versionCommand prints the version.
type versionCommand struct{}

// Run prints it.
func (versionCommand) Run(std *streams) error {
	_, err := fmt.Fprintln(std.out, "ledger", version())
	return err
}

// version is the module's version as the go command knows it: a tag, or the commit that the binary was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
