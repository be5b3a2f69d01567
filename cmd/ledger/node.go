package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"github.com/collabledger/collabledger/api"
	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/email"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/eventstore/postgres"
	"github.com/collabledger/collabledger/eventstore/sqlite"
	"github.com/collabledger/collabledger/feed"
	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/projections"
	"github.com/collabledger/collabledger/reactors"
	"github.com/collabledger/collabledger/webhooks"
)

// Waits before a part of the node that failed is started again.
const (
	firstPause   = time.Second      // before the first time; doubled for each failure after it
	longestPause = 30 * time.Second // at most; a part that ran for so long begins with the first again
)

// tokenIssuer names the ledger in the tokens of log-ins. It is the same on every node, as the tokens must be.
const tokenIssuer = "collabledger"

// nodeConfig is what a node is made of.
type nodeConfig struct {
	storage
	broker
	listen string
	log    *slog.Logger

	mailServer            *email.Server // nil: no e-mail is sent
	allowInternalWebhooks bool
}

// node is one server: the log and the read models in a database, the feed to a broker, and the HTTP API. Any number of nodes may
// share a Postgres and a broker.
type node struct {
	log   *slog.Logger
	where string // its data and its broker are, for people

	key      string // the operator's
	url      string // of the API
	store    *eventstore.Store
	broker   *nats.Conn
	relay    *feed.Relay
	listener net.Listener
	handler  http.Handler
	parts    []part

	serving context.Context // ends when no new requests are taken, and with it the streams that the API has open
	hangUp  context.CancelFunc
	closers []func() error // of what has been opened, in order
}

// The parts of a node without which its queries would fall behind the log.
const (
	statesPart = "cache of states"
	modelsPart = "read models"
)

// part is something that runs as long as the node does.
type part struct {
	name string
	run  func(context.Context) error
}

// openNode opens everything that a node needs, in the order in which it depends on each other. What it opened before a failure it
// closes again.
func openNode(ctx context.Context, config nodeConfig) (*node, error) {
	n := &node{log: config.log}
	n.serving, n.hangUp = context.WithCancel(context.Background())
	if err := n.open(ctx, config); err != nil {
		return nil, errors.Join(err, n.close())
	}
	return n, nil
}

func (n *node) open(ctx context.Context, config nodeConfig) error {
	dir, err := openDataDir(config.Data)
	if err != nil {
		return err
	}
	n.onClose(dir.close)
	if n.listener, err = net.Listen("tcp", config.listen); err != nil {
		return fmt.Errorf("cannot listen on %s: %w", config.listen, err)
	}
	n.onClose(func() error { return ignoring(n.listener.Close(), net.ErrClosed) }) // the server closes it when it stops
	n.url = "http://" + n.listener.Addr().String()

	db, err := openDatabase(ctx, dir, config.Postgres)
	if err != nil {
		return err
	}
	n.onClose(db.Close)
	if n.store, err = openStore(ctx, db); err != nil {
		return err
	}
	n.onClose(n.store.Close)
	brokerAt, err := n.openBroker(ctx, dir, config.broker)
	if err != nil {
		return err
	}
	database := "SQLite"
	if db.Dialect == sqldb.Postgres {
		database = "Postgres"
	}
	n.where = fmt.Sprintf("data in %s, %s, NATS %s", absolute(config.Data), database, brokerAt)
	return n.openAPI(ctx, dir, db, config)
}

// openDatabase opens the database that a ledger is kept in.
func openDatabase(ctx context.Context, dir *dataDir, dsn string) (*sqldb.DB, error) {
	if dsn != "" {
		return sqldb.OpenPostgres(ctx, dsn)
	}
	return sqldb.OpenSQLite(ctx, dir.file(databaseFile))
}

// openBackend opens the log in a database, once its schema is up to date.
func openBackend(ctx context.Context, db *sqldb.DB) (eventstore.Backend, error) {
	if db.Dialect == sqldb.Postgres {
		return postgres.New(ctx, db)
	}
	return sqlite.New(ctx, db)
}

