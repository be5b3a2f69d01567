package demo

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/internal/term"
	"github.com/collabledger/collabledger/projections"
)

// accessAccount is step 9: a log-in is for an hour at most, and shows no more than grant, plan and assignment together permit.
func accessAccount(s *stage) {
	c := s.cast
	s.refused(c.inigo, commands.OpenClientAccount{PairFields: c.with(c.espiga)}, http.StatusForbidden, "not_assigned")
	s.refused(c.espiga.owner, commands.OpenClientAccount{PairFields: c.with(c.nunez)}, http.StatusForbidden, "not_a_member")
	session := result[commands.SessionResult](s, s.does(c.nuria, commands.OpenClientAccount{PairFields: c.with(c.espiga), Purpose: "Cierre de marzo"}, "ClientAccountOpened"))
	s.tokenHolds(session)
	s.sessions("Log-ins to La Espiga, as its owner sees them")
}

// sessions shows the log of log-ins to La Espiga.
func (s *stage) sessions(title string) {
	page := ask[projections.Page[projections.SessionItem]](s, s.as(s.cast.espiga.owner), "/v1/sessions", url.Values{"client": {s.cast.espiga.id().String()}})
	table := term.NewTable("PERSON", "OF", "PURPOSE", "SECTIONS", "STATUS")
	for _, item := range page.Items {
		table.Row(item.UserName, item.ConsultancyName, item.Purpose, permissions(item.Permissions), item.Status)
	}
	s.show(title, table)
}

// completeTask is step 10: only what the client shares can be seen, and only what it grants can be done.
func completeTask(s *stage) {
	c := s.cast
	sales := commands.CompleteTask{TaskID: s.tasks[activity{c.espiga, domain.Sales}]}
	s.refused(c.nuria, commands.CompleteTask{TaskID: s.tasks[activity{c.espiga, domain.Banking}]}, http.StatusUnprocessableEntity, "section_not_granted")
	s.does(c.nuria, sales, "TaskCompleted")
	s.refused(c.marc, sales, http.StatusUnprocessableEntity, "task_not_pending")
	s.refused(c.norte.owner, sales, http.StatusNotFound, "task_not_found")
	s.does(c.nunez.owner, commands.CompleteTask{TaskID: s.tasks[activity{c.nunez, domain.Banking}]}, "TaskCompleted")

	page := ask[projections.Page[projections.TaskItem]](s, s.as(c.nuria), "/v1/tasks", url.Values{"client": {c.espiga.id().String()}})
	table := term.NewTable("SECTION", "ACTIVITY", "STATUS", "GO TO")
	for _, item := range page.Items {
		table.Row(item.Section, item.Title, item.Status, item.GoTo)
	}
	s.show("Activities of La Espiga, as Núria sees them", table)
	s.portfolio(c.vidal.owner)
	s.holds("Anna is told of 3 pending activities at La Espiga, none overdue, and 1 completed", [3]int{3, 0, 1}, s.kpiCounts(c.vidal.owner))
}

// portfolio shows the clients of Vidal at one glance.
func (s *stage) portfolio(who person) {
	page := ask[projections.Page[projections.PortfolioItem]](s, s.as(who), "/v1/portfolio", url.Values{"consultancy": {s.cast.vidal.id().String()}})
	table := term.NewTable("CLIENT", "STATUS", "MANAGERS", "PENDING", "OVERDUE")
	for _, item := range page.Items {
		var managers []string
		for _, manager := range item.Managers {
			managers = append(managers, manager.Name)
		}
		table.Row(item.ClientName, item.Status, strings.Join(managers, ", "), item.Pending, item.Overdue)
	}
	s.show("The portfolio of Vidal Asesoría, as "+who.name+" sees it", table)
}

// endCollaboration is step 11: one append takes everything away. What was answered before is still answered the same.
func endCollaboration(s *stage) {
	c := s.cast
	espiga := c.with(c.espiga)
	s.does(c.espiga.owner, commands.EndCollaboration{PairFields: espiga, Reason: "Vendemos las panaderías."},
		"AccessRevoked", "AccountManagerUnassigned", "CollaborationEnded")
	s.follows("CloseClientAccount", "ClientAccountClosed")
	s.refused(c.marc, commands.OpenClientAccount{PairFields: espiga}, http.StatusUnprocessableEntity, "collaboration_not_active")
	s.refused(c.marc, commands.CompleteTask{TaskID: s.tasks[activity{c.espiga, domain.Contacts}]}, http.StatusUnprocessableEntity, "collaboration_not_active")
	s.refused(c.nuria, commands.OpenClientAccount{PairFields: espiga}, http.StatusForbidden, "not_assigned")
	s.repeats(c.marc, commands.AcceptCollaboration{PairFields: espiga}, s.acceptance)
	s.sessions("Log-ins to La Espiga: the open one was lost with the access")
	s.access("Who of Vidal Asesoría may act where: nobody at La Espiga")
	s.holds("Marc is told of no activity of La Espiga any more", "", s.kpiSections(c.marc))
}

// tellHistory tells the collaboration's history as the client reads it.
func tellHistory(s *stage) {
	c := s.cast
	page := ask[projections.Page[projections.HistoryItem]](s, s.as(c.espiga.owner), "/v1/collaborations/"+c.espigaWithVidal().CollaborationID().String()+"/history", nil)
	table := term.NewTable("AT", "#", "WHAT HAPPENED")
	for _, item := range page.Items {
		table.Row(item.At.Format("15:04:05.000"), item.Position, item.Words)
	}
	s.show("What happened between La Espiga and Vidal Asesoría, as the client reads it", table)
}
