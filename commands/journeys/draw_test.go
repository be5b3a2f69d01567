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

// How often what is drawn is meant to be right, in percent.
const (
	rightPair  = 80 // the two whose story the journey tells most of
	rightActor = 80 // one of those who may ask
	rightField = 85
	rightStep  = 80 // what the model expects to be accepted

	halfTheTime = 50
)

// attempts is how many steps are drawn for one that the model expects to be accepted, or at least to be about something that there
// is; the last is taken anyhow.
const attempts = 8

// drawer draws steps that fit what has happened so far, mostly.
type drawer struct {
	*journey
	t *rapid.T
}

// pick draws one of several; shrinking prefers the first.
func pick[T any](d drawer, of ...T) T { return of[d.number(len(of))] }

// mostly is true in so many percent of draws, and what shrinking prefers.
func (d drawer) mostly(percent int) bool { return d.number(100) < percent }

// number draws a number below a limit. Rapid itself prefers small numbers so much that half of the commands would hardly be drawn.
func (d drawer) number(below int) int { return rapid.IntRange(0, 1<<20).Draw(d.t, "number") % below }

// turns draws what happens next: mostly a command, sometimes the clock, and sometimes a request that was made before.
func (j *journey) turns() *rapid.Generator[turn] {
	return rapid.Custom(func(t *rapid.T) turn {
		d := drawer{j, t}
		switch kind := d.number(10); {
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
		code := d.expects(actor, command).code
		if code == "" || !strings.HasSuffix(code, "_not_found") && !d.mostly(rightStep) {
			break
		}
	}
	return turn{d.tell(actor, command), func() { d.do(actor, command) }}
}

// steps are the guide's, as often as their commands are drawn.
var steps = []string{"S6", "S6", "S6", "S6", "S6", "S9", "S9", "S9", "S5", "S5", "S5", "S4", "S4", "S4", "S2", "S2", "S10", "S10", "S3", "S8", "S7", "S11", "S1", commands.WebhookStep, commands.WebhookStep}

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
	WebhookID     uuid.UUID `json:"webhookId"`
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
	if h := j.webhooks[a.WebhookID]; h != nil {
		a.AccountID = h.account
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
	case commands.AMember:
		return d.memberOf(pick(d, d.all()...))
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

// tick draws what the clock says next: some time later or earlier, or the very end of something, or some time before it.
func (d drawer) tick() turn {
	const day = 24 * time.Hour
	at := d.clock.Add(pick(d, time.Minute, time.Hour, day, 8*day, 23*day, 91*day, time.Microsecond, -time.Microsecond, -time.Hour, -2*day))
	if ends := d.ends(); len(ends) > 0 && d.mostly(halfTheTime) {
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
