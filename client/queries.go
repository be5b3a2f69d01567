package client

import (
	"context"
	"iter"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// Request is a line of the request inbox of a consultancy, or of a client's 'my advice' (S5).
type Request struct {
	CollaborationID uuid.UUID  `json:"collaborationId"`
	ConsultancyID   uuid.UUID  `json:"consultancyId"`
	ClientID        uuid.UUID  `json:"clientId"`
	ConsultancyName string     `json:"consultancyName"`
	ClientName      string     `json:"clientName"`
	Status          string     `json:"status"` // enquiry, pending, approved, declined, cancelled, ended or blocked
	Engagement      int        `json:"engagement"`
	LastMessage     string     `json:"lastMessage"`
	LastMessageAt   time.Time  `json:"lastMessageAt"`
	Unread          int        `json:"unread"` // by the party asked about
	WaitingSince    *time.Time `json:"waitingSince,omitempty"`
	ExpiresAt       *time.Time `json:"expiresAt,omitempty"`
}

// Access says who may act in which client account, under which grant (S6, S8, S9).
type Access struct {
	CollaborationID uuid.UUID          `json:"collaborationId"`
	ConsultancyID   uuid.UUID          `json:"consultancyId"`
	ClientID        uuid.UUID          `json:"clientId"`
	ConsultancyName string             `json:"consultancyName"`
	ClientName      string             `json:"clientName"`
	GrantID         uuid.UUID          `json:"grantId"`
	Status          domain.GrantStatus `json:"status"` // as of the query
	RoleID          domain.Role        `json:"roleId"`
	Permissions     domain.Permissions `json:"permissions"` // pinned by the grant
	Effective       domain.Permissions `json:"effective"`   // what can be used of them now
	GrantedAt       time.Time          `json:"grantedAt"`
	Until           *time.Time         `json:"until,omitempty"`
	EndedAt         *time.Time         `json:"endedAt,omitempty"`
	LastAttested    *time.Time         `json:"lastAttested,omitempty"`
	Reminders       []Reminder         `json:"reminders"` // of the end that the grant has now
	People          []AccessPerson     `json:"people"`    // who of the consultancy may log in with it
}

// Reminder says that the client was reminded of a grant's end.
type Reminder struct {
	DaysBefore int       `json:"daysBefore"` // 30, 7 or 1
	At         time.Time `json:"at"`
}

// AccessPerson is a person of the consultancy who may use a grant, and why.
type AccessPerson struct {
	UserID uuid.UUID   `json:"userId"`
	Name   string      `json:"name"`
	Role   domain.Role `json:"role"` // owner, administrator, or account_manager when assigned
}

// EndingAccess is a grant that is about to end (B).
type EndingAccess struct {
	CollaborationID uuid.UUID          `json:"collaborationId"`
	ConsultancyID   uuid.UUID          `json:"consultancyId"`
	ClientID        uuid.UUID          `json:"clientId"`
	ConsultancyName string             `json:"consultancyName"`
	ClientName      string             `json:"clientName"`
	GrantID         uuid.UUID          `json:"grantId"`
	Status          domain.GrantStatus `json:"status"` // granted or suspended
	RoleID          domain.Role        `json:"roleId"`
	Until           time.Time          `json:"until"`
	LastAttested    *time.Time         `json:"lastAttested,omitempty"`
	Reminders       []Reminder         `json:"reminders"` // of this end
}

// EffectiveAccess says what one person of a consultancy may do in one client's account at the moment of the query, and why.
type EffectiveAccess struct {
	CollaborationID uuid.UUID          `json:"collaborationId"`
	ConsultancyID   uuid.UUID          `json:"consultancyId"`
	ClientID        uuid.UUID          `json:"clientId"`
	ConsultancyName string             `json:"consultancyName"`
	ClientName      string             `json:"clientName"`
	UserID          uuid.UUID          `json:"userId"`
	UserName        string             `json:"userName,omitempty"` // of who is or was a member of the consultancy
	UserRole        domain.Role        `json:"userRole,omitempty"` // in the consultancy; left out for who is no member
	Plan            domain.Plan        `json:"plan"`               // of the client
	Access          *AccessTerms       `json:"access,omitempty"`   // the pair's latest grant
	RoleVersion     int                `json:"roleVersion"`        // of the grant's role; 0: there is no grant
	Obstacles       []Reason           `json:"obstacles"`          // why the person may use nothing; empty when they may use what their sections say
	Sections        []EffectiveSection `json:"sections"`           // every section there is
}

// EffectiveSection says how much of one section the person may use.
type EffectiveSection struct {
	Section domain.Section `json:"section"`
	Level   domain.Level   `json:"level"`   // none, read or edit
	Granted domain.Level   `json:"granted"` // by the grant, whether or not it can be used
	Reasons []Reason       `json:"reasons"` // of the level: what permits it, or all that stands in its way
}

// Reason is why something is permitted or not.
type Reason struct {
	Code  string `json:"code"`            // granted, not_in_role, not_in_plan, or the code with which a log-in is refused
	State string `json:"state,omitempty"` // of what stands in the way, for example suspended
	Words string `json:"words"`           // one sentence
}

// Session is a line of the log of log-ins (S9).
type Session struct {
	SessionID       uuid.UUID          `json:"sessionId"`
	ConsultancyID   uuid.UUID          `json:"consultancyId"`
	ClientID        uuid.UUID          `json:"clientId"`
	ConsultancyName string             `json:"consultancyName"`
	ClientName      string             `json:"clientName"`
	UserID          uuid.UUID          `json:"userId"`
	UserName        string             `json:"userName"`
	GrantID         uuid.UUID          `json:"grantId"`
	Permissions     domain.Permissions `json:"permissions"`
	Purpose         string             `json:"purpose"`
	Status          string             `json:"status"` // open, logout, expired or access_lost, as of the query
	OpenedAt        time.Time          `json:"openedAt"`
	ExpiresAt       time.Time          `json:"expiresAt"`
	ClosedAt        *time.Time         `json:"closedAt,omitempty"`
}

// KPI is the volume of pending activities of one client, as far as the viewer may see and has chosen to see it (S7).
type KPI struct {
	ClientID   uuid.UUID    `json:"clientId"`
	ClientName string       `json:"clientName"`
	Sections   []KPISection `json:"sections"`
	Pending    int          `json:"pending"`
	Overdue    int          `json:"overdue"`
	Completed  int          `json:"completed"`
}

// KPISection counts the tasks of one section. Overdue ones are pending too.
type KPISection struct {
	Section   domain.Section `json:"section"`
	Pending   int            `json:"pending"`
	Overdue   int            `json:"overdue"`
	Completed int            `json:"completed"`
}

// Portfolio is a client of a consultancy, with what the consultancy's people look at first.
type Portfolio struct {
	CollaborationID uuid.UUID        `json:"collaborationId"`
	ClientID        uuid.UUID        `json:"clientId"`
	ClientName      string           `json:"clientName"`
	Status          string           `json:"status"`           // enquiry, pending, approved, declined, cancelled, ended or blocked
	Access          *AccessTerms     `json:"access,omitempty"` // the latest grant of the latest engagement
	Managers        []Manager        `json:"managers"`
	Sections        []domain.Section `json:"sections"` // whose tasks are counted; empty when nothing is shared with the viewer
	Pending         int              `json:"pending"`
	Overdue         int              `json:"overdue"` // as of the query
	LastActivity    time.Time        `json:"lastActivity"`
}

// Advice is a consultancy that a client asked or works with: 'my advice' (S5).
type Advice struct {
	CollaborationID uuid.UUID      `json:"collaborationId"`
	ConsultancyID   uuid.UUID      `json:"consultancyId"`
	ConsultancyName string         `json:"consultancyName"`
	Status          string         `json:"status"`           // enquiry, pending, approved, declined, cancelled, ended or blocked
	Since           time.Time      `json:"since"`            // when it came to stand so
	Access          *AccessTerms   `json:"access,omitempty"` // the latest grant of the latest engagement
	People          []AccessPerson `json:"people"`           // who of the consultancy may log in now
	Managers        []Manager      `json:"managers"`         // who is in charge of the client
	LastMessage     string         `json:"lastMessage"`      // its beginning
	LastMessageAt   time.Time      `json:"lastMessageAt"`
	Unread          int            `json:"unread"` // by the client
	LastLogIn       *LastLogIn     `json:"lastLogIn,omitempty"`
}

// LastLogIn is the latest log-in of a consultancy to a client's account (S9).
type LastLogIn struct {
	SessionID uuid.UUID `json:"sessionId"`
	UserName  string    `json:"userName"`
	OpenedAt  time.Time `json:"openedAt"`
	Purpose   string    `json:"purpose"`
}

// AccessTerms is a grant in short.
type AccessTerms struct {
	GrantID uuid.UUID          `json:"grantId"`
	RoleID  domain.Role        `json:"roleId"`
	Status  domain.GrantStatus `json:"status"` // as of the query
	Until   *time.Time         `json:"until,omitempty"`
}

// Manager is a person in charge of a client (S8).
type Manager struct {
	UserID uuid.UUID `json:"userId"`
	Name   string    `json:"name"`
}

// Task is an activity of a client (S10).
type Task struct {
	TaskID      uuid.UUID         `json:"taskId"`
	ClientID    uuid.UUID         `json:"clientId"`
	ClientName  string            `json:"clientName"`
	Section     domain.Section    `json:"section"`
	Title       string            `json:"title"`
	ExternalRef string            `json:"externalRef"`
	GoTo        string            `json:"goTo"`
	Status      domain.TaskStatus `json:"status"`
	RaisedAt    time.Time         `json:"raisedAt"`
	DueAt       *time.Time        `json:"dueAt,omitempty"`
	Overdue     bool              `json:"overdue"` // as of the query
	CompletedAt *time.Time        `json:"completedAt,omitempty"`
	CompletedBy string            `json:"completedBy,omitempty"` // an actor
}

// Listing is a consultancy's profile in the directory (S3).
type Listing struct {
	ConsultancyID uuid.UUID `json:"consultancyId"`
	Revision      int       `json:"revision"`
	domain.Profile
	ListedAt time.Time `json:"listedAt"`
}

// HistoryLine is one line of a collaboration's history: in words, and which event it stands for.
type HistoryLine struct {
	Position int64     `json:"position"`
	At       time.Time `json:"at"`
	Type     string    `json:"type"`
	Stream   string    `json:"stream"`
	Version  int64     `json:"version"`
	Actor    string    `json:"actor"`
	Who      string    `json:"who"`   // the actor's name then, for people
	Words    string    `json:"words"` // one sentence
}

// Notification is one thing that a person is told of: in words, and where it leads. What the event does not concern is left out.
type Notification struct {
	Position        int64     `json:"position"` // of the event; what MarkNotificationsRead takes
	At              time.Time `json:"at"`
	Kind            string    `json:"kind"`  // wire name of the event
	Title           string    `json:"title"` // a few words
	Body            string    `json:"body"`  // one sentence
	ConsultancyID   uuid.UUID `json:"consultancyId"`
	ConsultancyName string    `json:"consultancyName"`
	ClientID        uuid.UUID `json:"clientId,omitzero"`
	ClientName      string    `json:"clientName,omitempty"`
	CollaborationID uuid.UUID `json:"collaborationId,omitzero"`
	TaskID          uuid.UUID `json:"taskId,omitzero"`
	GoTo            string    `json:"goTo,omitempty"` // where the task's Go to button leads
	Read            bool      `json:"read"`
}

// RequestsQuery selects from the inbox of one party.
type RequestsQuery struct {
	Party  uuid.UUID
	Status string // empty: all
	Sort   string // waiting (longest first, the default), recent or name
}

// Requests are the conversations and requests of a party (S5).
func (c *Client) Requests(ctx context.Context, q RequestsQuery) iter.Seq2[Request, error] {
	return list[Request](ctx, c, "/v1/requests", parameters{"party": id(q.Party), "status": q.Status, "sort": q.Sort})
}

// AccessQuery selects grants by client, consultancy or person; at least one is set.
type AccessQuery struct {
	Client, Consultancy, User uuid.UUID

	LiveOnly bool // only what holds now
}

func (q AccessQuery) parameters() parameters {
	p := parameters{"client": id(q.Client), "consultancy": id(q.Consultancy), "user": id(q.User)}
	if q.LiveOnly {
		p["live"] = "true"
	}
	return p
}

// Access tells who may act in which client account (S6, S8), the newest grant first.
func (c *Client) Access(ctx context.Context, q AccessQuery) iter.Seq2[Access, error] {
	return list[Access](ctx, c, "/v1/access", q.parameters())
}

// SessionsQuery selects log-ins as an AccessQuery does; LiveOnly finds those that are open.
type SessionsQuery struct {
	AccessQuery
	OpenAt time.Time // only those that were open at this moment; zero: all
}

// Sessions are the log-ins to client accounts (S9), the newest first.
func (c *Client) Sessions(ctx context.Context, q SessionsQuery) iter.Seq2[Session, error] {
	p := q.parameters()
	if !q.OpenAt.IsZero() {
		p["openAt"] = q.OpenAt.Format(time.RFC3339Nano)
	}
	return list[Session](ctx, c, "/v1/sessions", p)
}

// EndingQuery selects the grants of a client, of a consultancy, or of both with each other, that end soon.
type EndingQuery struct {
	Client, Consultancy uuid.UUID
	Days                int // how soon, up to 730; 0: 30
}

// EndingAccess are the grants that end soon, the next to end first.
func (c *Client) EndingAccess(ctx context.Context, q EndingQuery) iter.Seq2[EndingAccess, error] {
	p := parameters{"client": id(q.Client), "consultancy": id(q.Consultancy)}
	if q.Days != 0 {
		p["within"] = strconv.Itoa(q.Days) + "d"
	}
	return list[EndingAccess](ctx, c, "/v1/access/ending", p)
}

// EffectiveQuery names a person of a consultancy and a client; all three must be given.
type EffectiveQuery struct {
	Consultancy, Client, User uuid.UUID
}

// EffectiveAccess tells what a person may do in a client's account, and why (S8, S9).
func (c *Client) EffectiveAccess(ctx context.Context, q EffectiveQuery) (answer EffectiveAccess, err error) {
	p := parameters{"consultancy": id(q.Consultancy), "client": id(q.Client), "user": id(q.User)}
	err = c.Get(ctx, "/v1/access/effective", c.values(p), &answer)
	return answer, err
}

// KPIQuery selects all clients of a consultancy, or one client; exactly one is set.
type KPIQuery struct {
	Consultancy, Client uuid.UUID
}

// KPIs are the volumes of pending activities (S7).
func (c *Client) KPIs(ctx context.Context, q KPIQuery) iter.Seq2[KPI, error] {
	return list[KPI](ctx, c, "/v1/kpis", parameters{"consultancy": id(q.Consultancy), "client": id(q.Client)})
}

// PortfolioQuery selects and sorts the clients of one consultancy; what is empty does not matter.
type PortfolioQuery struct {
	Consultancy uuid.UUID
	Status      string
	Manager     uuid.UUID // only the clients of which this person is in charge
	Text        string    // words, or parts of words, of the client's name
	Sort        string    // name (the default), status, pending, overdue, lastActivity or grantEnd
	Descending  bool
}

// Portfolio are the clients of a consultancy, with what matters of each.
func (c *Client) Portfolio(ctx context.Context, q PortfolioQuery) iter.Seq2[Portfolio, error] {
	p := parameters{"consultancy": id(q.Consultancy), "status": q.Status, "manager": id(q.Manager), "q": q.Text, "sort": q.Sort}
	if q.Descending {
		p["order"] = "descending"
	}
	return list[Portfolio](ctx, c, "/v1/portfolio", p)
}

// Advice are the consultancies that a client asked or works with (S5), by name.
func (c *Client) Advice(ctx context.Context, clientID uuid.UUID) iter.Seq2[Advice, error] {
	return list[Advice](ctx, c, "/v1/advice", parameters{"client": id(clientID)})
}

// TasksQuery selects the tasks of one client.
type TasksQuery struct {
	Client  uuid.UUID
	Section domain.Section    // empty: all
	Status  domain.TaskStatus // empty: all
}

// Tasks are the activities of a client (S10).
func (c *Client) Tasks(ctx context.Context, q TasksQuery) iter.Seq2[Task, error] {
	return list[Task](ctx, c, "/v1/tasks", parameters{"client": id(q.Client), "section": string(q.Section), "status": string(q.Status)})
}

// DirectoryQuery searches the directory; what is empty does not matter.
type DirectoryQuery struct {
	Text, Country, City, Service, Specialty, Language string
}

// Directory are the listed consultancies that a search finds (S3).
func (c *Client) Directory(ctx context.Context, q DirectoryQuery) iter.Seq2[Listing, error] {
	return list[Listing](ctx, c, "/v1/directory", parameters{
		"q": q.Text, "country": q.Country, "city": q.City, "service": q.Service, "specialty": q.Specialty, "language": q.Language,
	})
}

// History is what happened in a collaboration until a moment, oldest first; the zero time is now.
func (c *Client) History(ctx context.Context, collaborationID uuid.UUID, asOf time.Time) iter.Seq2[HistoryLine, error] {
	p := parameters{}
	if !asOf.IsZero() {
		p["asOf"] = asOf.Format(time.RFC3339Nano)
	}
	return list[HistoryLine](ctx, c, "/v1/collaborations/"+collaborationID.String()+"/history", p)
}

// Notifications are what the person is told of for whom the client acts (As), the newest first; or only what is unread of it.
func (c *Client) Notifications(ctx context.Context, unread bool) iter.Seq2[Notification, error] {
	p := parameters{}
	if unread {
		p["unread"] = "true"
	}
	return list[Notification](ctx, c, "/v1/notifications", p)
}

// parameters are a query's; empty ones are left out.
type parameters map[string]string

// id writes an id as a parameter; the nil one is left out.
func id(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

// values are a query's parameters as a URL has them, with the position that its answer must have.
func (c *Client) values(p parameters) url.Values {
	query := url.Values{}
	for name, value := range p {
		if value != "" {
			query.Set(name, value)
		}
	}
	if c.minPosition > 0 {
		query.Set("minPosition", strconv.FormatInt(c.minPosition, 10))
	}
	return query
}

// maxPageItems is how many items of a list are asked for at a time, as many as the ledger gives.
const maxPageItems = 200

// list goes through a list, page by page. An error is the last thing that it gives.
func list[T any](ctx context.Context, c *Client, path string, p parameters) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		query := c.values(p)
		query.Set("limit", strconv.Itoa(maxPageItems))
		for {
			var page struct {
				Items []T    `json:"items"`
				Next  string `json:"next"`
			}
			if err := c.Get(ctx, path, query, &page); err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range page.Items {
				if !yield(item, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			query.Set("cursor", page.Next)
		}
	}
}
