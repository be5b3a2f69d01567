package domain

import (
	"time"

	"github.com/google/uuid"
)

// TaskStatus is where a task stands.
type TaskStatus string

// The states of a task.
const (
	TaskPending   TaskStatus = "pending"
	TaskFinished  TaskStatus = "completed"
	TaskAbandoned TaskStatus = "cancelled"
)

// TaskRaised is a pending activity in a section of a client's account (S10).
type TaskRaised struct {
	TaskID      uuid.UUID `json:"taskId"`
	ClientID    uuid.UUID `json:"clientId"`
	Section     Section   `json:"section"`
	Title       string    `json:"title"`
	ExternalRef string    `json:"externalRef"`
	GoTo        string    `json:"goTo"`
	DueAt       time.Time `json:"dueAt,omitzero"`
}

// TaskCompleted says that a task was completed (S10), and under which grant when a consultancy did it.
type TaskCompleted struct {
	TaskID        uuid.UUID `json:"taskId"`
	ClientID      uuid.UUID `json:"clientId"`
	Section       Section   `json:"section"`
	ConsultancyID uuid.UUID `json:"consultancyId,omitzero"`
	GrantID       uuid.UUID `json:"grantId,omitzero"`
}

// TaskCancelled says that a task need not be done any more (B).
type TaskCancelled struct {
	TaskID   uuid.UUID `json:"taskId"`
	ClientID uuid.UUID `json:"clientId"`
	Section  Section   `json:"section"`
}

// TaskReopened makes a completed task pending again (B).
type TaskReopened struct {
	TaskID   uuid.UUID `json:"taskId"`
	ClientID uuid.UUID `json:"clientId"`
	Section  Section   `json:"section"`
}

func (TaskRaised) EventType() string    { return "task.TaskRaised.v1" }
func (TaskCompleted) EventType() string { return "task.TaskCompleted.v1" }
func (TaskCancelled) EventType() string { return "task.TaskCancelled.v1" }
func (TaskReopened) EventType() string  { return "task.TaskReopened.v1" }

// Parties is the client alone: what a consultancy may see of a task depends on its grant.
func (e TaskRaised) Parties() []uuid.UUID { return []uuid.UUID{e.ClientID} }

// Parties is the client alone.
func (e TaskCancelled) Parties() []uuid.UUID { return []uuid.UUID{e.ClientID} }

// Parties is the client alone.
func (e TaskReopened) Parties() []uuid.UUID { return []uuid.UUID{e.ClientID} }

// Parties are the client, and the consultancy that did the task.
func (e TaskCompleted) Parties() []uuid.UUID {
	if e.ConsultancyID == uuid.Nil {
		return []uuid.UUID{e.ClientID}
	}
	return []uuid.UUID{e.ClientID, e.ConsultancyID}
}

// Task is the state of a task's stream.
type Task struct {
	TaskRaised
	Status TaskStatus `json:"status"`
}

// Clone copies the state, so that folding on does not change what others hold.
func (t *Task) Clone() *Task {
	c := *t
	return &c
}

func (e TaskRaised) Apply(t *Task)    { *t = Task{e, TaskPending} }
func (e TaskCompleted) Apply(t *Task) { t.Status = TaskFinished }
func (TaskCancelled) Apply(t *Task)   { t.Status = TaskAbandoned }
func (TaskReopened) Apply(t *Task)    { t.Status = TaskPending }

// Raise notes a pending activity (S10): by a service of the platform, or by a client's user who may edit the section. Raising
// the same reference again is no new task; with other content it is refused.
func (t *Task) Raise(actor Actor, client *Account, e TaskRaised) (Event, error) {
	if err := client.MustBe(Business, e.ClientID); err != nil {
		return nil, err
	}
	if err := client.keepsTasks(actor, e.Section); err != nil {
		return nil, err
	}
	if t.TaskID == uuid.Nil {
		return e, nil
	}
	same := t.TaskRaised
	same.DueAt = e.DueAt
	if same != e || !t.DueAt.Equal(e.DueAt) {
		return nil, Refuse("external_ref_reused", string(t.Status), "task %q was raised before with other content", e.ExternalRef)
	}
	return nil, nil
}

// keepsTasks lets those through who say which tasks an open account has: services of the platform, and members who may edit the section.
func (a *Account) keepsTasks(actor Actor, section Section) error {
	if actor.Kind == ActorService {
		return a.mustBeOpen()
	}
	return a.mayEdit(actor, section)
}

// Cancel says that a pending task need not be done any more (B).
func (t *Task) Cancel(actor Actor, client *Account) (Event, error) {
	if err := client.keepsTasks(actor, t.Section); err != nil {
		return nil, err
	}
	if err := t.mustBePending(); err != nil {
		return nil, err
	}
	return TaskCancelled{TaskID: t.TaskID, ClientID: t.ClientID, Section: t.Section}, nil
}

// Reopen makes a completed task pending again (B).
func (t *Task) Reopen(actor Actor, client *Account) (Event, error) {
	if err := client.keepsTasks(actor, t.Section); err != nil {
		return nil, err
	}
	if t.Status != TaskFinished {
		return nil, Refuse("task_not_completed", string(t.Status), "the task is %s", t.Status)
	}
	return TaskReopened{TaskID: t.TaskID, ClientID: t.ClientID, Section: t.Section}, nil
}

// mayEdit lets members through whose role gives edit on the section.
func (a *Account) mayEdit(actor Actor, section Section) error {
	member, err := a.Authorize(actor)
	if member.Role == "" {
		return err
	}
	if permissions, _, _ := a.RoleOf(member.Role); !permissions.Includes(section, Edit) {
		return Forbid("role_not_sufficient", "role %s may not edit %s", member.Role, section)
	}
	return err
}

func (t *Task) mustBePending() error {
	if t.Status != TaskPending {
		return Refuse("task_not_pending", string(t.Status), "the task is %s", t.Status)
	}
	return nil
}

// CompleteOwn completes a task as a user of the client (S10).
func (t *Task) CompleteOwn(actor Actor, client *Account) (Event, error) {
	if err := client.mayEdit(actor, t.Section); err != nil {
		return nil, err
	}
	if err := t.mustBePending(); err != nil {
		return nil, err
	}
	return TaskCompleted{TaskID: t.TaskID, ClientID: t.ClientID, Section: t.Section}, nil
}

// CompleteTask completes a client's task as a user of the consultancy (S10): the live grant, cut to the client's plan, gives
// edit on the section.
func (g Engagement) CompleteTask(actor Actor, now time.Time, t *Task) (Event, error) {
	if g.Collaboration.Status == CollaborationNone {
		return nil, Missing("task", t.TaskID) // strangers do not learn which tasks exist
	}
	if err := g.works(actor); err != nil {
		return nil, err
	}
	if err := g.mustHaveAccess(now); err != nil {
		return nil, err
	}
	grant := g.Collaboration.Grant
	if !grant.Permissions.Within(g.Client.Plan.Sections()).Includes(t.Section, Edit) {
		return nil, Refuse("section_not_granted", string(GrantLive), "the grant does not give edit on %s", t.Section)
	}
	if err := t.mustBePending(); err != nil {
		return nil, err
	}
	return TaskCompleted{TaskID: t.TaskID, ClientID: t.ClientID, Section: t.Section, ConsultancyID: g.Pair.ConsultancyID, GrantID: grant.GrantID}, nil
}
