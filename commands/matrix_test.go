package commands

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/domain"
)

// matrix is a table of states: every command that it covers, from each of its parties, is decided in every world.
type matrix struct {
	title  string
	covers func(Spec) bool
	worlds []world
}

func named(names ...string) func(Spec) bool {
	return func(spec Spec) bool { return slices.Contains(names, spec.Name) }
}

func ofSteps(steps ...string) func(Spec) bool {
	return func(spec Spec) bool { return slices.Contains(steps, spec.Step) }
}

// world is a state that commands can meet at noon, with the history that led to it.
type world struct {
	name  string
	given []domain.Event
}

func matrices() []matrix {
	return []matrix{
		{"the partnership", ofSteps("S2", "S3"), partnershipWorlds()},
		{"the collaboration and its grant, and what both depend on", ofSteps("S5", "S6", "S7", "S8", "S11"), pairWorlds()},
		{"the same, for work in the client's account", named("OpenClientAccount", "CloseClientAccount", "CompleteTask"), pairWorlds()},
		{"a log-in", named("CloseClientAccount", "ExpireSession"), sessionWorlds()},
		{"a task", ofSteps("S10"), taskWorlds()},
		{"a webhook", ofSteps(WebhookStep), webhookWorlds()},
		{"an account", named("RegisterAccount", "UpdateAccountDetails", "CloseAccount", "RecordSubscription", "InviteMember", "ChangeMemberRole", "RemoveMember", "TransferOwnership"), accountWorlds()},
		{"an invitation", named("InviteMember", "ResendInvitation", "RevokeInvitation", "AcceptInvitation", "ExpireInvitation"), invitationWorlds()},
		{"a role of a client's own, and what uses it", named("CreateRole", "UpdateRole", "DeleteRole"), roleWorlds()},
	}
}

func accountWorlds() []world {
	left := domain.MemberRemoved{AccountID: firmID, UserID: firmManager.UserID}
	return []world{
		{"not registered", shop},
		{"open", history(shop, firm)},
		{"subscription past due", history(shop, firm, pastDue(firmID, domain.PlanBasic))},
		{"ownership transferred", history(shop, firm, domain.OwnershipTransferred{AccountID: firmID, From: firmOwner.UserID, To: firmManager.UserID})},
		{"the account manager an administrator", history(shop, firm, domain.MemberRoleChanged{AccountID: firmID, UserID: firmManager.UserID, Role: domain.RoleAdministrator})},
		{"the account manager removed", history(shop, firm, left)},
		{"closed", history(shop, firm, firmClosed)},
	}
}

func invitationWorlds() []world {
	lapsed := invitation("nora@example.com", domain.RoleAccountManager, noon)
	recorded := domain.InvitationExpired{AccountID: firmID, InvitationID: lapsed.InvitationID, ExpiredAt: noon}
	anew := lapsed
	anew.InvitationID, anew.Member.UserID, anew.ExpiresAt = id(33), id(34), invitationEnd
	in := domain.MemberJoined{AccountID: firmID, InvitationID: invitedNora.InvitationID, Member: invitedNora.Member, Role: domain.RoleAccountManager}
	return []world{
		{"none", history(shop, firm)},
		{"open", history(shop, firm, invitedNora)},
		{"lapsed unrecorded", history(shop, firm, lapsed)},
		{"lapsed", history(shop, firm, lapsed, recorded)},
		{"sent again after it lapsed", history(shop, firm, lapsed, recorded, domain.InvitationResent{AccountID: firmID, InvitationID: lapsed.InvitationID, ExpiresAt: invitationEnd})},
		{"lapsed, and the person invited anew", history(shop, firm, lapsed, recorded, anew)},
		{"revoked", history(shop, firm, invitedNora, domain.InvitationRevoked{AccountID: firmID, InvitationID: invitedNora.InvitationID})},
		{"accepted", history(shop, firm, invitedNora, in)},
		{"open, the account closed", history(shop, firm, invitedNora, firmClosed)},
	}
}

func roleWorlds() []world {
	grant := domain.AccessGranted{Pair: firmAndShop, GrantID: grantID, RoleID: ownRole, RoleVersion: 1, Permissions: ownMay, AccessEpoch: 1}
	return []world{
		{"none", active},
		{"defined", history(active, roleExists)},
		{"held by a member", history(active, roleExists, domain.MemberRoleChanged{AccountID: shopID, UserID: shopHR.UserID, Role: ownRole})},
		{"in an invitation", history(active, roleExists, domain.MemberInvited{AccountID: shopID, InvitationID: id(35), Member: domain.Person{UserID: id(36), Name: "Pau", Email: "pau@example.com"}, Role: ownRole, ExpiresAt: invitationEnd})},
		{"granted", history(active, roleExists, grant)},
		{"defined, the plan without custom roles", history(active, roleExists, subscribed(shopOwner, domain.PlanStandard))},
		{"granted, the plan without custom roles", history(active, roleExists, grant, subscribed(shopOwner, domain.PlanFree))},
		{"deleted", history(active, roleExists, domain.RoleDeleted{AccountID: shopID, RoleID: ownRole})},
		{"defined, the account closed", history(active, roleExists, shopClosed)},
	}
}

