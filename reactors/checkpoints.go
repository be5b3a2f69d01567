package reactors

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/internal/sqldb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the reactors' tables up to date.
func Migrate(ctx context.Context, db *sqldb.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("migrations of the reactors: %w", err)
	}
	return db.Migrate(ctx, "ledger_reactors_version", files)
}

// saved reads the checkpoints of the clock and the reactors, by name.
func (e *Engine) saved(ctx context.Context) (map[string]place, error) {
	result, err := e.db.Read.QueryContext(ctx, "SELECT name, epoch, position, state, error FROM reactor_checkpoints")
	if err != nil {
		return nil, fmt.Errorf("read the checkpoints: %w", err)
	}
	places := map[string]place{}
	err = sqldb.EachRow(result, func(rows *sql.Rows) error {
		var name string
		p := place{saved: true}
		err := rows.Scan(&name, &p.Epoch, &p.Position, &p.state, &p.error)
		places[name] = p
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the checkpoints: %w", err)
	}
	return places, nil
}

// recall takes up where the engine that was active before has left off. A reactor that is new begins with the log: what it finds
// there is decided on the states as they are now.
func (e *Engine) recall(ctx context.Context) error {
	saved, err := e.saved(ctx)
	if err != nil {
		return err
	}
	head, err := e.store.Head(ctx)
	if err != nil {
		return fmt.Errorf("read the checkpoints: %w", err)
	}
	places := map[string]place{}
	for _, name := range e.names() {
		p, ok := saved[name]
		if !ok {
			p.Epoch = head.Epoch
		}
		if p.state != Live {
			p.state, p.error, p.saved = Live, "", false
		}
		places[name] = p
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.places = places
	return nil
}

// forget drops the places that recall took up.
func (e *Engine) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.places)
}

// names are those of the clock and the reactors.
func (e *Engine) names() []string {
	names := []string{ClockName}
	for _, r := range e.reactors {
		names = append(names, r.name)
	}
	return names
}

func (e *Engine) placeOf(name string) place {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.places[name]
}

// reached notes that a reactor has done with the events up to a position.
func (e *Engine) reached(name string, epoch uuid.UUID, position int64) {
	e.change(name, func(p *place) { p.Epoch, p.Position = epoch, position })
}

// is notes how a reactor or the clock is.
func (e *Engine) is(name string, state State, reason error) {
	e.change(name, func(p *place) {
		p.state, p.error = state, ""
		if reason != nil {
			p.error = reason.Error()
		}
	})
}

func (e *Engine) change(name string, change func(*place)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	before := e.places[name]
	after := before
	if change(&after); after != before {
		after.saved = false
		e.places[name] = after
	}
}

// unsaved are the places that the database does not have.
func (e *Engine) unsaved() map[string]place {
	e.mu.Lock()
	defer e.mu.Unlock()
	places := map[string]place{}
	for name, p := range e.places {
		if !p.saved {
			places[name] = p
		}
	}
	return places
}

// areSaved notes that the database has places, unless they have changed since.
func (e *Engine) areSaved(places map[string]place) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for name, p := range places {
		if e.places[name] == p {
			p.saved = true
			e.places[name] = p
		}
	}
}
