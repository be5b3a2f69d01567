package main

import (
	"encoding/json"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

func TestReviewsListWhatWaits(t *testing.T) {
	s := serveHere(t)
	run := func(args ...string) (code int, stdout, stderr string) {
		t.Helper()
		return runLedger(t, nil, append(args, "--url", s.url, "--key-from", s.data)...)
	}
	ask := func(args ...string) string {
		t.Helper()
		code, stdout, stderr := run(args...)
		require.Equal(t, exitOK, code, stderr)
		return stdout
	}
	agency := registration("Norte")
	agency.Type, agency.FirmKind = domain.Consultancy, domain.Agency
	body, err := json.Marshal(agency)
	require.NoError(t, err)
	var answer client.Answer
	var account commands.AccountResult
	require.NoError(t, json.Unmarshal([]byte(ask("do", "RegisterAccount", "--data", string(body), "--json")), &answer))
	require.NoError(t, json.Unmarshal(answer.Result, &account))
	id, owner := account.AccountID.String(), account.AccountID.String()+"/"+account.OwnerUserID.String()
	named := `{"consultancyId":"` + id + `"}`

	ask("do", "ApplyForPartnership", "--data", named, "--as", owner)
	ask("do", "WithdrawApplication", "--data", named, "--as", owner)
	ask("do", "ApplyForPartnership", "--data", named, "--as", owner)
	waits := func(pattern string, args ...string) {
		t.Helper()
		line := regexp.MustCompile(pattern)
		require.Eventually(t, func() bool { return line.MatchString(ask(args...)) }, readyWait, pollEvery, pattern)
	}
	waits(`(?m)^`+id+` +Norte +\S+ +ES +agency +current +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +withdrawn$`, "reviews", "applications")

	ask("do", "AcceptPartnership", "--data", named)
	ask("do", "SubmitProfile", "--as", owner, "--data", `{"consultancyId":"`+id+`","displayName":"Norte","description":"Books.","services":["bookkeeping","tax"],
		"specialties":[],"languages":["es"],"country":"ES","city":"Bilbao","contactEmail":"hola@norte.example"}`)
	waits(`(?m)^`+id+` +Norte +1 +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +services +bookkeeping, tax$`, "reviews", "profiles")
	_, _, stderr := run("reviews", "applications")
	require.Contains(t, stderr, "nothing found")

	code, _, stderr := run("reviews", "profiles", "--as", owner)
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "refused: reviewer_required: ")
}
