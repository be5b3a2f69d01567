package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/internal/term"
	"github.com/collabledger/collabledger/projections"
)

// paging selects a part of a list.
type paging struct {
	Limit  int    `default:"50" placeholder:"N" help:"Lines at most."`
	Cursor string `placeholder:"CURSOR" help:"Go on where the list broke off."`
}

// values begins a query's parameters.
func (p paging) values() url.Values {
	values := url.Values{"limit": {strconv.Itoa(p.Limit)}}
	set(values, "cursor", p.Cursor)
	return values
}

// set adds a parameter that was given.
func set(values url.Values, name, value string) {
	if value != "" {
		values.Set(name, value)
	}
}

// ask asks for an answer. With asJSON it is printed as it came, and done is true.
func ask[T any](ctx context.Context, std *streams, ledger *client.Client, asJSON bool, path string, query url.Values) (answer T, done bool, err error) {
	var raw json.RawMessage
	if err := ledger.Get(ctx, path, query, &raw); err != nil {
		return answer, false, err
	}
	if asJSON {
		_, err := fmt.Fprintf(std.out, "%s\n", raw)
		return answer, true, err
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return answer, false, fmt.Errorf("read the answer: %w", err)
	}
	return answer, false, nil
}

// list asks for a part of a list and prints it, a row an item.
func list[T any](ctx context.Context, std *streams, ledger *client.Client, asJSON bool, path string, query url.Values, table *term.Table, row func(*term.Table, T)) error {
	page, done, err := ask[projections.Page[T]](ctx, std, ledger, asJSON, path, query)
	if err != nil || done {
		return err
	}
	for _, item := range page.Items {
		row(table, item)
	}
	if table.Len() == 0 {
		_, err := fmt.Fprintln(std.err, "nothing found")
		return err
	}
	if err := table.Write(std.out, term.StyleFor(std.out), ""); err != nil {
		return err
	}
	if page.Next != "" {
		_, err := fmt.Fprintf(std.err, "there is more: --cursor %s\n", page.Next)
		return err
	}
	return nil
}

// inboxCommand lists the requests of a party.
type inboxCommand struct {
	Party  string `arg:"" help:"The consultancy's or the client's account."`
	Status string `placeholder:"STATUS" help:"Only these: enquiry, pending, approved, declined, cancelled, ended or blocked."`
	Sort   string `placeholder:"ORDER" help:"waiting, the longest first; recent; or name."`
	paging
	connection
}

// Run lists them.
func (c inboxCommand) Run(ctx context.Context, std *streams) error {
	ledger, err := c.client()
	if err != nil {
		return err
	}
	query := c.values()
	set(query, "party", c.Party)
	set(query, "status", c.Status)
	set(query, "sort", c.Sort)
	table := term.NewTable("COLLABORATION", "CONSULTANCY", "CLIENT", "STATUS", "UNREAD", "SINCE", "LAST MESSAGE")
	return list(ctx, std, ledger, c.JSON, "/v1/requests", query, table, func(t *term.Table, item projections.RequestItem) {
		t.Row(item.CollaborationID, item.ConsultancyName, item.ClientName, item.Status, item.Unread, moment(item.WaitingSince), item.LastMessage)
	})
}

// parties selects grants or log-ins by whose they are.
type parties struct {
	Client      string `placeholder:"ACCOUNT" help:"Only in this client's account."`
	Consultancy string `placeholder:"ACCOUNT" help:"Only of this consultancy."`
	User        string `placeholder:"USER" help:"Only of this person of a consultancy."`
	Live        bool   `help:"Only what holds now."`
}

// set adds the parameters that were given.
func (p parties) set(query url.Values) {
	set(query, "client", p.Client)
	set(query, "consultancy", p.Consultancy)
	set(query, "user", p.User)
	if p.Live {
		query.Set("live", "true")
	}
}

// accessCommand lists who may act where.
type accessCommand struct {
	parties
	paging
	connection
}

// Help tells what to name.
func (accessCommand) Help() string { return "Name a client, a consultancy or a person." }

