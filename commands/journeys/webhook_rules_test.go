package journeys

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

// webhook is a subscription of an account. Journeys leave those of the platform alone: they would go on from one journey to the next.
type webhook struct {
	account uuid.UUID
	target  string
	status  string // active, paused or deleted
	secret  int    // which one
	until   time.Time
}

// expectsOfWebhook is expects for what is about webhooks.
func (w *world) expectsOfWebhook(actor domain.Actor, command commands.Command) ruling {
	switch c := command.(type) {
	case commands.RegisterWebhook:
		return w.subscribes(actor, c)
	case commands.ChangeWebhook:
		return w.redirects(actor, c)
	case commands.RotateWebhookSecret:
		return w.rotates(actor, c)
	case commands.PauseWebhook:
		return w.pauses(actor, c)
	case commands.ResumeWebhook:
		return w.unpauses(actor, c)
	case commands.DeleteWebhook:
		return w.unsubscribes(actor, c)
	case commands.ReplayWebhook:
		return w.replays(actor, c)
	}
	panic(fmt.Sprintf("the model has no rule for %T", command))
}

// tends checks that somebody may see to the webhooks of an account: a service, or who runs it.
func (w *world) tends(actor domain.Actor, of uuid.UUID) string {
	a := w.accounts[of]
	switch {
	case a == nil:
		return "account_not_found"
	case actor.Kind == "service":
		return when(a.closed, "account_closed")
	}
	return w.runs(actor, of)
}

// tendsOne is tends for a webhook that there must be.
func (w *world) tendsOne(actor domain.Actor, id uuid.UUID) (*webhook, string) {
	h := w.webhooks[id]
	if h == nil {
		return nil, "webhook_not_found"
	}
	return h, first(w.tends(actor, h.account), when(h.status == "deleted", "webhook_deleted"))
}

// sendable checks where events are to go.
func sendable(to commands.WebhookFields) string {
	return when(!strings.HasPrefix(to.URL, "https://"), "invalid")
}

// whereTo is what a webhook's fields amount to.
func whereTo(url string, types []string, description string) string {
	return fmt.Sprint(url, " ", len(types), types, " ", description)
}

func (w *world) subscribes(actor domain.Actor, c commands.RegisterWebhook) ruling {
	inUse := 0
	for _, h := range w.webhooks {
		if h.account == *c.AccountID && h.status != "deleted" {
			inUse++
		}
	}
	if code := first(sendable(c.WebhookFields), w.tends(actor, *c.AccountID), when(inUse == 10, "too_many_webhooks")); code != "" {
		return no(code)
	}
	return creates(func(r commands.WebhookResult) {
		secret := 1
		if before := w.webhooks[r.WebhookID]; before != nil {
			secret = before.secret + 1
		}
		w.webhooks[r.WebhookID] = &webhook{account: *c.AccountID, target: whereTo(c.URL, c.Types, c.Description), status: "active", secret: secret}
	})
}

func (w *world) redirects(actor domain.Actor, c commands.ChangeWebhook) ruling {
	if code := sendable(c.WebhookFields); code != "" {
		return no(code)
	}
	target := whereTo(c.URL, c.Types, c.Description)
	h, code := w.tendsOne(actor, c.WebhookID)
	if code == "" {
		code = when(h.target == target, "nothing_changed")
	}
	if code != "" {
		return no(code)
	}
	return yes(func() { h.target = target })
}

func (w *world) rotates(actor domain.Actor, c commands.RotateWebhookSecret) ruling {
	h, code := w.tendsOne(actor, c.WebhookID)
	if code != "" {
		return no(code)
	}
	now := w.now()
	return yes(func() { h.secret, h.until = h.secret+1, now.Add(24*time.Hour) })
}

