package webhooks

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
)

// State is how the part that looks through the log is.
type State string

// The states.
const (
	Live     State = "live"
	Retrying State = "retrying" // something does not answer; it is tried again
	Stopped  State = "stopped"  // it has met an event that this version cannot read, and goes no further; nothing is skipped
)

// FollowStatus tells how far this node has looked through the log for what is to be sent.
type FollowStatus struct {
	Position      int64   `json:"position" doc:"Position of the last event that is looked at"`
	Behind        int64   `json:"behind" doc:"Events that are not looked at yet"`
	BehindSeconds float64 `json:"behindSeconds" doc:"Seconds since the first of them was recorded; 0 when there is none"`
	State         State   `json:"state" doc:"live, retrying or stopped"`
	Error         string  `json:"error,omitempty" doc:"Why it is not live"`
}

// Backlog counts what all nodes know of all webhooks.
type Backlog struct {
	Waiting     int                          // events that are still to be sent
	DeadLetters int                          // that are kept
	Webhooks    map[domain.WebhookStatus]int // active and paused ones
}

// stopError says that the log is not looked through any further.
type stopError struct {
	record eventstore.Record
	err    error
}

func (e *stopError) Error() string {
	return fmt.Sprintf("webhooks cannot read position %d (%s): %v", e.record.Position, e.record.Type, e.err)
}

func (e *stopError) Unwrap() error { return e.err }

// standing is how looking through the log goes.
type standing struct {
	state State
	err   error
	at    int64 // position of the event at which it stopped
}

// goesOn notes that the log is looked through up to a position, unless it stopped at an event behind that.
func (s *Sender) goesOn(position int64) {
	s.reached.Store(position)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.standing.state != Stopped || position >= s.standing.at {
		s.standing = standing{state: Live}
	}
}

// fails notes why looking through the log has ended. Whoever runs it tries again.
func (s *Sender) fails(err error) {
	now := standing{state: Retrying, err: err}
	if stop, ok := errors.AsType[*stopError](err); ok {
		now.state, now.at = Stopped, stop.record.Position
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.state == Stopped || s.standing.state != Stopped {
		s.standing = now
	}
}

// Status tells how far this node has come. Any node may note what is to be sent, so each tells for itself.
func (s *Sender) Status(ctx context.Context) (FollowStatus, error) {
	s.mu.Lock()
	now := s.standing
	s.mu.Unlock()
	status := FollowStatus{Position: s.reached.Load(), State: now.state}
	if now.err != nil {
		status.Error = now.err.Error()
	}
	head, err := s.Store.Head(ctx)
	if err != nil {
		return status, fmt.Errorf("status of the webhooks: %w", err)
	}
	if status.Behind = max(0, head.Position-status.Position); status.Behind == 0 {
		return status, nil
	}
	next, err := s.Store.ReadAll(ctx, status.Position, 1)
	if err != nil {
		return status, fmt.Errorf("status of the webhooks: %w", err)
	}
	for _, first := range next {
		status.BehindSeconds = max(0, s.now().Sub(first.RecordedAt).Seconds())
	}
	return status, nil
}

// Backlog counts what waits and what was given up.
func (s *Sender) Backlog(ctx context.Context) (Backlog, error) {
	b := Backlog{Webhooks: map[domain.WebhookStatus]int{}}
	var active, paused int
	err := s.DB.Read.QueryRowContext(ctx, `SELECT
		(SELECT count(*) FROM webhook_deliveries WHERE state = 'pending'), (SELECT count(*) FROM webhook_deliveries WHERE state = 'dead'),
		(SELECT count(*) FROM webhooks WHERE status = 'active'), (SELECT count(*) FROM webhooks WHERE status = 'paused')`).
		Scan(&b.Waiting, &b.DeadLetters, &active, &paused)
	if err != nil {
		return Backlog{}, fmt.Errorf("backlog of the webhooks: %w", err)
	}
	b.Webhooks[domain.WebhookActive], b.Webhooks[domain.WebhookHalted] = active, paused
	return b, nil
}

// Outcomes of what this node does, as its metric tells them.
const (
	outcomeDelivered = "delivered"
	outcomeFailed    = "failed" // an attempt, and another one follows
	outcomeDead      = "dead"   // given up: the event is a dead letter
)

// newOutcomes makes the metric of outcomes, each of which is there from the beginning.
func newOutcomes() *prometheus.CounterVec {
	outcomes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "ledger_webhook_outcomes_total",
		Help: "What came of events for webhooks, on this node: delivered; failed, each attempt after which another follows; dead, given up.",
	}, []string{"outcome"})
	for _, outcome := range []string{outcomeDelivered, outcomeFailed, outcomeDead} {
		outcomes.WithLabelValues(outcome)
	}
	return outcomes
}
