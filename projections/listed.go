package projections

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/collabledger/collabledger/internal/sqldb"
)

// listed is a table made of values, for the FROM of a statement. However many rows it has, the statement's text stays the same
// and has few parameters: an array a column on Postgres, encoded where statements are queued, and one JSON array on SQLite. So
// Postgres knows the statement already, and it is short to parse.
func (t tx) listed(columns []column, rows [][]any) (source string, args []any, err error) {
	if t.dialect == sqldb.SQLite {
		return listedJSON(columns, rows)
	}
	names, arrays := make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		names[i], arrays[i] = c.name, "$"+strconv.Itoa(i+1)+"::"+c.kind.arrayType()
		list := c.array
		if t.queue != nil {
			list = c.encodedArray
		}
		array, err := list(rows, i)
		if err != nil {
			return "", nil, fmt.Errorf("column %s: %w", c.name, err)
		}
		args = append(args, array)
	}
	return fmt.Sprintf("unnest(%s) AS listed (%s)", strings.Join(arrays, ", "), strings.Join(names, ", ")), args, nil
}

func listedJSON(columns []column, rows [][]any) (source string, args []any, err error) {
	for _, row := range rows {
		for i, c := range columns {
			if row[i], err = c.value(row[i]); err != nil {
				return "", nil, err
			}
		}
	}
	encoded, err := json.Marshal(rows)
	if err != nil {
		return "", nil, fmt.Errorf("list rows: %w", err)
	}
	values := make([]string, len(columns))
	for i, c := range columns {
		values[i] = fmt.Sprintf("value ->> %d AS %s", i, c.name)
	}
	return "(SELECT " + strings.Join(values, ", ") + " FROM json_each($1)) AS listed", []any{string(encoded)}, nil
}

// arrayType is the type of a Postgres array of such values.
func (k columnKind) arrayType() string {
	switch k {
	case integer:
		return "bigint[]"
	case boolean:
		return "boolean[]"
	case identifier:
		return "uuid[]"
	}
	return "text[]"
}

// array is a column's values as Postgres takes them.
func (c column) array(rows [][]any, i int) (any, error) {
	switch c.kind {
	case integer:
		return arrayOf(rows, i, integerOf)
	case boolean:
		return arrayOf(rows, i, booleanOf)
	case identifier:
		return arrayOf(rows, i, bytesOf)
	}
	return arrayOf(rows, i, textOf)
}

// bytesOf is a UUID in the form that costs the driver least.
func bytesOf(value any) ([16]byte, error) {
	id, err := identifierOf(value)
	return id, err
}

func arrayOf[T any](rows [][]any, i int, of func(any) (T, error)) (values []T, err error) {
	values = make([]T, len(rows))
	for j, row := range rows {
		if values[j], err = of(row[i]); err != nil {
			return nil, err
		}
	}
	return values, nil
}
