package client_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/projections"
	"github.com/collabledger/collabledger/webhooks"
)

// fields lists the fields of a type as JSON shows them, with their types; those of structs of this project within them.
func fields(t reflect.Type) []string {
	var found []string
	for i := range t.NumField() {
		field := t.Field(i)
		inner := field.Type
		if inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		name := fmt.Sprint(field.Name, " ", field.Tag.Get("json"), " ", field.Type.Kind())
		if inner.Kind() == reflect.Struct && inner != reflect.TypeFor[time.Time]() {
			for _, below := range fields(inner) {
				found = append(found, name+"."+below)
			}
			continue
		}
		found = append(found, name)
	}
	return found
}

func TestWhatTheClientReadsIsWhatTheReadModelsAnswer(t *testing.T) {
	for _, pair := range [][2]reflect.Type{
		{reflect.TypeFor[projections.RequestItem](), reflect.TypeFor[client.Request]()},
		{reflect.TypeFor[projections.AccessItem](), reflect.TypeFor[client.Access]()},
		{reflect.TypeFor[projections.EndingItem](), reflect.TypeFor[client.EndingAccess]()},
		{reflect.TypeFor[projections.EffectiveAccess](), reflect.TypeFor[client.EffectiveAccess]()},
		{reflect.TypeFor[projections.SessionItem](), reflect.TypeFor[client.Session]()},
		{reflect.TypeFor[projections.KPIItem](), reflect.TypeFor[client.KPI]()},
		{reflect.TypeFor[projections.PortfolioItem](), reflect.TypeFor[client.Portfolio]()},
		{reflect.TypeFor[projections.AccessTerms](), reflect.TypeFor[client.AccessTerms]()},
		{reflect.TypeFor[projections.AdviceItem](), reflect.TypeFor[client.Advice]()},
		{reflect.TypeFor[projections.TaskItem](), reflect.TypeFor[client.Task]()},
		{reflect.TypeFor[projections.DirectoryItem](), reflect.TypeFor[client.Listing]()},
		{reflect.TypeFor[projections.HistoryItem](), reflect.TypeFor[client.HistoryLine]()},
		{reflect.TypeFor[projections.NotificationItem](), reflect.TypeFor[client.Notification]()},
		{reflect.TypeFor[projections.ApplicationItem](), reflect.TypeFor[client.Application]()},
		{reflect.TypeFor[projections.ProfileReviewItem](), reflect.TypeFor[client.ProfileReview]()},
		{reflect.TypeFor[webhooks.Item](), reflect.TypeFor[client.Webhook]()},
		{reflect.TypeFor[webhooks.Delivery](), reflect.TypeFor[client.Delivery]()},
	} {
		require.Equal(t, fields(pair[0]), fields(pair[1]), "%s", pair[1])
	}
}

