package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Limits of a SQLite database.
const (
	sqliteReaders             = 4                // connections that read at the same time
	sqliteBusyTimeout         = 10 * time.Second // how long a statement waits for another process's lock, such as a backup's
	sqliteAutoCheckpointPages = 10_000           // pages of write-ahead log that start a checkpoint: about 40 MB of 4 KiB pages
	sqliteWriteCacheKiB       = 64 << 10         // of the connection that writes, so that a large transaction's pages need not go to the file and back
	sqliteFileMode            = 0o600            // the ledger names natural persons: nobody else on the machine may read it
)

// OpenSQLite opens or creates the database file: WAL, synchronous=FULL, foreign keys on. The folder must exist.
func OpenSQLite(ctx context.Context, path string) (*DB, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("cannot open the SQLite database %s: %w", path, err)
	}
	// SQLite gives its write-ahead log the rights of the database file, so it must not be SQLite that creates that.
	file, err := os.OpenFile(absolute, os.O_RDWR|os.O_CREATE, sqliteFileMode)
	if err != nil {
		return nil, fmt.Errorf("cannot open the SQLite database: %w", err)
	}
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("cannot open the SQLite database: %w", err)
	}

	// A transaction that begins by reading and writes later fails at once when another connection wrote in between, whatever
	// the busy timeout; _txlock=immediate takes the write lock at BEGIN and waits there instead.
	write, err := openSQLitePool(ctx, absolute, 1, url.Values{
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"},
		"_foreign_keys": {"1"},
		"_txlock":       {"immediate"},
		"_pragma":       {"wal_autocheckpoint(" + strconv.Itoa(sqliteAutoCheckpointPages) + ")", "cache_size(-" + strconv.Itoa(sqliteWriteCacheKiB) + ")"},
	})
	if err != nil {
		return nil, fmt.Errorf("cannot open the SQLite database %s: %w", absolute, err)
	}
	read, err := openSQLitePool(ctx, absolute, sqliteReaders, url.Values{"_query_only": {"1"}})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot open the SQLite database %s: %w", absolute, err), write.Close())
	}
	return &DB{Dialect: SQLite, Write: write, Read: read}, nil
}

// OpenSQLiteReadOnly opens a database file that must be there, for reading alone, also while a server writes to it.
func OpenSQLiteReadOnly(ctx context.Context, path string) (*DB, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("cannot open the SQLite database %s: %w", path, err)
	}
	pool, err := openSQLitePool(ctx, absolute, sqliteReaders, url.Values{"mode": {"ro"}, "_query_only": {"1"}})
	if err != nil {
		return nil, fmt.Errorf("cannot open the SQLite database %s: %w", absolute, err)
	}
	return &DB{Dialect: SQLite, Write: pool, Read: pool, ReadOnly: true}, nil
}

// openSQLitePool opens a pool whose connections live as long as the pool, and checks that one can be made.
func openSQLitePool(ctx context.Context, path string, connections int, settings url.Values) (*sql.DB, error) {
	settings.Set("_busy_timeout", strconv.FormatInt(sqliteBusyTimeout.Milliseconds(), 10))
	dsn := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: settings.Encode()}
	pool, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	if err := pool.PingContext(ctx); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return pool, nil
}
