package eventstore

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// recordsOf are records at positions from first to last, of so many bytes each.
func recordsOf(first, last int64, size int) (records []Record) {
	for position := first; position <= last; position++ {
		records = append(records, Record{Position: position, Bytes: make([]byte, size)})
	}
	return records
}

func TestProgressGivesWhatTheLogGoesOnWith(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newProgress(Head{Epoch: testEpoch})
		size := rapid.SampledFrom([]int{1, 1 << 10, 1 << 16}).Draw(t, "bytes of a record")
		head := int64(0)
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			count := rapid.Int64Range(0, 1500).Draw(t, "count")
			switch rapid.SampledFrom([]string{"commit", "another node", "read"}).Draw(t, "step") {
			case "commit":
				p.committed(Head{Epoch: testEpoch, Position: head + count}, recordsOf(head+1, head+count, size))
				head += count
			case "another node":
				p.read(Head{Epoch: testEpoch, Position: head + count})
				head += count
			case "read":
				from := rapid.Int64Range(0, head).Draw(t, "after")
				// The database may be further on than is known here.
				p.page(recordsOf(from+1, from+min(count, MaxPageEvents), size))
			}
			after := rapid.Int64Range(-1, head+1).Draw(t, "position")
			page := p.after(after)
			require.LessOrEqual(t, len(page), MaxPageEvents)
			for i, record := range page {
				require.Equal(t, after+1+int64(i), record.Position)
				require.LessOrEqual(t, record.Position, head)
			}
			require.LessOrEqual(t, len(p.recent), maxRecentEvents)
			require.LessOrEqual(t, len(p.recent)*size, max(maxRecentBytes, size))
			require.Equal(t, len(p.recent)*size, p.bytes)
			require.Equal(t, head, p.position())
		}
	})
}

func TestProgressHoldsTheEndOfTheLog(t *testing.T) {
	p := newProgress(Head{Epoch: testEpoch})
	require.True(t, p.isRecent(0))
	const count = 2*maxRecentEvents + 10
	for position := int64(1); position <= count; position++ {
		p.committed(Head{Epoch: testEpoch, Position: position}, recordsOf(position, position, 1))
		require.Len(t, p.after(position-1), 1)
	}
	require.Len(t, p.after(count-maxRecentEvents/2), MaxPageEvents)
	require.Nil(t, p.after(0))
	require.False(t, p.isRecent(0))
	require.Nil(t, p.after(count))
	require.True(t, p.isRecent(count))

	// A reader far behind does not push out what those at the end need.
	p.page(recordsOf(1, 1000, 1))
	require.Len(t, p.after(count-10), 10)
	// One that reads what another node wrote adds to it.
	p.read(Head{Epoch: testEpoch, Position: count + 5})
	p.page(recordsOf(count-3, count+5, 1))
	require.Len(t, p.after(count-10), 15)
}

func TestProgressHoldsTheLastEventHoweverLong(t *testing.T) {
	p := newProgress(Head{Epoch: testEpoch})
	for position := int64(1); position <= 5; position++ {
		p.committed(Head{Epoch: testEpoch, Position: position}, recordsOf(position, position, maxRecentBytes*2/3))
		require.Len(t, p.after(position-1), 1)
	}
}

func TestProgressForgetsALogThatWasRestored(t *testing.T) {
	for _, head := range []Head{{Epoch: uuid.New(), Position: 20}, {Epoch: testEpoch, Position: 5}} {
		p := newProgress(Head{Epoch: testEpoch})
		p.committed(Head{Epoch: testEpoch, Position: 10}, recordsOf(1, 10, 1))
		_, changed := p.get()
		p.observed(10, head)
		require.Nil(t, p.after(1))
		got, _ := p.get()
		require.Equal(t, head, got)
		<-changed
	}
	// A head that was read before the last commit is no restored log.
	p := newProgress(Head{Epoch: testEpoch})
	p.committed(Head{Epoch: testEpoch, Position: 10}, recordsOf(1, 10, 1))
	p.observed(5, Head{Epoch: testEpoch, Position: 5})
	require.Equal(t, int64(10), p.position())
}
