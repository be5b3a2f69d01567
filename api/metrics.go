package api

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/collabledger/collabledger/email"
	"github.com/collabledger/collabledger/reactors"
	"github.com/collabledger/collabledger/webhooks"
)

// metrics are what the edge counts and measures, in a registry of its own.
type metrics struct {
	registry *prometheus.Registry
	commands *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newMetrics(e *edge) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		commands: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ledger_commands_total", Help: "Commands by name and outcome: accepted, or the code of the problem.",
		}, []string{"name", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ledger_command_seconds", Help: "Time from a command's headers to its outcome.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
		}, []string{"name"}),
	}
	m.registry.MustRegister(m.commands, m.seconds, collectors.NewGoCollector(), &logCollector{edge: e})
	if e.Webhooks != nil {
		m.registry.MustRegister(e.Webhooks.Outcomes)
	}
	return m
}

// command counts the outcomes of one command. What nearly all of them count is looked up once, by the first: commands that nobody submits
// are not told of.
func (m *metrics) command(name string) func(err error, took time.Duration) {
	seconds := sync.OnceValue(func() prometheus.Observer { return m.seconds.WithLabelValues(name) })
	accepted := sync.OnceValue(func() prometheus.Counter { return m.commands.WithLabelValues(name, "accepted") })
	return func(err error, took time.Duration) {
		seconds().Observe(took.Seconds())
		if err == nil {
			accepted().Inc()
		} else if p, ok := errors.AsType[*Problem](err); ok {
			m.commands.WithLabelValues(name, p.Code).Inc()
		} else {
			m.commands.WithLabelValues(name, ledgerError(err).Code).Inc()
		}
	}
}

// logCollector asks the store and what follows the log how far they are whenever somebody reads the metrics. What does not answer is
// left out.
type logCollector struct{ edge *edge }

// What logCollector tells.
const (
	metricUp          = "ledger_up"
	metricHead        = "ledger_log_position"
	metricModelLag    = "ledger_read_model_behind_events"
	metricModelLive   = "ledger_read_model_up"
	metricReactLag    = "ledger_reactor_behind_events"
	metricReactLive   = "ledger_reactor_up"
	metricClockLag    = "ledger_clock_due"
	metricMailLag     = "ledger_email_behind_events"
	metricMailLive    = "ledger_email_up"
	metricMailWaits   = "ledger_email_waiting"
	metricMailSent    = "ledger_email_sent_total"
	metricMailLost    = "ledger_email_given_up_total"
	metricFeedLag     = "ledger_feed_behind_events"
	metricHookLag     = "ledger_webhook_behind_events"
	metricHookLagTime = "ledger_webhook_behind_seconds"
	metricHookLive    = "ledger_webhook_up"
	metricHookWaiting = "ledger_webhook_waiting_events"
	metricHookDead    = "ledger_webhook_dead_letters"
	metricHooks       = "ledger_webhooks"
	metricStreams     = "ledger_streams"
)

// Describe names no metrics beforehand: which there are depends on the read models and the feed.
func (c *logCollector) Describe(chan<- *prometheus.Desc) {}

// Collect reads the state that /readyz shows.
func (c *logCollector) Collect(to chan<- prometheus.Metric) {
	tell := func(kind prometheus.ValueType, name, help string, value float64, labels prometheus.Labels) {
		to <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, nil, labels), kind, value)
	}
	gauge := func(name, help string, value float64, labels prometheus.Labels) {
		tell(prometheus.GaugeValue, name, help, value, labels)
	}
	state := c.edge.readiness(context.Background())
	gauge(metricUp, "1 when the ledger is ready, as /readyz tells it.", flag(state.Ready), nil)
	gauge(metricHead, "Position of the log's last event.", float64(state.Position), nil)
	gauge(metricStreams, "Live streams that are open on this node.", float64(len(c.edge.streams)), nil)
	for _, model := range state.ReadModels {
		labels := prometheus.Labels{"model": model.Name}
		gauge(metricModelLag, "Events that the read model has not folded yet.", float64(model.Behind), labels)
		gauge(metricModelLive, "0 when the read model has stopped.", flag(model.State != modelStopped), labels)
	}
	for _, reactor := range state.Reactors {
		labels := prometheus.Labels{"reactor": reactor.Name}
		if reactor.Name == reactors.ClockName {
			gauge(metricClockLag, "What has lapsed and is not recorded yet.", float64(reactor.Behind), nil)
		} else {
			gauge(metricReactLag, "Events that the reactor has not done with yet.", float64(reactor.Behind), labels)
		}
		gauge(metricReactLive, "0 when the clock or the reactor has stopped, or keeps trying what fails.", flag(reactor.State == reactors.Live), labels)
	}
	if mailing := state.Email; mailing != nil {
		gauge(metricMailLag, "Events that are not looked through yet for notifications to mail.", float64(mailing.Behind), nil)
		gauge(metricMailLive, "0 when this node keeps trying what fails: the mail server, for example.", flag(mailing.State == email.Live), nil)
		gauge(metricMailWaits, "Mails that are still to be sent.", float64(mailing.Waiting), nil)
		tell(prometheus.CounterValue, metricMailSent, "Mails that the mail server has taken, from all nodes.", float64(mailing.Sent), nil)
		tell(prometheus.CounterValue, metricMailLost, "Mails that were given up, on all nodes.", float64(mailing.GivenUp), nil)
	}
	if state.Feed != nil {
		gauge(metricFeedLag, "Events that the broker does not have yet.", float64(state.Feed.Behind), nil)
	}
	if state.Webhooks != nil {
		gauge(metricHookLag, "Events that this node has not looked at for webhooks yet.", float64(state.Webhooks.Behind), nil)
		gauge(metricHookLagTime, "Seconds since the first of them was recorded.", state.Webhooks.BehindSeconds, nil)
		gauge(metricHookLive, "0 when looking for what webhooks are to be sent has stopped, or keeps failing.", flag(state.Webhooks.State == webhooks.Live), nil)
	}
	if backlog, ok := c.edge.webhookBacklog(); ok {
		gauge(metricHookWaiting, "Events that are still to be sent to webhooks.", float64(backlog.Waiting), nil)
		gauge(metricHookDead, "Dead letters of all webhooks.", float64(backlog.DeadLetters), nil)
		for status, count := range backlog.Webhooks {
			gauge(metricHooks, "Webhooks by status: active, or paused, which get nothing.", float64(count), prometheus.Labels{"status": string(status)})
		}
	}
}

// webhookBacklog counts what waits to be sent. It is not ok without webhooks, or when the database does not answer.
func (e *edge) webhookBacklog() (backlog webhooks.Backlog, ok bool) {
	if e.Webhooks == nil {
		return backlog, false
	}
	ctx, cancel := context.WithTimeout(context.Background(), statusTimeout)
	defer cancel()
	backlog, err := e.Webhooks.Backlog(ctx)
	if err != nil {
		e.Log.WarnContext(ctx, "the webhooks do not answer", "error", err)
	}
	return backlog, err == nil
}

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}
