package feed

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Pauses between two looks at an embedded server's health.
const (
	healthPause = 2 * time.Second
	longestIll  = 16 * time.Second       // while it stays ill, after one that was twice as long as the one before each time
	secondLook  = 300 * time.Millisecond // at one that seems ill: it also does for a moment while it makes a stream
)

// streamIndex is where JetStream keeps what it believes of our stream, within the server's folder. It is a cache of the files
// beside it.
var streamIndex = filepath.Join(server.JetStreamStoreDir, "$G", "streams", StreamName, "msgs", "index.db")

// Healthy tells whether the server takes events.
func (e *Embedded) Healthy() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.running.Running() && e.running.Healthz(nil).StatusCode == http.StatusOK
}

// isIll tells whether the server has given up. It takes a second look, also when everything else is about to end.
func (e *Embedded) isIll() bool {
	if e.Healthy() {
		return false
	}
	<-time.After(secondLook)
	return !e.Healthy()
}

// KeepHealthy watches over the server until ctx ends, and returns its error. JetStream gives a stream up for good when a write
// fails, as on a full disk: it takes nothing more, also when there is space again. So a new server reads the files anew, as often
// as it takes; what the stream lacks then, the relay publishes again.
func (e *Embedded) KeepHealthy(ctx context.Context) error {
	for pause := healthPause; ; {
		ended := rest(ctx, pause)
		switch {
		case e.isIll():
			err := e.replace(ctx)
			e.log.Warn("feed: the embedded NATS server had given up and was replaced", "error", err)
			pause = min(2*pause, longestIll)
		case pause > healthPause:
			e.log.Info("feed: the embedded NATS server is well again")
			pause = healthPause
		}
		if ended != nil { // an ill server was not left as it was
			return ended
		}
	}
}

// replace stops the server and starts another one on its files, unless ctx has ended, without what the old one believed of them:
// it has counted the event that it could not write, and would leave a hole in its place.
func (e *Embedded) replace(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.running.Shutdown()
	e.running.WaitForShutdown()
	if err := os.Remove(filepath.Join(e.options.StoreDir, streamIndex)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if ctx.Err() != nil {
		return nil
	}
	return e.start(ctx)
}
