package domain

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
)

// Limits of webhooks.
const (
	MaxWebhooks       = 10             // of one account, and of the platform's services together
	OldSecretSigns    = 24 * time.Hour // beside the new one, after a rotation
	httpsPort         = 443
	firstFreePort     = 1024 // below it are the ports of other services, such as mail and databases' administration
	webhookSlotPrefix = "webhook:"
)

// WebhookStatus is where a webhook stands.
type WebhookStatus string

// The states of a webhook.
const (
	WebhookActive  WebhookStatus = "active"
	WebhookHalted  WebhookStatus = "paused"
	WebhookRemoved WebhookStatus = "deleted"
)

// PauseReason is why a webhook was paused.
type PauseReason string

// The reasons.
const (
	PauseAsked PauseReason = "asked"
	PauseGone  PauseReason = "gone" // its receiver answered 410 Gone
)

// WebhookRef names a webhook and whose it is. Every event about one carries it.
type WebhookRef struct {
	WebhookID uuid.UUID `json:"webhookId"`
	AccountID uuid.UUID `json:"accountId,omitzero"` // whose events it sends; none: all events, for a service of the platform
}

// Webhook is the reference itself, which all events about webhooks have.
func (r WebhookRef) Webhook() WebhookRef { return r }

// Parties is the account whose webhook it is; nobody when it is the platform's own.
func (r WebhookRef) Parties() []uuid.UUID {
	if r.AccountID == uuid.Nil {
		return nil
	}
	return []uuid.UUID{r.AccountID}
}

// WebhookTarget says which events go where.
type WebhookTarget struct {
	URL         string   `json:"url"`
	Types       []string `json:"types"` // wire names, those without a version for all versions; empty: all
	Description string   `json:"description"`
}

// Wants tells whether events of a type are to be sent.
func (t WebhookTarget) Wants(eventType string) bool {
	return len(t.Types) == 0 || AnyOf(t.Types, eventType)
}

// WebhookRegistered subscribes a downstream service to events from here on.
type WebhookRegistered struct {
	WebhookRef
	WebhookTarget
	SecretVersion int `json:"secretVersion"` // which secret signs; the secret itself is derived and never stored
}

// WebhookChanged sends other events, or to another place.
type WebhookChanged struct {
	WebhookRef
	WebhookTarget
}

// WebhookSecretRotated gives a webhook another secret.
type WebhookSecretRotated struct {
	WebhookRef
	SecretVersion int       `json:"secretVersion"`
	OldSignsUntil time.Time `json:"oldSignsUntil"` // the secret before signs as well until then
}

// WebhookPaused holds deliveries back.
type WebhookPaused struct {
	WebhookRef
	Reason PauseReason `json:"reason"`
}

// WebhookResumed lets deliveries go on.
type WebhookResumed struct{ WebhookRef }

// WebhookDeleted ends a subscription; what was not sent is sent no more.
type WebhookDeleted struct{ WebhookRef }

// WebhookReplayRequested asks that one event is sent again.
type WebhookReplayRequested struct {
	WebhookRef
	Position int64 `json:"position"`
}

func (WebhookRegistered) EventType() string      { return "webhook.WebhookRegistered.v1" }
func (WebhookChanged) EventType() string         { return "webhook.WebhookChanged.v1" }
func (WebhookSecretRotated) EventType() string   { return "webhook.WebhookSecretRotated.v1" }
func (WebhookPaused) EventType() string          { return "webhook.WebhookPaused.v1" }
func (WebhookResumed) EventType() string         { return "webhook.WebhookResumed.v1" }
func (WebhookDeleted) EventType() string         { return "webhook.WebhookDeleted.v1" }
func (WebhookReplayRequested) EventType() string { return "webhook.WebhookReplayRequested.v1" }

// Webhook is the state of a webhook's stream.
type Webhook struct {
	WebhookRef
	WebhookTarget
	Status        WebhookStatus `json:"status"`
	SecretVersion int           `json:"secretVersion"`
	OldSignsUntil time.Time     `json:"oldSignsUntil,omitzero"`
}

// Clone copies the state, so that folding on does not change what others hold.
func (w *Webhook) Clone() *Webhook {
	c := *w
	c.Types = slices.Clone(w.Types)
	return &c
}

func (e WebhookRegistered) Apply(w *Webhook) {
	*w = Webhook{WebhookRef: e.WebhookRef, WebhookTarget: e.WebhookTarget, Status: WebhookActive, SecretVersion: e.SecretVersion}
}
func (e WebhookChanged) Apply(w *Webhook) { w.WebhookTarget = e.WebhookTarget }
func (e WebhookSecretRotated) Apply(w *Webhook) {
	w.SecretVersion, w.OldSignsUntil = e.SecretVersion, e.OldSignsUntil
}
func (WebhookPaused) Apply(w *Webhook)        { w.Status = WebhookHalted }
func (WebhookResumed) Apply(w *Webhook)       { w.Status = WebhookActive }
func (WebhookDeleted) Apply(w *Webhook)       { w.Status = WebhookRemoved }
func (WebhookReplayRequested) Apply(*Webhook) {}

// InUse tells whether there is a webhook on the stream.
func (w *Webhook) InUse() bool { return w.WebhookID != uuid.Nil && w.Status != WebhookRemoved }

// WebhookID is that of an account's first, second and so on webhook; of the platform's when the account is none. It follows from the
// number, so that an account can never have more than there are numbers.
func WebhookID(accountID uuid.UUID, number int) uuid.UUID {
	return uuid.NewSHA1(accountID, []byte(webhookSlotPrefix+strconv.Itoa(number)))
}

