package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/collabledger/collabledger/internal/wait"
)

// bringUp brings the models up to the live ones that are not with them: models that are new, models whose tables were filled by an
// older version, and models that had stopped, which go on from where they stopped.
func (e *Engine) bringUp(ctx context.Context) {
	resumed := false
	for retry := (wait.Backoff{}); ctx.Err() == nil; retry.Wait(ctx) {
		err := e.dropRetired(ctx)
		if err == nil && !resumed {
			err = e.resume(ctx)
			resumed = err == nil
		}
		var missing []model
		if err == nil {
			missing, err = e.missing(ctx)
		}
		if err == nil && len(missing) > 0 {
			err = e.rebuild(ctx, missing, func(int64, int64) {})
		}
		if err == nil || ctx.Err() != nil {
			return
		}
		slog.WarnContext(ctx, "some read models are not brought up", "error", err)
		if _, failed := errors.AsType[*foldError](err); failed {
			return // Status tells of it
		}
	}
}

// resume puts the models that had stopped, and belong to this log, on their way again.
func (e *Engine) resume(ctx context.Context) error {
	all, err := readCheckpoints(ctx, e.db.Read)
	if err != nil {
		return err
	}
	head, err := e.store.Head(ctx)
	if err != nil {
		return err
	}
	for _, c := range all {
		m, ok := e.model(c.name)
		if !ok || c.state != stopped || c.version != m.version || !c.belongsTo(head) || isRebuilding(all, c.name) {
			continue
		}
		if _, err := e.db.Write.ExecContext(ctx, `UPDATE read_model_checkpoints SET state = 'rebuilding', error = ''
			WHERE name = $1 AND generation = $2 AND state = 'stopped'`, c.name, c.generation); err != nil {
			return fmt.Errorf("resume %s: %w", c.id(), err)
		}
	}
	return nil
}

// missing lists the models of which this version's tables neither are live nor have stopped.
func (e *Engine) missing(ctx context.Context) ([]model, error) {
	all, err := readCheckpoints(ctx, e.db.Read)
	if err != nil {
		return nil, err
	}
	var missing []model
	for _, m := range e.models {
		if !slices.ContainsFunc(all, func(c checkpoint) bool { return c.name == m.name && c.serving() && c.version == m.version }) {
			missing = append(missing, m)
		}
	}
	return missing, nil
}
