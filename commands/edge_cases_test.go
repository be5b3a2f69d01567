package commands

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

// The edge cases of the domain that are not races between people (race_test.go), a command retried after the collaboration ended or
// a clock that goes backwards (execute_test.go): each goes through Execute, with commands alone from where it begins.

// refused asks for what is to be refused.
func (n *node) refused(w when, outcome then) {
	n.t.Helper()
	_, err := n.do(w)
	requireRefusal(n.t, outcome.refusal, err)
}

// nodeAfter is a node at noon, after a history.
func nodeAfter(t *testing.T, given []domain.Event) *node {
	t.Helper()
	n := newNode(t)
	n.happened(given...)
	n.setClock(noon)
	return n
}

// TestAcceptRacingExpire: the clocks of two nodes stand on either side of the request's end. One of the two is recorded, and each
// loser learns the state that it lost to.
func TestAcceptRacingExpire(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		nodes := twoNodes(t, db)
		nodes[0].happened(pending...)
		nodes[0].setClock(noon)
		nodes[0].Clock = func() time.Time { return requestEnd.Add(-time.Microsecond) }
		nodes[1].Clock = func() time.Time { return requestEnd }
		asks := [2]when{by(firmOwner, AcceptCollaboration{theirs}), by(clock, ExpireRequest{theirs})}
		var told [64]error
		var running sync.WaitGroup
		for i := range told {
			running.Go(func() { _, told[i] = nodes[i%2].do(asks[i%2]) })
		}
		running.Wait()
		events := nodes[0].events()[len(pending):]
		require.Len(t, events, 1, "one winner")
		state := "active"
		if events[0] == domain.Event(expired) {
			state = "expired"
		} else {
			require.Equal(t, history(accepted), events)
		}
		require.Equal(t, map[string]int{"accepted": 1, "not_pending/" + state: len(told) - 1}, outcomes(t, told[:]))
	})
}

// TestRevokeWhileActiveThenGrantAgain: the collaboration goes on, the log-in of the first grant fails, and the second grant is
// another one, of a later epoch.
func TestRevokeWhileActiveThenGrantAgain(t *testing.T) {
	n := nodeAfter(t, active)
	n.must(by(firmOwner, AssignAccountManagers{theirs, ids(firmManager)}))
	first := result[GrantResult](n, by(shopOwner, GrantAccess{theirs, GrantTerms{RoleID: domain.RoleFinance}}))
	old := result[SessionResult](n, by(firmManager, OpenClientAccount{theirs, ""}))
	n.must(by(shopOwner, RevokeAccess{theirs}))
	n.refused(by(firmManager, OpenClientAccount{theirs, ""}), refuses("no_live_grant", "revoked"))

	second := result[GrantResult](n, by(shopOwner, GrantAccess{theirs, GrantTerms{RoleID: domain.RoleFinance}}))
	require.NotEqual(t, first, second)
	state, _ := n.load()
	require.Equal(t, domain.CollaborationActive, state.Status)
	require.Equal(t, 3, state.Grant.AccessEpoch, "granted, revoked, granted")
	again := result[SessionResult](n, by(firmManager, OpenClientAccount{theirs, ""}))
	n.must(by(reactor, CloseClientAccount{old.SessionID}))
	n.refused(by(reactor, CloseClientAccount{again.SessionID}), refuses("access_not_lost", "open"))
}

// TestADowngradeTakesTheCustomRolesPlanAway: what was granted stays pinned and is cut to the smaller plan; the role can be neither
// granted nor given nor changed until the plan has such roles again.
func TestADowngradeTakesTheCustomRolesPlanAway(t *testing.T) {
	n := nodeAfter(t, history(active, roleExists))
	n.must(by(shopOwner, GrantAccess{theirs, GrantTerms{RoleID: ownRole}}))
	n.must(by(billing, RecordSubscription{shopID, domain.PlanBasic, domain.Current}))
	n.must(by(firmOwner, OpenClientAccount{theirs, ""}))
	require.Equal(t, domain.Permissions{domain.Journal: domain.Edit}, n.lastLogin().Permissions, "the team is not in the basic plan")

	noRoles := refuses("plan_without_custom_roles", "basic")
	n.refused(by(shopOwner, ChangeAccess{theirs, GrantTerms{RoleID: ownRole}}), noRoles)
	n.refused(by(shopOwner, ChangeMemberRole{shopID, shopHR.UserID, ownRole}), noRoles)
	n.refused(by(shopOwner, UpdateRole{shopID, ownRole, RoleTerms{"Year end", ownMay}}), noRoles)
	n.must(by(shopOwner, RevokeAccess{theirs}))
	n.refused(by(shopOwner, GrantAccess{theirs, GrantTerms{RoleID: ownRole}}), noRoles)

	n.must(by(billing, RecordSubscription{shopID, domain.PlanPremium, domain.Current}))
	n.must(by(shopOwner, GrantAccess{theirs, GrantTerms{RoleID: ownRole}}))
	n.must(by(firmOwner, OpenClientAccount{theirs, ""}))
	require.Equal(t, ownMay, n.lastLogin().Permissions)
}

