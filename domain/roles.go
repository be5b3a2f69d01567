package domain

import (
	"strings"

	"github.com/google/uuid"
)

// customRoles checks that the actor may define roles in this account and that its plan has them (H).
func (a *Account) customRoles(id uuid.UUID, actor Actor) error {
	if err := a.manages(id, actor); err != nil {
		return err
	}
	if a.Type != Business {
		return Refuse("not_a_business", string(a.Type), "only businesses define roles")
	}
	if !a.Plan.HasCustomRoles() {
		return Refuse("plan_without_custom_roles", string(a.Plan), "plan %s has no custom roles", a.Plan)
	}
	return nil
}

// mustBeNewName keeps the names of an account's own roles apart.
func (a *Account) mustBeNewName(name string, except Role) error {
	for _, role := range a.Roles {
		if role.RoleID != except && strings.EqualFold(role.Name, name) {
			return Refuse("role_name_taken", "", "the account has a role %q already", role.Name)
		}
	}
	return nil
}

// CreateRole defines a role (H).
func (a *Account) CreateRole(actor Actor, e RoleCreated) (Event, error) {
	if err := a.customRoles(e.AccountID, actor); err != nil {
		return nil, err
	}
	if err := a.mustBeNewName(e.Name, ""); err != nil {
		return nil, err
	}
	if len(a.Roles) >= MaxCustomRoles {
		return nil, Refuse("too_many_roles", "", "an account has at most %d roles of its own", MaxCustomRoles)
	}
	e.Permissions, e.Version = e.Permissions.Within(Sections()), 1
	return e, nil
}

// UpdateRole changes a role (H).
func (a *Account) UpdateRole(actor Actor, e RoleUpdated) (Event, error) {
	if err := a.mustExist(e.AccountID); err != nil {
		return nil, err
	}
	role, ok := a.Roles[e.RoleID]
	if !ok {
		return nil, Missing("role", e.RoleID)
	}
	if err := a.customRoles(e.AccountID, actor); err != nil {
		return nil, err
	}
	if err := a.mustBeNewName(e.Name, e.RoleID); err != nil {
		return nil, err
	}
	if role.Name == e.Name && role.Permissions.Equal(e.Permissions) {
		return nil, Refuse("nothing_changed", "", "the role is already so")
	}
	e.Permissions, e.Version = e.Permissions.Within(Sections()), role.Version+1
	return e, nil
}

// DeleteRole takes a role away (H). Members who hold it must get another one first; live grants keep what was consented to.
func (a *Account) DeleteRole(actor Actor, e RoleDeleted) (Event, error) {
	if err := a.mustExist(e.AccountID); err != nil {
		return nil, err
	}
	if _, ok := a.Roles[e.RoleID]; !ok {
		return nil, Missing("role", e.RoleID)
	}
	if err := a.manages(e.AccountID, actor); err != nil {
		return nil, err
	}
	for _, member := range a.Members {
		if member.Role == e.RoleID {
			return nil, Refuse("role_in_use", "", "%s has this role; give another one first", member.Name)
		}
	}
	for _, invitation := range a.Invitations {
		if invitation.Role == e.RoleID {
			return nil, Refuse("role_in_use", "", "%s is invited with this role; revoke the invitation first", invitation.Name)
		}
	}
	return e, nil
}