// openStore brings the log's schema up to date and opens it.
func openStore(ctx context.Context, db *sqldb.DB) (*eventstore.Store, error) {
	backend, err := openBackend(ctx, db)
	if err != nil {
		return nil, err
	}
	store, err := eventstore.Open(ctx, backend, eventstore.Options{})
	if err != nil {
		return nil, errors.Join(err, backend.Close())
	}
	return store, nil
}

// openBroker connects to the broker, which may be away, or starts the one inside. It tells where that is.
func (n *node) openBroker(ctx context.Context, dir *dataDir, config broker) (where string, err error) {
	if config.NATS != "" {
		where = redacted(config.NATS)
		if n.broker, err = feed.Dial(config.NATS, n.log); err != nil {
			return "", err
		}
		if !n.broker.IsConnected() {
			n.log.Warn("the broker is away; commands and queries work, and events are published once it is back", "nats", where)
		}
	} else if where, err = n.embedBroker(ctx, dir, config.NATSListen); err != nil {
		return "", err
	}
	n.onClose(func() error { n.broker.Close(); return nil })
	n.relay = feed.NewRelay(n.store, n.broker, config.settings(), n.log)
	n.parts = append(n.parts, part{"relay to the broker", n.relay.Run})
	return where, nil
}

// embedBroker starts the broker inside, and connects to it.
func (n *node) embedBroker(ctx context.Context, dir *dataDir, listen string) (where string, err error) {
	embedded, err := feed.Embed(ctx, dir.file(brokerFolder), listen, n.log)
	if err != nil {
		return "", err
	}
	n.onClose(func() error { embedded.Shutdown(); return nil })
	where = "embedded"
	if listen != "" {
		where = "embedded at " + embedded.ClientURL()
	}
	n.parts = append(n.parts, part{"health of the broker inside", embedded.KeepHealthy})
	n.broker, err = feed.Connect(embedded, n.log)
	return where, err
}

// openAPI opens the read models and what answers commands and queries.
func (n *node) openAPI(ctx context.Context, dir *dataDir, db *sqldb.DB, config nodeConfig) error {
	catalog := domain.NewCatalog()
	engine, err := projections.Open(ctx, n.store, db, catalog, time.Now)
	if err != nil {
		return err
	}
	states, err := commands.NewStates(n.store, catalog)
	if err != nil {
		return err
	}
	sessionKey, err := dir.sessionKey()
	if err != nil {
		return err
	}
	tokens, err := commands.NewTokenSigner(sessionKey, tokenIssuer)
	if err != nil {
		return err
	}
	if n.key, err = dir.operatorKey(); err != nil {
		return err
	}
	registry := commands.NewRegistry()
	executor := &commands.Executor{
		Store: n.store, States: states, Registry: registry, Tokens: tokens, Clock: time.Now, NewID: newID, AllowInternalWebhooks: config.allowInternalWebhooks,
	}
	sender, err := webhooks.Open(ctx, webhooks.Config{
		Store: n.store, Executor: executor, DB: db, Clock: time.Now, Log: n.log, AllowInternal: config.allowInternalWebhooks,
	})
	if err != nil {
		return err
	}
	reacting, err := reactors.Open(ctx, reactors.Config{Store: n.store, Models: engine, Executor: executor, DB: db, Log: n.log})
	if err != nil {
		return err
	}
	mailer, err := n.openEmail(ctx, db, engine, states, config.mailServer)
	if err != nil {
		return err
	}
	n.handler, err = api.New(n.serving, api.Config{
		Executor: executor, Store: n.store, Engine: engine, Reactors: reacting, Webhooks: sender, Email: mailer,
		OperatorKey: n.key, Version: version(), Clock: time.Now, Log: n.log, FeedStatus: n.feedStatus,
	})
	if err != nil {
		return err
	}
	service := feed.NewService(n.broker, n.handler, registry.Specs(), version(), n.log)
	n.parts = append(n.parts, part{statesPart, states.Follow}, part{modelsPart, engine.Run}, part{"clock and reactors", reacting.Run}, part{"commands over NATS", service.Run},
		part{"what webhooks are to be sent", sender.Follow}, part{"webhooks", sender.Send})
	return nil
}

