package commands

import (
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// List is the list of every command, in the guide's order. The HTTP operations, the command line and the documents are made
// from it.
func List() []Spec {
	var (
		consultancy = uuid.MustParse("0192f3c4-0000-7000-8000-000000000001")
		client      = uuid.MustParse("0192f3c4-0000-7000-8000-000000000002")
		user        = uuid.MustParse("0192f3c4-0000-7000-8000-000000000003")
		invitation  = uuid.MustParse("0192f3c4-0000-7000-8000-000000000005")
		session     = uuid.MustParse("0192f3c4-0000-7000-8000-000000000007")
		role        = domain.Role("0192f3c4-0000-7000-8000-000000000009")
		pair        = PairFields{ConsultancyID: consultancy, ClientID: client}
		details     = domain.AccountDetails{LegalName: "Vidal Asesoría S.L.", TradeName: "Vidal", TaxID: "B12345678", Country: "ES", Email: "hola@vidal.example", Phone: "+34 931 234 567"}
		anna        = NewPerson{Name: "Anna Vidal", Email: "anna@vidal.example"}
		profile     = domain.Profile{DisplayName: "Vidal Asesoría", Description: "Tax and accounts for shops.", Services: []string{"bookkeeping"}, Specialties: []string{"retail"}, Languages: []string{"es", "ca"}, Country: "ES", City: "Barcelona", Website: "https://vidal.example", ContactEmail: "hola@vidal.example"}
		terms       = RoleTerms{Name: "Month end", Permissions: domain.Permissions{domain.Journal: domain.Edit, domain.Banking: domain.Read}}
		hook        = WebhookFields{URL: "https://erp.example/hooks", Types: []string{"collaboration.AccessGranted.v1"}, Description: "Our ERP"}
		webhook     = domain.WebhookID(client, 1)
		due         = time.Date(2026, 3, 31, 16, 0, 0, 0, time.UTC)
		task        = RaiseTask{ClientID: client, Section: domain.Sales, Title: "Categorise 3 invoices", ExternalRef: "erp-4711", GoTo: "https://app.example/sales/4711", DueAt: &due}
	)
	return []Spec{
		creates("S1", "RegisterAccount", "Open an account with its owner", RegisterAccount{Type: domain.Consultancy, AccountDetails: details, Plan: domain.PlanBasic, FirmKind: domain.Agency, Owner: anna}, registered).by(AService),
		does("S1", "UpdateAccountDetails", "Replace what an account tells of itself", UpdateAccountDetails{consultancy, details}).by(AccountAdmin),
		does("S1", "CloseAccount", "Close an account for good", CloseAccount{consultancy}).by(AccountOwner),
		does("S2", "RecordSubscription", "Record an account's plan and how it stands with its payments", RecordSubscription{consultancy, domain.PlanPremium, domain.Current}).by(AService),

		does("S2", "ApplyForPartnership", "Ask to join the programme", ApplyForPartnership{consultancy}).by(AccountAdmin),
		does("S2", "AcceptPartnership", "Let a consultancy into the programme", AcceptPartnership{consultancy}).by(AReviewer),
		does("S2", "RejectPartnership", "Refuse an application", RejectPartnership{consultancy, "incomplete"}).by(AReviewer),
		does("S2", "WithdrawApplication", "Take an application back", WithdrawApplication{consultancy}).by(AccountAdmin),
		does("S2", "SuspendPartnership", "Take a partner's standing away for the time being", SuspendPartnership{consultancy, domain.SuspendedForBreach}).by(AReviewer, TheLedger),
		does("S2", "ReinstatePartnership", "Give a suspended partner its standing back", ReinstatePartnership{consultancy}).by(AReviewer, TheLedger),
		does("S2", "TerminatePartnership", "End a partnership", TerminatePartnership{consultancy, "terms_breached"}).by(AReviewer),

		creates("S3", "SubmitProfile", "Hand in a revision of the profile for review", SubmitProfile{consultancy, profile}, submitted).by(AccountAdmin),
		does("S3", "ApproveProfile", "Publish the latest revision of a profile", ApproveProfile{consultancy, 1}).by(AReviewer),
		does("S3", "RejectProfile", "Send the latest revision of a profile back", RejectProfile{consultancy, 1, "incomplete", "Please name your services."}).by(AReviewer),
		does("S3", "UnlistProfile", "Take the profile off the directory", UnlistProfile{consultancy}).by(AccountAdmin),
		does("S3", "RelistProfile", "Put the profile back into the directory", RelistProfile{consultancy}).by(AccountAdmin),

		creates("S4", "InviteMember", "Invite a person to an account", InviteMember{consultancy, anna, domain.RoleAccountManager}, invited).by(AccountAdmin),
		does("S4", "ResendInvitation", "Give an invitation a new term", ResendInvitation{consultancy, invitation}).by(AccountAdmin),
		does("S4", "RevokeInvitation", "Take an invitation back", RevokeInvitation{consultancy, invitation}).by(AccountAdmin),
		does("S4", "AcceptInvitation", "Join the account that invited the actor", AcceptInvitation{consultancy, invitation}).by(TheInvited),
		does("S4", "ExpireInvitation", "Record that an invitation lapsed: the clock alone may", ExpireInvitation{consultancy, invitation}).by(TheLedger),
		does("S4", "ChangeMemberRole", "Give a member another role", ChangeMemberRole{consultancy, user, domain.RoleAdministrator}).by(AccountAdmin),
		does("S4", "RemoveMember", "End a membership", RemoveMember{consultancy, user}).by(AccountAdmin, ThePerson),
		does("S4", "TransferOwnership", "Make another member the owner", TransferOwnership{consultancy, user}).by(AccountOwner),
		creates("S4", "CreateRole", "Define a role of a business's own", CreateRole{client, terms}, roleCreated).by(AccountAdmin),
		does("S4", "UpdateRole", "Change a role of a business's own", UpdateRole{client, role, terms}).by(AccountAdmin),
		does("S4", "DeleteRole", "Take a role of a business's own away", DeleteRole{client, role}).by(AccountAdmin),

		does("S5", "SendMessage", "Write to the other side", SendMessage{pair, "Do you work with shops?"}).by(ClientAdmin, ConsultancyWorker),
		does("S5", "MarkConversationRead", "Mark the conversation as read by the actor's side", MarkConversationRead{pair}).by(ClientAdmin, ConsultancyWorker),
		creates("S5", "RequestCollaboration", "Ask a consultancy to collaborate", RequestCollaboration{pair, "Please keep our books."}, requested).by(ClientAdmin),
		does("S5", "AcceptCollaboration", "Accept a client's request", AcceptCollaboration{pair}).by(ConsultancyAdmin),
		does("S5", "DeclineCollaboration", "Decline a client's request", DeclineCollaboration{pair, domain.DeclinedNoCapacity}).by(ConsultancyAdmin, TheLedger),
		does("S5", "WithdrawRequest", "Take a request back", WithdrawRequest{pair}).by(ClientAdmin),
		does("S5", "ExpireRequest", "Record that a request lapsed: the clock alone may", ExpireRequest{pair}).by(TheLedger),
		does("S5", "BlockClient", "Keep a client from writing and asking", BlockClient{pair}).by(ConsultancyAdmin),
		does("S5", "UnblockClient", "Let a client write and ask again", UnblockClient{pair}).by(ConsultancyAdmin),

		does("S6", "RequestAccess", "Ask the client for access to its account", RequestAccess{pair, domain.RoleFinance, "Monthly closing"}).by(ConsultancyWorker),
		creates("S6", "GrantAccess", "Grant a consultancy access to the client's account", GrantAccess{pair, GrantTerms{domain.RoleFinance, &due}}, granted).by(ClientAdmin),
		does("S6", "ChangeAccess", "Give the live grant another role or end", ChangeAccess{pair, GrantTerms{domain.RoleSales, &due}}).by(ClientAdmin),
		does("S6", "ExtendAccess", "Give the live grant a later end", ExtendAccess{pair, due}).by(ClientAdmin),
		does("S6", "AttestAccess", "Confirm that the live grant is still as it should be", AttestAccess{pair}).by(ClientAdmin),
		does("S6", "SuspendAccess", "Take the access away until the client resumes it", SuspendAccess{pair}).by(ClientAdmin, ConsultancyAdmin),
		does("S6", "ResumeAccess", "Give a suspended grant back", ResumeAccess{pair}).by(ClientAdmin),
		does("S6", "RevokeAccess", "Take the access away", RevokeAccess{pair}).by(ClientAdmin, ConsultancyAdmin),
		does("S6", "ExpireAccess", "Record that a grant reached its end: the clock alone may", ExpireAccess{pair}).by(TheLedger),
		does("S6", "RemindGrantEnds", "Remind the client of a grant's end: the clock alone may", RemindGrantEnds{pair}).by(TheLedger),

		does("S7", "ConfigureKPINotifications", "Choose the KPIs to be told of", ConfigureKPINotifications{pair, []domain.Section{domain.Sales, domain.Banking}}).by(ConsultancyWorker),
		does("S7", "MarkNotificationsRead", "Mark one's own notifications as read; ours, for the guide has no list of them", MarkNotificationsRead{42}).by(AMember),

		does("S8", "AssignAccountManagers", "Put people in charge of a client", AssignAccountManagers{pair, []uuid.UUID{user}}).by(ConsultancyAdmin),
		does("S8", "UnassignAccountManager", "End a person's charge of a client", UnassignAccountManager{pair, user}).by(ConsultancyAdmin, TheLedger),

		creates("S9", "OpenClientAccount", "Log in to a client's account", OpenClientAccount{pair, "Monthly closing"}, opened).by(ConsultancyWorker),
		does("S9", "CloseClientAccount", "End a log-in to a client's account", CloseClientAccount{session}).by(ThePerson, ClientAdmin, ConsultancyAdmin, TheLedger),
		does("S9", "ExpireSession", "Record that a log-in reached its end: the clock alone may", ExpireSession{session}).by(TheLedger),

		creates("S10", "RaiseTask", "Raise a pending activity of a client", task, taskRaised).by(AService, ClientEditor),
		does("S10", "CompleteTask", "Complete a pending activity", CompleteTask{domain.TaskID(client, "erp-4711")}).by(ClientEditor, ConsultancyWorker),
		does("S10", "CancelTask", "Cancel a pending activity", CancelTask{domain.TaskID(client, "erp-4711")}).by(AService, ClientEditor),
		does("S10", "ReopenTask", "Make a completed activity pending again", ReopenTask{domain.TaskID(client, "erp-4711")}).by(AService, ClientEditor),

		does("S11", "EndCollaboration", "End a collaboration, and with it all access", EndCollaboration{pair, "We found somebody nearer."}).by(ClientAdmin, ConsultancyAdmin, TheLedger),

		creates(WebhookStep, "RegisterWebhook", "Send events to a downstream service from here on", RegisterWebhook{&client, hook}, webhookRegistered).by(AccountAdmin, AService),
		does(WebhookStep, "ChangeWebhook", "Send other events, or to another place", ChangeWebhook{webhook, hook}).by(AccountAdmin, AService),
		creates(WebhookStep, "RotateWebhookSecret", "Give a webhook another secret", RotateWebhookSecret{webhook}, secretRotated).by(AccountAdmin, AService),
		does(WebhookStep, "PauseWebhook", "Hold deliveries back", PauseWebhook{webhook}).by(AccountAdmin, AService, TheLedger),
		does(WebhookStep, "ResumeWebhook", "Let deliveries go on with what has waited", ResumeWebhook{webhook}).by(AccountAdmin, AService),
		does(WebhookStep, "DeleteWebhook", "End a subscription to events", DeleteWebhook{webhook}).by(AccountAdmin, AService),
		does(WebhookStep, "ReplayWebhook", "Send one event again", ReplayWebhook{webhook, 42}).by(AccountAdmin, AService),
	}
}
