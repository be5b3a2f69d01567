package domain

import (
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
)

// blocked is the state that refusals name when a block is the reason: it stands beside a collaboration's own states.
const blocked = "blocked"

// Engagement gathers the states that the rules about a pair look at.
type Engagement struct {
	Pair          Pair
	Consultancy   *Account
	Client        *Account
	Partnership   *Partnership
	Collaboration *Collaboration
}

// exist checks that both accounts are there and are what the pair says.
func (g Engagement) exist() error {
	if err := g.Consultancy.MustBe(Consultancy, g.Pair.ConsultancyID); err != nil {
		return err
	}
	return g.Client.MustBe(Business, g.Pair.ClientID)
}

// known checks that the pair has a history.
func (g Engagement) known() error {
	if err := g.exist(); err != nil {
		return err
	}
	if g.Collaboration.Status == CollaborationNone {
		return Missing("collaboration", g.Pair.CollaborationID())
	}
	return nil
}

// either authorizes the owner or an administrator of either side, and tells which side it is.
func (g Engagement) either(actor Actor) (Side, error) {
	if actor.Kind == ActorUser && actor.AccountID == g.Pair.ClientID {
		return ClientSide, g.Client.AuthorizeAdmin(actor)
	}
	return ConsultancySide, g.Consultancy.AuthorizeAdmin(actor)
}

// works authorizes the people of the consultancy who work for this client: owner, administrators and its account managers.
func (g Engagement) works(actor Actor) error {
	member, err := g.Consultancy.Authorize(actor, RoleOwner, RoleAdministrator, RoleAccountManager)
	if member.Role == RoleAccountManager && !g.Collaboration.Managers[actor.UserID] {
		return Forbid("not_assigned", "the account manager is not assigned to this client")
	}
	return err
}

// mustBeActive refuses what only an active collaboration allows.
func (g Engagement) mustBeActive(now time.Time) error {
	if status := g.Collaboration.StatusAt(now); status != CollaborationActive {
		return Refuse("collaboration_not_active", string(status), "the collaboration is %s, not active", status)
	}
	return nil
}

// mustBeWorking refuses what an active collaboration of two open accounts alone allows: with a closed account nobody works, and
// access to it or by it fails closed. What only takes away needs no more than mustBeActive.
func (g Engagement) mustBeWorking(now time.Time) error {
	if err := g.mustBeOpen(); err != nil {
		return err
	}
	return g.mustBeActive(now)
}

// mustBeOpen refuses what two open accounts are needed for.
func (g Engagement) mustBeOpen() error {
	if err := g.Consultancy.mustBeOpen(); err != nil {
		return err
	}
	return g.Client.mustBeOpen()
}

// mustBePending refuses answers to a request that is no longer open, and tells the state that the race was lost to. A block
// closes a request as declined, but what it lost to is the block.
func (g Engagement) mustBePending(now time.Time) error {
	status := g.Collaboration.StatusAt(now)
	if status == CollaborationPending {
		return nil
	}
	state := string(status)
	if g.Collaboration.Blocked {
		state = blocked
	}
	return Refuse("not_pending", state, "the request is %s, not pending", state)
}

// mustHaveGrant refuses what only a live, unexpired grant allows (invariants 1 and 3).
func (g Engagement) mustHaveGrant(now time.Time) error {
	if !g.Collaboration.Grant.Live(now) {
		status := g.Collaboration.Grant.StatusAt(now)
		return Refuse("no_live_grant", string(status), "the client's access grant is %s", status)
	}
	return nil
}

// mustHaveOpenGrant refuses what only a grant allows that is live or may become so again.
func (g Engagement) mustHaveOpenGrant(now time.Time) error {
	if !g.Collaboration.Grant.open(now) {
		status := g.Collaboration.Grant.StatusAt(now)
		return Refuse("no_grant", string(status), "the client's access grant is %s", status)
	}
	return nil
}

