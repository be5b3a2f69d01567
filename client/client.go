// Package client talks to a ledger over HTTP: commands, queries and their typed refusals.
package client

import (
	"context"
	"encoding/json"
	"net/url"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// Client is a connection to one ledger. Its methods may be used from several goroutines.
type Client struct{}

// New makes a client of the ledger at a base URL, for example http://127.0.0.1:8080, with a service's key.
func New(baseURL, key string) *Client { panic("not written") }

// As is the same client, acting for a member of an account (Ledger-Act-As).
func (c *Client) As(accountID, userID uuid.UUID) *Client { panic("not written") }

// Answer is what an accepted command did.
type Answer struct {
	CommandID uuid.UUID       `json:"commandId"`
	Position  int64           `json:"position"`
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
	Code   string              `json:"code"`
	Detail string              `json:"detail"`
	State  string              `json:"state,omitempty"`
	Errors []domain.FieldError `json:"errors,omitempty"`
}

func (p *Problem) Error() string { panic("not written") }

// Do submits a command under a fresh Idempotency-Key. A refusal is a *Problem.
func (c *Client) Do(ctx context.Context, name string, body any) (Answer, error) { panic("not written") }

// DoWithID submits a command under a given Idempotency-Key; submitting it again is safe. Failures of the connection and 503
// are retried within MaxRetries, always under the same key.
func (c *Client) DoWithID(ctx context.Context, id uuid.UUID, name string, body any) (Answer, error) {
	panic("not written")
}

// Get answers a query into out, for example Get(ctx, "/v1/requests", url.Values{"party": {id}}, &page).
func (c *Client) Get(ctx context.Context, path string, query url.Values, out any) error {
	panic("not written")
}
