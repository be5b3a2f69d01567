package api_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/collabledger/collabledger/api"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
)

var update = flag.Bool("update", false, "write the schemas in docs/schemas, unless that would break readers of the ones that are there")

// schemaFolder holds the schemas that readers rely on.
const schemaFolder = "../docs/schemas"

func schemas(t *testing.T) map[string][]byte {
	t.Helper()
	all, err := api.EventSchemas()
	require.NoError(t, err)
	return all
}

// A schema that readers have once relied on may only gain optional members. What else changes is another version of the type.
func TestSchemasBreakNoReader(t *testing.T) {
	current := schemas(t)
	files, err := filepath.Glob(schemaFolder + "/*.json")
	require.NoError(t, err)
	for _, file := range files {
		before, err := os.ReadFile(file)
		require.NoError(t, err)
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		require.Contains(t, current, name, "an event that is in logs stays readable")
		require.Empty(t, breaks(parsed(t, before), parsed(t, current[name])), name)
	}
	for name, schema := range current {
		file := filepath.Join(schemaFolder, name+".json")
		if *update {
			require.NoError(t, os.WriteFile(file, schema, 0o644))
		}
		written, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, string(written), string(schema), "%s is stale; run this test with -update", file)
	}
}

func parsed(t *testing.T, document []byte) map[string]any {
	t.Helper()
	var schema map[string]any
	require.NoError(t, json.Unmarshal(document, &schema))
	return schema
}

// breaks lists what a reader of the old schema may no longer rely on.
func breaks(before, after map[string]any) []string {
	var found []string
	var compare func(path string, was, is map[string]any)
	member := func(schema map[string]any, name string) map[string]any {
		part, _ := schema[name].(map[string]any)
		return part
	}
	resolve := func(root, schema map[string]any) map[string]any {
		if ref, ok := schema["$ref"].(string); ok {
			return member(member(root, "$defs"), strings.TrimPrefix(ref, "#/$defs/"))
		}
		return schema
	}
	compare = func(path string, was, is map[string]any) {
		was, is = resolve(before, was), resolve(after, is)
		for _, what := range []string{"type", "format"} {
			if !reflect.DeepEqual(was[what], is[what]) {
				found = append(found, fmt.Sprintf("%s: %s was %v and is %v", path, what, was[what], is[what]))
			}
		}
		required, _ := is["required"].([]any)
		old, _ := was["required"].([]any)
		for _, name := range old {
			if !slices.Contains(required, name) {
				found = append(found, fmt.Sprintf("%s: %v was always there", path, name))
			}
		}
		for _, name := range slices.Sorted(maps.Keys(member(was, "properties"))) {
			if next := member(member(is, "properties"), name); next != nil {
				compare(path+"."+name, member(member(was, "properties"), name), next)
			} else {
				found = append(found, fmt.Sprintf("%s.%s is gone", path, name))
			}
		}
		for _, part := range []string{"items", "additionalProperties"} {
			if member(was, part) != nil {
				compare(path+"[]", member(was, part), member(is, part))
			}
		}
	}
	compare("data", before, after)
	return found
}

func TestWhatBreaksReadersIsFound(t *testing.T) {
	const before = `{"type":"object","required":["id"],"properties":{"id":{"type":"string","format":"uuid"},"tags":{"type":"array","items":{"type":"string"}},"who":{"$ref":"#/$defs/Who"}},
		"$defs":{"Who":{"type":"object","properties":{"name":{"type":"string"}}}}}`
	for name, c := range map[string]struct {
		replace [2]string
		want    string
	}{
		"an optional member is added": {[2]string{`"id":{`, `"note":{"type":"string"},"id":{`}, ""},
		"a member is gone":            {[2]string{`"id":{"type":"string","format":"uuid"},`, ``}, "data.id is gone"},
		"a member is no longer sure":  {[2]string{`"required":["id"]`, `"required":[]`}, "data: id was always there"},
		"a type changes":              {[2]string{`"type":"string","format"`, `"type":"integer","format"`}, "data.id: type was string and is integer"},
		"a format changes":            {[2]string{`"uuid"`, `"email"`}, "data.id: format was uuid and is email"},
		"a type in a list changes":    {[2]string{`"items":{"type":"string"}`, `"items":{"type":"integer"}`}, "data.tags[]: type was string and is integer"},
		"a shared part changes":       {[2]string{`"name":{"type":"string"}`, `"fullName":{"type":"string"}`}, "data.who.name is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			after := strings.Replace(before, c.replace[0], c.replace[1], 1)
			require.NotEqual(t, before, after)
			require.Equal(t, c.want, strings.Join(breaks(parsed(t, []byte(before)), parsed(t, []byte(after))), "; "))
		})
	}
}

// What the ledger writes, and has ever written, is what the schemas say.
func TestEventsFitTheirSchemas(t *testing.T) {
	documents := schemas(t)
	for _, event := range domain.Versions() {
		example, err := json.Marshal(event.Example)
		require.NoError(t, err)
		golden, err := os.ReadFile("../domain/testdata/events/" + event.Name + ".json")
		require.NoError(t, err)
		for _, data := range [][]byte{example, golden} {
			require.Empty(t, misfits(t, documents[event.Name], data), "%s: %s", event.Name, data)
		}
		require.NotEmpty(t, misfits(t, documents[event.Name], []byte(`{}`)), event.Name)
		require.NotEmpty(t, misfits(t, documents[event.Name], []byte(`[]`)), event.Name)
	}
}

