package commands

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/collabledger/collabledger/domain"
)

var update = flag.Bool("update", false, "write the documents, and the golden hashes of commands that have none yet")

const goldenHashes = "testdata/body_hashes.json"

// TestBodyHashesAreGolden: a retry must be known again by every later version of the ledger, so what a command's body hashes
// to never changes. -update adds what is missing and never changes one.
func TestBodyHashesAreGolden(t *testing.T) {
	golden := map[string]string{}
	data, err := os.ReadFile(goldenHashes)
	if !os.IsNotExist(err) || !*update {
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(data, &golden))
	}
	for _, spec := range List() {
		a, err := hashRequest(Request{Name: spec.Name, Actor: firmOwner}, spec, spec.Example)
		require.NoError(t, err)
		if golden[spec.Name] == "" && *update {
			golden[spec.Name] = hex.EncodeToString(a.hash[:])
		}
		require.Equal(t, golden[spec.Name], hex.EncodeToString(a.hash[:]), "%s: run with -update if it is new", spec.Name)
	}
	if *update {
		data, err := json.MarshalIndent(golden, "", "  ")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(goldenHashes, append(data, '\n'), 0o644))
	}
}

// TestBodyHashIsAboutWhatIsAsked: neither the order of fields nor blanks nor escapes make another command of a body.
func TestBodyHashIsAboutWhatIsAsked(t *testing.T) {
	registry := NewRegistry()
	rapid.Check(t, func(r *rapid.T) {
		spec := rapid.SampledFrom(registry.Specs()).Draw(r, "command")
		plain, err := json.Marshal(spec.Example)
		require.NoError(r, err)
		var value any
		require.NoError(r, json.Unmarshal(plain, &value))
		var rewritten strings.Builder
		rewrite(r, &rewritten, value)

		_, command, err := registry.Decode(spec.Name, []byte(rewritten.String()))
		require.NoError(r, err, "%s", rewritten.String())
		request := Request{Name: spec.Name, Actor: firmOwner}
		want, err := hashRequest(request, spec, spec.Example)
		require.NoError(r, err)
		got, err := hashRequest(request, spec, command)
		require.NoError(r, err)
		require.Equal(r, want.hash, got.hash, "%s", rewritten.String())
	})
}

// rewrite writes a JSON value in another of the many ways.
func rewrite(r *rapid.T, w *strings.Builder, value any) {
	blank := func() { w.WriteString(rapid.StringMatching(`[ \n\t\r]{0,3}`).Draw(r, "blank")) }
	text := func(s string) {
		w.WriteByte('"')
		for _, c := range s {
			if c < 0x80 && c != '"' && c != '\\' && rapid.Bool().Draw(r, "plain") {
				w.WriteRune(c)
			} else {
				for _, unit := range utf16.Encode([]rune{c}) {
					fmt.Fprintf(w, `\u%04x`, unit)
				}
			}
		}
		w.WriteByte('"')
	}
	blank()
	defer blank()
	switch value := value.(type) {
	case map[string]any:
		w.WriteByte('{')
		for i, name := range rapid.Permutation(slices.Sorted(maps.Keys(value))).Draw(r, "order") {
			if i > 0 {
				w.WriteByte(',')
			}
			blank()
			text(name)
			blank()
			w.WriteByte(':')
			rewrite(r, w, value[name])
		}
		w.WriteByte('}')
	case []any:
		w.WriteByte('[')
		for i, item := range value {
			if i > 0 {
				w.WriteByte(',')
			}
			rewrite(r, w, item)
		}
		w.WriteByte(']')
	case string:
		text(value)
	default:
		data, err := json.Marshal(value)
		require.NoError(r, err)
		w.Write(data)
	}
}

// TestBodyHashTellsCommandsApart: by what is asked, of which command, and by whom.
func TestBodyHashTellsCommandsApart(t *testing.T) {
	seen := map[[32]byte]string{}
	tell := func(what, name string, actor domain.Actor, command Command) {
		a, err := hashRequest(Request{Name: name, Actor: actor}, Spec{}, command)
		require.NoError(t, err)
		require.Empty(t, seen[a.hash], "%s is taken for it", what)
		seen[a.hash] = what
	}
	for _, spec := range List() {
		tell(spec.Name, spec.Name, firmOwner, spec.Example)
		tell(spec.Name+" by another", spec.Name, firmAdmin, spec.Example)
	}
	tell("another message", "SendMessage", firmOwner, SendMessage{PairFields{id(1), id(2)}, "a"})
	tell("one more message", "SendMessage", firmOwner, SendMessage{PairFields{id(1), id(2)}, "b"})
	tell("another pair", "SendMessage", firmOwner, SendMessage{PairFields{id(2), id(1)}, "b"})
	tell("a service of the same name", "AcceptCollaboration", domain.Actor{Kind: domain.ActorService, Name: "x"}, AcceptCollaboration{theirs})
	tell("a reviewer of the same name", "AcceptCollaboration", domain.Actor{Kind: domain.ActorReviewer, Name: "x"}, AcceptCollaboration{theirs})
}

// TestRetryInOtherWords: the same command written in another way is the same command.
func TestRetryInOtherWords(t *testing.T) {
	n := newNode(t)
	n.happened(pending...)
	n.setClock(noon)
	accept := by(firmOwner, AcceptCollaboration{theirs}).under(uuid.New())
	first := n.execute(accept)
	accept.Body = []byte("\n{ \"clientId\": \"" + shopID.String() + "\",\t\"consultancy\\u0049d\": \"" + firmID.String() + "\" }\n")
	again := n.execute(accept)
	require.True(t, again.Repeated)
	require.Equal(t, first.Events, again.Events)
}
