package projections

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// tasksModel keeps the pending activities of all clients (S10).
func tasksModel() model {
	return model{
		name: "tasks", version: 3,
		streams: []string{domain.TaskStream},
		tables:  []table{tasks.table},
		fold:    foldTasks,
	}
}

// taskRow is a task as its events left it.
type taskRow struct {
	taskID      uuid.UUID
	client      uuid.UUID
	section     domain.Section
	title       string
	externalRef string
	goTo        string
	status      domain.TaskStatus
	position    int64 // of the event that raised it
	raisedAt    time.Time
	dueAt       time.Time // zero: at no particular time
	completedAt time.Time // zero: not yet
	completedBy string    // an actor
}

// The index finds a client's tasks of one status in the order of the list, and is all that counting the overdue ones reads.
var tasks = mapping[uuid.UUID, taskRow]{
	table: table{
		name: "tasks", key: 1,
		columns: []column{
			{"task_id", identifier}, {"client_id", identifier}, {"section", text}, {"title", text}, {"external_ref", text}, {"go_to", text}, {"status", text},
			{"position", integer}, {"raised_at", integer}, {"due_at", integer}, {"completed_at", integer}, {"completed_by", text},
		},
		indexes: []string{"client_id, status, due_at, position, section"},
	},
	key:  func(r *taskRow) uuid.UUID { return r.taskID },
	args: func(id uuid.UUID) []any { return []any{id} },
	fields: func(r *taskRow) []any {
		return []any{
			&r.taskID, &r.client, &r.section, &r.title, &r.externalRef, &r.goTo, &r.status,
			&r.position, at(&r.raisedAt), until(&r.dueAt), at(&r.completedAt), &r.completedBy,
		}
	},
}

func foldTasks(ctx context.Context, tx tx, page []*Fact) error {
	held, err := tasks.load(ctx, tx, taskIDs(tx.toLookUp(page)))
	if err != nil {
		return err
	}
	for _, fact := range page {
		if e, ok := fact.Event.(domain.TaskRaised); ok {
			held.add(taskRow{
				taskID: e.TaskID, client: e.ClientID, section: e.Section, title: e.Title, externalRef: e.ExternalRef, goTo: e.GoTo,
				status: domain.TaskPending, position: fact.Position, raisedAt: fact.At, dueAt: e.DueAt,
			})
			continue
		}
		task, err := known(held, fact.Stream.ID)
		if err != nil {
			return fmt.Errorf("position %d: %w", fact.Position, err)
		}
		switch fact.Event.(type) {
		case domain.TaskCompleted:
			task.status, task.completedAt, task.completedBy = domain.TaskFinished, fact.At, fact.Actor
		case domain.TaskReopened:
			task.status, task.completedAt, task.completedBy = domain.TaskPending, time.Time{}, ""
		case domain.TaskCancelled:
			task.status = domain.TaskAbandoned
		}
	}
	return nil
}

// taskIDs lists the tasks that a page changes. A stream's id is its task's; those that the page raises have no row yet.
func taskIDs(page []*Fact) []uuid.UUID {
	var ids []uuid.UUID
	for _, fact := range page {
		if _, raised := fact.Event.(domain.TaskRaised); !raised {
			ids = append(ids, fact.Stream.ID)
		}
	}
	return ids
}

// taskOrder is a task's place in the list: what is due first, then what was raised first. Tasks that are not due come last.
type taskOrder struct {
	DueAt    int64 `json:"dueAt"`
	Position int64 `json:"position"`
}

// taskLine is an item with what its page is made from.
type taskLine struct {
	item  TaskItem
	order taskOrder
}

// Tasks answers the tasks of one client: what is due first, then what was raised first.
func (e *Engine) Tasks(ctx context.Context, viewer Viewer, q TasksQuery) (page Page[TaskItem], err error) {
	err = e.read(ctx, func(v view) error {
		page, err = queryTasks(ctx, v, viewer, q)
		return err
	})
	return page, err
}

