package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/projections"
)

const requestsPerSecond = "requests/s"

// Limits of measuring queries.
const (
	maxQueriedLedgers = 4        // that are measured beside each other
	maxAskingFirms    = 500      // consultancies whose people ask, drawn evenly from the directory
	grownShare        = 2        // a consultancy is grown with this part of the clients that the largest has
	directoryPage     = 200      // consultancies that one look into the directory gives, the most that the ledger takes
	countedAnswers    = 20       // of each query, whose items are counted for the report
	maxQueryBytes     = 16 << 20 // of one answer
	eventsPage        = "100"    // events of a page of the log
)

// postgresUpkeep is what autovacuum does by and by.
const postgresUpkeep = "VACUUM (ANALYZE)"

// QueryConfig says how queries are measured.
type QueryConfig struct {
	Timing
	Ledgers  []Ledger // the first is what the others are compared with
	Clients  []int    // numbers of clients that ask at the same time, one measurement for each
	Progress Progress
}

func (c QueryConfig) validate() error {
	return errors.Join(c.Timing.validate(), validateClients(c.Clients), within("ledgers", len(c.Ledgers), 1, maxQueriedLedgers, ""))
}

// ValidatePreloads checks the numbers of events of the ledgers that queries are measured on.
func ValidatePreloads(preloads []int) error {
	if len(preloads) == 0 || len(preloads) > maxQueriedLedgers {
		return &InvalidError{Setting: "preload", Rule: fmt.Sprintf("must be 1 to %d numbers, not %d", maxQueriedLedgers, len(preloads))}
	}
	seen := map[int]bool{}
	for _, n := range preloads {
		if err := within("preload", n, MinEvents, MaxEvents, " events"); err != nil {
			return err
		}
		if seen[n] {
			return &InvalidError{Setting: "preload", Rule: fmt.Sprintf("names %d twice", n)}
		}
		seen[n] = true
	}
	return nil
}

// Furnish fills a ledger that nobody uses yet with believable histories, and its read models with what follows from them, so that
// queries find something.
func Furnish(ctx context.Context, store *eventstore.Store, db *sqldb.DB, events int, watch Progress) error {
	if watch == nil {
		watch = func(string, int, int) {}
	}
	if err := fillHistory(ctx, store, events, func(at int) { watch(fmt.Sprintf("make up %d events", events), at, events) }); err != nil {
		return stopped(ctx, err)
	}
	engine, err := projections.OpenFilled(ctx, store, db, domain.NewCatalog(), time.Now, func(done, total int64) {
		watch(fmt.Sprintf("fill the read models of %d events", events), int(done), int(total))
	})
	if err == nil {
		err = complete(ctx, engine, int64(events))
	}
	if err == nil && db.Dialect == sqldb.Postgres {
		_, err = db.Pool.Exec(ctx, postgresUpkeep)
	}
	return stopped(ctx, err)
}

// Query measures how fast ledgers answer over HTTP what people ask most, and where there are several, how much that depends on the
// length of their logs: they take turns at each query.
func Query(ctx context.Context, config QueryConfig) (report Report, err error) {
	if err := config.validate(); err != nil {
		return Report{}, err
	}
	defer func() { err = stopped(ctx, err) }()
	report = newReport("query", config.Ledgers[0].Where,
		fmt.Sprintf("%s after a warm-up, and the medians of these. The clients share this machine with the ledger, if that runs here.", config.Timing),
		"Each request is about another firm, drawn at random, and by one of its people, who sees what is theirs; pages have the usual 50 items at most.")
	asked := make([]*asked, len(config.Ledgers))
	for i, ledger := range config.Ledgers {
		if asked[i], err = meet(ctx, ledger, config.Progress); err != nil {
			return Report{}, err
		}
	}
	level(asked)
	for _, ledger := range asked {
		report.Notes = append(report.Notes, ledger.describe())
	}
	steps := steps{watch: config.Progress, total: len(queries()) * len(config.Clients) * config.Rounds * len(asked)}
	for _, query := range queries() {
		if err := config.measure(ctx, query, asked, &report, &steps); err != nil {
			return Report{}, fmt.Errorf("ask for %s: %w", query.name, err)
		}
	}
	return report, nil
}

