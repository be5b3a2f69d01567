package commands

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
)

// Limits of States.
const (
	MaxCachedStates = 100_000               // streams that are held in memory
	followRest      = 10 * time.Millisecond // between two pages of the log
	cautiousLoads   = 1_000                 // that read what they would guess, after a guess was wrong
)

// state is a state of the domain that can be copied before it is folded on.
type state[S any] interface {
	*S
	Clone() *S
}

// States folds streams into states and keeps those in use in memory. Follow keeps them right as the log grows, here or on
// another node. A state handed out is never changed: folding on makes a copy.
type States struct {
	store   *eventstore.Store
	catalog *domain.Catalog

	caution atomic.Int64 // cautious loads that are left; below zero there are none

	mu     sync.Mutex
	cached *simplelru.LRU[eventstore.StreamID, cachedState]
}

type cachedState struct {
	version    int64
	recordedAt time.Time // of the last event; zero without events
	state      any
	extend     func(state any, events []domain.Event) (any, error)
}

// NewStates makes an empty cache over a store.
func NewStates(store *eventstore.Store, catalog *domain.Catalog) (*States, error) {
	cached, err := simplelru.NewLRU[eventstore.StreamID, cachedState](MaxCachedStates, nil)
	if err != nil {
		return nil, fmt.Errorf("cache of states: %w", err)
	}
	return &States{store: store, catalog: catalog, cached: cached}, nil
}

// Load gives a stream's state with its version. A stream without events has the zero state and version 0. What it gives may lag
// behind other nodes for a moment; an append that expects the version finds out.
func Load[S any, P state[S]](ctx context.Context, s *States, stream eventstore.StreamID) (P, int64, error) {
	current, entry, err := read[S, P](ctx, s, stream)
	return current, entry.version, err
}

func read[S any, P state[S]](ctx context.Context, s *States, stream eventstore.StreamID) (P, cachedState, error) {
	if entry, ok := s.get(stream); ok {
		if current, ok := entry.state.(P); ok {
			return current, entry, nil
		}
	}
	current := P(new(S))
	entry := cachedState{state: current, extend: extend[S, P]}
	for {
		page, err := s.store.ReadStream(ctx, stream, entry.version, eventstore.MaxPageEvents)
		if err != nil {
			return nil, cachedState{}, fmt.Errorf("%w: %w", eventstore.ErrUnavailable, err)
		}
		events, err := s.decode(page)
		if err != nil {
			return nil, cachedState{}, err
		}
		if err := domain.Fold((*S)(current), events...); err != nil {
			return nil, cachedState{}, err
		}
		if len(page) > 0 {
			last := page[len(page)-1]
			entry.version, entry.recordedAt = last.Version, last.RecordedAt
		}
		if len(page) < eventstore.MaxPageEvents {
			break
		}
	}
	if entry.version > 0 {
		s.put(stream, entry)
	}
	return current, entry, nil
}

// extend folds events onto a copy of a state.
func extend[S any, P state[S]](old any, events []domain.Event) (any, error) {
	next := old.(P).Clone()
	if err := domain.Fold(next, events...); err != nil {
		return nil, err
	}
	return P(next), nil
}

func (s *States) decode(records []eventstore.Record) ([]domain.Event, error) {
	events := make([]domain.Event, len(records))
	for i, record := range records {
		data, err := record.Data()
		if err != nil {
			return nil, err
		}
		if events[i], err = s.catalog.Decode(record.Type, data); err != nil {
			return nil, fmt.Errorf("position %d: %w", record.Position, err)
		}
	}
	return events, nil
}

func (s *States) get(stream eventstore.StreamID) (cachedState, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cached.Get(stream)
}

// peek is get for who only keeps a state right: that does not make it one in use.
func (s *States) peek(stream eventstore.StreamID) (cachedState, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cached.Peek(stream)
}

// put keeps the newer of two states: a slow reader must not set the cache back.
func (s *States) put(stream eventstore.StreamID, entry cachedState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.cached.Peek(stream); !ok || old.version < entry.version {
		s.cached.Add(stream, entry)
	}
}

func (s *States) drop(stream eventstore.StreamID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cached.Remove(stream)
}

// lost drops a state on which a race was lost. Where a stream was not expected to exist, the next loads guess nothing: a wrong guess
// makes the store commit a batch twice, and who sends what the ledger has already sends much of it.
func (s *States) lost(conflict *eventstore.ConflictError) {
	if conflict.Expected == 0 {
		s.caution.Store(cautiousLoads)
	}
	s.drop(conflict.Stream)
}

// mayGuess tells whether what is not in memory may be taken not to exist.
func (s *States) mayGuess() bool { return s.caution.Add(-1) < 0 }

// advance folds committed records onto the cached states of their streams. What it cannot fold it drops, to be read afresh.
func (s *States) advance(records []eventstore.Record) {
	for start := 0; start < len(records); {
		end := start + 1
		for end < len(records) && records[end].Stream == records[start].Stream {
			end++
		}
		s.advanceStream(records[start:end])
		start = end
	}
}

func (s *States) advanceStream(records []eventstore.Record) {
	stream := records[0].Stream
	entry, ok := s.peek(stream)
	if !ok {
		return
	}
	for len(records) > 0 && records[0].Version <= entry.version {
		records = records[1:]
	}
	if len(records) == 0 {
		return
	}
	if records[0].Version != entry.version+1 {
		s.drop(stream)
		return
	}
	events, err := s.decode(records)
	if err != nil {
		s.drop(stream)
		return
	}
	next, err := entry.extend(entry.state, events)
	if err != nil {
		s.drop(stream)
		return
	}
	last := records[len(records)-1]
	s.put(stream, cachedState{version: last.Version, recordedAt: last.RecordedAt, state: next, extend: entry.extend})
}

// learn folds what a decision of this node raised, once it is committed, onto the states that it was based on.
func (s *States) learn(d *Decision, recordedAt time.Time) {
	for i, expected := range d.expect {
		facts := d.facts(&expected.Stream)
		if len(facts) == 0 {
			continue
		}
		entry := d.loaded[i]
		next, err := entry.extend(entry.state, facts)
		if err != nil {
			s.drop(expected.Stream)
			continue
		}
		s.put(expected.Stream, cachedState{version: entry.version + int64(len(facts)), recordedAt: recordedAt, state: next, extend: entry.extend})
	}
}

// Follow keeps the cached states right as the log grows, until ctx ends. It takes its time: what this node has committed it has
// learnt by then without decoding the records, and what others have committed is found out when it matters.
func (s *States) Follow(ctx context.Context) error {
	head, err := s.store.Head(ctx)
	if err != nil {
		return err
	}
	from := eventstore.Checkpoint{Epoch: head.Epoch, Position: head.Position}
	return s.store.Follow(ctx, from, func(_ context.Context, page []eventstore.Record) error {
		select {
		case <-ctx.Done():
		case <-time.After(followRest):
		}
		s.advance(page)
		return nil
	})
}
