package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
)

// Times of what the ledger does by itself.
const (
	reactionWait = 20 * time.Second      // for it, after what it follows from
	reactionPoll = 20 * time.Millisecond // between two looks
)

// commandNames finds the names under which the commands are submitted.
func commandNames() map[reflect.Type]string {
	names := map[reflect.Type]string{}
	for _, spec := range commands.List() {
		names[spec.Request] = spec.Name
	}
	return names
}

func (s *stage) name(command commands.Command) string { return s.names[reflect.TypeOf(command)] }

// does submits a command that must be accepted and raise these events.
func (s *stage) does(who person, command commands.Command, events ...string) client.Answer {
	answer := s.submits(who, command, events...)
	for i, event := range answer.Events {
		line := fmt.Sprintf("#%-3d %s", event.Position, shortType(event.Type))
		if i == 0 {
			s.acted(who, s.name(command), s.about(command), line)
		} else {
			s.println(strings.Repeat(" ", markWidth+actorWidth+commandWidth) + line)
		}
	}
	return answer
}

// submits is does without a word.
func (s *stage) submits(who person, command commands.Command, events ...string) client.Answer {
	if s.err != nil {
		return client.Answer{}
	}
	answer, err := s.as(who).Do(s.ctx, s.name(command), command)
	if err != nil {
		s.deviate(fmt.Sprintf("%s by %s", s.name(command), who), "accepted", err.Error())
		return client.Answer{}
	}
	var raised []string
	for _, event := range answer.Events {
		raised = append(raised, shortType(event.Type))
	}
	if !slices.Equal(raised, events) {
		s.deviate(fmt.Sprintf("%s by %s", s.name(command), who), strings.Join(events, ", "), strings.Join(raised, ", "))
		return client.Answer{}
	}
	s.position = answer.Position
	return answer
}

// follows waits for what the ledger itself does about what was answered last.
func (s *stage) follows(command string, events ...string) {
	records := s.log(s.position)
	for began := time.Now(); len(records) < len(events) && s.err == nil; records = s.log(s.position) {
		if time.Since(began) > reactionWait {
			s.deviate("what the ledger itself does", strings.Join(events, ", "), fmt.Sprintf("%d events after %s", len(records), reactionWait))
			return
		}
		select {
		case <-s.ctx.Done():
			return
		case <-time.After(reactionPoll):
		}
	}
	for i, record := range records[:min(len(records), len(events))] {
		var event eventstore.Envelope
		if err := json.Unmarshal(record, &event); err != nil {
			s.deviate("what the ledger itself does", "a CloudEvent", err.Error())
			return
		}
		if !strings.HasPrefix(event.Actor, string(domain.ActorSystem)+":") || shortType(event.Type) != events[i] {
			s.deviate("what the ledger itself does", events[i], fmt.Sprintf("%s by %s", event.Type, event.Actor))
			return
		}
		s.acted(s.cast.ledger, command, "", fmt.Sprintf("#%-3s %s", event.Sequence, events[i]))
		s.position++
	}
}

// repeats submits a command again under the key of its first answer, which must come again.
func (s *stage) repeats(who person, command commands.Command, first client.Answer) {
	if s.err != nil {
		return
	}
	answer, err := s.as(who).DoWithID(s.ctx, first.CommandID, s.name(command), command)
	if err != nil || !reflect.DeepEqual(answer, first) {
		s.deviate(fmt.Sprintf("%s again by %s", s.name(command), who), fmt.Sprintf("%+v", first), fmt.Sprintf("%+v, error %v", answer, err))
	}
	s.acted(who, s.name(command), "same key again", fmt.Sprintf("#%-3d the first answer again", answer.Position))
}

// refused submits a command that must be refused with this status and code.
func (s *stage) refused(who person, command commands.Command, status int, code string) {
	if s.err != nil {
		return
	}
	_, err := s.as(who).Do(s.ctx, s.name(command), command)
	s.isProblem(who, s.name(command), s.about(command), err, status, code)
}

// reuses submits another command under a key that was used before, which must be refused.
func (s *stage) reuses(who person, command commands.Command, first client.Answer) {
	if s.err != nil {
		return
	}
	_, err := s.as(who).DoWithID(s.ctx, first.CommandID, s.name(command), command)
	s.isProblem(who, s.name(command), "same key, new body", err, http.StatusUnprocessableEntity, "idempotency_key_reused")
}

// hidden asks a query that this person must not get an answer to.
func (s *stage) hidden(who person, path string, query url.Values, status int, code string) {
	if s.err != nil {
		return
	}
	var answer json.RawMessage
	err := s.as(who).Get(s.ctx, path, query, &answer)
	s.isProblem(who, "GET "+path, "", err, status, code)
}

func (s *stage) isProblem(who person, what, about string, err error, status int, code string) {
	problem, ok := errors.AsType[*client.Problem](err)
	if !ok || problem.Status != status || problem.Code != code {
		found := "accepted"
		if err != nil {
			found = err.Error()
		}
		s.deviate(fmt.Sprintf("%s by %s", what, who), fmt.Sprintf("refused: %s (%d)", code, status), found)
	}
	s.acted(who, what, about, s.style.Warn(fmt.Sprintf("refused %d %s", status, code)))
}

// ask answers a query from a read model that has the last answer's events.
func ask[T any](s *stage, from *client.Client, path string, query url.Values) T {
	var answer T
	if s.err != nil {
		return answer
	}
	if query == nil {
		query = url.Values{}
	}
	query.Set("minPosition", strconv.FormatInt(s.position, 10))
	if err := from.Get(s.ctx, path, query, &answer); err != nil {
		s.deviate("GET "+path, "an answer", err.Error())
	}
	return answer
}

// result reads what a command created.
func result[R any](s *stage, answer client.Answer) R {
	var created R
	if s.err != nil {
		return created
	}
	if err := json.Unmarshal(answer.Result, &created); err != nil {
		s.deviate("the result of "+answer.CommandID.String(), fmt.Sprintf("a %T", created), err.Error())
	}
	return created
}

// about is what tells a command from others of its name.
func (s *stage) about(command commands.Command) string {
	switch c := command.(type) {
	case commands.RegisterAccount:
		return c.TradeName
	case commands.RecordSubscription:
		return string(c.Status)
	case commands.RejectProfile:
		return fmt.Sprintf("revision %d", c.Revision)
	case commands.ApproveProfile:
		return fmt.Sprintf("revision %d", c.Revision)
	case commands.InviteMember:
		return string(c.Role)
	case commands.ChangeMemberRole:
		return string(c.Role)
	case commands.RequestAccess:
		return string(c.SuggestedRole)
	case commands.GrantAccess:
		return string(c.RoleID)
	case commands.AcceptCollaboration:
		return s.cast.nameOf(c.ClientID)
	case commands.DeclineCollaboration:
		return s.cast.nameOf(c.ClientID)
	case commands.AssignAccountManagers:
		return s.cast.nameOf(c.ClientID)
	case commands.OpenClientAccount:
		return s.cast.nameOf(c.ClientID)
	case commands.CompleteTask:
		return s.sectionOf(c.TaskID)
	}
	return ""
}

// sectionOf is where a task is to be done.
func (s *stage) sectionOf(task uuid.UUID) string {
	for activity, id := range s.tasks {
		if id == task {
			return "in " + string(activity.section)
		}
	}
	return ""
}

// shortType is an event's name without its stream's kind and its version.
func shortType(wireName string) string {
	if parts := strings.Split(wireName, "."); len(parts) == 3 {
		return parts[1]
	}
	return wireName
}
