package reactors

import (
	"context"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/projections"
)

// subscriptions suspends a partner whose subscription lapses, and reinstates it once the subscription is current again (S2). The rules
// see to it that nothing is lifted but what was imposed for that reason, and refuse it for those who are no partners.
func subscriptions() reactor {
	return reactor{
		name: "subscriptions",
		to:   []domain.Event{domain.SubscriptionRecorded{}},
		react: func(_ context.Context, _ *projections.Engine, c cause, _ projections.Paging) (projections.Page[order], error) {
			e, ok := c.fact.(domain.SubscriptionRecorded)
			if !ok {
				return nothing()
			}
			if e.Status == domain.Current {
				return only(c.order("ReinstatePartnership", e.AccountID, commands.ReinstatePartnership{ConsultancyID: e.AccountID}))
			}
			return only(c.order("SuspendPartnership", e.AccountID, commands.SuspendPartnership{ConsultancyID: e.AccountID, Reason: domain.SuspendedForSubscription}))
		},
	}
}
