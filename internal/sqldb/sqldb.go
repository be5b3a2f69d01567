// Package sqldb opens the two databases that a ledger can live in, and holds the few things in which they differ. All other
// code speaks SQL that both understand: $N parameters, ON CONFLICT … DO UPDATE … RETURNING, times as BIGINT microseconds.
package sqldb

import (
	"database/sql"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Dialect names one of the two databases.
type Dialect string

// The databases.
const (
	Postgres Dialect = "postgres"
	SQLite   Dialect = "sqlite"
)

// DB is an open database. Write and Read are the same pool on Postgres; on SQLite Write has one connection, so that writers
// queue in the pool instead of polling the file's lock, and Read has several that only read.
type DB struct {
	Dialect Dialect
	Write   *sql.DB
	Read    *sql.DB
	Pool    *pgxpool.Pool // what Write and Read are made of on Postgres; nil on SQLite

	ReadOnly bool // the database refuses every write of these connections, and its schema is taken as it is
}

// Close closes all connections. On Postgres it waits for those in use to come back.
func (db *DB) Close() error {
	if db.Dialect == Postgres {
		err := db.Write.Close()
		db.Pool.Close()
		return err
	}
	return errors.Join(db.Read.Close(), db.Write.Close())
}

// postgresUniqueViolation is the SQLSTATE of a statement that would break a primary key or unique constraint.
const postgresUniqueViolation = "23505"

// IsUnique tells whether a statement failed because a unique key exists already.
func IsUnique(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code == postgresUniqueViolation
	}
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		return lite.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY || lite.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE
	}
	return false
}
