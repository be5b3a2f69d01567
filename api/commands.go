package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

// addCommands adds an operation for each command of the list.
func (e *edge) addCommands() {
	for _, spec := range e.Executor.Registry.Specs() {
		count := e.metrics.command(spec.Name)
		e.handle(keyRequired, e.commandOperation(spec), func(w http.ResponseWriter, r *http.Request, actor domain.Actor) error {
			started := time.Now()
			answer, err := e.execute(w, r, actor, spec.Name)
			count(err, time.Since(started))
			if err != nil {
				return err
			}
			w.Header().Set("Ledger-Position", strconv.FormatInt(answer.Position, 10))
			if answer.Repeated {
				w.Header().Set("Idempotency-Replayed", "true")
			}
			return writeJSON(w, http.StatusOK, answer)
		})
	}
	e.mux.HandleFunc("POST /v1/commands/{name}", func(w http.ResponseWriter, r *http.Request) {
		_, _, err := e.Executor.Registry.Decode(r.PathValue("name"), nil) // says that there is no such command
		e.refuse(w, r, err)
	})
}

// execute hands a request's command to the executor, which decodes and checks the body.
func (e *edge) execute(w http.ResponseWriter, r *http.Request, actor domain.Actor, name string) (commands.Answer, error) {
	request, err := commandRequest(r.Header, actor, name)
	if err != nil {
		return commands.Answer{}, err
	}
	if request.Body, err = readBody(w, r); err != nil {
		return commands.Answer{}, err
	}
	return e.Executor.Execute(e.deadlines.from(time.Now()), request) // from now on, however slowly the body came
}

// commandRequest reads what the headers say of a command.
func commandRequest(headers http.Header, actor domain.Actor, name string) (commands.Request, error) {
	r := commands.Request{Name: name, Actor: actor, TraceParent: traceParent(headers.Get("Traceparent"))}
	if err := checkJSON(headers.Get("Content-Type")); err != nil {
		return r, err
	}
	var err error
	if r.ID, err = parseIdempotencyKey(headers.Get("Idempotency-Key")); err != nil {
		return r, err
	}
	if r.IfVersion, err = parseIfMatch(headers); err != nil {
		return r, err
	}
	if r.CorrelationID, err = parseContext(headers, "Ledger-Correlation-Id"); err != nil {
		return r, err
	}
	r.CausationID, err = parseContext(headers, "Ledger-Causation-Id")
	return r, err
}

// readBody reads a command's body up to its limit.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, commands.MaxBodyBytes))
	if err == nil {
		return body, nil
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, &domain.Error{Kind: domain.TooLarge, Code: "body_too_large", Detail: fmt.Sprintf("a command's body has at most %d bytes", commands.MaxBodyBytes)}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, httpProblem(http.StatusRequestTimeout, "body_too_slow", "the body did not arrive in time")
	}
	return nil, &domain.Error{Kind: domain.Malformed, Code: "body_incomplete", Detail: "the body broke off", Err: err}
}

// writeJSON answers with a value. What cannot be encoded becomes an error while it still can.
func writeJSON(w http.ResponseWriter, status int, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a caller that has gone needs no answer
	return nil
}
