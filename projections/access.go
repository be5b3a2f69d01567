package projections

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// accessModel keeps all that decides who may act in which client account (invariants 1 to 6): the grants, and what each must be
// joined with to be worth anything. Nothing here is cut or ended by the clock: queries compare with theirs.
func accessModel() model {
	return model{
		name: "access", version: 4,
		streams: []string{domain.AccountStream, domain.PartnershipStream, domain.CollaborationStream},
		tables: []table{
			accessGrants.table, accessPairs.table, accessEpochs.table, accessManagers.table,
			accessMembers.table, accessPlans.table, accessStandings.table, accessStandingEnds.table, accessReminders.table,
		},
		fold: foldAccess,
	}
}

// grantRow is a grant as it was last changed.
type grantRow struct {
	grantID       uuid.UUID
	collaboration uuid.UUID
	pair          domain.Pair
	position      int64 // of the event that granted it
	roleID        domain.Role
	roleVersion   int
	permissions   domain.Permissions
	status        domain.GrantStatus // as recorded
	grantedAt     time.Time
	expiresAt     time.Time // zero: no end
	endedAt       time.Time // zero: no end recorded
	attestedAt    time.Time // zero: never
}

// pairRow is a collaboration. What was said before since belongs to an older engagement and counts no more (invariant 5).
type pairRow struct {
	collaboration uuid.UUID
	pair          domain.Pair
	active        bool
	since         int64     // position at which the current engagement was accepted
	grantID       uuid.UUID // the latest grant; zero: none yet
}

// epochRow says from when on sessions of older access epochs fail (invariant 4).
type epochRow struct {
	epochKey
	beganAt time.Time
}

type epochKey struct {
	collaboration uuid.UUID
	epoch         int
}

// reminderRow says that the client was reminded of a grant's end. Of an end that was put off or changed there may be others.
type reminderRow struct {
	reminderKey
	remindedAt time.Time
}

type reminderKey struct {
	grantID    uuid.UUID
	end        int64 // that the reminder was about, in microseconds
	daysBefore int
}

// managerRow says whether a person is in charge of a client, and since when that is so.
type managerRow struct {
	managerKey
	assigned  bool
	position  int64
	changedAt time.Time
}

type managerKey struct{ collaboration, user uuid.UUID }

// memberRow is a person's role in an account, and since when. A former member has none.
type memberRow struct {
	memberKey
	role      domain.Role
	changedAt time.Time
}

type memberKey struct{ account, user uuid.UUID }

// planRow is what an account subscribes to, until it is closed.
type planRow struct {
	account  uuid.UUID
	plan     domain.Plan
	closedAt time.Time // zero: it is open
}

// standingRow says whether a consultancy may act as a partner, and how often it has come into standing.
type standingRow struct {
	consultancy uuid.UUID
	inStanding  bool
	epoch       int
}

// standingEndRow says from when on log-ins of a standing are lost, also when another standing follows (invariant 4).
type standingEndRow struct {
	standingKey
	endedAt time.Time
}

type standingKey struct {
	consultancy uuid.UUID
	epoch       int
}

var accessGrants = mapping[uuid.UUID, grantRow]{
	table: table{
		name: "access_grants", key: 1,
		columns: []column{
			{"grant_id", identifier}, {"collaboration_id", identifier}, {"consultancy_id", identifier}, {"client_id", identifier}, {"position", integer},
			{"role_id", text}, {"role_version", integer}, {"permissions", text}, {"status", text}, {"granted_at", integer}, {"expires_at", integer},
			{"ended_at", integer}, {"attested_at", integer},
		},
		indexes: []string{"client_id, position", "consultancy_id, position", "collaboration_id"},
	},
	key:  func(r *grantRow) uuid.UUID { return r.grantID },
	args: func(id uuid.UUID) []any { return []any{id} },
	fields: func(r *grantRow) []any {
		return []any{
			&r.grantID, &r.collaboration, &r.pair.ConsultancyID, &r.pair.ClientID, &r.position,
			&r.roleID, &r.roleVersion, asJSON(&r.permissions), &r.status, at(&r.grantedAt), until(&r.expiresAt), at(&r.endedAt), at(&r.attestedAt),
		}
	},
}

