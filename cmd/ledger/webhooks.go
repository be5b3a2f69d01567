package main

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/internal/term"
	"github.com/collabledger/collabledger/projections"
	"github.com/collabledger/collabledger/webhooks"
)

// webhooksCommand sees to the webhooks of an account, or of the platform.
type webhooksCommand struct {
	List        webhookListCommand   `cmd:"" help:"List webhooks, with how much waits for each."`
	Deliveries  deliveriesCommand    `cmd:"" help:"List what is sent to a webhook, and was lately."`
	DeadLetters deadLettersCommand   `cmd:"" help:"List the events that were given up."`
	Replay      replayCommand        `cmd:"" help:"Send events again, such as dead letters."`
	Add         webhookAddCommand    `cmd:"" help:"Register a webhook, and print the secret that its receiver verifies with."`
	Rotate      webhookRotateCommand `cmd:"" help:"Give a webhook another secret; the old one signs beside it for a day."`
	Pause       webhookPauseCommand  `cmd:"" help:"Hold back what is sent to a webhook."`
	Resume      webhookResumeCommand `cmd:"" help:"Go on with what has waited for a paused webhook."`
	Delete      webhookDeleteCommand `cmd:"" help:"End a webhook for good."`
}

// webhookOwner says whose webhooks are meant.
type webhookOwner struct {
	Account uuid.UUID `placeholder:"ACCOUNT" help:"Whose; without it, those of the person in --as, or else the platform's own."`
}

// id is the account's; none for the platform.
func (o webhookOwner) id(c connection) (*uuid.UUID, error) {
	if o.Account == uuid.Nil && c.As == "" {
		return nil, nil
	}
	if o.Account != uuid.Nil {
		return &o.Account, nil
	}
	account, _, err := c.person()
	return &account, err
}

// webhookListCommand lists webhooks.
type webhookListCommand struct {
	webhookOwner
	connection
}

// Run lists them.
func (c webhookListCommand) Run(ctx context.Context, std *streams) error {
	ledger, err := c.client()
	if err != nil {
		return err
	}
	owner, err := c.id(c.connection)
	if err != nil {
		return err
	}
	query := url.Values{}
	if owner != nil {
		query.Set("account", owner.String())
	}
	table := term.NewTable("WEBHOOK", "STATUS", "WAITING", "DEAD LETTERS", "URL", "EVENTS", "DESCRIPTION")
	return list(ctx, std, ledger, c.JSON, "/v1/webhooks", query, table, func(t *term.Table, item webhooks.Item) {
		status, events := string(item.Status), "all"
		if item.Reason != "" {
			status += " (" + string(item.Reason) + ")"
		}
		if len(item.Types) > 0 {
			events = strings.Join(item.Types, ", ")
		}
		t.Row(item.WebhookID, status, item.Waiting, item.DeadLetters, item.URL, events, item.Description)
	})
}

// oneWebhook names a webhook.
type oneWebhook struct {
	Webhook uuid.UUID `arg:"" help:"The webhook's id."`
}

// path is that of a list about the webhook.
func (w oneWebhook) path(of string) string { return "/v1/webhooks/" + w.Webhook.String() + "/" + of }

// deliveriesCommand lists what is sent to a webhook.
type deliveriesCommand struct {
	oneWebhook
	paging
	connection
}

// Run lists it.
func (c deliveriesCommand) Run(ctx context.Context, std *streams) error {
	ledger, err := c.client()
	if err != nil {
		return err
	}
	return listDeliveries(ctx, std, ledger, c.JSON, c.path("deliveries"), c.values())
}

// deadLettersCommand lists what was given up.
type deadLettersCommand struct {
	oneWebhook
	paging
	connection
}

// Run lists it.
func (c deadLettersCommand) Run(ctx context.Context, std *streams) error {
	ledger, err := c.client()
	if err != nil {
		return err
	}
	return listDeliveries(ctx, std, ledger, c.JSON, c.path("dead-letters"), c.values())
}

func listDeliveries(ctx context.Context, std *streams, ledger *client.Client, asJSON bool, path string, query url.Values) error {
	table := term.NewTable("POSITION", "EVENT", "STREAM", "STATE", "ATTEMPTS", "ANSWER", "CHANGED", "NEXT ATTEMPT", "PROBLEM")
	return list(ctx, std, ledger, asJSON, path, query, table, func(t *term.Table, item webhooks.Delivery) {
		answer := ""
		if item.Status != 0 {
			answer = strconv.Itoa(item.Status)
		}
		t.Row(item.Position, item.Type, item.Stream, item.State, item.Attempts, answer, moment(&item.ChangedAt), moment(item.NextAt), item.Problem)
	})
}

// replayCommand sends events again.
type replayCommand struct {
	oneWebhook
	Positions []int64 `arg:"" optional:"" name:"position" help:"Positions of the events in the log."`
	All       bool    `help:"All dead letters of the webhook, the oldest first."`
	connection
}

