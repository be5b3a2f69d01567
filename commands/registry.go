package commands

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/collabledger/collabledger/domain"
)

// MaxBodyBytes bounds a command's body.
const MaxBodyBytes = 64 << 10

// Party is somebody who may ask for a command, in words that complete 'who may do it: '.
type Party string

// The parties. An account is the one that the command is about; a consultancy and a client are the two of a collaboration.
const (
	AccountOwner      Party = "the account's owner"
	AccountAdmin      Party = "the account's owner or an administrator"
	ConsultancyAdmin  Party = "the consultancy's owner or an administrator"
	ConsultancyWorker Party = "the consultancy's owner, an administrator, or an account manager assigned to the client"
	ClientAdmin       Party = "the client's owner or an administrator"
	ClientEditor      Party = "a member of the client whose role may edit the section"
	AMember           Party = "any member of an account"
	TheInvited        Party = "the invited person"
	ThePerson         Party = "the member concerned"
	AService          Party = "a service of the platform"
	AReviewer         Party = "a reviewer of the platform"
	TheLedger         Party = "the ledger itself"
)

// WebhookStep stands where other commands have a step of the guide, which knows no webhooks.
const WebhookStep = "Webhooks"

// Spec describes one command: an entry of List. All edges are made from it: HTTP, the command line, and their documents.
type Spec struct {
	Name    string
	Step    string // of the guide, for example S5; or WebhookStep
	Summary string
	By      []Party // whom the rules let ask for it
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
	decode := domain.DecoderOf[C]()
	return Spec{
		Name: name, Step: step, Summary: summary, Example: example,
		Request: reflect.TypeFor[C](), Result: reflect.TypeFor[R](),
		decode: func(body []byte) (Command, error) {
			c, err := decode(body)
			return c, err
		},
		result: func(x *Executor, c Command, events []domain.Event) (any, error) {
			return result(x, c.(C), events)
		},
	}
}

// by lists whom the rules let ask for the command. The rules themselves are the domain's; the tests hold the two to each other.
func (s Spec) by(parties ...Party) Spec {
	s.By = parties
	return s
}

// Registry finds commands by name and holds their JSON Schemas, against which every body is checked.
type Registry struct {
	specs   []Spec
	byName  map[string]listed
	schemas *schemas
}

type listed struct {
	Spec
	schema *huma.Schema
}

// NewRegistry indexes the list of commands.
func NewRegistry() *Registry {
	r := &Registry{specs: List(), byName: map[string]listed{}}
	all := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	for _, spec := range r.specs {
		r.byName[spec.Name] = listed{spec, all.Schema(spec.Request, true, spec.Name)}
	}
	r.schemas = prepare(all)
	return r
}

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
	checker := &checker{schemas: r.schemas}
	checker.check(spec.schema, "", value)
	if bytes.IndexByte(body, '\\') >= 0 {
		// Written out again without escapes, which time.Time does not read.
		if body, err = json.Marshal(value); err != nil {
			return Spec{}, nil, malformed("the body cannot be written out again: %v", err)
		}
	}
	command, err := spec.decode(body)
	if checked, ok := command.(interface{ Check() []domain.FieldError }); ok && err == nil {
		checker.add(checked.Check())
	}
	if len(checker.fields) > 0 {
		return Spec{}, nil, &domain.Error{Kind: domain.Malformed, Code: "invalid", Detail: "the body breaks the rules of its fields", Fields: checker.fields}
	}
	if err != nil {
		return Spec{}, nil, malformed("the body does not fit the command: %v", err)
	}
	return spec.Spec, command, nil
}

func malformed(format string, args ...any) error {
	return &domain.Error{Kind: domain.Malformed, Code: "malformed_json", Detail: fmt.Sprintf(format, args...)}
}
