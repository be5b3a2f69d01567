package audit

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/collabledger/collabledger/domain"
)

// backtest tries a policy on every event of a log. A nil one tries nothing.
type backtest struct {
	policy *Policy
	world  *world
	report *Report
}

// before tries the rules on an event that is about to be folded.
func (b *backtest) before(f *fact) {
	if b == nil {
		return
	}
	on := f.event.EventType() // of the newest version, whichever the record has
	if len(b.policy.rules[on]) == 0 {
		return
	}
	s := &subject{world: b.world, event: f.event, at: f.at(), actor: f.actor, grant: &grant{}}
	pair, ok := pairIn(f.event)
	if s.pair = pair; ok {
		s.grant = &get(b.world.collaborations, pair).grant
	}
	b.try(on, s, []EventRef{f.ref})
}

// held tries the rules on a stretch of a grant which an event ends. The stretch is no longer than the grant.
func (b *backtest) held(pair domain.Pair, g *grant, by EventRef) {
	if b == nil || !g.open() {
		return
	}
	until := by.Time
	if reached(g.until, until) {
		until = g.until
	}
	s := &subject{world: b.world, at: until, pair: pair, grant: g, from: g.attested.Time, until: until}
	b.try(grantHeld, s, refs(g.attested, by))
}

// atEnd tries the rules on the stretches that go on where the log ends, with its last event.
func (b *backtest) atEnd(last EventRef) {
	if b == nil || len(b.policy.rules[grantHeld]) == 0 {
		return
	}
	var pairs []domain.Pair
	for pair, k := range b.world.collaborations {
		if k.grant.open() {
			pairs = append(pairs, pair)
		}
	}
	slices.SortFunc(pairs, func(x, y domain.Pair) int {
		return int(b.world.collaborations[x].grant.granted.Position - b.world.collaborations[y].grant.granted.Position)
	})
	for _, pair := range pairs {
		b.held(pair, &b.world.collaborations[pair].grant, EventRef{Time: last.Time})
	}
}

// try tries all rules on a subject, and reports the first condition of each that does not hold.
func (b *backtest) try(on string, s *subject, events []EventRef) {
	for _, rule := range b.policy.rules[on] {
		if slices.ContainsFunc(rule.when, func(c condition) bool { return !c.holds(s) }) {
			continue
		}
		for _, c := range rule.require {
			if !c.holds(s) {
				if s.event != nil && rule.asksForGrant() {
					events = refs(events[0], s.grant.since)
				}
				b.report.deny(rule.name, events, strings.TrimPrefix(rule.because+": ", ": ")+c.tell(s))
				break
			}
		}
	}
}

// asksForGrant tells whether the rule looks at the pair's grant, which its refusals then name.
func (r policyRule) asksForGrant() bool {
	return slices.ContainsFunc(slices.Concat(r.when, r.require), func(c condition) bool {
		return strings.HasPrefix(c.field.name, "grant.") || c.since != nil && strings.HasPrefix(c.since.name, "grant.")
	})
}

// holds tells whether a condition is met. What is absent meets no comparison, and is in no set.
func (c condition) holds(s *subject) bool {
	v := c.field.value(s)
	if c.operator == "present" {
		return v.present() == c.operand.present
	}
	if c.operator == "noneOf" {
		return !v.in(c.operand.values, false)
	}
	if !v.present() {
		return false
	}
	switch {
	case c.since != nil:
		since := c.since.value(s)
		passed := v.moment.Sub(since.moment)
		return since.present() && (c.operator == "atMost" && passed <= c.operand.duration || c.operator == "atLeast" && passed >= c.operand.duration)
	case c.operator == "oneOf":
		return v.in(c.operand.values, true)
	case c.operand.other != nil:
		return v.equal(c.operand.other.value(s))
	case c.operator == "equals":
		return v.equal(c.operand.values[0])
	case c.operator == "atMost":
		return v.compare(c.operand.values[0]) <= 0
	}
	return v.compare(c.operand.values[0]) >= 0
}

// tell says what a condition asks for and what there is.
func (c condition) tell(s *subject) string {
	v := c.field.value(s)
	if c.since == nil {
		return fmt.Sprintf("%s is %s, and must meet %s", c.field.name, v, c.text)
	}
	since := c.since.value(s)
	if !v.present() || !since.present() {
		return fmt.Sprintf("%s is %s and %s is %s, and must meet %s", c.field.name, v, c.since.name, since, c.text)
	}
	return fmt.Sprintf("%s is %s after %s, and must meet %s", c.field.name, days(v.moment.Sub(since.moment)), c.since.name, c.text)
}

// days is a duration with its days apart, which is how policies count.
func days(d time.Duration) string {
	const day = 24 * time.Hour
	whole := d / day
	if rest := d - whole*day; rest != 0 {
		if whole == 0 {
			return rest.String()
		}
		return fmt.Sprintf("%dd%s", whole, rest)
	}
	return fmt.Sprintf("%dd", whole)
}

// value is what the field holds.
func (f field) value(s *subject) value {
	v := f.of(s)
	v.kind = f.kind
	return v
}

// String is the value in a sentence.
func (v value) String() string {
	switch {
	case !v.present():
		return "absent"
	case v.kind == moment:
		return stamp(v.moment)
	case v.kind == number:
		return fmt.Sprint(v.number)
	case v.kind == flag:
		return fmt.Sprint(v.flag)
	case v.kind == list:
		return strings.Join(v.list, ", ")
	}
	return v.text
}

// in tells whether a value is in a set: of a list all items, or any.
func (v value) in(set []value, all bool) bool {
	if v.kind != list {
		return slices.ContainsFunc(set, v.equal)
	}
	in := func(item string) bool {
		return slices.ContainsFunc(set, func(other value) bool { return other.text == item })
	}
	if all {
		return !slices.ContainsFunc(v.list, func(item string) bool { return !in(item) })
	}
	return slices.ContainsFunc(v.list, in)
}

func (v value) equal(other value) bool {
	return v.text == other.text && v.flag == other.flag && v.compare(other) == 0
}

// compare orders two values of one kind.
func (v value) compare(other value) int {
	switch {
	case v.kind == moment:
		return v.moment.Compare(other.moment)
	case v.number < other.number:
		return -1
	case v.number > other.number:
		return 1
	}
	return 0
}