// misfits lists what is wrong with data according to a schema.
func misfits(t *testing.T, document, data []byte) []error {
	t.Helper()
	var schema huma.Schema
	require.NoError(t, json.Unmarshal(document, &schema))
	var parts struct {
		Defs map[string]*huma.Schema `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(document, &parts))
	registry := huma.NewMapRegistry("#/$defs/", huma.DefaultSchemaNamer)
	for name, part := range parts.Defs {
		part.PrecomputeMessages()
		registry.Map()[name] = part
	}
	schema.PrecomputeMessages()
	var value any
	require.NoError(t, json.Unmarshal(data, &value))
	result := &huma.ValidateResult{}
	huma.Validate(registry, &schema, huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, value, result)
	return result.Errors
}

// Whatever the schema of an old version lets data be, the ledger reads it and can tell it in the next version, as that one's schema says.
func TestWhatFitsAnOldSchemaFitsTheNextOneUpcast(t *testing.T) {
	documents, catalog := schemas(t), domain.NewCatalog()
	upcasters := 0
	for _, version := range domain.Versions() {
		if version.Successor == "" {
			continue
		}
		upcasters++
		t.Run(version.Name, func(t *testing.T) {
			schema := parsed(t, documents[version.Name])
			rapid.Check(t, func(rt *rapid.T) {
				was, err := json.Marshal(valid(rt, schema, schema))
				require.NoError(rt, err)
				require.Empty(rt, misfits(t, documents[version.Name], was), "%s", was)
				event, err := catalog.Decode(version.Name, was)
				require.NoError(rt, err, "%s", was)
				is, err := json.Marshal(event)
				require.NoError(rt, err)
				require.Empty(rt, misfits(t, documents[event.EventType()], is), "%s", is)
				again, err := catalog.Decode(event.EventType(), is)
				require.NoError(rt, err)
				require.Equal(rt, event, again)
			})
		})
	}
	require.Positive(t, upcasters)
}

// valid draws a value that fits a schema, a part of a document.
func valid(t *rapid.T, document, schema map[string]any) any {
	if ref, ok := schema["$ref"].(string); ok {
		schema = document["$defs"].(map[string]any)[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
	}
	switch schema["type"] {
	case "string":
		switch schema["format"] {
		case "uuid":
			return uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "uuid")).String()
		case "date-time":
			return time.UnixMicro(rapid.Int64Range(0, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()).Draw(t, "time")).UTC()
		}
		return rapid.String().Draw(t, "text")
	case "integer":
		return rapid.Int64Range(-1<<53+1, 1<<53-1).Draw(t, "number") // of those that are exact in JSON everywhere
	case "array":
		return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) any { return valid(t, document, schema["items"].(map[string]any)) }), 0, 3).Draw(t, "list")
	case "object":
		object := map[string]any{}
		if of, ok := schema["additionalProperties"].(map[string]any); ok {
			for range rapid.IntRange(0, 3).Draw(t, "members") {
				object[rapid.String().Draw(t, "member")] = valid(t, document, of)
			}
		}
		required, _ := schema["required"].([]any)
		properties, _ := schema["properties"].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			if slices.Contains(required, any(name)) || rapid.Bool().Draw(t, name) {
				object[name] = valid(t, document, properties[name].(map[string]any))
			}
		}
		if rapid.Bool().Draw(t, "more") {
			object["somethingNew"] = true // schemas are open
		}
		return object
	}
	panic(fmt.Sprintf("events' schemas have no %v so far: teach valid about it", schema["type"]))
}

func TestAnEventsSchemaIsWhereTheEventSays(t *testing.T) {
	w := startWorld(t)
	records, err := w.config.Store.ReadAll(t.Context(), 0, eventstore.MaxPageEvents)
	require.NoError(t, err)
	require.NotEmpty(t, records)
	for _, record := range records {
		var event struct {
			DataSchema string          `json:"dataschema"`
			Data       json.RawMessage `json:"data"`
		}
		require.NoError(t, json.Unmarshal(record.Bytes, &event))
		answer := w.get(event.DataSchema, "")
		require.Equal(t, http.StatusOK, answer.status)
		require.Equal(t, "application/schema+json", answer.header.Get("Content-Type"))
		require.Empty(t, misfits(t, answer.body, event.Data))
	}
	w.get("/schemas/account.AccountImagined.v1.json", "").problem(t, http.StatusNotFound, "schema_not_found")
	w.get("/schemas/account.AccountRegistered.v1", "").problem(t, http.StatusNotFound, "schema_not_found")
}

func TestAsyncAPIDescribesEveryEvent(t *testing.T) {
	l := startLedger(t)
	var document struct {
		AsyncAPI string `json:"asyncapi"`
		Channels map[string]struct {
			Address  string `json:"address"`
			Messages map[string]struct {
				Ref string `json:"$ref"`
			} `json:"messages"`
		} `json:"channels"`
		Components struct {
			Messages map[string]json.RawMessage `json:"messages"`
			Schemas  map[string]json.RawMessage `json:"schemas"`
		} `json:"components"`
	}
	answer := l.get("/asyncapi.json", "")
	require.Equal(t, http.StatusOK, answer.status)
	require.NoError(t, json.Unmarshal(answer.body, &document))
	require.Equal(t, "3.0.0", document.AsyncAPI)
	for _, event := range domain.Versions() {
		name := domain.Unversioned(event.Name)
		require.Contains(t, document.Channels, name)
		require.Equal(t, "#/components/messages/"+event.Name, document.Channels[name].Messages[strings.TrimPrefix(event.Name, name+".")].Ref)
		require.Contains(t, document.Components.Messages, event.Name)
		require.Contains(t, document.Components.Schemas, event.Name)
	}
	require.Len(t, document.Channels, len(domain.Events()))
	for _, reference := range strings.Split(string(answer.body), `"$ref":"#/components/schemas/`)[1:] {
		name, _, _ := strings.Cut(reference, `"`)
		require.Contains(t, document.Components.Schemas, name, "no reference leads nowhere")
	}
}
