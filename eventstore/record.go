package eventstore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Envelope is a record's CloudEvents attributes, for readers who need more than the columns of a Record.
type Envelope struct {
	ID            string          `json:"id"`
	Source        string          `json:"source"`
	Type          string          `json:"type"`
	Subject       string          `json:"subject"`
	Time          time.Time       `json:"time"`
	Sequence      string          `json:"sequence"`
	StreamVersion string          `json:"streamversion"`
	Actor         string          `json:"actor"`
	OnBehalfOf    string          `json:"onbehalfof"`
	CommandID     string          `json:"commandid"`
	CorrelationID string          `json:"correlationid"`
	CausationID   string          `json:"causationid"`
	TraceParent   string          `json:"traceparent"`
	Data          json.RawMessage `json:"data"`
}

// Envelope decodes the record's attributes and keeps its data as it is.
func (r Record) Envelope() (Envelope, error) {
	var e Envelope
	if err := json.Unmarshal(r.Bytes, &e); err != nil {
		return Envelope{}, fmt.Errorf("record at position %d: %w", r.Position, err)
	}
	return e, nil
}

// Data is the event's own part of the record. It is the last attribute, and inside a JSON string every quote is escaped, so the
// first place that reads ,"data": is where it begins.
func (r Record) Data() (json.RawMessage, error) {
	_, data, ok := bytes.Cut(r.Bytes, []byte(`,"data":`))
	if !ok || len(data) < 2 {
		return nil, fmt.Errorf("record at position %d has no data", r.Position)
	}
	return json.RawMessage(data[:len(data)-1]), nil
}
