package storetest

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/eventstore"
)

// Clients are the numbers of goroutines that append at the same time in the benchmarks.
var Clients = [...]int{1, 64, 256, 1024}

// eventsPerStream is how long a stream becomes before its client begins another one.
const eventsPerStream = 16

// BenchmarkAppend has clients append one event after the other, each to streams of its own, and gives events per second.
func BenchmarkAppend(b *testing.B, clients int, backends ...eventstore.Backend) float64 {
	var stores []*eventstore.Store
	for _, backend := range backends {
		store, err := eventstore.Open(b.Context(), backend, eventstore.Options{})
		require.NoError(b, err)
		defer store.Close()
		stores = append(stores, store)
	}
	data := []byte(`{"note":"` + strings.Repeat("x", 90) + `"}`)
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	rate := Rate(b.N, func() {
		each(clients, func(i int) {
			var stream eventstore.StreamID
			for version := int64(0); left.Add(-1) >= 0; version++ {
				if version %= eventsPerStream; version == 0 {
					stream = eventstore.StreamID{Kind: "collaboration", ID: uuid.Must(uuid.NewV7())}
				}
				if _, err := stores[i%len(stores)].Append(b.Context(), benchmarked(stream, version, data)); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.ReportMetric(rate, "events/s")
	return rate
}

// Rate runs what handles so many events and gives events per second.
func Rate(events int, run func()) float64 {
	begun := time.Now()
	run()
	return float64(events) / time.Since(begun).Seconds()
}

// benchmarked is an append as the ledger's commands make them: a record of about 600 bytes.
func benchmarked(stream eventstore.StreamID, version int64, data []byte) eventstore.Append {
	return eventstore.Append{
		CommandID: uuid.Must(uuid.NewV7()), Expect: []eventstore.StreamVersion{{Stream: stream, Version: version}},
		Events: []eventstore.NewEvent{{ID: uuid.Must(uuid.NewV7()), Stream: stream, Type: "collaboration.AccessGranted.v1", Data: data}},
		Actor:  "user:8f14e45f-ceea-467f-a0d5-1c2b3d4e5f60", TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	}
}

// BenchmarkReadAll reads a log of some thousand events again and again, and gives records per second.
func BenchmarkReadAll(b *testing.B, backend eventstore.Backend) {
	store, err := eventstore.Open(b.Context(), backend, eventstore.Options{})
	require.NoError(b, err)
	defer store.Close()
	const size = 50 * eventstore.MaxPageEvents
	data := `{"note":"` + strings.Repeat("x", 90) + `"}`
	for range size / eventstore.MaxPageEvents {
		stream := newStream("collaboration")
		a := benchmarked(stream, 0, nil)
		a.Events = events(stream, eventstore.MaxPageEvents, data)
		_, err := store.Append(b.Context(), a)
		require.NoError(b, err)
	}
	b.ResetTimer()
	rate := Rate(size*b.N, func() {
		for at := int64(0); at < int64(size*b.N); {
			page, err := store.ReadAll(b.Context(), at%size, eventstore.MaxPageEvents)
			require.NoError(b, err)
			at += int64(len(page))
		}
	})
	b.ReportMetric(rate, "records/s")
}
