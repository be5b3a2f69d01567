package projections

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

// access asks for grants; the query must succeed.
func (w *world) access(v Viewer, q AccessQuery) []AccessItem {
	w.t.Helper()
	page, err := w.engine.Access(w.settled(), v, q)
	require.NoError(w.t, err)
	return page.Items
}

func TestAccessTellsWhoMayActUnderWhichGrant(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler := w.partner("Vidal"), w.client("Soler", domain.PlanBasic)
		jordi, pau := w.join(vidal, "Jordi Puig", domain.RoleAccountManager), w.join(vidal, "Pau Roca", domain.RoleAccountManager)
		berta := w.join(vidal, "Berta Riba", domain.RoleAdministrator)
		pair := w.collaborate(vidal, soler)
		w.assign(vidal, pair, jordi)
		granted := w.now
		until := granted.Add(48 * time.Hour)
		grant := w.grant(soler, pair, domain.RoleFinance, until)

		items := w.access(soler.viewer(), AccessQuery{Client: soler.id})
		finance := domain.Permissions{
			domain.Sales: domain.Edit, domain.Expenses: domain.Edit, domain.Banking: domain.Edit, domain.Inbox: domain.Edit,
			domain.Contacts: domain.Edit, domain.Journal: domain.Edit, domain.Projects: domain.Edit,
		}
		require.Equal(t, []AccessItem{{
			CollaborationID: domain.Pair(pair).CollaborationID(), ConsultancyID: vidal.id, ClientID: soler.id,
			ConsultancyName: "Vidal", ClientName: "Soler", GrantID: grant, Status: domain.GrantLive, RoleID: domain.RoleFinance,
			Permissions: finance, Effective: finance.Within(domain.PlanBasic.Sections()), GrantedAt: granted, Until: &until,
			Reminders: []Reminder{}, People: []AccessPerson{
				{UserID: berta.UserID, Name: "Berta Riba", Role: domain.RoleAdministrator},
				{UserID: jordi.UserID, Name: "Jordi Puig", Role: domain.RoleAccountManager},
				{UserID: vidal.owner.UserID, Name: "Owner of Vidal", Role: domain.RoleOwner},
			},
		}}, items)
		require.NotContains(t, items[0].Effective, domain.Projects, "not in the basic plan")
		require.Equal(t, items, w.access(vidal.viewer(), AccessQuery{Consultancy: vidal.id}))
		require.Equal(t, items, w.access(staff, AccessQuery{User: jordi.UserID}))
		require.Empty(t, w.access(staff, AccessQuery{User: pau.UserID}), "not assigned")
	})
}

func TestAGrantPastItsEndShowsAsExpiredBeforeTheClockRecordsIt(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler := w.partner("Vidal"), w.client("Soler", domain.PlanBasic)
		pair := w.collaborate(vidal, soler)
		until := w.now.Add(time.Hour)
		w.grant(soler, pair, domain.RoleSales, until)

		w.pass(time.Hour - time.Microsecond)
		item := w.access(staff, AccessQuery{Client: soler.id, LiveOnly: true})[0]
		require.Equal(t, domain.GrantLive, item.Status)
		require.NotEmpty(t, item.Effective)
		require.Nil(t, item.EndedAt)

		w.pass(time.Microsecond)
		item = w.access(staff, AccessQuery{Client: soler.id})[0]
		require.Equal(t, domain.GrantExpired, item.Status)
		require.Empty(t, item.Effective)
		require.Empty(t, item.People)
		require.NotEmpty(t, item.Permissions, "what was granted stays known")
		require.Equal(t, &until, item.EndedAt)
		require.Empty(t, w.access(staff, AccessQuery{Client: soler.id, LiveOnly: true}))

		// Granting again records the old grant's end, at the moment it was.
		w.pass(time.Hour)
		second := w.grant(soler, pair, domain.RoleSales)
		items := w.access(staff, AccessQuery{Client: soler.id})
		require.Len(t, items, 2)
		require.Equal(t, second, items[0].GrantID, "newest first")
		require.Equal(t, domain.GrantExpired, items[1].Status)
		require.Equal(t, &until, items[1].EndedAt)
	})
}

