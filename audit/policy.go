package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/collabledger/collabledger/domain"
)

// Limits of a policy.
const (
	MaxPolicyBytes      = 64 << 10                   // of its file
	MaxPolicyRules      = 100                        // in a policy
	MaxPolicyConditions = 20                         // in each list of a rule
	maxPolicyDuration   = 100 * 365 * time.Hour * 24 // that a condition may name
)

// Policy is a set of rules of a firm's own, to be tried on all history. docs/policies.md tells its format.
type Policy struct {
	rules map[string][]policyRule // by the wire name of the event, or GrantHeld
}

// policyRule is one rule as it applies to one type of event.
type policyRule struct {
	name, because string
	when, require []condition
}

// ruleFile is a rule as its file has it.
type ruleFile struct {
	Name    string            `json:"name"`
	Because string            `json:"because"`
	On      names             `json:"on"`
	When    []json.RawMessage `json:"when"`
	Require []json.RawMessage `json:"require"`
}

// names is one name or a list of them.
type names []string

// UnmarshalJSON reads either.
func (n *names) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*n = names{one}
		return nil
	}
	var many []string
	if err := json.Unmarshal(data, &many); err != nil {
		return errors.New("on must be the name of an event, or a list of names")
	}
	*n = many
	return nil
}

// ParsePolicy reads a policy. Its errors name the rule and the field that they are about.
func ParsePolicy(data []byte) (*Policy, error) {
	if len(data) > MaxPolicyBytes {
		return nil, fmt.Errorf("the policy has more than %d bytes", MaxPolicyBytes)
	}
	var file struct {
		Rules []json.RawMessage `json:"rules"`
	}
	if err := strictly(data, &file); err != nil {
		return nil, fmt.Errorf("the policy is not JSON with rules: %w", err)
	}
	if len(file.Rules) == 0 || len(file.Rules) > MaxPolicyRules {
		return nil, fmt.Errorf("the policy has %d rules; it must have 1 to %d", len(file.Rules), MaxPolicyRules)
	}
	p := &Policy{rules: map[string][]policyRule{}}
	var taken []string
	for i, raw := range file.Rules {
		rule := ruleFile{}
		name := strconv.Itoa(i + 1)
		err := strictly(raw, &rule)
		if rule.Name != "" {
			name = strconv.Quote(rule.Name)
		}
		if err == nil && slices.Contains(taken, rule.Name) {
			err = errors.New("another rule has its name")
		}
		if err == nil {
			err = p.add(rule)
		}
		if err != nil {
			return nil, fmt.Errorf("rule %s: %w", name, err)
		}
		taken = append(taken, rule.Name)
	}
	return p, nil
}

// ruleName is what a rule may be called.
var ruleName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

// add compiles a rule for every type of event that it is on.
func (p *Policy) add(file ruleFile) error {
	switch {
	case !ruleName.MatchString(file.Name):
		return errors.New("name must be of lower-case letters, digits and hyphens, 64 at most")
	case len(file.On) == 0:
		return errors.New("on must name an event")
	case len(file.Require) == 0:
		return errors.New("require must have a condition")
	case len(file.Require) > MaxPolicyConditions || len(file.When) > MaxPolicyConditions:
		return fmt.Errorf("when and require have %d conditions each at most", MaxPolicyConditions)
	}
	for _, on := range file.On {
		types := typesNamed(on)
		if len(types) == 0 {
			return fmt.Errorf("on: the ledger has no event %q", on)
		}
		for _, t := range types {
			rule := policyRule{name: file.Name, because: file.Because}
			var err error
			if rule.when, err = compile("when", file.When, t); err != nil {
				return err
			}
			if rule.require, err = compile("require", file.Require, t); err != nil {
				return err
			}
			p.rules[t.name] = append(p.rules[t.name], rule)
		}
	}
	return nil
}

// typesNamed finds what a rule may be on: an event, whose earlier versions are tried in the newest shape, or the stretches of a grant.
func typesNamed(name string) []eventType {
	if name == grantHeld {
		return []eventType{{name: grantHeld, short: grantHeld, fields: heldFields()}}
	}
	var found []eventType
	for _, t := range domain.Events() {
		if parts := strings.Split(t.Name, "."); parts[1] == name {
			found = append(found, eventType{name: t.Name, short: name, fields: eventFields(t.Example)})
		}
	}
	return found
}

// eventType is what conditions may look at in one type of event.
type eventType struct {
	name, short string
	fields      map[string]field
}

// compile reads the conditions of a list.
func compile(list string, conditions []json.RawMessage, on eventType) ([]condition, error) {
	var compiled []condition
	for i, raw := range conditions {
		c, err := parseCondition(raw, on)
		if err != nil {
			return nil, fmt.Errorf("%s %d: %w", list, i+1, err)
		}
		compiled = append(compiled, c)
	}
	return compiled, nil
}

// condition is one comparison: of a field, or of the time that has passed since another one.
type condition struct {
	text     string // as the file has it
	field    field
	since    *field // nil: the field itself is compared
	operator string
	operand  operand
}

// operand is what a field is compared with.
type operand struct {
	values   []value // one, but for oneOf and noneOf
	other    *field  // another field, for equals
	duration time.Duration
	present  bool
}

// operators are all that a condition may have one of.
func operators() []string {
	return []string{"present", "equals", "oneOf", "noneOf", "atLeast", "atMost"}
}

