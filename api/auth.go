package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/projections"
)

// access says who may call an operation at all. What they may see or do there is for the commands and the Viewer to say.
type access int

const (
	keyRequired access = iota // only who has a key
	keyOptional               // the public as well, who sees less
	public                    // anybody; nobody is asked who they are
)

// security is the access as the OpenAPI document tells it.
func (a access) security() []map[string][]string {
	key := map[string][]string{securityScheme: {}}
	switch a {
	case public:
		return []map[string][]string{}
	case keyOptional:
		return []map[string][]string{{}, key}
	}
	return []map[string][]string{key}
}

// caller is who sent a request, as far as the operation's access asks for it. The zero Actor is the public.
func (e *edge) caller(access access, r *http.Request) (domain.Actor, error) {
	_, hasKey := r.Header["Authorization"]
	_, actsAs := r.Header["Ledger-Act-As"]
	if access == public || access == keyOptional && !hasKey && !actsAs {
		return domain.Actor{}, nil
	}
	return e.actor(r.Header)
}

// actor turns the headers of a request into who acts: the operator, or the person for whom the operator vouches.
func (e *edge) actor(headers http.Header) (domain.Actor, error) {
	scheme, key, _ := strings.Cut(headers.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return domain.Actor{}, &domain.Error{Kind: domain.Unauthenticated, Code: "key_required", Detail: "a key must be sent as Authorization: Bearer <key>"}
	}
	hash := sha256.Sum256([]byte(key))
	if subtle.ConstantTimeCompare(hash[:], e.operatorKey[:]) != 1 {
		return domain.Actor{}, &domain.Error{Kind: domain.Unauthenticated, Code: "unknown_key", Detail: "the ledger does not know this key"}
	}
	operator := domain.Actor{Kind: domain.ActorService, Name: "operator", Reviews: true}
	// An empty Ledger-Act-As is malformed, not absent: a service that forgot to fill it in must not get the operator's rights.
	actAs, given := headers["Ledger-Act-As"]
	if !given {
		return operator, nil
	}
	person, err := parseActAs(actAs[0])
	person.Via = operator.String()
	return person, err
}

// parseActAs reads the person for whom a service acts: <accountId>/<userId>.
func parseActAs(header string) (domain.Actor, error) {
	person, ok := domain.ParseActor("user:" + header)
	if !ok || person.AccountID == uuid.Nil || person.UserID == uuid.Nil {
		return domain.Actor{}, &domain.Error{Kind: domain.Malformed, Code: "malformed_act_as", Detail: "Ledger-Act-As must be <accountId>/<userId>, two UUIDs in lower case"}
	}
	return person, nil
}

// viewer turns who asks into whose eyes a query is answered for. A person must be a member of their account at this moment.
func (e *edge) viewer(ctx context.Context, actor domain.Actor) (projections.Viewer, error) {
	if actor.Kind == domain.ActorUser {
		account, _, err := current[domain.Account](ctx, e, domain.AccountStream, actor.AccountID)
		if err != nil {
			return projections.Viewer{}, err
		}
		if _, err := account.Authorize(actor); err != nil {
			return projections.Viewer{}, domain.Forbid("not_a_member", "the person is not a member of account %s", actor.AccountID)
		}
	}
	return projections.ViewerFor(actor), nil
}