// level lets as many consultancies ask in each of several ledgers, those with the most clients. Caches would hold all of a short log's
// few, and those that have just begun get short answers: neither tells how much a query depends on the length of the log.
func level(ledgers []*asked) {
	if len(ledgers) == 1 {
		return
	}
	fewest := maxAskingFirms
	for _, ledger := range ledgers {
		slices.SortStableFunc(ledger.firms, func(a, b asking) int { return cmp.Compare(len(b.clients), len(a.clients)) })
		grown := slices.IndexFunc(ledger.firms, func(f asking) bool { return len(f.clients) < len(ledger.firms[0].clients)/grownShare })
		if grown < 0 {
			grown = len(ledger.firms)
		}
		fewest = min(fewest, grown)
	}
	for _, ledger := range ledgers {
		ledger.firms = ledger.firms[:fewest]
	}
}

// measure measures one query on all ledgers, which take turns.
func (c QueryConfig) measure(ctx context.Context, query query, ledgers []*asked, report *Report, steps *steps) error {
	names := make([]string, len(ledgers))
	note := query.name + ": " + query.about + ";"
	for i, ledger := range ledgers {
		names[i] = query.name
		if len(ledgers) > 1 {
			names[i] += " at " + round(float64(ledger.events))
		}
		items, err := ledger.items(ctx, query)
		if err != nil {
			return err
		}
		note += fmt.Sprintf(" %.1f items at %s events", items, round(float64(ledger.events)))
	}
	report.Notes = append(report.Notes, note+".")
	for _, clients := range c.Clients {
		figures := make([][]figure, len(ledgers))
		for n := range c.Rounds {
			for i, ledger := range ledgers {
				steps.begin("round %d of %d: %s of %d clients", n+1, c.Rounds, names[i], clients)
				sample, err := measure(ctx, clients, c.Timing, ledger.ask(query, clients, n))
				if err != nil {
					return err
				}
				figures[i] = append(figures[i], sample.figure())
			}
		}
		for i := range ledgers {
			report.add(names[i], clients, requestsPerSecond, figures[i])
		}
	}
	for _, name := range names[1:] {
		report.compare(name, names[0])
	}
	return nil
}

// asked is a ledger that is asked, with those who ask.
type asked struct {
	Ledger
	http   *http.Client
	events int64 // of the log
	listed int   // consultancies in the directory
	firms  []asking
}

// asking is a consultancy whose people ask.
type asking struct {
	name    string
	id      uuid.UUID
	owner   uuid.UUID
	manager uuid.UUID // its account manager; the owner where there is none
	clients []askingClient
}

// askingClient is a client of a consultancy.
type askingClient struct {
	id            uuid.UUID
	owner         uuid.UUID // known of the first client alone
	collaboration uuid.UUID
}

// describe tells how the ledger has grown: by firms, or within them.
func (a *asked) describe() string {
	clients := 0
	for _, firm := range a.firms {
		clients += len(firm.clients)
	}
	return fmt.Sprintf("A ledger of %s events: %d consultancies; the %d of them whose people ask have %.1f clients each.",
		round(float64(a.events)), a.listed, len(a.firms), float64(clients)/float64(len(a.firms)))
}

// query is one thing that people ask.
type query struct {
	name, about string
	of          func(*asked, *rand.Rand) request
}

// request is one GET: what is asked and, unless it is the service itself, the person who asks, account/user.
type request struct {
	path       string
	parameters url.Values
	actAs      string
}

