package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/domain"
)

// script answers the attempts of a client one after the other, and keeps what was sent. It stands where the network is, so that
// time can be the test's own.
type script struct {
	answers []any // an error of the connection, or a *http.Response
	sent    []*http.Request
	bodies  []string
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	body := []byte{}
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	s.sent, s.bodies = append(s.sent, r), append(s.bodies, string(body))
	if len(s.answers) == 0 {
		return nil, errors.New("the script has ended")
	}
	next := s.answers[0]
	s.answers = s.answers[1:]
	if err, ok := next.(error); ok {
		return nil, err
	}
	return next.(*http.Response), nil
}

// says is an answer; header has pairs of a name and a value.
func says(status int, body string, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

const accepted = `{"commandId":"0192f3c4-0000-7000-8000-00000000000a","position":7,"events":[{"type":"x.Y.v1","stream":"x-1","version":2,"position":7}],"result":{"taskId":"t"}}`

const busy = `{"type":"/problems/overloaded","title":"t","status":503,"code":"overloaded","detail":"too many commands are waiting"}`

// scripted is a client whose attempts are answered so, in a bubble whose time passes only while everybody waits.
func scripted(t *testing.T, answers []any, test func(t *testing.T, c *Client, s *script)) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answers: answers}
		c := New("http://ledger.example/", "key")
		c.http.Transport = s
		test(t, c, s)
	})
}

func TestCommand(t *testing.T) {
	scripted(t, []any{says(200, accepted)}, func(t *testing.T, c *Client, s *script) {
		answer, err := c.Do(t.Context(), "Raise Task/..", map[string]int{"a": 1})
		require.NoError(t, err)
		require.Equal(t, int64(7), answer.Position)
		require.Equal(t, []Event{{Type: "x.Y.v1", Stream: "x-1", Version: 2, Position: 7}}, answer.Events)
		require.JSONEq(t, `{"taskId":"t"}`, string(answer.Result))
		r := s.sent[0]
		require.Equal(t, "http://ledger.example/v1/commands/Raise%20Task%2F..", r.URL.String())
		require.Equal(t, `{"a":1}`, s.bodies[0])
		require.Equal(t, "Bearer key", r.Header.Get("Authorization"))
		require.Equal(t, "application/json", r.Header.Get("Content-Type"))
		require.Empty(t, r.Header.Get("Ledger-Act-As"))
		_, err = uuid.Parse(r.Header.Get("Idempotency-Key"))
		require.NoError(t, err)
	})
}

func TestQuery(t *testing.T) {
	scripted(t, []any{says(200, `{"items":[1,2],"next":""}`)}, func(t *testing.T, c *Client, s *script) {
		var page struct{ Items []int }
		require.NoError(t, c.Get(t.Context(), "/v1/requests", url.Values{"party": {"a b"}}, &page))
		require.Equal(t, []int{1, 2}, page.Items)
		require.Equal(t, "http://ledger.example/v1/requests?party=a+b", s.sent[0].URL.String())
	})
}

func TestActingForAPersonLeavesTheServiceAsItWas(t *testing.T) {
	account, user := uuid.New(), uuid.New()
	scripted(t, []any{says(200, `{}`), says(200, `{}`)}, func(t *testing.T, c *Client, s *script) {
		var out any
		require.NoError(t, c.As(account, user).Get(t.Context(), "/", nil, &out))
		require.NoError(t, c.Get(t.Context(), "/", nil, &out))
		require.Equal(t, account.String()+"/"+user.String(), s.sent[0].Header.Get("Ledger-Act-As"))
		require.NotContains(t, s.sent[1].Header, "Ledger-Act-As")
	})
}

func TestRetriesUseOneKeyAndBody(t *testing.T) {
	id := uuid.New()
	scripted(t, []any{errors.New("connection refused"), says(503, busy), says(503, "<html>"), says(200, accepted)}, func(t *testing.T, c *Client, s *script) {
		_, err := c.DoWithID(t.Context(), id, "SendMessage", json.RawMessage(`{"body":"x"}`))
		require.NoError(t, err)
		require.Len(t, s.sent, 4)
		for i, r := range s.sent {
			require.Equal(t, id.String(), r.Header.Get("Idempotency-Key"))
			require.JSONEq(t, `{"body":"x"}`, s.bodies[i])
		}
	})
}

func TestRetriesEnd(t *testing.T) {
	var answers []any
	for range 2 * MaxRetries {
		answers = append(answers, says(503, busy))
	}
	scripted(t, answers, func(t *testing.T, c *Client, s *script) {
		_, err := c.Do(t.Context(), "SendMessage", nil)
		p, ok := errors.AsType[*Problem](err)
		require.True(t, ok, "%v", err)
		require.Equal(t, "overloaded", p.Code)
		require.Len(t, s.sent, 1+MaxRetries)
	})
}

