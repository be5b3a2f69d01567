package projections

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// What the ledger itself must find to tidy up behind somebody who lost a right. These queries take no viewer.

// SessionsQuery selects log-ins of which no end is recorded.
type SessionsQuery struct {
	Account uuid.UUID // on whichever side
	Client  uuid.UUID // zero: all
	User    uuid.UUID // zero: everybody
	Paging
}

// OpenSessions lists log-ins of which no end is recorded and that have not lapsed, whether or not their access is lost.
func (e *Engine) OpenSessions(ctx context.Context, q SessionsQuery) (Page[uuid.UUID], error) {
	return openPage(ctx, e, q.Paging, "subject_id", func(v view) (string, arguments) {
		args := arguments{SessionLapses, v.now.UnixMicro(), q.Account}
		text := "SELECT subject_id FROM {deadlines} WHERE kind = $1 AND until > $2 AND (consultancy_id = $3 OR client_id = $3)"
		if q.Client != uuid.Nil {
			text += " AND client_id = " + args.add(q.Client)
		}
		if q.User != uuid.Nil {
			text += " AND user_id = " + args.add(q.User)
		}
		return text, args
	}, func(scan func(...any) error) (id uuid.UUID, err error) {
		err = scan(&id)
		return id, err
	}, func(id uuid.UUID) uuid.UUID { return id })
}

// OpenCollaboration is a pair that has not come to an end.
type OpenCollaboration struct {
	domain.Pair
	Active bool // else the client's request is pending
}

// OpenCollaborations lists the active collaborations of an account, be it consultancy or client, and its pending requests.
func (e *Engine) OpenCollaborations(ctx context.Context, account uuid.UUID, paging Paging) (Page[OpenCollaboration], error) {
	return openPage(ctx, e, paging, "collaboration_id", func(view) (string, arguments) {
		return `SELECT consultancy_id, client_id, active FROM (
				SELECT collaboration_id, consultancy_id, client_id, active FROM {access_pairs} WHERE active AND (consultancy_id = $1 OR client_id = $1)
				UNION ALL SELECT subject_id, consultancy_id, client_id, FALSE FROM {deadlines} WHERE kind = $2 AND (consultancy_id = $1 OR client_id = $1)) o
			WHERE TRUE`, arguments{account, RequestLapses}
	}, func(scan func(...any) error) (c OpenCollaboration, err error) {
		err = scan(&c.ConsultancyID, &c.ClientID, &c.Active)
		return c, err
	}, func(c OpenCollaboration) uuid.UUID { return c.CollaborationID() })
}

// Assignments lists the active collaborations of a consultancy of which a person is in charge.
func (e *Engine) Assignments(ctx context.Context, consultancy, user uuid.UUID, paging Paging) (Page[domain.Pair], error) {
	return openPage(ctx, e, paging, "c.collaboration_id", func(view) (string, arguments) {
		return `SELECT c.consultancy_id, c.client_id FROM {access_managers} w JOIN {access_pairs} c ON c.collaboration_id = w.collaboration_id
			WHERE w.user_id = $1 AND w.assigned AND w.position > c.since AND c.active AND c.consultancy_id = $2`, arguments{user, consultancy}
	}, func(scan func(...any) error) (p domain.Pair, err error) {
		err = scan(&p.ConsultancyID, &p.ClientID)
		return p, err
	}, domain.Pair.CollaborationID)
}

// openPage asks for a page in the order of an id. What was done about the page before is no longer listed, and need not be: the
// cursor is an id, not a count.
func openPage[T any](
	ctx context.Context, e *Engine, paging Paging, idColumn string, statement func(view) (string, arguments), read func(func(...any) error) (T, error), id func(T) uuid.UUID,
) (page Page[T], err error) {
	limit, err := paging.limit()
	if err != nil {
		return page, err
	}
	var after uuid.UUID
	if _, err := paging.after(&after); err != nil {
		return page, err
	}
	err = e.read(ctx, func(v view) error {
		text, args := statement(v)
		items, err := collect(ctx, v, text+" AND "+idColumn+" > "+args.add(after)+" ORDER BY "+idColumn+" LIMIT "+args.add(limit+1), args, read)
		if err != nil {
			return fmt.Errorf("query what is open: %w", err)
		}
		page, err = paged(items, limit, id)
		return err
	})
	return page, err
}
