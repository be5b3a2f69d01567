package projections

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

// effective asks what a person may do; the query must succeed.
func (w *world) effective(v Viewer, pair commands.PairFields, user uuid.UUID) EffectiveAccess {
	w.t.Helper()
	answer, err := w.engine.EffectiveAccess(w.settled(), v, EffectiveQuery{Consultancy: pair.ConsultancyID, Client: pair.ClientID, User: user})
	require.NoError(w.t, err)
	return answer
}

// why lists the codes of a section's reasons, after its level.
func (a EffectiveAccess) why(section domain.Section) []string {
	for _, s := range a.Sections {
		if s.Section == section {
			return append([]string{string(s.Level)}, codesOf(s.Reasons)...)
		}
	}
	return nil
}

func codesOf(reasons []Reason) []string {
	codes := []string{}
	for _, reason := range reasons {
		code := reason.Code
		if reason.State != "" {
			code += " " + reason.State
		}
		codes = append(codes, code)
	}
	return codes
}

func TestEffectiveAccessTellsWhatPermitsEachSectionOrWhatDoesNot(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler := w.partner("Vidal"), w.client("Soler", domain.PlanBasic)
		jordi, pau := w.join(vidal, "Jordi Puig", domain.RoleAccountManager), w.join(vidal, "Pau Roca", domain.RoleAccountManager)
		pair := w.collaborate(vidal, soler)
		w.assign(vidal, pair, jordi)
		none := w.effective(soler.viewer(), pair, jordi.UserID)
		require.Equal(t, []string{"no_live_grant none"}, codesOf(none.Obstacles))
		require.Equal(t, []string{"none", "no_live_grant none"}, none.why(domain.Sales))

		until := w.now.Add(48 * time.Hour)
		grant := w.grant(soler, pair, domain.RoleFinance, until)
		a := w.effective(soler.viewer(), pair, jordi.UserID)
		require.Len(t, a.Sections, len(domain.Sections()))
		require.Equal(t, EffectiveSection{
			Section: domain.Sales, Level: domain.Edit, Granted: domain.Edit,
			Reasons: []Reason{{Code: "granted", State: "edit", Words: "Permitted by role finance, version 1, in grant " + grant.String() + "."}},
		}, a.Sections[0])
		require.Equal(t, []string{"none", "not_in_plan basic"}, a.why(domain.Projects))
		require.Equal(t, []string{"none", "not_in_role"}, a.why(domain.Payroll))
		a.Sections = nil
		require.Equal(t, EffectiveAccess{
			CollaborationID: domain.Pair(pair).CollaborationID(), ConsultancyID: vidal.id, ClientID: soler.id, ConsultancyName: "Vidal", ClientName: "Soler",
			UserID: jordi.UserID, UserName: "Jordi Puig", UserRole: domain.RoleAccountManager, Plan: domain.PlanBasic, RoleVersion: 1,
			Access: &AccessTerms{GrantID: grant, RoleID: domain.RoleFinance, Status: domain.GrantLive, Until: &until}, Obstacles: []Reason{},
		}, a)
		require.Equal(t, []string{"none", "not_assigned"}, w.effective(vidal.viewer(), pair, pau.UserID).why(domain.Sales))
		stranger := w.effective(staff, pair, soler.owner.UserID)
		require.Equal(t, []string{"none", "not_a_member"}, stranger.why(domain.Sales))
		require.Empty(t, stranger.UserName, "nobody of the consultancy is named")

		w.do(soler.owner, commands.SuspendAccess{PairFields: pair})
		require.Equal(t, []string{"none", "no_live_grant suspended", "not_in_plan basic"}, w.effective(staff, pair, jordi.UserID).why(domain.Projects))
		w.pass(48 * time.Hour)
		require.Equal(t, []string{"no_live_grant expired"}, codesOf(w.effective(staff, pair, jordi.UserID).Obstacles), "before the clock records it")
		w.grant(soler, pair, domain.RoleSales)
		w.outOfStanding(vidal)
		w.do(soler.owner, commands.CloseAccount{AccountID: soler.id})
		require.Equal(t, []string{"not_assigned", "account_closed closed", "partnership_not_in_standing"}, codesOf(w.effective(staff, pair, pau.UserID).Obstacles))
	})
}

