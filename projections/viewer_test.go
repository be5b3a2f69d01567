package projections

import (
	"context"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

// engagedPair is a consultancy and a client that work together, with all that the read models show of them.
type engagedPair struct {
	consultancy, client firm
	collaboration       uuid.UUID
}

func engaged(w *world, name string) engagedPair {
	p := engagedPair{consultancy: w.partner("Consultancy " + name), client: w.client("Client "+name, domain.PlanPremium)}
	terms := w.collaborate(p.consultancy, p.client)
	p.collaboration = domain.Pair(terms).CollaborationID()
	w.grant(p.client, terms, domain.RoleAdministrator, w.now.Add(24*time.Hour))
	w.logIn(p.consultancy.owner, terms)
	w.do(p.consultancy.owner, commands.CompleteTask{TaskID: w.task(p.client, domain.Sales, "Task of "+name)})
	w.task(p.client, domain.Sales, "Another of "+name)
	return p
}

// asked is a query of which what it answers has been made JSON.
type asked func(ctx context.Context, e *Engine, v Viewer, about engagedPair) (items int, answer string, err error)

func asking[Q, T any](query func(*Engine, context.Context, Viewer, Q) (Page[T], error), about func(engagedPair) Q) asked {
	return func(ctx context.Context, e *Engine, v Viewer, p engagedPair) (int, string, error) {
		page, err := query(e, ctx, v, about(p))
		if err != nil {
			return 0, "", err
		}
		answer, err := json.Marshal(page)
		return len(page.Items), string(answer), err
	}
}

// effectiveAccess is EffectiveAccess as a page of one item.
func effectiveAccess(e *Engine, ctx context.Context, v Viewer, q EffectiveQuery) (Page[EffectiveAccess], error) {
	answer, err := e.EffectiveAccess(ctx, v, q)
	return Page[EffectiveAccess]{Items: []EffectiveAccess{answer}}, err
}

// privateQueries is every query but that of the public directory, in each way in which it can be asked about a pair.
func privateQueries() map[string][]asked {
	return map[string][]asked{
		"Requests": {
			asking((*Engine).Requests, func(p engagedPair) RequestsQuery { return RequestsQuery{Party: p.consultancy.id} }),
			asking((*Engine).Requests, func(p engagedPair) RequestsQuery { return RequestsQuery{Party: p.client.id, Sort: "name"} }),
		},
		"Access": {
			asking((*Engine).Access, func(p engagedPair) AccessQuery { return AccessQuery{Client: p.client.id} }),
			asking((*Engine).Access, func(p engagedPair) AccessQuery { return AccessQuery{Consultancy: p.consultancy.id} }),
			asking((*Engine).Access, func(p engagedPair) AccessQuery { return AccessQuery{User: p.consultancy.owner.UserID} }),
		},
		"EffectiveAccess": {asking(effectiveAccess, func(p engagedPair) EffectiveQuery {
			return EffectiveQuery{Consultancy: p.consultancy.id, Client: p.client.id, User: p.consultancy.owner.UserID}
		})},
		"Ending": {
			asking((*Engine).Ending, func(p engagedPair) EndingQuery { return EndingQuery{Client: p.client.id} }),
			asking((*Engine).Ending, func(p engagedPair) EndingQuery { return EndingQuery{Consultancy: p.consultancy.id} }),
		},
		"Sessions": {
			asking((*Engine).Sessions, func(p engagedPair) SessionLogQuery {
				return SessionLogQuery{AccessQuery: AccessQuery{Client: p.client.id}}
			}),
			asking((*Engine).Sessions, func(p engagedPair) SessionLogQuery {
				return SessionLogQuery{AccessQuery: AccessQuery{Consultancy: p.consultancy.id}}
			}),
			asking((*Engine).Sessions, func(p engagedPair) SessionLogQuery {
				return SessionLogQuery{AccessQuery: AccessQuery{User: p.consultancy.owner.UserID}}
			}),
		},
		"KPIs": {
			asking((*Engine).KPIs, func(p engagedPair) KPIQuery { return KPIQuery{Client: p.client.id} }),
			asking((*Engine).KPIs, func(p engagedPair) KPIQuery { return KPIQuery{Consultancy: p.consultancy.id} }),
		},
		"Portfolio": {
			asking((*Engine).Portfolio, func(p engagedPair) PortfolioQuery { return PortfolioQuery{Consultancy: p.consultancy.id} }),
		},
		"Advice": {
			asking((*Engine).Advice, func(p engagedPair) AdviceQuery { return AdviceQuery{Client: p.client.id} }),
		},
		"Tasks": {
			asking((*Engine).Tasks, func(p engagedPair) TasksQuery { return TasksQuery{Client: p.client.id} }),
			asking((*Engine).Tasks, func(p engagedPair) TasksQuery { return TasksQuery{Client: p.client.id, Section: domain.Sales} }),
		},
		"History": {
			asking((*Engine).History, func(p engagedPair) HistoryQuery { return HistoryQuery{Collaboration: p.collaboration} }),
		},
	}
}

func TestEveryQueryIsHeldToItsViewer(t *testing.T) {
	elsewhere := []string{"Directory", "Notifications", "Applications", "ProfileReviews"} // the public's, everybody's own, and reviewers'
	require.ElementsMatch(t, queryMethods(), append(slices.Collect(maps.Keys(privateQueries())), elsewhere...), "each query has its place in this test")
	onEach(t, func(t *testing.T, w *world) {
		vidal, soler := engaged(w, "Vidal"), engaged(w, "Soler")
		bystander := w.client("Bystander", domain.PlanFree)
		ctx := w.settled()
		for name, ways := range privateQueries() {
			t.Run(name, func(t *testing.T) {
				for way, ask := range ways {
					for who, viewer := range map[string]Viewer{
						"the other consultancy": soler.consultancy.viewer(), "the other client": soler.client.viewer(), "a bystander": bystander.viewer(),
					} {
						items, answer, err := ask(ctx, w.engine, viewer, vidal)
						require.Zero(t, items, "%s, way %d, asked by %s, answers %s", name, way, who, answer)
						if err != nil {
							require.Contains(t, []domain.Kind{domain.Forbidden, domain.NotFound}, domain.AsError(err).Kind, "%v", err)
						}
					}
					_, _, err := ask(ctx, w.engine, Viewer{}, vidal)
					require.Equal(t, domain.Unauthenticated, domain.AsError(err).Kind, "%s, way %d, asked by the public: %v", name, way, err)
					require.Equal(t, "unauthenticated", domain.AsError(err).Code)

					for who, viewer := range map[string]Viewer{"its own consultancy": vidal.consultancy.viewer(), "the operator": staff} {
						items, answer, err := ask(ctx, w.engine, viewer, vidal)
						if domain.HasCode(err, "not_your_account") {
							continue // a party's own list is that party's
						}
						require.NoError(t, err)
						require.NotZero(t, items, "%s, way %d, asked by %s", name, way, who)
						require.NotContains(t, answer, "Soler")
					}
				}
			})
		}
		page, err := w.engine.Directory(ctx, Viewer{}, DirectoryQuery{})
		require.NoError(t, err)
		require.Len(t, page.Items, 2, "the directory is public")
	})
}

// queryMethods lists the engine's methods that answer a viewer.
func queryMethods() []string {
	var names []string
	engine := reflect.TypeFor[*Engine]()
	for i := range engine.NumMethod() {
		if m := engine.Method(i); m.Type.NumIn() > 2 && m.Type.In(2) == reflect.TypeFor[Viewer]() {
			names = append(names, m.Name)
		}
	}
	return names
}

func TestAskingAboutAnotherAccountIsForbidden(t *testing.T) {
	vidal, soler := uuid.New(), uuid.New()
	person := ViewerFor(domain.User(vidal, uuid.New()))
	require.NoError(t, person.mustBe(vidal))
	require.True(t, domain.HasCode(person.mustBe(soler), "not_your_account"))
	require.True(t, domain.HasCode(person.mustBe(uuid.Nil), "not_your_account"))
	require.NoError(t, ViewerFor(operator).mustBe(soler))
	require.True(t, domain.HasCode(Viewer{}.mustBe(vidal), "unauthenticated"))
}

func TestAViewerIsRestrictedToTheirAccountsRows(t *testing.T) {
	account := uuid.New()
	args := arguments{"before"}
	require.Equal(t, "(a = $2 OR b = $2)", ViewerFor(domain.User(account, uuid.New())).restrict(&args, "a", "b"))
	require.Equal(t, arguments{"before", account}, args)
	require.Equal(t, "TRUE", ViewerFor(operator).restrict(&args, "a"))
	require.Equal(t, "FALSE", Viewer{}.restrict(&args, "a"))
	require.Equal(t, "FALSE", ViewerFor(domain.Actor{}).restrict(&args, "a"))
	require.Equal(t, "FALSE", ViewerFor(domain.User(uuid.Nil, uuid.New())).restrict(&args, "a"))
}
