package domain

import (
	"errors"
	"fmt"
)

// Kind says what sort of error an Error is. Edges map kinds, and only kinds, to statuses and exit codes.
type Kind int

// The kinds, in the order in which an edge meets them.
const (
	Internal        Kind = iota // ours to repair; nothing about it is told outside
	Malformed                   // the input cannot be read or breaks a format or limit
	Unauthenticated             // nobody the ledger knows
	Forbidden                   // not this actor's to do
	NotFound                    // names something that does not exist, or that this actor may not know of
	Conflict                    // lost a race, after as many retries as there are
	Stale                       // If-Match names another version
	TooLarge                    // larger than a limit
	Refused                     // a rule of the domain says no
	TooMany                     // more than this actor's share
	Unavailable                 // cannot be done now; try again
)

// Error is the one error type of the ledger: what went wrong, in a form that programs can act on.
type Error struct {
	Kind   Kind
	Code   string       // stable, snake_case; programs compare it
	Detail string       // one sentence for people
	State  string       // of the thing that refused, where that explains the refusal: for example the state a race was lost to
	Fields []FieldError // what was wrong with which field of the input
	Err    error        // the cause, for logs; never shown outside
}

// FieldError names one field of an input and the rule that it breaks.
type FieldError struct {
	Field string `json:"field" doc:"Path of the field in the body, for example owner.email"`
	Rule  string `json:"rule" doc:"What the field must be"`
}

func (e *Error) Error() string {
	text := e.Code + ": " + e.Detail
	for _, f := range e.Fields {
		text += "; " + f.Field + ": " + f.Rule
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap gives errors.Is and errors.As the cause.
func (e *Error) Unwrap() error { return e.Err }

// AsError finds the ledger's error in a chain. Anything else is an internal error with the chain as its cause.
func AsError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Kind: Internal, Code: "internal", Detail: "something went wrong inside the ledger", Err: err}
}

// HasCode tells whether the chain holds an Error with this code.
func HasCode(err error, code string) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Code == code
}

// Refuse says that a rule says no. State is that of the thing that refused.
func Refuse(code, state, format string, args ...any) error {
	return &Error{Kind: Refused, Code: code, State: state, Detail: fmt.Sprintf(format, args...)}
}

// Forbid says that this is not the actor's to do.
func Forbid(code, format string, args ...any) error {
	return &Error{Kind: Forbidden, Code: code, Detail: fmt.Sprintf(format, args...)}
}

// Missing says that something named does not exist. Its code is the thing's name with _not_found.
func Missing(thing string, id any) error {
	return &Error{Kind: NotFound, Code: thing + "_not_found", Detail: fmt.Sprintf("there is no %s %v", thing, id)}
}

// Invalid says that one field of the input breaks a rule that its schema cannot express.
func Invalid(field, rule string) error {
	return &Error{Kind: Malformed, Code: "invalid", Detail: "the input breaks a rule", Fields: []FieldError{{Field: field, Rule: rule}}}
}
