package commands

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/domain"
)

// TestListIsComplete keeps the list fit to make operations and documents from.
func TestListIsComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, spec := range List() {
		require.False(t, seen[spec.Name], "%s is listed twice", spec.Name)
		seen[spec.Name] = true
		require.Equal(t, spec.Request.Name(), spec.Name, "a command's name is that of its struct")
		require.Regexp(t, `^(S([1-9]|1[01])|Webhooks)$`, spec.Step)
		require.NotEmpty(t, spec.Summary)
		require.IsType(t, spec.Example, mustDecode(t, spec))
		require.Equal(t, spec.Example, mustDecode(t, spec), "what an example says is read back the same")
	}
}

func mustDecode(t *testing.T, spec Spec) Command {
	t.Helper()
	body, err := json.Marshal(spec.Example)
	require.NoError(t, err)
	_, command, err := NewRegistry().Decode(spec.Name, body)
	require.NoError(t, err)
	return command
}

// Two ids that stand in the bodies of these tests.
const (
	uuidA = "0192f3c4-0000-7000-8000-000000000001"
	uuidB = "0192f3c4-0000-7000-8000-000000000002"
)

// edited is a command's example as JSON with some fields replaced; nil takes a field out.
func edited(t testing.TB, name string, fields map[string]any) []byte {
	t.Helper()
	spec := NewRegistry().byName[name]
	data, err := json.Marshal(spec.Example)
	require.NoError(t, err)
	body := map[string]any{}
	require.NoError(t, json.Unmarshal(data, &body))
	for field, value := range fields {
		if value == nil {
			delete(body, field)
		} else {
			body[field] = value
		}
	}
	data, err = json.Marshal(body)
	require.NoError(t, err)
	return data
}

// null is a JSON null, where nil would take a field out.
var null = json.RawMessage("null")

func TestDecodeRefusesWhatIsNoCommand(t *testing.T) {
	for name, test := range map[string]struct {
		command, body string
		kind          domain.Kind
		code          string
		detail        string
	}{
		"an unknown command":         {"MakeCoffee", `{}`, domain.NotFound, "unknown_command", `"MakeCoffee"`},
		"a command in other letters": {"grantaccess", `{}`, domain.NotFound, "unknown_command", `"grantaccess"`},
		"no body":                    {"RevokeAccess", "", domain.Malformed, "malformed_json", "empty"},
		"blanks":                     {"RevokeAccess", " \n\t", domain.Malformed, "malformed_json", "empty"},
		"not JSON":                   {"RevokeAccess", `consultancyId=1`, domain.Malformed, "malformed_json", "not JSON"},
		"cut off":                    {"RevokeAccess", `{"consultancyId":"`, domain.Malformed, "malformed_json", "not JSON"},
		"single quotes":              {"RevokeAccess", `{'consultancyId':1}`, domain.Malformed, "malformed_json", "not JSON"},
		"trailing data":              {"RevokeAccess", `{} {}`, domain.Malformed, "malformed_json", "more after the end"},
		"trailing garbage":           {"RevokeAccess", `{}x`, domain.Malformed, "malformed_json", "more after the end"},
		"null":                       {"RevokeAccess", `null`, domain.Malformed, "malformed_json", "a command is a JSON object"},
		"a list":                     {"RevokeAccess", `[{}]`, domain.Malformed, "malformed_json", "a command is a JSON object"},
		"a string":                   {"RevokeAccess", `"{}"`, domain.Malformed, "malformed_json", "a command is a JSON object"},
		"objects nested deep":        {"RevokeAccess", strings.Repeat(`{"a":`, 10_900) + "1" + strings.Repeat("}", 10_900), domain.Malformed, "malformed_json", "not JSON"},
		"lists nested deep":          {"RevokeAccess", `{"a":` + strings.Repeat(`[`, 30_000) + strings.Repeat("]", 30_000) + "}", domain.Malformed, "malformed_json", "not JSON"},
		"a byte too many":            {"RevokeAccess", `{}` + strings.Repeat(" ", MaxBodyBytes-1), domain.TooLarge, "body_too_large", "65536 bytes"},
		"a name given twice":         {"RevokeAccess", `{"consultancyId":"` + uuidA + `","clientId":"` + uuidA + `","clientId":"` + uuidB + `"}`, domain.Malformed, "malformed_json", `"clientId" is given twice`},
		"a name given twice within":  {"CreateRole", `{"accountId":"` + uuidA + `","name":"n","permissions":{"sales":"read","sales":"edit"}}`, domain.Malformed, "malformed_json", `"sales" is given twice`},
		"a name twice, once escaped": {"RevokeAccess", `{"consultancyId":"` + uuidA + `","clientId":"` + uuidA + `","client\u0049d":"` + uuidB + `"}`, domain.Malformed, "malformed_json", `"clientId" is given twice`},
	} {
		t.Run(name, func(t *testing.T) {
			_, command, err := NewRegistry().Decode(test.command, []byte(test.body))
			require.Nil(t, command)
			got := domain.AsError(err)
			require.Equal(t, test.kind, got.Kind)
			require.Equal(t, test.code, got.Code)
			require.Contains(t, got.Detail, test.detail)
		})
	}
}

