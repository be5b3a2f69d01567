package journeys

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

// turn is what happens next in a journey.
type turn struct {
	line string // how people read it
	do   func()
}

// GoString is how rapid tells of it.
func (t turn) GoString() string { return t.line }

// The actors that belong to no account.
var (
	billing  = domain.Actor{Kind: domain.ActorService, Name: "billing"}
	operator = domain.Actor{Kind: domain.ActorService, Name: "operator", Reviews: true}
	maria    = domain.Actor{Kind: domain.ActorReviewer, Name: "maria"}
	clock    = domain.Actor{Kind: domain.ActorSystem, Name: "clock"}
	reactor  = domain.Actor{Kind: domain.ActorSystem, Name: "reactor"}
)

// How often what is drawn is meant to be right, in percent; rapid prefers small numbers, so that it is more often than that.
const (
	rightPair  = 70 // the two whose story the journey tells most of
	rightActor = 60 // one of those who may ask
	rightField = 75
)

// attempts is how many steps are drawn for one that the model expects to be accepted; the last is taken anyhow.
const attempts = 8

// drawer draws steps that fit what has happened so far, mostly.
type drawer struct {
	*journey
	t *rapid.T
}

func pick[T any](d drawer, of ...T) T { return rapid.SampledFrom(of).Draw(d.t, "pick") }

// mostly is true in so many percent of draws, and what shrinking prefers.
func (d drawer) mostly(percent int) bool { return rapid.IntRange(0, 99).Draw(d.t, "mostly") < percent }

// turns draws what happens next: mostly a command, sometimes the clock, and sometimes a request that was made before.
func (j *journey) turns() *rapid.Generator[turn] {
	return rapid.Custom(func(t *rapid.T) turn {
		d := drawer{j, t}
		switch kind := rapid.IntRange(0, 9).Draw(t, "kind"); {
		case kind >= 8:
			return d.tick()
		case kind == 7 && len(j.done) > 0:
			again := pick(d, j.done...)
			return turn{j.at(j.clock) + " once more: " + again.line, func() { j.repeat(again) }}
		}
		return d.step()
	})
}

// step draws one of the commands as somebody asks for it.
func (d drawer) step() turn {
	var actor domain.Actor
	var command commands.Command
	for range attempts {
		spec := d.spec()
		command = d.command(spec.Name)
		actor = d.actor(spec.By, command)
		if d.expects(actor, command).code == "" || !d.mostly(rightField) {
			break
		}
	}
	return turn{d.tell(actor, command), func() { d.do(actor, command) }}
}

// steps are the guide's, as often as their commands are drawn; rapid prefers those in front.
var steps = []string{"S6", "S9", "S5", "S10", "S6", "S4", "S9", "S8", "S6", "S4", "S6", "S10", "S4", "S5", "S2", "S3", "S7", "S11", "S2", "S1"}

// rare are the commands that end a story, or begin another one.
var rare = []string{"RegisterAccount", "CloseAccount", "UpdateAccountDetails", "TerminatePartnership", "EndCollaboration", "BlockClient"}

// spec draws a command: those that stories are made of more often than those which only begin or end them.
func (d drawer) spec() commands.Spec {
	step := pick(d, steps...)
	var specs []commands.Spec
	for _, spec := range d.ledger.Registry.Specs() {
		if spec.Step == step && (!slices.Contains(rare, spec.Name) || !d.mostly(80)) {
			specs = append(specs, spec)
		}
	}
	if len(specs) == 0 {
		return d.spec()
	}
	return pick(d, specs...)
}

// about is what commands say of whom and what they are about.
type about struct {
	AccountID     uuid.UUID `json:"accountId"`
	ConsultancyID uuid.UUID `json:"consultancyId"`
	ClientID      uuid.UUID `json:"clientId"`
	UserID        uuid.UUID `json:"userId"`
	InvitationID  uuid.UUID `json:"invitationId"`
	SessionID     uuid.UUID `json:"sessionId"`
	TaskID        uuid.UUID `json:"taskId"`
}

