package projections

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// sessionsModel keeps the log of log-ins to clients' accounts (S9). What becomes of a log-in follows at the query, from the clock and
// the access model.
func sessionsModel() model {
	return model{
		name: "sessions", version: 5,
		streams: []string{domain.SessionStream},
		tables:  []table{sessions.table, sessionGrants.table},
		fold:    foldSessions,
	}
}

// sessionRow is a log-in as its events left it.
type sessionRow struct {
	sessionID     uuid.UUID
	collaboration uuid.UUID
	pair          domain.Pair
	user          uuid.UUID
	position      int64
	grantID       uuid.UUID
	accessEpoch   int
	standingEpoch int
	permissions   domain.Permissions
	purpose       string
	openedAt      time.Time
	expiresAt     time.Time
	closedAt      time.Time          // zero: no end recorded
	reason        domain.CloseReason // empty: no end recorded
}

var sessions = mapping[uuid.UUID, sessionRow]{
	table: table{
		name: "sessions", key: 1,
		columns: []column{
			{"session_id", identifier}, {"collaboration_id", identifier}, {"consultancy_id", identifier}, {"client_id", identifier}, {"user_id", identifier}, {"position", integer},
			{"grant_id", identifier}, {"access_epoch", integer}, {"standing_epoch", integer}, {"permissions", text}, {"purpose", text}, {"opened_at", integer}, {"expires_at", integer},
			{"closed_at", integer}, {"reason", text},
		},
		indexes: []string{"client_id, position", "consultancy_id, position", "user_id, position", "collaboration_id, position", "opened_at, position"},
	},
	key:  func(r *sessionRow) uuid.UUID { return r.sessionID },
	args: func(id uuid.UUID) []any { return []any{id} },
	fields: func(r *sessionRow) []any {
		return []any{
			&r.sessionID, &r.collaboration, &r.pair.ConsultancyID, &r.pair.ClientID, &r.user, &r.position,
			&r.grantID, &r.accessEpoch, &r.standingEpoch, asJSON(&r.permissions), &r.purpose, at(&r.openedAt), at(&r.expiresAt),
			until(&r.closedAt), &r.reason,
		}
	},
}

// sessionGrant says that a person has logged in with a grant. The row is nothing but its key. A person's log-ins grow with the log,
// and the grants that they used do not.
type sessionGrant struct{ user, grantID uuid.UUID }

var sessionGrants = mapping[sessionGrant, sessionGrant]{
	table:  table{name: "session_grants", key: 2, columns: []column{{"user_id", identifier}, {"grant_id", identifier}}},
	key:    func(r *sessionGrant) sessionGrant { return *r },
	args:   func(r sessionGrant) []any { return []any{r.user, r.grantID} },
	fields: func(r *sessionGrant) []any { return []any{&r.user, &r.grantID} },
}

func foldSessions(ctx context.Context, tx tx, page []*Fact) error {
	var closed []uuid.UUID
	for _, fact := range tx.toLookUp(page) {
		if e, ok := fact.Event.(domain.ClientAccountClosed); ok {
			closed = append(closed, e.SessionID)
		}
	}
	held, err := sessions.load(ctx, tx, closed)
	if err != nil {
		return err
	}
	used, err := sessionGrants.load(ctx, tx, nil)
	if err != nil {
		return err
	}
	for _, fact := range page {
		switch e := fact.Event.(type) {
		case domain.ClientAccountOpened:
			if key := (sessionGrant{e.UserID, e.GrantID}); used.get(key) == nil {
				used.put(key)
			}
			held.add(sessionRow{
				sessionID: e.SessionID, collaboration: e.CollaborationID(), pair: e.Pair, user: e.UserID, position: fact.Position,
				grantID: e.GrantID, accessEpoch: e.AccessEpoch, standingEpoch: e.StandingEpoch, permissions: e.Permissions, purpose: e.Purpose,
				openedAt: fact.At, expiresAt: e.ExpiresAt,
			})
		case domain.ClientAccountClosed:
			session, err := known(held, e.SessionID)
			if err != nil {
				return fmt.Errorf("position %d: %w", fact.Position, err)
			}
			session.closedAt, session.reason = fact.At, e.Reason
		}
	}
	return nil
}