func parseCondition(raw json.RawMessage, on eventType) (condition, error) {
	parts := map[string]json.RawMessage{}
	if err := strictly(raw, &parts); err != nil {
		return condition{}, errors.New("a condition must be an object")
	}
	c := condition{text: string(raw)}
	var err error
	if c.field, err = on.named("field", parts); err != nil {
		return condition{}, err
	}
	if parts["since"] != nil {
		since, err := on.named("since", parts)
		if err != nil {
			return condition{}, err
		}
		if since.kind != moment || c.field.kind != moment {
			return condition{}, fmt.Errorf("%s since %s: both must be times, and they are %s and %s", c.field.name, since.name, c.field.kind, since.kind)
		}
		c.since = &since
	}
	for part := range parts {
		if part == "field" || part == "since" {
			continue
		}
		if !slices.Contains(operators(), part) {
			return condition{}, fmt.Errorf("%s: there is no operator %q; the operators are %s", c.field.name, part, strings.Join(operators(), ", "))
		}
		if c.operator != "" {
			return condition{}, fmt.Errorf("%s: a condition has one operator", c.field.name)
		}
		c.operator = part
	}
	if c.operator == "" {
		return condition{}, fmt.Errorf("%s: a condition needs one of the operators %s", c.field.name, strings.Join(operators(), ", "))
	}
	if err := c.parseOperand(parts[c.operator], on); err != nil {
		return condition{}, fmt.Errorf("%s: %s: %w", c.field.name, c.operator, err)
	}
	return c, nil
}

// named finds the field that a part of a condition names.
func (t eventType) named(part string, parts map[string]json.RawMessage) (field, error) {
	var name string
	if err := json.Unmarshal(parts[part], &name); err != nil {
		return field{}, fmt.Errorf("%s must name a field of %s", part, t.short)
	}
	f, ok := t.fields[name]
	if !ok {
		return field{}, fmt.Errorf("%s has no field %q", t.short, name)
	}
	return f, nil
}

// parseOperand reads what the field is compared with, which must be of its kind.
func (c *condition) parseOperand(raw json.RawMessage, on eventType) error {
	switch c.operator {
	case "present":
		if c.since != nil {
			return errors.New("goes without since")
		}
		return json.Unmarshal(raw, &c.operand.present)
	case "atLeast", "atMost":
		if c.since != nil {
			var text string
			if err := json.Unmarshal(raw, &text); err != nil {
				return errors.New(`with since it must be a duration, such as "90d"`)
			}
			var err error
			c.operand.duration, err = parseDuration(text)
			return err
		}
		if c.field.kind != number && c.field.kind != moment {
			return fmt.Errorf("compares numbers and times, and the field is %s", c.field.kind)
		}
	}
	if c.since != nil {
		return errors.New("goes without since")
	}
	if c.operator == "oneOf" || c.operator == "noneOf" {
		var many []json.RawMessage
		if err := json.Unmarshal(raw, &many); err != nil || len(many) == 0 {
			return errors.New("must be a list of values")
		}
		return c.parseValues(many)
	}
	var other struct {
		Field string `json:"field"`
	}
	if c.operator == "equals" && raw[0] == '{' {
		if err := strictly(raw, &other); err != nil {
			return errors.New(`must be a value, or a field, such as {"field": "grant.grantId"}`)
		}
		f, ok := on.fields[other.Field]
		if !ok {
			return fmt.Errorf("%s has no field %q", on.short, other.Field)
		}
		if f.kind != c.field.kind {
			return fmt.Errorf("%s is %s, and %s is %s", c.field.name, c.field.kind, f.name, f.kind)
		}
		c.operand.other = &f
		return nil
	}
	if c.field.kind == list {
		return errors.New("a list is compared by oneOf, noneOf or present")
	}
	return c.parseValues([]json.RawMessage{raw})
}

func (c *condition) parseValues(raws []json.RawMessage) error {
	kind := c.field.kind
	if kind == list {
		kind = text // of its items
	}
	for _, raw := range raws {
		v := value{kind: kind}
		var into any
		switch kind {
		case number:
			into = &v.number
		case flag:
			into = &v.flag
		case moment:
			into = &v.moment
		default:
			into = &v.text
		}
		if string(raw) == "null" || json.Unmarshal(raw, into) != nil {
			return fmt.Errorf("%s is not %s", raw, kind)
		}
		c.operand.values = append(c.operand.values, v)
	}
	return nil
}

// durationForm is a whole number of days, hours, minutes or seconds.
var durationForm = regexp.MustCompile(`^([0-9]{1,9})([dhms])$`)

func parseDuration(text string) (time.Duration, error) {
	found := durationForm.FindStringSubmatch(text)
	if found == nil {
		return 0, fmt.Errorf(`%q is not a duration: days, hours, minutes or seconds, such as "90d"`, text)
	}
	count, err := strconv.ParseInt(found[1], 10, 64)
	unit := map[string]time.Duration{"d": 24 * time.Hour, "h": time.Hour, "m": time.Minute, "s": time.Second}[found[2]]
	if err != nil || time.Duration(count) > maxPolicyDuration/unit {
		return 0, fmt.Errorf("%q is longer than 100 years", text)
	}
	return time.Duration(count) * unit, nil
}
