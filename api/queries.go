package api

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/projections"
)

// MaxWait is how long a query waits for the read models to reach its minPosition.
const MaxWait = 5 * time.Second

// Reading is what every query takes.
type Reading struct {
	MinPosition int64 `query:"minPosition" minimum:"0" doc:"Answer only once the outcome of the command with this Ledger-Position shows; waits up to 5 seconds for it"`
}

func (r Reading) minPosition() int64 { return r.MinPosition }

// Paging is what every list takes.
type Paging struct {
	Reading
	Cursor string `query:"cursor" maxLength:"1000" doc:"The next of the page before; without it the list's beginning"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Items of the page at most"`
}

func (p Paging) page() projections.Paging {
	return projections.Paging{Cursor: p.Cursor, Limit: p.Limit}
}

// requestsInput selects from the request inbox.
type requestsInput struct {
	Party  uuid.UUID                 `query:"party" required:"true" doc:"Account whose inbox it is"`
	Status projections.RequestStatus `query:"status" enum:"enquiry,pending,approved,declined,cancelled,ended,blocked" doc:"Only these"`
	Sort   string                    `query:"sort" enum:"waiting,recent,name" default:"waiting" doc:"Longest waiting first, last message first, or by the other side's name"`
	Paging
}

// sessionsInput selects log-ins.
type sessionsInput struct {
	AccessInput
	OpenAt time.Time `query:"openAt" doc:"Only those that were open at this moment, which must not be in the future"`
}

// AccessInput selects grants and log-ins. It is exported so that huma finds it where it is embedded.
type AccessInput struct {
	Client      uuid.UUID `query:"client" doc:"Only of this client's account"`
	Consultancy uuid.UUID `query:"consultancy" doc:"Only of this consultancy"`
	User        uuid.UUID `query:"user" doc:"Only of this person of a consultancy"`
	Live        bool      `query:"live" doc:"Only what holds now"`
	Paging
}

func (in AccessInput) query() projections.AccessQuery {
	return projections.AccessQuery{Client: in.Client, Consultancy: in.Consultancy, User: in.User, LiveOnly: in.Live, Paging: in.page()}
}

// effectiveInput names a person of a consultancy and a client.
type effectiveInput struct {
	Client      uuid.UUID `query:"client" required:"true" doc:"The client in whose account the person would act"`
	Consultancy uuid.UUID `query:"consultancy" required:"true" doc:"The consultancy for which they would"`
	User        uuid.UUID `query:"user" required:"true" doc:"The person"`
	Reading
}

// endingInput selects grants that end soon.
type endingInput struct {
	Client      uuid.UUID `query:"client" doc:"Only of this client; this or consultancy must be given"`
	Consultancy uuid.UUID `query:"consultancy" doc:"Only of this consultancy; this or client must be given"`
	Within      string    `query:"within" pattern:"^[1-9][0-9]{0,2}d$" default:"30d" doc:"How soon, in days of 24 hours: 1d to 730d"`
	Paging
}

// days reads within, whose pattern has been checked.
func (in endingInput) days() (int, error) {
	days, err := strconv.Atoi(strings.TrimSuffix(in.Within, "d"))
	if err != nil {
		return 0, domain.Invalid("within", "must be a number of days, for example 30d")
	}
	return days, nil
}

// kpisInput selects the clients whose pending activities are counted.
type kpisInput struct {
	Consultancy uuid.UUID `query:"consultancy" doc:"All clients of this consultancy; either this or client"`
	Client      uuid.UUID `query:"client" doc:"This client; either this or consultancy"`
	Paging
}

// tasksInput selects tasks of one client.
type tasksInput struct {
	Client  uuid.UUID         `query:"client" required:"true" doc:"The client"`
	Section domain.Section    `query:"section" enum:"sales,expenses,banking,inbox,contacts,journal" doc:"Only of this section"`
	Status  domain.TaskStatus `query:"status" enum:"pending,completed,cancelled" doc:"Only these"`
	Paging
}

