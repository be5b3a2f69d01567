package projections

import "context"

// Limits of what is held in memory, in bytes of the records that it was folded from: the rows take about half of that.
const (
	maxLiveMemory    = 16 << 20  // of the live generations
	maxFillingMemory = 384 << 20 // of generations that are being filled
)

// memory holds rows of one generation from page to page, so that they need not be read again. It is right as long as nobody else
// moves the generation's checkpoint: whoever finds it moved forgets everything.
type memory struct {
	tables map[string]keptRows // by their names
	whole  bool                // it has held every row since the tables were empty: what is not held does not exist
	bytes  int                 // of the records that were folded since it began
	from   int                 // what bytes was when rows were last needed that are not held any more
}

// keptRows are the rows of one table, of whatever type.
type keptRows interface {
	take(folding bool) writable
	letGo(from int)
}

// writable is what is to be written of one table.
type writable interface {
	write(ctx context.Context, tx tx) error
}

// newMemory begins with nothing. At the start of the log there is nothing else.
func newMemory(position int64) *memory {
	return &memory{tables: map[string]keptRows{}, whole: position == 0}
}

// toLookUp is that part of a page for which rows may have to be looked up: none of it while memory has every row.
func (t tx) toLookUp(page []*Fact) []*Fact {
	if t.memory.whole {
		return nil
	}
	return page
}

// full tells whether a memory must not take more.
func (m *memory) full(limit int) bool { return m.bytes-m.from >= limit }

// letGo makes room for half of the limit: rows that the records of the other half have not needed are not held any more. All rows must
// be written.
func (m *memory) letGo(limit int) {
	m.whole, m.from = false, m.bytes-limit/2
	for _, rows := range m.tables {
		rows.letGo(m.from)
	}
}

// remember makes sure that the generations of a group have a memory that can take more, in bytes of records.
func remember(group []follower, limit int) {
	for i := range group {
		switch held := group[i].memory; {
		case held == nil:
			group[i].memory = newMemory(group[i].position)
		case held.full(limit):
			held.letGo(limit)
		}
	}
}

// forget drops what is held of a group.
func forget(group []follower) {
	for i := range group {
		group[i].memory = nil
	}
}

// recall gives a group, read anew, the memories of those that still stand where they stood.
func recall(group, before []follower) {
	for i := range group {
		for _, f := range before {
			if f.id() == group[i].id() && f.epoch == group[i].epoch && f.position == group[i].position {
				group[i].memory = f.memory
			}
		}
	}
}

// take hands over what was changed of a model's tables, to be written as it is now. folding tells that rows may be changed before
// that is done.
func (m *memory) take(model model, folding bool) (changes []writable) {
	for _, t := range model.tables {
		if rows, used := m.tables[t.name]; used {
			changes = append(changes, rows.take(folding))
		}
	}
	return changes
}
