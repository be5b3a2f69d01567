package eventstore

// maxKnown is how many streams a generation of the committer's memory holds; there are two. About 100 bytes a stream.
const maxKnown = 1 << 17

// memory is what the committer knows of streams without asking the database. It holds only streams that have events, because
// of those another node's events tell by their key when they change.
type memory struct {
	keys     generations[StreamID, int64] // Tip.First, which never changes
	versions generations[int64, int64]    // by Tip.First
}

// tip is where a stream ends as far as the memory has it.
func (m *memory) tip(stream StreamID) (Tip, bool) {
	first, ok := m.keys.get(stream)
	if !ok {
		return Tip{}, false
	}
	version, ok := m.versions.get(first)
	if !ok {
		return Tip{}, false
	}
	return Tip{First: first, Version: version}, true
}

// learn remembers a stream's tip.
func (m *memory) learn(stream StreamID, tip Tip) {
	if tip.First != 0 {
		m.keys.put(stream, tip.First)
		m.versions.put(tip.First, tip.Version)
	}
}

// advance takes what another node has committed. Streams that the memory does not hold are left out.
func (m *memory) advance(tail []Tip) {
	for _, tip := range tail {
		if _, ok := m.versions.get(tip.First); ok {
			m.versions.put(tip.First, tip.Version)
		}
	}
}

// generations is a map of bounded size that forgets what was not used for long: when the young map is full it becomes the old
// one, and what was old is forgotten. It costs two look-ups at most and no list to keep in order.
type generations[K comparable, V any] struct {
	young, old map[K]V
}

func (g *generations[K, V]) get(key K) (V, bool) {
	value, ok := g.young[key]
	if ok {
		return value, true
	}
	if value, ok = g.old[key]; ok {
		g.put(key, value)
	}
	return value, ok
}

func (g *generations[K, V]) put(key K, value V) {
	if g.young == nil || len(g.young) >= maxKnown {
		g.young, g.old = make(map[K]V), g.young
	}
	g.young[key] = value
}