// portfolioInput selects and sorts the clients of a consultancy.
type portfolioInput struct {
	Consultancy uuid.UUID                 `query:"consultancy" required:"true" doc:"The consultancy"`
	Status      projections.RequestStatus `query:"status" enum:"enquiry,pending,approved,declined,cancelled,ended,blocked" doc:"Only these"`
	Manager     uuid.UUID                 `query:"manager" doc:"Only the clients of which this person is in charge"`
	Text        string                    `query:"q" maxLength:"200" doc:"Words, or parts of words, of the client's name, without regard to case and accents"`
	Sort        string                    `query:"sort" enum:"name,status,pending,overdue,lastActivity,grantEnd" default:"name" doc:"What the clients are sorted by; by grantEnd, those whose access does not end come last"`
	Order       string                    `query:"order" enum:"ascending,descending" default:"ascending" doc:"In which direction"`
	Paging
}

// adviceInput names a client.
type adviceInput struct {
	Client uuid.UUID `query:"client" required:"true" doc:"The client"`
	Paging
}

// directoryInput searches the directory.
type directoryInput struct {
	Text      string `query:"q" maxLength:"200" doc:"Words that the profile has, without regard to case and accents"`
	Country   string `query:"country" maxLength:"2" doc:"ISO 3166-1 alpha-2"`
	City      string `query:"city" maxLength:"120" doc:"City of the office"`
	Service   string `query:"service" maxLength:"120" doc:"An offered service"`
	Specialty string `query:"specialty" maxLength:"120" doc:"A specialty"`
	Language  string `query:"language" maxLength:"20" doc:"A spoken language, ISO 639-1"`
	Paging
}

// historyInput names a collaboration and the moment as of which its history is told.
type historyInput struct {
	ID   uuid.UUID `path:"id" doc:"The collaboration"`
	AsOf time.Time `query:"asOf" doc:"Only what had happened by this moment; without it, all"`
	Paging
}

// notificationsInput selects from the caller's own list.
type notificationsInput struct {
	Unread bool `query:"unread" doc:"Only what is unread"`
	Paging
}

