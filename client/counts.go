package client

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// counts are a subscription's metrics.
type counts struct {
	position prometheus.Gauge

	handled, skipped, repeated, fetched, poisoned, failures prometheus.Counter
}

// newCounts makes a subscription's metrics and registers them, if there is where.
func newCounts(registerer prometheus.Registerer, name string) (*counts, error) {
	position := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "ledger_subscription_position", Help: "Position in the log of the last event that the subscription has dealt with.",
	}, []string{"subscription"})
	events := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "ledger_subscription_events_total",
		Help: "What became of events: handled, poison queue included; skipped, without a handler; repeated, left out; fetched over HTTP; poisoned.",
	}, []string{"subscription", "outcome"})
	failures := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "ledger_subscription_failures_total", Help: "Failures of handlers, each try counted.",
	}, []string{"subscription"})
	if registerer != nil {
		// Another subscription of the process may have registered the same ones.
		if err := errors.Join(register(registerer, &position), register(registerer, &events), register(registerer, &failures)); err != nil {
			return nil, fmt.Errorf("client: register the metrics: %w", err)
		}
	}
	outcome := func(outcome string) prometheus.Counter { return events.WithLabelValues(name, outcome) }
	return &counts{
		position: position.WithLabelValues(name), failures: failures.WithLabelValues(name), handled: outcome("handled"), skipped: outcome("skipped"),
		repeated: outcome("repeated"), fetched: outcome("fetched"), poisoned: outcome("poisoned"),
	}, nil
}

// register registers a metric, or takes the one that is registered already in its place.
func register[C prometheus.Collector](registerer prometheus.Registerer, metric *C) error {
	err := registerer.Register(*metric)
	if registered, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if existing, ok := registered.ExistingCollector.(C); ok {
			*metric = existing
			return nil
		}
	}
	return err
}
