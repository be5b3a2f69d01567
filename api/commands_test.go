package api_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/api"
	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
)

// registration is a valid body of RegisterAccount.
func registration(t testing.TB) string {
	t.Helper()
	return encoded(t, commands.List()[0].Example)
}

func TestCommandIsAccepted(t *testing.T) {
	l := startLedger(t)
	key := uuid.NewString()
	a := l.command("RegisterAccount", registration(t), http.Header{"Idempotency-Key": {key}})
	got := into[struct {
		CommandID uuid.UUID
		Position  int64
		Events    []commands.EventRef
		Result    commands.AccountResult
	}](t, a)
	require.Equal(t, key, got.CommandID.String())
	require.Equal(t, int64(1), got.Position)
	require.Equal(t, "1", a.header.Get("Ledger-Position"))
	require.Empty(t, a.header.Get("Idempotency-Replayed"))
	require.Equal(t, []commands.EventRef{{Type: "account.AccountRegistered.v1", Stream: "account-" + got.Result.AccountID.String(), Version: 1, Position: 1}}, got.Events)
}

func TestRepeatedCommandHasTheFirstAnswer(t *testing.T) {
	l := startLedger(t)
	key := http.Header{"Idempotency-Key": {uuid.NewString()}}
	first := l.command("RegisterAccount", registration(t), key)
	again := l.command("RegisterAccount", registration(t), key)
	require.Equal(t, http.StatusOK, again.status)
	require.Equal(t, string(first.body), string(again.body))
	require.Equal(t, "true", again.header.Get("Idempotency-Replayed"))
	require.Equal(t, first.header.Get("Ledger-Position"), again.header.Get("Ledger-Position"))

	other := strings.Replace(registration(t), "Vidal", "Roca", 1)
	l.command("RegisterAccount", other, key).problem(t, http.StatusUnprocessableEntity, "idempotency_key_reused")
}

func TestMalformedCommandsAreRefused(t *testing.T) {
	l := startLedger(t)
	for name, test := range map[string]struct {
		command, body string
		header        http.Header
		status        int
		code          string
	}{
		"no key":                   {header: http.Header{"Idempotency-Key": nil}, status: 400, code: "idempotency_key_required"},
		"an empty key":             {header: http.Header{"Idempotency-Key": {""}}, status: 400, code: "idempotency_key_required"},
		"a key that is no UUID":    {header: http.Header{"Idempotency-Key": {"once"}}, status: 400, code: "invalid"},
		"the UUID of zeros":        {header: http.Header{"Idempotency-Key": {uuid.Nil.String()}}, status: 400, code: "invalid"},
		"two keys":                 {header: http.Header{"Idempotency-Key": {uuid.NewString(), uuid.NewString()}}, status: 400, code: "invalid"},
		"no content type":          {header: http.Header{"Content-Type": nil}, status: 415, code: "json_required"},
		"another content type":     {header: http.Header{"Content-Type": {"text/plain"}}, status: 415, code: "json_required"},
		"another charset":          {header: http.Header{"Content-Type": {"application/json; charset=latin1"}}, status: 415, code: "json_required"},
		"an If-Match of no ETag":   {header: http.Header{"If-Match": {"7"}}, status: 400, code: "invalid"},
		"an If-Match of anything":  {header: http.Header{"If-Match": {"*"}}, status: 400, code: "invalid"},
		"an empty If-Match":        {header: http.Header{"If-Match": {""}}, status: 400, code: "invalid"},
		"a long correlation id":    {header: http.Header{"Ledger-Correlation-Id": {strings.Repeat("x", api.MaxContextBytes+1)}}, status: 400, code: "invalid"},
		"a causation id of bytes":  {header: http.Header{"Ledger-Causation-Id": {"caf\xe9"}}, status: 400, code: "invalid"},
		"nobody to act as":         {header: http.Header{"Ledger-Act-As": {""}}, status: 400, code: "malformed_act_as"},
		"half a person to act as":  {header: http.Header{"Ledger-Act-As": {uuid.NewString()}}, status: 400, code: "malformed_act_as"},
		"two people to act as":     {header: http.Header{"Ledger-Act-As": {uuid.NewString() + "/" + uuid.NewString(), uuid.NewString() + "/" + uuid.NewString()}}, status: 400, code: "invalid"},
		"no body":                  {body: " ", status: 400, code: "malformed_json"},
		"a body that is no JSON":   {body: "{", status: 400, code: "malformed_json"},
		"a body that is no object": {body: "[]", status: 400, code: "malformed_json"},
		"an unknown field":         {body: `{"nonsense":1}`, status: 400, code: "invalid"},
		"a body that is too large": {body: `{"type":"` + strings.Repeat("x", commands.MaxBodyBytes) + `"}`, status: 413, code: "body_too_large"},
		"an unknown command":       {command: "Nonsense", status: 404, code: "unknown_command"},
		"a command in lower case":  {command: "registeraccount", status: 404, code: "unknown_command"},
	} {
		t.Run(name, func(t *testing.T) {
			l := *l
			l.t = t
			command, body := test.command, test.body
			if command == "" {
				command = "RegisterAccount"
			}
			if body == "" {
				body = registration(t)
			}
			l.command(command, body, test.header).problem(t, test.status, test.code)
		})
	}
	head, err := l.config.Store.Head(t.Context())
	require.NoError(t, err)
	require.Zero(t, head.Position, "a refused command must leave nothing behind")
}

