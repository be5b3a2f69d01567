package domain

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEveryEventIsDecodedTheFastWay(t *testing.T) {
	for _, event := range Versions() {
		t.Run(event.Name, func(t *testing.T) {
			data, err := json.Marshal(event.Example)
			require.NoError(t, err)
			decoded := reflect.New(reflect.TypeOf(event.Example))
			require.True(t, decoderOf(decoded.Type().Elem()).accepts(data, decoded.Interface()))
			require.Equal(t, event.Example, decoded.Elem().Interface())
		})
	}
}
