package webhooks

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/wait"
)

// Limits of what waits to be sent.
const (
	MaxWaiting     = 10_000      // events that wait for one webhook; what comes then is a dead letter at once
	insertRows     = 500         // rows that one statement inserts
	maxUnsaved     = 10_000      // events without anything to note after which the checkpoint is saved all the same
	overtakenPause = time.Second // before a node follows again where another one was faster
)

// errOvertaken says that another node has noted the events.
var errOvertaken = errors.New("another node was faster")

// follower notes which events are to go where.
type follower struct {
	*Sender
	saved    eventstore.Checkpoint         // as the database has it
	webhooks map[uuid.UUID]*domain.Webhook // at the position reached
}

// Follow follows the log, and notes which events are to go where, until ctx ends or something fails.
func (s *Sender) Follow(ctx context.Context) error {
	for ctx.Err() == nil {
		f, err := s.load(ctx)
		if err == nil {
			err = s.Store.Follow(ctx, f.saved, f.note)
		}
		if ctx.Err() == nil && !errors.Is(err, errOvertaken) {
			s.fails(err)
			return err
		}
		wait.For(ctx, overtakenPause)
	}
	return nil
}

// load takes up where the log has been looked through to. The checkpoint is read first: if another node moves on meanwhile, it no
// longer stands, and nothing comes of it.
func (s *Sender) load(ctx context.Context) (*follower, error) {
	f := &follower{Sender: s, webhooks: map[uuid.UUID]*domain.Webhook{}}
	var epoch string
	if err := s.DB.Read.QueryRowContext(ctx, "SELECT epoch, position FROM webhook_checkpoint WHERE id = 1").Scan(&epoch, &f.saved.Position); err != nil {
		return nil, fmt.Errorf("checkpoint of the webhooks: %w", err)
	}
	if epoch != "" {
		var err error
		if f.saved.Epoch, err = uuid.Parse(epoch); err != nil {
			return nil, fmt.Errorf("checkpoint of the webhooks: %w", err)
		}
	}
	all, err := s.readWebhooks(ctx, "", nil)
	if err != nil {
		return nil, err
	}
	for i := range all {
		f.webhooks[all[i].WebhookID] = &all[i].Webhook
	}
	s.goesOn(f.saved.Position)
	return f, nil
}

// note notes a page: what it says of webhooks, and which of its events go where. At an event that it cannot read it stops, with all
// before it noted.
func (f *follower) note(ctx context.Context, page []eventstore.Record) error {
	n := &notes{follower: f, now: f.now().UnixMicro()}
	last, stop := page[0].Position-1, error(nil)
	for _, record := range page {
		if err := n.take(record); err != nil {
			stop = &stopError{record, err}
			break
		}
		last = record.Position
	}
	if len(n.steps) > 0 || last-f.saved.Position >= maxUnsaved {
		if err := f.save(ctx, n, last); err != nil {
			return err
		}
		f.hint()
	}
	f.goesOn(last)
	return stop
}

