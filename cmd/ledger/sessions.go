package main

import (
	"context"

	"github.com/collabledger/collabledger/internal/term"
	"github.com/collabledger/collabledger/projections"
)

// sessionsCommand lists log-ins to client accounts.
type sessionsCommand struct {
	parties
	OpenAt string `name:"open-at" placeholder:"TIME" help:"Only those that were open then, for example 2026-03-31T18:00:00Z."`
	paging
	connection
}

// Help tells what to name.
func (sessionsCommand) Help() string { return "Name a client, a consultancy or a person." }

// Run lists them.
func (c sessionsCommand) Run(ctx context.Context, std *streams) error {
	ledger, err := c.client()
	if err != nil {
		return err
	}
	query := c.values()
	c.parties.set(query)
	set(query, "openAt", c.OpenAt)
	table := term.NewTable("CLIENT", "CONSULTANCY", "PERSON", "OPENED", "CLOSED", "HOW", "PURPOSE")
	return list(ctx, std, ledger, c.JSON, "/v1/sessions", query, table, func(t *term.Table, item projections.SessionItem) {
		t.Row(item.ClientName, item.ConsultancyName, item.UserName, moment(&item.OpenedAt), moment(item.ClosedAt), item.Status, item.Purpose)
	})
}
