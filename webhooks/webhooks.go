// Package webhooks sends events to downstream services by HTTP, as Standard Webhooks has it (https://www.standardwebhooks.com).
//
// Two things go on. One follows the log, keeps the table of webhooks and notes which event is to go where: a row in the table of
// deliveries, in one transaction with its checkpoint, which moves on by compare-and-set, so that of several nodes one notes each
// event. The other takes what is due, sends it, and records what came of it. Any node may take a row: it takes it by moving its due
// time on, so that an attempt of a node that has died is made again by another.
//
// An event is sent at least once, and always under its own id. Events of one stream reach a webhook one after the other; one that
// fails holds back those behind it in its stream and nothing else, until it is delivered or becomes a dead letter.
package webhooks

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/sqldb"
)

// actorName is how the ledger signs what it does about webhooks by itself.
const actorName = "webhooks"

//go:embed migrations/*.sql
var migrations embed.FS

// Config is what a sender works with.
type Config struct {
	Store    *eventstore.Store
	Executor *commands.Executor // whose tokens derive the webhooks' secrets
	DB       *sqldb.DB
	Clock    func() time.Time // tells when something is due
	Log      *slog.Logger

	AllowInternal bool // send to addresses of this machine and private networks too, for tests and development
}

// Sender sends events to webhooks.
type Sender struct {
	Config
	Outcomes *prometheus.CounterVec // what came of events on this node, for who serves metrics

	catalog *domain.Catalog
	client  *http.Client
	wake    chan struct{} // holds one when there may be something due
	reached atomic.Int64  // position up to which this node knows that the log is looked through

	mu       sync.Mutex
	busy     map[uuid.UUID]int // attempts that this node has under way, by webhook
	standing standing
}

// Migrate brings the webhooks' tables up to date.
func Migrate(ctx context.Context, db *sqldb.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("migrations of the webhooks: %w", err)
	}
	return db.Migrate(ctx, "ledger_webhooks_version", files)
}

// Open makes a sender, with its tables in the database. Follow and Send are what it does.
func Open(ctx context.Context, config Config) (*Sender, error) {
	if err := Migrate(ctx, config.DB); err != nil {
		return nil, err
	}
	return &Sender{
		Config: config, Outcomes: newOutcomes(), catalog: domain.NewCatalog(), client: newClient(config.AllowInternal),
		wake: make(chan struct{}, 1), busy: map[uuid.UUID]int{}, standing: standing{state: Live},
	}, nil
}

// now is the moment in the tables' precision.
func (s *Sender) now() time.Time { return s.Clock().UTC().Truncate(time.Microsecond) }

// hint tells that there may be something due.
func (s *Sender) hint() {
	select {
	case s.wake <- struct{}{}:
	default: // it is told already
	}
}
