package journeys

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

// begun is a pair's history, which begins now if there is none.
func (w *world) begun(of domain.Pair) *pair {
	if w.pairs[of] == nil {
		w.pairs[of] = &pair{status: "enquiry", managers: map[uuid.UUID]bool{}, kpis: map[uuid.UUID][]domain.Section{}, read: map[domain.Side]int{}}
	}
	return w.pairs[of]
}

// says counts a message of a side, which has then read all before it.
func (p *pair) says(side domain.Side) {
	p.messages++
	p.read[side] = p.messages
}

// approachable checks that a client may write to a consultancy and ask it.
func (w *world) approachable(of domain.Pair) string {
	p, partner := w.pairs[of], w.partner(of.ConsultancyID)
	return first(when(p != nil && p.blocked, "client_blocked"), when(!partner.inStanding(), "partnership_not_in_standing"),
		when(partner.published == 0 || partner.unlisted, "consultancy_not_listed"))
}

func (w *world) writes(actor domain.Actor, c commands.SendMessage) ruling {
	of := domain.Pair(c.PairFields)
	if code := w.exist(of); code != "" {
		return no(code)
	}
	p := w.pairs[of]
	if !onClientSide(actor, of) {
		if code := first(when(p == nil, "collaboration_not_found"), w.works(actor, of), w.open(of)); code != "" {
			return no(code)
		}
		return yes(func() { p.says("consultancy") })
	}
	code := first(w.runs(actor, of.ClientID), w.open(of))
	if code == "" && (p == nil || p.status != "active") {
		code = w.approachable(of)
	}
	if code != "" {
		return no(code)
	}
	return yes(func() { w.begun(of).says("client") })
}

func (w *world) reads(actor domain.Actor, c commands.MarkConversationRead) ruling {
	of := domain.Pair(c.PairFields)
	if code := w.known(of); code != "" {
		return no(code)
	}
	side, who := domain.ConsultancySide, ""
	if onClientSide(actor, of) {
		side, who = domain.ClientSide, w.runs(actor, of.ClientID)
	} else {
		who = w.works(actor, of)
	}
	if who != "" {
		return no(who)
	}
	return yes(func() { w.pairs[of].read[side] = w.pairs[of].messages })
}

const requestTerm = 90 * 24 * time.Hour

func (w *world) asks(actor domain.Actor, c commands.RequestCollaboration) ruling {
	of := domain.Pair(c.PairFields)
	now := w.now()
	if code := w.exist(of); code != "" {
		return no(code)
	}
	status := ""
	if w.pairs[of] != nil {
		status = w.pairs[of].statusAt(now)
	}
	if code := first(w.runs(actor, of.ClientID), w.open(of), when(status == "pending", "already_pending"), when(status == "active", "already_active"), w.approachable(of)); code != "" {
		return no(code)
	}
	return creates(func(r commands.RequestResult) {
		p := w.begun(of)
		p.status, p.until, p.grant = "pending", now.Add(requestTerm), nil
		p.engagement++
		p.says("client")
	})
}

// answers checks that a request is still open for an answer.
func (w *world) answers(who string, of domain.Pair) string {
	return first(who, when(w.pairs[of].statusAt(w.now()) != "pending", "not_pending"))
}

func (w *world) accepts(actor domain.Actor, c commands.AcceptCollaboration) ruling {
	of := domain.Pair(c.PairFields)
	if code := w.known(of); code != "" {
		return no(code)
	}
	if code := first(w.answers(first(w.runs(actor, of.ConsultancyID), w.open(of)), of), when(!w.partner(of.ConsultancyID).inStanding(), "partnership_not_in_standing")); code != "" {
		return no(code)
	}
	return yes(func() { w.pairs[of].status, w.pairs[of].until = "active", time.Time{} })
}

func (w *world) declines(actor domain.Actor, c commands.DeclineCollaboration) ruling {
	of := domain.Pair(c.PairFields)
	if code := w.known(of); code != "" {
		return no(code)
	}
	ledger, who := actor.Kind == "system", ""
	if ledger {
		who = w.goesOn(of)
	} else {
		who = w.runs(actor, of.ConsultancyID)
	}
	if code := w.answers(first(who, when(ledger != (c.ReasonCode == "left_for_good"), "reason_reserved")), of); code != "" {
		return no(code)
	}
	return yes(func() { w.pairs[of].leave("declined") })
}