// queries are what people ask most, each in the words of the report.
func queries() []query {
	return []query{
		{"inbox", "the first page of the request inbox, by the consultancy's owner", func(a *asked, r *rand.Rand) request {
			f := pickOf(r, a.firms)
			return request{"/v1/requests", url.Values{"party": {f.id.String()}}, f.as(f.owner)}
		}},
		{"portfolio", "the clients of a consultancy, by its owner", func(a *asked, r *rand.Rand) request {
			f := pickOf(r, a.firms)
			return request{"/v1/portfolio", url.Values{"consultancy": {f.id.String()}}, f.as(f.owner)}
		}},
		{"access", "what a person may do and has done in clients' accounts, by an account manager", func(a *asked, r *rand.Rand) request {
			f := pickOf(r, a.firms)
			return request{"/v1/access", url.Values{"user": {f.manager.String()}}, f.as(f.manager)}
		}},
		{"effective access", "what a person may do in one client's account, and why, by an account manager", func(a *asked, r *rand.Rand) request {
			f := pickOf(r, a.firms)
			return request{"/v1/access/effective", url.Values{"consultancy": {f.id.String()}, "client": {pickOf(r, f.clients).id.String()}, "user": {f.manager.String()}}, f.as(f.manager)}
		}},
		{"log-ins", "the latest log-ins of a person, by an account manager", func(a *asked, r *rand.Rand) request {
			f := pickOf(r, a.firms)
			return request{"/v1/sessions", url.Values{"user": {f.manager.String()}}, f.as(f.manager)}
		}},
		{"KPIs", "the pending activities of all clients, by an account manager", func(a *asked, r *rand.Rand) request {
			f := pickOf(r, a.firms)
			return request{"/v1/kpis", url.Values{"consultancy": {f.id.String()}}, f.as(f.manager)}
		}},
		{"tasks", "the pending tasks of a client, by an account manager", func(a *asked, r *rand.Rand) request {
			f := pickOf(r, a.firms)
			return request{"/v1/tasks", url.Values{"client": {pickOf(r, f.clients).id.String()}, "status": {"pending"}}, f.as(f.manager)}
		}},
		{"advice", "the consultancies of a client, by its owner", func(a *asked, r *rand.Rand) request {
			c := pickOf(r, a.firms).clients[0]
			return request{"/v1/advice", url.Values{"client": {c.id.String()}}, c.id.String() + "/" + c.owner.String()}
		}},
		{"directory", "a search that fits most of the directory, by a service", func(_ *asked, _ *rand.Rand) request {
			return request{"/v1/directory", url.Values{"q": {"contabilidad"}, "city": {"Barcelona"}, "service": {"bookkeeping"}}, ""}
		}},
		{"directory by name", "a search for one consultancy, by a service", func(a *asked, r *rand.Rand) request {
			return request{"/v1/directory", url.Values{"q": {pickOf(r, a.firms).name}}, ""}
		}},
		{"history", "the first page of a collaboration's history, by the consultancy's owner", func(a *asked, r *rand.Rand) request {
			f := pickOf(r, a.firms)
			return request{"/v1/collaborations/" + pickOf(r, f.clients).collaboration.String() + "/history", nil, f.as(f.owner)}
		}},
		{"notifications", "what the consultancy's owner is told of", func(a *asked, r *rand.Rand) request {
			f := pickOf(r, a.firms)
			return request{"/v1/notifications", nil, f.as(f.owner)}
		}},
		{"collaboration", "how a collaboration stands, by the consultancy's owner", func(a *asked, r *rand.Rand) request {
			f := pickOf(r, a.firms)
			return request{"/v1/collaborations/" + pickOf(r, f.clients).collaboration.String(), nil, f.as(f.owner)}
		}},
		{"events", "a page of " + eventsPage + " events from anywhere in the log, by a service", func(a *asked, r *rand.Rand) request {
			return request{"/v1/events", url.Values{"after": {strconv.FormatInt(r.Int64N(a.events), 10)}, "limit": {eventsPage}}, ""}
		}},
		{"stream", "the first " + eventsPage + " events of a collaboration, by a service", func(a *asked, r *rand.Rand) request {
			stream := domain.CollaborationStream + "-" + pickOf(r, pickOf(r, a.firms).clients).collaboration.String()
			return request{"/v1/events", url.Values{"stream": {stream}, "limit": {eventsPage}}, ""}
		}},
	}
}

func (f asking) as(user uuid.UUID) string { return f.id.String() + "/" + user.String() }

