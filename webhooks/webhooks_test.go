package webhooks

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

func TestAnEventIsSentSignedAndAsTheLogHoldsIt(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		joan, r := l.account(), newReceiver(t)
		hook := l.subscribe(joan, r.url)
		l.works()
		_, position := l.raise(joan, "erp-1")
		l.eventually(func() bool { return len(r.all()) == 1 }, "the event comes")

		got := r.all()[0]
		page, err := l.store.ReadAll(t.Context(), position-1, 1)
		require.NoError(t, err)
		require.Equal(t, string(page[0].Bytes), string(got.body))
		require.Equal(t, page[0].Attribute("id"), got.header.Get("webhook-id"))
		require.Equal(t, "application/cloudevents+json", got.header.Get("Content-Type"))
		require.Equal(t, strconv.FormatInt(l.now().Unix(), 10), got.header.Get("webhook-timestamp"))
		require.NoError(t, verify(t, got, hook.Secret))
		require.Error(t, verify(t, got, l.executor.Tokens.WebhookSecret(hook.WebhookID, 2)))
		l.eventually(func() bool { state, _, _ := l.stands(hook.WebhookID, position); return state == delivered }, "it is recorded")
	})
}

func TestAWebhookGetsWhatItAsksForAndItsAccountMaySee(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		joan, other := l.account(), l.account()
		all, some, everything, others := newReceiver(t), newReceiver(t), newReceiver(t), newReceiver(t)
		l.do(operator, commands.RegisterWebhook{WebhookFields: commands.WebhookFields{URL: everything.url}})
		first := l.do(joan, commands.RegisterWebhook{AccountID: &joan.AccountID, WebhookFields: commands.WebhookFields{URL: all.url}}).Position
		l.subscribe(joan, some.url, "task.TaskCompleted.v1")
		l.subscribe(other, others.url)
		last := l.store.Committed()
		l.works()
		task, raised := l.raise(joan, "erp-1")
		completed := l.complete(joan, task)
		_, foreign := l.raise(other, "erp-1")
		l.eventually(func() bool {
			return len(all.all()) == 3 && len(some.all()) == 1 && len(everything.all()) == 6 && len(others.all()) == 1
		}, "all events come")

		of := func(r *receiver) []int64 { p := r.positions(); slices.Sort(p); return p }
		require.Equal(t, []int64{first + 1, raised, completed}, of(all), "its registration is not among them, that of the account's next webhook is")
		require.Equal(t, []int64{completed}, of(some))
		require.Equal(t, []int64{last - 2, last - 1, last, raised, completed, foreign}, of(everything))
		require.Equal(t, []int64{foreign}, of(others))
	})
}

func TestAFailingEventHoldsBackItsStreamAlone(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		joan, r := l.account(), newReceiver(t)
		hook := l.subscribe(joan, r.url)
		stuck, position := l.raise(joan, "erp-1")
		behind := l.complete(joan, stuck)
		l.do(joan, commands.ReopenTask{TaskID: stuck})
		fine, other := l.raise(joan, "erp-2")
		after := l.complete(joan, fine)
		r.fails(http.StatusInternalServerError, func(record eventstore.Record) bool { return record.Position == position })
		s := l.follows()
		l.looked()
		l.settle(s)
		require.Equal(t, []int64{position, other, after}, r.positions(), "the other stream goes on, the failing one waits")
		state, attempts, _ := l.stands(hook.WebhookID, behind)
		require.Equal(t, pending, state)
		require.Zero(t, attempts)

		r.fails(http.StatusOK, func(eventstore.Record) bool { return false })
		l.pass(6 * time.Second)
		l.settle(s)
		require.Equal(t, []int64{position, other, after, position, behind, behind + 1}, r.positions(), "then all of it comes, in its order")
	})
}

