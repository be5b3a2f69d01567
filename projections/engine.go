// Package projections keeps the read models: tables with typed columns, in the same database as the log, that answer what people
// ask. They are derived: whatever they hold can be thrown away and rebuilt from the log.
//
// The Engine reads the log once, page by page, and hands each page to every read model in one transaction together with the
// models' checkpoints, so that each event counts exactly once and the models are in step with each other. A model that meets an
// event it cannot fold stops, alone and aloud; nothing is skipped.
package projections

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/sqldb"
)

// Limits of the engine.
const (
	waitPoll         = 50 * time.Millisecond  // between two looks at the checkpoints, which another node may be moving
	recheckInterval  = time.Second            // after which a follower that waits looks whether another model has joined
	maxAttempts      = 5                      // at one event, or at one step of a rebuild; then the model stops, or the rebuild ends
	maxQueryAttempts = 3                      // of a query whose tables were replaced under it
	rollbackTimeout  = 5 * time.Second        // for a transaction that has only read to end
	restRatio        = 4                      // times as long as the last page took: models that follow a busy log take a fifth of the time
	maxRest          = 500 * time.Millisecond // between two pages at the log's end
)

// engineLimits are the limits that matter to what an engine does. Tests make them small.
type engineLimits struct {
	live      int // bytes of records whose rows are held of the live generations; the others are about those that are filled
	page      int // events
	batch     int // bytes of records whose rows are written at once
	appending int // bytes of records whose rows are written at once by generations that append
	together  int // generations that one transaction writes
	memory    int // bytes of records whose rows are held
	last      int // events that are folded with the swap, while nobody can follow
}

func limitsOf(dialect sqldb.Dialect) engineLimits {
	limits := engineLimits{
		live: maxLiveMemory, page: eventstore.MaxPageEvents, batch: maxPostgresBatch, appending: maxAppending,
		together: 1, memory: maxFillingMemory, last: eventstore.MaxPageEvents,
	}
	if dialect == sqldb.SQLite { // which has one writer, and waits for the disk at each commit
		limits.batch, limits.appending, limits.together = maxSQLiteBatch, math.MaxInt, math.MaxInt
	}
	return limits
}

// Fact is one event of the log as a fold sees it: decoded once for all models, which only read it.
type Fact struct {
	Position int64
	At       time.Time
	Stream   eventstore.StreamID
	Version  int64
	Type     string
	Actor    string       // who decided: the person where a service vouched for one
	By       domain.Actor // the same, parsed
	Event    domain.Event

	size       int   // bytes of its record
	unreadable error // why there is no Event; a model that would have to see it stops here
}

// Engine keeps the read models up to date and answers queries from them.
type Engine struct {
	store   *eventstore.Store
	db      *sqldb.DB
	catalog *domain.Catalog
	clock   func() time.Time
	models  []model // in the order of their names
	limits  engineLimits

	hurry chan struct{} // holds one: somebody waits for a position

	mu       sync.Mutex
	moved    chan struct{} // closed, and replaced, when this engine has moved a checkpoint
	position int64         // which all models are known to have folded
}

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

// Open makes an engine over a store, with its tables in db. Models that are new there, or whose tables were filled by an older
// version, are brought up by Run. Tables of a newer version are an error.
func Open(ctx context.Context, store *eventstore.Store, db *sqldb.DB, catalog *domain.Catalog, clock func() time.Time) (*Engine, error) {
	return open(ctx, store, db, catalog, clock, models())
}

// OpenFilled is Open for a log of some length that has no read models yet: they are filled as in a rebuild, which is faster than to
// follow, and serve once they hold all of the log. progress, unless it is nil, is told how many events are folded.
func OpenFilled(ctx context.Context, store *eventstore.Store, db *sqldb.DB, catalog *domain.Catalog, clock func() time.Time, progress func(done, total int64)) (*Engine, error) {
	e, err := openAs(ctx, store, db, catalog, clock, models(), rebuilding)
	if err != nil {
		return nil, err
	}
	return e, e.Rebuild(ctx, "", progress)
}

func open(ctx context.Context, store *eventstore.Store, db *sqldb.DB, catalog *domain.Catalog, clock func() time.Time, models []model) (*Engine, error) {
	return openAs(ctx, store, db, catalog, clock, models, live)
}

// openAs opens an engine whose models, where they are new and the first, begin in a state.
func openAs(ctx context.Context, store *eventstore.Store, db *sqldb.DB, catalog *domain.Catalog, clock func() time.Time, models []model, first state) (*Engine, error) {
	e := &Engine{store: store, db: db, catalog: catalog, clock: clock, models: models, limits: limitsOf(db.Dialect), moved: make(chan struct{}), hurry: make(chan struct{}, 1)}
	slices.SortFunc(e.models, func(a, b model) int { return strings.Compare(a.name, b.name) })
	if err := migrate(ctx, db); err != nil {
		return nil, err
	}
	head, err := store.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the read models: %w", err)
	}
	for _, m := range e.models {
		if err := e.inTx(ctx, func(tx *sql.Tx) error { return e.install(ctx, tx, m, head.Epoch, first) }); err != nil {
			return nil, fmt.Errorf("open the read model %s: %w", m.name, err)
		}
	}
	return e, nil
}

