package webhooks

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/internal/wait"
	"github.com/collabledger/collabledger/projections"
)

// waitEvery is how often somebody who waits looks how far the log is looked through.
const waitEvery = 10 * time.Millisecond

// Item is a webhook as it is at the sender's checkpoint.
type Item struct {
	domain.Webhook
	Reason      domain.PauseReason `json:"reason,omitempty" doc:"Why it is paused: asked or gone"`
	Position    int64              `json:"position" doc:"Place in the log of its registration; it gets the events after it"`
	Waiting     int                `json:"waiting" doc:"Events that are still to be sent"`
	DeadLetters int                `json:"deadLetters" doc:"Events that were given up, and can be replayed"`
}

// Delivery is an event on its way to a webhook, or what became of it.
type Delivery struct {
	Position  int64      `json:"position" doc:"Place of the event in the log"`
	Stream    string     `json:"stream" doc:"Stream of the event"`
	Type      string     `json:"type" doc:"Wire name of the event"`
	State     string     `json:"state" doc:"pending, delivered or dead"`
	Attempts  int        `json:"attempts" doc:"Attempts that were begun"`
	Status    int        `json:"status,omitempty" doc:"HTTP status of the last answer; left out when there was none"`
	Problem   string     `json:"problem,omitempty" doc:"Why the last attempt failed"`
	ChangedAt time.Time  `json:"changedAt" doc:"When the last attempt ended, or when it was noted that the event is to be sent"`
	NextAt    *time.Time `json:"nextAt,omitempty" doc:"When the next attempt is due"`
}

// readWebhooks reads webhooks, with what waits for them, by registration.
func (s *Sender) readWebhooks(ctx context.Context, condition string, args []any) ([]Item, error) {
	result, err := s.DB.Read.QueryContext(ctx, `SELECT id, account, url, types, description, status, reason, secret_version, old_signs_until, position,
		(SELECT count(*) FROM webhook_deliveries d WHERE d.webhook = webhooks.id AND d.state = 'pending'),
		(SELECT count(*) FROM webhook_deliveries d WHERE d.webhook = webhooks.id AND d.state = 'dead')
		FROM webhooks `+condition, args...)
	if err != nil {
		return nil, fmt.Errorf("read the webhooks: %w", err)
	}
	items := []Item{}
	err = sqldb.EachRow(result, func(rows *sql.Rows) error {
		var item Item
		var types string
		var until int64
		if err := rows.Scan(&item.WebhookID, &item.AccountID, &item.URL, &types, &item.Description, &item.Status, &item.Reason,
			&item.SecretVersion, &until, &item.Position, &item.Waiting, &item.DeadLetters); err != nil {
			return err
		}
		if until != 0 {
			item.OldSignsUntil = time.UnixMicro(until).UTC()
		}
		items = append(items, item)
		return json.Unmarshal([]byte(types), &items[len(items)-1].Types)
	})
	if err != nil {
		return nil, fmt.Errorf("read the webhooks: %w", err)
	}
	return items, nil
}

// Wait returns once this node knows that the log is looked through up to a position, so that lists show what was said by then.
func (s *Sender) Wait(ctx context.Context, position int64) error {
	for s.reached.Load() < position {
		if wait.For(ctx, waitEvery); ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// List lists the webhooks of an account, or those of the platform where there is none, by registration.
func (s *Sender) List(ctx context.Context, viewer projections.Viewer, account uuid.UUID) ([]Item, error) {
	if !mayList(viewer, account) && account == uuid.Nil {
		return nil, domain.Forbid("not_your_account", "the platform's own webhooks are its services' to see: name an account")
	}
	if !mayList(viewer, account) {
		return nil, domain.Forbid("not_your_account", "account %s is not the one you act for", account)
	}
	return s.readWebhooks(ctx, "WHERE account = $1 ORDER BY position", []any{account.String()})
}

// mayList tells whether an account's webhooks are the viewer's to see; the platform's are for those who see everything.
func mayList(viewer projections.Viewer, account uuid.UUID) bool {
	if account == uuid.Nil {
		return viewer.MaySee()
	}
	return viewer.MaySee(account)
}

// Deliveries lists what waits for a webhook and what was delivered to it lately, the latest events first.
func (s *Sender) Deliveries(ctx context.Context, viewer projections.Viewer, webhook uuid.UUID, paging projections.Paging) (projections.Page[Delivery], error) {
	return s.deliveries(ctx, viewer, webhook, paging, []string{pending, delivered})
}

// DeadLetters lists the events that were not delivered to a webhook and are tried no more, the latest first.
func (s *Sender) DeadLetters(ctx context.Context, viewer projections.Viewer, webhook uuid.UUID, paging projections.Paging) (projections.Page[Delivery], error) {
	return s.deliveries(ctx, viewer, webhook, paging, []string{dead})
}

// deliveries lists a webhook's deliveries in some states.
func (s *Sender) deliveries(ctx context.Context, viewer projections.Viewer, webhook uuid.UUID, paging projections.Paging, states []string) (projections.Page[Delivery], error) {
	found, err := s.readWebhooks(ctx, "WHERE id = $1", []any{webhook.String()})
	if err != nil {
		return projections.Page[Delivery]{}, err
	}
	if len(found) == 0 || !mayList(viewer, found[0].AccountID) { // who may not see it must not learn that it exists
		return projections.Page[Delivery]{}, domain.Missing("webhook", webhook)
	}
	before := int64(1)<<62 - 1
	if paging.Cursor != "" {
		if before, err = strconv.ParseInt(paging.Cursor, 10, 64); err != nil || before < 1 {
			return projections.Page[Delivery]{}, domain.Invalid("cursor", "must be the next of an earlier page of the same query")
		}
	}
	limit := paging.Limit
	if limit < 1 || limit > projections.MaxPageItems {
		limit = projections.DefaultPageItems
	}
	items, err := s.readDeliveries(ctx, webhook, before, limit+1, states)
	if err != nil {
		return projections.Page[Delivery]{}, err
	}
	page := projections.Page[Delivery]{Items: items}
	if len(items) > limit {
		page = projections.Page[Delivery]{Items: items[:limit], Next: strconv.FormatInt(items[limit-1].Position, 10)}
	}
	return page, nil
}

// readDeliveries reads a webhook's deliveries of events before a position.
func (s *Sender) readDeliveries(ctx context.Context, webhook uuid.UUID, before int64, limit int, states []string) ([]Delivery, error) {
	result, err := s.DB.Read.QueryContext(ctx, `SELECT position, stream, event_type, state, attempts, due, status, error, changed_at FROM webhook_deliveries
		WHERE webhook = $1 AND position < $2 AND state IN ($3, $4) ORDER BY position DESC LIMIT $5`,
		webhook.String(), before, states[0], states[len(states)-1], limit)
	if err != nil {
		return nil, fmt.Errorf("read the deliveries: %w", err)
	}
	items := []Delivery{}
	err = sqldb.EachRow(result, func(rows *sql.Rows) error {
		var d Delivery
		var due, changed int64
		if err := rows.Scan(&d.Position, &d.Stream, &d.Type, &d.State, &d.Attempts, &due, &d.Status, &d.Problem, &changed); err != nil {
			return err
		}
		d.ChangedAt = time.UnixMicro(changed).UTC()
		if next := time.UnixMicro(due).UTC(); d.State == pending {
			d.NextAt = &next
		}
		items = append(items, d)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the deliveries: %w", err)
	}
	return items, nil
}
