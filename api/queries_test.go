package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/api"
	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/projections"
)

// sight is what a query of the world's pair shows to those who are no part of it.
type sight struct {
	path     string // of the query, about the pair
	stranger int    // status for a member of an account that has nothing to do with the pair
	public   int    // status without a key
	shows    bool   // the answer may name the consultancy, because everybody may know it
	personal bool   // only a person has it, so the operator does not
}

// sights has every GET operation of the document. None of the answers may name anything of the pair unless it says so.
func sights(w *world) map[string]sight {
	consultancy, client := w.vidal.account.String(), w.espiga.account.String()
	return map[string]sight{
		"listRequests":       {path: "/v1/requests?party=" + client, stranger: 403, public: 401},
		"listAccess":         {path: "/v1/access?client=" + client, stranger: 200, public: 401},
		"getEffectiveAccess": {path: "/v1/access/effective?client=" + client + "&consultancy=" + consultancy + "&user=" + w.vidal.user.String(), stranger: 404, public: 401},
		"listEndingAccess":   {path: "/v1/access/ending?client=" + client, stranger: 200, public: 401},
		"listSessions":       {path: "/v1/sessions?consultancy=" + consultancy, stranger: 200, public: 401},
		"listKPIs":           {path: "/v1/kpis?consultancy=" + consultancy, stranger: 403, public: 401},
		"listPortfolio":      {path: "/v1/portfolio?consultancy=" + consultancy, stranger: 403, public: 401},
		"listTasks":          {path: "/v1/tasks?client=" + client, stranger: 403, public: 401},
		"listAdvice":         {path: "/v1/advice?client=" + client, stranger: 403, public: 401},
		"searchDirectory":    {path: "/v1/directory", stranger: 200, public: 200, shows: true},
		"listApplications":   {path: "/v1/reviews/applications", stranger: 403, public: 401},
		"listProfileReviews": {path: "/v1/reviews/profiles", stranger: 403, public: 401},
		"getHistory":         {path: "/v1/collaborations/" + w.collaboration.String() + "/history", stranger: 404, public: 401},
		"getAccount":         {path: "/v1/accounts/" + client, stranger: 404, public: 401},
		"getPartnership":     {path: "/v1/partnerships/" + consultancy, stranger: 404, public: 401},
		"getCollaboration":   {path: "/v1/collaborations/" + w.collaboration.String(), stranger: 404, public: 401},
		"listEvents":         {path: "/v1/events?limit=1000", stranger: 200, public: 401},
		"getReceipt":         {path: "/v1/receipts/" + w.accept.CommandID.String(), stranger: 404, public: 401},
		"streamEvents":       {path: "/v1/events/stream", stranger: 200, public: 401},
		"getLiveness":        {path: "/healthz", stranger: 200, public: 200},
		"getReadiness":       {path: "/readyz", stranger: 200, public: 200},
		"getMetrics":         {path: "/metrics", stranger: 200, public: 200},
		"getKeys":            {path: "/.well-known/jwks.json", stranger: 200, public: 200},
		"getOpenAPI":         {path: "/openapi.json", stranger: 200, public: 200},
		"getAsyncAPI":        {path: "/asyncapi.json", stranger: 200, public: 200},
		"getEventSchema":     {path: "/schemas/account.AccountRegistered.v1.json", stranger: 200, public: 200},
		"listNotifications":  {path: "/v1/notifications", stranger: 200, public: 401, personal: true},
		"listWebhooks":       {path: "/v1/webhooks?account=" + client, stranger: 403, public: 401},
		"listDeliveries":     {path: "/v1/webhooks/" + domain.WebhookID(w.espiga.account, 1).String() + "/deliveries", stranger: 404, public: 401},
		"listDeadLetters":    {path: "/v1/webhooks/" + domain.WebhookID(w.espiga.account, 1).String() + "/dead-letters", stranger: 404, public: 401},
	}
}

