package domain

import (
	"time"

	"github.com/google/uuid"
)

// Events is the list of every event of the ledger, with the versions that it had before. Whatever encodes, decodes, documents or tests
// events reads it.
func Events() []EventType {
	var (
		consultancy = uuid.MustParse("0192f3c4-0000-7000-8000-000000000001")
		client      = uuid.MustParse("0192f3c4-0000-7000-8000-000000000002")
		user        = uuid.MustParse("0192f3c4-0000-7000-8000-000000000003")
		other       = uuid.MustParse("0192f3c4-0000-7000-8000-000000000004")
		invitation  = uuid.MustParse("0192f3c4-0000-7000-8000-000000000005")
		grant       = uuid.MustParse("0192f3c4-0000-7000-8000-000000000006")
		session     = uuid.MustParse("0192f3c4-0000-7000-8000-000000000007")
		message     = uuid.MustParse("0192f3c4-0000-7000-8000-000000000008")
		pair        = Pair{ConsultancyID: consultancy, ClientID: client}
		task        = TaskID(client, "erp-4711")
		moment      = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
		anna        = Person{UserID: user, Name: "Anna Vidal", Email: "anna@vidal.example"}
		details     = AccountDetails{LegalName: "Vidal Asesoría S.L.", TradeName: "Vidal", TaxID: "B12345678", Country: "ES", Email: "hola@vidal.example", Phone: "+34 931 234 567"}
		custom      = CustomRole{RoleID: "0192f3c4-0000-7000-8000-000000000009", Name: "Month end", Permissions: Permissions{Journal: Edit, Banking: Read}, Version: 1}
		profile     = Profile{DisplayName: "Vidal Asesoría", Description: "Tax and accounts for shops.", Services: []string{"bookkeeping"}, Specialties: []string{"retail"}, Languages: []string{"es", "ca"}, Country: "ES", City: "Barcelona", Website: "https://vidal.example", ContactEmail: "hola@vidal.example", LogoURL: "https://vidal.example/logo.svg"}
		webhook     = WebhookRef{WebhookID: WebhookID(client, 1), AccountID: client}
		target      = WebhookTarget{URL: "https://erp.example/hooks", Types: []string{"collaboration.AccessGranted.v1"}, Description: "Our ERP"}
		granted     = Permissions{Sales: Edit, Contacts: Edit, Banking: Read}
	)
	return []EventType{
		describe("An account is opened with its owner", AccountRegistered{AccountID: consultancy, Type: Consultancy, AccountDetails: details, Plan: PlanBasic, FirmKind: Agency, Owner: anna}),
		describe("An account's details are replaced", AccountDetailsUpdated{AccountID: consultancy, AccountDetails: details}),
		describe("An account is closed for good", AccountClosed{AccountID: consultancy}),
		describe("Billing tells an account's plan and how it stands with its payments", SubscriptionRecorded{AccountID: consultancy, Plan: PlanPremium, Status: Current}),
		describe("A person is invited to join an account", MemberInvited{AccountID: consultancy, InvitationID: invitation, Member: anna, Role: RoleAccountManager, ExpiresAt: moment}),
		describe("An invitation gets a new term", InvitationResent{AccountID: consultancy, InvitationID: invitation, ExpiresAt: moment}),
		describe("An invitation is taken back", InvitationRevoked{AccountID: consultancy, InvitationID: invitation}),
		describe("An invitation lapsed unanswered", InvitationExpired{AccountID: consultancy, InvitationID: invitation, ExpiredAt: moment}),
		describe("An invited person becomes a member", MemberJoined{AccountID: consultancy, InvitationID: invitation, Member: anna, Role: RoleAccountManager}),
		describe("A member gets another role", MemberRoleChanged{AccountID: consultancy, UserID: user, Role: RoleAdministrator}),
		describe("A membership ends", MemberRemoved{AccountID: consultancy, UserID: user}),
		describe("Another member becomes the owner", OwnershipTransferred{AccountID: consultancy, From: user, To: other}),
		describe("A business defines a role of its own", RoleCreated{AccountID: client, CustomRole: custom}),
		describe("A business changes a role of its own", RoleUpdated{AccountID: client, CustomRole: custom}),
		describe("A business takes a role of its own away", RoleDeleted{AccountID: client, RoleID: custom.RoleID}),

		describe("A consultancy asks to join the programme", PartnershipApplied{ConsultancyID: consultancy}),
		describe("A consultancy is let into the programme", PartnershipAccepted{ConsultancyID: consultancy}),
		describe("An application is refused", PartnershipRejected{ConsultancyID: consultancy, ReasonCode: "not_a_consultancy"}),
		describe("A consultancy takes its application back", ApplicationWithdrawn{ConsultancyID: consultancy}),
		describe("A partner loses its standing for the time being", PartnershipSuspended{ConsultancyID: consultancy, Reason: SuspendedForSubscription}),
		describe("A suspended partner has its standing back", PartnershipReinstated{ConsultancyID: consultancy}),
		describe("A partnership ends for good", PartnershipTerminated{ConsultancyID: consultancy, Reason: "terms_breached"}),
		describe("A revision of the profile is handed in for review", ProfileSubmitted{ConsultancyID: consultancy, Revision: 1, SubmittedBy: User(consultancy, user).String(), Profile: profile}),
		describe("A revision of the profile is published", ProfileApproved{ConsultancyID: consultancy, Revision: 1}),
		describe("A revision of the profile is sent back", ProfileRejected{ConsultancyID: consultancy, Revision: 1, ReasonCode: "incomplete", Note: "Please name your services."}),
		describe("A consultancy takes its profile off the directory", ProfileUnlisted{ConsultancyID: consultancy}),
		describe("A consultancy puts its profile back into the directory", ProfileRelisted{ConsultancyID: consultancy}),

		describe("One side writes to the other", MessageSent{Pair: pair, MessageID: message, From: ClientSide, Body: "Do you work with shops?"}),
		describe("One side has read the conversation", ConversationRead{Pair: pair, Side: ConsultancySide, MessagesRead: 1},
			formerly(conversationReadV1{Pair: pair, Side: ConsultancySide, UpTo: 1})),
		describe("A client asks a consultancy to collaborate", CollaborationRequested{Pair: pair, CollaborationID: pair.CollaborationID(), Engagement: 1, Message: "Please keep our books.", ExpiresAt: moment}),
		describe("The consultancy accepts the request", CollaborationAccepted{Pair: pair, Engagement: 1}),
		describe("The consultancy declines the request", CollaborationDeclined{Pair: pair, Engagement: 1, ReasonCode: DeclinedNoCapacity}),
		describe("The client takes its request back", RequestWithdrawn{Pair: pair, Engagement: 1}),
		describe("A request lapsed unanswered", RequestExpired{Pair: pair, Engagement: 1, ExpiredAt: moment}),
		describe("The consultancy blocks the client", ClientBlocked{pair}),
		describe("The consultancy unblocks the client", ClientUnblocked{pair}),
		describe("The consultancy asks for access", AccessRequested{Pair: pair, SuggestedRole: RoleFinance, Purpose: "Monthly closing"}),
		describe("The client grants access to its account", AccessGranted{Pair: pair, GrantID: grant, RoleID: RoleSales, RoleVersion: 1, Permissions: granted, AccessEpoch: 1, ExpiresAt: moment}),
		describe("The client changes the role or the end of its grant", AccessChanged{Pair: pair, GrantID: grant, RoleID: RoleSales, RoleVersion: 1, Permissions: granted, AccessEpoch: 2, ExpiresAt: moment}),
		describe("Access to the client's account is suspended", AccessSuspended{Pair: pair, GrantID: grant, AccessEpoch: 3}),
		describe("The client resumes a suspended grant", AccessResumed{Pair: pair, GrantID: grant, AccessEpoch: 3}),
		describe("The client gives its grant a later end", AccessExtended{Pair: pair, GrantID: grant, ExpiresAt: moment}),
		describe("The client confirms that its grant is still as it wants it", AccessAttested{Pair: pair, GrantID: grant, AttestedAt: moment}),
		describe("The client is reminded that its grant is about to end", GrantEndReminded{Pair: pair, GrantID: grant, DaysBefore: 7, ExpiresAt: moment}),
		describe("Access to the client's account is taken away", AccessRevoked{Pair: pair, GrantID: grant, AccessEpoch: 3}),
		describe("A grant reached its end", AccessExpired{Pair: pair, GrantID: grant, AccessEpoch: 3, ExpiredAt: moment}),
		describe("A person chooses the KPIs to be told of", KPINotificationsConfigured{Pair: pair, UserID: user, Sections: []Section{Sales, Banking}}),
		describe("A person is put in charge of the client", AccountManagerAssigned{Pair: pair, UserID: user}),
		describe("A person is no longer in charge of the client", AccountManagerUnassigned{Pair: pair, UserID: user}),
		describe("The collaboration ends, and with it all access", CollaborationEnded{Pair: pair, Engagement: 1, EndedBy: ClientSide, Reason: "We found somebody nearer.", AccessEpoch: 4}),

		describe("A person of the consultancy logs in to the client's account", ClientAccountOpened{Pair: pair, SessionID: session, UserID: user, GrantID: grant, AccessEpoch: 1, StandingEpoch: 1, Permissions: granted, Purpose: "Monthly closing", ExpiresAt: moment}),
		describe("A log-in to the client's account ends", ClientAccountClosed{Pair: pair, SessionID: session, Reason: LoggedOut}),

		describe("A pending activity is raised in a section of the client's account", TaskRaised{TaskID: task, ClientID: client, Section: Sales, Title: "Categorise 3 invoices", ExternalRef: "erp-4711", GoTo: "https://app.example/sales/4711", DueAt: moment}),
		describe("A pending activity is cancelled", TaskCancelled{TaskID: task, ClientID: client, Section: Sales}),
		describe("A completed activity is pending again", TaskReopened{TaskID: task, ClientID: client, Section: Sales}),
		describe("A pending activity is completed", TaskCompleted{TaskID: task, ClientID: client, Section: Sales, ConsultancyID: consultancy, GrantID: grant}),

		describe("A person has read their notifications up to a position of the log; ours, for the guide has no list of them", NotificationsRead{AccountID: consultancy, UserID: user, UpTo: 42}),

		describe("Events are sent to a downstream service from here on", WebhookRegistered{WebhookRef: webhook, WebhookTarget: target, SecretVersion: 1}),
		describe("Other events are sent, or to another place", WebhookChanged{WebhookRef: webhook, WebhookTarget: target}),
		describe("A webhook gets another secret", WebhookSecretRotated{WebhookRef: webhook, SecretVersion: 2, OldSignsUntil: moment}),
		describe("Deliveries to a webhook are held back", WebhookPaused{WebhookRef: webhook, Reason: PauseAsked}),
		describe("Deliveries to a webhook go on", WebhookResumed{webhook}),

		describe("Events are sent to a downstream service no longer", WebhookDeleted{webhook}),
		describe("An event is to be sent again", WebhookReplayRequested{WebhookRef: webhook, Position: 42}),
	}
}
