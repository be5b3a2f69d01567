package commands

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/domain"
)

// TestDomainDocument holds docs/domain.md and docs/states.md to the lists of commands and events and to what the tests have them
// meet. -update writes them.
func TestDomainDocument(t *testing.T) {
	tables := playMatrices(t)
	all := tellings(tables)
	for path, document := range map[string]string{
		"../docs/domain.md": documentHead + documentCommands(t, all) + documentRefusals(t, all) + documentEvents(),
		"../docs/states.md": documentMatrices(tables),
	} {
		if *update {
			require.NoError(t, os.WriteFile(path, []byte(document), 0o644))
		}
		written, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(written), document, "%s is stale; run this test with -update", path)
	}
}

const documentHead = `# The domain

Every command with who may ask for it, what must hold, what it does and how it is refused, and every event with its fields.
This document is generated from the lists of commands and events and from the scenarios and tables of states of their tests:
` + "`go test ./commands -run TestDomainDocument -update`" + `.

Refusals come in one order: a body that breaks its schema (400 ` + "`invalid`" + `), something unknown (404), who is asking (403), then
the state (422): an account's before the collaboration's, that before the grant's, the grant's before the task's. Beside a code stands the
` + "`state`" + ` that an answer names, where it depends on one. [states.md](states.md) tells what every command meets in every state.
`

// steps are the guide's.
func steps() []string {
	return []string{
		"Accounts", "The Partner Programme", "The profile", "Members and roles", "Requests", "Access", "KPI notifications",
		"Account managers", "Logging in", "Tasks", "The end",
	}
}

// told is what the scenarios tell of one command.
type told struct {
	events   []string
	refusals map[domain.Kind][]string // codes
	states   map[string][]string      // by code
}

func addOnce(list []string, item string) []string {
	if slices.Contains(list, item) {
		return list
	}
	return append(list, item)
}

// tellings gathers what the scenarios and the tables of states tell of each command, in the order in which they tell it.
func tellings(tables []played) map[string]*told {
	all := map[string]*told{}
	for _, spec := range List() {
		all[spec.Name] = &told{refusals: map[domain.Kind][]string{}, states: map[string][]string{}}
	}
	for _, s := range allScenarios() {
		all[s.when.command].tell(s.then.events, s.then.refusal)
	}
	for _, m := range tables {
		for _, o := range m.outcomes {
			all[o.spec.Name].tell(o.events, o.refusal)
		}
	}
	return all
}

// tell takes on one outcome.
func (c *told) tell(events []domain.Event, refusal *domain.Error) {
	for _, event := range events {
		c.events = addOnce(c.events, shortName(event.EventType()))
	}
	if refusal == nil {
		return
	}
	c.refusals[refusal.Kind] = addOnce(c.refusals[refusal.Kind], refusal.Code)
	if refusal.State != "" && uuid.Validate(refusal.State) != nil { // the id of a role is no state to list
		c.states[refusal.Code] = addOnce(c.states[refusal.Code], refusal.State)
	}
}

// shortName is an event's wire name without its stream and version.
func shortName(eventType string) string { return strings.Split(eventType, ".")[1] }

func documentCommands(t *testing.T, all map[string]*told) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("\n## Commands\n")
	step, holds := "", mustHold()
	for _, spec := range List() {
		if spec.Step != step {
			step = spec.Step
			heading := step
			if step != WebhookStep {
				var n int
				_, err := fmt.Sscanf(step, "S%d", &n)
				require.NoError(t, err)
				heading = step + " " + steps()[n-1]
			}
			fmt.Fprintf(&b, "\n### %s\n\n| command | who may | what must hold | events | refusals |\n|---|---|---|---|---|\n", heading)
		}
		command := all[spec.Name]
		parties := make([]string, len(spec.By))
		for i, party := range spec.By {
			parties[i] = string(party)
		}
		var conditions, refusals []string
		for _, code := range append(slices.Clone(command.refusals[domain.Forbidden]), command.refusals[domain.Refused]...) {
			if condition := holds[code]; condition != "" {
				conditions = addOnce(conditions, condition)
			}
		}
		for _, kind := range []domain.Kind{domain.NotFound, domain.Forbidden, domain.Refused} {
			for _, code := range command.refusals[kind] {
				refusals = append(refusals, "`"+code+"`"+inBrackets(command.states[code]))
			}
		}
		fmt.Fprintf(&b, "| **%s**<br>%s | %s | %s | %s | %s |\n", spec.Name, spec.Summary, strings.Join(parties, "; or "),
			strings.Join(conditions, "; "), strings.Join(command.events, ", "), strings.Join(refusals, ", "))
	}
	return b.String()
}

