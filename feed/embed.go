package feed

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Limits of an embedded server.
const (
	embedWait = time.Minute // for its start; it reads its streams first, the whole files after a crash
	maxStore  = 1 << 50     // bytes of its files: the disk is the limit, and not how much of it was free at the start
)

// Embed starts a NATS server with JetStream inside this process, its files in dir, which it creates. Without listen it opens no
// port; with listen (host:port, port 0 for any free one) everyone who can reach that port may read the feed, and write to it.
// A dir belongs to one server at a time.
//
// The caller ends the server with Shutdown and WaitForShutdown, not by ctx, which only bounds the start.
func Embed(ctx context.Context, dir, listen string, log *slog.Logger) (*server.Server, error) {
	if ctx.Err() != nil {
		return nil, fmt.Errorf("feed: the embedded NATS server was not started: %w", context.Cause(ctx))
	}
	options := &server.Options{
		ServerName:        "ledger",
		JetStream:         true,
		JetStreamMaxStore: maxStore,
		StoreDir:          dir,
		DontListen:        listen == "",
		NoSigs:            true, // the process's signals are its own business
	}
	if listen != "" {
		var err error
		if options.Host, options.Port, err = listenAddress(listen); err != nil {
			return nil, err
		}
	}
	embedded, err := server.NewServer(options)
	if err != nil {
		return nil, fmt.Errorf("feed: cannot start the embedded NATS server: %w", err)
	}
	bridge := &serverLog{log: log, failed: make(chan error, 1), ready: make(chan struct{})}
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
		return nil, fmt.Errorf("feed: cannot start the embedded NATS server with its files in %s: %w", dir, err)
	}
	close(bridge.ready)
	return embedded, nil
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
