// Package bench measures a ledger on the machine and the database that it is asked about: what an append costs beside a plain
// INSERT, how fast the log is read, read models are rebuilt and commands and queries are answered, and how soon an event reaches the
// feed.
//
// Everything happens in databases of its own, made for the measurement and dropped after it, also when it is interrupted. What
// exists already is only looked at.
package bench

import (
	"context"
	"fmt"
	"time"
)

// Limits of a measurement.
const (
	MinDuration   = time.Millisecond // of one measurement; only one of seconds tells more than whether it works
	MaxDuration   = 2 * time.Minute  // of one measurement, which keeps every latency in memory
	MaxRounds     = 20               // measurements of the same thing
	MaxClients    = 4_096            // clients at the same time
	MaxLoads      = 16               // numbers of clients in one run
	MaxEvents     = 20_000_000       // events of a log that is made for a measurement
	MinEvents     = 1_000            // events of a log that is read, rebuilt from or relayed: one page
	MaxRate       = 50_000           // commands a second that the feed is watched at
	warmUpShare   = 5                // a measurement is preceded by this part of its length, which does not count
	longestWarmUp = 3 * time.Second
)

// Progress is told what a benchmark is about to do, and how much of it is done. Its units are the benchmark's own.
type Progress func(step string, done, total int)

// Timing says how long and how often something is measured.
type Timing struct {
	Duration time.Duration // of each measurement
	Rounds   int           // of which the report tells the medians
}

// InvalidError says which setting of a benchmark cannot be used, and why.
type InvalidError struct{ Setting, Rule string }

func (e *InvalidError) Error() string { return e.Setting + " " + e.Rule }

// within checks a number against its limits. unit follows the limits in the message.
func within[N int | time.Duration](setting string, value, least, most N, unit string) error {
	if value >= least && value <= most {
		return nil
	}
	return &InvalidError{Setting: setting, Rule: fmt.Sprintf("must be from %v to %v%s, not %v", least, most, unit, value)}
}

func (t Timing) validate() error {
	if err := within("seconds", t.Duration, MinDuration, MaxDuration, ""); err != nil {
		return err
	}
	return within("rounds", t.Rounds, 1, MaxRounds, "")
}

// String is how a report tells of it.
func (t Timing) String() string { return fmt.Sprintf("%d × %s", t.Rounds, t.Duration) }

func (t Timing) warmUp() time.Duration { return min(t.Duration/warmUpShare, longestWarmUp) }

// validateClients checks a list of numbers of clients.
func validateClients(clients []int) error {
	if len(clients) == 0 || len(clients) > MaxLoads {
		return &InvalidError{Setting: "clients", Rule: fmt.Sprintf("must be 1 to %d numbers, not %d", MaxLoads, len(clients))}
	}
	seen := map[int]bool{}
	for _, n := range clients {
		if err := within("clients", n, 1, MaxClients, ""); err != nil {
			return err
		}
		if seen[n] {
			return &InvalidError{Setting: "clients", Rule: fmt.Sprintf("names %d twice", n)}
		}
		seen[n] = true
	}
	return nil
}

// steps counts what a benchmark has done for whoever watches it.
type steps struct {
	watch       Progress // nil: nobody watches
	done, total int
}

// begin tells what comes next. The step before is done.
func (s *steps) begin(format string, args ...any) {
	if s.watch != nil {
		s.watch(fmt.Sprintf(format, args...), s.done, s.total)
	}
	s.done++
}

// stopped tells whether a benchmark was interrupted; that goes before any error that the interruption caused.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
