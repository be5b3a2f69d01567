package commands

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/domain"
)

// result is what an accepted command says it has created.
func result[R any](n *node, w when) R {
	n.t.Helper()
	r, ok := n.must(w).Result.(R)
	require.True(n.t, ok, "the result of %s", w.command)
	return r
}

// TestGuideFromEndToEnd goes through the guide, step by step, with commands alone: from two accounts that do not exist to a
// collaboration that has ended, and from there to the next one.
func TestGuideFromEndToEnd(t *testing.T) {
	n := newNode(t)
	n.NewID = uuid.New
	n.setClock(noon)
	refused := func(w when, want then) {
		t.Helper()
		_, err := n.do(w)
		requireRefusal(t, want.refusal, err)
	}

	// S1: both register.
	firm := result[AccountResult](n, by(operator, RegisterAccount{Type: domain.Consultancy, AccountDetails: firmDetails, Plan: domain.PlanBasic, FirmKind: domain.Agency, Owner: NewPerson{"Anna", "anna@vidal.example"}}))
	shop := result[AccountResult](n, by(operator, RegisterAccount{Type: domain.Business, AccountDetails: shopDetails, Plan: domain.PlanBasic, Owner: NewPerson{"Joan", "joan@roca.example"}}))
	anna, joan := domain.User(firm.AccountID, firm.OwnerUserID), domain.User(shop.AccountID, shop.OwnerUserID)
	both := PairFields{ConsultancyID: firm.AccountID, ClientID: shop.AccountID}

	// S2: the consultancy joins the programme.
	n.must(by(operator, RecordSubscription{firm.AccountID, domain.PlanStandard, domain.Current}))
	n.must(by(anna, ApplyForPartnership{firm.AccountID}))
	refused(by(joan, SendMessage{both, "Do you work with shops?"}), refuses("partnership_not_in_standing", "applied"))
	n.must(by(operator, AcceptPartnership{firm.AccountID}))

	// S3: its profile is listed once it is approved.
	revision := result[RevisionResult](n, by(anna, SubmitProfile{firm.AccountID, profile}))
	refused(by(joan, SendMessage{both, "Do you work with shops?"}), refuses("consultancy_not_listed", "unlisted"))
	n.must(by(operator, ApproveProfile{firm.AccountID, revision.Revision}))

	// S4: an employee joins as account manager.
	invitation := result[InvitationResult](n, by(anna, InviteMember{firm.AccountID, NewPerson{"Marc", "marc@vidal.example"}, domain.RoleAccountManager}))
	marc := domain.User(firm.AccountID, invitation.UserID)
	n.must(by(marc, AcceptInvitation{firm.AccountID, invitation.InvitationID}))

	// S5: the client writes and asks, the consultancy accepts.
	n.must(by(joan, SendMessage{both, "Do you work with shops?"}))
	n.must(by(anna, MarkConversationRead{both}))
	asked := result[RequestResult](n, by(joan, RequestCollaboration{both, "Please keep our books."}))
	require.Equal(t, 1, asked.Engagement)
	refused(by(marc, AcceptCollaboration{both}), forbids("role_not_sufficient"))
	n.must(by(anna, AcceptCollaboration{both}))

	// S6: the consultancy asks for access, the client grants it.
	n.must(by(anna, RequestAccess{both, domain.RoleFinance, "Monthly closing"}))
	refused(by(anna, OpenClientAccount{both, ""}), refuses("no_live_grant", "none"))
	first := result[GrantResult](n, by(joan, GrantAccess{both, GrantTerms{RoleID: domain.RoleFinance}}))

	// S7, S8: KPIs and an account manager.
	n.must(by(anna, AssignAccountManagers{both, ids(marc)}))
	n.must(by(marc, ConfigureKPINotifications{both, []domain.Section{domain.Banking}}))

	// S9, S10: the account manager logs in and completes a task.
	session := result[SessionResult](n, by(marc, OpenClientAccount{both, "Monthly closing"}))
	require.Equal(t, noon.Add(time.Hour), session.ExpiresAt)
	task := result[TaskResult](n, by(operator, RaiseTask{ClientID: shop.AccountID, Section: domain.Banking, Title: "Reconcile", ExternalRef: "erp-1", GoTo: "https://app.example/banking/1"}))
	n.must(by(marc, CompleteTask(task)))
	n.must(by(marc, CloseClientAccount{session.SessionID}))

	// Revoke while active, then grant again: another grant, of a later epoch.
	n.must(by(joan, RevokeAccess{both}))
	refused(by(marc, OpenClientAccount{both, ""}), refuses("no_live_grant", "revoked"))
	second := result[GrantResult](n, by(joan, GrantAccess{both, GrantTerms{RoleID: domain.RoleSales}}))
	require.NotEqual(t, first.GrantID, second.GrantID)
	session = result[SessionResult](n, by(marc, OpenClientAccount{both, ""}))

	// S11: the collaboration ends, and with it all access.
	n.must(by(joan, EndCollaboration{both, "We found somebody nearer."}))
	refused(by(marc, OpenClientAccount{both, ""}), forbids("not_assigned"))
	refused(by(anna, OpenClientAccount{both, ""}), refuses("collaboration_not_active", "ended"))
	late := result[TaskResult](n, by(operator, RaiseTask{ClientID: shop.AccountID, Section: domain.Sales, Title: "Categorise", ExternalRef: "erp-2", GoTo: "https://app.example/sales/2"}))
	refused(by(anna, CompleteTask(late)), refuses("collaboration_not_active", "ended"))
	n.must(by(joan, CompleteTask(late)))

	// And begins anew, without anything of the old one.
	again := result[RequestResult](n, by(joan, RequestCollaboration{both, "We were wrong."}))
	require.Equal(t, RequestResult{CollaborationID: asked.CollaborationID, Engagement: 2}, again)
	n.must(by(anna, AcceptCollaboration{both}))
	refused(by(anna, OpenClientAccount{both, ""}), refuses("no_live_grant", "none"))
	refused(by(marc, SendMessage{both, "Hello."}), forbids("not_assigned"))
}
