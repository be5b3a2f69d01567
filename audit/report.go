package audit

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/eventstore"
)

// Report is what a check found.
type Report struct {
	Epoch      uuid.UUID   `json:"epoch"`             // of the log, which another one has after a restore
	Events     int64       `json:"events"`            // that were read
	Streams    int         `json:"streams"`           // that they belong to
	Found      int         `json:"found"`             // how many violations there are
	Violations []Violation `json:"violations"`        // in the order of the log, MaxFindings at most
	Denied     int         `json:"denied"`            // how much the policy would have refused
	Refused    []Violation `json:"refused,omitempty"` // what that is, in the order of the log, MaxFindings at most
}

// Violation is an event that breaks a rule.
type Violation struct {
	Code   Code       `json:"code"`             // of the rule; for a policy, the name of its rule
	Source string     `json:"source"`           // where the rule comes from: an invariant, or a step of the guide
	Detail string     `json:"detail"`           // what is wrong, in one sentence
	Events []EventRef `json:"events,omitempty"` // the one that breaks it, and then those that it contradicts
}

// EventRef names an event of the log.
type EventRef struct {
	Position int64
	Type     string
	Stream   eventstore.StreamID
	Time     time.Time
}

// refTo names a record.
func refTo(r eventstore.Record) EventRef {
	return EventRef{Position: r.Position, Type: r.Type, Stream: r.Stream, Time: r.RecordedAt}
}

// MarshalJSON names the stream as records do. Of bytes that are no record only the position is known.
func (e EventRef) MarshalJSON() ([]byte, error) {
	if e.Type == "" {
		return json.Marshal(struct {
			Position int64 `json:"position"`
		}{e.Position})
	}
	return json.Marshal(struct {
		Position int64     `json:"position"`
		Type     string    `json:"type"`
		Stream   string    `json:"stream"`
		Time     time.Time `json:"time"`
	}{e.Position, e.Type, e.Stream.String(), e.Time.UTC()})
}

// add takes a violation down.
func (r *Report) add(rule Code, events []EventRef, detail string, args ...any) {
	r.Found++
	if len(r.Violations) < MaxFindings {
		r.Violations = append(r.Violations, Violation{Code: rule, Source: source(rule), Detail: fmt.Sprintf(detail, args...), Events: events})
	}
}

// deny takes down what a rule of a policy would have refused.
func (r *Report) deny(rule string, events []EventRef, detail string) {
	r.Denied++
	if len(r.Refused) < MaxFindings {
		r.Refused = append(r.Refused, Violation{Code: Code(rule), Source: "policy", Detail: detail, Events: events})
	}
}
