package journeys

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

// world is an independent model of what is true in the ledger: written from the rules as people state them, with structs and tables
// of its own. Of the domain it borrows words (identifiers, roles, sections), and none of its decisions.
type world struct {
	clock  time.Time // what this node's clock says; it may go backwards
	logged time.Time // when the log's last record was made; it never goes backwards

	accounts map[uuid.UUID]*account
	partners map[uuid.UUID]*partner // by consultancy
	pairs    map[domain.Pair]*pair
	sessions map[uuid.UUID]*session
	tasks    map[uuid.UUID]*task
	webhooks map[uuid.UUID]*webhook
	readings map[memberOf]int64 // up to which position people have read their notifications
	grants   int                // given so far
	end      func() int64       // position of the log's end
}

type account struct {
	firm         bool
	firmKind     domain.FirmKind
	closed       bool
	details      domain.AccountDetails
	plan         domain.Plan
	subscription domain.SubscriptionStatus
	members      map[uuid.UUID]*member
	invitations  map[uuid.UUID]*invitation
	roles        map[domain.Role]*customRole
}

// memberOf is a person as a member of an account.
type memberOf struct{ account, user uuid.UUID }

type member struct {
	email string
	role  domain.Role
}

type invitation struct {
	member
	user     uuid.UUID
	until    time.Time
	recorded bool // whether its lapse is
}

type customRole struct {
	name    string
	may     domain.Permissions
	version int
}

type partner struct {
	status    string // applied, accepted, rejected, withdrawn, suspended or terminated; empty before the first application
	byLedger  bool   // who suspended it
	standings int    // how often it has come into standing
	unlisted  bool
	published int
	revisions []*revision
}

type revision struct {
	status    string // in_review, approved, rejected or superseded
	submitter uuid.UUID
}

type pair struct {
	status     string // as recorded: enquiry, pending, active, ended, declined, withdrawn or expired
	engagement int
	until      time.Time // of the pending request
	blocked    bool
	grant      *grant
	managers   map[uuid.UUID]bool
	kpis       map[uuid.UUID][]domain.Section
	messages   int
	read       map[domain.Side]int
}

type grant struct {
	serial   int    // which one of the journey
	era      int    // raised whenever sessions from before it must fail
	status   string // as recorded: granted, suspended, revoked or expired
	role     domain.Role
	version  int
	may      domain.Permissions
	until    time.Time // zero: until it is revoked
	reminded int       // days before its end
}

type session struct {
	pair        domain.Pair
	user        uuid.UUID
	serial, era int // of the grant behind it
	standing    int // which of the partnership's
	until       time.Time
	closed      bool
}

type task struct {
	client uuid.UUID
	asked  commands.RaiseTask
	status string // pending, completed or cancelled
}

func newWorld(clock, logged time.Time) *world {
	return &world{
		clock: clock, logged: logged,
		accounts: map[uuid.UUID]*account{}, partners: map[uuid.UUID]*partner{}, pairs: map[domain.Pair]*pair{},
		sessions: map[uuid.UUID]*session{}, tasks: map[uuid.UUID]*task{}, webhooks: map[uuid.UUID]*webhook{}, readings: map[memberOf]int64{},
	}
}

// ruling is what the model expects of a step: the code of its refusal, or what is true once it is accepted.
type ruling struct {
	code string
	then func(created any)
}

func no(code string) ruling { return ruling{code: code} }

func yes(then func()) ruling { return ruling{then: func(any) { then() }} }

// creates is yes for a step whose answer names what it created.
func creates[R any](then func(R)) ruling {
	return ruling{then: func(created any) { then(created.(R)) }}
}

// first is the first reason of several that is one.
func first(codes ...string) string {
	for _, code := range codes {
		if code != "" {
			return code
		}
	}
	return ""
}

// when is a reason if something is so.
func when(so bool, code string) string {
	if so {
		return code
	}
	return ""
}

// Names of streams, as answers tell them.
func accountFact(id uuid.UUID) string { return "account-" + id.String() }
func partnerFact(id uuid.UUID) string { return "partnership-" + id.String() }
func pairFact(of domain.Pair) string  { return "collaboration-" + of.CollaborationID().String() }
func sessionFact(id uuid.UUID) string { return "session-" + id.String() }
func taskFact(id uuid.UUID) string    { return "task-" + id.String() }
func webhookFact(id uuid.UUID) string { return "webhook-" + id.String() }
func listFact(of memberOf) string {
	return "notifications-" + domain.NotificationsID(of.account, of.user).String()
}

// now is the moment of a decision: what the clock says, but never before the log's last event.
func (w *world) now() time.Time {
	if w.logged.After(w.clock) {
		return w.logged
	}
	return w.clock
}

// recorded notes that a step extended streams.
func (w *world) recorded(streams ...string) {
	if len(streams) > 0 && w.clock.After(w.logged) {
		w.logged = w.clock
	}
}

// partner is a consultancy's standing with the programme, which need not have begun.
func (w *world) partner(firm uuid.UUID) *partner {
	if w.partners[firm] == nil {
		w.partners[firm] = &partner{}
	}
	return w.partners[firm]
}

func (p *partner) inStanding() bool { return p.status == "accepted" }

func (p *partner) accept() {
	p.status = "accepted"
	p.standings++
}

// gone tells whether the consultancy is no partner any more, whatever came after.
func (p *partner) gone() bool { return p.status != "accepted" && p.status != "suspended" }

