package projections

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// deadlinesModel keeps what will lapse, and when: open invitations, pending requests, grants with an end and the next reminder of it,
// and open log-ins. Each has a row until an event tells that it lapsed, or that it ended otherwise. The clock records what is due.
func deadlinesModel() model {
	return model{
		name: "deadlines", version: 2,
		streams: []string{domain.AccountStream, domain.CollaborationStream, domain.SessionStream},
		tables:  []table{deadlines.table},
		fold:    foldDeadlines,
	}
}

// DeadlineKind is what sort of thing has an end.
type DeadlineKind string

// The kinds of deadlines.
const (
	InvitationLapses DeadlineKind = "invitation"
	RequestLapses    DeadlineKind = "request"
	GrantEnds        DeadlineKind = "grant"
	GrantReminder    DeadlineKind = "reminder" // of a grant's end
	SessionLapses    DeadlineKind = "session"
)

// Deadline is an end, or the reminder of one, that no event has told of yet.
type Deadline struct {
	Kind    DeadlineKind
	Subject uuid.UUID   // the invitation, the log-in, or the collaboration of a request or grant
	Account uuid.UUID   // of an invitation
	Pair    domain.Pair // of everything else
	User    uuid.UUID   // of a log-in
	DueAt   time.Time   // from then on it is to be told
	Until   time.Time   // the end itself
}

type deadlineKey struct {
	kind    DeadlineKind
	subject uuid.UUID
}

var deadlines = mapping[deadlineKey, Deadline]{
	table: table{
		name: "deadlines", key: 2,
		columns: []column{
			{"kind", text}, {"subject_id", identifier}, {"account_id", identifier}, {"consultancy_id", identifier}, {"client_id", identifier}, {"user_id", identifier},
			{"due_at", integer}, {"until", integer},
		},
		indexes: []string{"due_at, kind, subject_id", "consultancy_id, kind, subject_id", "client_id, kind, subject_id"},
	},
	key:    func(r *Deadline) deadlineKey { return deadlineKey{r.Kind, r.Subject} },
	args:   func(k deadlineKey) []any { return []any{k.kind, k.subject} },
	fields: (*Deadline).fields,
}

func (d *Deadline) fields() []any {
	return []any{&d.Kind, &d.Subject, &d.Account, &d.Pair.ConsultancyID, &d.Pair.ClientID, &d.User, at(&d.DueAt), at(&d.Until)}
}

func foldDeadlines(ctx context.Context, tx tx, page []*Fact) error {
	var changed []deadlineKey // grants that get another end, or their reminders back
	for _, fact := range tx.toLookUp(page) {
		switch fact.Event.(type) {
		case domain.AccessChanged, domain.AccessResumed:
			changed = append(changed, deadlineKey{GrantEnds, fact.Stream.ID})
		}
	}
	held, err := deadlines.load(ctx, tx, changed)
	if err != nil {
		return err
	}
	for _, fact := range page {
		foldDeadline(fact, held)
	}
	return nil
}

func foldDeadline(fact *Fact, held *rows[deadlineKey, Deadline]) {
	forget := func(subject uuid.UUID, kinds ...DeadlineKind) {
		for _, kind := range kinds {
			held.delete(deadlineKey{kind, subject})
		}
	}
	switch e := fact.Event.(type) {
	case domain.MemberInvited:
		held.add(Deadline{Kind: InvitationLapses, Subject: e.InvitationID, Account: e.AccountID, DueAt: e.ExpiresAt, Until: e.ExpiresAt})
	case domain.InvitationResent:
		held.put(Deadline{Kind: InvitationLapses, Subject: e.InvitationID, Account: e.AccountID, DueAt: e.ExpiresAt, Until: e.ExpiresAt})
	case domain.InvitationRevoked:
		forget(e.InvitationID, InvitationLapses)
	case domain.InvitationExpired:
		forget(e.InvitationID, InvitationLapses)
	case domain.MemberJoined:
		forget(e.InvitationID, InvitationLapses)

	case domain.CollaborationRequested:
		held.put(Deadline{Kind: RequestLapses, Subject: fact.Stream.ID, Pair: e.Pair, DueAt: e.ExpiresAt, Until: e.ExpiresAt})
	case domain.CollaborationAccepted, domain.CollaborationDeclined, domain.RequestWithdrawn, domain.RequestExpired:
		forget(fact.Stream.ID, RequestLapses)

	case domain.AccessGranted:
		grantHolds(held, e.Pair, e.ExpiresAt, fact.At)
	case domain.AccessChanged:
		if before := held.get(deadlineKey{GrantEnds, fact.Stream.ID}); before == nil || !before.Until.Equal(e.ExpiresAt) {
			grantHolds(held, e.Pair, e.ExpiresAt, fact.At)
		}
	case domain.AccessExtended:
		grantHolds(held, e.Pair, e.ExpiresAt, fact.At)
	case domain.GrantEndReminded:
		remindAgain(held, e.Pair, e.ExpiresAt, domain.ReminderAt(e.ExpiresAt, e.DaysBefore))
	case domain.AccessSuspended: // its end stays, but nobody is reminded of it
		forget(fact.Stream.ID, GrantReminder)
	case domain.AccessResumed:
		if grant := held.get(deadlineKey{GrantEnds, fact.Stream.ID}); grant != nil {
			remindAgain(held, e.Pair, grant.Until, fact.At)
		}
	case domain.AccessRevoked, domain.AccessExpired, domain.CollaborationEnded:
		forget(fact.Stream.ID, GrantEnds, GrantReminder)

	case domain.ClientAccountOpened:
		held.add(Deadline{Kind: SessionLapses, Subject: e.SessionID, Pair: e.Pair, User: e.UserID, DueAt: e.ExpiresAt, Until: e.ExpiresAt})
	case domain.ClientAccountClosed:
		forget(e.SessionID, SessionLapses)
	}
}

