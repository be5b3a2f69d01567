package journeys

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

// pair draws a consultancy and a client, mostly.
func (d drawer) pair() commands.PairFields {
	switch {
	case d.mostly(rightPair):
		return commands.PairFields{ConsultancyID: d.firms[0], ClientID: d.shops[0]}
	case d.mostly(rightField):
		return commands.PairFields{ConsultancyID: pick(d, d.firms...), ClientID: pick(d, d.shops...)}
	}
	return commands.PairFields{ConsultancyID: pick(d, append(d.all(), nowhere)...), ClientID: pick(d, append(d.all(), nowhere)...)}
}

// nowhere is the id of nothing.
var nowhere = uuid.MustParse("0192f3c4-0000-7000-8000-00000000ffff")

func (d drawer) firm() uuid.UUID {
	switch {
	case d.mostly(halfTheTime):
		return d.firms[0]
	case d.mostly(rightField):
		return pick(d, d.firms...)
	}
	return pick(d, append(d.all(), nowhere)...)
}

func (d drawer) shop() uuid.UUID {
	switch {
	case d.mostly(halfTheTime):
		return d.shops[0]
	case d.mostly(rightField):
		return pick(d, d.shops...)
	}
	return pick(d, append(d.all(), nowhere)...)
}

func (d drawer) account() uuid.UUID {
	return pick(d, append(d.all(), d.firms[0], d.shops[0], nowhere)...)
}

// invitation draws an account and one of the invitations that were ever made, mostly into that account.
func (d drawer) invitation() (account, invitation uuid.UUID) {
	if len(d.invited) == 0 || !d.mostly(rightField) {
		return d.account(), nowhere
	}
	i := pick(d, d.invited...)
	return i.account, i.id
}

// user draws somebody, mostly of an account.
func (d drawer) user(of uuid.UUID) uuid.UUID {
	if len(d.people[of]) > 0 && d.mostly(rightField) {
		return pick(d, d.people[of]...)
	}
	return pick(d, append(slices.Clone(d.people[pick(d, d.all()...)]), nowhere)...)
}

// role draws a role that an account may know.
func (d drawer) role(of uuid.UUID) domain.Role {
	if a := d.accounts[of]; a != nil && a.firm && d.mostly(rightField) {
		return pick(d, domain.RoleAccountManager, domain.RoleAdministrator)
	}
	if len(d.custom[of]) > 0 && d.mostly(halfTheTime) {
		return d.ownRole(of)
	}
	return pick(d, domain.RoleFinance, domain.RoleAdministrator, domain.RoleSales, domain.RoleHR, domain.RoleCRM, domain.RoleInventory, domain.RoleProjects, domain.RoleOwner, domain.RoleAccountManager)
}

// ownRole draws a role of an account's own, or one that nobody has.
func (d drawer) ownRole(of uuid.UUID) domain.Role {
	if len(d.custom[of]) > 0 && d.mostly(rightField) {
		return pick(d, d.custom[of]...)
	}
	return domain.Role(nowhere.String())
}

// until draws the end of a grant: mostly one to come, sometimes none, now, past or too far, and told in another zone.
func (d drawer) until() time.Time {
	at := d.clock.Add(pick(d, 72*time.Hour, time.Hour, time.Minute, 8*24*time.Hour, 31*24*time.Hour, longestGrant, longestGrant+time.Microsecond, 0, -time.Hour, time.Microsecond))
	return at.In(pick(d, time.UTC, time.FixedZone("", 2*60*60), time.FixedZone("", 60*60)))
}

func (d drawer) terms(of uuid.UUID) commands.GrantTerms {
	terms := commands.GrantTerms{RoleID: d.role(of)}
	if d.mostly(halfTheTime) {
		until := d.until()
		terms.ExpiresAt = &until
	}
	return terms
}

func (d drawer) roleTerms() commands.RoleTerms {
	terms := commands.RoleTerms{Name: pick(d, "Month end", "MONTH END", "Stock"), Permissions: domain.Permissions{}}
	terms.Permissions[pick(d, domain.Journal, domain.Sales, domain.Team)] = pick(d, domain.Edit, domain.Read)
	if section := pick(d, domain.Banking, domain.Sales, domain.CRM); terms.Permissions[section] == "" {
		terms.Permissions[section] = pick(d, domain.None, domain.Read, domain.Edit)
	}
	return terms
}

var (
	details = domain.AccountDetails{LegalName: "Example S.L.", TradeName: "Example", TaxID: "B12345678", Country: "ES", Email: "hola@example.com", Phone: "+34 931 234 567"}
	profile = domain.Profile{DisplayName: "Example", Description: "Books for shops.", Services: []string{"bookkeeping"}, Specialties: []string{}, Languages: []string{"es"}, Country: "ES", City: "Girona", ContactEmail: "hola@example.com"}
)

func (d drawer) plan() domain.Plan {
	return pick(d, domain.PlanPremium, domain.PlanAdvanced, domain.PlanStandard, domain.PlanBasic, domain.PlanFree)
}

// newPerson draws a person by address: one of a few, some of whom are known in other letters, and Dana, who may be in several firms.
func (d drawer) newPerson() commands.NewPerson {
	name := pick(d, "bob", "cat", "dan", "BOB", "dana")
	return commands.NewPerson{Name: name, Email: name + "@example.com"}
}

func (d drawer) session() uuid.UUID {
	if len(d.opened) == 0 || !d.mostly(rightField) {
		return nowhere
	}
	return pick(d, d.opened...)
}

func (d drawer) task() uuid.UUID {
	return domain.TaskID(pick(d, append([]uuid.UUID{d.shops[0]}, d.shops...)...), pick(d, "erp-1", "erp-2"))
}

func (d drawer) raise() commands.RaiseTask {
	c := commands.RaiseTask{
		ClientID: d.shop(), Section: pick(d, domain.Sales, domain.Journal, domain.Banking), Title: pick(d, "Categorise", "Categorise", "Reconcile"),
		ExternalRef: pick(d, "erp-1", "erp-2"), GoTo: "https://app.example/1",
	}
	if d.mostly(20) {
		due := d.start.Add(24 * time.Hour)
		c.DueAt = &due
	}
	return c
}
