// Package client talks to a ledger: commands, queries and their typed refusals over HTTP, and its events over NATS.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// Limits of a client.
const (
	MaxRetries     = 5                      // attempts after the first, when the ledger does not answer or answers 503
	MaxAnswerBytes = 16 << 20               // bytes of an answer; a longer one is an error
	MaxIdleConns   = 64                     // connections that are kept open between requests
	AttemptTimeout = 30 * time.Second       // for one attempt, with its answer
	FirstRetryWait = 100 * time.Millisecond // before the first retry, doubled for each one after it; the wait is random below it
	MaxRetryWait   = 5 * time.Second        // before any retry, also when the ledger's Retry-After asks for longer
)

// Client is a connection to one ledger. Its methods may be used from several goroutines.
type Client struct {
	http  *http.Client
	base  string
	key   string
	actAs string // the Ledger-Act-As header; empty for the service itself

	minPosition int64 // that lists show; zero for whatever they have
}

// New makes a client of the ledger at a base URL, for example http://127.0.0.1:8080, with a service's key. Without a key it is
// the public, who may see the public directory.
func New(baseURL, key string) *Client {
	return &Client{
		http: &http.Client{
			// The default transport keeps two idle connections to a host; more goroutines than that would open new ones all the time.
			Transport: &http.Transport{
				Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConns: MaxIdleConns, MaxIdleConnsPerHost: MaxIdleConns,
				IdleConnTimeout: AttemptTimeout, TLSHandshakeTimeout: AttemptTimeout,
			},
			Timeout: AttemptTimeout,
			// The ledger never redirects, so whoever does is somebody else, and the key is not for them.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		base: strings.TrimSuffix(baseURL, "/"),
		key:  key,
	}
}

// As is the same client, acting for a member of an account (Ledger-Act-As).
func (c *Client) As(accountID, userID uuid.UUID) *Client {
	person := *c
	person.actAs = accountID.String() + "/" + userID.String()
	return &person
}

// AtLeast is the same client, whose lists show what was done up to a position of the log: that of a command's Answer, to read what
// one has just written.
func (c *Client) AtLeast(position int64) *Client {
	later := *c
	later.minPosition = position
	return &later
}

// Answer is what an accepted command did.
type Answer struct {
	CommandID uuid.UUID       `json:"commandId"`
	Position  int64           `json:"position"` // what a query's minPosition must be to show the outcome
	Events    []Event         `json:"events"`
	Result    json.RawMessage `json:"result"`
}

// Event names one event of an answer.
type Event struct {
	Type     string `json:"type"`
	Stream   string `json:"stream"`
	Version  int64  `json:"version"`
	Position int64  `json:"position"`
}

// Problem is a refusal or failure as the ledger tells it (RFC 9457).
type Problem struct {
	Type   string              `json:"type"`
	Title  string              `json:"title"`
	Status int                 `json:"status"`
	Code   string              `json:"code"` // what programs compare, for example no_live_grant
	Detail string              `json:"detail"`
	State  string              `json:"state,omitempty"`
	Errors []domain.FieldError `json:"errors,omitempty"`
}

func (p *Problem) Error() string {
	text := fmt.Sprintf("%s (%d): %s", p.Code, p.Status, p.Detail)
	for _, e := range p.Errors {
		text += "; " + e.Field + ": " + e.Rule
	}
	return text
}

// Do submits a command under a fresh Idempotency-Key. A refusal is a *Problem.
func (c *Client) Do(ctx context.Context, name string, body any) (Answer, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Answer{}, fmt.Errorf("%s: make an Idempotency-Key: %w", name, err)
	}
	return c.DoWithID(ctx, id, name, body)
}

// DoWithID submits a command under a given Idempotency-Key; submitting it again is safe. Failures of the connection and 503
// are retried within MaxRetries, always under the same key.
func (c *Client) DoWithID(ctx context.Context, id uuid.UUID, name string, body any) (Answer, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return Answer{}, fmt.Errorf("%s: encode the body: %w", name, err)
	}
	var answer Answer
	err = c.send(ctx, func() (*http.Request, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/v1/commands/"+url.PathEscape(name), bytes.NewReader(encoded))
		if err != nil {
			return nil, err
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", id.String())
		return r, nil
	}, &answer)
	if err != nil {
		return Answer{}, fmt.Errorf("%s: %w", name, err)
	}
	return answer, nil
}

// Get answers a query into out, for example Get(ctx, "/v1/requests", url.Values{"party": {id}}, &page). It is retried as
// commands are.
func (c *Client) Get(ctx context.Context, path string, query url.Values, out any) error {
	target := c.base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	err := c.send(ctx, func() (*http.Request, error) {
		return http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	}, out)
	if err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	return nil
}

// send makes a request anew for each attempt, because a body can be read only once.
func (c *Client) send(ctx context.Context, request func() (*http.Request, error), out any) error {
	for retry := 0; ; retry++ {
		r, err := request()
		if err != nil {
			return err
		}
		retryAfter, again, err := c.attempt(r, out)
		if err == nil || !again || retry == MaxRetries {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w, after %w", ctx.Err(), err)
		case <-time.After(wait(retry, retryAfter)):
		}
	}
}

// wait is how long to wait before the next attempt. It is random, so that many clients do not come back all at once.
func wait(retry int, retryAfter time.Duration) time.Duration {
	return min(retryAfter+rand.N(FirstRetryWait<<retry), MaxRetryWait)
}

// attempt sends a request once. again tells whether a failure is worth another attempt.
func (c *Client) attempt(r *http.Request, out any) (retryAfter time.Duration, again bool, err error) {
	r.Header.Set("Accept", "application/json")
	if c.key != "" {
		r.Header.Set("Authorization", "Bearer "+c.key)
	}
	if c.actAs != "" {
		r.Header.Set("Ledger-Act-As", c.actAs)
	}
	nameCause(r)
	response, err := c.http.Do(r)
	if err != nil {
		return 0, r.Context().Err() == nil, err
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	body, err := io.ReadAll(io.LimitReader(response.Body, MaxAnswerBytes+1))
	if err != nil {
		return 0, r.Context().Err() == nil, fmt.Errorf("read the answer: %w", err)
	}
	if len(body) > MaxAnswerBytes {
		return 0, false, fmt.Errorf("the answer is longer than %d bytes", MaxAnswerBytes)
	}
	if response.StatusCode == http.StatusOK {
		if err := json.Unmarshal(body, out); err != nil {
			return 0, false, fmt.Errorf("read the answer: %w", err)
		}
		return 0, false, nil
	}
	seconds, err := strconv.ParseUint(response.Header.Get("Retry-After"), 10, 16)
	if err != nil {
		seconds = 0 // absent, or not the form that the ledger writes
	}
	return time.Duration(seconds) * time.Second, response.StatusCode == http.StatusServiceUnavailable, problem(response, body)
}

// problem reads what the ledger says is wrong. An answer that is no problem comes from something in between, such as a proxy.
func problem(response *http.Response, body []byte) *Problem {
	p := &Problem{}
	if err := json.Unmarshal(body, p); err != nil || p.Code == "" {
		p = &Problem{Type: "about:blank", Title: http.StatusText(response.StatusCode), Code: "not_a_ledger_answer", Detail: "the answer did not come from a ledger"}
	}
	p.Status = response.StatusCode
	return p
}
