package projections

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// historyModel keeps the history of every collaboration: its own events, its log-ins, and the tasks that the consultancy did, each
// with the names that people, firms and roles had then.
func historyModel() model {
	return model{
		name: "history", version: 3,
		streams: []string{domain.AccountStream, domain.CollaborationStream, domain.SessionStream, domain.TaskStream},
		tables:  []table{history.table, historyNames.table},
		fold:    foldHistory,
	}
}

// historyRow is one event of a collaboration, with the names then. What it says is in the log.
type historyRow struct {
	historyKey
	at          time.Time
	who         string    // the actor's name, if it is a person
	consultancy string    // the consultancy's name
	client      string    // the client's name
	mentioned   string    // name of the person or the custom role that the event is about; empty: none
	taskID      uuid.UUID // the task that the event is about; zero: none
}

type historyKey struct {
	collaboration uuid.UUID
	position      int64
}

var history = mapping[historyKey, historyRow]{
	table: table{
		name: "history", key: 2, appends: true,
		columns: []column{
			{"collaboration_id", identifier}, {"position", integer}, {"at", integer},
			{"who", text}, {"consultancy", text}, {"client", text}, {"mentioned", text}, {"task_id", identifier},
		},
	},
	key:  func(r *historyRow) historyKey { return r.historyKey },
	args: func(k historyKey) []any { return []any{k.collaboration, k.position} },
	fields: func(r *historyRow) []any {
		return []any{
			&r.collaboration, &r.position, at(&r.at),
			&r.who, &r.consultancy, &r.client, &r.mentioned, &r.taskID,
		}
	},
}

// nameRow is what an account, a person or a custom role is called at the moment up to which the log is folded.
type nameRow struct {
	id   uuid.UUID
	name string
}

var historyNames = mapping[uuid.UUID, nameRow]{
	table:  table{name: "history_names", key: 1, columns: []column{{"id", identifier}, {"name", text}}},
	key:    func(r *nameRow) uuid.UUID { return r.id },
	args:   func(id uuid.UUID) []any { return []any{id} },
	fields: func(r *nameRow) []any { return []any{&r.id, &r.name} },
}

func foldHistory(ctx context.Context, tx tx, page []*Fact) error {
	var ids []uuid.UUID
	for _, fact := range tx.toLookUp(page) {
		if s, ok := storyOf(fact); ok {
			ids = append(ids, s.actor.UserID, s.pair.ConsultancyID, s.pair.ClientID, s.mentioned)
		}
	}
	names, err := historyNames.load(ctx, tx, ids)
	if err != nil {
		return err
	}
	lines, err := history.load(ctx, tx, nil)
	if err != nil {
		return err
	}
	nameOf := func(id uuid.UUID) string {
		if named := names.get(id); named != nil {
			return named.name
		}
		return ""
	}
	for _, fact := range page {
		foldName(fact, names)
		s, ok := storyOf(fact)
		if !ok {
			continue
		}
		lines.append(historyRow{
			historyKey: historyKey{s.pair.CollaborationID(), fact.Position}, at: fact.At,
			who: nameOf(s.actor.UserID), consultancy: nameOf(s.pair.ConsultancyID), client: nameOf(s.pair.ClientID),
			mentioned: nameOf(s.mentioned), taskID: s.task,
		})
	}
	return nil
}

// foldName notes what somebody or something is called from now on.
func foldName(fact *Fact, names *rows[uuid.UUID, nameRow]) {
	switch e := fact.Event.(type) {
	case domain.AccountRegistered:
		names.put(nameRow{e.AccountID, e.TradeName})
		names.put(nameRow{e.Owner.UserID, e.Owner.Name})
	case domain.AccountDetailsUpdated:
		names.put(nameRow{e.AccountID, e.TradeName})
	case domain.MemberJoined:
		names.put(nameRow{e.Member.UserID, e.Member.Name})
	case domain.RoleCreated:
		names.put(nameRow{customRoleID(e.RoleID), e.Name})
	case domain.RoleUpdated:
		names.put(nameRow{customRoleID(e.RoleID), e.Name})
	}
}

// story is whom and what an event of a history is about.
type story struct {
	pair      domain.Pair
	actor     domain.Actor
	mentioned uuid.UUID // a person or a custom role
	task      uuid.UUID
}

// storyOf tells what a fact is about; ok is false when it belongs to no collaboration's history.
func storyOf(fact *Fact) (s story, ok bool) {
	s.actor = fact.By
	switch e := fact.Event.(type) {
	case domain.TaskCompleted:
		s.pair, s.task = domain.Pair{ConsultancyID: e.ConsultancyID, ClientID: e.ClientID}, e.TaskID
		return s, e.ConsultancyID != uuid.Nil
	case domain.AccessRequested:
		s.mentioned = customRoleID(e.SuggestedRole)
	case domain.AccessGranted:
		s.mentioned = customRoleID(e.RoleID)
	case domain.AccessChanged:
		s.mentioned = customRoleID(e.RoleID)
	case domain.AccountManagerAssigned:
		s.mentioned = e.UserID
	case domain.AccountManagerUnassigned:
		s.mentioned = e.UserID
	}
	if fact.Stream.Kind != domain.CollaborationStream && fact.Stream.Kind != domain.SessionStream {
		return story{}, false
	}
	parties := fact.Event.Parties() // of a Pair
	s.pair = domain.Pair{ConsultancyID: parties[0], ClientID: parties[1]}
	return s, true
}

// customRoleID is the id of a role that a business defined; zero for the predefined ones.
func customRoleID(role domain.Role) uuid.UUID {
	id, err := uuid.Parse(string(role))
	if err != nil {
		return uuid.Nil
	}
	return id
}

// historyLine is what the read model has of an item.
type historyLine struct {
	position int64
	telling
}

// History tells a collaboration's history, oldest first.
func (e *Engine) History(ctx context.Context, viewer Viewer, q HistoryQuery) (Page[HistoryItem], error) {
	var lines Page[historyLine]
	err := e.read(ctx, func(v view) (err error) {
		lines, err = queryHistory(ctx, v, viewer, q)
		return err
	})
	if err != nil {
		return Page[HistoryItem]{}, err
	}
	facts, err := factsAt(ctx, e, lines.Items, func(l historyLine) int64 { return l.position })
	if err != nil {
		return Page[HistoryItem]{}, fmt.Errorf("read the events of a history: %w", err)
	}
	return pageOf(lines, func(l historyLine) HistoryItem { return l.item(facts[l.position]) }), nil
}

// queryHistory finds what happened in a collaboration, oldest first.
func queryHistory(ctx context.Context, v view, viewer Viewer, q HistoryQuery) (Page[historyLine], error) {
	limit, err := q.limit()
	if err != nil {
		return Page[historyLine]{}, err
	}
	pair, err := visiblePair(ctx, v, viewer, q.Collaboration)
	if err != nil {
		return Page[historyLine]{}, err
	}
	var args arguments
	condition := "h.collaboration_id = " + args.add(q.Collaboration)
	if !q.AsOf.IsZero() {
		condition += " AND h.at <= " + args.add(q.AsOf.UnixMicro())
	}
	var position int64
	if found, err := q.after(&position); err != nil {
		return Page[historyLine]{}, err
	} else if found {
		condition += " AND h.position > " + args.add(position)
	}
	lines, err := collect(ctx, v, `SELECT h.position, h.who, h.consultancy, h.client, h.mentioned, COALESCE(t.title, '')
		FROM {history} h LEFT JOIN {tasks} t ON t.task_id = h.task_id
		WHERE `+condition+` ORDER BY h.position LIMIT `+args.add(limit+1), args,
		func(scan func(...any) error) (historyLine, error) {
			l := historyLine{telling: telling{pair: pair}}
			err := scan(&l.position, &l.who, &l.consultancy, &l.client, &l.mentioned, &l.task)
			return l, err
		})
	if err != nil {
		return Page[historyLine]{}, fmt.Errorf("query history: %w", err)
	}
	return paged(lines, limit, func(l historyLine) int64 { return l.position })
}

// item tells the line's event.
func (l historyLine) item(fact *Fact) HistoryItem {
	l.actor = fact.By
	return HistoryItem{
		Position: fact.Position, At: fact.At, Type: fact.Type, Stream: fact.Stream.String(), Version: fact.Version,
		Actor: fact.Actor, Who: l.who, Words: l.tell(fact.Event),
	}
}

// visiblePair finds the parties of a collaboration. Whoever is on neither side does not learn that it exists.
func visiblePair(ctx context.Context, v view, viewer Viewer, collaboration uuid.UUID) (domain.Pair, error) {
	if err := viewer.mustBeSignedIn(); err != nil {
		return domain.Pair{}, err
	}
	var args arguments
	found, err := collect(ctx, v, `SELECT consultancy_id, client_id FROM {access_pairs} WHERE collaboration_id = `+args.add(collaboration)+
		` AND `+viewer.restrict(&args, "consultancy_id", "client_id"), args,
		func(scan func(...any) error) (domain.Pair, error) {
			var pair domain.Pair
			err := scan(&pair.ConsultancyID, &pair.ClientID)
			return pair, err
		})
	if err != nil {
		return domain.Pair{}, fmt.Errorf("query the parties of a collaboration: %w", err)
	}
	if len(found) == 0 {
		return domain.Pair{}, domain.Missing("collaboration", collaboration)
	}
	return found[0], nil
}
