package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/feed"
)

// The document describes the feed without knowing it.
func TestEventsArePublishedWhereTheAsyncAPIDocumentSays(t *testing.T) {
	server := serveHere(t)
	response, err := http.Get(server.url + "/asyncapi.json")
	require.NoError(t, err)
	defer func() { require.NoError(t, response.Body.Close()) }()
	var document struct {
		Channels map[string]struct {
			Address string `json:"address"`
		} `json:"channels"`
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&document))
	for _, event := range domain.Versions() {
		id := uuid.New()
		subject, err := feed.Subject(eventstore.Record{Position: 1, Type: event.Name, Stream: eventstore.StreamID{Kind: event.Stream, ID: id}})
		require.NoError(t, err)
		require.Equal(t, subject, strings.Replace(document.Channels[domain.Unversioned(event.Name)].Address, "{id}", id.String(), 1))
	}
}