func (w *world) withdraws(actor domain.Actor, c commands.WithdrawRequest) ruling {
	of := domain.Pair(c.PairFields)
	if code := w.known(of); code != "" {
		return no(code)
	}
	if code := w.answers(w.runs(actor, of.ClientID), of); code != "" {
		return no(code)
	}
	return yes(func() { w.pairs[of].leave("withdrawn") })
}

func (w *world) lapsesRequest(actor domain.Actor, c commands.ExpireRequest) ruling {
	of := domain.Pair(c.PairFields)
	if code := first(w.known(of), when(actor.Kind != "system", "system_required")); code != "" {
		return no(code)
	}
	p := w.pairs[of]
	if code := first(when(p.status != "pending", "not_pending"), when(w.now().Before(p.until), "not_due")); code != "" {
		return no(code)
	}
	return yes(func() { p.leave("expired") })
}

func (w *world) blocks(actor domain.Actor, c commands.BlockClient) ruling {
	of := domain.Pair(c.PairFields)
	now := w.now()
	if code := w.known(of); code != "" {
		return no(code)
	}
	p := w.pairs[of]
	if code := first(w.runs(actor, of.ConsultancyID), when(p.status == "active", "collaboration_active"), when(p.blocked, "already_blocked")); code != "" {
		return no(code)
	}
	return yes(func() {
		switch {
		case p.statusAt(now) == "pending":
			p.leave("declined")
		case p.status == "pending":
			p.leave("expired")
		}
		p.blocked = true
	})
}

func (w *world) unblocks(actor domain.Actor, c commands.UnblockClient) ruling {
	of := domain.Pair(c.PairFields)
	if code := w.known(of); code != "" {
		return no(code)
	}
	if code := first(w.runs(actor, of.ConsultancyID), when(!w.pairs[of].blocked, "not_blocked")); code != "" {
		return no(code)
	}
	return yes(func() { w.pairs[of].blocked = false })
}

// grantable checks that the client may grant a role to outsiders.
func (w *world) grantable(of domain.Pair, role domain.Role) string {
	shop := w.accounts[of.ClientID]
	may, _, ok := shop.permits(role)
	_, custom := shop.roles[role]
	return first(when(role == "owner", "owner_never_granted"), when(!ok, "role_unknown"),
		when(custom && !customRoles(shop.plan), "plan_without_custom_roles"), when(len(shop.cut(may)) == 0, "role_not_in_plan"))
}

const longestGrant = 2 * 365 * 24 * time.Hour

// term checks the end of a grant.
func term(now, until time.Time) string {
	return first(when(!until.IsZero() && !now.Before(until), "expiry_in_the_past"), when(!until.IsZero() && until.Sub(now) > longestGrant, "expiry_too_far"))
}

// active checks that the collaboration is under way.
func (w *world) active(of domain.Pair) string {
	return when(w.pairs[of].status != "active", "collaboration_not_active")
}

func (w *world) wishes(actor domain.Actor, c commands.RequestAccess) ruling {
	of := domain.Pair(c.PairFields)
	if code := w.known(of); code != "" {
		return no(code)
	}
	if code := first(w.works(actor, of), w.open(of), w.active(of), w.grantable(of, c.SuggestedRole)); code != "" {
		return no(code)
	}
	return yes(func() {})
}

// consents checks that the client itself widens access, or keeps it up, for a partner.
func (w *world) consents(actor domain.Actor, of domain.Pair) string {
	if code := w.known(of); code != "" {
		return code
	}
	return first(w.runs(actor, of.ClientID), w.open(of), w.active(of), when(!w.partner(of.ConsultancyID).inStanding(), "partnership_not_in_standing"))
}

// end is when a grant is to end; zero when it is not.
func end(expiresAt *time.Time) time.Time {
	if expiresAt == nil {
		return time.Time{}
	}
	return *expiresAt
}

