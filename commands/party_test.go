package commands

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/domain"
)

// TestPartiesAreThoseWhomTheRulesLetThrough holds the list's word of who may ask for a command to what the rules do: whoever is
// accepted is one of the parties, each of the parties is accepted somewhere, and whoever is refused for who they are is none of them.
func TestPartiesAreThoseWhomTheRulesLetThrough(t *testing.T) {
	listed, accepted := map[string][]Party{}, map[string][]Party{}
	for _, spec := range List() {
		require.NotEmpty(t, spec.By, "%s: nobody may ask for it", spec.Name)
		listed[spec.Name] = spec.By
	}
	for _, s := range allScenarios() {
		parties := s.parties(t)
		isParty := func(p Party) bool { return slices.Contains(parties, p) }
		switch {
		case s.then.refusal == nil:
			require.True(t, slices.ContainsFunc(listed[s.when.command], isParty), "%s/%s: accepted from %s, who is %q", s.when.command, s.name, s.when.actor, parties)
			accepted[s.when.command] = append(accepted[s.when.command], parties...)
		case slices.Contains(aboutWho(), s.then.refusal.Code):
			require.False(t, slices.ContainsFunc(listed[s.when.command], isParty), "%s/%s: refused for who asks to %s, who is %q", s.when.command, s.name, s.when.actor, parties)
		}
	}
	for command, parties := range listed {
		for _, party := range parties {
			require.Contains(t, accepted[command], party, "%s is never accepted from a party", command)
		}
	}
}

// aboutWho lists the codes of refusals for who is asking.
func aboutWho() []string {
	return []string{"member_required", "not_a_member", "role_not_sufficient", "not_assigned", "not_the_invited", "service_required", "reviewer_required", "system_required"}
}

// about is what the bodies of commands say of whom and what they are about.
type about struct {
	UserID       uuid.UUID      `json:"userId"`
	InvitationID uuid.UUID      `json:"invitationId"`
	SessionID    uuid.UUID      `json:"sessionId"`
	TaskID       uuid.UUID      `json:"taskId"`
	Section      domain.Section `json:"section"`
}

// parties are all that a scenario's actor is, after its history, towards what its command is about.
func (s scenario) parties(t *testing.T) []Party {
	t.Helper()
	actor := s.when.actor
	switch {
	case actor.Kind == domain.ActorSystem:
		return []Party{TheLedger}
	case actor.Kind == domain.ActorReviewer:
		return []Party{AReviewer}
	case actor.Reviews:
		return []Party{AService, AReviewer}
	case actor.Kind == domain.ActorService:
		return []Party{AService}
	}
	var body about
	if json.Unmarshal([]byte(s.when.body), &body) != nil {
		return nil // it is malformed, and nobody's
	}
	account, collaboration, person, section := &domain.Account{}, &domain.Collaboration{}, body.UserID, body.Section
	for _, event := range s.given {
		switch e := event.(type) {
		case domain.EventOf[domain.Account]:
			if e.Parties()[0] == actor.AccountID {
				e.Apply(account)
			}
		case domain.EventOf[domain.Collaboration]:
			e.Apply(collaboration)
		case domain.ClientAccountOpened:
			if e.SessionID == body.SessionID {
				person = e.UserID
			}
		case domain.TaskRaised:
			if e.TaskID == body.TaskID {
				section = e.Section
			}
		}
	}
	member, ok := account.Members[actor.UserID]
	if !ok {
		if account.Invitations[body.InvitationID].UserID == actor.UserID {
			return []Party{TheInvited}
		}
		return nil
	}
	return memberParties(account, member, collaboration, person, section)
}

// memberParties are all that a member of an account is.
func memberParties(account *domain.Account, member domain.Member, collaboration *domain.Collaboration, person uuid.UUID, section domain.Section) []Party {
	var parties []Party
	add := func(is bool, party Party) {
		if is {
			parties = append(parties, party)
		}
	}
	runs := member.Role == domain.RoleOwner || member.Role == domain.RoleAdministrator
	firm := account.Type == domain.Consultancy
	permissions, _, _ := account.RoleOf(member.Role)
	add(true, AMember)
	add(member.Role == domain.RoleOwner, AccountOwner)
	add(runs, AccountAdmin)
	add(runs && firm, ConsultancyAdmin)
	add(firm && (runs || collaboration.Managers[member.UserID]), ConsultancyWorker)
	add(runs && !firm, ClientAdmin)
	add(!firm && permissions.Includes(section, domain.Edit), ClientEditor)
	add(person == member.UserID, ThePerson)
	return parties
}
