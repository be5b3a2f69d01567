package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

// The model of a collaboration that histories are checked against: what people do to it, and what they may be told.

// What people do to a collaboration. Each is one event of its stream when it is accepted, but for look, which is a query.
const (
	request  = "RequestCollaboration"
	accept   = "AcceptCollaboration"
	decline  = "DeclineCollaboration"
	withdraw = "WithdrawRequest"
	end      = "EndCollaboration"
	look     = "look"
)

// deeds are all of them, as likely as they are to be tried.
var deeds = []string{request, request, accept, decline, withdraw, end, look}

// stand is where a collaboration stands.
type stand struct {
	status  string // empty: nothing has happened yet
	version int64
}

// verdict is what somebody was told about a deed.
type verdict struct {
	unknown bool   // nobody answered: it was done, or not, or will be
	nothing bool   // it was said not to have been done, whatever the state
	code    string // of the refusal; empty when it was accepted
	stand   stand  // after it, when it was accepted; when it was refused only the status
}

// leadsTo is the status that an accepted deed leads to.
func leadsTo(deed string) string {
	switch deed {
	case request:
		return string(domain.CollaborationPending)
	case accept:
		return string(domain.CollaborationActive)
	case decline:
		return string(domain.CollaborationRefused)
	case withdraw:
		return string(domain.CollaborationWithdrawn)
	}
	return string(domain.CollaborationOver)
}

// refused is the code with which a deed is refused in a status; empty when it is not.
func refused(status, deed string) string {
	pending, active := status == leadsTo(request), status == leadsTo(accept)
	switch {
	case deed == request && pending:
		return "already_pending"
	case deed == request && active:
		return "already_active"
	case deed != request && status == "":
		return "collaboration_not_found"
	case deed == end && !active:
		return "collaboration_not_active"
	case deed != request && deed != end && deed != look && !pending:
		return "not_pending"
	}
	return ""
}

// collaborationModel tells whether a verdict is right where a collaboration stands, and where it stands then.
var collaborationModel = porcupine.Model{
	Init: func() any { return stand{} },
	Step: func(state, input, output any) (bool, any) {
		before, deed, told := state.(stand), input.(string), output.(verdict)
		code, after := refused(before.status, deed), before
		if code == "" && deed != look && !told.nothing {
			after = stand{leadsTo(deed), before.version + 1}
		}
		if told.unknown || told.nothing {
			return true, after
		}
		if code != "" {
			return told.code == code && told.stand.status == before.status, after
		}
		return told.code == "" && told.stand == after, after
	},
	Equal: func(a, b any) bool { return a == b },
	DescribeOperation: func(input, output any) string {
		return fmt.Sprintf("%v → %+v", input, output)
	},
}

// never is the time of an answer that did not come.
const never = int64(1) << 62

// historian records what happened to one collaboration: when each deed was begun, and when and what its doer was told.
type historian struct {
	began         time.Time
	collaboration uuid.UUID

	mu      sync.Mutex
	history []porcupine.Operation
}

func newHistorian(pair commands.PairFields) *historian {
	return &historian{began: time.Now(), collaboration: domain.Pair(pair).CollaborationID()}
}

func (h *historian) add(who int, deed string, call, answered int64, told verdict) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.history = append(h.history, porcupine.Operation{ClientId: who, Input: deed, Call: call, Output: told, Return: answered})
}

func (h *historian) now() int64 { return time.Since(h.began).Nanoseconds() }

// doer is one who does things to a collaboration, through whichever node.
type doer struct {
	*historian
	number       int
	nodes        []*caller
	theirs, ours firm // the client and the consultancy
	pair         commands.PairFields
	patient      bool // sends what was not answered again, under its id to any node, where others let it be
}

// act does one thing after the other until stop is closed.
func (d *doer) act(ctx context.Context, stop <-chan struct{}) error {
	for !closed(stop) && ctx.Err() == nil {
		deed := deeds[rand.N(len(deeds))]
		call := d.now()
		told, err := d.do(ctx, deed)
		if err != nil {
			return fmt.Errorf("%s: %w", deed, err)
		}
		answered := d.now()
		if told.unknown {
			answered = never
		}
		d.add(d.number, deed, call, answered, told)
	}
	return nil
}

// do does one thing and tells what came of it.
func (d *doer) do(ctx context.Context, deed string) (verdict, error) {
	id, sent := uuid.New(), false
	for {
		r := d.send(ctx, d.nodes[rand.N(len(d.nodes))], id, deed)
		if r.status != 0 && !r.away() {
			return d.understand(deed, r)
		}
		sent = sent || !r.unsent()
		if wait(ctx, callerPause) != nil || sent && !d.patient {
			return verdict{unknown: sent, nothing: !sent}, nil
		}
	}
}

func (d *doer) send(ctx context.Context, node *caller, id uuid.UUID, deed string) reply {
	switch deed {
	case look:
		return node.as(d.theirs).get(ctx, "/v1/collaborations/"+d.collaboration.String(), nil)
	case request:
		return node.as(d.theirs).submit(ctx, id, deed, commands.RequestCollaboration{PairFields: d.pair, Message: "Please keep our books."})
	case withdraw:
		return node.as(d.theirs).submit(ctx, id, deed, commands.WithdrawRequest{PairFields: d.pair})
	case accept:
		return node.as(d.ours).submit(ctx, id, deed, commands.AcceptCollaboration{PairFields: d.pair})
	case decline:
		return node.as(d.ours).submit(ctx, id, deed, commands.DeclineCollaboration{PairFields: d.pair, ReasonCode: domain.DeclinedNoCapacity})
	}
	return node.as(d.ours).submit(ctx, id, deed, commands.EndCollaboration{PairFields: d.pair, Reason: "Done."})
}