// lapsed are the events that the clock owes: what reached its end but has not been recorded yet.
func (g Engagement) lapsed(now time.Time) []Event {
	c := g.Collaboration
	if c.Status == CollaborationPending && c.StatusAt(now) == CollaborationExpired {
		return []Event{RequestExpired{Pair: g.Pair, Engagement: c.Engagement, ExpiredAt: c.ExpiresAt}}
	}
	if c.Grant.lapsed(now) {
		return []Event{AccessExpired{Pair: g.Pair, GrantID: c.Grant.GrantID, AccessEpoch: c.AccessEpoch + 1, ExpiredAt: c.Grant.ExpiresAt}}
	}
	return nil
}

// approachable checks that the client may write to and ask the consultancy (S5): it is found in the directory and has not blocked the client.
func (g Engagement) approachable() error {
	if g.Collaboration.Blocked {
		return Refuse("client_blocked", blocked, "the consultancy has blocked the client")
	}
	if err := g.Partnership.MustBeInStanding(); err != nil {
		return err
	}
	if !g.Partnership.Listed() {
		return Refuse("consultancy_not_listed", "unlisted", "the consultancy is not listed in the directory")
	}
	return nil
}

// Send writes into the conversation (S5). The client begins it, also before it asks to collaborate; the consultancy answers.
func (g Engagement) Send(actor Actor, e MessageSent) ([]Event, error) {
	if err := g.exist(); err != nil {
		return nil, err
	}
	e.Pair = g.Pair
	if actor.Kind == ActorUser && actor.AccountID == g.Pair.ClientID {
		if err := g.Client.AuthorizeAdmin(actor); err != nil {
			return nil, err
		}
		if err := g.mustBeOpen(); err != nil {
			return nil, err
		}
		if g.Collaboration.Status != CollaborationActive {
			if err := g.approachable(); err != nil {
				return nil, err
			}
		}
		e.From = ClientSide
		return []Event{e}, nil
	}
	if g.Collaboration.Status == CollaborationNone {
		return nil, Missing("collaboration", g.Pair.CollaborationID())
	}
	if err := g.works(actor); err != nil {
		return nil, err
	}
	if err := g.mustBeOpen(); err != nil {
		return nil, err
	}
	e.From = ConsultancySide
	return []Event{e}, nil
}

// MarkRead notes that the actor's side has read the conversation (S5).
func (g Engagement) MarkRead(actor Actor) ([]Event, error) {
	if err := g.known(); err != nil {
		return nil, err
	}
	side := ConsultancySide
	if actor.Kind == ActorUser && actor.AccountID == g.Pair.ClientID {
		side = ClientSide
		if err := g.Client.AuthorizeAdmin(actor); err != nil {
			return nil, err
		}
	} else if err := g.works(actor); err != nil {
		return nil, err
	}
	if g.Collaboration.ReadUpTo[side] == g.Collaboration.Messages {
		return nil, nil
	}
	return []Event{ConversationRead{Pair: g.Pair, Side: side, MessagesRead: g.Collaboration.Messages}}, nil
}

// Request asks the consultancy to collaborate (S5). Every closed state may be asked again, as the next engagement.
func (g Engagement) Request(actor Actor, now time.Time, message string) ([]Event, error) {
	if err := g.exist(); err != nil {
		return nil, err
	}
	if err := g.Client.AuthorizeAdmin(actor); err != nil {
		return nil, err
	}
	if err := g.mustBeOpen(); err != nil {
		return nil, err
	}
	switch g.Collaboration.StatusAt(now) {
	case CollaborationPending:
		return nil, Refuse("already_pending", string(CollaborationPending), "a request is pending already")
	case CollaborationActive:
		return nil, Refuse("already_active", string(CollaborationActive), "the collaboration is active already")
	}
	if err := g.approachable(); err != nil {
		return nil, err
	}
	return append(g.lapsed(now), CollaborationRequested{
		Pair: g.Pair, CollaborationID: g.Pair.CollaborationID(), Engagement: g.Collaboration.Engagement + 1,
		Message: message, ExpiresAt: now.Add(RequestLasts),
	}), nil
}

