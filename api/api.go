// Package api is the ledger's HTTP edge: every command from the list, the queries, event pages and the live stream, problems,
// and the OpenAPI document that describes them.
//
// A request takes one way: ServeHTTP holds it to what is true of all requests, the operation's access says who may ask
// (auth.go), its handler answers or returns an error, and one place renders errors as problems (problems.go).
package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/email"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/projections"
	"github.com/collabledger/collabledger/reactors"
	"github.com/collabledger/collabledger/webhooks"
)

// RequestTimeout bounds the work on one request. A command may take up to deadlineShare longer, and the live stream as long as it is read.
const RequestTimeout = 20 * time.Second

// Config is what the edge serves.
type Config struct {
	Executor    *commands.Executor
	Store       *eventstore.Store
	Engine      *projections.Engine
	OperatorKey string // the bearer key of the operator, who has all rights
	Version     string
	Clock       func() time.Time
	Log         *slog.Logger
	// Reactors tells for /readyz and /metrics how the clock and the reactors are; nil without them.
	Reactors *reactors.Engine
	// Webhooks answers what is sent to downstream services; nil without them.
	Webhooks *webhooks.Sender
	// Email tells for /readyz and /metrics how mail to people is; nil where none is sent.
	Email *email.Mailer
	// FeedStatus tells for /readyz and /metrics how far the feed is; nil without a feed.
	FeedStatus func(ctx context.Context) FeedStatus
}

// FeedStatus tells how far the broker's copy of the log is.
type FeedStatus struct {
	Position int64  `json:"position" doc:"Position of the last event that the broker has confirmed"`
	Behind   int64  `json:"behind" doc:"Events of the log that the broker does not have yet"`
	State    string `json:"state" doc:"live, catching up, or broker unreachable"`
	Error    string `json:"error,omitempty" doc:"What keeps the feed from going on"`
}

// edge is the handler of all routes.
type edge struct {
	Config
	operatorKey [sha256.Size]byte // the key's hash, so that comparing takes the same time whatever is compared
	catalog     *domain.Catalog
	mux         *http.ServeMux
	huma        huma.API
	metrics     *metrics
	deadlines   deadlines       // of commands
	ending      context.Context // ends the streams
	streams     chan struct{}   // holds one for each open stream
}

// New makes the handler of all routes. Streams end when ctx ends, so that a server can shut down.
func New(ctx context.Context, config Config) (http.Handler, error) {
	if config.OperatorKey == "" {
		return nil, errors.New("the HTTP edge needs an operator key: without one, everybody would have it")
	}
	adaptHuma()
	e := &edge{
		Config:      config,
		operatorKey: sha256.Sum256([]byte(config.OperatorKey)),
		catalog:     domain.NewCatalog(),
		mux:         http.NewServeMux(),
		ending:      ctx,
		streams:     make(chan struct{}, MaxStreams),
	}
	e.metrics = newMetrics(e)
	e.huma = humago.New(e.mux, huma.Config{
		OpenAPI:                      newDocument(config.Version),
		Formats:                      huma.DefaultFormats,
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
	})
	e.addCommands()
	e.addQueries()
	e.addReviews()
	e.addStates()
	e.addEvents()
	if e.Webhooks != nil {
		e.addWebhooks()
	}
	e.addOperations()
	if err := e.addSchemas(); err != nil {
		return nil, err
	}
	if err := e.addDocument(); err != nil {
		return nil, fmt.Errorf("OpenAPI document: %w", err)
	}
	return e, nil
}

// handle adds a plain handler with its documentation. An error that it returns, before it has written anything, is the answer.
func (e *edge) handle(access access, op huma.Operation, serve func(w http.ResponseWriter, r *http.Request, actor domain.Actor) error) {
	op.Security = access.security()
	e.huma.OpenAPI().AddOperation(&op)
	e.mux.HandleFunc(op.Method+" "+op.Path, func(w http.ResponseWriter, r *http.Request) {
		actor, err := e.caller(access, r)
		if err == nil {
			err = serve(w, r, actor)
		}
		if err != nil {
			e.refuse(w, r, err)
		}
	})
}

// register adds an operation whose parameters huma reads and documents.
func register[I, O any](e *edge, access access, op huma.Operation, handle func(ctx context.Context, actor domain.Actor, in *I) (*O, error)) {
	type actorKey struct{}
	op.Security = access.security()
	op.Middlewares = huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		actor, err := e.caller(access, r)
		if err != nil {
			e.refuse(w, r, err)
			return
		}
		next(huma.WithValue(ctx, actorKey{}, actor))
	}}
	huma.Register(e.huma, op, func(ctx context.Context, in *I) (*O, error) {
		ctx, cancel := context.WithTimeout(ctx, RequestTimeout)
		defer cancel()
		actor, _ := ctx.Value(actorKey{}).(domain.Actor) // without one it is the public
		out, err := handle(ctx, actor, in)
		if err != nil {
			return nil, e.problem(ctx, op.OperationID, err)
		}
		return out, nil
	})
}

// ServeHTTP holds every request to what is true of all of them, and hands it to its route.
func (e *edge) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w := &answerWriter{ResponseWriter: rw}
	defer func() {
		if cause := recover(); cause != nil {
			e.survive(w, r, cause)
		}
	}()
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store") // answers name people, and differ by who asks
	route, pattern := e.mux.Handler(r)
	if pattern == "" {
		e.refuse(w, r, noRoute(route, r))
		return
	}
	if err := checkRepeats(r); err != nil {
		e.refuse(w, r, err)
		return
	}
	if strings.Contains(pattern, "{") { // what the path says there a handler gets only from the mux itself, which looks again
		route = e.mux
	}
	route.ServeHTTP(w, r)
}

// checkRepeats refuses what could be read in two ways: a header or parameter that is given twice, or a query that is no query.
func checkRepeats(r *http.Request) error {
	for _, name := range []string{"Authorization", "Ledger-Act-As", "Idempotency-Key", "If-Match", "Content-Type", "Last-Event-ID"} {
		if len(r.Header.Values(name)) > 1 {
			return domain.Invalid(name, "must be given once")
		}
	}
	if r.URL.RawQuery == "" {
		return nil
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return &domain.Error{Kind: domain.Malformed, Code: "malformed_query", Detail: "the URL's query cannot be read"}
	}
	for name, values := range query {
		if len(values) > 1 {
			return domain.Invalid(name, "must be given once")
		}
	}
	return nil
}

// answerWriter knows whether an answer has begun, after which it can no longer become a problem.
type answerWriter struct {
	http.ResponseWriter
	begun bool
}

// WriteHeader begins the answer.
func (w *answerWriter) WriteHeader(status int) {
	w.begun = true
	w.ResponseWriter.WriteHeader(status)
}

// Write begins the answer, or goes on with it.
func (w *answerWriter) Write(data []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(data)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *answerWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
