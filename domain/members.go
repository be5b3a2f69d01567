package domain

import (
	"strings"
	"time"

	"github.com/google/uuid"
)

// assignable checks that a role can be given to a member of this account.
func (a *Account) assignable(role Role) error {
	if role == RoleOwner {
		return Refuse("owner_is_transferred", string(role), "the owner's role is transferred, never assigned")
	}
	if a.Type == Consultancy {
		if role == RoleAdministrator || role == RoleAccountManager {
			return nil
		}
		return Refuse("role_unknown", string(role), "a consultancy has the roles administrator and account_manager")
	}
	if _, _, ok := a.RoleOf(role); !ok {
		return Refuse("role_unknown", string(role), "the account has no role %s", role)
	}
	if _, custom := a.Roles[role]; custom && !a.Plan.HasCustomRoles() {
		return Refuse("plan_without_custom_roles", string(a.Plan), "plan %s has no custom roles", a.Plan)
	}
	return nil
}

// mustNotBeIn keeps an address to one membership (S4).
func (a *Account) mustNotBeIn(email string) error {
	for _, member := range a.Members {
		if strings.EqualFold(member.Email, email) {
			return Refuse("already_member", string(member.Role), "%s is a member already", email)
		}
	}
	return nil
}

// mustBeFree keeps an address to one membership, or one open invitation beside the one given (S4).
func (a *Account) mustBeFree(email string, now time.Time, except uuid.UUID) error {
	if err := a.mustNotBeIn(email); err != nil {
		return err
	}
	for id, invitation := range a.Invitations {
		if id != except && strings.EqualFold(invitation.Email, email) && now.Before(invitation.ExpiresAt) {
			return Refuse("already_invited", "invited", "%s has an open invitation", email)
		}
	}
	return nil
}

// Invite asks a person to join (S4).
func (a *Account) Invite(actor Actor, now time.Time, e MemberInvited) (Event, error) {
	if err := a.manages(e.AccountID, actor); err != nil {
		return nil, err
	}
	if err := a.assignable(e.Role); err != nil {
		return nil, err
	}
	if err := a.mustBeFree(e.Member.Email, now, e.InvitationID); err != nil {
		return nil, err
	}
	if len(a.Members)+len(a.Invitations) >= MaxMembers {
		return nil, Refuse("too_many_members", "", "an account has at most %d members and invitations", MaxMembers)
	}
	e.ExpiresAt = now.Add(InvitationLasts)
	return e, nil
}

func (a *Account) invitation(id uuid.UUID) (Invitation, error) {
	invitation, ok := a.Invitations[id]
	if !ok {
		return Invitation{}, Missing("invitation", id)
	}
	return invitation, nil
}

// ResendInvitation gives an invitation a new term (H); also one that lapsed, unless the person was invited anew meanwhile.
func (a *Account) ResendInvitation(actor Actor, now time.Time, e InvitationResent) (Event, error) {
	if err := a.mustExist(e.AccountID); err != nil {
		return nil, err
	}
	invitation, err := a.invitation(e.InvitationID)
	if err != nil {
		return nil, err
	}
	if err := a.AuthorizeAdmin(actor); err != nil {
		return nil, err
	}
	if err := a.mustBeFree(invitation.Email, now, e.InvitationID); err != nil {
		return nil, err
	}
	e.ExpiresAt = now.Add(InvitationLasts)
	return e, nil
}

// RevokeInvitation takes an invitation back (H).
func (a *Account) RevokeInvitation(actor Actor, e InvitationRevoked) (Event, error) {
	if err := a.mustExist(e.AccountID); err != nil {
		return nil, err
	}
	if _, err := a.invitation(e.InvitationID); err != nil {
		return nil, err
	}
	if err := a.AuthorizeAdmin(actor); err != nil {
		return nil, err
	}
	return e, nil
}

// AcceptInvitation makes the invited person a member (S4); nobody can accept for them. What held when they were invited must
// still hold: the plan may have been downgraded since.
func (a *Account) AcceptInvitation(actor Actor, now time.Time, accountID, invitationID uuid.UUID) (Event, error) {
	if err := a.mustExist(accountID); err != nil {
		return nil, err
	}
	invitation, err := a.invitation(invitationID)
	if err != nil {
		return nil, err
	}
	if actor.Kind != ActorUser || actor.AccountID != a.ID || actor.UserID != invitation.UserID {
		return nil, Forbid("not_the_invited", "only the invited person may accept an invitation")
	}
	if err := a.mustBeOpen(); err != nil {
		return nil, err
	}
	if !now.Before(invitation.ExpiresAt) {
		return nil, Refuse("invitation_expired", "expired", "the invitation lapsed at %s", invitation.ExpiresAt.Format(time.RFC3339))
	}
	if err := a.mustNotBeIn(invitation.Email); err != nil {
		return nil, err
	}
	if err := a.assignable(invitation.Role); err != nil {
		return nil, err
	}
	return MemberJoined{AccountID: a.ID, InvitationID: invitationID, Member: invitation.Person, Role: invitation.Role}, nil
}

func (a *Account) member(id uuid.UUID) (Member, error) {
	member, ok := a.Members[id]
	if !ok {
		return Member{}, Missing("member", id)
	}
	return member, nil
}

// ChangeRole gives a member another role (S4).
func (a *Account) ChangeRole(actor Actor, e MemberRoleChanged) (Event, error) {
	if err := a.mustExist(e.AccountID); err != nil {
		return nil, err
	}
	member, err := a.member(e.UserID)
	if err != nil {
		return nil, err
	}
	if err := a.AuthorizeAdmin(actor); err != nil {
		return nil, err
	}
	if member.Role == RoleOwner {
		return nil, Refuse("owner_is_transferred", string(RoleOwner), "the owner's role is transferred, never assigned")
	}
	if err := a.assignable(e.Role); err != nil {
		return nil, err
	}
	if member.Role == e.Role {
		return nil, Refuse("nothing_changed", string(e.Role), "the member has this role already")
	}
	return e, nil
}

// RemoveMember ends a membership (S4). The owner cannot be removed; everybody else may also leave by themselves.
func (a *Account) RemoveMember(actor Actor, e MemberRemoved) (Event, error) {
	if err := a.mustExist(e.AccountID); err != nil {
		return nil, err
	}
	member, err := a.member(e.UserID)
	if err != nil {
		return nil, err
	}
	if actor.Kind != ActorUser || actor.AccountID != a.ID || actor.UserID != e.UserID {
		if err := a.AuthorizeAdmin(actor); err != nil {
			return nil, err
		}
	} else if err := a.mustBeOpen(); err != nil {
		return nil, err
	}
	if member.Role == RoleOwner {
		return nil, Refuse("owner_stays", string(RoleOwner), "the owner cannot be removed; transfer the ownership first")
	}
	return e, nil
}

// TransferOwnership makes another member the owner (S4). Only the owner can.
func (a *Account) TransferOwnership(actor Actor, accountID, to uuid.UUID) (Event, error) {
	if err := a.mustExist(accountID); err != nil {
		return nil, err
	}
	member, err := a.member(to)
	if err != nil {
		return nil, err
	}
	if _, err := a.Authorize(actor, RoleOwner); err != nil {
		return nil, err
	}
	if member.Role == RoleOwner {
		return nil, Refuse("nothing_changed", string(RoleOwner), "the member is the owner already")
	}
	return OwnershipTransferred{AccountID: a.ID, From: actor.UserID, To: to}, nil
}
