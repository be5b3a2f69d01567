package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/eventstore/sqlite"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
)

// under is a scenario's command as a request with an id.
func (w when) under(id uuid.UUID) Request {
	return Request{ID: id, Name: w.command, Body: []byte(w.body), Actor: w.actor}
}

// execute executes a request that is to be accepted.
func (n *node) execute(r Request) Answer {
	n.t.Helper()
	answer, err := n.Execute(n.t.Context(), r)
	require.NoError(n.t, err)
	return answer
}

// requireReused checks that a request is refused because its id has been used for another.
func (n *node) requireReused(r Request) {
	n.t.Helper()
	_, err := n.Execute(n.t.Context(), r)
	requireRefusal(n.t, refuses("idempotency_key_reused", "").refusal, err)
}

// TestCommandRetriedAfterTheCollaborationEnded: the first answer holds for as long as the ledger lives, also when the rules
// would refuse the command now, and also on another node and after a restart.
func TestCommandRetriedAfterTheCollaborationEnded(t *testing.T) {
	n := newNode(t)
	n.happened(market...)
	n.setClock(noon)
	var requests []Request
	var answers []Answer
	for _, w := range []when{
		by(shopOwner, SendMessage{theirs, "Do you work with shops?"}),
		by(shopOwner, RequestCollaboration{theirs, "Please keep our books."}),
		by(firmOwner, AcceptCollaboration{theirs}),
		by(shopOwner, GrantAccess{theirs, GrantTerms{RoleID: domain.RoleFinance}}),
		by(firmOwner, AssignAccountManagers{theirs, ids(firmManager)}),
		by(firmManager, OpenClientAccount{theirs, ""}),
		by(billing, raise(invoices)),
		by(firmManager, CompleteTask{invoices.TaskID}),
		by(firmManager, MarkConversationRead{theirs}),
		by(firmManager, MarkConversationRead{theirs}), // raises nothing, and is an answer too
		by(shopOwner, EndCollaboration{theirs, "done"}),
	} {
		requests = append(requests, w.under(uuid.New()))
		answers = append(answers, n.execute(requests[len(requests)-1]))
	}
	n.setClock(noon.AddDate(3, 0, 0))
	for _, node := range []*node{n, newNodeOn(t, n.Store, n.clock)} {
		for i, r := range requests {
			answer := node.execute(r)
			require.True(t, answer.Repeated)
			answer.Repeated = false
			require.Equal(t, answers[i], answer, "%s", r.Name)
		}
	}
}

func TestCommandIDIsUsedOnce(t *testing.T) {
	n := newNode(t)
	n.happened(market...)
	n.setClock(noon)
	first := by(shopOwner, RequestCollaboration{theirs, "Please keep our books."}).under(uuid.New())
	n.execute(first)

	n.requireReused(by(shopOwner, RequestCollaboration{theirs, "Please keep our BOOKS."}).under(first.ID))
	n.requireReused(by(shopAdmin, RequestCollaboration{theirs, "Please keep our books."}).under(first.ID))
	n.requireReused(by(firmOwner, AcceptCollaboration{theirs}).under(first.ID))                                                                       // which would be accepted
	n.requireReused(by(firmOwner, GrantAccess{theirs, GrantTerms{RoleID: domain.RoleFinance}}).under(first.ID))                                       // which would be refused
	n.requireReused(by(stranger, CompleteTask{invoices.TaskID}).under(first.ID))                                                                      // of which nothing exists
	n.requireReused(by(domain.Actor{Kind: domain.ActorSystem, Name: "user"}, RequestCollaboration{theirs, "Please keep our books."}).under(first.ID)) // who may not
}

// TestRefusedCommandUsesNoID: a refusal is not remembered, so the same request may be accepted later.
func TestRefusedCommandUsesNoID(t *testing.T) {
	n := newNode(t)
	n.happened(pending...)
	n.setClock(noon)
	grant := by(shopOwner, GrantAccess{theirs, GrantTerms{RoleID: domain.RoleFinance}}).under(uuid.New())
	_, err := n.Execute(t.Context(), grant)
	requireRefusal(t, refuses("collaboration_not_active", "pending").refusal, err)
	n.must(by(firmOwner, AcceptCollaboration{theirs}))
	require.False(t, n.execute(grant).Repeated)
}

func TestCommandNeedsAnID(t *testing.T) {
	n := newNode(t)
	_, err := n.Execute(t.Context(), by(billing, raise(invoices)).under(uuid.Nil))
	requireRefusal(t, malforms("Idempotency-Key").refusal, err)
}

