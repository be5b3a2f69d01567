package sqldb

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// How long a node waits for another one that is migrating the same database: it asks once a second, for five minutes.
const (
	migrationLockPollSeconds = 1
	migrationLockPolls       = 300
)

// Migrate brings the part of the schema that versionTable keeps count of up to date (goose migrations at the root of files),
// once when several nodes start together. A schema newer than the files is an error that says so; nothing is changed then. In a
// database that is open for reading alone, an older schema is an error too.
func (db *DB) Migrate(ctx context.Context, versionTable string, files fs.FS) error {
	dialect := goose.DialectSQLite3
	options := []goose.ProviderOption{
		goose.WithTableName(versionTable),
		goose.WithLogger(goose.NopLogger()),
		goose.WithDisableGlobalRegistry(true),
	}
	if db.Dialect == Postgres {
		dialect = goose.DialectPostgres
	}
	if db.Dialect == Postgres && !db.ReadOnly {
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(migrationLockPollSeconds, migrationLockPolls))
		if err != nil {
			return fmt.Errorf("migrate %s: %w", versionTable, err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(dialect, db.Write, files, options...)
	if err != nil {
		return fmt.Errorf("migrate %s: %w", versionTable, err)
	}

	sources := provider.ListSources()
	newest := sources[len(sources)-1].Version
	current, err := db.schemaVersion(ctx, versionTable, provider)
	if err != nil {
		return fmt.Errorf("migrate %s: %w", versionTable, err)
	}
	if current > newest {
		return fmt.Errorf("migrate %s: the database has schema version %d, newer than this binary's %d; install a newer ledger",
			versionTable, current, newest)
	}
	if db.ReadOnly {
		if current < newest {
			return fmt.Errorf("migrate %s: the database has schema version %d, older than this binary's %d; bring it up to date first",
				versionTable, current, newest)
		}
		return nil
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate %s: %w", versionTable, err)
	}
	return nil
}

// schemaVersion is that of the last migration that the database has had. goose would begin the table where there is none.
func (db *DB) schemaVersion(ctx context.Context, versionTable string, provider *goose.Provider) (version int64, err error) {
	if !db.ReadOnly {
		return provider.GetDBVersion(ctx)
	}
	err = db.Read.QueryRowContext(ctx, "SELECT coalesce(max(version_id), 0) FROM "+versionTable).Scan(&version)
	if err != nil {
		return 0, fmt.Errorf("the database has no such schema, or one that cannot be read: %w", err)
	}
	return version, nil
}
