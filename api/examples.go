package api

import (
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/email"
	"github.com/collabledger/collabledger/projections"
	"github.com/collabledger/collabledger/reactors"
	"github.com/collabledger/collabledger/webhooks"
)

// exampleIDs are those of the examples of commands and events, so that all examples tell one story.
type exampleIDs struct {
	consultancy, client, anna, grant, session uuid.UUID
	at, until                                 time.Time
}

func (x exampleIDs) pair() domain.Pair {
	return domain.Pair{ConsultancyID: x.consultancy, ClientID: x.client}
}

func exampleStory() exampleIDs {
	return exampleIDs{
		consultancy: uuid.MustParse("0192f3c4-0000-7000-8000-000000000001"),
		client:      uuid.MustParse("0192f3c4-0000-7000-8000-000000000002"),
		anna:        uuid.MustParse("0192f3c4-0000-7000-8000-000000000003"),
		grant:       uuid.MustParse("0192f3c4-0000-7000-8000-000000000006"),
		session:     uuid.MustParse("0192f3c4-0000-7000-8000-000000000007"),
		at:          time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC),
		until:       time.Date(2026, 3, 31, 16, 0, 0, 0, time.UTC),
	}
}

func examplePermissions() domain.Permissions {
	return domain.Permissions{domain.Sales: domain.Edit, domain.Banking: domain.Read}
}

func exampleRequest() projections.RequestItem {
	x := exampleStory()
	return projections.RequestItem{
		CollaborationID: x.pair().CollaborationID(), ConsultancyID: x.consultancy, ClientID: x.client, ConsultancyName: "Vidal", ClientName: "Horno Luna",
		Status: projections.RequestPending, Engagement: 1, LastMessage: "Please keep our books.", LastMessageAt: x.at, Unread: 1, WaitingSince: &x.at, ExpiresAt: &x.until,
	}
}

func exampleAccess() projections.AccessItem {
	x := exampleStory()
	return projections.AccessItem{
		CollaborationID: x.pair().CollaborationID(), ConsultancyID: x.consultancy, ClientID: x.client, ConsultancyName: "Vidal", ClientName: "Horno Luna",
		GrantID: x.grant, Status: domain.GrantLive, RoleID: domain.RoleSales, Permissions: examplePermissions(), Effective: examplePermissions(),
		GrantedAt: x.at, Until: &x.until, Reminders: exampleReminders(), People: []projections.AccessPerson{{UserID: x.anna, Name: "Anna Vidal", Role: domain.RoleOwner}},
	}
}

func exampleReminders() []projections.Reminder {
	return []projections.Reminder{{DaysBefore: 30, At: exampleStory().at}}
}

func exampleEnding() projections.EndingItem {
	x := exampleStory()
	return projections.EndingItem{
		CollaborationID: x.pair().CollaborationID(), ConsultancyID: x.consultancy, ClientID: x.client, ConsultancyName: "Vidal", ClientName: "Horno Luna",
		GrantID: x.grant, Status: domain.GrantLive, RoleID: domain.RoleSales, Until: x.until, LastAttested: &x.at, Reminders: exampleReminders(),
	}
}

func exampleEffective() projections.EffectiveAccess {
	x := exampleStory()
	return projections.EffectiveAccess{
		CollaborationID: x.pair().CollaborationID(), ConsultancyID: x.consultancy, ClientID: x.client, ConsultancyName: "Vidal", ClientName: "Horno Luna",
		UserID: x.anna, UserName: "Anna Vidal", UserRole: domain.RoleOwner, Plan: domain.PlanFree, Access: exampleTerms(), RoleVersion: 1, Obstacles: []projections.Reason{},
		Sections: []projections.EffectiveSection{
			{Section: domain.Sales, Level: domain.Edit, Granted: domain.Edit, Reasons: []projections.Reason{
				{Code: "granted", State: "edit", Words: "Permitted by role sales, version 1, in grant " + x.grant.String() + "."},
			}},
			{Section: domain.Banking, Level: domain.None, Granted: domain.Read, Reasons: []projections.Reason{
				{Code: "not_in_plan", State: "free", Words: "The client's plan free does not include it."},
			}},
		},
	}
}

func exampleSession() projections.SessionItem {
	x := exampleStory()
	return projections.SessionItem{
		SessionID: x.session, ConsultancyID: x.consultancy, ClientID: x.client, ConsultancyName: "Vidal", ClientName: "Horno Luna", UserID: x.anna, UserName: "Anna Vidal",
		GrantID: x.grant, Permissions: examplePermissions(), Purpose: "Monthly closing", Status: "open", OpenedAt: x.at, ExpiresAt: x.at.Add(domain.MaxSessionLasts),
	}
}

