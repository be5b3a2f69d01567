package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/email"
	"github.com/collabledger/collabledger/internal/smtptest"
)

// mailFlags are those of a ledger that sends mail by a server.
func mailFlags(server *smtptest.Server, more ...string) []string {
	return append([]string{"--smtp-server", server.Addr, "--smtp-tls", "none", "--email-from", "Ledger <ledger@example.com>"}, more...)
}

// subjects are those of the mails that a server has taken, sorted.
func subjects(server *smtptest.Server) (all []string) {
	for _, m := range server.Mails() {
		all = append(all, m.Subject)
	}
	slices.Sort(all)
	return all
}

func TestAServerMailsPeopleWhatTheyAreToldOf(t *testing.T) {
	mails := smtptest.New(t)
	server := serveHere(t, mailFlags(mails)...)
	key, err := readOperatorKey(server.data)
	require.NoError(t, err)
	operator := client.New(server.url, key)
	vidal, espiga := partner(t, operator), register(t, operator, domain.Business, "La Espiga")
	pair := commands.PairFields{ConsultancyID: vidal.id, ClientID: espiga.id}
	must(t, operator.As(espiga.id, espiga.owner), "RequestCollaboration", commands.RequestCollaboration{PairFields: pair, Message: "Please keep our books."})
	must(t, operator.As(vidal.id, vidal.owner), "AcceptCollaboration", commands.AcceptCollaboration{PairFields: pair})

	want := []string{"Application accepted", "Profile published", "Request from La Espiga", "Vidal Asesoría accepted your request"}
	require.Eventually(t, func() bool { return len(mails.Mails()) == len(want) }, readyWait, pollEvery)
	require.Equal(t, want, subjects(mails))
	require.Eventually(t, func() bool {
		ready, err := readiness(t.Context(), server.url)
		return err == nil && ready.Email != nil && ready.Email.Sent == 4 && ready.Email.Behind == 0 && ready.Email.State == email.Live
	}, readyWait, pollEvery)
	response, err := http.Get(server.url + "/metrics")
	require.NoError(t, err)
	metrics, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	for _, line := range []string{"ledger_email_up 1", "ledger_email_waiting 0", "ledger_email_sent_total 4", "ledger_email_given_up_total 0", "ledger_email_behind_events 0"} {
		require.Contains(t, string(metrics), "\n"+line+"\n")
	}
	code, stderr := server.stop()
	require.Equal(t, exitOK, code, stderr)
	require.NotContains(t, stderr, "level=WARN")
	require.NotContains(t, stderr, "level=ERROR")
}

func TestAKilledServerLosesNoMail(t *testing.T) {
	mails := smtptest.New(t)
	mails.Stop()
	first := startServer(t, mailFlags(mails)...)
	operator := first.Client()
	vidal, espiga := partner(t, operator), register(t, operator, domain.Business, "La Espiga")
	pair := commands.PairFields{ConsultancyID: vidal.id, ClientID: espiga.id}
	must(t, operator.As(espiga.id, espiga.owner), "RequestCollaboration", commands.RequestCollaboration{PairFields: pair, Message: "Please keep our books."})
	first.Kill9()

	mails.Start()
	second := startServer(t, mailFlags(mails, "--data", first.Data)...)
	want := []string{"Application accepted", "Profile published", "Request from La Espiga"}
	require.Eventually(t, func() bool { return len(mails.Mails()) == len(want) }, readyWait, pollEvery, "stderr:\n%s", second.stderr)
	require.Equal(t, want, subjects(mails))
	second.Stop()

	third := startServer(t, "--data", first.Data)
	must(t, third.Client().As(espiga.id, espiga.owner), "SendMessage", commands.SendMessage{PairFields: pair, Body: "while e-mail is switched off"})
	third.Stop()
	fourth := startServer(t, mailFlags(mails, "--data", first.Data)...)
	must(t, fourth.Client().As(espiga.id, espiga.owner), "SendMessage", commands.SendMessage{PairFields: pair, Body: "and on again"})
	require.Eventually(t, func() bool { return len(mails.Mails()) == len(want)+1 }, readyWait, pollEvery)
	require.Contains(t, mails.Mails()[len(want)].Body, "and on again")
	fourth.Stop()
}

func TestTheMailServersPassword(t *testing.T) {
	file := filepath.Join(t.TempDir(), "smtp.key")
	require.NoError(t, os.WriteFile(file, []byte("hunter2\n"), secretMode))
	flags := mailing{SMTPServer: "smtp.example.com:465", SMTPTLS: email.ImplicitTLS, SMTPUser: "ledger", EmailFrom: "ledger@example.com"}
	_, err := flags.server()
	require.ErrorContains(t, err, "only one of them is given")

	t.Setenv(passwordVariable, "hunter3")
	server, err := flags.server()
	require.NoError(t, err)
	require.Equal(t, "hunter3", server.Password)
	flags.SMTPPasswordFile = file
	server, err = flags.server()
	require.NoError(t, err)
	require.Equal(t, "hunter2", server.Password)
	flags.SMTPPasswordFile = file + ".none"
	_, err = flags.server()
	require.ErrorContains(t, err, "read the mail server's password")
}

func TestWhatIsWrongAboutEmailIsToldAtTheStart(t *testing.T) {
	t.Setenv(passwordVariable, "hunter2")
	for want, args := range map[string][]string{
		"--smtp-server HOST:PORT": {"--email-from", "ledger@example.com"},
		"must be HOST:PORT":       {"--smtp-server", "smtp.example.com", "--email-from", "ledger@example.com"},
		"an address such as":      {"--smtp-server", "smtp.example.com:25"},
		"--smtp-tls":              {"--smtp-server", "smtp.example.com:25", "--email-from", "ledger@example.com", "--smtp-tls", "maybe"},
		"without TLS":             {"--smtp-server", "smtp.example.com:25", "--email-from", "ledger@example.com", "--smtp-tls", "none", "--smtp-user", "ledger"},
	} {
		code, stdout, stderr := runLedger(t, nil, append([]string{"serve", "--data", filepath.Join(t.TempDir(), "data")}, args...)...)
		require.Equal(t, exitUsage, code, want)
		require.Empty(t, stdout)
		require.Contains(t, stderr, want)
		require.False(t, strings.Contains(stderr, "hunter2"))
	}
}
