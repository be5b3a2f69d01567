package main

import (
	"context"
	"strings"

	"github.com/collabledger/collabledger/internal/term"
	"github.com/collabledger/collabledger/projections"
)

// reviewsCommand lists what waits for the platform's reviewers.
type reviewsCommand struct {
	Applications applicationsCommand   `cmd:"" help:"List the applications to join the programme, the longest waiting first."`
	Profiles     profileReviewsCommand `cmd:"" help:"List the revisions of profiles and what they change, the longest waiting first."`
}

// applicationsCommand lists applications.
type applicationsCommand struct {
	paging
	connection
}

// Run lists them.
func (c applicationsCommand) Run(ctx context.Context, std *streams) error {
	ledger, err := c.client()
	if err != nil {
		return err
	}
	table := term.NewTable("CONSULTANCY", "NAME", "TAX ID", "COUNTRY", "FIRM", "SUBSCRIPTION", "SINCE", "EARLIER")
	return list(ctx, std, ledger, c.JSON, "/v1/reviews/applications", c.values(), table, func(t *term.Table, item projections.ApplicationItem) {
		earlier := make([]string, len(item.Earlier))
		for i, outcome := range item.Earlier {
			earlier[i] = string(outcome.Outcome)
		}
		t.Row(item.ConsultancyID, item.TradeName, item.TaxID, item.Country, item.FirmKind, item.Subscription, moment(&item.AppliedAt), strings.Join(earlier, ", "))
	})
}

// profileReviewsCommand lists revisions of profiles.
type profileReviewsCommand struct {
	paging
	connection
}

// Run lists them, a row for each field that a revision changes.
func (c profileReviewsCommand) Run(ctx context.Context, std *streams) error {
	ledger, err := c.client()
	if err != nil {
		return err
	}
	table := term.NewTable("CONSULTANCY", "NAME", "REVISION", "SINCE", "FIELD", "APPROVED", "SUBMITTED")
	return list(ctx, std, ledger, c.JSON, "/v1/reviews/profiles", c.values(), table, func(t *term.Table, item projections.ProfileReviewItem) {
		row := func(field, approved, submitted string) {
			t.Row(item.ConsultancyID, item.ConsultancyName, item.Revision, moment(&item.SubmittedAt), field, approved, submitted)
		}
		if len(item.Changes) == 0 {
			row("nothing", "", "")
		}
		for _, change := range item.Changes {
			row(change.Field, strings.Join(change.Approved, ", "), strings.Join(change.Submitted, ", "))
		}
	})
}
