// Package reactors lets the ledger act by itself. The clock records what has lapsed, and reactors answer facts of one stream with
// commands about others: a subscription that lapses suspends the partnership, whoever leaves loses log-ins and assignments, what a
// termination leaves open is ended.
//
// All that they do goes through commands.Execute, in the name of the ledger itself and under ids that follow from the cause, so that
// doing it twice does it once. They only record and tidy up: access itself fails closed by the states at every decision, however late
// they come. One engine is active among those of all nodes; reactors keep checkpoints of their own, which no rebuild of read models
// touches.
package reactors

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/internal/wait"
	"github.com/collabledger/collabledger/projections"
)

// How fast an engine works.
const (
	beatEvery  = time.Second     // between two beats of the lease, and between two looks of an engine that waits for it
	leaseLasts = 5 * time.Second // after the last beat; and how long one beat may take
	clockEvery = time.Second     // between two looks at what has become due, when there was little
)

// pace is how fast an engine works; tests are in more of a hurry than the world.
type pace struct{ beat, lease, clock time.Duration }

// Engine runs the clock and the reactors.
type Engine struct {
	store    *eventstore.Store
	models   *projections.Engine
	executor *commands.Executor
	db       *sqldb.DB
	log      *slog.Logger
	catalog  *domain.Catalog
	types    map[string]bool // all event types that this version knows
	reactors []reactor
	id       uuid.UUID // of this engine among all
	pace     pace
	hands    chan struct{} // holds one for each command that is under way

	mu     sync.Mutex
	places map[string]place // of the reactors and the clock, by name
}

// State is how a reactor or the clock is.
type State string

// The states.
const (
	Live     State = "live"
	Retrying State = "retrying" // something does not answer, or a command failed as it should not; it is tried again
	Stopped  State = "stopped"  // it has met what only people can mend; it is tried again when an engine starts
)

// place is where a reactor stands, and how it is.
type place struct {
	eventstore.Checkpoint
	state State
	error string
	saved bool // whether the database has it
}

// ReactorStatus tells how far a reactor is, or how the clock is.
type ReactorStatus struct {
	Name     string `json:"name"`
	Position int64  `json:"position,omitempty" doc:"Position of the last event that the reactor has done with"`
	Behind   int64  `json:"behind" doc:"Events that the reactor has not done with yet; of the clock: what has lapsed and is not recorded yet"`
	State    State  `json:"state" doc:"live, retrying or stopped"`
	Error    string `json:"error,omitempty" doc:"Why it is not live"`
}

// Config is what an engine works with. The executor's clock and that of the read models tell when something is due.
type Config struct {
	Store    *eventstore.Store
	Models   *projections.Engine
	Executor *commands.Executor
	DB       *sqldb.DB
	Log      *slog.Logger
}

// Open makes an engine with its tables in the database.
func Open(ctx context.Context, config Config) (*Engine, error) {
	return open(ctx, config, all(), pace{beat: beatEvery, lease: leaseLasts, clock: clockEvery})
}

func open(ctx context.Context, config Config, reactors []reactor, pace pace) (*Engine, error) {
	if err := Migrate(ctx, config.DB); err != nil {
		return nil, err
	}
	e := &Engine{
		store: config.Store, models: config.Models, executor: config.Executor, db: config.DB, log: config.Log,
		catalog: domain.NewCatalog(), types: map[string]bool{}, reactors: reactors, id: uuid.New(), pace: pace,
		hands: make(chan struct{}, maxAtOnce), places: map[string]place{},
	}
	for _, t := range domain.Versions() {
		e.types[t.Name] = true
	}
	return e, nil
}

// Run works whenever this engine is the active one, until ctx ends. A reactor that stops does not stop the others: Status tells of it.
func (e *Engine) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		held, err := e.acquire(ctx)
		if err == nil {
			err = e.lead(ctx, held)
		}
		if err != nil && ctx.Err() == nil {
			e.log.WarnContext(ctx, "the reactors of this node are held up", "error", err)
			wait.For(ctx, e.pace.beat)
		}
	}
	return nil
}

// lead runs the clock and the reactors for as long as the lease is held.
func (e *Engine) lead(ctx context.Context, held lease) error {
	defer e.forget() // what this engine has not saved by then, another one has done or will do
	if err := e.recall(ctx); err != nil {
		return err
	}
	leading, stop := context.WithCancel(ctx)
	var work sync.WaitGroup
	for _, r := range e.reactors {
		work.Go(func() { e.follow(leading, r) })
	}
	work.Go(func() { e.keepTime(leading) })
	err := e.keep(leading, &held)
	stop()
	work.Wait()
	if ctx.Err() != nil { // it ends in order: the next one need not wait
		return e.release(context.WithoutCancel(ctx), &held)
	}
	return err
}

// Status tells how the clock and each reactor are, as the active engine, here or on another node, last saved it.
func (e *Engine) Status(ctx context.Context) ([]ReactorStatus, error) {
	head, err := e.store.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("status of the reactors: %w", err)
	}
	saved, err := e.saved(ctx)
	if err != nil {
		return nil, fmt.Errorf("status of the reactors: %w", err)
	}
	statuses := []ReactorStatus{{Name: ClockName, State: Live}}
	for _, r := range e.reactors {
		statuses = append(statuses, ReactorStatus{Name: r.name, Behind: head.Position, State: Live})
	}
	for i := range statuses {
		s := &statuses[i]
		p, ok := saved[s.Name]
		if !ok {
			continue
		}
		s.State, s.Error = p.state, p.error
		if s.Name != ClockName {
			s.Position, s.Behind = p.Position, max(0, head.Position-p.Position)
		}
	}
	if statuses[0].Behind, err = e.models.CountDue(ctx); err != nil { // its read model is away, and the clock with it
		statuses[0].State, statuses[0].Error = Retrying, err.Error()
	}
	return statuses, nil
}

// all is the list of reactors.
func all() []reactor {
	return []reactor{subscriptions(), endings(), assignments(), sessions()}
}
