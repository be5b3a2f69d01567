package domain

import (
	"time"

	"github.com/google/uuid"
)

// MaxGrantLasts is the longest term of a grant with an end (B).
const MaxGrantLasts = 2 * 365 * 24 * time.Hour

// GrantStatus is where a grant of access stands.
type GrantStatus string

// The states of a grant.
const (
	GrantLive      GrantStatus = "granted"
	GrantSuspended GrantStatus = "suspended"
	GrantRevoked   GrantStatus = "revoked"
	GrantExpired   GrantStatus = "expired"
)

// reminderDays are how many days of 24 hours before a grant's end its client is reminded of it (B), the earliest first.
func reminderDays() []int { return []int{30, 7, 1} }

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

// AccessSuspended takes the access away until the client resumes it (B). Sessions of the older epoch fail at once.
type AccessSuspended struct {
	Pair
	GrantID     uuid.UUID `json:"grantId"`
	AccessEpoch int       `json:"accessEpoch"`
}

// AccessResumed gives a suspended grant back as it was (B). Sessions from before the suspension stay closed.
type AccessResumed struct {
	Pair
	GrantID     uuid.UUID `json:"grantId"`
	AccessEpoch int       `json:"accessEpoch"` // that of the suspension
}

// AccessExtended gives a live grant a later end (B).
type AccessExtended struct {
	Pair
	GrantID   uuid.UUID `json:"grantId"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// AccessAttested is the client's word, in a periodic review, that the grant is still as it wants it (B).
type AccessAttested struct {
	Pair
	GrantID    uuid.UUID `json:"grantId"`
	AttestedAt time.Time `json:"attestedAt"`
}

// GrantEndReminded tells the client that a grant is about to end (B); each reminder comes once for a grant and its end.
type GrantEndReminded struct {
	Pair
	GrantID    uuid.UUID `json:"grantId"`
	DaysBefore int       `json:"daysBefore"`
	ExpiresAt  time.Time `json:"expiresAt"`
}

func (AccessRequested) EventType() string  { return "collaboration.AccessRequested.v1" }
func (AccessGranted) EventType() string    { return "collaboration.AccessGranted.v1" }
func (AccessChanged) EventType() string    { return "collaboration.AccessChanged.v1" }
func (AccessSuspended) EventType() string  { return "collaboration.AccessSuspended.v1" }
func (AccessResumed) EventType() string    { return "collaboration.AccessResumed.v1" }
func (AccessExtended) EventType() string   { return "collaboration.AccessExtended.v1" }
func (AccessAttested) EventType() string   { return "collaboration.AccessAttested.v1" }
func (AccessRevoked) EventType() string    { return "collaboration.AccessRevoked.v1" }
func (AccessExpired) EventType() string    { return "collaboration.AccessExpired.v1" }
func (GrantEndReminded) EventType() string { return "collaboration.GrantEndReminded.v1" }

// Grant is the access that the client gave, as pinned by its consent.
type Grant struct {
	GrantID     uuid.UUID   `json:"grantId"`
	Status      GrantStatus `json:"status"` // as recorded; Live tells it as of a moment
	RoleID      Role        `json:"roleId"`
	RoleVersion int         `json:"roleVersion"`
	Permissions Permissions `json:"permissions"`
	AccessEpoch int         `json:"accessEpoch"`
	ExpiresAt   time.Time   `json:"expiresAt,omitzero"`
	AttestedAt  time.Time   `json:"attestedAt,omitzero"`
	Reminded    int         `json:"remindedDaysBefore,omitempty"` // the last reminder of its end; 0: none yet
}

// ended tells whether a moment is at or after the grant's end, if it has one.
func (g *Grant) ended(now time.Time) bool { return !g.ExpiresAt.IsZero() && !now.Before(g.ExpiresAt) }

// Live tells whether the grant holds at a moment. Validity is [from, until): a late clock prolongs nothing (invariant 3).
func (g *Grant) Live(now time.Time) bool { return g.StatusAt(now) == GrantLive }

// open tells whether the grant is live or may become so again.
func (g *Grant) open(now time.Time) bool {
	status := g.StatusAt(now)
	return status == GrantLive || status == GrantSuspended
}

// lapsed tells whether the grant reached its end and nobody has recorded it.
func (g *Grant) lapsed(now time.Time) bool {
	return g != nil && (g.Status == GrantLive || g.Status == GrantSuspended) && g.ended(now)
}

// StatusAt tells how the grant stands at a moment, whether or not its end has been recorded.
func (g *Grant) StatusAt(now time.Time) GrantStatus {
	switch {
	case g == nil:
		return "none"
	case g.lapsed(now):
		return GrantExpired
	}
	return g.Status
}

// changeGrant changes a copy of the grant: what others hold of the state stays as it was.
func (c *Collaboration) changeGrant(change func(*Grant)) {
	if c.Grant != nil {
		grant := *c.Grant
		change(&grant)
		c.Grant = &grant
	}
}

func (e AccessRequested) Apply(*Collaboration) {}

func (e AccessGranted) Apply(c *Collaboration) {
	c.Grant = &Grant{GrantID: e.GrantID, Status: GrantLive, RoleID: e.RoleID, RoleVersion: e.RoleVersion, Permissions: e.Permissions, AccessEpoch: e.AccessEpoch, ExpiresAt: e.ExpiresAt}
	c.AccessEpoch = e.AccessEpoch
}

func (e AccessChanged) Apply(c *Collaboration) {
	before := c.Grant
	AccessGranted(e).Apply(c)
	if before != nil {
		c.Grant.AttestedAt = before.AttestedAt
		if before.ExpiresAt.Equal(e.ExpiresAt) {
			c.Grant.Reminded = before.Reminded
		}
	}
}

func (e AccessSuspended) Apply(c *Collaboration) {
	c.changeGrant(func(g *Grant) { g.Status, g.AccessEpoch = GrantSuspended, e.AccessEpoch })
	c.AccessEpoch = e.AccessEpoch
}

func (e AccessResumed) Apply(c *Collaboration) {
	c.changeGrant(func(g *Grant) { g.Status = GrantLive })
}

func (e AccessExtended) Apply(c *Collaboration) {
	c.changeGrant(func(g *Grant) { g.ExpiresAt, g.Reminded = e.ExpiresAt, 0 })
}

func (e AccessAttested) Apply(c *Collaboration) {
	c.changeGrant(func(g *Grant) { g.AttestedAt = e.AttestedAt })
}

func (e GrantEndReminded) Apply(c *Collaboration) {
	c.changeGrant(func(g *Grant) { g.Reminded = e.DaysBefore })
}

func (e AccessRevoked) Apply(c *Collaboration) {
	c.changeGrant(func(g *Grant) { g.Status = GrantRevoked })
	c.AccessEpoch = e.AccessEpoch
}

func (e AccessExpired) Apply(c *Collaboration) {
	c.changeGrant(func(g *Grant) { g.Status = GrantExpired })
	c.AccessEpoch = e.AccessEpoch
}
