package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

// long tells whether the long campaigns are asked for.
func long() bool { return os.Getenv("LEDGER_TEST_LONG") == "1" }

// scaled is a number of rounds, five times as many in the long campaigns.
func scaled(rounds int) int {
	if long() {
		return 5 * rounds
	}
	return rounds
}

// callerPause is how long a caller waits before it asks again. It is less than Retry-After asks for: a test wants to see much of an
// outage.
const callerPause = 20 * time.Millisecond

// pollWait is how long a test waits between two looks whether what it waits for has happened.
const pollWait = time.Millisecond

// caller asks a ledger and sees each answer as it was given, where package client would ask again behind the test's back.
type caller struct {
	http  *http.Client
	url   string
	key   string
	actAs string // account/user; empty for the operator
}

// newCaller makes a caller with the operator's key and connections of its own.
func newCaller(t *testing.T, url, key string, connections int) *caller {
	t.Helper()
	transport := &http.Transport{MaxIdleConns: connections, MaxIdleConnsPerHost: connections}
	t.Cleanup(transport.CloseIdleConnections)
	return &caller{http: &http.Client{Transport: transport, Timeout: time.Minute}, url: url, key: key}
}

// as is the same caller, acting for a firm's owner.
func (c *caller) as(f firm) *caller {
	person := *c
	person.actAs = f.id.String() + "/" + f.owner.String()
	return &person
}

// reply is what a caller was told.
type reply struct {
	status     int // 0: there was no answer
	retryAfter string
	etag       string
	body       []byte
	err        error // why there was none
}

// submit sends a command once.
func (c *caller) submit(ctx context.Context, id uuid.UUID, name string, body any) reply {
	encoded, err := json.Marshal(body)
	if err != nil {
		return reply{err: err}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/v1/commands/"+name, bytes.NewReader(encoded))
	if err != nil {
		return reply{err: err}
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", id.String())
	r.GetBody = nil // with it, http.Transport would send the command again by itself
	return c.ask(r)
}

// get asks a query once.
func (c *caller) get(ctx context.Context, path string, query url.Values) reply {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+path+"?"+query.Encode(), nil)
	if err != nil {
		return reply{err: err}
	}
	return c.ask(r)
}

func (c *caller) ask(r *http.Request) reply {
	r.Header.Set("Authorization", "Bearer "+c.key)
	if c.actAs != "" {
		r.Header.Set("Ledger-Act-As", c.actAs)
	}
	response, err := c.http.Do(r)
	if err != nil {
		return reply{err: err}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return reply{err: err}
	}
	return reply{
		status: response.StatusCode, retryAfter: response.Header.Get("Retry-After"), etag: response.Header.Get("ETag"), body: body,
	}
}

// accepted reads the answer to an accepted command.
func (r reply) accepted() (client.Answer, error) {
	var answer client.Answer
	err := json.Unmarshal(r.body, &answer)
	return answer, err
}

// problem reads a refusal.
func (r reply) problem() client.Problem {
	var p client.Problem
	_ = json.Unmarshal(r.body, &p) // what is no problem has no code
	return p
}

// away tells whether the ledger said that it cannot answer now, in the one way in which it may say so.
func (r reply) away() bool {
	seconds, err := strconv.Atoi(r.retryAfter)
	return r.status == http.StatusServiceUnavailable && err == nil && seconds > 0 && r.problem().Code != ""
}

// unsent tells whether the ledger cannot have seen the request, because nobody listened.
func (r reply) unsent() bool {
	failed, ok := errors.AsType[*net.OpError](r.err)
	return ok && failed.Op == "dial"
}

func (r reply) String() string {
	return fmt.Sprintf("status %d, Retry-After %q, error %v: %s", r.status, r.retryAfter, r.err, r.body)
}

// traffic is a load of commands and queries on a ledger whose surroundings fail. What must never be answered ends it.
type traffic struct {
	acks     *acknowledged
	away     atomic.Int64 // commands that were answered 503
	queries  atomic.Int64 // queries that were answered
	awayRead atomic.Int64 // queries that were answered 503

	stop     chan struct{}      // closed so that clients finish what they are about
	breakOff context.CancelFunc // ends them in the midst of it
	running  sync.WaitGroup
	failures chan error
}

// startTraffic begins a load of clients, each a person of the business who raises a task, looks whether the ledger remembers it,
// completes it, and looks at the read models; of one who only looks, so that in an outage, when all others may be about a command, somebody
// is; and of one who only raises tasks, for those whom one batch answers are all about a look together. It ends with finish, with abandon,
// or with the test.
func startTraffic(t *testing.T, operator *caller, clients int, business firm, pair commands.PairFields) *traffic {
	t.Helper()
	ctx, breakOff := context.WithCancel(t.Context())
	l := &traffic{
		acks: &acknowledged{answers: map[uuid.UUID]client.Answer{}}, stop: make(chan struct{}), breakOff: breakOff, failures: make(chan error, clients+2),
	}
	t.Cleanup(l.abandon)
	work := func(round func(person *caller) error) {
		l.running.Go(func() {
			for !closed(l.stop) {
				err := round(operator.as(business))
				if ctx.Err() != nil {
					return
				}
				if err != nil {
					l.failures <- err
					return
				}
			}
		})
	}
	for range clients {
		work(func(person *caller) error { return l.round(ctx, person, business, pair) })
	}
	work(func(person *caller) error {
		if err := l.look(ctx, person, business, pair); err != nil {
			return err
		}
		return wait(ctx, callerPause)
	})
	work(func(person *caller) error {
		if _, _, err := l.raise(ctx, person, business); err != nil {
			return err
		}
		return wait(ctx, callerPause)
	})
	return l
}

// awaitAcks waits for so many more acknowledgements.
func (l *traffic) awaitAcks(t *testing.T, more int64) {
	t.Helper()
	enough := l.acks.count.Load() + more
	l.await(t, func() bool { return l.acks.count.Load() >= enough })
}

// await waits for what the traffic must bring about.
func (l *traffic) await(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, func() bool { return condition() || len(l.failures) > 0 }, loadWait, pollWait)
	l.requireFine(t)
}

