package sqldb

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"slices"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// postgresDiskFull is the SQLSTATE of a statement for which the server's disk had no room.
const postgresDiskFull = "53100"

// postgresAway are the classes of SQLSTATE (its first two characters) that speak of the server and not of the statement: connection,
// insufficient resources, operator intervention, system error.
var postgresAway = []string{"08", "53", "57", "58"}

// sqliteAway are the result codes that speak of the file and its surroundings and not of the statement.
var sqliteAway = []int{
	sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN,
	sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOMEM,
}

// IsUnavailable tells whether a statement failed because the database could not do it at that moment, and not because of what it
// says: the server is away, going down or coming up, or its disk is full. It may work later.
func IsUnavailable(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return len(pg.Code) == 5 && slices.Contains(postgresAway, pg.Code[:2])
	}
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		return slices.Contains(sqliteAway, lite.Code()&0xff) // the lowest byte; above it are details
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return true
	}
	for _, broken := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, driver.ErrBadConn, sql.ErrConnDone, syscall.ENOSPC} {
		if errors.Is(err, broken) {
			return true
		}
	}
	return pgconn.SafeToRetry(err) // nothing has reached the server
}

// IsFull tells whether a statement failed because there is no space left for what it writes. It has then written nothing.
func IsFull(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code == postgresDiskFull
	}
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		return lite.Code()&0xff == sqlite3.SQLITE_FULL
	}
	return errors.Is(err, syscall.ENOSPC)
}
