package projections

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// What was needed lately stays in memory, so that it need not be read again, and so does what is not written yet.
func TestMemoryLetsGoWhatIsNotNeeded(t *testing.T) {
	const limit = 100
	m := newMemory(0)
	held, err := tasks.load(t.Context(), tx{memory: m}, nil)
	require.NoError(t, err)
	ids := map[string]uuid.UUID{}
	for i, name := range []string{"read", "changed", "neither", "unwritten"} {
		m.bytes = i
		ids[name] = uuid.New()
		held.add(taskRow{taskID: ids[name]})
	}
	held.take(false)

	m.bytes = 60
	require.NotNil(t, held.get(ids["read"]))
	held.change(ids["changed"]).title = "Enviar nóminas"
	held.take(false)
	m.bytes = 10 // as if it had been changed long ago
	held.change(ids["unwritten"]).title = "Enviar facturas"
	m.bytes = limit
	require.True(t, m.full(limit))

	remember([]follower{{memory: m}}, limit)
	require.False(t, m.full(limit))
	require.False(t, m.whole, "what is not held may be in the database")
	for name, id := range ids {
		require.Equal(t, name != "neither", held.get(id) != nil, name)
	}
}