func partnershipWorlds() []world {
	pastDue := pastDue(firmID, domain.PlanBasic)
	return []world{
		{"not applied", firm},
		{"applied", applied},
		{"rejected", history(applied, domain.PartnershipRejected{ConsultancyID: firmID, ReasonCode: "other"})},
		{"withdrawn", history(applied, domain.ApplicationWithdrawn{ConsultancyID: firmID})},
		{"accepted", partner},
		{"profile in review", inReview},
		{"listed", listedFirm},
		{"unlisted", history(listedFirm, domain.ProfileUnlisted{ConsultancyID: firmID})},
		{"subscription lapsed", history(listedFirm, pastDue)},
		{"suspended by a reviewer", history(inReview, notInStanding)},
		{"suspended for the subscription", history(listedFirm, pastDue, unpaid)},
		{"suspended for the subscription, which is current again", history(listedFirm, pastDue, unpaid, subscribed(firmOwner, domain.PlanBasic))},
		{"terminated", history(listedFirm, terminated)},
		{"account closed", history(inReview, firmClosed)},
	}
}

// pastDue is what billing says of an account that has not paid in time.
func pastDue(account uuid.UUID, plan domain.Plan) domain.Event {
	return domain.SubscriptionRecorded{AccountID: account, Plan: plan, Status: domain.PastDue}
}

func pairWorlds() []world {
	lapsedRequest := request(1)
	lapsedRequest.ExpiresAt = noon
	assigned := domain.AccountManagerAssigned{Pair: firmAndShop, UserID: firmManager.UserID}
	worlds := []world{
		{"no history", market},
		{"enquiry", enquiry},
		{"enquiry, blocked", history(enquiry, block)},
		{"pending", pending},
		{"pending, lapsed unrecorded", history(market, lapsedRequest)},
		{"declined", history(pending, declined)},
		{"declined by a block", history(pending, blockedIt, block)},
		{"withdrawn", history(pending, withdrawn)},
		{"expired", history(pending, expired)},
		{"active, no grant", history(active, assigned)},
		{"granted", inside},
		{"granted until tomorrow", history(active, until(noon.Add(24*time.Hour)), assigned)},
		{"granted, ended unrecorded", history(active, until(noon), assigned)},
		{"grant suspended", history(inside, suspended)},
		{"grant revoked", history(inside, domain.AccessRevoked{Pair: firmAndShop, GrantID: grantID, AccessEpoch: 2})},
		{"grant expired", history(active, until(noon), domain.AccessExpired{Pair: firmAndShop, GrantID: grantID, AccessEpoch: 2, ExpiredAt: noon}, assigned)},
		{"ended", ended},
		{"granted, the account manager left", history(inside, domain.MemberRemoved{AccountID: firmID, UserID: firmManager.UserID})},
		{"granted, the profile unlisted", history(inside, domain.ProfileUnlisted{ConsultancyID: firmID})},
		{"granted, the partnership suspended", history(inside, notInStanding)},
		{"granted, the partnership terminated", history(inside, terminated)},
		{"pending, the partnership suspended", history(pending, notInStanding)},
		{"pending, the partnership terminated", history(pending, terminated)},
		{"granted, the consultancy's account closed", history(inside, firmClosed)},
		{"granted, the client's account closed", history(inside, shopClosed)},
		{"pending, the consultancy's account closed", history(pending, firmClosed)},
		{"pending, the client's account closed", history(pending, shopClosed)},
		{"grant suspended, ended unrecorded", history(active, until(noon), suspended, assigned)},
		{"granted, both subscriptions past due", history(inside, pastDue(firmID, domain.PlanBasic), pastDue(shopID, domain.PlanPremium))},
		{"ended, blocked", history(ended, block)},
	}
	for i := range worlds { // commands about a log-in or a task meet one that is open
		worlds[i].given = history(worlds[i].given, login, invoices)
	}
	return worlds
}

func sessionWorlds() []world {
	over := login
	over.ExpiresAt = noon
	lost := domain.AccessRevoked{Pair: firmAndShop, GrantID: grantID, AccessEpoch: 2}
	return []world{
		{"open", history(inside, login)},
		{"open, its access lost", history(inside, login, lost)},
		{"over, unrecorded", history(inside, over)},
		{"closed", history(inside, login, domain.ClientAccountClosed{Pair: firmAndShop, SessionID: login.SessionID, Reason: domain.LoggedOut})},
	}
}

func taskWorlds() []world {
	return []world{
		{"not raised", inside},
		{"pending", history(inside, invoices)},
		{"completed", history(inside, invoices, completed(invoices))},
		{"cancelled", history(inside, invoices, domain.TaskCancelled{TaskID: invoices.TaskID, ClientID: shopID, Section: domain.Sales})},
	}
}

// askedBy is a command as one of its parties asks for it.
type askedBy struct {
	spec  Spec
	party Party
	when  when
}

