package commands

import (
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
	"golang.org/x/text/language"

	"github.com/collabledger/collabledger/domain"
)

// Bounds of the times that a command may name, in years.
const (
	EarliestYear = 2000
	LatestYear   = 2200
)

// check holds a value to its schema and to the formats that JSON Schema states too loosely, and lists all that is wrong.
func (r *Registry) check(schema *huma.Schema, value any) []domain.FieldError {
	result := &huma.ValidateResult{}
	huma.Validate(r.schemas, schema, huma.NewPathBuffer(nil, 0), huma.ModeWriteToServer, value, result)
	var fields []domain.FieldError
	for _, err := range result.Errors {
		field, rule := "", err.Error()
		if detail, ok := errors.AsType[*huma.ErrorDetail](err); ok {
			field, rule = detail.Location, detail.Message
		}
		fields = append(fields, domain.FieldError{Field: field, Rule: rule})
	}
	if len(fields) > 0 {
		return fields
	}
	return r.checkFormats(schema, "", value)
}

func (r *Registry) checkFormats(schema *huma.Schema, path string, value any) []domain.FieldError {
	for schema.Ref != "" {
		schema = r.schemas.SchemaFromRef(schema.Ref)
	}
	var fields []domain.FieldError
	switch value := value.(type) {
	case map[string]any:
		for name, item := range value {
			if property := schema.Properties[name]; property != nil {
				fields = append(fields, r.checkFormats(property, strings.TrimPrefix(path+"."+name, "."), item)...)
			}
		}
	case []any:
		for i, item := range value {
			fields = append(fields, r.checkFormats(schema.Items, fmt.Sprintf("%s[%d]", path, i), item)...)
		}
	case nil:
		fields = append(fields, domain.FieldError{Field: path, Rule: "must not be null; leave it out instead"})
	case string:
		if rule := checkText(schema, value); rule != "" {
			fields = append(fields, domain.FieldError{Field: path, Rule: rule})
		}
	}
	slices.SortFunc(fields, func(a, b domain.FieldError) int { return strings.Compare(a.Field, b.Field) })
	return fields
}

// checkText answers the rule that a text breaks, or nothing.
func checkText(schema *huma.Schema, text string) string {
	if schema.MinLength != nil && *schema.MinLength > 0 && strings.TrimSpace(text) == "" {
		return "must not be blank"
	}
	if i := strings.IndexFunc(text, func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' && r != '\t' || r == unicode.ReplacementChar
	}); i >= 0 {
		return "must be text without control characters"
	}
	switch schema.Format {
	case "email":
		if a, err := mail.ParseAddress(text); err != nil || a.Address != text || !strings.Contains(text[strings.LastIndex(text, "@"):], ".") {
			return "must be an e-mail address such as anna@example.com"
		}
	case "uri":
		if u, err := url.Parse(text); err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
			return "must be an absolute https URL without credentials"
		}
	case "uuid":
		if id, err := uuid.Parse(text); err != nil || id == uuid.Nil || id.String() != text {
			return "must be a UUID in lower case with hyphens, not all zeros"
		}
	case "country":
		if region, err := language.ParseRegion(text); err != nil || !region.IsCountry() || region.String() != text {
			return "must be an ISO 3166-1 alpha-2 country such as ES"
		}
	case "language":
		if base, err := language.ParseBase(text); err != nil || base.String() != text {
			return "must be an ISO 639-1 language such as es"
		}
	case "date-time":
		if t, err := time.Parse(time.RFC3339, text); err != nil || t.UTC().Year() < EarliestYear || t.UTC().Year() >= LatestYear {
			return fmt.Sprintf("must be an RFC 3339 time from the year %d on and before %d", EarliestYear, LatestYear)
		}
	}
	return ""
}
