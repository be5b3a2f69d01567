package commands

import (
	"testing"
	"time"

	"github.com/collabledger/collabledger/domain"
)

func TestTaskCommands(t *testing.T) { run(t, taskScenarios()) }

var (
	dueAt    = noon.Add(72 * time.Hour)
	invoices = domain.TaskRaised{TaskID: domain.TaskID(shopID, "erp-1"), ClientID: shopID, Section: domain.Sales, Title: "Categorise 3 invoices", ExternalRef: "erp-1", GoTo: "https://app.example/sales/1", DueAt: dueAt}
	payslips = domain.TaskRaised{TaskID: domain.TaskID(shopID, "erp-2"), ClientID: shopID, Section: domain.Journal, Title: "Post the payroll", ExternalRef: "erp-2", GoTo: "https://app.example/journal/2"}
)

// raise is the command that raises a task.
func raise(task domain.TaskRaised) RaiseTask {
	c := RaiseTask{ClientID: task.ClientID, Section: task.Section, Title: task.Title, ExternalRef: task.ExternalRef, GoTo: task.GoTo}
	if !task.DueAt.IsZero() {
		c.DueAt = &task.DueAt
	}
	return c
}

func completed(task domain.TaskRaised) domain.TaskCompleted {
	return domain.TaskCompleted{TaskID: task.TaskID, ClientID: task.ClientID, Section: task.Section}
}

func completedByFirm(task domain.TaskRaised) domain.TaskCompleted {
	e := completed(task)
	e.ConsultancyID, e.GrantID = firmID, grantID
	return e
}

