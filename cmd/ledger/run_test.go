package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

// runLedger runs a command line to its end.
func runLedger(t *testing.T, stdin io.Reader, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	if stdin == nil {
		stdin = strings.NewReader("")
	}
	var out, errOut bytes.Buffer
	code = run(t.Context(), args, stdin, &out, &errOut)
	return code, out.String(), errOut.String()
}

func TestHelpNamesEveryCommand(t *testing.T) {
	code, stdout, stderr := runLedger(t, nil, "--help")
	require.Equal(t, exitOK, code)
	require.Empty(t, stderr)
	for _, name := range []string{"serve", "demo", "do", "inbox", "access", "sessions", "effective", "ending", "kpi", "portfolio", "advice", "directory", "history", "reviews applications", "reviews profiles", "webhooks list", "webhooks dead-letters", "webhooks replay", "webhooks add", "tail", "projections status", "projections rebuild", "check", "reconcile", "migrate", "version"} {
		require.Regexp(t, `(?m)^  `+name+`( |$)`, stdout)
	}

	code, again, _ := runLedger(t, nil)
	require.Equal(t, exitOK, code)
	require.Equal(t, stdout, again, "nothing to do is a question")
}

func TestHelpOfServeNamesFlagsAndVariables(t *testing.T) {
	code, stdout, _ := runLedger(t, nil, "serve", "--help")
	require.Equal(t, exitOK, code)
	for flag, variable := range map[string]string{"--data": "LEDGER_DATA", "--listen": "LEDGER_LISTEN", "--postgres": "LEDGER_POSTGRES", "--nats": "LEDGER_NATS", "--nats-listen": "LEDGER_NATS_LISTEN", "--smtp-server": "LEDGER_SMTP_SERVER", "--smtp-password-file": "LEDGER_SMTP_PASSWORD"} {
		require.Contains(t, stdout, flag)
		require.Contains(t, stdout, "$"+variable)
	}
}

func TestHelpOfDoListsEveryCommandOfTheLedger(t *testing.T) {
	code, stdout, _ := runLedger(t, nil, "do", "--help")
	require.Equal(t, exitOK, code)
	for _, spec := range commands.List() {
		require.Regexp(t, spec.Name+` +`+spec.Summary, stdout)
	}
}

func TestDoExplainsWhatACommandTakes(t *testing.T) {
	for _, spec := range commands.List() {
		code, stdout, stderr := runLedger(t, nil, "do", spec.Name)
		require.Equal(t, exitUsage, code)
		require.Contains(t, stderr, spec.Name+" needs its fields as JSON")
		require.Contains(t, stdout, spec.Summary)
		require.Contains(t, stdout, "ledger do "+spec.Name+" --data '{")

		code, help, _ := runLedger(t, nil, "do", spec.Name, "--help")
		require.Equal(t, exitOK, code)
		require.Equal(t, stdout, help)
	}
	_, stdout, _ := runLedger(t, nil, "do", "GrantAccess")
	require.Regexp(t, `(?m)^  consultancyId +uuid +Account of the consultancy$`, stdout)
	require.Regexp(t, `(?m)^  expiresAt +date-time +optional +When the grant ends`, stdout)
	_, stdout, _ = runLedger(t, nil, "do", "RegisterAccount")
	require.Regexp(t, `(?m)^  owner\.email +email +Where the person receives mail$`, stdout)
	require.Regexp(t, `(?m)^  plan +string +.*: free, basic, standard, advanced, premium$`, stdout)
}