// asks are the matrix's commands, each from each of its parties, as in the first scenario in which it is accepted.
func (m matrix) asks(t *testing.T) []askedBy {
	t.Helper()
	var asks []askedBy
	scenarios := openScenarios()
	for _, spec := range List() {
		if !m.covers(spec) {
			continue
		}
		for _, party := range spec.By {
			first := slices.IndexFunc(scenarios, func(s scenario) bool {
				return s.when.command == spec.Name && s.then.refusal == nil && slices.Contains(s.parties(t), party)
			})
			require.GreaterOrEqual(t, first, 0, "%s is never accepted from %s", spec.Name, party)
			asks = append(asks, askedBy{spec, party, scenarios[first].when})
		}
	}
	return asks
}

// outcome is what a command meets in a world.
type outcome struct {
	askedBy
	world   string
	events  []domain.Event
	refusal *domain.Error // nil: it is accepted
}

// outcomes decides every ask in every world. Nothing is appended, so that one log serves all that is asked in its world.
func (m matrix) outcomes(t *testing.T, asks []askedBy) []outcome {
	t.Helper()
	var all []outcome
	for _, w := range m.worlds {
		n := newNode(t)
		n.happened(w.given...)
		n.setClock(noon)
		for _, ask := range asks {
			events, err := n.decided(n.States, ask.when)
			o := outcome{askedBy: ask, world: w.name, events: events}
			if err != nil {
				require.IsType(t, &domain.Error{}, err)
				o.refusal = domain.AsError(err)
			}
			all = append(all, o)
		}
	}
	return all
}

// TestEveryCommandMeetsEveryState keeps the states fit for the commands that meet them: each is accepted from each of its parties
// in some state, and none is left out. What they meet is held by docs/states.md.
func TestEveryCommandMeetsEveryState(t *testing.T) {
	met := map[string]bool{}
	for _, m := range matrices() {
		accepted, asks := map[string]bool{}, m.asks(t)
		for _, o := range m.outcomes(t, asks) {
			key := o.spec.Name + " from " + string(o.party)
			accepted[key] = accepted[key] || o.refusal == nil
			if o.refusal != nil {
				require.Contains(t, []domain.Kind{domain.Forbidden, domain.NotFound, domain.Refused}, o.refusal.Kind, "%s in %s", key, o.world)
			}
		}
		for _, ask := range asks {
			key := ask.spec.Name + " from " + string(ask.party)
			require.True(t, accepted[key], "%s is accepted in no state of %s", key, m.title)
			met[ask.spec.Name] = true
		}
	}
	for _, spec := range List() {
		require.True(t, met[spec.Name], "%s meets no states", spec.Name)
	}
}

// TestNoAccessWithoutAllThatItNeeds: of all states, a consultancy's people act in the client's account in those alone in which the
// collaboration is active, the grant live, the partnership in standing and both accounts open (invariant 1).
func TestNoAccessWithoutAllThatItNeeds(t *testing.T) {
	pairs := matrices()[2]
	for _, o := range pairs.outcomes(t, pairs.asks(t)) {
		if o.party != ConsultancyWorker || !slices.Contains([]string{"OpenClientAccount", "CompleteTask"}, o.spec.Name) {
			continue
		}
		holds := []string{"granted", "granted until tomorrow", "granted, the profile unlisted", "granted, both subscriptions past due"}
		if o.when.actor != firmManager {
			holds = append(holds, "granted, the account manager left")
		}
		require.Equal(t, slices.Contains(holds, o.world), o.refusal == nil, "%s in %s: %v", o.spec.Name, o.world, o.refusal)
	}
}

// played is a matrix with what all that is asked has met.
type played struct {
	matrix
	asks     []askedBy
	outcomes []outcome
}

func playMatrices(t *testing.T) []played {
	t.Helper()
	var all []played
	for _, m := range matrices() {
		asks := m.asks(t)
		all = append(all, played{m, asks, m.outcomes(t, asks)})
	}
	return all
}

// documentMatrices tells what every command meets in every state.
func documentMatrices(tables []played) string {
	var b strings.Builder
	b.WriteString("# Every command in every state\n\nWhat each command meets in each state, asked by one of those who may. Generated as [domain.md](domain.md) is.\n")
	for _, m := range tables {
		b.WriteString("\n## States of " + m.title + "\n\n| command | from | accepted | refused |\n|---|---|---|---|\n")
		for _, ask := range m.asks {
			var accepted, codes []string
			refused := map[string][]string{}
			for _, o := range m.outcomes {
				switch {
				case o.spec.Name != ask.spec.Name || o.party != ask.party:
				case o.refusal == nil:
					accepted = append(accepted, o.world)
				default:
					refused[o.refusal.Code] = append(refused[o.refusal.Code], o.world)
				}
			}
			for _, code := range slices.Sorted(maps.Keys(refused)) {
				codes = append(codes, "`"+code+"`: "+strings.Join(refused[code], "; "))
			}
			b.WriteString("| " + ask.spec.Name + " | " + string(ask.party) + " | " + strings.Join(accepted, "; ") + " | " + strings.Join(codes, "<br>") + " |\n")
		}
	}
	return b.String()
}
