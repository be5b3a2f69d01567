package pubsub

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Headers that carry what Watermill's messages have beside metadata that can be headers.
const (
	uuidHeader     = "watermill-uuid"
	metadataHeader = "watermill-metadata" // a JSON object of the metadata that would not survive as headers
	brokerPrefix   = "Nats-"              // of headers that tell the broker what to do, or what it did
	statusHeader   = "Status"             // by which the client knows the broker's own messages
)

// encode makes a NATS message of Watermill's. Metadata become headers of the same name, each line of a value a header's value;
// what would be changed on its way, or would tell the broker what to do, goes into a header of its own.
func encode(topic string, m *message.Message) (*nats.Msg, error) {
	if strings.ContainsAny(topic, "*> \t\r\n") || slices.Contains(strings.Split(topic, "."), "") {
		return nil, fmt.Errorf("pubsub: the topic %q is no subject to publish to", topic)
	}
	encoded := &nats.Msg{Subject: topic, Data: m.Payload, Header: nats.Header{}}
	apart := map[string]string{}
	for name, value := range m.Metadata {
		lines := strings.Split(value, "\n")
		if isHeaderName(name) && !slices.ContainsFunc(lines, changesAsHeader) {
			encoded.Header[name] = lines
		} else {
			apart[name] = value
		}
	}
	if changesAsHeader(m.UUID) || strings.Contains(m.UUID, "\n") {
		return nil, fmt.Errorf("pubsub: the message's UUID %q cannot be a header", m.UUID)
	}
	if m.UUID != "" {
		encoded.Header[uuidHeader] = []string{m.UUID}
	}
	if len(apart) > 0 {
		text, err := json.Marshal(apart)
		if err != nil {
			return nil, fmt.Errorf("pubsub: encode the metadata of message %s: %w", m.UUID, err)
		}
		encoded.Header[metadataHeader] = []string{string(text)}
	}
	return encoded, nil
}

// decode makes Watermill's message of one from the stream, whoever published it. A header's values become the lines of one value.
// The broker's own headers are left out: published again, as a poison queue does, they would tell it what to do. A message without
// a UUID of Watermill's is named after its place in the stream.
func decode(received jetstream.Msg, place *jetstream.MsgMetadata) *message.Message {
	headers := received.Headers()
	id := headers.Get(uuidHeader)
	if id == "" {
		id = place.Stream + ":" + strconv.FormatUint(place.Sequence.Stream, 10)
	}
	m := message.NewMessage(id, received.Data())
	for name, values := range headers {
		if name != uuidHeader && !strings.HasPrefix(name, brokerPrefix) {
			m.Metadata[name] = strings.Join(values, "\n")
		}
	}
	var apart map[string]string
	if err := json.Unmarshal([]byte(headers.Get(metadataHeader)), &apart); err == nil { // else it is somebody else's header
		delete(m.Metadata, metadataHeader)
		maps.Copy(m.Metadata, apart)
	}
	return m
}

// isHeaderName tells whether a header of this name reaches the reader as it is, and means nothing to the broker or this package.
func isHeaderName(name string) bool {
	switch {
	case name == "", name == uuidHeader, name == metadataHeader, name == statusHeader, strings.HasPrefix(name, brokerPrefix):
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.", r)
	})
}

// changesAsHeader tells whether a header's value would not reach the reader as it is: NATS trims white space, and a line ends at a
// carriage return.
func changesAsHeader(value string) bool {
	return strings.ContainsRune(value, '\r') || strings.TrimSpace(value) != value
}
