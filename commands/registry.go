package commands

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/collabledger/collabledger/domain"
)

// MaxBodyBytes bounds a command's body.
const MaxBodyBytes = 64 << 10

// Spec describes one command: an entry of List. All edges are made from it: HTTP, the command line, and their documents.
type Spec struct {
	Name    string
	Step    string // of the guide, for example S5
	Summary string
	Example Command // a complete one, for documentation and tests
	Request reflect.Type
	Result  reflect.Type

	decode func([]byte) (Command, error)
	result func(*Executor, Command, []domain.Event) (any, error)
}

// Nothing is the result of a command that creates nothing; its events say what it did.
type Nothing struct{}

// does lists a command that creates nothing.
func does[C Command](step, name, summary string, example C) Spec {
	return creates(step, name, summary, example, func(*Executor, C, []domain.Event) (Nothing, error) { return Nothing{}, nil })
}

// creates lists a command whose answer tells what it created. The result is made from the command and its events alone, so that
// a repeated command has the same.
func creates[C Command, R any](step, name, summary string, example C, result func(*Executor, C, []domain.Event) (R, error)) Spec {
	return Spec{
		Name: name, Step: step, Summary: summary, Example: example,
		Request: reflect.TypeFor[C](), Result: reflect.TypeFor[R](),
		decode: func(body []byte) (Command, error) {
			var c C
			err := json.Unmarshal(body, &c)
			return c, err
		},
		result: func(x *Executor, c Command, events []domain.Event) (any, error) {
			return result(x, c.(C), events)
		},
	}
}

// Registry finds commands by name and holds their JSON Schemas, against which every body is checked.
type Registry struct {
	specs   []Spec
	byName  map[string]Spec
	schemas huma.Registry
}

// NewRegistry indexes the list of commands.
func NewRegistry() *Registry {
	r := &Registry{specs: List(), byName: map[string]Spec{}, schemas: huma.NewMapRegistry("#/components/schemas/", SchemaName)}
	for _, spec := range r.specs {
		r.byName[spec.Name] = spec
		r.schemas.Schema(spec.Request, true, spec.Name)
	}
	return r
}

// SchemaName names a type's schema: the Go name, with an initial that marks it as public.
func SchemaName(t reflect.Type, hint string) string { return huma.DefaultSchemaNamer(t, hint) }

// Specs lists the commands in the guide's order.
func (r *Registry) Specs() []Spec { return r.specs }

// Decode reads a command strictly: every field known, present where it must be, of its type, and within its limits. The error
// lists everything that is wrong with the body.
func (r *Registry) Decode(name string, body []byte) (Spec, Command, error) {
	spec, ok := r.byName[name]
	if !ok {
		return Spec{}, nil, &domain.Error{Kind: domain.NotFound, Code: "unknown_command", Detail: fmt.Sprintf("there is no command %q", name)}
	}
	if len(body) > MaxBodyBytes {
		return Spec{}, nil, &domain.Error{Kind: domain.TooLarge, Code: "body_too_large", Detail: fmt.Sprintf("a command's body has at most %d bytes", MaxBodyBytes)}
	}
	value, err := parse(body)
	if err != nil {
		return Spec{}, nil, err
	}
	schema := r.schemas.Schema(spec.Request, true, spec.Name)
	if fields := r.check(schema, value); len(fields) > 0 {
		return Spec{}, nil, invalid(fields)
	}
	command, err := spec.decode(body)
	if err != nil {
		return Spec{}, nil, &domain.Error{Kind: domain.Malformed, Code: "malformed_json", Detail: "the body does not fit the command: " + err.Error()}
	}
	if checked, ok := command.(interface{ Check() []domain.FieldError }); ok {
		if fields := checked.Check(); len(fields) > 0 {
			return Spec{}, nil, invalid(fields)
		}
	}
	return spec, command, nil
}

func invalid(fields []domain.FieldError) error {
	return &domain.Error{Kind: domain.Malformed, Code: "invalid", Detail: "the body breaks the rules of its fields", Fields: fields}
}

// parse reads exactly one JSON value.
func parse(body []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	var value any
	err := decoder.Decode(&value)
	if err == nil {
		if _, more := decoder.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("there is more after the end of the object")
		}
	}
	if err == nil {
		return value, nil
	}
	detail := "the body is not JSON: " + err.Error()
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		detail = fmt.Sprintf("the body is not JSON at byte %d: %s", syntax.Offset, syntax)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		detail = "the body is empty; a command is a JSON object"
	}
	return nil, &domain.Error{Kind: domain.Malformed, Code: "malformed_json", Detail: strings.TrimSpace(detail)}
}