// Run lists it.
func (c accessCommand) Run(ctx context.Context, std *streams) error {
	ledger, err := c.client()
	if err != nil {
		return err
	}
	query := c.values()
	c.parties.set(query)
	table := term.NewTable("CLIENT", "CONSULTANCY", "GRANT", "ROLE", "MAY ACT IN", "SINCE", "UNTIL", "PEOPLE")
	return list(ctx, std, ledger, c.JSON, "/v1/access", query, table, func(t *term.Table, item projections.AccessItem) {
		until := item.Until
		if item.EndedAt != nil {
			until = item.EndedAt
		}
		t.Row(item.ClientName, item.ConsultancyName, item.Status, item.RoleID, permissions(item.Effective), moment(&item.GrantedAt), moment(until), people(item.People))
	})
}

// people lists who has access.
func people(people []projections.AccessPerson) string {
	names := make([]string, len(people))
	for i, person := range people {
		names[i] = person.Name
	}
	return strings.Join(names, ", ")
}

// permissions lists sections with their levels.
func permissions(p domain.Permissions) string {
	words := []string{}
	for _, section := range p.Sections() {
		words = append(words, fmt.Sprintf("%s:%s", section, p[section]))
	}
	if len(words) == 0 {
		return "nothing"
	}
	return strings.Join(words, " ")
}

// effectiveCommand tells what one person may do, and why.
type effectiveCommand struct {
	Client      string `required:"" placeholder:"ACCOUNT" help:"The client in whose account the person would act."`
	Consultancy string `required:"" placeholder:"ACCOUNT" help:"The consultancy for which they would."`
	User        string `required:"" placeholder:"USER" help:"The person."`
	connection
}

// Run tells it.
func (c effectiveCommand) Run(ctx context.Context, std *streams) error {
	ledger, err := c.client()
	if err != nil {
		return err
	}
	query := url.Values{"client": {c.Client}, "consultancy": {c.Consultancy}, "user": {c.User}}
	answer, done, err := ask[projections.EffectiveAccess](ctx, std, ledger, c.JSON, "/v1/access/effective", query)
	if err != nil || done {
		return err
	}
	table := term.NewTable("SECTION", "MAY", "WHY")
	for _, section := range answer.Sections {
		words := make([]string, len(section.Reasons))
		for i, reason := range section.Reasons {
			words[i] = reason.Words
		}
		table.Row(section.Section, section.Level, strings.Join(words, " "))
	}
	return table.Write(std.out, term.StyleFor(std.out), "")
}

// endingCommand lists grants that end soon.
type endingCommand struct {
	Client      string `placeholder:"ACCOUNT" help:"Only of this client."`
	Consultancy string `placeholder:"ACCOUNT" help:"Only of this consultancy."`
	Within      string `default:"30d" placeholder:"DAYS" help:"How soon: 1d to 730d."`
	paging
	connection
}

// Help tells what to name.
func (endingCommand) Help() string { return "Name a client or a consultancy." }

// Run lists them.
func (c endingCommand) Run(ctx context.Context, std *streams) error {
	ledger, err := c.client()
	if err != nil {
		return err
	}
	query := c.values()
	set(query, "client", c.Client)
	set(query, "consultancy", c.Consultancy)
	set(query, "within", c.Within)
	table := term.NewTable("UNTIL", "CLIENT", "CONSULTANCY", "GRANT", "ROLE", "ATTESTED", "REMINDED")
	return list(ctx, std, ledger, c.JSON, "/v1/access/ending", query, table, func(t *term.Table, item projections.EndingItem) {
		reminded := make([]string, len(item.Reminders))
		for i, reminder := range item.Reminders {
			reminded[i] = fmt.Sprintf("%d days before", reminder.DaysBefore)
		}
		t.Row(moment(&item.Until), item.ClientName, item.ConsultancyName, item.Status, item.RoleID, moment(item.LastAttested), strings.Join(reminded, ", "))
	})
}

