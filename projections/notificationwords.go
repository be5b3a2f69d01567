package projections

import (
	"cmp"
	"strings"

	"github.com/collabledger/collabledger/domain"
)

// headline is the title of a notification: the table of the titles of all event types that anybody is told of. It is empty for others.
func (t telling) headline(event domain.Event) string {
	switch e := event.(type) {
	case domain.PartnershipAccepted:
		return "Application accepted"
	case domain.PartnershipRejected:
		return "Application refused"
	case domain.PartnershipSuspended:
		return "Partnership suspended"
	case domain.PartnershipReinstated:
		return "Partnership reinstated"
	case domain.PartnershipTerminated:
		return "Partnership terminated"
	case domain.ProfileApproved:
		return "Profile published"
	case domain.ProfileRejected:
		return "Profile sent back"
	case domain.CollaborationRequested:
		if e.Engagement > 1 {
			return "New request from " + t.client
		}
		return "Request from " + t.client
	case domain.MessageSent:
		if e.From == domain.ClientSide {
			return "Message from " + t.client
		}
		return "Message from " + t.consultancy
	case domain.CollaborationAccepted:
		return t.consultancy + " accepted your request"
	case domain.CollaborationDeclined:
		return t.consultancy + " declined your request"
	case domain.RequestExpired:
		return "Your request to " + t.consultancy + " lapsed"
	case domain.AccessRequested:
		return t.consultancy + " asks for access"
	case domain.AccessGranted:
		return "Access to " + t.client + " granted"
	case domain.AccessChanged:
		return "Access to " + t.client + " changed"
	case domain.AccessExtended:
		return "Access to " + t.client + " extended"
	case domain.AccessSuspended:
		return "Access to " + t.client + " suspended"
	case domain.AccessResumed:
		return "Access to " + t.client + " resumed"
	case domain.AccessRevoked:
		return "Access to " + t.client + " revoked"
	case domain.AccessExpired:
		return "Access to " + t.client + " expired"
	case domain.GrantEndReminded:
		return "Access of " + t.consultancy + " to " + t.client + " ends soon"
	case domain.AccountManagerAssigned:
		return "You are in charge of " + t.client
	case domain.AccountManagerUnassigned:
		return "You are no longer in charge of " + t.client
	case domain.CollaborationEnded:
		return "Collaboration of " + t.consultancy + " and " + t.client + " ended"
	case domain.TaskRaised:
		return "Task of " + t.client
	case domain.TaskReopened:
		return "Task of " + t.client + " pending again"
	}
	return ""
}

// notice is the sentence of a notification: that of the history, where the event is in one.
func (t telling) notice(event domain.Event) string {
	programme := " of " + t.consultancy + " in the Partner Programme"
	told := ""
	switch e := event.(type) {
	case domain.PartnershipAccepted:
		told = t.actors("accepted the application of " + t.consultancy + " to the Partner Programme.")
	case domain.PartnershipRejected:
		told = t.actors("refused the application of " + t.consultancy + " to the Partner Programme" + coded(e.ReasonCode))
	case domain.PartnershipSuspended:
		told = t.actors("suspended the partnership" + programme + coded(e.Reason))
	case domain.PartnershipReinstated:
		told = t.actors("reinstated the partnership" + programme + ".")
	case domain.PartnershipTerminated:
		told = t.actors("terminated the partnership" + programme + coded(e.Reason))
	case domain.ProfileApproved:
		told = t.actors("published the profile of " + t.consultancy + ".")
	case domain.ProfileRejected:
		told = t.actors("sent the profile of " + t.consultancy + " back" + coded(e.ReasonCode))
		if e.Note != "" {
			told = t.actors("sent the profile of " + t.consultancy + " back" + quoted(e.Note))
		}
	case domain.TaskRaised:
		told = t.actors("raised the task “" + shortened(e.Title) + "” in " + string(e.Section) + " of " + t.client + due(e) + ".")
	case domain.TaskReopened:
		told = t.actors("made the task “" + shortened(t.task) + "” in " + string(e.Section) + " of " + t.client + " pending again.")
	}
	return cmp.Or(told, t.tell(event))
}

// coded ends a sentence with a reason's code in words; other says nothing.
func coded[C ~string](reason C) string {
	if reason == "" || reason == "other" {
		return "."
	}
	return ": " + strings.ReplaceAll(string(reason), "_", " ") + "."
}

// due tells when a task should be done, as the rest of a sentence.
func due(e domain.TaskRaised) string {
	if e.DueAt.IsZero() {
		return ""
	}
	return ", due " + moment(e.DueAt)
}
