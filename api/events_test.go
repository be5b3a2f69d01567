package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/api"
	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
)

// eventPage is a page of the log as it came, with its records untouched.
type eventPage struct {
	Items []json.RawMessage `json:"items"`
	Next  string            `json:"next"`
}

// raise puts events into the log as no command would.
func (l *ledger) raise(stream eventstore.StreamID, kind string, data ...string) {
	l.t.Helper()
	events := make([]eventstore.NewEvent, len(data))
	for i, d := range data {
		events[i] = eventstore.NewEvent{ID: uuid.New(), Stream: stream, Type: kind, Data: json.RawMessage(d)}
	}
	versions, err := l.config.Store.Versions(l.t.Context(), []eventstore.StreamID{stream})
	require.NoError(l.t, err)
	_, err = l.config.Store.Append(l.t.Context(), eventstore.Append{
		CommandID: uuid.New(), Expect: []eventstore.StreamVersion{{Stream: stream, Version: versions[0]}}, Events: events, Actor: "service:operator",
	})
	require.NoError(l.t, err)
}

func TestEventPagesAreTheLogByteForByte(t *testing.T) {
	w := startWorld(t)
	records, err := w.config.Store.ReadAll(t.Context(), 0, eventstore.MaxPageEvents)
	require.NoError(t, err)
	position, after := 0, "0"
	for after != "" {
		page := into[eventPage](t, w.get("/v1/events?limit=4&after="+after, ""))
		for _, item := range page.Items {
			require.Equal(t, string(records[position].Bytes), string(item))
			position++
		}
		after = page.Next
	}
	require.Len(t, records, position)
}

// Pages and the stream take the same filters.
func TestEventsAreFiltered(t *testing.T) {
	w := startWorld(t)
	records, err := w.config.Store.ReadAll(t.Context(), 0, eventstore.MaxPageEvents)
	require.NoError(t, err)
	collaboration := domain.CollaborationStream + "-" + domain.Pair(w.pair()).CollaborationID().String()
	names := func(record eventstore.Record, account uuid.UUID) bool {
		return strings.Contains(string(record.Bytes), account.String())
	}
	for name, c := range map[string]struct {
		as, query string
		want      func(eventstore.Record) bool
	}{
		"of a stream": {"", "stream=" + collaboration, func(r eventstore.Record) bool { return r.Stream.String() == collaboration }},
		"of types": {"", "type=account.AccountRegistered.v1,collaboration.CollaborationRequested.v1", func(r eventstore.Record) bool {
			return r.Type == "account.AccountRegistered.v1" || r.Type == "collaboration.CollaborationRequested.v1"
		}},
		"of all versions of types": {"", "type=account.AccountRegistered,collaboration.CollaborationRequested.v1", func(r eventstore.Record) bool {
			return r.Type == "account.AccountRegistered.v1" || r.Type == "collaboration.CollaborationRequested.v1"
		}},
		"of a party": {"", "party=" + w.espiga.account.String(), func(r eventstore.Record) bool { return names(r, w.espiga.account) }},
		"of all of these": {"", "type=account.AccountRegistered.v1&party=" + w.espiga.account.String(), func(r eventstore.Record) bool {
			return r.Type == "account.AccountRegistered.v1" && names(r, w.espiga.account)
		}},
		"a person's of both": {w.vidal.String(), "party=" + w.espiga.account.String(), func(r eventstore.Record) bool { return names(r, w.vidal.account) && names(r, w.espiga.account) }},
	} {
		t.Run(name, func(t *testing.T) {
			var want []string
			for _, record := range records {
				if c.want(record) {
					want = append(want, string(record.Bytes))
				}
			}
			require.NotEmpty(t, want)
			require.Less(t, len(want), len(records))
			var paged, streamed []string
			for _, item := range into[eventPage](t, w.get("/v1/events?limit=1000&"+c.query, c.as)).Items {
				paged = append(paged, string(item))
			}
			require.Equal(t, want, paged)
			stream := w.stream(t, c.as, 0, c.query)
			for range want {
				streamed = append(streamed, stream.next(t).Data)
			}
			require.Equal(t, want, streamed)
		})
	}
	for query, field := range map[string]string{
		"stream=collaboration": "stream", "type=collaboration.Imagined.v1": "type", "type=account.AccountRegistered.v1,": "type", "party=espiga": "party",
		"party=urn:uuid:" + w.espiga.account.String(): "party", "kind=task": "kind",
	} {
		for _, path := range []string{"/v1/events?", "/v1/events/stream?"} {
			problem := w.get(path+query, "").problem(t, http.StatusBadRequest, "invalid")
			require.Equal(t, field, problem.Errors[0].Field, path+query)
		}
	}
}

