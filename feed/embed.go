package feed

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Limits of an embedded server.
const (
	embedWait = time.Minute // for its start; it reads its streams first, the whole files after a crash
	maxStore  = 1 << 50     // bytes of its files: the disk is the limit, and not how much of it was free at the start
)

// Embedded is a NATS server with JetStream inside this process. KeepHealthy may put a new server in the place of one that has
// given up; connections made with Connect then find the new one.
type Embedded struct {
	options server.Options
	log     *slog.Logger

	mu      sync.Mutex // held while one server takes the place of another
	running *server.Server
}

// Embed starts a NATS server with JetStream inside this process, its files in dir, which it creates. Without listen it opens no
// port; with listen (host:port, port 0 for any free one) everyone who can reach that port may read the feed, and write to it.
// A dir belongs to one server at a time. The caller ends it with Shutdown, not by ctx, which only bounds the start.
func Embed(ctx context.Context, dir, listen string, log *slog.Logger) (*Embedded, error) {
	if ctx.Err() != nil {
		return nil, fmt.Errorf("feed: the embedded NATS server was not started: %w", context.Cause(ctx))
	}
	e := &Embedded{log: log, options: server.Options{
		ServerName:        "ledger",
		JetStream:         true,
		JetStreamMaxStore: maxStore,
		StoreDir:          dir,
		DontListen:        listen == "",
		NoSigs:            true, // the process's signals are its own business
		NoSublistCache:    true, // nearly every event has a subject of its own, which the cache would hold in vain
	}}
	if listen != "" {
		var err error
		if e.options.Host, e.options.Port, err = listenAddress(listen); err != nil {
			return nil, err
		}
	}
	if err := e.start(ctx); err != nil {
		return nil, err
	}
	if address, ok := e.running.Addr().(*net.TCPAddr); ok {
		e.options.Port = address.Port // of its successors too
	}
	return e, nil
}

// start starts a server with the options.
func (e *Embedded) start(ctx context.Context) error {
	options := e.options // the server changes its own
	embedded, err := server.NewServer(&options)
	if err != nil {
		return fmt.Errorf("feed: cannot start the embedded NATS server: %w", err)
	}
	bridge := &serverLog{log: e.log, failed: make(chan error, 1), ready: make(chan struct{})}
	embedded.SetLoggerV2(bridge, false, false, false)

	started := make(chan struct{})
	go func() {
		embedded.Start()
		close(started)
	}()
	ctx, cancel := context.WithTimeoutCause(ctx, embedWait, fmt.Errorf("it was not ready within %s", embedWait))
	defer cancel()
	select {
	case <-started:
		err = bridge.failure()
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		embedded.Shutdown()
		return fmt.Errorf("feed: cannot start the embedded NATS server with its files in %s: %w", e.options.StoreDir, err)
	}
	close(bridge.ready)
	e.running = embedded
	return nil
}

// InProcessConn opens a connection to the server that runs now.
func (e *Embedded) InProcessConn() (net.Conn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.running.InProcessConn()
}

// ClientURL is where clients outside this process connect; empty when it opens no port.
func (e *Embedded) ClientURL() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running.Addr() == nil {
		return ""
	}
	return e.running.ClientURL()
}

// Shutdown stops the server and waits until its files are closed. Stopping it again does nothing.
func (e *Embedded) Shutdown() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.running.Shutdown()
	e.running.WaitForShutdown()
}

// listenAddress splits host:port. The server takes -1 for any free port, and 0 for its default one.
func listenAddress(listen string) (host string, port int, err error) {
	host, name, err := net.SplitHostPort(listen)
	if err != nil {
		return "", 0, fmt.Errorf("feed: the NATS listen address %q is not of the form host:port: %w", listen, err)
	}
	number, err := strconv.ParseUint(name, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("feed: the NATS listen address %q has no port from 0 to 65535", listen)
	}
	if number == 0 {
		return host, server.RANDOM_PORT, nil
	}
	return host, int(number), nil
}

// serverLog hands the server's log to slog, its notices as debug messages. It also catches what keeps the server from starting,
// which the server tells nobody but its log.
type serverLog struct {
	log    *slog.Logger
	failed chan error    // the first failure of the start
	ready  chan struct{} // closed when the start has succeeded
}

// failure is what kept the server from starting, or nil.
func (l *serverLog) failure() error {
	select {
	case err := <-l.failed:
		return err
	default:
		return nil
	}
}

// Fatalf, with the methods below, is the server's Logger. Unlike the server's own it does not end the process.
func (l *serverLog) Fatalf(format string, values ...any) {
	select {
	case <-l.ready:
		l.Errorf(format, values...)
		return
	default:
	}
	select {
	case l.failed <- fmt.Errorf(format, values...):
	default: // a consequence of the first failure
	}
}

func (l *serverLog) Errorf(format string, values ...any) {
	l.log.Error("NATS: " + fmt.Sprintf(format, values...))
}

func (l *serverLog) Warnf(format string, values ...any) {
	l.log.Warn("NATS: " + fmt.Sprintf(format, values...))
}

func (l *serverLog) Noticef(format string, values ...any) {
	l.log.Debug("NATS: " + fmt.Sprintf(format, values...))
}

func (l *serverLog) Debugf(format string, values ...any) { l.Noticef(format, values...) }

func (l *serverLog) Tracef(format string, values ...any) { l.Noticef(format, values...) }