func exampleKPI() projections.KPIItem {
	return projections.KPIItem{
		ClientID: exampleStory().client, ClientName: "Horno Luna", Pending: 3, Overdue: 1, Completed: 5,
		Sections: []projections.KPISection{{Section: domain.Sales, Pending: 3, Overdue: 1, Completed: 5}},
	}
}

func exampleTerms() *projections.AccessTerms {
	x := exampleStory()
	return &projections.AccessTerms{GrantID: x.grant, RoleID: domain.RoleSales, Status: domain.GrantLive, Until: &x.until}
}

func examplePortfolio() projections.PortfolioItem {
	x := exampleStory()
	return projections.PortfolioItem{
		CollaborationID: x.pair().CollaborationID(), ClientID: x.client, ClientName: "Horno Luna", Status: projections.RequestApproved, Access: exampleTerms(),
		Managers: []projections.Manager{{UserID: x.anna, Name: "Anna Vidal"}}, Sections: []domain.Section{domain.Sales, domain.Banking}, Pending: 3, Overdue: 1, LastActivity: x.at,
	}
}

func exampleAdvice() projections.AdviceItem {
	x := exampleStory()
	return projections.AdviceItem{
		CollaborationID: x.pair().CollaborationID(), ConsultancyID: x.consultancy, ConsultancyName: "Vidal", Status: projections.RequestApproved, Since: x.at, Access: exampleTerms(),
		People:   []projections.AccessPerson{{UserID: x.anna, Name: "Anna Vidal", Role: domain.RoleOwner}},
		Managers: []projections.Manager{{UserID: x.anna, Name: "Anna Vidal"}}, LastMessage: "Please keep our books.", LastMessageAt: x.at, Unread: 1,
		LastLogIn: &projections.LastLogIn{SessionID: x.session, UserName: "Anna Vidal", OpenedAt: x.at, Purpose: "Monthly closing"},
	}
}

func exampleTask() projections.TaskItem {
	x := exampleStory()
	return projections.TaskItem{
		TaskID: domain.TaskID(x.client, "erp-4711"), ClientID: x.client, ClientName: "Horno Luna", Section: domain.Sales, Title: "Categorise 3 invoices",
		ExternalRef: "erp-4711", GoTo: "https://app.example/sales/4711", Status: domain.TaskPending, RaisedAt: x.at, DueAt: &x.until,
	}
}

func exampleProfileText() domain.Profile {
	return domain.Profile{
		DisplayName: "Vidal Asesoría", Description: "Tax and accounts for shops.", Services: []string{"bookkeeping"}, Specialties: []string{"retail"}, Languages: []string{"es", "ca"},
		Country: "ES", City: "Barcelona", Website: "https://vidal.example", ContactEmail: "hola@vidal.example", LogoURL: "https://vidal.example/logo.svg",
	}
}

func exampleProfile() projections.DirectoryItem {
	x := exampleStory()
	return projections.DirectoryItem{ConsultancyID: x.consultancy, Revision: 1, Profile: exampleProfileText(), ListedAt: x.at}
}

func exampleApplication() projections.ApplicationItem {
	x, account := exampleStory(), exampleAccount()
	return projections.ApplicationItem{
		ConsultancyID: x.consultancy, AccountDetails: account.Details, FirmKind: account.FirmKind, Plan: account.Plan, Subscription: account.Subscription,
		AccountStatus: domain.AccountOpen, RegisteredAt: x.at, AppliedAt: x.at.Add(time.Hour),
		Earlier: []projections.PartnershipOutcome{{Outcome: domain.PartnershipWithdrawn, At: x.at.Add(time.Minute)}},
	}
}

func exampleProfileReview() projections.ProfileReviewItem {
	x := exampleStory()
	return projections.ProfileReviewItem{
		ConsultancyID: x.consultancy, ConsultancyName: "Vidal", AccountStatus: domain.AccountOpen, Revision: 2, SubmittedAt: x.at,
		SubmittedBy: domain.User(x.consultancy, x.anna).String(), Profile: exampleProfileText(), ApprovedRevision: 1,
		Changes: []projections.ProfileChange{{Field: "city", Approved: []string{"Girona"}, Submitted: []string{"Barcelona"}}},
	}
}

func exampleHistory() projections.HistoryItem {
	x := exampleStory()
	return projections.HistoryItem{
		Position: 12, At: x.at, Type: domain.CollaborationAccepted{}.EventType(), Stream: domain.CollaborationStream + "-" + x.pair().CollaborationID().String(), Version: 3,
		Actor: domain.User(x.consultancy, x.anna).String(), Who: "Anna Vidal", Words: "Anna Vidal (Vidal) accepted the collaboration.",
	}
}

// exampleCursor is the next of an example's page.
const exampleCursor = "eyJhZnRlciI6MX0"

