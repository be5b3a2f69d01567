package sqldb

import (
	"database/sql"
	"errors"
)

// EachRow hands each row of a result to read, and closes the result whatever comes of it.
func EachRow(result *sql.Rows, read func(*sql.Rows) error) error {
	for result.Next() {
		if err := read(result); err != nil {
			return errors.Join(err, result.Close())
		}
	}
	return errors.Join(result.Err(), result.Close())
}
