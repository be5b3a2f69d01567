package audit

import (
	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// webhook is a subscription of an account, or of the platform.
type webhook struct {
	account uuid.UUID
	status  string // empty: it is not registered, or deleted
	secret  int    // version
	last    EventRef
}

// The states of a webhook.
const (
	hookActive = "active"
	hookPaused = "paused"
)

// foldWebhook takes in what is said of webhooks: by whom it may be, and that it follows what was before.
func (c *checker) foldWebhook(f *fact) {
	told, ok := f.event.(interface{ Webhook() domain.WebhookRef })
	if !ok {
		return
	}
	ref := told.Webhook()
	c.in(f, domain.WebhookStream, ref.WebhookID)
	h := get(c.webhooks, ref.WebhookID)
	registered, begins := f.event.(domain.WebhookRegistered)
	c.must((h.status == "") == begins, WebhookState, refs(h.last), "webhook %s is %q", ref.WebhookID, h.status)
	c.must(begins && h.last.Position == 0 || h.account == ref.AccountID, WebhookState, refs(h.last), "it was account %s's", h.account)
	if paused, ok := f.event.(domain.WebhookPaused); ok && paused.Reason == domain.PauseGone {
		c.bySystem(f)
	} else {
		c.byManager(f, ref.AccountID)
	}
	h.account = ref.AccountID
	switch e := f.event.(type) {
	case domain.WebhookRegistered:
		c.must(registered.SecretVersion == h.secret+1, WebhookState, refs(h.last), "its secret %d follows %d", e.SecretVersion, h.secret)
		h.status, h.secret = hookActive, e.SecretVersion
	case domain.WebhookSecretRotated:
		c.must(e.SecretVersion == h.secret+1, WebhookState, refs(h.last), "its secret %d follows %d", e.SecretVersion, h.secret)
		h.secret = e.SecretVersion
	case domain.WebhookPaused:
		c.must(h.status != hookPaused, WebhookState, refs(h.last), "it is paused already")
		h.status = hookPaused
	case domain.WebhookResumed:
		c.must(h.status == hookPaused, WebhookState, refs(h.last), "it is not paused")
		h.status = hookActive
	case domain.WebhookDeleted:
		h.status = ""
	case domain.WebhookReplayRequested:
		c.must(e.Position < f.Position, WebhookState, nil, "position %d has not happened yet", e.Position)
	}
	h.last = f.ref
}

// byManager holds what only a service of the platform does and, for their own account, who runs it.
func (c *checker) byManager(f *fact, account uuid.UUID) {
	if account == uuid.Nil || f.actor.Kind == domain.ActorService {
		c.byService(f)
		return
	}
	c.byMember(f, managing(), account)
}
