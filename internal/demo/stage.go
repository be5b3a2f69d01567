package demo

import (
	"context"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/internal/term"
)

// Widths of what a line of the play begins with, in columns.
const (
	markWidth    = 4
	actorWidth   = 30
	commandWidth = 36
)

// DeviationError says where the ledger did something else than it must.
type DeviationError struct {
	Where    string // the step, and what was tried
	Expected string
	Found    string
}

func (e *DeviationError) Error() string {
	return fmt.Sprintf("%s\n  expected: %s\n  found:    %s", e.Where, e.Expected, e.Found)
}

// stage is where the play happens. After the first deviation all its methods do nothing, so that the script reads as a script.
type stage struct {
	ctx    context.Context // of the whole play
	out    io.Writer
	style  term.Style
	names  map[reflect.Type]string // of the commands
	ledger *client.Client          // with the operator's key
	public *client.Client          // without any
	broker jetstream.MessagesContext
	cast   *cast

	title    string // of the step
	gap      bool   // the last line was a table's, which what people do keeps its distance from
	checks   int    // passed so far
	position int64  // of the last event that an answer named
	heard    int64  // sequence of the last event that the broker delivered
	err      error  // the first deviation, or failure to write

	acceptance client.Answer // of La Espiga's request, which a later step repeats
	tasks      map[activity]uuid.UUID
}

// activity names what is to be done in a section of a client's account.
type activity struct {
	client  *firm
	section domain.Section
}

// deviate notes the first deviation. A play that was interrupted has none.
func (s *stage) deviate(what, expected, found string) {
	if s.err == nil {
		s.err = s.ctx.Err()
	}
	if s.err == nil {
		s.err = &DeviationError{Where: s.title + ": " + what, Expected: expected, Found: found}
	}
}

func (s *stage) println(line string) {
	if s.err != nil {
		return
	}
	s.gap = false
	_, s.err = fmt.Fprintln(s.out, strings.TrimRight(line, " "))
}

// heading begins a step.
func (s *stage) heading(title string) {
	s.title = title
	s.println("")
	s.println(s.style.Bold(title))
}

// passed counts a check and tells of it.
func (s *stage) passed(line string) {
	if s.err != nil {
		return
	}
	s.checks++
	s.println("  " + s.style.Good("✓") + " " + line)
}

// acted counts what somebody did, and tells what came of it. about is what is special about it.
func (s *stage) acted(who person, what, about, outcome string) {
	if s.gap {
		s.println("")
	}
	about = term.Pad(about, commandWidth-len(what)-1)
	s.passed(term.Pad(who.String(), actorWidth) + what + " " + s.style.Dim(about) + outcome)
}

// holds checks a fact that a read model shows.
func (s *stage) holds(fact string, expected, found any) {
	if !reflect.DeepEqual(expected, found) {
		s.deviate(fact, fmt.Sprintf("%v", expected), fmt.Sprintf("%v", found))
	}
	s.passed(fact)
}

// show writes what a read model tells now.
func (s *stage) show(title string, table *term.Table) {
	s.println("")
	s.println("    " + title)
	if s.err == nil {
		s.gap, s.err = true, table.Write(s.out, s.style, "    ")
	}
}

// as is the connection over which somebody acts.
func (s *stage) as(who person) *client.Client {
	if who.account == uuid.Nil {
		return s.ledger
	}
	return s.ledger.As(who.account, who.user)
}

// short shows enough of an id to tell it apart: its end, since ids made together begin alike.
func short(id uuid.UUID) string { return "…" + id.String()[28:] }
