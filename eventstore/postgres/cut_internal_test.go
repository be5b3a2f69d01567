package postgres

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

// side is who sends a message.
type side string

const (
	client side = "client"
	server side = "server"
)

// cut is where a connection breaks: instead of the side's n-th message, counted from 1, or in the midst of it.
type cut struct {
	of   side
	n    int
	half bool
}

func (c cut) String() string {
	if c.half {
		return fmt.Sprintf("within message %d of the %s", c.n, c.of)
	}
	return fmt.Sprintf("before message %d of the %s", c.n, c.of)
}

// breakage is one cut of a connection, and what has passed before it.
type breakage struct {
	at cut

	mu     sync.Mutex
	passed map[side]int // messages, of all connections since the cut was planned
	made   bool         // from then on everything passes
}

// passes counts a message and tells how many of its bytes are let through.
func (b *breakage) passes(from side, size int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.passed[from]++
	if b.made || b.at.of != from || b.passed[from] != b.at.n {
		return size
	}
	b.made = true
	if b.at.half {
		return size / 2
	}
	return 0
}

func (b *breakage) happened() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.made
}

// proxy stands between a client and Postgres, takes the traffic apart into the protocol's messages, and breaks connections.
type proxy struct {
	address  string // of the proxy, host:port
	upstream string // of Postgres
	planned  atomic.Pointer[breakage]
	running  sync.WaitGroup
}

func newProxy(t *testing.T, upstream string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{address: listener.Addr().String(), upstream: upstream}
	p.running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			p.running.Go(func() { p.serve(conn) })
		}
	})
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		p.running.Wait()
	})
	return p
}

// plan says where a connection that is made from now on breaks.
func (p *proxy) plan(at cut) *breakage {
	b := &breakage{at: at, passed: map[side]int{}}
	p.planned.Store(b)
	return b
}

func (p *proxy) serve(downstream net.Conn) {
	defer downstream.Close()
	upstream, err := net.Dial("tcp", p.upstream)
	if err != nil {
		return
	}
	defer upstream.Close()
	planned := p.planned.Load()
	var pumping sync.WaitGroup
	pass := func(from side, in, out net.Conn) {
		pumping.Go(func() {
			pump(planned, from, in, out)
			_ = in.Close() // both ends hear of it at once
			_ = out.Close()
		})
	}
	pass(client, downstream, upstream)
	pass(server, upstream, downstream)
	pumping.Wait()
}

// pump passes messages on in one direction until the connection ends or is cut.
func pump(planned *breakage, from side, in io.Reader, out io.Writer) {
	typed := from == server // a client's first message has no type
	for {
		message, err := readMessage(in, typed)
		if err != nil {
			return
		}
		typed = true
		passed := message[:planned.passes(from, len(message))]
		if _, err := out.Write(passed); err != nil || len(passed) < len(message) {
			return
		}
	}
}

// readMessage reads a message of the protocol: type, length of what follows with the length itself, body.
func readMessage(in io.Reader, typed bool) ([]byte, error) {
	header := make([]byte, 4, 5)
	if typed {
		header = header[:5]
	}
	if _, err := io.ReadFull(in, header); err != nil {
		return nil, err
	}
	rest := binary.BigEndian.Uint32(header[len(header)-4:]) - 4
	message := append(header, make([]byte, rest)...)
	_, err := io.ReadFull(in, message[len(header):])
	return message, err
}

// cutOff is a backend whose batches go through the proxy.
type cutOff struct {
	*Backend
	lockFirst bool // pretend that another node was faster, so that the batch is written under the lock
	dies      bool // the node does not live to find out what became of its batch
}

func (b *cutOff) Lock(ctx context.Context, after int64) (eventstore.Head, []eventstore.Tip, error) {
	head, tips, err := b.Backend.Lock(ctx, after)
	return head, tips, b.die(err)
}

func (b *cutOff) Commit(ctx context.Context, from eventstore.Head, batch eventstore.Batch, behind bool) func() error {
	if b.lockFirst {
		b.lockFirst = false
		return func() error { return eventstore.ErrFenced }
	}
	outcome := b.Backend.Commit(ctx, from, batch, behind)
	return func() error { return b.die(outcome()) }
}

// die makes the committer give up at the first error, as it does when the log is not its own.
func (b *cutOff) die(err error) error {
	if err != nil && b.dies {
		return &eventstore.AheadError{}
	}
	return err
}

// cutting is what the tests below have in common: a log that is read directly and written through a proxy.
type cutting struct {
	*testing.T
	proxy  *proxy
	config *pgconn.Config
	node   func() *Backend
	direct *eventstore.Store
	events int64 // that the log must hold
}

