package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/api"
	"github.com/collabledger/collabledger/commands"
)

// bareAnswers are what one would have without a ledger: handlers behind the same HTTP server which take the same clients' requests
// and decide nothing.
func bareAnswers(ctx context.Context, s *scratch) ([]answering, error) {
	record, err := sampleRecord(ctx, s)
	if err != nil {
		return nil, err
	}
	insert := sqliteInsert(record)
	if s.server != nil {
		insert = postgresInsert(record)
	}
	return []answering{
		{
			name: insertName,
			note: fmt.Sprintf("a bare handler of requests to raise a task, which decides nothing and answers each after %s The record has %d bytes.", insert.note, len(record)),
			begin: func(ctx context.Context, clients int) (operation, func() error, error) {
				return beginInserts(ctx, s, insert, clients)
			},
		},
		{
			name: "http",
			note: "the same handler without the INSERT, which stores nothing: what HTTP and the clients cost by themselves.",
			begin: func(ctx context.Context, clients int) (operation, func() error, error) {
				return beginBare(ctx, clients, func(context.Context) error { return nil })
			},
		},
	}, nil
}

// beginInserts begins a bare server that writes a row for each request.
func beginInserts(ctx context.Context, s *scratch, insert contestant, clients int) (operation, func() error, error) {
	db, err := s.fresh(ctx)
	if err != nil {
		return nil, nil, err
	}
	rows, err := insert.begin(ctx, db, clients)
	if err != nil {
		return nil, nil, errors.Join(err, db.close(ctx))
	}
	writers := make(chan int, clients) // those that are not writing
	for i := range clients {
		writers <- i
	}
	submit, end, err := beginBare(ctx, clients, func(ctx context.Context) error {
		i := <-writers
		defer func() { writers <- i }()
		return rows.write(ctx, i)
	})
	if err != nil {
		return nil, nil, errors.Join(err, rows.close(), db.close(ctx))
	}
	return submit, func() error { return errors.Join(end(), rows.close(), db.close(ctx)) }, nil
}

// beginBare begins a server that does some work for each request before it answers, and clients of it.
func beginBare(ctx context.Context, clients int, work func(context.Context) error) (operation, func() error, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, fmt.Errorf("listen: %w", err)
	}
	at, err := newServer("http://"+listener.Addr().String(), uuid.NewString())
	if err != nil {
		return nil, nil, errors.Join(err, listener.Close())
	}
	serving, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- api.Serve(serving, listener, bareHandler(work), slog.New(slog.DiscardHandler)) }()
	offices := make([]*office, clients)
	for i := range offices {
		offices[i] = &office{conn: conn{server: at}, run: uuid.NewString()}
	}
	submit := func(ctx context.Context, client int) (int, error) {
		_, err := offices[client].raiseTask(ctx)
		return 1, err
	}
	end := func() error {
		err := hangUp(offices)
		stop()
		return errors.Join(err, <-served)
	}
	return submit, end, nil
}

// bareHandler answers every request as the ledger answers an accepted command, once work is done.
func bareHandler(work func(context.Context) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := uuid.Parse(r.Header.Get("Idempotency-Key"))
		if err == nil {
			_, err = io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, commands.MaxBodyBytes))
		}
		if err == nil {
			err = work(r.Context())
		}
		body, encoding := json.Marshal(commands.Answer{
			CommandID: id, Events: []commands.EventRef{{Type: "task.TaskRaised.v1", Stream: "task-" + id.String(), Version: 1}}, Result: map[string]uuid.UUID{"taskId": id},
		})
		if err = errors.Join(err, encoding); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Ledger-Position", "0")
		_, _ = w.Write(body) // who has gone needs no answer
	})
}
