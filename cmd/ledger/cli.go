package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/uuid"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/feed"
)

// cli is the command line's grammar. Every flag is also a variable: --nats-listen is LEDGER_NATS_LISTEN.
type cli struct {
	Serve       serveCommand       `cmd:"" group:"Run a ledger:" help:"Run a ledger."`
	Demo        demoCommand        `cmd:"" group:"Run a ledger:" help:"Play the Partner Programme guide on a fresh ledger, and check what it does."`
	Projections projectionsCommand `cmd:"" group:"Run a ledger:" help:"See and rebuild the read models."`
	Reconcile   reconcileCommand   `cmd:"" group:"Run a ledger:" help:"Compare the broker's stream with the log, and mend it."`
	Check       checkCommand       `cmd:"" group:"Run a ledger:" help:"Check every event of a log against the ledger's invariants, and against policies."`
	Migrate     migrateCommand     `cmd:"" group:"Run a ledger:" help:"Bring a database's schema up to date without serving."`
	Bench       benchCommand       `cmd:"" group:"Run a ledger:" help:"Measure a ledger on this machine."`
	Version     versionCommand     `cmd:"" group:"Run a ledger:" help:"Print the version."`

	Do            doCommand            `cmd:"" group:"Talk to a ledger that runs:" help:"Submit a command, such as GrantAccess."`
	Inbox         inboxCommand         `cmd:"" group:"Talk to a ledger that runs:" help:"List the requests of a consultancy or a client."`
	Access        accessCommand        `cmd:"" group:"Talk to a ledger that runs:" help:"List who may act in which client account."`
	Effective     effectiveCommand     `cmd:"" group:"Talk to a ledger that runs:" help:"Tell what one person may do in a client's account, and why."`
	Ending        endingCommand        `cmd:"" group:"Talk to a ledger that runs:" help:"List the grants of access that end soon."`
	Sessions      sessionsCommand      `cmd:"" group:"Talk to a ledger that runs:" help:"List the log-ins to client accounts."`
	KPI           kpiCommand           `cmd:"" name:"kpi" group:"Talk to a ledger that runs:" help:"Count the pending activities of clients."`
	Portfolio     portfolioCommand     `cmd:"" group:"Talk to a ledger that runs:" help:"List the clients of a consultancy, with what matters of each."`
	Advice        adviceCommand        `cmd:"" group:"Talk to a ledger that runs:" help:"List the consultancies that a client asked or works with."`
	Directory     directoryCommand     `cmd:"" group:"Talk to a ledger that runs:" help:"Search the listed consultancies."`
	History       historyCommand       `cmd:"" group:"Talk to a ledger that runs:" help:"Tell a collaboration's history in words."`
	Notifications notificationsCommand `cmd:"" group:"Talk to a ledger that runs:" help:"List what a person is told of."`
	Reviews       reviewsCommand       `cmd:"" group:"Talk to a ledger that runs:" help:"List what waits for a reviewer."`
	Webhooks      webhooksCommand      `cmd:"" group:"Talk to a ledger that runs:" help:"See to webhooks: register, deliveries, dead letters, replay."`
	Tail          tailCommand          `cmd:"" group:"Talk to a ledger that runs:" help:"Follow the events as they happen."`
}

// storage is where a ledger keeps what it knows.
type storage struct {
	Data     string `default:"./ledger-data" placeholder:"DIR" help:"Folder of the ledger's keys and files, ${default} unless given."`
	Postgres string `placeholder:"DSN" help:"Postgres for the log and the read models; without it, SQLite in the folder."`
}

// broker is where a ledger publishes its events.
type broker struct {
	NATS       string `name:"nats" placeholder:"URL" xor:"broker" help:"NATS server to publish the events on; without it, one runs inside."`
	NATSListen string `name:"nats-listen" placeholder:"ADDR" xor:"broker" help:"Address at which the NATS server inside can be reached; without it, it opens no port."`
	streamSettings
}