func TestStrangersSeeNothing(t *testing.T) {
	w := startWorld(t)
	hook := w.subscribe(w.espiga, "https://espiga.example/hooks", "account.AccountClosed.v1")
	require.Equal(t, domain.WebhookID(w.espiga.account, 1), hook.WebhookID)
	require.Equal(t, http.StatusOK, w.get("/v1/webhooks?minPosition="+strconv.FormatInt(w.last, 10), "").status)
	all := sights(w)
	secrets := []string{
		w.espiga.account.String(), w.espiga.user.String(), w.vidal.user.String(), w.collaboration.String(), w.session.String(), w.task.String(),
		"Espiga", "Rita Roca", "Please do our payroll", "Second quarter", "Match 4 payments",
	}
	for path, methods := range w.openAPI().Paths {
		op, ok := methods["get"]
		if !ok {
			continue
		}
		t.Run(op.OperationID, func(t *testing.T) {
			s, ok := all[op.OperationID]
			require.True(t, ok, "GET %s: say in sights what a stranger sees of it", path)
			if op.OperationID == "streamEvents" {
				events := w.stream(t, w.stranger.String(), 0)
				require.Equal(t, "account.AccountRegistered.v1", events.next(t).Type, "the stranger's own account comes first")
				w.do(w.stranger, commands.UpdateAccountDetails{AccountID: w.stranger.account, AccountDetails: domain.AccountDetails{
					LegalName: "New", TradeName: "New", TaxID: "B12345678", Country: "ES", Email: "new@new.example", Phone: "+34 931 234 567",
				}})
				require.Equal(t, "account.AccountDetailsUpdated.v1", events.next(t).Type, "all that is not the stranger's is left out")
			} else {
				a := w.get(s.path, w.stranger.String())
				require.Equal(t, s.stranger, a.status, "%s", a.body)
				requireNone(t, a, s, secrets)
				if operator := w.get(s.path, ""); s.personal {
					operator.problem(t, http.StatusForbidden, "member_required")
				} else {
					require.Equal(t, http.StatusOK, operator.status, "the operator sees it")
				}
			}
			a := w.send(request{method: http.MethodGet, path: s.path})
			require.Equal(t, s.public, a.status, "%s", a.body)
			requireNone(t, a, s, secrets)
		})
	}
}

// requireNone fails when an answer names a secret. A refusal may repeat the id that was asked for.
func requireNone(t *testing.T, a answer, s sight, secrets []string) {
	t.Helper()
	for _, secret := range secrets {
		if a.status == http.StatusOK || !strings.Contains(s.path, secret) {
			require.NotContains(t, string(a.body), secret)
		}
	}
	require.Equal(t, s.shows && a.status == http.StatusOK, strings.Contains(string(a.body), "Bufete Vidal"))
}

func TestPartiesSeeWhatIsTheirs(t *testing.T) {
	w := startWorld(t)
	for _, who := range []person{w.vidal, w.espiga} {
		inbox := query[projections.Page[projections.RequestItem]](w, who, "/v1/requests", url.Values{"party": {who.account.String()}, "status": {"approved"}})
		require.Len(t, inbox.Items, 1)
		require.Equal(t, w.collaboration, inbox.Items[0].CollaborationID)
		grants := query[projections.Page[projections.AccessItem]](w, who, "/v1/access", url.Values{"client": {w.espiga.account.String()}, "live": {"true"}})
		require.Len(t, grants.Items, 1)
		require.Equal(t, domain.RoleFinance, grants.Items[0].RoleID)
		effective := query[projections.EffectiveAccess](w, who, "/v1/access/effective", url.Values{
			"client": {w.espiga.account.String()}, "consultancy": {w.vidal.account.String()}, "user": {w.vidal.user.String()},
		})
		require.Equal(t, domain.Edit, effective.Sections[0].Level)
		ending := query[projections.Page[projections.EndingItem]](w, who, "/v1/access/ending", url.Values{"client": {w.espiga.account.String()}, "within": {"730d"}})
		require.Empty(t, ending.Items, "the grant has no end")
		sessions := query[projections.Page[projections.SessionItem]](w, who, "/v1/sessions", url.Values{"consultancy": {w.vidal.account.String()}})
		require.Len(t, sessions.Items, 1)
		require.Equal(t, "Second quarter", sessions.Items[0].Purpose)
		tasks := query[projections.Page[projections.TaskItem]](w, who, "/v1/tasks", url.Values{"client": {w.espiga.account.String()}, "section": {"sales"}, "status": {"pending"}})
		require.Len(t, tasks.Items, 1)
		require.Equal(t, w.task, tasks.Items[0].TaskID)
		history := query[projections.Page[projections.HistoryItem]](w, who, "/v1/collaborations/"+w.collaboration.String()+"/history", nil)
		require.NotEmpty(t, history.Items)
		state := query[domain.Collaboration](w, who, "/v1/collaborations/"+w.collaboration.String(), nil)
		require.Equal(t, domain.CollaborationActive, state.Status)
		receipt := query[api.Receipt](w, who, "/v1/receipts/"+w.accept.CommandID.String(), nil)
		require.Equal(t, w.accept.Position, receipt.Position)
		require.Len(t, receipt.Events, 1)
		require.Len(t, receipt.BodyHash, 64)
	}
	counts := query[projections.Page[projections.KPIItem]](w, w.vidal, "/v1/kpis", url.Values{"consultancy": {w.vidal.account.String()}})
	require.Len(t, counts.Items, 1)
	require.Equal(t, 1, counts.Items[0].Pending)
	portfolio := query[projections.Page[projections.PortfolioItem]](w, w.vidal, "/v1/portfolio", url.Values{
		"consultancy": {w.vidal.account.String()}, "q": {"espiga"}, "status": {"approved"}, "sort": {"pending"}, "order": {"descending"},
	})
	require.Len(t, portfolio.Items, 1)
	require.Equal(t, 1, portfolio.Items[0].Pending)
	advice := query[projections.Page[projections.AdviceItem]](w, w.espiga, "/v1/advice", url.Values{"client": {w.espiga.account.String()}})
	require.Len(t, advice.Items, 1)
	require.Equal(t, w.session, advice.Items[0].LastLogIn.SessionID)
	partnership := query[domain.Partnership](w, w.vidal, "/v1/partnerships/"+w.vidal.account.String(), nil)
	require.Equal(t, 1, partnership.Published)
	account := query[domain.Account](w, w.espiga, "/v1/accounts/"+w.espiga.account.String(), nil)
	require.Equal(t, "Espiga", account.Details.TradeName)
	require.Equal(t, domain.RoleOwner, account.Members[w.espiga.user].Role)
}

