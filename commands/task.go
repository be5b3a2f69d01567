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
	task, err := d.task(id)
	if err != nil {
		return err
	}
	e := domain.TaskRaised{TaskID: id, ClientID: c.ClientID, Section: c.Section, Title: c.Title, ExternalRef: c.ExternalRef, GoTo: c.GoTo}
	if c.DueAt != nil {
		e.DueAt = c.DueAt.UTC().Truncate(time.Microsecond)
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
	task, err := d.task(c.TaskID)
	if err != nil {
		return err
	}
	if task.TaskID == uuid.Nil {
		return domain.Missing("task", c.TaskID)
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
