package demo

import (
	"github.com/google/uuid"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

// person is somebody who acts. Without an account it is the platform itself: billing, a reviewer, or a client's ERP connector,
// for all of whom the operator's key speaks.
type person struct {
	name, firm, email string
	account, user     uuid.UUID
}

func (p person) String() string { return p.name + " · " + p.firm }

// firm is an account with its owner.
type firm struct {
	details commands.RegisterAccount
	owner   person
}

func (f *firm) id() uuid.UUID { return f.owner.account }

func (f *firm) name() string { return f.details.TradeName }

// cast is everybody in the play: a consultancy with its people, a second consultancy, and three clients.
type cast struct {
	vidal, norte          *firm
	espiga, nunez, artico *firm

	marc, nuria, inigo person // of Vidal

	billing, reviewer, connector, ledger person
}

func newCast() *cast {
	at := func(email, phone string) domain.AccountDetails {
		return domain.AccountDetails{Country: "ES", Email: email, Phone: phone}
	}
	member := func(name, email string) person { return person{name: name, email: email, firm: "Vidal"} }
	platform := func(name string) person { return person{name: name, firm: "the platform"} }
	return &cast{
		vidal: newFirm(domain.Consultancy, domain.ConsultancyCo, domain.PlanPremium, "Vidal", "Vidal Asesoría", "Vidal Asesoría Fiscal S.L.P.", "B62418835",
			at("hola@vidal.example", "+34 932 180 440"), commands.NewPerson{Name: "Anna Vidal", Email: "anna@vidal.example"}),
		norte: newFirm(domain.Consultancy, domain.Agency, domain.PlanStandard, "Norte", "Norte Gestoría", "Norte Gestoría Integral S.L.", "B48217706",
			at("info@norte.example", "+34 944 150 221"), commands.NewPerson{Name: "Begoña Ibarra", Email: "begona@norte.example"}),
		espiga: newFirm(domain.Business, "", domain.PlanStandard, "La Espiga", "La Espiga", "Panadería La Espiga S.L.", "B65530912",
			at("pan@laespiga.example", "+34 934 507 118"), commands.NewPerson{Name: "Lucía Fernández", Email: "lucia@laespiga.example"}),
		nunez: newFirm(domain.Business, "", domain.PlanBasic, "Núñez", "Ferretería Núñez", "Ferretería Núñez e Hijos S.L.", "B36094178",
			at("tienda@nunez.example", "+34 986 223 904"), commands.NewPerson{Name: "José Núñez", Email: "jose@nunez.example"}),
		artico: newFirm(domain.Business, "", domain.PlanFree, "Café Ártico", "Café Ártico", "Café Ártico S.C.P.", "J67120456",
			at("hola@artico.example", "+34 931 770 052"), commands.NewPerson{Name: "Chloé Martín", Email: "chloe@artico.example"}),

		marc:  member("Marc Puig", "marc@vidal.example"),
		nuria: member("Núria Soler", "nuria@vidal.example"),
		inigo: member("Íñigo Etxeberria", "inigo@vidal.example"),

		billing: platform("Billing"), reviewer: platform("A reviewer"), connector: platform("ERP connector"), ledger: platform("The ledger itself"),
	}
}

func newFirm(kind domain.AccountType, firmKind domain.FirmKind, plan domain.Plan, short, tradeName, legalName, taxID string, details domain.AccountDetails, owner commands.NewPerson) *firm {
	details.TradeName, details.LegalName, details.TaxID = tradeName, legalName, taxID
	return &firm{
		details: commands.RegisterAccount{Type: kind, AccountDetails: details, Plan: plan, FirmKind: firmKind, Owner: owner},
		owner:   person{name: owner.Name, email: owner.Email, firm: short},
	}
}

// firms are all accounts, in the order in which they register.
func (c *cast) firms() []*firm { return []*firm{c.vidal, c.norte, c.espiga, c.nunez, c.artico} }

// nameOf is the short name of an account.
func (c *cast) nameOf(account uuid.UUID) string {
	for _, firm := range c.firms() {
		if firm.id() == account {
			return firm.owner.firm
		}
	}
	return ""
}

// with is the pair of a client and Vidal.
func (c *cast) with(client *firm) commands.PairFields {
	return commands.PairFields{ConsultancyID: c.vidal.id(), ClientID: client.id()}
}

func (c *cast) espigaWithVidal() domain.Pair { return domain.Pair(c.with(c.espiga)) }
