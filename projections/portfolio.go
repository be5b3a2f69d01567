package projections

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// PortfolioItem is a client of a consultancy, with all that the consultancy's people look at first.
type PortfolioItem struct {
	CollaborationID uuid.UUID        `json:"collaborationId"`
	ClientID        uuid.UUID        `json:"clientId"`
	ClientName      string           `json:"clientName"`
	Status          RequestStatus    `json:"status"`
	Access          *AccessTerms     `json:"access,omitempty"` // the latest grant of the latest engagement
	Managers        []Manager        `json:"managers"`
	Sections        []domain.Section `json:"sections"` // whose tasks are counted; empty when nothing is shared with the viewer
	Pending         int              `json:"pending"`
	Overdue         int              `json:"overdue"` // as of the query
	LastActivity    time.Time        `json:"lastActivity"`
}

// AccessTerms is a grant in short.
type AccessTerms struct {
	GrantID uuid.UUID          `json:"grantId"`
	RoleID  domain.Role        `json:"roleId"`
	Status  domain.GrantStatus `json:"status"` // as of the query
	Until   *time.Time         `json:"until,omitempty"`
}

// PortfolioQuery selects and sorts the clients of one consultancy. A person of the consultancy sees the clients that the request
// inbox shows, and of each the tasks that the KPIs count: those of the sections that the live grant shows, if they work for the
// client, cut to their own choice.
type PortfolioQuery struct {
	Consultancy uuid.UUID
	Status      RequestStatus // empty: all
	Manager     uuid.UUID     // only the clients of which this person is in charge
	Text        string        // words, or parts of words, that the client's name has; without regard to case and accents
	Sort        string        // name (the default), status, pending, overdue, lastActivity or grantEnd
	Descending  bool
	Paging
}

// portfolioSorts is what the portfolio can be sorted by: by a number, and then by a text. The client's id makes the order total.
// Grants without an end, and clients without a live grant, come after those whose access ends.
func portfolioSorts(now string) map[string]string {
	return map[string]string{
		"name":         "0 AS sort_number, sort_name AS sort_text",
		"status":       "0 AS sort_number, status AS sort_text",
		"pending":      "pending AS sort_number, '' AS sort_text",
		"overdue":      "overdue AS sort_number, '' AS sort_text",
		"lastActivity": "last_at AS sort_number, '' AS sort_text",
		"grantEnd": "CASE WHEN grant_status IN ('granted', 'suspended') AND expires_at > " + now +
			" THEN expires_at ELSE 9223372036854775807 END AS sort_number, '' AS sort_text",
	}
}

// portfolioKey is where a line stands in its order; it goes into the cursor.
type portfolioKey struct {
	Sort       string    `json:"sort"`
	Descending bool      `json:"descending"`
	Number     int64     `json:"number"`
	Text       string    `json:"text"`
	ClientID   uuid.UUID `json:"clientId"`
}

// portfolioLine is an item with what its page is made from.
type portfolioLine struct {
	item PortfolioItem
	key  portfolioKey
}

// Portfolio answers a page of the clients of a consultancy.
func (e *Engine) Portfolio(ctx context.Context, viewer Viewer, q PortfolioQuery) (page Page[PortfolioItem], err error) {
	err = e.read(ctx, func(v view) error {
		page, err = queryPortfolio(ctx, v, viewer, q)
		return err
	})
	return page, err
}