// openEmail opens what sends people mail. Without a mail server there is none, and nothing is sent some day of what happens until then.
func (n *node) openEmail(ctx context.Context, db *sqldb.DB, models *projections.Engine, states *commands.States, server *email.Server) (*email.Mailer, error) {
	if server == nil {
		return nil, email.SwitchOff(ctx, db)
	}
	mailer, err := email.Open(ctx, email.Config{Server: *server, Store: n.store, Models: models, States: states, DB: db, Clock: time.Now, Log: n.log})
	if err != nil {
		return nil, err
	}
	n.parts = append(n.parts, part{"what is to be mailed", mailer.Follow}, part{"e-mail", mailer.Send})
	return mailer, nil
}

// newID makes ids that sort by the time at which they were made, as databases like them.
func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// feedStatus tells how far the broker's copy of the log is.
func (n *node) feedStatus(context.Context) api.FeedStatus {
	position, waiting := n.relay.Status()
	status := api.FeedStatus{Position: position, Behind: max(0, n.store.Committed()-position), State: "live"}
	switch {
	case waiting != nil && !n.broker.IsConnected():
		status.State, status.Error = "broker unreachable", waiting.Error()
	case waiting != nil:
		status.State, status.Error = "catching up", waiting.Error()
	case status.Behind > 0:
		status.State = "catching up"
	}
	return status
}

// run serves until ctx ends or a part fails for good, and then stops in order: requests under way are answered and new ones are not
// taken, the followers stop, and what was opened last is closed first.
func (n *node) run(ctx context.Context) error {
	running, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	var parts sync.WaitGroup
	for _, p := range n.parts {
		parts.Go(func() { n.supervise(running, p, stop) })
	}
	defer context.AfterFunc(ctx, n.hangUp)()
	defer context.AfterFunc(running, n.hangUp)()
	err := api.Serve(n.serving, n.listener, n.handler, n.log)
	stop(nil)
	parts.Wait()
	if cause := context.Cause(running); !errors.Is(cause, context.Canceled) {
		err = errors.Join(cause, err)
	}
	return errors.Join(err, n.close())
}

// supervise runs a part, and runs it again when it fails: databases and brokers come back. What cannot heal, a log that is not the
// one a follower has followed, ends the node.
func (n *node) supervise(ctx context.Context, p part, fail context.CancelCauseFunc) {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		started := time.Now()
		err := p.run(ctx)
		if ctx.Err() != nil {
			return
		}
		if _, ahead := errors.AsType[*eventstore.AheadError](err); ahead {
			fail(fmt.Errorf("the %s cannot go on: %w", p.name, err))
			return
		}
		if time.Since(started) > longestPause {
			pause = firstPause
		}
		n.log.Error("a part of the ledger failed and is started again", "part", p.name, "error", err, "in", pause)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func (n *node) onClose(closer func() error) { n.closers = append(n.closers, closer) }

// close closes what has been opened, the last first.
func (n *node) close() error {
	n.hangUp()
	var failures []error
	for _, closer := range slices.Backward(n.closers) {
		failures = append(failures, closer())
	}
	n.closers = nil
	return errors.Join(failures...)
}

func ignoring(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

// redacted is a list of URLs, divided by commas, without their passwords.
func redacted(addresses string) string {
	shown := strings.Split(addresses, ",")
	for i, address := range shown {
		address = strings.TrimSpace(address)
		if !strings.Contains(address, "://") {
			address = "nats://" + address
		}
		if parsed, err := url.Parse(address); err == nil {
			shown[i] = parsed.Redacted()
		} else {
			shown[i] = "a server"
		}
	}
	return strings.Join(shown, ",")
}