// lastLogin is the log's last event, which is a log-in.
func (n *node) lastLogin() domain.ClientAccountOpened {
	n.t.Helper()
	events := n.events()
	require.IsType(n.t, domain.ClientAccountOpened{}, events[len(events)-1])
	return events[len(events)-1].(domain.ClientAccountOpened)
}

// TestTheClientDeletesARoleInUse: not while one of its own people has it; a grant keeps what was consented to, and cannot be
// changed to what is gone.
func TestTheClientDeletesARoleInUse(t *testing.T) {
	n := nodeAfter(t, history(active, roleExists))
	n.must(by(shopOwner, GrantAccess{theirs, GrantTerms{RoleID: ownRole}}))
	n.must(by(shopOwner, ChangeMemberRole{shopID, shopHR.UserID, ownRole}))
	n.refused(by(shopOwner, DeleteRole{shopID, ownRole}), refuses("role_in_use", ""))
	n.must(by(shopOwner, ChangeMemberRole{shopID, shopHR.UserID, domain.RoleHR}))
	n.must(by(shopOwner, DeleteRole{shopID, ownRole}))

	n.must(by(firmOwner, OpenClientAccount{theirs, ""}))
	require.Equal(t, ownMay, n.lastLogin().Permissions)
	inAYear := noon.AddDate(1, 0, 0)
	n.refused(by(shopOwner, ChangeAccess{theirs, GrantTerms{ownRole, &inAYear}}), refuses("role_unknown", string(ownRole)))
	n.must(by(shopOwner, RevokeAccess{theirs}))
	n.refused(by(shopOwner, GrantAccess{theirs, GrantTerms{RoleID: ownRole}}), refuses("role_unknown", string(ownRole)))
}

// TestAPartnershipSuspendedWithThousandsOfClients: one event takes the access to all of them away at once, before anything has been
// told to any of their streams, and one gives it back.
func TestAPartnershipSuspendedWithThousandsOfClients(t *testing.T) {
	const clients = 2_000
	given := history(listedFirm)
	var opens []when
	for i := range clients {
		shop := uuid.NewSHA1(firmID, fmt.Append(nil, "client", i))
		pair := domain.Pair{ConsultancyID: firmID, ClientID: shop}
		asked, granted := request(1), financeGrant
		asked.Pair, asked.CollaborationID, granted.Pair = pair, pair.CollaborationID(), pair
		given = append(given,
			domain.AccountRegistered{AccountID: shop, Type: domain.Business, AccountDetails: shopDetails, Plan: domain.PlanPremium, Owner: person(shopOwner)},
			asked, domain.CollaborationAccepted{Pair: pair, Engagement: 1}, granted)
		opens = append(opens, by(firmOwner, OpenClientAccount{PairFields(pair), ""}))
	}
	n := nodeAfter(t, given)
	suspension := n.must(by(maria, SuspendPartnership{firmID, domain.SuspendedForBreach}))
	require.Len(t, suspension.Events, 1)
	for _, open := range opens {
		_, err := n.decided(n.States, open)
		requireRefusal(t, refuses("partnership_not_in_standing", "suspended").refusal, err)
	}
	n.refused(opens[0], refuses("partnership_not_in_standing", "suspended"))
	n.must(by(maria, ReinstatePartnership{firmID}))
	for _, open := range opens {
		_, err := n.decided(n.States, open)
		require.NoError(t, err)
	}
}

// TestATaskCompletedAfterTheEnd: not by the consultancy any more, in a new engagement not without a new grant; by the client, always.
func TestATaskCompletedAfterTheEnd(t *testing.T) {
	n := nodeAfter(t, history(inside, invoices))
	complete := CompleteTask{invoices.TaskID}
	n.must(by(shopOwner, EndCollaboration{theirs, "done"}))
	n.refused(by(firmManager, complete), forbids("not_assigned"))
	n.refused(by(firmOwner, complete), refuses("collaboration_not_active", "ended"))
	n.must(by(shopOwner, RequestCollaboration{theirs, "We were wrong."}))
	n.must(by(firmOwner, AcceptCollaboration{theirs}))
	n.refused(by(firmOwner, complete), refuses("no_live_grant", "none"))
	n.must(by(shopFinance, complete))
}

// TestATaskCompletedInASectionOutsideTheGrant: read is not enough, nor is a section that the client's plan has lost.
func TestATaskCompletedInASectionOutsideTheGrant(t *testing.T) {
	reconcile := domain.TaskRaised{TaskID: domain.TaskID(shopID, "erp-3"), ClientID: shopID, Section: domain.Banking, Title: "Reconcile", ExternalRef: "erp-3", GoTo: "https://app.example/3"}
	n := nodeAfter(t, history(active, invoices, payslips, reconcile))
	n.must(by(shopOwner, GrantAccess{theirs, GrantTerms{RoleID: domain.RoleSales}}))
	n.refused(by(firmOwner, CompleteTask{payslips.TaskID}), refuses("section_not_granted", "granted"))  // nothing of the journal
	n.refused(by(firmOwner, CompleteTask{reconcile.TaskID}), refuses("section_not_granted", "granted")) // banking to read
	n.must(by(firmOwner, CompleteTask{invoices.TaskID}))

	n.must(by(shopOwner, ChangeAccess{theirs, GrantTerms{RoleID: domain.RoleFinance}}))
	n.must(by(billing, RecordSubscription{shopID, domain.PlanFree, domain.Current}))
	n.refused(by(firmOwner, CompleteTask{payslips.TaskID}), refuses("section_not_granted", "granted"))
	n.must(by(billing, RecordSubscription{shopID, domain.PlanBasic, domain.Current}))
	n.must(by(firmOwner, CompleteTask{payslips.TaskID}))
}

