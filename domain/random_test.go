package domain_test

import (
	"fmt"
	"reflect"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/collabledger/collabledger/domain"
)

// ids is a small pool, so that random events meet: they name the same members, grants and invitations.
var ids = []uuid.UUID{
	uuid.MustParse("0192f3c4-0000-7000-8000-0000000000a1"),
	uuid.MustParse("0192f3c4-0000-7000-8000-0000000000a2"),
	uuid.MustParse("0192f3c4-0000-7000-8000-0000000000a3"),
}

// randomEvent draws an event of one of the types, each of its fields filled with random content.
func randomEvent(types []domain.EventType) *rapid.Generator[domain.Event] {
	return rapid.Custom(func(t *rapid.T) domain.Event {
		example := rapid.SampledFrom(types).Draw(t, "type").Example
		event := reflect.New(reflect.TypeOf(example)).Elem()
		fill(t, reflect.TypeOf(example).Name(), event)
		return event.Interface().(domain.Event)
	})
}

// fill sets a value, and all that it is made of, to random content that JSON can carry.
func fill(t *rapid.T, name string, v reflect.Value) {
	switch v.Interface().(type) {
	case uuid.UUID:
		v.Set(reflect.ValueOf(rapid.OneOf(rapid.SampledFrom(ids), rapid.Custom(func(t *rapid.T) uuid.UUID {
			return uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "uuid"))
		})).Draw(t, name)))
		return
	case time.Time:
		micros := rapid.Int64Range(0, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()).Draw(t, name)
		v.Set(reflect.ValueOf(time.UnixMicro(micros).UTC()))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"sales", "edit", "<&>\u2028\"\\\x00"})).Draw(t, name))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.Int64().Draw(t, name))
	case reflect.Slice:
		n := rapid.IntRange(0, 3).Draw(t, name)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(t, name, v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range rapid.IntRange(0, 3).Draw(t, name) {
			key, item := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(t, name, key)
			fill(t, name, item)
			v.SetMapIndex(key, item)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Type().Field(i).Name, v.Field(i))
		}
	default:
		panic(fmt.Sprintf("events have no fields of kind %s so far: teach fill about them", v.Kind()))
	}
}
