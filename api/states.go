package api

import (
	"context"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
)

// addStates adds the queries that answer what one stream says. They are folded from the log itself, and never behind it.
func (e *edge) addStates() {
	addState(e, query("getAccount", "/v1/accounts/{id}", "An account: details, plan, members and roles",
		"What an account tells of itself, its plan, its members, invitations and roles. Its own people see it, and services and staff.", exampleAccount()),
		domain.AccountStream, func(a *domain.Account, _ time.Time) (*domain.Account, []uuid.UUID) {
			return a, []uuid.UUID{a.ID}
		})
	addState(e, query("getPartnership", "/v1/partnerships/{id}", "A consultancy's partnership: standing and profile revisions",
		"How a consultancy stands with the programme, and the revisions of its profile; id is that of the consultancy's account. Its own people see it, and services and staff.", examplePartnership()),
		domain.PartnershipStream, func(p *domain.Partnership, _ time.Time) (*domain.Partnership, []uuid.UUID) {
			shown := *p
			shown.Revisions = append([]domain.Revision{}, p.Revisions...) // a list in JSON also when it is empty
			return &shown, []uuid.UUID{p.ConsultancyID}
		})
	addState(e, query("getCollaboration", "/v1/collaborations/{id}", "A collaboration: status, grant, managers and KPI choices",
		"How a pair of consultancy and client stands at this moment: what has lapsed shows as lapsed, whether or not that is recorded yet. People of both sides see it, and services and staff.", exampleCollaboration()),
		domain.CollaborationStream, func(c *domain.Collaboration, now time.Time) (*domain.Collaboration, []uuid.UUID) {
			shown := *c
			shown.Status = c.StatusAt(now)
			if c.Grant != nil {
				grant := *c.Grant
				grant.Status = c.Grant.StatusAt(now)
				shown.Grant = &grant
			}
			return &shown, c.Parties()
		})
}

// stateInput names the stream that a query is about.
type stateInput struct {
	ID uuid.UUID `path:"id" doc:"Which one"`
	Reading
}

// stateOutput is a state with the version that it has.
type stateOutput[S any] struct {
	ETag string `header:"ETag" doc:"Version of the stream, in quotes; a command takes it as If-Match"`
	Body *S
}

// addState adds the query for states of one kind. show tells how a state looks at a moment, and whose it is.
func addState[S any, P state[S]](e *edge, op huma.Operation, kind string, show func(P, time.Time) (shown *S, parties []uuid.UUID)) {
	register(e, keyRequired, op, func(ctx context.Context, actor domain.Actor, in *stateInput) (*stateOutput[S], error) {
		viewer, err := e.viewer(ctx, actor)
		if err != nil {
			return nil, err
		}
		if err := e.logHas(ctx, "minPosition", in.MinPosition); err != nil {
			return nil, err
		}
		folded, version, err := current[S, P](ctx, e, kind, in.ID)
		if err != nil {
			return nil, err
		}
		shown, parties := show(folded, e.Clock())
		if version == 0 || !viewer.MaySee(parties...) {
			return nil, domain.Missing(kind, in.ID) // who may not see it must not learn that it exists
		}
		return &stateOutput[S]{ETag: etag(version), Body: shown}, nil
	})
}

// state is a state of the domain as package commands folds it.
type state[S any] interface {
	*S
	Clone() *S
}

// current folds a stream as the log has it now: out of the executor's cache when that has followed so far, else afresh. Another
// node may have written a moment ago that a person is no longer a member.
func current[S any, P state[S]](ctx context.Context, e *edge, kind string, id uuid.UUID) (P, int64, error) {
	stream := eventstore.StreamID{Kind: kind, ID: id}
	versions, err := e.Store.Versions(ctx, []eventstore.StreamID{stream})
	if err != nil {
		return nil, 0, unreadable(err)
	}
	folded, version, err := commands.Load[S, P](ctx, e.Executor.States, stream)
	if err != nil || version >= versions[0] {
		return folded, version, err
	}
	afresh, err := commands.NewStates(e.Store, e.catalog)
	if err != nil {
		return nil, 0, err
	}
	return commands.Load[S, P](ctx, afresh, stream)
}

// etag is a stream's version as ETag and If-Match write it.
func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }
