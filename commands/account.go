package commands

import (
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// RegisterAccount opens an account with its owner (S1).
type RegisterAccount struct {
	Type domain.AccountType `json:"type" enum:"consultancy,business" doc:"What kind of account"`
	domain.AccountDetails
	Plan     domain.Plan     `json:"plan" enum:"free,basic,standard,advanced,premium" doc:"What the account subscribes to"`
	FirmKind domain.FirmKind `json:"firmKind,omitempty" enum:"agency,consultancy,external_cfo,other" doc:"What kind of firm a consultancy is"`
	Owner    NewPerson       `json:"owner" doc:"Who owns the account"`
}

// NewPerson is a person whom an account does not know yet.
type NewPerson struct {
	Name  string `json:"name" minLength:"1" maxLength:"200" doc:"Full name"`
	Email string `json:"email" format:"email" maxLength:"254" doc:"Where the person receives mail"`
}

// AccountResult names what RegisterAccount created.
type AccountResult struct {
	AccountID   uuid.UUID `json:"accountId"`
	OwnerUserID uuid.UUID `json:"ownerUserId"`
}

// Decide opens a stream under a fresh id.
func (c RegisterAccount) Decide(d *Decision) error {
	id := d.NewID()
	begin[domain.Account](d, domain.AccountStream, id)
	event, err := domain.Register(d.Actor, domain.AccountRegistered{
		AccountID: id, Type: c.Type, AccountDetails: c.AccountDetails, Plan: c.Plan, FirmKind: c.FirmKind,
		Owner: domain.Person{UserID: d.NewID(), Name: c.Owner.Name, Email: c.Owner.Email},
	})
	if err != nil {
		return err
	}
	d.raise(domain.AccountStream, id, event)
	return nil
}

func registered(_ *Executor, _ RegisterAccount, events []domain.Event) (AccountResult, error) {
	e, err := only[domain.AccountRegistered](events)
	return AccountResult{AccountID: e.AccountID, OwnerUserID: e.Owner.UserID}, err
}

// only finds the one event of its type among those of a command.
func only[E domain.Event](events []domain.Event) (E, error) {
	for _, event := range events {
		if e, ok := event.(E); ok {
			return e, nil
		}
	}
	var none E
	return none, fmt.Errorf("the command's record lacks its %s", none.EventType())
}

// UpdateAccountDetails replaces what an account tells of itself (H).
type UpdateAccountDetails struct {
	AccountID uuid.UUID `json:"accountId" format:"uuid" doc:"The account"`
	domain.AccountDetails
}

// Decide asks the account.
func (c UpdateAccountDetails) Decide(d *Decision) error {
	return d.onAccount(c.AccountID, func(a *domain.Account) (domain.Event, error) {
		return a.UpdateDetails(d.Actor, domain.AccountDetailsUpdated(c))
	})
}

// CloseAccount ends an account for good (B).
type CloseAccount struct {
	AccountID uuid.UUID `json:"accountId" format:"uuid" doc:"The account"`
}

// Decide asks the account.
func (c CloseAccount) Decide(d *Decision) error {
	return d.onAccount(c.AccountID, func(a *domain.Account) (domain.Event, error) { return a.Close(d.Actor, c.AccountID) })
}

// RecordSubscription notes what billing knows of an account (S2, S9).
type RecordSubscription struct {
	AccountID uuid.UUID                 `json:"accountId" format:"uuid" doc:"The account"`
	Plan      domain.Plan               `json:"plan" enum:"free,basic,standard,advanced,premium" doc:"What the account subscribes to"`
	Status    domain.SubscriptionStatus `json:"status" enum:"current,past_due,cancelled" doc:"How the account stands with its payments"`
}

// Decide asks the account.
func (c RecordSubscription) Decide(d *Decision) error {
	return d.onAccount(c.AccountID, func(a *domain.Account) (domain.Event, error) {
		return a.RecordSubscription(d.Actor, domain.SubscriptionRecorded(c))
	})
}

// InviteMember asks a person to join an account with a role (S4).
type InviteMember struct {
	AccountID uuid.UUID `json:"accountId" format:"uuid" doc:"The account"`
	NewPerson
	Role domain.Role `json:"role" pattern:"^[a-z0-9_-]{1,64}$" patternDescription:"a role" doc:"A predefined role, or the id of a custom one"`
}

// InvitationResult names what InviteMember created. The person acts under userId from the moment they accept.
type InvitationResult struct {
	UserID       uuid.UUID `json:"userId"`
	InvitationID uuid.UUID `json:"invitationId"`
}

// Decide asks the account.
func (c InviteMember) Decide(d *Decision) error {
	return d.onAccount(c.AccountID, func(a *domain.Account) (domain.Event, error) {
		return a.Invite(d.Actor, d.Now, domain.MemberInvited{
			AccountID: c.AccountID, InvitationID: d.NewID(), Role: c.Role,
			Member: domain.Person{UserID: d.NewID(), Name: c.Name, Email: c.Email},
		})
	})
}

func invited(_ *Executor, _ InviteMember, events []domain.Event) (InvitationResult, error) {
	e, err := only[domain.MemberInvited](events)
	return InvitationResult{UserID: e.Member.UserID, InvitationID: e.InvitationID}, err
}

// ResendInvitation gives an invitation a new term (H).
type ResendInvitation struct {
	AccountID    uuid.UUID `json:"accountId" format:"uuid" doc:"The account"`
	InvitationID uuid.UUID `json:"invitationId" format:"uuid" doc:"The invitation"`
}

// Decide asks the account.
func (c ResendInvitation) Decide(d *Decision) error {
	return d.onAccount(c.AccountID, func(a *domain.Account) (domain.Event, error) {
		return a.ResendInvitation(d.Actor, d.Now, domain.InvitationResent{AccountID: c.AccountID, InvitationID: c.InvitationID})
	})
}

// RevokeInvitation takes an invitation back (H).
type RevokeInvitation struct {
	AccountID    uuid.UUID `json:"accountId" format:"uuid" doc:"The account"`
	InvitationID uuid.UUID `json:"invitationId" format:"uuid" doc:"The invitation"`
}

// Decide asks the account.
func (c RevokeInvitation) Decide(d *Decision) error {
	return d.onAccount(c.AccountID, func(a *domain.Account) (domain.Event, error) {
		return a.RevokeInvitation(d.Actor, domain.InvitationRevoked(c))
	})
}

// AcceptInvitation makes the invited person, who asks for it, a member (S4).
type AcceptInvitation struct {
	AccountID    uuid.UUID `json:"accountId" format:"uuid" doc:"The account"`
	InvitationID uuid.UUID `json:"invitationId" format:"uuid" doc:"The invitation"`
}

// Decide asks the account.
func (c AcceptInvitation) Decide(d *Decision) error {
	return d.onAccount(c.AccountID, func(a *domain.Account) (domain.Event, error) {
		return a.AcceptInvitation(d.Actor, d.Now, c.AccountID, c.InvitationID)
	})
}

// ExpireInvitation records that an invitation lapsed unanswered (B). Only the clock asks for it.
type ExpireInvitation struct {
	AccountID    uuid.UUID `json:"accountId" format:"uuid" doc:"The account"`
	InvitationID uuid.UUID `json:"invitationId" format:"uuid" doc:"The invitation"`
}

// Decide asks the account.
func (c ExpireInvitation) Decide(d *Decision) error {
	return d.onAccount(c.AccountID, func(a *domain.Account) (domain.Event, error) {
		return a.ExpireInvitation(d.Actor, d.Now, c.AccountID, c.InvitationID)
	})
}

// ChangeMemberRole gives a member another role (S4).
type ChangeMemberRole struct {
	AccountID uuid.UUID   `json:"accountId" format:"uuid" doc:"The account"`
	UserID    uuid.UUID   `json:"userId" format:"uuid" doc:"The member"`
	Role      domain.Role `json:"role" pattern:"^[a-z0-9_-]{1,64}$" patternDescription:"a role" doc:"A predefined role, or the id of a custom one"`
}

// Decide asks the account.
func (c ChangeMemberRole) Decide(d *Decision) error {
	return d.onAccount(c.AccountID, func(a *domain.Account) (domain.Event, error) {
		return a.ChangeRole(d.Actor, domain.MemberRoleChanged(c))
	})
}

// RemoveMember ends a membership (S4).
type RemoveMember struct {
	AccountID uuid.UUID `json:"accountId" format:"uuid" doc:"The account"`
	UserID    uuid.UUID `json:"userId" format:"uuid" doc:"The member"`
}

// Decide asks the account.
func (c RemoveMember) Decide(d *Decision) error {
	return d.onAccount(c.AccountID, func(a *domain.Account) (domain.Event, error) {
		return a.RemoveMember(d.Actor, domain.MemberRemoved(c))
	})
}

// TransferOwnership makes another member the owner (S4).
type TransferOwnership struct {
	AccountID uuid.UUID `json:"accountId" format:"uuid" doc:"The account"`
	UserID    uuid.UUID `json:"userId" format:"uuid" doc:"Who becomes the owner"`
}

// Decide asks the account.
func (c TransferOwnership) Decide(d *Decision) error {
	return d.onAccount(c.AccountID, func(a *domain.Account) (domain.Event, error) {
		return a.TransferOwnership(d.Actor, c.AccountID, c.UserID)
	})
}

// RoleTerms are what a custom role is.
type RoleTerms struct {
	Name        string             `json:"name" minLength:"1" maxLength:"80" doc:"Name of the role, unique in the account"`
	Permissions domain.Permissions `json:"permissions" doc:"Level (none, read or edit) for each section"`
}

// Check holds the permissions to known sections and levels.
func (t RoleTerms) Check() []domain.FieldError {
	var fields []domain.FieldError
	visible := false
	for section, level := range t.Permissions {
		if !slices.Contains(domain.Sections(), section) {
			fields = append(fields, domain.FieldError{Field: "permissions." + string(section), Rule: "is not a section"})
		}
		if !slices.Contains([]domain.Level{domain.None, domain.Read, domain.Edit}, level) {
			fields = append(fields, domain.FieldError{Field: "permissions." + string(section), Rule: "must be none, read or edit"})
		}
		visible = visible || level != domain.None
	}
	if len(fields) == 0 && !visible {
		fields = append(fields, domain.FieldError{Field: "permissions", Rule: "must permit something"})
	}
	slices.SortFunc(fields, func(a, b domain.FieldError) int { return slices.Compare([]byte(a.Field), []byte(b.Field)) })
	return fields
}

// CreateRole defines a role of a business's own (H).
type CreateRole struct {
	AccountID uuid.UUID `json:"accountId" format:"uuid" doc:"The business"`
	RoleTerms
}

// RoleResult names what CreateRole created.
type RoleResult struct {
	RoleID domain.Role `json:"roleId"`
}

// Decide asks the account.
func (c CreateRole) Decide(d *Decision) error {
	return d.onAccount(c.AccountID, func(a *domain.Account) (domain.Event, error) {
		return a.CreateRole(d.Actor, domain.RoleCreated{AccountID: c.AccountID, CustomRole: domain.CustomRole{
			RoleID: domain.Role(d.NewID().String()), Name: c.Name, Permissions: c.Permissions,
		}})
	})
}

func roleCreated(_ *Executor, _ CreateRole, events []domain.Event) (RoleResult, error) {
	e, err := only[domain.RoleCreated](events)
	return RoleResult{RoleID: e.RoleID}, err
}

// UpdateRole changes a role of a business's own (H).
type UpdateRole struct {
	AccountID uuid.UUID   `json:"accountId" format:"uuid" doc:"The business"`
	RoleID    domain.Role `json:"roleId" format:"uuid" doc:"The role"`
	RoleTerms
}

// Decide asks the account.
func (c UpdateRole) Decide(d *Decision) error {
	return d.onAccount(c.AccountID, func(a *domain.Account) (domain.Event, error) {
		return a.UpdateRole(d.Actor, domain.RoleUpdated{AccountID: c.AccountID, CustomRole: domain.CustomRole{
			RoleID: c.RoleID, Name: c.Name, Permissions: c.Permissions,
		}})
	})
}

// DeleteRole takes a role of a business's own away (H).
type DeleteRole struct {
	AccountID uuid.UUID   `json:"accountId" format:"uuid" doc:"The business"`
	RoleID    domain.Role `json:"roleId" format:"uuid" doc:"The role"`
}

// Decide asks the account.
func (c DeleteRole) Decide(d *Decision) error {
	return d.onAccount(c.AccountID, func(a *domain.Account) (domain.Event, error) {
		return a.DeleteRole(d.Actor, domain.RoleDeleted(c))
	})
}
