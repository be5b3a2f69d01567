// Ledger is the one binary of the collaboration ledger: it serves, plays the guide, and talks to a ledger that serves.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/internal/demo"
	"github.com/collabledger/collabledger/internal/term"
)

// Exit codes.
const (
	exitOK        = 0
	exitFailed    = 1 // refused by the ledger, or failed; a check that found something
	exitUsage     = 2 // the command line cannot be read
	exitUnchecked = 3 // a check that could not be made to its end
)

// gcPercent is how much garbage may gather before it is collected, in per cent of what is in use. A ledger at work uses some tens of
// MB and leaves 16 KB of garbage with each command: with Go's own 100, collecting took a sixth of the time. GOGC overrides it.
const gcPercent = 400

func main() {
	runtime.MemProfileRate = 0 // samples of allocations cost time, and nothing here shows them
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// streams are what a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// usageError is a command line that kong reads but the command cannot use.
type usageError struct{ error }

// run runs one command line and answers the process's exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	std := &streams{in: in, out: out, err: errOut}
	helped := false
	parser, err := kong.New(&cli{},
		kong.Name("ledger"),
		kong.Description("Who asked whom, who let whom in, who did what, and when it ended: the ledger of collaborations between consultancies and their clients."),
		kong.DefaultEnvars("LEDGER"),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true, WrapUpperBound: 110}),
		kong.Help(printHelp),
		kong.Writers(out, errOut),
		kong.Exit(func(int) { helped = true }), // kong exits by itself after its help only
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(std),
	)
	if err != nil {
		return std.report(err)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if helped {
		return exitOK
	}
	if err != nil {
		return std.report(usageError{err})
	}
	return std.report(command.Run())
}

// report tells how a command failed, if it did, and answers the exit code that says the same.
func (s *streams) report(err error) int {
	if err == nil {
		return exitOK
	}
	if usage, ok := errors.AsType[usageError](err); ok {
		_, _ = fmt.Fprintf(s.err, "ledger: %v\nTry \"ledger --help\".\n", usage.error)
		return exitUsage
	}
	if errors.Is(err, errFound) {
		return exitFailed // which the command has told
	}
	code := exitFailed
	if _, ok := errors.AsType[uncheckedError](err); ok {
		code = exitUnchecked
	}
	style := term.StyleFor(s.err)
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	if problem, ok := errors.AsType[*client.Problem](err); ok {
		word := "refused"
		if problem.Status >= 500 {
			word = "failed"
		}
		_, _ = fmt.Fprintf(s.err, "%s: %s: %s\n", style.Bad(word), problem.Code, problem.Detail)
		for _, field := range problem.Errors {
			_, _ = fmt.Fprintf(s.err, "  %s: %s\n", field.Field, field.Rule)
		}
		return exitFailed
	}
	text := err.Error()
	if _, ok := errors.AsType[*demo.DeviationError](err); !ok {
		text = strings.NewReplacer("\n\t", " ", "\n", "; ").Replace(text) // some libraries' errors have several lines
	}
	_, _ = fmt.Fprintf(s.err, "%s: %s\n", style.Bad("ledger"), text)
	return code
}
