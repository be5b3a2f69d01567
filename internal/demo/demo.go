// Package demo plays the Partner Programme guide from its first step to its last on a running ledger, over HTTP alone and with
// believable firms, and tries between the steps what must be refused. Everything that it shows is also checked: it is the
// shortest answer to what the ledger does, and to whether it does it.
package demo

import (
	"context"
	"fmt"
	"io"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/internal/term"
)

// Config names the ledger that the guide is played on, and where to tell of it. The ledger must be empty, since what is in a log
// stays there.
type Config struct {
	URL    string     // of the ledger's API
	Key    string     // of its operator, who speaks for billing, for reviewers and for every person
	Broker *nats.Conn // where the ledger publishes its events
	Out    io.Writer
	Style  term.Style
}

// Cast names what the play leaves in the ledger, for whoever looks around in it afterwards.
type Cast struct {
	Consultancy, Client, Collaboration uuid.UUID
	Manager                            uuid.UUID // a person of the consultancy
}

// step is one step of the guide.
type step struct {
	title string
	play  func(*stage)
}

// steps are the guide's, under its own titles.
func steps() []step {
	return []step{
		{"Create an account", createAccounts},
		{"Apply for access to the Partner Programme", apply},
		{"Complete your profile", completeProfile},
		{"Assign a role to your managers", assignRoles},
		{"Manage requests and accept a collaboration", manageRequests},
		{"Ask the client for access to their account", askForAccess},
		{"Configure the KPI notifications", configureKPIs},
		{"Assign an account manager", assignManagers},
		{"Access your client's account", accessAccount},
		{"Complete a pending task", completeTask},
		{"End a collaboration", endCollaboration},
	}
}

// Play plays the guide. The first thing that is not as it must be ends the play with a *DeviationError.
func Play(ctx context.Context, config Config) (Cast, error) {
	s := &stage{
		ctx: ctx, out: config.Out, style: config.Style, names: commandNames(),
		ledger: client.New(config.URL, config.Key), public: client.New(config.URL, ""), cast: newCast(),
		tasks: map[activity]uuid.UUID{},
	}
	s.mustBeEmpty()
	defer s.subscribe(config.Broker)()
	for i, step := range steps() {
		s.heading(fmt.Sprintf("Step %d · %s", i+1, step.title))
		step.play(s)
		s.hear()
	}
	tellHistory(s)
	s.println("")
	s.println(s.style.Good("✓") + s.style.Bold(fmt.Sprintf(" %d checks passed", s.checks)) +
		fmt.Sprintf(": %d steps, %d events in the log, the same %d on the broker", len(steps()), s.position, s.heard))
	c := s.cast
	return Cast{
		Consultancy: c.vidal.id(), Client: c.espiga.id(), Collaboration: c.espigaWithVidal().CollaborationID(), Manager: c.nuria.user,
	}, s.err
}