// inBrackets lists states after a code.
func inBrackets(states []string) string {
	if len(states) == 0 {
		return ""
	}
	return " (" + strings.Join(states, ", ") + ")"
}

// mustHold says for each code of a rule what must hold for it not to be told.
func mustHold() map[string]string {
	return map[string]string{
		"access_not_lost":             "for the ledger itself, the access behind the log-in is lost",
		"account_closed":              "no account concerned is closed",
		"account_required":            "an account is named, unless a service asks",
		"already_active":              "no collaboration of the two is active",
		"already_applied":             "no application is under review",
		"already_assigned":            "one of the people is not assigned yet",
		"already_blocked":             "the client is not blocked",
		"already_expired":             "the lapse is not recorded yet",
		"already_invited":             "the address has no other open invitation",
		"already_member":              "the address is no member's",
		"already_partner":             "the consultancy is no partner",
		"already_pending":             "no request of the client is pending",
		"already_reminded":            "the client has not been reminded so before, of this end",
		"already_reviewed":            "the revision is under review",
		"already_suspended":           "the partnership is not suspended, or only by the ledger itself when a reviewer asks",
		"client_blocked":              "the client is not blocked",
		"collaboration_active":        "the collaboration is not active",
		"collaboration_goes_on":       "for the ledger itself, the partnership was terminated or an account is closed",
		"collaboration_not_active":    "the collaboration is active",
		"consultancy_not_listed":      "the consultancy is listed in the directory",
		"expiry_in_the_past":          "the grant's end is to come",
		"expiry_too_far":              fmt.Sprintf("the grant's end is at most %d days away", int(domain.MaxGrantLasts.Hours()/24)),
		"external_ref_reused":         "a task with this reference, if there is one, is the same",
		"firm_kind_not_eligible":      "the firm is an agency, a consultancy or an external CFO",
		"grant_exists":                "there is no grant that is live or suspended",
		"grant_not_suspended":         "the grant is suspended",
		"grant_without_end":           "the grant has an end",
		"invitation_expired":          "the invitation has not lapsed",
		"no_grant":                    "there is a grant that is live or suspended",
		"no_live_grant":               "there is a live grant",
		"not_a_business":              "the account is a business",
		"not_a_consultancy":           "the account is a consultancy",
		"not_a_manager":               "the person is an account manager of the client",
		"not_a_partner":               "the consultancy is a partner, in standing or suspended",
		"not_an_extension":            "the new end is later",
		"not_applied":                 "an application is under review",
		"not_blocked":                 "the client is blocked",
		"not_due":                     "its time has come",
		"not_pending":                 "a request is pending",
		"not_suspended":               "the partnership is suspended",
		"nothing_changed":             "something changes",
		"owner_is_transferred":        "neither the member nor the role is the owner's",
		"owner_never_granted":         "the role is not the owner's",
		"owner_stays":                 "the member is not the owner",
		"partnership_not_in_standing": "the partnership is in standing",
		"plan_without_custom_roles":   "the plan has custom roles, where the role is one",
		"profile_not_unlisted":        "the consultancy has taken its profile off the directory",
		"reason_reserved":             "the reason is the ledger's own if and only if the ledger itself asks",
		"role_in_use":                 "nobody has the role or is invited with it",
		"role_name_taken":             "no other role of the account has the name",
		"role_not_in_plan":            "the client's plan includes something that the role permits",
		"role_unknown":                "the account has the role",
		"section_not_granted":         "for the consultancy, the grant gives edit on the section, and the client's plan includes it",
		"session_closed":              "the log-in is open",
		"stale_revision":              "the revision is the latest",
		"still_a_member":              "for the ledger itself, the person has left the consultancy",
		"submitter_cannot_review":     "the reviewer did not submit the revision",
		"subscription_current":        "for the ledger itself, the subscription is not current",
		"subscription_not_current":    "the subscription is current",
		"suspended_by_reviewer":       "for the ledger itself, no reviewer suspended the partnership",
		"task_not_completed":          "the task is completed",
		"task_not_pending":            "the task is pending",
		"too_many_managers":           fmt.Sprintf("the client has at most %d account managers then", domain.MaxManagers),
		"too_many_members":            fmt.Sprintf("the account has at most %d members and invitations then", domain.MaxMembers),
		"too_many_roles":              fmt.Sprintf("the account has at most %d roles of its own then", domain.MaxCustomRoles),
		"too_many_webhooks":           fmt.Sprintf("there are at most %d webhooks of the account, or of the platform, then", domain.MaxWebhooks),
		"webhook_deleted":             "the webhook is not deleted",
		"webhook_not_paused":          "the webhook is paused",
		"webhook_paused":              "the webhook is not paused",
	}
}