func TestAttemptsAreMadeOverThreeDaysThenTheEventIsADeadLetterThatCanBeReplayed(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		joan, r := l.account(), newReceiver(t)
		hook := l.subscribe(joan, r.url, "task.TaskRaised.v1", "task.TaskCompleted.v1")
		task, position := l.raise(joan, "erp-1")
		next := l.complete(joan, task)
		r.fails(http.StatusBadGateway, func(record eventstore.Record) bool { return record.Position == position })
		s := l.follows()
		l.looked()
		l.settle(s)
		began := l.now()
		for i, wait := range retryWaits() {
			_, attempts, due := l.stands(hook.WebhookID, position)
			require.Equal(t, i+1, attempts)
			require.GreaterOrEqual(t, due.Sub(l.now()), wait)
			require.Less(t, due.Sub(l.now()), wait+wait/jitterShare)
			l.pass(due.Sub(l.now()) - time.Microsecond)
			l.settle(s)
			require.Len(t, r.all(), i+1, "it is not sent early")
			l.pass(time.Microsecond)
			l.settle(s)
		}
		require.Greater(t, l.now().Sub(began), 3*24*time.Hour)
		state, attempts, _ := l.stands(hook.WebhookID, position)
		require.Equal(t, dead, state)
		require.Equal(t, len(retryWaits())+1, attempts)
		require.Equal(t, next, r.positions()[len(r.all())-1], "what waited behind it goes on")

		page, err := s.DeadLetters(t.Context(), viewer(joan), hook.WebhookID, firstPage)
		require.NoError(t, err)
		require.Len(t, page.Items, 1)
		letter := page.Items[0]
		require.Equal(t, Delivery{Position: position, Stream: "task-" + task.String(), Type: "task.TaskRaised.v1", State: dead, Attempts: 10, Status: 502,
			Problem: "the receiver answered 502", ChangedAt: letter.ChangedAt}, letter)

		r.fails(http.StatusOK, func(eventstore.Record) bool { return false })
		l.do(joan, commands.ReplayWebhook{WebhookID: hook.WebhookID, Position: position})
		l.looked()
		l.settle(s)
		require.Equal(t, position, r.positions()[len(r.all())-1])
		state, attempts, _ = l.stands(hook.WebhookID, position)
		require.Equal(t, delivered, state)
		require.Equal(t, 1, attempts)
		require.NoError(t, verify(t, r.all()[len(r.all())-1], hook.Secret))
	})
}

func TestAReplayShowsNothingThatTheAccountMayNotSee(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		joan, other, r := l.account(), l.account(), newReceiver(t)
		_, foreign := l.raise(other, "erp-1")
		_, own := l.raise(joan, "erp-1")
		hook := l.subscribe(joan, r.url, "account.AccountClosed.v1")
		for _, position := range []int64{foreign, own} {
			l.do(joan, commands.ReplayWebhook{WebhookID: hook.WebhookID, Position: position})
		}
		s := l.follows()
		l.looked()
		l.settle(s)
		require.Equal(t, []int64{own}, r.positions())
	})
}

func TestAnAttemptOfANodeThatDiedIsMadeAgainUnderTheSameID(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		joan, r := l.account(), newReceiver(t)
		hook := l.subscribe(joan, r.url)
		_, position := l.raise(joan, "erp-1")
		s := l.follows()
		l.looked()

		attempts, err := s.claim(t.Context())
		require.NoError(t, err)
		require.Len(t, attempts, 1)
		page, err := l.store.ReadAll(t.Context(), position-1, 1)
		require.NoError(t, err)
		require.Empty(t, s.send(t.Context(), attempts[0], page[0]).problem) // and the node dies before it records that

		another := l.sender()
		l.pass(claimLasts - time.Microsecond)
		l.settle(another)
		require.Len(t, r.all(), 1, "it may still be under way")
		l.pass(time.Microsecond)
		l.settle(another)
		got := r.all()
		require.Len(t, got, 2)
		require.Equal(t, got[0].header.Get("webhook-id"), got[1].header.Get("webhook-id"))
		require.NoError(t, s.record(t.Context(), attempts[0], outcome{problem: "late"}), "what the first node says later")
		state, number, _ := l.stands(hook.WebhookID, position)
		require.Equal(t, delivered, state, "does not count")
		require.Equal(t, 2, number)
	})
}

