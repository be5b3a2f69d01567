package feed_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/feed"
)

// offering runs a service that hands every command to an API, until stop or the end of the test.
func offering(t *testing.T, conn *nats.Conn, api http.HandlerFunc, version string) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	service := feed.NewService(conn, api, commands.List(), version, quiet())
	go func() { ended <- service.Run(ctx) }()
	require.Eventually(t, func() bool {
		var info micro.Info
		reply, err := conn.Request("$SRV.INFO."+feed.ServiceName, nil, eventually)
		return err == nil && json.Unmarshal(reply.Data, &info) == nil && len(info.Endpoints) == len(commands.List())
	}, eventually, often)
	stop = func() error {
		cancel()
		return <-ended
	}
	t.Cleanup(cancel)
	return stop
}

func ask(t *testing.T, conn *nats.Conn, command string, header nats.Header) *nats.Msg {
	t.Helper()
	reply, err := conn.RequestMsg(&nats.Msg{Subject: feed.CommandPrefix + "." + command, Header: header, Data: []byte(`{}`)}, eventually)
	require.NoError(t, err)
	return reply
}

func TestAMessageBecomesARequestToTheAPI(t *testing.T) {
	conn := embed(t)
	asked := make(chan *http.Request, 1)
	offering(t, conn, func(w http.ResponseWriter, r *http.Request) {
		asked <- r
		w.Header().Set("Ledger-Position", "7")
		_, _ = w.Write([]byte(`{"position":7}`))
	}, "v1.2.3")
	reply := ask(t, conn, "GrantAccess", nats.Header{
		"authorization": {"Bearer key"}, "Ledger-Act-As": {"a/b"}, "nats-MSG-id": {"ignored"}, "Nats-Msg-Id": {"an id"}, "Cookie": {"not a command's"}, "If-Match": {`"1"`, `"2"`},
	})
	r := <-asked
	require.Equal(t, "POST /v1/commands/GrantAccess", r.Method+" "+r.URL.Path)
	require.Equal(t, http.Header{
		"Authorization": {"Bearer key"}, "Ledger-Act-As": {"a/b"}, "Idempotency-Key": {"an id"}, "Content-Type": {"application/json"}, "If-Match": {`"1"`, `"2"`},
	}, r.Header)
	require.Equal(t, `{"position":7}`, string(reply.Data))
	require.Equal(t, "7", reply.Header.Get("Ledger-Position"))
	require.Empty(t, reply.Header.Get("Nats-Service-Error-Code"))
}

func TestARefusalIsAnErrorOfTheService(t *testing.T) {
	conn := embed(t)
	offering(t, conn, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = w.Write([]byte(`{"code":"not_pending"}`))
	}, "(devel)") // which is no semantic version
	reply := ask(t, conn, "AcceptCollaboration", nil)
	require.Equal(t, "422", reply.Header.Get("Nats-Service-Error-Code"))
	require.Equal(t, "Unprocessable Entity", reply.Header.Get("Nats-Service-Error"))
	require.Equal(t, `{"code":"not_pending"}`, string(reply.Data))
}

func TestCommandsPastTheLimitAreRefusedAtOnceAndTakenOnesAreFinished(t *testing.T) {
	conn := embed(t)
	const limit = 256
	begun, release := make(chan struct{}, limit), make(chan struct{})
	stop := offering(t, conn, func(w http.ResponseWriter, _ *http.Request) {
		begun <- struct{}{}
		<-release
		_, _ = w.Write([]byte(`{}`))
	}, "1.0.0")
	inbox, err := conn.SubscribeSync(conn.NewRespInbox())
	require.NoError(t, err)
	for range limit {
		require.NoError(t, conn.PublishRequest(feed.CommandPrefix+".RaiseTask", inbox.Subject, []byte(`{}`)))
	}
	for range limit {
		<-begun
	}
	reply := ask(t, conn, "RaiseTask", nil)
	require.Equal(t, "503", reply.Header.Get("Nats-Service-Error-Code"))
	require.Equal(t, "1", reply.Header.Get("Retry-After"))
	require.Contains(t, string(reply.Data), `"code":"overloaded"`)

	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	close(release)
	require.ErrorIs(t, <-ended, context.Canceled)
	for range limit {
		answered, err := inbox.NextMsg(eventually)
		require.NoError(t, err)
		require.Equal(t, `{}`, string(answered.Data))
	}
	_, err = conn.Request(feed.CommandPrefix+".RaiseTask", nil, eventually)
	require.ErrorIs(t, err, nats.ErrNoResponders)
}
