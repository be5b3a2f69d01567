package api

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/domain"
)

func TestTraceParent(t *testing.T) {
	const valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	require.Equal(t, valid, traceParent(valid))
	for name, header := range map[string]string{
		"nothing":             "",
		"upper case":          strings.ToUpper(valid),
		"the forbidden form":  "ff" + valid[2:],
		"no trace":            "00-" + strings.Repeat("0", 32) + valid[35:],
		"no parent":           valid[:36] + strings.Repeat("0", 16) + valid[52:],
		"no hexadecimal":      strings.Replace(valid, "0af", "0ag", 1),
		"another separator":   strings.Replace(valid, "-", "_", 1),
		"something after it":  valid + "-x",
		"one digit too short": valid[:len(valid)-1],
	} {
		require.Empty(t, traceParent(header), name)
	}
}

func TestIdempotencyKeyForms(t *testing.T) {
	id := uuid.MustParse("0192f3c4-0000-7000-8000-00000000000a")
	for _, header := range []string{id.String(), strings.ToUpper(id.String())} {
		got, err := parseIdempotencyKey(header)
		require.NoError(t, err)
		require.Equal(t, id, got, "one id, however it is written")
	}
	for _, header := range []string{"{" + id.String() + "}", "urn:uuid:" + id.String(), strings.ReplaceAll(id.String(), "-", ""), id.String() + "0"} {
		_, err := parseIdempotencyKey(header)
		require.True(t, domain.HasCode(err, "invalid"), header)
	}
}

func FuzzActAs(f *testing.F) {
	f.Add("0192f3c4-0000-7000-8000-000000000001/0192f3c4-0000-7000-8000-000000000003")
	f.Add("0192F3C4-0000-7000-8000-000000000001/0192f3c4-0000-7000-8000-000000000003")
	f.Add(uuid.Nil.String() + "/" + uuid.Nil.String())
	f.Add("")
	f.Add("a/b/c")
	f.Fuzz(func(t *testing.T, header string) {
		person, err := parseActAs(header)
		if err != nil {
			require.True(t, domain.HasCode(err, "malformed_act_as"))
			require.Equal(t, domain.Actor{}, person)
			return
		}
		require.Equal(t, domain.ActorUser, person.Kind)
		require.Equal(t, header, person.AccountID.String()+"/"+person.UserID.String(), "one person is written in one way")
	})
}

func FuzzIfMatch(f *testing.F) {
	for _, seed := range []string{`"7"`, `7`, `W/"7"`, `"7", "8"`, `*`, `"07"`, `"-1"`, `""7""`, ``, `"9223372036854775808"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		version, err := parseIfMatch(http.Header{"If-Match": {header}})
		if err != nil {
			require.True(t, domain.HasCode(err, "invalid"))
			return
		}
		require.Equal(t, header, etag(*version))
		require.GreaterOrEqual(t, *version, int64(0))
	})
}

func FuzzStreamStart(f *testing.F) {
	for _, seed := range [][2]string{{"7", ""}, {"", "7"}, {"-1", ""}, {"", "+7"}, {"07", "7"}, {"", "9223372036854775808"}, {" 7", ""}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, lastEventID, after string) {
		header := http.Header{"Last-Event-Id": {lastEventID}}
		position, err := streamStart(header, url.Values{"after": {after}})
		if err != nil {
			require.True(t, domain.HasCode(err, "invalid"))
			return
		}
		require.GreaterOrEqual(t, position, int64(0))
		if lastEventID != "" {
			alone, err := streamStart(header, nil)
			require.NoError(t, err)
			require.Equal(t, alone, position, "a browser's Last-Event-ID counts")
		}
	})
}

func FuzzTraceParent(f *testing.F) {
	f.Add("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	f.Fuzz(func(t *testing.T, header string) {
		if got := traceParent(header); got != "" {
			require.Equal(t, header, got)
			require.Equal(t, 3, strings.Count(got, "-"))
		}
	})
}
