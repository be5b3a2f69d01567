// Package api is the ledger's HTTP edge: every command from the list, the queries, event pages and the live stream, problems,
// and the OpenAPI document that describes them.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/projections"
)

// Config is what the edge serves.
type Config struct {
	Executor    *commands.Executor
	Store       *eventstore.Store
	Engine      *projections.Engine
	OperatorKey string // the bearer key of the operator, who has all rights
	Version     string
	Clock       func() time.Time
	Log         *slog.Logger
	// FeedStatus tells for /readyz and /metrics how far the feed is; nil without a feed.
	FeedStatus func(ctx context.Context) FeedStatus
}

// FeedStatus tells how far the broker's copy of the log is.
type FeedStatus struct {
	Position int64  `json:"position"`
	Behind   int64  `json:"behind"`
	State    string `json:"state"` // live, catching up, or broker unreachable
	Error    string `json:"error,omitempty"`
}

// New makes the handler of all routes. Streams end when ctx ends, so that a server can shut down.
func New(ctx context.Context, config Config) (http.Handler, error) { panic("not written") }
