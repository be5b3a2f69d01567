package reactors

import (
	"context"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/projections"
)

// sessions closes the log-ins behind which the access was lost (S4, S6, S9, S11): with the grant, the collaboration, the standing, the
// account, the role or the assignment. It asks for all that can be concerned; the rules refuse to close one whose access holds.
func sessions() reactor {
	return reactor{
		name: "sessions",
		to: []domain.Event{
			domain.AccountClosed{}, domain.MemberRoleChanged{}, domain.MemberRemoved{},
			domain.PartnershipSuspended{}, domain.PartnershipTerminated{},
			domain.AccessChanged{}, domain.AccessSuspended{}, domain.AccessRevoked{}, domain.AccessExpired{},
			domain.AccountManagerUnassigned{}, domain.CollaborationEnded{},
		},
		react: func(ctx context.Context, models *projections.Engine, c cause, paging projections.Paging) (projections.Page[order], error) {
			q := concerned(c.fact)
			q.Paging = paging
			page, err := models.OpenSessions(ctx, q)
			return each(page, err, func(id uuid.UUID) order {
				return c.order("CloseClientAccount", id, commands.CloseClientAccount{SessionID: id})
			})
		},
	}
}

// concerned selects the log-ins from which a fact can have taken the access.
func concerned(fact domain.Event) (q projections.SessionsQuery) {
	between := func(pair domain.Pair) { q.Account, q.Client = pair.ConsultancyID, pair.ClientID }
	switch e := fact.(type) {
	case domain.AccountClosed:
		q.Account = e.AccountID
	case domain.MemberRoleChanged:
		q.Account, q.User = e.AccountID, e.UserID
	case domain.MemberRemoved:
		q.Account, q.User = e.AccountID, e.UserID
	case domain.PartnershipSuspended:
		q.Account = e.ConsultancyID
	case domain.PartnershipTerminated:
		q.Account = e.ConsultancyID
	case domain.AccessChanged:
		between(e.Pair)
	case domain.AccessSuspended:
		between(e.Pair)
	case domain.AccessRevoked:
		between(e.Pair)
	case domain.AccessExpired:
		between(e.Pair)
	case domain.AccountManagerUnassigned:
		between(e.Pair)
		q.User = e.UserID
	case domain.CollaborationEnded:
		between(e.Pair)
	}
	return q
}
