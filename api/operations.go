package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/email"
	"github.com/collabledger/collabledger/projections"
	"github.com/collabledger/collabledger/reactors"
	"github.com/collabledger/collabledger/webhooks"
)

// modelStopped is the State of a read model that met an event which it cannot fold.
const modelStopped = "stopped"

// statusTimeout bounds how long a look at the ledger's own state may take, so that a probe gets an answer.
const statusTimeout = 2 * time.Second

// Liveness says that the process answers.
type Liveness struct {
	Status  string `json:"status" doc:"ok"`
	Version string `json:"version" doc:"Version of the ledger"`
}

// Readiness says whether the ledger can do its work, and how far what follows the log has come. Whatever stops at an event that it
// cannot handle makes it unready, be it a read model, a reactor or the webhooks: waiting mends that never, so that it must not go
// unseen. A broker or a mail server that is away, or what is tried again, does not: commands and queries go on meanwhile.
type Readiness struct {
	Ready      bool                     `json:"ready" doc:"Whether the event store and the read models answer, and nothing has stopped"`
	Problems   []string                 `json:"problems" doc:"Why it is not ready"`
	Epoch      uuid.UUID                `json:"epoch,omitzero" doc:"Incarnation of the log"`
	Position   int64                    `json:"position" doc:"The log's end"`
	ReadModels []projections.Status     `json:"readModels" doc:"How far each read model is"`
	Reactors   []reactors.ReactorStatus `json:"reactors" doc:"How the clock and each reactor are"`
	Webhooks   *webhooks.FollowStatus   `json:"webhooks,omitempty" doc:"How far this node has looked for what webhooks are to be sent"`
	Email      *email.MailerStatus      `json:"email,omitempty" doc:"How e-mail to people is; left out where none is sent"`
	Feed       *FeedStatus              `json:"feed,omitempty" doc:"How far the broker's copy of the log is"`
}

// addOperations adds what those who run the ledger ask, and the public keys.
func (e *edge) addOperations() {
	e.handle(public, openOperation("getLiveness", "/healthz", "Whether the process answers", "application/json", schemaOf[Liveness](e), Liveness{Status: "ok", Version: "1.0.0"}),
		func(w http.ResponseWriter, _ *http.Request, _ domain.Actor) error {
			return writeJSON(w, http.StatusOK, Liveness{Status: "ok", Version: e.Version})
		})
	e.handle(public, e.readinessOperation(), func(w http.ResponseWriter, r *http.Request, _ domain.Actor) error {
		ready := e.readiness(r.Context())
		if ready.Ready {
			return writeJSON(w, http.StatusOK, ready)
		}
		w.Header().Set("Retry-After", retryAfterSeconds)
		return writeJSON(w, http.StatusServiceUnavailable, ready)
	})
	metrics := promhttp.HandlerFor(e.metrics.registry, promhttp.HandlerOpts{Timeout: RequestTimeout})
	e.handle(public, openOperation("getMetrics", "/metrics", "Metrics in the Prometheus text format", "text/plain", nil, exampleMetrics),
		func(w http.ResponseWriter, r *http.Request, _ domain.Actor) error {
			metrics.ServeHTTP(w, r)
			return nil
		})
	e.handle(public, openOperation("getKeys", "/.well-known/jwks.json", "The public keys that verify session tokens (S9)", "application/json", nil, exampleKeys()),
		func(w http.ResponseWriter, _ *http.Request, _ domain.Actor) error {
			return writeJSON(w, http.StatusOK, e.Executor.Tokens.Keys())
		})
}

// readiness looks at the store and at all that follows the log.
func (e *edge) readiness(ctx context.Context) Readiness {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	ready := Readiness{Problems: []string{}, ReadModels: []projections.Status{}, Reactors: []reactors.ReactorStatus{}}
	head, err := e.Store.Head(ctx)
	if err != nil {
		e.Log.WarnContext(ctx, "not ready", "error", err)
		ready.Problems = append(ready.Problems, "the event store does not answer")
	}
	ready.Epoch, ready.Position = head.Epoch, head.Position
	models, err := e.Engine.Status(ctx)
	if err != nil {
		e.Log.WarnContext(ctx, "not ready", "error", err)
		ready.Problems = append(ready.Problems, "the read models do not answer")
	}
	for _, model := range models {
		ready.ReadModels = append(ready.ReadModels, model)
		if model.State == modelStopped {
			ready.Problems = append(ready.Problems, fmt.Sprintf("read model %s has stopped at position %d", model.Name, model.Position))
		}
	}
	if e.Reactors != nil {
		reacting, err := e.Reactors.Status(ctx)
		if err != nil {
			e.Log.WarnContext(ctx, "the reactors do not answer", "error", err)
		}
		for _, reactor := range reacting {
			ready.Reactors = append(ready.Reactors, reactor)
			if reactor.State == reactors.Stopped {
				ready.Problems = append(ready.Problems, fmt.Sprintf("reactor %s has stopped at position %d", reactor.Name, reactor.Position))
			}
		}
	}
	if e.Webhooks != nil {
		sending, err := e.Webhooks.Status(ctx)
		if err != nil {
			e.Log.WarnContext(ctx, "the webhooks do not answer", "error", err)
		}
		ready.Webhooks = &sending
		if sending.State == webhooks.Stopped {
			ready.Problems = append(ready.Problems, fmt.Sprintf("the webhooks have stopped at position %d", sending.Position))
		}
	}
	if e.Email != nil {
		if mailing, err := e.Email.Status(ctx); err != nil {
			e.Log.WarnContext(ctx, "e-mail does not answer", "error", err)
		} else {
			ready.Email = &mailing
		}
	}
	if e.FeedStatus != nil {
		feed := e.FeedStatus(ctx)
		ready.Feed = &feed
	}
	ready.Ready = len(ready.Problems) == 0
	return ready
}

// addDocument adds the OpenAPI document, once all it describes has been added.
func (e *edge) addDocument() error {
	var document []byte
	e.handle(public, openOperation("getOpenAPI", "/openapi.json", "This document", "application/json", nil, map[string]string{"openapi": "3.1.0"}),
		func(w http.ResponseWriter, _ *http.Request, _ domain.Actor) error {
			return writeDocument(w, "application/json", document)
		})
	for _, schema := range e.huma.OpenAPI().Components.Schemas.Map() {
		tidy(schema)
	}
	var err error
	document, err = json.Marshal(e.huma.OpenAPI())
	return err
}
