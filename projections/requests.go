package projections

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// maxPreviewRunes is how much of the last message the inbox shows, in runes.
const maxPreviewRunes = 200

// requestsModel keeps the request inbox: a row for each pair that has a history (S5).
func requestsModel() model {
	return model{
		name: "requests", version: 2,
		streams: []string{domain.CollaborationStream},
		tables:  []table{requests.table},
		fold:    foldRequests,
	}
}

// requestRow is what the inbox knows of a pair. Nothing in it depends on the clock: that a request has lapsed is seen by the query.
type requestRow struct {
	collaborationID uuid.UUID
	pair            domain.Pair
	status          RequestStatus // as recorded, and as it would be were the client not blocked
	blocked         bool
	engagement      int
	expiresAt       time.Time // of the pending request
	waitingSince    time.Time // of the pending request, or of an enquiry that has no answer yet; else zero
	messages        int
	readConsultancy int // messages that the consultancy has read
	readClient      int
	lastMessage     string
	lastMessageAt   time.Time
}

var requests = mapping[uuid.UUID, requestRow]{
	table: table{
		name: "requests", key: 1,
		columns: []column{
			{"collaboration_id", identifier}, {"consultancy_id", identifier}, {"client_id", identifier}, {"status", text}, {"blocked", boolean},
			{"engagement", integer}, {"expires_at", integer}, {"waiting_since", integer}, {"messages", integer},
			{"read_consultancy", integer}, {"read_client", integer}, {"last_message", text}, {"last_message_at", integer},
		},
		indexes: []string{"consultancy_id", "client_id"},
	},
	key:  func(r *requestRow) uuid.UUID { return r.collaborationID },
	args: func(id uuid.UUID) []any { return []any{id} },
	fields: func(r *requestRow) []any {
		return []any{
			&r.collaborationID, &r.pair.ConsultancyID, &r.pair.ClientID, &r.status, &r.blocked,
			&r.engagement, at(&r.expiresAt), at(&r.waitingSince), &r.messages,
			&r.readConsultancy, &r.readClient, &r.lastMessage, at(&r.lastMessageAt),
		}
	},
}

// foldRequests takes on what was said, read, asked and answered.
func foldRequests(ctx context.Context, tx tx, page []*Fact) error {
	var ids []uuid.UUID
	for _, fact := range tx.toLookUp(page) {
		ids = append(ids, fact.Stream.ID)
	}
	rows, err := requests.load(ctx, tx, ids)
	if err != nil {
		return err
	}
	for _, fact := range page {
		row := rows.change(fact.Stream.ID)
		if row == nil {
			pair, err := beginning(fact)
			if err != nil {
				return err
			}
			row = rows.put(requestRow{collaborationID: fact.Stream.ID, pair: pair, status: RequestEnquiry})
		}
		row.apply(fact)
	}
	return nil
}

// beginning is the pair of a history's first event, which can only be a message or a request.
func beginning(fact *Fact) (domain.Pair, error) {
	switch e := fact.Event.(type) {
	case domain.MessageSent:
		return e.Pair, nil
	case domain.CollaborationRequested:
		return e.Pair, nil
	}
	return domain.Pair{}, fmt.Errorf("%s begins %s, which only a message or a request can", fact.Type, fact.Stream)
}

// apply counts as domain.Collaboration does.
func (r *requestRow) apply(fact *Fact) {
	switch e := fact.Event.(type) {
	case domain.MessageSent:
		r.heard(e.From, e.Body, fact.At)
	case domain.ConversationRead:
		r.read(e.Side, e.MessagesRead)
	case domain.CollaborationRequested:
		r.heard(domain.ClientSide, e.Message, fact.At)
		r.status, r.engagement, r.expiresAt, r.waitingSince = RequestPending, e.Engagement, e.ExpiresAt, fact.At
	case domain.CollaborationAccepted:
		r.answered(RequestApproved)
	case domain.CollaborationDeclined:
		r.answered(RequestDeclined)
	case domain.RequestWithdrawn, domain.RequestExpired:
		r.answered(RequestCancelled)
	case domain.CollaborationEnded:
		r.answered(RequestEnded)
	case domain.ClientBlocked:
		r.blocked = true
	case domain.ClientUnblocked:
		r.blocked = false
	}
}

