package domain

import (
	"maps"
	"slices"
)

// Section is a part of a client's account. Permissions, tasks and KPIs share them.
type Section string

// The sections of an account.
const (
	Sales     Section = "sales"
	Expenses  Section = "expenses"
	Banking   Section = "banking"
	Inbox     Section = "inbox"
	Contacts  Section = "contacts"
	Journal   Section = "journal"
	Inventory Section = "inventory"
	Team      Section = "team"
	Payroll   Section = "payroll"
	Projects  Section = "projects"
	CRM       Section = "crm"
)

// Sections lists every section, in the order in which people see them.
func Sections() []Section {
	return []Section{Sales, Expenses, Banking, Inbox, Contacts, Journal, Inventory, Team, Payroll, Projects, CRM}
}

// TaskSections lists the sections that have tasks and KPIs (H: the Go to buttons); the others exist for roles only.
func TaskSections() []Section { return []Section{Sales, Expenses, Banking, Inbox, Contacts, Journal} }

// Level is how much of a section a role may use. The zero Level is none.
type Level string

// The levels, each including the one before.
const (
	None Level = "none"
	Read Level = "read"
	Edit Level = "edit"
)

// Permissions says for each section how much of it may be used; a missing section is none.
type Permissions map[Section]Level

// Includes tells whether p gives at least this level on the section.
func (p Permissions) Includes(section Section, level Level) bool {
	switch p[section] {
	case Edit:
		return true
	case Read:
		return level != Edit
	}
	return level == None
}

// Within is p cut down to the sections given: what of a grant a plan lets through.
func (p Permissions) Within(sections []Section) Permissions {
	cut := Permissions{}
	for section, level := range p {
		if level != None && slices.Contains(sections, section) {
			cut[section] = level
		}
	}
	return cut
}

// Sections lists the sections that p lets somebody see at all, in the order of Sections.
func (p Permissions) Sections() []Section {
	visible := []Section{}
	for _, section := range Sections() {
		if p.Includes(section, Read) {
			visible = append(visible, section)
		}
	}
	return visible
}

// Equal tells whether both permit the same.
func (p Permissions) Equal(other Permissions) bool {
	return maps.Equal(p.Within(Sections()), other.Within(Sections()))
}

// Role is a member's role in an account, or the role of a grant: a predefined name or a custom role's id.
type Role string

// The predefined roles.
const (
	RoleOwner          Role = "owner" // unique in its account; transferred, never assigned
	RoleAdministrator  Role = "administrator"
	RoleAccountManager Role = "account_manager" // consultancies only (S4)
	RoleFinance        Role = "finance"
	RoleSales          Role = "sales"
	RoleInventory      Role = "inventory"
	RoleHR             Role = "hr"
	RoleProjects       Role = "projects"
	RoleCRM            Role = "crm"
)

// PredefinedRoleVersion is the roleVersion of every predefined role; it rises when predefined's table changes.
const PredefinedRoleVersion = 1

// predefined is the one table of what the predefined roles of a business may do (H; where the help pages are silent, ours).
func predefined(role Role) (Permissions, bool) {
	switch role {
	case RoleOwner, RoleAdministrator:
		all := Permissions{}
		for _, section := range Sections() {
			all[section] = Edit
		}
		return all, true
	case RoleFinance:
		return Permissions{Sales: Edit, Expenses: Edit, Banking: Edit, Inbox: Edit, Contacts: Edit, Journal: Edit, Projects: Edit}, true
	case RoleSales:
		return Permissions{Sales: Edit, Contacts: Edit, Banking: Read}, true
	case RoleInventory:
		return Permissions{Inventory: Edit, Contacts: Edit}, true
	case RoleHR:
		return Permissions{Team: Edit, Payroll: Edit, Projects: Edit}, true
	case RoleProjects:
		return Permissions{Projects: Edit}, true
	case RoleCRM:
		return Permissions{CRM: Edit}, true
	}
	return nil, false
}

// Plan is what a client has subscribed to.
type Plan string

// The plans, each including the one before.
const (
	PlanFree     Plan = "free"
	PlanBasic    Plan = "basic"
	PlanStandard Plan = "standard"
	PlanAdvanced Plan = "advanced"
	PlanPremium  Plan = "premium"
)

// Sections is the one table of what a plan includes (S9: 'depending on their subscription plan').
func (p Plan) Sections() []Section {
	steps := []struct {
		plan Plan
		adds []Section
	}{
		{PlanFree, []Section{Sales, Expenses, Contacts, Inbox}},
		{PlanBasic, []Section{Banking, Journal}},
		{PlanStandard, []Section{Projects, CRM}},
		{PlanAdvanced, []Section{Inventory}},
		{PlanPremium, []Section{Team, Payroll}},
	}
	var sections []Section
	for _, step := range steps {
		sections = append(sections, step.adds...)
		if step.plan == p {
			return sections
		}
	}
	return nil // a plan that nobody knows includes nothing
}

// HasCustomRoles tells whether the plan lets an account define its own roles (H).
func (p Plan) HasCustomRoles() bool { return p == PlanAdvanced || p == PlanPremium }
