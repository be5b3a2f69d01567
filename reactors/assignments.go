package reactors

import (
	"context"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/projections"
)

// assignments takes who has left a consultancy out of the charge of all its clients (S4). Every role of a consultancy may have such a
// charge, so that no change of role ends one; and a closed account ends the collaborations themselves.
func assignments() reactor {
	return reactor{
		name: "assignments",
		to:   []domain.Event{domain.MemberRemoved{}},
		react: func(ctx context.Context, models *projections.Engine, c cause, paging projections.Paging) (projections.Page[order], error) {
			e, ok := c.fact.(domain.MemberRemoved)
			if !ok {
				return nothing()
			}
			page, err := models.Assignments(ctx, e.AccountID, e.UserID, paging)
			return each(page, err, func(pair domain.Pair) order {
				return c.order("UnassignAccountManager", pair.CollaborationID(), commands.UnassignAccountManager{PairFields: commands.PairFields(pair), UserID: e.UserID})
			})
		},
	}
}