func TestDecodeTakesAFullBody(t *testing.T) {
	body := edited(t, "RevokeAccess", nil)
	_, _, err := NewRegistry().Decode("RevokeAccess", append(body, slices.Repeat([]byte(" "), MaxBodyBytes-len(body))...))
	require.NoError(t, err)
}

// TestSameNameInSiblings: a name may come again in another object.
func TestSameNameInSiblings(t *testing.T) {
	body := edited(t, "RegisterAccount", map[string]any{"owner": map[string]any{"name": "Anna", "email": "anna@vidal.example"}})
	require.Equal(t, 2, strings.Count(string(body), `"email"`))
	_, _, err := NewRegistry().Decode("RegisterAccount", body)
	require.NoError(t, err)
}

// TestDecodeNamesFieldAndRule goes through the rules, one broken at a time.
func TestDecodeNamesFieldAndRule(t *testing.T) {
	person := func(name, email any) map[string]any {
		return map[string]any{"owner": map[string]any{"name": name, "email": email}}
	}
	long := strings.Repeat("ñ", 4001)
	for name, test := range map[string]struct {
		command string
		fields  map[string]any
		field   string
		rule    string
	}{
		"a missing field":             {"SendMessage", map[string]any{"body": nil}, "body", "is missing"},
		"a missing field within":      {"RegisterAccount", map[string]any{"owner": map[string]any{"name": "Anna"}}, "owner.email", "is missing"},
		"an unknown field":            {"SendMessage", map[string]any{"urgent": true}, "urgent", "is not a field of this command"},
		"an unknown field within":     {"RegisterAccount", map[string]any{"owner": map[string]any{"name": "Anna", "email": "anna@vidal.example", "role": "owner"}}, "owner.role", "is not a field of this command"},
		"a field in other letters":    {"SendMessage", map[string]any{"Body": "b"}, "Body", "is not a field of this command"},
		"null":                        {"SendMessage", map[string]any{"body": null}, "body", "must not be null"},
		"null for an optional field":  {"GrantAccess", map[string]any{"expiresAt": null}, "expiresAt", "must not be null"},
		"null for a list":             {"AssignAccountManagers", map[string]any{"userIds": null}, "userIds", "must not be null"},
		"null in a list":              {"AssignAccountManagers", map[string]any{"userIds": []any{null}}, "userIds[0]", "must not be null"},
		"null for permissions":        {"CreateRole", map[string]any{"permissions": null}, "permissions", "must not be null"},
		"a number for a text":         {"SendMessage", map[string]any{"body": 7}, "body", "must be of type string"},
		"a list for a text":           {"SendMessage", map[string]any{"body": []string{"a"}}, "body", "must be of type string"},
		"an object for a text":        {"SendMessage", map[string]any{"body": map[string]any{}}, "body", "must be of type string"},
		"a boolean for a text":        {"SendMessage", map[string]any{"body": true}, "body", "must be of type string"},
		"a text for a list":           {"AssignAccountManagers", map[string]any{"userIds": uuidA}, "userIds", "must be of type array"},
		"objects in a list of texts":  {"ConfigureKPINotifications", map[string]any{"sections": []any{map[string]any{}, map[string]any{}}}, "sections[0]", "must be of type string"},
		"lists in a list of texts":    {"ConfigureKPINotifications", map[string]any{"sections": []any{[]any{}}}, "sections[0]", "must be of type string"},
		"a text for an object":        {"RegisterAccount", map[string]any{"owner": "Anna"}, "owner", "must be of type object"},
		"a text for a number":         {"ApproveProfile", map[string]any{"revision": "1"}, "revision", "must be of type integer"},
		"a fraction":                  {"ApproveProfile", map[string]any{"revision": 1.5}, "revision", "must be a whole number"},
		"a whole number as fraction":  {"ApproveProfile", map[string]any{"revision": json.Number("1.0")}, "revision", "must be a whole number"},
		"an exponent":                 {"ApproveProfile", map[string]any{"revision": json.Number("1e0")}, "revision", "must be a whole number"},
		"a number beyond any type":    {"ApproveProfile", map[string]any{"revision": json.Number("1" + strings.Repeat("0", 400))}, "revision", "must be a whole number"},
		"a number too small":          {"ApproveProfile", map[string]any{"revision": 0}, "revision", "must be at least 1"},
		"a number too large":          {"ApproveProfile", map[string]any{"revision": 1_000_001}, "revision", "must be at most 1000000"},
		"an empty text":               {"SendMessage", map[string]any{"body": ""}, "body", "must not be blank"},
		"blanks":                      {"SendMessage", map[string]any{"body": " \t\n\u00a0\u2003"}, "body", "must not be blank"},
		"a text too long":             {"SendMessage", map[string]any{"body": long}, "body", "must have at most 4000 characters"},
		"a NUL":                       {"SendMessage", map[string]any{"body": "a\x00b"}, "body", "without control characters"},
		"an escape character":         {"SendMessage", map[string]any{"body": "\x1b[2J"}, "body", "without control characters"},
		"a C1 control character":      {"SendMessage", map[string]any{"body": "a\u0085b"}, "body", "without control characters"},
		"half a surrogate pair":       {"SendMessage", map[string]any{"body": json.RawMessage(`"\ud800"`)}, "body", "without control characters"},
		"control in an optional text": {"OpenClientAccount", map[string]any{"purpose": "\x07"}, "purpose", "without control characters"},
		"not in the list":             {"RecordSubscription", map[string]any{"plan": "gold"}, "plan", "must be one of free basic standard advanced premium"},
		"an empty choice":             {"RegisterAccount", map[string]any{"firmKind": ""}, "firmKind", "must be one of agency consultancy external_cfo other"},
		"a tax number with signs":     {"UpdateAccountDetails", map[string]any{"taxId": "B12_345"}, "taxId", "must be letters, digits and . / - only"},
		"a tax number too short":      {"UpdateAccountDetails", map[string]any{"taxId": "B"}, "taxId", "must have at least 2 characters"},
		"a telephone number":          {"UpdateAccountDetails", map[string]any{"phone": "call me"}, "phone", "must be a telephone number"},
		"a role in capitals":          {"InviteMember", map[string]any{"role": "ADMINISTRATOR"}, "role", "must be a role"},
		"no items":                    {"AssignAccountManagers", map[string]any{"userIds": []any{}}, "userIds", "must have at least 1 items"},
		"an item too many":            {"SubmitProfile", map[string]any{"services": slices.Repeat([]string{"s"}, 21)}, "services", "must have at most 20 items"},
		"a huge list":                 {"AssignAccountManagers", map[string]any{"userIds": slices.Repeat([]int{1}, 30_000)}, "userIds", "must have at most 50 items"},
		"a blank item":                {"SubmitProfile", map[string]any{"services": []string{"books", " "}}, "services[1]", "must not be blank"},
		"an item too long":            {"SubmitProfile", map[string]any{"specialties": []string{long[:162]}}, "specialties[0]", "must have at most 80 characters"},
		"an item twice":               {"AssignAccountManagers", map[string]any{"userIds": []string{uuidA, uuidB, uuidA}}, "userIds[2]", "must not repeat"},
		"a language as a name":        {"SubmitProfile", map[string]any{"languages": []string{"es", "Spanish"}}, "languages[1]", "must have at most 2 characters"},
		"a language that is none":     {"SubmitProfile", map[string]any{"languages": []string{"xq"}}, "languages[0]", "must be an ISO 639-1 language"},
		"an unknown section":          {"CreateRole", map[string]any{"permissions": map[string]any{"kitchen": "read"}}, "permissions.kitchen", "is not a section"},
		"an unknown level":            {"CreateRole", map[string]any{"permissions": map[string]any{"sales": "admin"}}, "permissions.sales", "must be none, read or edit"},
		"a level that is no text":     {"CreateRole", map[string]any{"permissions": map[string]any{"sales": 1}}, "permissions.sales", "must be of type string"},
		"no permission at all":        {"UpdateRole", map[string]any{"permissions": map[string]any{}}, "permissions", "must permit something"},
		"one party":                   {"RevokeAccess", map[string]any{"clientId": uuidA}, "clientId", "must differ from consultancyId"},
		"a name of blanks within":     {"RegisterAccount", person("  ", "anna@vidal.example"), "owner.name", "must not be blank"},
		"an address within":           {"RegisterAccount", person("Anna", "anna"), "owner.email", "must be an e-mail address"},
		"a time without zone":         {"RaiseTask", map[string]any{"dueAt": "2026-03-31T16:00:00"}, "dueAt", "must be an RFC 3339 time"},
		"an empty optional text":      {"SubmitProfile", map[string]any{"website": ""}, "website", "must be an absolute https URL"},
	} {
		t.Run(name, func(t *testing.T) {
			_, command, err := NewRegistry().Decode(test.command, edited(t, test.command, test.fields))
			require.Nil(t, command)
			got := domain.AsError(err)
			require.Equal(t, domain.Malformed, got.Kind)
			require.Equal(t, "invalid", got.Code)
			require.NotEmpty(t, got.Fields)
			require.Equal(t, test.field, got.Fields[0].Field, "%v", err)
			require.Contains(t, got.Fields[0].Rule, test.rule)
		})
	}
}