func exampleNotification() projections.NotificationItem {
	x := exampleStory()
	return projections.NotificationItem{
		Position: 11, At: x.at, Kind: domain.CollaborationRequested{}.EventType(), Title: "Request from Horno Luna",
		Body:          "Marta Luna (Horno Luna) asked Vidal to collaborate: “Please keep our books.”",
		ConsultancyID: x.consultancy, ConsultancyName: "Vidal", ClientID: x.client, ClientName: "Horno Luna", CollaborationID: x.pair().CollaborationID(),
	}
}

func exampleAccount() domain.Account {
	x := exampleStory()
	return domain.Account{
		ID: x.consultancy, Type: domain.Consultancy, FirmKind: domain.Agency, Plan: domain.PlanBasic, Subscription: domain.Current,
		Details:     domain.AccountDetails{LegalName: "Vidal Asesoría S.L.", TradeName: "Vidal", TaxID: "B12345678", Country: "ES", Email: "hola@vidal.example", Phone: "+34 931 234 567"},
		Members:     map[uuid.UUID]domain.Member{x.anna: {Person: domain.Person{UserID: x.anna, Name: "Anna Vidal", Email: "anna@vidal.example"}, Role: domain.RoleOwner}},
		Invitations: map[uuid.UUID]domain.Invitation{},
		Roles:       map[domain.Role]domain.CustomRole{},
	}
}

func examplePartnership() domain.Partnership {
	x := exampleStory()
	return domain.Partnership{
		ConsultancyID: x.consultancy, Status: domain.PartnershipInStanding, Published: 1,
		Revisions: []domain.Revision{{Number: 1, Status: domain.RevisionApproved, SubmittedBy: domain.User(x.consultancy, x.anna).String(), Profile: exampleProfileText()}},
	}
}

func exampleCollaboration() domain.Collaboration {
	x := exampleStory()
	return domain.Collaboration{
		Pair: x.pair(), Status: domain.CollaborationActive, Engagement: 1, AccessEpoch: 1, Messages: 1,
		Grant:    &domain.Grant{GrantID: x.grant, Status: domain.GrantLive, RoleID: domain.RoleSales, RoleVersion: 1, Permissions: examplePermissions(), AccessEpoch: 1, ExpiresAt: x.until},
		Managers: map[uuid.UUID]bool{x.anna: true},
		KPIs:     map[uuid.UUID][]domain.Section{x.anna: {domain.Sales, domain.Banking}},
		ReadUpTo: map[domain.Side]int{domain.ClientSide: 1},
	}
}

func exampleReceipt() Receipt {
	x := exampleStory()
	return Receipt{
		CommandID: x.session, BodyHash: strings.Repeat("0f", 32), Position: 12, RecordedAt: x.at,
		Events: []commands.EventRef{{Type: domain.CollaborationAccepted{}.EventType(), Stream: domain.CollaborationStream + "-" + x.pair().CollaborationID().String(), Version: 3, Position: 12}},
	}
}

func exampleEvent() map[string]any {
	x := exampleStory()
	return map[string]any{
		"specversion": "1.0", "id": "0192f3c4-0000-7000-8000-00000000000a", "source": "urn:uuid:0192f3c4-0000-7000-8000-00000000000b", "type": domain.CollaborationAccepted{}.EventType(),
		"subject": domain.CollaborationStream + "-" + x.pair().CollaborationID().String(), "time": x.at.Format(time.RFC3339), "datacontenttype": "application/json",
		"sequence": "1", "streamversion": "3", "actor": "service:operator", "onbehalfof": domain.User(x.consultancy, x.anna).String(),
		"commandid": x.session.String(), "data": domain.CollaborationAccepted{Pair: x.pair(), Engagement: 1},
	}
}

func exampleReadiness() Readiness {
	epoch := uuid.MustParse("0192f3c4-0000-7000-8000-00000000000b")
	return Readiness{
		Ready: true, Problems: []string{}, Epoch: epoch, Position: 12,
		ReadModels: []projections.Status{{Name: "requests", Generation: 1, Position: 12, State: "live", Epoch: epoch}},
		Reactors:   []reactors.ReactorStatus{{Name: reactors.ClockName, State: reactors.Live}, {Name: "sessions", Position: 12, State: reactors.Live}},
		Webhooks:   &webhooks.FollowStatus{Position: 12, State: webhooks.Live},
		Email:      &email.MailerStatus{Position: 12, Sent: 3, State: email.Live},
		Feed:       &FeedStatus{Position: 12, State: "live"},
	}
}

func exampleKeys() jose.JSONWebKeySet { return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}} }

// Examples of what is no JSON.
const (
	exampleMetrics = "# TYPE ledger_log_position gauge\nledger_log_position 12\n"
	exampleStream  = "id: 1\nevent: collaboration.CollaborationAccepted.v1\ndata: {\"specversion\":\"1.0\",\"sequence\":\"1\"}\n\n"
)
