package email

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/wait"
	"github.com/collabledger/collabledger/projections"
)

// Limits of what is noted.
const (
	maxWaiting = 100_000                // mails that wait, of all people; what comes then is given up at once
	insertRows = 500                    // rows that one statement inserts
	maxUnsaved = 10_000                 // events without a notification after which the checkpoint is saved all the same
	modelsWait = 10 * time.Second       // for the read models to have folded a page
	rest       = 200 * time.Millisecond // between two pages at the log's end: mail may wait so long, and read models need not hurry for each event
)

// errOvertaken says that another node has noted the notifications, or that one without e-mail has switched it off.
var errOvertaken = errors.New("another node has moved the checkpoint of e-mail")

// Follow follows the log and notes which mails are to be sent, until ctx ends or the log is not the one that it has followed.
func (m *Mailer) Follow(ctx context.Context) error {
	for retry := (wait.Backoff{}); ctx.Err() == nil; retry.Wait(ctx) {
		saved, err := m.checkpoint(ctx)
		if err == nil {
			err = m.Store.Follow(ctx, saved, func(ctx context.Context, page []eventstore.Record) error {
				err := m.note(ctx, &saved, page)
				if err == nil {
					retry.Reset()
					m.notes(ctx, func(p *problems) { p.noting = nil })
				}
				return err
			})
		}
		if _, ahead := errors.AsType[*eventstore.AheadError](err); ahead {
			return err
		}
		if ctx.Err() == nil && !errors.Is(err, errOvertaken) {
			m.notes(ctx, func(p *problems) { p.noting = err })
		}
	}
	return nil
}

// checkpoint reads how far the log is looked through. Where it is switched off, by a server that has started without e-mail, it is
// switched on again: this one sends.
func (m *Mailer) checkpoint(ctx context.Context) (eventstore.Checkpoint, error) {
	var saved eventstore.Checkpoint
	read := func() error {
		return m.DB.Read.QueryRowContext(ctx, "SELECT epoch, position FROM email_checkpoint WHERE id = 1").Scan(&saved.Epoch, &saved.Position)
	}
	err := read()
	if errors.Is(err, sql.ErrNoRows) {
		m.Log.WarnContext(ctx, "a server without e-mail has started beside this one; notifications of that moment may have got lost")
		if err = m.switchOn(ctx); err == nil {
			err = read()
		}
	}
	if err != nil {
		return saved, fmt.Errorf("checkpoint of e-mail: %w", err)
	}
	return saved, nil
}

// note notes who was told of the events of a page, once the read models have folded it.
func (m *Mailer) note(ctx context.Context, saved *eventstore.Checkpoint, page []eventstore.Record) error {
	last := page[len(page)-1].Position
	if err := m.awaitModels(ctx, last); err != nil {
		return err
	}
	told, err := m.Models.ToldBetween(ctx, page[0].Position-1, last)
	if err != nil {
		return err
	}
	if len(told) > 0 || last-saved.Position >= maxUnsaved {
		if err := m.save(ctx, *saved, last, told); err != nil {
			return err
		}
		saved.Position = last
		m.hint()
	}
	m.mu.Lock()
	m.reached = last
	m.mu.Unlock()
	if len(page) < eventstore.MaxPageEvents {
		wait.For(ctx, rest)
	}
	return nil
}

func (m *Mailer) awaitModels(ctx context.Context, position int64) error {
	ctx, cancel := context.WithTimeout(ctx, modelsWait)
	defer cancel()
	return m.Models.Wait(ctx, position)
}

// save writes the mails that are to be sent with the checkpoint, or nothing where another node was faster.
func (m *Mailer) save(ctx context.Context, saved eventstore.Checkpoint, position int64, told []projections.Told) error {
	tx, err := m.DB.Write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("note what is to be mailed: %w", err)
	}
	defer tx.Rollback() // after a commit it does nothing
	result, err := tx.ExecContext(ctx, "UPDATE email_checkpoint SET position = $1 WHERE id = 1 AND position = $2 AND epoch = $3", position, saved.Position, saved.Epoch.String())
	if err != nil {
		return fmt.Errorf("note what is to be mailed: %w", err)
	}
	if moved, err := result.RowsAffected(); err != nil || moved == 0 {
		return errors.Join(errOvertaken, err)
	}
	if len(told) > 0 {
		if err := m.insert(ctx, tx, told); err != nil {
			return fmt.Errorf("note what is to be mailed: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("note what is to be mailed: %w", err)
	}
	return nil
}

// insert writes mails that are to be sent at once. Those that would make too many wait are given up.
func (m *Mailer) insert(ctx context.Context, tx *sql.Tx, told []projections.Told) error {
	waiting := 0
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM email_waiting").Scan(&waiting); err != nil {
		return err
	}
	if room := max(0, m.maxWaiting-waiting); len(told) > room {
		m.Log.WarnContext(ctx, "too many mails wait already; new ones are given up", "waiting", waiting, "given_up", len(told)-room)
		if err := count(ctx, tx, 0, len(told)-room); err != nil {
			return err
		}
		told = told[:room]
	}
	now := m.now().UnixMicro()
	for chunk := range slices.Chunk(told, insertRows) {
		var values []string
		args := []any{now}
		for _, t := range chunk {
			at := len(args)
			values = append(values, fmt.Sprintf("($%d, $%d, $%d, $1, 0, $1)", at+1, at+2, at+3))
			args = append(args, t.Position, t.Account.String(), t.User.String())
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO email_waiting (position, account, member, noted_at, attempts, due)
			VALUES `+strings.Join(values, ", ")+" ON CONFLICT (position, account, member) DO NOTHING", args...); err != nil {
			return err
		}
	}
	return nil
}

// count adds to what has come of mails.
func count(ctx context.Context, tx *sql.Tx, sent, givenUp int) error {
	_, err := tx.ExecContext(ctx, "UPDATE email_checkpoint SET sent = sent + $1, given_up = given_up + $2 WHERE id = 1", sent, givenUp)
	return err
}