// save writes notes with the checkpoint, or nothing where another node was faster.
func (f *follower) save(ctx context.Context, n *notes, position int64) error {
	head, err := f.Store.Head(ctx)
	if err != nil {
		return fmt.Errorf("note what is to be sent: %w", err)
	}
	reached := eventstore.Checkpoint{Epoch: head.Epoch, Position: position}
	tx, err := f.DB.Write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("note what is to be sent: %w", err)
	}
	defer tx.Rollback() // after a commit it does nothing
	result, err := tx.ExecContext(ctx, "UPDATE webhook_checkpoint SET epoch = $1, position = $2 WHERE id = 1 AND position = $3",
		reached.Epoch.String(), reached.Position, f.saved.Position)
	if err != nil {
		return fmt.Errorf("note what is to be sent: %w", err)
	}
	if moved, err := result.RowsAffected(); err != nil || moved == 0 {
		return errors.Join(errOvertaken, err)
	}
	for _, step := range n.steps {
		if err := step(ctx, tx); err != nil {
			return fmt.Errorf("note what is to be sent: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("note what is to be sent: %w", err)
	}
	f.saved = reached
	f.Outcomes.WithLabelValues(outcomeDead).Add(float64(n.dropped))
	return nil
}

// notes are what a page gives cause to write, in its order.
type notes struct {
	*follower
	now   int64 // µs
	steps []func(context.Context, *sql.Tx) error
	rows  *rows // the last step, when that is one that inserts

	dropped int // events that are dead letters at once
}

// rows are deliveries to insert by one step.
type rows struct {
	list []row
}

// row is one event for one webhook.
type row struct {
	webhook  uuid.UUID
	position int64
	stream   string
	typ      string
}

// step adds something to write.
func (n *notes) step(write func(context.Context, *sql.Tx) error) {
	n.steps, n.rows = append(n.steps, write), nil
}

// exec adds a statement.
func (n *notes) exec(statement string, args ...any) {
	n.step(func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, statement, args...)
		return err
	})
}

// take takes in one event: who gets it, and what it changes for those after it.
func (n *notes) take(record eventstore.Record) error {
	about := record.Stream.Kind == domain.WebhookStream || record.Stream.Kind == domain.AccountStream
	if len(n.webhooks) == 0 && !about {
		return nil
	}
	data, err := record.Data()
	if err != nil {
		return err
	}
	event, err := n.catalog.Decode(record.Type, data)
	if err != nil {
		return err
	}
	n.distribute(record, event)
	return n.apply(record, event)
}

