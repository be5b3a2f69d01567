package commands

import (
	"context"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
)

// collaboration is the stream of the firm and the shop.
var collaboration = eventstore.StreamID{Kind: domain.CollaborationStream, ID: firmAndShop.CollaborationID()}

// load reads the collaboration of the firm and the shop as a node believes it to be.
func (n *node) load() (*domain.Collaboration, int64) {
	n.t.Helper()
	state, version, err := Load[domain.Collaboration](n.t.Context(), n.States, collaboration)
	require.NoError(n.t, err)
	return state, version
}

// records reads the collaboration's stream.
func (n *node) records() []eventstore.Record {
	n.t.Helper()
	records, err := n.Store.ReadStream(n.t.Context(), collaboration, 0, eventstore.MaxPageEvents)
	require.NoError(n.t, err)
	return records
}

func TestStreamWithoutEventsIsTheZeroState(t *testing.T) {
	n := newNode(t)
	state, version := n.load()
	require.Equal(t, &domain.Collaboration{}, state)
	require.Zero(t, version)
	_, kept := n.States.get(collaboration)
	require.False(t, kept, "a stream without events costs no memory")
	n.happened(pending...)
	_, version = n.load()
	require.Equal(t, int64(1), version)
}

// TestLongStreamIsReadInPages: also one whose length is that of whole pages.
func TestLongStreamIsReadInPages(t *testing.T) {
	for _, length := range []int{eventstore.MaxPageEvents - 1, eventstore.MaxPageEvents, eventstore.MaxPageEvents + 1} {
		n := newNode(t)
		n.happened(slices.Repeat(history(enquiry[len(enquiry)-1]), length)...)
		state, version := n.load()
		require.Equal(t, length, state.Messages)
		require.Equal(t, int64(length), version)
	}
}

// TestFollowKeepsStatesRight: what another node writes reaches the states in memory, without anybody asking the database for them.
func TestFollowKeepsStatesRight(t *testing.T) {
	a := newNode(t)
	b := newNodeOn(t, a.Store, a.clock)
	a.happened(pending...)
	a.setClock(noon)
	b.load()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- b.States.Follow(ctx) }()

	waitFor := func(version int64) cachedState {
		var entry cachedState
		require.Eventually(t, func() bool {
			entry, _ = b.States.get(collaboration)
			return entry.version == version
		}, time.Minute, time.Millisecond)
		return entry
	}
	// Follow may have begun after the first of these events; then the second shows a gap, and the state is read anew.
	a.must(by(firmOwner, AcceptCollaboration{theirs}))
	a.must(by(shopOwner, SendMessage{theirs, "When do we begin?"}))
	require.Eventually(t, func() bool { _, version := b.load(); return version == 3 }, time.Minute, time.Millisecond)
	a.must(by(shopOwner, GrantAccess{theirs, GrantTerms{RoleID: domain.RoleFinance}}))
	require.Equal(t, domain.RoleFinance, waitFor(4).state.(*domain.Collaboration).Grant.RoleID)
	a.setClock(noon.Add(time.Hour))
	a.must(by(firmOwner, EndCollaboration{theirs, "done"}))
	entry := waitFor(6)
	require.Equal(t, domain.CollaborationOver, entry.state.(*domain.Collaboration).Status)
	require.Equal(t, noon.Add(time.Hour), entry.recordedAt)

	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
}

// TestStateHandedOutNeverChanges: a decision keeps looking at what it has loaded.
func TestStateHandedOutNeverChanges(t *testing.T) {
	n := newNode(t)
	n.happened(inside...)
	n.setClock(noon)
	before, _ := n.load()
	kept := before.Clone()
	n.must(by(shopOwner, EndCollaboration{theirs, "done"}))
	require.Equal(t, kept, before)
	after, _ := n.load()
	require.Equal(t, domain.CollaborationOver, after.Status)
	require.Empty(t, after.Managers)
}

