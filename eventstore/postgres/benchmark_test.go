package postgres_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/eventstore/postgres"
	"github.com/collabledger/collabledger/eventstore/storetest"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

func BenchmarkStore(b *testing.B) { storetest.Benchmark(b, database) }

// BenchmarkBaselines measures what the store is compared with, on the same server: one plain INSERT a transaction, and one COPY of
// all rows into a table like that of the events.
func BenchmarkBaselines(b *testing.B) {
	record := bytes.Repeat([]byte{'x'}, 600)
	for _, clients := range []int{64} {
		b.Run(fmt.Sprintf("insert/clients=%d", clients), func(b *testing.B) { benchmarkInsert(b, clients, record) })
	}
	b.Run("copy", func(b *testing.B) { benchmarkCopy(b, record) })
}

const rawTable = `CREATE TABLE raw (position bigserial PRIMARY KEY, stream uuid NOT NULL, version bigint NOT NULL, record bytea NOT NULL,
	UNIQUE (stream, version))`

func benchmarkInsert(b *testing.B, clients int, record []byte) float64 {
	config, err := pgxpool.ParseConfig(sqldbtest.PostgresDSN(b))
	require.NoError(b, err)
	config.MaxConns = int32(clients)
	pool, err := pgxpool.NewWithConfig(b.Context(), config)
	require.NoError(b, err)
	defer pool.Close()
	_, err = pool.Exec(b.Context(), rawTable)
	require.NoError(b, err)
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			var stream uuid.UUID
			for version := 0; left.Add(-1) >= 0; version++ {
				if version %= 16; version == 0 {
					stream = uuid.Must(uuid.NewV7())
				}
				if _, err := pool.Exec(b.Context(), "INSERT INTO raw (stream, version, record) VALUES ($1, $2, $3)", stream, version+1, record); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	rate := float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "events/s")
	return rate
}

func benchmarkCopy(b *testing.B, record []byte) float64 {
	conn, err := pgx.Connect(b.Context(), sqldbtest.PostgresDSN(b))
	require.NoError(b, err)
	defer conn.Close(b.Context())
	_, err = conn.Exec(b.Context(), rawTable)
	require.NoError(b, err)
	rows := &rawRows{left: b.N, record: record}
	b.ResetTimer()
	_, err = conn.PgConn().CopyFrom(b.Context(), rows, "COPY raw (position, stream, version, record) FROM STDIN (FORMAT binary)")
	require.NoError(b, err)
	rate := float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "events/s")
	return rate
}

// rawRows reads as a COPY of rows, as fast as a client can make them.
type rawRows struct {
	left, done int
	record     []byte
	stream     uuid.UUID
	begun, end bool
	buffer     []byte
}

func (r *rawRows) Read(p []byte) (int, error) {
	for len(r.buffer) < len(p) && !r.end {
		if !r.begun {
			r.begun = true
			r.buffer = append(r.buffer, "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
		}
		if r.left == 0 {
			r.buffer = append(r.buffer, 0xff, 0xff)
			r.end = true
			break
		}
		if r.done%16 == 0 {
			r.stream = uuid.Must(uuid.NewV7())
		}
		r.done++
		r.left--
		r.buffer = append(r.buffer, 0, 4, 0, 0, 0, 8)
		r.buffer = binary.BigEndian.AppendUint64(r.buffer, uint64(r.done))
		r.buffer = append(append(r.buffer, 0, 0, 0, 16), r.stream[:]...)
		r.buffer = append(r.buffer, 0, 0, 0, 8)
		r.buffer = binary.BigEndian.AppendUint64(r.buffer, uint64(r.done%16))
		r.buffer = binary.BigEndian.AppendUint32(r.buffer, uint32(len(r.record)))
		r.buffer = append(r.buffer, r.record...)
	}
	n := copy(p, r.buffer)
	r.buffer = append(r.buffer[:0], r.buffer[n:]...)
	if n == 0 {
		return 0, errEOF
	}
	return n, nil
}

var errEOF = io.EOF

var _ = eventstore.MaxQueue
var _ = postgres.New
