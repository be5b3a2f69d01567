package demo

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/internal/term"
	"github.com/collabledger/collabledger/projections"
)

// manageRequests is step 5: a conversation, three requests, two answers yes and one no.
func manageRequests(s *stage) {
	c := s.cast
	espiga, nunez, artico := c.with(c.espiga), c.with(c.nunez), c.with(c.artico)
	s.does(c.espiga.owner, commands.SendMessage{PairFields: espiga, Body: "Tenemos tres panaderías. ¿Trabajan con comercios?"}, "MessageSent")
	s.does(c.marc, commands.SendMessage{PairFields: espiga, Body: "Sí, es nuestra especialidad. ¿Cerramos cada mes?"}, "MessageSent")
	s.does(c.espiga.owner, commands.RequestCollaboration{PairFields: espiga, Message: "Perfecto: llévennos la contabilidad, por favor."}, "CollaborationRequested")
	s.does(c.nunez.owner, commands.RequestCollaboration{PairFields: nunez, Message: "Buscamos asesoría para la ferretería."}, "CollaborationRequested")
	s.does(c.artico.owner, commands.RequestCollaboration{PairFields: artico, Message: "¿Pueden ayudarnos con los impuestos?"}, "CollaborationRequested")
	s.requests()
	s.notifications(c.marc)

	s.refused(c.espiga.owner, commands.GrantAccess{PairFields: espiga, GrantTerms: commands.GrantTerms{RoleID: domain.RoleSales}}, http.StatusUnprocessableEntity, "collaboration_not_active")
	s.refused(c.nuria, commands.AcceptCollaboration{PairFields: espiga}, http.StatusForbidden, "role_not_sufficient")
	s.acceptance = s.does(c.marc, commands.AcceptCollaboration{PairFields: espiga}, "CollaborationAccepted")
	s.does(c.vidal.owner, commands.AcceptCollaboration{PairFields: nunez}, "CollaborationAccepted")
	s.does(c.vidal.owner, commands.DeclineCollaboration{PairFields: artico, ReasonCode: domain.DeclinedNoCapacity}, "CollaborationDeclined")
	s.refused(c.marc, commands.AcceptCollaboration{PairFields: artico}, http.StatusUnprocessableEntity, "not_pending")
	s.does(c.marc, commands.MarkConversationRead{PairFields: espiga}, "ConversationRead")
	s.hidden(c.norte.owner, "/v1/requests", url.Values{"party": {c.vidal.id().String()}}, http.StatusForbidden, "not_your_account")
	var answered []string
	for _, item := range s.inbox().Items {
		answered = append(answered, fmt.Sprintf("%s %s, %d unread", item.ClientName, item.Status, item.Unread))
	}
	s.holds("the requests are now approved for Ferretería Núñez and La Espiga, whose messages are read, and declined for Café Ártico",
		[]string{"Café Ártico declined, 1 unread", "Ferretería Núñez approved, 1 unread", "La Espiga approved, 0 unread"}, answered)
}

// inbox asks for the requests to Vidal.
func (s *stage) inbox() projections.Page[projections.RequestItem] {
	return ask[projections.Page[projections.RequestItem]](s, s.as(s.cast.marc), "/v1/requests",
		url.Values{"party": {s.cast.vidal.id().String()}, "sort": {"name"}})
}

// requests shows the requests to Vidal.
func (s *stage) requests() {
	table := term.NewTable("CLIENT", "STATUS", "UNREAD", "LAST MESSAGE")
	for _, item := range s.inbox().Items {
		table.Row(item.ClientName, item.Status, item.Unread, item.LastMessage)
	}
	s.show("Requests to Vidal Asesoría, as Marc finds them", table)
}

// notifications shows what somebody is told of, the latest first.
func (s *stage) notifications(who person) {
	page := ask[projections.NotificationsPage](s, s.as(who), "/v1/notifications", url.Values{"limit": {"3"}})
	table := term.NewTable("TOLD OF", "IN WORDS")
	for _, item := range page.Items {
		table.Row(item.Title, item.Body)
	}
	s.show(fmt.Sprintf("The latest of %d notifications that %s has not read", page.Unread, who.name), table)
}

