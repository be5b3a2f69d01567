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
}

// keptRows are the rows of one table, of whatever type.
type keptRows interface{ take(folding bool) writable }

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

// remember makes sure that the generations of a group have a memory that is not too large to take more, in bytes of records.
func remember(group []follower, limit int) {
	for i := range group {
		if group[i].memory == nil || group[i].memory.bytes >= limit {
			group[i].memory = newMemory(group[i].position)
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
