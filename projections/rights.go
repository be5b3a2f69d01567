package projections

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// rights is what decides how much of a client's account a consultancy may use.
type rights struct {
	active     bool
	since      int64
	plan       domain.Plan
	inStanding bool
	bothOpen   bool  // whether both accounts are
	granted    int64 // position of the grant; 0: there is none
	grant      domain.Grant
}

// rightsColumns are read by fields from the tables of rightsJoins, which add to {access_pairs} c and {access_grants} g.
const (
	rightsColumns = `c.active, c.since, p.plan, s.in_standing, p.closed_at = 9223372036854775807 AND f.closed_at = 9223372036854775807 AS both_open,
		COALESCE(g.position, 0) AS granted, COALESCE(g.permissions, '{}') AS permissions, COALESCE(g.status, '') AS grant_status,
		COALESCE(g.expires_at, 0) AS expires_at`
	rightsJoins = `JOIN {access_plans} p ON p.account_id = c.client_id JOIN {access_plans} f ON f.account_id = c.consultancy_id
		JOIN {access_standings} s ON s.consultancy_id = c.consultancy_id`
)

func (r *rights) fields() []any {
	return []any{
		&r.active, &r.since, &r.plan, &r.inStanding, &r.bothOpen,
		&r.granted, asJSON(&r.grant.Permissions), &r.grant.Status, until(&r.grant.ExpiresAt),
	}
}

// effective is what the grant permits at a moment: cut to the client's plan, and nothing unless the grant is live and of the
// engagement that is active, the consultancy is in standing, and neither account is closed (invariants 1, 2, 3 and 5).
func (r rights) effective(now time.Time) domain.Permissions {
	if !r.hold(now) {
		return domain.Permissions{}
	}
	return r.grant.Permissions.Within(r.plan.Sections())
}

// hold tells whether the grant permits anything at a moment.
func (r rights) hold(now time.Time) bool {
	return r.active && r.inStanding && r.bothOpen && r.granted > r.since && r.grant.Live(now)
}

// show tells whether somebody may see a section at a moment, which costs less than all that effective tells.
func (r rights) show(section domain.Section, now time.Time) bool {
	return r.hold(now) && r.grant.Permissions.Includes(section, domain.Read) && slices.Contains(r.plan.Sections(), section)
}

// terms are those of the grant in short, as they are at a moment; nil without a grant, whose id is then zero.
func (r rights) terms(grantID uuid.UUID, role domain.Role, now time.Time) *AccessTerms {
	if grantID == uuid.Nil {
		return nil
	}
	return &AccessTerms{GrantID: grantID, RoleID: role, Status: r.grant.StatusAt(now), Until: optional(r.grant.ExpiresAt)}
}

// showsSection is effective in SQL, for lists that are sorted by what it shows: whether the rights l, named as in rightsColumns, let
// somebody see a section at a moment. Permissions are kept as encoding/json writes them.
func showsSection(section, now string) string {
	return `l.active AND l.in_standing AND l.both_open AND l.granted > l.since AND l.grant_status = '` + string(domain.GrantLive) + `' AND l.expires_at > ` + now + `
		AND (l.permissions LIKE '%"' || ` + section + ` || '":"` + string(domain.Read) + `"%' OR l.permissions LIKE '%"' || ` + section + ` || '":"` + string(domain.Edit) + `"%')`
}

// worksJoins and works tell whether a member m of the consultancy works for the client of the pair c (S8, S9): its owner and
// administrators do, and of the account managers those who are in charge of the client.
const (
	worksJoins = `JOIN {access_members} m ON m.account_id = c.consultancy_id
		LEFT JOIN {access_managers} w ON w.collaboration_id = c.collaboration_id AND w.user_id = m.user_id`
	works = `(m.role IN ('owner', 'administrator') OR (m.role = 'account_manager' AND w.assigned AND w.position > c.since))`
)

// shownTo is what a consultancy's person may use of a client's account now; nothing for anybody else.
func shownTo(ctx context.Context, v view, viewer Viewer, client uuid.UUID) (domain.Permissions, error) {
	found, err := collect(ctx, v, `SELECT `+rightsColumns+`
		FROM {access_pairs} c `+rightsJoins+` `+worksJoins+` LEFT JOIN {access_grants} g ON g.grant_id = c.grant_id
		WHERE c.consultancy_id = $1 AND c.client_id = $2 AND m.user_id = $3 AND `+works,
		[]any{viewer.account, client, viewer.user},
		func(scan func(...any) error) (rights, error) {
			var r rights
			err := scan(r.fields()...)
			return r, err
		})
	if err != nil {
		return nil, fmt.Errorf("query what is shared with the viewer: %w", err)
	}
	if len(found) == 0 {
		return domain.Permissions{}, nil
	}
	return found[0].effective(v.now), nil
}
