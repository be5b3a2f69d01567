package feed

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Waits of a connection.
const (
	dialWait        = 2 * time.Second        // for one server to answer
	reconnectWait   = 250 * time.Millisecond // between two tries of the same server
	reconnectJitter = 250 * time.Millisecond // added to it at most, so that nodes do not come back all at once
)

// Connect connects to an embedded server, in process.
func Connect(embedded nats.InProcessConnProvider, log *slog.Logger) (*nats.Conn, error) {
	conn, err := nats.Connect("", append(connection(log), nats.InProcessServer(embedded))...)
	if err != nil {
		return nil, fmt.Errorf("feed: cannot connect to the embedded NATS server: %w", err)
	}
	return conn, nil
}

// Dial connects to an external server, or to one of a cluster whose URLs stand in a list with commas. It keeps trying in the
// background for as long as it takes, so that a ledger starts while its broker is down; only URLs that can never work are an error.
func Dial(urls string, log *slog.Logger) (*nats.Conn, error) {
	for i, name := range strings.Split(urls, ",") {
		if err := checkURL(strings.TrimSpace(name)); err != nil {
			return nil, fmt.Errorf("feed: NATS URL %d must be like nats://user:password@host:4222: %w", i+1, err)
		}
	}
	conn, err := nats.Connect(urls, append(connection(log), nats.RetryOnFailedConnect(true))...)
	if err != nil {
		return nil, fmt.Errorf("feed: cannot connect to NATS: %w", err)
	}
	return conn, nil
}

// connection is what both kinds of connections have in common.
func connection(log *slog.Logger) []nats.Option {
	return []nats.Option{
		nats.Name("ledger"),
		nats.Timeout(dialWait),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(reconnectWait),
		nats.ReconnectJitter(reconnectJitter, reconnectJitter),
		nats.IgnoreAuthErrorAbort(), // an operator may mend the broker's permissions while the ledger runs
		// Without a handler the client would write to the standard error.
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { log.Warn("NATS: " + err.Error()) }),
	}
}

// checkURL refuses what the client would only fail to resolve, again and again. It does not repeat the URL, which may hold a
// password.
func checkURL(name string) error {
	if !strings.Contains(name, "://") {
		name = "nats://" + name
	}
	parsed, err := url.Parse(name)
	if err != nil {
		return errors.New("it is malformed")
	}
	switch parsed.Scheme {
	case "nats", "tls", "ws", "wss":
	default:
		return fmt.Errorf("its scheme is %q", parsed.Scheme)
	}
	if parsed.Hostname() == "" {
		return errors.New("it has no host")
	}
	if port := parsed.Port(); port != "" {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return errors.New("its port is not from 0 to 65535")
		}
	}
	return nil
}
