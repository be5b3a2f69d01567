package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/api"
	"github.com/collabledger/collabledger/commands"
)

// serve hands a request straight to the handler, and holds the answer to what is true of all answers.
func serve(t *testing.T, handler http.Handler, r *http.Request) {
	t.Helper()
	r.Header.Set("Authorization", "Bearer "+operatorKey)
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	if w.Code >= http.StatusInternalServerError {
		t.Fatalf("%s %s: %d %s", r.Method, r.URL, w.Code, w.Body)
	}
	if w.Code >= http.StatusBadRequest {
		var p api.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != w.Code || p.Code == "" {
			t.Fatalf("%s %s: %d is no problem: %s", r.Method, r.URL, w.Code, w.Body)
		}
	}
}

// FuzzCommand sends all kinds of bodies to all commands: whatever they are, they are the caller's mistake and not the ledger's.
func FuzzCommand(f *testing.F) {
	specs := commands.List()
	for i, spec := range specs {
		f.Add(i, encoded(f, spec.Example))
	}
	f.Add(0, `{"type":null}`)
	f.Add(0, `{"permissions":{"sales":{}}}`)
	f.Add(0, strings.Repeat("[", 10_000))
	handler := startLedger(f).handler
	f.Fuzz(func(t *testing.T, command int, body string) {
		name := specs[uint(command)%uint(len(specs))].Name
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/commands/"+name, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", uuid.NewString())
		serve(t, handler, r)
	})
}

// FuzzParameters sends all kinds of cursors and other parameters to the queries.
func FuzzParameters(f *testing.F) {
	paths := []string{"/v1/requests", "/v1/access", "/v1/sessions", "/v1/kpis", "/v1/portfolio", "/v1/advice", "/v1/access/effective", "/v1/access/ending", "/v1/tasks", "/v1/directory", "/v1/reviews/applications", "/v1/reviews/profiles", "/v1/events", "/v1/collaborations/" + uuid.NewString() + "/history"}
	for i := range paths {
		f.Add(i, "cursor", "eyJhIjoxfQ")
		f.Add(i, "minPosition", "1")
		f.Add(i, "q", "caf\xe9 \x00 %' OR 1=1 --")
		f.Add(i, "after", "1e3")
		f.Add(i, "client", uuid.Nil.String())
	}
	handler := startLedger(f).handler
	f.Fuzz(func(t *testing.T, path int, name, value string) {
		query := url.Values{name: {value}}
		if name != "party" && name != "client" && name != "consultancy" {
			query.Set("party", "0192f3c4-0000-7000-8000-000000000001")
		}
		for _, q := range []url.Values{query, {name: {value}}} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, paths[uint(path)%uint(len(paths))]+"?"+q.Encode(), nil)
			serve(t, handler, r)
		}
	})
}
