package bench

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// sample is what clients did in one measurement.
type sample struct {
	things    int // that the operations did
	elapsed   time.Duration
	latencies []time.Duration // of each operation, the shortest first
}

// quantile is the latency that this share of the operations did not exceed.
func (s sample) quantile(share float64) time.Duration {
	if len(s.latencies) == 0 {
		return 0
	}
	return s.latencies[min(int(share*float64(len(s.latencies))), len(s.latencies)-1)]
}

// operation is what a client does again and again; it tells how many things it did, such as records that it read. Clients are
// numbered from 0.
type operation func(ctx context.Context, client int) (things int, err error)

// closedLoop lets clients work at the same time, each of which begins its next operation when the last one has been answered.
// Operations under way at the end of the duration are finished and counted, and so is their time. The first failure ends all.
func closedLoop(ctx context.Context, clients int, duration time.Duration, work operation) (sample, error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	latencies, things := make([][]time.Duration, clients), make([]int, clients)
	var working sync.WaitGroup
	start := time.Now()
	for client := range clients {
		working.Go(func() {
			var own []time.Duration
			done := 0
			for began := time.Now(); ctx.Err() == nil && (began.Sub(start) < duration || len(own) == 0); {
				n, err := work(ctx, client)
				if err != nil {
					fail(err)
					return
				}
				done += n
				ended := time.Now()
				own = append(own, ended.Sub(began))
				began = ended
			}
			latencies[client], things[client] = own, done
		})
	}
	working.Wait()
	s := sample{elapsed: time.Since(start), latencies: slices.Concat(latencies...)}
	for _, n := range things {
		s.things += n
	}
	slices.Sort(s.latencies)
	return s, context.Cause(ctx)
}

// measure lets clients work for a while that does not count, so that connections, plans and caches are there, and then measures.
func measure(ctx context.Context, clients int, timing Timing, work operation) (sample, error) {
	if _, err := closedLoop(ctx, clients, timing.warmUp(), work); err != nil {
		return sample{}, err
	}
	return closedLoop(ctx, clients, timing.Duration, work)
}

// turn is one thing that is measured in turns with others.
type turn struct {
	name    string
	clients int
	measure func(ctx context.Context) (figure, error)
}

// takeTurns measures things in turns, round after round, so that what disturbs the machine meanwhile disturbs all of them. It gives the
// figures of each.
func takeTurns(ctx context.Context, rounds int, watch Progress, turns []turn) ([][]figure, error) {
	figures := make([][]figure, len(turns))
	steps := steps{watch: watch, total: rounds * len(turns)}
	for round := range rounds {
		for i, turn := range turns {
			steps.begin("round %d of %d: %s at %d clients", round+1, rounds, turn.name, turn.clients)
			figure, err := turn.measure(ctx)
			if err != nil {
				return nil, fmt.Errorf("measure %s at %d clients: %w", turn.name, turn.clients, err)
			}
			figures[i] = append(figures[i], figure)
		}
	}
	return figures, nil
}
