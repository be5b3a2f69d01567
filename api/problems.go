package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/sqldb"
)

// retryAfterSeconds is what a 429 or 503 asks the caller to wait at least.
const retryAfterSeconds = "1"

// Problem is a refusal or failure as an answer tells it (RFC 9457).
type Problem struct {
	Type   string              `json:"type" format:"uri-reference" doc:"Which problem: /problems/ and its code"`
	Title  string              `json:"title" doc:"What the status means here"`
	Status int                 `json:"status" doc:"The HTTP status"`
	Code   string              `json:"code" doc:"Which problem, for programs: stable, in snake_case"`
	Detail string              `json:"detail" doc:"What happened, in one sentence for people"`
	State  string              `json:"state,omitempty" doc:"State of the thing that refused, where that explains the refusal"`
	Errors []domain.FieldError `json:"errors,omitempty" doc:"What is wrong with which field of the input"`

	allow string // the methods that a path takes, with 405
}

func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// GetStatus tells huma the status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType tells huma the media type.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders are the headers that go with the status.
func (p *Problem) GetHeaders() http.Header {
	switch p.Status {
	case http.StatusUnauthorized:
		return http.Header{"Www-Authenticate": {`Bearer realm="ledger"`}}
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return http.Header{"Retry-After": {retryAfterSeconds}}
	case http.StatusMethodNotAllowed:
		return http.Header{"Allow": {p.allow}}
	}
	return nil
}

// statusOf is the one table from the kind of an error to the status of its answer, with the title that goes with it.
func statusOf(kind domain.Kind) (status int, title string) {
	switch kind {
	case domain.Malformed:
		return http.StatusBadRequest, "The request cannot be read"
	case domain.Unauthenticated:
		return http.StatusUnauthorized, "The ledger does not know who asks"
	case domain.Forbidden:
		return http.StatusForbidden, "This is not the caller's to do"
	case domain.NotFound:
		return http.StatusNotFound, "There is no such thing for the caller"
	case domain.Conflict:
		return http.StatusConflict, "Others were faster"
	case domain.Stale:
		return http.StatusPreconditionFailed, "The caller has seen another version"
	case domain.TooLarge:
		return http.StatusRequestEntityTooLarge, "The request is larger than a limit"
	case domain.Refused:
		return http.StatusUnprocessableEntity, "A rule says no"
	case domain.TooMany:
		return http.StatusTooManyRequests, "The caller asks too often"
	case domain.Unavailable:
		return http.StatusServiceUnavailable, "The ledger cannot do this now"
	}
	return http.StatusInternalServerError, "The ledger has failed"
}

// httpProblem is a refusal that only HTTP knows, such as a method that a route does not have.
func httpProblem(status int, code, detail string) *Problem {
	return &Problem{Type: "/problems/" + code, Title: http.StatusText(status), Status: status, Code: code, Detail: detail}
}

// problemOf renders an error of the ledger.
func problemOf(e *domain.Error) *Problem {
	status, title := statusOf(e.Kind)
	return &Problem{Type: "/problems/" + e.Code, Title: title, Status: status, Code: e.Code, Detail: e.Detail, State: e.State, Errors: e.Fields}
}

// ledgerError says in the ledger's own terms what a handler met.
func ledgerError(err error) *domain.Error {
	if e, ok := errors.AsType[*domain.Error](err); ok {
		return e
	}
	switch {
	case errors.Is(err, eventstore.ErrUnavailable), errors.Is(err, eventstore.ErrClosed):
		return &domain.Error{Kind: domain.Unavailable, Code: "unavailable", Detail: "the event store does not answer; try again", Err: err}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &domain.Error{Kind: domain.Unavailable, Code: "timeout", Detail: "no answer in time; try again", Err: err}
	case sqldb.IsUnavailable(err):
		return &domain.Error{Kind: domain.Unavailable, Code: "unavailable", Detail: "the database does not answer; try again", Err: err}
	}
	return domain.AsError(err)
}

// problem renders whatever a handler returned, and logs what the answer keeps to itself. where names the operation in the log.
func (e *edge) problem(ctx context.Context, where string, err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	failure := ledgerError(err)
	p := problemOf(failure)
	switch {
	case failure.Kind == domain.Internal:
		id := uuid.NewString()
		e.Log.ErrorContext(ctx, "internal error", "id", id, "operation", where, "error", err)
		p.Detail = "something went wrong inside the ledger; its log tells what, under " + id
	case failure.Kind == domain.Unavailable && failure.Err != nil && ctx.Err() == nil:
		e.Log.WarnContext(ctx, "unavailable", "operation", where, "error", err)
	}
	return p
}

// refuse answers with the problem that an error is.
func (e *edge) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := e.problem(r.Context(), r.Method+" "+r.URL.Path, err)
	for name, values := range p.GetHeaders() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // a problem is text, and a caller that has gone needs no answer
}

// survive turns a handler's panic into a 500, or breaks off an answer that has begun.
func (e *edge) survive(w *answerWriter, r *http.Request, cause any) {
	if cause == http.ErrAbortHandler {
		panic(cause)
	}
	e.Log.ErrorContext(r.Context(), "panic", "operation", r.Method+" "+r.URL.Path, "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
	if w.begun {
		panic(http.ErrAbortHandler)
	}
	e.refuse(w, r, domain.AsError(fmt.Errorf("panic: %v", cause)))
}

// noRoute tells why the mux has no route for a request: missing is the handler by which the mux itself would say so.
func noRoute(missing http.Handler, r *http.Request) *Problem {
	verdict := &muxVerdict{header: http.Header{}}
	missing.ServeHTTP(verdict, r)
	if verdict.status != http.StatusMethodNotAllowed {
		return httpProblem(http.StatusNotFound, "unknown_path", "there is nothing at this path; /openapi.json lists what there is")
	}
	allow := verdict.header.Get("Allow")
	p := httpProblem(http.StatusMethodNotAllowed, "method_not_allowed", "this path takes "+allow)
	p.allow = allow
	return p
}

// muxVerdict takes the answer of the mux without sending it.
type muxVerdict struct {
	header http.Header
	status int
}

func (v *muxVerdict) Header() http.Header            { return v.header }
func (v *muxVerdict) WriteHeader(status int)         { v.status = status }
func (v *muxVerdict) Write(data []byte) (int, error) { return len(data), nil }

// adaptHuma makes huma's own refusals, such as of a parameter that it cannot read, problems like all others. huma asks a variable
// of its package for them, so this is done once per process, before any request.
var adaptHuma = sync.OnceFunc(func() {
	huma.NewError = func(status int, message string, causes ...error) huma.StatusError {
		if status != http.StatusUnprocessableEntity && status != http.StatusBadRequest {
			return httpProblem(status, "http_error", message)
		}
		invalid := &domain.Error{Kind: domain.Malformed, Code: "invalid", Detail: "the parameters break the rules of the operation"}
		for _, cause := range causes {
			if detail, ok := errors.AsType[*huma.ErrorDetail](cause); ok {
				_, name, _ := strings.Cut(detail.Location, ".") // without query, path or header before it
				invalid.Fields = append(invalid.Fields, domain.FieldError{Field: name, Rule: detail.Message})
			}
		}
		return problemOf(invalid)
	}
})