func (w *world) pauses(actor domain.Actor, c commands.PauseWebhook) ruling {
	h, code := w.tendsOne(actor, c.WebhookID)
	if h != nil && actor.Kind == "system" { // for a receiver that is gone
		code = when(h.status == "deleted", "webhook_deleted")
	}
	if code == "" {
		code = when(h.status == "paused", "webhook_paused")
	}
	if code != "" {
		return no(code)
	}
	return yes(func() { h.status = "paused" })
}

func (w *world) unpauses(actor domain.Actor, c commands.ResumeWebhook) ruling {
	h, code := w.tendsOne(actor, c.WebhookID)
	if code == "" {
		code = when(h.status != "paused", "webhook_not_paused")
	}
	if code != "" {
		return no(code)
	}
	return yes(func() { h.status = "active" })
}

func (w *world) unsubscribes(actor domain.Actor, c commands.DeleteWebhook) ruling {
	h, code := w.tendsOne(actor, c.WebhookID)
	if code != "" {
		return no(code)
	}
	return yes(func() { h.status = "deleted" })
}

func (w *world) replays(actor domain.Actor, c commands.ReplayWebhook) ruling {
	if _, code := w.tendsOne(actor, c.WebhookID); code != "" {
		return no(code)
	}
	if c.Position > w.end() {
		return no("invalid")
	}
	return yes(func() {})
}

// webhookCommand draws a command about webhooks.
func (d drawer) webhookCommand(name string) commands.Command {
	switch name {
	case "RegisterWebhook":
		account := d.account()
		return commands.RegisterWebhook{AccountID: &account, WebhookFields: d.webhookFields()}
	case "ChangeWebhook":
		return commands.ChangeWebhook{WebhookID: d.webhook(), WebhookFields: d.webhookFields()}
	case "RotateWebhookSecret":
		return commands.RotateWebhookSecret{WebhookID: d.webhook()}
	case "PauseWebhook":
		return commands.PauseWebhook{WebhookID: d.webhook()}
	case "ResumeWebhook":
		return commands.ResumeWebhook{WebhookID: d.webhook()}
	case "DeleteWebhook":
		return commands.DeleteWebhook{WebhookID: d.webhook()}
	case "ReplayWebhook":
		return commands.ReplayWebhook{WebhookID: d.webhook(), Position: max(1, d.end()-pick(d, int64(0), 1, 5, -1))}
	}
	panic(fmt.Sprintf("journeys cannot draw a %s", name))
}

func (d drawer) webhook() uuid.UUID {
	if len(d.hooks) == 0 || !d.mostly(rightField) {
		return nowhere
	}
	return pick(d, d.hooks...)
}

func (d drawer) webhookFields() commands.WebhookFields {
	return commands.WebhookFields{
		URL:   pick(d, "https://erp.example/hooks", "https://erp.example/hooks", "https://erp.example:8443", "http://erp.example/hooks"),
		Types: pick(d, nil, []string{"task.TaskRaised.v1"}),
	}
}

// learnWebhook gives a webhook a name. No two secrets are the same, also of a webhook that takes the place of one that was deleted.
func (j *journey) learnWebhook(r commands.WebhookResult) {
	j.require(!slices.Contains(j.secrets, r.Secret), "a secret was given before")
	j.secrets = append(j.secrets, r.Secret)
	if !slices.Contains(j.hooks, r.WebhookID) {
		j.hooks = append(j.hooks, r.WebhookID)
		j.names[r.WebhookID.String()] = fmt.Sprintf("hook%d", len(j.hooks))
	}
}

// requireWebhook: a webhook is as the model has it.
func (j *journey) requireWebhook(id uuid.UUID) {
	model, seen := j.webhooks[id], read[domain.Webhook](j, domain.WebhookStream, id)
	j.requireSame("webhook", fmt.Sprint(j.name(model.account), model.target, model.status, model.secret, model.until.Sub(j.start)),
		fmt.Sprint(j.name(seen.AccountID), whereTo(seen.URL, seen.Types, seen.Description), seen.Status, seen.SecretVersion, seen.OldSignsUntil.Sub(j.start)))
}
