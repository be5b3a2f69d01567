package projections

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/internal/sqldb"
)

// kpiModel counts the tasks of each client and section (S10), and keeps which of the counts each person has chosen to see (S7).
// Overdue ones are not counted here, because time passes without events: queries count them in {tasks}.
func kpiModel() model {
	return model{
		name: "kpi", version: 2,
		streams: []string{domain.TaskStream, domain.CollaborationStream},
		tables:  []table{kpiCounts.table, kpiChoices.table},
		fold:    foldKPI,
	}
}

// countRow counts the tasks of one section of a client.
type countRow struct {
	countKey
	pending, completed int
}

type countKey struct {
	client  uuid.UUID
	section domain.Section
}

// choiceRow is one person's choice of sections for one client. It counts for the engagement in which it was made (invariant 5).
type choiceRow struct {
	choiceKey
	position int64
	sections []domain.Section
}

type choiceKey struct{ collaboration, user uuid.UUID }

var kpiCounts = mapping[countKey, countRow]{
	table: table{
		name: "kpi_counts", key: 2,
		columns: []column{{"client_id", identifier}, {"section", text}, {"pending", integer}, {"completed", integer}},
	},
	key:    func(r *countRow) countKey { return r.countKey },
	args:   func(k countKey) []any { return []any{k.client, k.section} },
	fields: func(r *countRow) []any { return []any{&r.client, &r.section, &r.pending, &r.completed} },
}

var kpiChoices = mapping[choiceKey, choiceRow]{
	table: table{
		name: "kpi_choices", key: 2,
		columns: []column{{"collaboration_id", identifier}, {"user_id", identifier}, {"position", integer}, {"sections", text}},
	},
	key:    func(r *choiceRow) choiceKey { return r.choiceKey },
	args:   func(k choiceKey) []any { return []any{k.collaboration, k.user} },
	fields: func(r *choiceRow) []any { return []any{&r.collaboration, &r.user, &r.position, asJSON(&r.sections)} },
}

func foldKPI(ctx context.Context, tx tx, page []*Fact) error {
	var keys []countKey
	for _, fact := range tx.toLookUp(page) {
		switch e := fact.Event.(type) {
		case domain.TaskRaised:
			keys = append(keys, countKey{e.ClientID, e.Section})
		case domain.TaskCompleted:
			keys = append(keys, countKey{e.ClientID, e.Section})
		case domain.TaskCancelled:
			keys = append(keys, countKey{e.ClientID, e.Section})
		case domain.TaskReopened:
			keys = append(keys, countKey{e.ClientID, e.Section})
		}
	}
	counts, err := kpiCounts.load(ctx, tx, keys)
	if err != nil {
		return err
	}
	choices, err := kpiChoices.load(ctx, tx, nil)
	if err != nil {
		return err
	}
	for _, fact := range page {
		switch e := fact.Event.(type) {
		case domain.TaskRaised:
			key := countKey{e.ClientID, e.Section}
			if counts.get(key) == nil {
				counts.put(countRow{countKey: key})
			}
			counts.change(key).pending++
		case domain.TaskCompleted:
			count, err := known(counts, countKey{e.ClientID, e.Section})
			if err != nil {
				return fmt.Errorf("position %d: %w", fact.Position, err)
			}
			count.pending--
			count.completed++
		case domain.TaskCancelled:
			count, err := known(counts, countKey{e.ClientID, e.Section})
			if err != nil {
				return fmt.Errorf("position %d: %w", fact.Position, err)
			}
			count.pending--
		case domain.TaskReopened:
			count, err := known(counts, countKey{e.ClientID, e.Section})
			if err != nil {
				return fmt.Errorf("position %d: %w", fact.Position, err)
			}
			count.pending++
			count.completed--
		case domain.KPINotificationsConfigured:
			choices.put(choiceRow{choiceKey{fact.Stream.ID, e.UserID}, fact.Position, e.Sections})
		}
	}
	return nil
}

// kpiOrder is a client's place in the list.
type kpiOrder struct {
	SortName string    `json:"sortName"`
	ClientID uuid.UUID `json:"clientId"`
}

// kpiLine is an item with what its page is made from.
type kpiLine struct {
	item  KPIItem
	order kpiOrder
}

// KPIs answers the volume of pending activities per client, in the order of the clients' names.
func (e *Engine) KPIs(ctx context.Context, viewer Viewer, q KPIQuery) (page Page[KPIItem], err error) {
	err = e.read(ctx, func(v view) error {
		page, err = queryKPIs(ctx, v, viewer, q)
		return err
	})
	return page, err
}

// queryKPIs finds the counts of a consultancy's clients, or of one client.
func queryKPIs(ctx context.Context, v view, viewer Viewer, q KPIQuery) (Page[KPIItem], error) {
	limit, err := q.limit()
	if err != nil {
		return Page[KPIItem]{}, err
	}
	if err := q.check(viewer); err != nil {
		return Page[KPIItem]{}, err
	}
	var lines []kpiLine
	if q.Client != uuid.Nil && viewer.MaySee(q.Client) {
		lines, err = findClientItself(ctx, v, q.Client)
	} else {
		lines, err = findClients(ctx, v, viewer, q, limit)
	}
	if err != nil {
		return Page[KPIItem]{}, fmt.Errorf("query KPIs: %w", err)
	}
	linePage, err := paged(lines, limit, func(l kpiLine) kpiOrder { return l.order })
	if err != nil {
		return Page[KPIItem]{}, err
	}
	page := pageOf(linePage, func(l kpiLine) KPIItem { return l.item })
	if err := addCounts(ctx, v, page.Items); err != nil {
		return Page[KPIItem]{}, fmt.Errorf("query the counts of KPIs: %w", err)
	}
	return page, nil
}

