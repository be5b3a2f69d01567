package projections

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
)

// history asks for a history; the query must succeed.
func (w *world) history(v Viewer, q HistoryQuery) []HistoryItem {
	w.t.Helper()
	page, err := w.engine.History(w.settled(), v, q)
	require.NoError(w.t, err)
	return page.Items
}

// words asks for a history in words.
func (w *world) words(q HistoryQuery) []string {
	w.t.Helper()
	sentences := []string{}
	for _, item := range w.history(staff, q) {
		sentences = append(sentences, item.Words)
	}
	return sentences
}

func historyOf(pair commands.PairFields) HistoryQuery {
	return HistoryQuery{Collaboration: domain.Pair(pair).CollaborationID()}
}

// wholeStory plays a collaboration from the first message to its end.
func wholeStory(w *world) (vidal, soler firm, pair commands.PairFields) {
	vidal, soler = w.partner("Vidal"), w.client("Soler", domain.PlanPremium)
	jordi := w.join(vidal, "Jordi Puig", domain.RoleAccountManager)
	terms := commands.RoleTerms{Name: "Month end", Permissions: domain.Permissions{domain.Journal: domain.Edit, domain.Banking: domain.Read}}
	role := w.do(soler.owner, commands.CreateRole{AccountID: soler.id, RoleTerms: terms}).Result.(commands.RoleResult).RoleID
	pair = commands.PairFields{ConsultancyID: vidal.id, ClientID: soler.id}
	w.do(soler.owner, commands.SendMessage{PairFields: pair, Body: "Do you work with shops?"})
	w.do(vidal.owner, commands.MarkConversationRead{PairFields: pair})
	w.do(vidal.owner, commands.SendMessage{PairFields: pair, Body: "Gladly"})
	w.collaborate(vidal, soler)
	w.pass(time.Hour)
	w.do(vidal.owner, commands.RequestAccess{PairFields: pair, SuggestedRole: domain.RoleFinance, Purpose: "Monthly closing"})
	w.grant(soler, pair, role, time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC))
	w.assign(vidal, pair, jordi)
	w.do(jordi, commands.ConfigureKPINotifications{PairFields: pair, Sections: []domain.Section{domain.Journal}})
	w.do(soler.owner, commands.CompleteTask{TaskID: w.task(soler, domain.Sales, "The client's own")})
	task := w.task(soler, domain.Journal, "Post 3 entries")
	session := w.logIn(jordi, pair)
	w.do(jordi, commands.CompleteTask{TaskID: task})
	w.do(jordi, commands.CloseClientAccount{SessionID: session})
	w.pass(time.Hour)
	w.do(soler.owner, commands.EndCollaboration{PairFields: pair, Reason: "We found somebody nearer."})
	return vidal, soler, pair
}

func TestAHistoryTellsTheWholeStory(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler, pair := wholeStory(w)
		want := []string{
			"Owner of Soler (Soler) wrote to Vidal: “Do you work with shops?”",
			"Owner of Vidal (Vidal) read the conversation up to message 1.",
			"Owner of Vidal (Vidal) wrote to Soler: “Gladly.”",
			"Owner of Soler (Soler) asked Vidal to collaborate: “Please keep our books.”",
			"Owner of Vidal (Vidal) accepted the collaboration with Soler.",
			"Owner of Vidal (Vidal) asked Soler for access as finance: “Monthly closing.”",
			"Owner of Soler (Soler) granted Vidal access as “Month end” until 1 May 2026.",
			"Owner of Vidal (Vidal) assigned Jordi Puig as account manager of Soler.",
			"Jordi Puig (Vidal) chose to be notified of journal of Soler.",
			"Jordi Puig (Vidal) logged in to the account of Soler until 2 March 2026, 11:00 UTC: “Monthly closing.”",
			"Jordi Puig (Vidal) completed the task “Post 3 entries” in journal of Soler.",
			"Jordi Puig (Vidal) ended a log-in to the account of Soler.",
			"Owner of Soler (Soler) revoked the access of Vidal to the account of Soler.",
			"Owner of Soler (Soler) unassigned Jordi Puig as account manager of Soler.",
			"Owner of Soler (Soler) ended the collaboration: “We found somebody nearer.”",
		}
		q := historyOf(pair)
		require.Equal(t, want, w.words(q))

		items := w.history(soler.viewer(), q)
		require.Equal(t, items, w.history(vidal.viewer(), q))
		require.Equal(t, HistoryItem{
			Position: items[0].Position, At: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), Type: "collaboration.MessageSent.v1",
			Stream: eventstore.StreamID{Kind: domain.CollaborationStream, ID: q.Collaboration}.String(), Version: 1,
			Actor: soler.owner.String(), Who: "Owner of Soler", Words: want[0],
		}, items[0])

		q.Limit = 4
		var paged []string
		for {
			page, err := w.engine.History(w.settled(), staff, q)
			require.NoError(t, err)
			for _, item := range page.Items {
				paged = append(paged, item.Words)
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		require.Equal(t, want, paged)

		q = historyOf(pair)
		q.AsOf = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
		require.Equal(t, want[:12], w.words(q), "as of the moment itself")
		q.AsOf = q.AsOf.Add(-time.Microsecond)
		require.Equal(t, want[:5], w.words(q))
	})
}

func TestAHistoryKeepsTheNamesOfThen(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler := w.partner("Vidal"), w.client("Soler", domain.PlanPremium)
		terms := commands.RoleTerms{Name: "Month end", Permissions: domain.Permissions{domain.Journal: domain.Edit}}
		role := w.do(soler.owner, commands.CreateRole{AccountID: soler.id, RoleTerms: terms}).Result.(commands.RoleResult).RoleID
		pair := w.collaborate(vidal, soler)
		w.grant(soler, pair, role)
		w.do(soler.owner, commands.UpdateAccountDetails{AccountID: soler.id, AccountDetails: details("Forn Soler")})
		terms.Name = "Closing"
		w.do(soler.owner, commands.UpdateRole{AccountID: soler.id, RoleID: role, RoleTerms: terms})
		w.do(soler.owner, commands.RevokeAccess{PairFields: pair})
		w.grant(soler, pair, role)
		require.Equal(t, []string{
			"Owner of Soler (Soler) asked Vidal to collaborate: “Please keep our books.”",
			"Owner of Vidal (Vidal) accepted the collaboration with Soler.",
			"Owner of Soler (Soler) granted Vidal access as “Month end” without an end.",
			"Owner of Soler (Forn Soler) revoked the access of Vidal to the account of Forn Soler.",
			"Owner of Soler (Forn Soler) granted Vidal access as “Closing” without an end.",
		}, w.words(historyOf(pair)))
	})
}

func TestAHistoryIsToldToItsPartiesOnly(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler := w.partner("Vidal"), w.client("Soler", domain.PlanBasic)
		q := historyOf(w.collaborate(vidal, soler))
		require.Len(t, w.history(soler.viewer(), q), 2)
		for _, stranger := range []firm{w.partner("Rius"), w.client("Mas", domain.PlanBasic)} {
			_, err := w.engine.History(w.settled(), stranger.viewer(), q)
			require.True(t, domain.HasCode(err, "collaboration_not_found"), err)
		}
		_, err := w.engine.History(w.settled(), Viewer{}, q)
		require.True(t, domain.HasCode(err, "unauthenticated"), err)
		_, err = w.engine.History(w.settled(), staff, historyOf(pair(soler, vidal)))
		require.True(t, domain.HasCode(err, "collaboration_not_found"), err)
	})
}
