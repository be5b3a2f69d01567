package reactors

import (
	"context"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/projections"
)

// endings ends what is left of a side that has left for good, as its partnership was terminated or its account closed: the
// collaborations that are active (S11), and the requests that are pending. There is no access any more by then.
func endings() reactor {
	return reactor{
		name: "endings",
		to:   []domain.Event{domain.PartnershipTerminated{}, domain.AccountClosed{}},
		react: func(ctx context.Context, models *projections.Engine, c cause, paging projections.Paging) (projections.Page[order], error) {
			var account uuid.UUID
			var reason string
			switch e := c.fact.(type) {
			case domain.PartnershipTerminated:
				account, reason = e.ConsultancyID, "The partnership was terminated."
			case domain.AccountClosed:
				account, reason = e.AccountID, "The account was closed."
			}
			page, err := models.OpenCollaborations(ctx, account, paging)
			return each(page, err, func(open projections.OpenCollaboration) order {
				pair, id := commands.PairFields(open.Pair), open.CollaborationID()
				if open.Active {
					return c.order("EndCollaboration", id, commands.EndCollaboration{PairFields: pair, Reason: reason})
				}
				return c.order("DeclineCollaboration", id, commands.DeclineCollaboration{PairFields: pair, ReasonCode: domain.DeclinedForGood})
			})
		},
	}
}
