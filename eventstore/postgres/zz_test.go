package postgres_test

import (
	"context"
	"fmt"
	"os"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/eventstore/postgres"
	"github.com/collabledger/collabledger/internal/sqldb"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

type counting struct {
	eventstore.Backend
	commits atomic.Int64
}

func (c *counting) Commit(ctx context.Context, from eventstore.Head, b eventstore.Batch) error {
	c.commits.Add(1)
	return c.Backend.Commit(ctx, from, b)
}

func pgCPU(t *testing.T, db *sqldb.DB) time.Duration {
	rows, err := db.Read.Query("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
	require.NoError(t, err)
	defer rows.Close()
	var sum int64
	for rows.Next() {
		var pid int
		rows.Scan(&pid)
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
		f := strings.Fields(string(b))
		u, _ := strconv.ParseInt(f[0], 10, 64)
		sum += u
	}
	return time.Duration(sum)
}

func renice(t *testing.T, db *sqldb.DB) {
	rows, err := db.Read.Query("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var pid int
		rows.Scan(&pid)
		require.NoError(t, syscall.Setpriority(syscall.PRIO_PROCESS, pid, -19))
	}
}

func goCPU() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(0, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func TestZZ(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("ZN"))
	clients, _ := strconv.Atoi(os.Getenv("ZC"))
	db, err := sqldb.OpenPostgres(t.Context(), sqldbtest.PostgresDSN(t))
	require.NoError(t, err)
	defer db.Close()
	pg, err := postgres.New(t.Context(), db)
	require.NoError(t, err)
	backend := &counting{Backend: pg}
	s, err := eventstore.Open(t.Context(), backend, eventstore.Options{})
	require.NoError(t, err)
	data := []byte(`{"note":"` + strings.Repeat("x", 90) + `"}`)
	s.Append(t.Context(), eventstore.Append{CommandID: uuid.New()})
	renice(t, db)
	if f := os.Getenv("ZP"); f != "" {
		w, _ := os.Create(f)
		pprof.StartCPUProfile(w)
		defer pprof.StopCPUProfile()
	}
	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	g0, p0, t0 := goCPU(), pgCPU(t, db), time.Now()
	for range clients {
		wg.Go(func() {
			var stream eventstore.StreamID
			for version := int64(0); left.Add(-1) >= 0; version++ {
				if version %= 16; version == 0 {
					stream = eventstore.StreamID{Kind: "collaboration", ID: uuid.Must(uuid.NewV7())}
				}
				_, err := s.Append(t.Context(), eventstore.Append{
					CommandID: uuid.Must(uuid.NewV7()), Expect: []eventstore.StreamVersion{{Stream: stream, Version: version}},
					Events: []eventstore.NewEvent{{ID: uuid.Must(uuid.NewV7()), Stream: stream, Type: "collaboration.AccessGranted.v1", Data: data}},
					Actor:  "user:8f14e45f-ceea-467f-a0d5-1c2b3d4e5f60", TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	e, g, p := time.Since(t0), goCPU()-g0, pgCPU(t, db)-p0
	fmt.Printf("clients %d: %.0f/s  batch %.1f  go %.1f µs/event  pg %.1f µs/event -> %.0f/s\n", clients, float64(n)/e.Seconds(), float64(n)/float64(backend.commits.Load()),
		float64(g.Microseconds())/float64(n), float64(p.Microseconds())/float64(n), 2e6*float64(n)/float64(g.Microseconds()+p.Microseconds()))
}

func TestZR(t *testing.T) {
	db, err := sqldb.OpenPostgres(t.Context(), sqldbtest.PostgresDSN(t))
	require.NoError(t, err)
	defer db.Close()
	pg, err := postgres.New(t.Context(), db)
	require.NoError(t, err)
	s, err := eventstore.Open(t.Context(), pg, eventstore.Options{})
	require.NoError(t, err)
	n := 100
	for range n {
		stream := newStream()
		a := note(stream, 0)
		a.Actor, a.TraceParent = "user:8f14e45f-ceea-467f-a0d5-1c2b3d4e5f60", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
		for range 999 {
			a.Events = append(a.Events, eventstore.NewEvent{ID: uuid.New(), Stream: stream, Type: "collaboration.AccessGranted.v1", Data: []byte(`{"note":"` + strings.Repeat("x", 90) + `"}`)})
		}
		_, err := s.Append(t.Context(), a)
		require.NoError(t, err)
	}
	if f := os.Getenv("ZP"); f != "" {
		w, _ := os.Create(f)
		pprof.StartCPUProfile(w)
		defer pprof.StopCPUProfile()
	}
	g0, p0, t0 := goCPU(), pgCPU(t, db), time.Now()
	total := 0
	for range 10 {
		for at := int64(0); at < int64(n*1000); {
			page, err := s.ReadAll(t.Context(), at, 1000)
			require.NoError(t, err)
			at = page[len(page)-1].Position
			total += len(page)
		}
	}
	e, g, p := time.Since(t0), goCPU()-g0, pgCPU(t, db)-p0
	fmt.Printf("ReadAll: %.0f/s  go %.2f µs/rec  pg %.2f µs/rec -> %.0f/s\n", float64(total)/e.Seconds(), float64(g.Microseconds())/float64(total), float64(p.Microseconds())/float64(total), 1e6*float64(total)/float64((g+p).Microseconds()))
	g0, p0, t0 = goCPU(), pgCPU(t, db), time.Now()
	total = 0
	for range 10 {
		errDone := fmt.Errorf("done")
		err := s.Follow(t.Context(), eventstore.Checkpoint{}, func(ctx context.Context, page []eventstore.Record) error {
			total += len(page)
			if page[len(page)-1].Position == int64(n*1000) {
				return errDone
			}
			return nil
		})
		require.Equal(t, errDone, err)
	}
	e, g, p = time.Since(t0), goCPU()-g0, pgCPU(t, db)-p0
	fmt.Printf("Follow: %.0f/s  go %.2f µs/rec  pg %.2f µs/rec -> %.0f/s\n", float64(total)/e.Seconds(), float64(g.Microseconds())/float64(total), float64(p.Microseconds())/float64(total), 1e6*float64(total)/float64((g+p).Microseconds()))
}