// distribute notes the event for all webhooks that want it. One that is registered with this very event is not among them yet.
func (n *notes) distribute(record eventstore.Record, event domain.Event) {
	var ids []uuid.UUID
	parties := event.Parties()
	for id, w := range n.webhooks {
		if w.Wants(record.Type) && (w.AccountID == uuid.Nil || slices.Contains(parties, w.AccountID)) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
	for _, id := range ids {
		if n.rows == nil {
			inserted := &rows{}
			n.step(func(ctx context.Context, tx *sql.Tx) error { return n.insert(ctx, tx, inserted.list) })
			n.rows = inserted
		}
		n.rows.list = append(n.rows.list, row{id, record.Position, record.Stream.String(), record.Type})
	}
}

// apply takes in what an event says of webhooks.
func (n *notes) apply(record eventstore.Record, event domain.Event) error {
	switch e := event.(type) {
	case domain.WebhookDeleted:
		n.remove(e.WebhookID)
	case domain.AccountClosed: // nobody may see anything for it any more
		for id, w := range n.webhooks {
			if w.AccountID == e.AccountID {
				n.remove(id)
			}
		}
	case domain.WebhookReplayRequested:
		return n.replay(e)
	case domain.EventOf[domain.Webhook]:
		return n.change(record, e)
	}
	return nil
}

// remove drops a webhook with all that waits for it.
func (n *notes) remove(id uuid.UUID) {
	delete(n.webhooks, id)
	n.exec("DELETE FROM webhook_deliveries WHERE webhook = $1", id.String())
	n.exec("DELETE FROM webhooks WHERE id = $1", id.String())
}

// change writes a webhook's row as it is from an event on.
func (n *notes) change(record eventstore.Record, e domain.EventOf[domain.Webhook]) error {
	id, now := record.Stream.ID, n.webhooks[record.Stream.ID]
	if now == nil {
		if _, registered := e.(domain.WebhookRegistered); !registered {
			return nil // of an account that was closed meanwhile
		}
		now = &domain.Webhook{}
	}
	now = now.Clone()
	e.Apply(now)
	n.webhooks[id] = now
	types, err := json.Marshal(now.Types)
	if err != nil {
		return err
	}
	reason := ""
	if paused, ok := e.(domain.WebhookPaused); ok {
		reason = string(paused.Reason)
	}
	until := int64(0)
	if !now.OldSignsUntil.IsZero() {
		until = now.OldSignsUntil.UnixMicro()
	}
	n.exec(`INSERT INTO webhooks (id, account, url, types, description, status, reason, secret_version, old_signs_until, position)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (id) DO UPDATE SET url = excluded.url, types = excluded.types, description = excluded.description, status = excluded.status,
		reason = CASE WHEN excluded.status = 'active' THEN '' WHEN excluded.reason = '' THEN webhooks.reason ELSE excluded.reason END,
		secret_version = excluded.secret_version, old_signs_until = excluded.old_signs_until`,
		id.String(), now.AccountID.String(), now.URL, string(types), now.Description, string(now.Status), reason, now.SecretVersion, until, record.Position)
	return nil
}

// replay makes an event pending again, whatever came of it before. It is to be sent only if the webhook gets such events: who may not
// see an event does not see it so either.
func (n *notes) replay(e domain.WebhookReplayRequested) error {
	w := n.webhooks[e.WebhookID]
	if w == nil {
		return nil
	}
	n.step(func(ctx context.Context, tx *sql.Tx) error {
		page, err := n.Store.ReadAll(ctx, e.Position-1, 1)
		if err != nil || len(page) == 0 {
			return err
		}
		record := page[0]
		data, err := record.Data()
		if err != nil {
			return err
		}
		event, err := n.catalog.Decode(record.Type, data)
		if err != nil {
			return err
		}
		if w.AccountID != uuid.Nil && !slices.Contains(event.Parties(), w.AccountID) {
			return nil
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO webhook_deliveries (webhook, position, stream, event_type, state, attempts, due, status, error, changed_at)
			VALUES ($1, $2, $3, $4, 'pending', 0, $5, 0, '', $5)
			ON CONFLICT (webhook, position) DO UPDATE SET state = 'pending', attempts = 0, due = excluded.due, status = 0, error = '', changed_at = excluded.changed_at`,
			e.WebhookID.String(), record.Position, record.Stream.String(), record.Type, n.now)
		return err
	})
	return nil
}

// insert writes deliveries. What would make too many wait becomes a dead letter.
func (n *notes) insert(ctx context.Context, tx *sql.Tx, list []row) error {
	waiting, err := countWaiting(ctx, tx, list)
	if err != nil {
		return err
	}
	full := map[uuid.UUID]bool{}
	for chunk := range slices.Chunk(list, insertRows) {
		var values []string
		var args []any
		for _, r := range chunk {
			state, problem := pending, ""
			if waiting[r.webhook] >= MaxWaiting {
				full[r.webhook] = true
				n.dropped++
				state, problem = dead, fmt.Sprintf("%d events waited already", MaxWaiting)
			} else {
				waiting[r.webhook]++
			}
			at := len(args)
			values = append(values, fmt.Sprintf("($%d, $%d, $%d, $%d, $%d, 0, $%d, 0, $%d, $%d)", at+1, at+2, at+3, at+4, at+5, at+6, at+7, at+6))
			args = append(args, r.webhook.String(), r.position, r.stream, r.typ, state, n.now, problem)
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO webhook_deliveries (webhook, position, stream, event_type, state, attempts, due, status, error, changed_at)
			VALUES `+strings.Join(values, ", ")+" ON CONFLICT (webhook, position) DO NOTHING", args...); err != nil {
			return err
		}
	}
	for webhook := range full {
		if err := trim(ctx, tx, webhook, dead); err != nil {
			return err
		}
	}
	return nil
}

// countWaiting counts what waits for the webhooks of a list.
func countWaiting(ctx context.Context, tx *sql.Tx, list []row) (map[uuid.UUID]int, error) {
	waiting := map[uuid.UUID]int{}
	for _, r := range list {
		if _, counted := waiting[r.webhook]; counted {
			continue
		}
		count := 0
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM webhook_deliveries WHERE webhook = $1 AND state = 'pending'", r.webhook.String()).Scan(&count); err != nil {
			return nil, err
		}
		waiting[r.webhook] = count
	}
	return waiting, nil
}