// TestOptionalFieldsMayBeLeftOut: and what is left out has no value of its own.
func TestOptionalFieldsMayBeLeftOut(t *testing.T) {
	for command, field := range map[string]string{
		"RegisterAccount": "firmKind", "SubmitProfile": "website", "RejectProfile": "note", "GrantAccess": "expiresAt",
		"ChangeAccess": "expiresAt", "OpenClientAccount": "purpose", "RaiseTask": "dueAt",
	} {
		_, decoded, err := NewRegistry().Decode(command, edited(t, command, map[string]any{field: nil}))
		require.NoError(t, err, "%s without %s", command, field)
		again, err := json.Marshal(decoded)
		require.NoError(t, err)
		require.NotContains(t, string(again), `"`+field+`"`)
	}
}

// TestRefusalListsEveryField: also those of different kinds of rules.
func TestRefusalListsEveryField(t *testing.T) {
	body := `{"type":"bank","legalName":"","tradeName":7,"country":"España","email":"a@b","plan":"gold","firmKind":null,"owner":{"name":" ","mail":"x"},"extra":1}`
	_, _, err := NewRegistry().Decode("RegisterAccount", []byte(body))
	var fields []string
	for _, field := range domain.AsError(err).Fields {
		fields = append(fields, field.Field)
	}
	require.ElementsMatch(t, []string{"type", "legalName", "tradeName", "taxId", "country", "email", "phone", "plan", "firmKind", "owner.name", "owner.email", "owner.mail", "extra"}, fields)

	_, _, again := NewRegistry().Decode("RegisterAccount", []byte(body))
	require.Equal(t, err, again, "always in the same order")
}