// queryPortfolio finds the clients, and who is in charge of them.
func queryPortfolio(ctx context.Context, v view, viewer Viewer, q PortfolioQuery) (Page[PortfolioItem], error) {
	q.Sort = cmp.Or(q.Sort, "name")
	limit, err := q.check(viewer)
	if err != nil {
		return Page[PortfolioItem]{}, err
	}
	var args arguments
	now := args.add(v.now.UnixMicro())
	clients, err := q.clients(&args, viewer, now)
	if err != nil {
		return Page[PortfolioItem]{}, err
	}
	after, order := ">", "ASC"
	if q.Descending {
		after, order = "<", "DESC"
	}
	condition := "TRUE"
	from := portfolioKey{}
	if found, err := q.after(&from); err != nil {
		return Page[PortfolioItem]{}, err
	} else if found && (from.Sort != q.Sort || from.Descending != q.Descending) {
		return Page[PortfolioItem]{}, badCursor()
	} else if found {
		condition = fmt.Sprintf("(sort_number, sort_text, client_id) %s (%s, %s, %s)", after, args.add(from.Number), args.add(from.Text), args.add(from.ClientID))
	}
	lines, err := collect(ctx, v, clients+`, sorted AS (SELECT totalled.*, `+portfolioSorts(now)[q.Sort]+` FROM totalled)
		SELECT active, since, plan, in_standing, both_open, granted, permissions, grant_status, expires_at,
			collaboration_id, client_id, name, status, grant_id, role_id, works, choice, pending, overdue, last_at, sort_number, sort_text
		FROM sorted WHERE `+condition+fmt.Sprintf(` ORDER BY sort_number %[1]s, sort_text %[1]s, client_id %[1]s LIMIT `, order)+args.add(limit+1), args,
		func(scan func(...any) error) (portfolioLine, error) { return scanPortfolio(scan, v.now, q) })
	if err != nil {
		return Page[PortfolioItem]{}, fmt.Errorf("query the portfolio: %w", err)
	}
	linePage, err := paged(lines, limit, func(l portfolioLine) portfolioKey { return l.key })
	if err != nil {
		return Page[PortfolioItem]{}, err
	}
	page := pageOf(linePage, func(l portfolioLine) PortfolioItem { return l.item })
	pairs := make([]uuid.UUID, len(page.Items))
	for i, item := range page.Items {
		pairs[i] = item.CollaborationID
	}
	managers, err := managersOf(ctx, v, pairs)
	if err != nil {
		return Page[PortfolioItem]{}, fmt.Errorf("query the account managers of a portfolio: %w", err)
	}
	for i := range page.Items {
		page.Items[i].Managers = append(page.Items[i].Managers, managers[page.Items[i].CollaborationID]...)
	}
	return page, nil
}

// check refuses a query that is not the viewer's to ask or that makes no sense, and tells how many items the page may have.
func (q PortfolioQuery) check(viewer Viewer) (limit int, err error) {
	if err := viewer.mustBeSignedIn(); err != nil {
		return 0, err
	}
	if q.Consultancy == uuid.Nil {
		return 0, domain.Invalid("consultancy", "must name the consultancy whose clients are asked for")
	}
	if err := viewer.mustBe(q.Consultancy); err != nil {
		return 0, err
	}
	if q.Status != "" && !slices.Contains(requestStatuses(), q.Status) {
		return 0, domain.Invalid("status", fmt.Sprintf("must be one of %v", requestStatuses()))
	}
	if _, ok := portfolioSorts("")[q.Sort]; !ok {
		return 0, domain.Invalid("sort", "must be name, status, pending, overdue, lastActivity or grantEnd")
	}
	if firstRunes(q.Text, maxSearchRunes) != q.Text {
		return 0, domain.Invalid("q", fmt.Sprintf("must have at most %d characters", maxSearchRunes))
	}
	return q.limit()
}

