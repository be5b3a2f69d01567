package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// schemaPath is where the JSON Schema of an event's data is, as every event's dataschema says.
func schemaPath(eventType string) string { return "/schemas/" + eventType + ".json" }

// EventSchemas are the JSON Schemas (2020-12) of the events' data, by wire name, each a document of its own. They are open: a later
// ledger may add optional members, and readers ignore what they do not know. Any other change of shape is another version of the type,
// whose earlier schemas stay.
func EventSchemas() (map[string][]byte, error) {
	documents := map[string][]byte{}
	for _, event := range domain.Versions() {
		shared := eventRegistry("#/$defs/")
		schema := eventDataSchema(shared, event)
		schema.Extensions = map[string]any{"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": schemaPath(event.Name)}
		if defs := sharedSchemas(shared, schema); len(defs) > 0 {
			schema.Extensions["$defs"] = defs
		}
		document, err := json.MarshalIndent(schema, "", "  ")
		if err != nil {
			return nil, fmt.Errorf("schema of %s: %w", event.Name, err)
		}
		documents[event.Name] = append(document, '\n')
	}
	return documents, nil
}

// eventRegistry names the schemas that events share.
func eventRegistry(prefix string) huma.Registry {
	shared := huma.NewMapRegistry(prefix, huma.DefaultSchemaNamer)
	shared.RegisterTypeAlias(reflect.TypeFor[uuid.UUID](), reflect.TypeFor[UUID]())
	return shared
}

// sharedSchemas are what a registry holds beside the events themselves.
func sharedSchemas(shared huma.Registry, events ...*huma.Schema) map[string]*huma.Schema {
	parts := maps.Clone(shared.Map())
	maps.DeleteFunc(parts, func(_ string, schema *huma.Schema) bool { return slices.Contains(events, schema) })
	return parts
}

// eventDataSchema is the schema of an event's data. What it refers to is in the registry afterwards.
func eventDataSchema(shared huma.Registry, event domain.EventType) *huma.Schema {
	schema := shared.Schema(reflect.TypeOf(event.Example), false, "")
	schema.Title, schema.Description = event.Name, event.Title+"."
	if event.Successor != "" {
		schema.Deprecated = true
		schema.Description += " Written no longer: " + event.Successor + " came after it."
	}
	open(schema)
	for _, part := range shared.Map() {
		open(part)
	}
	return schema
}

// open lets an object have members that are not known yet.
func open(schema *huma.Schema) {
	tidy(schema)
	if schema.AdditionalProperties == false {
		schema.AdditionalProperties = nil
	}
	for _, property := range schema.Properties {
		open(property)
	}
	if schema.Items != nil {
		open(schema.Items)
	}
}

// addSchemas adds the schemas of the events, and the AsyncAPI document that is made of them.
func (e *edge) addSchemas() error {
	schemas, err := EventSchemas()
	if err != nil {
		return err
	}
	op := openOperation("getEventSchema", "/schemas/{file}", "The JSON Schema of an event's data, where its dataschema says", "application/schema+json", nil, "{}")
	op.Tags = []string{tagEvents}
	op.Parameters = []*huma.Param{{Name: "file", In: "path", Required: true, Description: "The event's type with .json, for example collaboration.AccessGranted.v1.json", Schema: &huma.Schema{Type: huma.TypeString}}}
	op.Responses["404"] = refersTo([]int{http.StatusNotFound})["404"]
	e.handle(public, op, func(w http.ResponseWriter, r *http.Request, _ domain.Actor) error {
		name, isSchema := strings.CutSuffix(r.PathValue("file"), ".json")
		document, found := schemas[name]
		if !isSchema || !found {
			return domain.Missing("schema", r.PathValue("file"))
		}
		return writeDocument(w, "application/schema+json", document)
	})
	document, err := json.Marshal(asyncAPI(e.Version))
	if err != nil {
		return fmt.Errorf("AsyncAPI document: %w", err)
	}
	op = openOperation("getAsyncAPI", "/asyncapi.json", "The events on the broker, as an AsyncAPI 3 document", "application/json", nil, map[string]string{"asyncapi": asyncAPIVersion})
	op.Tags = []string{tagEvents}
	e.handle(public, op, func(w http.ResponseWriter, _ *http.Request, _ domain.Actor) error {
		return writeDocument(w, "application/json", document)
	})
	return nil
}

// writeDocument answers a document that was made when the ledger started.
func writeDocument(w http.ResponseWriter, mediaType string, document []byte) error {
	w.Header().Set("Content-Type", mediaType)
	_, _ = w.Write(document) // a caller that has gone needs no answer
	return nil
}
