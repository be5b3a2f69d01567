package feed_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/eventstore"
)

// BenchmarkRelay tells how many events of about 600 bytes a second the relay copies from SQLite to an embedded server's stream,
// as it does to fill a new one.
func BenchmarkRelay(b *testing.B) {
	log, conn := newLog(b), embed(b)
	data := `{"text":"` + strings.Repeat("x", 200) + `"}`
	const size = eventstore.MaxAppendEvents
	for left := b.N; left > 0; left -= size {
		_, err := log.Append(b.Context(), messages(min(left, size), data))
		require.NoError(b, err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	relay(b, log, conn).reaches(b, int64(b.N))
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