func (l *traffic) requireFine(t *testing.T) {
	t.Helper()
	select {
	case err := <-l.failures:
		require.NoError(t, err)
	default:
	}
}

// finish ends the load and checks that nothing was answered that must not be.
func (l *traffic) finish(t *testing.T) {
	t.Helper()
	close(l.stop)
	l.running.Wait()
	l.requireFine(t)
}

// abandon ends the load in the midst of whatever it is about, as when all clients crash.
func (l *traffic) abandon() {
	l.breakOff()
	l.running.Wait()
}

// round is what a client does again and again.
func (l *traffic) round(ctx context.Context, person *caller, business firm, pair commands.PairFields) error {
	id, raised, err := l.raise(ctx, person, business)
	if err != nil {
		return err
	}
	receipt, err := l.query(ctx, person, "/v1/receipts/"+id.String(), nil)
	if err != nil {
		return err
	}
	var remembered struct{ Position int64 }
	if err := json.Unmarshal(receipt, &remembered); err != nil || remembered.Position != raised.Position {
		return fmt.Errorf("the receipt of %s is %s, but the answer was position %d", id, receipt, raised.Position)
	}
	if _, err := l.persist(ctx, person, uuid.New(), "CompleteTask", commands.CompleteTask{TaskID: domain.TaskID(business.id, id.String())}); err != nil {
		return err
	}
	return l.look(ctx, person, business, pair)
}

// raise raises a task, whose external reference is the command's id.
func (l *traffic) raise(ctx context.Context, person *caller, business firm) (id uuid.UUID, raised client.Answer, err error) {
	id = uuid.New()
	raised, err = l.persist(ctx, person, id, "RaiseTask", commands.RaiseTask{
		ClientID: business.id, Section: domain.Sales, Title: "Categorise an invoice", ExternalRef: id.String(), GoTo: "https://app.example/sales",
	})
	return id, raised, err
}

