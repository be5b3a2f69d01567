package commands

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/domain"
)

func TestWebhookCommands(t *testing.T) { run(t, webhookScenarios()) }

var (
	shopHook     = domain.WebhookRef{WebhookID: domain.WebhookID(shopID, 1), AccountID: shopID}
	platformHook = domain.WebhookRef{WebhookID: domain.WebhookID(uuid.Nil, 1)}
	hookFields   = WebhookFields{URL: "https://erp.example/hooks", Types: []string{"task.TaskRaised.v1", "collaboration.AccessGranted.v1"}, Description: "Our ERP"}
	hookTarget   = domain.WebhookTarget{URL: hookFields.URL, Types: []string{"collaboration.AccessGranted.v1", "task.TaskRaised.v1"}, Description: "Our ERP"}
	hooked       = domain.WebhookRegistered{WebhookRef: shopHook, WebhookTarget: hookTarget, SecretVersion: 1}
	platforms    = domain.WebhookRegistered{WebhookRef: platformHook, WebhookTarget: domain.WebhookTarget{URL: "https://warehouse.example:8443/", Types: []string{}}, SecretVersion: 1}
)

// secretOf is what the answer says of a webhook's secret.
func secretOf(ref domain.WebhookRef, version int) WebhookResult {
	tokens, err := NewTokenSigner(testKey, testIssuer)
	if err != nil {
		panic(err)
	}
	return WebhookResult{WebhookID: ref.WebhookID, Secret: tokens.WebhookSecret(ref.WebhookID, version)}
}

// numbered is the account's webhook of a number.
func numbered(number int) domain.WebhookRegistered {
	e := hooked
	e.WebhookID = domain.WebhookID(shopID, number)
	return e
}

