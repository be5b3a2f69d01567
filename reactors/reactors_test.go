package reactors

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

func TestASubscriptionThatLapsesSuspendsThePartnership(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		e := l.engine()
		l.runs(e.Run)
		vidal, soler := l.partner("Vidal"), l.business("Soler")
		bill := func(f firm, status domain.SubscriptionStatus) domain.Event {
			l.do(operator, commands.RecordSubscription{AccountID: f.id, Plan: domain.PlanBasic, Status: status})
			return domain.SubscriptionRecorded{AccountID: f.id, Plan: domain.PlanBasic, Status: status}
		}
		suspended := domain.PartnershipSuspended{ConsultancyID: vidal.id, Reason: domain.SuspendedForSubscription}
		reinstated := domain.PartnershipReinstated{ConsultancyID: vidal.id}

		after := l.head()
		l.follows(after, bill(vidal, domain.PastDue), suspended)
		after = l.head()
		l.follows(after, bill(vidal, domain.Current), reinstated)
		after = l.head()
		l.follows(after, bill(vidal, domain.Cancelled), suspended)
		after = l.head()
		past := bill(vidal, domain.PastDue)
		l.settled(e)
		l.follows(after, past) // and nothing else: it is suspended already

		l.do(operator, commands.SuspendPartnership{ConsultancyID: vidal.id, Reason: domain.SuspendedForBreach})
		after = l.head()
		current, other := bill(vidal, domain.Current), bill(soler, domain.Cancelled)
		l.settled(e)
		l.follows(after, current, other) // what a reviewer suspended is not reinstated, and a client is no partner
	})
}

// A reaction names what caused it.
func TestReactionsNameTheirCause(t *testing.T) {
	l := newLedger(t, sqldbtest.SQLite(t))
	e := l.engine()
	vidal := l.partner("Vidal")
	l.do(operator, commands.RecordSubscription{AccountID: vidal.id, Plan: domain.PlanBasic, Status: domain.PastDue})
	cause := l.head()
	l.runs(e.Run)
	require.Eventually(t, func() bool { return l.head() == cause+1 }, patience, often)
	page, err := l.store.ReadAll(t.Context(), cause-1, eventstore.MaxPageEvents)
	require.NoError(t, err)
	billed, err := page[0].Envelope()
	require.NoError(t, err)
	suspended, err := page[1].Envelope()
	require.NoError(t, err)
	require.Equal(t, "system:subscriptions", suspended.Actor)
	require.Equal(t, billed.ID, suspended.CausationID)
	require.Equal(t, billed.CommandID, suspended.CorrelationID)
}

