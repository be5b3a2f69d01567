package projections

import (
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// Limits of a query.
const (
	DefaultPageItems = 50  // items of a page when the query names none
	MaxPageItems     = 200 // items of a page at most
)

// Page is a part of a list. Next is the cursor of the part after it, empty at the end.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"`
}

// Paging asks for a part of a list.
type Paging struct {
	Cursor string // of the page before; empty for the first
	Limit  int    // 0: DefaultPageItems
}

// RequestStatus is a collaboration's state in the words of the inbox (H).
type RequestStatus string

// The inbox's states. An enquiry is a conversation without a request.
const (
	RequestEnquiry   RequestStatus = "enquiry"
	RequestPending   RequestStatus = "pending"
	RequestApproved  RequestStatus = "approved"
	RequestDeclined  RequestStatus = "declined"
	RequestCancelled RequestStatus = "cancelled" // withdrawn or lapsed
	RequestEnded     RequestStatus = "ended"
	RequestBlocked   RequestStatus = "blocked"
)

// RequestItem is a line of the request inbox of a consultancy, or of a client's 'my advice' (S5).
type RequestItem struct {
	CollaborationID uuid.UUID     `json:"collaborationId"`
	ConsultancyID   uuid.UUID     `json:"consultancyId"`
	ClientID        uuid.UUID     `json:"clientId"`
	ConsultancyName string        `json:"consultancyName"`
	ClientName      string        `json:"clientName"`
	Status          RequestStatus `json:"status"`
	Engagement      int           `json:"engagement"`
	LastMessage     string        `json:"lastMessage"`
	LastMessageAt   time.Time     `json:"lastMessageAt"`
	Unread          int           `json:"unread"` // by the party asked about
	WaitingSince    *time.Time    `json:"waitingSince,omitempty"`
	ExpiresAt       *time.Time    `json:"expiresAt,omitempty"`
}

// RequestsQuery selects from the inbox of one party.
type RequestsQuery struct {
	Party  uuid.UUID
	Status RequestStatus // empty: all
	Sort   string        // waiting (longest first, the default), recent (last message first) or name
	Paging
}

// AccessItem says who may act in which client account, under which grant (S6, S8, S9). A line per grant, the newest first.
type AccessItem struct {
	CollaborationID uuid.UUID          `json:"collaborationId"`
	ConsultancyID   uuid.UUID          `json:"consultancyId"`
	ClientID        uuid.UUID          `json:"clientId"`
	ConsultancyName string             `json:"consultancyName"`
	ClientName      string             `json:"clientName"`
	GrantID         uuid.UUID          `json:"grantId"`
	Status          domain.GrantStatus `json:"status"` // as of the query
	RoleID          domain.Role        `json:"roleId"`
	Permissions     domain.Permissions `json:"permissions"` // pinned by the grant
	Effective       domain.Permissions `json:"effective"`   // cut to the client's plan, and empty unless the grant is live and the partnership in standing
	GrantedAt       time.Time          `json:"grantedAt"`
	Until           *time.Time         `json:"until,omitempty"`
	EndedAt         *time.Time         `json:"endedAt,omitempty"`
	LastAttested    *time.Time         `json:"lastAttested,omitempty"`
	Reminders       []Reminder         `json:"reminders"` // of the end that the grant has now
	People          []AccessPerson     `json:"people"`    // who of the consultancy may log in with it
}

// AccessPerson is a person of the consultancy who may use a grant, and why.
type AccessPerson struct {
	UserID uuid.UUID   `json:"userId"`
	Name   string      `json:"name"`
	Role   domain.Role `json:"role"` // owner, administrator, or account_manager when assigned
}

// AccessQuery selects grants by client, consultancy or person; at least one is set.
type AccessQuery struct {
	Client, Consultancy, User uuid.UUID
	LiveOnly                  bool
	Paging
}

// SessionItem is a line of the log of log-ins (S9).
type SessionItem struct {
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

// SessionLogQuery selects log-ins as an AccessQuery does; LiveOnly finds those that are open.
type SessionLogQuery struct {
	AccessQuery
	OpenAt time.Time // only those that were open at this moment; zero: all
}

// KPIItem is the volume of pending activities of one client (S7, S10), cut to what the viewer may see and has chosen to see.
type KPIItem struct {
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

// KPIQuery selects the clients of a consultancy, or one client; exactly one is set. For a person of the consultancy the sections
// are those of the live grant, cut to the client's plan, the person's role and assignment, and their own choice (S7).
type KPIQuery struct {
	Consultancy, Client uuid.UUID
	Paging
}

// TaskItem is a pending activity (S10).
type TaskItem struct {
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

// TasksQuery selects the tasks of one client. A consultancy's person sees the sections that their live grant shows.
type TasksQuery struct {
	Client  uuid.UUID
	Section domain.Section    // empty: all
	Status  domain.TaskStatus // empty: all
	Paging
}

// DirectoryItem is a listed profile: the approved revision of a partnership in standing (S3).
type DirectoryItem struct {
	ConsultancyID uuid.UUID `json:"consultancyId"`
	Revision      int       `json:"revision"`
	domain.Profile
	ListedAt time.Time `json:"listedAt"`
}

// DirectoryQuery searches the directory. Text is matched by words without regard to case and accents; the filters are exact.
type DirectoryQuery struct {
	Text, Country, City, Service, Specialty, Language string
	Paging
}

// HistoryItem is one line of a collaboration's history: in words, and which event it stands for.
type HistoryItem struct {
	Position int64     `json:"position"`
	At       time.Time `json:"at"`
	Type     string    `json:"type"`
	Stream   string    `json:"stream"`
	Version  int64     `json:"version"`
	Actor    string    `json:"actor"`
	Who      string    `json:"who"`   // the actor's name then, for people
	Words    string    `json:"words"` // one sentence, for example: Anna Vidal (Vidal) accepted the collaboration.
}

// HistoryQuery selects the history of one collaboration: its own events, its log-ins, and the tasks that the consultancy did.
type HistoryQuery struct {
	Collaboration uuid.UUID
	AsOf          time.Time // zero: now
	Paging
}

// NotificationItem is one thing that a person is told of: in words, and where it leads. What the event does not concern is left out.
type NotificationItem struct {
	Position        int64     `json:"position"` // of the event; what MarkNotificationsRead takes
	At              time.Time `json:"at"`
	Kind            string    `json:"kind"`  // wire name of the event
	Title           string    `json:"title"` // a few words, for example: Request from Horno Luna
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

// NotificationsPage is a part of a person's list, with how much of the whole list is unread.
type NotificationsPage struct {
	Page[NotificationItem]
	Unread int `json:"unread"`
}

// NotificationsQuery selects from the viewer's own list.
type NotificationsQuery struct {
	Unread bool // only those
	Paging
}