// install makes a model's first generation in a state, unless the database has the model.
func (e *Engine) install(ctx context.Context, tx *sql.Tx, m model, epoch uuid.UUID, begins state) error {
	all, err := readCheckpoints(ctx, tx)
	if err != nil {
		return err
	}
	first := checkpoint{name: m.name, generation: 1, version: m.version, epoch: epoch, state: begins}
	for _, c := range all {
		if c.name == m.name && c.version > m.version {
			return fmt.Errorf("its tables are of version %d, newer than this binary's %d; install a newer ledger", c.version, m.version)
		}
		if c.name == m.name && c.state != retired {
			return nil
		}
		if c.position > 0 {
			first.state = rebuilding // it joins the others when it has caught up with them
		}
	}
	return e.addGeneration(ctx, tx, m, first)
}

// addGeneration makes a generation's tables and its checkpoint at the start of the log, unless another node is faster.
func (e *Engine) addGeneration(ctx context.Context, tx *sql.Tx, m model, c checkpoint) error {
	physical := make([]string, len(m.tables))
	for i, t := range m.tables {
		physical[i] = t.physical(c.generation)
	}
	added, err := tx.ExecContext(ctx, `INSERT INTO read_model_checkpoints (name, generation, version, epoch, position, state, error, tables)
		VALUES ($1, $2, $3, $4, 0, $5, '', $6) ON CONFLICT (name, generation) DO NOTHING`,
		c.name, c.generation, c.version, c.epoch, c.state, strings.Join(physical, " "))
	if err != nil {
		return fmt.Errorf("add a checkpoint: %w", err)
	}
	if n, err := added.RowsAffected(); err != nil || n == 0 {
		return err
	}
	for _, t := range m.tables {
		if err := t.create(ctx, tx, e.db.Dialect, c.generation); err != nil {
			return err
		}
		if c.state == rebuilding {
			continue // it is indexed once it is filled
		}
		if err := t.addIndexes(ctx, tx, c.generation); err != nil {
			return err
		}
	}
	return nil
}

// inTx runs f in a transaction that writes.
func (e *Engine) inTx(ctx context.Context, f func(*sql.Tx) error) error {
	return e.inSession(ctx, func(_ session, tx *sql.Tx) error { return f(tx) })
}

// inSession is inTx for who needs the connection too.
func (e *Engine) inSession(ctx context.Context, f func(session, *sql.Tx) error) error {
	conn, err := e.db.Write.Conn(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer conn.Close()
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback() // after a commit it does nothing
	if err := f(session{conn: conn, sql: tx, busy: &sync.Mutex{}}, tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// model finds a model by its name.
func (e *Engine) model(name string) (model, bool) {
	i := slices.IndexFunc(e.models, func(m model) bool { return m.name == name })
	if i < 0 {
		return model{}, false
	}
	return e.models[i], true
}

// Wait returns once all models have folded the position, or with an error that names the one that has stopped.
func (e *Engine) Wait(ctx context.Context, position int64) error {
	for {
		moved := e.changed()
		reached, err := e.reached(ctx, position)
		if err == nil && reached >= position {
			return nil
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case e.hurry <- struct{}{}:
		default:
		}
		select {
		case <-ctx.Done():
			return &domain.Error{
				Kind: domain.Unavailable, Code: "read_models_behind", Err: ctx.Err(),
				Detail: fmt.Sprintf("the read models have not come to position %d in time; try again", position),
			}
		case <-moved:
		case <-time.After(waitPoll):
		}
	}
}

// reached tells how far all models have come. A model that has stopped before the position is an error.
func (e *Engine) reached(ctx context.Context, position int64) (int64, error) {
	e.mu.Lock()
	known := e.position
	e.mu.Unlock()
	if known >= position {
		return known, nil
	}
	all, err := readCheckpoints(ctx, e.db.Read)
	if err != nil {
		return 0, err
	}
	least, found := int64(-1), 0
	for _, c := range all {
		if _, ok := e.model(c.name); !ok || !c.serving() {
			continue
		}
		if c.state == stopped && c.position < position {
			return 0, stoppedError(c)
		}
		if found++; least < 0 || c.position < least {
			least = c.position
		}
	}
	if found < len(e.models) {
		return 0, nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.position = max(e.position, least)
	return e.position, nil
}

// stoppedError says to whoever asks that a model has stopped. Why is told by Status, not to everybody.
func stoppedError(c checkpoint) error {
	return &domain.Error{
		Kind: domain.Unavailable, Code: "read_model_stopped", State: c.name,
		Detail: fmt.Sprintf("the read model %s has stopped after position %d", c.name, c.position),
	}
}

// changed is closed when this engine has moved a checkpoint.
func (e *Engine) changed() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.moved
}

// announce wakes those who wait for a position.
func (e *Engine) announce() {
	e.mu.Lock()
	defer e.mu.Unlock()
	close(e.moved)
	e.moved = make(chan struct{})
}

// Status tells how far each model is, in the order of their names.
func (e *Engine) Status(ctx context.Context) ([]Status, error) {
	head, err := e.store.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("status of the read models: %w", err)
	}
	all, err := readCheckpoints(ctx, e.db.Read)
	if err != nil {
		return nil, fmt.Errorf("status of the read models: %w", err)
	}
	statuses := make([]Status, 0, len(e.models))
	for _, c := range all {
		m, ok := e.model(c.name)
		beside := c.state == rebuilding && slices.ContainsFunc(all, func(o checkpoint) bool { return o.name == c.name && o.serving() })
		if !ok || c.state == retired || beside {
			continue
		}
		if c.state == live && (c.version != m.version || isRebuilding(all, c.name)) {
			c.state = rebuilding
		}
		statuses = append(statuses, Status{
			Name: c.name, Generation: c.generation, Position: c.position, Behind: max(0, head.Position-c.position),
			State: string(c.state), Error: c.error, Epoch: c.epoch,
		})
	}
	return statuses, nil
}
