package projections

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/sqldb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate makes the table of checkpoints; the tables of the models are made per generation.
func migrate(ctx context.Context, db *sqldb.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("migrations of the read models: %w", err)
	}
	return db.Migrate(ctx, "ledger_projections_version", files)
}

// state is what a generation of a read model is.
type state string

// The states. A model has one generation that is live or stopped.
const (
	live       state = "live"
	stopped    state = "stopped"    // it met what it cannot fold; queries refuse to answer from it
	rebuilding state = "rebuilding" // filled beside the live one
	retired    state = "retired"    // was replaced; its tables are to be dropped
)

// checkpoint is how far one generation of a read model is: a row of read_model_checkpoints.
type checkpoint struct {
	name       string
	generation int
	version    int
	epoch      uuid.UUID
	position   int64
	state      state
	error      string
	tables     string
}

// serving tells whether the generation is the one that answers queries, or would if it were not stopped.
func (c checkpoint) serving() bool { return c.state == live || c.state == stopped }

// belongsTo tells whether the generation was filled from this log, and from no more than it holds.
func (c checkpoint) belongsTo(log eventstore.Head) bool {
	return c.epoch == log.Epoch && c.position <= log.Position
}

// furthest is where the live generations stand, those that are in step. -1: there is none.
func furthest(all []checkpoint, log eventstore.Head) int64 {
	position := int64(-1)
	for _, c := range all {
		if c.state == live && c.belongsTo(log) {
			position = max(position, c.position)
		}
	}
	return position
}

// isRebuilding tells whether a new generation of a model is being filled.
func isRebuilding(all []checkpoint, name string) bool {
	return slices.ContainsFunc(all, func(c checkpoint) bool { return c.name == name && c.state == rebuilding })
}

// id names the generation among all.
func (c checkpoint) id() string { return c.name + "_g" + strconv.Itoa(c.generation) }

// querier is a pool, a transaction, or a connection with one.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// selectCheckpoints reads what scanCheckpoint takes.
const selectCheckpoints = "SELECT name, generation, version, epoch, position, state, error, tables FROM read_model_checkpoints"

// readCheckpoints reads all checkpoints, by name and generation.
func readCheckpoints(ctx context.Context, q querier) ([]checkpoint, error) {
	result, err := q.QueryContext(ctx, selectCheckpoints)
	if err != nil {
		return nil, fmt.Errorf("read the checkpoints: %w", err)
	}
	var all []checkpoint
	err = sqldb.EachRow(result, func(s *sql.Rows) error {
		c, err := scanCheckpoint(s.Scan)
		all = append(all, c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the checkpoints: %w", err)
	}
	slices.SortFunc(all, compareCheckpoints)
	return all, nil
}

func scanCheckpoint(scan func(...any) error) (c checkpoint, err error) {
	err = scan(&c.name, &c.generation, &c.version, &c.epoch, &c.position, &c.state, &c.error, &c.tables)
	return c, err
}

func compareCheckpoints(a, b checkpoint) int {
	return cmp.Or(strings.Compare(a.name, b.name), cmp.Compare(a.generation, b.generation))
}

// claim moves a group of generations, which all stand at one place in one state, on to a position. It tells whether all of them
// still stood there. Whoever has claimed keeps other nodes from it until its transaction ends.
func claim(ctx context.Context, tx *sql.Tx, group []follower, position int64) (bool, error) {
	args := arguments{position, group[0].epoch, group[0].position, group[0].state}
	members := make([]string, len(group))
	for i, f := range group {
		members[i] = fmt.Sprintf("(name = %s AND generation = %s)", args.add(f.name), args.add(f.generation))
	}
	result, err := tx.ExecContext(ctx, fmt.Sprintf(
		"UPDATE read_model_checkpoints SET position = $1 WHERE epoch = $2 AND position = $3 AND state = $4 AND (%s)",
		strings.Join(members, " OR ")), args...)
	if err != nil {
		return false, fmt.Errorf("move the checkpoints: %w", err)
	}
	moved, err := result.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("move the checkpoints: %w", err)
	}
	return moved == int64(len(group)), nil
}
