package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/collabledger/collabledger/internal/sqldb"
)

// migrateCommand brings a database's schema up to date.
type migrateCommand struct{ storage }

// Help tells when it is needed.
func (migrateCommand) Help() string {
	return "A ledger does this by itself when it starts. A schema newer than this binary is an error, and is left as it is."
}

// Run brings it up to date.
func (c migrateCommand) Run(ctx context.Context, std *streams) error {
	_, closeAll, err := c.openModels(ctx)
	if err != nil {
		return err
	}
	if err := closeAll(); err != nil {
		return err
	}
	_, err = fmt.Fprintln(std.out, "the schema is up to date")
	return err
}

// openedDatabase is a database that is used without serving.
type openedDatabase struct {
	*sqldb.DB
	dir *dataDir // nil on Postgres
}

// mustExist checks that there is a ledger in the folder.
func (s storage) mustExist() error {
	if !exists(filepath.Join(s.Data, databaseFile)) {
		return fmt.Errorf("there is no ledger in %s; name its folder with --data, or its database with --postgres", absolute(s.Data))
	}
	return nil
}

// open opens the database of a ledger that must be there already.
func (s storage) open(ctx context.Context) (*openedDatabase, error) {
	if s.Postgres != "" {
		db, err := sqldb.OpenPostgres(ctx, s.Postgres)
		return &openedDatabase{DB: db}, err
	}
	if err := s.mustExist(); err != nil {
		return nil, err
	}
	dir, err := openDataDir(s.Data)
	if err != nil {
		return nil, fmt.Errorf("%w; stop it first", err)
	}
	db, err := openDatabase(ctx, dir, "")
	if err != nil {
		return nil, errors.Join(err, dir.close())
	}
	return &openedDatabase{DB: db, dir: dir}, nil
}

func (d *openedDatabase) close() error {
	err := d.DB.Close()
	if d.dir != nil {
		err = errors.Join(err, d.dir.close())
	}
	return err
}