func TestAPersonReadsTheirNotifications(t *testing.T) {
	w := startWorld(t)
	unread := url.Values{"unread": {"true"}}
	page := query[projections.NotificationsPage](w, w.vidal, "/v1/notifications", unread)
	require.Equal(t, 4, page.Unread)
	require.Equal(t, "Access to Espiga granted", page.Items[0].Title)
	require.Equal(t, "Request from Espiga", page.Items[1].Title)
	require.Equal(t, w.collaboration, page.Items[1].CollaborationID)
	require.False(t, page.Items[1].Read)

	w.do(w.vidal, commands.MarkNotificationsRead{UpTo: page.Items[1].Position})
	page = query[projections.NotificationsPage](w, w.vidal, "/v1/notifications", unread)
	require.Equal(t, 1, page.Unread)
	require.Len(t, page.Items, 1)
	page = query[projections.NotificationsPage](w, w.vidal, "/v1/notifications", url.Values{"limit": {"2"}})
	require.Equal(t, []bool{false, true}, []bool{page.Items[0].Read, page.Items[1].Read})
	require.NotEmpty(t, page.Next)
	page = query[projections.NotificationsPage](w, w.vidal, "/v1/notifications", url.Values{"cursor": {page.Next}})
	require.Len(t, page.Items, 2)
	require.Equal(t, 1, page.Unread)

	require.Empty(t, query[projections.NotificationsPage](w, w.reader, "/v1/notifications", nil).Items, "an account manager without clients")
	accepted := query[projections.NotificationsPage](w, w.espiga, "/v1/notifications", nil)
	require.Equal(t, "Vidal accepted your request", accepted.Items[0].Title)
	_, err := w.operator.As(w.vidal.account, w.vidal.user).Do(t.Context(), "MarkNotificationsRead", commands.MarkNotificationsRead{UpTo: w.last + 1})
	require.Equal(t, "invalid", problemOf(t, err).Code)
}

func TestHistoryAsOfAMoment(t *testing.T) {
	w := startWorld(t)
	records, err := w.config.Store.ReadAll(t.Context(), w.accept.Position-1, 1)
	require.NoError(t, err)
	path := "/v1/collaborations/" + w.collaboration.String() + "/history"
	then := query[projections.Page[projections.HistoryItem]](w, w.espiga, path, url.Values{"asOf": {records[0].RecordedAt.Format(time.RFC3339Nano)}})
	require.Equal(t, "collaboration.CollaborationAccepted.v1", then.Items[len(then.Items)-1].Type)
	now := query[projections.Page[projections.HistoryItem]](w, w.espiga, path, nil)
	require.Greater(t, len(now.Items), len(then.Items))
}

func TestPublicDirectory(t *testing.T) {
	w := startWorld(t)
	for search, found := range map[string]int{"": 1, "?q=BUFETE": 1, "?city=Barcelona&language=es": 1, "?q=gardening": 0, "?country=FR": 0} {
		page := into[projections.Page[projections.DirectoryItem]](t, w.send(request{method: http.MethodGet, path: "/v1/directory" + search}))
		require.Len(t, page.Items, found, search)
	}
	w.send(request{method: http.MethodGet, path: "/v1/directory", key: "guess"}).problem(t, http.StatusUnauthorized, "unknown_key")
	w.send(request{method: http.MethodGet, path: "/v1/directory", as: w.vidal.String()}).problem(t, http.StatusUnauthorized, "key_required")
}