// grantHolds notes until when a grant holds from a moment on, and the first reminder of it; with no end there is nothing to note.
func grantHolds(held *rows[deadlineKey, Deadline], pair domain.Pair, until, from time.Time) {
	if until.IsZero() {
		held.delete(deadlineKey{GrantEnds, pair.CollaborationID()})
		held.delete(deadlineKey{GrantReminder, pair.CollaborationID()})
		return
	}
	held.put(Deadline{Kind: GrantEnds, Subject: pair.CollaborationID(), Pair: pair, DueAt: until, Until: until})
	remindAgain(held, pair, until, from)
}

// remindAgain notes the next reminder of a grant's end that is due after a moment, if there is one.
func remindAgain(held *rows[deadlineKey, Deadline], pair domain.Pair, until, after time.Time) {
	days, ok := domain.NextReminder(until, after)
	if !ok {
		held.delete(deadlineKey{GrantReminder, pair.CollaborationID()})
		return
	}
	held.put(Deadline{Kind: GrantReminder, Subject: pair.CollaborationID(), Pair: pair, DueAt: domain.ReminderAt(until, days), Until: until})
}

// dueKey is where a deadline stands in the order of what is due; it goes into the cursor.
type dueKey struct {
	DueAt   int64        `json:"d"` // µs
	Kind    DeadlineKind `json:"k"`
	Subject uuid.UUID    `json:"s"`
}

// Due lists what has become due by now, the earliest first. It is for the ledger itself, and so takes no viewer.
func (e *Engine) Due(ctx context.Context, paging Paging) (page Page[Deadline], err error) {
	limit, err := paging.limit()
	if err != nil {
		return page, err
	}
	var after dueKey
	if _, err := paging.after(&after); err != nil {
		return page, err
	}
	err = e.read(ctx, func(v view) error {
		items, err := collect(ctx, v, `SELECT kind, subject_id, account_id, consultancy_id, client_id, user_id, due_at, until FROM {deadlines}
			WHERE due_at <= $1 AND (due_at, kind, subject_id) > ($2, $3, $4) ORDER BY due_at, kind, subject_id LIMIT $5`,
			[]any{v.now.UnixMicro(), after.DueAt, after.Kind, after.Subject, limit + 1}, scanDeadline)
		if err != nil {
			return fmt.Errorf("query what is due: %w", err)
		}
		page, err = paged(items, limit, func(d Deadline) dueKey { return dueKey{d.DueAt.UnixMicro(), d.Kind, d.Subject} })
		return err
	})
	return page, err
}

// CountDue counts what has become due by now.
func (e *Engine) CountDue(ctx context.Context) (count int64, err error) {
	err = e.read(ctx, func(v view) error {
		counts, err := collect(ctx, v, "SELECT COUNT(*) FROM {deadlines} WHERE due_at <= $1", []any{v.now.UnixMicro()},
			func(scan func(...any) error) (n int64, err error) {
				err = scan(&n)
				return n, err
			})
		if err != nil {
			return fmt.Errorf("count what is due: %w", err)
		}
		count = counts[0]
		return nil
	})
	return count, err
}

func scanDeadline(scan func(...any) error) (d Deadline, err error) {
	err = scan(d.fields()...)
	return d, err
}
