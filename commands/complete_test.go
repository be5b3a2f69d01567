package commands

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/domain"
)

// allScenarios is every scenario of the package, for the tests about them.
func allScenarios() []scenario {
	return slices.Concat(openScenarios(), closedScenarios(), orderScenarios())
}

// openScenarios are those that are about one command each.
func openScenarios() []scenario {
	return slices.Concat(accountScenarios(), memberScenarios(), roleScenarios(), partnershipScenarios(), profileScenarios(),
		conversationScenarios(), requestScenarios(), accessScenarios(), grantUpkeepScenarios(), grantEndScenarios(), responsibilityScenarios(), endScenarios(),
		sessionScenarios(), taskScenarios(), notificationScenarios(), webhookScenarios())
}

func TestNobodyActsForAClosedAccount(t *testing.T) { run(t, closedScenarios()) }

// closedScenarios are all scenarios in which a member is accepted, had the member's account been closed right before.
func closedScenarios() []scenario {
	var closed []scenario
	for _, s := range openScenarios() {
		if s.then.refusal == nil && s.when.actor.Kind == domain.ActorUser {
			s.name += ", of an account that was closed"
			s.given, s.then = history(s.given, domain.AccountClosed{AccountID: s.when.actor.AccountID}), refuses("account_closed", "closed")
			closed = append(closed, s)
		}
	}
	return closed
}

func TestScenariosInOrder(t *testing.T) { run(t, orderScenarios()) }

// orderScenarios hold several reasons to refuse against each other: malformed before unknown before who asks before the state,
// and of states the collaboration's before the grant's, the grant's before the task's.
func orderScenarios() []scenario {
	everythingWrong := `{"consultancyId":"` + firmID.String() + `","clientId":"` + shopID.String() + `","roleId":"OWNER!"}`
	grant := GrantAccess{theirs, GrantTerms{RoleID: domain.RoleOwner}}
	complete := CompleteTask{TaskID: payslips.TaskID}
	open := OpenClientAccount{theirs, ""}
	salesGrant := financeGrant
	salesGrant.RoleID, salesGrant.Permissions = domain.RoleSales, salesMay
	done := completed(payslips)
	return []scenario{
		{"malformed, unknown, a stranger", nil, byJSON(stranger, "GrantAccess", everythingWrong), malforms("roleId")},
		{"unknown consultancy, unknown client, a stranger", nil, by(stranger, grant), misses("consultancy_not_found")},
		{"unknown client, a stranger", listedFirm, by(stranger, grant), misses("client_not_found")},
		{"no collaboration, a stranger", market, by(stranger, grant), misses("collaboration_not_found")},
		{"a stranger, not active", pending, by(stranger, grant), forbids("not_a_member")},
		{"not active, no standing, the owner's role", history(pending, notInStanding), by(shopOwner, grant), refuses("collaboration_not_active", "pending")},
		{"no standing, a live grant, the owner's role", history(inside, notInStanding), by(shopOwner, grant), refuses("partnership_not_in_standing", "suspended")},
		{"a closed account, not active", history(ended, firmClosed), by(shopOwner, grant), refuses("account_closed", "closed")},
		{"a closed account, pending", history(pending, firmClosed), by(shopOwner, RequestCollaboration{theirs, "m"}), refuses("account_closed", "closed")},
		{"a closed account, not pending", history(ended, shopClosed), by(firmOwner, AcceptCollaboration{theirs}), refuses("account_closed", "closed")},
		{"a closed account, blocked", history(enquiry, block, firmClosed), by(shopOwner, SendMessage{theirs, "m"}), refuses("account_closed", "closed")},
		{"a live grant, the owner's role", inside, by(shopOwner, grant), refuses("grant_exists", "granted")},

		{"no collaboration, a stranger", market, by(stranger, open), misses("collaboration_not_found")},
		{"not assigned, not active", ended, by(firmSpare, open), forbids("not_assigned")},
		{"not active, no standing, no grant", history(ended, notInStanding), by(firmOwner, open), refuses("collaboration_not_active", "ended")},
		{"no standing, no grant", history(active, notInStanding), by(firmOwner, open), refuses("partnership_not_in_standing", "suspended")},

		{"unknown task, a stranger", inside, by(stranger, complete), misses("task_not_found")},
		{"not assigned, ended, completed", history(ended, payslips, done), by(firmSpare, complete), forbids("not_assigned")},
		{"ended, no grant, completed", history(ended, payslips, done), by(firmOwner, complete), refuses("collaboration_not_active", "ended")},
		{"no grant, completed", history(active, payslips, done), by(firmOwner, complete), refuses("no_live_grant", "none")},
		{"not in the grant, completed", history(active, salesGrant, payslips, done), by(firmOwner, complete), refuses("section_not_granted", "granted")},
		{"a client's user who may not, completed", history(shop, payslips, done), by(shopHR, complete), forbids("role_not_sufficient")},

		{"a closed account, an account manager without assignment", history(active, firmClosed), by(firmSpare, open), forbids("not_assigned")},
		{"a closed account, a client's user who may not", history(shop, payslips, shopClosed), by(shopHR, complete), forbids("role_not_sufficient")},

		{"blocked, no standing", history(enquiry, block, notInStanding), by(shopOwner, RequestCollaboration{theirs, "m"}), refuses("client_blocked", "blocked")},
		{"pending, no standing", history(pending, notInStanding), by(shopOwner, RequestCollaboration{theirs, "m"}), refuses("already_pending", "pending")},
		{"not pending, no standing", history(ended, notInStanding), by(firmOwner, AcceptCollaboration{theirs}), refuses("not_pending", "ended")},
		{"unknown person, not an administrator, not active", ended, by(firmManager, AssignAccountManagers{theirs, ids(stranger)}), misses("member_not_found")},
		{"not an administrator, not active", ended, by(firmManager, AssignAccountManagers{theirs, ids(firmSpare)}), forbids("role_not_sufficient")},
	}
}