func pickOf[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// meet looks round in a ledger for those who ask, as its operator sees it.
func meet(ctx context.Context, ledger Ledger, watch Progress) (*asked, error) {
	if _, err := newServer(ledger.URL, ledger.Key); err != nil {
		return nil, err
	}
	a := &asked{Ledger: ledger, http: &http.Client{
		Transport: &http.Transport{MaxIdleConns: MaxClients, MaxIdleConnsPerHost: MaxClients, DisableCompression: true}, Timeout: answerWait,
	}}
	operator := client.New(ledger.URL, ledger.Key)
	var ready struct {
		Position int64 `json:"position"`
	}
	if err := operator.Get(ctx, "/readyz", nil, &ready); err != nil {
		return nil, err
	}
	a.events = ready.Position
	listed, err := everyConsultancy(ctx, operator)
	if err != nil {
		return nil, err
	}
	a.listed = len(listed)
	for i := range min(len(listed), maxAskingFirms) {
		profile := listed[i*len(listed)/min(len(listed), maxAskingFirms)]
		firm, err := meetFirm(ctx, operator, profile)
		if err != nil {
			return nil, err
		}
		if watch != nil {
			watch("look for those who ask", i+1, min(len(listed), maxAskingFirms))
		}
		if len(firm.clients) == 0 {
			continue
		}
		a.firms = append(a.firms, firm)
	}
	if len(a.firms) == 0 {
		return nil, fmt.Errorf("there is nobody to ask on behalf of at %s: no consultancy of its directory has a client", ledger.URL)
	}
	return a, nil
}

// everyConsultancy reads the whole directory.
func everyConsultancy(ctx context.Context, operator *client.Client) (listed []projections.DirectoryItem, err error) {
	for cursor := ""; ; {
		var page projections.Page[projections.DirectoryItem]
		if err := operator.Get(ctx, "/v1/directory", url.Values{"limit": {strconv.Itoa(directoryPage)}, "cursor": {cursor}}, &page); err != nil {
			return nil, err
		}
		listed = append(listed, page.Items...)
		if cursor = page.Next; cursor == "" {
			return listed, nil
		}
	}
}

// meetFirm finds a consultancy's people and clients.
func meetFirm(ctx context.Context, operator *client.Client, profile projections.DirectoryItem) (asking, error) {
	f := asking{name: profile.DisplayName, id: profile.ConsultancyID}
	var err error
	if f.owner, f.manager, err = peopleOf(ctx, operator, f.id); err != nil {
		return f, err
	}
	var page projections.Page[projections.PortfolioItem]
	if err := operator.Get(ctx, "/v1/portfolio", url.Values{"consultancy": {f.id.String()}}, &page); err != nil || len(page.Items) == 0 {
		return f, err
	}
	for _, item := range page.Items {
		f.clients = append(f.clients, askingClient{id: item.ClientID, collaboration: item.CollaborationID})
	}
	f.clients[0].owner, _, err = peopleOf(ctx, operator, f.clients[0].id)
	return f, err
}

// peopleOf finds an account's owner, and its account manager if it has one.
func peopleOf(ctx context.Context, operator *client.Client, id uuid.UUID) (owner, manager uuid.UUID, err error) {
	var account domain.Account
	if err := operator.Get(ctx, "/v1/accounts/"+id.String(), nil, &account); err != nil {
		return uuid.Nil, uuid.Nil, err
	}
	for user, member := range account.Members {
		switch member.Role {
		case domain.RoleOwner:
			owner = user
		case domain.RoleAccountManager:
			manager = user
		}
	}
	if manager == uuid.Nil {
		manager = owner
	}
	return owner, manager, nil
}

// ask is what clients do that ask a query again and again, each about firms of its own drawing.
func (a *asked) ask(query query, clients, round int) operation {
	random := make([]*rand.Rand, clients)
	for client := range random {
		random[client] = rand.New(rand.NewPCG(uint64(client), uint64(round)))
	}
	return func(ctx context.Context, client int) (int, error) {
		_, err := a.get(ctx, query.of(a, random[client]), io.Discard)
		return 1, err
	}
}

// items tells how many items an answer has on average. One that is no list is one item.
func (a *asked) items(ctx context.Context, query query) (float64, error) {
	random, total := rand.New(rand.NewPCG(0, 0)), 0
	for range countedAnswers {
		var answer strings.Builder
		if _, err := a.get(ctx, query.of(a, random), &answer); err != nil {
			return 0, err
		}
		var page struct {
			Items *[]json.RawMessage `json:"items"`
		}
		if err := json.Unmarshal([]byte(answer.String()), &page); err != nil {
			return 0, err
		}
		if page.Items == nil {
			total++
		} else {
			total += len(*page.Items)
		}
	}
	return float64(total) / countedAnswers, nil
}

// get asks once and reads the answer. Any other than 200 is an error.
func (a *asked) get(ctx context.Context, r request, into io.Writer) (int64, error) {
	asking, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(a.URL, "/")+r.path+"?"+r.parameters.Encode(), nil)
	if err != nil {
		return 0, err
	}
	asking.Header.Set("Authorization", "Bearer "+a.Key)
	if r.actAs != "" {
		asking.Header.Set("Ledger-Act-As", r.actAs)
	}
	answer, err := a.http.Do(asking)
	if err != nil {
		return 0, err
	}
	defer func() { _ = answer.Body.Close() }() // it was only read
	if answer.StatusCode != http.StatusOK {
		body, err := io.ReadAll(io.LimitReader(answer.Body, maxQueryBytes))
		return 0, errors.Join(fmt.Errorf("the ledger answers %s: %s", answer.Status, body), err)
	}
	return io.Copy(into, io.LimitReader(answer.Body, maxQueryBytes))
}
