package domain

import (
	"time"

	"github.com/google/uuid"
)

// RequestAccess tells the client which access the consultancy needs, and why (S6).
func (g Engagement) RequestAccess(actor Actor, now time.Time, role Role, purpose string) ([]Event, error) {
	if err := g.known(); err != nil {
		return nil, err
	}
	if err := g.works(actor); err != nil {
		return nil, err
	}
	if err := g.mustBeWorking(now); err != nil {
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
	if err := g.consents(actor, now); err != nil {
		return nil, err
	}
	if grant := g.Collaboration.Grant; grant.open(now) {
		return nil, Refuse("grant_exists", string(grant.Status), "there is a grant with role %s, which is %s; a grant has exactly one role", grant.RoleID, grant.Status)
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
	if err := g.mustBeWorking(now); err != nil {
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

// ExtendAccess gives the live grant a later end (B). A grant without an end needs none.
func (g Engagement) ExtendAccess(actor Actor, now, expiresAt time.Time) ([]Event, error) {
	if err := g.consents(actor, now); err != nil {
		return nil, err
	}
	if err := g.mustHaveGrant(now); err != nil {
		return nil, err
	}
	grant := g.Collaboration.Grant
	if err := grant.mustHaveEnd(); err != nil {
		return nil, err
	}
	if !grant.ExpiresAt.Before(expiresAt) {
		return nil, Refuse("not_an_extension", string(GrantLive), "the grant holds until %s already", grant.ExpiresAt.Format(time.RFC3339))
	}
	if err := term(now, expiresAt); err != nil {
		return nil, err
	}
	return []Event{AccessExtended{Pair: g.Pair, GrantID: grant.GrantID, ExpiresAt: expiresAt}}, nil
}

// AttestAccess confirms in a periodic review that the live grant is still as the client wants it (B).
func (g Engagement) AttestAccess(actor Actor, now time.Time) ([]Event, error) {
	if err := g.consents(actor, now); err != nil {
		return nil, err
	}
	if err := g.mustHaveGrant(now); err != nil {
		return nil, err
	}
	return []Event{AccessAttested{Pair: g.Pair, GrantID: g.Collaboration.Grant.GrantID, AttestedAt: now}}, nil
}

// consents checks who widens the client's access or keeps it up, and that there is a partner to do so for (invariant 6).
func (g Engagement) consents(actor Actor, now time.Time) error {
	if err := g.known(); err != nil {
		return err
	}
	if err := g.Client.AuthorizeAdmin(actor); err != nil {
		return err
	}
	if err := g.mustBeWorking(now); err != nil {
		return err
	}
	return g.Partnership.MustBeInStanding()
}

// SuspendAccess takes the access away until the client resumes it (B). Either side may narrow access (invariant 6).
func (g Engagement) SuspendAccess(actor Actor, now time.Time) ([]Event, error) {
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
	return []Event{AccessSuspended{Pair: g.Pair, GrantID: g.Collaboration.Grant.GrantID, AccessEpoch: g.Collaboration.AccessEpoch + 1}}, nil
}

// ResumeAccess gives a suspended grant back as it was (B), whoever suspended it: only the client widens access (invariant 6).
func (g Engagement) ResumeAccess(actor Actor, now time.Time) ([]Event, error) {
	if err := g.consents(actor, now); err != nil {
		return nil, err
	}
	if status := g.Collaboration.Grant.StatusAt(now); status != GrantSuspended {
		return nil, Refuse("grant_not_suspended", string(status), "the client's access grant is %s, not suspended", status)
	}
	return []Event{AccessResumed{Pair: g.Pair, GrantID: g.Collaboration.Grant.GrantID, AccessEpoch: g.Collaboration.AccessEpoch}}, nil
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
	if err := g.mustHaveOpenGrant(now); err != nil {
		return nil, err
	}
	return []Event{AccessRevoked{Pair: g.Pair, GrantID: g.Collaboration.Grant.GrantID, AccessEpoch: g.Collaboration.AccessEpoch + 1}}, nil
}
