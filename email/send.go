package email

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/internal/wait"
	"github.com/collabledger/collabledger/projections"
)

// Limits of how mails are sent.
const (
	maxPerConnection = 100                    // mails; the next ones get a connection of their own
	claimLasts       = 2 * time.Minute        // after which an attempt is taken for lost, with the node that made it; longer than serverTimeout
	lookEvery        = 500 * time.Millisecond // at what has become due
	recordWait       = 5 * time.Second        // for the database to note what came of a mail, also when the ledger stops
)

// Limits of when what failed is tried again.
const (
	giveUpAfter = 72 * time.Hour   // from when a mail was noted
	firstRetry  = time.Minute      // after the first attempt at a mail; doubled for each one after it
	maxRetry    = 4 * time.Hour    // between two attempts at a mail
	jitterShare = 10               // a wait is longer by up to one part in so many, at random
	firstPause  = time.Second      // before a server that does not do its part is tried again; doubled each time
	maxPause    = 60 * time.Second // between two attempts at the server
)

// errWaitedTooLong says that a mail could not be sent in time.
var errWaitedTooLong = fmt.Errorf("it could not be sent within %s", giveUpAfter)

// waiting is a mail that is to be sent.
type waiting struct {
	projections.Told
	notedAt  time.Time
	attempts int // begun
}

// isOld tells whether a mail has waited for so long that it is not sent any more.
func (w waiting) isOld(now time.Time) bool { return !now.Before(w.notedAt.Add(giveUpAfter)) }

// Send sends what is due until ctx ends. What keeps it from that is told by Status, and tried again with growing pauses.
func (m *Mailer) Send(ctx context.Context) error {
	for failures := 0; ctx.Err() == nil; {
		worked, err := m.sendDue(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			m.notes(ctx, func(p *problems) { p.sending = err })
			wait.For(ctx, min(firstPause<<min(failures, 16), maxPause))
			failures++
			continue
		}
		if worked {
			failures = 0
			m.notes(ctx, func(p *problems) { p.sending = nil })
			continue
		}
		select {
		case <-ctx.Done():
		case <-m.wake:
		case <-time.After(lookEvery):
		}
	}
	return nil
}

// sendDue sends mails that are due, over one connection, and tells whether there were any. What is too old by now needs no server.
func (m *Mailer) sendDue(ctx context.Context) (worked bool, err error) {
	due, err := m.due(ctx)
	if err != nil || len(due) == 0 {
		return false, err
	}
	young := due[:0]
	for _, w := range due {
		if !w.isOld(m.now()) {
			young = append(young, w)
		} else if err := m.giveUp(ctx, w, errWaitedTooLong); err != nil {
			return true, err
		}
	}
	if len(young) == 0 {
		return true, nil
	}
	conn, err := m.Server.dial(ctx)
	if err != nil {
		return true, m.serverProblem(err)
	}
	defer conn.close()
	for _, w := range young {
		if err := m.send(ctx, conn, w); err != nil {
			return true, err
		}
	}
	return true, nil
}

// serverProblem says that the mail server does not do its part.
func (m *Mailer) serverProblem(err error) error {
	return fmt.Errorf("the mail server at %s: %w", m.Server.Address, err)
}