// TestSlowReaderDoesNotSetTheCacheBack: who has read long ago and stores late changes nothing.
func TestSlowReaderDoesNotSetTheCacheBack(t *testing.T) {
	n := newNode(t)
	n.happened(pending...)
	n.load()
	slow, _ := n.States.get(collaboration)
	n.setClock(noon)
	n.must(by(firmOwner, AcceptCollaboration{theirs}))
	n.States.put(collaboration, slow)
	state, version := n.load()
	require.Equal(t, int64(2), version)
	require.Equal(t, domain.CollaborationActive, state.Status)
}

// TestAdvance: records that follow on what is known are folded; known ones change nothing; a gap makes the state be read anew.
func TestAdvance(t *testing.T) {
	fresh := func(t *testing.T) (*node, []eventstore.Record) {
		n := newNode(t)
		n.happened(pending...)
		n.load()
		n.happened(accepted, financeGrant, domain.AccountManagerAssigned{Pair: firmAndShop, UserID: firmManager.UserID})
		return n, n.records()
	}
	cachedVersion := func(n *node) int64 {
		entry, _ := n.States.get(collaboration)
		return entry.version
	}
	t.Run("what follows", func(t *testing.T) {
		n, records := fresh(t)
		n.States.advance(records[1:])
		require.Equal(t, int64(4), cachedVersion(n))
		state, _ := n.load()
		require.True(t, state.Managers[firmManager.UserID])
	})
	t.Run("what is known, and what follows", func(t *testing.T) {
		n, records := fresh(t)
		n.States.advance(records)
		n.States.advance(records)
		require.Equal(t, int64(4), cachedVersion(n))
		state, _ := n.load()
		require.Equal(t, 1, state.Messages, "no event counts twice")
	})
	t.Run("a gap", func(t *testing.T) {
		n, records := fresh(t)
		n.States.advance(records[2:])
		require.Zero(t, cachedVersion(n))
		_, version := n.load()
		require.Equal(t, int64(4), version)
	})
	t.Run("what nobody can decode", func(t *testing.T) {
		n, records := fresh(t)
		records[1].Type = "collaboration.TeamMerged.v1"
		n.States.advance(records[1:])
		require.Zero(t, cachedVersion(n))
	})
	t.Run("an event of another kind of stream", func(t *testing.T) {
		n, records := fresh(t)
		records[1].Type = domain.MemberRemoved{}.EventType()
		n.States.advance(records[1:])
		require.Zero(t, cachedVersion(n))
	})
	t.Run("streams that nobody has asked for", func(t *testing.T) {
		n, _ := fresh(t)
		n.States.drop(collaboration)
		n.States.advance(n.records())
		require.Zero(t, cachedVersion(n))
	})
}

// TestStatesAreBounded: the least used go first.
// TestWrongGuessEndsGuessing: after a stream was not new that was taken to be, so many loads guess nothing.
func TestWrongGuessEndsGuessing(t *testing.T) {
	states := newNode(t).States
	require.True(t, states.mayGuess())
	states.lost(&eventstore.ConflictError{Stream: collaboration, Expected: 3, Actual: 4})
	require.True(t, states.mayGuess(), "that was no guess")
	states.lost(&eventstore.ConflictError{Stream: collaboration, Actual: 1})
	for range cautiousLoads {
		require.False(t, states.mayGuess())
	}
	require.True(t, states.mayGuess())
}

func TestStatesAreBounded(t *testing.T) {
	states, err := NewStates(nil, domain.NewCatalog())
	require.NoError(t, err)
	stream := func(n int) eventstore.StreamID {
		var id uuid.UUID
		binary.BigEndian.PutUint64(id[:], uint64(n))
		return eventstore.StreamID{Kind: domain.TaskStream, ID: id}
	}
	const more = 10
	for n := range MaxCachedStates + more {
		states.put(stream(n), cachedState{version: 1})
	}
	require.Equal(t, MaxCachedStates, states.cached.Len())
	_, kept := states.get(stream(more - 1))
	require.False(t, kept)
	_, kept = states.get(stream(more))
	require.True(t, kept)
}