// addQueries adds the lists that the read models answer.
func (e *edge) addQueries() {
	addList(e, keyRequired, "listRequests", "/v1/requests", "The request inbox of a party (S5)",
		"Conversations and requests of a consultancy, or of a client ('my advice'), as its people see them.", exampleRequest(),
		func(ctx context.Context, v projections.Viewer, in *requestsInput) (projections.Page[projections.RequestItem], error) {
			return e.Engine.Requests(ctx, v, projections.RequestsQuery{Party: in.Party, Status: in.Status, Sort: in.Sort, Paging: in.page()})
		})
	addList(e, keyRequired, "listAccess", "/v1/access", "Who may act in which client account (S6, S8)",
		"Grants with their role, permissions and people, the newest first. Name a client, a consultancy or a person.", exampleAccess(),
		func(ctx context.Context, v projections.Viewer, in *AccessInput) (projections.Page[projections.AccessItem], error) {
			return e.Engine.Access(ctx, v, in.query())
		})
	addAnswer(e, keyRequired, query("getEffectiveAccess", "/v1/access/effective", "What one person may do in a client's account, and why (S8, S9)",
		"The level of each section at this moment, with its reasons: the role that permits it, or all that stands in the way. People of both sides see it, and services and staff.", exampleEffective()),
		func(ctx context.Context, v projections.Viewer, in *effectiveInput) (projections.EffectiveAccess, error) {
			return e.Engine.EffectiveAccess(ctx, v, projections.EffectiveQuery{Consultancy: in.Consultancy, Client: in.Client, User: in.User})
		})
	addList(e, keyRequired, "listEndingAccess", "/v1/access/ending", "Grants that end soon (S6)",
		"Grants, also suspended ones, that reach their end within so many days, the next to end first, with the reminders that the client has had of it and when it last attested the grant. Name a client or a consultancy.", exampleEnding(),
		func(ctx context.Context, v projections.Viewer, in *endingInput) (projections.Page[projections.EndingItem], error) {
			days, err := in.days()
			if err != nil {
				return projections.Page[projections.EndingItem]{}, err
			}
			return e.Engine.Ending(ctx, v, projections.EndingQuery{Client: in.Client, Consultancy: in.Consultancy, Days: days, Paging: in.page()})
		})
	addList(e, keyRequired, "listSessions", "/v1/sessions", "The log of log-ins to client accounts (S9)",
		"Who logged in to which client account, under which grant and for what, the newest first. Name a client, a consultancy or a person.", exampleSession(),
		func(ctx context.Context, v projections.Viewer, in *sessionsInput) (projections.Page[projections.SessionItem], error) {
			return e.Engine.Sessions(ctx, v, projections.SessionLogQuery{AccessQuery: in.query(), OpenAt: in.OpenAt})
		})
	addList(e, keyRequired, "listKPIs", "/v1/kpis", "The volume of pending activities per client (S7)",
		"Pending, overdue and completed tasks of each client and section, cut to what the grant shows and the person has chosen to see.", exampleKPI(),
		func(ctx context.Context, v projections.Viewer, in *kpisInput) (projections.Page[projections.KPIItem], error) {
			return e.Engine.KPIs(ctx, v, projections.KPIQuery{Consultancy: in.Consultancy, Client: in.Client, Paging: in.page()})
		})
	addList(e, keyRequired, "listPortfolio", "/v1/portfolio", "The clients of a consultancy, with what matters of each",
		"Status, access, account managers, pending and overdue tasks, and the last activity of each client in the request inbox. Tasks are counted, and their activity told, as far as the KPIs show them to the person.", examplePortfolio(),
		func(ctx context.Context, v projections.Viewer, in *portfolioInput) (projections.Page[projections.PortfolioItem], error) {
			return e.Engine.Portfolio(ctx, v, projections.PortfolioQuery{
				Consultancy: in.Consultancy, Status: in.Status, Manager: in.Manager, Text: in.Text, Sort: in.Sort, Descending: in.Order == "descending", Paging: in.page(),
			})
		})
	addList(e, keyRequired, "listTasks", "/v1/tasks", "The tasks of a client (S10)",
		"Pending and completed activities of one client. A consultancy's person sees the sections that the live grant shows.", exampleTask(),
		func(ctx context.Context, v projections.Viewer, in *tasksInput) (projections.Page[projections.TaskItem], error) {
			return e.Engine.Tasks(ctx, v, projections.TasksQuery{Client: in.Client, Section: in.Section, Status: in.Status, Paging: in.page()})
		})
	addList(e, keyRequired, "listAdvice", "/v1/advice", "The consultancies that a client asked or works with: 'my advice' (S5)",
		"Of each: status and since when, the grant, who may log in with it, the account managers, the last message, what is unread, and the last log-in; by name. The client's own people see it, and services and staff.", exampleAdvice(),
		func(ctx context.Context, v projections.Viewer, in *adviceInput) (projections.Page[projections.AdviceItem], error) {
			return e.Engine.Advice(ctx, v, projections.AdviceQuery{Client: in.Client, Paging: in.page()})
		})
	addList(e, keyOptional, "searchDirectory", "/v1/directory", "The directory of consultancies (S3)",
		"Published profiles of partnerships in standing. Without a key it is the public directory, with one the marketplace.", exampleProfile(),
		func(ctx context.Context, v projections.Viewer, in *directoryInput) (projections.Page[projections.DirectoryItem], error) {
			return e.Engine.Directory(ctx, v, projections.DirectoryQuery{
				Text: in.Text, Country: in.Country, City: in.City, Service: in.Service, Specialty: in.Specialty, Language: in.Language, Paging: in.page(),
			})
		})
	addList(e, keyRequired, "getHistory", "/v1/collaborations/{id}/history", "The history of a collaboration",
		"What happened between the two, oldest first, in words and with the event that each line stands for, as of any moment.", exampleHistory(),
		func(ctx context.Context, v projections.Viewer, in *historyInput) (projections.Page[projections.HistoryItem], error) {
			return e.Engine.History(ctx, v, projections.HistoryQuery{Collaboration: in.ID, AsOf: in.AsOf, Paging: in.page()})
		})
	addAnswer(e, keyRequired, query("listNotifications", "/v1/notifications", "What the person is told of (S5, S6, S7)",
		fmt.Sprintf("The caller's own notifications, the newest first, and how many of the whole list are unread. The list holds the newest %d; MarkNotificationsRead marks it as read. Only a person has one, for each account: act as a member.", projections.MaxNotifications),
		projections.NotificationsPage{Page: projections.Page[projections.NotificationItem]{Items: []projections.NotificationItem{exampleNotification()}, Next: exampleCursor}, Unread: 1}),
		func(ctx context.Context, v projections.Viewer, in *notificationsInput) (projections.NotificationsPage, error) {
			return e.Engine.Notifications(ctx, v, projections.NotificationsQuery{Unread: in.Unread, Paging: in.page()})
		})
}

