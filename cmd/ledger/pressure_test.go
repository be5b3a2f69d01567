package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/sqldb"
)

// What the server must bear.
const (
	crowd       = 10_000  // clients, each with a connection of its own
	spareFiles  = 200     // that a process opens besides its connections
	crowdMemory = 1 << 30 // bytes that the server may take at most, however often the crowd comes
)

// TestACrowdInFrontOfASlowDatabaseIsToldToComeBack holds up the database while ten thousand clients send a command each. As many as
// the queue takes wait; the others are refused at once, while nothing moves. In the end all have been served, each once, and however
// many such crowds have come, memory stays within its bound.
func TestACrowdInFrontOfASlowDatabaseIsToldToComeBack(t *testing.T) {
	var files syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files))
	if files.Max < crowd+spareFiles {
		t.Skipf("this test opens %d connections, and a process may open %d files here", crowd, files.Max)
	}
	server := startBinary(t, product(t))
	operator := server.Client()
	business := register(t, operator, domain.Business, "La Espiga")
	acks := &acknowledged{answers: map[uuid.UUID]client.Answer{}}
	for rush := range scaled(2) {
		rushAt(t, server, business, acks)
		peak := peakMemory(t, server.cmd.Process.Pid)
		t.Logf("rush %d: %d MiB at most", rush+1, peak>>20)
		require.Less(t, peak, crowdMemory)
	}
	log := wholeLog(t, operator)
	require.Len(t, acks.answers, scaled(2)*crowd)
	requireWhole(t, log, acks.answers)
	requireClean(t, "--data", server.Data)
	server.Stop()
}

// rushAt sends the crowd against a server whose database is held up, lets it go on, and waits until all have been served.
func rushAt(t *testing.T, server *process, business firm, acks *acknowledged) {
	t.Helper()
	release := holdUp(t, filepath.Join(server.Data, databaseFile))
	var served sync.WaitGroup
	var overloaded atomic.Int64
	failure := make(chan error, crowd)
	for range crowd {
		served.Go(func() {
			line := &line{address: server.Addr}
			defer line.close()
			ask := &caller{http: &http.Client{Transport: line}, url: server.URL, key: server.Key}
			if err := raise(t.Context(), ask.as(business), business, acks, &overloaded); err != nil {
				failure <- err
			}
		})
	}
	const beyond = crowd - eventstore.MaxQueue - eventstore.MaxBatchEvents - 1 // what neither the queue nor the batch in hand takes
	require.Eventually(t, func() bool { return overloaded.Load() >= beyond || len(failure) > 0 }, loadWait, pollWait)
	select {
	case err := <-failure:
		require.NoError(t, err)
	default:
	}
	release()
	served.Wait()
	close(failure)
	for err := range failure {
		require.NoError(t, err)
	}
}

// raise raises a task, and comes back for as long as it is told to.
func raise(ctx context.Context, ask *caller, business firm, acks *acknowledged, overloaded *atomic.Int64) error {
	id := uuid.New()
	for {
		r := ask.submit(ctx, id, "RaiseTask", commands.RaiseTask{
			ClientID: business.id, Section: domain.Sales, Title: "Categorise an invoice", ExternalRef: id.String(), GoTo: "https://app.example/sales",
		})
		switch {
		case r.status == http.StatusOK:
			answer, err := r.accepted()
			acks.add(id, answer)
			return err
		case !r.away():
			return fmt.Errorf("it must not be answered so: %s", r)
		case r.problem().Code == "overloaded":
			overloaded.Add(1)
		}
		seconds, err := strconv.Atoi(r.retryAfter)
		if err != nil {
			return err
		}
		if err := wait(ctx, time.Duration(seconds)*time.Second); err != nil {
			return err
		}
	}
}

// product builds the ledger as it is shipped: the race detector, under which this test may run, takes many times the memory.
func product(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "ledger")
	output, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, "go build: %s", output)
	return binary
}

// line is one client's connection to the server. It takes less than http.Transport does, of which the test has ten thousand.
type line struct {
	address string
	conn    net.Conn // nil before the first request
	reader  *bufio.Reader
}

// RoundTrip sends a request and reads the head of its answer.
func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	if l.conn == nil {
		var err error
		if l.conn, err = new(net.Dialer).DialContext(r.Context(), "tcp", l.address); err != nil {
			return nil, err
		}
		l.reader = bufio.NewReaderSize(l.conn, 512)
	}
	defer context.AfterFunc(r.Context(), func() { _ = l.conn.Close() })()
	if err := r.Write(l.conn); err != nil {
		return nil, err
	}
	return http.ReadResponse(l.reader, r)
}

func (l *line) close() {
	if l.conn != nil {
		_ = l.conn.Close() // the server may have closed it
	}
}

// holdUp takes the lock by which SQLite lets one write at a time, until it is released.
func holdUp(t *testing.T, path string) (release func()) {
	t.Helper()
	db, err := sqldb.OpenSQLite(t.Context(), path)
	require.NoError(t, err)
	tx, err := db.Write.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	return func() {
		require.NoError(t, tx.Rollback())
		require.NoError(t, db.Close())
	}
}

// peakMemory is the most memory that a process has had, in bytes.
func peakMemory(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skipf("this test reads a process's memory from /proc: %v", err)
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); fields[0] == "VmHWM:" {
			kilobytes, err := strconv.Atoi(fields[1])
			require.NoError(t, err)
			return kilobytes << 10
		}
	}
	t.Fatal("the process has no VmHWM")
	return 0
}