// TestRefusalIsBounded: a body of thousands of mistakes does not get an answer of thousands of lines.
func TestRefusalIsBounded(t *testing.T) {
	var body strings.Builder
	for i := range 5_000 {
		fmt.Fprintf(&body, `,"f%d":1`, i)
	}
	_, _, err := NewRegistry().Decode("RevokeAccess", []byte("{"+body.String()[1:]+"}"))
	require.Len(t, domain.AsError(err).Fields, MaxFieldErrors)
}

func TestFormats(t *testing.T) {
	for format, texts := range map[string]struct{ good, bad []string }{
		"email": {
			good: []string{"anna@example.com", "a.b+c@sub.example.co.uk", "ñ@ejemplo.es"},
			bad:  []string{"", "anna", "anna@", "@example.com", "anna@localhost", "Anna <anna@example.com>", "anna@example.com ", "a@b@c.com", "anna@example.com,b@example.com", "anna@exa mple.com"},
		},
		"uri": {
			good: []string{"https://example.com", "https://example.com:8443/a/b?c=d#e", "https://xn--espaa-rta.example/"},
			bad:  []string{"", "example.com", "http://example.com", "ftp://example.com", "javascript:alert(1)", "https://", "https:///path", "https://user:pass@example.com", "//example.com", "https://exa mple.com", "https://example.com/\n", "data:text/html,x", "https://%zz"},
		},
		"uuid": {
			good: []string{uuidA},
			bad:  []string{"", "1", strings.ToUpper(uuidA), "{" + uuidA + "}", "urn:uuid:" + uuidA, strings.ReplaceAll(uuidA, "-", ""), "00000000-0000-0000-0000-000000000000", uuidA + " "},
		},
		"country": {
			good: []string{"ES", "DE", "GB", "US", "AD"},
			bad:  []string{"", "es", "Es", "ESP", "724", "UK", "ZZ", "XX", "EU", "Spain", "E", "QQ"},
		},
		"language": {
			good: []string{"es", "ca", "en", "eu", "gl"},
			bad:  []string{"", "ES", "spa", "ast", "es-ES", "zz", "xq", "e", "und"},
		},
		"date-time": {
			good: []string{"2026-03-02T09:30:00Z", "2026-03-02T09:30:00.123456+02:00", "2000-01-01T00:00:00Z"},
			bad:  []string{"", "2026-03-02", "2026-03-02 09:30:00Z", "2026-03-02T09:30:00", "2026-03-02T9:30:00Z", "2026-13-02T09:30:00Z", "2026-02-30T09:30:00Z", "2026-03-02T09:30:00,5Z", "2026-03-02T24:00:00Z", "1999-12-31T23:59:59Z", "2200-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2026-03-02T09:30:00+25:00", "now"},
		},
	} {
		for _, text := range texts.good {
			require.Empty(t, checkFormat(format, text), "%s %q", format, text)
		}
		for _, text := range texts.bad {
			require.NotEmpty(t, checkFormat(format, text), "%s %q", format, text)
		}
	}
}