// understand reads an answer.
func (d *doer) understand(deed string, r reply) (verdict, error) {
	if r.status != http.StatusOK {
		p := r.problem()
		switch p.Status {
		case http.StatusConflict:
			return verdict{nothing: true}, nil
		case http.StatusNotFound, http.StatusUnprocessableEntity:
			return verdict{code: p.Code, stand: stand{status: p.State}}, nil
		}
		return verdict{}, fmt.Errorf("it must not be answered so: %s", r)
	}
	if deed == look {
		var shown struct {
			Status string `json:"status"`
		}
		if err := json.Unmarshal(r.body, &shown); err != nil {
			return verdict{}, fmt.Errorf("%s: %w", r, err)
		}
		version, err := strconv.ParseInt(strings.Trim(r.etag, `"`), 10, 64)
		return verdict{stand: stand{shown.Status, version}}, err
	}
	answer, err := r.accepted()
	if err != nil || len(answer.Events) != 1 {
		return verdict{}, fmt.Errorf("%s: %w", r, err)
	}
	return verdict{stand: stand{leadsTo(deed), answer.Events[0].Version}}, nil
}

// requireLinearizable checks that there is one order, which agrees with who was told what before whom, in which all verdicts are right.
func (h *historian) requireLinearizable(t *testing.T) {
	t.Helper()
	unknown, refused := 0, 0
	for _, operation := range h.history {
		if told := operation.Output.(verdict); told.unknown {
			unknown++
		} else if told.code != "" {
			refused++
		}
	}
	t.Logf("%d deeds on %s, %d of them refused, %d without an answer", len(h.history), h.collaboration, refused, unknown)
	require.Equal(t, porcupine.Ok, porcupine.CheckOperationsTimeout(collaborationModel, h.history, loadWait), "history of %s", h.collaboration)
}

func TestTheModelOfACollaborationTellsWrongHistories(t *testing.T) {
	pending, active := stand{"pending", 1}, stand{"active", 2}
	for _, c := range []struct {
		name string
		ops  []porcupine.Operation
		want porcupine.CheckResult
	}{
		{"one accepts what another asked", []porcupine.Operation{
			{Input: request, Call: 0, Output: verdict{stand: pending}, Return: 1},
			{Input: accept, Call: 2, Output: verdict{stand: active}, Return: 3},
		}, porcupine.Ok},
		{"both of a race win", []porcupine.Operation{
			{Input: request, Call: 0, Output: verdict{stand: pending}, Return: 1},
			{Input: accept, Call: 2, Output: verdict{stand: active}, Return: 4},
			{Input: withdraw, Call: 2, Output: verdict{stand: stand{"withdrawn", 2}}, Return: 4},
		}, porcupine.Illegal},
		{"the loser hears another state than that of the winner", []porcupine.Operation{
			{Input: request, Call: 0, Output: verdict{stand: pending}, Return: 1},
			{Input: accept, Call: 2, Output: verdict{stand: active}, Return: 4},
			{Input: withdraw, Call: 2, Output: verdict{code: "not_pending", stand: stand{status: "declined"}}, Return: 4},
		}, porcupine.Illegal},
		{"a look at the past", []porcupine.Operation{
			{Input: request, Call: 0, Output: verdict{stand: pending}, Return: 1},
			{Input: accept, Call: 2, Output: verdict{stand: active}, Return: 3},
			{Input: look, Call: 4, Output: verdict{stand: pending}, Return: 5},
		}, porcupine.Illegal},
		{"an acknowledgement that is lost", []porcupine.Operation{
			{Input: request, Call: 0, Output: verdict{stand: pending}, Return: 1},
			{Input: look, Call: 2, Output: verdict{code: "collaboration_not_found"}, Return: 3},
		}, porcupine.Illegal},
		{"a deed without an answer that was done later", []porcupine.Operation{
			{Input: request, Call: 0, Output: verdict{unknown: true}, Return: never},
			{Input: look, Call: 2, Output: verdict{code: "collaboration_not_found"}, Return: 3},
			{Input: look, Call: 4, Output: verdict{stand: pending}, Return: 5},
		}, porcupine.Ok},
		{"a deed without an answer that was done twice", []porcupine.Operation{
			{Input: request, Call: 0, Output: verdict{stand: pending}, Return: 1},
			{Input: accept, Call: 2, Output: verdict{unknown: true}, Return: never},
			{Input: end, Call: 4, Output: verdict{stand: stand{"ended", 3}}, Return: 5},
			{Input: request, Call: 6, Output: verdict{stand: stand{"pending", 4}}, Return: 7},
			{Input: look, Call: 8, Output: verdict{stand: stand{"active", 5}}, Return: 9},
		}, porcupine.Illegal},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i := range c.ops {
				c.ops[i].ClientId = i
			}
			require.Equal(t, c.want, porcupine.CheckOperationsTimeout(collaborationModel, c.ops, time.Minute))
		})
	}
}
