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
		{"without standing", history(inside, notInStanding, invoices), by(firmOwner, complete), refuses("partnership_not_in_standing", "rejected")},
		{"without a grant", history(active, invoices), by(firmOwner, complete), refuses("no_live_grant", "none")},
		{"at the grant's end", history(active, until(noon), invoices), by(firmOwner, complete), refuses("no_live_grant", "expired")},
		{"after the grant was revoked", history(inside, domain.AccessRevoked{Pair: firmAndShop, GrantID: grantID, AccessEpoch: 2}, invoices), by(firmOwner, complete), refuses("no_live_grant", "revoked")},
		{"in a section outside the grant", history(active, salesGrant, payslips), by(firmOwner, CompleteTask{TaskID: payslips.TaskID}), refuses("section_not_granted", "granted")},
		{"in a section that the client's plan has no more", history(inside, subscribed(shopOwner, domain.PlanFree), payslips), by(firmOwner, CompleteTask{TaskID: payslips.TaskID}), refuses("section_not_granted", "granted")},
		{"completed already, by the client", history(inside, invoices, completed(invoices)), by(firmOwner, complete), refuses("task_not_pending", "completed")},
		{"completed already, by the consultancy", history(inside, invoices, completedByFirm(invoices)), by(shopOwner, complete), refuses("task_not_pending", "completed")},
	}
}
