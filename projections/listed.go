package projections

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/collabledger/collabledger/internal/sqldb"
)

// listed is a table made of values, for the FROM of a statement. However many rows it has, the statement's text stays the same
// and has few parameters: an array a column on Postgres, one JSON array on SQLite. So the text is short to parse, which is most
// of what a bulk write costs SQLite, and Postgres knows the statement already.
func (t tx) listed(columns []column, rows [][]any) (source string, args []any, err error) {
	for _, row := range rows {
		for i, value := range row {
			if row[i], err = driver.DefaultParameterConverter.ConvertValue(value); err != nil {
				return "", nil, fmt.Errorf("column %s: %w", columns[i].name, err)
			}
		}
	}
	if t.dialect == sqldb.SQLite {
		return listedJSON(columns, rows)
	}
	names, arrays := make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		names[i], arrays[i] = c.name, "$"+strconv.Itoa(i+1)+"::"+c.kind.arrayType()
		array, err := c.array(rows, i)
		if err != nil {
			return "", nil, err
		}
		args = append(args, array)
	}
	return fmt.Sprintf("unnest(%s) AS listed (%s)", strings.Join(arrays, ", "), strings.Join(names, ", ")), args, nil
}

func listedJSON(columns []column, rows [][]any) (source string, args []any, err error) {
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

// among is the condition that the columns have the values of one of the rows.
func (t tx) among(columns []column, rows [][]any) (condition string, args []any, err error) {
	source, args, err := t.listed(columns, rows)
	if err != nil {
		return "", nil, err
	}
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	list := strings.Join(names, ", ")
	return "(" + list + ") IN (SELECT " + list + " FROM " + source + ")", args, nil
}

// arrayType is the type of a Postgres array of such values.
func (k columnKind) arrayType() string {
	switch k {
	case integer:
		return "bigint[]"
	case boolean:
		return "boolean[]"
	}
	return "text[]"
}

// array is a column's values as Postgres takes them.
func (c column) array(rows [][]any, i int) (any, error) {
	switch c.kind {
	case integer:
		return arrayOf[int64](c, rows, i)
	case boolean:
		return arrayOf[bool](c, rows, i)
	}
	return arrayOf[string](c, rows, i)
}

func arrayOf[T any](c column, rows [][]any, i int) ([]T, error) {
	values := make([]T, len(rows))
	for j, row := range rows {
		value, ok := row[i].(T)
		if !ok {
			return nil, fmt.Errorf("column %s holds %T, not %T", c.name, values[j], row[i])
		}
		values[j] = value
	}
	return values, nil
}