var accessPairs = mapping[uuid.UUID, pairRow]{
	table: table{
		name: "access_pairs", key: 1,
		columns: []column{
			{"collaboration_id", identifier}, {"consultancy_id", identifier}, {"client_id", identifier}, {"active", boolean}, {"since", integer}, {"grant_id", identifier},
		},
		indexes: []string{"consultancy_id, client_id", "client_id"},
	},
	key:  func(r *pairRow) uuid.UUID { return r.collaboration },
	args: func(id uuid.UUID) []any { return []any{id} },
	fields: func(r *pairRow) []any {
		return []any{&r.collaboration, &r.pair.ConsultancyID, &r.pair.ClientID, &r.active, &r.since, &r.grantID}
	},
}

var accessEpochs = mapping[epochKey, epochRow]{
	table: table{
		name: "access_epochs", key: 2,
		columns: []column{{"collaboration_id", identifier}, {"epoch", integer}, {"began_at", integer}},
	},
	key:    func(r *epochRow) epochKey { return r.epochKey },
	args:   func(k epochKey) []any { return []any{k.collaboration, k.epoch} },
	fields: func(r *epochRow) []any { return []any{&r.collaboration, &r.epoch, at(&r.beganAt)} },
}

var accessReminders = mapping[reminderKey, reminderRow]{
	table: table{
		name: "access_reminders", key: 3,
		columns: []column{{"grant_id", identifier}, {"expires_at", integer}, {"days_before", integer}, {"reminded_at", integer}},
	},
	key:    func(r *reminderRow) reminderKey { return r.reminderKey },
	args:   func(k reminderKey) []any { return []any{k.grantID, k.end, k.daysBefore} },
	fields: func(r *reminderRow) []any { return []any{&r.grantID, &r.end, &r.daysBefore, at(&r.remindedAt)} },
}

var accessManagers = mapping[managerKey, managerRow]{
	table: table{
		name: "access_managers", key: 2,
		columns: []column{{"collaboration_id", identifier}, {"user_id", identifier}, {"assigned", boolean}, {"position", integer}, {"changed_at", integer}},
		indexes: []string{"user_id"},
	},
	key:  func(r *managerRow) managerKey { return r.managerKey },
	args: func(k managerKey) []any { return []any{k.collaboration, k.user} },
	fields: func(r *managerRow) []any {
		return []any{&r.collaboration, &r.user, &r.assigned, &r.position, at(&r.changedAt)}
	},
}

var accessMembers = mapping[memberKey, memberRow]{
	table: table{
		name: "access_members", key: 2,
		columns: []column{{"account_id", identifier}, {"user_id", identifier}, {"role", text}, {"changed_at", integer}},
		indexes: []string{"user_id"},
	},
	key:    func(r *memberRow) memberKey { return r.memberKey },
	args:   func(k memberKey) []any { return []any{k.account, k.user} },
	fields: func(r *memberRow) []any { return []any{&r.account, &r.user, &r.role, at(&r.changedAt)} },
}

var accessPlans = mapping[uuid.UUID, planRow]{
	table: table{
		name: "access_plans", key: 1,
		columns: []column{{"account_id", identifier}, {"plan", text}, {"closed_at", integer}},
	},
	key:    func(r *planRow) uuid.UUID { return r.account },
	args:   func(id uuid.UUID) []any { return []any{id} },
	fields: func(r *planRow) []any { return []any{&r.account, &r.plan, until(&r.closedAt)} },
}

var accessStandings = mapping[uuid.UUID, standingRow]{
	table: table{
		name: "access_standings", key: 1,
		columns: []column{{"consultancy_id", identifier}, {"in_standing", boolean}, {"epoch", integer}},
	},
	key:    func(r *standingRow) uuid.UUID { return r.consultancy },
	args:   func(id uuid.UUID) []any { return []any{id} },
	fields: func(r *standingRow) []any { return []any{&r.consultancy, &r.inStanding, &r.epoch} },
}

var accessStandingEnds = mapping[standingKey, standingEndRow]{
	table: table{
		name: "access_standing_ends", key: 2,
		columns: []column{{"consultancy_id", identifier}, {"epoch", integer}, {"ended_at", integer}},
	},
	key:    func(r *standingEndRow) standingKey { return r.standingKey },
	args:   func(k standingKey) []any { return []any{k.consultancy, k.epoch} },
	fields: func(r *standingEndRow) []any { return []any{&r.consultancy, &r.epoch, at(&r.endedAt)} },
}