// subject finds out whom and what a command is about.
func (j *journey) subject(command commands.Command) about {
	var a about
	if err := json.Unmarshal(encode(command), &a); err != nil {
		panic(err)
	}
	if s := j.sessions[a.SessionID]; s != nil {
		a.ConsultancyID, a.ClientID, a.UserID = s.pair.ConsultancyID, s.pair.ClientID, s.user
	}
	if t := j.tasks[a.TaskID]; t != nil {
		a.ConsultancyID, a.ClientID = j.firms[0], t.client
	}
	if a.AccountID == uuid.Nil {
		a.AccountID = a.ConsultancyID
	}
	return a
}

// actor draws who asks for a command: mostly one of its parties.
func (d drawer) actor(by []commands.Party, command commands.Command) domain.Actor {
	if !d.mostly(rightActor) {
		return d.anybody()
	}
	about := d.subject(command)
	switch party := pick(d, by...); party {
	case commands.AService:
		return pick(d, billing, operator)
	case commands.AReviewer:
		return pick(d, maria, operator)
	case commands.TheLedger:
		return pick(d, clock, reactor)
	case commands.TheInvited:
		if a := d.accounts[about.AccountID]; a != nil && a.invitations[about.InvitationID] != nil {
			return domain.User(about.AccountID, a.invitations[about.InvitationID].user)
		}
		return d.anybody()
	case commands.ThePerson:
		return domain.User(about.AccountID, about.UserID)
	case commands.ClientAdmin:
		return d.admin(about.ClientID)
	case commands.ClientEditor:
		return d.memberOf(about.ClientID)
	case commands.ConsultancyWorker:
		return d.memberOf(about.ConsultancyID)
	case commands.ConsultancyAdmin:
		return d.admin(about.ConsultancyID)
	default:
		return d.admin(about.AccountID)
	}
}

// admin draws the owner or an administrator of an account.
func (d drawer) admin(of uuid.UUID) domain.Actor {
	var admins []uuid.UUID
	for _, user := range d.people[of] {
		if m := d.accounts[of].members[user]; m != nil && (m.role == "owner" || m.role == "administrator") {
			admins = append(admins, user)
		}
	}
	if len(admins) == 0 {
		return d.anybody()
	}
	return domain.User(of, pick(d, admins...))
}

// memberOf draws somebody who is or was a member of an account.
func (d drawer) memberOf(of uuid.UUID) domain.Actor {
	if len(d.people[of]) == 0 {
		return d.anybody()
	}
	return domain.User(of, pick(d, d.people[of]...))
}

// anybody draws anybody at all, also people who act for an account of which they are no member.
func (d drawer) anybody() domain.Actor {
	from, as := pick(d, d.all()...), pick(d, d.all()...)
	user := domain.User(as, pick(d, d.people[from]...))
	return pick(d, user, d.memberOf(from), d.memberOf(as), billing, operator, maria, clock, reactor, domain.Actor{Kind: domain.ActorReviewer, Name: user.UserID.String()})
}

func (d drawer) all() []uuid.UUID { return slices.Concat(d.firms, d.shops) }

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
	if d.mostly(rightField) {
		return pick(d, d.firms...)
	}
	return pick(d, append(d.all(), nowhere)...)
}

