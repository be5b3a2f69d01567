package api

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/projections"
	"github.com/collabledger/collabledger/webhooks"
)

// webhooksInput names whose webhooks are listed.
type webhooksInput struct {
	Account uuid.UUID `query:"account" doc:"The account; without it, the platform's own webhooks, which its services and staff see"`
	Reading
}

// deliveriesInput names a webhook whose deliveries are listed.
type deliveriesInput struct {
	ID uuid.UUID `path:"id" doc:"The webhook"`
	Paging
}

// addWebhooks adds the lists of webhooks and of what was sent to them. The sender's tables answer them, and not the read models.
func (e *edge) addWebhooks() {
	addWebhookList(e, "listWebhooks", "/v1/webhooks", "The webhooks of an account, or of the platform",
		"Where events are sent, by registration; at most 10. What a webhook's secret is only RegisterWebhook and RotateWebhookSecret tell.", exampleWebhook(),
		func(ctx context.Context, v projections.Viewer, in *webhooksInput) (projections.Page[webhooks.Item], error) {
			items, err := e.Webhooks.List(ctx, v, in.Account)
			return projections.Page[webhooks.Item]{Items: items}, err
		})
	addWebhookList(e, "listDeliveries", "/v1/webhooks/{id}/deliveries", "What is sent to a webhook, and was lately",
		"Events that wait, and the last 100 that were delivered, the latest event first.", exampleDelivery("delivered", 204, ""),
		func(ctx context.Context, v projections.Viewer, in *deliveriesInput) (projections.Page[webhooks.Delivery], error) {
			return e.Webhooks.Deliveries(ctx, v, in.ID, in.page())
		})
	addWebhookList(e, "listDeadLetters", "/v1/webhooks/{id}/dead-letters", "What could not be delivered to a webhook",
		"Events that no attempt in three days has delivered, the latest first, 1,000 at most. ReplayWebhook sends one again.",
		exampleDelivery("dead", 502, "the receiver answered 502"),
		func(ctx context.Context, v projections.Viewer, in *deliveriesInput) (projections.Page[webhooks.Delivery], error) {
			return e.Webhooks.DeadLetters(ctx, v, in.ID, in.page())
		})
}

// addWebhookList adds a list that the sender answers for a viewer, once it has looked at the log up to the position that the caller
// names.
func addWebhookList[I interface{ minPosition() int64 }, T any](e *edge, id, path, summary, description string, item T,
	list func(context.Context, projections.Viewer, *I) (projections.Page[T], error)) {
	op := query(id, path, summary, description, projections.Page[T]{Items: []T{item}})
	register(e, keyRequired, op, func(ctx context.Context, actor domain.Actor, in *I) (*bodyOutput[projections.Page[T]], error) {
		viewer, err := e.viewer(ctx, actor)
		if err != nil {
			return nil, err
		}
		if err := e.webhooksHave(ctx, (*in).minPosition()); err != nil {
			return nil, err
		}
		page, err := list(ctx, viewer, in)
		return &bodyOutput[projections.Page[T]]{Body: page}, err
	})
}

// webhooksHave waits until the sender has looked at the log up to a position.
func (e *edge) webhooksHave(ctx context.Context, position int64) error {
	if position == 0 {
		return nil
	}
	if err := e.logHas(ctx, "minPosition", position); err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, MaxWait)
	defer cancel()
	err := e.Webhooks.Wait(waiting, position)
	if errors.Is(err, context.DeadlineExceeded) {
		return &domain.Error{Kind: domain.Unavailable, Code: "not_yet", Detail: fmt.Sprintf("what is to be sent is not known up to position %d yet; try again", position)}
	}
	return err
}

func exampleWebhook() webhooks.Item {
	x := exampleStory()
	return webhooks.Item{
		Webhook: domain.Webhook{
			WebhookRef:    domain.WebhookRef{WebhookID: domain.WebhookID(x.client, 1), AccountID: x.client},
			WebhookTarget: domain.WebhookTarget{URL: "https://erp.example/hooks", Types: []string{"collaboration.AccessGranted.v1"}, Description: "Our ERP"},
			Status:        domain.WebhookActive, SecretVersion: 1,
		},
		Position: 42, Waiting: 1,
	}
}

func exampleDelivery(state string, status int, problem string) webhooks.Delivery {
	x := exampleStory()
	return webhooks.Delivery{
		Position: 57, Stream: "collaboration-" + x.pair().CollaborationID().String(), Type: "collaboration.AccessGranted.v1", State: state, Attempts: 1,
		Status: status, Problem: problem, ChangedAt: x.at,
	}
}
