package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/projections"
)

// pollEvery is between two looks at what a test waits for.
const pollEvery = 10 * time.Millisecond

// registrationJSON is a body of RegisterAccount.
func registrationJSON(t *testing.T, tradeName string) string {
	t.Helper()
	body, err := json.Marshal(registration(tradeName))
	require.NoError(t, err)
	return string(body)
}

func TestDoSubmitsACommandOnce(t *testing.T) {
	s := serveHere(t)
	connect := []string{"--url", s.url, "--key-from", s.data, "--id", "0192f3c4-0000-7000-8000-0000000000aa"}
	body := registrationJSON(t, "La Espiga")
	file := filepath.Join(t.TempDir(), "body.json")
	require.NoError(t, os.WriteFile(file, []byte(body), secretMode))

	do := func(stdin, body string, flags ...string) (int, string, string) {
		return runLedger(t, strings.NewReader(stdin), append(append([]string{"do", "RegisterAccount", "--data", body}, connect...), flags...)...)
	}
	code, first, stderr := do("", body)
	require.Equal(t, exitOK, code, stderr)
	require.Regexp(t, `^accepted at position 1, command 0192f3c4-0000-7000-8000-0000000000aa
POSITION  EVENT                         STREAM +VERSION
1         account\.AccountRegistered\.v1  account-[0-9a-f-]{36}  1
accountId: [0-9a-f-]{36}
ownerUserId: [0-9a-f-]{36}
$`, first)
	for name, again := range map[string][2]string{"argument": {"", body}, "file": {"", "@" + file}, "standard input": {body, "-"}} {
		code, stdout, stderr := do(again[0], again[1])
		require.Equal(t, exitOK, code, stderr)
		require.Equal(t, first, stdout, name)
	}
	code, stdout, stderr := do("", body, "--json")
	require.Equal(t, exitOK, code, stderr)
	var answer client.Answer
	require.NoError(t, json.Unmarshal([]byte(stdout), &answer))
	require.EqualValues(t, 1, answer.Position)

	code, _, stderr = do("", registrationJSON(t, "Café Ártico"))
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "refused: idempotency_key_reused: ")
	code, _, stderr = do("", `{"type":"consultancy","surprise":1}`)
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "refused: invalid: ")
	require.Regexp(t, `(?m)^  surprise: `, stderr)
}

func TestQueriesOfWhatTheDemoLeaves(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	code, stdout, stderr := runLedger(t, nil, "demo", "--data", data)
	require.Equal(t, exitOK, code, "%s\n%s", stdout, stderr)
	s := serveHere(t, "--data", data)
	connect := []string{"--url", s.url, "--key-from", data}
	ask := func(args ...string) string {
		t.Helper()
		code, stdout, stderr := runLedger(t, nil, append(args, connect...)...)
		require.Equal(t, exitOK, code, stderr)
		return stdout
	}
	listed := page[projections.DirectoryItem](t, ask("directory", "asesoria", "--json"))
	require.Len(t, listed.Items, 1)
	vidal := listed.Items[0].ConsultancyID.String()
	requests := page[projections.RequestItem](t, ask("inbox", vidal, "--sort", "name", "--json"))
	require.Len(t, requests.Items, 3)
	espiga := requests.Items[2]
	require.Equal(t, "La Espiga", espiga.ClientName)
	access := page[projections.AccessItem](t, ask("access", "--consultancy", vidal, "--live", "--json"))
	require.Len(t, access.Items, 1)
	manager := access.Items[0].People[0].UserID.String()

	require.Regexp(t, `La Espiga +ended `, ask("inbox", vidal))
	require.Regexp(t, `Vidal Asesoría +La Espiga +ended`, ask("inbox", espiga.ClientID.String(), "--status", "ended", "--sort", "name"))
	require.Regexp(t, `Ferretería Núñez +Vidal Asesoría +granted +finance`, ask("access", "--consultancy", vidal, "--live"))
	ferreteria := access.Items[0].ClientID.String()
	why := []string{"effective", "--client", ferreteria, "--consultancy", vidal, "--user", manager}
	require.Regexp(t, `(?m)^sales +edit +Permitted by role finance, version 1, in grant `, ask(why...))
	require.Contains(t, ask(append(why, "--json")...), `"obstacles":[]`)
	require.Regexp(t, `"items":\[`, ask("ending", "--client", ferreteria, "--within", "730d", "--json"))
	require.Regexp(t, `La Espiga +Vidal Asesoría +\S.* \d{4}-\d\d-\d\d \d\d:\d\d:\d\d +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +\w+`, ask("sessions", "--client", espiga.ClientID.String()))
	sessions := page[projections.SessionItem](t, ask("sessions", "--client", espiga.ClientID.String(), "--json"))
	opened := sessions.Items[0].OpenedAt
	require.NotEmpty(t, page[projections.SessionItem](t, ask("sessions", "--client", espiga.ClientID.String(), "--open-at", opened.Format(time.RFC3339Nano), "--json")).Items)
	require.Empty(t, page[projections.SessionItem](t, ask("sessions", "--client", espiga.ClientID.String(), "--open-at", opened.Add(-time.Hour).Format(time.RFC3339Nano), "--json")).Items)
	require.Regexp(t, `Ferretería Núñez +journal +1 +1 +0`, ask("kpi", "--consultancy", vidal, "--as", vidal+"/"+manager))
	require.Regexp(t, `Ferretería Núñez +approved +granted +finance .* 1 +1 `, ask("portfolio", vidal, "--search", "ferreteria", "--sort", "pending", "--descending"))
	require.Regexp(t, `Vidal Asesoría +ended `, ask("advice", espiga.ClientID.String()))
	require.Regexp(t, `Vidal Asesoría +Barcelona +ES`, ask("directory", "ASESORIA"))
	require.Regexp(t, `\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +.*Lucía Fernández`, ask("history", espiga.CollaborationID.String()))
	require.Regexp(t, `(?m)^\d+ +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +unread +Request from La Espiga +.*asked Vidal Asesoría to collaborate`,
		ask("notifications", "--unread", "--as", vidal+"/"+access.Items[0].People[0].UserID.String()))

	code, stdout, stderr = runLedger(t, nil, append([]string{"inbox", vidal, "--limit", "2"}, connect...)...)
	require.Equal(t, exitOK, code)
	require.Equal(t, 3, strings.Count(stdout, "\n"))
	cursor := regexp.MustCompile(`--cursor (\S+)`).FindStringSubmatch(stderr)
	require.NotNil(t, cursor, stderr)
	require.Equal(t, 2, strings.Count(ask("inbox", vidal, "--limit", "2", "--cursor", cursor[1]), "\n"), "the header and the third request")

	code, _, stderr = runLedger(t, nil, append([]string{"inbox", vidal, "--as", espiga.ClientID.String() + "/" + manager}, connect...)...)
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "refused: not_a_member: ")
	code, _, stderr = runLedger(t, nil, "directory", "--url", s.url, "--key-from", t.TempDir())
	require.Equal(t, exitOK, code, "the public needs no key: %s", stderr)
	code, stdout, stderr = runLedger(t, nil, "projections", "status", "--url", s.url)
	require.Equal(t, exitOK, code, stderr)
	require.Regexp(t, `(?m)^directory +1 +\d+ +0 +live`, stdout)
}

// page reads a list as --json prints it.
func page[T any](t *testing.T, stdout string) projections.Page[T] {
	t.Helper()
	var p projections.Page[T]
	require.NoError(t, json.Unmarshal([]byte(stdout), &p))
	return p
}
