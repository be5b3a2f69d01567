package commands

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/domain"
)

// somebody is one of those who may ask for anything, whether or not it is theirs to ask.
type somebody struct {
	name  string
	actor domain.Actor
}

// everybody is one actor of each kind towards the firm, the shop and what they have together.
func everybody() []somebody {
	return []somebody{
		{"consultancy's owner", firmOwner},
		{"consultancy's administrator", firmAdmin},
		{"account manager in charge", firmManager},
		{"account manager of others", firmSpare},
		{"person invited", newcomer},
		{"client's owner", shopOwner},
		{"client's administrator", shopAdmin},
		{"client's finance member", shopFinance},
		{"client's hr member", shopHR},
		{"stranger", stranger},
		{"consultancy's owner for another account", impostor},
		{"reviewer", maria},
		{"service", billing},
		{"service that reviews", operator},
		{"the ledger", clock},
	}
}

// asksOfEverybody are the matrix's commands, each from everybody, as in the first scenario in which it is accepted.
func (m matrix) asksOfEverybody(t *testing.T) []askedBy {
	t.Helper()
	var asks []askedBy
	scenarios := openScenarios()
	for _, spec := range List() {
		if !m.covers(spec) {
			continue
		}
		first := slices.IndexFunc(scenarios, func(s scenario) bool { return s.when.command == spec.Name && s.then.refusal == nil })
		require.GreaterOrEqual(t, first, 0, "%s is never accepted", spec.Name)
		for _, one := range everybody() {
			w := scenarios[first].when
			w.actor = one.actor
			asks = append(asks, askedBy{spec, Party(one.name), w})
		}
	}
	return asks
}

const everybodyFile = "testdata/everybody.txt"

// TestEveryCommandFromEverybodyInEveryState holds testdata/everybody.txt to what the rules answer: every command, from everybody, in
// every state. A command, an actor or a state that is added has no line there, and fails the test until -update has written one that
// somebody has read.
func TestEveryCommandFromEverybodyInEveryState(t *testing.T) {
	var b strings.Builder
	for _, m := range matrices() {
		all := m.outcomes(t, m.asksOfEverybody(t))
		b.WriteString("# " + m.title + "\n")
		for _, spec := range List() {
			if m.covers(spec) {
				b.WriteString("\n" + spec.Name + "\n" + tellOfEverybody(spec, all))
			}
		}
		b.WriteString("\n")
		for _, o := range all {
			m.requireFitsWhoAsks(t, o)
		}
	}
	if *update {
		require.NoError(t, os.WriteFile(everybodyFile, []byte(b.String()), 0o644))
	}
	expected, err := os.ReadFile(everybodyFile)
	require.NoError(t, err)
	require.Equal(t, string(expected), b.String(), "%s is stale; read what changed, and run this test with -update", everybodyFile)
}

// tellOfEverybody gathers who is told what in which states; those who are told the same share lines.
func tellOfEverybody(spec Spec, all []outcome) string {
	var order []string
	who := map[string][]string{}
	for _, one := range everybody() {
		states := map[string][]string{}
		for _, o := range all {
			if o.spec.Name == spec.Name && o.party == Party(one.name) {
				told := "accepted"
				if o.refusal != nil {
					told = o.refusal.Code
				}
				states[told] = append(states[told], o.world)
			}
		}
		lines := ""
		for _, told := range slices.Sorted(maps.Keys(states)) {
			lines += "    " + told + ": " + strings.Join(states[told], "; ") + "\n"
		}
		order = addOnce(order, lines)
		who[lines] = append(who[lines], one.name)
	}
	var b strings.Builder
	for _, lines := range order {
		b.WriteString("  " + strings.Join(who[lines], ", ") + "\n" + lines)
	}
	return b.String()
}

// requireFitsWhoAsks holds an outcome to the list's word of who may ask: only a party is accepted, in whatever state, and no party is
// refused for who it is.
func (m matrix) requireFitsWhoAsks(t *testing.T, o outcome) {
	t.Helper()
	w := slices.IndexFunc(m.worlds, func(w world) bool { return w.name == o.world })
	parties := scenario{given: m.worlds[w].given, when: o.when}.partiesOfSubject(t)
	isParty := slices.ContainsFunc(o.spec.By, func(p Party) bool { return slices.Contains(parties, p) })
	switch {
	case o.refusal == nil:
		require.True(t, isParty, "%s is accepted from the %s, who is %q, in %s", o.spec.Name, o.party, parties, o.world)
	case slices.Contains(aboutWho(), o.refusal.Code):
		require.False(t, isParty, "%s is refused with %s to the %s, who is %q, in %s", o.spec.Name, o.refusal.Code, o.party, parties, o.world)
	}
}

// partiesOfSubject are what an actor is towards what the command is about: who runs another account is nobody to it.
func (s scenario) partiesOfSubject(t *testing.T) []Party {
	t.Helper()
	var subject struct {
		AccountID     uuid.UUID `json:"accountId"`
		ConsultancyID uuid.UUID `json:"consultancyId"`
		ClientID      uuid.UUID `json:"clientId"`
		WebhookID     uuid.UUID `json:"webhookId"`
	}
	require.NoError(t, json.Unmarshal([]byte(s.when.body), &subject))
	account := subject.AccountID
	if account == uuid.Nil && subject.ClientID == uuid.Nil {
		account = subject.ConsultancyID
	}
	for _, event := range s.given {
		if e, ok := event.(domain.WebhookRegistered); ok && e.WebhookID == subject.WebhookID {
			account = e.AccountID
		}
	}
	parties := s.parties(t)
	if account == uuid.Nil || s.when.actor.Kind != domain.ActorUser || s.when.actor.AccountID == account {
		return parties
	}
	return nil
}
