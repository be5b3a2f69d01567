package commands

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/collabledger/collabledger/domain"
)

// MaxFieldErrors is how many broken rules a refusal lists at most, so that a hostile body does not get a longer answer.
const MaxFieldErrors = 100

// checker holds a body to its command's schema and lists all that is wrong with it. huma.Validate is not used for it: it takes
// field names in any case and nulls for absent fields, and it lets formats pass that the ledger refuses.
type checker struct {
	*schemas
	fields []domain.FieldError
}

// schemas are the commands' schemas with what checking needs of them, made once.
type schemas struct {
	named    huma.Registry
	patterns map[string]*regexp.Regexp // by source
	names    map[*huma.Schema][]string // of an object's properties, sorted
}

// prepare makes what checking needs of the schemas.
func prepare(named huma.Registry) *schemas {
	s := &schemas{named: named, patterns: map[string]*regexp.Regexp{}, names: map[*huma.Schema][]string{}}
	for _, schema := range named.Map() {
		s.include(schema)
	}
	return s
}

// include prepares a schema and all that it is made of.
func (s *schemas) include(schema *huma.Schema) {
	if schema == nil {
		return
	}
	if schema.Pattern != "" {
		s.patterns[schema.Pattern] = regexp.MustCompile(schema.Pattern)
	}
	s.names[schema] = slices.Sorted(maps.Keys(schema.Properties))
	for _, property := range schema.Properties {
		s.include(property)
	}
	s.include(schema.Items)
	if others, ok := schema.AdditionalProperties.(*huma.Schema); ok {
		s.include(others)
	}
}

func (c *checker) fail(path, rule string, args ...any) {
	if len(c.fields) < MaxFieldErrors {
		c.fields = append(c.fields, domain.FieldError{Field: path, Rule: fmt.Sprintf(rule, args...)})
	}
}

// add takes in what a command's own Check found, except about fields of which something is known to be wrong.
func (c *checker) add(fields []domain.FieldError) {
	for _, found := range fields {
		if !slices.ContainsFunc(c.fields, func(f domain.FieldError) bool { return f.Field == found.Field }) {
			c.fail(found.Field, "%s", found.Rule)
		}
	}
}

// check visits a value and all that it is made of, in the order of names, so that the same body always gets the same answer.
func (c *checker) check(schema *huma.Schema, path string, value any) {
	for schema.Ref != "" {
		schema = c.named.SchemaFromRef(schema.Ref)
	}
	switch value := value.(type) {
	case map[string]any:
		if schema.Type == huma.TypeObject {
			c.object(schema, path, value)
			return
		}
	case []any:
		if schema.Type == huma.TypeArray {
			c.array(schema, path, value)
			return
		}
	case string:
		if schema.Type == huma.TypeString {
			c.text(schema, path, value)
			return
		}
	case json.Number:
		if schema.Type == huma.TypeInteger {
			c.integer(schema, path, value)
			return
		}
	case nil:
		c.fail(path, "must not be null; leave out what does not apply")
		return
	}
	c.fail(path, "must be of type %s", schema.Type)
}

func (c *checker) object(schema *huma.Schema, path string, object map[string]any) {
	known := 0
	for _, name := range c.names[schema] {
		if item, ok := object[name]; ok {
			known++
			c.check(schema.Properties[name], member(path, name), item)
		} else if slices.Contains(schema.Required, name) {
			c.fail(member(path, name), "is missing")
		}
	}
	if known == len(object) {
		return
	}
	others, open := schema.AdditionalProperties.(*huma.Schema)
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if _, known := schema.Properties[name]; known {
			continue
		}
		if open {
			c.check(others, member(path, name), object[name])
		} else {
			c.fail(member(path, name), "is not a field of this command")
		}
	}
}

func member(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// array checks a list. All lists in commands are sets, so an item that is there already is wrong.
func (c *checker) array(schema *huma.Schema, path string, items []any) {
	if schema.MinItems != nil && len(items) < *schema.MinItems {
		c.fail(path, "must have at least %d items", *schema.MinItems)
	}
	if schema.MaxItems != nil && len(items) > *schema.MaxItems {
		c.fail(path, "must have at most %d items", *schema.MaxItems)
		return
	}
	seen := map[string]bool{}
	for i, item := range items {
		place := fmt.Sprintf("%s[%d]", path, i)
		c.check(schema.Items, place, item)
		if text, ok := item.(string); ok {
			if seen[text] {
				c.fail(place, "must not repeat an item before it")
			}
			seen[text] = true
		}
	}
}

func (c *checker) integer(schema *huma.Schema, path string, number json.Number) {
	n, err := strconv.ParseInt(number.String(), 10, 64)
	switch {
	case err != nil:
		c.fail(path, "must be a whole number, without fraction or exponent")
	case schema.Minimum != nil && float64(n) < *schema.Minimum:
		c.fail(path, "must be at least %v", int64(*schema.Minimum))
	case schema.Maximum != nil && float64(n) > *schema.Maximum:
		c.fail(path, "must be at most %v", int64(*schema.Maximum))
	}
}

// text checks a string; of several rules broken, the one that says most is told.
func (c *checker) text(schema *huma.Schema, path, text string) {
	length := utf8.RuneCountInString(text)
	switch {
	case schema.MinLength != nil && *schema.MinLength > 0 && strings.TrimSpace(text) == "":
		c.fail(path, "must not be blank")
	case schema.MaxLength != nil && length > *schema.MaxLength:
		c.fail(path, "must have at most %d characters", *schema.MaxLength)
	case hasControl(text):
		c.fail(path, "must be text without control characters")
	case len(schema.Enum) > 0 && !slices.Contains(schema.Enum, any(text)):
		c.fail(path, "must be one of %s", strings.Trim(fmt.Sprint(schema.Enum), "[]"))
	case schema.Pattern != "" && !c.patterns[schema.Pattern].MatchString(text):
		c.fail(path, "must be %s", schema.PatternDescription)
	case schema.MinLength != nil && length < *schema.MinLength:
		c.fail(path, "must have at least %d characters", *schema.MinLength)
	default:
		if rule := checkFormat(schema.Format, text); rule != "" {
			c.fail(path, "%s", rule)
		}
	}
}
