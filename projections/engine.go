// Package projections keeps the read models: tables with typed columns, in the same database as the log, that answer what people
// ask. They are derived: whatever they hold can be thrown away and rebuilt from the log.
//
// The Engine reads the log once, page by page, and hands each page to every read model in one transaction together with the
// models' checkpoints, so that each event counts exactly once and the models are in step with each other. A model that meets an
// event it cannot fold stops, alone and aloud; nothing is skipped.
package projections

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/sqldb"
)

// Fact is one event of the log as a fold sees it: decoded once for all models.
type Fact struct {
	Position int64
	At       time.Time
	Stream   eventstore.StreamID
	Version  int64
	Type     string
	Actor    string // who decided: the person where a service vouched for one
	Event    domain.Event
}

// Engine keeps the read models up to date and answers queries from them.
type Engine struct{}

// Status tells how far one read model is.
type Status struct {
	Name       string    `json:"name"`
	Generation int       `json:"generation"`
	Position   int64     `json:"position"`
	Behind     int64     `json:"behind"` // events of the log that it has not folded yet
	State      string    `json:"state"`  // live, rebuilding or stopped
	Error      string    `json:"error,omitempty"`
	Epoch      uuid.UUID `json:"epoch"`
}

// Open makes an engine over a store, with its tables in db.
func Open(ctx context.Context, store *eventstore.Store, db *sqldb.DB, catalog *domain.Catalog, clock func() time.Time) (*Engine, error) {
	panic("not written")
}

// Run keeps the models up to date until ctx ends. Any number of nodes may run it on one database: the checkpoints'
// compare-and-set lets one advance them, and the others wait.
func (e *Engine) Run(ctx context.Context) error { panic("not written") }

// Wait returns once all models have folded the position, or with an error that names the one that has stopped.
func (e *Engine) Wait(ctx context.Context, position int64) error { panic("not written") }

// Status tells how far each model is, in the order of their names.
func (e *Engine) Status(ctx context.Context) ([]Status, error) { panic("not written") }

// Rebuild fills a new generation of the named model (empty: of all) from the log beside the live one, and swaps it in with one
// transaction once it has caught up. progress is told how many of the log's events are folded.
func (e *Engine) Rebuild(ctx context.Context, name string, progress func(done, total int64)) error {
	panic("not written")
}

// Requests answers a page of the request inbox of one party.
func (e *Engine) Requests(ctx context.Context, v Viewer, q RequestsQuery) (Page[RequestItem], error) {
	panic("not written")
}

// Access answers who may act in which client account.
func (e *Engine) Access(ctx context.Context, v Viewer, q AccessQuery) (Page[AccessItem], error) {
	panic("not written")
}

// Sessions answers the log of log-ins, selected as Access is, the newest first.
func (e *Engine) Sessions(ctx context.Context, v Viewer, q AccessQuery) (Page[SessionItem], error) {
	panic("not written")
}

// KPIs answers the volume of pending activities per client.
func (e *Engine) KPIs(ctx context.Context, v Viewer, q KPIQuery) (Page[KPIItem], error) {
	panic("not written")
}

// Tasks answers the tasks of one client.
func (e *Engine) Tasks(ctx context.Context, v Viewer, q TasksQuery) (Page[TaskItem], error) {
	panic("not written")
}

// Directory searches the listed profiles.
func (e *Engine) Directory(ctx context.Context, v Viewer, q DirectoryQuery) (Page[DirectoryItem], error) {
	panic("not written")
}

// History tells a collaboration's history, oldest first.
func (e *Engine) History(ctx context.Context, v Viewer, q HistoryQuery) (Page[HistoryItem], error) {
	panic("not written")
}
