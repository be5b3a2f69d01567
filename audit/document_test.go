package audit_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/audit"
)

var update = flag.Bool("update", false, "write the documents anew")

// TestTheListOfRulesIsDocumented holds docs/checks.md to the list of rules. -update writes it.
func TestTheListOfRulesIsDocumented(t *testing.T) {
	var document strings.Builder
	document.WriteString(`# What a check looks for

` + "`ledger check`" + ` reads a whole log and holds every event to these rules. It states them by itself and shares none of the code that
accepted the events. A code never changes. Invariants are those of the ledger's domain, S6 is the guide's sixth step.
This document is generated: ` + "`go test ./audit -run TestTheListOfRulesIsDocumented -update`" + `.

| code | what must hold | source |
|---|---|---|
`)
	for _, rule := range audit.Rules() {
		fmt.Fprintf(&document, "| `%s` | %s | %s |\n", rule.Code, rule.Holds, rule.Source)
	}
	path := filepath.Join("..", "docs", "checks.md")
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(document.String()), 0o644))
	}
	written, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(written), document.String(), "%s is stale; run this test with -update", path)
}

// TestThePoliciesDocumentShowsItsExamples: each example file is in docs/policies.md, and what stands there is a policy.
func TestThePoliciesDocumentShowsItsExamples(t *testing.T) {
	document, err := os.ReadFile(filepath.Join("..", "docs", "policies.md"))
	require.NoError(t, err)
	examples, err := filepath.Glob(filepath.Join("..", "docs", "policies", "*.json"))
	require.NoError(t, err)
	require.Len(t, examples, 5)
	for _, path := range examples {
		require.Contains(t, string(document), "policies/"+filepath.Base(path))
		example(t, strings.TrimSuffix(filepath.Base(path), ".json"))
	}
	blocks := strings.Split(string(document), "```json\n")[1:]
	require.NotEmpty(t, blocks)
	for _, block := range blocks {
		text, _, _ := strings.Cut(block, "```")
		parsed(t, text)
	}
}
