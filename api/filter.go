package api

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/projections"
)

// EventFilter is which events a caller asks for, as the parameters say. Without one it is all that are theirs to see.
type EventFilter struct {
	Stream string `query:"stream" maxLength:"100" doc:"Only events of this stream, for example collaboration-0192f3c4-0000-7000-8000-000000000001"`
	Type   string `query:"type" maxLength:"2000" doc:"Only events of these types, divided by commas, for example collaboration.AccessGranted.v1, or collaboration.AccessGranted for all versions"`
	Party  string `query:"party" maxLength:"36" doc:"Only events to which this account is a party"`
}

// wanted is a filter that was read.
type wanted struct {
	stream eventstore.StreamID // of any when it is zero
	types  []string            // of any when it is empty
	party  uuid.UUID           // of any when it is nil
}

// read reads the parameters. A type that the ledger does not know is an error: nothing would ever come.
func (f EventFilter) read(catalog *domain.Catalog) (wanted, error) {
	var w wanted
	var err error
	if f.Stream != "" {
		if w.stream, err = eventstore.ParseStreamID(f.Stream); err != nil {
			return w, domain.Invalid("stream", "must be a kind of stream, a hyphen and a UUID")
		}
	}
	if f.Type != "" {
		w.types = strings.Split(f.Type, ",")
	}
	for _, name := range w.types {
		if !catalog.Knows(name) {
			return w, domain.Invalid("type", fmt.Sprintf("must be types of events, divided by commas; %q is none", name))
		}
	}
	if f.Party != "" {
		if w.party, err = uuid.Parse(f.Party); err != nil || len(f.Party) != len(w.party.String()) {
			return w, domain.Invalid("party", "must be the UUID of an account")
		}
	}
	return w, nil
}

// showsAll tells whether every event of what is read is asked for, and the viewer's to see.
func (w wanted) showsAll(v projections.Viewer) bool {
	return len(w.types) == 0 && w.party == uuid.Nil && v.MaySee() // without a party to name: whoever sees everything
}

// shows tells whether an event is asked for, and the viewer's to see: whether the account for which they act is one of its parties.
func (e *edge) shows(v projections.Viewer, w wanted, record eventstore.Record) (bool, error) {
	switch {
	case w.stream != eventstore.StreamID{} && record.Stream != w.stream:
		return false, nil
	case len(w.types) > 0 && !domain.AnyOf(w.types, record.Type):
		return false, nil
	case v.MaySee() && w.party == uuid.Nil: // without a party to name: whoever sees everything
		return true, nil
	}
	data, err := record.Data()
	if err != nil {
		return false, err
	}
	event, err := e.catalog.Decode(record.Type, data)
	if err != nil {
		return false, fmt.Errorf("position %d: %w", record.Position, err)
	}
	parties := event.Parties()
	return v.MaySee(parties...) && (w.party == uuid.Nil || slices.Contains(parties, w.party)), nil
}