func (w *world) grantsAccess(actor domain.Actor, c commands.GrantAccess) ruling {
	of := domain.Pair(c.PairFields)
	if code := w.consents(actor, of); code != "" {
		return no(code)
	}
	p, now := w.pairs[of], w.now()
	if code := first(when(p.grant.held(now), "grant_exists"), w.grantable(of, c.RoleID), term(now, end(c.ExpiresAt))); code != "" {
		return no(code)
	}
	may, version, _ := w.accounts[of.ClientID].permits(c.RoleID)
	return yes(func() {
		w.grants++
		p.grant = &grant{serial: w.grants, status: "granted", role: c.RoleID, version: version, may: may, until: end(c.ExpiresAt)}
	})
}

func (w *world) changesAccess(actor domain.Actor, c commands.ChangeAccess) ruling {
	of := domain.Pair(c.PairFields)
	if code := w.known(of); code != "" {
		return no(code)
	}
	p, now := w.pairs[of], w.now()
	if code := first(w.runs(actor, of.ClientID), w.open(of), w.active(of), when(p.grant.statusAt(now) != "granted", "no_live_grant"), w.grantable(of, c.RoleID), term(now, end(c.ExpiresAt))); code != "" {
		return no(code)
	}
	g, until := p.grant, end(c.ExpiresAt)
	may, version, _ := w.accounts[of.ClientID].permits(c.RoleID)
	if g.role == c.RoleID && g.version == version && g.until.Equal(until) {
		return no("nothing_changed")
	}
	return yes(func() {
		if !g.until.Equal(until) {
			g.reminded = 0
		}
		g.role, g.version, g.may, g.until = c.RoleID, version, may, until
		g.era++
	})
}

func (w *world) extends(actor domain.Actor, c commands.ExtendAccess) ruling {
	of := domain.Pair(c.PairFields)
	if code := w.consents(actor, of); code != "" {
		return no(code)
	}
	g, now := w.pairs[of].grant, w.now()
	if g.statusAt(now) != "granted" {
		return no("no_live_grant")
	}
	if code := first(when(g.until.IsZero(), "grant_without_end"), when(!c.ExpiresAt.After(g.until), "not_an_extension"), term(now, c.ExpiresAt)); code != "" {
		return no(code)
	}
	return yes(func() { g.until, g.reminded = c.ExpiresAt, 0 })
}

func (w *world) attests(actor domain.Actor, c commands.AttestAccess) ruling {
	of := domain.Pair(c.PairFields)
	if code := w.consents(actor, of); code != "" {
		return no(code)
	}
	if w.pairs[of].grant.statusAt(w.now()) != "granted" {
		return no("no_live_grant")
	}
	return yes(func() {})
}

func (w *world) suspendsAccess(actor domain.Actor, c commands.SuspendAccess) ruling {
	of := domain.Pair(c.PairFields)
	if code := w.known(of); code != "" {
		return no(code)
	}
	g, now := w.pairs[of].grant, w.now()
	if code := first(w.either(actor, of), w.active(of), when(g.statusAt(now) != "granted", "no_live_grant")); code != "" {
		return no(code)
	}
	return yes(func() {
		g.status = "suspended"
		g.era++
	})
}

func (w *world) resumes(actor domain.Actor, c commands.ResumeAccess) ruling {
	of := domain.Pair(c.PairFields)
	if code := w.consents(actor, of); code != "" {
		return no(code)
	}
	g := w.pairs[of].grant
	if g.statusAt(w.now()) != "suspended" {
		return no("grant_not_suspended")
	}
	return yes(func() { g.status = "granted" })
}

func (w *world) revokes(actor domain.Actor, c commands.RevokeAccess) ruling {
	of := domain.Pair(c.PairFields)
	if code := w.known(of); code != "" {
		return no(code)
	}
	g, now := w.pairs[of].grant, w.now()
	if code := first(w.either(actor, of), w.active(of), when(!g.held(now), "no_grant")); code != "" {
		return no(code)
	}
	return yes(func() { g.status = "revoked" })
}

