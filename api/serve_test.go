package api_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/api"
	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
)

func TestShutdownLetsRequestsFinish(t *testing.T) {
	begun, finish := make(chan struct{}), make(chan struct{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-finish
		_, _ = io.WriteString(w, "done")
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- api.Serve(ctx, listener, handler, slog.New(slog.DiscardHandler)) }()
	answered := make(chan string, 1)
	go func() {
		response, err := http.Get("http://" + listener.Addr().String())
		if err != nil {
			answered <- err.Error()
			return
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body) // a broken answer is not "done"
		answered <- string(body)
	}()
	<-begun
	stop()
	require.Eventually(t, func() bool {
		connection, err := net.Dial("tcp", listener.Addr().String())
		if err == nil {
			_ = connection.Close()
		}
		return err != nil
	}, wait, tick, "nobody new is let in")
	close(finish)
	require.Equal(t, "done", <-answered)
	require.NoError(t, <-served)
}

func TestServeTellsWhyItCannot(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	require.Error(t, api.Serve(t.Context(), listener, http.NotFoundHandler(), slog.New(slog.DiscardHandler)))
}

func TestStreamOutlivesTheDeadlineForReadingRequests(t *testing.T) {
	const deadline = 50 * time.Millisecond
	w := startWorld(t)
	server := httptest.NewUnstartedServer(w.handler)
	server.Config.ReadTimeout = deadline
	server.Start()
	defer server.Close()
	short := *w.ledger
	short.url = server.URL
	stream := short.stream(t, "", w.last)
	for started := time.Now(); time.Since(started) < 4*deadline; {
		w.do(w.espiga, commands.SendMessage{PairFields: w.pair(), Body: "still there?"})
		require.Equal(t, w.last, stream.next(t).ID)
	}
	stream.cancel()
}

func TestABodyThatDoesNotArrive(t *testing.T) {
	l := startLedger(t)
	server := httptest.NewUnstartedServer(l.handler)
	server.Config.ReadTimeout = 50 * time.Millisecond
	server.Start()
	defer server.Close()
	half := func(t *testing.T, after func(*net.TCPConn)) answer {
		connection, err := net.Dial("tcp", server.Listener.Addr().String())
		require.NoError(t, err)
		defer connection.Close()
		_, err = io.WriteString(connection, "POST /v1/commands/RegisterAccount HTTP/1.1\r\nHost: ledger\r\nAuthorization: Bearer "+operatorKey+
			"\r\nContent-Type: application/json\r\nIdempotency-Key: "+uuid.NewString()+"\r\nContent-Length: 100\r\n\r\n{\"type\":")
		require.NoError(t, err)
		after(connection.(*net.TCPConn))
		response, err := http.ReadResponse(bufio.NewReader(connection), nil)
		require.NoError(t, err)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return answer{response.StatusCode, response.Header, body}
	}
	half(t, func(*net.TCPConn) {}).problem(t, http.StatusRequestTimeout, "body_too_slow")
	half(t, func(c *net.TCPConn) { require.NoError(t, c.CloseWrite()) }).problem(t, http.StatusBadRequest, "body_incomplete")
}

func TestAReaderThatIsTooSlowIsDropped(t *testing.T) {
	t.Parallel()
	w := startWorld(t)
	w.stopRead()
	connection, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	require.NoError(t, err)
	defer connection.Close()
	require.NoError(t, connection.(*net.TCPConn).SetReadBuffer(4<<10))
	_, err = io.WriteString(connection, "GET /v1/events/stream?after="+strconv.FormatInt(w.last, 10)+" HTTP/1.1\r\nHost: ledger\r\nAuthorization: Bearer "+operatorKey+"\r\n\r\n")
	require.NoError(t, err)
	open := func(n string) bool {
		return strings.Contains(string(w.get("/metrics", "").body), "\nledger_streams "+n+"\n")
	}
	require.Eventually(t, func() bool { return open("1") }, wait, tick)
	message := encoded(t, domain.MessageSent{Pair: domain.Pair(w.pair()), MessageID: uuid.New(), From: domain.ClientSide, Body: strings.Repeat("x", eventstore.MaxDataBytes/2)})
	data := make([]string, 32)
	for i := range data {
		data[i] = message
	}
	for range 6 { // more than any socket buffers
		w.raise(eventstore.StreamID{Kind: domain.CollaborationStream, ID: w.collaboration}, "collaboration.MessageSent.v1", data...)
	}
	require.Eventually(t, func() bool { return open("0") }, wait, 10*tick)
}
