// Package archtest holds the project to its own structure: which package may import which, what the domain must not do, and that
// the files which deploy the ledger agree with the code. It has tests only.
package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/collabledger/collabledger"

// A package belongs to the first folder of its path, except for those that play or measure the whole ledger, and for the Watermill
// adapter, which the feed uses as well as the client.
//
// mayImport says which folders a folder's code, tests aside, may import besides itself. Arrows point downwards only: cmd over api
// and feed, api over reactors, webhooks and email, those over commands, projections and audit, those over eventstore, and domain and
// internal at the bottom. The examples are made as a downstream service is.
var mayImport = map[string][]string{
	"domain":         {},
	"internal":       {},
	"eventstore":     {"internal"},
	"client":         {"domain", "client/pubsub"},
	"client/pubsub":  {},
	"examples":       {"domain", "client"},
	"commands":       {"domain", "eventstore", "internal"},
	"projections":    {"domain", "eventstore", "internal"},
	"audit":          {"domain", "eventstore", "internal"},
	"feed":           {"domain", "eventstore", "commands", "internal", "client/pubsub"},
	"reactors":       {"domain", "eventstore", "commands", "projections", "internal"},
	"webhooks":       {"domain", "eventstore", "commands", "projections", "internal"},
	"email":          {"domain", "eventstore", "commands", "projections", "internal"},
	"api":            {"domain", "eventstore", "commands", "projections", "reactors", "webhooks", "email", "audit", "internal"},
	"cmd":            {"domain", "eventstore", "commands", "projections", "reactors", "webhooks", "email", "audit", "feed", "api", "client", "internal", "internal/demo", "internal/bench"},
	"internal/demo":  {"domain", "eventstore", "commands", "projections", "reactors", "webhooks", "email", "audit", "feed", "api", "client", "internal"},
	"internal/bench": {"domain", "eventstore", "commands", "projections", "reactors", "webhooks", "email", "audit", "feed", "api", "client", "internal"},
}

// natsFolders are the only ones that know NATS, so that commands and queries work without it.
var natsFolders = []string{"feed", "client", "client/pubsub", "examples", "cmd", "internal/demo", "internal/bench"}

// impure are the standard library's ways to the outside world, to chance and to what the caller has not said. A trailing slash
// stands for every package below.
var impure = []string{
	"context", "crypto/rand", "database/", "log", "log/", "math/rand", "math/rand/", "net", "net/http", "net/http/", "net/rpc",
	"net/rpc/", "net/smtp", "net/textproto", "os", "os/", "plugin", "runtime", "runtime/", "sync", "sync/", "syscall", "syscall/",
	"testing", "testing/", "unsafe",
}

// goPackage is what go list tells of a package. Imports are those of its code, TestImports and XTestImports of its tests.
type goPackage struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// folder is where a package of the module belongs, as in mayImport.
func folder(importPath string) string {
	path := strings.TrimPrefix(strings.TrimPrefix(importPath, module), "/")
	for _, whole := range []string{"internal/demo", "internal/bench", "client/pubsub"} {
		if path == whole || strings.HasPrefix(path, whole+"/") {
			return whole
		}
	}
	first, _, _ := strings.Cut(path, "/")
	return first
}

// isTestHelper tells the packages that only tests may import, such as sqldbtest.
func isTestHelper(importPath string) bool { return strings.HasSuffix(importPath, "test") }

func ours(importPath string) bool {
	return importPath == module || strings.HasPrefix(importPath, module+"/")
}

// packages lists the packages of the module.
func packages(t *testing.T) []goPackage {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports", module+"/...")
	var stderr bytes.Buffer
	list.Stderr = &stderr
	output, err := list.Output()
	require.NoError(t, err, stderr.String())
	var found []goPackage
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var p goPackage
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		found = append(found, p)
	}
	require.NotEmpty(t, found)
	return found
}

// brokenImports says what is wrong with the imports of a package, one sentence for each.
func brokenImports(p goPackage) []string {
	var broken []string
	say := func(imported, rule string) {
		broken = append(broken, p.ImportPath+" imports "+imported+": "+rule)
	}
	from := folder(p.ImportPath)
	allowed, known := mayImport[from]
	if !known {
		broken = append(broken, p.ImportPath+" is in a folder that has no rule in mayImport")
	}
	for _, imported := range p.Imports {
		switch {
		case isTestHelper(p.ImportPath):
			// A test helper may use whatever the tests that it helps may use.
		case ours(imported) && isTestHelper(imported):
			say(imported, "only tests import test helpers")
		case ours(imported) && folder(imported) != from && !slices.Contains(allowed, folder(imported)):
			say(imported, from+" may import only itself and ["+strings.Join(allowed, " ")+"]")
		case strings.HasPrefix(imported, "github.com/nats-io/") && !slices.Contains(natsFolders, from):
			say(imported, "only ["+strings.Join(natsFolders, " ")+"] know NATS")
		}
	}
	for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
		if ours(imported) && folder(imported) == "cmd" && from != "cmd" {
			say(imported, "nobody imports the command")
		}
	}
	if from == "domain" {
		for _, imported := range p.Imports {
			if external := strings.Contains(imported, "."); external && !ours(imported) && imported != "github.com/google/uuid" {
				say(imported, "the domain is made of the standard library and uuid alone")
			}
			if isImpure(imported) {
				say(imported, "the domain does no I/O and knows no clock, chance or caller")
			}
		}
	}
	return broken
}