func webhookScenarios() []scenario {
	registers := RegisterWebhook{&shopID, hookFields}
	forAll := RegisterWebhook{nil, WebhookFields{URL: platforms.URL}}
	full := history(shop)
	for number := range domain.MaxWebhooks {
		full = history(full, numbered(number+1))
	}
	second := numbered(2)
	deleted, paused := domain.WebhookDeleted{WebhookRef: shopHook}, domain.WebhookPaused{WebhookRef: shopHook, Reason: domain.PauseAsked}
	gone := domain.WebhookPaused{WebhookRef: shopHook, Reason: domain.PauseGone}
	resumed := domain.WebhookResumed{WebhookRef: shopHook}
	rotated := domain.WebhookSecretRotated{WebhookRef: shopHook, SecretVersion: 2, OldSignsUntil: noon.Add(24 * time.Hour)}
	again := hooked
	again.SecretVersion = 3
	elsewhere := WebhookFields{URL: "https://other.example/"}
	moved := domain.WebhookChanged{WebhookRef: shopHook, WebhookTarget: domain.WebhookTarget{URL: elsewhere.URL, Types: []string{}}}
	id := shopHook.WebhookID
	have, platform := history(shop, hooked), history(shop, platforms)
	at := func(url string) when { return by(shopOwner, RegisterWebhook{&shopID, WebhookFields{URL: url}}) }
	registered := func(url string) then {
		e := hooked
		e.WebhookTarget = domain.WebhookTarget{URL: url, Types: []string{}}
		return raises(e).and(secretOf(shopHook, 1))
	}
	all := []scenario{
		{"the owner", shop, by(shopOwner, registers), raises(hooked).and(secretOf(shopHook, 1))},
		{"an administrator", shop, by(shopAdmin, registers), raises(hooked).and(secretOf(shopHook, 1))},
		{"a service, for an account", shop, by(billing, registers), raises(hooked).and(secretOf(shopHook, 1))},
		{"a service, for all events", shop, by(billing, forAll), raises(platforms).and(secretOf(platformHook, 1))},
		{"one more", have, by(shopOwner, registers), raises(second).and(secretOf(second.WebhookRef, 1))},
		{"in the place of one that was deleted, with another secret", history(have, rotated, deleted), by(shopOwner, registers), raises(again).and(secretOf(shopHook, 3))},
		{"one too many", full, by(shopOwner, registers), refuses("too_many_webhooks", "")},
		{"as many as there may be, less one that was deleted", history(full, deleted), by(shopOwner, registers), raises(domain.WebhookRegistered{WebhookRef: shopHook, WebhookTarget: hookTarget, SecretVersion: 2}).and(secretOf(shopHook, 2))},
		{"an unknown account", nil, by(shopOwner, registers), misses("account_not_found")},
		{"a member, for all events", shop, by(shopOwner, forAll), forbids("account_required")},
		{"a reviewer, for all events", shop, by(maria, forAll), forbids("account_required")},
		{"a member without the role", shop, by(shopFinance, registers), forbids("role_not_sufficient")},
		{"somebody of another account", shop, by(stranger, registers), forbids("not_a_member")},
		{"a reviewer", shop, by(maria, registers), forbids("member_required")},
		{"a service, for an account that was closed", history(shop, shopClosed), by(billing, registers), refuses("account_closed", "closed")},
		{"on port 443", shop, at("https://erp.example:443/x?y=z"), registered("https://erp.example:443/x?y=z")},
		{"on a high port", shop, at("https://erp.example:1024"), registered("https://erp.example:1024")},
		{"all versions of a type", shop, by(shopOwner, RegisterWebhook{&shopID, WebhookFields{URL: hookFields.URL, Types: []string{"task.TaskRaised"}}}),
			raises(domain.WebhookRegistered{WebhookRef: shopHook, WebhookTarget: domain.WebhookTarget{URL: hookFields.URL, Types: []string{"task.TaskRaised"}}, SecretVersion: 1}).and(secretOf(shopHook, 1))},
		{"a version that there is not", shop, by(shopOwner, RegisterWebhook{&shopID, WebhookFields{URL: hookFields.URL, Types: []string{"task.TaskRaised.v9"}}}), malforms("types[0]")},
		{"a type that there is not", shop, by(shopOwner, RegisterWebhook{&shopID, WebhookFields{URL: hookFields.URL, Types: []string{"task.TaskRaised.v1", "task.TaskEaten.v1"}}}), malforms("types[1]")},

		{"the owner", have, by(shopOwner, ChangeWebhook{id, elsewhere}), raises(moved)},
		{"a service", have, by(billing, ChangeWebhook{id, elsewhere}), raises(moved)},
		{"the same types in another order", have, by(shopOwner, ChangeWebhook{id, WebhookFields{hookTarget.URL, hookTarget.Types, hookTarget.Description}}), refuses("nothing_changed", "active")},
		{"another description", have, by(shopOwner, ChangeWebhook{id, WebhookFields{hookTarget.URL, hookTarget.Types, ""}}), raises(domain.WebhookChanged{WebhookRef: shopHook, WebhookTarget: domain.WebhookTarget{URL: hookTarget.URL, Types: hookTarget.Types}})},
		{"a place to which the ledger does not send", have, by(shopOwner, ChangeWebhook{id, WebhookFields{URL: "http://erp.example/"}}), malforms("url")},

		{"the owner", have, by(shopOwner, RotateWebhookSecret{id}), raises(rotated).and(secretOf(shopHook, 2))},
		{"a service", have, by(billing, RotateWebhookSecret{id}), raises(rotated).and(secretOf(shopHook, 2))},
		{"one that is paused", history(have, paused), by(shopAdmin, RotateWebhookSecret{id}), raises(rotated).and(secretOf(shopHook, 2))},

		{"the owner", have, by(shopOwner, PauseWebhook{id}), raises(paused)},
		{"a service", have, by(billing, PauseWebhook{id}), raises(paused)},
		{"the ledger, when the receiver is gone", have, by(reactor, PauseWebhook{id}), raises(gone)},
		{"the ledger, one that is paused", history(have, paused), by(reactor, PauseWebhook{id}), refuses("webhook_paused", "paused")},
		{"the ledger, one that was deleted", history(have, deleted), by(reactor, PauseWebhook{id}), refuses("webhook_deleted", "deleted")},
		{"the ledger, one that there never was", shop, by(reactor, PauseWebhook{id}), misses("webhook_not_found")},
		{"twice", history(have, gone), by(shopOwner, PauseWebhook{id}), refuses("webhook_paused", "paused")},

		{"the owner", history(have, paused), by(shopOwner, ResumeWebhook{id}), raises(resumed)},
		{"a service", history(have, paused), by(billing, ResumeWebhook{id}), raises(resumed)},
		{"when the receiver was gone", history(have, gone), by(shopOwner, ResumeWebhook{id}), raises(resumed)},
		{"one that is not paused", have, by(shopOwner, ResumeWebhook{id}), refuses("webhook_not_paused", "active")},
		{"twice", history(have, paused, resumed), by(shopOwner, ResumeWebhook{id}), refuses("webhook_not_paused", "active")},

		{"the owner", have, by(shopOwner, DeleteWebhook{id}), raises(deleted)},
		{"a service", have, by(billing, DeleteWebhook{id}), raises(deleted)},
		{"one that is paused", history(have, paused), by(shopOwner, DeleteWebhook{id}), raises(deleted)},

		{"the owner", have, by(shopOwner, ReplayWebhook{id, 2}), raises(domain.WebhookReplayRequested{WebhookRef: shopHook, Position: 2})},
		{"a service", have, by(billing, ReplayWebhook{id, 2}), raises(domain.WebhookReplayRequested{WebhookRef: shopHook, Position: 2})},
		{"before the log's beginning", have, by(shopOwner, ReplayWebhook{id, 0}), malforms("position")},
		{"past the log's end", have, by(shopOwner, ReplayWebhook{id, int64(len(have)) + 1}), malforms("position")},
	}
	for _, url := range []string{
		"http://erp.example/", "http://127.0.0.1:8080/", "ftp://erp.example/", "erp.example", "https:///hooks", "https://user:secret@erp.example/",
		"https://erp.example/#hooks", "https://erp.example:25/", "https://erp.example:80/", "https://erp.example:1023/", "https://erp.example:0/",
		"https://erp.example:65536/", "https://erp .example/", " ",
	} {
		all = append(all, scenario{"at " + url, shop, at(url), malforms("url")})
	}
	for _, c := range []Command{ChangeWebhook{id, elsewhere}, RotateWebhookSecret{id}, PauseWebhook{id}, ResumeWebhook{id}, DeleteWebhook{id}, ReplayWebhook{id, 1}} {
		all = append(all,
			scenario{"an unknown webhook", shop, by(shopOwner, c), misses("webhook_not_found")},
			scenario{"one that was deleted", history(have, deleted), by(shopOwner, c), refuses("webhook_deleted", "deleted")},
			scenario{"a member without the role", have, by(shopFinance, c), forbids("role_not_sufficient")},
			scenario{"somebody of another account", have, by(stranger, c), forbids("not_a_member")},
			scenario{"a reviewer", have, by(maria, c), forbids("member_required")},
		)
	}
	own := platformHook.WebhookID
	return append(all,
		scenario{"the platform's own, by a service", platform, by(billing, DeleteWebhook{own}), raises(domain.WebhookDeleted{WebhookRef: platformHook})},
		scenario{"the platform's own, by a member", platform, by(shopOwner, DeleteWebhook{own}), misses("webhook_not_found")},
		scenario{"the platform's own, by a reviewer", platform, by(maria, DeleteWebhook{own}), misses("webhook_not_found")},
	)
}

