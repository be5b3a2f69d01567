package postgres_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/eventstore/postgres"
	"github.com/collabledger/collabledger/eventstore/storetest"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

// Sizes of what the store is compared with.
const (
	baselineEvents = 20_000 // that are inserted one by one
	copiedEvents   = 200_000
	recordBytes    = 600
)

// BenchmarkAppend compares the store, in the same run, with what Postgres does by itself: one plain INSERT a transaction by as
// many clients, and one COPY of rows of the same size into the same table. Give it -benchtime 100000x or so.
func BenchmarkAppend(b *testing.B) {
	copied := benchmarkCopy(b)
	for _, clients := range storetest.Clients {
		inserted := benchmarkInsert(b, clients)
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			rate := storetest.BenchmarkAppend(b, clients, database(b)())
			b.ReportMetric(rate/inserted, "xINSERT")
			b.ReportMetric(rate/copied, "xCOPY")
		})
	}
}

// BenchmarkNodes has several nodes append to one log.
func BenchmarkNodes(b *testing.B) {
	for _, clients := range storetest.Clients[1:] {
		b.Run(fmt.Sprintf("nodes=3/clients=%d", clients), func(b *testing.B) {
			node := database(b)
			storetest.BenchmarkAppend(b, clients, node(), node(), node())
		})
	}
}

func BenchmarkReadAll(b *testing.B) { storetest.BenchmarkReadAll(b, database(b)()) }

// benchmarkInsert gives events per second of plain inserts into a table with the same keys, a transaction each.
func benchmarkInsert(b *testing.B, clients int) float64 {
	config, err := pgxpool.ParseConfig(sqldbtest.PostgresDSN(b))
	require.NoError(b, err)
	config.MaxConns = int32(min(clients, 128))
	pool, err := pgxpool.NewWithConfig(b.Context(), config)
	require.NoError(b, err)
	defer pool.Close()
	_, err = pool.Exec(b.Context(), `CREATE TABLE plain (position bigserial PRIMARY KEY, stream uuid NOT NULL, version bigint NOT NULL,
		record bytea NOT NULL, UNIQUE (stream, version))`)
	require.NoError(b, err)
	record := bytes.Repeat([]byte{'x'}, recordBytes)
	var left atomic.Int64
	left.Store(baselineEvents)
	return storetest.Rate(baselineEvents, func() {
		var wg sync.WaitGroup
		for range clients {
			wg.Go(func() {
				stream := uuid.Must(uuid.NewV7())
				for version := 1; left.Add(-1) >= 0; version++ {
					if _, err := pool.Exec(b.Context(), "INSERT INTO plain (stream, version, record) VALUES ($1, $2, $3)", stream, version, record); err != nil {
						b.Error(err)
					}
				}
			})
		}
		wg.Wait()
	})
}

// benchmarkCopy gives events per second of one COPY into a fresh log's table, of rows that are made beforehand.
func benchmarkCopy(b *testing.B) float64 {
	db := sqldbtest.Postgres(b)
	_, err := postgres.New(b.Context(), db)
	require.NoError(b, err)
	conn, err := db.Pool.Acquire(b.Context())
	require.NoError(b, err)
	defer conn.Release()
	rows := bytes.NewReader(copyRows(copiedEvents))
	return storetest.Rate(copiedEvents, func() {
		_, err := conn.Conn().PgConn().CopyFrom(b.Context(), rows, "COPY events (position, stream, version, record) FROM STDIN (FORMAT binary)")
		require.NoError(b, err)
	})
}

// copyRows are rows in the format of a binary COPY: streams of 16 events.
func copyRows(count int) []byte {
	const perStream = 16
	record := bytes.Repeat([]byte{'x'}, recordBytes)
	data := []byte("PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	for i := range count {
		data = append(data, 0, 4)
		for _, field := range []int{i + 1, i - i%perStream + 1, i%perStream + 1} {
			data = binary.BigEndian.AppendUint64(append(data, 0, 0, 0, 8), uint64(field))
		}
		data = append(binary.BigEndian.AppendUint32(data, recordBytes), record...)
	}
	return append(data, 0xff, 0xff)
}