func TestProblemsListEveryFieldThatIsWrong(t *testing.T) {
	l := startLedger(t)
	body := strings.Replace(registration(t), `"anna@vidal.example"`, `"nobody"`, 1)
	body = strings.Replace(body, `"ES"`, `"XX"`, 1)
	p := l.command("RegisterAccount", body, nil).problem(t, http.StatusBadRequest, "invalid")
	fields := []string{}
	for _, e := range p.Errors {
		fields = append(fields, e.Field)
		require.NotEmpty(t, e.Rule)
	}
	require.ElementsMatch(t, []string{"country", "owner.email"}, fields)
}

func TestBodyOfTheLargestSizeIsRead(t *testing.T) {
	l := startLedger(t)
	body := registration(t)
	body += strings.Repeat(" ", commands.MaxBodyBytes-len(body))
	require.Equal(t, http.StatusOK, l.command("RegisterAccount", body, nil).status)
}

func TestKeys(t *testing.T) {
	l := startLedger(t)
	for name, test := range map[string]struct {
		authorization string
		code          string
	}{
		"none":           {"", "key_required"},
		"another scheme": {"Basic " + operatorKey, "key_required"},
		"an unknown one": {"Bearer guess", "unknown_key"},
		"an empty one":   {"Bearer ", "unknown_key"},
		"a longer one":   {"Bearer " + operatorKey + "x", "unknown_key"},
		"a shorter one":  {"Bearer " + operatorKey[1:], "unknown_key"},
	} {
		t.Run(name, func(t *testing.T) {
			l := *l
			l.t = t
			header := http.Header{}
			if test.authorization != "" {
				header.Set("Authorization", test.authorization)
			}
			for _, r := range []request{
				{method: http.MethodGet, path: "/v1/events"},
				{method: http.MethodGet, path: "/v1/events/stream"},
				{method: http.MethodGet, path: "/v1/requests"}, // who asks comes before what is asked
				{method: http.MethodPost, path: "/v1/commands/RegisterAccount", body: registration(t)},
			} {
				r.header = header
				a := l.send(r)
				a.problem(t, http.StatusUnauthorized, test.code)
				require.Equal(t, `Bearer realm="ledger"`, a.header.Get("WWW-Authenticate"))
			}
		})
	}
	a := l.send(request{method: http.MethodGet, path: "/v1/events", header: http.Header{"Authorization": {"bearer " + operatorKey}}})
	require.Equal(t, http.StatusOK, a.status, "the scheme's name has no case")
}

