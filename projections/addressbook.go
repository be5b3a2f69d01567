package projections

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// addressBook is what the notifications model knows of firms and collaborations to find whom an event concerns.
type addressBook struct {
	firms *rows[uuid.UUID, addressRow]
	pairs *rows[uuid.UUID, engagementRow]
}

// addressRow is an account with its people.
type addressRow struct {
	account    uuid.UUID
	members    []addressMember // in the order in which they joined; domain.MaxMembers at most
	plan       domain.Plan
	closed     bool
	inStanding bool        // of a consultancy
	watchers   []uuid.UUID // of a client: consultancies of active collaborations in which somebody has chosen KPIs
}

// addressMember is a member of an account.
type addressMember struct {
	User uuid.UUID   `json:"user"`
	Role domain.Role `json:"role"`
}

// runs tells whether the member is the owner or an administrator.
func (m addressMember) runs() bool {
	return m.Role == domain.RoleOwner || m.Role == domain.RoleAdministrator
}

// engagementRow is a collaboration as the domain sees it, but for its conversation, which concerns both sides whatever its state and
// would have the row written with every message.
type engagementRow struct {
	collaboration uuid.UUID
	*domain.Collaboration
	left   []uuid.UUID // the account managers who were unassigned last, all at once
	leftAt time.Time
}

var notificationFirms = mapping[uuid.UUID, addressRow]{
	table: table{
		name: "notification_firms", key: 1,
		columns: []column{
			{"account_id", identifier}, {"members", text}, {"plan", text}, {"closed", boolean}, {"in_standing", boolean}, {"watchers", text},
		},
	},
	key:  func(r *addressRow) uuid.UUID { return r.account },
	args: func(id uuid.UUID) []any { return []any{id} },
	fields: func(r *addressRow) []any {
		return []any{&r.account, asJSON(&r.members), &r.plan, &r.closed, &r.inStanding, asJSON(&r.watchers)}
	},
}

var notificationPairs = mapping[uuid.UUID, engagementRow]{
	table: table{
		name: "notification_pairs", key: 1,
		columns: []column{{"collaboration_id", identifier}, {"state", text}, {"left_managers", text}, {"left_at", integer}},
	},
	key:  func(r *engagementRow) uuid.UUID { return r.collaboration },
	args: func(id uuid.UUID) []any { return []any{id} },
	fields: func(r *engagementRow) []any {
		return []any{&r.collaboration, asJSON(&r.Collaboration), asJSON(&r.left), at(&r.leftAt)}
	},
}

// loadAddressBook loads what a page needs: its parties, its collaborations, and of clients whose tasks it has those who watch them.
func loadAddressBook(ctx context.Context, tx tx, page []*Fact) (b addressBook, err error) {
	var accounts, collaborations, clients []uuid.UUID
	for _, fact := range tx.toLookUp(page) {
		accounts = append(accounts, fact.Event.Parties()...)
		switch fact.Stream.Kind {
		case domain.CollaborationStream:
			collaborations = append(collaborations, fact.Stream.ID)
		case domain.TaskStream:
			clients = append(clients, fact.Event.Parties()[0])
		}
	}
	if b.firms, err = notificationFirms.load(ctx, tx, accounts); err != nil {
		return b, err
	}
	accounts = accounts[:0]
	for _, id := range clients {
		if client := b.firms.get(id); client != nil {
			for _, consultancy := range client.watchers {
				accounts = append(accounts, consultancy)
				collaborations = append(collaborations, domain.Pair{ConsultancyID: consultancy, ClientID: id}.CollaborationID())
			}
		}
	}
	if b.firms, err = notificationFirms.load(ctx, tx, accounts); err != nil {
		return b, err
	}
	b.pairs, err = notificationPairs.load(ctx, tx, collaborations)
	return b, err
}

// people lists everybody whose list a page may change: who is or becomes one of those who can be told of anything, who leaves, and who
// has read.
func (b addressBook) people(page []*Fact) []memberKey {
	var people []memberKey
	met := map[uuid.UUID]bool{}
	add := func(account uuid.UUID) {
		firm := b.firms.get(account)
		if firm == nil || met[account] {
			return
		}
		met[account] = true
		for _, m := range firm.members {
			if m.runs() || m.Role == domain.RoleAccountManager {
				people = append(people, memberKey{account, m.User})
			}
		}
	}
	for _, fact := range page {
		for _, account := range fact.Event.Parties() {
			add(account)
			if firm := b.firms.get(account); firm != nil && fact.Stream.Kind == domain.TaskStream {
				for _, consultancy := range firm.watchers {
					add(consultancy)
				}
			}
		}
		switch e := fact.Event.(type) {
		case domain.AccountRegistered:
			people = append(people, memberKey{e.AccountID, e.Owner.UserID})
		case domain.MemberJoined:
			people = append(people, memberKey{e.AccountID, e.Member.UserID})
		case domain.MemberRoleChanged:
			people = append(people, memberKey{e.AccountID, e.UserID})
		case domain.MemberRemoved:
			people = append(people, memberKey{e.AccountID, e.UserID})
		case domain.OwnershipTransferred:
			people = append(people, memberKey{e.AccountID, e.From}, memberKey{e.AccountID, e.To})
		case domain.NotificationsRead:
			people = append(people, memberKey{e.AccountID, e.UserID})
		}
	}
	return people
}