// check refuses a query that is not the viewer's to ask or that makes no sense.
func (q KPIQuery) check(viewer Viewer) error {
	if (q.Consultancy == uuid.Nil) == (q.Client == uuid.Nil) {
		return domain.Invalid("client", "must be given, or else consultancy, and not both")
	}
	if q.Client != uuid.Nil {
		return viewer.mustBeSignedIn()
	}
	return viewer.mustBe(q.Consultancy)
}

// findClientItself finds one client with every section, as its own people see it.
func findClientItself(ctx context.Context, v view, client uuid.UUID) ([]kpiLine, error) {
	return collect(ctx, v, `SELECT account_id, name FROM {account_names} WHERE account_id = $1`, []any{client},
		func(scan func(...any) error) (kpiLine, error) {
			var line kpiLine
			err := scan(&line.item.ClientID, &line.item.ClientName)
			line.item.show(domain.TaskSections())
			return line, err
		})
}

// findClients finds the clients in an active collaboration with the consultancy, or the one asked for, with the sections to show.
// A person of the consultancy sees those for whom they work, cut to their own choice. Staff and services see them all.
func findClients(ctx context.Context, v view, viewer Viewer, q KPIQuery, limit int) ([]kpiLine, error) {
	var args arguments
	condition, joins, choice := "c.active", "", "'null'"
	if q.Client != uuid.Nil {
		condition += " AND c.client_id = " + args.add(q.Client) + " AND c.consultancy_id = " + args.add(viewer.account)
	} else {
		condition += " AND c.consultancy_id = " + args.add(q.Consultancy)
	}
	if !viewer.everything {
		user := args.add(viewer.user)
		condition += " AND " + viewer.restrict(&args, "c.consultancy_id") + " AND m.user_id = " + user + " AND " + works
		joins = worksJoins + ` LEFT JOIN {kpi_choices} k ON k.collaboration_id = c.collaboration_id AND k.user_id = ` + user + ` AND k.position > c.since`
		choice = "COALESCE(k.sections, 'null')"
	}
	var from kpiOrder
	if found, err := q.after(&from); err != nil {
		return nil, err
	} else if found {
		condition += " AND (n.sort_name, c.client_id) > (" + args.add(from.SortName) + ", " + args.add(from.ClientID) + ")"
	}
	return collect(ctx, v, `SELECT `+rightsColumns+`, c.client_id, n.name, n.sort_name, `+choice+`
		FROM {access_pairs} c `+rightsJoins+` JOIN {account_names} n ON n.account_id = c.client_id `+joins+`
		LEFT JOIN {access_grants} g ON g.grant_id = c.grant_id
		WHERE `+condition+` ORDER BY n.sort_name, c.client_id LIMIT `+args.add(limit+1), args,
		func(scan func(...any) error) (kpiLine, error) { return scanKPI(scan, v.now) })
}

func scanKPI(scan func(...any) error, now time.Time) (kpiLine, error) {
	var (
		r      rights
		line   kpiLine
		chosen []domain.Section // nil: no choice made, all are shown
	)
	err := scan(append(r.fields(), &line.item.ClientID, &line.item.ClientName, &line.order.SortName, asJSON(&chosen))...)
	line.order.ClientID = line.item.ClientID
	line.item.show(countedSections(r.effective(now), chosen))
	return line, err
}

// countedSections are the sections whose tasks are counted for a person: those that they may see and, if they made a choice, chose.
func countedSections(visible domain.Permissions, chosen []domain.Section) []domain.Section {
	return slices.DeleteFunc(domain.TaskSections(), func(s domain.Section) bool {
		return !visible.Includes(s, domain.Read) || chosen != nil && !slices.Contains(chosen, s)
	})
}

// show gives the item its sections, with nothing counted yet.
func (i *KPIItem) show(sections []domain.Section) {
	i.Sections = make([]KPISection, len(sections))
	for n, section := range sections {
		i.Sections[n].Section = section
	}
}

// addCounts fills in the counts of the sections that the items show.
func addCounts(ctx context.Context, v view, items []KPIItem) error {
	if len(items) == 0 {
		return nil
	}
	shown := map[countKey]*KPISection{}
	var args arguments
	clients := make([]string, len(items))
	for i := range items {
		clients[i] = args.add(items[i].ClientID)
		for j := range items[i].Sections {
			shown[countKey{items[i].ClientID, items[i].Sections[j].Section}] = &items[i].Sections[j]
		}
	}
	condition := "client_id IN (" + strings.Join(clients, ", ") + ")"
	result, err := v.query(ctx, `SELECT client_id, section, pending, completed, 0 FROM {kpi_counts} WHERE `+condition+`
		UNION ALL SELECT client_id, section, 0, 0, COUNT(*) FROM {tasks}
		WHERE `+condition+` AND status = `+args.add(domain.TaskPending)+` AND due_at < `+args.add(v.now.UnixMicro())+`
		GROUP BY client_id, section`, args...)
	if err != nil {
		return err
	}
	err = sqldb.EachRow(result, func(s *sql.Rows) error {
		var key countKey
		var found KPISection
		err := s.Scan(&key.client, &key.section, &found.Pending, &found.Completed, &found.Overdue)
		if section := shown[key]; section != nil {
			section.Pending += found.Pending
			section.Completed += found.Completed
			section.Overdue += found.Overdue
		}
		return err
	})
	if err != nil {
		return err
	}
	for i := range items {
		for _, section := range items[i].Sections {
			items[i].Pending += section.Pending
			items[i].Overdue += section.Overdue
			items[i].Completed += section.Completed
		}
	}
	return nil
}
