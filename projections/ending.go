package projections

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/internal/sqldb"
)

// Limits of how far ahead the list of ending grants looks, in days of 24 hours.
const (
	DefaultEndingDays = 30 // when the query says nothing: from the first reminder on
	MaxEndingDays     = int(domain.MaxGrantLasts / (24 * time.Hour))
)

// EndingItem is a grant that is about to end (B).
type EndingItem struct {
	CollaborationID uuid.UUID          `json:"collaborationId"`
	ConsultancyID   uuid.UUID          `json:"consultancyId"`
	ClientID        uuid.UUID          `json:"clientId"`
	ConsultancyName string             `json:"consultancyName"`
	ClientName      string             `json:"clientName"`
	GrantID         uuid.UUID          `json:"grantId"`
	Status          domain.GrantStatus `json:"status"` // granted or suspended
	RoleID          domain.Role        `json:"roleId"`
	Until           time.Time          `json:"until"`
	LastAttested    *time.Time         `json:"lastAttested,omitempty"`
	Reminders       []Reminder         `json:"reminders"` // of this end
}

// Reminder says that the client was reminded of a grant's end.
type Reminder struct {
	DaysBefore int       `json:"daysBefore"` // 30, 7 or 1
	At         time.Time `json:"at"`
}

// EndingQuery selects the grants of a client, of a consultancy, or of both with each other, that end within so many days.
type EndingQuery struct {
	Client, Consultancy uuid.UUID
	Days                int // 0: DefaultEndingDays
	Paging
}

// endingKey is a grant's place in the list: what ends first comes first.
type endingKey struct {
	Until   int64     `json:"until"`
	GrantID uuid.UUID `json:"grantId"`
}

// Ending answers which grants are about to end, the next to end first.
func (e *Engine) Ending(ctx context.Context, viewer Viewer, q EndingQuery) (page Page[EndingItem], err error) {
	err = e.read(ctx, func(v view) error {
		page, err = queryEnding(ctx, v, viewer, q)
		return err
	})
	return page, err
}

func queryEnding(ctx context.Context, v view, viewer Viewer, q EndingQuery) (Page[EndingItem], error) {
	limit, err := q.limit()
	if err != nil {
		return Page[EndingItem]{}, err
	}
	var args arguments
	condition, err := q.selection(&args, viewer, v.now)
	if err != nil {
		return Page[EndingItem]{}, err
	}
	items, err := collect(ctx, v, `SELECT g.collaboration_id, g.consultancy_id, g.client_id, a.name, b.name, g.grant_id, g.status, g.role_id,
			g.expires_at, g.attested_at
		FROM {access_grants} g JOIN {access_pairs} c ON c.collaboration_id = g.collaboration_id AND c.active AND g.position > c.since
		JOIN {account_names} a ON a.account_id = g.consultancy_id JOIN {account_names} b ON b.account_id = g.client_id
		WHERE `+condition+` ORDER BY g.expires_at, g.grant_id LIMIT `+args.add(limit+1), args,
		func(scan func(...any) error) (EndingItem, error) {
			var attestedAt time.Time
			var item EndingItem
			err := scan(&item.CollaborationID, &item.ConsultancyID, &item.ClientID, &item.ConsultancyName, &item.ClientName, &item.GrantID,
				&item.Status, &item.RoleID, until(&item.Until), at(&attestedAt))
			item.LastAttested = optional(attestedAt)
			return item, err
		})
	if err != nil {
		return Page[EndingItem]{}, fmt.Errorf("query the grants that end: %w", err)
	}
	page, err := paged(items, limit, func(i EndingItem) endingKey { return endingKey{i.Until.UnixMicro(), i.GrantID} })
	if err != nil {
		return Page[EndingItem]{}, err
	}
	grants := make([]uuid.UUID, len(page.Items))
	for i, item := range page.Items {
		grants[i] = item.GrantID
	}
	reminders, err := remindersOf(ctx, v, grants)
	if err != nil {
		return Page[EndingItem]{}, fmt.Errorf("query the reminders of grants' ends: %w", err)
	}
	for i := range page.Items {
		page.Items[i].Reminders = append([]Reminder{}, reminders[page.Items[i].GrantID]...)
	}
	return page, nil
}

// selection is the condition that the query puts on grants g.
func (q EndingQuery) selection(args *arguments, viewer Viewer, now time.Time) (string, error) {
	if err := viewer.mustBeSignedIn(); err != nil {
		return "", err
	}
	if q.Client == uuid.Nil && q.Consultancy == uuid.Nil {
		return "", domain.Invalid("client", "must be given, unless consultancy is")
	}
	if q.Days < 0 || q.Days > MaxEndingDays {
		return "", domain.Invalid("within", fmt.Sprintf("must be 1 to %d days", MaxEndingDays))
	}
	days := q.Days
	if days == 0 {
		days = DefaultEndingDays
	}
	condition := viewer.restrict(args, "g.client_id", "g.consultancy_id")
	if q.Client != uuid.Nil {
		condition += " AND g.client_id = " + args.add(q.Client)
	}
	if q.Consultancy != uuid.Nil {
		condition += " AND g.consultancy_id = " + args.add(q.Consultancy)
	}
	condition += fmt.Sprintf(" AND g.status IN (%s, %s) AND g.expires_at > %s AND g.expires_at <= %s", args.add(domain.GrantLive), args.add(domain.GrantSuspended),
		args.add(now.UnixMicro()), args.add(now.Add(time.Duration(days)*24*time.Hour).UnixMicro()))
	var from endingKey
	found, err := q.after(&from)
	if found {
		condition += " AND (g.expires_at, g.grant_id) > (" + args.add(from.Until) + ", " + args.add(from.GrantID) + ")"
	}
	return condition, err
}

// remindersOf tells of each grant which reminders the client has had of the end that it has now, the first first.
func remindersOf(ctx context.Context, v view, grants []uuid.UUID) (map[uuid.UUID][]Reminder, error) {
	found := map[uuid.UUID][]Reminder{}
	if len(grants) == 0 {
		return found, nil
	}
	var args arguments
	result, err := v.query(ctx, `SELECT d.grant_id, d.days_before, d.reminded_at
		FROM {access_reminders} d JOIN {access_grants} g ON g.grant_id = d.grant_id AND g.expires_at = d.expires_at
		WHERE d.grant_id IN (`+args.list(grants)+`) ORDER BY d.reminded_at, d.days_before DESC`, args...)
	if err != nil {
		return nil, err
	}
	return found, sqldb.EachRow(result, func(s *sql.Rows) error {
		var grant uuid.UUID
		var reminder Reminder
		err := s.Scan(&grant, &reminder.DaysBefore, at(&reminder.At))
		found[grant] = append(found[grant], reminder)
		return err
	})
}
