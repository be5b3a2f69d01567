package projections

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/google/uuid"
)

// value is what the column holds of a row's field, as database/sql takes it.
func (c column) value(field any) (any, error) {
	switch c.kind {
	case integer:
		return integerOf(field)
	case boolean:
		return booleanOf(field)
	case identifier:
		id, err := identifierOf(field)
		return id.String(), err
	}
	return textOf(field)
}

// textOf is what a text column holds of a value, or of a row's field given by a pointer.
func textOf(value any) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case *string:
		return *v, nil
	case jsonColumn:
		encoded, err := json.Marshal(v.pointer)
		return string(encoded), err
	}
	if v := reflect.Indirect(reflect.ValueOf(value)); v.Kind() == reflect.String {
		return v.String(), nil
	}
	return "", fmt.Errorf("a text column cannot hold %T", value)
}

// identifierOf is what an identifier column holds.
func identifierOf(value any) (uuid.UUID, error) {
	switch v := value.(type) {
	case uuid.UUID:
		return v, nil
	case *uuid.UUID:
		return *v, nil
	}
	return uuid.Nil, fmt.Errorf("an identifier column cannot hold %T", value)
}

// integerOf is what an integer column holds.
func integerOf(value any) (int64, error) {
	switch v := value.(type) {
	case int:
		return int64(v), nil
	case *int:
		return int64(*v), nil
	case int64:
		return v, nil
	case *int64:
		return *v, nil
	case *micros:
		return toMicros(time.Time(*v)), nil
	case *untilMicros:
		return v.micros(), nil
	}
	return 0, fmt.Errorf("an integer column cannot hold %T", value)
}

// booleanOf is what a boolean column holds.
func booleanOf(value any) (bool, error) {
	switch v := value.(type) {
	case bool:
		return v, nil
	case *bool:
		return *v, nil
	}
	return false, fmt.Errorf("a boolean column cannot hold %T", value)
}

// at keeps a time in an integer column: UTC microseconds, 0 for the zero time.
func at(t *time.Time) any { return (*micros)(t) }

type micros time.Time

// Scan reads what the column holds.
func (m *micros) Scan(value any) error {
	us, ok := value.(int64)
	if !ok {
		return fmt.Errorf("a time is kept as an integer, not as %T", value)
	}
	*m = micros(fromMicros(us))
	return nil
}

func toMicros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// asJSON keeps a value, given by a pointer, in a text column.
func asJSON(pointer any) any { return jsonColumn{pointer} }

type jsonColumn struct{ pointer any }

// Scan reads what the column holds.
func (j jsonColumn) Scan(value any) error {
	switch encoded := value.(type) {
	case string:
		return json.Unmarshal([]byte(encoded), j.pointer)
	case []byte:
		return json.Unmarshal(encoded, j.pointer)
	}
	return fmt.Errorf("JSON is kept as text, not as %T", value)
}
