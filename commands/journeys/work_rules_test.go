package journeys

import (
	"time"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

// access checks all that a consultancy's people need to act in a client's account at a moment.
func (w *world) access(of domain.Pair, now time.Time) string {
	return first(w.open(of), w.active(of), when(!w.partner(of.ConsultancyID).inStanding(), "partnership_not_in_standing"),
		when(w.pairs[of].grant.statusAt(now) != "granted", "no_live_grant"))
}

// longestSession is the term of a log-in whose grant goes on.
const longestSession = time.Hour

// sessionEnd is when a log-in at a moment ends.
func (g *grant) sessionEnd(now time.Time) time.Time {
	if !g.until.IsZero() && g.until.Before(now.Add(longestSession)) {
		return g.until
	}
	return now.Add(longestSession)
}

// mayOpen checks that somebody may log in to a client's account now.
func (w *world) mayOpen(actor domain.Actor, of domain.Pair) string {
	if code := w.known(of); code != "" {
		return code
	}
	code := first(w.works(actor, of), w.access(of, w.now()))
	if code == "" && len(w.accounts[of.ClientID].cut(w.pairs[of].grant.may)) == 0 {
		code = "role_not_in_plan"
	}
	return code
}

func (w *world) logsIn(actor domain.Actor, c commands.OpenClientAccount) ruling {
	of := domain.Pair(c.PairFields)
	if code := w.mayOpen(actor, of); code != "" {
		return no(code)
	}
	g, now := w.pairs[of].grant, w.now()
	return creates(func(r commands.SessionResult) {
		w.sessions[r.SessionID] = &session{pair: of, user: actor.UserID, serial: g.serial, era: g.era, standing: w.partner(of.ConsultancyID).standings, until: g.sessionEnd(now)}
	})
}

// lost tells whether the access behind a log-in is not what it was.
func (w *world) lost(s *session, now time.Time) bool {
	g := w.pairs[s.pair].grant
	return w.works(domain.User(s.pair.ConsultancyID, s.user), s.pair) != "" || w.access(s.pair, now) != "" || g.serial != s.serial || g.era != s.era ||
		w.partner(s.pair.ConsultancyID).standings != s.standing
}

func (w *world) logsOut(actor domain.Actor, c commands.CloseClientAccount) ruling {
	s := w.sessions[c.SessionID]
	if s == nil {
		return no("session_not_found")
	}
	now := w.now()
	who := ""
	switch {
	case actor.Kind == "system":
	case actor.Kind == "user" && actor.AccountID == s.pair.ConsultancyID && actor.UserID == s.user:
		who = w.is(actor, s.pair.ConsultancyID)
	default:
		who = w.either(actor, s.pair)
	}
	if code := first(who, when(s.closed || !now.Before(s.until), "session_closed"), when(actor.Kind == "system" && !w.lost(s, now), "access_not_lost")); code != "" {
		return no(code)
	}
	return yes(func() { s.closed = true })
}

func (w *world) lapsesSession(actor domain.Actor, c commands.ExpireSession) ruling {
	s := w.sessions[c.SessionID]
	if s == nil {
		return no("session_not_found")
	}
	if code := first(when(actor.Kind != "system", "system_required"), when(s.closed, "session_closed"), when(w.now().Before(s.until), "not_due")); code != "" {
		return no(code)
	}
	return yes(func() { s.closed = true })
}

// sameTask tells whether a reference is raised again with the same content.
func sameTask(a, b commands.RaiseTask) bool {
	aDue, bDue := end(a.DueAt), end(b.DueAt)
	a.DueAt, b.DueAt = nil, nil
	return a == b && aDue.Equal(bDue)
}

// keepsTasks checks that somebody may say which tasks a client has in a section.
func (w *world) keepsTasks(actor domain.Actor, t commands.RaiseTask) string {
	if actor.Kind == "service" {
		return when(w.accounts[t.ClientID].closed, "account_closed")
	}
	return w.edits(actor, t.ClientID, t.Section)
}

func (w *world) raises(actor domain.Actor, c commands.RaiseTask) ruling {
	if a := w.accounts[c.ClientID]; a == nil || a.firm {
		return no("client_not_found")
	}
	t := w.tasks[domain.TaskID(c.ClientID, c.ExternalRef)]
	if code := first(w.keepsTasks(actor, c), when(t != nil && !sameTask(t.asked, c), "external_ref_reused")); code != "" {
		return no(code)
	}
	return creates(func(r commands.TaskResult) {
		if t == nil {
			w.tasks[r.TaskID] = &task{client: c.ClientID, asked: c, status: "pending"}
		}
	})
}

func (w *world) completes(actor domain.Actor, c commands.CompleteTask) ruling {
	t := w.tasks[c.TaskID]
	if t == nil {
		return no("task_not_found")
	}
	code := ""
	if of := (domain.Pair{ConsultancyID: actor.AccountID, ClientID: t.client}); actor.Kind == "user" && actor.AccountID != t.client {
		if w.pairs[of] == nil {
			return no("task_not_found")
		}
		code = first(w.works(actor, of), w.access(of, w.now()))
		if code == "" {
			code = when(w.accounts[t.client].cut(w.pairs[of].grant.may)[t.asked.Section] != "edit", "section_not_granted")
		}
	} else {
		code = w.edits(actor, t.client, t.asked.Section)
	}
	if code = first(code, when(t.status != "pending", "task_not_pending")); code != "" {
		return no(code)
	}
	return yes(func() { t.status = "completed" })
}

func (w *world) cancels(actor domain.Actor, c commands.CancelTask) ruling {
	t := w.tasks[c.TaskID]
	if t == nil {
		return no("task_not_found")
	}
	if code := first(w.keepsTasks(actor, t.asked), when(t.status != "pending", "task_not_pending")); code != "" {
		return no(code)
	}
	return yes(func() { t.status = "cancelled" })
}

func (w *world) reopens(actor domain.Actor, c commands.ReopenTask) ruling {
	t := w.tasks[c.TaskID]
	if t == nil {
		return no("task_not_found")
	}
	if code := first(w.keepsTasks(actor, t.asked), when(t.status != "completed", "task_not_completed")); code != "" {
		return no(code)
	}
	return yes(func() { t.status = "pending" })
}
