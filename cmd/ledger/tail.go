package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/internal/term"
)

// Limits of following the live stream.
const (
	maxStreamLine   = 1 << 20          // bytes of one line; a record is shorter
	streamSilence   = 60 * time.Second // without a heartbeat, after which the connection is taken for dead
	streamRetryWait = time.Second      // before connecting again
)

// tailCommand follows the events.
type tailCommand struct {
	After  int64    `placeholder:"N" help:"Begin after this position; without it, at the log's beginning."`
	Stream string   `placeholder:"STREAM" help:"Only events of this stream, such as task-ID."`
	Type   []string `placeholder:"TYPE" help:"Only events of these types, such as collaboration.AccessGranted.v1, or collaboration.AccessGranted for all versions."`
	Party  string   `placeholder:"ACCOUNT" help:"Only events to which this account is a party."`
	connection
}

// Help tells what interrupts it.
func (tailCommand) Help() string {
	return `It connects again by itself when the connection breaks, and goes on where it was. Ctrl-C ends it.

Examples:

  ledger tail
  ledger tail --after 100 --json | jq .type
  ledger tail --type task.TaskRaised.v1,task.TaskCompleted.v1`
}

// Run follows them until it is interrupted.
func (c tailCommand) Run(ctx context.Context, std *streams) error {
	key, err := c.operatorKey()
	if err != nil {
		return err
	}
	if c.As != "" {
		if _, _, err := c.person(); err != nil {
			return err
		}
	}
	after := c.After
	for {
		err := c.follow(ctx, key, &after, std)
		if ctx.Err() != nil {
			return nil
		}
		if problem, ok := errors.AsType[*client.Problem](err); ok && problem.Status != http.StatusServiceUnavailable {
			return err
		}
		if failure, ok := errors.AsType[*printError](err); ok {
			return failure.error
		}
		_, _ = fmt.Fprintf(std.err, "%v; connecting again after position %d\n", err, after)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(streamRetryWait):
		}
	}
}

// filter is which events are asked for.
func (c tailCommand) filter() url.Values {
	filter := url.Values{}
	for name, value := range map[string]string{"stream": c.Stream, "type": strings.Join(c.Type, ","), "party": c.Party} {
		if value != "" {
			filter.Set(name, value)
		}
	}
	return filter
}

// printError says that standard output takes no more.
type printError struct{ error }

// follow prints the events of one connection, and moves after on with them.
func (c tailCommand) follow(ctx context.Context, key string, after *int64, std *streams) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(c.URL, "/")+"/v1/events/stream?"+c.filter().Encode(), nil)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "text/event-stream")
	request.Header.Set("Authorization", "Bearer "+key)
	request.Header.Set("Last-Event-ID", strconv.FormatInt(*after, 10))
	if c.As != "" {
		request.Header.Set("Ledger-Act-As", c.As)
	}
	silence := time.AfterFunc(streamSilence, func() { cancel(fmt.Errorf("the ledger has been silent for %s", streamSilence)) })
	defer silence.Stop()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	if response.StatusCode != http.StatusOK {
		problem := &client.Problem{}
		if err := json.NewDecoder(io.LimitReader(response.Body, maxStreamLine)).Decode(problem); err != nil {
			return fmt.Errorf("the ledger answers %s", response.Status)
		}
		return problem
	}
	err = readStream(response.Body, func(id int64, data []byte) error {
		silence.Reset(streamSilence)
		*after = max(*after, id)
		if len(data) == 0 {
			return nil // a heartbeat
		}
		return c.print(std, data)
	})
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// readStream takes server-sent events apart: what the ledger writes has one line of data at most.
func readStream(body io.Reader, handle func(id int64, data []byte) error) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxStreamLine)
	var id int64
	var data []byte
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "id":
			position, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return fmt.Errorf("the stream has the id %q: %w", value, err)
			}
			id = position
		case "data":
			data = []byte(value)
		case "":
			if lines.Text() != "" {
				continue // a comment
			}
			if err := handle(id, data); err != nil {
				return err
			}
			data = nil
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return errors.New("the ledger ended the stream")
}

// print prints one record.
func (c tailCommand) print(std *streams, record []byte) error {
	if c.JSON {
		if _, err := fmt.Fprintf(std.out, "%s\n", record); err != nil {
			return &printError{err}
		}
		return nil
	}
	var event eventstore.Envelope
	if err := json.Unmarshal(record, &event); err != nil {
		return fmt.Errorf("read an event: %w", err)
	}
	actor := event.Actor
	if event.OnBehalfOf != "" {
		actor = event.OnBehalfOf
	}
	style := term.StyleFor(std.out)
	_, err := fmt.Fprintf(std.out, "%6s  %s  %s  %s  %s\n", event.Sequence, style.Dim(moment(&event.Time)), style.Bold(term.Pad(event.Type, 44)), event.Subject, style.Dim(actor))
	if err != nil {
		return &printError{err}
	}
	return nil
}
