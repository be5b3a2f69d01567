package feed

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Pauses between two looks at an embedded server's health.
const (
	healthPause = 2 * time.Second
	longestIll  = 16 * time.Second // while it stays ill, after one that was twice as long as the one before each time
)

// streamIndex is where JetStream keeps what it believes of our stream, within the server's folder. It is a cache of the files
// beside it.
var streamIndex = filepath.Join(server.JetStreamStoreDir, "$G", "streams", StreamName, "msgs", "index.db")

// KeepHealthy watches over an embedded server with its files in dir until ctx ends, and returns its error. JetStream gives a stream
// up for good when a write fails, as on a full disk: it takes nothing more, also when there is space again. So it is made to read
// its files anew, as often as it takes; what the stream lacks then, the relay publishes again.
func KeepHealthy(ctx context.Context, embedded *server.Server, dir string, log *slog.Logger) error {
	for pause := healthPause; ; {
		ended := rest(ctx, pause)
		health := embedded.Healthz(nil)
		switch {
		case health.StatusCode != http.StatusOK:
			err := reread(embedded, dir)
			log.Warn("feed: the embedded NATS server had to read its files anew", "cause", health.Error, "error", err)
			pause = min(2*pause, longestIll)
		case pause > healthPause:
			log.Info("feed: the embedded NATS server is well again")
			pause = healthPause
		}
		if ended != nil { // an ill server was not left as it was
			return ended
		}
	}
}

// reread makes JetStream close its files and open them again, without what it believes of them: it has counted the event that it
// could not write, and would leave a hole in its place.
func reread(embedded *server.Server, dir string) error {
	if err := embedded.ShutdownJetStream(); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, streamIndex)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return embedded.EnableJetStream(&server.JetStreamConfig{StoreDir: dir, MaxStore: maxStore})
}