func TestRetryAfterIsHonouredWithinALimit(t *testing.T) {
	for retryAfter, atLeast := range map[string]time.Duration{"3": 3 * time.Second, "3600": MaxRetryWait, "soon": 0} {
		scripted(t, []any{says(503, busy, "Retry-After", retryAfter), says(200, accepted)}, func(t *testing.T, c *Client, _ *script) {
			started := time.Now()
			_, err := c.Do(t.Context(), "SendMessage", nil)
			require.NoError(t, err)
			waited := time.Since(started) // in the bubble's time
			require.GreaterOrEqual(t, waited, atLeast)
			require.LessOrEqual(t, waited, MaxRetryWait)
		})
	}
}

func TestRefusalsAreNotRetried(t *testing.T) {
	refusal := `{"type":"/problems/invalid","title":"t","status":400,"code":"invalid","detail":"broken","state":"x","errors":[{"field":"owner.email","rule":"must be an address"}]}`
	scripted(t, []any{says(400, refusal)}, func(t *testing.T, c *Client, s *script) {
		_, err := c.Do(t.Context(), "RegisterAccount", nil)
		p, ok := errors.AsType[*Problem](err)
		require.True(t, ok, "%v", err)
		require.Equal(t, &Problem{
			Type: "/problems/invalid", Title: "t", Status: 400, Code: "invalid", Detail: "broken", State: "x",
			Errors: []domain.FieldError{{Field: "owner.email", Rule: "must be an address"}},
		}, p)
		require.EqualError(t, err, "RegisterAccount: invalid (400): broken; owner.email: must be an address")
		require.Len(t, s.sent, 1)
	})
}

func TestTheCallersContextEndsTheRetries(t *testing.T) {
	scripted(t, []any{says(503, busy, "Retry-After", "5")}, func(t *testing.T, c *Client, s *script) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.Do(ctx, "SendMessage", nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		p, ok := errors.AsType[*Problem](err)
		require.True(t, ok, "why it was waiting must not be lost: %v", err)
		require.Equal(t, "overloaded", p.Code)
		require.Len(t, s.sent, 1)
	})
}

func TestAnswersThatAreNotTheLedgers(t *testing.T) {
	for name, test := range map[string]struct {
		answer *http.Response
		want   string
	}{
		"a proxy's error page":   {says(502, "<html>bad gateway</html>"), "not_a_ledger_answer (502)"},
		"a redirect":             {says(302, "", "Location", "http://elsewhere.example/"), "not_a_ledger_answer (302)"},
		"a page that is no JSON": {says(200, "<html>welcome</html>"), "read the answer"},
	} {
		t.Run(name, func(t *testing.T) {
			scripted(t, []any{test.answer}, func(t *testing.T, c *Client, s *script) {
				err := c.Get(t.Context(), "/v1/requests", nil, &struct{}{})
				require.ErrorContains(t, err, test.want)
				require.Len(t, s.sent, 1, "the key must not go anywhere else")
			})
		})
	}
}

func TestAnswersAreBounded(t *testing.T) {
	long := says(200, "")
	long.Body = io.NopCloser(io.MultiReader(strings.NewReader(`"`), bytes.NewReader(make([]byte, MaxAnswerBytes))))
	scripted(t, []any{long}, func(t *testing.T, c *Client, _ *script) {
		var out string
		require.ErrorContains(t, c.Get(t.Context(), "/v1/events", nil, &out), "longer than")
	})
}

func TestBrokenAnswersAreAskedForAgain(t *testing.T) {
	broken := says(200, "")
	broken.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"pos`), failing{}))
	scripted(t, []any{broken, says(200, accepted)}, func(t *testing.T, c *Client, _ *script) {
		answer, err := c.Do(t.Context(), "SendMessage", nil)
		require.NoError(t, err)
		require.Equal(t, int64(7), answer.Position)
	})
}

// failing is a connection that has broken.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestMistakesOfTheCallerAreErrors(t *testing.T) {
	_, err := New("http://ledger.example", "").Do(t.Context(), "SendMessage", func() {})
	require.ErrorContains(t, err, "encode the body")
	require.Error(t, New("::", "").Get(t.Context(), "/", nil, nil))
}

func TestCommandsOfAHandlerNameTheEventAsTheirCause(t *testing.T) {
	cause := record{Meta: Meta{ID: "event-1", CorrelationID: "order-7", TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}}
	scripted(t, []any{says(200, accepted), says(200, accepted), says(200, accepted)}, func(t *testing.T, c *Client, s *script) {
		for _, ctx := range []context.Context{withCause(t.Context(), cause), withCause(t.Context(), record{Meta: Meta{ID: "event-2"}}), t.Context()} {
			_, err := c.Do(ctx, "SendMessage", nil)
			require.NoError(t, err)
		}
		for i, want := range [][3]string{{cause.TraceParent, "order-7", "event-1"}, {"", "", "event-2"}, {}} {
			header := s.sent[i].Header
			require.Equal(t, want, [3]string{header.Get("Traceparent"), header.Get("Ledger-Correlation-Id"), header.Get("Ledger-Causation-Id")})
		}
	})
}
