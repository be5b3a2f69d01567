package api_test

import (
	"bufio"
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/api"
	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/eventstore"
)

// sent is a server-sent event as it came.
type sent struct {
	ID         int64
	Type, Data string
}

// events is an open stream.
type events struct {
	lines  *bufio.Reader
	cancel context.CancelFunc
}

// stream opens the live stream after a position, for a person when as is not empty. It ends with the test.
func (l *ledger) stream(t *testing.T, as string, after int64, filter ...string) *events {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, l.url+"/v1/events/stream?"+strings.Join(filter, "&"), nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+operatorKey)
	r.Header.Set("Last-Event-ID", strconv.FormatInt(after, 10))
	if as != "" {
		r.Header.Set("Ledger-Act-As", as)
	}
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { response.Body.Close() })
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	return &events{bufio.NewReader(response.Body), cancel}
}

// read reads the next event; it waits for one, and answers what ended the stream otherwise.
func (s *events) read() (sent, error) {
	var e sent
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return sent{}, err
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch {
		case name == "id":
			if e.ID, err = strconv.ParseInt(value, 10, 64); err != nil {
				return sent{}, err
			}
		case name == "event":
			e.Type = value
		case name == "data":
			e.Data = value
		case line == "\n" && e.Data != "":
			return e, nil
		}
	}
}

func (s *events) next(t *testing.T) sent {
	t.Helper()
	e, err := s.read()
	require.NoError(t, err)
	return e
}

func TestStreamHasTheLogByteForByte(t *testing.T) {
	w := startWorld(t)
	records, err := w.config.Store.ReadAll(t.Context(), 0, eventstore.MaxPageEvents)
	require.NoError(t, err)
	stream := w.stream(t, "", 0)
	for _, record := range records {
		require.Equal(t, sent{record.Position, record.Type, string(record.Bytes)}, stream.next(t))
	}
	w.do(w.espiga, commands.SendMessage{PairFields: w.pair(), Body: "Hello"})
	live := stream.next(t)
	require.Equal(t, w.last, live.ID)
	require.Equal(t, "collaboration.MessageSent.v1", live.Type)
	require.Equal(t, live, w.stream(t, "", w.last-1).next(t), "Last-Event-ID goes on after what came last")
}

func TestStreamOfAPersonHasTheirEvents(t *testing.T) {
	w := startWorld(t)
	stream := w.stream(t, w.espiga.String(), 0)
	require.Equal(t, "account.AccountRegistered.v1", stream.next(t).Type)
	require.Equal(t, "collaboration.CollaborationRequested.v1", stream.next(t).Type)
}

func TestStreamEndsWithTheMembership(t *testing.T) {
	w := startWorld(t)
	stream := w.stream(t, w.reader.String(), w.last)
	w.do(w.espiga, commands.SendMessage{PairFields: w.pair(), Body: "before"})
	require.Equal(t, w.last, stream.next(t).ID)
	w.do(w.vidal, commands.RemoveMember{AccountID: w.vidal.account, UserID: w.reader.user})
	_, err := stream.read()
	require.Error(t, err, "the stream must end without another event")
}

func TestStreamEndsWithTheServer(t *testing.T) {
	w := startWorld(t)
	stream := w.stream(t, "", w.last)
	w.stop()
	_, err := stream.read()
	require.Error(t, err)
}

func TestStreamsAreBounded(t *testing.T) {
	w := startWorld(t)
	var open []*events
	for range api.MaxStreams {
		open = append(open, w.stream(t, "", w.last))
	}
	a := w.get("/v1/events/stream", "")
	a.problem(t, http.StatusServiceUnavailable, "too_many_streams")
	require.NotEmpty(t, a.header.Get("Retry-After"))
	for _, s := range open {
		s.cancel()
	}
	require.Eventually(t, func() bool {
		a := w.send(request{method: http.MethodHead, path: "/v1/events/stream", key: operatorKey})
		return a.status == http.StatusOK
	}, wait, tick, "a stream that ends makes room")
}
