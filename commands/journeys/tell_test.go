package journeys

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

// told are the fields of commands that a line tells, with the words for them, in their order.
var told = [][2]string{
	{"type", "type"}, {"accountId", "of"}, {"consultancyId", "firm"}, {"clientId", "client"}, {"userId", "user"}, {"userIds", "users"}, {"roleId", "role"}, {"suggestedRole", "role"},
	{"invitationId", "invitation"}, {"sessionId", "session"}, {"taskId", "task"}, {"webhookId", "webhook"}, {"url", "to"}, {"types", "types"}, {"externalRef", "ref"}, {"section", "section"}, {"title", "title"}, {"dueAt", "due"},
	{"sections", "sections"}, {"name", "name"}, {"role", "role"}, {"permissions", "may"}, {"plan", "plan"}, {"status", "status"}, {"firmKind", "kind"}, {"tradeName", "tradeName"},
	{"revision", "revision"}, {"reason", "reason"}, {"expiresAt", "until"},
}

// tell says in one line who asks for what: names instead of ids, and times from the clock.
func (j *journey) tell(actor domain.Actor, command commands.Command) string {
	fields := map[string]any{}
	if err := json.Unmarshal(encode(command), &fields); err != nil {
		panic(err)
	}
	name := fmt.Sprintf("%T", command)
	words := []string{j.at(j.clock), j.who(actor), name[strings.LastIndex(name, ".")+1:]}
	for _, field := range told {
		value, ok := fields[field[0]]
		if !ok {
			continue
		}
		text := fmt.Sprint(value)
		if at, err := time.Parse(time.RFC3339, text); err == nil {
			text = after(at.Sub(j.clock))
		}
		words = append(words, field[1]+"="+j.named(text))
	}
	return strings.Join(words, " ")
}

// after tells a term in days where it has whole ones, for example +3d.
func after(term time.Duration) string {
	const day = 24 * time.Hour
	if term%day == 0 {
		return fmt.Sprintf("%+dd", term/day)
	}
	return fmt.Sprintf("%+v", term)
}

// who names an actor.
func (j *journey) who(actor domain.Actor) string {
	if actor.Kind == domain.ActorUser {
		return j.named(actor.AccountID.String()) + "/" + j.named(actor.UserID.String())
	}
	return j.named(actor.Name)
}

// name is somebody's or something's.
func (j *journey) name(id uuid.UUID) string { return j.names[id.String()] }

// named puts names in the place of ids.
func (j *journey) named(text string) string {
	for id, name := range j.names {
		text = strings.ReplaceAll(text, id, name)
	}
	return text
}

// at tells a moment from the journey's first day on.
func (j *journey) at(moment time.Time) string {
	midnight := j.start.Truncate(24 * time.Hour)
	days := moment.Sub(midnight) / (24 * time.Hour)
	return fmt.Sprintf("day %d %s", int(days)+1, strings.TrimSuffix(moment.Format("15:04:05.999999"), ":00"))
}