// TestServiceThatVouchesIsTold: a record says who acted and on whose behalf. Whichever service vouches, it is the same command.
func TestServiceThatVouchesIsTold(t *testing.T) {
	n := newNode(t)
	n.happened(pending...)
	n.setClock(noon)
	accept := by(firmOwner, AcceptCollaboration{theirs}).under(uuid.New())
	accept.Actor.Via, accept.CorrelationID, accept.CausationID = "service:app", "visit-1", "click-2"
	accept.TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	answer := n.execute(accept)
	records, err := n.Store.ReadAll(t.Context(), answer.Position-1, 1)
	require.NoError(t, err)
	envelope, err := records[0].Envelope()
	require.NoError(t, err)
	require.Equal(t, "service:app", envelope.Actor)
	require.Equal(t, firmOwner.String(), envelope.OnBehalfOf)
	require.Equal(t, "visit-1", envelope.CorrelationID)
	require.Equal(t, "click-2", envelope.CausationID)
	require.Equal(t, accept.TraceParent, envelope.TraceParent)

	accept.Actor.Via = "service:other"
	require.True(t, n.execute(accept).Repeated)
}

func TestContextThatTheLogCannotHold(t *testing.T) {
	n := newNode(t)
	n.happened(pending...)
	n.setClock(noon)
	accept := by(firmOwner, AcceptCollaboration{theirs}).under(uuid.New())
	accept.CorrelationID = "a\x00b"
	_, err := n.Execute(t.Context(), accept)
	requireRefusal(t, refusal(domain.Malformed, "invalid_context", "").refusal, err)
}

// TestIfMatch: a command is refused when the stream that it extends is not at the version that the caller has seen.
func TestIfMatch(t *testing.T) {
	n := newNode(t)
	n.happened(pending...) // the collaboration is at version 1
	n.setClock(noon)
	accept := by(firmOwner, AcceptCollaboration{theirs}).under(uuid.New())
	for _, stale := range []int64{0, 2, -1} {
		accept.IfVersion = &stale
		_, err := n.Execute(t.Context(), accept)
		requireRefusal(t, refusal(domain.Stale, "stale_version", "").refusal, err)
	}
	other := newNodeOn(t, n.Store, n.clock)
	other.must(by(shopOwner, SendMessage{theirs, "Are you there?"}))
	one, two := int64(1), int64(2)
	accept.IfVersion = &one
	_, err := n.Execute(t.Context(), accept)
	requireRefusal(t, refusal(domain.Stale, "stale_version", "").refusal, err)
	accept.IfVersion = &two
	require.Equal(t, int64(3), n.execute(accept).Events[0].Version)
	require.True(t, n.execute(accept).Repeated, "a repeated command is not held to the version it has changed itself")
}

// interfere makes a node's ids cost a lost race: before each of the first n, step happens.
func (n *node) interfere(times int, step func()) {
	make := n.NewID
	n.NewID = func() uuid.UUID {
		if times > 0 {
			times--
			step()
		}
		return make()
	}
}

func TestLostRaceIsDecidedAgain(t *testing.T) {
	n := newNode(t)
	other := newNodeOn(t, n.Store, n.clock)
	n.happened(enquiry...)
	n.setClock(noon)
	n.interfere(3, func() { other.must(by(firmOwner, SendMessage{theirs, "Hello?"})) })
	answer := n.must(by(shopOwner, SendMessage{theirs, "Hello."}))
	require.Equal(t, int64(5), answer.Events[0].Version, "after three messages of the other side")
}

// TestLostRaceIsTyped: the loser learns the state that it lost to.
func TestLostRaceIsTyped(t *testing.T) {
	n := newNode(t)
	other := newNodeOn(t, n.Store, n.clock)
	n.happened(active...)
	n.setClock(noon)
	n.interfere(1, func() { other.must(by(shopAdmin, GrantAccess{theirs, GrantTerms{RoleID: domain.RoleSales}})) })
	_, err := n.do(by(shopOwner, GrantAccess{theirs, GrantTerms{RoleID: domain.RoleFinance}}))
	requireRefusal(t, refuses("grant_exists", "granted").refusal, err)
}

