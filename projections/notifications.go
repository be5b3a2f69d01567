package projections

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// MaxNotifications is how many notifications a person's list holds: the newest ones.
const MaxNotifications = 500

// notificationsModel keeps what each person is told of what others did, and how far they have read it. A person of two firms has
// one list for each (invariant 8).
func notificationsModel() model {
	return model{
		name: "notifications", version: 4,
		streams: []string{domain.AccountStream, domain.PartnershipStream, domain.CollaborationStream, domain.TaskStream, domain.NotificationsStream},
		tables:  []table{notificationFirms.table, notificationPairs.table, notificationLists.table, notifications.table},
		fold:    foldNotifications,
	}
}

// listRow is a person's list.
type listRow struct {
	memberKey
	received int   // notifications that ever came
	readUpTo int64 // position of the log
}

// notificationRow is one notification; what the event says is in the log. The slots of a list are used in turn, so that the newest takes the place of the oldest.
type notificationRow struct {
	notificationKey
	position  int64
	pair      domain.Pair // without a client when it is about the consultancy alone
	who       uuid.UUID   // the actor, if it is a person
	mentioned uuid.UUID   // the person or the custom role that the event is about; zero: none
	taskID    uuid.UUID   // the task that the event is about; zero: none
}

type notificationKey struct {
	memberKey
	slot int // from 0 to MaxNotifications - 1
}

var notificationLists = mapping[memberKey, listRow]{
	table: table{
		name: "notification_lists", key: 2,
		columns: []column{{"account_id", identifier}, {"user_id", identifier}, {"received", integer}, {"read_up_to", integer}},
	},
	key:    func(r *listRow) memberKey { return r.memberKey },
	args:   func(k memberKey) []any { return []any{k.account, k.user} },
	fields: func(r *listRow) []any { return []any{&r.account, &r.user, &r.received, &r.readUpTo} },
}

var notifications = mapping[notificationKey, notificationRow]{
	table: table{
		name: "notifications", key: 3,
		columns: []column{
			{"account_id", identifier}, {"user_id", identifier}, {"slot", integer}, {"position", integer},
			{"consultancy_id", identifier}, {"client_id", identifier}, {"who", identifier}, {"mentioned", identifier}, {"task_id", identifier},
		},
		indexes: []string{"account_id, user_id, position", "position"},
	},
	key:  func(r *notificationRow) notificationKey { return r.notificationKey },
	args: func(k notificationKey) []any { return []any{k.account, k.user, k.slot} },
	fields: func(r *notificationRow) []any {
		return []any{
			&r.account, &r.user, &r.slot, &r.position,
			&r.pair.ConsultancyID, &r.pair.ClientID, &r.who, &r.mentioned, &r.taskID,
		}
	},
}

// notificationFold is what the fold works on.
type notificationFold struct {
	addressBook
	lists *rows[memberKey, listRow]
	lines *rows[notificationKey, notificationRow]
}

// foldNotifications tells everybody whom an event concerns of it, as the firms and the collaborations stand right after it: who joins
// later does not get what was told before.
func foldNotifications(ctx context.Context, tx tx, page []*Fact) error {
	book, err := loadAddressBook(ctx, tx, page)
	if err != nil {
		return err
	}
	lists, err := notificationLists.load(ctx, tx, book.people(tx.toLookUp(page)))
	if err != nil {
		return err
	}
	lines, err := notifications.load(ctx, tx, nil)
	if err != nil {
		return err
	}
	f := notificationFold{addressBook: book, lists: lists, lines: lines}
	for _, fact := range page {
		f.learn(fact)
		switch e := fact.Event.(type) {
		case domain.MemberRemoved:
			f.drop(memberKey{e.AccountID, e.UserID})
		case domain.NotificationsRead:
			f.list(memberKey{e.AccountID, e.UserID}).readUpTo = e.UpTo
		default:
			f.tell(fact)
		}
	}
	return nil
}

// tell puts a fact into the lists of all whom it concerns, but for the person who did it. An account has domain.MaxMembers at most.
func (f notificationFold) tell(fact *Fact) {
	for _, n := range f.noticesOf(fact) {
		for _, to := range n.people {
			if n.actor.Kind == domain.ActorUser && to == (memberKey{n.actor.AccountID, n.actor.UserID}) {
				continue
			}
			list := f.list(to)
			row := notificationRow{
				notificationKey: notificationKey{to, list.received % MaxNotifications}, position: fact.Position,
				pair: n.pair, who: n.actor.UserID, mentioned: n.mentioned, taskID: n.task,
			}
			if list.received < MaxNotifications {
				f.lines.add(row)
			} else {
				f.lines.put(row)
			}
			list.received++
		}
	}
}

// list is a person's list to change. It begins when there is first something to keep.
func (f notificationFold) list(of memberKey) *listRow {
	if list := f.lists.change(of); list != nil {
		return list
	}
	return f.lists.put(listRow{memberKey: of})
}

