// Package feed copies the log to NATS JetStream, where downstream services follow it. The stream LEDGER holds event n at sequence
// n; it is derived from the log and made whole from it whenever it lags, loses its tail, or is deleted.
package feed

import (
	"context"
	"log/slog"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/collabledger/collabledger/eventstore"
)

// StreamName is the JetStream stream that holds the log's copy.
const StreamName = "LEDGER"

// Embed starts a NATS server with JetStream inside this process, its files in dir. Without listen (host:port) it opens no port.
func Embed(ctx context.Context, dir, listen string) (*server.Server, error) { panic("not written") }

// Connect connects to an embedded server, in process.
func Connect(embedded *server.Server) (*nats.Conn, error) { panic("not written") }

// Dial connects to an external server; it keeps trying in the background, so that a ledger starts while its broker is down.
func Dial(url string) (*nats.Conn, error) { panic("not written") }

// Relay publishes the log to JetStream, in order and fenced.
type Relay struct{}

// NewRelay makes the relay of a store on a connection.
func NewRelay(store *eventstore.Store, conn *nats.Conn, log *slog.Logger) *Relay {
	panic("not written")
}

// Run relays until ctx ends. A broker that is away is waited for; a stream that is not this log's copy is an error.
func (r *Relay) Run(ctx context.Context) error { panic("not written") }

// Status tells the position of the last event that the broker has confirmed, and what keeps the relay from going on, if
// anything does.
func (r *Relay) Status() (position int64, waiting error) { panic("not written") }
