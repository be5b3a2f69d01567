package projections

import (
	"slices"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
)

// compareAccess holds what the read models show of access, tasks, KPIs and log-ins to what the domain decides from its own states:
// nobody is shown more or less than they could log in to at this moment.
func (c *cast) compareAccess(engine *Engine) {
	for i, consultancy := range c.consultancies {
		people := []domain.Actor{consultancy.owner, c.managers[i]}
		for _, person := range c.invited {
			if person.AccountID == consultancy.id {
				people = append(people, person)
			}
		}
		for _, client := range c.clients {
			g := c.engagement(consultancy, client)
			grants, err := engine.Access(c.t.Context(), staff, AccessQuery{Consultancy: consultancy.id, Client: client.id, LiveOnly: true})
			require.NoError(c.t, err)
			require.LessOrEqual(c.t, len(grants.Items), 1, "one live grant of a pair at most")
			for _, person := range people {
				permitted := c.permitted(g, person)
				shown := domain.Permissions{}
				for _, grant := range grants.Items {
					if slices.ContainsFunc(grant.People, func(p AccessPerson) bool { return p.UserID == person.UserID }) {
						shown = grant.Effective
					}
				}
				require.Equal(c.t, permitted, shown)
				c.compareTasks(engine, person, client, permitted)
				c.compareKPIs(engine, person, client, g, permitted)
				c.compareEffective(engine, g, person)
			}
		}
		for _, person := range people {
			c.comparePortfolio(engine, consultancy, person)
		}
	}
	c.compareSessions(engine)
}

// engagement loads what the domain decides from.
func (c *cast) engagement(consultancy, client firm) domain.Engagement {
	c.t.Helper()
	g := domain.Engagement{Pair: domain.Pair(pair(consultancy, client))}
	g.Consultancy = stateOf[domain.Account](c.ledger, domain.AccountStream, consultancy.id)
	g.Client = stateOf[domain.Account](c.ledger, domain.AccountStream, client.id)
	g.Partnership = stateOf[domain.Partnership](c.ledger, domain.PartnershipStream, consultancy.id)
	g.Collaboration = stateOf[domain.Collaboration](c.ledger, domain.CollaborationStream, g.Pair.CollaborationID())
	return g
}

// permitted is what a person could log in to now, as the domain decides it.
func (c *cast) permitted(g domain.Engagement, person domain.Actor) domain.Permissions {
	event, err := g.OpenClientAccount(person, c.now, uuid.New(), "")
	if err != nil {
		return domain.Permissions{}
	}
	return event.(domain.ClientAccountOpened).Permissions
}

func (c *cast) compareTasks(engine *Engine, person domain.Actor, client firm, permitted domain.Permissions) {
	all, err := engine.Tasks(c.t.Context(), staff, TasksQuery{Client: client.id, Paging: Paging{Limit: MaxPageItems}})
	require.NoError(c.t, err)
	visible := slices.DeleteFunc(all.Items, func(t TaskItem) bool { return !permitted.Includes(t.Section, domain.Read) })
	shown, err := engine.Tasks(c.t.Context(), ViewerFor(person), TasksQuery{Client: client.id, Paging: Paging{Limit: MaxPageItems}})
	if len(permitted.Within(domain.TaskSections())) == 0 {
		require.True(c.t, domain.HasCode(err, "no_access"), "%v", err)
		return
	}
	require.NoError(c.t, err)
	require.Equal(c.t, visible, shown.Items)
}

func (c *cast) compareKPIs(engine *Engine, person domain.Actor, client firm, g domain.Engagement, permitted domain.Permissions) {
	kpis, err := engine.KPIs(c.t.Context(), ViewerFor(person), KPIQuery{Client: client.id})
	require.NoError(c.t, err)
	want := map[domain.Section]KPISection{}
	for _, section := range permitted.Within(domain.TaskSections()).Sections() {
		if chosen, made := g.Collaboration.KPIs[person.UserID]; !made || slices.Contains(chosen, section) {
			want[section] = c.counted(engine, client, section)
		}
	}
	shown := map[domain.Section]KPISection{}
	for _, item := range kpis.Items {
		for _, section := range item.Sections {
			shown[section.Section] = section
		}
	}
	require.Equal(c.t, want, shown)
}