func foldAccess(ctx context.Context, tx tx, page []*Fact) error {
	if err := foldGrants(ctx, tx, page); err != nil {
		return err
	}
	if err := foldPeople(ctx, tx, page); err != nil {
		return err
	}
	return foldFirms(ctx, tx, page)
}

// foldGrants keeps the grants, the pairs that they belong to, and the pairs' access epochs.
func foldGrants(ctx context.Context, tx tx, page []*Fact) error {
	var grantIDs, pairIDs []uuid.UUID
	for _, fact := range tx.toLookUp(page) {
		if fact.Stream.Kind == domain.CollaborationStream {
			pairIDs = append(pairIDs, fact.Stream.ID)
		}
		switch e := fact.Event.(type) {
		case domain.AccessChanged:
			grantIDs = append(grantIDs, e.GrantID)
		case domain.AccessSuspended:
			grantIDs = append(grantIDs, e.GrantID)
		case domain.AccessResumed:
			grantIDs = append(grantIDs, e.GrantID)
		case domain.AccessExtended:
			grantIDs = append(grantIDs, e.GrantID)
		case domain.AccessAttested:
			grantIDs = append(grantIDs, e.GrantID)
		case domain.AccessRevoked:
			grantIDs = append(grantIDs, e.GrantID)
		case domain.AccessExpired:
			grantIDs = append(grantIDs, e.GrantID)
		}
	}
	grants, err := accessGrants.load(ctx, tx, grantIDs)
	if err != nil {
		return err
	}
	pairs, err := accessPairs.load(ctx, tx, pairIDs)
	if err != nil {
		return err
	}
	epochs, err := accessEpochs.load(ctx, tx, nil)
	if err != nil {
		return err
	}
	reminders, err := accessReminders.load(ctx, tx, nil)
	if err != nil {
		return err
	}
	for _, fact := range page {
		if e, ok := fact.Event.(domain.GrantEndReminded); ok {
			reminders.put(reminderRow{reminderKey{e.GrantID, e.ExpiresAt.UnixMicro(), e.DaysBefore}, fact.At})
		}
		if err := foldGrant(fact, grants, pairs, epochs); err != nil {
			return fmt.Errorf("position %d: %w", fact.Position, err)
		}
	}
	return nil
}

func foldGrant(fact *Fact, grants *rows[uuid.UUID, grantRow], pairs *rows[uuid.UUID, pairRow], epochs *rows[epochKey, epochRow]) error {
	begin := func(epoch int, from time.Time) { epochs.put(epochRow{epochKey{fact.Stream.ID, epoch}, from}) }
	switch e := fact.Event.(type) {
	case domain.MessageSent:
		openPair(pairs, fact.Stream.ID, e.Pair)
	case domain.CollaborationRequested:
		openPair(pairs, fact.Stream.ID, e.Pair)
	case domain.CollaborationAccepted:
		pair, err := known(pairs, fact.Stream.ID)
		if err != nil {
			return err
		}
		pair.active, pair.since = true, fact.Position
	case domain.CollaborationEnded:
		pair, err := known(pairs, fact.Stream.ID)
		if err != nil {
			return err
		}
		pair.active = false
		begin(e.AccessEpoch, fact.At)
	case domain.AccessGranted:
		pair, err := known(pairs, fact.Stream.ID)
		if err != nil {
			return err
		}
		pair.grantID = e.GrantID
		grants.put(grantRow{
			grantID: e.GrantID, collaboration: fact.Stream.ID, pair: e.Pair, position: fact.Position, roleID: e.RoleID,
			roleVersion: e.RoleVersion, permissions: e.Permissions, status: domain.GrantLive, grantedAt: fact.At, expiresAt: e.ExpiresAt,
		})
		begin(e.AccessEpoch, fact.At)
	case domain.AccessChanged:
		grant, err := known(grants, e.GrantID)
		if err != nil {
			return err
		}
		grant.roleID, grant.roleVersion, grant.permissions, grant.expiresAt = e.RoleID, e.RoleVersion, e.Permissions, e.ExpiresAt
		begin(e.AccessEpoch, fact.At)
	case domain.AccessSuspended:
		grant, err := known(grants, e.GrantID)
		if err != nil {
			return err
		}
		grant.status = domain.GrantSuspended
		begin(e.AccessEpoch, fact.At)
	case domain.AccessResumed:
		grant, err := known(grants, e.GrantID)
		if err != nil {
			return err
		}
		grant.status = domain.GrantLive
	case domain.AccessExtended:
		grant, err := known(grants, e.GrantID)
		if err != nil {
			return err
		}
		grant.expiresAt = e.ExpiresAt
	case domain.AccessAttested:
		grant, err := known(grants, e.GrantID)
		if err != nil {
			return err
		}
		grant.attestedAt = e.AttestedAt
	case domain.AccessRevoked:
		begin(e.AccessEpoch, fact.At)
		return endGrant(grants, e.GrantID, domain.GrantRevoked, fact.At)
	case domain.AccessExpired:
		begin(e.AccessEpoch, e.ExpiredAt)
		return endGrant(grants, e.GrantID, domain.GrantExpired, e.ExpiredAt)
	}
	return nil
}

