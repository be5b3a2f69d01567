package demo

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/internal/term"
	"github.com/collabledger/collabledger/projections"
)

// createAccounts is step 1: two consultancies and three clients register. A command is done once, however often it is sent.
func createAccounts(s *stage) {
	table := term.NewTable("ACCOUNT", "TYPE", "PLAN", "OWNER", "ID")
	for i, firm := range s.cast.firms() {
		answer := s.does(s.cast.billing, firm.details, "AccountRegistered")
		created := result[commands.AccountResult](s, answer)
		firm.owner.account, firm.owner.user = created.AccountID, created.OwnerUserID
		if i == 0 {
			s.repeats(s.cast.billing, firm.details, answer)
			changed := firm.details
			changed.TradeName = "Vidal & Roca"
			s.reuses(s.cast.billing, changed, answer)
			changed.Email, changed.Country = "hola(at)vidal.example", "España"
			s.refused(s.cast.billing, changed, http.StatusBadRequest, "invalid")
		}
		account := ask[domain.Account](s, s.ledger, "/v1/accounts/"+firm.id().String(), nil)
		table.Row(account.Details.TradeName, account.Type, account.Plan, account.Members[firm.owner.user].Name, short(account.ID))
	}
	for _, member := range []*person{&s.cast.marc, &s.cast.nuria, &s.cast.inigo} {
		member.account = s.cast.vidal.id()
	}
	s.show("Accounts", table)
}

// apply is step 2: the preconditions are checked when somebody applies, and again when they are accepted.
func apply(s *stage) {
	c := s.cast
	vidal := commands.ApplyForPartnership{ConsultancyID: c.vidal.id()}
	norte := commands.ApplyForPartnership{ConsultancyID: c.norte.id()}
	s.does(c.vidal.owner, vidal, "PartnershipApplied")
	s.refused(c.vidal.owner, commands.AcceptPartnership(vidal), http.StatusForbidden, "reviewer_required")
	s.does(c.reviewer, commands.AcceptPartnership(vidal), "PartnershipAccepted")

	subscription := commands.RecordSubscription{AccountID: c.norte.id(), Plan: c.norte.details.Plan, Status: domain.PastDue}
	s.does(c.billing, subscription, "SubscriptionRecorded")
	s.refused(c.norte.owner, norte, http.StatusUnprocessableEntity, "subscription_not_current")
	subscription.Status = domain.Current
	s.does(c.billing, subscription, "SubscriptionRecorded")
	s.does(c.norte.owner, norte, "PartnershipApplied")
	s.does(c.reviewer, commands.AcceptPartnership(norte), "PartnershipAccepted")

	table := term.NewTable("CONSULTANCY", "FIRM", "PARTNERSHIP")
	for _, firm := range []*firm{c.vidal, c.norte} {
		partnership := ask[domain.Partnership](s, s.ledger, "/v1/partnerships/"+firm.id().String(), nil)
		table.Row(firm.name(), firm.details.FirmKind, partnership.Status)
	}
	s.show("The programme", table)
}