// queryTasks lists a client's tasks, as far as they are the viewer's to see.
func queryTasks(ctx context.Context, v view, viewer Viewer, q TasksQuery) (Page[TaskItem], error) {
	limit, err := q.limit()
	if err != nil {
		return Page[TaskItem]{}, err
	}
	sections, err := q.sections(ctx, v, viewer)
	if err != nil {
		return Page[TaskItem]{}, err
	}
	statuses := []domain.TaskStatus{domain.TaskPending, domain.TaskFinished, domain.TaskAbandoned}
	if q.Status != "" {
		if !slices.Contains(statuses, q.Status) {
			return Page[TaskItem]{}, domain.Invalid("status", "must be pending, completed or cancelled")
		}
		statuses = []domain.TaskStatus{q.Status}
	}
	var args arguments
	condition := "t.client_id = " + args.add(q.Client)
	listed := make([]string, len(sections))
	for i, section := range sections {
		listed[i] = args.add(section)
	}
	condition += " AND t.section IN (" + strings.Join(listed, ", ") + ")"
	var from taskOrder
	if found, err := q.after(&from); err != nil {
		return Page[TaskItem]{}, err
	} else if found {
		condition += " AND (t.due_at, t.position) > (" + args.add(from.DueAt) + ", " + args.add(from.Position) + ")"
	}
	const order = " ORDER BY t.due_at, t.position LIMIT "
	found := make([]string, len(statuses)) // of each status as many as the page may have, for the index has only these in order
	for i, status := range statuses {
		found[i] = "SELECT * FROM (SELECT * FROM {tasks} t WHERE " + condition + " AND t.status = " + args.add(status) + order + args.add(limit+1) + ") AS listed"
	}
	lines, err := collect(ctx, v, `SELECT t.task_id, t.client_id, t.section, t.title, t.external_ref, t.go_to, t.status,
			t.raised_at, t.due_at, t.completed_at, t.completed_by, n.name, t.due_at, t.position
		FROM (`+strings.Join(found, " UNION ALL ")+`) t JOIN {account_names} n ON n.account_id = t.client_id`+order+args.add(limit+1), args,
		func(scan func(...any) error) (taskLine, error) { return scanTask(scan, v.now) })
	if err != nil {
		return Page[TaskItem]{}, fmt.Errorf("query tasks: %w", err)
	}
	page, err := paged(lines, limit, func(l taskLine) taskOrder { return l.order })
	if err != nil {
		return Page[TaskItem]{}, err
	}
	return pageOf(page, func(l taskLine) TaskItem { return l.item }), nil
}

func scanTask(scan func(...any) error, now time.Time) (taskLine, error) {
	var (
		line               taskLine
		dueAt, completedAt time.Time
		item               = &line.item
	)
	err := scan(&item.TaskID, &item.ClientID, &item.Section, &item.Title, &item.ExternalRef, &item.GoTo, &item.Status,
		at(&item.RaisedAt), until(&dueAt), at(&completedAt), &item.CompletedBy, &item.ClientName, &line.order.DueAt, &line.order.Position)
	item.DueAt, item.CompletedAt = optional(dueAt), optional(completedAt)
	item.Overdue = item.Status == domain.TaskPending && !dueAt.IsZero() && dueAt.Before(now)
	return line, err
}

// sections are those that the query may list: the one asked for, or all that the viewer may see. The client's own people see every
// section, a person of a consultancy those that the grant shows to them now.
func (q TasksQuery) sections(ctx context.Context, v view, viewer Viewer) ([]domain.Section, error) {
	if err := viewer.mustBeSignedIn(); err != nil {
		return nil, err
	}
	if q.Client == uuid.Nil {
		return nil, domain.Invalid("client", "must name the client whose tasks are asked for")
	}
	visible := domain.TaskSections()
	if q.Section != "" && !slices.Contains(visible, q.Section) {
		return nil, domain.Invalid("section", fmt.Sprintf("must be one of %v", visible))
	}
	if !viewer.MaySee(q.Client) {
		shown, err := shownTo(ctx, v, viewer, q.Client)
		if err != nil {
			return nil, err
		}
		visible = shown.Within(visible).Sections()
	}
	if len(visible) == 0 {
		return nil, domain.Forbid("no_access", "nothing of the account of client %s is shared with you", q.Client)
	}
	if q.Section == "" {
		return visible, nil
	}
	if !slices.Contains(visible, q.Section) {
		return nil, domain.Forbid("no_access", "the section %s of client %s is not shared with you", q.Section, q.Client)
	}
	return []domain.Section{q.Section}, nil
}
