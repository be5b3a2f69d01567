package domain_test

import (
	"encoding/json"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/collabledger/collabledger/domain"
)

// spoilt is a value's JSON, or what it becomes when a few bytes are replaced.
func spoilt(t *rapid.T, value any) []byte {
	data, err := json.Marshal(value)
	require.NoError(t, err)
	with := rapid.SampledFrom([]string{
		"", " ", ",", `"`, `\`, `\u00e9`, "é", "\xff", "\x01", "{", "}", "[", "]", ":", "0", "-1", "1.5", "1e3", "99999999999999999999",
		"null", "true", `"x":1,`, `"clientId":"",`, `"clientID":"",`, `{}`, `[]`,
	})
	for range rapid.IntRange(0, 2).Draw(t, "spoilt") {
		from := rapid.IntRange(0, len(data)).Draw(t, "from")
		to := rapid.IntRange(from, min(from+4, len(data))).Draw(t, "to")
		data = []byte(string(data[:from]) + with.Draw(t, "with") + string(data[to:]))
	}
	return data
}

// Whatever the data of an event is, it means what it means to encoding/json.
func TestDecodingAgreesWithEncodingJSON(t *testing.T) {
	catalog := domain.NewCatalog()
	rapid.Check(t, func(t *rapid.T) {
		event := randomEvent(domain.Versions()).Draw(t, "event")
		if rapid.Bool().Draw(t, "usual") {
			event = rapid.SampledFrom(domain.Versions()).Draw(t, "type").Example
		}
		data := spoilt(t, event)
		want := reflect.New(reflect.PointerTo(reflect.TypeOf(event)))
		wantErr := json.Unmarshal(data, want.Interface())
		got, err := catalog.Decode(event.EventType(), data)
		if wantErr != nil || want.Elem().IsNil() {
			require.Error(t, err, "%s", data)
			return
		}
		require.NoError(t, err, "%s", data)
		require.Equal(t, domain.Newest(want.Elem().Elem().Interface().(domain.Event)), got, "%s", data)
	})
}

// So it does where fields may be missing or null.
func TestDecodingWhatIsOptionalAgreesWithEncodingJSON(t *testing.T) {
	type shape struct {
		ClientID *uuid.UUID   `json:"clientId,omitempty"`
		DueAt    *time.Time   `json:"dueAt"`
		Title    *string      `json:"title,omitempty"`
		Counts   []*int       `json:"counts"`
		Deep     **time.Time  `json:"deep,omitempty"`
		Pair     *domain.Pair `json:"pair"`
	}
	decode := domain.DecoderOf[shape]()
	id, at, title, count := uuid.New(), time.Now().UTC(), "Enviar 3 facturas", 3
	deep := &at
	rapid.Check(t, func(t *rapid.T) {
		var value shape
		for i, set := range []func(){
			func() { value.ClientID = &id }, func() { value.DueAt = &at }, func() { value.Title = &title },
			func() { value.Counts = []*int{&count, nil, &count} }, func() { value.Deep = &deep },
		} {
			if rapid.Bool().Draw(t, strconv.Itoa(i)) {
				set()
			}
		}
		data := spoilt(t, value)
		var want *shape
		wantErr := json.Unmarshal(data, &want)
		got, err := decode(data)
		if wantErr != nil || want == nil {
			require.Error(t, err, "%s", data)
			return
		}
		require.NoError(t, err, "%s", data)
		require.Equal(t, *want, got, "%s", data)
	})
}
