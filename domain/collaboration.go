package domain

import (
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Limits of a collaboration.
const (
	RequestLasts  = 90 * 24 * time.Hour      // an unanswered request lapses after it (B)
	MaxGrantLasts = 2 * 365 * 24 * time.Hour // the longest term of a grant with an end (B)
	MaxManagers   = 50                       // account managers of one collaboration
)

// CollaborationStatus is where a pair stands.
type CollaborationStatus string

// The states of a collaboration. The empty one has no history.
const (
	CollaborationNone      CollaborationStatus = ""
	CollaborationEnquiry   CollaborationStatus = "enquiry"
	CollaborationPending   CollaborationStatus = "pending"
	CollaborationActive    CollaborationStatus = "active"
	CollaborationOver      CollaborationStatus = "ended"
	CollaborationRefused   CollaborationStatus = "declined"
	CollaborationWithdrawn CollaborationStatus = "withdrawn"
	CollaborationExpired   CollaborationStatus = "expired"
)

// GrantStatus is where a grant of access stands.
type GrantStatus string

// The states of a grant.
const (
	GrantLive    GrantStatus = "granted"
	GrantRevoked GrantStatus = "revoked"
	GrantExpired GrantStatus = "expired"
)

// MessageSent is a message in the pair's conversation (S5).
type MessageSent struct {
	Pair
	MessageID uuid.UUID `json:"messageId"`
	From      Side      `json:"from"`
	Body      string    `json:"body"`
}

// ConversationRead says that a side has read the conversation up to a message (S5).
type ConversationRead struct {
	Pair
	Side Side `json:"side"`
	UpTo int  `json:"upTo"` // messages of the conversation that the side has now read
}

// CollaborationRequested is a client's request to work together (S5).
type CollaborationRequested struct {
	Pair
	CollaborationID uuid.UUID `json:"collaborationId"`
	Engagement      int       `json:"engagement"`
	Message         string    `json:"message"`
	ExpiresAt       time.Time `json:"expiresAt"`
}

// CollaborationAccepted starts the collaboration (S5).
type CollaborationAccepted struct {
	Pair
	Engagement int `json:"engagement"`
}

// DeclineReason is why a consultancy did not take a client on.
type DeclineReason string

// The reasons. DeclinedByBlock is that of a request which a block closed.
const (
	DeclinedNoCapacity  DeclineReason = "no_capacity"
	DeclinedNotOurField DeclineReason = "not_our_field"
	DeclinedConflict    DeclineReason = "conflict_of_interest"
	DeclinedOther       DeclineReason = "other"
	DeclinedByBlock     DeclineReason = "blocked"
)

// CollaborationDeclined refuses a request (H).
type CollaborationDeclined struct {
	Pair
	Engagement int           `json:"engagement"`
	ReasonCode DeclineReason `json:"reasonCode"`
}

// RequestWithdrawn takes a request back (B).
type RequestWithdrawn struct {
	Pair
	Engagement int `json:"engagement"`
}

// RequestExpired records that a request lapsed unanswered (B). The lapse itself happened at ExpiredAt.
type RequestExpired struct {
	Pair
	Engagement int       `json:"engagement"`
	ExpiredAt  time.Time `json:"expiredAt"`
}

// ClientBlocked keeps a client from writing and asking (H).
type ClientBlocked struct{ Pair }

// ClientUnblocked lets a client write and ask again (H).
type ClientUnblocked struct{ Pair }

// AccessRequested is the consultancy's wish for access to the client's account (S6).
type AccessRequested struct {
	Pair
	SuggestedRole Role   `json:"suggestedRole"`
	Purpose       string `json:"purpose"`
}

// AccessGranted lets the consultancy's people into the client's account (S6). Permissions are pinned: a role that is widened
// later does not widen the grant (invariant 2).
type AccessGranted struct {
	Pair
	GrantID     uuid.UUID   `json:"grantId"`
	RoleID      Role        `json:"roleId"`
	RoleVersion int         `json:"roleVersion"`
	Permissions Permissions `json:"permissions"`
	AccessEpoch int         `json:"accessEpoch"`
	ExpiresAt   time.Time   `json:"expiresAt,omitzero"` // zero: until it is revoked
}

// AccessChanged gives a live grant another role or end (S6). Sessions of the older epoch fail at once.
type AccessChanged struct {
	Pair
	GrantID     uuid.UUID   `json:"grantId"`
	RoleID      Role        `json:"roleId"`
	RoleVersion int         `json:"roleVersion"`
	Permissions Permissions `json:"permissions"`
	AccessEpoch int         `json:"accessEpoch"`
	ExpiresAt   time.Time   `json:"expiresAt,omitzero"`
}

// AccessRevoked takes the access away; the collaboration stays active (H).
type AccessRevoked struct {
	Pair
	GrantID     uuid.UUID `json:"grantId"`
	AccessEpoch int       `json:"accessEpoch"`
}

// AccessExpired records that a grant reached its end (B). The end itself was at ExpiredAt.
type AccessExpired struct {
	Pair
	GrantID     uuid.UUID `json:"grantId"`
	AccessEpoch int       `json:"accessEpoch"`
	ExpiredAt   time.Time `json:"expiredAt"`
}

// KPINotificationsConfigured is one person's choice of the KPIs they want to be told of (S7).
type KPINotificationsConfigured struct {
	Pair
	UserID   uuid.UUID `json:"userId"`
	Sections []Section `json:"sections"`
}

// AccountManagerAssigned puts a person in charge of a client (S8).
type AccountManagerAssigned struct {
	Pair
	UserID uuid.UUID `json:"userId"`
}

// AccountManagerUnassigned ends that (S8).
type AccountManagerUnassigned struct {
	Pair
	UserID uuid.UUID `json:"userId"`
}

// CollaborationEnded ends the collaboration and with it all access (S11).
type CollaborationEnded struct {
	Pair
	Engagement  int    `json:"engagement"`
	EndedBy     Side   `json:"endedBy"`
	Reason      string `json:"reason"`
	AccessEpoch int    `json:"accessEpoch"`
}

func (MessageSent) EventType() string            { return "collaboration.MessageSent.v1" }
func (ConversationRead) EventType() string       { return "collaboration.ConversationRead.v1" }
func (CollaborationRequested) EventType() string { return "collaboration.CollaborationRequested.v1" }
func (CollaborationAccepted) EventType() string  { return "collaboration.CollaborationAccepted.v1" }
func (CollaborationDeclined) EventType() string  { return "collaboration.CollaborationDeclined.v1" }
func (RequestWithdrawn) EventType() string       { return "collaboration.RequestWithdrawn.v1" }
func (RequestExpired) EventType() string         { return "collaboration.RequestExpired.v1" }
func (ClientBlocked) EventType() string          { return "collaboration.ClientBlocked.v1" }
func (ClientUnblocked) EventType() string        { return "collaboration.ClientUnblocked.v1" }
func (AccessRequested) EventType() string        { return "collaboration.AccessRequested.v1" }
func (AccessGranted) EventType() string          { return "collaboration.AccessGranted.v1" }
func (AccessChanged) EventType() string          { return "collaboration.AccessChanged.v1" }
func (AccessRevoked) EventType() string          { return "collaboration.AccessRevoked.v1" }
func (AccessExpired) EventType() string          { return "collaboration.AccessExpired.v1" }
func (KPINotificationsConfigured) EventType() string {
	return "collaboration.KPINotificationsConfigured.v1"
}
func (AccountManagerAssigned) EventType() string { return "collaboration.AccountManagerAssigned.v1" }
func (AccountManagerUnassigned) EventType() string {
	return "collaboration.AccountManagerUnassigned.v1"
}
func (CollaborationEnded) EventType() string { return "collaboration.CollaborationEnded.v1" }

// Collaboration is the state of a pair's stream. Only one of a pair can ever be open, because its id follows from the pair.
type Collaboration struct {
	Pair
	Status      CollaborationStatus     `json:"status"` // as recorded; StatusAt tells it as of a moment
	Engagement  int                     `json:"engagement"`
	ExpiresAt   time.Time               `json:"expiresAt,omitzero"` // of the pending request
	Blocked     bool                    `json:"blocked"`
	AccessEpoch int                     `json:"accessEpoch"`
	Grant       *Grant                  `json:"grant,omitempty"`
	Managers    map[uuid.UUID]bool      `json:"managers"`
	KPIs        map[uuid.UUID][]Section `json:"kpiNotifications"`
	Messages    int                     `json:"messages"`
	ReadUpTo    map[Side]int            `json:"readUpTo"`
}

// Grant is the access that the client gave, as pinned by its consent.
type Grant struct {
	GrantID     uuid.UUID   `json:"grantId"`
	Status      GrantStatus `json:"status"` // as recorded; Live tells it as of a moment
	RoleID      Role        `json:"roleId"`
	RoleVersion int         `json:"roleVersion"`
	Permissions Permissions `json:"permissions"`
	AccessEpoch int         `json:"accessEpoch"`
	ExpiresAt   time.Time   `json:"expiresAt,omitzero"`
}

// Live tells whether the grant holds at a moment. Validity is [from, until): a late clock prolongs nothing (invariant 3).
func (g *Grant) Live(now time.Time) bool {
	return g != nil && g.Status == GrantLive && (g.ExpiresAt.IsZero() || now.Before(g.ExpiresAt))
}

// StatusAt tells how the grant stands at a moment, whether or not its end has been recorded.
func (g *Grant) StatusAt(now time.Time) GrantStatus {
	if g == nil {
		return "none"
	}
	if g.Status == GrantLive && !g.Live(now) {
		return GrantExpired
	}
	return g.Status
}

// Clone copies the state, so that folding on does not change what others hold. Grants are replaced, never changed in place.
func (c *Collaboration) Clone() *Collaboration {
	n := *c
	n.Managers, n.KPIs, n.ReadUpTo = maps.Clone(c.Managers), maps.Clone(c.KPIs), maps.Clone(c.ReadUpTo)
	return &n
}

// StatusAt tells how the pair stands at a moment: a request that has lapsed is expired, whether or not that has been recorded.
func (c *Collaboration) StatusAt(now time.Time) CollaborationStatus {
	if c.Status == CollaborationPending && !now.Before(c.ExpiresAt) {
		return CollaborationExpired
	}
	return c.Status
}

// open begins the state on the pair's first event.
func (c *Collaboration) open(pair Pair) {
	if c.Status == CollaborationNone {
		*c = Collaboration{Pair: pair, Status: CollaborationEnquiry, Managers: map[uuid.UUID]bool{}, KPIs: map[uuid.UUID][]Section{}, ReadUpTo: map[Side]int{}}
	}
}

// heard counts a message; who writes has read what came before.
func (c *Collaboration) heard(from Side) {
	c.Messages++
	c.ReadUpTo[from] = c.Messages
}

// close leaves an engagement: it revives no grant, manager, session or KPI choice of an old one (invariant 5).
func (c *Collaboration) close(status CollaborationStatus) {
	c.Status = status
	c.ExpiresAt = time.Time{}
	clear(c.KPIs)
	clear(c.Managers)
}

func (c *Collaboration) endGrant(status GrantStatus, epoch int) {
	if c.Grant != nil {
		grant := *c.Grant
		grant.Status = status
		c.Grant = &grant
	}
	c.AccessEpoch = epoch
}

func (e MessageSent) Apply(c *Collaboration) {
	c.open(e.Pair)
	c.heard(e.From)
}

func (e ConversationRead) Apply(c *Collaboration) { c.ReadUpTo[e.Side] = e.UpTo }

func (e CollaborationRequested) Apply(c *Collaboration) {
	c.open(e.Pair)
	c.Status, c.Engagement, c.ExpiresAt, c.Grant = CollaborationPending, e.Engagement, e.ExpiresAt, nil
	c.heard(ClientSide)
}

func (e CollaborationAccepted) Apply(c *Collaboration) {
	c.Status, c.ExpiresAt = CollaborationActive, time.Time{}
}

func (e CollaborationDeclined) Apply(c *Collaboration) { c.close(CollaborationRefused) }
func (e RequestWithdrawn) Apply(c *Collaboration)      { c.close(CollaborationWithdrawn) }
func (e RequestExpired) Apply(c *Collaboration)        { c.close(CollaborationExpired) }
func (e ClientBlocked) Apply(c *Collaboration)         { c.Blocked = true }
func (e ClientUnblocked) Apply(c *Collaboration)       { c.Blocked = false }
func (e AccessRequested) Apply(*Collaboration)         {}

func (e AccessGranted) Apply(c *Collaboration) {
	c.Grant = &Grant{GrantID: e.GrantID, Status: GrantLive, RoleID: e.RoleID, RoleVersion: e.RoleVersion, Permissions: e.Permissions, AccessEpoch: e.AccessEpoch, ExpiresAt: e.ExpiresAt}
	c.AccessEpoch = e.AccessEpoch
}

func (e AccessChanged) Apply(c *Collaboration) {
	AccessGranted(e).Apply(c)
}

func (e AccessRevoked) Apply(c *Collaboration)              { c.endGrant(GrantRevoked, e.AccessEpoch) }
func (e AccessExpired) Apply(c *Collaboration)              { c.endGrant(GrantExpired, e.AccessEpoch) }
func (e KPINotificationsConfigured) Apply(c *Collaboration) { c.KPIs[e.UserID] = e.Sections }
func (e AccountManagerAssigned) Apply(c *Collaboration)     { c.Managers[e.UserID] = true }
func (e AccountManagerUnassigned) Apply(c *Collaboration)   { delete(c.Managers, e.UserID) }

func (e CollaborationEnded) Apply(c *Collaboration) {
	c.close(CollaborationOver)
	c.AccessEpoch = e.AccessEpoch
}

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
	if err != nil {
		return err
	}
	if member.Role == RoleAccountManager && !g.Collaboration.Managers[actor.UserID] {
		return Forbid("not_assigned", "the account manager is not assigned to this client")
	}
	return nil
}