// Accept starts the collaboration (S5; H: owners and administrators only).
func (g Engagement) Accept(actor Actor, now time.Time) ([]Event, error) {
	if err := g.known(); err != nil {
		return nil, err
	}
	if err := g.Consultancy.AuthorizeAdmin(actor); err != nil {
		return nil, err
	}
	if err := g.mustBeOpen(); err != nil {
		return nil, err
	}
	if err := g.mustBePending(now); err != nil {
		return nil, err
	}
	if err := g.Partnership.MustBeInStanding(); err != nil {
		return nil, err
	}
	return []Event{CollaborationAccepted{Pair: g.Pair, Engagement: g.Collaboration.Engagement}}, nil
}

// Decline refuses the request (H). The ledger itself does it, with a reason of its own, when a side has left for good (B).
func (g Engagement) Decline(actor Actor, now time.Time, reason DeclineReason) ([]Event, error) {
	if err := g.known(); err != nil {
		return nil, err
	}
	own := actor.Kind == ActorSystem
	if own {
		if _, err := g.left(); err != nil {
			return nil, err
		}
	} else if err := g.Consultancy.AuthorizeAdmin(actor); err != nil {
		return nil, err
	}
	if own != (reason == DeclinedForGood) {
		return nil, Forbid("reason_reserved", "the ledger itself declines when a side has left for good, and people for anything else")
	}
	if err := g.mustBePending(now); err != nil {
		return nil, err
	}
	return []Event{CollaborationDeclined{Pair: g.Pair, Engagement: g.Collaboration.Engagement, ReasonCode: reason}}, nil
}

// Withdraw takes the request back (B).
func (g Engagement) Withdraw(actor Actor, now time.Time) ([]Event, error) {
	if err := g.known(); err != nil {
		return nil, err
	}
	if err := g.Client.AuthorizeAdmin(actor); err != nil {
		return nil, err
	}
	if err := g.mustBePending(now); err != nil {
		return nil, err
	}
	return []Event{RequestWithdrawn{Pair: g.Pair, Engagement: g.Collaboration.Engagement}}, nil
}

// Block keeps the client from writing and asking (H); a pending request is declined with it.
func (g Engagement) Block(actor Actor, now time.Time) ([]Event, error) {
	if err := g.known(); err != nil {
		return nil, err
	}
	if err := g.Consultancy.AuthorizeAdmin(actor); err != nil {
		return nil, err
	}
	if g.Collaboration.Status == CollaborationActive {
		return nil, Refuse("collaboration_active", string(CollaborationActive), "end the collaboration before blocking the client")
	}
	if g.Collaboration.Blocked {
		return nil, Refuse("already_blocked", blocked, "the client is blocked already")
	}
	events := g.lapsed(now)
	if g.Collaboration.StatusAt(now) == CollaborationPending {
		events = append(events, CollaborationDeclined{Pair: g.Pair, Engagement: g.Collaboration.Engagement, ReasonCode: DeclinedByBlock})
	}
	return append(events, ClientBlocked{g.Pair}), nil
}

// Unblock lets the client write and ask again (H).
func (g Engagement) Unblock(actor Actor) ([]Event, error) {
	if err := g.known(); err != nil {
		return nil, err
	}
	if err := g.Consultancy.AuthorizeAdmin(actor); err != nil {
		return nil, err
	}
	if !g.Collaboration.Blocked {
		return nil, Refuse("not_blocked", string(g.Collaboration.Status), "the client is not blocked")
	}
	return []Event{ClientUnblocked{g.Pair}}, nil
}

// ConfigureKPIs is the actor's own choice of KPIs to be told of (S7).
func (g Engagement) ConfigureKPIs(actor Actor, now time.Time, sections []Section) ([]Event, error) {
	if err := g.known(); err != nil {
		return nil, err
	}
	if err := g.works(actor); err != nil {
		return nil, err
	}
	if err := g.mustBeWorking(now); err != nil {
		return nil, err
	}
	chosen := []Section{}
	for _, section := range TaskSections() {
		if slices.Contains(sections, section) {
			chosen = append(chosen, section)
		}
	}
	if before, ok := g.Collaboration.KPIs[actor.UserID]; ok && slices.Equal(before, chosen) {
		return nil, nil
	}
	return []Event{KPINotificationsConfigured{Pair: g.Pair, UserID: actor.UserID, Sections: chosen}}, nil
}

