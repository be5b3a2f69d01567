package webhooks

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

// outcomes counts what came of events on a node.
func outcomes(s *Sender) map[string]int {
	counts := map[string]int{}
	for _, outcome := range []string{outcomeDelivered, outcomeFailed, outcomeDead} {
		counts[outcome] = int(testutil.ToFloat64(s.Outcomes.WithLabelValues(outcome)))
	}
	return counts
}

func TestTheBacklogAndWhatCameOfEventsAreCounted(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		joan, r := l.account(), newReceiver(t)
		hook := l.subscribe(joan, r.url, "task.TaskRaised.v1")
		paused := l.subscribe(joan, r.url, "task.TaskRaised.v1")
		l.do(joan, commands.PauseWebhook{WebhookID: paused.WebhookID})
		_, broken := l.raise(joan, "erp-1")
		l.raise(joan, "erp-2")
		r.fails(http.StatusInternalServerError, func(record eventstore.Record) bool { return record.Position == broken })
		s := l.follows()
		l.looked()
		l.settle(s)
		require.Equal(t, map[string]int{outcomeDelivered: 1, outcomeFailed: 1, outcomeDead: 0}, outcomes(s))
		backlog, err := s.Backlog(t.Context())
		require.NoError(t, err)
		require.Equal(t, Backlog{Waiting: 3, Webhooks: map[domain.WebhookStatus]int{domain.WebhookActive: 1, domain.WebhookHalted: 1}}, backlog)

		for range retryWaits() {
			_, _, due := l.stands(hook.WebhookID, broken)
			l.pass(due.Sub(l.now()))
			l.settle(s)
		}
		require.Equal(t, map[string]int{outcomeDelivered: 1, outcomeFailed: len(retryWaits()), outcomeDead: 1}, outcomes(s))
		backlog, err = s.Backlog(t.Context())
		require.NoError(t, err)
		require.Equal(t, Backlog{Waiting: 2, DeadLetters: 1, Webhooks: map[domain.WebhookStatus]int{domain.WebhookActive: 1, domain.WebhookHalted: 1}}, backlog)
	})
}

func TestTheStatusTellsHowFarTheLogIsLookedThrough(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		l.account()
		l.pass(time.Minute)
		l.account()
		l.pass(time.Minute)
		s := l.sender()
		status, err := s.Status(t.Context())
		require.NoError(t, err)
		require.Equal(t, FollowStatus{Behind: 2, BehindSeconds: 120, State: Live}, status, "since the first event")
		l.runs(s.Follow)
		require.NoError(t, s.Wait(t.Context(), 2))
		status, err = s.Status(t.Context())
		require.NoError(t, err)
		require.Equal(t, FollowStatus{Position: 2, State: Live}, status)
	})
}

// An event that this version does not know could be one to send: it is neither skipped nor does it keep what came before from being
// sent. Who follows anew stops there again, and goes on once the event can be read.
func TestAnUnknownEventStopsTheWebhooksThere(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		joan, r := l.account(), newReceiver(t)
		l.subscribe(joan, r.url, "task.TaskRaised.v1")
		_, before := l.raise(joan, "erp-1")
		stream := eventstore.StreamID{Kind: "novelty", ID: uuid.New()}
		_, err := l.store.Append(t.Context(), eventstore.Append{
			CommandID: uuid.New(), Actor: "service:tomorrow", Expect: []eventstore.StreamVersion{{Stream: stream}},
			Events: []eventstore.NewEvent{{ID: uuid.New(), Stream: stream, Type: "novelty.Happened.v1", Data: []byte(`{}`)}},
		})
		require.NoError(t, err)
		_, after := l.raise(joan, "erp-2")
		s := l.sender()
		for range 2 {
			require.ErrorContains(t, s.Follow(t.Context()), "webhooks cannot read position 4 (novelty.Happened.v1)")
			status, err := s.Status(t.Context())
			require.NoError(t, err)
			require.Equal(t, Stopped, status.State)
			require.Contains(t, status.Error, "position 4 (novelty.Happened.v1)")
			require.Equal(t, before, status.Position)
			require.EqualValues(t, 2, status.Behind)
			l.settle(s)
			require.Equal(t, []int64{before}, r.positions())
		}
		_, err = l.db.Write.ExecContext(t.Context(), "UPDATE webhook_checkpoint SET position = 4") // as a newer node does
		require.NoError(t, err)
		l.runs(s.Follow)
		require.NoError(t, s.Wait(t.Context(), after))
		status, err := s.Status(t.Context())
		require.NoError(t, err)
		require.Equal(t, FollowStatus{Position: after, State: Live}, status)
		l.settle(s)
		require.Equal(t, []int64{before, after}, r.positions())
	})
}

func TestADatabaseThatDoesNotAnswerIsTriedAgain(t *testing.T) {
	l := newLedger(t, sqldbtest.SQLite(t))
	l.account()
	s := l.sender()
	_, err := l.db.Write.ExecContext(t.Context(), "ALTER TABLE webhooks RENAME TO away")
	require.NoError(t, err)
	require.Error(t, s.Follow(t.Context()))
	status, err := s.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, Retrying, status.State)
	require.Contains(t, status.Error, "read the webhooks")
	_, err = l.db.Write.ExecContext(t.Context(), "ALTER TABLE away RENAME TO webhooks")
	require.NoError(t, err)
	l.runs(s.Follow)
	require.NoError(t, s.Wait(t.Context(), 1))
	status, err = s.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, FollowStatus{Position: 1, State: Live}, status)
}
