package webhooks

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/projections"
)

func viewer(actor domain.Actor) projections.Viewer { return projections.ViewerFor(actor) }

var firstPage = projections.Paging{Limit: projections.MaxPageItems}

func TestDeliveriesAreListedPageByPageAndBounded(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		joan, r := l.account(), newReceiver(t)
		hook := l.subscribe(joan, r.url, "task.TaskRaised.v1")
		s := l.follows()
		var want []int64
		for i := range KeptDeliveries + 5 {
			_, position := l.raise(joan, fmt.Sprintf("erp-%d", i))
			want = append([]int64{position}, want...)
		}
		l.looked()
		for len(r.all()) < len(want) { // each at a moment of its own
			attempts, err := s.claim(t.Context())
			require.NoError(t, err)
			for _, a := range attempts {
				l.pass(1000)
				require.NoError(t, s.try(t.Context(), a))
				s.free(a.webhook)
			}
		}
		var got []int64
		paging := projections.Paging{Limit: 30}
		for {
			page, err := s.Deliveries(t.Context(), viewer(joan), hook.WebhookID, paging)
			require.NoError(t, err)
			require.LessOrEqual(t, len(page.Items), 30)
			for _, item := range page.Items {
				require.Equal(t, delivered, item.State)
				require.Equal(t, 204, item.Status)
				require.Nil(t, item.NextAt)
				got = append(got, item.Position)
			}
			if paging.Cursor = page.Next; page.Next == "" {
				break
			}
		}
		require.Equal(t, want[:KeptDeliveries], got)
	})
}

func TestWebhooksAreListedForWhoMaySeeThem(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		joan, other, r := l.account(), l.account(), newReceiver(t)
		one, two := l.subscribe(joan, r.url, "task.TaskRaised.v1"), l.subscribe(joan, r.url)
		s := l.follows()
		l.looked()
		for _, who := range []domain.Actor{joan, operator} {
			items, err := s.List(t.Context(), viewer(who), joan.AccountID)
			require.NoError(t, err)
			require.Len(t, items, 2)
			require.Equal(t, one.WebhookID, items[0].WebhookID)
			require.Equal(t, []string{"task.TaskRaised.v1"}, items[0].Types)
			require.Equal(t, two.WebhookID, items[1].WebhookID)
			require.Equal(t, 1, items[0].SecretVersion)
		}
		_, err := s.List(t.Context(), viewer(other), joan.AccountID)
		require.True(t, domain.HasCode(err, "not_your_account"))
		_, err = s.Deliveries(t.Context(), viewer(other), one.WebhookID, firstPage)
		require.True(t, domain.HasCode(err, "webhook_not_found"))
		_, err = s.DeadLetters(t.Context(), viewer(joan), one.WebhookID, projections.Paging{Cursor: "nonsense"})
		require.True(t, domain.HasCode(err, "invalid"))
	})
}
