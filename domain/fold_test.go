package domain_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/collabledger/collabledger/domain"
)

// foldAny folds events onto the zero state of a kind of stream.
func foldAny(stream string, events ...domain.Event) error {
	switch stream {
	case domain.AccountStream:
		return domain.Fold(&domain.Account{}, events...)
	case domain.PartnershipStream:
		return domain.Fold(&domain.Partnership{}, events...)
	case domain.CollaborationStream:
		return domain.Fold(&domain.Collaboration{}, events...)
	case domain.SessionStream:
		return domain.Fold(&domain.Session{}, events...)
	case domain.NotificationsStream:
		return domain.Fold(&domain.Notifications{}, events...)
	case domain.WebhookStream:
		return domain.Fold(&domain.Webhook{}, events...)
	}
	return domain.Fold(&domain.Task{}, events...)
}

// typesOf lists the event types of a kind of stream.
func typesOf(stream string) []domain.EventType {
	return slices.DeleteFunc(domain.Events(), func(e domain.EventType) bool { return e.Stream != stream })
}

// TestFoldsAreDeterministicAndCloneIsolates: the same events give the same state, in whatever order they come, and folding onto
// a clone leaves the original as it was. The states' cache relies on both.
func TestFoldsAreDeterministicAndCloneIsolates(t *testing.T) {
	t.Run(domain.AccountStream, checkFold[domain.Account](domain.AccountStream))
	t.Run(domain.PartnershipStream, checkFold[domain.Partnership](domain.PartnershipStream))
	t.Run(domain.CollaborationStream, checkFold[domain.Collaboration](domain.CollaborationStream))
	t.Run(domain.SessionStream, checkFold[domain.Session](domain.SessionStream))
	t.Run(domain.TaskStream, checkFold[domain.Task](domain.TaskStream))
	t.Run(domain.NotificationsStream, checkFold[domain.Notifications](domain.NotificationsStream))
	t.Run(domain.WebhookStream, checkFold[domain.Webhook](domain.WebhookStream))
}

func checkFold[S any, P interface {
	*S
	Clone() *S
}](stream string) func(*testing.T) {
	return func(t *testing.T) {
		events := rapid.SliceOfN(randomEvent(typesOf(stream)), 0, 30)
		rapid.Check(t, func(t *rapid.T) {
			before, after := events.Draw(t, "before"), events.Draw(t, "after")
			original, same := new(S), new(S)
			require.NoError(t, domain.Fold(original, before...))
			require.NoError(t, domain.Fold(same, before...))
			require.Equal(t, same, original, "folding is deterministic")

			clone := P(original).Clone()
			require.Equal(t, original, clone)
			require.NoError(t, domain.Fold(clone, after...))
			require.Equal(t, same, original, "folding onto a clone changed the original")

			whole := new(S)
			require.NoError(t, domain.Fold(whole, slices.Concat(before, after)...))
			require.Equal(t, whole, clone, "folding in two steps is folding at once")
		})
	}
}

func TestFoldRefusesEventsOfAnotherStream(t *testing.T) {
	for _, event := range domain.Events() {
		if event.Stream == domain.AccountStream {
			require.NoError(t, domain.Fold(&domain.Account{}, event.Example))
			continue
		}
		require.ErrorContains(t, domain.Fold(&domain.Account{}, event.Example), event.Name+" does not belong to a stream of domain.Account")
	}
}
