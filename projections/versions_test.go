package projections

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/audit"
	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

// shape is how an event was written before its last change: under which name, and what another field was then.
type shape struct{ name, field, was string }

// outdated finds the shapes before the newest, by the names of the newest.
func outdated() map[string]shape {
	return map[string]shape{
		"collaboration.ConversationRead.v2": {"collaboration.ConversationRead.v1", `"messagesRead":`, `"upTo":`},
	}
}

func TestEveryEarlierVersionIsPlayed(t *testing.T) {
	for _, version := range domain.Versions() {
		if version.Successor != "" {
			require.Equal(t, version.Name, outdated()[version.Successor].name)
		}
	}
}

// A log that an earlier ledger wrote, in the versions of then, folds to the same states and the same rows as if it had been written in
// those of today, and is as sound. Only what shows a record as it was written shows the version of then.
func TestALogOfEarlierVersionsIsTheSameStory(t *testing.T) {
	for name, open := range map[string]func(*testing.T) *sqldb.DB{
		"sqlite":   func(t *testing.T) *sqldb.DB { return sqldbtest.SQLite(t) },
		"postgres": func(t *testing.T) *sqldb.DB { return sqldbtest.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			today := newLedger(t, open(t))
			c := newCast(today)
			both := pair(c.consultancies[0], c.clients[0])
			today.do(c.clients[0].owner, commands.SendMessage{PairFields: both, Body: "Good morning"})
			today.do(c.consultancies[0].owner, commands.MarkConversationRead{PairFields: both})
			today.do(c.consultancies[0].owner, commands.SendMessage{PairFields: both, Body: "Good morning to you"})
			today.do(c.clients[0].owner, commands.MarkConversationRead{PairFields: both})
			for seed := range 3 {
				for _, s := range runs().Example(seed) {
					c.take(s)
				}
			}
			then := newLedger(t, open(t))
			require.GreaterOrEqual(t, then.rewrite(today), 2)

			require.Equal(t, today.states(), then.states())
			now, before := today.caughtUp(), then.caughtUp()
			want := allRows(t, now)
			for _, table := range []string{history.table.name, notifications.table.name} { // these keep records
				for i, row := range want[table] {
					for name, o := range outdated() {
						if strings.Contains(row, "type="+name) {
							want[table][i] = strings.ReplaceAll(strings.ReplaceAll(row, name, o.name), o.field, o.was)
						}
					}
				}
			}
			require.Equal(t, want, allRows(t, before))

			told, err := now.History(t.Context(), staff, historyOf(both))
			require.NoError(t, err)
			then.now = today.now
			again, err := before.History(t.Context(), staff, historyOf(both))
			require.NoError(t, err)
			for i, item := range told.Items {
				if o, changed := outdated()[item.Type]; changed {
					told.Items[i].Type = o.name
				}
			}
			require.Equal(t, told, again)

			report, err := audit.Check(t.Context(), then.store, audit.Options{})
			require.NoError(t, err)
			require.Positive(t, report.Events)
			require.Empty(t, report.Violations)
		})
	}
}

// rewrite writes another ledger's log as an earlier version would have, append by append, and tells how many events that changed.
func (l *ledger) rewrite(from *ledger) (changed int) {
	l.t.Helper()
	versions := map[eventstore.StreamID]int64{}
	var a eventstore.Append
	write := func() {
		_, err := l.store.Append(l.t.Context(), a)
		require.NoError(l.t, err)
		for _, e := range a.Events {
			versions[e.Stream]++
		}
	}
	records := from.records()
	for i, record := range records {
		envelope, err := record.Envelope()
		require.NoError(l.t, err)
		if i == 0 || record.CommandID != records[i-1].CommandID {
			if i > 0 {
				write()
			}
			l.now = record.RecordedAt
			a = eventstore.Append{
				CommandID: record.CommandID, Actor: envelope.Actor, OnBehalfOf: envelope.OnBehalfOf,
				CorrelationID: envelope.CorrelationID, CausationID: envelope.CausationID, TraceParent: envelope.TraceParent,
			}
		}
		event := eventstore.NewEvent{ID: uuid.MustParse(envelope.ID), Stream: record.Stream, Type: record.Type, Data: envelope.Data}
		if o, ok := outdated()[record.Type]; ok {
			event.Type, event.Data = o.name, bytes.Replace(envelope.Data, []byte(o.field), []byte(o.was), 1)
			require.NotEqual(l.t, string(envelope.Data), string(event.Data))
			changed++
		}
		if record.Version == versions[record.Stream]+1 {
			a.Expect = append(a.Expect, eventstore.StreamVersion{Stream: record.Stream, Version: versions[record.Stream]})
		}
		a.Events = append(a.Events, event)
	}
	write()
	return changed
}

// records reads the whole log.
func (l *ledger) records() (all []eventstore.Record) {
	l.t.Helper()
	for {
		page, err := l.store.ReadAll(l.t.Context(), int64(len(all)), eventstore.MaxPageEvents)
		require.NoError(l.t, err)
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
	}
}

// states folds every stream of the log as commands do.
func (l *ledger) states() map[string]any {
	l.t.Helper()
	states := map[string]any{}
	for _, record := range l.records() {
		id := record.Stream.ID
		switch record.Stream.Kind {
		case domain.AccountStream:
			states[record.Stream.String()] = stateOf[domain.Account](l, record.Stream.Kind, id)
		case domain.PartnershipStream:
			states[record.Stream.String()] = stateOf[domain.Partnership](l, record.Stream.Kind, id)
		case domain.CollaborationStream:
			states[record.Stream.String()] = stateOf[domain.Collaboration](l, record.Stream.Kind, id)
		case domain.SessionStream:
			states[record.Stream.String()] = stateOf[domain.Session](l, record.Stream.Kind, id)
		case domain.TaskStream:
			states[record.Stream.String()] = stateOf[domain.Task](l, record.Stream.Kind, id)
		case domain.NotificationsStream:
			states[record.Stream.String()] = stateOf[domain.Notifications](l, record.Stream.Kind, id)
		default:
			require.Fail(l.t, fmt.Sprintf("nothing plays a stream of the kind %s so far", record.Stream.Kind))
		}
	}
	return states
}