func taskScenarios() []scenario {
	renamed, moved := invoices, invoices
	renamed.Title, moved.DueAt = "Something else", dueAt.Add(time.Microsecond)
	raisedByShop := TaskResult{TaskID: invoices.TaskID}
	complete := CompleteTask{TaskID: invoices.TaskID}
	cancel, reopen := CancelTask{TaskID: invoices.TaskID}, ReopenTask{TaskID: invoices.TaskID}
	cancelled := domain.TaskCancelled{TaskID: invoices.TaskID, ClientID: shopID, Section: domain.Sales}
	reopened := domain.TaskReopened{TaskID: invoices.TaskID, ClientID: shopID, Section: domain.Sales}
	salesGrant := financeGrant
	salesGrant.RoleID, salesGrant.Permissions = domain.RoleSales, salesMay
	return []scenario{
		{"a service raises one", shop, by(billing, raise(invoices)), raises(invoices).and(raisedByShop)},
		{"without a due date", shop, by(billing, raise(payslips)), raises(payslips).and(TaskResult{TaskID: payslips.TaskID})},
		{"a client's user who may edit the section", shop, by(shopFinance, raise(invoices)), raises(invoices).and(raisedByShop)},
		{"the due date in another zone", shop,
			byJSON(billing, "RaiseTask", `{"clientId":"`+shopID.String()+`","section":"sales","title":"Categorise 3 invoices","externalRef":"erp-1","goTo":"https://app.example/sales/1","dueAt":"2026-03-05T14:00:00+02:00"}`),
			raises(invoices).and(raisedByShop)},
		{"the same reference again is the same task", history(shop, invoices), by(billing, raise(invoices)), nothing().and(raisedByShop)},
		{"the same reference again, once it is completed", history(shop, invoices, completed(invoices)), by(billing, raise(invoices)), nothing().and(raisedByShop)},
		{"the same reference with another title", history(shop, invoices), by(billing, raise(renamed)), refuses("external_ref_reused", "pending")},
		{"the same reference with another due date", history(shop, invoices, completed(invoices)), by(billing, raise(moved)), refuses("external_ref_reused", "completed")},
		{"the same reference again, once it is cancelled", history(shop, invoices, cancelled), by(billing, raise(invoices)), nothing().and(raisedByShop)},
		{"for a client that has closed its account", history(shop, shopClosed), by(billing, raise(invoices)), refuses("account_closed", "closed")},
		{"an unknown client", nil, by(stranger, raise(invoices)), misses("client_not_found")},
		{"a consultancy is no client", firm, by(billing, RaiseTask{ClientID: firmID, Section: domain.Sales, Title: "t", ExternalRef: "r", GoTo: "https://app.example"}), misses("client_not_found")},
		{"a client's user who may not edit the section", shop, by(shopHR, raise(invoices)), forbids("role_not_sufficient")},
		{"a consultancy's user", inside, by(firmOwner, raise(invoices)), forbids("not_a_member")},
		{"a reviewer", shop, by(maria, raise(invoices)), forbids("member_required")},

		{"a client's user", history(shop, invoices), by(shopFinance, complete), raises(completed(invoices))},
		{"the client's owner", history(shop, invoices), by(shopOwner, complete), raises(completed(invoices))},
		{"an assigned account manager", history(inside, invoices), by(firmManager, complete), raises(completedByFirm(invoices))},
		{"an administrator of the consultancy without assignment", history(inside, invoices), by(firmAdmin, complete), raises(completedByFirm(invoices))},
		{"the owner of the consultancy without assignment", history(inside, invoices), by(firmOwner, complete), raises(completedByFirm(invoices))},
		{"until the last microsecond of the grant", history(active, until(noon.Add(time.Microsecond)), invoices), by(firmOwner, complete), raises(completedByFirm(invoices))},
		{"an unknown task", inside, by(firmOwner, complete), misses("task_not_found")},
		{"a stranger learns nothing of it", history(inside, invoices), by(stranger, complete), misses("task_not_found")},
		{"a consultancy without history with the client", history(market, invoices), by(firmOwner, complete), misses("task_not_found")},
		{"a client's user who may not edit the section", history(shop, invoices), by(shopHR, complete), forbids("role_not_sufficient")},
		{"a service", history(shop, invoices), by(billing, complete), forbids("member_required")},
		{"a former user of the client", history(shop, invoices, domain.MemberRemoved{AccountID: shopID, UserID: shopFinance.UserID}), by(shopFinance, complete), forbids("not_a_member")},
		{"an account manager without assignment", history(inside, invoices), by(firmSpare, complete), forbids("not_assigned")},
		{"a former account manager", history(inside, invoices, domain.MemberRemoved{AccountID: firmID, UserID: firmManager.UserID}), by(firmManager, complete), forbids("not_a_member")},
		{"before the request is accepted", history(pending, invoices), by(firmOwner, complete), refuses("collaboration_not_active", "pending")},
		{"after the collaboration ended", history(ended, invoices), by(firmOwner, complete), refuses("collaboration_not_active", "ended")},
		{"without standing", history(inside, notInStanding, invoices), by(firmOwner, complete), refuses("partnership_not_in_standing", "suspended")},
		{"without a grant", history(active, invoices), by(firmOwner, complete), refuses("no_live_grant", "none")},
		{"at the grant's end", history(active, until(noon), invoices), by(firmOwner, complete), refuses("no_live_grant", "expired")},
		{"after the grant was revoked", history(inside, domain.AccessRevoked{Pair: firmAndShop, GrantID: grantID, AccessEpoch: 2}, invoices), by(firmOwner, complete), refuses("no_live_grant", "revoked")},
		{"in a section outside the grant", history(active, salesGrant, payslips), by(firmOwner, CompleteTask{TaskID: payslips.TaskID}), refuses("section_not_granted", "granted")},
		{"in a section that the client's plan has no more", history(inside, subscribed(shopOwner, domain.PlanFree), payslips), by(firmOwner, CompleteTask{TaskID: payslips.TaskID}), refuses("section_not_granted", "granted")},
		{"completed already, by the client", history(inside, invoices, completed(invoices)), by(firmOwner, complete), refuses("task_not_pending", "completed")},
		{"while the grant is suspended", history(inside, suspended, invoices), by(firmOwner, complete), refuses("no_live_grant", "suspended")},
		{"once the grant is resumed", history(inside, suspended, resumed, invoices), by(firmOwner, complete), raises(completedByFirm(invoices))},
		{"the consultancy has closed its account", history(inside, invoices, firmClosed), by(firmOwner, complete), refuses("account_closed", "closed")},
		{"a consultancy's user, for a client that has closed its account", history(inside, invoices, shopClosed), by(firmManager, complete), refuses("account_closed", "closed")},
		{"a client that has closed its account", history(shop, invoices, shopClosed), by(shopOwner, complete), refuses("account_closed", "closed")},
		{"one that was reopened", history(inside, invoices, completed(invoices), reopened), by(firmOwner, complete), raises(completedByFirm(invoices))},
		{"one that was cancelled", history(inside, invoices, cancelled), by(firmOwner, complete), refuses("task_not_pending", "cancelled")},
		{"completed already, by the consultancy", history(inside, invoices, completedByFirm(invoices)), by(shopOwner, complete), refuses("task_not_pending", "completed")},

		{"a service", history(shop, invoices), by(billing, cancel), raises(cancelled)},
		{"a client's user who may edit the section", history(shop, invoices), by(shopFinance, cancel), raises(cancelled)},
		{"one that was reopened", history(shop, invoices, completed(invoices), reopened), by(shopOwner, cancel), raises(cancelled)},
		{"an unknown task", shop, by(billing, cancel), misses("task_not_found")},
		{"a client's user who may not edit the section", history(shop, invoices), by(shopHR, cancel), forbids("role_not_sufficient")},
		{"a consultancy's user with access", history(inside, invoices), by(firmOwner, cancel), forbids("not_a_member")},
		{"a reviewer", history(shop, invoices), by(maria, cancel), forbids("member_required")},
		{"the clock", history(shop, invoices), by(clock, cancel), forbids("member_required")},
		{"of a client that has closed its account", history(shop, invoices, shopClosed), by(billing, cancel), refuses("account_closed", "closed")},
		{"one that is completed", history(shop, invoices, completed(invoices)), by(billing, cancel), refuses("task_not_pending", "completed")},
		{"twice", history(shop, invoices, cancelled), by(shopOwner, cancel), refuses("task_not_pending", "cancelled")},

		{"a service", history(shop, invoices, completed(invoices)), by(billing, reopen), raises(reopened)},
		{"a client's user, what the consultancy completed", history(inside, invoices, completedByFirm(invoices)), by(shopFinance, reopen), raises(reopened)},
		{"a second time", history(shop, invoices, completed(invoices), reopened, completed(invoices)), by(shopOwner, reopen), raises(reopened)},
		{"an unknown task", shop, by(billing, reopen), misses("task_not_found")},
		{"a client's user who may not edit the section", history(shop, invoices, completed(invoices)), by(shopHR, reopen), forbids("role_not_sufficient")},
		{"a consultancy's user with access", history(inside, invoices, completedByFirm(invoices)), by(firmOwner, reopen), forbids("not_a_member")},
		{"of a client that has closed its account", history(shop, invoices, completed(invoices), shopClosed), by(billing, reopen), refuses("account_closed", "closed")},
		{"one that is pending", history(shop, invoices), by(billing, reopen), refuses("task_not_completed", "pending")},
		{"one that was cancelled", history(shop, invoices, cancelled), by(shopOwner, reopen), refuses("task_not_completed", "cancelled")},
	}
}
