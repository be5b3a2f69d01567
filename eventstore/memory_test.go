package eventstore

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestMemoryForgetsWhatWasNotUsedForLong(t *testing.T) {
	var g generations[int, int]
	for key := range 3 * maxKnown {
		_, ok := g.get(0)
		require.Equal(t, key > 0, ok, "the key in use stays")
		g.put(key, -key)
		require.LessOrEqual(t, len(g.young)+len(g.old), 2*maxKnown)
	}
	_, ok := g.get(1)
	require.False(t, ok)
	for _, key := range []int{0, 2 * maxKnown, 3*maxKnown - 1} {
		value, ok := g.get(key)
		require.True(t, ok)
		require.Equal(t, -key, value)
	}
}

func TestMemoryLearnsOfStreamsByTheirKeys(t *testing.T) {
	var m memory
	known, unknown, absent := StreamID{Kind: "task", ID: uuid.New()}, StreamID{Kind: "task", ID: uuid.New()}, StreamID{Kind: "task", ID: uuid.New()}
	m.learn(known, Tip{First: 5, Version: 1})
	m.learn(absent, Tip{})
	m.advance([]Tip{{First: 5, Version: 2}, {First: 9, Version: 1}, {First: 5, Version: 3}})
	tip, ok := m.tip(known)
	require.True(t, ok)
	require.Equal(t, Tip{First: 5, Version: 3}, tip)
	for _, stream := range []StreamID{unknown, absent} {
		_, ok := m.tip(stream)
		require.False(t, ok, "another node may have begun it")
	}
}