// CheckWebhookURL holds the place to which events go to what the ledger can send to: https on port 443 or one from 1024 on, without
// credentials. Where internal addresses are allowed, http to this machine is one too. Which address the name stands for is checked
// when something is sent, for that may change.
func CheckWebhookURL(text string, internal bool) error {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" || strings.ContainsFunc(text, unicode.IsSpace) {
		return Invalid("url", "must be an absolute https URL without credentials and fragment")
	}
	if u.Scheme != "https" && !(internal && u.Scheme == "http" && isThisMachine(u.Hostname())) {
		return Invalid("url", "must be an https URL")
	}
	if port, err := strconv.ParseUint(u.Port(), 10, 16); u.Port() != "" && (err != nil || !MayReceiveWebhooks(uint16(port))) {
		return Invalid("url", "must be on port 443, or one from 1024 on")
	}
	return nil
}

// MayReceiveWebhooks tells whether events may be sent to a port.
func MayReceiveWebhooks(port uint16) bool { return port == httpsPort || port >= firstFreePort }

// isThisMachine tells whether a host is this machine by its very name.
func isThisMachine(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// mayManageWebhooks lets through who may manage the webhooks of an account: services, and who runs it. The platform's own are its
// services'; others do not learn of them.
func mayManageWebhooks(actor Actor, account *Account, ref WebhookRef) error {
	if ref.AccountID == uuid.Nil {
		if actor.mustBeService() != nil {
			return Missing("webhook", ref.WebhookID)
		}
		return nil
	}
	if err := account.mustExist(ref.AccountID); err != nil {
		return err
	}
	if actor.Kind == ActorService {
		return account.mustBeOpen()
	}
	return account.AuthorizeAdmin(actor)
}

// RegisterWebhook subscribes to events: those to which the account is a party, or all for a service. The secret goes on from that of
// a webhook that was deleted and had the same number, so that no two ever have the same.
func RegisterWebhook(actor Actor, account *Account, before *Webhook, ref WebhookRef, target WebhookTarget) (Event, error) {
	if ref.AccountID == uuid.Nil && actor.mustBeService() != nil {
		return nil, Forbid("account_required", "only a service of the platform may receive the events of all accounts: name an account")
	}
	if err := mayManageWebhooks(actor, account, ref); err != nil {
		return nil, err
	}
	if before == nil {
		return nil, Refuse("too_many_webhooks", "", "there are %d webhooks already", MaxWebhooks)
	}
	return WebhookRegistered{WebhookRef: ref, WebhookTarget: target, SecretVersion: before.SecretVersion + 1}, nil
}

// manages lets through who may manage this webhook, as long as there is one.
func (w *Webhook) manages(actor Actor, account *Account) error {
	if err := mayManageWebhooks(actor, account, w.WebhookRef); err != nil {
		return err
	}
	if !w.InUse() {
		return Refuse("webhook_deleted", string(w.Status), "the webhook is deleted")
	}
	return nil
}

// Change sends other events, or to another place.
func (w *Webhook) Change(actor Actor, account *Account, target WebhookTarget) (Event, error) {
	if err := w.manages(actor, account); err != nil {
		return nil, err
	}
	if w.URL == target.URL && w.Description == target.Description && slices.Equal(w.Types, target.Types) {
		return nil, Refuse("nothing_changed", string(w.Status), "the webhook is already so")
	}
	return WebhookChanged{WebhookRef: w.WebhookRef, WebhookTarget: target}, nil
}

// RotateSecret gives the webhook another secret. The one before signs beside it for a day, so that receivers can change over.
func (w *Webhook) RotateSecret(actor Actor, account *Account, now time.Time) (Event, error) {
	if err := w.manages(actor, account); err != nil {
		return nil, err
	}
	return WebhookSecretRotated{WebhookRef: w.WebhookRef, SecretVersion: w.SecretVersion + 1, OldSignsUntil: now.Add(OldSecretSigns)}, nil
}

// Pause holds deliveries back. The ledger itself does it when the receiver says that it is gone.
func (w *Webhook) Pause(actor Actor, account *Account) (Event, error) {
	reason := PauseAsked
	if actor.Kind == ActorSystem {
		reason = PauseGone
		if !w.InUse() {
			return nil, Refuse("webhook_deleted", string(w.Status), "the webhook is deleted")
		}
	} else if err := w.manages(actor, account); err != nil {
		return nil, err
	}
	if w.Status == WebhookHalted {
		return nil, Refuse("webhook_paused", string(w.Status), "the webhook is paused already")
	}
	return WebhookPaused{WebhookRef: w.WebhookRef, Reason: reason}, nil
}

// Resume lets deliveries go on with what has waited.
func (w *Webhook) Resume(actor Actor, account *Account) (Event, error) {
	if err := w.manages(actor, account); err != nil {
		return nil, err
	}
	if w.Status != WebhookHalted {
		return nil, Refuse("webhook_not_paused", string(w.Status), "the webhook is not paused")
	}
	return WebhookResumed{w.WebhookRef}, nil
}

// Delete ends the subscription for good.
func (w *Webhook) Delete(actor Actor, account *Account) (Event, error) {
	if err := w.manages(actor, account); err != nil {
		return nil, err
	}
	return WebhookDeleted{w.WebhookRef}, nil
}

// Replay asks that the event at a position of a log that ends at end is sent again, whatever became of it before.
func (w *Webhook) Replay(actor Actor, account *Account, position, end int64) (Event, error) {
	if err := w.manages(actor, account); err != nil {
		return nil, err
	}
	if position > end {
		return nil, Invalid("position", fmt.Sprintf("must not be past the log's end, which is at %d", end))
	}
	return WebhookReplayRequested{WebhookRef: w.WebhookRef, Position: position}, nil
}