func TestOnlyMembersOfTheMomentAsk(t *testing.T) {
	w := startWorld(t)
	path := "/v1/accounts/" + w.vidal.account.String()
	require.Equal(t, http.StatusOK, w.get(path, w.reader.String()).status)
	w.do(w.vidal, commands.RemoveMember{AccountID: w.vidal.account, UserID: w.reader.user})
	w.get(path, w.reader.String()).problem(t, http.StatusForbidden, "not_a_member")
	w.get("/v1/events", w.reader.String()).problem(t, http.StatusForbidden, "not_a_member")
	w.get("/v1/directory", person{uuid.New(), uuid.New()}.String()).problem(t, http.StatusForbidden, "not_a_member")
	w.get(path, person{w.vidal.account, w.espiga.user}.String()).problem(t, http.StatusForbidden, "not_a_member")
}

func TestANodeThatHasNotHeardYetIsNotFooled(t *testing.T) {
	w := startWorld(t)
	catalog := domain.NewCatalog()
	unaware, err := commands.NewStates(w.config.Store, catalog) // nothing tells this cache what other nodes write
	require.NoError(t, err)
	config, executor := w.config, *w.config.Executor
	executor.States = unaware
	config.Executor = &executor
	node, err := api.New(t.Context(), config)
	require.NoError(t, err)
	ask := func(path string, who person) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		r.Header.Set("Authorization", "Bearer "+operatorKey)
		r.Header.Set("Ledger-Act-As", who.String())
		answer := httptest.NewRecorder()
		node.ServeHTTP(answer, r)
		return answer
	}
	collaboration := "/v1/collaborations/" + w.collaboration.String()
	before := ask(collaboration, w.reader)
	require.Equal(t, http.StatusOK, before.Code)

	w.do(w.espiga, commands.RevokeAccess{PairFields: w.pair()})
	after := ask(collaboration, w.reader)
	require.NotEqual(t, before.Header().Get("ETag"), after.Header().Get("ETag"))
	require.Contains(t, after.Body.String(), `"status":"revoked"`)
	w.do(w.vidal, commands.RemoveMember{AccountID: w.vidal.account, UserID: w.reader.user})
	require.Equal(t, http.StatusForbidden, ask(collaboration, w.reader).Code)
}

func TestUnknownAndInvisibleLookTheSame(t *testing.T) {
	w := startWorld(t)
	for _, kind := range []string{"account", "partnership", "collaboration"} {
		id := map[string]uuid.UUID{"account": w.espiga.account, "partnership": w.vidal.account, "collaboration": w.collaboration}[kind]
		hidden := w.get("/v1/"+kind+"s/"+id.String(), w.stranger.String()).problem(t, http.StatusNotFound, kind+"_not_found")
		unknown := uuid.New()
		missing := w.get("/v1/"+kind+"s/"+unknown.String(), w.stranger.String()).problem(t, http.StatusNotFound, kind+"_not_found")
		require.Equal(t, missing.Detail, strings.Replace(hidden.Detail, id.String(), unknown.String(), 1))
		w.get("/v1/"+kind+"s/"+unknown.String(), "").problem(t, http.StatusNotFound, kind+"_not_found")
	}
}