func TestLogInsAreClosedWithTheAccessBehindThem(t *testing.T) {
	type losing struct {
		l           *ledger
		vidal       firm
		soler       firm
		pair        commands.PairFields
		jordi, dana domain.Actor // account managers
	}
	losses := map[string]struct {
		lose   func(losing)
		others bool // whether Dana loses hers too
	}{
		"the access is revoked": {func(x losing) { x.l.do(x.soler.owner, commands.RevokeAccess{PairFields: x.pair}) }, true},
		"the access is changed": {func(x losing) {
			x.l.do(x.soler.owner, commands.ChangeAccess{PairFields: x.pair, GrantTerms: commands.GrantTerms{RoleID: domain.RoleSales}})
		}, true},
		"the access is suspended, and resumed": {func(x losing) {
			x.l.do(x.soler.owner, commands.SuspendAccess{PairFields: x.pair})
			x.l.do(x.soler.owner, commands.ResumeAccess{PairFields: x.pair})
		}, true},
		"the collaboration ends": {func(x losing) {
			x.l.do(x.soler.owner, commands.EndCollaboration{PairFields: x.pair, Reason: "Done."})
		}, true},
		"the partnership is suspended, and reinstated": {func(x losing) {
			x.l.do(operator, commands.SuspendPartnership{ConsultancyID: x.vidal.id, Reason: domain.SuspendedForBreach})
			x.l.do(operator, commands.ReinstatePartnership{ConsultancyID: x.vidal.id})
		}, true},
		"the partnership is terminated":      {func(x losing) { x.l.terminates(x.vidal) }, true},
		"the consultancy closes its account": {func(x losing) { x.l.do(x.vidal.owner, commands.CloseAccount{AccountID: x.vidal.id}) }, true},
		"the client closes its account":      {func(x losing) { x.l.do(x.soler.owner, commands.CloseAccount{AccountID: x.soler.id}) }, true},
		"the person is unassigned": {func(x losing) {
			x.l.do(x.vidal.owner, commands.UnassignAccountManager{PairFields: x.pair, UserID: x.jordi.UserID})
		}, false},
		"the person is removed": {func(x losing) {
			x.l.do(x.vidal.owner, commands.RemoveMember{AccountID: x.vidal.id, UserID: x.jordi.UserID})
		}, false},
	}
	eachLedger(t, func(t *testing.T, l *ledger) {
		e := l.engine()
		l.runs(e.Run)
		want := map[uuid.UUID]bool{}
		for _, loss := range losses {
			x := losing{l: l, vidal: l.partner("Vidal"), soler: l.business("Soler")}
			mas := l.business("Mas")
			x.jordi, x.dana = l.join(x.vidal, domain.RoleAccountManager), l.join(x.vidal, domain.RoleAccountManager)
			x.pair = l.collaborate(x.vidal, x.soler)
			l.grant(x.soler, x.pair)
			l.assign(x.vidal, x.pair, x.jordi, x.dana)
			elsewhere := l.partner("Ábaco")
			other := l.collaborate(elsewhere, mas)
			l.grant(mas, other)
			want[l.logIn(x.jordi, x.pair)] = true
			want[l.logIn(x.dana, x.pair)] = loss.others
			want[l.logIn(elsewhere.owner, other)] = false
			loss.lose(x)
		}
		l.settled(e)
		got := map[uuid.UUID]bool{}
		for id := range want {
			got[id] = false
		}
		for _, h := range l.log(0) {
			if closed, ok := h.event.(domain.ClientAccountClosed); ok {
				require.Equal(t, domain.Lost, closed.Reason)
				require.Equal(t, "system:sessions", h.actor)
				got[closed.SessionID] = true
			}
		}
		require.Equal(t, want, got)
		l.isClean()
	})
}

// An administrator who becomes an account manager keeps the log-ins to clients of whom they are in charge, and no others.
func TestAChangeOfRoleClosesTheLogInsThatItTakesAway(t *testing.T) {
	l := newLedger(t, sqldbtest.SQLite(t))
	e := l.engine()
	l.runs(e.Run)
	vidal, soler, mas := l.partner("Vidal"), l.business("Soler"), l.business("Mas")
	jordi := l.join(vidal, domain.RoleAdministrator)
	kept, lost := l.collaborate(vidal, soler), l.collaborate(vidal, mas)
	l.grant(soler, kept)
	l.grant(mas, lost)
	l.assign(vidal, kept, jordi)
	l.logIn(jordi, kept)
	session := l.logIn(jordi, lost)
	after := l.head()
	l.do(vidal.owner, commands.ChangeMemberRole{AccountID: vidal.id, UserID: jordi.UserID, Role: domain.RoleAccountManager})
	l.settled(e)
	l.follows(after, domain.MemberRoleChanged{AccountID: vidal.id, UserID: jordi.UserID, Role: domain.RoleAccountManager},
		domain.ClientAccountClosed{Pair: domain.Pair(lost), SessionID: session, Reason: domain.Lost})
}

func TestWhoLeavesIsUnassignedEverywhere(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		vidal := l.partner("Vidal")
		jordi := l.join(vidal, domain.RoleAccountManager)
		active, _ := l.crowd(vidal, jordi, 300)
		after := l.head()
		l.do(vidal.owner, commands.RemoveMember{AccountID: vidal.id, UserID: jordi.UserID})
		e := l.engine()
		l.runs(e.Run)
		l.settled(e)
		require.Equal(t, map[string]int{
			domain.MemberRemoved{}.EventType(): 1, domain.AccountManagerUnassigned{}.EventType(): len(active), domain.ClientAccountClosed{}.EventType(): len(active),
		}, l.counted(after))
	})
}