// wellKnown are the roles of a business that come with it, and what they permit in full and in part.
var wellKnown = map[domain.Role][2]string{
	"owner":         {"sales expenses banking inbox contacts journal inventory team payroll projects crm", ""},
	"administrator": {"sales expenses banking inbox contacts journal inventory team payroll projects crm", ""},
	"finance":       {"sales expenses banking inbox contacts journal projects", ""},
	"sales":         {"sales contacts", "banking"},
	"inventory":     {"inventory contacts", ""},
	"hr":            {"team payroll projects", ""},
	"projects":      {"projects", ""},
	"crm":           {"crm", ""},
}

// onPlan are the sections that a plan includes.
var onPlan = map[domain.Plan]string{
	"free":     "sales expenses contacts inbox",
	"basic":    "sales expenses contacts inbox banking journal",
	"standard": "sales expenses contacts inbox banking journal projects crm",
	"advanced": "sales expenses contacts inbox banking journal projects crm inventory",
	"premium":  "sales expenses contacts inbox banking journal projects crm inventory team payroll",
}

// customRoles tells whether a plan has roles of the account's own.
func customRoles(plan domain.Plan) bool { return plan == "advanced" || plan == "premium" }

// permits is what a role of a business permits, and in which version.
func (a *account) permits(role domain.Role) (may domain.Permissions, version int, ok bool) {
	if known, ok := wellKnown[role]; ok {
		may := domain.Permissions{}
		for _, section := range strings.Fields(known[0]) {
			may[domain.Section(section)] = "edit"
		}
		for _, section := range strings.Fields(known[1]) {
			may[domain.Section(section)] = "read"
		}
		return may, 1, true
	}
	custom, ok := a.roles[role]
	if !ok {
		return nil, 0, false
	}
	return custom.may, custom.version, true
}

// cut is what of some permissions the account's plan lets through.
func (a *account) cut(may domain.Permissions) domain.Permissions {
	left := domain.Permissions{}
	for section, level := range may {
		if level != "none" && slices.Contains(strings.Fields(onPlan[a.plan]), string(section)) {
			left[section] = level
		}
	}
	return left
}

// is checks that somebody acts as a member of an account, in one of the roles where some are given, and that the account is open.
func (w *world) is(actor domain.Actor, of uuid.UUID, roles ...domain.Role) string {
	a := w.accounts[of]
	m := a.members[actor.UserID]
	switch {
	case actor.Kind != "user":
		return "member_required"
	case actor.AccountID != of || m == nil:
		return "not_a_member"
	case len(roles) > 0 && !slices.Contains(roles, m.role):
		return "role_not_sufficient"
	}
	return when(a.closed, "account_closed")
}

// runs checks that somebody acts as the owner or an administrator of an account.
func (w *world) runs(actor domain.Actor, of uuid.UUID) string {
	return w.is(actor, of, "owner", "administrator")
}

// edits checks that somebody acts as a member of a client whose role may edit a section.
func (w *world) edits(actor domain.Actor, of uuid.UUID, section domain.Section) string {
	code := w.is(actor, of)
	if code == "" || code == "account_closed" {
		if may, _, _ := w.accounts[of].permits(w.accounts[of].members[actor.UserID].role); may[section] != "edit" {
			return "role_not_sufficient"
		}
	}
	return code
}

// works checks that somebody acts as one of the consultancy's people who work for a client.
func (w *world) works(actor domain.Actor, of domain.Pair) string {
	code := w.is(actor, of.ConsultancyID, "owner", "administrator", "account_manager")
	if code == "" || code == "account_closed" {
		p := w.pairs[of]
		if w.accounts[of.ConsultancyID].members[actor.UserID].role == "account_manager" && (p == nil || !p.managers[actor.UserID]) {
			return "not_assigned"
		}
	}
	return code
}

// onClientSide tells whether somebody acts for the client of a pair.
func onClientSide(actor domain.Actor, of domain.Pair) bool {
	return actor.Kind == "user" && actor.AccountID == of.ClientID
}

// either checks that somebody acts as the owner or an administrator of either side.
func (w *world) either(actor domain.Actor, of domain.Pair) string {
	if onClientSide(actor, of) {
		return w.runs(actor, of.ClientID)
	}
	return w.runs(actor, of.ConsultancyID)
}

// exist checks that a pair's two accounts are what it says.
func (w *world) exist(of domain.Pair) string {
	firm, shop := w.accounts[of.ConsultancyID], w.accounts[of.ClientID]
	return first(
		when(of.ConsultancyID == of.ClientID, "invalid"),
		when(firm == nil || !firm.firm, "consultancy_not_found"),
		when(shop == nil || shop.firm, "client_not_found"))
}

// known checks that a pair has a history.
func (w *world) known(of domain.Pair) string {
	return first(w.exist(of), when(w.pairs[of] == nil, "collaboration_not_found"))
}

// open checks that both accounts of a pair are.
func (w *world) open(of domain.Pair) string {
	return when(w.accounts[of.ConsultancyID].closed || w.accounts[of.ClientID].closed, "account_closed")
}

// statusAt is how a pair stands at a moment: a request lapses at its end, whether or not anybody has recorded it.
func (p *pair) statusAt(now time.Time) string {
	if p.status == "pending" && !now.Before(p.until) {
		return "expired"
	}
	return p.status
}

// statusAt is how a grant stands at a moment.
func (g *grant) statusAt(now time.Time) string {
	switch {
	case g == nil:
		return "none"
	case (g.status == "granted" || g.status == "suspended") && !g.until.IsZero() && !now.Before(g.until):
		return "expired"
	}
	return g.status
}

// held tells whether a grant is in force at a moment, or may be again.
func (g *grant) held(now time.Time) bool {
	return g.statusAt(now) == "granted" || g.statusAt(now) == "suspended"
}

// leave ends an engagement, and with it all that belonged to it.
func (p *pair) leave(status string) {
	p.status, p.until = status, time.Time{}
	clear(p.managers)
	clear(p.kpis)
}
