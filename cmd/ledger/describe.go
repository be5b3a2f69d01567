package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/internal/term"
)

// describeCommand explains what a command takes, from the same schema against which its body is checked.
func describeCommand(out io.Writer, name string) error {
	specs := commands.List()
	i := slices.IndexFunc(specs, func(spec commands.Spec) bool { return spec.Name == name })
	if i < 0 {
		return usageError{fmt.Errorf("there is no command %q; \"ledger do --help\" lists all", name)}
	}
	spec := specs[i]
	schemas := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	table := term.NewTable("FIELD", "TYPE", "", "WHAT IT IS")
	describeFields(table, schemas, schemas.Schema(spec.Request, true, spec.Name), "")
	example, err := json.Marshal(spec.Example)
	if err != nil {
		return fmt.Errorf("encode the example of %s: %w", name, err)
	}
	style := term.StyleFor(out)
	parties := make([]string, len(spec.By))
	for i, party := range spec.By {
		parties[i] = string(party)
	}
	if _, err := fmt.Fprintf(out, "%s: %s (%s).\nWho may: %s.\n\n", style.Bold(name), spec.Summary, spec.Step, strings.Join(parties, "; or ")); err != nil {
		return err
	}
	if err := table.Write(out, style, "  "); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\nExample:\n\n  ledger do %s --data '%s'\n", name, example)
	return err
}

// describeFields adds a row for each field of an object, the required ones first and in their order.
func describeFields(table *term.Table, schemas huma.Registry, object *huma.Schema, prefix string) {
	object = resolve(schemas, object)
	names := slices.Clone(object.Required)
	for _, name := range slices.Sorted(maps.Keys(object.Properties)) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, name := range names {
		field := object.Properties[name]
		optional := ""
		if !slices.Contains(object.Required, name) {
			optional = "optional"
		}
		table.Row(prefix+name, typeWord(schemas, field), optional, field.Description+choices(field))
		if inner := resolve(schemas, field); len(inner.Properties) > 0 {
			describeFields(table, schemas, inner, prefix+name+".")
		}
	}
}

// resolve follows references to the schema itself.
func resolve(schemas huma.Registry, schema *huma.Schema) *huma.Schema {
	for schema.Ref != "" {
		schema = schemas.SchemaFromRef(schema.Ref)
	}
	return schema
}

// typeWord is a field's type in one word: its format where it has one.
func typeWord(schemas huma.Registry, field *huma.Schema) string {
	field = resolve(schemas, field)
	switch {
	case field.Type == huma.TypeArray && field.Items != nil:
		return "list of " + typeWord(schemas, field.Items)
	case field.Format != "" && field.Type == huma.TypeString:
		return field.Format
	}
	return field.Type
}

// choices lists the values that a field or its items may have, where there are only a few.
func choices(field *huma.Schema) string {
	values := field.Enum
	if field.Items != nil {
		values = field.Items.Enum
	}
	if len(values) == 0 {
		return ""
	}
	words := make([]string, len(values))
	for i, value := range values {
		words[i] = fmt.Sprint(value)
	}
	return ": " + strings.Join(words, ", ")
}