func isImpure(imported string) bool {
	return slices.ContainsFunc(impure, func(forbidden string) bool {
		return imported == forbidden || strings.HasSuffix(forbidden, "/") && strings.HasPrefix(imported, forbidden)
	})
}

func TestPackagesImportOnlyWhatTheirFolderMay(t *testing.T) {
	for _, p := range packages(t) {
		for _, sentence := range brokenImports(p) {
			t.Error(sentence)
		}
	}
}

func TestTheImportRulesCatchWhatTheyForbid(t *testing.T) {
	for _, c := range []struct {
		name, from, imported string
		inTest               bool
		want                 string // empty: allowed
	}{
		{name: "commands over domain", from: "commands", imported: module + "/domain"},
		{name: "a store backend over sqldb", from: "eventstore/postgres", imported: module + "/internal/sqldb"},
		{name: "a backend over its contract", from: "eventstore/sqlite", imported: module + "/eventstore"},
		{name: "domain with uuid", from: "domain", imported: "github.com/google/uuid"},
		{name: "domain with a pure package", from: "domain", imported: "net/mail"},
		{name: "client over the adapter", from: "client", imported: module + "/client/pubsub"},
		{name: "feed over the adapter", from: "feed", imported: module + "/client/pubsub"},
		{name: "feed with NATS", from: "feed", imported: "github.com/nats-io/nats.go/jetstream"},
		{name: "a test with a test helper", from: "projections", imported: module + "/internal/sqldb/sqldbtest", inTest: true},
		{name: "the command with the demo", from: "cmd/ledger", imported: module + "/internal/demo"},
		{name: "the command with the benchmarks", from: "cmd/ledger", imported: module + "/internal/bench"},

		{name: "domain with a clock's context", from: "domain", imported: "context", want: "no I/O"},
		{name: "domain with files", from: "domain", imported: "os", want: "no I/O"},
		{name: "domain with a database", from: "domain", imported: "database/sql", want: "no I/O"},
		{name: "domain with chance", from: "domain", imported: "math/rand/v2", want: "no I/O"},
		{name: "domain with a library", from: "domain", imported: "golang.org/x/text/language", want: "standard library"},
		{name: "domain over eventstore", from: "domain", imported: module + "/eventstore", want: "may import only"},
		{name: "eventstore over domain", from: "eventstore", imported: module + "/domain", want: "may import only"},
		{name: "commands over projections", from: "commands", imported: module + "/projections", want: "may import only"},
		{name: "projections over commands", from: "projections", imported: module + "/commands", want: "may import only"},
		{name: "webhooks over the API", from: "webhooks", imported: module + "/api", want: "may import only"},
		{name: "email over the API", from: "email", imported: module + "/api", want: "may import only"},
		{name: "webhooks with NATS", from: "webhooks", imported: "github.com/nats-io/nats.go", want: "know NATS"},
		{name: "feed over the client", from: "feed", imported: module + "/client", want: "may import only"},
		{name: "the adapter over domain", from: "client/pubsub", imported: module + "/domain", want: "may import only"},
		{name: "client over api", from: "client", imported: module + "/api", want: "may import only"},
		{name: "internal over domain", from: "internal/sqldb", imported: module + "/domain", want: "may import only"},
		{name: "api with NATS", from: "api", imported: "github.com/nats-io/nats.go", want: "know NATS"},
		{name: "api over the demo", from: "api", imported: module + "/internal/demo", want: "may import only"},
		{name: "the demo over the benchmarks", from: "internal/demo", imported: module + "/internal/bench", want: "may import only"},
		{name: "code with a test helper", from: "projections", imported: module + "/internal/sqldb/sqldbtest", want: "only tests"},
		{name: "a test with the command", from: "api", imported: module + "/cmd/ledger", inTest: true, want: "nobody imports"},
		{name: "a new folder", from: "cache", imported: "strings", want: "has no rule"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := goPackage{ImportPath: module + "/" + c.from, Imports: []string{c.imported}}
			if c.inTest {
				p.Imports, p.XTestImports = nil, []string{c.imported}
			}
			broken := brokenImports(p)
			if c.want == "" {
				require.Empty(t, broken)
				return
			}
			require.Len(t, broken, 1)
			require.Contains(t, broken[0], c.want)
		})
	}
}