// mustBeActive refuses what only an active collaboration allows.
func (g Engagement) mustBeActive(now time.Time) error {
	if status := g.Collaboration.StatusAt(now); status != CollaborationActive {
		return Refuse("collaboration_not_active", string(status), "the collaboration is %s, not active", status)
	}
	return nil
}

// mustBePending refuses answers to a request that is no longer open, and tells the state that the race was lost to.
func (g Engagement) mustBePending(now time.Time) error {
	if status := g.Collaboration.StatusAt(now); status != CollaborationPending {
		return Refuse("not_pending", string(status), "the request is %s, not pending", status)
	}
	return nil
}

// mustHaveGrant refuses what only a live, unexpired grant allows (invariants 1 and 3).
func (g Engagement) mustHaveGrant(now time.Time) error {
	if !g.Collaboration.Grant.Live(now) {
		status := g.Collaboration.Grant.StatusAt(now)
		return Refuse("no_live_grant", string(status), "the client's access grant is %s", status)
	}
	return nil
}

// lapsed are the events that the clock owes: what reached its end but has not been recorded yet.
func (g Engagement) lapsed(now time.Time) []Event {
	c := g.Collaboration
	if c.Status == CollaborationPending && c.StatusAt(now) == CollaborationExpired {
		return []Event{RequestExpired{Pair: g.Pair, Engagement: c.Engagement, ExpiredAt: c.ExpiresAt}}
	}
	if c.Grant != nil && c.Grant.Status == GrantLive && !c.Grant.Live(now) {
		return []Event{AccessExpired{Pair: g.Pair, GrantID: c.Grant.GrantID, AccessEpoch: c.AccessEpoch + 1, ExpiredAt: c.Grant.ExpiresAt}}
	}
	return nil
}

