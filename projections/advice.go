package projections

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// AdviceItem is a consultancy that a client asked or works with: 'my advice' (S5), with who of it may act in the client's account.
type AdviceItem struct {
	CollaborationID uuid.UUID      `json:"collaborationId"`
	ConsultancyID   uuid.UUID      `json:"consultancyId"`
	ConsultancyName string         `json:"consultancyName"`
	Status          RequestStatus  `json:"status"`
	Since           time.Time      `json:"since"`            // when it came to stand so
	Access          *AccessTerms   `json:"access,omitempty"` // the latest grant of the latest engagement
	People          []AccessPerson `json:"people"`           // who of the consultancy may log in now
	Managers        []Manager      `json:"managers"`         // who is in charge of the client
	LastMessage     string         `json:"lastMessage"`      // its beginning
	LastMessageAt   time.Time      `json:"lastMessageAt"`
	Unread          int            `json:"unread"` // by the client
	LastLogIn       *LastLogIn     `json:"lastLogIn,omitempty"`
}

// LastLogIn is the latest log-in of a consultancy to a client's account (S9). The log of log-ins tells what became of it.
type LastLogIn struct {
	SessionID uuid.UUID `json:"sessionId"`
	UserName  string    `json:"userName"`
	OpenedAt  time.Time `json:"openedAt"`
	Purpose   string    `json:"purpose"`
}

// AdviceQuery names the client whose consultancies are asked for.
type AdviceQuery struct {
	Client uuid.UUID
	Paging
}

// adviceOrder is a consultancy's place in the list.
type adviceOrder struct {
	SortName      string    `json:"sortName"`
	ConsultancyID uuid.UUID `json:"consultancyId"`
}

// adviceLine is an item with what its page is made from.
type adviceLine struct {
	item     AdviceItem
	sortName string
	usable   bool // whether the grant permits anything now
}

// Advice answers which consultancies a client asked or works with, in the order of their names. The client's own people see it.
func (e *Engine) Advice(ctx context.Context, viewer Viewer, q AdviceQuery) (page Page[AdviceItem], err error) {
	err = e.read(ctx, func(v view) error {
		page, err = queryAdvice(ctx, v, viewer, q)
		return err
	})
	return page, err
}

func queryAdvice(ctx context.Context, v view, viewer Viewer, q AdviceQuery) (Page[AdviceItem], error) {
	limit, err := q.check(viewer)
	if err != nil {
		return Page[AdviceItem]{}, err
	}
	var args arguments
	now := args.add(v.now.UnixMicro())
	condition := "c.client_id = " + args.add(q.Client) + " AND " + viewer.restrict(&args, "c.client_id")
	var from adviceOrder
	if found, err := q.after(&from); err != nil {
		return Page[AdviceItem]{}, err
	} else if found {
		condition += " AND (n.sort_name, c.consultancy_id) > (" + args.add(from.SortName) + ", " + args.add(from.ConsultancyID) + ")"
	}
	lines, err := collect(ctx, v, `SELECT `+rightsColumns+`, g.grant_id, COALESCE(g.role_id, ''),
			c.collaboration_id, c.consultancy_id, n.name, n.sort_name, `+requestStatus(now)+`,
			CASE WHEN `+requestLapsed(now)+` AND NOT r.blocked THEN r.expires_at ELSE t.status_at END,
			r.last_message, r.last_message_at, r.messages - r.read_client,
			l.session_id, COALESCE(u.name, ''), COALESCE(l.opened_at, 0), COALESCE(l.purpose, '')
		FROM {access_pairs} c `+rightsJoins+` JOIN {requests} r ON r.collaboration_id = c.collaboration_id
		JOIN {activity_pairs} t ON t.collaboration_id = c.collaboration_id JOIN {account_names} n ON n.account_id = c.consultancy_id
		LEFT JOIN {access_grants} g ON g.grant_id = c.grant_id AND g.position > c.since
		LEFT JOIN {sessions} l ON l.collaboration_id = c.collaboration_id AND l.position =
			(SELECT MAX(o.position) FROM {sessions} o WHERE o.collaboration_id = c.collaboration_id)
		LEFT JOIN {user_names} u ON u.user_id = l.user_id
		WHERE `+condition+` ORDER BY n.sort_name, c.consultancy_id LIMIT `+args.add(limit+1), args,
		func(scan func(...any) error) (adviceLine, error) { return scanAdvice(scan, v.now) })
	if err != nil {
		return Page[AdviceItem]{}, fmt.Errorf("query advice: %w", err)
	}
	page, err := paged(lines, limit, func(l adviceLine) adviceOrder { return adviceOrder{l.sortName, l.item.ConsultancyID} })
	if err != nil {
		return Page[AdviceItem]{}, err
	}
	if err := addAdvisers(ctx, v, page.Items); err != nil {
		return Page[AdviceItem]{}, fmt.Errorf("query the people of advice: %w", err)
	}
	return pageOf(page, func(l adviceLine) AdviceItem { return l.item }), nil
}

// check refuses a query that is not the viewer's to ask or that makes no sense, and tells how many items the page may have.
func (q AdviceQuery) check(viewer Viewer) (limit int, err error) {
	if err := viewer.mustBeSignedIn(); err != nil {
		return 0, err
	}
	if q.Client == uuid.Nil {
		return 0, domain.Invalid("client", "must name the client whose consultancies are asked for")
	}
	if err := viewer.mustBe(q.Client); err != nil {
		return 0, err
	}
	return q.limit()
}

func scanAdvice(scan func(...any) error, now time.Time) (adviceLine, error) {
	var (
		r       rights
		line    = adviceLine{item: AdviceItem{People: []AccessPerson{}, Managers: []Manager{}}}
		grantID uuid.UUID
		roleID  domain.Role
		last    LastLogIn
		item    = &line.item
	)
	err := scan(append(r.fields(), &grantID, &roleID, &item.CollaborationID, &item.ConsultancyID, &item.ConsultancyName, &line.sortName, &item.Status,
		at(&item.Since), &item.LastMessage, at(&item.LastMessageAt), &item.Unread, &last.SessionID, &last.UserName, at(&last.OpenedAt), &last.Purpose)...)
	if err != nil {
		return line, err
	}
	if last.SessionID != uuid.Nil {
		item.LastLogIn = &last
	}
	line.usable = len(r.effective(now)) > 0
	item.Access = r.terms(grantID, roleID, now)
	return line, nil
}

// addAdvisers tells who of each consultancy may log in, and who is in charge of the client.
func addAdvisers(ctx context.Context, v view, lines []adviceLine) error {
	var all, usable []uuid.UUID
	for _, line := range lines {
		all = append(all, line.item.CollaborationID)
		if line.usable {
			usable = append(usable, line.item.CollaborationID)
		}
	}
	people, err := peopleOf(ctx, v, usable)
	if err != nil {
		return err
	}
	managers, err := managersOf(ctx, v, all)
	for i := range lines {
		item := &lines[i].item
		item.People = append(item.People, people[item.CollaborationID]...)
		item.Managers = append(item.Managers, managers[item.CollaborationID]...)
	}
	return err
}
