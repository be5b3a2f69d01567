package reactors

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/collabledger/collabledger/internal/wait"
)

// Which engine is active: the one that holds the lease. It moves the lease's beat on by compare-and-set, and saves the checkpoints in
// the same transaction, so that an engine which was taken for dead cannot set them back. Nobody compares clocks of several machines:
// who waits sees the beat stand still for so long on its own.

// releaseWait is how long an engine that ends waits for the database, to give the lease away.
const releaseWait = 2 * time.Second

// lease is what an engine has seen of the lease's row.
type lease struct {
	holder string
	beat   int64
}

// errDeposed says that another engine is active.
var errDeposed = errors.New("another engine has taken over")

// acquire waits until this engine is the active one.
func (e *Engine) acquire(ctx context.Context) (lease, error) {
	var seen lease
	since := time.Now()
	for {
		var now lease
		err := e.db.Read.QueryRowContext(ctx, "SELECT holder, beat FROM reactor_lease WHERE id = 1").Scan(&now.holder, &now.beat)
		if err != nil {
			return lease{}, fmt.Errorf("look at the lease: %w", err)
		}
		if now != seen {
			seen, since = now, time.Now()
		}
		if now.holder == "" || now.holder == e.id.String() || time.Since(since) >= e.pace.lease {
			err := e.beat(ctx, &now, e.id.String())
			if err == nil || !errors.Is(err, errDeposed) {
				return now, err
			}
		}
		if wait.For(ctx, e.pace.beat); ctx.Err() != nil {
			return lease{}, ctx.Err()
		}
	}
}

// keep holds the lease until ctx ends, another engine takes over, or the database has not answered for as long as a lease lasts.
func (e *Engine) keep(ctx context.Context, held *lease) error {
	for last := time.Now(); ; {
		if wait.For(ctx, e.pace.beat); ctx.Err() != nil {
			return nil
		}
		// One that is cut short may be written all the same, and then the lease could not be given away for want of knowing.
		err := e.beat(context.WithoutCancel(ctx), held, held.holder)
		switch {
		case err == nil:
			last = time.Now()
		case errors.Is(err, errDeposed) || time.Since(last) >= e.pace.lease:
			return err
		}
	}
}

// release lets another engine follow at once.
func (e *Engine) release(ctx context.Context, held *lease) error {
	ctx, cancel := context.WithTimeout(ctx, releaseWait)
	defer cancel()
	return e.beat(ctx, held, "")
}

// beat moves the lease on to a holder, and saves the checkpoints that have moved.
func (e *Engine) beat(ctx context.Context, held *lease, holder string) error {
	ctx, cancel := context.WithTimeout(ctx, e.pace.lease)
	defer cancel()
	tx, err := e.db.Write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("hold the lease: %w", err)
	}
	defer tx.Rollback() // after a commit it does nothing
	result, err := tx.ExecContext(ctx, "UPDATE reactor_lease SET holder = $1, beat = $2 WHERE id = 1 AND beat = $3", holder, held.beat+1, held.beat)
	if err != nil {
		return fmt.Errorf("hold the lease: %w", err)
	}
	if moved, err := result.RowsAffected(); err != nil || moved == 0 {
		return errors.Join(errDeposed, err)
	}
	moved, err := e.save(ctx, tx)
	if err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("hold the lease: %w", err)
	}
	held.holder, held.beat = holder, held.beat+1
	e.areSaved(moved)
	return nil
}

// save writes the checkpoints that the database does not have, and tells which.
func (e *Engine) save(ctx context.Context, tx *sql.Tx) (map[string]place, error) {
	moved := e.unsaved()
	for name, p := range moved {
		if _, err := tx.ExecContext(ctx, `INSERT INTO reactor_checkpoints (name, epoch, position, state, error) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, position = excluded.position, state = excluded.state, error = excluded.error`,
			name, p.Epoch.String(), p.Position, string(p.state), p.error); err != nil {
			return nil, fmt.Errorf("save the checkpoint of %s: %w", name, err)
		}
	}
	return moved, nil
}
