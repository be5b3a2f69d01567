package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/feed"
)

// The variables that make a process of this test binary be a broker or a downstream service. Their values say how, in JSON.
const (
	asBroker     = "LEDGER_TEST_AS_BROKER"
	asSubscriber = "LEDGER_TEST_AS_SUBSCRIBER"
)

// brokerSetup is what a broker's process is told.
type brokerSetup struct{ Dir, Address string }

// subscriberSetup is what a downstream service's process is told.
type subscriberSetup struct{ Dir, Ledger, Key, NATS string }

// Where a downstream service keeps what it knows, within its folder.
const (
	positionFile = "position.json"
	journalFile  = "journal" // a line for each event that it was given: position, stream, version
)

// helped is a process that a test can kill and start again.
type helped struct {
	cmd    *exec.Cmd
	output *syncBuffer
	exited chan struct{}
}

// startHelped starts a process of this binary. It ends with the test, and also when the test's own process dies.
func startHelped(t *testing.T, role string, setup any) *helped {
	t.Helper()
	told, err := json.Marshal(setup)
	require.NoError(t, err)
	h := &helped{cmd: exec.Command(os.Args[0]), output: &syncBuffer{}, exited: make(chan struct{})}
	h.cmd.Env = append(ledgerlessEnvironment(), role+"="+string(told))
	h.cmd.Stderr = h.output
	_, err = h.cmd.StdinPipe() // open for as long as this process lives
	require.NoError(t, err)
	require.NoError(t, h.cmd.Start())
	go func() {
		_ = h.cmd.Wait() // it is killed
		close(h.exited)
	}()
	t.Cleanup(h.kill9)
	return h
}

func (h *helped) kill9() {
	_ = h.cmd.Process.Kill() // it may be gone already
	<-h.exited
}

// runHelped is the whole life of a broker's or a service's process.
func runHelped(run func(context.Context) error) {
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // until the test has gone
		stop()
	}()
	if err := run(ctx); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitFailed)
	}
	os.Exit(exitOK)
}

