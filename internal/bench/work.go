package bench

import (
	"fmt"

	"github.com/collabledger/collabledger/domain"
)

// deed is something that may happen between a consultancy and its client, and how often: its share of all weights.
type deed struct {
	weight int
	do     func(*history, *pair) error
}

// deeds are the mix of a ledger at work.
func deeds() []deed {
	return []deed{
		{300, raiseTask},
		{290, completeTask},
		{120, sendMessage},
		{80, readConversation},
		{80, logIn},
		{75, logOut},
		{20, chooseKPIs},
		{10, changeAccess},
		{5, renewAccess},
		{2, endAndBeginAgain},
	}
}

// work lets something happen between a pair.
func (h *history) work(p *pair) error {
	at := h.random.IntN(h.weights)
	for _, deed := range h.deeds {
		if at -= deed.weight; at < 0 {
			return deed.do(h, p)
		}
	}
	return nil
}

func raiseTask(h *history, p *pair) error {
	if len(p.tasks) == maxPendingTasks {
		return completeTask(h, p)
	}
	clientID := p.client.account.stream.ID
	reference := h.id().String()
	section := pick(h, domain.TaskSections())
	task := newThing[domain.Task](domain.TaskStream, domain.TaskID(clientID, reference))
	event, err := task.state.Raise(services(), p.client.account.state, domain.TaskRaised{
		TaskID: task.stream.ID, ClientID: clientID, Section: section, Title: fmt.Sprintf("Conciliar %d movimientos", 1+h.random.IntN(40)),
		ExternalRef: reference, GoTo: "https://app.example/" + string(section) + "/" + reference, DueAt: h.now.AddDate(0, 0, h.random.IntN(30)-5),
	})
	p.tasks = append(p.tasks, &task)
	return happen(h, &task, event, err)
}

func completeTask(h *history, p *pair) error {
	if len(p.tasks) == 0 {
		return raiseTask(h, p)
	}
	task := take(h, &p.tasks)
	if h.random.IntN(4) == 0 {
		event, err := task.state.CompleteOwn(p.client.owner, p.client.account.state)
		return happen(h, task, event, err)
	}
	event, err := p.engagement().CompleteTask(p.consultancy.manager, h.now, task.state)
	return happen(h, task, event, err)
}

func sendMessage(h *history, p *pair) error {
	message := domain.MessageSent{MessageID: h.id(), Body: "Les hemos dejado las facturas de este mes en la bandeja; falta una del proveedor de harina."}
	events, err := p.engagement().Send(pick(h, []domain.Actor{p.client.owner, p.consultancy.manager}), message)
	return happens(h, &p.collaboration, events, err)
}

func readConversation(h *history, p *pair) error {
	events, err := p.engagement().MarkRead(pick(h, []domain.Actor{p.client.owner, p.consultancy.manager}))
	return happens(h, &p.collaboration, events, err)
}

func logIn(h *history, p *pair) error {
	if len(p.sessions) == maxOpenSessions {
		return logOut(h, p)
	}
	session := newThing[domain.Session](domain.SessionStream, h.id())
	event, err := p.engagement().OpenClientAccount(p.consultancy.manager, h.now, session.stream.ID, "Cierre mensual")
	p.sessions = append(p.sessions, &session)
	return happen(h, &session, event, err)
}

func logOut(h *history, p *pair) error {
	if len(p.sessions) == 0 {
		return logIn(h, p)
	}
	session := take(h, &p.sessions)
	event, err := p.engagement().CloseClientAccount(p.consultancy.manager, h.now, session.state)
	return happen(h, session, event, err)
}

func chooseKPIs(h *history, p *pair) error {
	events, err := p.engagement().ConfigureKPIs(p.consultancy.manager, h.now, []domain.Section{pick(h, domain.TaskSections()), domain.Sales})
	return happens(h, &p.collaboration, events, err)
}

func changeAccess(h *history, p *pair) error {
	role := domain.RoleFinance
	if p.collaboration.state.Grant.RoleID == role {
		role = domain.RoleAdministrator
	}
	events, err := p.engagement().ChangeAccess(p.client.owner, h.now, role, h.now.AddDate(1, 0, 0))
	return happens(h, &p.collaboration, events, err)
}

// renewAccess takes the access away and grants it anew.
func renewAccess(h *history, p *pair) error {
	events, err := p.engagement().RevokeAccess(p.client.owner, h.now)
	if err := happens(h, &p.collaboration, events, err); err != nil {
		return err
	}
	events, err = p.grant(h)
	return happens(h, &p.collaboration, events, err)
}

func endAndBeginAgain(h *history, p *pair) error {
	events, err := p.engagement().End(p.client.owner, h.now, "Vendemos las panaderías.")
	if err := happens(h, &p.collaboration, events, err); err != nil {
		return err
	}
	return p.begin(h)
}

func pick[T any](h *history, from []T) T { return from[h.random.IntN(len(from))] }

// take takes one out, the order of the others aside.
func take[T any](h *history, from *[]T) T {
	at, last := h.random.IntN(len(*from)), len(*from)-1
	taken := (*from)[at]
	(*from)[at] = (*from)[last]
	*from = (*from)[:last]
	return taken
}