// lostAt is when the access behind a session g was lost, whether or not somebody recorded the session's end (invariants 1 and 4):
// at the next access epoch of the pair, when the consultancy fell out of standing, when either account was closed, or when the person
// ceased to work for the client. lostJoins adds what it looks at to g.
const lostAt = `(SELECT MIN(l.moment) FROM (
		SELECT e.began_at AS moment FROM {access_epochs} e WHERE e.collaboration_id = g.collaboration_id AND e.epoch = g.access_epoch + 1
		UNION ALL SELECT s.ended_at FROM {access_standing_ends} s WHERE s.consultancy_id = g.consultancy_id AND s.epoch = g.standing_epoch
		UNION ALL SELECT p.closed_at UNION ALL SELECT f.closed_at
		UNION ALL SELECT CASE WHEN m.role = 'account_manager' AND w.changed_at > m.changed_at THEN w.changed_at ELSE m.changed_at END
			WHERE NOT COALESCE(` + works + `, FALSE)) l)`

const lostJoins = `JOIN {access_pairs} c ON c.collaboration_id = g.collaboration_id
	JOIN {access_plans} p ON p.account_id = g.client_id JOIN {access_plans} f ON f.account_id = g.consultancy_id
	JOIN {access_members} m ON m.account_id = g.consultancy_id AND m.user_id = g.user_id
	LEFT JOIN {access_managers} w ON w.collaboration_id = g.collaboration_id AND w.user_id = g.user_id`

// sessionStatus is the SQL for what has become of a session g that lost its access at lost_at, as of a moment. Whatever came first counts.
func sessionStatus(now string) string {
	return `CASE WHEN g.lost_at < g.closed_at AND g.lost_at < g.expires_at THEN 'access_lost' WHEN g.reason <> '' THEN g.reason
		WHEN g.expires_at <= ` + now + ` THEN 'expired' ELSE 'open' END`
}

// openAt is the SQL for whether a session g was open at a moment, as far as it had not lost its access by then. It can only have been
// opened within the longest term of one before that, and the log has its events in the order of time: so the positions of the first and
// the last one opened then keep a query from all that were opened before and since.
func openAt(args *arguments, moment time.Time) string {
	at, since := args.add(moment.UnixMicro()), args.add(moment.Add(-domain.MaxSessionLasts).UnixMicro())
	return "g.closed_at > " + at + " AND g.expires_at > " + at + " AND g.opened_at <= " + at +
		" AND g.position >= (SELECT s.position FROM {sessions} s WHERE s.opened_at > " + since + " ORDER BY s.opened_at, s.position LIMIT 1)" +
		" AND g.position <= (SELECT s.position FROM {sessions} s WHERE s.opened_at <= " + at + " ORDER BY s.opened_at DESC, s.position DESC LIMIT 1)"
}

// sessionLine is an item with what its page is made from.
type sessionLine struct {
	item     SessionItem
	position int64
}

// Sessions answers the log of log-ins, the newest first.
func (e *Engine) Sessions(ctx context.Context, viewer Viewer, q SessionLogQuery) (page Page[SessionItem], err error) {
	err = e.read(ctx, func(v view) error {
		page, err = querySessions(ctx, v, viewer, q)
		return err
	})
	return page, err
}

// selection is the condition that the query puts on sessions g. One index finds what is asked for in its order, so that a page is full
// before much else was read; the other conditions are only checked.
func (q SessionLogQuery) selection(args *arguments, viewer Viewer) (string, error) {
	var conditions []string // the one that leaves the least to check comes first
	switch {
	case q.Client != uuid.Nil && q.Consultancy != uuid.Nil:
		pair := domain.Pair{ConsultancyID: q.Consultancy, ClientID: q.Client}
		conditions = append(conditions, "g.collaboration_id = "+args.add(pair.CollaborationID()))
	case q.Client != uuid.Nil:
		conditions = append(conditions, "g.client_id = "+args.add(q.Client))
	}
	if q.User != uuid.Nil {
		conditions = append(conditions, "g.user_id = "+args.add(q.User))
	}
	if q.Consultancy != uuid.Nil && q.Client == uuid.Nil {
		conditions = append(conditions, "g.consultancy_id = "+args.add(q.Consultancy))
	}
	if !viewer.MaySee(q.Client, q.Consultancy) { // else every row found is the viewer's
		conditions = append(conditions, viewer.restrict(args, "g.client_id", "g.consultancy_id"))
	}
	for i := range conditions[1:] {
		conditions[i+1] = checked(conditions[i+1])
	}
	var position int64
	found, err := q.after(&position)
	if found {
		conditions = append(conditions, "g.position < "+args.add(position))
	}
	return strings.Join(conditions, " AND "), err
}

