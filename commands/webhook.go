package commands

import (
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// WebhookFields say which events go where.
type WebhookFields struct {
	URL         string   `json:"url" minLength:"1" maxLength:"2000" doc:"Where the events go: https, on port 443 or one from 1024 on"`
	Types       []string `json:"types,omitempty" nullable:"false" maxItems:"100" minLength:"1" maxLength:"128" doc:"Only events of these types, for example collaboration.AccessGranted.v1, or collaboration.AccessGranted for all versions; without them, all"`
	Description string   `json:"description,omitempty" maxLength:"200" doc:"What the webhook is for"`
}

// Check finds types of events that there are not.
func (f WebhookFields) Check() []domain.FieldError {
	catalog := domain.NewCatalog()
	var wrong []domain.FieldError
	for i, name := range f.Types {
		if !catalog.Knows(name) {
			wrong = append(wrong, domain.FieldError{Field: fmt.Sprintf("types[%d]", i), Rule: "must be the type of an event"})
		}
	}
	return wrong
}

// target is what the fields say, once the place is one to which this ledger sends.
func (f WebhookFields) target(d *Decision) (domain.WebhookTarget, error) {
	types := append([]string{}, f.Types...)
	slices.Sort(types) // in one order, so that the same types are no change
	return domain.WebhookTarget{URL: f.URL, Types: types, Description: f.Description}, domain.CheckWebhookURL(f.URL, d.internalWebhooks)
}

// RegisterWebhook sends events to a downstream service from here on.
type RegisterWebhook struct {
	AccountID *uuid.UUID `json:"accountId,omitempty" format:"uuid" doc:"The account to whose events it subscribes; without it, to all, which only services of the platform may"`
	WebhookFields
}

// WebhookResult names a webhook, with the secret that its receiver verifies signatures with.
type WebhookResult struct {
	WebhookID uuid.UUID `json:"webhookId"`
	Secret    string    `json:"secret"`
}

// Decide takes the first number that none of the account's webhooks has.
func (c RegisterWebhook) Decide(d *Decision) error {
	target, err := c.target(d)
	if err != nil {
		return err
	}
	ref := domain.WebhookRef{}
	if c.AccountID != nil {
		ref.AccountID = *c.AccountID
	}
	account, err := d.owner(ref)
	if err != nil {
		return err
	}
	var free *domain.Webhook
	for number := 1; number <= domain.MaxWebhooks && free == nil; number++ {
		ref.WebhookID = domain.WebhookID(ref.AccountID, number)
		webhook, err := d.webhook(ref.WebhookID)
		if err != nil {
			return err
		}
		if !webhook.InUse() {
			free = webhook
		}
	}
	event, err := domain.RegisterWebhook(d.Actor, account, free, ref, target)
	if err != nil {
		return err
	}
	d.raise(domain.WebhookStream, ref.WebhookID, event)
	return nil
}

func webhookRegistered(x *Executor, _ RegisterWebhook, events []domain.Event) (WebhookResult, error) {
	e, err := only[domain.WebhookRegistered](events)
	return WebhookResult{WebhookID: e.WebhookID, Secret: x.Tokens.WebhookSecret(e.WebhookID, e.SecretVersion)}, err
}

// ChangeWebhook sends other events, or to another place.
type ChangeWebhook struct {
	WebhookID uuid.UUID `json:"webhookId" format:"uuid" doc:"The webhook"`
	WebhookFields
}

// Decide asks the webhook.
func (c ChangeWebhook) Decide(d *Decision) error {
	target, err := c.target(d)
	if err != nil {
		return err
	}
	return d.onWebhook(c.WebhookID, func(w *domain.Webhook, account *domain.Account) (domain.Event, error) {
		return w.Change(d.Actor, account, target)
	})
}

// RotateWebhookSecret gives a webhook another secret; the one before signs as well for a day.
type RotateWebhookSecret struct {
	WebhookID uuid.UUID `json:"webhookId" format:"uuid" doc:"The webhook"`
}

// Decide asks the webhook.
func (c RotateWebhookSecret) Decide(d *Decision) error {
	return d.onWebhook(c.WebhookID, func(w *domain.Webhook, account *domain.Account) (domain.Event, error) {
		return w.RotateSecret(d.Actor, account, d.Now)
	})
}

func secretRotated(x *Executor, _ RotateWebhookSecret, events []domain.Event) (WebhookResult, error) {
	e, err := only[domain.WebhookSecretRotated](events)
	return WebhookResult{WebhookID: e.WebhookID, Secret: x.Tokens.WebhookSecret(e.WebhookID, e.SecretVersion)}, err
}

// PauseWebhook holds deliveries back.
type PauseWebhook struct {
	WebhookID uuid.UUID `json:"webhookId" format:"uuid" doc:"The webhook"`
}

// Decide asks the webhook.
func (c PauseWebhook) Decide(d *Decision) error {
	return d.onWebhook(c.WebhookID, func(w *domain.Webhook, account *domain.Account) (domain.Event, error) {
		return w.Pause(d.Actor, account)
	})
}

// ResumeWebhook lets deliveries go on with what has waited.
type ResumeWebhook struct {
	WebhookID uuid.UUID `json:"webhookId" format:"uuid" doc:"The webhook"`
}

// Decide asks the webhook.
func (c ResumeWebhook) Decide(d *Decision) error {
	return d.onWebhook(c.WebhookID, func(w *domain.Webhook, account *domain.Account) (domain.Event, error) {
		return w.Resume(d.Actor, account)
	})
}

// DeleteWebhook ends a subscription for good.
type DeleteWebhook struct {
	WebhookID uuid.UUID `json:"webhookId" format:"uuid" doc:"The webhook"`
}

// Decide asks the webhook.
func (c DeleteWebhook) Decide(d *Decision) error {
	return d.onWebhook(c.WebhookID, func(w *domain.Webhook, account *domain.Account) (domain.Event, error) {
		return w.Delete(d.Actor, account)
	})
}

// ReplayWebhook sends one event again, for example a dead letter.
type ReplayWebhook struct {
	WebhookID uuid.UUID `json:"webhookId" format:"uuid" doc:"The webhook"`
	Position  int64     `json:"position" minimum:"1" maximum:"9007199254740991" doc:"Place of the event in the log"`
}

// Decide asks the webhook.
func (c ReplayWebhook) Decide(d *Decision) error {
	end, err := d.logEnd()
	if err != nil {
		return err
	}
	return d.onWebhook(c.WebhookID, func(w *domain.Webhook, account *domain.Account) (domain.Event, error) {
		return w.Replay(d.Actor, account, c.Position, end)
	})
}

func (d *Decision) webhook(id uuid.UUID) (*domain.Webhook, error) {
	return load[domain.Webhook](d, domain.WebhookStream, id)
}

// owner is the account whose webhook it is; the platform's have none.
func (d *Decision) owner(ref domain.WebhookRef) (*domain.Account, error) {
	if ref.AccountID == uuid.Nil {
		return &domain.Account{}, nil
	}
	return d.account(ref.AccountID)
}

// onWebhook decides a command about a webhook that there must be, or have been.
func (d *Decision) onWebhook(id uuid.UUID, decide func(*domain.Webhook, *domain.Account) (domain.Event, error)) error {
	webhook, err := d.webhook(id)
	if err != nil {
		return err
	}
	if webhook.WebhookID == uuid.Nil {
		return domain.Missing("webhook", id)
	}
	account, err := d.owner(webhook.WebhookRef)
	if err != nil {
		return err
	}
	event, err := decide(webhook, account)
	if err != nil {
		return err
	}
	d.raise(domain.WebhookStream, id, event)
	return nil
}