// addReviews adds what waits for the platform's reviewers.
func (e *edge) addReviews() {
	addList(e, keyRequired, "listApplications", "/v1/reviews/applications", "The applications that wait for a reviewer (S2)",
		"Consultancies that have applied to join the programme, with what their accounts tell and what became of earlier applications, the longest waiting first. For reviewers.", exampleApplication(),
		func(ctx context.Context, v projections.Viewer, in *Paging) (projections.Page[projections.ApplicationItem], error) {
			return e.Engine.Applications(ctx, v, in.page())
		})
	addList(e, keyRequired, "listProfileReviews", "/v1/reviews/profiles", "The revisions of profiles that wait for a reviewer (S3)",
		"Submitted revisions of partners in standing, each with the fields in which it differs from the approved one, the longest waiting first. For reviewers.", exampleProfileReview(),
		func(ctx context.Context, v projections.Viewer, in *Paging) (projections.Page[projections.ProfileReviewItem], error) {
			return e.Engine.ProfileReviews(ctx, v, in.page())
		})
}

// bodyOutput is an answer that is nothing but its body.
type bodyOutput[O any] struct{ Body O }

// addList adds a list that the read models answer for a viewer, once they have reached the position that the caller names.
func addList[I interface{ minPosition() int64 }, T any](e *edge, access access, id, path, summary, description string, item T,
	list func(context.Context, projections.Viewer, *I) (projections.Page[T], error)) {
	addAnswer(e, access, query(id, path, summary, description, projections.Page[T]{Items: []T{item}, Next: exampleCursor}), list)
}

// addAnswer adds whatever else the read models answer so.
func addAnswer[I interface{ minPosition() int64 }, O any](e *edge, access access, op huma.Operation,
	answer func(context.Context, projections.Viewer, *I) (O, error)) {
	register(e, access, op, func(ctx context.Context, actor domain.Actor, in *I) (*bodyOutput[O], error) {
		viewer, err := e.viewer(ctx, actor)
		if err != nil {
			return nil, err
		}
		if err := e.modelsHave(ctx, (*in).minPosition()); err != nil {
			return nil, err
		}
		body, err := answer(ctx, viewer, in)
		return &bodyOutput[O]{Body: body}, err
	})
}

// logHas checks that the log has reached a position that a caller names; nobody waits for one that may never come.
func (e *edge) logHas(ctx context.Context, parameter string, position int64) error {
	if position == 0 {
		return nil
	}
	head, err := e.Store.Head(ctx)
	if err != nil {
		return unreadable(err)
	}
	if position > head.Position {
		return domain.Invalid(parameter, fmt.Sprintf("must not be past the log's end, which is at %d", head.Position))
	}
	return nil
}

// modelsHave waits until the read models have reached a position of the log.
func (e *edge) modelsHave(ctx context.Context, position int64) error {
	if position == 0 {
		return nil
	}
	if err := e.logHas(ctx, "minPosition", position); err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, MaxWait)
	defer cancel()
	err := e.Engine.Wait(waiting, position)
	if errors.Is(err, context.DeadlineExceeded) {
		return &domain.Error{Kind: domain.Unavailable, Code: "not_yet", Detail: fmt.Sprintf("the read models have not reached position %d yet; try again", position)}
	}
	return err
}

// unreadable says that the log could not be read.
func unreadable(err error) error {
	return &domain.Error{Kind: domain.Unavailable, Code: "unavailable", Detail: "the event store does not answer; try again", Err: err}
}
