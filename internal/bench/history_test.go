package bench

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
)

// moment is when made-up histories of tests happen.
func moment() time.Time { return time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC) }

func TestAHistoryIsTheSameForTheSameSeed(t *testing.T) {
	one, same, other := newHistory(1, moment()), newHistory(1, moment()), newHistory(2, moment())
	for _, events := range []int{1, 500, 1_024} {
		first, err := one.append(events)
		require.NoError(t, err)
		again, err := same.append(events)
		require.NoError(t, err)
		different, err := other.append(events)
		require.NoError(t, err)
		require.Len(t, first.Events, events)
		require.Equal(t, first.Events, again.Events)
		require.Equal(t, first.Expect, again.Expect)
		require.NotEqual(t, first.Events, different.Events)
	}
}

// What the domain decided is encoded, and decoded again; versions follow each other in every stream.
func TestAHistoryCanBeReadBack(t *testing.T) {
	catalog, h := domain.NewCatalog(), newHistory(3, moment())
	versions := map[eventstore.StreamID]int64{}
	kinds := map[string]int{}
	for range 30 {
		a, err := h.append(eventstore.MaxAppendEvents)
		require.NoError(t, err)
		for _, expected := range a.Expect {
			require.Equal(t, versions[expected.Stream], expected.Version, expected.Stream)
		}
		for _, e := range a.Events {
			versions[e.Stream]++
			kinds[e.Type]++
			event, err := catalog.Decode(e.Type, e.Data)
			require.NoError(t, err)
			again, err := json.Marshal(event)
			require.NoError(t, err)
			require.JSONEq(t, string(e.Data), string(again))
		}
	}
	for _, often := range []string{"task.TaskRaised.v1", "task.TaskCompleted.v1", "collaboration.MessageSent.v1", "session.ClientAccountOpened.v1"} {
		require.Greater(t, kinds[often], 1_000, often)
	}
	for _, e := range []domain.Event{
		domain.AccountRegistered{}, domain.MemberJoined{}, domain.PartnershipAccepted{}, domain.ProfileApproved{}, domain.CollaborationAccepted{},
		domain.AccessGranted{}, domain.AccessChanged{}, domain.AccessRevoked{}, domain.AccountManagerAssigned{}, domain.CollaborationEnded{},
		domain.KPINotificationsConfigured{}, domain.ConversationRead{}, domain.ClientAccountClosed{},
	} {
		require.Positive(t, kinds[e.EventType()], e.EventType())
	}
}
