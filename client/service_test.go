package client_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/domain"
)

// service is a downstream service that writes down which messages it has handled.
type service struct {
	client.Subscription

	t       testing.TB
	ledger  *client.Client
	mu      sync.Mutex
	handled []string
	metas   []client.Meta
	fail    func(body string) error // what the handler does before it writes a message down; may be nil
	cancel  context.CancelFunc
	ended   chan error // what Subscribe returned
}

// newService makes a service that keeps its position in a file.
func newService(t testing.TB, l *ledger) *service {
	t.Helper()
	s := &service{t: t, ledger: l.Client}
	s.Subscription = client.Subscription{
		Name: "billing", Conn: l.conn, Positions: client.FilePositions(filepath.Join(t.TempDir(), "position.json")), Log: quiet(),
		Metrics: prometheus.NewRegistry(),
		Handlers: []client.Handler{client.On(func(_ context.Context, sent domain.MessageSent, meta client.Meta) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.fail != nil {
				if err := s.fail(sent.Body); err != nil {
					return err
				}
			}
			s.handled, s.metas = append(s.handled, sent.Body), append(s.metas, meta)
			return nil
		})},
	}
	return s
}

// start lets the service follow the ledger until it is stopped, or the test ends.
func (s *service) start() *service {
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan error, 1)
	s.cancel, s.ended = cancel, ended
	var running sync.WaitGroup
	running.Go(func() { ended <- s.ledger.Subscribe(ctx, s.Subscription) })
	s.t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return s
}

// stop ends it in order.
func (s *service) stop() {
	s.t.Helper()
	s.cancel()
	require.ErrorIs(s.t, s.failure(), context.Canceled)
}

// failure waits for what ends it.
func (s *service) failure() error {
	s.t.Helper()
	select {
	case err := <-s.ended:
		return err
	case <-time.After(eventually):
		require.FailNow(s.t, "the subscription has not ended")
		return nil
	}
}

// has waits until the service has handled these messages and the position is saved.
func (s *service) has(bodies ...string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.handled) >= len(bodies)
	}, eventually, often)
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Equal(s.t, bodies, s.handled)
}

// saved waits until the stored position is this one.
func (s *service) saved(sequence int64) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return s.position().Sequence == sequence }, eventually, often)
}

func (s *service) position() client.Position {
	s.t.Helper()
	position, err := s.Positions.Load(s.t.Context())
	require.NoError(s.t, err)
	return position
}

// counted is how many events had an outcome.
func (s *service) counted(outcome string) int {
	s.t.Helper()
	families, err := s.Metrics.(*prometheus.Registry).Gather()
	require.NoError(s.t, err)
	for _, family := range families {
		for _, metric := range family.Metric {
			for _, label := range metric.Label {
				if label.GetName() == "outcome" && label.GetValue() == outcome {
					return int(metric.Counter.GetValue())
				}
			}
		}
	}
	return 0
}

func bodies(from, to int) []string {
	var numbers []string
	for i := from; i <= to; i++ {
		numbers = append(numbers, fmt.Sprint(i))
	}
	return numbers
}