// TestRaceLostForGoodIsAConflict: retries are bounded, and nothing is left behind.
func TestRaceLostForGoodIsAConflict(t *testing.T) {
	n := newNode(t)
	other := newNodeOn(t, n.Store, n.clock)
	n.happened(enquiry...)
	n.setClock(noon)
	var interferences int
	n.interfere(1_000, func() {
		interferences++
		other.must(by(firmOwner, SendMessage{theirs, "Hello?"}))
	})
	before := len(n.events())
	_, err := n.do(by(shopOwner, SendMessage{theirs, "Hello."}))
	requireRefusal(t, refusal(domain.Conflict, "conflict", "").refusal, err)
	require.Len(t, n.events(), before+interferences)
	require.GreaterOrEqual(t, interferences, MaxAttempts)
}

// TestClockThatGoesBackwards: a decision is never before the facts that it is based on.
func TestClockThatGoesBackwards(t *testing.T) {
	n := newNode(t)
	n.setClock(noon)
	n.happened(inside...)
	n.setClock(noon.Add(-time.Hour))
	opened := n.must(by(firmManager, OpenClientAccount{theirs, ""})).Result.(SessionResult)
	require.Equal(t, noon.Add(time.Hour), opened.ExpiresAt, "the log's clock counts, not this node's")

	n.happened(domain.AccessExpired{Pair: firmAndShop, GrantID: grantID, AccessEpoch: 2, ExpiredAt: noon})
	_, err := n.do(by(firmManager, OpenClientAccount{theirs, ""}))
	requireRefusal(t, refuses("no_live_grant", "expired").refusal, err)
}

// TestRequestThatLapsedStaysLapsed: once the log tells a time past the request's end, no clock makes it pending again.
func TestRequestThatLapsedStaysLapsed(t *testing.T) {
	n := newNode(t)
	n.happened(pending...)
	n.setClock(requestEnd)
	n.happened(domain.MessageSent{Pair: firmAndShop, MessageID: id(52), From: domain.ConsultancySide, Body: "Sorry for the delay."})
	n.setClock(requestEnd.Add(-time.Hour))
	_, err := n.do(by(firmOwner, AcceptCollaboration{theirs}))
	requireRefusal(t, refuses("not_pending", "expired").refusal, err)
}

// TestLogThatCannotBeReadIsInternal: an event of a newer ledger stops decisions about its stream, and says why in the log only.
func TestLogThatCannotBeReadIsInternal(t *testing.T) {
	n := newNode(t)
	n.happened(pending...)
	n.setClock(noon)
	stream := eventstore.StreamID{Kind: domain.CollaborationStream, ID: firmAndShop.CollaborationID()}
	_, err := n.Store.Append(t.Context(), eventstore.Append{
		CommandID: uuid.New(), Expect: []eventstore.StreamVersion{{Stream: stream, Version: 1}},
		Events: []eventstore.NewEvent{{ID: uuid.New(), Stream: stream, Type: "collaboration.TeamMerged.v1", Data: json.RawMessage(`{}`)}},
	})
	require.NoError(t, err)
	_, err = n.do(by(firmOwner, AcceptCollaboration{theirs}))
	requireRefusal(t, refusal(domain.Internal, "internal", "").refusal, err)
	require.ErrorContains(t, err, "collaboration.TeamMerged.v1")
}

func TestClosedStoreIsUnavailable(t *testing.T) {
	n := newNode(t)
	n.happened(pending...)
	n.setClock(noon)
	_, err := n.do(by(shopOwner, AcceptCollaboration{theirs})) // refused; the states are in memory now
	requireRefusal(t, forbids("not_a_member").refusal, err)
	require.NoError(t, n.Store.Close())
	for _, w := range []when{by(firmOwner, AcceptCollaboration{theirs}), by(shopOwner, AcceptCollaboration{theirs}), by(firmOwner, CompleteTask{invoices.TaskID})} {
		_, err = n.do(w)
		requireRefusal(t, refusal(domain.Unavailable, "unavailable", "").refusal, err)
	}
}

func TestStoreErrorsInTheLedgersTerms(t *testing.T) {
	for _, test := range []struct {
		err  error
		kind domain.Kind
		code string
	}{
		{eventstore.ErrQueueFull, domain.Unavailable, "overloaded"},
		{eventstore.ErrUnavailable, domain.Unavailable, "unavailable"},
		{fmt.Errorf("%w: commit: %w", eventstore.ErrUnavailable, &pgconn.PgError{Code: "53100"}), domain.Unavailable, "storage_full"},
		{eventstore.ErrClosed, domain.Unavailable, "unavailable"},
		{context.DeadlineExceeded, domain.Unavailable, "timeout"},
		{context.Canceled, domain.Unavailable, "timeout"},
		{eventstore.ErrCommandReused, domain.Refused, "idempotency_key_reused"},
		{eventstore.ErrInvalid, domain.Malformed, "invalid_context"},
		{&eventstore.AheadError{}, domain.Internal, "internal"},
		{io.ErrUnexpectedEOF, domain.Internal, "internal"},
	} {
		err := storeError(fmt.Errorf("append: %w", test.err))
		requireRefusal(t, refusal(test.kind, test.code, "").refusal, err)
		require.True(t, errors.Is(err, test.err), "the cause is kept for the logs")
	}
}

