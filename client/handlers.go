package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/collabledger/collabledger/domain"
)

// Handler is what a service does about one type of event. On makes it.
type Handler struct {
	eventType string // without the version
	handle    func(context.Context, domain.Event, Meta) error
}

// On handles events of one type, for example
//
//	client.On(func(ctx context.Context, granted domain.AccessGranted, meta client.Meta) error { … })
//
// Whatever version of the type an event was written in, it comes in the newest shape that this version of the client knows; Meta.Type
// tells the version. The same event may come more than once. Commands that the handler submits with its context carry on the event's
// trace and correlation and name the event as their cause. A failure is tried again, unless it is Permanent.
func On[E domain.Event](handle func(ctx context.Context, event E, meta Meta) error) Handler {
	var names []string
	for _, described := range domain.Events() {
		if _, ok := described.Example.(E); ok {
			names = append(names, domain.Unversioned(described.Name))
		}
	}
	var eventType string
	if len(names) == 1 { // else E is no type of event, which Subscribe refuses
		eventType = names[0]
	}
	return Handler{eventType: eventType, handle: func(ctx context.Context, event domain.Event, meta Meta) error {
		typed, ok := event.(E)
		if !ok {
			return Permanent(fmt.Errorf("%s was decoded as %T", meta.Type, event))
		}
		return handle(ctx, typed, meta)
	}}
}

// byType sorts the handlers of something by the type of event that each is for.
func byType(of string, handlers []Handler) (map[string]Handler, error) {
	sorted := map[string]Handler{}
	for i, handler := range handlers {
		if handler.eventType == "" {
			return nil, fmt.Errorf("client: handler %d of %s is not of one type of event; On takes one of package domain, not a pointer to it", i+1, of)
		}
		if _, twice := sorted[handler.eventType]; twice {
			return nil, fmt.Errorf("client: %s has two handlers of %s", of, handler.eventType)
		}
		sorted[handler.eventType] = handler
	}
	return sorted, nil
}

// permanentError marks a failure that trying again cannot heal.
type permanentError struct{ error }

func (e permanentError) Unwrap() error { return e.error }

// Permanent marks a handler's failure as one that trying again cannot heal: the event goes to the poison queue at once.
func Permanent(err error) error { return permanentError{err} }

func isPermanent(err error) bool {
	_, permanent := errors.AsType[permanentError](err)
	return permanent
}
