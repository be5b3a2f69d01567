package journeys

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
)

// read is a state as the ledger has it now.
func read[S any, P interface {
	*S
	Clone() *S
}](j *journey, kind string, id uuid.UUID) P {
	state, _, err := commands.Load[S, P](j.t.Context(), j.ledger.States, eventstore.StreamID{Kind: kind, ID: id})
	require.NoError(j.t, err)
	return state
}

// engagement is all that the ledger has of a pair.
func (j *journey) engagement(of domain.Pair) domain.Engagement {
	return domain.Engagement{
		Pair:          of,
		Consultancy:   read[domain.Account](j, domain.AccountStream, of.ConsultancyID),
		Client:        read[domain.Account](j, domain.AccountStream, of.ClientID),
		Partnership:   read[domain.Partnership](j, domain.PartnershipStream, of.ConsultancyID),
		Collaboration: read[domain.Collaboration](j, domain.CollaborationStream, of.CollaborationID()),
	}
}

// knownPairs lists the pairs with a history.
func (j *journey) knownPairs() []domain.Pair {
	var known []domain.Pair
	for _, firm := range j.firms {
		for _, shop := range j.shops {
			if of := (domain.Pair{ConsultancyID: firm, ClientID: shop}); j.pairs[of] != nil {
				known = append(known, of)
			}
		}
	}
	return known
}

// everybody lists the people of all accounts, each once.
func (j *journey) everybody() []uuid.UUID {
	var all []uuid.UUID
	for _, account := range slices.Concat(j.firms, j.shops) {
		for _, user := range j.people[account] {
			if !slices.Contains(all, user) {
				all = append(all, user)
			}
		}
	}
	return all
}

// codeOf is what a refusal is known by; empty without one.
func codeOf(err error) string {
	if err == nil {
		return ""
	}
	return domain.AsError(err).Code
}

// requireAsModelled holds all that the ledger knows to the model, and both to the invariants.
func (j *journey) requireAsModelled() {
	for _, id := range slices.Concat(j.firms, j.shops) {
		j.requireSame("account "+j.names[id.String()], j.pictureOfAccount(j.accounts[id]), j.seenOfAccount(read[domain.Account](j, domain.AccountStream, id)))
		if j.partners[id] == nil || j.partners[id].status == "" {
			continue
		}
		j.requireSame("partnership of "+j.names[id.String()], pictureOfPartner(j.partner(id)), seenOfPartner(read[domain.Partnership](j, domain.PartnershipStream, id)))
	}
	for _, of := range j.knownPairs() {
		g := j.engagement(of)
		j.requireSame("collaboration", j.pictureOfPair(j.pairs[of]), j.seenOfPair(g.Collaboration))
		j.requireAccess(g)
		j.requireNothingRevived(g.Collaboration)
	}
	for _, id := range j.opened {
		j.requireSession(j.sessions[id], read[domain.Session](j, domain.SessionStream, id))
	}
	for of, upTo := range j.readings {
		require.Equal(j.t, upTo, read[domain.Notifications](j, domain.NotificationsStream, domain.NotificationsID(of.account, of.user)).UpTo)
	}
	for _, id := range j.hooks {
		j.requireWebhook(id)
	}
	for id, known := range j.tasks {
		require.Equal(j.t, known.status, string(read[domain.Task](j, domain.TaskStream, id).Status))
	}
}

func (j *journey) requireSame(what, model, ledger string) {
	j.t.Helper()
	j.require(model == ledger, "%s: the model has %s, the ledger %s", what, model, ledger)
}

// Pictures are what a state and its model are compared by: with names for ids and terms from the start, so that they are the same
// whenever a journey is made again.
func (j *journey) pictureOfAccount(a *account) string {
	members, invitations, roles := map[string]domain.Role{}, map[string]string{}, map[string]string{}
	for id, m := range a.members {
		members[j.name(id)] = m.role
	}
	for id, i := range a.invitations {
		invitations[j.name(id)] = fmt.Sprint(j.name(i.user), i.role, i.until.Sub(j.start), i.recorded)
	}
	for id, r := range a.roles {
		roles[j.names[string(id)]] = fmt.Sprint(r.name, r.may, r.version)
	}
	return fmt.Sprint(a.closed, a.plan, a.subscription, a.details.TradeName, members, invitations, roles)
}

