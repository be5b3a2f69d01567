package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/collabledger/collabledger/domain"
)

// MaxWebhookBytes is the longest body that a receiver reads; an event is shorter.
const MaxWebhookBytes = 1 << 20

// secretPrefix is what a webhook's secret begins with.
const secretPrefix = "whsec_"

// Webhook says which events go where, and how much waits for it.
type Webhook struct {
	domain.Webhook
	Reason      domain.PauseReason `json:"reason,omitempty"` // why it is paused: asked or gone
	Position    int64              `json:"position"`         // of its registration; it gets the events after it
	Waiting     int                `json:"waiting"`          // events that are still to be sent
	DeadLetters int                `json:"deadLetters"`      // events that were given up, and can be replayed
}

// Delivery is an event on its way to a webhook, or what became of it.
type Delivery struct {
	Position  int64      `json:"position"` // of the event
	Stream    string     `json:"stream"`
	Type      string     `json:"type"`
	State     string     `json:"state"`             // pending, delivered or dead
	Attempts  int        `json:"attempts"`          // that were begun
	Status    int        `json:"status,omitempty"`  // of the last HTTP answer; 0: there was none
	Problem   string     `json:"problem,omitempty"` // why the last attempt failed
	ChangedAt time.Time  `json:"changedAt"`
	NextAt    *time.Time `json:"nextAt,omitempty"` // when the next attempt is due
}

// Webhooks are those of an account, or of the platform for the nil id; there are at most ten.
func (c *Client) Webhooks(ctx context.Context, account uuid.UUID) ([]Webhook, error) {
	var page struct {
		Items []Webhook `json:"items"`
	}
	err := c.Get(ctx, "/v1/webhooks", c.values(parameters{"account": id(account)}), &page)
	return page.Items, err
}

// Deliveries are what waits for a webhook and what was delivered to it lately, the latest events first.
func (c *Client) Deliveries(ctx context.Context, webhook uuid.UUID) iter.Seq2[Delivery, error] {
	return list[Delivery](ctx, c, "/v1/webhooks/"+webhook.String()+"/deliveries", nil)
}

// DeadLetters are the events that were given up for a webhook, the latest first.
func (c *Client) DeadLetters(ctx context.Context, webhook uuid.UUID) iter.Seq2[Delivery, error] {
	return list[Delivery](ctx, c, "/v1/webhooks/"+webhook.String()+"/dead-letters", nil)
}

// Replay asks the ledger to send the event at a position to a webhook again, whatever became of it before.
func (c *Client) Replay(ctx context.Context, webhook uuid.UUID, position int64) (Answer, error) {
	return c.Do(ctx, "ReplayWebhook", map[string]any{"webhookId": webhook, "position": position})
}

// WebhookReceiver takes the events that a ledger sends to a webhook: it verifies each with the webhook's secret (Standard Webhooks,
// within five minutes of its timestamp) and gives it to the handler of its type. Those without a handler are taken and left out.
//
// Any answer but a 2xx makes the ledger try again for three days, with the events behind in the same stream waiting: so a handler
// that fails is answered 500, also one that is Permanent. An event may come more than once, under the same Meta.ID, and events of
// different streams at the same time. For a day after a rotation the ledger signs with both secrets, so that a receiver can change
// over to the new one when it likes.
type WebhookReceiver struct {
	verifier *standardwebhooks.Webhook
	catalog  *domain.Catalog
	handlers map[string]Handler
}

// NewWebhookReceiver makes a receiver with the secret that RegisterWebhook or RotateWebhookSecret answered, and handlers made by On.
func NewWebhookReceiver(secret string, handlers ...Handler) (*WebhookReceiver, error) {
	key, _ := strings.CutPrefix(secret, secretPrefix)
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil || key == "" || key == secret { // with an empty key anybody could sign
		return nil, errors.New("client: a webhook's secret is whsec_ and base64, as RegisterWebhook answers it")
	}
	sorted, err := byType("a webhook receiver", handlers)
	if err != nil {
		return nil, err
	}
	return &WebhookReceiver{verifier: verifier, catalog: domain.NewCatalog(), handlers: sorted}, nil
}

// ServeHTTP takes one event.
func (r *WebhookReceiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if request.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "events are posted", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, MaxWebhookBytes))
	if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
		http.Error(w, "an event is shorter", http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		http.Error(w, "the body cannot be read", http.StatusBadRequest)
		return
	}
	if err := r.verifier.Verify(body, request.Header); err != nil {
		http.Error(w, "the signature is not the ledger's: "+err.Error(), http.StatusUnauthorized)
		return
	}
	if err := r.take(request.Context(), body); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// take gives an event that is the ledger's to its handler.
func (r *WebhookReceiver) take(ctx context.Context, body []byte) error {
	received, err := parseRecord(body)
	if err != nil {
		return err
	}
	handler, ok := r.handlers[domain.Unversioned(received.Type)]
	if !ok {
		return nil
	}
	event, err := r.catalog.Decode(received.Type, received.data)
	if err != nil {
		return fmt.Errorf("client: position %d: %w", received.Position, err)
	}
	return handler.handle(withCause(ctx, received), event, received.Meta)
}
