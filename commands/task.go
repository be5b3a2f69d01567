package commands

import (
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// RaiseTask notes a pending activity in a section of a client's account (S10). The same externalRef is the same task.
type RaiseTask struct {
	ClientID    uuid.UUID      `json:"clientId" format:"uuid" doc:"The client"`
	Section     domain.Section `json:"section" enum:"sales,expenses,banking,inbox,contacts,journal" doc:"Where the activity is"`
	Title       string         `json:"title" minLength:"1" maxLength:"200" doc:"What is to be done"`
	ExternalRef string         `json:"externalRef" minLength:"1" maxLength:"200" doc:"The client's system's own reference"`
	GoTo        string         `json:"goTo" format:"uri" maxLength:"2000" doc:"Where the Go to button leads, https"`
	DueAt       *time.Time     `json:"dueAt,omitempty" doc:"When it should be done"`
}

// TaskResult names the task.
type TaskResult struct {
	TaskID uuid.UUID `json:"taskId"`
}

// Decide asks the task.
func (c RaiseTask) Decide(d *Decision) error {
	client, err := d.account(c.ClientID)
	if err != nil {
		return err
	}
	id := domain.TaskID(c.ClientID, c.ExternalRef)
	task, err := loadOrBegin[domain.Task](d, domain.TaskStream, id)
	if err != nil {
		return err
	}
	e := domain.TaskRaised{TaskID: id, ClientID: c.ClientID, Section: c.Section, Title: c.Title, ExternalRef: c.ExternalRef, GoTo: c.GoTo}
	if c.DueAt != nil {
		e.DueAt = logTime(*c.DueAt)
	}
	event, err := task.Raise(d.Actor, client, e)
	if err != nil {
		return err
	}
	d.raise(domain.TaskStream, id, event)
	return nil
}

func taskRaised(_ *Executor, c RaiseTask, _ []domain.Event) (TaskResult, error) {
	return TaskResult{TaskID: domain.TaskID(c.ClientID, c.ExternalRef)}, nil
}

// CompleteTask completes a pending activity, as a user of the client or of a consultancy with a grant (S10).
type CompleteTask struct {
	TaskID uuid.UUID `json:"taskId" format:"uuid" doc:"The task"`
}

// Decide asks the client's account, or the pair of the actor's consultancy and the client.
func (c CompleteTask) Decide(d *Decision) error {
	task, err := d.knownTask(c.TaskID)
	if err != nil {
		return err
	}
	event, err := c.complete(d, task)
	if err != nil {
		return err
	}
	d.raise(domain.TaskStream, c.TaskID, event)
	return nil
}

func (c CompleteTask) complete(d *Decision, task *domain.Task) (domain.Event, error) {
	if d.Actor.Kind == domain.ActorUser && d.Actor.AccountID != task.ClientID {
		g, err := d.engagement(domain.Pair{ConsultancyID: d.Actor.AccountID, ClientID: task.ClientID})
		if err != nil {
			return nil, err
		}
		return g.CompleteTask(d.Actor, d.Now, task)
	}
	client, err := d.account(task.ClientID)
	if err != nil {
		return nil, err
	}
	return task.CompleteOwn(d.Actor, client)
}

// CancelTask says that a pending activity need not be done any more (B).
type CancelTask struct {
	TaskID uuid.UUID `json:"taskId" format:"uuid" doc:"The task"`
}

// Decide asks the task.
func (c CancelTask) Decide(d *Decision) error {
	return d.onTask(c.TaskID, func(t *domain.Task, client *domain.Account) (domain.Event, error) { return t.Cancel(d.Actor, client) })
}

// ReopenTask makes a completed activity pending again (B).
type ReopenTask struct {
	TaskID uuid.UUID `json:"taskId" format:"uuid" doc:"The task"`
}

// Decide asks the task.
func (c ReopenTask) Decide(d *Decision) error {
	return d.onTask(c.TaskID, func(t *domain.Task, client *domain.Account) (domain.Event, error) { return t.Reopen(d.Actor, client) })
}

// onTask decides a command of the client's side about one of its tasks that raises one event.
func (d *Decision) onTask(id uuid.UUID, decide func(*domain.Task, *domain.Account) (domain.Event, error)) error {
	task, err := d.knownTask(id)
	if err != nil {
		return err
	}
	client, err := d.account(task.ClientID)
	if err != nil {
		return err
	}
	event, err := decide(task, client)
	if err != nil {
		return err
	}
	d.raise(domain.TaskStream, id, event)
	return nil
}

// knownTask loads a task that there must be.
func (d *Decision) knownTask(id uuid.UUID) (*domain.Task, error) {
	task, err := d.task(id)
	if err == nil && task.TaskID == uuid.Nil {
		err = domain.Missing("task", id)
	}
	return task, err
}
