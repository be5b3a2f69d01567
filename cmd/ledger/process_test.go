package main

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

// asLedger is the variable that makes a process of this test binary be the ledger itself.
const asLedger = "LEDGER_TEST_AS_LEDGER"

// How long tests wait for a process.
const (
	readyWait = time.Minute
	exitWait  = time.Minute
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(asLedger) == "1":
		main()
	case os.Getenv(asBroker) != "":
		runHelped(runBroker)
	case os.Getenv(asSubscriber) != "":
		runHelped(runSubscriber)
	}
	os.Exit(m.Run())
}

// process is a ledger that serves in a process of its own, so that a test can kill it.
type process struct {
	URL  string // http://host:port
	Addr string // host:port; --listen takes it for a successor
	Data string // its folder; --data takes it for a successor
	Key  string // the operator's

	t      *testing.T
	cmd    *exec.Cmd
	stderr *syncBuffer
	exited chan struct{}
}

// startServer starts ledger serve with further flags, and waits until it is ready. Without --data it has a fresh folder, without
// --listen a free port. It ends with the test.
func startServer(t *testing.T, args ...string) *process {
	t.Helper()
	return startBinary(t, os.Args[0], args...)
}

// startBinary is startServer with another binary than that of the test.
func startBinary(t *testing.T, binary string, args ...string) *process {
	t.Helper()
	p := &process{t: t, Data: flagValue(args, "--data"), stderr: &syncBuffer{}, exited: make(chan struct{})}
	if p.Data == "" {
		p.Data = filepath.Join(t.TempDir(), "data")
		args = append(args, "--data", p.Data)
	}
	if flagValue(args, "--listen") == "" {
		args = append(args, "--listen", "127.0.0.1:0")
	}
	p.cmd = exec.Command(binary, append([]string{"serve"}, args...)...)
	p.cmd.Env = append(ledgerlessEnvironment(), asLedger+"=1")
	p.cmd.Stderr = p.stderr
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	ready := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(stdout).ReadString('\n') // empty when it ended before it was ready
		ready <- line
		_ = p.cmd.Wait() // how it ended is in ProcessState
		close(p.exited)
	}()
	t.Cleanup(p.Kill9)
	select {
	case line := <-ready:
		p.URL = servedURL(line)
		require.NotEmpty(t, p.URL, "ready line %q, stderr:\n%s", line, p.stderr)
	case <-time.After(readyWait):
		t.Fatalf("not ready after %s, stderr:\n%s", readyWait, p.stderr)
	}
	p.Addr = strings.TrimPrefix(p.URL, "http://")
	p.Key, err = readOperatorKey(p.Data)
	require.NoError(t, err)
	return p
}

// Client is a client with the operator's key.
func (p *process) Client() *client.Client { return client.New(p.URL, p.Key) }

// Kill9 ends the process without any chance to tidy up, as a crash would.
func (p *process) Kill9() {
	_ = p.cmd.Process.Kill() // it may be gone already
	<-p.exited
}

// Stop ends the process in order, which must succeed.
func (p *process) Stop() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.exited:
	case <-time.After(exitWait):
		p.t.Fatalf("did not stop in %s, stderr:\n%s", exitWait, p.stderr)
	}
	require.Zero(p.t, p.cmd.ProcessState.ExitCode(), "stderr:\n%s", p.stderr)
}

// flagValue is what follows a flag in a command line.
func flagValue(args []string, flag string) string {
	if i := slices.Index(args, flag); i >= 0 && i+1 < len(args) {
		return args[i+1]
	}
	return ""
}

// servedURL finds the address in the line that a ledger prints when it is ready.
func servedURL(line string) string {
	if found := regexp.MustCompile(`^ledger serves (http://\S+) \(data in .+, (SQLite|Postgres), NATS .+\)\n$`).FindStringSubmatch(line); found != nil {
		return found[1]
	}
	return ""
}

// ledgerlessEnvironment is the environment without what would be flags of the ledger.
func ledgerlessEnvironment() []string {
	return slices.DeleteFunc(os.Environ(), func(variable string) bool { return strings.HasPrefix(variable, "LEDGER_") })
}

// syncBuffer collects what a process or goroutine writes while a test reads it.
type syncBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *syncBuffer) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(data)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// registration is an account that tests register.
func registration(tradeName string) commands.RegisterAccount {
	return commands.RegisterAccount{
		Type: domain.Business, Plan: domain.PlanStandard,
		AccountDetails: domain.AccountDetails{LegalName: tradeName + " S.L.", TradeName: tradeName, TaxID: "B12345678", Country: "ES", Email: "hola@firm.example", Phone: "+34 931 234 567"},
		Owner:          commands.NewPerson{Name: "Lucía Fernández", Email: "lucia@firm.example"},
	}
}

func TestWhatWasAcceptedIsThereAfterAKill(t *testing.T) {
	first := startServer(t)
	var before []client.Answer
	for _, name := range []string{"La Espiga", "Ferretería Núñez", "Café Ártico"} {
		answer, err := first.Client().Do(t.Context(), "RegisterAccount", registration(name))
		require.NoError(t, err)
		before = append(before, answer)
	}
	first.Kill9()

	second := startServer(t, "--data", first.Data)
	require.Equal(t, first.Key, second.Key)
	for i, name := range []string{"La Espiga", "Ferretería Núñez", "Café Ártico"} {
		again, err := second.Client().DoWithID(t.Context(), before[i].CommandID, "RegisterAccount", registration(name))
		require.NoError(t, err)
		require.Equal(t, before[i], again)
	}
	next, err := second.Client().Do(t.Context(), "RegisterAccount", registration("Norte"))
	require.NoError(t, err)
	require.Equal(t, before[2].Position+1, next.Position, "the log goes on where it was")
	require.Eventually(t, func() bool {
		ready, err := readiness(context.Background(), second.URL)
		return err == nil && ready.Feed != nil && ready.Feed.State == "live" && ready.Feed.Position == next.Position
	}, readyWait, 20*time.Millisecond, "the broker gets everything")
	second.Stop()
}

func TestOneServerAtATimeServesAFolder(t *testing.T) {
	first := startServer(t)
	code, _, stderr := runLedger(t, nil, "serve", "--data", first.Data, "--listen", "127.0.0.1:0")
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "another ledger serves "+first.Data)
	require.Regexp(t, `\(pid \d+\)`, stderr)

	code, _, stderr = runLedger(t, nil, "projections", "rebuild", "--data", first.Data)
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "stop it first")
	first.Stop()

	code, stdout, stderr := runLedger(t, nil, "projections", "rebuild", "--data", first.Data)
	require.Equal(t, exitOK, code, stderr)
	require.Equal(t, "rebuilt all read models\n", stdout)
}
