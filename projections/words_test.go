package projections

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/domain"
)

// annas is a telling of something that Anna Vidal did, or Marta Soler, who is the client.
func annas() telling {
	example := domain.MessageSent{}
	for _, described := range domain.Events() {
		if e, ok := described.Example.(domain.MessageSent); ok {
			example = e
		}
	}
	return telling{
		pair: example.Pair, actor: domain.User(example.ConsultancyID, example.MessageID), who: "Anna Vidal",
		consultancy: "Vidal", client: "Panadería Soler", mentioned: "Jordi Puig", task: "Categorise 3 invoices",
	}
}

func TestEveryEventOfAHistoryHasWords(t *testing.T) {
	told := map[string]bool{}
	for _, described := range domain.Events() {
		sentence := annas().tell(described.Example)
		if !slices.Contains([]string{domain.CollaborationStream, domain.SessionStream}, described.Stream) && described.Name != "task.TaskCompleted.v1" {
			require.Empty(t, sentence, "%s is in no history", described.Name)
			continue
		}
		require.Regexp(t, `^\p{Lu}.*(\.|[.!?…]”)$`, sentence, described.Name)
		require.NotContains(t, sentence, "  ", described.Name)
		require.False(t, told[sentence], "%s has words of its own: %s", described.Name, sentence)
		told[sentence] = true
	}
}

func TestWordsSayWhoDidWhatToWhom(t *testing.T) {
	anna := annas()
	marta, unnamed, clock, billing, reviewer, custom := anna, anna, anna, anna, anna, anna
	marta.actor, marta.who = domain.User(anna.pair.ClientID, anna.actor.UserID), "Marta Soler"
	unnamed.who, unnamed.mentioned = "", ""
	clock.actor = domain.Actor{Kind: domain.ActorSystem, Name: "clock"}
	billing.actor = domain.Actor{Kind: domain.ActorService, Name: "billing"}
	reviewer.actor = domain.Actor{Kind: domain.ActorReviewer, Name: "ines"}
	marta.mentioned, custom.mentioned = "", "Month end"
	noon := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	midnight := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

	for _, c := range []struct {
		telling telling
		event   domain.Event
		want    string
	}{
		{marta, domain.CollaborationRequested{Message: "Please keep our books."}, "Marta Soler (Panadería Soler) asked Vidal to collaborate: “Please keep our books.”"},
		{marta, domain.MessageSent{From: domain.ClientSide, Body: "Do you work\nwith  shops?"}, "Marta Soler (Panadería Soler) wrote to Vidal: “Do you work with shops?”"},
		{anna, domain.MessageSent{From: domain.ConsultancySide, Body: "Gladly"}, "Anna Vidal (Vidal) wrote to Panadería Soler: “Gladly.”"},
		{anna, domain.CollaborationAccepted{}, "Anna Vidal (Vidal) accepted the collaboration with Panadería Soler."},
		{anna, domain.CollaborationDeclined{ReasonCode: domain.DeclinedOther}, "Anna Vidal (Vidal) declined the request of Panadería Soler."},
		{anna, domain.CollaborationDeclined{ReasonCode: domain.DeclinedNoCapacity}, "Anna Vidal (Vidal) declined the request of Panadería Soler for want of capacity."},
		{anna, domain.CollaborationDeclined{ReasonCode: domain.DeclinedByBlock}, "Anna Vidal (Vidal) declined the request of Panadería Soler by blocking it."},
		{clock, domain.RequestExpired{ExpiredAt: noon}, "The request of Panadería Soler to Vidal lapsed unanswered on 2 March 2026, 12:00 UTC."},
		{marta, domain.AccessGranted{RoleID: domain.RoleSales, ExpiresAt: midnight}, "Marta Soler (Panadería Soler) granted Vidal access as sales until 2 March 2026."},
		{marta, domain.AccessChanged{RoleID: domain.RoleSales}, "Marta Soler (Panadería Soler) changed the access of Vidal to sales without an end."},
		{anna, domain.AccessSuspended{}, "Anna Vidal (Vidal) suspended the access of Vidal to the account of Panadería Soler."},
		{marta, domain.AccessResumed{}, "Marta Soler (Panadería Soler) resumed the access of Vidal."},
		{marta, domain.AccessExtended{ExpiresAt: midnight}, "Marta Soler (Panadería Soler) extended the access of Vidal until 2 March 2026."},
		{marta, domain.AccessAttested{}, "Marta Soler (Panadería Soler) confirmed the access of Vidal."},
		{clock, domain.GrantEndReminded{ExpiresAt: midnight}, "The ledger reminded Panadería Soler that the access of Vidal holds until 2 March 2026."},
		{custom, domain.AccessRequested{SuggestedRole: "0192f3c4-0000-7000-8000-000000000009", Purpose: "Closing"}, "Anna Vidal (Vidal) asked Panadería Soler for access as “Month end”: “Closing.”"},
		{anna, domain.AccountManagerAssigned{}, "Anna Vidal (Vidal) assigned Jordi Puig as account manager of Panadería Soler."},
		{clock, domain.AccountManagerUnassigned{}, "The ledger unassigned Jordi Puig as account manager of Panadería Soler."},
		{unnamed, domain.AccountManagerUnassigned{}, "Somebody of Vidal unassigned somebody as account manager of Panadería Soler."},
		{anna, domain.KPINotificationsConfigured{}, "Anna Vidal (Vidal) chose to be notified of nothing of Panadería Soler."},
		{anna, domain.KPINotificationsConfigured{Sections: []domain.Section{domain.Sales}}, "Anna Vidal (Vidal) chose to be notified of sales of Panadería Soler."},
		{anna, domain.KPINotificationsConfigured{Sections: domain.TaskSections()[:3]}, "Anna Vidal (Vidal) chose to be notified of sales, expenses and banking of Panadería Soler."},
		{anna, domain.ClientAccountOpened{ExpiresAt: noon}, "Anna Vidal (Vidal) logged in to the account of Panadería Soler until 2 March 2026, 12:00 UTC."},
		{marta, domain.ClientAccountClosed{Reason: domain.LoggedOut}, "Marta Soler (Panadería Soler) ended a log-in to the account of Panadería Soler."},
		{clock, domain.ClientAccountClosed{Reason: domain.Lapsed}, "A log-in to the account of Panadería Soler reached its end."},
		{clock, domain.ClientAccountClosed{Reason: domain.Lost}, "A log-in to the account of Panadería Soler lost its access."},
		{anna, domain.TaskCompleted{Section: domain.Sales}, "Anna Vidal (Vidal) completed the task “Categorise 3 invoices” in sales of Panadería Soler."},
		{billing, domain.ClientBlocked{}, "The service billing blocked Panadería Soler."},
		{reviewer, domain.ClientUnblocked{}, "A reviewer unblocked Panadería Soler."},
	} {
		require.Equal(t, c.want, c.telling.tell(c.event))
	}
}

func TestALongTextIsQuotedInPart(t *testing.T) {
	sentence := annas().tell(domain.CollaborationEnded{Reason: strings.Repeat("ñ", maxQuoted)})
	require.Equal(t, "Anna Vidal (Vidal) ended the collaboration: “"+strings.Repeat("ñ", maxQuoted)+".”", sentence)
	sentence = annas().tell(domain.CollaborationEnded{Reason: strings.Repeat("ñ", maxQuoted+1)})
	require.Equal(t, "Anna Vidal (Vidal) ended the collaboration: “"+strings.Repeat("ñ", maxQuoted)+"…”", sentence)
	require.True(t, utf8.ValidString(sentence))
}