func newCutting(t *testing.T) *cutting {
	t.Helper()
	db := sqldbtest.Postgres(t)
	own := db.Pool.Config().ConnConfig
	c := &cutting{T: t, proxy: newProxy(t, net.JoinHostPort(own.Host, fmt.Sprint(own.Port)))}
	dsn, err := url.Parse(db.Pool.Config().ConnString())
	require.NoError(t, err)
	dsn.Host = c.proxy.address
	c.config, err = pgconn.ParseConfig(dsn.String())
	require.NoError(t, err)
	c.node = func() *Backend {
		backend, err := New(t.Context(), db)
		require.NoError(t, err)
		return backend
	}
	c.direct = c.open(c.node())
	return c
}

func (c *cutting) open(backend eventstore.Backend) *eventstore.Store {
	c.Helper()
	store, err := eventstore.Open(c.Context(), backend, eventstore.Options{})
	require.NoError(c, err)
	c.Cleanup(func() { require.NoError(c, store.Close()) })
	return store
}

// each runs a test for every place at which the connection can break before an append through a new node is through.
func (c *cutting) each(locked, dies bool, test func(c *cutting, at cut, append eventstore.Append, appended eventstore.Appended, err error)) {
	for _, of := range []side{client, server} {
		made := 0
		for _, half := range []bool{false, true} {
			for n := 1; ; n++ {
				at := cut{of: of, n: n, half: half}
				planned := c.proxy.plan(at)
				node := c.node()
				node.writer.config = c.config
				store := c.open(&cutOff{Backend: node, lockFirst: locked, dies: dies})
				a := someAppend()
				appended, err := store.Append(c.Context(), a)
				broken := planned.happened()
				require.NoError(c, store.Close())
				if !broken {
					require.NoError(c, err)
					c.events += int64(len(a.Events))
					break
				}
				made++
				test(c, at, a, appended, err)
			}
		}
		c.Logf("%d cuts of what the %s sends", made, of)
		require.Greater(c, made, 8, "there are that many messages")
	}
}

// someAppend raises events in a stream of its own and in another one.
func someAppend() eventstore.Append {
	a := eventstore.Append{CommandID: uuid.New(), Actor: "user:anna"}
	for range 2 {
		stream := eventstore.StreamID{Kind: "task", ID: uuid.New()}
		a.Expect = append(a.Expect, eventstore.StreamVersion{Stream: stream})
		a.Events = append(a.Events, eventstore.NewEvent{ID: uuid.New(), Stream: stream, Type: "task.TaskRaised.v1", Data: []byte(`{"title":"Invoice"}`)})
	}
	return a
}

// requireLog checks that the log ends with an append's records, and holds nothing besides what was appended before.
func (c *cutting) requireLog(at cut, appended eventstore.Appended) {
	c.Helper()
	head, err := c.direct.Head(c.Context())
	require.NoError(c, err)
	require.Equal(c, c.events, head.Position, "%s", at)
	records, err := c.direct.ReadAll(c.Context(), appended.First-1, 10)
	require.NoError(c, err)
	require.Equal(c, appended.Records, records, "%s", at)
}

// TestAConnectionCutAnywhereIsAnAcknowledgedAppend breaks the connection that writes at each message of a commit. The node finds out
// what became of it, and answers what is true.
func TestAConnectionCutAnywhereIsAnAcknowledgedAppend(t *testing.T) {
	for name, locked := range map[string]bool{"at once": false, "under the lock": true} {
		t.Run(name, func(t *testing.T) {
			newCutting(t).each(locked, false, func(c *cutting, at cut, a eventstore.Append, appended eventstore.Appended, err error) {
				require.NoError(c, err, "%s", at)
				require.False(c, appended.Repeated, "%s", at)
				c.events += int64(len(a.Events))
				c.requireLog(at, appended)
				again, err := c.direct.Append(c.Context(), a)
				require.NoError(c, err)
				require.True(c, again.Repeated)
				require.Equal(c, appended.Records, again.Records, "%s", at)
			})
		})
	}
}

// TestANodeThatDiesWithACutConnectionLeavesAWholeAppendOrNothing breaks the connection likewise, and the node with it. The log then
// has all of the append or nothing, and the same command on another node gets the answer that it should have had.
func TestANodeThatDiesWithACutConnectionLeavesAWholeAppendOrNothing(t *testing.T) {
	for name, locked := range map[string]bool{"at once": false, "under the lock": true} {
		t.Run(name, func(t *testing.T) {
			outcomes := map[bool]int{}
			newCutting(t).each(locked, true, func(c *cutting, at cut, a eventstore.Append, _ eventstore.Appended, err error) {
				require.ErrorAs(c, err, new(*eventstore.AheadError), "%s", at)
				appended, err := c.direct.Append(c.Context(), a)
				require.NoError(c, err, "%s", at)
				outcomes[appended.Repeated]++
				c.events += int64(len(a.Events))
				c.requireLog(at, appended)
			})
			t.Logf("%d were in the log, %d were not", outcomes[true], outcomes[false])
			require.NotZero(t, outcomes[true], "some answers were lost on their way")
			require.NotZero(t, outcomes[false], "some commits were")
		})
	}
}