// TestEveryCommandIsTold: each command of the list is accepted in some scenario, and refused in some.
func TestEveryCommandIsTold(t *testing.T) {
	accepted, refused := map[string]bool{}, map[string]bool{}
	for _, s := range allScenarios() {
		if s.then.refusal == nil {
			accepted[s.when.command] = true
		} else {
			refused[s.when.command] = true
		}
	}
	for _, spec := range List() {
		require.True(t, accepted[spec.Name], "%s is never accepted", spec.Name)
		require.True(t, refused[spec.Name], "%s is never refused", spec.Name)
	}
	require.Len(t, accepted, len(List()), "a scenario is about a command that is not listed")
}

// TestEveryEventIsRaised: each event type of the catalogue is raised in some scenario.
func TestEveryEventIsRaised(t *testing.T) {
	raised := map[string]bool{}
	for _, s := range allScenarios() {
		for _, event := range s.then.events {
			raised[event.EventType()] = true
		}
	}
	for _, event := range domain.Events() {
		require.True(t, raised[event.Name], "no scenario raises %s", event.Name)
	}
}

// TestEveryRefusalIsProvoked: each code with which the domain or a command's Decide may refuse is the outcome of some scenario,
// and its kind is the one with which it is written.
func TestEveryRefusalIsProvoked(t *testing.T) {
	provoked := map[string]domain.Kind{}
	for _, s := range allScenarios() {
		if refusal := s.then.refusal; refusal != nil {
			kind, known := provoked[refusal.Code]
			require.True(t, !known || kind == refusal.Kind, "%s is of two kinds", refusal.Code)
			provoked[refusal.Code] = refusal.Kind
		}
	}
	written := refusalsIn(t, "../domain")
	for code, kind := range refusalsIn(t, ".") {
		written[code] = kind
	}
	require.Greater(t, len(written), 50, "the source was not read")
	require.Equal(t, written, provoked)
}

// refusalsIn collects the codes of a folder's calls of Refuse, Forbid, Missing and Invalid, with their kinds.
func refusalsIn(t *testing.T, folder string) map[string]domain.Kind {
	t.Helper()
	kinds := map[string]domain.Kind{"Refuse": domain.Refused, "Forbid": domain.Forbidden, "Missing": domain.NotFound, "Invalid": domain.Malformed}
	codes := map[string]domain.Kind{}
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	require.NoError(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok {
				return true
			}
			kind, ok := kinds[calledName(call)]
			if !ok {
				return true
			}
			literal, ok := call.Args[0].(*ast.BasicLit)
			require.True(t, ok, "%s: a refusal's code is written where it is made", name)
			code, err := strconv.Unquote(literal.Value)
			require.NoError(t, err)
			switch kind {
			case domain.NotFound:
				code += "_not_found"
			case domain.Malformed:
				code = "invalid"
			}
			codes[code] = kind
			return true
		})
	}
	return codes
}

// calledName is the name of the function that a call calls, without its package.
func calledName(call *ast.CallExpr) string {
	switch function := call.Fun.(type) {
	case *ast.Ident:
		return function.Name
	case *ast.SelectorExpr:
		return function.Sel.Name
	}
	return ""
}