// learn takes on what a fact changes of firms and collaborations.
func (b addressBook) learn(fact *Fact) {
	if e, ok := fact.Event.(domain.AccountRegistered); ok {
		b.firms.put(addressRow{account: e.AccountID, members: []addressMember{{e.Owner.UserID, domain.RoleOwner}}, plan: e.Plan, watchers: []uuid.UUID{}})
		return
	}
	switch fact.Stream.Kind {
	case domain.AccountStream:
		if firm := b.firms.get(fact.Stream.ID); firm != nil {
			b.learnFirm(fact, *firm)
		}
	case domain.PartnershipStream:
		if inStanding, told := standingAfter(fact.Event); told && b.firms.get(fact.Stream.ID) != nil {
			b.firms.change(fact.Stream.ID).inStanding = inStanding
		}
	case domain.CollaborationStream:
		b.learnPair(fact)
	}
}

func (b addressBook) learnFirm(fact *Fact, firm addressRow) {
	switch e := fact.Event.(type) {
	case domain.SubscriptionRecorded:
		firm.plan = e.Plan
	case domain.AccountClosed:
		firm.closed = true
	case domain.MemberJoined:
		firm.members = append(without(firm.members, e.Member.UserID), addressMember{e.Member.UserID, e.Role})
	case domain.MemberRoleChanged:
		firm.members = withRole(firm.members, e.UserID, e.Role)
	case domain.MemberRemoved:
		firm.members = without(firm.members, e.UserID)
	case domain.OwnershipTransferred:
		firm.members = withRole(withRole(firm.members, e.From, domain.RoleAdministrator), e.To, domain.RoleOwner)
	default:
		return
	}
	b.firms.put(firm)
}

// without is a list of members but for one of them.
func without(members []addressMember, user uuid.UUID) []addressMember {
	return slices.DeleteFunc(slices.Clone(members), func(m addressMember) bool { return m.User == user })
}

// withRole is a list of members of whom one has another role.
func withRole(members []addressMember, user uuid.UUID, role domain.Role) []addressMember {
	changed := slices.Clone(members)
	for i, m := range changed {
		if m.User == user {
			changed[i].Role = role
		}
	}
	return changed
}

func (b addressBook) learnPair(fact *Fact) {
	event, ok := fact.Event.(domain.EventOf[domain.Collaboration])
	switch fact.Event.(type) {
	case domain.MessageSent, domain.ConversationRead:
		ok = false
	}
	if !ok {
		return
	}
	row := b.pairs.change(fact.Stream.ID)
	if row == nil {
		row = b.pairs.put(engagementRow{collaboration: fact.Stream.ID, Collaboration: &domain.Collaboration{}, left: []uuid.UUID{}})
	}
	row.Collaboration = row.Clone()
	event.Apply(row.Collaboration)
	switch e := fact.Event.(type) {
	case domain.AccountManagerUnassigned:
		if !row.leftAt.Equal(fact.At) {
			row.left, row.leftAt = nil, fact.At
		}
		row.left = append(slices.Clone(row.left), e.UserID)
	case domain.KPINotificationsConfigured:
		b.watch(e.Pair, true)
	case domain.CollaborationEnded:
		b.watch(e.Pair, false)
	}
}

// watch notes whether a consultancy has people who have chosen KPIs of a client.
func (b addressBook) watch(pair domain.Pair, watches bool) {
	client := b.firms.get(pair.ClientID)
	if client == nil || slices.Contains(client.watchers, pair.ConsultancyID) == watches {
		return
	}
	changed := *client
	if watches {
		changed.watchers = append(slices.Clone(client.watchers), pair.ConsultancyID)
	} else {
		changed.watchers = slices.DeleteFunc(slices.Clone(client.watchers), func(id uuid.UUID) bool { return id == pair.ConsultancyID })
	}
	b.firms.put(changed)
}

// shows tells whether the consultancy may see a section of the client's account at a moment.
func (r *engagementRow) shows(section domain.Section, client, consultancy addressRow, now time.Time) bool {
	if r.Grant == nil {
		return false
	}
	has := rights{
		active: r.Status == domain.CollaborationActive, plan: client.plan, inStanding: consultancy.inStanding,
		bothOpen: !client.closed && !consultancy.closed, granted: 1, grant: *r.Grant, // the state has no grant of an older engagement
	}
	return has.show(section, now)
}

// heads are the owner and the administrators of an account.
func (b addressBook) heads(account uuid.UUID) []memberKey {
	var heads []memberKey
	if firm := b.firms.get(account); firm != nil {
		for _, m := range firm.members {
			if m.runs() {
				heads = append(heads, memberKey{account, m.User})
			}
		}
	}
	return heads
}

// members are those of some people who are members of an account, in the order in which they joined it.
func (b addressBook) members(account uuid.UUID, people []uuid.UUID) []memberKey {
	var members []memberKey
	if firm := b.firms.get(account); firm != nil {
		for _, m := range firm.members {
			if slices.Contains(people, m.User) {
				members = append(members, memberKey{account, m.User})
			}
		}
	}
	return members
}

// managers are the account managers in charge of a client; at the end of a collaboration those who were until then, since they are
// unassigned together with it.
func (b addressBook) managers(fact *Fact, pair domain.Pair) []memberKey {
	row := b.pairs.get(fact.Stream.ID)
	if row == nil {
		return nil
	}
	managers := slices.Collect(maps.Keys(row.Managers))
	if _, ended := fact.Event.(domain.CollaborationEnded); ended && row.leftAt.Equal(fact.At) {
		managers = row.left
	}
	return b.members(pair.ConsultancyID, managers)
}
