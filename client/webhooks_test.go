package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

// register registers a client's account.
func register(ledger *ledger, name string) (uuid.UUID, error) {
	answer, err := ledger.Do(context.Background(), "RegisterAccount", commands.RegisterAccount{
		Type: domain.Business, Plan: domain.PlanStandard,
		AccountDetails: domain.AccountDetails{LegalName: name, TradeName: name, TaxID: "B87654321", Country: "ES", Email: "hola@shop.example", Phone: "+34 913 456 789"},
		Owner:          commands.NewPerson{Name: "Owner", Email: "owner@shop.example"},
	})
	if err != nil {
		return uuid.Nil, err
	}
	var created commands.AccountResult
	err = json.Unmarshal(answer.Result, &created)
	return created.AccountID, err
}

// result reads a command's result.
func result[R any](t *testing.T, answer client.Answer) R {
	t.Helper()
	var r R
	require.NoError(t, json.Unmarshal(answer.Result, &r))
	return r
}

// all are the items of a list.
func all[T any](t *testing.T, items func(func(T, error) bool)) []T {
	t.Helper()
	var found []T
	for item, err := range items {
		require.NoError(t, err)
		found = append(found, item)
	}
	return found
}

func TestWebhooksAreListedAndTheirEventsReplayed(t *testing.T) {
	l := newLedger(t)
	shop, err := register(l, "Espiga")
	require.NoError(t, err)
	came, broken := make(chan client.Meta, 10), atomic.Bool{}
	var hook commands.WebhookResult
	server := httptest.NewUnstartedServer(nil)
	t.Cleanup(server.Close)
	registered, err := l.Do(t.Context(), "RegisterWebhook", commands.RegisterWebhook{
		AccountID: &shop, WebhookFields: commands.WebhookFields{URL: "http://" + server.Listener.Addr().String(), Types: []string{"task.TaskRaised.v1"}},
	})
	require.NoError(t, err)
	hook = result[commands.WebhookResult](t, registered)
	server.Config.Handler, err = client.NewWebhookReceiver(hook.Secret, client.On(func(_ context.Context, raised domain.TaskRaised, meta client.Meta) error {
		if broken.Load() {
			return errors.New("it is broken")
		}
		came <- meta
		return nil
	}))
	require.NoError(t, err)
	server.Start()

	raised, err := l.Do(t.Context(), "RaiseTask", commands.RaiseTask{ClientID: shop, Section: domain.Sales, Title: "Match", ExternalRef: "erp-1", GoTo: "https://app.example/1"})
	require.NoError(t, err)
	first := <-came
	require.Equal(t, raised.Position, first.Position)
	var deliveries []client.Delivery
	require.Eventually(t, func() bool {
		deliveries = all(t, l.AtLeast(raised.Position).Deliveries(t.Context(), hook.WebhookID))
		return len(deliveries) == 1 && deliveries[0].State == "delivered"
	}, eventually, often)
	require.Equal(t, http.StatusNoContent, deliveries[0].Status)
	require.Empty(t, all(t, l.DeadLetters(t.Context(), hook.WebhookID)))

	broken.Store(true)
	replayed, err := l.Replay(t.Context(), hook.WebhookID, raised.Position)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		deliveries = all(t, l.AtLeast(replayed.Position).Deliveries(t.Context(), hook.WebhookID))
		return deliveries[0].Status == http.StatusInternalServerError
	}, eventually, often)
	require.Equal(t, "pending", deliveries[0].State)
	require.NotNil(t, deliveries[0].NextAt)
	hooks, err := l.AtLeast(replayed.Position).Webhooks(t.Context(), shop)
	require.NoError(t, err)
	require.Len(t, hooks, 1)
	require.Equal(t, hook.WebhookID, hooks[0].WebhookID)
	require.Equal(t, domain.WebhookActive, hooks[0].Status)
	require.Equal(t, 1, hooks[0].Waiting)
	require.Equal(t, registered.Position, hooks[0].Position)
	platform, err := l.Webhooks(t.Context(), uuid.Nil)
	require.NoError(t, err)
	require.Empty(t, platform)

	broken.Store(false)
	_, err = l.Replay(t.Context(), hook.WebhookID, raised.Position)
	require.NoError(t, err)
	require.Equal(t, first, <-came, "the same event, under the same id")
	_, err = l.Replay(t.Context(), hook.WebhookID, 1_000_000)
	problem, ok := errors.AsType[*client.Problem](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, "position", problem.Errors[0].Field)
}

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// record is an event as a ledger sends it.
func record(eventType, data string) string {
	return fmt.Sprintf(`{"id":"0192f3c4-0000-7000-8000-00000000000a","source":"urn:uuid:0192f3c4-0000-7000-8000-00000000000b","type":%q,"subject":"task-1",
		"time":"2026-01-02T03:04:05Z","sequence":"7","streamversion":"1","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","data":%s}`, eventType, data)
}

// post is a request as a ledger signs it at a moment.
func post(t *testing.T, at time.Time, body string) *http.Request {
	t.Helper()
	signer, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	signature, err := signer.Sign("0192f3c4-0000-7000-8000-00000000000a", at, []byte(body))
	require.NoError(t, err)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hooks", strings.NewReader(body))
	r.Header.Set(standardwebhooks.HeaderWebhookID, "0192f3c4-0000-7000-8000-00000000000a")
	r.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	r.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	return r
}

