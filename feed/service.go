package feed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/collabledger/collabledger/commands"
)

// What the service that takes commands is called, and where it listens: ledger.commands.<Command>.
const (
	ServiceName   = "ledger"
	CommandPrefix = "ledger.commands"
	idHeader      = "Nats-Msg-Id" // is a command's idempotency key where there is no Idempotency-Key
	notReleased   = "0.0.0"       // the version of a binary that was built from a work tree; the framework takes no other word
)

// Limits of the service.
const (
	maxServed     = 256              // commands that are worked on at a time; further ones are answered at once that the ledger is overloaded
	commandWait   = 30 * time.Second // for the answer to one command, after which the API itself has given up
	maxPending    = 4_096            // messages of one command that wait for the service
	maxPendingMiB = 64               // and their size
)

// commandHeaders are the headers of a command over HTTP that a message may have, however they are written.
func commandHeaders() []string {
	return []string{"Authorization", "Ledger-Act-As", "Idempotency-Key", "If-Match", "Ledger-Correlation-Id", "Ledger-Causation-Id", "Traceparent"}
}

// Service takes commands over NATS: one endpoint for each command of the list, found with `nats micro`. Every node runs it, and each
// message reaches one of them. It asks the HTTP API in this process, so that there is one place that says who may do what, and one
// form of answer and refusal.
type Service struct {
	conn    *nats.Conn
	api     http.Handler
	specs   []commands.Spec
	version string
	log     *slog.Logger
	served  chan struct{} // one token for each command that is worked on
	working sync.WaitGroup
}

// NewService makes the service of an API on a connection. version is a semantic one, or the service says that it has none.
func NewService(conn *nats.Conn, api http.Handler, specs []commands.Spec, version string, log *slog.Logger) *Service {
	return &Service{conn: conn, api: api, specs: specs, version: strings.TrimPrefix(version, "v"), log: log, served: make(chan struct{}, maxServed)}
}

// Run serves until ctx ends, and then finishes the commands that it has taken.
func (s *Service) Run(ctx context.Context) error {
	config := micro.Config{
		Name: ServiceName, Version: s.version, Description: "Commands of the collaboration ledger, as its HTTP API takes them",
		ErrorHandler: func(_ micro.Service, failed *micro.NATSError) { s.log.Warn("NATS service: " + failed.Error()) },
	}
	service, err := micro.AddService(s.conn, config)
	if errors.Is(err, micro.ErrConfigValidation) { // of all of it only the version is not ours
		config.Version = notReleased
		service, err = micro.AddService(s.conn, config)
	}
	if err != nil {
		return fmt.Errorf("feed: cannot offer commands over NATS: %w", err)
	}
	group := service.AddGroup(CommandPrefix)
	for _, spec := range s.specs {
		err := group.AddEndpoint(spec.Name, micro.HandlerFunc(func(request micro.Request) { s.take(spec.Name, request) }),
			micro.WithEndpointMetadata(map[string]string{"summary": spec.Summary, "step": spec.Step, "schema": "/openapi.json#/components/schemas/" + spec.Name}),
			micro.WithEndpointPendingLimits(maxPending, maxPendingMiB<<20))
		if err != nil {
			_ = service.Stop() // the first error tells more
			return fmt.Errorf("feed: cannot offer %s over NATS: %w", spec.Name, err)
		}
	}
	<-ctx.Done()
	err = service.Stop()
	s.working.Wait()
	if err != nil {
		return fmt.Errorf("feed: cannot end the commands over NATS: %w", err)
	}
	return context.Cause(ctx)
}

// take works on a command beside the others, as far as there is room.
func (s *Service) take(name string, request micro.Request) {
	select {
	case s.served <- struct{}{}:
	default:
		s.respond(request, overloaded())
		return
	}
	s.working.Go(func() {
		defer func() { <-s.served }()
		s.respond(request, s.ask(name, request))
	})
}

// ask has the API answer the command.
func (s *Service) ask(name string, request micro.Request) *answer {
	ctx, cancel := context.WithTimeout(context.Background(), commandWait)
	defer cancel()
	asked, err := http.NewRequestWithContext(ctx, http.MethodPost, "/v1/commands/"+name, bytes.NewReader(request.Data()))
	if err != nil {
		return &answer{status: http.StatusInternalServerError, header: http.Header{}}
	}
	asked.Header = httpHeaders(request.Headers())
	answered := &answer{header: http.Header{}}
	s.api.ServeHTTP(answered, asked)
	return answered
}

// httpHeaders takes over what a message's headers say of the command.
func httpHeaders(given micro.Headers) http.Header {
	header := http.Header{"Content-Type": {"application/json"}}
	for name, values := range given {
		if name = http.CanonicalHeaderKey(name); slices.Contains(commandHeaders(), name) {
			header[name] = append(header[name], values...)
		}
	}
	if _, keyed := header["Idempotency-Key"]; !keyed {
		if ids := nats.Header(given)[idHeader]; len(ids) > 0 {
			header["Idempotency-Key"] = ids
		}
	}
	return header
}

// respond sends the answer. A refusal is an error of the service as well, whose code is HTTP's. The framework's own ways to respond are
// for handlers that answer before they return.
func (s *Service) respond(request micro.Request, a *answer) {
	if request.Reply() == "" {
		return // nobody asks
	}
	reply := &nats.Msg{Subject: request.Reply(), Header: nats.Header(a.header), Data: a.body.Bytes()}
	if a.status != http.StatusOK {
		reply.Header[micro.ErrorHeader] = []string{http.StatusText(a.status)}
		reply.Header[micro.ErrorCodeHeader] = []string{strconv.Itoa(a.status)}
	}
	if err := s.conn.PublishMsg(reply); err != nil {
		s.log.Warn("feed: a command over NATS was not answered", "error", err)
	}
}

// answer is an HTTP answer in memory.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

// Header is what is answered beside the body.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader begins the answer.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

// Write goes on with the answer.
func (a *answer) Write(data []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(data)
}

// overloaded is the API's own answer when it cannot take more.
func overloaded() *answer {
	a := &answer{status: http.StatusServiceUnavailable, header: http.Header{"Content-Type": {"application/problem+json"}, "Retry-After": {"1"}}}
	a.body.WriteString(`{"type":"/problems/overloaded","title":"Service Unavailable","status":503,"code":"overloaded","detail":"too many commands are under way; try again"}`)
	return a
}
