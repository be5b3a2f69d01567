package domain

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

const (
	maxPlainDigits = 18 // of an integer, so that it surely fits
	uuidLength     = 36 // bytes of a UUID's text in its usual form
)

// DecoderOf makes the function by which events and commands of one type are read from JSON: as encoding/json reads them, but that null is
// an error, and in a fraction of the time where the JSON is as the ledger itself writes it.
func DecoderOf[T any]() func(data []byte) (T, error) {
	plain := decoderOf(reflect.TypeFor[T]())
	return func(data []byte) (value T, err error) {
		if read := new(T); plain.accepts(data, read) {
			return *read, nil
		}
		var read *T
		if err := json.Unmarshal(data, &read); err != nil {
			return value, err
		}
		if read == nil {
			return value, errors.New("is null")
		}
		return *read, nil
	}
}

// decoder reads values of one type from JSON as the ledger itself writes it: compact, each field once, in the order of the struct. It
// refuses everything else, which is then left to encoding/json: what it does accept means the same to both.
type decoder func(in *input, value reflect.Value) bool

// input is what is left of a JSON text.
type input []byte

// accepts reads the whole of a JSON text into what pointer points to, or tells that it cannot.
func (d decoder) accepts(data []byte, pointer any) bool {
	in := input(data)
	return d != nil && d(&in, reflect.ValueOf(pointer).Elem()) && len(in) == 0
}

// decoderOf makes the decoder of a type; nil for a type that it knows nothing of.
func decoderOf(t reflect.Type) decoder {
	switch t {
	case reflect.TypeFor[uuid.UUID]():
		return decodeUUID
	case reflect.TypeFor[time.Time]():
		return decodeTime
	}
	if pointer := reflect.PointerTo(t); pointer.Implements(reflect.TypeFor[json.Unmarshaler]()) || pointer.Implements(reflect.TypeFor[interface{ UnmarshalText([]byte) error }]()) {
		return nil
	}
	switch t.Kind() {
	case reflect.String:
		return decodeString
	case reflect.Int, reflect.Int64:
		return decodeInt
	case reflect.Pointer:
		return decodePointer(decoderOf(t.Elem()))
	case reflect.Slice:
		return decodeSlice(decoderOf(t.Elem()))
	case reflect.Map:
		return decodeMap(t)
	case reflect.Struct:
		return decodeStruct(t)
	}
	return nil
}

// take goes on behind what must come next.
func (in *input) take(text string) bool {
	if len(*in) < len(text) || string((*in)[:len(text)]) != text {
		return false
	}
	*in = (*in)[len(text):]
	return true
}

// text takes a string without escapes.
func (in *input) text() ([]byte, bool) {
	if !in.take(`"`) {
		return nil, false
	}
	end := bytes.IndexByte(*in, '"')
	if end < 0 {
		return nil, false
	}
	text := (*in)[:end]
	ascii := true
	for _, c := range text {
		if c < ' ' || c == '\\' {
			return nil, false
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	*in = (*in)[end+1:]
	return text, ascii || utf8.Valid(text)
}

func decodeString(in *input, value reflect.Value) bool {
	text, ok := in.text()
	if ok {
		value.SetString(string(text))
	}
	return ok
}

func decodeUUID(in *input, value reflect.Value) bool {
	text, ok := in.text()
	if !ok || len(text) != uuidLength {
		return false
	}
	id, err := uuid.ParseBytes(text)
	if err == nil {
		*value.Addr().Interface().(*uuid.UUID) = id
	}
	return err == nil
}

func decodeTime(in *input, value reflect.Value) bool {
	text, ok := in.text()
	return ok && value.Addr().Interface().(*time.Time).UnmarshalText(text) == nil
}

func decodeInt(in *input, value reflect.Value) bool {
	digits := 0
	for digits < len(*in) && (*in)[digits] >= '0' && (*in)[digits] <= '9' {
		digits++
	}
	if digits == 0 || digits > maxPlainDigits || digits > 1 && (*in)[0] == '0' {
		return false
	}
	number, err := strconv.ParseInt(string((*in)[:digits]), 10, 64)
	*in = (*in)[digits:]
	value.SetInt(number)
	return err == nil && !value.OverflowInt(number)
}

func decodePointer(element decoder) decoder {
	if element == nil {
		return nil
	}
	return func(in *input, value reflect.Value) bool {
		value.Set(reflect.New(value.Type().Elem()))
		return element(in, value.Elem())
	}
}

func decodeSlice(element decoder) decoder {
	if element == nil {
		return nil
	}
	return func(in *input, value reflect.Value) bool {
		if !in.take("[") {
			return false
		}
		list := reflect.MakeSlice(value.Type(), 0, 0)
		for first := true; !in.take("]"); first = false {
			if !first && !in.take(",") {
				return false
			}
			item := reflect.New(value.Type().Elem()).Elem()
			if !element(in, item) {
				return false
			}
			list = reflect.Append(list, item)
		}
		value.Set(list)
		return true
	}
}

// decodeMap is for maps from texts to texts.
func decodeMap(t reflect.Type) decoder {
	if t.Key().Kind() != reflect.String || decoderOf(t.Key()) == nil || t.Elem().Kind() != reflect.String || decoderOf(t.Elem()) == nil {
		return nil
	}
	return func(in *input, value reflect.Value) bool {
		if !in.take("{") {
			return false
		}
		entries := reflect.MakeMap(value.Type())
		key, element := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
		for first := true; !in.take("}"); first = false {
			if !first && !in.take(",") || !decodeString(in, key) || !in.take(":") || !decodeString(in, element) {
				return false
			}
			entries.SetMapIndex(key, element)
		}
		value.Set(entries)
		return true
	}
}

// field is a field of a struct that is decoded, or of one that is embedded in it.
type field struct {
	name   string // with its quotes and the colon
	index  []int
	decode decoder
}

func decodeStruct(t reflect.Type) decoder {
	var fields []field
	names := map[string]bool{}
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		embedded := f.Anonymous && name == ""
		if embedded && f.Type.Kind() == reflect.Struct {
			continue // its fields are listed too
		}
		// What would take more of the rules of encoding/json is left to that.
		decode := decoderOf(f.Type)
		if decode == nil || embedded || !f.IsExported() || name == "" || name == "-" || names[name] || slices.Contains(strings.Split(options, ","), "string") {
			return nil
		}
		names[name] = true
		fields = append(fields, field{name: `"` + name + `":`, index: f.Index, decode: decode})
	}
	return func(in *input, value reflect.Value) bool {
		if !in.take("{") {
			return false
		}
		next := 0
		for first := true; !in.take("}"); first = false {
			if !first && !in.take(",") {
				return false
			}
			for next < len(fields) && !in.take(fields[next].name) {
				next++
			}
			if next == len(fields) || !fields[next].decode(in, value.FieldByIndex(fields[next].index)) {
				return false
			}
			next++
		}
		return true
	}
}
