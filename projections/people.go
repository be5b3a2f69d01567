package projections

import (
	"context"
	"database/sql"
	"strings"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/internal/sqldb"
)

// Manager is a person in charge of a client (S8).
type Manager struct {
	UserID uuid.UUID `json:"userId"`
	Name   string    `json:"name"`
}

// inCharge tells whether a member m of the consultancy is in charge of the client of the pair c.
const inCharge = "w.assigned AND w.position > c.since AND m.role <> ''"

// peopleOf tells of each collaboration who of the consultancy works for the client, in the order of their names.
func peopleOf(ctx context.Context, v view, pairs []uuid.UUID) (map[uuid.UUID][]AccessPerson, error) {
	return membersOf(ctx, v, pairs, works, func(userID uuid.UUID, name string, role domain.Role) AccessPerson {
		return AccessPerson{UserID: userID, Name: name, Role: role}
	})
}

// managersOf tells of each collaboration who is in charge of the client, in the order of their names.
func managersOf(ctx context.Context, v view, pairs []uuid.UUID) (map[uuid.UUID][]Manager, error) {
	return membersOf(ctx, v, pairs, inCharge, func(userID uuid.UUID, name string, _ domain.Role) Manager { return Manager{userID, name} })
}

// membersOf finds the consultancy's members of each collaboration for whom a condition on m, w and c holds.
func membersOf[P any](ctx context.Context, v view, pairs []uuid.UUID, condition string, person func(uuid.UUID, string, domain.Role) P) (map[uuid.UUID][]P, error) {
	found := map[uuid.UUID][]P{}
	if len(pairs) == 0 {
		return found, nil
	}
	var args arguments
	result, err := v.query(ctx, `SELECT c.collaboration_id, m.user_id, n.name, m.role
		FROM {access_pairs} c `+worksJoins+` JOIN {user_names} n ON n.user_id = m.user_id
		WHERE c.collaboration_id IN (`+args.list(pairs)+`) AND `+condition+` ORDER BY c.collaboration_id, n.sort_name, m.user_id`, args...)
	if err != nil {
		return nil, err
	}
	return found, sqldb.EachRow(result, func(s *sql.Rows) error {
		var pair, user uuid.UUID
		var name string
		var role domain.Role
		err := s.Scan(&pair, &user, &name, &role)
		found[pair] = append(found[pair], person(user, name, role))
		return err
	})
}

// list gives the placeholders of several ids, for an IN.
func (a *arguments) list(ids []uuid.UUID) string {
	placeholders := make([]string, len(ids))
	for i, id := range ids {
		placeholders[i] = a.add(id)
	}
	return strings.Join(placeholders, ", ")
}
