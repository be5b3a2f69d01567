package commands

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/domain"
)

// FuzzParse: parse reads JSON objects as encoding/json does, and refuses nothing but what is none, or gives a name twice.
func FuzzParse(f *testing.F) {
	for _, spec := range List() {
		body, err := json.Marshal(spec.Example)
		require.NoError(f, err)
		f.Add(body)
	}
	for _, body := range []string{
		` { } `, `{"a":[]}`, "\t{\"a\" :\r\n[ 1 , -2.5e+3 ,0, true,false , null,{} ,[ [ ] ]] , \"b\":{\"a\":1}}", `{"a":"\"\\\/\b\u0041\ud834\udd1e\ud800"}`,
		"{\"a\":\"ñ\xff\"}", `{"a":1,"\u0061":2}`, `{"a":{"b":1,"b":1}}`, `{"":{"":""}}`, `{"a":1}}`, `[{}]`, `{"a":01}`, `{"a":"`, "",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.UseNumber()
		var want any
		_ = decoder.Decode(&want) // whatever it makes of what is not valid
		_, isObject := want.(map[string]any)
		got, err := parse(body)
		switch {
		case !json.Valid(body) || !isObject:
			require.Equal(t, "malformed_json", domain.AsError(err).Code)
		case err == nil:
			require.Equal(t, want, any(got))
		default:
			require.Contains(t, err.Error(), "is given twice")
			once, err := json.Marshal(want)
			require.NoError(t, err)
			got, err := parse(once)
			require.NoError(t, err)
			require.Equal(t, want, any(got))
		}
	})
}