func TestASuspendedGrantPermitsNothingUntilItIsResumed(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler := w.partner("Vidal"), w.client("Soler", domain.PlanBasic)
		pair := w.collaborate(vidal, soler)
		until := w.now.Add(time.Hour)
		w.grant(soler, pair, domain.RoleSales, until)
		before := w.access(staff, AccessQuery{Client: soler.id})[0]
		require.NotEmpty(t, before.Effective)

		w.do(soler.owner, commands.SuspendAccess{PairFields: pair})
		suspended := w.access(staff, AccessQuery{Client: soler.id})[0]
		require.Equal(t, domain.GrantSuspended, suspended.Status)
		require.Equal(t, before.Permissions, suspended.Permissions)
		require.Empty(t, suspended.Effective)
		require.Empty(t, suspended.People)
		require.Empty(t, w.access(staff, AccessQuery{Client: soler.id, LiveOnly: true}))

		w.do(soler.owner, commands.ResumeAccess{PairFields: pair})
		require.Equal(t, before, w.access(staff, AccessQuery{Client: soler.id})[0])

		later := until.Add(time.Hour)
		w.do(soler.owner, commands.ExtendAccess{PairFields: pair, ExpiresAt: later})
		w.pass(90 * time.Minute)
		extended := w.access(staff, AccessQuery{Client: soler.id})[0]
		require.Equal(t, &later, extended.Until)
		require.Equal(t, before.Effective, extended.Effective)
	})
}

func TestNobodyHasAccessWhenTheConsultancyOrTheClientHasLeft(t *testing.T) {
	for name, leave := range map[string]func(w *world, vidal, soler firm){
		"the partnership is suspended": func(w *world, vidal, _ firm) {
			w.do(operator, commands.SuspendPartnership{ConsultancyID: vidal.id, Reason: domain.SuspendedForBreach})
		},
		"the partnership is terminated": func(w *world, vidal, _ firm) {
			w.do(operator, commands.TerminatePartnership{ConsultancyID: vidal.id, Reason: "terms_breached"})
		},
		"the consultancy's account is closed": func(w *world, vidal, _ firm) { w.do(vidal.owner, commands.CloseAccount{AccountID: vidal.id}) },
		"the client's account is closed":      func(w *world, _, soler firm) { w.do(soler.owner, commands.CloseAccount{AccountID: soler.id}) },
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, w *world) {
				vidal, soler := w.partner("Vidal"), w.client("Soler", domain.PlanBasic)
				w.grant(soler, w.collaborate(vidal, soler), domain.RoleSales)
				require.NotEmpty(t, w.access(staff, AccessQuery{Client: soler.id})[0].Effective)
				leave(w, vidal, soler)
				item := w.access(staff, AccessQuery{Client: soler.id})[0]
				require.Empty(t, item.Effective)
				require.Empty(t, item.People)
				_, err := w.engine.Tasks(t.Context(), vidal.viewer(), TasksQuery{Client: soler.id})
				require.True(t, domain.HasCode(err, "no_access"), "%v", err)
			})
		})
	}
}

func TestADowngradeCutsTheEffectivePermissions(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler := w.partner("Vidal"), w.client("Soler", domain.PlanPremium)
		w.grant(soler, w.collaborate(vidal, soler), domain.RoleFinance)
		effective := func() []domain.Section {
			return w.access(staff, AccessQuery{Client: soler.id})[0].Effective.Sections()
		}
		require.Equal(t, []domain.Section{domain.Sales, domain.Expenses, domain.Banking, domain.Inbox, domain.Contacts, domain.Journal, domain.Projects}, effective())

		w.do(operator, commands.RecordSubscription{AccountID: soler.id, Plan: domain.PlanFree, Status: domain.Current})
		require.Equal(t, []domain.Section{domain.Sales, domain.Expenses, domain.Inbox, domain.Contacts}, effective())

		w.do(operator, commands.RecordSubscription{AccountID: soler.id, Plan: domain.PlanBasic, Status: domain.Current})
		require.Equal(t, domain.TaskSections(), effective())
	})
}

func TestAWiderRoleDoesNotWidenALiveGrant(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler := w.partner("Vidal"), w.client("Soler", domain.PlanPremium)
		terms := commands.RoleTerms{Name: "Month end", Permissions: domain.Permissions{domain.Journal: domain.Read}}
		role := w.do(soler.owner, commands.CreateRole{AccountID: soler.id, RoleTerms: terms}).Result.(commands.RoleResult).RoleID
		pair := w.collaborate(vidal, soler)
		w.grant(soler, pair, role)

		wider := commands.RoleTerms{Name: "Month end", Permissions: domain.Permissions{domain.Journal: domain.Edit, domain.Payroll: domain.Edit}}
		w.do(soler.owner, commands.UpdateRole{AccountID: soler.id, RoleID: role, RoleTerms: wider})
		require.Equal(t, terms.Permissions, w.access(staff, AccessQuery{Client: soler.id})[0].Effective)

		w.do(soler.owner, commands.ChangeAccess{PairFields: pair, GrantTerms: commands.GrantTerms{RoleID: role}})
		items := w.access(staff, AccessQuery{Client: soler.id})
		require.Len(t, items, 1, "a changed grant is the same grant")
		require.Equal(t, wider.Permissions, items[0].Effective)
	})
}

