// Package email sends people what their notifications tell them, by SMTP.
//
// Two things go on. One follows the log and notes who was told of its events, as the read model of the notifications has it: a row for
// each mail, in one transaction with a checkpoint that moves on by compare-and-set, so that of several nodes one notes each of them.
// The other takes what is due, sends it, and records what came of it. Any node may take a row: it takes it by moving its due time on,
// so that the mail of a node that has died is sent by another.
//
// A mail is sent at least once: again only if a node dies, or loses the server, between the server's taking it and the record of that,
// and then under the same Message-ID. Nothing is sent for what happened before e-mail was switched on; rebuilding read models sends
// nothing, as the checkpoint and the rows are none of theirs.
package email

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/projections"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Config is what a mailer works with.
type Config struct {
	Server Server
	Store  *eventstore.Store
	Models *projections.Engine
	States *commands.States // know where a person receives mail
	DB     *sqldb.DB
	Clock  func() time.Time // tells when something is due
	Log    *slog.Logger
}

// Mailer sends notifications by e-mail.
type Mailer struct {
	Config
	wake       chan struct{} // holds one when there may be something due
	maxWaiting int           // mails, of all people

	mu       sync.Mutex
	reached  int64    // position up to which this node knows that the log is looked through
	problems problems // of this node
}

// problems are what keeps a mailer from its work; nil: nothing.
type problems struct{ noting, sending error }

// State is how e-mail is.
type State string

// The states.
const (
	Live     State = "live"
	Retrying State = "retrying" // the mail server or something else does not do its part; it is tried again
)

// MailerStatus tells how e-mail is.
type MailerStatus struct {
	Position int64  `json:"position" doc:"Position up to which the notifications are looked through"`
	Behind   int64  `json:"behind" doc:"Events after that"`
	Waiting  int64  `json:"waiting" doc:"Mails that are still to be sent"`
	Sent     int64  `json:"sent" doc:"Mails that the mail server has taken, since e-mail was switched on"`
	GivenUp  int64  `json:"givenUp" doc:"Mails that it has not taken and that are tried no more; the log tells why"`
	State    State  `json:"state" doc:"live, or retrying: this node cannot do what it should"`
	Error    string `json:"error,omitempty" doc:"Why it is not live"`
}

// Migrate brings the tables of e-mail up to date.
func Migrate(ctx context.Context, db *sqldb.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("migrations of e-mail: %w", err)
	}
	return db.Migrate(ctx, "ledger_email_version", files)
}

// Open makes a mailer, with its tables in the database, and switches e-mail on if it was off: what happens from now on is sent. Follow
// and Send are what it does.
func Open(ctx context.Context, config Config) (*Mailer, error) {
	if err := Migrate(ctx, config.DB); err != nil {
		return nil, err
	}
	m := &Mailer{Config: config, wake: make(chan struct{}, 1), maxWaiting: maxWaiting}
	if err := m.switchOn(ctx); err != nil {
		return nil, err
	}
	return m, nil
}

// switchOn makes the log's end the checkpoint, unless there is one.
func (m *Mailer) switchOn(ctx context.Context) error {
	head, err := m.Store.Head(ctx)
	if err != nil {
		return fmt.Errorf("switch e-mail on: %w", err)
	}
	if _, err := m.DB.Write.ExecContext(ctx, `INSERT INTO email_checkpoint (id, epoch, position, sent, given_up) VALUES (1, $1, $2, 0, 0)
		ON CONFLICT (id) DO NOTHING`, head.Epoch.String(), head.Position); err != nil {
		return fmt.Errorf("switch e-mail on: %w", err)
	}
	return nil
}

// SwitchOff is what a server without e-mail does, so that one with it does not send some day what happened meanwhile. What waits
// already stays what somebody is owed, until it is given up.
func SwitchOff(ctx context.Context, db *sqldb.DB) error {
	if err := Migrate(ctx, db); err != nil {
		return err
	}
	if _, err := db.Write.ExecContext(ctx, "DELETE FROM email_checkpoint"); err != nil {
		return fmt.Errorf("switch e-mail off: %w", err)
	}
	return nil
}

// Status tells how e-mail is, all in all, and how this node does its part.
func (m *Mailer) Status(ctx context.Context) (MailerStatus, error) {
	head, err := m.Store.Head(ctx)
	if err != nil {
		return MailerStatus{}, fmt.Errorf("status of e-mail: %w", err)
	}
	s := MailerStatus{State: Live}
	if err := m.DB.Read.QueryRowContext(ctx, `SELECT COALESCE(MAX(position), 0), COALESCE(MAX(sent), 0), COALESCE(MAX(given_up), 0),
		(SELECT count(*) FROM email_waiting) FROM email_checkpoint`).Scan(&s.Position, &s.Sent, &s.GivenUp, &s.Waiting); err != nil {
		return MailerStatus{}, fmt.Errorf("status of e-mail: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s.Position = max(s.Position, m.reached)
	s.Behind = max(0, head.Position-s.Position)
	for _, problem := range []error{m.problems.noting, m.problems.sending} {
		if problem != nil {
			s.State, s.Error = Retrying, problem.Error()
		}
	}
	return s, nil
}

// notes changes what keeps this node from its work. It is logged once, not at every attempt.
func (m *Mailer) notes(ctx context.Context, change func(*problems)) {
	m.mu.Lock()
	before := m.problems
	change(&m.problems)
	after := m.problems
	m.mu.Unlock()
	for _, p := range [][2]error{{before.noting, after.noting}, {before.sending, after.sending}} {
		switch {
		case p[1] != nil && (p[0] == nil || p[0].Error() != p[1].Error()):
			m.Log.WarnContext(ctx, "e-mail is held up", "error", p[1])
		case p[1] == nil && p[0] != nil:
			m.Log.InfoContext(ctx, "e-mail goes on")
		}
	}
}

// now is the moment in the tables' precision.
func (m *Mailer) now() time.Time { return m.Clock().UTC().Truncate(time.Microsecond) }

// hint tells that there may be something due.
func (m *Mailer) hint() {
	select {
	case m.wake <- struct{}{}:
	default: // it is told already
	}
}
