package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/internal/term"
)

// doCommand submits one command.
type doCommand struct {
	Command string `arg:"" help:"Which one, for example GrantAccess."`
	Body    string `name:"data" env:"-" placeholder:"JSON" help:"Its fields as JSON, @FILE for those in a file, or - for standard input; without it, the fields are explained."`
	ID      string `name:"id" placeholder:"UUID" help:"Idempotency-Key; the same one again gives the first answer again. Without it, a fresh one."`
	connection
}

// Help lists all commands by the guide's steps.
func (doCommand) Help() string {
	var help strings.Builder
	help.WriteString("\"ledger do GrantAccess\" explains what GrantAccess takes. Examples:\n\n" +
		"  ledger do ApplyForPartnership --data '{\"consultancyId\":\"0192f3c4-…\"}' --as ACCOUNT/USER\n" +
		"  ledger do SubmitProfile --data @profile.json --as ACCOUNT/USER\n\n" +
		"The commands, by the steps of the guide:\n\n")
	width := 0
	for _, spec := range commands.List() {
		width = max(width, len(spec.Name))
	}
	step := ""
	for _, spec := range commands.List() {
		shown := spec.Step
		if shown == step {
			shown = ""
		}
		step = spec.Step
		fmt.Fprintf(&help, "  %-4s%-*s  %s\n", shown, width, spec.Name, spec.Summary)
	}
	return help.String()
}

// Run submits it.
func (c doCommand) Run(ctx context.Context, std *streams) error {
	if c.Body == "" {
		if err := describeCommand(std.out, c.Command); err != nil {
			return err
		}
		return usageError{fmt.Errorf("%s needs its fields as JSON: --data", c.Command)}
	}
	body, err := c.body(std.in)
	if err != nil {
		return err
	}
	var parsed any
	if err := json.Unmarshal(body, &parsed); err != nil {
		return usageError{fmt.Errorf("the fields of %s are not JSON: %w", c.Command, err)}
	}
	id, err := c.commandID()
	if err != nil {
		return err
	}
	ledger, err := c.client()
	if err != nil {
		return err
	}
	answer, err := ledger.DoWithID(ctx, id, c.Command, json.RawMessage(body))
	if _, refused := errors.AsType[*client.Problem](err); err != nil && !refused {
		return fmt.Errorf("%w; with --id %s it can be submitted again, safely also if it was done", err, id)
	}
	if err != nil {
		return err
	}
	return c.print(std, answer)
}

// body reads the command's fields.
func (c doCommand) body(in io.Reader) ([]byte, error) {
	switch name, isFile := strings.CutPrefix(c.Body, "@"); {
	case c.Body == "-":
		return readBody(in, "standard input")
	case isFile:
		file, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("read the command's fields: %w", err)
		}
		defer func() { _ = file.Close() }() // it was only read
		return readBody(file, name)
	}
	return []byte(c.Body), nil
}

func readBody(from io.Reader, name string) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(from, commands.MaxBodyBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read the command's fields from %s: %w", name, err)
	}
	if len(body) > commands.MaxBodyBytes {
		return nil, usageError{fmt.Errorf("%s has more than the %d bytes that a command's fields may have", name, commands.MaxBodyBytes)}
	}
	return bytes.TrimSpace(body), nil
}

func (c doCommand) commandID() (uuid.UUID, error) {
	if c.ID == "" {
		return newID(), nil
	}
	id, err := uuid.Parse(c.ID)
	if err != nil {
		return uuid.Nil, usageError{fmt.Errorf("--id must be a UUID: %w", err)}
	}
	return id, nil
}

// print tells what a command did.
func (c connection) print(std *streams, answer client.Answer) error {
	if c.JSON {
		return printJSON(std.out, answer)
	}
	table := term.NewTable("POSITION", "EVENT", "STREAM", "VERSION")
	for _, event := range answer.Events {
		table.Row(event.Position, event.Type, event.Stream, event.Version)
	}
	style := term.StyleFor(std.out)
	if _, err := fmt.Fprintf(std.out, "%s at position %d, command %s\n", style.Good("accepted"), answer.Position, answer.CommandID); err != nil {
		return err
	}
	if table.Len() > 0 {
		if err := table.Write(std.out, style, ""); err != nil {
			return err
		}
	}
	return printResult(std.out, answer.Result)
}

// printResult tells what the command created, a field a line.
func printResult(out io.Writer, result json.RawMessage) error {
	decoder := json.NewDecoder(bytes.NewReader(result))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil // the command creates nothing
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return err
		}
		var value any
		if err := decoder.Decode(&value); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "%v: %v\n", name, value); err != nil {
			return err
		}
	}
	return nil
}

func printJSON(out io.Writer, value any) error {
	encoded, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n", encoded)
	return err
}