func TestOnlyThosePeopleHaveAccessWhoStillWorkForTheClient(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler := w.partner("Vidal"), w.client("Soler", domain.PlanBasic)
		jordi, berta := w.join(vidal, "Jordi Puig", domain.RoleAccountManager), w.join(vidal, "Berta Riba", domain.RoleAdministrator)
		pair := w.collaborate(vidal, soler)
		w.grant(soler, pair, domain.RoleSales)
		w.assign(vidal, pair, jordi)
		people := func() map[string]domain.Role {
			roles := map[string]domain.Role{}
			for _, person := range w.access(staff, AccessQuery{Client: soler.id})[0].People {
				roles[person.Name] = person.Role
			}
			return roles
		}
		all := map[string]domain.Role{"Owner of Vidal": domain.RoleOwner, "Berta Riba": domain.RoleAdministrator, "Jordi Puig": domain.RoleAccountManager}
		require.Equal(t, all, people())

		w.do(vidal.owner, commands.ChangeMemberRole{AccountID: vidal.id, UserID: berta.UserID, Role: domain.RoleAccountManager})
		require.NotContains(t, people(), "Berta Riba", "an account manager who is not assigned")

		w.do(vidal.owner, commands.UnassignAccountManager{PairFields: pair, UserID: jordi.UserID})
		require.NotContains(t, people(), "Jordi Puig")
		require.Empty(t, w.access(staff, AccessQuery{User: jordi.UserID}))

		w.assign(vidal, pair, jordi)
		w.do(vidal.owner, commands.TransferOwnership{AccountID: vidal.id, UserID: jordi.UserID})
		require.Equal(t, map[string]domain.Role{"Owner of Vidal": domain.RoleAdministrator, "Jordi Puig": domain.RoleOwner}, people())

		w.do(jordi, commands.RemoveMember{AccountID: vidal.id, UserID: vidal.owner.UserID})
		require.Equal(t, map[string]domain.Role{"Jordi Puig": domain.RoleOwner}, people(), "a removed member is no longer among the people")
	})
}

func TestAnEndedCollaborationTakesAllAccessAndANewOneRevivesNone(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler := w.partner("Vidal"), w.client("Soler", domain.PlanBasic)
		jordi := w.join(vidal, "Jordi Puig", domain.RoleAccountManager)
		pair := w.collaborate(vidal, soler)
		w.grant(soler, pair, domain.RoleSales)
		w.assign(vidal, pair, jordi)
		w.do(soler.owner, commands.EndCollaboration{PairFields: pair, Reason: "We found somebody nearer."})
		ended := w.now

		item := w.access(staff, AccessQuery{Client: soler.id})[0]
		require.Equal(t, domain.GrantRevoked, item.Status)
		require.Equal(t, &ended, item.EndedAt)
		require.Empty(t, item.Effective)
		require.Empty(t, item.People)

		w.collaborate(vidal, soler)
		require.Empty(t, w.access(staff, AccessQuery{Client: soler.id, LiveOnly: true}))
		second := w.grant(soler, pair, domain.RoleSales)
		live := w.access(staff, AccessQuery{Client: soler.id, LiveOnly: true})
		require.Len(t, live, 1)
		require.Equal(t, second, live[0].GrantID)
		require.Len(t, live[0].People, 1, "the owner; the account manager was that of the first engagement")
	})
}

// The end of a collaboration ends everything in it, also a grant, an assignment or a choice that has no end of its own in the log.
func TestTheEndOfACollaborationNeedsNoOtherEvents(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler := w.partner("Vidal"), w.client("Soler", domain.PlanBasic)
		jordi := w.join(vidal, "Jordi Puig", domain.RoleAccountManager)
		pair := w.collaborate(vidal, soler)
		w.grant(soler, pair, domain.RoleSales)
		w.assign(vidal, pair, jordi)
		id := domain.Pair(pair).CollaborationID()
		useless := func() {
			t.Helper()
			item := w.access(staff, AccessQuery{Client: soler.id})[0]
			require.Empty(t, item.Effective)
			require.Empty(t, item.People)
			w.noTasks(vidal.viewer(), TasksQuery{Client: soler.id})
			require.Empty(t, w.kpis(ViewerFor(jordi), KPIQuery{Client: soler.id}))
		}
		w.fact(domain.CollaborationStream, id, domain.CollaborationEnded{Pair: domain.Pair(pair), Engagement: 1, EndedBy: domain.ClientSide, AccessEpoch: 2})
		useless()
		w.fact(domain.CollaborationStream, id, domain.CollaborationRequested{Pair: domain.Pair(pair), CollaborationID: id, Engagement: 2})
		useless()
		w.fact(domain.CollaborationStream, id, domain.CollaborationAccepted{Pair: domain.Pair(pair), Engagement: 2})
		useless()
	})
}