// TestSchemasSayNothingUnchecked: a keyword or format that the checker does not know would be a promise nobody keeps.
func TestSchemasSayNothingUnchecked(t *testing.T) {
	keywords := []string{"type", "format", "description", "properties", "required", "additionalProperties", "items", "enum",
		"pattern", "patternDescription", "minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum"}
	formats := []string{"email", "uri", "uuid", "country", "language", "date-time", "int64"}
	visitSchemas(t, func(path string, schema *huma.Schema) {
		data, err := json.Marshal(schema)
		require.NoError(t, err)
		told := map[string]any{}
		require.NoError(t, json.Unmarshal(data, &told))
		for keyword := range told {
			require.Contains(t, keywords, keyword, "%s", path)
		}
		require.IsType(t, "", told["type"], "%s may be null", path)
		if schema.Format != "" {
			require.Contains(t, formats, schema.Format, "%s", path)
		}
		if schema.Pattern != "" {
			require.NotEmpty(t, schema.PatternDescription, "%s", path)
		}
	})
}

// TestEveryFieldHasALimit: texts, lists and numbers are bounded, and every field is described.
func TestEveryFieldHasALimit(t *testing.T) {
	visitSchemas(t, func(path string, schema *huma.Schema) {
		switch schema.Type {
		case huma.TypeString:
			bounded := schema.MaxLength != nil || schema.Pattern != "" || len(schema.Enum) > 0 || schema.Format == "uuid" || schema.Format == "date-time"
			require.True(t, bounded || strings.HasSuffix(path, ".permissions.*"), "%s has no limit", path)
		case huma.TypeArray:
			require.NotNil(t, schema.MaxItems, "%s has no limit", path)
		case huma.TypeInteger:
			require.NotNil(t, schema.Minimum, "%s has no limit", path)
			require.NotNil(t, schema.Maximum, "%s has no limit", path)
		}
	})
}