// approachable checks that the client may write to and ask the consultancy (S5): it is found in the directory and has not blocked the client.
func (g Engagement) approachable() error {
	if g.Collaboration.Blocked {
		return Refuse("client_blocked", "blocked", "the consultancy has blocked the client")
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
	return []Event{ConversationRead{Pair: g.Pair, Side: side, UpTo: g.Collaboration.Messages}}, nil
}

// Request asks the consultancy to collaborate (S5). Every closed state may be asked again, as the next engagement.
func (g Engagement) Request(actor Actor, now time.Time, message string) ([]Event, error) {
	if err := g.exist(); err != nil {
		return nil, err
	}
	if err := g.Client.AuthorizeAdmin(actor); err != nil {
		return nil, err
	}
	switch g.Collaboration.StatusAt(now) {
	case CollaborationPending:
		return nil, Refuse("already_pending", "pending", "a request is pending already")
	case CollaborationActive:
		return nil, Refuse("already_active", "active", "the collaboration is active already")
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
	if err := g.mustBePending(now); err != nil {
		return nil, err
	}
	if err := g.Partnership.MustBeInStanding(); err != nil {
		return nil, err
	}
	return []Event{CollaborationAccepted{Pair: g.Pair, Engagement: g.Collaboration.Engagement}}, nil
}

// Decline refuses the request (H).
func (g Engagement) Decline(actor Actor, now time.Time, reason DeclineReason) ([]Event, error) {
	if err := g.known(); err != nil {
		return nil, err
	}
	if err := g.Consultancy.AuthorizeAdmin(actor); err != nil {
		return nil, err
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
		return nil, Refuse("collaboration_active", "active", "end the collaboration before blocking the client")
	}
	if g.Collaboration.Blocked {
		return nil, Refuse("already_blocked", "blocked", "the client is blocked already")
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

// RequestAccess tells the client which access the consultancy needs, and why (S6).
func (g Engagement) RequestAccess(actor Actor, now time.Time, role Role, purpose string) ([]Event, error) {
	if err := g.known(); err != nil {
		return nil, err
	}
	if err := g.works(actor); err != nil {
		return nil, err
	}
	if err := g.mustBeActive(now); err != nil {
		return nil, err
	}
	if _, _, err := g.grantable(role); err != nil {
		return nil, err
	}
	return []Event{AccessRequested{Pair: g.Pair, SuggestedRole: role, Purpose: purpose}}, nil
}

// grantable checks that a role exists in the client's account, may be given to outsiders, and is worth something on its plan (S6, S9).
func (g Engagement) grantable(role Role) (Permissions, int, error) {
	if role == RoleOwner {
		return nil, 0, Refuse("owner_never_granted", string(role), "the owner's role is never granted to outsiders")
	}
	permissions, version, ok := g.Client.RoleOf(role)
	if !ok {
		return nil, 0, Refuse("role_unknown", string(role), "the client's account has no role %s", role)
	}
	if _, custom := g.Client.Roles[role]; custom && !g.Client.Plan.HasCustomRoles() {
		return nil, 0, Refuse("plan_without_custom_roles", string(g.Client.Plan), "the client's plan %s has no custom roles", g.Client.Plan)
	}
	if len(permissions.Within(g.Client.Plan.Sections())) == 0 {
		return nil, 0, Refuse("role_not_in_plan", string(g.Client.Plan), "role %s permits nothing that the client's plan %s includes", role, g.Client.Plan)
	}
	return permissions, version, nil
}

// term checks the end of a grant: in the future, and at most MaxGrantLasts away.
func term(now, expiresAt time.Time) error {
	if expiresAt.IsZero() {
		return nil
	}
	if !now.Before(expiresAt) {
		return Refuse("expiry_in_the_past", "", "the grant would have ended at %s", expiresAt.Format(time.RFC3339))
	}
	if expiresAt.Sub(now) > MaxGrantLasts {
		return Refuse("expiry_too_far", "", "a grant with an end lasts at most %d days", int(MaxGrantLasts.Hours()/24))
	}
	return nil
}

// GrantAccess lets the consultancy in, with exactly one role (S6, H). Only the client widens access (invariant 6).
func (g Engagement) GrantAccess(actor Actor, now time.Time, grantID uuid.UUID, role Role, expiresAt time.Time) ([]Event, error) {
	if err := g.known(); err != nil {
		return nil, err
	}
	if err := g.Client.AuthorizeAdmin(actor); err != nil {
		return nil, err
	}
	if err := g.mustBeActive(now); err != nil {
		return nil, err
	}
	if err := g.Partnership.MustBeInStanding(); err != nil {
		return nil, err
	}
	if g.Collaboration.Grant.Live(now) {
		return nil, Refuse("grant_exists", string(GrantLive), "a grant with role %s is live; a grant has exactly one role", g.Collaboration.Grant.RoleID)
	}
	permissions, version, err := g.grantable(role)
	if err != nil {
		return nil, err
	}
	if err := term(now, expiresAt); err != nil {
		return nil, err
	}
	events := g.lapsed(now)
	return append(events, AccessGranted{
		Pair: g.Pair, GrantID: grantID, RoleID: role, RoleVersion: version, Permissions: permissions,
		AccessEpoch: g.Collaboration.AccessEpoch + 1 + len(events), ExpiresAt: expiresAt,
	}), nil
}

// ChangeAccess gives the live grant another role or end (S6).
func (g Engagement) ChangeAccess(actor Actor, now time.Time, role Role, expiresAt time.Time) ([]Event, error) {
	if err := g.known(); err != nil {
		return nil, err
	}
	if err := g.Client.AuthorizeAdmin(actor); err != nil {
		return nil, err
	}
	if err := g.mustBeActive(now); err != nil {
		return nil, err
	}
	if err := g.mustHaveGrant(now); err != nil {
		return nil, err
	}
	permissions, version, err := g.grantable(role)
	if err != nil {
		return nil, err
	}
	if err := term(now, expiresAt); err != nil {
		return nil, err
	}
	live := g.Collaboration.Grant
	if live.RoleID == role && live.RoleVersion == version && live.ExpiresAt.Equal(expiresAt) {
		return nil, Refuse("nothing_changed", string(GrantLive), "the grant has this role and end already")
	}
	return []Event{AccessChanged{
		Pair: g.Pair, GrantID: live.GrantID, RoleID: role, RoleVersion: version, Permissions: permissions,
		AccessEpoch: g.Collaboration.AccessEpoch + 1, ExpiresAt: expiresAt,
	}}, nil
}

// RevokeAccess takes the access away; the collaboration stays active (H). Either side may narrow access (invariant 6).
func (g Engagement) RevokeAccess(actor Actor, now time.Time) ([]Event, error) {
	if err := g.known(); err != nil {
		return nil, err
	}
	if _, err := g.either(actor); err != nil {
		return nil, err
	}
	if err := g.mustBeActive(now); err != nil {
		return nil, err
	}
	if err := g.mustHaveGrant(now); err != nil {
		return nil, err
	}
	return []Event{AccessRevoked{Pair: g.Pair, GrantID: g.Collaboration.Grant.GrantID, AccessEpoch: g.Collaboration.AccessEpoch + 1}}, nil
}

// ConfigureKPIs is the actor's own choice of KPIs to be told of (S7).
func (g Engagement) ConfigureKPIs(actor Actor, now time.Time, sections []Section) ([]Event, error) {
	if err := g.known(); err != nil {
		return nil, err
	}
	if err := g.works(actor); err != nil {
		return nil, err
	}
	if err := g.mustBeActive(now); err != nil {
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
	if err := g.mustBeActive(now); err != nil {
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

// Unassign ends a person's charge of the client (S8).
func (g Engagement) Unassign(actor Actor, now time.Time, userID uuid.UUID) ([]Event, error) {
	if err := g.known(); err != nil {
		return nil, err
	}
	if err := g.Consultancy.AuthorizeAdmin(actor); err != nil {
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

// End ends the collaboration in one append: the grant, the account managers, and the collaboration itself (S11).
func (g Engagement) End(actor Actor, now time.Time, reason string) ([]Event, error) {
	if err := g.known(); err != nil {
		return nil, err
	}
	side, err := g.either(actor)
	if err != nil {
		return nil, err
	}
	if err := g.mustBeActive(now); err != nil {
		return nil, err
	}
	epoch := g.Collaboration.AccessEpoch
	events := g.lapsed(now)
	epoch += len(events)
	if g.Collaboration.Grant.Live(now) {
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