// openPair adds a pair at its first event.
func openPair(pairs *rows[uuid.UUID, pairRow], collaboration uuid.UUID, pair domain.Pair) {
	if pairs.get(collaboration) == nil {
		pairs.put(pairRow{collaboration: collaboration, pair: pair})
	}
}

func endGrant(grants *rows[uuid.UUID, grantRow], id uuid.UUID, status domain.GrantStatus, endedAt time.Time) error {
	grant, err := known(grants, id)
	if err != nil {
		return err
	}
	grant.status, grant.endedAt = status, endedAt
	return nil
}

// known is a row to change which an earlier event must have made. That it is missing says that the table is not what the log
// says it should be: the model stops.
func known[K comparable, R any](r *rows[K, R], key K) (*R, error) {
	row := r.change(key)
	if row == nil {
		return nil, fmt.Errorf("%s has no row %v", r.table.name, key)
	}
	return row, nil
}

// foldPeople keeps who is a member of an account, and who is in charge of a client. Rows are replaced whole, so that nothing need
// be loaded.
func foldPeople(ctx context.Context, tx tx, page []*Fact) error {
	members, err := accessMembers.load(ctx, tx, nil)
	if err != nil {
		return err
	}
	managers, err := accessManagers.load(ctx, tx, nil)
	if err != nil {
		return err
	}
	for _, fact := range page {
		member := func(account, user uuid.UUID, role domain.Role) {
			members.put(memberRow{memberKey{account, user}, role, fact.At})
		}
		manager := func(user uuid.UUID, assigned bool) {
			managers.put(managerRow{managerKey{fact.Stream.ID, user}, assigned, fact.Position, fact.At})
		}
		switch e := fact.Event.(type) {
		case domain.AccountRegistered:
			member(e.AccountID, e.Owner.UserID, domain.RoleOwner)
		case domain.MemberJoined:
			member(e.AccountID, e.Member.UserID, e.Role)
		case domain.MemberRoleChanged:
			member(e.AccountID, e.UserID, e.Role)
		case domain.MemberRemoved:
			member(e.AccountID, e.UserID, "")
		case domain.OwnershipTransferred:
			member(e.AccountID, e.From, domain.RoleAdministrator)
			member(e.AccountID, e.To, domain.RoleOwner)
		case domain.AccountManagerAssigned:
			manager(e.UserID, true)
		case domain.AccountManagerUnassigned:
			manager(e.UserID, false)
		}
	}
	return nil
}

// foldFirms keeps what accounts subscribe to, and which consultancies are in standing.
func foldFirms(ctx context.Context, tx tx, page []*Fact) error {
	var accountIDs, consultancyIDs []uuid.UUID
	for _, fact := range tx.toLookUp(page) {
		switch fact.Stream.Kind {
		case domain.AccountStream:
			accountIDs = append(accountIDs, fact.Stream.ID)
		case domain.PartnershipStream:
			consultancyIDs = append(consultancyIDs, fact.Stream.ID)
		}
	}
	plans, err := accessPlans.load(ctx, tx, accountIDs)
	if err != nil {
		return err
	}
	standings, err := accessStandings.load(ctx, tx, consultancyIDs)
	if err != nil {
		return err
	}
	ends, err := accessStandingEnds.load(ctx, tx, nil)
	if err != nil {
		return err
	}
	for _, fact := range page {
		if err := foldFirm(fact, plans, standings, ends); err != nil {
			return fmt.Errorf("position %d: %w", fact.Position, err)
		}
	}
	return nil
}