func TestAConsultancyOutOfStandingHasNoAccess(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler := w.partner("Vidal"), w.client("Soler", domain.PlanBasic)
		w.grant(soler, w.collaborate(vidal, soler), domain.RoleSales)
		w.outOfStanding(vidal)
		item := w.access(staff, AccessQuery{Client: soler.id})[0]
		require.Equal(t, domain.GrantLive, item.Status, "the client has not taken it back")
		require.Empty(t, item.Effective)
		require.Empty(t, item.People)
		w.noTasks(vidal.viewer(), TasksQuery{Client: soler.id})
		items := w.kpis(vidal.viewer(), KPIQuery{Client: soler.id})
		require.Len(t, items, 1)
		require.Empty(t, items[0].Sections)
	})
}

func TestAccessIsShownToItsPartiesOnly(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, rius := w.partner("Vidal"), w.partner("Rius")
		soler, mas := w.client("Soler", domain.PlanBasic), w.client("Mas", domain.PlanBasic)
		ours := w.grant(soler, w.collaborate(vidal, soler), domain.RoleSales)
		theirs := w.grant(soler, w.collaborate(rius, soler), domain.RoleSales)
		elsewhere := w.grant(mas, w.collaborate(vidal, mas), domain.RoleSales)
		grants := func(v Viewer, q AccessQuery) []uuid.UUID {
			ids := []uuid.UUID{}
			for _, item := range w.access(v, q) {
				ids = append(ids, item.GrantID)
			}
			return ids
		}
		require.Equal(t, []uuid.UUID{theirs, ours}, grants(soler.viewer(), AccessQuery{Client: soler.id}))
		require.Equal(t, []uuid.UUID{ours}, grants(vidal.viewer(), AccessQuery{Client: soler.id}))
		require.Equal(t, []uuid.UUID{elsewhere, ours}, grants(vidal.viewer(), AccessQuery{Consultancy: vidal.id}))
		require.Equal(t, []uuid.UUID{ours}, grants(soler.viewer(), AccessQuery{Consultancy: vidal.id}))
		require.Equal(t, []uuid.UUID{ours}, grants(staff, AccessQuery{Consultancy: vidal.id, Client: soler.id}))
		require.Equal(t, []uuid.UUID{elsewhere, ours}, grants(staff, AccessQuery{User: vidal.owner.UserID}))
		require.Empty(t, grants(rius.viewer(), AccessQuery{User: vidal.owner.UserID}))
		require.Empty(t, grants(mas.viewer(), AccessQuery{Client: soler.id}))

		_, err := w.engine.Access(w.settled(), Viewer{}, AccessQuery{Client: soler.id})
		require.True(t, domain.HasCode(err, "unauthenticated"), err)
		_, err = w.engine.Access(w.settled(), staff, AccessQuery{})
		require.True(t, domain.HasCode(err, "invalid"), err)
	})
}

func TestAPersonsAccessIncludesWhatTheyUsedBefore(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler := w.partner("Vidal"), w.client("Soler", domain.PlanBasic)
		jordi := w.join(vidal, "Jordi Puig", domain.RoleAccountManager)
		pair := w.collaborate(vidal, soler)
		grant := w.grant(soler, pair, domain.RoleSales)
		w.assign(vidal, pair, jordi)
		w.do(jordi, commands.OpenClientAccount{PairFields: pair})
		w.do(vidal.owner, commands.RemoveMember{AccountID: vidal.id, UserID: jordi.UserID})

		items := w.access(soler.viewer(), AccessQuery{User: jordi.UserID})
		require.Len(t, items, 1)
		require.Equal(t, grant, items[0].GrantID)
		require.Len(t, items[0].People, 1)
	})
}

func TestAccessPagesFollowEachOther(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler := w.partner("Vidal"), w.client("Soler", domain.PlanBasic)
		pair := w.collaborate(vidal, soler)
		var want, got []uuid.UUID
		for range 5 {
			want = append([]uuid.UUID{w.grant(soler, pair, domain.RoleSales)}, want...)
			w.do(soler.owner, commands.RevokeAccess{PairFields: pair})
		}
		q := AccessQuery{Client: soler.id, Paging: Paging{Limit: 2}}
		for pages := 1; ; pages++ {
			page, err := w.engine.Access(w.settled(), staff, q)
			require.NoError(t, err)
			for _, item := range page.Items {
				got = append(got, item.GrantID)
			}
			if page.Next == "" {
				require.Equal(t, 3, pages)
				break
			}
			q.Cursor = page.Next
		}
		require.Equal(t, want, got)
	})
}
