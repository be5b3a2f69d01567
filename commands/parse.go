package commands

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// parse reads exactly one JSON object, in which no name is given twice: which of the two counts would be a guess. Its values are
// those of encoding/json, with json.Number for numbers.
func parse(body []byte) (map[string]any, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, malformed("the body is empty; a command is a JSON object")
	}
	if !json.Valid(body) {
		return nil, invalidJSON(body)
	}
	r := reader{json: body}
	if r.next() != '{' {
		return nil, malformed("a command is a JSON object")
	}
	return r.object()
}

// invalidJSON tells what is wrong with a body that is not one JSON value.
func invalidJSON(body []byte) error {
	var first json.RawMessage
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&first); err != nil {
		return malformed("the body is not JSON: %v", err)
	}
	return malformed("there is more after the end of the JSON object")
}

// reader reads JSON that is known to be valid, and so not nested deeper than encoding/json allows, in one pass: encoding/json
// itself would take one for the values and a slower one for names that are given twice.
type reader struct {
	json []byte
	at   int
}

// next skips blanks and gives the byte on which the reader then stands.
func (r *reader) next() byte {
	for {
		switch c := r.json[r.at]; c {
		case ' ', '\t', '\r', '\n':
			r.at++
		default:
			return c
		}
	}
}

func (r *reader) value() (any, error) {
	switch r.next() {
	case '{':
		return r.object()
	case '[':
		return r.array()
	case '"':
		return r.text(), nil
	case 't':
		r.at += len("true")
		return true, nil
	case 'f':
		r.at += len("false")
		return false, nil
	case 'n':
		r.at += len("null")
		return nil, nil
	}
	return r.number(), nil
}

func (r *reader) object() (map[string]any, error) {
	object := map[string]any{}
	for r.at++; r.next() != '}'; {
		if r.json[r.at] == ',' {
			r.at++
			r.next()
		}
		name := r.text()
		if _, twice := object[name]; twice {
			return nil, malformed("%q is given twice", name)
		}
		r.next()
		r.at++ // the colon
		var err error
		if object[name], err = r.value(); err != nil {
			return nil, err
		}
	}
	r.at++
	return object, nil
}

func (r *reader) array() ([]any, error) {
	items := []any{}
	for r.at++; r.next() != ']'; {
		if r.json[r.at] == ',' {
			r.at++
		}
		item, err := r.value()
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	r.at++
	return items, nil
}

// text reads a string. One with escapes, or with bytes that are not UTF-8, is left to encoding/json.
func (r *reader) text() string {
	start, plain := r.at, true
	for r.at++; r.json[r.at] != '"'; r.at++ {
		if r.json[r.at] == '\\' {
			plain = false
			r.at++
		}
	}
	r.at++
	quoted := r.json[start:r.at]
	if content := quoted[1 : len(quoted)-1]; plain && utf8.Valid(content) {
		return string(content)
	}
	var text string
	_ = json.Unmarshal(quoted, &text) // it is a valid string
	return text
}

func (r *reader) number() json.Number {
	start := r.at
	for r.at < len(r.json) && bytes.IndexByte([]byte("+-.0123456789eE"), r.json[r.at]) >= 0 {
		r.at++
	}
	return json.Number(r.json[start:r.at])
}