// TestTheServerNoticesANodeThatIsGone checks the settings by which it does: no test can take away a machine with a batch half sent.
func TestTheServerNoticesANodeThatIsGone(t *testing.T) {
	db := sqldbtest.Postgres(t)
	backend, err := New(t.Context(), db)
	require.NoError(t, err)
	defer func() { require.NoError(t, backend.Close()) }()
	require.NoError(t, backend.writer.connect(t.Context()))
	results, err := backend.writer.conn.Exec(t.Context(), `
		SELECT current_setting('tcp_keepalives_idle')::int + current_setting('tcp_keepalives_interval')::int * current_setting('tcp_keepalives_count')::int`).ReadAll()
	require.NoError(t, err)
	require.Equal(t, "11", string(results[0].Rows[0][0]), "seconds until the server gives up a node that is silent")
}

// planning is a backend that writes nothing and says that it did, so that what a node means to write can be taken from it.
type planning struct {
	*Backend
	from  []eventstore.Head
	batch []eventstore.Batch
}

func (p *planning) Commit(_ context.Context, from eventstore.Head, batch eventstore.Batch, _ bool) func() error {
	p.from, p.batch = append(p.from, from), append(p.batch, batch)
	return func() error { return nil }
}

// planTwo plans two batches, of which the second goes on where the first one ends.
func (c *cutting) planTwo() *planning {
	c.Helper()
	p := &planning{Backend: c.node()}
	store := c.open(p)
	first := someAppend()
	second := eventstore.Append{CommandID: uuid.New(), Actor: "user:anna"}
	for _, event := range first.Events {
		event.ID = uuid.New()
		second.Expect = append(second.Expect, eventstore.StreamVersion{Stream: event.Stream, Version: 1})
		second.Events = append(second.Events, event)
	}
	for _, a := range []eventstore.Append{first, second} {
		_, err := store.Append(c.Context(), a)
		require.NoError(c, err)
	}
	return p
}

// gone waits until the server is done with a connection, and so with all that came over it.
func (c *cutting) gone(pid uint32) {
	c.Helper()
	pool := c.node().pool
	require.Eventually(c, func() bool {
		var there bool
		row := pool.QueryRow(c.Context(), "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)", pid)
		return row.Scan(&there) == nil && !there
	}, time.Minute, time.Millisecond)
}

// TestABatchBehindAnotherIsNeverInTheLogWithoutIt breaks the connection at each message of two commits that are sent one behind the
// other. The log then has both, the first one or none, and what was said of them is true.
func TestABatchBehindAnotherIsNeverInTheLogWithoutIt(t *testing.T) {
	c := newCutting(t)
	written := map[int]int{}
	for _, of := range []side{client, server} {
		for _, half := range []bool{false, true} {
			for n := 1; ; n++ {
				at := cut{of: of, n: n, half: half}
				planned, node, p := c.proxy.plan(at), c.node(), c.planTwo()
				node.writer.config = c.config
				first := node.Commit(t.Context(), p.from[0], p.batch[0], false)
				second := node.Commit(t.Context(), p.from[1], p.batch[1], true)
				var pid uint32
				if node.writer.conn != nil {
					pid = node.writer.conn.PID()
				}
				said := [2]bool{first() == nil, second() == nil}
				require.NoError(t, node.Close())
				c.gone(pid)
				records, err := c.direct.ReadAll(t.Context(), p.from[0].Position, 10)
				require.NoError(t, err, "%s", at)
				batches := len(records) / 2
				require.Equal(t, slices.Concat(p.batch[0].Records, p.batch[1].Records)[:len(records)], append([]eventstore.Record{}, records...), "%s", at)
				require.True(t, batches >= 1 || !said[0], "%s: the first one is not there", at)
				require.True(t, batches == 2 || !said[1], "%s: the second one is not there", at)
				if !planned.happened() {
					require.Equal(t, [2]bool{true, true}, said)
					break
				}
				written[batches]++
			}
		}
	}
	t.Logf("%d times nothing was written, %d times the first one, %d times both", written[0], written[1], written[2])
	require.NotZero(t, written[0])
	require.NotZero(t, written[1])
	require.NotZero(t, written[2])
}
