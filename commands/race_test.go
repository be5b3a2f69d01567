package commands

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/eventstore/postgres"
	"github.com/collabledger/collabledger/eventstore/sqlite"
	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

// twoNodes are two processes with caches of their own on one database: on Postgres each with its own store, on SQLite, which
// belongs to one process, on the same.
func twoNodes(t *testing.T, db *sqldb.DB) [2]*node {
	t.Helper()
	open := func() eventstore.Backend {
		if db.Dialect == sqldb.Postgres {
			backend, err := postgres.New(t.Context(), db)
			require.NoError(t, err)
			return backend
		}
		backend, err := sqlite.New(t.Context(), db)
		require.NoError(t, err)
		return backend
	}
	clock := &atomic.Int64{}
	store := openStore(t, open(), clock)
	nodes := [2]*node{newNodeOn(t, store, clock), newNodeOn(t, store, clock)}
	if db.Dialect == sqldb.Postgres {
		nodes[1] = newNodeOn(t, openStore(t, open(), clock), clock)
	}
	for _, n := range nodes {
		n.NewID = uuid.New
	}
	return nodes
}

// atOnce lets 64 goroutines ask, spread over nodes and over what they ask for, and gives what each was told.
func atOnce(nodes [2]*node, asks ...when) (told [64]error) {
	start := make(chan struct{})
	var running sync.WaitGroup
	for i := range told {
		running.Go(func() {
			<-start
			_, told[i] = nodes[i%2].do(asks[i/2%len(asks)])
		})
	}
	close(start)
	running.Wait()
	return told
}

// outcomes counts what was told: accepted, or code and state of the refusal.
func outcomes(t *testing.T, told []error) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, err := range told {
		if err == nil {
			counts["accepted"]++
			continue
		}
		require.IsType(t, &domain.Error{}, err)
		counts[fmt.Sprintf("%s/%s", domain.AsError(err).Code, domain.AsError(err).State)]++
	}
	return counts
}

// TestAcceptRacingWithdrawAndDecline: one winner, and each loser's refusal names the state that it lost to.
func TestAcceptRacingWithdrawAndDecline(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		nodes := twoNodes(t, db)
		nodes[0].happened(pending...)
		nodes[0].setClock(noon)
		told := atOnce(nodes,
			by(firmOwner, AcceptCollaboration{theirs}),
			by(shopOwner, WithdrawRequest{theirs}),
			by(firmAdmin, DeclineCollaboration{theirs, domain.DeclinedNoCapacity}))

		events := nodes[0].events()[len(pending):]
		require.Len(t, events, 1, "one winner")
		state := map[string]domain.CollaborationStatus{
			accepted.EventType(): domain.CollaborationActive, withdrawn.EventType(): domain.CollaborationWithdrawn, declined.EventType(): domain.CollaborationRefused,
		}[events[0].EventType()]
		require.Equal(t, map[string]int{"accepted": 1, "not_pending/" + string(state): len(told) - 1}, outcomes(t, told[:]))
	})
}

// TestAcceptRacingBlock: either the collaboration begins and the block is refused, or the block closes the request.
func TestAcceptRacingBlock(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		nodes := twoNodes(t, db)
		nodes[0].happened(pending...)
		nodes[0].setClock(noon)
		told := atOnce(nodes, by(firmOwner, AcceptCollaboration{theirs}), by(firmAdmin, BlockClient{theirs}))

		half := len(told) / 2
		events := nodes[0].events()[len(pending):]
		if events[0].EventType() == accepted.EventType() {
			require.Equal(t, history(accepted), events)
			require.Equal(t, map[string]int{"accepted": 1, "not_pending/active": half - 1, "collaboration_active/active": half}, outcomes(t, told[:]))
			return
		}
		require.Equal(t, history(blockedIt, block), events)
		require.Equal(t, map[string]int{"accepted": 1, "already_blocked/blocked": half - 1, "not_pending/blocked": half}, outcomes(t, told[:]))
	})
}