func (j *journey) seenOfAccount(a *domain.Account) string {
	members, invitations, roles := map[string]domain.Role{}, map[string]string{}, map[string]string{}
	for id, m := range a.Members {
		members[j.name(id)] = m.Role
	}
	for id, i := range a.Invitations {
		invitations[j.name(id)] = fmt.Sprint(j.name(i.UserID), i.Role, i.ExpiresAt.Sub(j.start), i.Expired)
	}
	for id, r := range a.Roles {
		roles[j.names[string(id)]] = fmt.Sprint(r.Name, r.Permissions, r.Version)
	}
	return fmt.Sprint(a.Status == "closed", a.Plan, a.Subscription, a.Details.TradeName, members, invitations, roles)
}

func pictureOfPartner(p *partner) string {
	var revisions []string
	for _, r := range p.revisions {
		revisions = append(revisions, r.status)
	}
	return fmt.Sprint(p.status, p.status == "suspended" && p.byLedger, p.unlisted, p.published, revisions)
}

func seenOfPartner(p *domain.Partnership) string {
	var revisions []string
	for _, r := range p.Revisions {
		revisions = append(revisions, string(r.Status))
	}
	return fmt.Sprint(p.Status, p.Suspension == "subscription_lapsed", p.Unlisted, p.Published, revisions)
}

func (j *journey) pictureOfPair(p *pair) string {
	managers, kpis := map[string]bool{}, map[string]int{}
	for user := range p.managers {
		managers[j.name(user)] = true
	}
	for user, sections := range p.kpis {
		kpis[j.name(user)] = len(sections)
	}
	text := fmt.Sprint(p.status, p.engagement, p.until.Sub(j.start), p.blocked, managers, kpis, p.messages, p.read["client"], p.read["consultancy"])
	if g := p.grant; g != nil {
		text += fmt.Sprint(" ", g.status, g.role, g.version, g.may, g.until.Sub(j.start), g.reminded)
	}
	return text
}

func (j *journey) seenOfPair(c *domain.Collaboration) string {
	managers, kpis := map[string]bool{}, map[string]int{}
	for user := range c.Managers {
		managers[j.name(user)] = true
	}
	for user, sections := range c.KPIs {
		kpis[j.name(user)] = len(sections)
	}
	text := fmt.Sprint(c.Status, c.Engagement, c.ExpiresAt.Sub(j.start), c.Blocked, managers, kpis, c.Messages, c.ReadUpTo["client"], c.ReadUpTo["consultancy"])
	if g := c.Grant; g != nil {
		text += fmt.Sprint(" ", g.Status, g.RoleID, g.RoleVersion, g.Permissions, g.ExpiresAt.Sub(j.start), g.Reminded)
	}
	return text
}

// requireAccess asks, for everybody, whether they could log in now, and as what: no access without all that it needs (invariant 1),
// no more than the grant as it was pinned and the plan let through (invariant 2), and not at or beyond its end (invariant 3).
func (j *journey) requireAccess(g domain.Engagement) {
	now := j.now()
	grant := g.Collaboration.Grant
	all := g.Consultancy.Status == "open" && g.Client.Status == "open" && g.Partnership.Status == "accepted" && g.Collaboration.Status == "active" &&
		grant != nil && grant.Status == "granted" && (grant.ExpiresAt.IsZero() || now.Before(grant.ExpiresAt))
	for _, user := range j.everybody() {
		actor := domain.User(g.Pair.ConsultancyID, user)
		event, err := g.OpenClientAccount(actor, now, nowhere, "")
		expected := j.mayOpen(actor, g.Pair)
		j.require(codeOf(err) == expected, "%s logs in: the model expects %q, and the ledger says %q", j.who(actor), expected, codeOf(err))
		if err != nil {
			continue
		}
		login := event.(domain.ClientAccountOpened)
		j.require(all, "%s has access without all that it needs", j.who(actor))
		member := g.Consultancy.Members[user]
		j.require(member.Role != "account_manager" || g.Collaboration.Managers[user], "%s has access without an assignment", j.who(actor))
		pinned := j.pairs[g.Pair].grant
		j.require(maps.Equal(login.Permissions, j.accounts[g.Pair.ClientID].cut(pinned.may)), "%s may %v of a grant of %v", j.who(actor), login.Permissions, pinned.may)
		j.require(login.ExpiresAt.Equal(pinned.sessionEnd(now)), "%s's log-in ends at %s", j.who(actor), j.at(login.ExpiresAt))
	}
}

// requireNothingRevived: a request, and with it an engagement, begins without anything of an earlier one (invariant 5).
func (j *journey) requireNothingRevived(c *domain.Collaboration) {
	if c.Status == "active" {
		return
	}
	j.require(len(c.Managers) == 0 && len(c.KPIs) == 0, "account managers or KPI choices outlive the collaboration")
	j.require(c.Grant == nil || c.Status == "ended" && c.Grant.Status != "granted" && c.Grant.Status != "suspended", "a grant outlives the collaboration")
}