// heard takes on a message; who writes has read what came before.
func (r *requestRow) heard(from domain.Side, body string, at time.Time) {
	r.messages++
	r.read(from, r.messages)
	r.lastMessage, r.lastMessageAt = firstRunes(body, maxPreviewRunes), at
	if r.status != RequestEnquiry {
		return
	}
	switch {
	case from == domain.ConsultancySide:
		r.waitingSince = time.Time{}
	case r.waitingSince.IsZero():
		r.waitingSince = at
	}
}

func (r *requestRow) read(side domain.Side, messages int) {
	if side == domain.ConsultancySide {
		r.readConsultancy = messages
	} else {
		r.readClient = messages
	}
}

func (r *requestRow) answered(status RequestStatus) {
	r.status, r.expiresAt, r.waitingSince = status, time.Time{}, time.Time{}
}

// requestStatuses lists what the inbox can be filtered by.
func requestStatuses() []RequestStatus {
	return []RequestStatus{RequestEnquiry, RequestPending, RequestApproved, RequestDeclined, RequestCancelled, RequestEnded, RequestBlocked}
}

// inboxSorts is what the inbox can be sorted by: by a number, and then by a text. The collaboration's id makes the order total.
// By waiting, who does not wait comes after those who do, the last message first.
func inboxSorts() map[string]string {
	return map[string]string{
		"waiting": "CASE WHEN waiting_since = 0 THEN 9223372036854775807 - last_message_at ELSE waiting_since END AS sort_number, '' AS sort_text",
		"recent":  "-last_message_at AS sort_number, '' AS sort_text",
		"name":    "0 AS sort_number, other_name AS sort_text",
	}
}

// inboxKey is where a line stands in its order; it goes into the cursor.
type inboxKey struct {
	Sort   string    `json:"sort"`
	Number int64     `json:"number"`
	Text   string    `json:"text"`
	ID     uuid.UUID `json:"id"`
}

// inboxLine is an item with what its page is made from.
type inboxLine struct {
	item RequestItem
	key  inboxKey
}

// Requests answers a page of the request inbox of one party.
func (e *Engine) Requests(ctx context.Context, viewer Viewer, q RequestsQuery) (page Page[RequestItem], err error) {
	err = e.read(ctx, func(v view) error {
		page, err = queryRequests(ctx, v, viewer, q)
		return err
	})
	return page, err
}

// queryRequests reads one page of the inbox.
func queryRequests(ctx context.Context, v view, viewer Viewer, q RequestsQuery) (Page[RequestItem], error) {
	q.Sort = cmp.Or(q.Sort, "waiting")
	limit, err := q.check(viewer)
	if err != nil {
		return Page[RequestItem]{}, err
	}
	var args arguments
	lines := inboxLines(v, viewer, q, &args)
	condition := "TRUE"
	if q.Status != "" {
		condition += " AND status = " + args.add(q.Status)
	}
	var from inboxKey
	if found, err := q.after(&from); err != nil {
		return Page[RequestItem]{}, err
	} else if found && from.Sort != q.Sort {
		return Page[RequestItem]{}, badCursor()
	} else if found {
		condition += fmt.Sprintf(" AND (sort_number, sort_text, collaboration_id) > (%s, %s, %s)",
			args.add(from.Number), args.add(from.Text), args.add(from.ID))
	}
	found, err := collect(ctx, v, `WITH lines AS (`+lines+`)
		SELECT collaboration_id, consultancy_id, client_id, consultancy_name, client_name, status, engagement, last_message,
			last_message_at, unread, waiting_since, expires_at, sort_number, sort_text
		FROM (SELECT lines.*, `+inboxSorts()[q.Sort]+` FROM lines) sorted
		WHERE `+condition+` ORDER BY sort_number, sort_text, collaboration_id LIMIT `+args.add(limit+1), args,
		func(scan func(...any) error) (inboxLine, error) { return scanInbox(scan, q.Sort) })
	if err != nil {
		return Page[RequestItem]{}, fmt.Errorf("query requests: %w", err)
	}
	page, err := paged(found, limit, func(l inboxLine) inboxKey { return l.key })
	return pageOf(page, func(l inboxLine) RequestItem { return l.item }), err
}