func TestWhatCannotBeReadExitsWith2(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, operatorKeyFile), []byte(strings.Repeat("k", minKeyLength)), secretMode))
	large := filepath.Join(folder, "large.json")
	require.NoError(t, os.WriteFile(large, bytes.Repeat([]byte(" "), commands.MaxBodyBytes+1), secretMode))
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"too many fields":       {[]string{"do", "GrantAccess", "--data", "@" + large}, "has more than the 65536 bytes"},
		"no such command line":  {[]string{"sevre"}, "unexpected argument sevre"},
		"no such flag":          {[]string{"serve", "--prot", "1"}, "unknown flag --prot"},
		"two brokers":           {[]string{"serve", "--nats", "nats://a:1", "--nats-listen", ":1"}, "--nats and --nats-listen"},
		"replicas":              {[]string{"serve", "--stream-replicas", "6"}, "the stream's replicas must be from 1 to 5, not 6"},
		"age":                   {[]string{"serve", "--stream-max-age", "5ms"}, "the stream's age must be at least 100ms, not 5ms"},
		"bytes":                 {[]string{"reconcile", "--stream-max-bytes=-1"}, "the stream's bytes must not be negative, as -1 is"},
		"no such command":       {[]string{"do", "GrantAcess"}, `there is no command "GrantAcess"`},
		"fields are not JSON":   {[]string{"do", "GrantAccess", "--data", "{"}, "the fields of GrantAccess are not JSON"},
		"two objects":           {[]string{"do", "GrantAccess", "--data", "{}{}"}, "the fields of GrantAccess are not JSON"},
		"id is no UUID":         {[]string{"do", "GrantAccess", "--data", "{}", "--id", "7"}, "--id must be a UUID"},
		"person is no person":   {[]string{"do", "GrantAccess", "--data", "{}", "--as", "anna", "--key-from", folder}, "like ACCOUNT/USER"},
		"KPIs of nobody":        {[]string{"kpi"}, "--consultancy=ACCOUNT or --client=ACCOUNT"},
		"webhook is no id":      {[]string{"webhooks", "deliveries", "hook"}, "<webhook>"},
		"nothing to replay":     {[]string{"webhooks", "replay", "0192f3c4-0000-7000-8000-00000000000a"}, "name the positions of events, or --all"},
		"all and one":           {[]string{"webhooks", "replay", "0192f3c4-0000-7000-8000-00000000000a", "7", "--all"}, "name the positions of events, or --all"},
		"position is no number": {[]string{"tail", "--after", "x"}, "--after"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := runLedger(t, nil, test.args...)
			require.Equal(t, exitUsage, code)
			require.Empty(t, stdout)
			require.Contains(t, stderr, test.want)
		})
	}
}

func TestWithoutAKeyItSaysWhereToGetOne(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "nowhere")
	for _, args := range [][]string{{"inbox", "x"}, {"do", "GrantAccess", "--data", "{}"}, {"tail"}} {
		code, _, stderr := runLedger(t, nil, append(args, "--key-from", folder)...)
		require.Equal(t, exitFailed, code)
		require.Contains(t, stderr, "there is no key in "+filepath.Join(folder, operatorKeyFile))
		require.Contains(t, stderr, "LEDGER_KEY")
	}
}

func TestReport(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		code int
		want string
	}{
		"nothing": {nil, exitOK, ""},
		"refusal": {&client.Problem{Status: 422, Code: "no_live_grant", Detail: "the client's access grant is none"}, exitFailed, "refused: no_live_grant: the client's access grant is none\n"},
		"refusal of fields": {&client.Problem{Status: 400, Code: "invalid", Detail: "the body breaks the rules of its fields", Errors: []domain.FieldError{{Field: "owner.email", Rule: "must be an e-mail address"}}}, exitFailed,
			"refused: invalid: the body breaks the rules of its fields\n  owner.email: must be an e-mail address\n"},
		"failure of the ledger": {&client.Problem{Status: 503, Code: "unavailable", Detail: "the event store does not answer"}, exitFailed, "failed: unavailable: the event store does not answer\n"},
		"interruption":          {context.Canceled, exitFailed, "ledger: interrupted\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			require.Equal(t, test.code, (&streams{err: &out}).report(test.err))
			require.Equal(t, test.want, out.String())
		})
	}
}
