package audit

import (
	"slices"

	"github.com/collabledger/collabledger/domain"
)

// predefinedVersion is the version that grants of predefined roles tell.
const predefinedVersion = 1

// businessRole is what a predefined role of a business permits (H, and ours where the help pages are silent).
func businessRole(role domain.Role) (domain.Permissions, bool) {
	edits := map[domain.Role][]domain.Section{
		domain.RoleOwner:         sections(),
		domain.RoleAdministrator: sections(),
		domain.RoleFinance:       {domain.Sales, domain.Expenses, domain.Banking, domain.Inbox, domain.Contacts, domain.Journal, domain.Projects},
		domain.RoleSales:         {domain.Sales, domain.Contacts},
		domain.RoleInventory:     {domain.Inventory, domain.Contacts},
		domain.RoleHR:            {domain.Team, domain.Payroll, domain.Projects},
		domain.RoleProjects:      {domain.Projects},
		domain.RoleCRM:           {domain.CRM},
	}[role]
	if edits == nil {
		return nil, false
	}
	permitted := domain.Permissions{}
	for _, section := range edits {
		permitted[section] = domain.Edit
	}
	if role == domain.RoleSales {
		permitted[domain.Banking] = domain.Read
	}
	return permitted, true
}

// sections are all that an account has.
func sections() []domain.Section {
	return []domain.Section{
		domain.Sales, domain.Expenses, domain.Banking, domain.Inbox, domain.Contacts, domain.Journal,
		domain.Inventory, domain.Team, domain.Payroll, domain.Projects, domain.CRM,
	}
}

// included are the sections of a plan (S9).
func included(plan domain.Plan) []domain.Section {
	free := []domain.Section{domain.Sales, domain.Expenses, domain.Contacts, domain.Inbox}
	basic := slices.Concat(free, []domain.Section{domain.Banking, domain.Journal})
	standard := slices.Concat(basic, []domain.Section{domain.Projects, domain.CRM})
	advanced := slices.Concat(standard, []domain.Section{domain.Inventory})
	return map[domain.Plan][]domain.Section{
		domain.PlanFree: free, domain.PlanBasic: basic, domain.PlanStandard: standard, domain.PlanAdvanced: advanced, domain.PlanPremium: sections(),
	}[plan]
}

// customRoles tells whether a plan lets a business define roles of its own (H).
func customRoles(plan domain.Plan) bool {
	return plan == domain.PlanAdvanced || plan == domain.PlanPremium
}

// cut is what of permissions a plan lets through. Sections without a level are left out.
func cut(permissions domain.Permissions, plan domain.Plan) domain.Permissions {
	left := domain.Permissions{}
	for _, section := range included(plan) {
		if level := permissions[section]; level == domain.Read || level == domain.Edit {
			left[section] = level
		}
	}
	return left
}

// same tells whether two permit the same.
func same(a, b domain.Permissions) bool {
	for _, section := range sections() {
		if level(a, section) != level(b, section) {
			return false
		}
	}
	return true
}

func level(p domain.Permissions, section domain.Section) domain.Level {
	if p[section] == "" {
		return domain.None
	}
	return p[section]
}
