package commands

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/sqldb"
)

// Limits of Execute.
const (
	MaxAttempts  = 64                   // decisions on one command, each after a race lost; then the answer is a conflict
	MaxRetryWait = 5 * time.Millisecond // between two of them; the actual wait is random below it
	usualStreams = 5                    // that a decision about a pair's work reads; others may read more
)

// Request is one command as an edge hands it over.
type Request struct {
	ID        uuid.UUID // the Idempotency-Key
	Name      string
	Body      []byte // JSON
	Actor     domain.Actor
	IfVersion *int64 // refuse the command unless the first stream it extends is at this version (If-Match)

	CorrelationID, CausationID, TraceParent string
}

// Answer is what an accepted command did. A repeated command gets the first answer again.
type Answer struct {
	CommandID uuid.UUID  `json:"commandId" doc:"The command's Idempotency-Key"`
	Position  int64      `json:"position" doc:"Place in the log that a query must have reached to show the outcome (minPosition)"`
	Events    []EventRef `json:"events" doc:"What happened, in order"`
	Result    any        `json:"result" doc:"What the command created"`
	Repeated  bool       `json:"-"`
}

// EventRef names one event of an answer.
type EventRef struct {
	Type     string `json:"type" doc:"Wire name of the event" example:"collaboration.CollaborationAccepted.v1"`
	Stream   string `json:"stream" doc:"Stream that it extends"`
	Version  int64  `json:"version" doc:"Place in the stream, from 1"`
	Position int64  `json:"position" doc:"Place in the log, from 1"`
}

// Executor takes commands from the edges to the store.
type Executor struct {
	Store    *eventstore.Store
	States   *States
	Registry *Registry
	Tokens   *TokenSigner
	Clock    func() time.Time
	NewID    func() uuid.UUID

	AllowInternalWebhooks bool // take http to this machine as a webhook's URL, for tests and development
}

// hashedRequest is a request with its command and what is hashed of both.
type hashedRequest struct {
	Request
	spec    Spec
	command Command
	actor   string // the Actor's name
	hash    [sha256.Size]byte
}

// hashRequest hashes what is asked and by whom, however the JSON was written: the same id in another's hands is another command.
func hashRequest(r Request, spec Spec, command Command) (hashedRequest, error) {
	canonical, err := json.Marshal(command)
	if err != nil {
		return hashedRequest{}, fmt.Errorf("encode %s: %w", r.Name, err)
	}
	actor := r.Actor.String()
	hash := sha256.Sum256(append([]byte(r.Name+"\n"+actor+"\n"), canonical...))
	return hashedRequest{Request: r, spec: spec, command: command, actor: actor, hash: hash}, nil
}

// Execute decodes a command strictly, decides it on current states, appends what it raises, and answers. Its errors are
// *domain.Error. A race lost is decided again from fresh states, up to MaxAttempts times.
func (x *Executor) Execute(ctx context.Context, r Request) (Answer, error) {
	spec, command, err := x.Registry.Decode(r.Name, r.Body)
	if err != nil {
		return Answer{}, err
	}
	if r.ID == uuid.Nil {
		return Answer{}, domain.Invalid("Idempotency-Key", "a UUID that is not all zeros")
	}
	hashed, err := hashRequest(r, spec, command)
	if err != nil {
		return Answer{}, storeError(err)
	}
	for attempt := 1; ; attempt++ {
		answer, again, err := x.attempt(ctx, hashed, attempt == 1)
		if err == nil {
			return answer, nil
		}
		if !again {
			return Answer{}, storeError(err)
		}
		if attempt == MaxAttempts {
			return Answer{}, &domain.Error{Kind: domain.Conflict, Code: "conflict", Detail: "others kept changing the same thing; try again", Err: err}
		}
		select {
		case <-ctx.Done():
			return Answer{}, storeError(ctx.Err())
		case <-time.After(rand.N(MaxRetryWait)):
		}
	}
}

// attempt decides and appends once. again tells whether the failure was a race lost on states that are no longer current.
func (x *Executor) attempt(ctx context.Context, r hashedRequest, guess bool) (answer Answer, again bool, err error) {
	d := &Decision{
		Actor: r.Actor, Now: x.now(), ctx: ctx, states: x.States, newID: x.NewID, guess: guess, internalWebhooks: x.AllowInternalWebhooks,
		expect: make([]eventstore.StreamVersion, 0, usualStreams), loaded: make([]cachedState, 0, usualStreams),
	}
	if err := r.command.Decide(d); err != nil {
		return x.rejected(ctx, r, d, err)
	}
	if err := d.checkVersion(r.IfVersion); err != nil {
		return x.rejected(ctx, r, d, err)
	}
	events, err := d.events()
	if err != nil {
		return Answer{}, false, err
	}
	actor, onBehalfOf := r.actor, ""
	if r.Actor.Via != "" {
		actor, onBehalfOf = r.Actor.Via, actor
	}
	appended, err := x.Store.Append(ctx, eventstore.Append{
		CommandID: r.ID, BodyHash: r.hash, Expect: d.expect, Events: events, Before: d.before,
		Actor: actor, OnBehalfOf: onBehalfOf, CorrelationID: r.CorrelationID, CausationID: r.CausationID, TraceParent: r.TraceParent,
	})
	if conflict, ok := errors.AsType[*eventstore.ConflictError](err); ok {
		x.States.lost(conflict)
		return Answer{}, true, err
	}
	if errors.Is(err, eventstore.ErrLate) { // else it would stand in the log behind the end of what permits it (invariant 3)
		return Answer{}, true, err
	}
	if err != nil {
		return Answer{}, false, err
	}
	if appended.Repeated {
		answer, err = x.repeat(r, appended)
		return answer, false, err
	}
	if n := len(appended.Records); n > 0 {
		x.States.learn(d, appended.Records[n-1].RecordedAt)
	}
	answer, err = x.answer(r, appended, d.facts(nil))
	return answer, false, err
}

