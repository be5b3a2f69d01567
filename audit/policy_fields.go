package audit

import (
	"reflect"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// grantHeld is the one thing besides events that a rule may be on: a stretch of a grant's life between two words of its client. It
// begins with the grant or an attestation, and ends with the next attestation, with the grant, or where the log ends.
const grantHeld = "GrantHeld"

// kind is what sort of thing a field holds, in words that go into errors.
type kind string

const (
	text   kind = "a text"
	number kind = "a number"
	moment kind = "a time"
	flag   kind = "true or false"
	list   kind = "a list of texts"
)

// value is what a field holds in one event. The zero value of a kind is absent, but for numbers and flags.
type value struct {
	kind   kind
	text   string
	number float64
	moment time.Time
	flag   bool
	list   []string
}

// present tells whether there is something.
func (v value) present() bool {
	switch {
	case v.kind == text:
		return v.text != ""
	case v.kind == moment:
		return !v.moment.IsZero()
	case v.kind == list:
		return len(v.list) > 0
	}
	return true
}

// field is something that a condition may look at.
type field struct {
	name string
	kind kind
	of   func(*subject) value
}

// subject is what a rule is tried on: an event before it is folded, or a stretch of a grant.
type subject struct {
	world       *world
	event       domain.Event // nil for a stretch
	at          time.Time
	actor       domain.Actor
	pair        domain.Pair // zero where there is none
	grant       *grant      // of the pair; the zero grant where there is none
	from, until time.Time   // of a stretch
}

// eventFields are an event's own fields, by their names in its data, and what the rules may know besides.
func eventFields(example domain.Event) map[string]field {
	fields := map[string]field{}
	dataFields(fields, "", reflect.TypeOf(example), nil)
	known(fields, actorFacts())
	if _, ok := pairIn(example); ok {
		known(fields, []field{{"actor.side", text, actorSide}})
		known(fields, pairFacts())
	}
	return fields
}

// heldFields are those of a stretch of a grant.
func heldFields() map[string]field {
	fields := map[string]field{}
	known(fields, pairFacts())
	known(fields, []field{
		{"from", moment, func(s *subject) value { return value{moment: s.from} }},
		{"until", moment, func(s *subject) value { return value{moment: s.until} }},
	})
	return fields
}

func known(fields map[string]field, facts []field) {
	for _, f := range facts {
		fields[f.name] = f
	}
}

// dataFields finds the fields of a struct by their JSON names. Embedded ones are the outer struct's own; those of others are named
// with a dot; of permissions there is one for each section.
func dataFields(fields map[string]field, prefix string, t reflect.Type, path []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		at := append(append([]int{}, path...), i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous:
			dataFields(fields, prefix, f.Type, at)
		case f.Type == reflect.TypeFor[domain.Permissions]():
			for _, section := range sections() {
				name := prefix + name + "." + string(section)
				fields[name] = field{name, text, func(s *subject) value {
					permissions := reflect.ValueOf(s.event).FieldByIndex(at).Interface().(domain.Permissions)
					return value{text: string(level(permissions, section))}
				}}
			}
		case f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[time.Time]():
			dataFields(fields, prefix+name+".", f.Type, at)
		default:
			fields[prefix+name] = field{prefix + name, kindOf(f.Type), func(s *subject) value {
				return valueOf(reflect.ValueOf(s.event).FieldByIndex(at))
			}}
		}
	}
}

// kindOf is the kind of what a field of an event holds.
func kindOf(t reflect.Type) kind {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return moment
	case t == reflect.TypeFor[uuid.UUID]():
		return text
	case reflect.Zero(t).CanInt():
		return number
	case t.Kind() == reflect.Slice:
		return list
	}
	return text
}

func valueOf(v reflect.Value) value {
	switch held := v.Interface().(type) {
	case time.Time:
		return value{moment: held}
	case uuid.UUID:
		return textOf(held)
	}
	switch {
	case v.CanInt():
		return value{number: float64(v.Int())}
	case v.Kind() == reflect.Slice:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = v.Index(i).String()
		}
		return value{list: items}
	}
	return value{text: v.String()}
}

// textOf is a UUID as a text, which the nil one is not.
func textOf(id uuid.UUID) value {
	if id == uuid.Nil {
		return value{}
	}
	return value{text: id.String()}
}

// actorFacts are what rules may know of when an event was recorded and of who acted.
func actorFacts() []field {
	return []field{
		{"time", moment, func(s *subject) value { return value{moment: s.at} }},
		{"actor.kind", text, func(s *subject) value { return value{text: string(s.actor.Kind)} }},
		{"actor.accountId", text, func(s *subject) value { return textOf(s.actor.AccountID) }},
		{"actor.userId", text, func(s *subject) value { return textOf(s.actor.UserID) }},
		{"actor.role", text, func(s *subject) value {
			return value{text: string(get(s.world.accounts, s.actor.AccountID).members[s.actor.UserID].role)}
		}},
	}
}

// actorSide is the side of the pair that the actor is of, if any.
func actorSide(s *subject) value {
	switch {
	case s.actor.AccountID == uuid.Nil:
		return value{}
	case s.actor.AccountID == s.pair.ConsultancyID:
		return value{text: string(domain.ConsultancySide)}
	case s.actor.AccountID == s.pair.ClientID:
		return value{text: string(domain.ClientSide)}
	}
	return value{}
}

// pairFacts are what rules may know of the two whom an event is about, as it was just before the event.
func pairFacts() []field {
	return []field{
		{"grant.grantId", text, func(s *subject) value { return textOf(s.grant.id) }},
		{"grant.status", text, func(s *subject) value { return value{text: s.grant.statusAt(s.at)} }},
		{"grant.live", flag, func(s *subject) value { return value{flag: s.grant.statusAt(s.at) == string(domain.GrantLive)} }},
		{"grant.roleId", text, func(s *subject) value { return value{text: string(s.grant.role)} }},
		{"grant.grantedAt", moment, func(s *subject) value { return value{moment: s.grant.granted.Time} }},
		{"grant.attestedAt", moment, func(s *subject) value { return value{moment: s.grant.attested.Time} }},
		{"grant.expiresAt", moment, func(s *subject) value { return value{moment: s.grant.until} }},
		{"collaboration.status", text, func(s *subject) value { return value{text: string(get(s.world.collaborations, s.pair).status)} }},
		{"collaboration.engagement", number, func(s *subject) value { return value{number: float64(get(s.world.collaborations, s.pair).engagement)} }},
		{"client.plan", text, func(s *subject) value { return value{text: string(get(s.world.accounts, s.pair.ClientID).plan)} }},
		{"partnership.status", text, func(s *subject) value {
			return value{text: string(get(s.world.partnerships, s.pair.ConsultancyID).status)}
		}},
	}
}

// statusAt is how a grant stands at a moment, whether or not its end has been recorded.
func (g *grant) statusAt(at time.Time) string {
	switch {
	case g.status == "":
		return "none"
	case g.open() && reached(g.until, at):
		return string(domain.GrantExpired)
	}
	return string(g.status)
}

// pairIn is the pair that an event is about; ok is false when it is not about two. Of a task that the client itself completed there is
// only the client.
func pairIn(event domain.Event) (domain.Pair, bool) {
	if e, ok := event.(domain.TaskCompleted); ok {
		return domain.Pair{ConsultancyID: e.ConsultancyID, ClientID: e.ClientID}, e.ConsultancyID != uuid.Nil
	}
	if parties := event.Parties(); len(parties) == 2 {
		return domain.Pair{ConsultancyID: parties[0], ClientID: parties[1]}, true
	}
	return domain.Pair{}, false
}
