package audit

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// world is what the log has told so far: of each thing just so much as the rules ask for. Beside a state stands the event that
// brought it about, so that a violation can name it.
type world struct {
	accounts       map[uuid.UUID]*account
	partnerships   map[uuid.UUID]*partnership // by consultancy
	collaborations map[domain.Pair]*collaboration
	sessions       map[uuid.UUID]*session
	tasks          map[uuid.UUID]*task
	readers        map[uuid.UUID]*reader // by the list's stream
	webhooks       map[uuid.UUID]*webhook
}

func newWorld() world {
	return world{
		accounts: map[uuid.UUID]*account{}, partnerships: map[uuid.UUID]*partnership{}, collaborations: map[domain.Pair]*collaboration{},
		sessions: map[uuid.UUID]*session{}, tasks: map[uuid.UUID]*task{}, readers: map[uuid.UUID]*reader{},
		webhooks: map[uuid.UUID]*webhook{},
	}
}

// get finds a thing, and begins it where the log has not told of it.
func get[K comparable, V any](m map[K]*V, key K) *V {
	v, ok := m[key]
	if !ok {
		v = new(V)
		m[key] = v
	}
	return v
}

// fold checks an event against what was before it, and then takes it in.
func (c *checker) fold(f *fact) {
	c.policy.before(f)
	kind, _, _ := strings.Cut(f.Type, ".")
	switch kind {
	case "account":
		c.foldAccount(f)
	case "partnership":
		c.foldPartnership(f)
	case "collaboration":
		c.foldConversation(f)
		c.foldEngagement(f)
		c.foldGrant(f)
	case "session":
		c.foldSession(f)
	case "task":
		c.foldTask(f)
	case "notifications":
		c.foldNotifications(f)
	case "webhook":
		c.foldWebhook(f)
	}
}

// in checks that the event is in the stream which its own fields name.
func (c *checker) in(f *fact, kind string, id uuid.UUID) {
	c.must(f.Stream.Kind == kind && f.Stream.ID == id, StreamWrong, nil, "it belongs to the stream %s-%s", kind, id)
}

// reached tells whether a moment is at or after an end, if there is one: validity is [from, until).
func reached(end, at time.Time) bool { return !end.IsZero() && !at.Before(end) }

// stamp is a time in a violation's sentence.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