func TestListsHavePages(t *testing.T) {
	w := startWorld(t)
	path := "/v1/collaborations/" + w.collaboration.String() + "/history"
	whole := query[projections.Page[projections.HistoryItem]](w, w.espiga, path, nil)
	require.Empty(t, whole.Next)
	var pieces []projections.HistoryItem
	cursor := ""
	for {
		page := query[projections.Page[projections.HistoryItem]](w, w.espiga, path, url.Values{"limit": {"1"}, "cursor": {cursor}})
		require.LessOrEqual(t, len(page.Items), 1)
		pieces = append(pieces, page.Items...)
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	require.Equal(t, whole.Items, pieces)
}

func TestTasksOfEachStatusCanBeAskedFor(t *testing.T) {
	w := startWorld(t)
	client := url.Values{"client": {w.espiga.account.String()}}
	for _, status := range []domain.TaskStatus{domain.TaskPending, domain.TaskFinished, domain.TaskAbandoned} {
		client.Set("status", string(status))
		for _, task := range query[projections.Page[projections.TaskItem]](w, w.espiga, "/v1/tasks", client).Items {
			require.Equal(t, status, task.Status)
		}
	}
}

func TestParametersAreChecked(t *testing.T) {
	w := startWorld(t)
	head, err := w.config.Store.Head(t.Context())
	require.NoError(t, err)
	party := "/v1/requests?party=" + w.vidal.account.String()
	for path, field := range map[string]string{
		"/v1/requests":          "party",
		"/v1/requests?party=me": "party",
		party + "&status=odd":   "status",
		party + "&sort=odd":     "sort",
		"/v1/access/effective?client=" + uuid.NewString() + "&consultancy=" + uuid.NewString(): "user",
		"/v1/access/ending": "client",
		"/v1/access/ending?within=30&client=" + w.espiga.account.String():   "within",
		"/v1/access/ending?within=0d&client=" + w.espiga.account.String():   "within",
		"/v1/access/ending?within=731d&client=" + w.espiga.account.String(): "within",
		"/v1/advice":    "client",
		"/v1/portfolio": "consultancy",
		"/v1/portfolio?sort=odd&consultancy=" + w.vidal.account.String():   "sort",
		"/v1/portfolio?order=odd&consultancy=" + w.vidal.account.String():  "order",
		"/v1/portfolio?manager=me&consultancy=" + w.vidal.account.String(): "manager",
		party + "&limit=0":                                       "limit",
		party + "&limit=201":                                     "limit",
		party + "&limit=x":                                       "limit",
		party + "&cursor=%21":                                    "cursor",
		party + "&minPosition=-1":                                "minPosition",
		party + "&minPosition=x":                                 "minPosition",
		party + "&minPosition=9223372036854775808":               "minPosition",
		party + "&party=" + uuid.NewString():                     "party",
		party + "&min_position=1":                                "min_position",
		fmt.Sprintf("%s&minPosition=%d", party, head.Position+1): "minPosition",
		fmt.Sprintf("/v1/accounts/%s?minPosition=%d", w.vidal.account, head.Position+1): "minPosition",
		fmt.Sprintf("/v1/events?after=%d", head.Position+1):                             "after",
		fmt.Sprintf("/v1/events/stream?after=%d", head.Position+1):                      "after",
		"/v1/events/stream?after=x":                                                     "after",
		"/v1/events/stream?limit=1":                                                     "limit",
		"/v1/events?limit=1001":                                                         "limit",
		"/v1/access?live=perhaps&client=" + w.espiga.account.String():                   "live",
		"/v1/collaborations/" + w.collaboration.String() + "/history?asOf=yesterday":    "asOf",
		"/v1/sessions?openAt=2999-01-01T00:00:00Z&client=" + w.espiga.account.String():  "openAt",
		"/v1/accounts/me": "id",
		"/v1/receipts/" + w.accept.CommandID.String() + "?minPosition=" + strconv.FormatInt(1<<62, 10): "minPosition",
	} {
		t.Run(path, func(t *testing.T) {
			p := w.get(path, "").problem(t, http.StatusBadRequest, "invalid")
			require.Len(t, p.Errors, 1, "%v", p.Errors)
			require.Equal(t, field, p.Errors[0].Field)
			require.NotEmpty(t, p.Errors[0].Rule)
		})
	}
	w.get(party+"&limit=%zz", "").problem(t, http.StatusBadRequest, "malformed_query")
}

func TestQueryShowsTheOutcomeItAsksFor(t *testing.T) {
	w := startWorld(t)
	for i := range 10 {
		message := "message " + strconv.Itoa(i)
		w.do(w.espiga, commands.SendMessage{PairFields: w.pair(), Body: message})
		inbox := query[projections.Page[projections.RequestItem]](w, w.vidal, "/v1/requests", url.Values{"party": {w.vidal.account.String()}})
		require.Equal(t, message, inbox.Items[0].LastMessage)
	}
}

func TestQueryDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	w := startWorld(t)
	w.stopRead()
	w.do(w.espiga, commands.SendMessage{PairFields: w.pair(), Body: "Hello"})
	a := w.get("/v1/directory?minPosition="+strconv.FormatInt(w.last, 10), "")
	a.problem(t, http.StatusServiceUnavailable, "not_yet")
	require.NotEmpty(t, a.header.Get("Retry-After"))
	state := into[domain.Collaboration](t, w.get("/v1/collaborations/"+w.collaboration.String()+"?minPosition="+strconv.FormatInt(w.last, 10), ""))
	require.Equal(t, 2, state.Messages, "states are folded from the log and wait for nothing")
}