// visitSchemas goes through the schemas of all commands and what they are made of.
func visitSchemas(t *testing.T, visit func(path string, schema *huma.Schema)) {
	t.Helper()
	r := NewRegistry()
	var walk func(path string, schema *huma.Schema)
	walk = func(path string, schema *huma.Schema) {
		for schema.Ref != "" {
			schema = r.schemas.named.SchemaFromRef(schema.Ref)
		}
		visit(path, schema)
		for name, property := range schema.Properties {
			require.NotEmpty(t, property.Description, "%s.%s is not described", path, name)
			walk(path+"."+name, property)
		}
		if schema.Items != nil {
			walk(path+"[]", schema.Items)
		}
		if others, ok := schema.AdditionalProperties.(*huma.Schema); ok {
			walk(path+".*", others)
		}
	}
	for name, listed := range r.byName {
		walk(name, listed.schema)
	}
}

// FuzzDecode: no body makes decoding panic or answer anything but the ledger's own error, and what is decoded can be encoded
// and decoded to the same again.
func FuzzDecode(f *testing.F) {
	registry := NewRegistry()
	for i, spec := range registry.Specs() {
		body, err := json.Marshal(spec.Example)
		require.NoError(f, err)
		f.Add(i, body)
	}
	f.Add(32, []byte(`{"consultancyId":"`+uuidA+`","clientId":"`+uuidB+`","sections":[{},[]]}`))
	f.Add(16, []byte(`{"permissions":{"a.b":null,"c[0]":[]}}`))
	f.Fuzz(func(t *testing.T, index int, body []byte) {
		spec := registry.Specs()[uint(index)%uint(len(registry.Specs()))]
		_, command, err := registry.Decode(spec.Name, body)
		if err != nil {
			require.Nil(t, command)
			require.IsType(t, &domain.Error{}, err)
			require.Contains(t, []domain.Kind{domain.Malformed, domain.TooLarge}, err.(*domain.Error).Kind)
			return
		}
		again, err := json.Marshal(command)
		require.NoError(t, err)
		_, same, err := registry.Decode(spec.Name, again)
		require.NoError(t, err)
		require.Equal(t, command, same)
	})
}
