package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/feed"
)

func TestCommandsOverNATS(t *testing.T) {
	address := freeAddress(t)
	server := serveHere(t, "--nats-listen", address)
	key, err := readOperatorKey(server.data)
	require.NoError(t, err)
	conn, err := nats.Connect("nats://" + address)
	require.NoError(t, err)
	defer conn.Close()
	const wait = 10 * time.Second
	var info micro.Info
	require.Eventually(t, func() bool {
		reply, err := conn.Request("$SRV.INFO."+feed.ServiceName, nil, wait)
		return err == nil && json.Unmarshal(reply.Data, &info) == nil && len(info.Endpoints) == len(commands.List())
	}, readyWait, pollEvery, "an endpoint for each command of the list")

	register := commands.List()[0]
	body, err := json.Marshal(register.Example)
	require.NoError(t, err)
	send := func(header nats.Header, body []byte) *nats.Msg {
		t.Helper()
		reply, err := conn.RequestMsg(&nats.Msg{Subject: feed.CommandPrefix + "." + register.Name, Header: header, Data: body}, wait)
		require.NoError(t, err)
		return reply
	}
	refused := func(reply *nats.Msg, status, code string) {
		t.Helper()
		require.Equal(t, status, reply.Header.Get("Nats-Service-Error-Code"))
		var problem client.Problem
		require.NoError(t, json.Unmarshal(reply.Data, &problem))
		require.Equal(t, code, problem.Code)
	}
	header := nats.Header{"Authorization": {"Bearer " + key}, "Nats-Msg-Id": {uuid.NewString()}}

	var first, again client.Answer
	reply := send(header, body)
	require.NoError(t, json.Unmarshal(reply.Data, &first), "%s", reply.Data)
	require.Equal(t, "1", reply.Header.Get("Ledger-Position"))
	reply = send(header, body)
	require.NoError(t, json.Unmarshal(reply.Data, &again))
	require.Equal(t, "true", reply.Header.Get("Idempotency-Replayed"))
	require.Equal(t, first.Events, again.Events, "the message's id is the idempotency key")

	refused(send(header, []byte(`{}`)), "400", "invalid")
	refused(send(nats.Header{"Nats-Msg-Id": {uuid.NewString()}}, body), "401", "key_required")
	refused(send(nats.Header{"Authorization": {"Bearer " + key}}, body), "400", "idempotency_key_required")
	_, err = conn.Request(feed.CommandPrefix+".ImagineAccount", nil, wait)
	require.ErrorIs(t, err, nats.ErrNoResponders)
}
