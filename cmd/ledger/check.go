package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/collabledger/collabledger/audit"
	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/internal/term"
)

// errFound says that a check found something, which it has told.
var errFound = errors.New("the log breaks rules")

// uncheckedError is why a check could not be made to its end, so that nobody takes that for a log that breaks rules.
type uncheckedError struct{ error }

func (e uncheckedError) Unwrap() error { return e.error }

// checkCommand checks a whole log.
type checkCommand struct {
	storage
	Policy string `placeholder:"FILE" help:"Rules of your own to try on all history (docs/policies.md)."`
	JSON   bool   `name:"json" help:"Print the report as JSON."`
}

// Help tells what a check is worth, and how it ends.
func (checkCommand) Help() string {
	return `It reads the log from its first event on and holds every one to the invariants, by rules of its own: it shares none with the code that accepted the events. It only reads, and a ledger may serve meanwhile. docs/checks.md lists the rules.

Exit code 0: nothing was found; 1: events break rules, or a policy would have refused some; 3: the log could not be read to its end.

Examples:

  ledger check --data /var/lib/ledger
  ledger check --postgres postgres://auditor@db/ledger --policy docs/policies/no-long-grants.json`
}

// checked is a report with how fast it was made.
type checked struct {
	audit.Report
	Seconds         float64 `json:"seconds"`
	EventsPerSecond float64 `json:"eventsPerSecond"`
}

// Run checks it.
func (c checkCommand) Run(ctx context.Context, std *streams) error {
	report, err := c.check(ctx, std)
	if err != nil {
		return uncheckedError{err}
	}
	if c.JSON {
		err = printJSON(std.out, report)
	} else {
		err = report.write(std.out)
	}
	if err != nil {
		return uncheckedError{err}
	}
	if report.Found+report.Denied > 0 {
		return errFound
	}
	return nil
}

// check makes the report.
func (c checkCommand) check(ctx context.Context, std *streams) (report checked, err error) {
	options := audit.Options{}
	if c.Policy != "" {
		if options.Policy, err = readPolicy(c.Policy); err != nil {
			return checked{}, usageError{err}
		}
	}
	db, err := c.openReadOnly(ctx)
	if err != nil {
		return checked{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	log, err := openBackend(ctx, db)
	if err != nil {
		return checked{}, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	progress := &progress{std: std, doing: "checking"}
	options.Progress = progress.tell
	began := time.Now()
	report.Report, err = audit.Check(ctx, log, options)
	progress.end()
	if err != nil {
		return checked{}, err
	}
	report.Seconds = time.Since(began).Seconds()
	report.EventsPerSecond = float64(report.Events) / report.Seconds
	return report, nil
}

// readPolicy reads the rules in a file.
func readPolicy(path string) (*audit.Policy, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(file, audit.MaxPolicyBytes+1))
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	policy, err := audit.ParsePolicy(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return policy, nil
}

// openReadOnly opens the database of a ledger for reading alone; others may serve it.
func (s storage) openReadOnly(ctx context.Context) (*sqldb.DB, error) {
	if s.Postgres != "" {
		return sqldb.OpenPostgresReadOnly(ctx, s.Postgres)
	}
	if err := s.mustExist(); err != nil {
		return nil, err
	}
	return sqldb.OpenSQLiteReadOnly(ctx, filepath.Join(s.Data, databaseFile))
}

// write tells people.
func (r checked) write(w io.Writer) error {
	style := term.StyleFor(w)
	for _, part := range []struct {
		found []audit.Violation
		of    int
		title string
	}{{r.Violations, r.Found, "RULE BROKEN"}, {r.Refused, r.Denied, "POLICY"}} {
		if len(part.found) == 0 {
			continue
		}
		table := term.NewTable(part.title, "POSITION", "EVENT", "STREAM", "TIME", "WHAT IS WRONG")
		for _, v := range part.found {
			row(table, v)
		}
		if err := table.Write(w, style, ""); err != nil {
			return err
		}
		if len(part.found) < part.of {
			if _, err := fmt.Fprintf(w, "… and %d more\n", part.of-len(part.found)); err != nil {
				return err
			}
		}
	}
	verdict := style.Good("no rule is broken")
	if r.Found > 0 {
		verdict = style.Bad(fmt.Sprintf("rules are broken %d times", r.Found))
	}
	if r.Refused != nil {
		verdict += fmt.Sprintf(", and the policy would have refused %d events", r.Denied)
	}
	_, err := fmt.Fprintf(w, "%s: %d events in %d streams, %.1f s, %.0f events/s\n", verdict, r.Events, r.Streams, r.Seconds, r.EventsPerSecond)
	return err
}

// row tells of a violation: a line for the event, and one for each that it contradicts.
func row(table *term.Table, v audit.Violation) {
	rule, what := fmt.Sprintf("%s (%s)", v.Code, v.Source), v.Detail
	if len(v.Events) == 0 {
		table.Row(rule, "", "", "", "", what)
	}
	for _, e := range v.Events {
		if e.Type == "" { // bytes that are no record
			table.Row(rule, e.Position, "", "", "", what)
		} else {
			table.Row(rule, e.Position, e.Type, e.Stream, e.Time.UTC().Format(time.RFC3339), what)
		}
		rule, what = "  and", ""
	}
}