// TestTwoAdministratorsAcceptAtOnce: the collaboration begins once, and the other learns that it is active.
func TestTwoAdministratorsAcceptAtOnce(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		nodes := twoNodes(t, db)
		nodes[0].happened(pending...)
		nodes[0].setClock(noon)
		told := atOnce(nodes, by(firmOwner, AcceptCollaboration{theirs}), by(firmAdmin, AcceptCollaboration{theirs}))
		require.Equal(t, map[string]int{"accepted": 1, "not_pending/active": len(told) - 1}, outcomes(t, told[:]))
		require.Equal(t, history(pending, accepted), nodes[0].events())
	})
}

// TestSameCommandAtOnceOnTwoNodes: a client that retries in a hurry gets one outcome, and each of its requests the same answer.
func TestSameCommandAtOnceOnTwoNodes(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		nodes := twoNodes(t, db)
		nodes[0].happened(active...)
		nodes[0].setClock(noon)
		grant := by(shopOwner, GrantAccess{theirs, GrantTerms{RoleID: domain.RoleFinance}}).under(uuid.New())
		var answers [64]Answer
		var errs [64]error
		var running sync.WaitGroup
		for i := range answers {
			running.Go(func() { answers[i], errs[i] = nodes[i%2].Execute(t.Context(), grant) })
		}
		running.Wait()
		first := 0
		for i, answer := range answers {
			require.NoError(t, errs[i])
			if !answer.Repeated {
				first++
			}
			answer.Repeated = answers[0].Repeated
			require.Equal(t, answers[0], answer)
		}
		require.Equal(t, 1, first, "all but one are told that they repeat")
		require.Len(t, nodes[0].events(), len(active)+1)
	})
}

// TestAccessLostWhileManyLogIn: no log-in is committed after the event by which the access was lost, although that is in another
// stream than theirs (invariant 1).
func TestAccessLostWhileManyLogIn(t *testing.T) {
	for name, test := range map[string]struct {
		loses when
		last  domain.Event
		told  string // to who comes too late
	}{
		"the partnership is suspended":  {by(maria, SuspendPartnership{firmID, domain.SuspendedForBreach}), notInStanding, "partnership_not_in_standing/suspended"},
		"the partnership is terminated": {by(maria, TerminatePartnership{firmID, "terms_breached"}), terminated, "partnership_not_in_standing/terminated"},
		"the grant is suspended":        {by(shopOwner, SuspendAccess{theirs}), suspended, "no_live_grant/suspended"},
		"the grant is revoked":          {by(firmOwner, RevokeAccess{theirs}), domain.AccessRevoked{Pair: firmAndShop, GrantID: grantID, AccessEpoch: 2}, "no_live_grant/revoked"},
		"the client closes its account": {by(shopOwner, CloseAccount{shopID}), shopClosed, "account_closed/closed"},
		"the person is unassigned":      {by(firmOwner, UnassignAccountManager{theirs, firmManager.UserID}), domain.AccountManagerUnassigned{Pair: firmAndShop, UserID: firmManager.UserID}, "not_assigned/"},
		"the person is removed":         {by(firmOwner, RemoveMember{firmID, firmManager.UserID}), domain.MemberRemoved{AccountID: firmID, UserID: firmManager.UserID}, "not_a_member/"},
		"the collaboration ends":        {by(shopOwner, EndCollaboration{theirs, "done"}), domain.CollaborationEnded{Pair: firmAndShop, Engagement: 1, EndedBy: domain.ClientSide, Reason: "done", AccessEpoch: 3}, "not_assigned/"},
	} {
		t.Run(name, func(t *testing.T) {
			sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
				nodes := twoNodes(t, db)
				nodes[0].happened(inside...)
				nodes[0].setClock(noon)
				var running sync.WaitGroup
				var told [64]error
				for i := range told {
					running.Go(func() {
						ask := by(firmManager, OpenClientAccount{theirs, ""})
						if i == len(told)/2 {
							ask = test.loses
						}
						_, told[i] = nodes[i%2].do(ask)
					})
				}
				running.Wait()
				events := nodes[0].events()[len(inside):]
				require.Equal(t, test.last, events[len(events)-1], "nobody logged in afterwards")
				counts := outcomes(t, told[:])
				require.Equal(t, len(told), counts["accepted"]+counts[test.told], "%v", counts)
				require.NoError(t, told[len(told)/2])
			})
		})
	}
}