func TestEffectiveAccessKnowsNoGrantOfAnOldEngagement(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler := w.partner("Vidal"), w.client("Soler", domain.PlanBasic)
		pair := w.collaborate(vidal, soler)
		w.grant(soler, pair, domain.RoleSales)
		w.do(soler.owner, commands.EndCollaboration{PairFields: pair, Reason: "Done."})
		require.Equal(t, []string{"collaboration_not_active ended", "no_live_grant revoked"}, codesOf(w.effective(staff, pair, vidal.owner.UserID).Obstacles))
		w.collaborate(vidal, soler)
		again := w.effective(staff, pair, vidal.owner.UserID)
		require.Equal(t, []string{"no_live_grant none"}, codesOf(again.Obstacles))
		require.Nil(t, again.Access)
	})
}

func TestEffectiveAccessIsForTheParties(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler, rius := w.partner("Vidal"), w.client("Soler", domain.PlanBasic), w.partner("Rius")
		w.collaborate(vidal, soler)
		theirs := EffectiveQuery{Consultancy: vidal.id, Client: soler.id, User: vidal.owner.UserID}
		for code, refused := range map[string][]struct {
			v Viewer
			q EffectiveQuery
		}{
			"unauthenticated": {{Viewer{}, theirs}},
			"collaboration_not_found": {
				{rius.viewer(), theirs}, {w.client("Mas", domain.PlanBasic).viewer(), theirs},
				{staff, EffectiveQuery{Consultancy: rius.id, Client: soler.id, User: rius.owner.UserID}},
			},
			"invalid": {{staff, EffectiveQuery{Consultancy: vidal.id, Client: soler.id}}, {staff, EffectiveQuery{Client: soler.id, User: vidal.owner.UserID}}},
		} {
			for _, r := range refused {
				_, err := w.engine.EffectiveAccess(w.settled(), r.v, r.q)
				require.True(t, domain.HasCode(err, code), "%+v: %v", r.q, err)
			}
		}
	})
}

// compareEffective holds what a person is said to be permitted, and what is said to stand in the way, to what the domain decides.
func (c *cast) compareEffective(engine *Engine, g domain.Engagement, person domain.Actor) {
	answer, err := engine.EffectiveAccess(c.t.Context(), staff, EffectiveQuery{Consultancy: g.Pair.ConsultancyID, Client: g.Pair.ClientID, User: person.UserID})
	if g.Collaboration.Status == domain.CollaborationNone {
		require.True(c.t, domain.HasCode(err, "collaboration_not_found"), "%v", err)
		return
	}
	require.NoError(c.t, err)
	levels := domain.Permissions{}
	for _, section := range answer.Sections {
		levels[section.Section] = section.Level
		require.NotEmpty(c.t, section.Reasons)
		require.Equal(c.t, section.Level != domain.None, section.Reasons[0].Code == "granted")
	}
	require.True(c.t, levels.Equal(c.permitted(g, person)), "%v", answer)
	obstacles := []string{}
	for _, refusal := range g.Obstacles(person, c.now) {
		obstacles = append(obstacles, refusal.Code)
	}
	shown := []string{}
	for _, reason := range answer.Obstacles {
		shown = append(shown, reason.Code)
	}
	require.Equal(c.t, obstacles, shown)
	_, err = g.OpenClientAccount(person, c.now, uuid.New(), "")
	if len(answer.Obstacles) == 0 {
		require.True(c.t, err == nil || domain.HasCode(err, "role_not_in_plan"), "%v", err)
		return
	}
	require.True(c.t, domain.HasCode(err, answer.Obstacles[0].Code), "%v, not %v", err, answer.Obstacles)
	if answer.Obstacles[0].Code == "no_live_grant" {
		require.Equal(c.t, domain.AsError(err).State, answer.Obstacles[0].State)
	}
}