// drop takes a person's list away: who has left an account sees nothing of it any more.
func (f notificationFold) drop(of memberKey) {
	list := f.lists.get(of)
	if list == nil {
		return
	}
	for slot := range min(list.received, MaxNotifications) {
		f.lines.delete(notificationKey{of, slot})
	}
	f.lists.delete(of)
}

// notice is a fact as it is told to some people.
type notice struct {
	story
	people []memberKey
}

// audience is whom an event concerns.
type audience struct {
	consultancy bool      // the consultancy's owner and administrators
	managers    bool      // its account managers in charge of the client
	client      bool      // the client's owner and administrators
	person      uuid.UUID // this person of the consultancy; zero: nobody by name
}

// audienceOf is the table of whom the events of partnerships and collaborations concern (H: requests and messages the owner and the
// administrators; the rest is ours). Events of other streams concern nobody, but for tasks, of which watchersOf tells.
func audienceOf(event domain.Event) audience {
	switch e := event.(type) {
	case domain.PartnershipAccepted, domain.PartnershipRejected, domain.PartnershipSuspended, domain.PartnershipReinstated,
		domain.PartnershipTerminated, domain.ProfileApproved, domain.ProfileRejected:
		return audience{consultancy: true}
	case domain.CollaborationRequested:
		return audience{consultancy: true}
	case domain.MessageSent:
		return audience{consultancy: e.From == domain.ClientSide, client: e.From == domain.ConsultancySide}
	case domain.CollaborationAccepted, domain.CollaborationDeclined, domain.RequestExpired, domain.AccessRequested:
		return audience{client: true}
	case domain.AccessGranted, domain.AccessChanged, domain.AccessExtended, domain.AccessSuspended, domain.AccessResumed,
		domain.AccessRevoked, domain.AccessExpired:
		return audience{consultancy: true, managers: true}
	case domain.GrantEndReminded:
		return audience{consultancy: true, client: true}
	case domain.AccountManagerAssigned:
		return audience{person: e.UserID}
	case domain.AccountManagerUnassigned:
		return audience{person: e.UserID}
	case domain.CollaborationEnded:
		return audience{consultancy: e.EndedBy == domain.ClientSide, managers: true, client: e.EndedBy == domain.ConsultancySide}
	}
	return audience{}
}

// noticesOf tells whom a fact concerns, and what of.
func (b addressBook) noticesOf(fact *Fact) []notice {
	switch e := fact.Event.(type) {
	case domain.TaskRaised:
		return b.watchersOf(fact, e.ClientID, e.Section)
	case domain.TaskReopened:
		return b.watchersOf(fact, e.ClientID, e.Section)
	}
	about, ok := storyOf(fact)
	if fact.Stream.Kind == domain.PartnershipStream {
		about.actor = fact.By
		about.pair.ConsultancyID, ok = fact.Stream.ID, true
	}
	a := audienceOf(fact.Event)
	if !ok || a == (audience{}) {
		return nil
	}
	var people []memberKey
	if a.consultancy {
		people = append(people, b.heads(about.pair.ConsultancyID)...)
	}
	if a.client {
		people = append(people, b.heads(about.pair.ClientID)...)
	}
	if a.managers {
		people = append(people, b.managers(fact, about.pair)...)
	}
	if a.person != uuid.Nil {
		people = append(people, b.members(about.pair.ConsultancyID, []uuid.UUID{a.person})...)
	}
	return []notice{{about, distinct(people)}}
}

// watchersOf tells of a task that has become pending those people of each consultancy who have chosen to be told of its section (S7)
// in the collaboration as it stands: active, and with a grant that shows the section to them (invariants 1, 2 and 5).
func (b addressBook) watchersOf(fact *Fact, client uuid.UUID, section domain.Section) []notice {
	var notices []notice
	from := b.firms.get(client)
	if from == nil {
		return nil
	}
	for _, consultancy := range from.watchers {
		about := story{pair: domain.Pair{ConsultancyID: consultancy, ClientID: client}, actor: fact.By, task: fact.Stream.ID}
		to, state := b.firms.get(consultancy), b.pairs.get(about.pair.CollaborationID())
		if to == nil || state == nil || !state.shows(section, *from, *to, fact.At) {
			continue
		}
		var people []memberKey
		for _, m := range to.members {
			if slices.Contains(state.KPIs[m.User], section) && (m.runs() || state.Managers[m.User]) {
				people = append(people, memberKey{consultancy, m.User})
			}
		}
		notices = append(notices, notice{about, people})
	}
	return notices
}

// distinct lists each person once, in the order in which they come.
func distinct(people []memberKey) []memberKey {
	met := map[memberKey]bool{}
	return slices.DeleteFunc(people, func(p memberKey) bool {
		before := met[p]
		met[p] = true
		return before
	})
}