func TestQueriesAskForWhatTheyAreTold(t *testing.T) {
	var asked *url.URL
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL
		_, _ = w.Write([]byte(`{"items":[{}],"next":""}`)) // the client sees when it fails
	}))
	t.Cleanup(server.Close)
	ledger := client.New(server.URL, "key")
	a, b := uuid.MustParse("0192f3c4-0000-7000-8000-00000000000a"), uuid.MustParse("0192f3c4-0000-7000-8000-00000000000b")
	for _, test := range []struct {
		ask  func() error
		want string
	}{
		{func() error {
			return only(ledger.Requests(t.Context(), client.RequestsQuery{Party: a, Status: "pending", Sort: "name"}))
		},
			"/v1/requests?limit=200&party=" + a.String() + "&sort=name&status=pending"},
		{func() error {
			return only(ledger.AtLeast(7).Access(t.Context(), client.AccessQuery{Client: a, User: b, LiveOnly: true}))
		},
			"/v1/access?client=" + a.String() + "&limit=200&live=true&minPosition=7&user=" + b.String()},
		{func() error {
			return only(ledger.Sessions(t.Context(), client.SessionsQuery{AccessQuery: client.AccessQuery{Consultancy: a}}))
		},
			"/v1/sessions?consultancy=" + a.String() + "&limit=200"},
		{func() error {
			return only(ledger.Sessions(t.Context(), client.SessionsQuery{AccessQuery: client.AccessQuery{User: b}, OpenAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}))
		},
			"/v1/sessions?limit=200&openAt=2026-01-02T03%3A04%3A05Z&user=" + b.String()},
		{func() error {
			return only(ledger.EndingAccess(t.Context(), client.EndingQuery{Client: a, Days: 7}))
		},
			"/v1/access/ending?client=" + a.String() + "&limit=200&within=7d"},
		{func() error {
			_, err := ledger.AtLeast(7).EffectiveAccess(t.Context(), client.EffectiveQuery{Consultancy: a, Client: b, User: a})
			return err
		},
			"/v1/access/effective?client=" + b.String() + "&consultancy=" + a.String() + "&minPosition=7&user=" + a.String()},
		{func() error { return only(ledger.KPIs(t.Context(), client.KPIQuery{Client: a})) }, "/v1/kpis?client=" + a.String() + "&limit=200"},
		{func() error {
			return only(ledger.Portfolio(t.Context(), client.PortfolioQuery{Consultancy: a, Manager: b, Text: "luna", Sort: "pending", Descending: true}))
		},
			"/v1/portfolio?consultancy=" + a.String() + "&limit=200&manager=" + b.String() + "&order=descending&q=luna&sort=pending"},
		{func() error { return only(ledger.Advice(t.Context(), a)) }, "/v1/advice?client=" + a.String() + "&limit=200"},
		{func() error {
			return only(ledger.Tasks(t.Context(), client.TasksQuery{Client: a, Section: domain.Sales, Status: domain.TaskPending}))
		},
			"/v1/tasks?client=" + a.String() + "&limit=200&section=sales&status=pending"},
		{func() error {
			return only(ledger.Directory(t.Context(), client.DirectoryQuery{Text: "asesoría", City: "Barcelona"}))
		},
			"/v1/directory?city=Barcelona&limit=200&q=asesor%C3%ADa"},
		{func() error {
			return only(ledger.History(t.Context(), a, time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)))
		},
			"/v1/collaborations/" + a.String() + "/history?asOf=2026-01-02T03%3A04%3A05.000006Z&limit=200"},
		{func() error { return only(ledger.History(t.Context(), a, time.Time{})) }, "/v1/collaborations/" + a.String() + "/history?limit=200"},
		{func() error { return only(ledger.Notifications(t.Context(), true)) }, "/v1/notifications?limit=200&unread=true"},
		{func() error { return only(ledger.Notifications(t.Context(), false)) }, "/v1/notifications?limit=200"},
		{func() error { return only(ledger.Applications(t.Context())) }, "/v1/reviews/applications?limit=200"},
		{func() error { return only(ledger.ProfileReviews(t.Context())) }, "/v1/reviews/profiles?limit=200"},
		{func() error { _, err := ledger.AtLeast(7).Webhooks(t.Context(), a); return err }, "/v1/webhooks?account=" + a.String() + "&minPosition=7"},
		{func() error { return only(ledger.Deliveries(t.Context(), a)) }, "/v1/webhooks/" + a.String() + "/deliveries?limit=200"},
		{func() error { return only(ledger.DeadLetters(t.Context(), a)) }, "/v1/webhooks/" + a.String() + "/dead-letters?limit=200"},
	} {
		require.NoError(t, test.ask())
		require.Equal(t, test.want, asked.String())
	}
}

// only checks that a list has one item.
func only[T any](items func(func(T, error) bool)) error {
	count := 0
	for _, err := range items {
		if err != nil {
			return err
		}
		count++
	}
	if count != 1 {
		return fmt.Errorf("%d items", count)
	}
	return nil
}

func TestAListGoesOnPageByPageUntilItEndsOrFails(t *testing.T) {
	pages := map[string]string{
		"":   `{"items":[{"title":"a"},{"title":"b"}],"next":"c1"}`,
		"c1": `{"items":[{"title":"c"}],"next":"c2"}`,
	}
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		page, ok := pages[r.URL.Query().Get("cursor")]
		if !ok {
			w.WriteHeader(http.StatusForbidden)
			page = `{"code":"forbidden"}`
		}
		_, _ = w.Write([]byte(page)) // the client sees when it fails
	}))
	t.Cleanup(server.Close)
	var titles []string
	var failure error
	for task, err := range client.New(server.URL, "").Tasks(t.Context(), client.TasksQuery{}) {
		if err != nil {
			failure = err
			continue
		}
		titles = append(titles, task.Title)
	}
	require.Equal(t, []string{"a", "b", "c"}, titles)
	require.ErrorContains(t, failure, "forbidden (403)")
	require.Equal(t, 3, requests)

	requests = 0
	for range client.New(server.URL, "").Tasks(t.Context(), client.TasksQuery{}) {
		break
	}
	require.Equal(t, 1, requests, "nobody asks for more than is wanted")
}
