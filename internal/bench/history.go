package bench

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
)

// How a made-up ledger grows.
const (
	clientsPerConsultancy = 20  // of one consultancy, before there is another
	factsPerClient        = 250 // that happen to all clients, on average, before there is another
	maxPendingTasks       = 30  // of one client
	maxOpenSessions       = 4   // of one consultancy at one client
)

// history makes up what happens in a ledger: consultancies join the programme, clients ask for their help and let them in, and
// then it is mostly tasks, messages and log-ins. The domain decides every event, so that it could have happened.
type history struct {
	deeds   []deed
	weights int // of all deeds
	random  *rand.Rand
	bytes   *rand.ChaCha8 // of ids
	now     time.Time
	facts   []fact // that nobody has taken yet
	newest  *firm  // the consultancy that takes new clients
	clients int    // of the newest consultancy
	pairs   []*pair
	wait    int // facts until there is another client
}

// fact is an event with its place: after how many others of its stream it comes.
type fact struct {
	stream eventstore.StreamID
	after  int64
	event  domain.Event
}

// thing is what a stream tells of.
type thing[S any] struct {
	stream  eventstore.StreamID
	version int64
	state   *S
}

// firm is an account, and a consultancy's partnership.
type firm struct {
	account     thing[domain.Account]
	partnership thing[domain.Partnership]
	owner       domain.Actor
	manager     domain.Actor // of a consultancy
}

// pair is a consultancy with a client of its.
type pair struct {
	consultancy, client *firm
	collaboration       thing[domain.Collaboration]
	tasks               []*thing[domain.Task] // pending
	sessions            []*thing[domain.Session]
}

// newHistory begins a history that is the same for the same seed and moment.
func newHistory(seed uint64, now time.Time) *history {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	bytes := rand.NewChaCha8(key)
	h := &history{deeds: deeds(), random: rand.New(bytes), bytes: bytes, now: now}
	for _, deed := range h.deeds {
		h.weights += deed.weight
	}
	return h
}

func (h *history) id() uuid.UUID { return uuid.Must(uuid.NewRandomFromReader(h.bytes)) }

func newThing[S any](kind string, id uuid.UUID) thing[S] {
	return thing[S]{stream: eventstore.StreamID{Kind: kind, ID: id}, state: new(S)}
}

// happens notes what the domain has decided about a thing.
func happens[S any](h *history, t *thing[S], events []domain.Event, refusal error) error {
	if refusal != nil {
		return fmt.Errorf("make up a history: %s: %w", t.stream, refusal)
	}
	for _, event := range events {
		if event == nil {
			continue
		}
		if err := domain.Fold(t.state, event); err != nil {
			return fmt.Errorf("make up a history: %w", err)
		}
		h.facts = append(h.facts, fact{stream: t.stream, after: t.version, event: event})
		t.version++
	}
	return nil
}

// happen is happens for a decision of one event.
func happen[S any](h *history, t *thing[S], event domain.Event, refusal error) error {
	return happens(h, t, []domain.Event{event}, refusal)
}

// goOn lets something happen.
func (h *history) goOn() error {
	if h.wait--; h.wait < 0 {
		h.wait = h.random.IntN(2 * factsPerClient)
		return h.newClient()
	}
	return h.work(h.pairs[h.random.IntN(len(h.pairs))])
}

// services is the part of the platform that registers accounts, reviews, and raises tasks.
func services() domain.Actor {
	return domain.Actor{Kind: domain.ActorService, Name: "bench", Reviews: true}
}

// register opens an account.
func (h *history) register(kind domain.AccountType, firmKind domain.FirmKind, plan domain.Plan, name string) (*firm, error) {
	id, owner := h.id(), h.id()
	f := &firm{
		account: newThing[domain.Account](domain.AccountStream, id), partnership: newThing[domain.Partnership](domain.PartnershipStream, id),
		owner: domain.User(id, owner),
	}
	number := h.random.IntN(90_000_000) + 10_000_000
	mail := fmt.Sprintf("%08d.example", number)
	event, err := domain.Register(services(), domain.AccountRegistered{
		AccountID: id, Type: kind, FirmKind: firmKind, Plan: plan,
		AccountDetails: domain.AccountDetails{
			LegalName: fmt.Sprintf("%s %d S.L.", name, number), TradeName: fmt.Sprintf("%s %d", name, number),
			TaxID: fmt.Sprintf("B%08d", number), Country: "ES", Email: "hola@" + mail, Phone: "+34 931 234 567",
		},
		Owner: domain.Person{UserID: owner, Name: fmt.Sprintf("Anna Vidal %d", number), Email: "anna@" + mail},
	})
	return f, happen(h, &f.account, event, err)
}