func runBroker(ctx context.Context) error {
	var setup brokerSetup
	if err := json.Unmarshal([]byte(os.Getenv(asBroker)), &setup); err != nil {
		return err
	}
	if _, err := feed.Embed(ctx, setup.Dir, setup.Address, newLog(os.Stderr, 0)); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// runSubscriber follows the ledger and notes each event in its journal. Now and then its first try at an event fails.
func runSubscriber(ctx context.Context) error {
	var setup subscriberSetup
	if err := json.Unmarshal([]byte(os.Getenv(asSubscriber)), &setup); err != nil {
		return err
	}
	journal, err := os.OpenFile(filepath.Join(setup.Dir, journalFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	conn, err := feed.Dial(setup.NATS, newLog(os.Stderr, 0))
	if err != nil {
		return err
	}
	note := func(meta client.Meta) error {
		_, err := fmt.Fprintf(journal, "%d %s %d\n", meta.Position, meta.Stream, meta.StreamVersion)
		return err
	}
	failed := map[int64]bool{}
	handle := func(meta client.Meta) error {
		if meta.Position%25 == 0 && !failed[meta.Position] {
			failed[meta.Position] = true
			return fmt.Errorf("position %d does not work at first", meta.Position)
		}
		return note(meta)
	}
	return client.New(setup.Ledger, setup.Key).Subscribe(ctx, client.Subscription{
		Name: "downstream", Conn: conn, Positions: client.FilePositions(filepath.Join(setup.Dir, positionFile)), Log: newLog(os.Stderr, 0),
		Handlers: []client.Handler{
			client.On(func(_ context.Context, _ domain.TaskRaised, meta client.Meta) error { return handle(meta) }),
			client.On(func(_ context.Context, _ domain.TaskCompleted, meta client.Meta) error { return handle(meta) }),
			client.On(func(_ context.Context, _ domain.MessageSent, meta client.Meta) error { return handle(meta) }),
		},
		Skipped: func(_ context.Context, meta client.Meta) { _ = note(meta) }, // a line that is missing fails the test
	})
}

// readJournal gives the last position that a service has noted. It is an error if something came before what precedes it, in the log
// or in its stream; what came already may come again.
func readJournal(dir string) (last int64, err error) {
	text, err := os.ReadFile(filepath.Join(dir, journalFile))
	if err != nil {
		return 0, err
	}
	complete := text[:bytes.LastIndexByte(text, '\n')+1] // the service may be writing
	versions := map[string]int64{}
	for line := range strings.Lines(string(complete)) {
		var position, version int64
		var stream string
		if _, err := fmt.Sscan(line, &position, &stream, &version); err != nil {
			return last, fmt.Errorf("the journal has the line %q: %w", line, err)
		}
		if position > last+1 || version > versions[stream]+1 {
			return last, fmt.Errorf("after position %d, and version %d of its stream, comes %q", last, versions[stream], line)
		}
		last, versions[stream] = max(last, position), max(version, versions[stream])
	}
	return last, nil
}

// journalSize tells whether a service's journal grows.
func journalSize(dir string) int64 {
	info, err := os.Stat(filepath.Join(dir, journalFile))
	if err != nil {
		return 0 // the service has not begun
	}
	return info.Size()
}

// What is done to a ledger that a downstream service follows.
const (
	followedClients = 8
	followedAcks    = 60 // between two kills
)

// TestADownstreamServiceMissesNothing kills the broker, the node with the relay, and the service again and again, in random order
// and two of them at once at times, under load. In the end the service has been given every event of the log, each at least once,
// and none before what precedes it.
func TestADownstreamServiceMissesNothing(t *testing.T) {
	natsAddress := freeAddress(t)
	brokerIs := brokerSetup{Dir: t.TempDir(), Address: natsAddress}
	broker := startHelped(t, asBroker, brokerIs)
	flags := []string{"--nats", "nats://" + natsAddress}
	server := startServer(t, flags...)
	operator := server.Client()
	serviceIs := subscriberSetup{Dir: t.TempDir(), Ledger: server.URL, Key: server.Key, NATS: "nats://" + natsAddress}
	service := startHelped(t, asSubscriber, serviceIs)
	_, business, pair := collaborating(t, operator)

	acks := &acknowledged{answers: map[uuid.UUID]client.Answer{}}
	stop := make(chan struct{})
	failures := make(chan error, followedClients)
	var clients sync.WaitGroup
	t.Cleanup(clients.Wait)
	for range followedClients {
		clients.Go(func() { failures <- work(t.Context(), stop, operator, business, pair, acks) })
	}
	kill := [](func()){
		func() { broker.kill9(); broker = startHelped(t, asBroker, brokerIs) },
		func() {
			server.Kill9()
			server = startServer(t, append(flags, "--listen", server.Addr, "--data", server.Data)...)
		},
		func() { service.kill9(); service = startHelped(t, asSubscriber, serviceIs) },
	}
	rounds := 1
	if long() {
		rounds = 15
	}
	for range rounds {
		for _, victim := range rand.Perm(len(kill)) {
			enough, noted := acks.count.Load()+followedAcks, journalSize(serviceIs.Dir)
			require.Eventually(t, func() bool {
				return acks.count.Load() >= enough && journalSize(serviceIs.Dir) > noted || len(failures) > 0
			}, loadWait, pollWait, "work goes on: %s", service.output)
			kill[victim]()
			if rand.N(3) == 0 {
				kill[rand.N(len(kill))]()
			}
		}
	}
	close(stop)
	clients.Wait()
	close(failures)
	for err := range failures {
		require.NoError(t, err)
	}

	log := wholeLog(t, operator)
	requireWhole(t, log, acks.answers)
	require.Eventually(t, func() bool {
		last, err := readJournal(serviceIs.Dir)
		return err != nil || last == int64(len(log))
	}, loadWait, 50*time.Millisecond, "the service catches up: %s", service.output)
	_, err := readJournal(serviceIs.Dir)
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(serviceIs.Dir, journalFile))
	require.NoError(t, err)
	t.Logf("%d events, of which the service was given %d", len(log), bytes.Count(text, []byte{'\n'}))
}