// due lists mails whose time has come, the first first.
func (m *Mailer) due(ctx context.Context) ([]waiting, error) {
	result, err := m.DB.Read.QueryContext(ctx, `SELECT position, account, member, noted_at, attempts FROM email_waiting
		WHERE due <= $1 ORDER BY due, position, account, member LIMIT $2`, m.now().UnixMicro(), maxPerConnection)
	if err != nil {
		return nil, fmt.Errorf("look for mails that are due: %w", err)
	}
	var due []waiting
	err = sqldb.EachRow(result, func(rows *sql.Rows) error {
		var w waiting
		var notedAt int64
		err := rows.Scan(&w.Position, &w.Account, &w.User, &notedAt, &w.attempts)
		w.notedAt = time.UnixMicro(notedAt).UTC()
		due = append(due, w)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for mails that are due: %w", err)
	}
	return due, nil
}

// send sends one mail, unless another node does, and records what came of it. An error says that no further one can be sent now.
func (m *Mailer) send(ctx context.Context, conn *connection, w waiting) error {
	letter, found, err := m.write(ctx, w.Told)
	if err != nil {
		return err
	}
	if !found {
		return m.done(ctx, w, 0, 0)
	}
	message, err := m.message(letter)
	if err != nil {
		return err
	}
	claimed, err := m.claim(ctx, &w)
	if err != nil || !claimed {
		return err
	}
	o := conn.send(message, letter.to.Address)
	if err := m.record(ctx, w, o); err != nil {
		return err
	}
	if o.lost != nil {
		return m.serverProblem(o.lost)
	}
	return nil
}

// claim takes a mail for this node, for as long as an attempt may last. It counts from here on, whatever becomes of it.
func (m *Mailer) claim(ctx context.Context, w *waiting) (bool, error) {
	result, err := m.DB.Write.ExecContext(ctx, `UPDATE email_waiting SET attempts = attempts + 1, due = $1
		WHERE position = $2 AND account = $3 AND member = $4 AND attempts = $5`,
		m.now().Add(claimLasts).UnixMicro(), w.Position, w.Account.String(), w.User.String(), w.attempts)
	if err != nil {
		return false, fmt.Errorf("take a mail: %w", err)
	}
	taken, err := result.RowsAffected()
	w.attempts++
	return taken == 1, err
}

// record notes what came of a mail: it is done with, or due again later.
func (m *Mailer) record(ctx context.Context, w waiting, o outcome) error {
	due := m.now().Add(retryIn(w.attempts))
	switch {
	case o.problem == nil:
		return m.done(ctx, w, 1, 0)
	case o.forGood || w.isOld(due):
		return m.giveUp(ctx, w, o.problem)
	}
	_, err := m.DB.Write.ExecContext(ctx, "UPDATE email_waiting SET due = $1 WHERE position = $2 AND account = $3 AND member = $4 AND attempts = $5",
		due.UnixMicro(), w.Position, w.Account.String(), w.User.String(), w.attempts)
	if err != nil {
		return fmt.Errorf("record what came of a mail: %w", err)
	}
	return nil
}

// retryIn is how long to wait after so many attempts at a mail.
func retryIn(attempts int) time.Duration {
	d := min(firstRetry<<min(attempts-1, 16), maxRetry)
	return d + rand.N(d/jitterShare)
}

// giveUp takes out a mail that is tried no more, and says so. The notification stays in the person's list.
func (m *Mailer) giveUp(ctx context.Context, w waiting, why error) error {
	m.Log.WarnContext(ctx, "a mail is given up", "account", w.Account, "user", w.User, "position", w.Position, "attempts", w.attempts, "problem", why)
	return m.done(ctx, w, 0, 1)
}

// done takes out a mail and counts what came of it, also when the ledger stops: what the server has taken is not to be sent again.
// Where another node has begun a later attempt, that one will tell.
func (m *Mailer) done(ctx context.Context, w waiting, sent, givenUp int) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWait)
	defer cancel()
	tx, err := m.DB.Write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("record what came of a mail: %w", err)
	}
	defer tx.Rollback() // after a commit it does nothing
	result, err := tx.ExecContext(ctx, "DELETE FROM email_waiting WHERE position = $1 AND account = $2 AND member = $3 AND attempts = $4",
		w.Position, w.Account.String(), w.User.String(), w.attempts)
	if err != nil {
		return fmt.Errorf("record what came of a mail: %w", err)
	}
	if taken, err := result.RowsAffected(); err != nil || taken == 0 {
		return err
	}
	if err := count(ctx, tx, sent, givenUp); err != nil {
		return fmt.Errorf("record what came of a mail: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("record what came of a mail: %w", err)
	}
	return nil
}