func webhookWorlds() []world {
	hooks := history(firm, shop, hooked)
	return []world{
		{"none", history(firm, shop)},
		{"active", hooks},
		{"paused", history(hooks, domain.WebhookPaused{WebhookRef: shopHook, Reason: domain.PauseAsked})},
		{"deleted", history(hooks, domain.WebhookDeleted{WebhookRef: shopHook})},
		{"active, the account closed", history(hooks, shopClosed)},
	}
}

// TestWebhooksOnThisMachineAreForTests: only where the ledger is told so, and only by http to this very machine.
func TestWebhooksOnThisMachineAreForTests(t *testing.T) {
	for url, allowed := range map[string]bool{
		"http://127.0.0.1:8080/hooks": true, "http://localhost:8080": true, "http://[::1]:8080/": true, "https://127.0.0.1:8443/": true,
		"http://erp.example/": false, "http://10.0.0.1:8080/": false, "http://127.0.0.1:25/": false, "http://localhost.example:8080": false,
	} {
		n := newNode(t)
		n.AllowInternalWebhooks = true
		n.happened(shop...)
		_, err := n.do(by(shopOwner, RegisterWebhook{&shopID, WebhookFields{URL: url}}))
		if allowed {
			require.NoError(t, err, url)
			continue
		}
		requireRefusal(t, malforms("url").refusal, err)
	}
}

func TestAWebhooksSecretIsItsOwnAndEachVersionAnother(t *testing.T) {
	seen := map[string]bool{}
	for _, ref := range []domain.WebhookRef{shopHook, platformHook} {
		for version := 1; version <= 3; version++ {
			secret := secretOf(ref, version).Secret
			require.Regexp(t, `^whsec_[A-Za-z0-9+/]{43}=$`, secret)
			require.Equal(t, secret, secretOf(ref, version).Secret)
			require.False(t, seen[secret])
			seen[secret] = true
		}
	}
}