// TestAProfileEditedDuringReview: the edit takes the place of what was under review, which nobody can
// approve or reject any more; what was approved before stays published meanwhile.
func TestAProfileEditedDuringReview(t *testing.T) {
	n := nodeAfter(t, market)
	second := result[RevisionResult](n, by(firmOwner, SubmitProfile{firmID, profile}))
	edited := profile
	edited.Description = "Books for shops and bars."
	third := result[RevisionResult](n, by(firmAdmin, SubmitProfile{firmID, edited}))
	require.Equal(t, []int{2, 3}, []int{second.Revision, third.Revision})
	n.must(by(shopOwner, SendMessage{theirs, "Revision 1 is still listed."}))
	n.must(by(maria, ApproveProfile{firmID, third.Revision}))
	published, _, err := Load[domain.Partnership](t.Context(), n.States, streamOf(submission(1)))
	require.NoError(t, err)
	require.Equal(t, 3, published.Published)
	require.Equal(t, edited, published.Revisions[2].Profile)
}

// TestAnOldRevisionApprovedLate: the late approval changes nothing, whatever has become of the later revision.
func TestAnOldRevisionApprovedLate(t *testing.T) {
	n := nodeAfter(t, inReview)
	n.must(by(firmOwner, SubmitProfile{firmID, profile}))
	n.refused(by(maria, ApproveProfile{firmID, 1}), refuses("stale_revision", "superseded"))
	n.refused(by(maria, RejectProfile{firmID, 1, "other", ""}), refuses("stale_revision", "superseded"))
	n.must(by(maria, ApproveProfile{firmID, 2}))
	n.refused(by(maria, ApproveProfile{firmID, 1}), refuses("stale_revision", "superseded"))
}

// TestAPersonOfTwoFirmsActsForOneOfThemAtATime: the actor names the account, and with the other firm's hat on, the person is whoever
// they are there: what one firm may do in a client's account is nothing to the other (invariant 8).
func TestAPersonOfTwoFirmsActsForOneOfThemAtATime(t *testing.T) {
	rivalID := id(4)
	hereAManager, thereTheOwner := firmManager, domain.User(rivalID, firmManager.UserID)
	n := nodeAfter(t, history(inside, invoices, domain.AccountRegistered{
		AccountID: rivalID, Type: domain.Consultancy, AccountDetails: firmDetails, Plan: domain.PlanBasic, FirmKind: domain.Agency, Owner: person(firmManager),
	}))
	rival := PairFields{ConsultancyID: rivalID, ClientID: shopID}

	n.refused(by(thereTheOwner, OpenClientAccount{theirs, ""}), forbids("not_a_member"))
	n.refused(by(thereTheOwner, OpenClientAccount{rival, ""}), misses("collaboration_not_found"))
	n.refused(by(hereAManager, OpenClientAccount{rival, ""}), misses("collaboration_not_found"))
	n.refused(by(thereTheOwner, CompleteTask{invoices.TaskID}), misses("task_not_found"))
	n.refused(by(thereTheOwner, EndCollaboration{theirs, "done"}), forbids("not_a_member"))
	n.refused(by(hereAManager, EndCollaboration{theirs, "done"}), forbids("role_not_sufficient"))
	n.refused(by(hereAManager, ApplyForPartnership{rivalID}), forbids("not_a_member"))
	n.must(by(thereTheOwner, ApplyForPartnership{rivalID}))

	session := result[SessionResult](n, by(hereAManager, OpenClientAccount{theirs, ""}))
	require.Equal(t, firmID, n.lastLogin().ConsultancyID)
	n.refused(by(thereTheOwner, CloseClientAccount{session.SessionID}), forbids("not_a_member"))
	n.must(by(hereAManager, CloseClientAccount{session.SessionID}))

	// As an administrator of the client, the same person may end what they have begun for the consultancy.
	forTheClient := domain.User(shopID, firmManager.UserID)
	session = result[SessionResult](n, by(hereAManager, OpenClientAccount{theirs, ""}))
	n.refused(by(forTheClient, CloseClientAccount{session.SessionID}), forbids("not_a_member"))
	n.happened(joined(forTheClient, domain.RoleAdministrator))
	n.must(by(forTheClient, CloseClientAccount{session.SessionID}))
	n.must(by(hereAManager, CompleteTask{invoices.TaskID}))
}