// clients begins a statement: totalled has the clients that the query selects, as they are at a moment, and what of their tasks the
// viewer may see.
func (q PortfolioQuery) clients(args *arguments, viewer Viewer, now string) (string, error) {
	condition := "c.consultancy_id = " + args.add(q.Consultancy) + " AND " + viewer.restrict(args, "c.consultancy_id")
	if q.Status != "" {
		condition += " AND " + requestStatus(now) + " = " + args.add(q.Status)
	}
	if q.Manager != uuid.Nil {
		condition += ` AND c.collaboration_id IN (SELECT w.collaboration_id FROM {access_managers} w
			JOIN {access_members} m ON m.account_id = c.consultancy_id AND m.user_id = w.user_id
			WHERE w.user_id = ` + args.add(q.Manager) + ` AND ` + inCharge + `)`
	}
	searched := words(q.Text)
	if len(searched) > maxSearchWords {
		return "", domain.Invalid("q", fmt.Sprintf("must have at most %d words", maxSearchWords))
	}
	for _, word := range searched { // of letters and digits alone, which LIKE takes as they are
		condition += " AND n.sort_name LIKE '%' || CAST(" + args.add(word) + " AS TEXT) || '%'"
	}
	joins, person, choice := "", "TRUE", "'null'"
	if !viewer.everything {
		user := args.add(viewer.user)
		joins = `LEFT JOIN {access_members} m ON m.account_id = c.consultancy_id AND m.user_id = ` + user + `
			LEFT JOIN {access_managers} w ON w.collaboration_id = c.collaboration_id AND w.user_id = ` + user + `
			LEFT JOIN {kpi_choices} k ON k.collaboration_id = c.collaboration_id AND k.user_id = ` + user + ` AND k.position > c.since`
		person, choice = "COALESCE("+works+", FALSE)", "COALESCE(k.sections, 'null')"
	}
	return `WITH clients AS (
			SELECT ` + rightsColumns + `, c.collaboration_id, c.client_id, n.name, n.sort_name, ` + requestStatus(now) + ` AS status,
				g.grant_id, COALESCE(g.role_id, '') AS role_id, a.last_at, ` + person + ` AS works, ` + choice + ` AS choice
			FROM {access_pairs} c ` + rightsJoins + ` JOIN {requests} r ON r.collaboration_id = c.collaboration_id
			JOIN {activity_pairs} a ON a.collaboration_id = c.collaboration_id JOIN {account_names} n ON n.account_id = c.client_id ` + joins + `
			LEFT JOIN {access_grants} g ON g.grant_id = c.grant_id AND g.position > c.since
			WHERE ` + condition + `),
		shown AS (
			SELECT l.collaboration_id, l.client_id, i.column2 AS section FROM clients l JOIN (` + planSections() + `) i ON i.column1 = l.plan
			WHERE l.works AND ` + showsSection("i.column2", now) + ` AND (l.choice = 'null' OR l.choice LIKE '%"' || i.column2 || '"%')),
		late AS (
			SELECT t.client_id, t.section, COUNT(*) AS overdue FROM {tasks} t
			WHERE t.client_id IN (SELECT client_id FROM clients) AND t.status = '` + string(domain.TaskPending) + `' AND t.due_at < ` + now + `
			GROUP BY t.client_id, t.section),
		totals AS (
			SELECT s.collaboration_id, SUM(k.pending) AS pending, SUM(late.overdue) AS overdue, MAX(a.last_at) AS last_at
			FROM shown s LEFT JOIN {kpi_counts} k ON k.client_id = s.client_id AND k.section = s.section
			LEFT JOIN late ON late.client_id = s.client_id AND late.section = s.section
			LEFT JOIN {activity_sections} a ON a.client_id = s.client_id AND a.section = s.section
			GROUP BY s.collaboration_id),
		totalled AS (
			SELECT l.active, l.since, l.plan, l.in_standing, l.both_open, l.granted, l.permissions, l.grant_status, l.expires_at,
				l.collaboration_id, l.client_id, l.name, l.sort_name, l.status, l.grant_id, l.role_id, l.works, l.choice,
				CAST(COALESCE(t.pending, 0) AS BIGINT) AS pending, CAST(COALESCE(t.overdue, 0) AS BIGINT) AS overdue,
				CASE WHEN t.last_at > l.last_at THEN t.last_at ELSE l.last_at END AS last_at
			FROM clients l LEFT JOIN totals t ON t.collaboration_id = l.collaboration_id)`, nil
}

// planSections is the SQL for which sections with tasks each plan includes: column1 is the plan, column2 the section.
func planSections() string {
	var included []string
	for _, plan := range []domain.Plan{domain.PlanFree, domain.PlanBasic, domain.PlanStandard, domain.PlanAdvanced, domain.PlanPremium} {
		for _, section := range domain.TaskSections() {
			if slices.Contains(plan.Sections(), section) {
				included = append(included, fmt.Sprintf("('%s', '%s')", plan, section))
			}
		}
	}
	return "VALUES " + strings.Join(included, ", ")
}

func scanPortfolio(scan func(...any) error, now time.Time, q PortfolioQuery) (portfolioLine, error) {
	var (
		r       rights
		line    = portfolioLine{item: PortfolioItem{Managers: []Manager{}}, key: portfolioKey{Sort: q.Sort, Descending: q.Descending}}
		grantID uuid.UUID
		roleID  domain.Role
		works   bool
		chosen  []domain.Section // nil: no choice made, all are counted
		item    = &line.item
	)
	err := scan(append(r.fields(), &item.CollaborationID, &item.ClientID, &item.ClientName, &item.Status, &grantID, &roleID, &works,
		asJSON(&chosen), &item.Pending, &item.Overdue, at(&item.LastActivity), &line.key.Number, &line.key.Text)...)
	if err != nil {
		return line, err
	}
	line.key.ClientID = item.ClientID
	item.Access = r.terms(grantID, roleID, now)
	visible := domain.Permissions{}
	if works {
		visible = r.effective(now)
	}
	item.Sections = countedSections(visible, chosen)
	return line, nil
}
