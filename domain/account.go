package domain

import (
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Limits of an account.
const (
	MaxMembers      = 500                // members and open invitations of one account
	MaxCustomRoles  = 100                // custom roles of one account
	InvitationLasts = 7 * 24 * time.Hour // from its sending or last resending
)

// AccountType is what kind of account somebody registered (S1).
type AccountType string

// The types of accounts.
const (
	Consultancy AccountType = "consultancy"
	Business    AccountType = "business"
)

// FirmKind is what kind of firm a consultancy is (S1); all but other may join the programme (S2).
type FirmKind string

// The kinds of firms.
const (
	Agency        FirmKind = "agency"
	ConsultancyCo FirmKind = "consultancy"
	ExternalCFO   FirmKind = "external_cfo"
	OtherFirm     FirmKind = "other"
)

// AccountStatus is whether an account is still in use.
type AccountStatus string

// The states of an account. A closed one stays closed: its people can do nothing any more, and nobody works with it.
const (
	AccountOpen AccountStatus = "open"
	AccountOver AccountStatus = "closed"
)

// SubscriptionStatus is how an account stands with its payments (S2).
type SubscriptionStatus string

// The states of a subscription.
const (
	Current   SubscriptionStatus = "current"
	PastDue   SubscriptionStatus = "past_due"
	Cancelled SubscriptionStatus = "cancelled"
)

// AccountDetails are what an account tells of itself.
type AccountDetails struct {
	LegalName string `json:"legalName" minLength:"1" maxLength:"200" doc:"Name in the trade register"`
	TradeName string `json:"tradeName" minLength:"1" maxLength:"200" doc:"Name that people know"`
	TaxID     string `json:"taxId" minLength:"2" maxLength:"32" pattern:"^[A-Za-z0-9][A-Za-z0-9 ./-]*$" patternDescription:"letters, digits and . / - only" doc:"Tax number, as the country writes it"`
	Country   string `json:"country" format:"country" minLength:"2" maxLength:"2" doc:"ISO 3166-1 alpha-2, for example ES"`
	Email     string `json:"email" format:"email" maxLength:"254" doc:"Where the account receives mail"`
	Phone     string `json:"phone" pattern:"^\\+?[0-9][0-9 ()-]{3,30}$" patternDescription:"a telephone number" doc:"Telephone number"`
}

// AccountRegistered opens an account with its owner (S1).
type AccountRegistered struct {
	AccountID uuid.UUID   `json:"accountId"`
	Type      AccountType `json:"type"`
	AccountDetails
	Plan     Plan     `json:"plan"`
	FirmKind FirmKind `json:"firmKind,omitempty"`
	Owner    Person   `json:"owner"`
}

// Person is a natural person as an account knows them.
type Person struct {
	UserID uuid.UUID `json:"userId"`
	Name   string    `json:"name"`
	Email  string    `json:"email"`
}

// AccountDetailsUpdated replaces what an account tells of itself (H).
type AccountDetailsUpdated struct {
	AccountID uuid.UUID `json:"accountId"`
	AccountDetails
}

// AccountClosed ends an account for good (B). What is recorded of it stays.
type AccountClosed struct {
	AccountID uuid.UUID `json:"accountId"`
}

// SubscriptionRecorded tells what billing knows of an account (S2, S9).
type SubscriptionRecorded struct {
	AccountID uuid.UUID          `json:"accountId"`
	Plan      Plan               `json:"plan"`
	Status    SubscriptionStatus `json:"status"`
}

// MemberInvited asks a person to join an account with a role (S4).
type MemberInvited struct {
	AccountID    uuid.UUID `json:"accountId"`
	InvitationID uuid.UUID `json:"invitationId"`
	Member       Person    `json:"member"`
	Role         Role      `json:"role"`
	ExpiresAt    time.Time `json:"expiresAt"`
}

// InvitationResent gives an invitation a new term (H).
type InvitationResent struct {
	AccountID    uuid.UUID `json:"accountId"`
	InvitationID uuid.UUID `json:"invitationId"`
	ExpiresAt    time.Time `json:"expiresAt"`
}

// InvitationRevoked takes an invitation back (H).
type InvitationRevoked struct {
	AccountID    uuid.UUID `json:"accountId"`
	InvitationID uuid.UUID `json:"invitationId"`
}

// InvitationExpired records that an invitation lapsed unanswered (B). The lapse itself happened at ExpiredAt. It may be sent again.
type InvitationExpired struct {
	AccountID    uuid.UUID `json:"accountId"`
	InvitationID uuid.UUID `json:"invitationId"`
	ExpiredAt    time.Time `json:"expiredAt"`
}

// MemberJoined makes the invited person a member (S4).
type MemberJoined struct {
	AccountID    uuid.UUID `json:"accountId"`
	InvitationID uuid.UUID `json:"invitationId"`
	Member       Person    `json:"member"`
	Role         Role      `json:"role"`
}

// MemberRoleChanged gives a member another role (S4).
type MemberRoleChanged struct {
	AccountID uuid.UUID `json:"accountId"`
	UserID    uuid.UUID `json:"userId"`
	Role      Role      `json:"role"`
}

// MemberRemoved ends a membership (S4).
type MemberRemoved struct {
	AccountID uuid.UUID `json:"accountId"`
	UserID    uuid.UUID `json:"userId"`
}

// OwnershipTransferred makes another member the owner; the former owner stays as administrator (S4).
type OwnershipTransferred struct {
	AccountID uuid.UUID `json:"accountId"`
	From      uuid.UUID `json:"fromUserId"`
	To        uuid.UUID `json:"toUserId"`
}

// CustomRole is a role that a business defined for itself (H).
type CustomRole struct {
	RoleID      Role        `json:"roleId"`
	Name        string      `json:"name"`
	Permissions Permissions `json:"permissions"`
	Version     int         `json:"roleVersion"`
}

// RoleCreated defines a custom role (H).
type RoleCreated struct {
	AccountID uuid.UUID `json:"accountId"`
	CustomRole
}

// RoleUpdated changes a custom role (H). Live grants keep the permissions that the client consented to (invariant 2).
type RoleUpdated struct {
	AccountID uuid.UUID `json:"accountId"`
	CustomRole
}

// RoleDeleted takes a custom role away (H).
type RoleDeleted struct {
	AccountID uuid.UUID `json:"accountId"`
	RoleID    Role      `json:"roleId"`
}

func (AccountRegistered) EventType() string     { return "account.AccountRegistered.v1" }
func (AccountDetailsUpdated) EventType() string { return "account.AccountDetailsUpdated.v1" }
func (AccountClosed) EventType() string         { return "account.AccountClosed.v1" }
func (SubscriptionRecorded) EventType() string  { return "account.SubscriptionRecorded.v1" }
func (MemberInvited) EventType() string         { return "account.MemberInvited.v1" }
func (InvitationResent) EventType() string      { return "account.InvitationResent.v1" }
func (InvitationRevoked) EventType() string     { return "account.InvitationRevoked.v1" }
func (InvitationExpired) EventType() string     { return "account.InvitationExpired.v1" }
func (MemberJoined) EventType() string          { return "account.MemberJoined.v1" }
func (MemberRoleChanged) EventType() string     { return "account.MemberRoleChanged.v1" }
func (MemberRemoved) EventType() string         { return "account.MemberRemoved.v1" }
func (OwnershipTransferred) EventType() string  { return "account.OwnershipTransferred.v1" }
func (RoleCreated) EventType() string           { return "account.RoleCreated.v1" }
func (RoleUpdated) EventType() string           { return "account.RoleUpdated.v1" }
func (RoleDeleted) EventType() string           { return "account.RoleDeleted.v1" }

func (e AccountRegistered) Parties() []uuid.UUID     { return []uuid.UUID{e.AccountID} }
func (e AccountDetailsUpdated) Parties() []uuid.UUID { return []uuid.UUID{e.AccountID} }
func (e AccountClosed) Parties() []uuid.UUID         { return []uuid.UUID{e.AccountID} }
func (e SubscriptionRecorded) Parties() []uuid.UUID  { return []uuid.UUID{e.AccountID} }
func (e MemberInvited) Parties() []uuid.UUID         { return []uuid.UUID{e.AccountID} }
func (e InvitationResent) Parties() []uuid.UUID      { return []uuid.UUID{e.AccountID} }
func (e InvitationRevoked) Parties() []uuid.UUID     { return []uuid.UUID{e.AccountID} }
func (e InvitationExpired) Parties() []uuid.UUID     { return []uuid.UUID{e.AccountID} }
func (e MemberJoined) Parties() []uuid.UUID          { return []uuid.UUID{e.AccountID} }
func (e MemberRoleChanged) Parties() []uuid.UUID     { return []uuid.UUID{e.AccountID} }
func (e MemberRemoved) Parties() []uuid.UUID         { return []uuid.UUID{e.AccountID} }
func (e OwnershipTransferred) Parties() []uuid.UUID  { return []uuid.UUID{e.AccountID} }
func (e RoleCreated) Parties() []uuid.UUID           { return []uuid.UUID{e.AccountID} }
func (e RoleUpdated) Parties() []uuid.UUID           { return []uuid.UUID{e.AccountID} }
func (e RoleDeleted) Parties() []uuid.UUID           { return []uuid.UUID{e.AccountID} }

// Account is the state of an account's stream. The zero Account has not been registered.
type Account struct {
	ID           uuid.UUID                `json:"accountId"`
	Type         AccountType              `json:"type"`
	Status       AccountStatus            `json:"status"`
	Details      AccountDetails           `json:"details"`
	FirmKind     FirmKind                 `json:"firmKind,omitempty"`
	Plan         Plan                     `json:"plan"`
	Subscription SubscriptionStatus       `json:"subscription"`
	Members      map[uuid.UUID]Member     `json:"members"`
	Invitations  map[uuid.UUID]Invitation `json:"invitations"`
	Roles        map[Role]CustomRole      `json:"roles"`
}

// Member is a person in an account, with their one role there.
type Member struct {
	Person
	Role Role `json:"role"`
}

// Invitation is one that was neither accepted nor revoked. One that lapsed stays, for it may be sent again.
type Invitation struct {
	Member
	ExpiresAt time.Time `json:"expiresAt"`
	Expired   bool      `json:"expired,omitempty"` // whether its lapse has been recorded
}

// NextEnd is the next moment at which an invitation ends by itself; zero: none does.
func (a *Account) NextEnd(now time.Time) time.Time {
	var next time.Time
	for _, invitation := range a.Invitations {
		if now.Before(invitation.ExpiresAt) && (next.IsZero() || invitation.ExpiresAt.Before(next)) {
			next = invitation.ExpiresAt
		}
	}
	return next
}

// Clone copies the state, so that folding on does not change what others hold.
func (a *Account) Clone() *Account {
	c := *a
	c.Members, c.Invitations, c.Roles = maps.Clone(a.Members), maps.Clone(a.Invitations), maps.Clone(a.Roles)
	return &c
}

func (e AccountRegistered) Apply(a *Account) {
	*a = Account{
		ID: e.AccountID, Type: e.Type, Status: AccountOpen, Details: e.AccountDetails, FirmKind: e.FirmKind, Plan: e.Plan, Subscription: Current,
		Members:     map[uuid.UUID]Member{e.Owner.UserID: {Person: e.Owner, Role: RoleOwner}},
		Invitations: map[uuid.UUID]Invitation{},
		Roles:       map[Role]CustomRole{},
	}
}

func (e AccountDetailsUpdated) Apply(a *Account) { a.Details = e.AccountDetails }
func (AccountClosed) Apply(a *Account)           { a.Status = AccountOver }
func (e SubscriptionRecorded) Apply(a *Account)  { a.Plan, a.Subscription = e.Plan, e.Status }

func (e MemberInvited) Apply(a *Account) {
	put(&a.Invitations, e.InvitationID, Invitation{Member: Member{Person: e.Member, Role: e.Role}, ExpiresAt: e.ExpiresAt})
}

func (e InvitationResent) Apply(a *Account) {
	if invitation, ok := a.Invitations[e.InvitationID]; ok {
		invitation.ExpiresAt, invitation.Expired = e.ExpiresAt, false
		a.Invitations[e.InvitationID] = invitation
	}
}

func (e InvitationExpired) Apply(a *Account) {
	if invitation, ok := a.Invitations[e.InvitationID]; ok {
		invitation.Expired = true
		a.Invitations[e.InvitationID] = invitation
	}
}

func (e InvitationRevoked) Apply(a *Account) { delete(a.Invitations, e.InvitationID) }

func (e MemberJoined) Apply(a *Account) {
	delete(a.Invitations, e.InvitationID)
	put(&a.Members, e.Member.UserID, Member{Person: e.Member, Role: e.Role})
}

func (e MemberRoleChanged) Apply(a *Account) { a.setRole(e.UserID, e.Role) }
func (e MemberRemoved) Apply(a *Account)     { delete(a.Members, e.UserID) }

func (e OwnershipTransferred) Apply(a *Account) {
	a.setRole(e.From, RoleAdministrator)
	a.setRole(e.To, RoleOwner)
}

func (e RoleCreated) Apply(a *Account) { put(&a.Roles, e.RoleID, e.CustomRole) }
func (e RoleUpdated) Apply(a *Account) { put(&a.Roles, e.RoleID, e.CustomRole) }
func (e RoleDeleted) Apply(a *Account) { delete(a.Roles, e.RoleID) }

func (a *Account) setRole(userID uuid.UUID, role Role) {
	if member, ok := a.Members[userID]; ok {
		member.Role = role
		a.Members[userID] = member
	}
}

// mustExist lets only a registered account through.
func (a *Account) mustExist(id uuid.UUID) error {
	if a.ID == uuid.Nil {
		return Missing("account", id)
	}
	return nil
}

// MustBe lets only a registered account of the type through. The refusal names the part in which it was asked for.
func (a *Account) MustBe(kind AccountType, id uuid.UUID) error {
	switch {
	case a.ID != uuid.Nil && a.Type == kind:
		return nil
	case kind == Business:
		return Missing("client", id)
	default:
		return Missing("consultancy", id)
	}
}

// mustBeOpen lets only an account through that has not been closed.
func (a *Account) mustBeOpen() error {
	if a.Status == AccountOver {
		return Refuse("account_closed", string(AccountOver), "account %s is closed", a.ID)
	}
	return nil
}

// Authorize lets only members with one of the roles through; without roles, every member. Once the account is closed, nobody: the
// member comes with that refusal, so that whatever else there is to say of who asks can be said before it.
func (a *Account) Authorize(actor Actor, roles ...Role) (Member, error) {
	if actor.Kind != ActorUser {
		return Member{}, Forbid("member_required", "only a member of the account may do this, not %s", actor.Kind)
	}
	member, ok := a.Members[actor.UserID]
	if actor.AccountID != a.ID || !ok {
		return Member{}, Forbid("not_a_member", "the person is not a member of account %s", a.ID)
	}
	if len(roles) > 0 && !slices.Contains(roles, member.Role) {
		return Member{}, Forbid("role_not_sufficient", "role %s may not do this", member.Role)
	}
	return member, a.mustBeOpen()
}

// AuthorizeAdmin lets only the owner and administrators through: who manages an account.
func (a *Account) AuthorizeAdmin(actor Actor) error {
	_, err := a.Authorize(actor, RoleOwner, RoleAdministrator)
	return err
}

// manages checks that the account exists and that the actor runs it.
func (a *Account) manages(id uuid.UUID, actor Actor) error {
	if err := a.mustExist(id); err != nil {
		return err
	}
	return a.AuthorizeAdmin(actor)
}

// RoleOf finds what a role of this account permits and in which version; ok is false for a role that the account lacks.
func (a *Account) RoleOf(role Role) (permissions Permissions, version int, ok bool) {
	if permissions, ok = predefined(role); ok && a.Type == Business {
		return permissions, PredefinedRoleVersion, true
	}
	custom, ok := a.Roles[role]
	return custom.Permissions, custom.Version, ok
}

// Register opens an account (S1). Only services of the platform register accounts: they have seen the person.
func Register(actor Actor, e AccountRegistered) (Event, error) {
	if e.Type == Consultancy && e.FirmKind == "" {
		return nil, Invalid("firmKind", "must say what kind of firm the consultancy is")
	}
	if e.Type == Business && e.FirmKind != "" {
		return nil, Invalid("firmKind", "must be left out: only consultancies have one")
	}
	if err := actor.mustBeService(); err != nil {
		return nil, err
	}
	return e, nil
}

// UpdateDetails replaces what the account tells of itself (H).
func (a *Account) UpdateDetails(actor Actor, e AccountDetailsUpdated) (Event, error) {
	if err := a.manages(e.AccountID, actor); err != nil {
		return nil, err
	}
	if a.Details == e.AccountDetails {
		return nil, Refuse("nothing_changed", "open", "the details are already these")
	}
	return e, nil
}

// Close ends the account for good (B). Only its owner can. What depends on it ends by the account's state, at once: access fails
// closed, and the profile is listed no longer.
func (a *Account) Close(actor Actor, accountID uuid.UUID) (Event, error) {
	if err := a.mustExist(accountID); err != nil {
		return nil, err
	}
	if _, err := a.Authorize(actor, RoleOwner); err != nil {
		return nil, err
	}
	return AccountClosed{AccountID: accountID}, nil
}

// RecordSubscription notes what billing says (S2, S9), also of an account that is closed.
func (a *Account) RecordSubscription(actor Actor, e SubscriptionRecorded) (Event, error) {
	if err := a.mustExist(e.AccountID); err != nil {
		return nil, err
	}
	if err := actor.mustBeService(); err != nil {
		return nil, err
	}
	return e, nil
}