func (w *world) lapsesAccess(actor domain.Actor, c commands.ExpireAccess) ruling {
	of := domain.Pair(c.PairFields)
	if code := w.known(of); code != "" {
		return no(code)
	}
	g, now := w.pairs[of].grant, w.now()
	recorded := g == nil || g.status == "revoked" || g.status == "expired"
	if code := first(when(actor.Kind != "system", "system_required"), w.active(of), when(recorded, "no_grant")); code != "" {
		return no(code)
	}
	if code := first(when(g.until.IsZero(), "grant_without_end"), when(now.Before(g.until), "not_due")); code != "" {
		return no(code)
	}
	return yes(func() { g.status = "expired" })
}

func (w *world) reminds(actor domain.Actor, c commands.RemindGrantEnds) ruling {
	of := domain.Pair(c.PairFields)
	if code := w.known(of); code != "" {
		return no(code)
	}
	g, now := w.pairs[of].grant, w.now()
	if code := first(when(actor.Kind != "system", "system_required"), w.open(of), w.active(of), when(g.statusAt(now) != "granted", "no_live_grant")); code != "" {
		return no(code)
	}
	due := 0
	for _, days := range []int{30, 7, 1} {
		if left := g.until.Sub(now); left <= time.Duration(days)*24*time.Hour {
			due = days
		}
	}
	if code := first(when(g.until.IsZero(), "grant_without_end"), when(due == 0, "not_due"), when(g.reminded != 0 && g.reminded <= due, "already_reminded")); code != "" {
		return no(code)
	}
	return yes(func() { g.reminded = due })
}

func (w *world) watches(actor domain.Actor, c commands.ConfigureKPINotifications) ruling {
	of := domain.Pair(c.PairFields)
	if code := w.known(of); code != "" {
		return no(code)
	}
	if code := first(w.works(actor, of), w.open(of), w.active(of)); code != "" {
		return no(code)
	}
	return yes(func() { w.pairs[of].kpis[actor.UserID] = slices.Sorted(slices.Values(c.Sections)) })
}

func (w *world) assigns(actor domain.Actor, c commands.AssignAccountManagers) ruling {
	of := domain.Pair(c.PairFields)
	if code := w.known(of); code != "" {
		return no(code)
	}
	managers, all := w.pairs[of].managers, true
	for _, user := range c.UserIDs {
		if w.accounts[of.ConsultancyID].members[user] == nil {
			return no("member_not_found")
		}
		all = all && managers[user]
	}
	if code := first(w.runs(actor, of.ConsultancyID), w.open(of), w.active(of), when(all, "already_assigned")); code != "" {
		return no(code)
	}
	return yes(func() {
		for _, user := range c.UserIDs {
			managers[user] = true
		}
	})
}

func (w *world) unassigns(actor domain.Actor, c commands.UnassignAccountManager) ruling {
	of := domain.Pair(c.PairFields)
	if code := w.known(of); code != "" {
		return no(code)
	}
	who := ""
	if actor.Kind == "system" {
		who = when(w.accounts[of.ConsultancyID].members[c.UserID] != nil, "still_a_member")
	} else {
		who = w.runs(actor, of.ConsultancyID)
	}
	managers := w.pairs[of].managers
	if code := first(who, w.active(of), when(!managers[c.UserID], "not_a_manager")); code != "" {
		return no(code)
	}
	return yes(func() { delete(managers, c.UserID) })
}

// goesOn checks that one of the two has left for good.
func (w *world) goesOn(of domain.Pair) string {
	return when(w.open(of) == "" && !w.partner(of.ConsultancyID).gone(), "collaboration_goes_on")
}

func (w *world) ends(actor domain.Actor, c commands.EndCollaboration) ruling {
	of := domain.Pair(c.PairFields)
	if code := w.known(of); code != "" {
		return no(code)
	}
	who := ""
	if actor.Kind == "system" {
		who = w.goesOn(of)
	} else {
		who = w.either(actor, of)
	}
	p, now := w.pairs[of], w.now()
	if code := first(who, w.active(of)); code != "" {
		return no(code)
	}
	return yes(func() {
		switch {
		case p.grant.held(now):
			p.grant.status = "revoked"
		case p.grant.statusAt(now) == "expired":
			p.grant.status = "expired"
		}
		p.leave("ended")
	})
}
