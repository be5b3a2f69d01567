// Package pubsub is Watermill's Publisher and Subscriber over NATS JetStream, for handlers that run once a message has come:
// subscribers of the ledger, reactors, webhooks.
//
// A topic is a subject of a stream that exists; to subscribe it may have wildcards. Delivery is at least once. A message that is
// acknowledged is not delivered again, one that is not is, also when the process that had it has died.
package pubsub

import (
	"errors"
	"time"
)

// Limits of the adapter.
const (
	DefaultAckWait   = 30 * time.Second // until the broker gives a message of a subscriber that has fallen silent to another
	DefaultNackDelay = time.Second      // until a refused message is delivered again

	orderedBatch     = 256              // messages asked for at a time; of an ordered consumer only one is ever on its way
	competingBatch   = 64               // messages that a competing subscription holds at most
	competingPending = 1024             // messages on their way to all subscriptions of a competing consumer together
	keepAlives       = 3                // signs of life within AckWait for each message that a subscription holds
	pullExpiry       = 30 * time.Second // for which a request for messages waits at the broker
	pullHeartbeat    = 5 * time.Second  // between the broker's signs of life while it has none; after twice that it is asked anew
	requestWait      = 5 * time.Second  // for the broker to answer a question about a consumer
	publishWait      = 5 * time.Second  // for the broker to confirm a message
	drainWait        = 2 * time.Second  // for what is on its way to a subscription when it ends
	flushWait        = 2 * time.Second  // for the broker to take the last acknowledgements when a subscription ends
	closeWait        = 5 * time.Second  // for the handler that still has a message when a subscription ends
	shortestPause    = 50 * time.Millisecond
	longestPause     = 2 * time.Second // between two tries to go on after a failure; the first is after the shortest, each takes twice as long
)

// ErrClosed refuses to use a publisher or subscriber that has been closed.
var ErrClosed = errors.New("pubsub: closed")
