// Package feed copies the log to NATS JetStream, where downstream services follow it. The stream LEDGER holds event n at sequence
// n; it is derived from the log and made whole from it whenever it lags, loses its tail, or is deleted.
package feed

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/collabledger/collabledger/eventstore"
)

// What the stream is called, and what it listens to.
const (
	StreamName    = "LEDGER"                       // the JetStream stream that holds the log's copy
	SubjectPrefix = "ledger.events"                // what every event's subject begins with
	EpochMetadata = "ledger-epoch"                 // the stream's metadata key that tells which incarnation of the log it is a copy of
	allSubjects   = SubjectPrefix + ".>"           // all events
	contentType   = "application/cloudevents+json" // CloudEvents in structured mode
)

// Headers of a message beside the expected last sequence. Their names are lower-case, as CloudEvents and W3C Trace Context write
// them; NATS tells upper from lower case.
const (
	contentTypeHeader = "content-type"
	traceParentHeader = "traceparent"
)

// ErrForeignStream stops a relay whose stream is not a copy of its log: of another epoch, past the log's end, or with another
// event in the same place. Going on would skip or mix events, so somebody has to look: point the ledger at a broker of its own,
// or, after a restore of the log, delete the stream and start again; the relay then fills a new one from position 1.
var ErrForeignStream = errors.New("feed: the stream " + StreamName + " is not a copy of this log")

// errNoSubject stops a relay at an event that it cannot publish. Nothing is skipped.
var errNoSubject = errors.New("feed: an event has no subject")

// streamConfig is the stream as the relay makes it when there is none. Of one that exists it changes only what its settings say.
//
// Single events cannot be deleted, since a hole could never be filled again; purging old ones to win back space, and deleting the
// whole stream to have it filled anew, remain possible. One replica is safe: what a broker loses is published again.
func streamConfig(epoch uuid.UUID, first int64, settings Settings) jetstream.StreamConfig {
	config := jetstream.StreamConfig{
		Name:        StreamName,
		Description: "The collaboration ledger's events: the sequence is the position in the log",
		Subjects:    []string{allSubjects},
		Storage:     jetstream.FileStorage,
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardOld,
		FirstSeq:    uint64(first),
		DenyDelete:  true,
		AllowDirect: true,
		Metadata:    map[string]string{EpochMetadata: epoch.String()},
	}
	settings.apply(&config)
	return config
}

// Subject is where an event is published: ledger.events.<stream kind>.<event>.<id>, for example
// ledger.events.collaboration.CollaborationAccepted.6b5f…, so that a service can subscribe to the kinds and events it needs. The
// event is the type without its kind and version.
func Subject(record eventstore.Record) (string, error) {
	kind, rest, _ := strings.Cut(record.Type, ".")
	event, version, _ := strings.Cut(rest, ".")
	if kind == "" || event == "" || version == "" || strings.Contains(version, ".") {
		return "", fmt.Errorf("%w: the type of the event at position %d is %q, which is not of the form kind.Event.version",
			errNoSubject, record.Position, record.Type)
	}
	return SubjectPrefix + "." + record.Stream.Kind + "." + event + "." + record.Stream.ID.String(), nil
}

// message is a record on its way to the stream. Its body is the record's bytes.
//
// It carries no Nats-Msg-Id: the expected last sequence alone refuses every repeat, and for good, where JetStream's dedupe is a
// window of time and would confirm what it has not stored in its place.
func message(record eventstore.Record) (*nats.Msg, error) {
	subject, err := Subject(record)
	if err != nil {
		return nil, err
	}
	header := nats.Header{contentTypeHeader: {contentType}}
	if parent := traceParent(record.Bytes); parent != "" {
		header[traceParentHeader] = []string{parent}
	}
	return &nats.Msg{Subject: subject, Header: header, Data: record.Bytes}, nil
}

// traceParent finds the record's W3C trace context, or nothing. The data is the last attribute and may have a member of the same
// name, so it is not searched; inside a JSON string every quote is escaped, so no other attribute's value can read so.
func traceParent(record []byte) string {
	attributes, _, _ := bytes.Cut(record, []byte(`,"data":`))
	_, rest, _ := bytes.Cut(attributes, []byte(`,"traceparent":"`))
	parent, _, _ := bytes.Cut(rest, []byte{'"'})
	return string(parent)
}
