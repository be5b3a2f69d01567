package api

import (
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/collabledger/collabledger/domain"
)

// asyncAPIVersion is the version of the specification that the document follows.
const asyncAPIVersion = "3.0.0"

// What the events' subjects and bodies are on the broker.
const (
	eventSubjects  = "ledger.events" // what every subject begins with
	eventMediaType = "application/cloudevents+json"
)

// asyncDocument is an AsyncAPI 3 document, as far as the ledger needs it.
type asyncDocument struct {
	AsyncAPI           string                    `json:"asyncapi"`
	Info               asyncInfo                 `json:"info"`
	DefaultContentType string                    `json:"defaultContentType"`
	Channels           map[string]asyncChannel   `json:"channels"`
	Operations         map[string]asyncOperation `json:"operations"`
	Components         asyncComponents           `json:"components"`
}

type asyncInfo struct {
	Title       string            `json:"title"`
	Version     string            `json:"version"`
	Description string            `json:"description"`
	License     map[string]string `json:"license"`
}

type asyncRef struct {
	Ref string `json:"$ref"`
}

type asyncChannel struct {
	Address    string                       `json:"address"`
	Title      string                       `json:"title"`
	Messages   map[string]asyncRef          `json:"messages"`
	Parameters map[string]map[string]string `json:"parameters"`
}

type asyncOperation struct {
	Action  string   `json:"action"`
	Channel asyncRef `json:"channel"`
	Summary string   `json:"summary"`
}

type asyncMessage struct {
	Name        string           `json:"name"`
	Title       string           `json:"title"`
	ContentType string           `json:"contentType"`
	Headers     *huma.Schema     `json:"headers"`
	Payload     *huma.Schema     `json:"payload"`
	Examples    []map[string]any `json:"examples"`
}

type asyncComponents struct {
	Messages map[string]asyncMessage `json:"messages"`
	Schemas  map[string]*huma.Schema `json:"schemas"`
}

// asyncAPI describes the feed: a channel for each event, with a message for each of its versions, from the same list as everything else.
func asyncAPI(version string) asyncDocument {
	const schemas = "#/components/schemas/"
	shared := eventRegistry(schemas)
	document := asyncDocument{
		AsyncAPI: asyncAPIVersion,
		Info: asyncInfo{
			Title: "The collaboration ledger's feed", Version: version,
			Description: "The JetStream stream LEDGER holds every event of the ledger, in order: the sequence of a message is the event's position. " +
				"Events are CloudEvents 1.0 in structured mode, in the very bytes in which they were committed. Delivery is at least once; a gap, a repeat or another source shows in sequence and source.",
			License: map[string]string{"name": "Apache License 2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
		},
		DefaultContentType: eventMediaType,
		Channels:           map[string]asyncChannel{},
		Operations:         map[string]asyncOperation{},
		Components:         asyncComponents{Messages: map[string]asyncMessage{}, Schemas: map[string]*huma.Schema{"Event": eventSchema()}},
	}
	var events []*huma.Schema
	for _, event := range domain.Events() {
		name := domain.Unversioned(event.Name)
		messages := map[string]asyncRef{}
		for _, version := range append(slices.Clone(event.Earlier), event) {
			messages[strings.TrimPrefix(version.Name, name+".")] = asyncRef{"#/components/messages/" + version.Name}
			document.Components.Messages[version.Name] = asyncEvent(version, schemas)
			schema := eventDataSchema(shared, version)
			events = append(events, schema)
			document.Components.Schemas[version.Name] = schema
		}
		document.Channels[name] = asyncChannel{
			Address: eventSubjects + "." + name + ".{id}", Title: event.Title, Messages: messages,
			Parameters: map[string]map[string]string{"id": {"description": "The id in the stream's name, " + event.Stream + "-{id}"}},
		}
		document.Operations["publish-"+name] = asyncOperation{Action: "send", Channel: asyncRef{"#/channels/" + name}, Summary: event.Title}
	}
	maps.Copy(document.Components.Schemas, sharedSchemas(shared, events...))
	return document
}

// asyncEvent is the message of an event on the broker.
func asyncEvent(event domain.EventType, schemas string) asyncMessage {
	example := exampleEvent()
	example["type"], example["dataschema"], example["data"] = event.Name, schemaPath(event.Name), event.Example
	return asyncMessage{
		Name: event.Name, Title: event.Title, ContentType: eventMediaType,
		Headers: &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{
			"content-type": {Type: huma.TypeString, Description: eventMediaType},
			"traceparent":  {Type: huma.TypeString, Description: "The command's trace context, where it had one"},
		}},
		Payload: &huma.Schema{AllOf: []*huma.Schema{{Ref: schemas + "Event"}, {
			Type: huma.TypeObject,
			Properties: map[string]*huma.Schema{
				"type": {Type: huma.TypeString, Enum: []any{event.Name}},
				"data": {Ref: schemas + event.Name},
			},
		}}},
		Examples: []map[string]any{{"payload": example}},
	}
}