// checked is a condition that no index is used for. Postgres takes it that a firm and its people have nothing to do with each other:
// it would expect next to no log-ins of both, and gather all of them to sort them.
func checked(condition string) string { return "CASE WHEN " + condition + " THEN TRUE ELSE FALSE END" }

// querySessions finds the log-ins, the newest first.
func querySessions(ctx context.Context, v view, viewer Viewer, q SessionLogQuery) (Page[SessionItem], error) {
	limit, err := q.check(viewer)
	if err != nil {
		return Page[SessionItem]{}, err
	}
	var args arguments
	condition, err := q.selection(&args, viewer)
	if err != nil {
		return Page[SessionItem]{}, err
	}
	now := args.add(v.now.UnixMicro())
	if q.OpenAt.After(v.now) {
		return Page[SessionItem]{}, domain.Invalid("openAt", "must not be in the future: nobody knows which log-ins will be open")
	}
	kept := "TRUE"
	if q.LiveOnly {
		condition, kept = condition+" AND "+openAt(&args, v.now), kept+" AND g.lost_at > "+now
	}
	if !q.OpenAt.IsZero() {
		condition, kept = condition+" AND "+openAt(&args, q.OpenAt), kept+" AND g.lost_at > "+args.add(q.OpenAt.UnixMicro())
	}
	end := " ORDER BY g.position DESC LIMIT " + args.add(limit+1)
	page := "SELECT * FROM {sessions} g WHERE " + condition
	if kept == "TRUE" {
		page += end // else what is kept of it is known only once it is known what was lost
	}
	lines, err := collect(ctx, v, `WITH found AS MATERIALIZED (SELECT g.*, COALESCE(`+lostAt+`, `+args.add(never)+`) AS lost_at
			FROM (`+page+`) g `+lostJoins+`)
		SELECT g.session_id, g.consultancy_id, g.client_id, g.user_id, g.grant_id, g.permissions, g.purpose,
			`+sessionStatus(now)+`, g.opened_at, g.expires_at, g.closed_at, g.lost_at, g.position, a.name, b.name, n.name
		FROM found g JOIN {account_names} a ON a.account_id = g.consultancy_id JOIN {account_names} b ON b.account_id = g.client_id
		JOIN {user_names} n ON n.user_id = g.user_id
		WHERE `+kept+end, args, scanSession)
	if err != nil {
		return Page[SessionItem]{}, fmt.Errorf("query sessions: %w", err)
	}
	linePage, err := paged(lines, limit, func(l sessionLine) int64 { return l.position })
	if err != nil {
		return Page[SessionItem]{}, err
	}
	return pageOf(linePage, func(l sessionLine) SessionItem { return l.item }), nil
}

func scanSession(scan func(...any) error) (sessionLine, error) {
	var (
		line             sessionLine
		closedAt, lostAt time.Time
		item             = &line.item
	)
	err := scan(&item.SessionID, &item.ConsultancyID, &item.ClientID, &item.UserID, &item.GrantID, asJSON(&item.Permissions), &item.Purpose,
		&item.Status, at(&item.OpenedAt), at(&item.ExpiresAt), until(&closedAt), until(&lostAt), &line.position,
		&item.ConsultancyName, &item.ClientName, &item.UserName)
	if item.Status != string(domain.SessionOpen) {
		end := item.ExpiresAt // or what came before it
		for _, earlier := range []time.Time{closedAt, lostAt} {
			if !earlier.IsZero() && earlier.Before(end) {
				end = earlier
			}
		}
		item.ClosedAt = &end
	}
	return line, err
}