// check refuses a query that is not the viewer's to ask or that makes no sense, and tells how many items the page may have.
func (q RequestsQuery) check(viewer Viewer) (limit int, err error) {
	if err := viewer.mustBeSignedIn(); err != nil {
		return 0, err
	}
	if q.Party == uuid.Nil {
		return 0, domain.Invalid("party", "must name the account whose inbox is asked for")
	}
	if err := viewer.mustBe(q.Party); err != nil {
		return 0, err
	}
	if q.Status != "" && !slices.Contains(requestStatuses(), q.Status) {
		return 0, domain.Invalid("status", fmt.Sprintf("must be one of %v", requestStatuses()))
	}
	if _, ok := inboxSorts()[q.Sort]; !ok {
		return 0, domain.Invalid("sort", "must be waiting, recent or name")
	}
	return q.limit()
}

// inboxLines selects the lines of a party's inbox as they are at the view's moment: a request that has lapsed by then is cancelled,
// whether or not that has been recorded.
func inboxLines(v view, viewer Viewer, q RequestsQuery, args *arguments) string {
	party, now := args.add(q.Party), args.add(toMicros(v.now))
	return fmt.Sprintf(`
		SELECT r.collaboration_id, r.consultancy_id, r.client_id, r.engagement, r.last_message, r.last_message_at,
			COALESCE(consultancy.name, '') AS consultancy_name, COALESCE(client.name, '') AS client_name,
			%[4]s AS status,
			CASE WHEN r.blocked OR %[2]s THEN 0 ELSE r.waiting_since END AS waiting_since,
			CASE WHEN r.blocked OR %[2]s THEN 0 ELSE r.expires_at END AS expires_at,
			CASE WHEN r.client_id = %[1]s THEN r.messages - r.read_client ELSE r.messages - r.read_consultancy END AS unread,
			CASE WHEN r.client_id = %[1]s THEN COALESCE(consultancy.sort_name, '') ELSE COALESCE(client.sort_name, '') END AS other_name
		FROM {requests} r
		LEFT JOIN {account_names} consultancy ON consultancy.account_id = r.consultancy_id
		LEFT JOIN {account_names} client ON client.account_id = r.client_id
		WHERE (r.consultancy_id = %[1]s OR r.client_id = %[1]s) AND %[3]s`,
		party, requestLapsed(now), viewer.restrict(args, "r.consultancy_id", "r.client_id"), requestStatus(now))
}

// requestLapsed is the SQL for whether the request of a row r has lapsed by a moment.
func requestLapsed(now string) string { return "r.expires_at BETWEEN 1 AND " + now }

// requestStatus is the SQL for how a row r stands at a moment, in the words of the inbox.
func requestStatus(now string) string {
	return "CASE WHEN r.blocked THEN 'blocked' WHEN " + requestLapsed(now) + " THEN 'cancelled' ELSE r.status END"
}

func scanInbox(scan func(...any) error, sort string) (inboxLine, error) {
	l := inboxLine{key: inboxKey{Sort: sort}}
	var waitingSince, expiresAt time.Time
	item := &l.item
	err := scan(&item.CollaborationID, &item.ConsultancyID, &item.ClientID, &item.ConsultancyName, &item.ClientName, &item.Status,
		&item.Engagement, &item.LastMessage, at(&item.LastMessageAt), &item.Unread, at(&waitingSince), at(&expiresAt),
		&l.key.Number, &l.key.Text)
	item.WaitingSince, item.ExpiresAt = optional(waitingSince), optional(expiresAt)
	l.key.ID = item.CollaborationID
	return l, err
}
