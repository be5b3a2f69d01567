package webhooks

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/sqldb"
)

// Limits of what is under way.
const (
	maxSending      = 64                     // attempts of one node
	maxSendingToOne = 8                      // of them to one webhook
	lookAhead       = 256                    // due deliveries that are looked at to choose from
	claimLasts      = time.Minute            // after which an attempt is taken for lost, with the node that made it
	lookEvery       = 500 * time.Millisecond // at what has become due
	KeptDeliveries  = 100                    // delivered events of one webhook that are listed
	KeptDeadLetters = 1_000                  // of one webhook; the oldest are dropped
)

// The states of a delivery.
const (
	pending   = "pending"
	delivered = "delivered"
	dead      = "dead"
)

// due are deliveries whose time has come, to webhooks that are not paused. Nothing is due behind an earlier event of its stream that
// still waits.
const dueDeliveries = `SELECT webhook, position, stream, attempts, url, secret_version, old_signs_until FROM (
	SELECT d.webhook, d.position, d.stream, d.attempts, d.due, w.url, w.secret_version, w.old_signs_until,
		row_number() OVER (PARTITION BY d.webhook ORDER BY d.due, d.position) AS place
	FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook
	WHERE d.state = 'pending' AND d.due <= $1 AND w.status = 'active' AND NOT EXISTS (
		SELECT 1 FROM webhook_deliveries e
		WHERE e.webhook = d.webhook AND e.stream = d.stream AND e.state = 'pending' AND e.position < d.position)
	) candidates WHERE place <= $2 ORDER BY due, position LIMIT $3`

// attempt is one attempt at a delivery.
type attempt struct {
	webhook       uuid.UUID
	position      int64
	stream        string
	number        int // from 1
	url           string
	secretVersion int
	oldSignsUntil time.Time
}

// Send sends what is due until ctx ends or the database fails. Attempts that are under way when ctx ends are given up, and made again
// later.
func (s *Sender) Send(ctx context.Context) error {
	defer s.client.CloseIdleConnections()
	var sending sync.WaitGroup
	defer sending.Wait()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		attempts, err := s.claim(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		for _, a := range attempts {
			sending.Go(func() {
				defer s.hint()
				defer s.free(a.webhook)
				if err := s.try(ctx, a); err != nil && ctx.Err() == nil {
					s.Log.WarnContext(ctx, "the outcome of a webhook's delivery is not recorded; it will be sent again", "webhook", a.webhook, "position", a.position, "error", err)
				}
			})
		}
		if len(attempts) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-ticker.C:
		}
	}
}

// claim takes deliveries that are due, as many as this node may have under way, so that no other node takes them too.
func (s *Sender) claim(ctx context.Context) ([]attempt, error) {
	now := s.now()
	result, err := s.DB.Read.QueryContext(ctx, dueDeliveries, now.UnixMicro(), maxSendingToOne, lookAhead)
	if err != nil {
		return nil, fmt.Errorf("look for what is due: %w", err)
	}
	var candidates []attempt
	err = sqldb.EachRow(result, func(rows *sql.Rows) error {
		var a attempt
		var until int64
		err := rows.Scan(&a.webhook, &a.position, &a.stream, &a.number, &a.url, &a.secretVersion, &until)
		a.number, a.oldSignsUntil = a.number+1, time.UnixMicro(until).UTC()
		candidates = append(candidates, a)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for what is due: %w", err)
	}
	chosen := s.choose(candidates)
	if len(chosen) == 0 {
		return nil, nil
	}
	mine, err := s.take(ctx, chosen, now)
	if err != nil {
		for _, a := range chosen {
			s.free(a.webhook)
		}
		return nil, err
	}
	var claimed []attempt
	for _, a := range chosen {
		if mine[delivery{a.webhook, a.position}] {
			claimed = append(claimed, a)
		} else {
			s.free(a.webhook) // another node has it
		}
	}
	return claimed, nil
}

// delivery names one event on its way to one webhook.
type delivery struct {
	webhook  uuid.UUID
	position int64
}

// choose takes as many candidates as there is room for, all in all and for each webhook.
func (s *Sender) choose(candidates []attempt) []attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	sending := 0
	for _, n := range s.busy {
		sending += n
	}
	var chosen []attempt
	for _, a := range candidates {
		if sending < maxSending && s.busy[a.webhook] < maxSendingToOne {
			chosen = append(chosen, a)
			s.busy[a.webhook]++
			sending++
		}
	}
	return chosen
}

// free ends an attempt at a webhook.
func (s *Sender) free(webhook uuid.UUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[webhook]--; s.busy[webhook] == 0 {
		delete(s.busy, webhook)
	}
}