// askForAccess is step 6: the client decides which one role it grants, and until when.
func askForAccess(s *stage) {
	c := s.cast
	espiga, nunez := c.with(c.espiga), c.with(c.nunez)
	until := time.Now().AddDate(1, 0, 0).UTC().Truncate(time.Second)
	s.does(c.marc, commands.RequestAccess{PairFields: espiga, SuggestedRole: domain.RoleFinance, Purpose: "Cierre mensual"}, "AccessRequested")
	s.refused(c.marc, commands.GrantAccess{PairFields: espiga, GrantTerms: commands.GrantTerms{RoleID: domain.RoleFinance}}, http.StatusForbidden, "not_a_member")
	s.does(c.espiga.owner, commands.GrantAccess{PairFields: espiga, GrantTerms: commands.GrantTerms{RoleID: domain.RoleSales, ExpiresAt: &until}}, "AccessGranted")
	s.refused(c.espiga.owner, commands.GrantAccess{PairFields: espiga, GrantTerms: commands.GrantTerms{RoleID: domain.RoleFinance}}, http.StatusUnprocessableEntity, "grant_exists")
	s.does(c.nunez.owner, commands.GrantAccess{PairFields: nunez, GrantTerms: commands.GrantTerms{RoleID: domain.RoleFinance}}, "AccessGranted")
	s.access("Who of Vidal Asesoría may act where")
}

// access shows the grants to Vidal, the live ones and those that have ended.
func (s *stage) access(title string) {
	page := ask[projections.Page[projections.AccessItem]](s, s.as(s.cast.marc), "/v1/access", url.Values{"consultancy": {s.cast.vidal.id().String()}})
	table := term.NewTable("CLIENT", "GRANT", "ROLE", "MAY ACT IN", "UNTIL", "PEOPLE")
	for _, item := range page.Items {
		until := "further notice"
		if end := cmp.Or(item.EndedAt, item.Until); end != nil {
			until = end.Format(time.DateOnly)
		}
		people := []string{}
		for _, person := range item.People {
			first, _, _ := strings.Cut(person.Name, " ")
			people = append(people, first)
		}
		table.Row(item.ClientName, item.Status, item.RoleID, permissions(item.Effective), until, strings.Join(people, ", "))
	}
	s.show(title, table)
}

// permissions lists sections, those that may only be read in brackets.
func permissions(p domain.Permissions) string {
	words := []string{}
	for _, section := range p.Sections() {
		if p.Includes(section, domain.Edit) {
			words = append(words, string(section))
		} else {
			words = append(words, "("+string(section)+")")
		}
	}
	if len(words) == 0 {
		return "nothing"
	}
	return strings.Join(words, " ")
}

// configureKPIs is step 7: the clients' own systems raise pending activities, and each person chooses what to be told of.
func configureKPIs(s *stage) {
	c := s.cast
	s.raiseTasks()
	s.kpis(c.vidal.owner)
	s.refused(c.nuria, commands.ConfigureKPINotifications{PairFields: c.with(c.espiga), Sections: []domain.Section{domain.Sales}}, http.StatusForbidden, "not_assigned")
	s.does(c.marc, commands.ConfigureKPINotifications{PairFields: c.with(c.espiga), Sections: []domain.Section{domain.Sales}}, "KPINotificationsConfigured")
	s.kpis(c.marc)
	s.holds("Marc is told of sales alone at La Espiga, Anna of everything granted",
		[]string{"sales", "sales banking contacts"}, []string{s.kpiSections(c.marc), s.kpiSections(c.vidal.owner)})
}

