package domain_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/domain"
)

func TestActorNames(t *testing.T) {
	for name, actor := range map[string]domain.Actor{
		"user:0192f3c4-0000-7000-8000-0000000000a1/0192f3c4-0000-7000-8000-0000000000a2": domain.User(ids[0], ids[1]),
		"reviewer:maria":    {Kind: domain.ActorReviewer, Name: "maria"},
		"service:billing":   {Kind: domain.ActorService, Name: "billing"},
		"system:clock":      {Kind: domain.ActorSystem, Name: "clock"},
		"service:erp:north": {Kind: domain.ActorService, Name: "erp:north"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, name, actor.String())
			parsed, ok := domain.ParseActor(name)
			require.True(t, ok)
			require.Equal(t, actor, parsed)
		})
	}
}

func TestWhatIsNoActorsName(t *testing.T) {
	const account, user = "0192f3c4-0000-7000-8000-0000000000a1", "0192f3c4-0000-7000-8000-0000000000a2"
	for _, name := range []string{
		"", ":", "user", "user:", "user:/", "user:" + account, "user:" + account + "/", "user:/" + user, "user:" + account + "/anna",
		"user:" + account + "/" + user + "/" + user, "user:{" + account + "}/" + user, "user:urn:uuid:" + account + "/" + user,
		"user:0192F3C4-0000-7000-8000-0000000000A1/" + user, "USER:" + account + "/" + user, " user:" + account + "/" + user,
		"reviewer", "reviewer:", "service:", "system:", "robot:r2d2", "operator",
	} {
		actor, ok := domain.ParseActor(name)
		require.False(t, ok, "%q", name)
		require.Equal(t, domain.Actor{}, actor, "%q", name)
	}
}

// FuzzParseActor: a name is read only where String would write it so again.
func FuzzParseActor(f *testing.F) {
	f.Add("user:0192f3c4-0000-7000-8000-0000000000a1/0192f3c4-0000-7000-8000-0000000000a2")
	f.Add("reviewer:maria")
	f.Add("service::")
	f.Add("system")
	f.Fuzz(func(t *testing.T, name string) {
		actor, ok := domain.ParseActor(name)
		if !ok {
			require.Equal(t, domain.Actor{}, actor)
			return
		}
		require.Equal(t, name, actor.String())
		if actor.Kind != domain.ActorUser {
			require.Equal(t, uuid.Nil, actor.UserID)
			require.NotEmpty(t, actor.Name)
		}
	})
}