// Help tells what becomes of them.
func (replayCommand) Help() string {
	return "Events are sent under their own ids, and tried for three days again. One that the webhook's account may not see is not sent."
}

// Run asks for each.
func (c replayCommand) Run(ctx context.Context, std *streams) error {
	if c.All == (len(c.Positions) > 0) {
		return usageError{fmt.Errorf("name the positions of events, or --all")}
	}
	ledger, err := c.client()
	if err != nil {
		return err
	}
	positions := c.Positions
	if c.All {
		if positions, err = c.deadLetters(ctx, ledger); err != nil {
			return err
		}
	}
	for _, position := range positions {
		answer, err := ledger.Do(ctx, "ReplayWebhook", commands.ReplayWebhook{WebhookID: c.Webhook, Position: position})
		if err != nil {
			return err
		}
		if c.JSON {
			err = printJSON(std.out, answer)
		} else {
			_, err = fmt.Fprintf(std.out, "event %d is to be sent again\n", position)
		}
		if err != nil {
			return err
		}
	}
	if len(positions) == 0 {
		_, err = fmt.Fprintln(std.err, "nothing found")
	}
	return err
}

// deadLetters are the positions of all that were given up, the oldest first.
func (c replayCommand) deadLetters(ctx context.Context, ledger *client.Client) ([]int64, error) {
	var positions []int64
	for cursor := ""; ; {
		query := url.Values{"limit": {strconv.Itoa(projections.MaxPageItems)}}
		set(query, "cursor", cursor)
		var page projections.Page[webhooks.Delivery]
		if err := ledger.Get(ctx, c.path("dead-letters"), query, &page); err != nil {
			return nil, err
		}
		for _, letter := range page.Items {
			positions = append(positions, letter.Position)
		}
		if cursor = page.Next; cursor == "" {
			slices.Reverse(positions)
			return positions, nil
		}
	}
}

// webhookAddCommand registers a webhook.
type webhookAddCommand struct {
	Target string `arg:"" name:"url" help:"Where the events go: https, on port 443 or one from 1024 on."`
	webhookOwner
	Type        []string `placeholder:"TYPE" help:"Only events of these types, such as collaboration.AccessGranted.v1; without them, all."`
	Description string   `placeholder:"WORDS" help:"What the webhook is for."`
	connection
}

// Help shows how it is used.
func (webhookAddCommand) Help() string {
	return `Examples:

  ledger webhooks add https://erp.example/hooks --as ACCOUNT/USER --type task.TaskRaised.v1,task.TaskCompleted.v1
  ledger webhooks add https://platform.example/hooks`
}

// Run registers it.
func (c webhookAddCommand) Run(ctx context.Context, std *streams) error {
	owner, err := c.id(c.connection)
	if err != nil {
		return err
	}
	return c.submit(ctx, std, "RegisterWebhook", commands.RegisterWebhook{
		AccountID: owner, WebhookFields: commands.WebhookFields{URL: c.Target, Types: c.Type, Description: c.Description},
	})
}

// webhookRotateCommand changes a secret.
type webhookRotateCommand struct {
	oneWebhook
	connection
}

// Run changes it.
func (c webhookRotateCommand) Run(ctx context.Context, std *streams) error {
	return c.submit(ctx, std, "RotateWebhookSecret", commands.RotateWebhookSecret{WebhookID: c.Webhook})
}

// webhookPauseCommand pauses a webhook.
type webhookPauseCommand struct {
	oneWebhook
	connection
}

// Run pauses it.
func (c webhookPauseCommand) Run(ctx context.Context, std *streams) error {
	return c.submit(ctx, std, "PauseWebhook", commands.PauseWebhook{WebhookID: c.Webhook})
}

// webhookResumeCommand lets a webhook go on.
type webhookResumeCommand struct {
	oneWebhook
	connection
}

// Run lets it.
func (c webhookResumeCommand) Run(ctx context.Context, std *streams) error {
	return c.submit(ctx, std, "ResumeWebhook", commands.ResumeWebhook{WebhookID: c.Webhook})
}

// webhookDeleteCommand ends a webhook.
type webhookDeleteCommand struct {
	oneWebhook
	connection
}

// Run ends it.
func (c webhookDeleteCommand) Run(ctx context.Context, std *streams) error {
	return c.submit(ctx, std, "DeleteWebhook", commands.DeleteWebhook{WebhookID: c.Webhook})
}

// submit submits a command and tells what it did.
func (c connection) submit(ctx context.Context, std *streams, name string, body any) error {
	ledger, err := c.client()
	if err != nil {
		return err
	}
	answer, err := ledger.Do(ctx, name, body)
	if err != nil {
		return err
	}
	return c.print(std, answer)
}
