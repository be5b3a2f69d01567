package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheTourOfTheREADMEWorksAsPasted runs the README's shell blocks in one shell, against a server of this build.
func TestTheTourOfTheREADMEWorksAsPasted(t *testing.T) {
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed: the README's tour is not tried", tool)
		}
	}
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```bash\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	require.NotEmpty(t, blocks)

	server := startServer(t)
	script := "set -eu\n"
	for _, block := range blocks {
		if !strings.Contains(block[1], "ledger serve") { // the server runs already, on a port and in a folder of the test's own
			script += block[1]
		}
	}
	script = strings.ReplaceAll(script, "http://127.0.0.1:8080", server.URL)
	script = strings.ReplaceAll(script, "ledger-data/", server.Data+"/")
	shell := exec.CommandContext(t.Context(), "bash", "-c", script)
	output, err := shell.CombinedOutput()
	require.NoError(t, err, "%s", output)

	codes := regexp.MustCompile(`"code":"(\w+)"`).FindAllStringSubmatch(string(output), -1)
	require.Len(t, codes, 2, "two refusals, and nothing else is refused:\n%s", output)
	require.Equal(t, "collaboration_not_active", codes[0][1], "granting too early")
	require.Equal(t, "collaboration_not_active", codes[1][1], "logging in after the end")
	for _, shown := range []string{
		`"displayName":"Vidal Asesoría"`, `"roleId":"finance"`, `"status":"granted"`, `"words":`, `"token":`, `collaboration.CollaborationEnded.v1`,
	} {
		require.Contains(t, string(output), shown)
	}
}