func (d drawer) shop() uuid.UUID {
	if d.mostly(rightField) {
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
	roles := []domain.Role{"finance", "administrator", "sales", "hr", "crm", "inventory", "projects", "owner", "account_manager"}
	return pick(d, append(roles, d.ownRole(of))...)
}

// ownRole draws a role of an account's own, or one that nobody has.
func (d drawer) ownRole(of uuid.UUID) domain.Role {
	return pick(d, append(slices.Clone(d.custom[of]), domain.Role(nowhere.String()))...)
}

// until draws the end of a grant: mostly one to come, sometimes none, now, past or too far, and told in another zone.
func (d drawer) until() time.Time {
	at := d.clock.Add(pick(d, 72*time.Hour, time.Hour, time.Minute, 8*24*time.Hour, 31*24*time.Hour, longestGrant, longestGrant+time.Microsecond, 0, -time.Hour, time.Microsecond))
	return at.In(pick(d, time.UTC, time.FixedZone("", 2*60*60), time.FixedZone("", 60*60)))
}

func (d drawer) terms(of uuid.UUID) commands.GrantTerms {
	terms := commands.GrantTerms{RoleID: d.role(of)}
	if d.mostly(60) {
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

// command draws one of the commands with its fields.
func (d drawer) command(name string) commands.Command {
	switch name {
	case "RegisterAccount":
		c := commands.RegisterAccount{Type: pick(d, domain.Business, domain.Consultancy), AccountDetails: details, Plan: d.plan(), Owner: d.newPerson()}
		if (c.Type == domain.Consultancy) == d.mostly(rightField) {
			c.FirmKind = pick(d, domain.Agency, domain.OtherFirm)
		}
		return c
	case "UpdateAccountDetails":
		changed := details
		changed.TradeName = pick(d, "Example", "Sample")
		return commands.UpdateAccountDetails{AccountID: d.account(), AccountDetails: changed}
	case "CloseAccount":
		return commands.CloseAccount{AccountID: d.account()}
	case "RecordSubscription":
		return commands.RecordSubscription{AccountID: d.account(), Plan: d.plan(), Status: pick(d, domain.Current, domain.Current, domain.PastDue, domain.Cancelled)}
	case "ApplyForPartnership":
		return commands.ApplyForPartnership{ConsultancyID: d.firm()}
	case "AcceptPartnership":
		return commands.AcceptPartnership{ConsultancyID: d.firm()}
	case "RejectPartnership":
		return commands.RejectPartnership{ConsultancyID: d.firm(), ReasonCode: "other"}
	case "WithdrawApplication":
		return commands.WithdrawApplication{ConsultancyID: d.firm()}
	case "SuspendPartnership":
		return commands.SuspendPartnership{ConsultancyID: d.firm(), Reason: pick(d, domain.SuspendedForBreach, domain.SuspendedForSubscription)}
	case "ReinstatePartnership":
		return commands.ReinstatePartnership{ConsultancyID: d.firm()}
	case "TerminatePartnership":
		return commands.TerminatePartnership{ConsultancyID: d.firm(), Reason: "other"}
	case "SubmitProfile":
		return commands.SubmitProfile{ConsultancyID: d.firm(), Profile: profile}
	case "ApproveProfile":
		firm := d.firm()
		return commands.ApproveProfile{ConsultancyID: firm, Revision: d.revision(firm)}
	case "RejectProfile":
		firm := d.firm()
		return commands.RejectProfile{ConsultancyID: firm, Revision: d.revision(firm), ReasonCode: "other"}
	case "UnlistProfile":
		return commands.UnlistProfile{ConsultancyID: d.firm()}
	case "RelistProfile":
		return commands.RelistProfile{ConsultancyID: d.firm()}
	}
	return d.memberCommand(name)
}

// revision draws a revision of a consultancy's profile, mostly the latest.
func (d drawer) revision(firm uuid.UUID) int {
	return max(1, len(d.partner(firm).revisions)+pick(d, 0, 0, 0, -1, 1))
}

func (d drawer) memberCommand(name string) commands.Command {
	account := d.account()
	switch name {
	case "InviteMember":
		return commands.InviteMember{AccountID: account, NewPerson: d.newPerson(), Role: d.role(account)}
	case "ResendInvitation":
		account, invitation := d.invitation()
		return commands.ResendInvitation{AccountID: account, InvitationID: invitation}
	case "RevokeInvitation":
		account, invitation := d.invitation()
		return commands.RevokeInvitation{AccountID: account, InvitationID: invitation}
	case "AcceptInvitation":
		account, invitation := d.invitation()
		return commands.AcceptInvitation{AccountID: account, InvitationID: invitation}
	case "ExpireInvitation":
		account, invitation := d.invitation()
		return commands.ExpireInvitation{AccountID: account, InvitationID: invitation}
	case "ChangeMemberRole":
		return commands.ChangeMemberRole{AccountID: account, UserID: d.user(account), Role: d.role(account)}
	case "RemoveMember":
		return commands.RemoveMember{AccountID: account, UserID: d.user(account)}
	case "TransferOwnership":
		return commands.TransferOwnership{AccountID: account, UserID: d.user(account)}
	case "CreateRole":
		return commands.CreateRole{AccountID: d.shop(), RoleTerms: d.roleTerms()}
	case "UpdateRole":
		shop := d.shop()
		return commands.UpdateRole{AccountID: shop, RoleID: d.ownRole(shop), RoleTerms: d.roleTerms()}
	case "DeleteRole":
		shop := d.shop()
		return commands.DeleteRole{AccountID: shop, RoleID: d.ownRole(shop)}
	}
	return d.requestCommand(name)
}

func (d drawer) requestCommand(name string) commands.Command {
	pair := d.pair()
	switch name {
	case "SendMessage":
		return commands.SendMessage{PairFields: pair, Body: "Hello."}
	case "MarkConversationRead":
		return commands.MarkConversationRead{PairFields: pair}
	case "RequestCollaboration":
		return commands.RequestCollaboration{PairFields: pair, Message: "Please keep our books."}
	case "AcceptCollaboration":
		return commands.AcceptCollaboration{PairFields: pair}
	case "DeclineCollaboration":
		return commands.DeclineCollaboration{PairFields: pair, ReasonCode: domain.DeclinedOther}
	case "WithdrawRequest":
		return commands.WithdrawRequest{PairFields: pair}
	case "ExpireRequest":
		return commands.ExpireRequest{PairFields: pair}
	case "BlockClient":
		return commands.BlockClient{PairFields: pair}
	case "UnblockClient":
		return commands.UnblockClient{PairFields: pair}
	case "ConfigureKPINotifications":
		return commands.ConfigureKPINotifications{PairFields: pair, Sections: pick(d, []domain.Section{}, []domain.Section{"sales"}, []domain.Section{"journal", "sales"})}
	case "AssignAccountManagers":
		users := []uuid.UUID{d.user(pair.ConsultancyID), d.user(pair.ConsultancyID)}
		return commands.AssignAccountManagers{PairFields: pair, UserIDs: slices.Compact(users)}
	case "UnassignAccountManager":
		return commands.UnassignAccountManager{PairFields: pair, UserID: d.user(pair.ConsultancyID)}
	case "EndCollaboration":
		return commands.EndCollaboration{PairFields: pair, Reason: "done"}
	}
	return d.accessCommand(name, pair)
}

func (d drawer) accessCommand(name string, pair commands.PairFields) commands.Command {
	switch name {
	case "RequestAccess":
		return commands.RequestAccess{PairFields: pair, SuggestedRole: d.role(pair.ClientID), Purpose: "Monthly closing"}
	case "GrantAccess":
		return commands.GrantAccess{PairFields: pair, GrantTerms: d.terms(pair.ClientID)}
	case "ChangeAccess":
		return commands.ChangeAccess{PairFields: pair, GrantTerms: d.terms(pair.ClientID)}
	case "ExtendAccess":
		return commands.ExtendAccess{PairFields: pair, ExpiresAt: d.until()}
	case "AttestAccess":
		return commands.AttestAccess{PairFields: pair}
	case "SuspendAccess":
		return commands.SuspendAccess{PairFields: pair}
	case "ResumeAccess":
		return commands.ResumeAccess{PairFields: pair}
	case "RevokeAccess":
		return commands.RevokeAccess{PairFields: pair}
	case "ExpireAccess":
		return commands.ExpireAccess{PairFields: pair}
	case "RemindGrantEnds":
		return commands.RemindGrantEnds{PairFields: pair}
	case "OpenClientAccount":
		return commands.OpenClientAccount{PairFields: pair}
	case "CloseClientAccount":
		return commands.CloseClientAccount{SessionID: d.session()}
	case "ExpireSession":
		return commands.ExpireSession{SessionID: d.session()}
	case "RaiseTask":
		return d.raise()
	case "CompleteTask":
		return commands.CompleteTask{TaskID: d.task()}
	case "CancelTask":
		return commands.CancelTask{TaskID: d.task()}
	case "ReopenTask":
		return commands.ReopenTask{TaskID: d.task()}
	}
	panic(fmt.Sprintf("journeys cannot draw a %s", name))
}

// tick draws what the clock says next: some time later or earlier, or the very end of something, or some time before it.
func (d drawer) tick() turn {
	const day = 24 * time.Hour
	at := d.clock.Add(pick(d, time.Minute, time.Hour, day, 8*day, 23*day, 91*day, time.Microsecond, -time.Microsecond, -time.Hour, -2*day))
	if ends := d.ends(); len(ends) > 0 && rapid.Bool().Draw(d.t, "to an end") {
		at = pick(d, ends...).Add(-pick(d, 0, time.Microsecond, day, 30*day))
	}
	line := fmt.Sprintf("%s the clock goes to %s", d.at(d.clock), d.at(at))
	return turn{line, func() {
		d.lines = append(d.lines, line)
		d.clock = at.UTC()
		d.ledger.setClock(at)
	}}
}

// ends lists when what has an end ends.
func (j *journey) ends() []time.Time {
	var ends []time.Time
	for _, i := range j.invited {
		if invitation := j.accounts[i.account].invitations[i.id]; invitation != nil {
			ends = append(ends, invitation.until)
		}
	}
	for _, firm := range j.firms {
		for _, shop := range j.shops {
			if p := j.pairs[domain.Pair{ConsultancyID: firm, ClientID: shop}]; p != nil {
				ends = append(ends, p.until)
				if p.grant != nil {
					ends = append(ends, p.grant.until)
				}
			}
		}
	}
	for _, id := range j.opened {
		ends = append(ends, j.sessions[id].until)
	}
	return slices.DeleteFunc(ends, time.Time.IsZero)
}

// encode is a command's body.
func encode(command commands.Command) []byte {
	body, err := json.Marshal(command)
	if err != nil {
		panic(err)
	}
	return body
}

// told are the fields of commands that a line tells, with the words for them, in their order.
var told = [][2]string{
	{"type", "type"}, {"accountId", "of"}, {"consultancyId", "firm"}, {"clientId", "client"}, {"userId", "user"}, {"userIds", "users"}, {"roleId", "role"}, {"suggestedRole", "role"},
	{"invitationId", "invitation"}, {"sessionId", "session"}, {"taskId", "task"}, {"externalRef", "ref"}, {"section", "section"}, {"title", "title"}, {"dueAt", "due"},
	{"sections", "sections"}, {"name", "name"}, {"role", "role"}, {"permissions", "may"}, {"plan", "plan"}, {"status", "status"}, {"firmKind", "kind"}, {"tradeName", "tradeName"},
	{"revision", "revision"}, {"reason", "reason"}, {"expiresAt", "until"},
}

// tell says in one line who asks for what: names instead of ids, and times from the clock.
func (j *journey) tell(actor domain.Actor, command commands.Command) string {
	fields := map[string]any{}
	if err := json.Unmarshal(encode(command), &fields); err != nil {
		panic(err)
	}
	name := fmt.Sprintf("%T", command)
	words := []string{j.at(j.clock), j.who(actor), name[strings.LastIndex(name, ".")+1:]}
	for _, field := range told {
		value, ok := fields[field[0]]
		if !ok {
			continue
		}
		text := fmt.Sprint(value)
		if at, err := time.Parse(time.RFC3339, text); err == nil {
			text = after(at.Sub(j.clock))
		}
		words = append(words, field[1]+"="+j.named(text))
	}
	return strings.Join(words, " ")
}

// after tells a term in days where it has whole ones, for example +3d.
func after(term time.Duration) string {
	const day = 24 * time.Hour
	if term%day == 0 {
		return fmt.Sprintf("%+dd", term/day)
	}
	return fmt.Sprintf("%+v", term)
}