func foldFirm(fact *Fact, plans *rows[uuid.UUID, planRow], standings *rows[uuid.UUID, standingRow], ends *rows[standingKey, standingEndRow]) error {
	standing := func(inStanding bool) {
		now := standingRow{consultancy: fact.Stream.ID, inStanding: inStanding}
		if before := standings.get(now.consultancy); before != nil {
			now.epoch = before.epoch
			if before.inStanding && !inStanding {
				ends.add(standingEndRow{standingKey{now.consultancy, now.epoch}, fact.At})
			}
		}
		if inStanding {
			now.epoch++
		}
		standings.put(now)
	}
	switch e := fact.Event.(type) {
	case domain.AccountRegistered:
		plans.put(planRow{account: e.AccountID, plan: e.Plan})
	case domain.SubscriptionRecorded:
		account, err := known(plans, e.AccountID)
		if err != nil {
			return err
		}
		account.plan = e.Plan
	case domain.AccountClosed:
		account, err := known(plans, e.AccountID)
		if err != nil {
			return err
		}
		account.closedAt = fact.At
	}
	if inStanding, told := standingAfter(fact.Event); told {
		standing(inStanding)
	}
	return nil
}

// standingAfter tells whether a partnership is in standing after an event that decides it; told is false for all others.
func standingAfter(event domain.Event) (inStanding, told bool) {
	switch event.(type) {
	case domain.PartnershipAccepted, domain.PartnershipReinstated:
		return true, true
	case domain.PartnershipApplied, domain.PartnershipRejected, domain.ApplicationWithdrawn, domain.PartnershipSuspended, domain.PartnershipTerminated:
		return false, true
	}
	return false, false
}

// check refuses a query that is not the viewer's to ask or that makes no sense, and tells how many items the page may have.
func (q AccessQuery) check(viewer Viewer) (limit int, err error) {
	if err := viewer.mustBeSignedIn(); err != nil {
		return 0, err
	}
	if q.Client == uuid.Nil && q.Consultancy == uuid.Nil && q.User == uuid.Nil {
		return 0, domain.Invalid("client", "must be given, unless consultancy or user is")
	}
	return q.limit()
}

// selection is the condition that an AccessQuery puts on grants g, beside the person asked for.
func (q AccessQuery) selection(args *arguments, viewer Viewer) (string, error) {
	condition := "TRUE"
	if !viewer.MaySee(q.Client, q.Consultancy) { // else every row found is the viewer's, and one index finds them in order
		condition = viewer.restrict(args, "g.client_id", "g.consultancy_id")
	}
	if q.Client != uuid.Nil {
		condition += " AND g.client_id = " + args.add(q.Client)
	}
	if q.Consultancy != uuid.Nil {
		condition += " AND g.consultancy_id = " + args.add(q.Consultancy)
	}
	var position int64
	found, err := q.after(&position)
	if found {
		condition += " AND g.position < " + args.add(position)
	}
	return condition, err
}

// accessLine is an item with what its page is made from.
type accessLine struct {
	item     AccessItem
	position int64
}

// Access answers who may act in which client account, the newest grant first.
func (e *Engine) Access(ctx context.Context, viewer Viewer, q AccessQuery) (page Page[AccessItem], err error) {
	err = e.read(ctx, func(v view) error {
		page, err = queryAccess(ctx, v, viewer, q)
		return err
	})
	return page, err
}