func TestAfterARotationTheOldSecretSignsForADay(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		joan, r := l.account(), newReceiver(t)
		old := l.subscribe(joan, r.url, "task.TaskRaised.v1")
		rotated := l.do(joan, commands.RotateWebhookSecret{WebhookID: old.WebhookID}).Result.(commands.WebhookResult)
		require.NotEqual(t, old.Secret, rotated.Secret)
		s := l.follows()
		for i, moment := range []time.Duration{0, 24*time.Hour - time.Microsecond, time.Microsecond} {
			l.pass(moment)
			l.raise(joan, fmt.Sprintf("erp-%d", i))
			l.looked()
			l.settle(s)
		}
		got := r.all()
		require.Len(t, got, 3)
		for _, request := range got {
			require.NoError(t, verify(t, request, rotated.Secret))
		}
		require.NoError(t, verify(t, got[0], old.Secret))
		require.NoError(t, verify(t, got[1], old.Secret))
		require.Error(t, verify(t, got[2], old.Secret), "a day later it is over")
	})
}

func TestAReceiverThatIsGonePausesItsWebhookAndNothingIsLost(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		joan, r := l.account(), newReceiver(t)
		hook := l.subscribe(joan, r.url, "task.TaskRaised.v1")
		r.fails(http.StatusGone, func(eventstore.Record) bool { return true })
		s := l.follows()
		_, first := l.raise(joan, "erp-1")
		l.looked()
		l.settle(s)
		l.looked()
		_, second := l.raise(joan, "erp-2")
		l.looked()
		l.pass(time.Hour)
		l.settle(s)
		require.Equal(t, []int64{first}, r.positions(), "a paused webhook gets nothing")
		items, err := s.List(t.Context(), viewer(joan), joan.AccountID)
		require.NoError(t, err)
		require.Equal(t, domain.WebhookHalted, items[0].Status)
		require.Equal(t, domain.PauseGone, items[0].Reason)
		require.Equal(t, 2, items[0].Waiting)

		r.fails(http.StatusOK, func(eventstore.Record) bool { return false })
		l.do(joan, commands.ResumeWebhook{WebhookID: hook.WebhookID})
		l.looked()
		l.settle(s)
		require.Equal(t, []int64{first, second}, sorted(r.positions()[1:]))
	})
}

func TestADeletedWebhookGetsNothingMoreAndNeitherDoesThatOfAClosedAccount(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		joan, other, r := l.account(), l.account(), newReceiver(t)
		hook := l.subscribe(joan, r.url)
		kept := l.subscribe(other, r.url)
		l.raise(joan, "erp-1")
		l.do(joan, commands.DeleteWebhook{WebhookID: hook.WebhookID})
		l.raise(joan, "erp-2")
		l.raise(other, "erp-1")
		l.do(other, commands.CloseAccount{AccountID: other.AccountID})
		s := l.follows()
		l.looked()
		l.settle(s)
		require.Empty(t, r.all())
		for _, id := range []uuid.UUID{hook.WebhookID, kept.WebhookID} {
			_, err := s.Deliveries(t.Context(), viewer(operator), id, firstPage)
			require.True(t, domain.HasCode(err, "webhook_not_found"))
		}
	})
}

func TestTwoNodesAtOnceSendEachEventOnce(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		joan, r := l.account(), newReceiver(t)
		l.subscribe(joan, r.url, "task.TaskRaised.v1")
		l.works()
		l.works()
		var want []int64
		for i := range 40 {
			_, position := l.raise(joan, fmt.Sprintf("erp-%d", i))
			want = append(want, position)
		}
		l.eventually(func() bool { return len(r.all()) >= len(want) }, "all come")
		l.looked()
		l.eventually(func() bool {
			left := 0
			require.NoError(t, l.db.Read.QueryRowContext(context.Background(), "SELECT count(*) FROM webhook_deliveries WHERE state = 'pending'").Scan(&left))
			return left == 0
		}, "all are recorded")
		require.Equal(t, want, sorted(r.positions()))
	})
}