// rejected makes sure that a refusal is true: a command that was accepted before gets its first answer, and a refusal based on
// states that have changed meanwhile is decided again.
func (x *Executor) rejected(ctx context.Context, r hashedRequest, d *Decision, refusal error) (Answer, bool, error) {
	record, appended, found, err := x.Store.Command(ctx, r.ID)
	if err != nil {
		return Answer{}, false, fmt.Errorf("%w: %w", eventstore.ErrUnavailable, err)
	}
	if found {
		if record.BodyHash != r.hash {
			return Answer{}, false, eventstore.ErrCommandReused
		}
		answer, err := x.repeat(r, appended)
		return answer, false, err
	}
	streams := make([]eventstore.StreamID, len(d.expect))
	for i, expected := range d.expect {
		streams[i] = expected.Stream
	}
	versions, err := x.Store.Versions(ctx, streams)
	if err != nil {
		return Answer{}, false, fmt.Errorf("%w: %w", eventstore.ErrUnavailable, err)
	}
	for i, expected := range d.expect {
		if versions[i] != expected.Version {
			conflict := &eventstore.ConflictError{Stream: expected.Stream, Expected: expected.Version, Actual: versions[i]}
			x.States.lost(conflict)
			err = errors.Join(err, conflict)
		}
	}
	if err != nil {
		return Answer{}, true, err
	}
	return Answer{}, false, refusal
}

// checkVersion holds the first stream that the command extends to the version that the caller has seen.
func (d *Decision) checkVersion(want *int64) error {
	if want == nil || len(d.raised) == 0 {
		return nil
	}
	i := slices.IndexFunc(d.expect, func(e eventstore.StreamVersion) bool { return e.Stream == d.raised[0].stream })
	if i >= 0 && d.expect[i].Version != *want {
		return &domain.Error{Kind: domain.Stale, Code: "stale_version", Detail: fmt.Sprintf("%s is at version %d, not %d", d.expect[i].Stream, d.expect[i].Version, *want)}
	}
	return nil
}

// repeat rebuilds the answer to a command that was accepted before from what the log holds.
func (x *Executor) repeat(r hashedRequest, appended eventstore.Appended) (Answer, error) {
	events, err := x.States.decode(appended.Records)
	if err != nil {
		return Answer{}, err
	}
	return x.answer(r, appended, events)
}

// answer makes the answer from the command and its events alone, so that it is the same whenever it is given.
func (x *Executor) answer(r hashedRequest, appended eventstore.Appended, events []domain.Event) (Answer, error) {
	result, err := r.spec.result(x, r.command, events)
	if err != nil {
		return Answer{}, err
	}
	answer := Answer{CommandID: r.ID, Position: appended.Last, Events: make([]EventRef, len(appended.Records)), Result: result, Repeated: appended.Repeated}
	for i, record := range appended.Records {
		answer.Events[i] = EventRef{Type: record.Type, Stream: record.Stream.String(), Version: record.Version, Position: record.Position}
	}
	return answer, nil
}

// now is the moment of decision, in the log's precision. It is not before the log's last event: with a clock that has gone back,
// authority would outlive its end in the log (invariant 3).
func (x *Executor) now() time.Time {
	now := x.Clock().UTC().Truncate(time.Microsecond)
	if last := x.Store.CommittedAt(); now.Before(last) {
		return last
	}
	return now
}

// storeError says in the ledger's own terms what the store answered.
func storeError(err error) error {
	switch {
	case errors.Is(err, eventstore.ErrCommandReused):
		return &domain.Error{Kind: domain.Refused, Code: "idempotency_key_reused", Detail: "this Idempotency-Key was used for another command", Err: err}
	case errors.Is(err, eventstore.ErrQueueFull):
		return &domain.Error{Kind: domain.Unavailable, Code: "overloaded", Detail: "too many commands are waiting; try again", Err: err}
	case sqldb.IsFull(err):
		return &domain.Error{Kind: domain.Unavailable, Code: "storage_full", Detail: "the ledger's storage is full; once there is space, try again with the same Idempotency-Key", Err: err}
	case errors.Is(err, eventstore.ErrUnavailable), errors.Is(err, eventstore.ErrClosed):
		return &domain.Error{Kind: domain.Unavailable, Code: "unavailable", Detail: "the event store does not answer; try again with the same Idempotency-Key", Err: err}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &domain.Error{Kind: domain.Unavailable, Code: "timeout", Detail: "no answer in time; try again with the same Idempotency-Key", Err: err}
	case errors.Is(err, eventstore.ErrInvalid):
		return &domain.Error{Kind: domain.Malformed, Code: "invalid_context", Detail: "the names of actor, correlation, causation or trace break a limit of the log", Err: err}
	}
	return domain.AsError(err)
}
