package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/internal/sqldb"
)

// dropWait bounds how long the demo waits for its schema to be dropped, also after an interruption.
const dropWait = 10 * time.Second

// demoSchema gives a DSN for a fresh ledger: the database itself while it holds no log, and else a schema of the demo's own in it,
// so that the demo can be played again and never writes into a real log. drop removes such a schema.
func demoSchema(ctx context.Context, dsn string) (fresh string, drop func(context.Context) error, err error) {
	db, err := sqldb.OpenPostgres(ctx, dsn)
	if err != nil {
		return "", nil, err
	}
	keep := func(context.Context) error { return db.Close() }
	var inUse bool
	if err := db.Read.QueryRowContext(ctx, "SELECT to_regclass('events') IS NOT NULL").Scan(&inUse); err != nil {
		return "", nil, errors.Join(fmt.Errorf("look for a log in the database: %w", err), db.Close())
	}
	if !inUse {
		return dsn, keep, nil
	}
	schema := "ledger_demo_" + uuid.NewString()[:8]
	if _, err := db.Write.ExecContext(ctx, "CREATE SCHEMA "+schema); err != nil {
		return "", nil, errors.Join(fmt.Errorf("make a schema for the demo beside the log that is there: %w", err), db.Close())
	}
	drop = func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropWait)
		defer cancel()
		_, err := db.Write.ExecContext(ctx, "DROP SCHEMA "+schema+" CASCADE")
		return errors.Join(err, db.Close())
	}
	return withSearchPath(dsn, schema), drop, nil
}

// withSearchPath is a DSN whose tables are in a schema. The DSN has connected before, so it can be read.
func withSearchPath(dsn, schema string) string {
	if !strings.Contains(dsn, "://") {
		return dsn + " search_path=" + schema
	}
	parsed, err := url.Parse(dsn)
	if err != nil {
		return dsn
	}
	query := parsed.Query()
	query.Set("search_path", schema)
	parsed.RawQuery = query.Encode()
	return parsed.String()
}