// A stream is read page by page without the rest of the log, from any position on.
func TestEventsOfAStreamFromAnyPosition(t *testing.T) {
	w := startWorld(t)
	records, err := w.config.Store.ReadAll(t.Context(), 0, eventstore.MaxPageEvents)
	require.NoError(t, err)
	stream := domain.CollaborationStream + "-" + domain.Pair(w.pair()).CollaborationID().String()
	for after := range w.last + 1 {
		var want, got []string
		for _, record := range records[after:] {
			if record.Stream.String() == stream {
				want = append(want, string(record.Bytes))
			}
		}
		for next := strconv.FormatInt(after, 10); next != ""; {
			a := w.get("/v1/events?limit=2&stream="+stream+"&after="+next, "")
			page := into[eventPage](t, a)
			for _, item := range page.Items {
				got = append(got, string(item))
			}
			if next = page.Next; next == "" {
				require.Equal(t, strconv.FormatInt(w.last, 10), a.header.Get("Ledger-Position"), "it goes on at the log's end")
			}
		}
		require.Equal(t, want, got, "after %d", after)
	}
}

func TestEventPageAtTheEndTellsWhereToGoOn(t *testing.T) {
	w := startWorld(t)
	a := w.get("/v1/events?limit=1000", w.stranger.String())
	require.Len(t, into[eventPage](t, a).Items, 1, "only the stranger's own registration")
	require.Empty(t, into[eventPage](t, a).Next)
	require.Equal(t, strconv.FormatInt(w.last, 10), a.header.Get("Ledger-Position"))

	a = w.get("/v1/events?after="+strconv.FormatInt(w.last, 10), "")
	require.Equal(t, `{"items":[],"next":""}`, string(a.body))
	require.Equal(t, strconv.FormatInt(w.last, 10), a.header.Get("Ledger-Position"))
}

func TestEventPageOfAPersonIsBounded(t *testing.T) {
	w := startWorld(t)
	w.stopRead()
	message := encoded(t, domain.MessageSent{Pair: domain.Pair(w.pair()), MessageID: uuid.New(), From: domain.ClientSide, Body: "x"})
	data := make([]string, eventstore.MaxAppendEvents)
	for i := range data {
		data[i] = message
	}
	stream := eventstore.StreamID{Kind: domain.CollaborationStream, ID: w.collaboration}
	for range api.MaxPageScan/eventstore.MaxAppendEvents + 1 {
		w.raise(stream, "collaboration.MessageSent.v1", data...)
	}
	a := w.get(fmt.Sprintf("/v1/events?after=%d", w.last), w.stranger.String())
	page := into[eventPage](t, a)
	require.Empty(t, page.Items, "a page may be empty although the log goes on")
	require.Equal(t, strconv.FormatInt(w.last+api.MaxPageScan, 10), page.Next)
	require.Equal(t, page.Next, a.header.Get("Ledger-Position"))
	page = into[eventPage](t, w.get("/v1/events?after="+page.Next, w.stranger.String()))
	require.Empty(t, page.Items)
	require.Empty(t, page.Next)
}

func TestEventPageIsBoundedInBytes(t *testing.T) {
	w := startWorld(t)
	w.stopRead()
	big := encoded(t, map[string]string{"body": string(make([]byte, 30<<10))}) // a NUL is six bytes in JSON
	data := make([]string, 2*api.MaxPageBytes/len(big))
	for i := range data {
		data[i] = big
	}
	w.raise(eventstore.StreamID{Kind: domain.CollaborationStream, ID: w.collaboration}, "collaboration.MessageSent.v1", data...)
	a := w.get(fmt.Sprintf("/v1/events?limit=1000&after=%d", w.last), "")
	page := into[eventPage](t, a)
	require.Less(t, len(page.Items), len(data))
	require.Less(t, len(a.body), api.MaxPageBytes+eventstore.MaxDataBytes)
	require.Equal(t, strconv.FormatInt(w.last+int64(len(page.Items)), 10), page.Next)
}

func TestReceipts(t *testing.T) {
	w := startWorld(t)
	path := "/v1/receipts/" + w.accept.CommandID.String()
	operator := into[api.Receipt](t, w.get(path, ""))
	client := into[api.Receipt](t, w.get(path, w.espiga.String()))
	require.Equal(t, operator, client)
	require.Equal(t, []commands.EventRef{{
		Type: "collaboration.CollaborationAccepted.v1", Stream: "collaboration-" + w.collaboration.String(), Version: w.accept.Events[0].Version, Position: w.accept.Position,
	}}, client.Events)
	w.get("/v1/receipts/"+uuid.NewString(), "").problem(t, http.StatusNotFound, "receipt_not_found")

	again := w.do(person{}, commands.RaiseTask{
		ClientID: w.espiga.account, Section: domain.Sales, Title: "Match 4 payments", ExternalRef: "erp-4711", GoTo: "https://app.example/sales/4711",
	})
	require.Empty(t, again.Events)
	path = "/v1/receipts/" + again.CommandID.String()
	require.Empty(t, into[api.Receipt](t, w.get(path, "")).Events, "a command without an event has a receipt")
	w.get(path, w.espiga.String()).problem(t, http.StatusNotFound, "receipt_not_found")
}