// documentRefusals lists all codes of rules, with their statuses and the commands that answer with them.
func documentRefusals(t *testing.T, all map[string]*told) string {
	t.Helper()
	holds := mustHold()
	commands := map[string][]string{}
	for _, spec := range List() {
		for _, codes := range all[spec.Name].refusals {
			for _, code := range codes {
				commands[code] = append(commands[code], spec.Name)
			}
		}
	}
	var b strings.Builder
	b.WriteString("\n## Refusals of rules\n\n| code | what must hold | commands |\n|---|---|---|\n")
	for code, kind := range refusalsIn(t, "../domain") {
		require.True(t, kind != domain.Refused || holds[code] != "", "%s: what must hold is not told", code)
	}
	for _, code := range slices.Sorted(maps.Keys(holds)) {
		require.NotEmpty(t, commands[code], "no command answers with %s", code)
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", code, holds[code], strings.Join(commands[code], ", "))
	}
	return b.String()
}

// documentEvents lists the event types, stream by stream, with their fields.
func documentEvents() string {
	var b strings.Builder
	b.WriteString("\n## Events\n\nA field with a question mark is left out where it does not apply. Older logs also hold the versions before, which are read as " +
		"the newest.\n")
	stream := ""
	for _, event := range domain.Events() {
		if event.Stream != stream {
			stream = event.Stream
			fmt.Fprintf(&b, "\n### Stream `%s-{id}`\n\n| event | what it says | fields |\n|---|---|---|\n", stream)
		}
		name := fmt.Sprintf("**%s**<br>`%s`", shortName(event.Name), event.Name)
		for _, earlier := range slices.Backward(event.Earlier) {
			name += fmt.Sprintf("<br>before: `%s`", earlier.Name)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, event.Title, strings.Join(fieldsOf(reflect.TypeOf(event.Example)), ", "))
	}
	return b.String()
}

// fieldsOf lists the fields of a type as its encoding has them, each with its kind.
func fieldsOf(t reflect.Type) []string {
	var fields []string
	for i := range t.NumField() {
		field := t.Field(i)
		if field.Anonymous {
			fields = append(fields, fieldsOf(field.Type)...)
			continue
		}
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if options != "" {
			name += "?"
		}
		fields = append(fields, "`"+name+"` "+kindOf(field.Type))
	}
	return fields
}

// kindOf is what a field holds, in a word or in its own fields.
func kindOf(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[uuid.UUID]():
		return "UUID"
	case t == reflect.TypeFor[time.Time]():
		return "time"
	case t == reflect.TypeFor[domain.Permissions]():
		return "level by section"
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int64:
		return "number"
	case t.Kind() == reflect.Slice:
		return "list of " + kindOf(t.Elem())
	case t.Kind() == reflect.Struct:
		return "{" + strings.Join(fieldsOf(t), ", ") + "}"
	}
	return "text"
}
