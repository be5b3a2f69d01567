package projections

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/collabledger/collabledger/domain"
)

// maxQuoted is how many characters of what somebody wrote a sentence of the history quotes. The event has it all.
const maxQuoted = 280

// telling is what a sentence about an event needs beside the event: the names then.
type telling struct {
	pair        domain.Pair
	actor       domain.Actor
	who         string // the actor's name, if it is a person
	consultancy string
	client      string
	mentioned   string // the name of the person or the custom role that the event is about
	task        string // the title of the task that the event is about
}

// tell puts an event of a collaboration's history into one sentence: the table of the words of all event types. It is empty for
// events that no history has.
func (t telling) tell(event domain.Event) string {
	switch e := event.(type) {
	case domain.MessageSent:
		return t.actors("wrote to " + t.other(e.From) + quoted(e.Body))
	case domain.ConversationRead:
		return t.actors("read the conversation up to message " + strconv.Itoa(e.MessagesRead) + ".")
	case domain.CollaborationRequested:
		return t.actors("asked " + t.consultancy + " to collaborate" + quoted(e.Message))
	case domain.CollaborationAccepted:
		return t.actors("accepted the collaboration with " + t.client + ".")
	case domain.CollaborationDeclined:
		return t.actors("declined the request of " + t.client + declined(e.ReasonCode) + ".")
	case domain.RequestWithdrawn:
		return t.actors("took back the request to " + t.consultancy + ".")
	case domain.RequestExpired:
		return "The request of " + t.client + " to " + t.consultancy + " lapsed unanswered on " + moment(e.ExpiredAt) + "."
	case domain.ClientBlocked:
		return t.actors("blocked " + t.client + ".")
	case domain.ClientUnblocked:
		return t.actors("unblocked " + t.client + ".")
	case domain.AccessRequested:
		return t.actors("asked " + t.client + " for access as " + t.role(e.SuggestedRole) + quoted(e.Purpose))
	case domain.AccessGranted:
		return t.actors("granted " + t.consultancy + " access as " + t.role(e.RoleID) + lasting(e.ExpiresAt) + ".")
	case domain.AccessChanged:
		return t.actors("changed the access of " + t.consultancy + " to " + t.role(e.RoleID) + lasting(e.ExpiresAt) + ".")
	case domain.AccessSuspended:
		return t.actors("suspended the access of " + t.consultancy + " to the account of " + t.client + ".")
	case domain.AccessResumed:
		return t.actors("resumed the access of " + t.consultancy + ".")
	case domain.AccessExtended:
		return t.actors("extended the access of " + t.consultancy + lasting(e.ExpiresAt) + ".")
	case domain.AccessAttested:
		return t.actors("confirmed the access of " + t.consultancy + ".")
	case domain.GrantEndReminded:
		return t.actors("reminded " + t.client + " that the access of " + t.consultancy + " holds" + lasting(e.ExpiresAt) + ".")
	case domain.AccessRevoked:
		return t.actors("revoked the access of " + t.consultancy + " to the account of " + t.client + ".")
	case domain.AccessExpired:
		return "The access of " + t.consultancy + " to the account of " + t.client + " reached its end on " + moment(e.ExpiredAt) + "."
	case domain.KPINotificationsConfigured:
		return t.actors("chose to be notified of " + sectionList(e.Sections) + " of " + t.client + ".")
	case domain.AccountManagerAssigned:
		return t.actors("assigned " + t.person() + " as account manager of " + t.client + ".")
	case domain.AccountManagerUnassigned:
		return t.actors("unassigned " + t.person() + " as account manager of " + t.client + ".")
	case domain.CollaborationEnded:
		return t.actors("ended the collaboration" + quoted(e.Reason))
	case domain.ClientAccountOpened:
		return t.actors("logged in to the account of " + t.client + " until " + moment(e.ExpiresAt) + quoted(e.Purpose))
	case domain.ClientAccountClosed:
		return t.closed(e.Reason)
	case domain.TaskCompleted:
		return t.actors("completed the task “" + shortened(t.task) + "” in " + string(e.Section) + " of " + t.client + ".")
	}
	return ""
}

// actors is the sentence that the actor did something.
func (t telling) actors(did string) string { return t.subject() + " " + did }

// subject is who acted, as a sentence begins.
func (t telling) subject() string {
	switch t.actor.Kind {
	case domain.ActorUser:
		firm := t.consultancy
		if t.actor.AccountID == t.pair.ClientID {
			firm = t.client
		}
		if t.who == "" {
			return "Somebody of " + firm
		}
		return t.who + " (" + firm + ")"
	case domain.ActorReviewer:
		return "A reviewer"
	case domain.ActorService:
		return "The service " + t.actor.Name
	}
	return "The ledger"
}

// other is the name of the side that is spoken to.
func (t telling) other(from domain.Side) string {
	if from == domain.ClientSide {
		return t.consultancy
	}
	return t.client
}

// person is the person that the event is about.
func (t telling) person() string {
	if t.mentioned == "" {
		return "somebody"
	}
	return t.mentioned
}

// role is what a role is called: a custom one by its name, a predefined one by its id.
func (t telling) role(role domain.Role) string {
	if t.mentioned != "" {
		return "“" + t.mentioned + "”"
	}
	return strings.ReplaceAll(string(role), "_", " ")
}

// closed tells how a log-in ended.
func (t telling) closed(reason domain.CloseReason) string {
	switch reason {
	case domain.Lapsed:
		return "A log-in to the account of " + t.client + " reached its end."
	case domain.Lost:
		return "A log-in to the account of " + t.client + " lost its access."
	}
	return t.actors("ended a log-in to the account of " + t.client + ".")
}

// declined tells why a consultancy declined, as the rest of a sentence.
func declined(reason domain.DeclineReason) string {
	switch reason {
	case domain.DeclinedNoCapacity:
		return " for want of capacity"
	case domain.DeclinedNotOurField:
		return " because it is not in its field"
	case domain.DeclinedConflict:
		return " because of a conflict of interest"
	case domain.DeclinedByBlock:
		return " by blocking it"
	case domain.DeclinedForGood:
		return " because one of the two has left for good"
	}
	return ""
}

// lasting tells how long a grant holds, as the rest of a sentence.
func lasting(until time.Time) string {
	if until.IsZero() {
		return " without an end"
	}
	return " until " + moment(until)
}

// moment is a point in time as people write it, in UTC: a day, and the time of day unless that is midnight.
func moment(t time.Time) string {
	layout := "2 January 2006, 15:04 UTC"
	if t.Equal(t.Truncate(24 * time.Hour)) {
		layout = "2 January 2006"
	}
	return t.UTC().Format(layout)
}

// sectionList names sections as a sentence does: sales, banking and inbox.
func sectionList(sections []domain.Section) string {
	names := make([]string, len(sections))
	for i, section := range sections {
		names[i] = string(section)
	}
	switch last := len(names) - 1; last {
	case -1:
		return "nothing"
	case 0:
		return names[0]
	default:
		return strings.Join(names[:last], ", ") + " and " + names[last]
	}
}

// quoted ends a sentence with what somebody wrote, or at once when they wrote nothing.
func quoted(text string) string {
	text = shortened(text)
	if text == "" {
		return "."
	}
	if last, _ := utf8.DecodeLastRuneInString(text); strings.ContainsRune(".!?…", last) {
		return ": “" + text + "”"
	}
	return ": “" + text + ".”"
}

// shortened puts a text on one line of maxQuoted characters at most.
func shortened(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if cut := firstRunes(text, maxQuoted); cut != text {
		return cut + "…"
	}
	return text
}