// streamSettings are how the broker keeps the events; see feed.Settings.
type streamSettings struct {
	StreamReplicas int           `placeholder:"N" help:"Brokers of a NATS cluster that each keep a copy of the stream, 1 in a new one; 3 survive the loss of one."`
	StreamMaxAge   time.Duration `placeholder:"TIME" help:"How long the stream keeps an event, such as 720h; without it, a new one keeps all. Older ones are served over HTTP."`
	StreamMaxBytes int64         `placeholder:"BYTES" help:"How much the stream keeps before its oldest events go; without it, a new one keeps all."`
}

func (s streamSettings) settings() feed.Settings {
	return feed.Settings{Replicas: s.StreamReplicas, MaxAge: s.StreamMaxAge, MaxBytes: s.StreamMaxBytes}
}

// Validate is called by kong.
func (s streamSettings) Validate() error { return s.settings().Validate() }

// connection is how a command reaches a ledger that serves, and for whom it asks.
type connection struct {
	URL     string `name:"url" group:"Connection:" default:"http://127.0.0.1:8080" placeholder:"URL" help:"Where the ledger serves, ${default} unless given."`
	Key     string `group:"Connection:" placeholder:"KEY" help:"The operator's key; without it, the one in --key-from."`
	KeyFrom string `group:"Connection:" env:"LEDGER_DATA" default:"./ledger-data" placeholder:"DIR" help:"The ledger's folder (serve --data), for its operator's key."`
	As      string `group:"Connection:" placeholder:"ACCOUNT/USER" help:"Act for this person: their account's id and theirs."`
	JSON    bool   `name:"json" group:"Connection:" help:"Print the ledger's JSON as it is."`
}

// operatorKey finds the key to show to the ledger.
func (c connection) operatorKey() (string, error) {
	if c.Key != "" {
		return c.Key, nil
	}
	key, err := readOperatorKey(c.KeyFrom)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("there is no key in %s: name the folder of the ledger with --key-from, or give its operator's key with --key or LEDGER_KEY",
			filepath.Join(c.KeyFrom, operatorKeyFile))
	}
	return key, err
}

// client connects to the ledger.
func (c connection) client() (*client.Client, error) {
	key, err := c.operatorKey()
	if err != nil {
		return nil, err
	}
	ledger := client.New(c.URL, key)
	if c.As == "" {
		return ledger, nil
	}
	account, user, err := c.person()
	if err != nil {
		return nil, err
	}
	return ledger.As(account, user), nil
}

// publicClient connects to the ledger, without a key where there is none: what the public may see.
func (c connection) publicClient() (*client.Client, error) {
	if c.Key == "" && c.As == "" && !exists(filepath.Join(c.KeyFrom, operatorKeyFile)) {
		return client.New(c.URL, ""), nil
	}
	return c.client()
}

// person reads --as.
func (c connection) person() (account, user uuid.UUID, err error) {
	first, second, found := strings.Cut(c.As, "/")
	account, err1 := uuid.Parse(first)
	user, err2 := uuid.Parse(second)
	if err := errors.Join(err1, err2); err != nil || !found {
		return uuid.Nil, uuid.Nil, usageError{fmt.Errorf("--as must be the id of an account and that of its member, like ACCOUNT/USER, not %q", c.As)}
	}
	return account, user, nil
}

// printHelp prints kong's help, and for ledger do with a command's name what that command takes.
func printHelp(options kong.HelpOptions, ctx *kong.Context) error {
	if name := commandAsked(ctx); name != "" {
		return describeCommand(ctx.Stdout, name)
	}
	return kong.DefaultHelpPrinter(options, ctx)
}

// commandAsked is the command's name in ledger do NAME --help, empty in any other line.
func commandAsked(ctx *kong.Context) string {
	for _, path := range ctx.Path {
		if path.Positional != nil && path.Parent.Name == "do" && path.Positional.Name == "command" {
			return fmt.Sprint(ctx.Value(path))
		}
	}
	return ""
}

// absolute is a path as messages show it.
func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil {
		return full
	}
	return path
}

// exists tells whether there is a file.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
