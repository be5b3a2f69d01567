package api_test

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
)

// document is the part of an OpenAPI document that tests look at.
type document struct {
	OpenAPI string                          `json:"openapi"`
	Paths   map[string]map[string]operation `json:"paths"`
	Tags    []struct {
		Name string `json:"name"`
	} `json:"tags"`
	Components struct {
		Schemas   map[string]json.RawMessage `json:"schemas"`
		Responses map[string]json.RawMessage `json:"responses"`
	} `json:"components"`
}

type operation struct {
	OperationID string                `json:"operationId"`
	Summary     string                `json:"summary"`
	Tags        []string              `json:"tags"`
	Security    []map[string][]string `json:"security"`
	RequestBody struct {
		Content map[string]media `json:"content"`
	} `json:"requestBody"`
	Responses map[string]struct {
		Ref     string           `json:"$ref"`
		Content map[string]media `json:"content"`
	} `json:"responses"`
}

type media struct {
	Schema  json.RawMessage `json:"schema"`
	Example json.RawMessage `json:"example"`
}

// openAPI asks a ledger for its document.
func (l *ledger) openAPI() document {
	l.t.Helper()
	return into[document](l.t, l.send(request{method: http.MethodGet, path: "/openapi.json"}))
}

func TestDocumentIsComplete(t *testing.T) {
	d := startLedger(t).openAPI()
	require.Equal(t, "3.1.0", d.OpenAPI)
	for _, spec := range commands.List() {
		op, ok := d.Paths["/v1/commands/"+spec.Name]["post"]
		require.True(t, ok, "%s has no operation", spec.Name)
		require.Equal(t, spec.Name, op.OperationID)
		require.Equal(t, []string{spec.Step}, op.Tags)
		require.JSONEq(t, encoded(t, spec.Example), string(op.RequestBody.Content["application/json"].Example), spec.Name)
		require.Contains(t, string(op.RequestBody.Content["application/json"].Schema), "#/components/schemas/"+spec.Name, spec.Name)
		require.Contains(t, string(op.Responses["200"].Content["application/json"].Schema), `"result"`, spec.Name)
		for _, status := range []string{"400", "401", "403", "404", "409", "412", "413", "415", "422", "500", "503"} {
			require.Contains(t, op.Responses, status, spec.Name)
		}
	}
	for name, schema := range d.Components.Schemas {
		require.NotContains(t, string(schema), `"null"`, "%s: lists are never null, and what is absent is left out", name)
	}
	tags := map[string]bool{}
	for _, tag := range d.Tags {
		tags[tag.Name] = true
	}
	for path, methods := range d.Paths {
		for method, op := range methods {
			where := method + " " + path
			require.NotEmpty(t, op.OperationID, where)
			require.NotEmpty(t, op.Summary, where)
			require.NotNil(t, op.Security, where)
			require.Len(t, op.Tags, 1, where)
			require.True(t, tags[op.Tags[0]], "%s has the tag %s, which is not described", where, op.Tags[0])
			for status, response := range op.Responses {
				if name, ok := strings.CutPrefix(response.Ref, "#/components/responses/"); ok {
					require.Contains(t, d.Components.Responses, name, where)
				} else if status == "200" {
					require.NotEmpty(t, response.Content, where)
				}
			}
			require.True(t, slices.ContainsFunc([]string{"400", "404"}, func(s string) bool { _, ok := op.Responses[s]; return ok }), where)
			if method == "get" {
				for _, content := range op.Responses["200"].Content {
					require.NotEmpty(t, content.Example, where)
				}
			}
		}
	}
}

// redocly is pinned so that a new rule of the linter does not fail an old commit.
const redocly = "@redocly/cli@2.77.0"

func TestDocumentPassesRedocly(t *testing.T) {
	t.Parallel()
	a := startLedger(t).send(request{method: http.MethodGet, path: "/openapi.json"})
	require.Equal(t, http.StatusOK, a.status)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "openapi.json"), a.body, 0o600))
	npx := func(args ...string) *exec.Cmd {
		command := exec.CommandContext(t.Context(), "npx", append([]string{"--yes", redocly}, args...)...)
		command.Dir = dir
		command.Env = append(os.Environ(), "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true")
		return command
	}
	if output, err := npx("--version").CombinedOutput(); err != nil {
		t.Skipf("npx cannot run %s, which lints the OpenAPI document: %v\n%s", redocly, err, output)
	}
	output, err := npx("lint", "--format=json", "--max-problems=1000", "openapi.json").Output() // exit status 1 says what the report says
	var report struct {
		Totals struct {
			Errors   *int `json:"errors"`
			Warnings *int `json:"warnings"`
		} `json:"totals"`
	}
	require.NoError(t, json.Unmarshal(output, &report), "%v: %s", err, output)
	require.NotNil(t, report.Totals.Errors, "%s", output)
	require.Zero(t, *report.Totals.Errors, "%s", output)
	require.Zero(t, *report.Totals.Warnings, "%s", output)
}
