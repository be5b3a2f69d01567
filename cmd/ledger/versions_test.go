package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/sqldb"
)

// A server goes on with a log in which an earlier one wrote events in shapes of then: it serves them as they are, and reads them as what
// they say.
func TestAServerGoesOnWithALogOfEarlierVersions(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	first := startServer(t, "--data", folder)
	consultancy, business, pair := collaborating(t, first.Client())
	first.Stop()

	db, err := sqldb.OpenSQLite(t.Context(), filepath.Join(folder, databaseFile))
	require.NoError(t, err)
	store, err := openStore(t.Context(), db)
	require.NoError(t, err)
	stream := eventstore.StreamID{Kind: domain.CollaborationStream, ID: domain.Pair(pair).CollaborationID()}
	versions, err := store.Versions(t.Context(), []eventstore.StreamID{stream})
	require.NoError(t, err)
	appended, err := store.Append(t.Context(), eventstore.Append{
		CommandID: uuid.New(), Actor: domain.User(consultancy.id, consultancy.owner).String(),
		Expect: []eventstore.StreamVersion{{Stream: stream, Version: versions[0]}},
		Events: []eventstore.NewEvent{{ID: uuid.New(), Stream: stream, Type: "collaboration.ConversationRead.v1",
			Data: fmt.Appendf(nil, `{"consultancyId":%q,"clientId":%q,"side":"consultancy","upTo":1}`, consultancy.id, business.id)}},
	})
	require.NoError(t, err)
	require.NoError(t, store.Close())

	server := startServer(t, "--data", folder)
	ledger := server.Client()
	vidal := ledger.As(consultancy.id, consultancy.owner)
	require.Empty(t, must(t, vidal, "MarkConversationRead", commands.MarkConversationRead{PairFields: pair}).Events, "the request is read")
	must(t, ledger.As(business.id, business.owner), "SendMessage", commands.SendMessage{PairFields: pair, Body: "Good morning"})
	again := must(t, vidal, "MarkConversationRead", commands.MarkConversationRead{PairFields: pair})
	require.Equal(t, []client.Event{{
		Type: "collaboration.ConversationRead.v2", Stream: stream.String(), Version: versions[0] + 3, Position: appended.Last + 2,
	}}, again.Events)

	for types, want := range map[string]int{"collaboration.ConversationRead": 2, "collaboration.ConversationRead.v1": 1, "collaboration.ConversationRead.v2": 1} {
		var page struct{ Items []json.RawMessage }
		require.NoError(t, ledger.Get(t.Context(), "/v1/events", url.Values{"type": {types}}, &page))
		require.Len(t, page.Items, want, types)
		if types == "collaboration.ConversationRead.v1" {
			require.Equal(t, string(appended.Records[0].Bytes), string(page.Items[0]), "a record's bytes never change")
		}
	}
	var told struct {
		Items []struct{ Type, Words string }
	}
	require.NoError(t, ledger.Get(t.Context(), "/v1/collaborations/"+stream.ID.String()+"/history",
		url.Values{"minPosition": {fmt.Sprint(again.Position)}}, &told))
	words := map[string]string{}
	for _, item := range told.Items {
		words[item.Type] = item.Words
	}
	require.Contains(t, words["collaboration.ConversationRead.v1"], "read the conversation up to message 1.")
	require.Contains(t, words["collaboration.ConversationRead.v2"], "read the conversation up to message 2.")
	requireClean(t, "--data", folder)
	for version, field := range map[string]string{"v1": "upTo", "v2": "messagesRead"} {
		response, err := http.Get(server.URL + "/schemas/collaboration.ConversationRead." + version + ".json")
		require.NoError(t, err)
		var schema struct{ Properties map[string]json.RawMessage }
		require.NoError(t, json.NewDecoder(response.Body).Decode(&schema))
		require.NoError(t, response.Body.Close())
		require.Contains(t, schema.Properties, field)
	}
}
