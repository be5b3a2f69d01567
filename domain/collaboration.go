package domain

import (
	"maps"
	"time"

	"github.com/google/uuid"
)

// Limits of a collaboration.
const (
	RequestLasts = 90 * 24 * time.Hour // an unanswered request lapses after it (B)
	MaxManagers  = 50                  // account managers of one collaboration
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

// MessageSent is a message in the pair's conversation (S5).
type MessageSent struct {
	Pair
	MessageID uuid.UUID `json:"messageId"`
	From      Side      `json:"from"`
	Body      string    `json:"body"`
}

// ConversationRead says how much of the conversation a side has read (S5).
type ConversationRead struct {
	Pair
	Side         Side `json:"side"`
	MessagesRead int  `json:"messagesRead" doc:"How many messages of the conversation the side has now read, requests included"`
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

// The reasons. DeclinedByBlock is that of a request which a block closed, and DeclinedForGood the ledger's own.
const (
	DeclinedNoCapacity  DeclineReason = "no_capacity"
	DeclinedNotOurField DeclineReason = "not_our_field"
	DeclinedConflict    DeclineReason = "conflict_of_interest"
	DeclinedOther       DeclineReason = "other"
	DeclinedByBlock     DeclineReason = "blocked"
	DeclinedForGood     DeclineReason = "left_for_good" // the partnership was terminated, or an account was closed
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
func (ConversationRead) EventType() string       { return "collaboration.ConversationRead.v2" }
func (CollaborationRequested) EventType() string { return "collaboration.CollaborationRequested.v1" }
func (CollaborationAccepted) EventType() string  { return "collaboration.CollaborationAccepted.v1" }
func (CollaborationDeclined) EventType() string  { return "collaboration.CollaborationDeclined.v1" }
func (RequestWithdrawn) EventType() string       { return "collaboration.RequestWithdrawn.v1" }
func (RequestExpired) EventType() string         { return "collaboration.RequestExpired.v1" }
func (ClientBlocked) EventType() string          { return "collaboration.ClientBlocked.v1" }
func (ClientUnblocked) EventType() string        { return "collaboration.ClientUnblocked.v1" }
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

// Clone copies the state, so that folding on does not change what others hold. Grants are replaced, never changed in place.
func (c *Collaboration) Clone() *Collaboration {
	n := *c
	n.Managers, n.KPIs, n.ReadUpTo = maps.Clone(c.Managers), maps.Clone(c.KPIs), maps.Clone(c.ReadUpTo)
	return &n
}

// NextEnd is the next moment at which a request or a grant ends by itself, unless something changes it before; zero: none does.
func (c *Collaboration) NextEnd(now time.Time) time.Time {
	switch {
	case c.StatusAt(now) == CollaborationPending:
		return c.ExpiresAt
	case c.Grant != nil && now.Before(c.Grant.ExpiresAt):
		return c.Grant.ExpiresAt
	}
	return time.Time{}
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
	put(&c.ReadUpTo, from, c.Messages)
}

// close leaves an engagement: it revives no grant, manager, session or KPI choice of an old one (invariant 5).
func (c *Collaboration) close(status CollaborationStatus) {
	c.Status = status
	c.ExpiresAt = time.Time{}
	clear(c.KPIs)
	clear(c.Managers)
}

func (e MessageSent) Apply(c *Collaboration) {
	c.open(e.Pair)
	c.heard(e.From)
}

func (e ConversationRead) Apply(c *Collaboration) { put(&c.ReadUpTo, e.Side, e.MessagesRead) }

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

func (e KPINotificationsConfigured) Apply(c *Collaboration) { put(&c.KPIs, e.UserID, e.Sections) }
func (e AccountManagerAssigned) Apply(c *Collaboration)     { put(&c.Managers, e.UserID, true) }
func (e AccountManagerUnassigned) Apply(c *Collaboration)   { delete(c.Managers, e.UserID) }

func (e CollaborationEnded) Apply(c *Collaboration) {
	c.close(CollaborationOver)
	c.AccessEpoch = e.AccessEpoch
}