// requireSession: a log-in fails at once when the access behind it is not what it was, be it of another epoch, grant or engagement
// (invariants 4 and 5).
func (j *journey) requireSession(model *session, s *domain.Session) {
	j.requireSame("log-in", fmt.Sprint(j.name(model.user), model.until.Sub(j.start), model.closed), fmt.Sprint(j.name(s.UserID), s.ExpiresAt.Sub(j.start), s.Status == "closed"))
	now := j.now()
	if model.closed || !now.Before(model.until) {
		return
	}
	g := j.engagement(model.pair)
	_, err := g.CloseClientAccount(reactor, now, s)
	lost := !domain.HasCode(err, "access_not_lost")
	j.require(lost == j.lost(model, now), "the model has the log-in lost: %v, the ledger: %v", j.lost(model, now), lost)
	if grant := g.Collaboration.Grant; grant == nil || grant.GrantID != s.GrantID || g.Collaboration.AccessEpoch != s.AccessEpoch {
		j.require(lost, "a log-in of an older epoch goes on")
	}
}

// reach is how far a grant goes, as it is recorded.
type reach struct {
	epoch int
	live  bool
	may   domain.Permissions
	until time.Time
}

// granted is how far the grants of all pairs go now.
func (j *journey) granted() map[domain.Pair]reach {
	all := map[domain.Pair]reach{}
	for _, of := range j.knownPairs() {
		c := read[domain.Collaboration](j, domain.CollaborationStream, of.CollaborationID())
		r := reach{epoch: c.AccessEpoch}
		if g := c.Grant; g != nil {
			r.live, r.may, r.until = g.Status == "granted", g.Permissions, g.ExpiresAt
		}
		all[of] = r
	}
	return all
}

// beyond tells whether a grant goes further than it did.
func (r reach) beyond(before reach) bool {
	if !r.live {
		return false
	}
	longer := !before.until.IsZero() && (r.until.IsZero() || r.until.After(before.until))
	for section, level := range r.may {
		if level == "edit" && before.may[section] != "edit" || level == "read" && before.may[section] != "read" && before.may[section] != "edit" {
			return true
		}
	}
	return !before.live || longer
}

// requireOnlyTheClientWidens: what somebody else does leaves grants as they are, or narrows them (invariant 6). What takes access
// away raises the epoch, so that sessions of before fail (invariant 4).
func (j *journey) requireOnlyTheClientWidens(actor domain.Actor, before map[domain.Pair]reach) {
	for of, after := range j.granted() {
		j.require(!after.beyond(before[of]) || onClientSide(actor, of), "%s has widened the client's grant", j.who(actor))
		narrowed := before[of].live && !after.live || before[of].live && !maps.Equal(before[of].may, after.may)
		j.require(after.epoch >= before[of].epoch && (!narrowed || after.epoch > before[of].epoch), "access was taken away, and the epoch went from %d to %d", before[of].epoch, after.epoch)
	}
}

// requireActsForOneAccount: whoever acts as a user is a member of the account that they act for, and changes nothing but what that
// account is a party to (invariant 8).
func (j *journey) requireActsForOneAccount(actor domain.Actor, streams []string) {
	if actor.Kind != domain.ActorUser {
		return
	}
	own := []string{accountFact(actor.AccountID), partnerFact(actor.AccountID), listFact(memberOf{actor.AccountID, actor.UserID})}
	clients := []uuid.UUID{actor.AccountID}
	for _, of := range j.knownPairs() {
		if of.ConsultancyID == actor.AccountID || of.ClientID == actor.AccountID {
			own = append(own, pairFact(of))
			clients = append(clients, of.ClientID)
		}
	}
	for id, s := range j.sessions {
		if s.pair.ConsultancyID == actor.AccountID || s.pair.ClientID == actor.AccountID {
			own = append(own, sessionFact(id))
		}
	}
	for id, t := range j.tasks {
		if slices.Contains(clients, t.client) {
			own = append(own, taskFact(id))
		}
	}
	for id, h := range j.webhooks {
		if h.account == actor.AccountID {
			own = append(own, webhookFact(id))
		}
	}
	for _, stream := range streams {
		j.require(slices.Contains(own, stream), "%s has changed a %s of others", j.who(actor), strings.SplitN(stream, "-", 2)[0])
	}
}
