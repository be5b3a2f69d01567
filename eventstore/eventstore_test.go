package eventstore

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestStreamNames(t *testing.T) {
	id := "6b5f1b6e-2f0c-5d5e-9f6b-1a2b3c4d5e6f"
	stream, err := ParseStreamID("collaboration-" + id)
	require.NoError(t, err)
	require.Equal(t, StreamID{Kind: "collaboration", ID: uuid.MustParse(id)}, stream)
	require.Equal(t, "collaboration-"+id, stream.String())
	for _, name := range []string{
		"", "-", id, "-" + id, "collaboration", "collaboration-", "collaboration-1", "Collaboration-" + id, "a.b-" + id, "a b-" + id,
		"collaboration-" + strings.ToUpper(id), "collaboration-{" + id + "}", "collaboration-" + strings.ReplaceAll(id, "-", ""),
		"collaboration-urn:uuid:" + id, "collaboration-" + id + " ", "collaboration-" + uuid.Nil.String(), strings.Repeat("a", MaxKindBytes+1) + "-" + id,
	} {
		_, err := ParseStreamID(name)
		require.ErrorContains(t, err, "not of the form kind-uuid", name)
	}
}

func FuzzParseStreamID(f *testing.F) {
	f.Add("collaboration-6b5f1b6e-2f0c-5d5e-9f6b-1a2b3c4d5e6f")
	f.Add("a-00000000-0000-0000-0000-000000000000")
	f.Add("-6b5f1b6e")
	f.Fuzz(func(t *testing.T, name string) {
		stream, err := ParseStreamID(name)
		if err != nil {
			require.Zero(t, stream)
			return
		}
		require.Equal(t, name, stream.String())
		require.True(t, stream.valid())
	})
}