// completeProfile is step 3: each revision is reviewed, only the latest one can be, and only an approved one is listed.
func completeProfile(s *stage) {
	c := s.cast
	vidal := commands.SubmitProfile{ConsultancyID: c.vidal.id(), Profile: domain.Profile{
		DisplayName: "Vidal Asesoría", Description: "Números claros.", Services: []string{"bookkeeping"}, Specialties: []string{},
		Languages: []string{"es", "ca"}, Country: "ES", City: "Barcelona", ContactEmail: "hola@vidal.example",
	}}
	first := result[commands.RevisionResult](s, s.does(c.vidal.owner, vidal, "ProfileSubmitted"))
	s.refused(c.espiga.owner, commands.SendMessage{PairFields: c.with(c.espiga), Body: "¿Están ahí?"}, http.StatusUnprocessableEntity, "consultancy_not_listed")
	s.does(c.reviewer, commands.RejectProfile{ConsultancyID: c.vidal.id(), Revision: first.Revision, ReasonCode: "incomplete", Note: "Please tell for whom you work."}, "ProfileRejected")
	vidal.Description = "Contabilidad e impuestos para comercios y hostelería, con el cierre mensual el día 5."
	vidal.Services = []string{"bookkeeping", "taxes", "payroll"}
	vidal.Specialties, vidal.Website = []string{"retail", "hospitality"}, "https://vidal.example"
	second := result[commands.RevisionResult](s, s.does(c.vidal.owner, vidal, "ProfileSubmitted"))
	s.refused(c.reviewer, commands.ApproveProfile{ConsultancyID: c.vidal.id(), Revision: first.Revision}, http.StatusUnprocessableEntity, "stale_revision")
	s.does(c.reviewer, commands.ApproveProfile{ConsultancyID: c.vidal.id(), Revision: second.Revision}, "ProfileApproved")

	norte := result[commands.RevisionResult](s, s.does(c.norte.owner, commands.SubmitProfile{ConsultancyID: c.norte.id(), Profile: domain.Profile{
		DisplayName: "Norte Gestoría", Description: "Gestoría de barrio para autónomos.", Services: []string{"bookkeeping", "filings"},
		Specialties: []string{"freelancers"}, Languages: []string{"es", "eu"}, Country: "ES", City: "Bilbao", ContactEmail: "info@norte.example",
	}}, "ProfileSubmitted"))
	waiting := ask[projections.Page[projections.ProfileReviewItem]](s, s.as(c.reviewer), "/v1/reviews/profiles", nil)
	reviews := term.NewTable("CONSULTANCY", "REVISION", "CHANGES")
	for _, item := range waiting.Items {
		var changed []string
		for _, change := range item.Changes {
			changed = append(changed, change.Field)
		}
		reviews.Row(item.ConsultancyName, item.Revision, strings.Join(changed, ", "))
	}
	s.show("Profiles that wait for a reviewer", reviews)
	s.does(c.reviewer, commands.ApproveProfile{ConsultancyID: c.norte.id(), Revision: norte.Revision}, "ProfileApproved")

	listed := ask[projections.Page[projections.DirectoryItem]](s, s.public, "/v1/directory", nil)
	table := term.NewTable("CONSULTANCY", "CITY", "SERVICES", "LANGUAGES", "REVISION")
	for _, item := range listed.Items {
		table.Row(item.DisplayName, item.City, strings.Join(item.Services, ", "), strings.Join(item.Languages, ", "), item.Revision)
	}
	s.show("The directory, as the public sees it", table)
	found := ask[projections.Page[projections.DirectoryItem]](s, s.public, "/v1/directory", url.Values{"q": {"ASESORIA comercios"}})
	names := []string{}
	for _, item := range found.Items {
		names = append(names, item.DisplayName)
	}
	s.holds("searching it for “ASESORIA comercios” finds Vidal Asesoría and nobody else", []string{c.vidal.name()}, names)
}

// assignRoles is step 4: people join by invitation, with one role each.
func assignRoles(s *stage) {
	c := s.cast
	invite := func(member *person, role domain.Role) commands.AcceptInvitation {
		created := result[commands.InvitationResult](s, s.does(c.vidal.owner, commands.InviteMember{
			AccountID: c.vidal.id(), NewPerson: commands.NewPerson{Name: member.name, Email: member.email}, Role: role,
		}, "MemberInvited"))
		member.user = created.UserID
		return commands.AcceptInvitation{AccountID: c.vidal.id(), InvitationID: created.InvitationID}
	}
	s.does(c.marc, invite(&c.marc, domain.RoleAdministrator), "MemberJoined")
	s.does(c.nuria, invite(&c.nuria, domain.RoleAccountManager), "MemberJoined")
	inigo := invite(&c.inigo, domain.RoleAccountManager)
	s.refused(c.nuria, inigo, http.StatusForbidden, "not_the_invited")
	s.does(c.inigo, inigo, "MemberJoined")
	s.refused(c.nuria, commands.ChangeMemberRole{AccountID: c.vidal.id(), UserID: c.nuria.user, Role: domain.RoleAdministrator}, http.StatusForbidden, "role_not_sufficient")

	account := ask[domain.Account](s, s.as(c.vidal.owner), "/v1/accounts/"+c.vidal.id().String(), nil)
	table := term.NewTable("MEMBER", "ROLE", "E-MAIL")
	for _, member := range []person{c.vidal.owner, c.marc, c.nuria, c.inigo} {
		known := account.Members[member.user]
		table.Row(known.Name, known.Role, known.Email)
	}
	s.show("People of Vidal Asesoría", table)
}