// failing is a database that stops reading when it is told to, and holds commits up.
type failing struct {
	eventstore.Backend
	down atomic.Bool
	hold atomic.Pointer[func()] // called before a commit
}

var errDown = errors.New("the plug was pulled")

func (f *failing) ReadStream(ctx context.Context, stream eventstore.StreamID, after int64, limit int) ([]eventstore.Record, error) {
	if f.down.Load() {
		return nil, errDown
	}
	return f.Backend.ReadStream(ctx, stream, after, limit)
}

func (f *failing) Commit(ctx context.Context, from eventstore.Head, batch eventstore.Batch, behind bool) func() error {
	return func() error {
		if hold := f.hold.Load(); hold != nil {
			(*hold)()
		}
		return f.Backend.Commit(ctx, from, batch, behind)()
	}
}

func newFailing(t *testing.T) (*node, *failing) {
	t.Helper()
	backend, err := sqlite.New(t.Context(), sqldbtest.SQLite(t))
	require.NoError(t, err)
	failing := &failing{Backend: backend}
	clock := &atomic.Int64{}
	return newNodeOn(t, openStore(t, failing, clock), clock), failing
}

func TestDatabaseThatCannotBeReadIsUnavailable(t *testing.T) {
	n, database := newFailing(t)
	n.happened(pending...)
	n.setClock(noon)
	database.down.Store(true)
	_, err := n.do(by(firmOwner, AcceptCollaboration{theirs}))
	requireRefusal(t, refusal(domain.Unavailable, "unavailable", "").refusal, err)
	require.ErrorIs(t, err, errDown)
	database.down.Store(false)
	n.must(by(firmOwner, AcceptCollaboration{theirs}))
}

// TestFullQueueIsOverloaded: past its limit the queue takes no more, and who is turned away may come again.
func TestFullQueueIsOverloaded(t *testing.T) {
	n, database := newFailing(t)
	n.happened(pending...)
	n.setClock(noon)
	held, release := make(chan struct{}), make(chan struct{})
	hold := sync.OnceFunc(func() {
		close(held)
		<-release
	})
	database.hold.Store(&hold)
	var waiting sync.WaitGroup
	enqueue := func() {
		waiting.Go(func() { _, _ = n.Store.Append(t.Context(), eventstore.Append{CommandID: uuid.New()}) })
	}
	enqueue()
	<-held // the committer is at this one, gathers a batch for after it, holds the one that is too many for that, and takes no other
	const room = eventstore.MaxBatchEvents + 1 + eventstore.MaxQueue
	for range room {
		enqueue()
	}
	require.Eventually(t, func() bool { return n.Store.Waiting() == room }, time.Minute, time.Millisecond)
	accept := by(firmOwner, AcceptCollaboration{theirs}).under(uuid.New())
	_, err := n.Execute(t.Context(), accept)
	requireRefusal(t, refusal(domain.Unavailable, "overloaded", "").refusal, err)
	close(release)
	waiting.Wait()
	require.False(t, n.execute(accept).Repeated)
}

// TestOutcomeUnknownIsFoundOut: who gave up waiting asks again under the same id, and gets the answer.
func TestOutcomeUnknownIsFoundOut(t *testing.T) {
	n, database := newFailing(t)
	n.happened(pending...)
	n.setClock(noon)
	held, release := make(chan struct{}), make(chan struct{})
	hold := sync.OnceFunc(func() {
		close(held)
		<-release
	})
	database.hold.Store(&hold)
	accept := by(firmOwner, AcceptCollaboration{theirs}).under(uuid.New())
	ctx, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error)
	go func() {
		_, err := n.Execute(ctx, accept)
		gaveUp <- err
	}()
	<-held
	cancel()
	requireRefusal(t, refusal(domain.Unavailable, "timeout", "").refusal, <-gaveUp)
	close(release)
	answer := n.execute(accept)
	require.True(t, answer.Repeated)
	require.Equal(t, domain.CollaborationAccepted{}.EventType(), answer.Events[0].Type)
	require.Len(t, n.events(), len(pending)+1, "once")
}