// comparePortfolio holds what a member's portfolio counts to the KPIs of each client.
func (c *cast) comparePortfolio(engine *Engine, consultancy firm, person domain.Actor) {
	portfolio, err := engine.Portfolio(c.t.Context(), ViewerFor(person), PortfolioQuery{Consultancy: consultancy.id})
	require.NoError(c.t, err)
	require.Len(c.t, portfolio.Items, len(inboxOf(c.t, engine, consultancy, RequestsQuery{})))
	for _, item := range portfolio.Items {
		kpis, err := engine.KPIs(c.t.Context(), ViewerFor(person), KPIQuery{Client: item.ClientID})
		require.NoError(c.t, err)
		sections, pending, overdue := []domain.Section{}, 0, 0
		for _, kpi := range kpis.Items {
			pending, overdue = kpi.Pending, kpi.Overdue
			for _, section := range kpi.Sections {
				sections = append(sections, section.Section)
			}
		}
		require.Equal(c.t, sections, item.Sections)
		require.Equal(c.t, []int{pending, overdue}, []int{item.Pending, item.Overdue})
	}
}

// counted counts the tasks that the list of tasks has.
func (c *cast) counted(engine *Engine, client firm, section domain.Section) KPISection {
	page, err := engine.Tasks(c.t.Context(), client.viewer(), TasksQuery{Client: client.id, Section: section, Paging: Paging{Limit: MaxPageItems}})
	require.NoError(c.t, err)
	require.Empty(c.t, page.Next)
	counts := KPISection{Section: section}
	for _, task := range page.Items {
		switch task.Status {
		case domain.TaskFinished:
			counts.Completed++
			continue
		case domain.TaskAbandoned:
			continue
		}
		counts.Pending++
		if task.Overdue {
			counts.Overdue++
		}
	}
	return counts
}

func (c *cast) compareSessions(engine *Engine) {
	open := map[uuid.UUID]bool{}
	for _, consultancy := range c.consultancies {
		page, err := engine.Sessions(c.t.Context(), consultancy.viewer(), SessionLogQuery{AccessQuery: AccessQuery{
			Consultancy: consultancy.id, LiveOnly: true, Paging: Paging{Limit: MaxPageItems},
		}})
		require.NoError(c.t, err)
		for _, session := range page.Items {
			require.Equal(c.t, "open", session.Status)
			open[session.SessionID] = true
		}
	}
	for _, id := range c.sessions {
		session := stateOf[domain.Session](c.ledger, domain.SessionStream, id)
		g := c.engagement(firm{id: session.ConsultancyID}, firm{id: session.ClientID})
		_, err := g.OpenClientAccount(domain.User(session.ConsultancyID, session.UserID), c.now, uuid.New(), "")
		mayLogIn := err == nil || domain.HasCode(err, "role_not_in_plan") // a log-in keeps the permissions that it was opened with
		holds := session.Status == domain.SessionOpen && c.now.Before(session.ExpiresAt) && mayLogIn && g.Collaboration.AccessEpoch == session.AccessEpoch &&
			g.Partnership.StandingEpoch == session.StandingEpoch
		require.Equal(c.t, holds, open[id])
	}
}

// stateOf folds a stream as commands do.
func stateOf[S any, P interface {
	*S
	Clone() *S
}](l *ledger, kind string, id uuid.UUID) *S {
	l.t.Helper()
	state, _, err := commands.Load[S, P](l.t.Context(), l.executor.States, eventstore.StreamID{Kind: kind, ID: id})
	require.NoError(l.t, err)
	return state
}