// notificationLine is what the read model has of an item.
type notificationLine struct {
	item NotificationItem
	telling
}

// Notifications answers the viewer's own list, the newest first. Only a person has one.
func (e *Engine) Notifications(ctx context.Context, viewer Viewer, q NotificationsQuery) (NotificationsPage, error) {
	var lines Page[notificationLine]
	var unread int
	err := e.read(ctx, func(v view) (err error) {
		lines, unread, err = queryNotifications(ctx, v, viewer, q)
		return err
	})
	if err != nil {
		return NotificationsPage{}, err
	}
	items, err := e.notificationItems(ctx, lines.Items)
	return NotificationsPage{Page[NotificationItem]{Items: items, Next: lines.Next}, unread}, err
}

// What a query of notifications reads, and when one of them is unread.
const (
	notificationsOfLists = "{notifications} n JOIN {notification_lists} l ON l.account_id = n.account_id AND l.user_id = n.user_id"
	isUnread             = "n.position > l.read_up_to"
)

// queryNotifications reads one page of the viewer's list, and counts what is unread in all of it.
func queryNotifications(ctx context.Context, v view, viewer Viewer, q NotificationsQuery) (page Page[notificationLine], unread int, err error) {
	limit, err := q.limit()
	if err != nil {
		return page, 0, err
	}
	if err := viewer.mustBeAPerson(); err != nil {
		return page, 0, err
	}
	var args arguments
	condition := "n.account_id = " + args.add(viewer.account) + " AND n.user_id = " + args.add(viewer.user)
	count, err := collect(ctx, v, "SELECT COUNT(*) FROM "+notificationsOfLists+" WHERE "+condition+" AND "+isUnread, args,
		func(scan func(...any) error) (n int, err error) {
			err = scan(&n)
			return n, err
		})
	if err != nil {
		return page, 0, fmt.Errorf("count notifications: %w", err)
	}
	if q.Unread {
		condition += " AND " + isUnread
	}
	var position int64
	if found, err := q.after(&position); err != nil {
		return page, 0, err
	} else if found {
		condition += " AND n.position < " + args.add(position)
	}
	lines, err := selectNotifications(ctx, v, condition+" ORDER BY n.position DESC LIMIT "+args.add(limit+1), args)
	if err != nil {
		return page, 0, fmt.Errorf("query notifications: %w", err)
	}
	page, err = paged(lines, limit, func(l notificationLine) int64 { return l.item.Position })
	return page, count[0], err
}

// selectNotifications reads notifications, but for what their events say.
func selectNotifications(ctx context.Context, v view, condition string, args arguments) ([]notificationLine, error) {
	return collect(ctx, v, `SELECT n.position, n.consultancy_id, n.client_id, n.task_id, NOT `+isUnread+`,
			COALESCE(w.name, ''), COALESCE(a.name, ''), COALESCE(b.name, ''), COALESCE(m.name, ''), COALESCE(t.title, ''), COALESCE(t.go_to, '')
		FROM `+notificationsOfLists+` LEFT JOIN {user_names} w ON w.user_id = n.who
		LEFT JOIN {account_names} a ON a.account_id = n.consultancy_id LEFT JOIN {account_names} b ON b.account_id = n.client_id
		LEFT JOIN {history_names} m ON m.id = n.mentioned LEFT JOIN {tasks} t ON t.task_id = n.task_id
		WHERE `+condition, args, func(scan func(...any) error) (notificationLine, error) {
		var l notificationLine
		err := scan(&l.item.Position, &l.item.ConsultancyID, &l.item.ClientID, &l.item.TaskID, &l.item.Read,
			&l.who, &l.consultancy, &l.client, &l.mentioned, &l.task, &l.item.GoTo)
		return l, err
	})
}

// notificationItems puts notifications in words.
func (e *Engine) notificationItems(ctx context.Context, lines []notificationLine) ([]NotificationItem, error) {
	facts, err := factsAt(ctx, e, lines, func(l notificationLine) int64 { return l.item.Position })
	if err != nil {
		return nil, fmt.Errorf("read the events of notifications: %w", err)
	}
	items := make([]NotificationItem, len(lines))
	for i, line := range lines {
		items[i] = line.worded(facts[line.item.Position])
	}
	return items, nil
}

// worded is the item with what its event says.
func (l notificationLine) worded(fact *Fact) NotificationItem {
	item := l.item
	item.At, item.Kind = fact.At, fact.Type
	l.pair = domain.Pair{ConsultancyID: item.ConsultancyID, ClientID: item.ClientID}
	l.actor = fact.By
	item.ConsultancyName, item.ClientName = l.consultancy, l.client
	if item.ClientID != uuid.Nil {
		item.CollaborationID = l.pair.CollaborationID()
	}
	item.Title, item.Body = l.headline(fact.Event), l.notice(fact.Event)
	return item
}