// kpiCommand counts pending activities.
type kpiCommand struct {
	Consultancy string `placeholder:"ACCOUNT" required:"" xor:"party" help:"All clients of this consultancy."`
	Client      string `placeholder:"ACCOUNT" required:"" xor:"party" help:"This client."`
	paging
	connection
}

// Help tells whose eyes it looks through.
func (kpiCommand) Help() string {
	return "Name a consultancy or a client. With --as, the counts are those that the person may see and has chosen to be told of."
}

// Run counts them.
func (c kpiCommand) Run(ctx context.Context, std *streams) error {
	ledger, err := c.client()
	if err != nil {
		return err
	}
	query := c.values()
	set(query, "consultancy", c.Consultancy)
	set(query, "client", c.Client)
	table := term.NewTable("CLIENT", "SECTION", "PENDING", "OVERDUE", "COMPLETED")
	return list(ctx, std, ledger, c.JSON, "/v1/kpis", query, table, func(t *term.Table, item projections.KPIItem) {
		for _, section := range item.Sections {
			t.Row(item.ClientName, section.Section, section.Pending, section.Overdue, section.Completed)
		}
		t.Row(item.ClientName, "all", item.Pending, item.Overdue, item.Completed)
	})
}

// portfolioCommand lists the clients of a consultancy.
type portfolioCommand struct {
	Consultancy string `arg:"" help:"The consultancy's account."`
	Query       string `name:"search" placeholder:"WORDS" help:"Only clients whose names have these words, or parts of words."`
	Status      string `placeholder:"STATUS" help:"Only these: enquiry, pending, approved, declined, cancelled, ended or blocked."`
	Manager     string `placeholder:"USER" help:"Only the clients of which this person is in charge."`
	Sort        string `placeholder:"ORDER" help:"name, status, pending, overdue, lastActivity or grantEnd."`
	Descending  bool   `help:"Sort the other way round."`
	paging
	connection
}

// Help tells whose eyes it looks through.
func (portfolioCommand) Help() string {
	return "With --as, tasks are counted as far as the person may see and has chosen to be told of them."
}

// Run lists them.
func (c portfolioCommand) Run(ctx context.Context, std *streams) error {
	ledger, err := c.client()
	if err != nil {
		return err
	}
	query := c.values()
	set(query, "consultancy", c.Consultancy)
	set(query, "q", c.Query)
	set(query, "status", c.Status)
	set(query, "manager", c.Manager)
	set(query, "sort", c.Sort)
	if c.Descending {
		query.Set("order", "descending")
	}
	table := term.NewTable("CLIENT", "STATUS", "ACCESS", "ROLE", "UNTIL", "MANAGERS", "PENDING", "OVERDUE", "LAST ACTIVITY")
	return list(ctx, std, ledger, c.JSON, "/v1/portfolio", query, table, func(t *term.Table, item projections.PortfolioItem) {
		access := accessTerms(item.Access)
		t.Row(item.ClientName, item.Status, access.Status, access.RoleID, moment(access.Until), managers(item.Managers), item.Pending, item.Overdue, moment(&item.LastActivity))
	})
}

// adviceCommand lists the consultancies of a client.
type adviceCommand struct {
	Client string `arg:"" help:"The client's account."`
	paging
	connection
}

// Run lists them.
func (c adviceCommand) Run(ctx context.Context, std *streams) error {
	ledger, err := c.client()
	if err != nil {
		return err
	}
	query := c.values()
	set(query, "client", c.Client)
	table := term.NewTable("CONSULTANCY", "STATUS", "SINCE", "ACCESS", "ROLE", "UNTIL", "PEOPLE", "MANAGERS", "UNREAD", "LAST MESSAGE", "LAST LOG-IN")
	return list(ctx, std, ledger, c.JSON, "/v1/advice", query, table, func(t *term.Table, item projections.AdviceItem) {
		access, lastLogIn := accessTerms(item.Access), ""
		if item.LastLogIn != nil {
			lastLogIn = moment(&item.LastLogIn.OpenedAt) + " " + item.LastLogIn.UserName
		}
		t.Row(item.ConsultancyName, item.Status, moment(&item.Since), access.Status, access.RoleID, moment(access.Until),
			people(item.People), managers(item.Managers), item.Unread, item.LastMessage, lastLogIn)
	})
}