func TestRefusalsTellTheState(t *testing.T) {
	w := startWorld(t)
	_, err := w.operator.As(w.vidal.account, w.vidal.user).Do(t.Context(), "AcceptCollaboration", w.pair())
	p := problemOf(t, err)
	require.Equal(t, http.StatusUnprocessableEntity, p.Status)
	require.Equal(t, "not_pending", p.Code)
	require.Equal(t, "active", p.State)

	_, err = w.operator.As(w.stranger.account, w.stranger.user).Do(t.Context(), "AcceptCollaboration", w.pair())
	require.Equal(t, http.StatusForbidden, problemOf(t, err).Status)
}

func TestIfMatch(t *testing.T) {
	w := startWorld(t)
	path := "/v1/collaborations/" + w.collaboration.String()
	etag := w.get(path, "").header.Get("ETag")
	require.Regexp(t, `^"[0-9]+"$`, etag)
	as := w.espiga.String()
	header := http.Header{"If-Match": {`"1"`}, "Ledger-Act-As": {as}}
	w.command("RevokeAccess", encoded(t, w.pair()), header).problem(t, http.StatusPreconditionFailed, "stale_version")
	header.Set("If-Match", etag)
	require.Equal(t, http.StatusOK, w.command("RevokeAccess", encoded(t, w.pair()), header).status)
	require.NotEqual(t, etag, w.get(path, "").header.Get("ETag"))
}

func TestEventsTellWhoActedAndWhy(t *testing.T) {
	w := startWorld(t)
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	send := func(header http.Header) eventstore.Envelope {
		header.Set("Ledger-Act-As", w.espiga.String())
		a := w.command("SendMessage", encoded(t, commands.SendMessage{PairFields: w.pair(), Body: "Hello"}), header)
		require.Equal(t, http.StatusOK, a.status, "%s", a.body)
		position, err := strconv.ParseInt(a.header.Get("Ledger-Position"), 10, 64)
		require.NoError(t, err)
		records, err := w.config.Store.ReadAll(t.Context(), position-1, 1)
		require.NoError(t, err)
		envelope, err := records[0].Envelope()
		require.NoError(t, err)
		return envelope
	}
	e := send(http.Header{"Ledger-Correlation-Id": {"ticket 7"}, "Ledger-Causation-Id": {"mail 9"}, "Traceparent": {trace}})
	require.Equal(t, "service:operator", e.Actor)
	require.Equal(t, domain.User(w.espiga.account, w.espiga.user).String(), e.OnBehalfOf)
	require.Equal(t, "ticket 7", e.CorrelationID)
	require.Equal(t, "mail 9", e.CausationID)
	require.Equal(t, trace, e.TraceParent)

	e = send(http.Header{"Traceparent": {"nonsense"}})
	require.Empty(t, e.TraceParent, "what is no trace context must not get in the way of a command")
}

func TestSessionTokensVerifyWithThePublishedKeys(t *testing.T) {
	w := startWorld(t)
	keys := into[struct{ Keys []map[string]string }](t, w.send(request{method: http.MethodGet, path: "/.well-known/jwks.json"}))
	require.Len(t, keys.Keys, 1)
	require.Equal(t, "OKP", keys.Keys[0]["kty"])
	require.NotContains(t, keys.Keys[0], "d", "the private key stays inside")
	result := created[commands.SessionResult](w, w.do(w.vidal, commands.OpenClientAccount{PairFields: w.pair()}))
	require.Equal(t, keys.Keys[0]["kid"], tokenHeader(t, result.Token)["kid"])
}

// tokenHeader reads the first part of a token.
func tokenHeader(t *testing.T, token string) map[string]string {
	t.Helper()
	first, _, _ := strings.Cut(token, ".")
	var header map[string]string
	decoded, err := base64.RawURLEncoding.DecodeString(first)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(decoded, &header))
	return header
}