// TestWarmCacheOfAnotherNode: what one node has just done, the other knows, although its cache says otherwise.
func TestWarmCacheOfAnotherNode(t *testing.T) {
	grant := by(shopOwner, GrantAccess{theirs, GrantTerms{RoleID: domain.RoleFinance}})
	open := by(firmManager, OpenClientAccount{theirs, ""})
	renamed := invoices
	renamed.Title = "Something else"
	for name, test := range map[string]struct {
		given []domain.Event
		warm  when // on B, so that it has read the states
		onA   when
		onB   when
		then  *domain.Error // nil: accepted
	}{
		"A accepts, B grants":              {pending, grant, by(firmOwner, AcceptCollaboration{theirs}), grant, nil},
		"A ends, B grants":                 {active, by(shopOwner, RevokeAccess{theirs}), by(firmOwner, EndCollaboration{theirs, "done"}), grant, refuses("collaboration_not_active", "ended").refusal},
		"A revokes, B logs in":             {inside, open, by(shopOwner, RevokeAccess{theirs}), open, refuses("no_live_grant", "revoked").refusal},
		"A grants again, B logs in":        {history(inside, domain.AccessRevoked{Pair: firmAndShop, GrantID: grantID, AccessEpoch: 2}), open, grant, open, nil},
		"A removes the person, B logs in":  {inside, open, by(firmOwner, RemoveMember{firmID, firmManager.UserID}), open, forbids("not_a_member").refusal},
		"A unassigns, B logs in":           {inside, open, by(firmOwner, UnassignAccountManager{theirs, firmManager.UserID}), open, forbids("not_assigned").refusal},
		"A downgrades, B logs in":          {history(active, domain.AccountManagerAssigned{Pair: firmAndShop, UserID: firmManager.UserID}, roleExists, domain.AccessGranted{Pair: firmAndShop, GrantID: grantID, RoleID: domain.RoleHR, RoleVersion: 1, Permissions: domain.Permissions{domain.Team: domain.Edit}, AccessEpoch: 1}), open, by(billing, RecordSubscription{shopID, domain.PlanFree, domain.Current}), open, refuses("role_not_in_plan", "free").refusal},
		"A registers, B does not miss it":  {firm, by(maria, AcceptPartnership{firmID}), by(firmOwner, ApplyForPartnership{firmID}), by(maria, AcceptPartnership{firmID}), nil},
		"A completes, B completes as well": {history(inside, invoices), by(shopHR, CompleteTask{invoices.TaskID}), by(firmManager, CompleteTask{invoices.TaskID}), by(shopOwner, CompleteTask{invoices.TaskID}), refuses("task_not_pending", "completed").refusal},
		"A raises a task, B raises it too": {shop, by(billing, raise(payslips)), by(billing, raise(invoices)), by(billing, raise(invoices)), nil},
		"A raises, B raises another":       {shop, by(billing, raise(payslips)), by(billing, raise(invoices)), by(billing, raise(renamed)), refuses("external_ref_reused", "pending").refusal},
	} {
		t.Run(name, func(t *testing.T) {
			a := newNode(t)
			b := newNodeOn(t, a.Store, a.clock)
			a.happened(test.given...)
			a.setClock(noon)
			_, _ = b.do(test.warm)
			a.must(test.onA)
			_, err := b.do(test.onB)
			if test.then == nil {
				require.NoError(t, err)
				return
			}
			requireRefusal(t, test.then, err)
		})
	}
}

