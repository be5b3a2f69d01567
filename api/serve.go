package api

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Limits of the server.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = RequestTimeout + 5*time.Second // for a request with its body; when it ends, so does the work on the request
	writeTimeout      = RequestTimeout + 10*time.Second
	idleTimeout       = 2 * time.Minute // between two requests on one connection
	maxHeaderBytes    = 16 << 10
	ShutdownTimeout   = 10 * time.Second // for requests under way when the server stops; then they are broken off
)

// Serve answers requests on a listener until ctx ends, and then lets those under way finish. The handler's streams must end with
// the same ctx. It answers nil after a shutdown in time.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, log *slog.Logger) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	deadline, cancel := context.WithTimeout(context.Background(), ShutdownTimeout)
	defer cancel()
	err := server.Shutdown(deadline)
	if err != nil {
		err = errors.Join(err, server.Close())
	}
	if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}