// Assign puts people of the consultancy in charge of the client (S8). Who is in charge already stays so.
func (g Engagement) Assign(actor Actor, now time.Time, userIDs []uuid.UUID) ([]Event, error) {
	if err := g.known(); err != nil {
		return nil, err
	}
	for _, id := range userIDs {
		if _, err := g.Consultancy.member(id); err != nil {
			return nil, err
		}
	}
	if err := g.Consultancy.AuthorizeAdmin(actor); err != nil {
		return nil, err
	}
	if err := g.mustBeWorking(now); err != nil {
		return nil, err
	}
	var events []Event
	for _, id := range sortedIDs(slices.Clone(userIDs)) {
		if !g.Collaboration.Managers[id] && !slices.Contains(events, Event(AccountManagerAssigned{Pair: g.Pair, UserID: id})) {
			events = append(events, AccountManagerAssigned{Pair: g.Pair, UserID: id})
		}
	}
	if len(events) == 0 {
		return nil, Refuse("already_assigned", "assigned", "these people are assigned already")
	}
	if len(g.Collaboration.Managers)+len(events) > MaxManagers {
		return nil, Refuse("too_many_managers", "", "a client has at most %d account managers", MaxManagers)
	}
	return events, nil
}

// Unassign ends a person's charge of the client (S8). The ledger itself does it when the person has left the consultancy (S4).
func (g Engagement) Unassign(actor Actor, now time.Time, userID uuid.UUID) ([]Event, error) {
	if err := g.known(); err != nil {
		return nil, err
	}
	if actor.Kind == ActorSystem {
		if member, ok := g.Consultancy.Members[userID]; ok {
			return nil, Refuse("still_a_member", string(member.Role), "the person is a member of the consultancy, with role %s", member.Role)
		}
	} else if err := g.Consultancy.AuthorizeAdmin(actor); err != nil {
		return nil, err
	}
	if err := g.mustBeActive(now); err != nil {
		return nil, err
	}
	if !g.Collaboration.Managers[userID] {
		return nil, Refuse("not_a_manager", "unassigned", "the person is not an account manager of this client")
	}
	return []Event{AccountManagerUnassigned{Pair: g.Pair, UserID: userID}}, nil
}

// left tells which side has left for good (B): the ledger itself then ends what is left of the two.
func (g Engagement) left() (Side, error) {
	switch {
	case !g.Partnership.isPartner(), g.Consultancy.Status == AccountOver:
		return ConsultancySide, nil
	case g.Client.Status == AccountOver:
		return ClientSide, nil
	}
	return "", Refuse("collaboration_goes_on", string(g.Collaboration.Status), "the partnership is not terminated, and both accounts are open")
}

// ends tells for which side the actor may end the collaboration.
func (g Engagement) ends(actor Actor) (Side, error) {
	if actor.Kind == ActorSystem {
		return g.left()
	}
	return g.either(actor)
}

// End ends the collaboration in one append: the grant, the account managers, and the collaboration itself (S11).
func (g Engagement) End(actor Actor, now time.Time, reason string) ([]Event, error) {
	if err := g.known(); err != nil {
		return nil, err
	}
	side, err := g.ends(actor)
	if err != nil {
		return nil, err
	}
	if err := g.mustBeActive(now); err != nil {
		return nil, err
	}
	epoch := g.Collaboration.AccessEpoch
	events := g.lapsed(now)
	epoch += len(events)
	if g.Collaboration.Grant.open(now) {
		epoch++
		events = append(events, AccessRevoked{Pair: g.Pair, GrantID: g.Collaboration.Grant.GrantID, AccessEpoch: epoch})
	}
	for _, id := range sortedIDs(slices.Collect(maps.Keys(g.Collaboration.Managers))) {
		events = append(events, AccountManagerUnassigned{Pair: g.Pair, UserID: id})
	}
	return append(events, CollaborationEnded{
		Pair: g.Pair, Engagement: g.Collaboration.Engagement, EndedBy: side, Reason: reason, AccessEpoch: epoch + 1,
	}), nil
}
