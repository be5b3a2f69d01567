package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/collabledger/collabledger/api"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/email"
	"github.com/collabledger/collabledger/internal/term"
	"github.com/collabledger/collabledger/projections"
	"github.com/collabledger/collabledger/reactors"
	"github.com/collabledger/collabledger/webhooks"
)

// Limits of asking a ledger how it is.
const (
	readinessWait  = 5 * time.Second
	maxReadyzBytes = 1 << 20
)

// projectionsCommand sees to the read models.
type projectionsCommand struct {
	Status  statusCommand  `cmd:"" help:"Tell how far each read model is."`
	Rebuild rebuildCommand `cmd:"" help:"Fill read models anew from the log, and swap them in when they have caught up."`
}

// statusCommand asks a ledger that serves how far each read model is.
type statusCommand struct {
	URL  string `name:"url" default:"http://127.0.0.1:8080" placeholder:"URL" help:"Where the ledger serves, ${default} unless given."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Run asks it.
func (c statusCommand) Run(ctx context.Context, std *streams) error {
	ready, err := readiness(ctx, c.URL)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, ready.ReadModels)
	}
	table := term.NewTable("READ MODEL", "GENERATION", "POSITION", "BEHIND", "STATE", "ERROR")
	for _, model := range ready.ReadModels {
		table.Row(model.Name, model.Generation, model.Position, model.Behind, model.State, model.Error)
	}
	return table.Write(std.out, term.StyleFor(std.out), "")
}

// readiness asks a ledger how it is. One that is not ready tells so with another status and the same body.
func readiness(ctx context.Context, url string) (api.Readiness, error) {
	ctx, cancel := context.WithTimeout(ctx, readinessWait)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(url, "/")+"/readyz", nil)
	if err != nil {
		return api.Readiness{}, usageError{err}
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return api.Readiness{}, err
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	var ready api.Readiness
	if err := json.NewDecoder(io.LimitReader(response.Body, maxReadyzBytes)).Decode(&ready); err != nil {
		return api.Readiness{}, fmt.Errorf("%s does not answer as a ledger does: %w", url, err)
	}
	return ready, nil
}

// rebuildCommand fills read models anew.
type rebuildCommand struct {
	Name string `arg:"" optional:"" help:"Which read model; without it, all."`
	storage
}

// Help tells when it may run.
func (rebuildCommand) Help() string {
	return "On Postgres the ledger may go on serving meanwhile, from the read models as they were. On SQLite it has to be stopped: its file has one writer."
}

// Run fills them.
func (c rebuildCommand) Run(ctx context.Context, std *streams) error {
	engine, closeAll, err := c.openModels(ctx)
	if err != nil {
		return err
	}
	progress := &progress{std: std, doing: "rebuilding"}
	err = engine.Rebuild(ctx, c.Name, progress.tell)
	progress.end()
	if err := errors.Join(err, closeAll()); err != nil {
		return err
	}
	what := c.Name
	if what == "" {
		what = "all read models"
	}
	_, err = fmt.Fprintf(std.out, "rebuilt %s\n", what)
	return err
}

// openModels opens the read models of a ledger without serving it, and brings all of its schema up to date. A folder's SQLite file is
// taken for this process alone.
func (s storage) openModels(ctx context.Context) (engine *projections.Engine, closeAll func() error, err error) {
	database, err := s.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	store, err := openStore(ctx, database.DB)
	if err != nil {
		return nil, nil, errors.Join(err, database.close())
	}
	closeAll = func() error { return errors.Join(store.Close(), database.close()) }
	engine, err = projections.Open(ctx, store, database.DB, domain.NewCatalog(), time.Now)
	if err == nil {
		err = errors.Join(reactors.Migrate(ctx, database.DB), webhooks.Migrate(ctx, database.DB), email.Migrate(ctx, database.DB))
	}
	if err != nil {
		return nil, nil, errors.Join(err, closeAll())
	}
	return engine, closeAll, nil
}