// accessTerms are those of a grant, empty for none.
func accessTerms(terms *projections.AccessTerms) projections.AccessTerms {
	if terms == nil {
		return projections.AccessTerms{}
	}
	return *terms
}

// managers lists who is in charge.
func managers(managers []projections.Manager) string {
	names := make([]string, len(managers))
	for i, manager := range managers {
		names[i] = manager.Name
	}
	return strings.Join(names, ", ")
}

// directoryCommand searches the listed consultancies. It needs no key.
type directoryCommand struct {
	Query     string `arg:"" optional:"" help:"Words that the profile has, without regard to case and accents."`
	Country   string `placeholder:"COUNTRY" help:"ISO 3166-1 alpha-2, for example ES."`
	City      string `placeholder:"CITY" help:"City of the office."`
	Service   string `placeholder:"SERVICE" help:"An offered service."`
	Specialty string `placeholder:"SPECIALTY" help:"A specialty."`
	Language  string `placeholder:"LANGUAGE" help:"A spoken language, for example es."`
	paging
	connection
}

// Run searches.
func (c directoryCommand) Run(ctx context.Context, std *streams) error {
	ledger, err := c.publicClient()
	if err != nil {
		return err
	}
	query := c.values()
	set(query, "q", c.Query)
	set(query, "country", c.Country)
	set(query, "city", c.City)
	set(query, "service", c.Service)
	set(query, "specialty", c.Specialty)
	set(query, "language", c.Language)
	table := term.NewTable("CONSULTANCY", "NAME", "CITY", "COUNTRY", "SERVICES", "SPECIALTIES", "LANGUAGES")
	return list(ctx, std, ledger, c.JSON, "/v1/directory", query, table, func(t *term.Table, item projections.DirectoryItem) {
		t.Row(item.ConsultancyID, item.DisplayName, item.City, item.Country,
			strings.Join(item.Services, ", "), strings.Join(item.Specialties, ", "), strings.Join(item.Languages, ", "))
	})
}

// historyCommand tells a collaboration's history.
type historyCommand struct {
	Collaboration string `arg:"" help:"The collaboration's id."`
	AsOf          string `name:"as-of" placeholder:"TIME" help:"Only what had happened by then, for example 2026-03-31T18:00:00Z."`
	paging
	connection
}

// Run tells it.
func (c historyCommand) Run(ctx context.Context, std *streams) error {
	ledger, err := c.client()
	if err != nil {
		return err
	}
	query := c.values()
	set(query, "asOf", c.AsOf)
	table := term.NewTable("POSITION", "AT", "WHAT HAPPENED")
	path := "/v1/collaborations/" + url.PathEscape(c.Collaboration) + "/history"
	return list(ctx, std, ledger, c.JSON, path, query, table, func(t *term.Table, item projections.HistoryItem) {
		t.Row(item.Position, moment(&item.At), item.Words)
	})
}

// notificationsCommand lists what a person is told of.
type notificationsCommand struct {
	Unread bool `help:"Only what is unread."`
	paging
	connection
}

// Help tells whose list it is.
func (notificationsCommand) Help() string {
	return "Name the person with --as. Submit MarkNotificationsRead with the position of the newest one to mark the list as read."
}

// Run lists them.
func (c notificationsCommand) Run(ctx context.Context, std *streams) error {
	ledger, err := c.client()
	if err != nil {
		return err
	}
	query := c.values()
	if c.Unread {
		query.Set("unread", "true")
	}
	table := term.NewTable("POSITION", "AT", "UNREAD", "TITLE", "WHAT HAPPENED")
	return list(ctx, std, ledger, c.JSON, "/v1/notifications", query, table, func(t *term.Table, item projections.NotificationItem) {
		unread := "unread"
		if item.Read {
			unread = ""
		}
		t.Row(item.Position, moment(&item.At), unread, item.Title, item.Body)
	})
}

// moment is a time as tables show it, to the second and in UTC; empty for none.
func moment(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}