// look asks the read models.
func (l *traffic) look(ctx context.Context, person *caller, business firm, pair commands.PairFields) error {
	for _, path := range []string{"/v1/collaborations/" + domain.Pair(pair).CollaborationID().String(), "/v1/requests"} {
		query := url.Values{}
		if path == "/v1/requests" {
			query.Set("party", business.id.String())
		}
		if _, err := l.query(ctx, person, path, query); err != nil {
			return err
		}
	}
	return nil
}

// persist submits a command under one id until it is accepted. Any answer but 200, and 503 with Retry-After, is an error.
func (l *traffic) persist(ctx context.Context, person *caller, id uuid.UUID, name string, body any) (client.Answer, error) {
	for {
		r := person.submit(ctx, id, name, body)
		switch {
		case r.status == http.StatusOK:
			answer, err := r.accepted()
			if err == nil {
				l.acks.add(id, answer)
			}
			return answer, err
		case r.away():
			l.away.Add(1)
		default:
			return client.Answer{}, fmt.Errorf("%s: %s", name, r)
		}
		if err := wait(ctx, callerPause); err != nil {
			return client.Answer{}, err
		}
	}
}

// query asks until there is an answer.
func (l *traffic) query(ctx context.Context, person *caller, path string, query url.Values) ([]byte, error) {
	for {
		r := person.get(ctx, path, query)
		switch {
		case r.status == http.StatusOK:
			l.queries.Add(1)
			return r.body, nil
		case r.away():
			l.awayRead.Add(1)
		default:
			return nil, fmt.Errorf("GET %s: %s", path, r)
		}
		if err := wait(ctx, callerPause); err != nil {
			return nil, err
		}
	}
}

func wait(ctx context.Context, pause time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pause):
		return nil
	}
}

// report logs what the traffic was told.
func (l *traffic) report(t *testing.T) {
	t.Helper()
	t.Logf("%d commands acknowledged, %d answered 503; %d queries answered, %d answered 503",
		l.acks.count.Load(), l.away.Load(), l.queries.Load(), l.awayRead.Load())
}

// requireConsistent checks what a ledger holds after a load, with nothing under way any more: the log has every acknowledged command
// once and no gap, the broker has it all, and the read models are what a rebuild makes.
func requireConsistent(t *testing.T, load *traffic, server *process, flags []string, js jetstream.JetStream, consultancy, business firm, pair commands.PairFields) {
	t.Helper()
	operator := server.Client()
	log := wholeLog(t, operator)
	requireWhole(t, log, load.acks.answers)
	requireFed(t, js, log)
	incremental := readModels(t, operator, consultancy, business, pair, len(log))
	server.Stop()
	rebuild := []string{"projections", "rebuild", "--data", server.Data}
	if dsn := flagValue(flags, "--postgres"); dsn != "" {
		rebuild = append(rebuild, "--postgres", dsn)
	}
	code, _, stderr := runLedger(t, nil, rebuild...)
	require.Equal(t, exitOK, code, stderr)
	again := startServer(t, append(rebuild[2:len(rebuild):len(rebuild)], "--listen", server.Addr)...)
	requireSame(t, incremental, readModels(t, again.Client(), consultancy, business, pair, len(log)))
	requireClean(t, rebuild[2:]...)
}

// requireSame checks that read models answer the same as before, and shows the first line of each answer that is not.
func requireSame(t *testing.T, before, rebuilt map[string]string) {
	t.Helper()
	require.Equal(t, slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(rebuilt)))
	for query := range before {
		was, is := strings.Split(before[query], "\n"), strings.Split(rebuilt[query], "\n")
		for i := range min(len(was), len(is)) {
			require.Equal(t, was[i], is[i], "line %d of %s", i+1, query)
		}
		require.Len(t, is, len(was), query)
	}
}
