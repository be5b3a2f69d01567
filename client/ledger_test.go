package client_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"github.com/collabledger/collabledger/api"
	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/eventstore/sqlite"
	"github.com/collabledger/collabledger/feed"
	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/projections"
	"github.com/collabledger/collabledger/webhooks"
)

const operatorKey = "the-operators-key"

// ledger is a whole ledger in this process: a log on SQLite, the HTTP API, a broker, and the relay between log and broker. Its read
// models stay empty, so that its log may hold what they do not know.
type ledger struct {
	*client.Client // with the operator's key

	log     *eventstore.Store
	broker  *feed.Embedded
	conn    *nats.Conn // to the broker
	handler http.Handler

	stopRelay func()
	closers   []func() error
}

// startLedger starts a ledger with its files in a folder.
func startLedger(dir string) (l *ledger, err error) {
	l = &ledger{stopRelay: func() {}}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close())
		}
	}()
	ctx, stop := context.WithCancel(context.Background())
	l.onClose(func() error { stop(); return nil })
	db, err := sqldb.OpenSQLite(ctx, filepath.Join(dir, "ledger.db"))
	if err != nil {
		return l, err
	}
	l.onClose(db.Close)
	backend, err := sqlite.New(ctx, db)
	if err != nil {
		return l, err
	}
	if l.log, err = eventstore.Open(ctx, backend, eventstore.Options{}); err != nil {
		return l, err
	}
	l.onClose(l.log.Close)
	if l.broker, err = feed.Embed(ctx, filepath.Join(dir, "nats"), "", quiet()); err != nil {
		return l, err
	}
	l.onClose(func() error { l.broker.Shutdown(); return nil })
	if l.conn, err = feed.Connect(l.broker, quiet()); err != nil {
		return l, err
	}
	l.onClose(func() error { l.conn.Close(); return nil })
	l.startRelay()
	var parts sync.WaitGroup
	l.onClose(func() error {
		l.stopRelay()
		stop()
		parts.Wait()
		return nil
	})
	return l, l.serve(ctx, &parts, db)
}

// serve starts the HTTP API.
func (l *ledger) serve(ctx context.Context, parts *sync.WaitGroup, db *sqldb.DB) error {
	catalog := domain.NewCatalog()
	engine, err := projections.Open(ctx, l.log, db, catalog, time.Now)
	if err != nil {
		return err
	}
	states, err := commands.NewStates(l.log, catalog)
	if err != nil {
		return err
	}
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	tokens, err := commands.NewTokenSigner(key, "test")
	if err != nil {
		return err
	}
	executor := &commands.Executor{
		Store: l.log, States: states, Registry: commands.NewRegistry(), Tokens: tokens, Clock: time.Now,
		NewID: func() uuid.UUID { return uuid.Must(uuid.NewV7()) }, AllowInternalWebhooks: true,
	}
	sender, err := webhooks.Open(ctx, webhooks.Config{Store: l.log, Executor: executor, DB: db, Clock: time.Now, Log: quiet(), AllowInternal: true})
	if err != nil {
		return err
	}
	l.handler, err = api.New(ctx, api.Config{
		Executor: executor, Store: l.log, Engine: engine, Webhooks: sender, OperatorKey: operatorKey, Version: "test", Clock: time.Now, Log: quiet(),
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	l.Client = client.New("http://"+listener.Addr().String(), operatorKey)
	parts.Go(func() { _ = api.Serve(ctx, listener, l.handler, quiet()) }) // it ends with the test, as do those below
	parts.Go(func() { _ = sender.Follow(ctx) })
	parts.Go(func() { _ = sender.Send(ctx) })
	return nil
}

// startRelay starts to copy the log to the broker; stopRelay ends that.
func (l *ledger) startRelay() {
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = feed.NewRelay(l.log, l.conn, feed.Settings{}, quiet()).Run(ctx) }) // it is stopped
	l.stopRelay = func() {
		stop()
		running.Wait()
	}
}

func (l *ledger) onClose(closer func() error) { l.closers = append(l.closers, closer) }

// close ends everything, the last first.
func (l *ledger) close() error {
	var failures []error
	for i := len(l.closers) - 1; i >= 0; i-- {
		failures = append(failures, l.closers[i]())
	}
	l.closers = nil
	return errors.Join(failures...)
}

// write appends events to a stream of its own, all at once.
func (l *ledger) write(ctx context.Context, events ...domain.Event) error {
	stream := eventstore.StreamID{Kind: domain.CollaborationStream, ID: uuid.New()}
	a := eventstore.Append{
		CommandID: uuid.New(), Expect: []eventstore.StreamVersion{{Stream: stream}}, Actor: "service:test",
		CorrelationID: "order-7", TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	}
	for _, event := range events {
		data, err := json.Marshal(event)
		if err != nil {
			return err
		}
		a.Events = append(a.Events, eventstore.NewEvent{ID: uuid.New(), Stream: stream, Type: event.EventType(), Data: data})
	}
	_, err := l.log.Append(ctx, a)
	return err
}

// quiet is a log that nobody reads.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