func TestAReceiverTakesWhatTheLedgerSignedAndNothingElse(t *testing.T) {
	raised := record("task.TaskRaised.v1", `{"title":"Match"}`)
	changed := func(change func(*http.Request)) *http.Request {
		r := post(t, time.Now(), raised)
		change(r)
		return r
	}
	for name, test := range map[string]struct {
		request *http.Request
		status  int
		handled bool
	}{
		"an event":                     {post(t, time.Now(), raised), http.StatusNoContent, true},
		"an event without a handler":   {post(t, time.Now(), record("task.TaskCancelled.v1", `{}`)), http.StatusNoContent, false},
		"an event of a later version":  {post(t, time.Now(), record("task.TaskDreamt.v9", `{}`)), http.StatusNoContent, false},
		"an event that cannot be read": {post(t, time.Now(), record("task.TaskRaised.v1", `{"title":7}`)), http.StatusInternalServerError, false},
		"what is no event":             {post(t, time.Now(), `{}`), http.StatusInternalServerError, false},
		"one from long ago":            {post(t, time.Now().Add(-6*time.Minute), raised), http.StatusUnauthorized, false},
		"one that is to come":          {post(t, time.Now().Add(6*time.Minute), raised), http.StatusUnauthorized, false},
		"another id":                   {changed(func(r *http.Request) { r.Header.Set(standardwebhooks.HeaderWebhookID, "other") }), http.StatusUnauthorized, false},
		"no signature":                 {changed(func(r *http.Request) { r.Header.Del(standardwebhooks.HeaderWebhookSignature) }), http.StatusUnauthorized, false},
		"another method":               {changed(func(r *http.Request) { r.Method = http.MethodPut }), http.StatusMethodNotAllowed, false},
		"too much":                     {post(t, time.Now(), strings.Repeat(" ", client.MaxWebhookBytes+1)), http.StatusRequestEntityTooLarge, false},
		"two signatures": {changed(func(r *http.Request) {
			r.Header.Set(standardwebhooks.HeaderWebhookSignature, "v1,bm90IHRoaXM= "+r.Header.Get(standardwebhooks.HeaderWebhookSignature))
		}), http.StatusNoContent, true},
	} {
		t.Run(name, func(t *testing.T) {
			handled := false
			receiver, err := client.NewWebhookReceiver(secret, client.On(func(_ context.Context, raised domain.TaskRaised, meta client.Meta) error {
				require.Equal(t, "Match", raised.Title)
				require.EqualValues(t, 7, meta.Position)
				handled = true
				return nil
			}))
			require.NoError(t, err)
			answer := httptest.NewRecorder()
			receiver.ServeHTTP(answer, test.request)
			require.Equal(t, test.status, answer.Code, answer.Body)
			require.Equal(t, test.handled, handled)
		})
	}
}

func TestWhatAReceiverDoesGoesOnTheEventsTrace(t *testing.T) {
	var asked http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Header
		_, _ = w.Write([]byte(`{}`)) // the client sees when it fails
	}))
	t.Cleanup(server.Close)
	receiver, err := client.NewWebhookReceiver(secret, client.On(func(ctx context.Context, _ domain.TaskRaised, _ client.Meta) error {
		_, err := client.New(server.URL, "key").Do(ctx, "CompleteTask", nil)
		return err
	}))
	require.NoError(t, err)
	answer := httptest.NewRecorder()
	receiver.ServeHTTP(answer, post(t, time.Now(), record("task.TaskRaised.v1", `{}`)))
	require.Equal(t, http.StatusNoContent, answer.Code, answer.Body)
	require.Equal(t, "0192f3c4-0000-7000-8000-00000000000a", asked.Get("Ledger-Causation-Id"))
	require.Equal(t, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", asked.Get("Traceparent"))
}

func TestAReceiverTakesEarlierVersionsOfAnEvent(t *testing.T) {
	var read []int
	receiver, err := client.NewWebhookReceiver(secret, client.On(func(_ context.Context, e domain.ConversationRead, _ client.Meta) error {
		read = append(read, e.MessagesRead)
		return nil
	}))
	require.NoError(t, err)
	for name, data := range map[string]string{"collaboration.ConversationRead.v1": `{"upTo":3}`, "collaboration.ConversationRead.v2": `{"messagesRead":3}`} {
		answer := httptest.NewRecorder()
		receiver.ServeHTTP(answer, post(t, time.Now(), record(name, data)))
		require.Equal(t, http.StatusNoContent, answer.Code, answer.Body)
	}
	require.Equal(t, []int{3, 3}, read)
}

func TestMistakesInAReceiverAreErrors(t *testing.T) {
	for _, wrong := range []string{"", "whsec_", "whsec_%", strings.TrimPrefix(secret, "whsec_")} {
		_, err := client.NewWebhookReceiver(wrong)
		require.ErrorContains(t, err, "whsec_ and base64", wrong)
	}
	ignore := func(context.Context, domain.TaskRaised, client.Meta) error { return nil }
	_, err := client.NewWebhookReceiver(secret, client.On(ignore), client.On(ignore))
	require.ErrorContains(t, err, "a webhook receiver has two handlers of task.TaskRaised")
}
