package domain_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/collabledger/collabledger/domain"
)

// TestPredefinedRoles is the table of what each predefined role of a business may do, written out once more.
func TestPredefinedRoles(t *testing.T) {
	all := "sales expenses banking inbox contacts journal inventory team payroll projects crm"
	for role, want := range map[domain.Role]struct{ edit, read string }{
		domain.RoleOwner:         {edit: all},
		domain.RoleAdministrator: {edit: all},
		domain.RoleFinance:       {edit: "sales expenses banking inbox contacts journal projects"},
		domain.RoleSales:         {edit: "sales contacts", read: "banking"},
		domain.RoleInventory:     {edit: "inventory contacts"},
		domain.RoleHR:            {edit: "team payroll projects"},
		domain.RoleProjects:      {edit: "projects"},
		domain.RoleCRM:           {edit: "crm"},
	} {
		t.Run(string(role), func(t *testing.T) {
			permissions, version, ok := (&domain.Account{Type: domain.Business}).RoleOf(role)
			require.True(t, ok)
			require.Equal(t, domain.PredefinedRoleVersion, version)
			expected := domain.Permissions{}
			for _, section := range sections(want.edit) {
				expected[section] = domain.Edit
			}
			for _, section := range sections(want.read) {
				expected[section] = domain.Read
			}
			require.Equal(t, expected, permissions)
		})
	}
}

// sections reads a list of words.
func sections(words string) []domain.Section {
	list := []domain.Section{}
	for word := range strings.FieldsSeq(words) {
		list = append(list, domain.Section(word))
	}
	return list
}

func TestRolesThatAnAccountLacks(t *testing.T) {
	business := &domain.Account{Type: domain.Business, Roles: map[domain.Role]domain.CustomRole{
		"r1": {RoleID: "r1", Permissions: domain.Permissions{domain.Journal: domain.Read}, Version: 4},
	}}
	consultancy := &domain.Account{Type: domain.Consultancy}
	for name, test := range map[string]struct {
		account *domain.Account
		role    domain.Role
		ok      bool
	}{
		"a custom role of the account":          {business, "r1", true},
		"an unknown role":                       {business, "r2", false},
		"account managers are of consultancies": {business, domain.RoleAccountManager, false},
		"the empty role":                        {business, "", false},
		"a business's role in a consultancy":    {consultancy, domain.RoleFinance, false},
	} {
		t.Run(name, func(t *testing.T) {
			permissions, version, ok := test.account.RoleOf(test.role)
			require.Equal(t, test.ok, ok)
			if ok {
				require.Equal(t, domain.Permissions{domain.Journal: domain.Read}, permissions)
				require.Equal(t, 4, version)
			} else {
				require.Empty(t, permissions)
			}
		})
	}
}

// TestPredefinedTableCannotBeChangedFromOutside: what is pinned in one grant must not leak into another.
func TestPredefinedTableCannotBeChangedFromOutside(t *testing.T) {
	business := &domain.Account{Type: domain.Business}
	permissions, _, _ := business.RoleOf(domain.RoleCRM)
	permissions[domain.Payroll] = domain.Edit
	again, _, _ := business.RoleOf(domain.RoleCRM)
	require.Equal(t, domain.Permissions{domain.CRM: domain.Edit}, again)
}

// TestPlans is the table of what each plan includes, written out once more.
func TestPlans(t *testing.T) {
	for plan, want := range map[domain.Plan]struct {
		sections string
		custom   bool
	}{
		domain.PlanFree:     {"sales expenses contacts inbox", false},
		domain.PlanBasic:    {"sales expenses contacts inbox banking journal", false},
		domain.PlanStandard: {"sales expenses contacts inbox banking journal projects crm", false},
		domain.PlanAdvanced: {"sales expenses contacts inbox banking journal projects crm inventory", true},
		domain.PlanPremium:  {"sales expenses contacts inbox banking journal projects crm inventory team payroll", true},
	} {
		t.Run(string(plan), func(t *testing.T) {
			require.ElementsMatch(t, sections(want.sections), plan.Sections())
			require.Equal(t, want.custom, plan.HasCustomRoles())
		})
	}
}

func TestSectionLists(t *testing.T) {
	require.Equal(t, sections("sales expenses banking inbox contacts journal inventory team payroll projects crm"), domain.Sections())
	require.Equal(t, sections("sales expenses banking inbox contacts journal"), domain.TaskSections())
	require.ElementsMatch(t, domain.Sections(), domain.PlanPremium.Sections(), "the largest plan has every section")
}

func TestLevelsIncludeTheOnesBefore(t *testing.T) {
	for _, test := range []struct {
		has              domain.Level
		none, read, edit bool
	}{
		{"", true, false, false},
		{domain.None, true, false, false},
		{domain.Read, true, true, false},
		{domain.Edit, true, true, true},
		{"admin", true, false, false}, // an unknown level permits nothing
	} {
		permissions := domain.Permissions{domain.Sales: test.has}
		require.Equal(t, test.none, permissions.Includes(domain.Sales, domain.None), "%q includes none", test.has)
		require.Equal(t, test.read, permissions.Includes(domain.Sales, domain.Read), "%q includes read", test.has)
		require.Equal(t, test.edit, permissions.Includes(domain.Sales, domain.Edit), "%q includes edit", test.has)
	}
	require.False(t, domain.Permissions(nil).Includes(domain.Sales, domain.Read))
}

var randomPermissions = rapid.MapOf(
	rapid.SampledFrom(domain.Sections()),
	rapid.SampledFrom([]domain.Level{domain.None, domain.Read, domain.Edit}))

// TestWithinNeverWidens: cutting permissions down to a plan gives what both permit, and nothing else.
func TestWithinNeverWidens(t *testing.T) {
	plans := []domain.Plan{domain.PlanFree, domain.PlanBasic, domain.PlanStandard, domain.PlanAdvanced, domain.PlanPremium}
	rapid.Check(t, func(t *rapid.T) {
		before := domain.Permissions(randomPermissions.Draw(t, "permissions"))
		plan := rapid.SampledFrom(plans).Draw(t, "plan")
		cut := before.Within(plan.Sections())
		for _, section := range domain.Sections() {
			for _, level := range []domain.Level{domain.Read, domain.Edit} {
				require.Equal(t, before.Includes(section, level) && slices.Contains(plan.Sections(), section), cut.Includes(section, level))
			}
		}
		require.Len(t, cut, len(cut.Sections()), "nothing in it permits nothing")
	})
}

// TestEqualIsAboutWhatIsPermitted: a section with level none is as good as a section left out.
func TestEqualIsAboutWhatIsPermitted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := domain.Permissions(randomPermissions.Draw(t, "a")), domain.Permissions(randomPermissions.Draw(t, "b"))
		same := true
		for _, section := range domain.Sections() {
			for _, level := range []domain.Level{domain.Read, domain.Edit} {
				same = same && a.Includes(section, level) == b.Includes(section, level)
			}
		}
		require.Equal(t, same, a.Equal(b))
		require.True(t, a.Equal(a.Within(domain.Sections())))
	})
	require.True(t, domain.Permissions{domain.Sales: domain.None}.Equal(domain.Permissions{}))
}

func TestVisibleSectionsComeInTheOrderOfSections(t *testing.T) {
	permissions := domain.Permissions{domain.CRM: domain.Read, domain.Sales: domain.Edit, domain.Banking: domain.None}
	require.Equal(t, []domain.Section{domain.Sales, domain.CRM}, permissions.Sections())
	require.Equal(t, []domain.Section{}, domain.Permissions(nil).Sections())
}