// take moves the due time of the chosen on to when this node would be taken for lost, and tells which of them still stood as they
// were seen. An attempt counts from here on, whatever becomes of it.
func (s *Sender) take(ctx context.Context, chosen []attempt, now time.Time) (map[delivery]bool, error) {
	conditions := make([]string, len(chosen))
	args := []any{now.Add(claimLasts).UnixMicro(), now.UnixMicro()}
	for i, a := range chosen {
		conditions[i] = fmt.Sprintf("(webhook = $%d AND position = $%d AND attempts = $%d)", len(args)+1, len(args)+2, len(args)+3)
		args = append(args, a.webhook.String(), a.position, a.number-1)
	}
	result, err := s.DB.Write.QueryContext(ctx, `UPDATE webhook_deliveries SET attempts = attempts + 1, due = $1
		WHERE state = 'pending' AND due <= $2 AND (`+strings.Join(conditions, " OR ")+") RETURNING webhook, position", args...)
	if err != nil {
		return nil, fmt.Errorf("take what is due: %w", err)
	}
	mine := map[delivery]bool{}
	err = sqldb.EachRow(result, func(rows *sql.Rows) error {
		var d delivery
		err := rows.Scan(&d.webhook, &d.position)
		mine[d] = true
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("take what is due: %w", err)
	}
	return mine, nil
}

// try sends an event and records what came of it.
func (s *Sender) try(ctx context.Context, a attempt) error {
	page, err := s.Store.ReadAll(ctx, a.position-1, 1)
	if err != nil || len(page) == 0 {
		return errors.Join(fmt.Errorf("read the event at position %d", a.position), err)
	}
	o := s.send(ctx, a, page[0])
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if o.status == http.StatusGone {
		if err := s.pauseGone(ctx, a, page[0]); err != nil {
			return err
		}
	}
	return s.record(ctx, a, o)
}

// pauseGone pauses a webhook whose receiver says that it is gone. That it is paused or deleted already is as well.
func (s *Sender) pauseGone(ctx context.Context, a attempt, record eventstore.Record) error {
	body, err := json.Marshal(commands.PauseWebhook{WebhookID: a.webhook})
	if err != nil {
		return err
	}
	_, err = s.Executor.Execute(ctx, commands.Request{
		ID: s.Executor.NewID(), Name: "PauseWebhook", Body: body, Actor: domain.Actor{Kind: domain.ActorSystem, Name: actorName},
		CausationID: record.Attribute("id"),
	})
	if err == nil || domain.AsError(err).Kind == domain.Refused {
		return nil
	}
	return fmt.Errorf("pause a webhook that is gone: %w", err)
}

// record notes what came of an attempt, unless another attempt or a replay has begun meanwhile.
func (s *Sender) record(ctx context.Context, a attempt, o outcome) error {
	now := s.now()
	state, due, result := delivered, now, outcomeDelivered
	if o.problem != "" {
		wait, again := retryIn(a.number, o.retryAfter)
		if state, due, result = pending, now.Add(wait), outcomeFailed; !again {
			state, result = dead, outcomeDead
			s.Log.WarnContext(ctx, "an event was not delivered to a webhook and is a dead letter", "webhook", a.webhook, "position", a.position, "problem", o.problem)
		}
	}
	tx, err := s.DB.Write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("record a delivery: %w", err)
	}
	defer tx.Rollback() // after a commit it does nothing
	updated, err := tx.ExecContext(ctx, `UPDATE webhook_deliveries SET state = $1, due = $2, status = $3, error = $4, changed_at = $5
		WHERE webhook = $6 AND position = $7 AND attempts = $8 AND state = 'pending'`,
		state, due.UnixMicro(), o.status, o.problem, now.UnixMicro(), a.webhook.String(), a.position, a.number)
	if err != nil {
		return fmt.Errorf("record a delivery: %w", err)
	}
	counted, err := updated.RowsAffected()
	if err != nil {
		return fmt.Errorf("record a delivery: %w", err)
	}
	if err := trim(ctx, tx, a.webhook, state); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("record a delivery: %w", err)
	}
	s.Outcomes.WithLabelValues(result).Add(float64(counted))
	return nil
}

// trim drops the oldest of a webhook's rows in a final state when there are more than are kept.
func trim(ctx context.Context, tx *sql.Tx, webhook uuid.UUID, state string) error {
	kept, bounded := map[string]int{delivered: KeptDeliveries, dead: KeptDeadLetters}[state]
	if !bounded {
		return nil
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM webhook_deliveries WHERE webhook = $1 AND state = $2 AND changed_at < (
		SELECT min(changed_at) FROM (SELECT changed_at FROM webhook_deliveries WHERE webhook = $1 AND state = $2 ORDER BY changed_at DESC LIMIT $3) latest)`,
		webhook.String(), state, kept); err != nil {
		return fmt.Errorf("trim the deliveries: %w", err)
	}
	return nil
}