func TestAReceiversWishToWaitIsHeeded(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"":                              0,
		"120":                           2 * time.Minute,
		"-5":                            0,
		"Mon, 02 Mar 2026 10:00:00 GMT": time.Hour,
		"Mon, 02 Mar 2026 08:00:00 GMT": 0,
		"31536000":                      24 * time.Hour,
		"99999999999999999999":          0,
		"soon":                          0,
	} {
		require.Equal(t, want, retryAfter(header, now), header)
	}

	l := newLedger(t, sqldbtest.SQLite(t))
	joan, r := l.account(), newReceiver(t)
	hook := l.subscribe(joan, r.url)
	_, position := l.raise(joan, "erp-1")
	r.answers(func(_ received, w http.ResponseWriter) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	s := l.follows()
	l.looked()
	l.settle(s)
	_, _, due := l.stands(hook.WebhookID, position)
	require.Equal(t, l.now().Add(time.Hour), due)
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	l := newLedger(t, sqldbtest.SQLite(t))
	joan, r, elsewhere := l.account(), newReceiver(t), newReceiver(t)
	hook := l.subscribe(joan, r.url)
	_, position := l.raise(joan, "erp-1")
	r.answers(func(_ received, w http.ResponseWriter) {
		w.Header().Set("Location", elsewhere.url)
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	s := l.follows()
	l.looked()
	l.settle(s)
	require.Empty(t, elsewhere.all())
	state, attempts, _ := l.stands(hook.WebhookID, position)
	require.Equal(t, pending, state)
	require.Equal(t, 1, attempts)
}

func TestNothingIsSentToThisMachineUnlessAllowed(t *testing.T) {
	l := newLedger(t, sqldbtest.SQLite(t))
	joan, r := l.account(), newReceiver(t)
	byAddress, byName := l.subscribe(joan, r.url, "task.TaskRaised.v1"), l.subscribe(joan, strings.Replace(r.url, "127.0.0.1", "localhost", 1), "task.TaskRaised.v1")
	_, position := l.raise(joan, "erp-1")
	s := l.follows(func(c *Config) { c.AllowInternal = false })
	l.looked()
	l.settle(s)
	require.Empty(t, r.all())
	for _, hook := range []commands.WebhookResult{byAddress, byName} {
		page, err := s.Deliveries(t.Context(), viewer(joan), hook.WebhookID, firstPage)
		require.NoError(t, err)
		require.Len(t, page.Items, 1)
		require.Equal(t, position, page.Items[0].Position)
		require.Equal(t, errInternal.Error(), page.Items[0].Problem)
		require.Equal(t, pending, page.Items[0].State)
	}
}

func TestWhatIsTooMuchToWaitIsADeadLetterAtOnce(t *testing.T) {
	l := newLedger(t, sqldbtest.SQLite(t))
	joan, r := l.account(), newReceiver(t)
	hook := l.subscribe(joan, r.url)
	l.do(joan, commands.PauseWebhook{WebhookID: hook.WebhookID})
	s := l.follows()
	l.looked()
	waiting := MaxWaiting - 1 // beside the pause itself
	many := make([]row, waiting+2*KeptDeadLetters)
	for i := range many {
		many[i] = row{hook.WebhookID, int64(1000 + i), "task-" + uuid.NewString(), "task.TaskRaised.v1"}
	}
	for i, part := range [][]row{many[:waiting/2], many[waiting/2 : waiting+KeptDeadLetters], many[waiting+KeptDeadLetters:]} {
		f, err := s.load(t.Context())
		require.NoError(t, err)
		n := &notes{follower: f, now: int64(i)}
		n.step(func(ctx context.Context, tx *sql.Tx) error { return n.insert(ctx, tx, part) })
		require.NoError(t, f.save(t.Context(), n, f.saved.Position))
	}
	items, err := s.List(t.Context(), viewer(joan), joan.AccountID)
	require.NoError(t, err)
	require.Equal(t, MaxWaiting, items[0].Waiting)
	dead, err := s.DeadLetters(t.Context(), viewer(joan), hook.WebhookID, firstPage)
	require.NoError(t, err)
	require.Equal(t, "10000 events waited already", dead.Items[0].Problem)
	require.Equal(t, many[len(many)-1].position, dead.Items[0].Position)
	require.Equal(t, KeptDeadLetters, items[0].DeadLetters, "the oldest are dropped")
	require.Equal(t, 2*KeptDeadLetters, outcomes(s)[outcomeDead])
}

func sorted(positions []int64) []int64 {
	slices.Sort(positions)
	return positions
}