// TestWarmCachesDecideLikeColdOnes: whatever is asked of two nodes in turn, they decide as on states that are read afresh.
func TestWarmCachesDecideLikeColdOnes(t *testing.T) {
	asks := []when{
		by(shopOwner, SendMessage{theirs, "m"}), by(firmManager, SendMessage{theirs, "m"}), by(firmOwner, MarkConversationRead{theirs}),
		by(shopOwner, RequestCollaboration{theirs, "m"}), by(firmOwner, AcceptCollaboration{theirs}), by(firmOwner, DeclineCollaboration{theirs, domain.DeclinedOther}),
		by(shopOwner, WithdrawRequest{theirs}), by(firmOwner, BlockClient{theirs}), by(firmOwner, UnblockClient{theirs}),
		by(shopOwner, GrantAccess{theirs, GrantTerms{RoleID: domain.RoleFinance}}), by(shopOwner, ChangeAccess{theirs, GrantTerms{RoleID: domain.RoleSales}}), by(shopOwner, RevokeAccess{theirs}),
		by(firmOwner, SuspendAccess{theirs}), by(shopOwner, ResumeAccess{theirs}), by(shopOwner, AttestAccess{theirs}), by(shopOwner, ExtendAccess{theirs, noon.AddDate(0, 1, 0)}),
		by(maria, SuspendPartnership{firmID, domain.SuspendedOtherwise}), by(maria, ReinstatePartnership{firmID}), by(firmOwner, UnlistProfile{firmID}), by(firmOwner, RelistProfile{firmID}),
		by(firmOwner, AssignAccountManagers{theirs, ids(firmManager)}), by(firmOwner, UnassignAccountManager{theirs, firmManager.UserID}), by(firmManager, OpenClientAccount{theirs, ""}),
		by(billing, RecordSubscription{shopID, domain.PlanFree, domain.Current}), by(billing, RecordSubscription{shopID, domain.PlanPremium, domain.Current}),
		by(firmManager, ConfigureKPINotifications{theirs, []domain.Section{domain.Sales}}), by(shopOwner, EndCollaboration{theirs, "done"}),
		by(billing, raise(payslips)), by(firmManager, CompleteTask{payslips.TaskID}), by(billing, CancelTask{payslips.TaskID}), by(billing, ReopenTask{payslips.TaskID}),
	}
	rapid.Check(t, func(r *rapid.T) {
		n := newNode(t)
		nodes := []*node{n, newNodeOn(t, n.Store, n.clock)}
		n.happened(market...)
		n.setClock(noon)
		for range rapid.IntRange(1, 25).Draw(r, "steps") {
			ask := rapid.SampledFrom(asks).Draw(r, "ask")
			wantTypes, wantErr := n.forecast(ask)
			answer, err := rapid.SampledFrom(nodes).Draw(r, "node").do(ask)
			require.Equal(r, outcomes(t, []error{wantErr}), outcomes(t, []error{err}))
			var types []string
			for _, event := range answer.Events {
				types = append(types, event.Type)
			}
			require.Equal(r, wantTypes, types)
		}
	})
}

// forecast decides a command on states that are read afresh, and appends nothing.
func (n *node) forecast(w when) (types []string, err error) {
	states, err := NewStates(n.Store, domain.NewCatalog())
	require.NoError(n.t, err)
	events, err := n.decided(states, w)
	for _, event := range events {
		types = append(types, event.EventType())
	}
	return types, err
}

// decided is what a command would raise, decided on these states; nothing is appended.
func (n *node) decided(states *States, w when) ([]domain.Event, error) {
	n.t.Helper()
	_, command, err := n.Registry.Decode(w.command, []byte(w.body))
	require.NoError(n.t, err)
	d := &Decision{Actor: w.actor, Now: n.now(), ctx: n.t.Context(), states: states, newID: uuid.New}
	err = command.Decide(d)
	return d.facts(nil), err
}
