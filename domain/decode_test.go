package domain_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/collabledger/collabledger/domain"
)

// Whatever the data of an event is, it means what it means to encoding/json.
func TestDecodingAgreesWithEncodingJSON(t *testing.T) {
	catalog := domain.NewCatalog()
	spoil := rapid.SampledFrom([]string{
		"", " ", ",", `"`, `\`, `\u00e9`, "é", "\xff", "\x01", "{", "}", "[", "]", ":", "0", "-1", "1.5", "1e3", "99999999999999999999",
		"null", "true", `"x":1,`, `"clientId":"",`, `"clientID":"",`, `{}`, `[]`,
	})
	rapid.Check(t, func(t *rapid.T) {
		event := randomEvent(domain.Versions()).Draw(t, "event")
		if rapid.Bool().Draw(t, "usual") {
			event = rapid.SampledFrom(domain.Versions()).Draw(t, "type").Example
		}
		data, err := json.Marshal(event)
		require.NoError(t, err)
		for range rapid.IntRange(0, 2).Draw(t, "spoilt") {
			from := rapid.IntRange(0, len(data)).Draw(t, "from")
			to := rapid.IntRange(from, min(from+3, len(data))).Draw(t, "to")
			data = []byte(string(data[:from]) + spoil.Draw(t, "with") + string(data[to:]))
		}
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