// queryAccess finds the grants, the newest first.
func queryAccess(ctx context.Context, v view, viewer Viewer, q AccessQuery) (Page[AccessItem], error) {
	limit, err := q.check(viewer)
	if err != nil {
		return Page[AccessItem]{}, err
	}
	var args arguments
	condition, err := q.selection(&args, viewer)
	if err != nil {
		return Page[AccessItem]{}, err
	}
	if q.User != uuid.Nil {
		// Which grants the person may use, and which they have used: both sets are small, and found by indexes.
		user := args.add(q.User)
		condition += ` AND g.grant_id IN (SELECT u.grant_id
				FROM {access_pairs} c JOIN {access_grants} u ON u.collaboration_id = c.collaboration_id ` + worksJoins + `
				WHERE m.user_id = ` + user + ` AND ` + works + `
			UNION SELECT l.grant_id FROM {session_grants} l WHERE l.user_id = ` + user + `)`
	}
	if q.LiveOnly {
		condition += " AND g.status = " + args.add(domain.GrantLive) + " AND g.expires_at > " + args.add(v.now.UnixMicro())
	}
	// The page is found first: the rest is then looked up for its rows alone, whatever the database expects of the condition.
	lines, err := collect(ctx, v, `SELECT `+rightsColumns+`, g.grant_id, g.collaboration_id, g.consultancy_id, g.client_id, g.role_id,
			g.granted_at, g.ended_at, g.attested_at, a.name, b.name
		FROM (SELECT * FROM {access_grants} g WHERE `+condition+` ORDER BY g.position DESC LIMIT `+args.add(limit+1)+`) g
		JOIN {access_pairs} c ON c.collaboration_id = g.collaboration_id `+rightsJoins+`
		JOIN {account_names} a ON a.account_id = g.consultancy_id JOIN {account_names} b ON b.account_id = g.client_id
		ORDER BY g.position DESC`, args,
		func(scan func(...any) error) (accessLine, error) { return scanAccess(scan, v.now) })
	if err != nil {
		return Page[AccessItem]{}, fmt.Errorf("query access: %w", err)
	}
	page, err := paged(lines, limit, func(l accessLine) int64 { return l.position })
	if err != nil {
		return Page[AccessItem]{}, err
	}
	if err := addPeople(ctx, v, page.Items); err != nil {
		return Page[AccessItem]{}, fmt.Errorf("query the people with access: %w", err)
	}
	if err := addReminders(ctx, v, page.Items); err != nil {
		return Page[AccessItem]{}, fmt.Errorf("query the reminders of grants' ends: %w", err)
	}
	return pageOf(page, func(l accessLine) AccessItem { return l.item }), nil
}

func scanAccess(scan func(...any) error, now time.Time) (accessLine, error) {
	var (
		r                   rights
		item                AccessItem
		endedAt, attestedAt time.Time
	)
	err := scan(append(r.fields(), &item.GrantID, &item.CollaborationID, &item.ConsultancyID, &item.ClientID, &item.RoleID,
		at(&item.GrantedAt), at(&endedAt), at(&attestedAt), &item.ConsultancyName, &item.ClientName)...)
	item.Status, item.Permissions, item.Effective = r.grant.StatusAt(now), r.grant.Permissions, r.effective(now)
	item.Until, item.EndedAt, item.LastAttested = optional(r.grant.ExpiresAt), optional(endedAt), optional(attestedAt)
	if item.Status == domain.GrantExpired {
		item.EndedAt = item.Until // also where the clock has not recorded it yet
	}
	item.People, item.Reminders = []AccessPerson{}, []Reminder{}
	return accessLine{item, r.granted}, err
}

// addPeople tells who may log in with each grant that is of any use now.
func addPeople(ctx context.Context, v view, lines []accessLine) error {
	var pairs []uuid.UUID // each has one grant of use at most
	for _, line := range lines {
		if len(line.item.Effective) > 0 {
			pairs = append(pairs, line.item.CollaborationID)
		}
	}
	people, err := peopleOf(ctx, v, pairs)
	for i := range lines {
		if item := &lines[i].item; len(item.Effective) > 0 && people[item.CollaborationID] != nil {
			item.People = people[item.CollaborationID]
		}
	}
	return err
}

// addReminders tells which reminders of its end each grant has had.
func addReminders(ctx context.Context, v view, lines []accessLine) error {
	grants := make([]uuid.UUID, len(lines))
	for i, line := range lines {
		grants[i] = line.item.GrantID
	}
	reminders, err := remindersOf(ctx, v, grants)
	for i := range lines {
		item := &lines[i].item
		item.Reminders = append(item.Reminders, reminders[item.GrantID]...)
	}
	return err
}
