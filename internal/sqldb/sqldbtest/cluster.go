package sqldbtest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// What a cluster is started with.
const (
	postgresOldest   = 15               // major version, as in scripts/test
	clusterStartWait = time.Minute      // until it answers, after a crash with the recovery
	clusterPoll      = time.Millisecond // between two looks whether it does
	clusterPortTries = 20               // random ports that are tried
)

// Cluster is a Postgres server of a test's own, which the test may kill. Unlike the one that LEDGER_TEST_POSTGRES names, nobody
// else uses it. It syncs its files as a real one does.
type Cluster struct {
	DSN string // of its only database; the same however often it is restarted

	t          testing.TB
	bin        string // folder of the server's programs
	data       string
	port       int
	credential *syscall.Credential // who runs it; nil: the user of the test
	server     *exec.Cmd
	log        *os.File
	exited     chan struct{} // closed when the server has ended
}

// NewCluster starts a server, which ends with the test. Without Postgres's programs on the PATH or in /usr/lib/postgresql it skips
// the test, aloud, or fails it where LEDGER_TEST_REQUIRE_POSTGRES=1 asks for Postgres.
func NewCluster(t testing.TB) *Cluster {
	t.Helper()
	c := &Cluster{t: t, bin: postgresBin()}
	if c.bin == "" {
		lacking(t, fmt.Sprintf("this test kills a Postgres server of its own, and there is none of version %d or newer here", postgresOldest))
	}
	// The test's own folder is closed to the user that the server runs as.
	folder, err := os.MkdirTemp("", "ledger-postgres-")
	require.NoError(t, err)
	t.Cleanup(func() { // which takes as long as a killed server's other processes still write
		require.Eventually(t, func() bool { return os.RemoveAll(folder) == nil }, clusterStartWait, clusterPoll)
	})
	c.data = filepath.Join(folder, "data")
	c.log, err = os.Create(filepath.Join(folder, "server.log"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.log.Close()) })
	if os.Geteuid() == 0 { // Postgres refuses to run as root
		c.credential = unprivileged(t)
		require.NoError(t, os.Chown(folder, int(c.credential.Uid), int(c.credential.Gid)))
	}
	initdb := c.command("initdb", "--pgdata", c.data, "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
	output, err := initdb.CombinedOutput()
	require.NoError(t, err, "initdb: %s", output)
	c.port = freePort(t)
	c.DSN = fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", c.port)
	t.Cleanup(func() {
		if c.server != nil {
			c.StopImmediately()
		}
	})
	c.Start()
	return c
}

// Start starts the server, also after a crash, and waits until it answers.
func (c *Cluster) Start() {
	c.t.Helper()
	deadline := time.Now().Add(clusterStartWait)
	for c.launch(); !c.answers(); {
		require.True(c.t, time.Now().Before(deadline), "Postgres does not answer: %s", c.logged())
		select {
		case <-c.exited:
			// What a killed server has left behind, processes of its own and their shared memory, takes a moment to go.
			c.launch()
		case <-time.After(clusterPoll):
		}
	}
}

// StopImmediately ends the server as pg_ctl stop --mode=immediate does: all its processes at once, and no tidying up.
func (c *Cluster) StopImmediately() {
	_ = c.server.Process.Signal(syscall.SIGQUIT) // it may be gone already
	<-c.exited
}

// Kill9 kills the server's first process. The others find out by themselves, in the midst of whatever they do.
func (c *Cluster) Kill9() {
	_ = c.server.Process.Kill() // it may be gone already
	<-c.exited
}

func (c *Cluster) launch() {
	c.t.Helper()
	c.server = c.command("postgres", "-D", c.data, "-p", strconv.Itoa(c.port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "max_connections=200")
	c.server.Stdout, c.server.Stderr = c.log, c.log
	require.NoError(c.t, c.server.Start())
	exited := make(chan struct{})
	c.exited = exited
	go func(server *exec.Cmd) {
		_ = server.Wait() // it is not expected to end well
		close(exited)
	}(c.server)
}

func (c *Cluster) answers() bool {
	ctx, cancel := context.WithTimeout(context.Background(), clusterStartWait)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.DSN)
	if err != nil {
		return false
	}
	return conn.Close(ctx) == nil
}

func (c *Cluster) logged() []byte {
	text, err := os.ReadFile(c.log.Name())
	require.NoError(c.t, err)
	return text
}

// command runs one of Postgres's programs, in a folder that its user may enter.
func (c *Cluster) command(name string, args ...string) *exec.Cmd {
	command := exec.Command(filepath.Join(c.bin, name), args...)
	command.Dir = filepath.Dir(c.data)
	command.SysProcAttr = &syscall.SysProcAttr{Credential: c.credential}
	return command
}

// postgresBin is the folder of the newest Postgres here that is new enough, or nothing.
func postgresBin() string {
	folders, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is well-formed
	found, newest := "", postgresOldest-1
	for _, folder := range append(filepath.SplitList(os.Getenv("PATH")), folders...) {
		version, err := exec.Command(filepath.Join(folder, "postgres"), "--version").Output()
		if err != nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(folder, "initdb")); err != nil {
			continue
		}
		major, err := strconv.Atoi(string(bytes.TrimSpace(regexp.MustCompile(`\d+`).Find(version))))
		if err == nil && major > newest {
			found, newest = folder, major
		}
	}
	return found
}

// unprivileged is whom root runs the server as.
func unprivileged(t testing.TB) *syscall.Credential {
	t.Helper()
	account, err := user.Lookup("postgres")
	if err != nil {
		account, err = user.Lookup("nobody")
	}
	require.NoError(t, err)
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	require.NoError(t, err)
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	require.NoError(t, err)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// freePort is a port on which nobody listens, below those that outgoing connections are given: while the server is down, none of
// them takes its place.
func freePort(t testing.TB) int {
	t.Helper()
	for range clusterPortTries {
		port := 10_000 + rand.N(20_000)
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			require.NoError(t, listener.Close())
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}