// newConsultancy lets a consultancy join the programme, be listed, and hire an account manager (S1 to S4).
func (h *history) newConsultancy() error {
	f, err := h.register(domain.Consultancy, domain.Agency, domain.PlanPremium, "Asesoría")
	if err != nil {
		return err
	}
	id, account, partnership := f.account.stream.ID, f.account.state, f.partnership.state
	event, err := partnership.ApplyFor(f.owner, account, id)
	if err := happen(h, &f.partnership, event, err); err != nil {
		return err
	}
	event, err = partnership.Accept(services(), account, id)
	if err := happen(h, &f.partnership, event, err); err != nil {
		return err
	}
	event, err = partnership.SubmitProfile(f.owner, account, id, domain.Profile{
		DisplayName: account.Details.TradeName, Description: "Contabilidad e impuestos para comercios y hostelería, con el cierre mensual el día 5.",
		Services: []string{"bookkeeping", "taxes", "payroll"}, Specialties: []string{"retail", "hospitality"}, Languages: []string{"es", "ca"},
		Country: "ES", City: "Barcelona", Website: "https://asesoria.example", ContactEmail: account.Details.Email,
	})
	if err := happen(h, &f.partnership, event, err); err != nil {
		return err
	}
	event, err = partnership.ApproveProfile(services(), domain.ProfileApproved{ConsultancyID: id, Revision: 1})
	if err := happen(h, &f.partnership, event, err); err != nil {
		return err
	}
	member := domain.Person{UserID: h.id(), Name: "Núria Soler", Email: "nuria." + account.Details.Email}
	invitation := domain.MemberInvited{AccountID: id, InvitationID: h.id(), Member: member, Role: domain.RoleAccountManager}
	event, err = account.Invite(f.owner, h.now, invitation)
	if err := happen(h, &f.account, event, err); err != nil {
		return err
	}
	f.manager = domain.User(id, member.UserID)
	event, err = account.AcceptInvitation(f.manager, h.now, id, invitation.InvitationID)
	h.newest, h.clients = f, 0
	return happen(h, &f.account, event, err)
}

// newClient lets a client find the newest consultancy and let it in (S5, S6, S8).
func (h *history) newClient() error {
	if h.newest == nil || h.clients == clientsPerConsultancy {
		if err := h.newConsultancy(); err != nil {
			return err
		}
	}
	h.clients++
	client, err := h.register(domain.Business, "", domain.PlanStandard, "Panadería")
	if err != nil {
		return err
	}
	p := &pair{consultancy: h.newest, client: client}
	p.collaboration = newThing[domain.Collaboration](domain.CollaborationStream, p.engagement().Pair.CollaborationID())
	if err := p.begin(h); err != nil {
		return err
	}
	h.pairs = append(h.pairs, p)
	return nil
}

func (p *pair) engagement() domain.Engagement {
	return domain.Engagement{
		Pair:        domain.Pair{ConsultancyID: p.consultancy.account.stream.ID, ClientID: p.client.account.stream.ID},
		Consultancy: p.consultancy.account.state, Client: p.client.account.state,
		Partnership: p.consultancy.partnership.state, Collaboration: p.collaboration.state,
	}
}

// begin begins an engagement of the pair.
func (p *pair) begin(h *history) error {
	g := p.engagement()
	for _, decide := range []func() ([]domain.Event, error){
		func() ([]domain.Event, error) {
			return g.Request(p.client.owner, h.now, "Llévennos la contabilidad, por favor.")
		},
		func() ([]domain.Event, error) { return g.Accept(p.consultancy.owner, h.now) },
		func() ([]domain.Event, error) {
			return g.RequestAccess(p.consultancy.owner, h.now, domain.RoleFinance, "Cierre mensual")
		},
		func() ([]domain.Event, error) { return p.grant(h) },
		func() ([]domain.Event, error) {
			return g.Assign(p.consultancy.owner, h.now, []uuid.UUID{p.consultancy.manager.UserID})
		},
	} {
		events, err := decide()
		if err := happens(h, &p.collaboration, events, err); err != nil {
			return err
		}
	}
	return nil
}

func (p *pair) grant(h *history) ([]domain.Event, error) {
	return p.engagement().GrantAccess(p.client.owner, h.now, h.id(), domain.RoleFinance, h.now.AddDate(1, 0, 0))
}