// However often the engine is stopped in the middle, and another one goes on, each thing is done once and nothing is left.
func TestATerminationEndsAllThatIsOpen(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		vidal := l.partner("Vidal")
		jordi := l.join(vidal, domain.RoleAccountManager)
		active, pending := l.crowd(vidal, jordi, 300)
		l.terminates(vidal)
		after := l.head()
		_, err := l.try(jordi, commands.OpenClientAccount{PairFields: commands.PairFields(active[0])})
		require.True(t, domain.HasCode(err, "partnership_not_in_standing"), "access is gone at once: %v", err)

		all := int64(4*len(active) + len(pending)) // revoked, unassigned, ended and logged out; declined
		for _, share := range []int64{10, 3, 2} {
			e := l.engine()
			stop := l.runs(e.Run)
			require.Eventually(t, func() bool { return l.head() >= after+all/share }, patience, time.Millisecond)
			stop()
		}
		require.Less(t, l.head(), after+all, "it was stopped in the middle")
		one, other := l.engine(), l.engine()
		l.runs(one.Run)
		l.runs(other.Run)
		l.settled(one)
		require.Equal(t, map[string]int{
			domain.AccessRevoked{}.EventType(): len(active), domain.AccountManagerUnassigned{}.EventType(): len(active),
			domain.CollaborationEnded{}.EventType(): len(active), domain.CollaborationDeclined{}.EventType(): len(pending),
			domain.ClientAccountClosed{}.EventType(): len(active),
		}, l.counted(after))
	})
}

func TestAClosedAccountEndsAllThatIsOpen(t *testing.T) {
	l := newLedger(t, sqldbtest.SQLite(t))
	e := l.engine()
	l.runs(e.Run)
	vidal, soler := l.partner("Vidal"), l.business("Soler")
	abaco := l.partner("Ábaco")
	worked, asked := domain.Pair(l.collaborate(vidal, soler)), domain.Pair(l.ask(abaco, soler))
	after := l.head()
	l.do(soler.owner, commands.CloseAccount{AccountID: soler.id})
	l.follows(after, domain.AccountClosed{AccountID: soler.id},
		domain.CollaborationEnded{Pair: worked, Engagement: 1, EndedBy: domain.ClientSide, Reason: "The account was closed.", AccessEpoch: 1},
		domain.CollaborationDeclined{Pair: asked, Engagement: 1, ReasonCode: domain.DeclinedForGood})
	l.isClean()
}

// Somebody who applies again at once does not keep the clients that the termination has not come to yet.
func TestWhoAppliesAgainAfterATerminationKeepsNoClients(t *testing.T) {
	l := newLedger(t, sqldbtest.SQLite(t))
	vidal, soler := l.partner("Vidal"), l.business("Soler")
	pair := domain.Pair(l.collaborate(vidal, soler))
	l.terminates(vidal)
	l.do(vidal.owner, commands.ApplyForPartnership{ConsultancyID: vidal.id})
	after := l.head()
	e := l.engine()
	l.runs(e.Run)
	l.settled(e)
	l.follows(after, domain.CollaborationEnded{Pair: pair, Engagement: 1, EndedBy: domain.ConsultancySide, Reason: "The partnership was terminated.", AccessEpoch: 1})
}

func TestARebuildOfReadModelsSetsOffNothing(t *testing.T) {
	l := newLedger(t, sqldbtest.SQLite(t))
	e := l.engine()
	l.runs(e.Run)
	vidal, soler := l.partner("Vidal"), l.business("Soler")
	pair := l.collaborate(vidal, soler)
	l.grant(soler, pair)
	l.logIn(vidal.owner, pair)
	l.terminates(vidal)
	l.settled(e)
	after := l.head()
	require.NoError(t, l.models.Rebuild(t.Context(), "", nil))
	l.settled(e)
	l.follows(after)
}
