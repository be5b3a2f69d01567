package domain

import (
	"slices"
	"strings"
)

// What is in the log stays as it is, so a type of event keeps its shape for ever: another shape is the type's next version, and the
// list of events says which versions came before (docs/versions.md). What is decoded has the newest shape, whatever was written.

// former is a shape in which events were written once. It has no Apply: nothing folds it.
type former interface {
	Event
	// upcast tells the same fact in the next version's shape. It knows nothing but the event, and cannot fail.
	upcast() Event
}

// formerly describes a version of an event type that is written no longer, from an example of it.
func formerly[E former](example E) EventType { return shapeOf(example) }

// Newest tells a fact in the newest shape of its type, in which alone it is written.
func Newest(event Event) Event {
	for old, ok := event.(former); ok; old, ok = event.(former) {
		event = old.upcast()
	}
	return event
}

// Unversioned is a wire name without its version, for example collaboration.AccessGranted: what all versions of a type share.
func Unversioned(name string) string {
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		return name[:dot]
	}
	return name
}

// AnyOf tells whether an event type is one of those that are named: a name without a version is all versions of it.
func AnyOf(names []string, eventType string) bool {
	return slices.Contains(names, eventType) || slices.Contains(names, Unversioned(eventType))
}

// Versions is the list of every event with all versions that are in logs, oldest first. What only writes events needs Events alone.
func Versions() []EventType {
	var all []EventType
	for _, t := range Events() {
		all = append(append(all, t.Earlier...), t)
	}
	return all
}

// conversationReadV1 counted messages under the name that NotificationsRead has for a position of the log.
type conversationReadV1 struct {
	Pair
	Side Side `json:"side"`
	UpTo int  `json:"upTo"`
}

func (conversationReadV1) EventType() string { return "collaboration.ConversationRead.v1" }

func (e conversationReadV1) upcast() Event {
	return ConversationRead{Pair: e.Pair, Side: e.Side, MessagesRead: e.UpTo}
}
