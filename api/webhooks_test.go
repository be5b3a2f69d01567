package api_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/api"
	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/projections"
	"github.com/collabledger/collabledger/webhooks"
)

// subscribe registers a webhook of a person's account.
func (w *world) subscribe(who person, to string, types ...string) commands.WebhookResult {
	w.t.Helper()
	return created[commands.WebhookResult](w, w.do(who, commands.RegisterWebhook{
		AccountID: &who.account, WebhookFields: commands.WebhookFields{URL: to, Types: types},
	}))
}

func TestAnAccountSeesWhatItsWebhookIsSent(t *testing.T) {
	type received struct {
		header http.Header
		body   []byte
	}
	came := make(chan received, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			came <- received{r.Header, body}
		}
	}))
	defer receiver.Close()
	w := startWorld(t, func(c *api.Config) { c.Executor.AllowInternalWebhooks = true })
	hook := w.subscribe(w.espiga, receiver.URL, "task.TaskCancelled.v1")
	registered := w.last
	w.do(w.espiga, commands.CancelTask{TaskID: w.task})

	got := <-came
	verifier, err := standardwebhooks.NewWebhook(hook.Secret)
	require.NoError(t, err)
	require.NoError(t, verifier.Verify(got.body, got.header), "the timestamp is that of now")

	of := url.Values{"account": {w.espiga.account.String()}}
	list := query[projections.Page[webhooks.Item]](w, w.espiga, "/v1/webhooks", of)
	require.Len(t, list.Items, 1)
	require.Equal(t, hook.WebhookID, list.Items[0].WebhookID)
	require.Equal(t, domain.WebhookActive, list.Items[0].Status)
	require.Equal(t, registered, list.Items[0].Position)
	require.NotContains(t, encoded(t, list), hook.Secret)

	path := "/v1/webhooks/" + hook.WebhookID.String()
	var deliveries projections.Page[webhooks.Delivery]
	require.Eventually(t, func() bool {
		deliveries = query[projections.Page[webhooks.Delivery]](w, w.espiga, path+"/deliveries", nil)
		return len(deliveries.Items) == 1 && deliveries.Items[0].State == "delivered"
	}, 30*time.Second, tick, "the delivery is recorded")
	require.Equal(t, w.last, deliveries.Items[0].Position)
	require.Equal(t, http.StatusOK, deliveries.Items[0].Status)
	require.Empty(t, query[projections.Page[webhooks.Delivery]](w, w.espiga, path+"/dead-letters", nil).Items)
	require.Empty(t, query[projections.Page[webhooks.Item]](w, person{}, "/v1/webhooks", nil).Items, "the platform has none")
	w.get("/v1/webhooks", w.espiga.String()).problem(t, http.StatusForbidden, "not_your_account")
	w.get(path+"/deliveries?cursor=nonsense", w.espiga.String()).problem(t, http.StatusBadRequest, "invalid")
}