// raiseTasks lets the clients' own systems tell what is to be done.
func (s *stage) raiseTasks() {
	const day = 24 * time.Hour
	c := s.cast
	now := time.Now().UTC().Truncate(time.Second)
	known := []struct {
		activity
		title string
		due   time.Duration // from now
	}{
		{activity{c.espiga, domain.Sales}, "Revisar el albarán 2048", 5 * day},
		{activity{c.espiga, domain.Sales}, "Enviar 3 facturas de marzo", -2 * day},
		{activity{c.espiga, domain.Banking}, "Conciliar 12 movimientos", 3 * day},
		{activity{c.espiga, domain.Contacts}, "Completar el NIF de Harinas Sol", 9 * day},
		{activity{c.espiga, domain.Expenses}, "Clasificar 4 tickets", 3 * day},
		{activity{c.nunez, domain.Banking}, "Conciliar 5 movimientos", 4 * day},
		{activity{c.nunez, domain.Journal}, "Asentar la amortización", -1 * day},
	}
	first := s.position + 1
	for i, task := range known {
		due := now.Add(task.due)
		s.tasks[task.activity] = result[commands.TaskResult](s, s.submits(c.connector, commands.RaiseTask{
			ClientID: task.client.id(), Section: task.section, Title: task.title, ExternalRef: fmt.Sprintf("erp-%d", 4711+i),
			GoTo: fmt.Sprintf("https://app.example/%s/%d", task.section, 4711+i), DueAt: &due,
		}, "TaskRaised")).TaskID
	}
	s.acted(c.connector, "RaiseTask", fmt.Sprintf("%d times", len(known)), fmt.Sprintf("#%d to #%d TaskRaised", first, s.position))
}

func (s *stage) kpiPage(who person) projections.Page[projections.KPIItem] {
	return ask[projections.Page[projections.KPIItem]](s, s.as(who), "/v1/kpis", url.Values{"consultancy": {s.cast.vidal.id().String()}})
}

// kpis shows the volume of pending activities as one person is told of it.
func (s *stage) kpis(who person) {
	table := term.NewTable("CLIENT", "PENDING", "OVERDUE", "COMPLETED", "PENDING BY SECTION")
	for _, item := range s.kpiPage(who).Items {
		var sections []string
		for _, section := range item.Sections {
			sections = append(sections, fmt.Sprintf("%s %d", section.Section, section.Pending))
		}
		table.Row(item.ClientName, item.Pending, item.Overdue, item.Completed, strings.Join(sections, ", "))
	}
	s.show("Pending activities, as "+who.name+" is told of them", table)
}

// kpiCounts are the counts of La Espiga that a person is told of: pending, overdue, completed.
func (s *stage) kpiCounts(who person) [3]int {
	for _, item := range s.kpiPage(who).Items {
		if item.ClientID == s.cast.espiga.id() {
			return [3]int{item.Pending, item.Overdue, item.Completed}
		}
	}
	return [3]int{}
}

// kpiSections lists the sections of La Espiga that a person is told of.
func (s *stage) kpiSections(who person) string {
	var sections []string
	for _, item := range s.kpiPage(who).Items {
		if item.ClientID == s.cast.espiga.id() {
			for _, section := range item.Sections {
				sections = append(sections, string(section.Section))
			}
		}
	}
	return strings.Join(sections, " ")
}

// assignManagers is step 8: people of the consultancy are put in charge of a client.
func assignManagers(s *stage) {
	c := s.cast
	espiga, nunez := c.with(c.espiga), c.with(c.nunez)
	s.refused(c.nuria, commands.AssignAccountManagers{PairFields: espiga, UserIDs: []uuid.UUID{c.nuria.user}}, http.StatusForbidden, "role_not_sufficient")
	s.refused(c.vidal.owner, commands.AssignAccountManagers{PairFields: espiga, UserIDs: []uuid.UUID{c.norte.owner.user}}, http.StatusNotFound, "member_not_found")
	s.does(c.vidal.owner, commands.AssignAccountManagers{PairFields: espiga, UserIDs: []uuid.UUID{c.nuria.user}}, "AccountManagerAssigned")
	s.does(c.marc, commands.AssignAccountManagers{PairFields: nunez, UserIDs: []uuid.UUID{c.nuria.user, c.inigo.user}}, "AccountManagerAssigned", "AccountManagerAssigned")
	s.access("Who of Vidal Asesoría may act where, with the account managers")
}
