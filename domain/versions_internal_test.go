package domain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

// The versions of a type are v1, v2, v3, …, each upcast to the next, and only the last of them is written and folded.
func TestVersionsFollowOneAnother(t *testing.T) {
	for _, event := range Events() {
		name := Unversioned(event.Name)
		for i, earlier := range event.Earlier {
			old, ok := earlier.Example.(former)
			require.True(t, ok)
			require.Equal(t, fmt.Sprintf("%s.v%d", name, i+1), earlier.Name)
			require.Equal(t, fmt.Sprintf("%s.v%d", name, i+2), earlier.Successor)
			require.Equal(t, earlier.Successor, old.upcast().EventType())
			require.Equal(t, event.Title, earlier.Title)
			require.Equal(t, event.Stream, earlier.Stream)
			_, folds := reflect.TypeOf(old).MethodByName("Apply")
			require.False(t, folds, "%s is folded in the newest shape", earlier.Name)
		}
		_, old := event.Example.(former)
		require.False(t, old, event.Name)
		require.Equal(t, fmt.Sprintf("%s.v%d", name, len(event.Earlier)+1), event.Name)
		require.Empty(t, event.Successor)
		_, folds := reflect.TypeOf(event.Example).MethodByName("Apply")
		require.True(t, folds, event.Name)
	}
}

// TestUpcastsAreGolden holds every upcaster to the bytes that it once made of the bytes in logs: what an old event means never changes.
// The files are written by hand.
func TestUpcastsAreGolden(t *testing.T) {
	for _, version := range Versions() {
		if version.Successor == "" {
			continue
		}
		t.Run(version.Name, func(t *testing.T) {
			file, err := os.ReadFile("testdata/upcasts/" + version.Name + ".json")
			require.NoError(t, err, "every upcaster has a golden file")
			var cases []struct{ Was, Is json.RawMessage }
			require.NoError(t, json.Unmarshal(file, &cases))
			require.NotEmpty(t, cases)
			for _, c := range cases {
				value := reflect.New(reflect.TypeOf(version.Example))
				require.NoError(t, json.Unmarshal(c.Was, value.Interface()))
				old := value.Elem().Interface().(former)
				require.Equal(t, compact(t, c.Was), encode(t, old), "the old bytes are those of the old shape")
				require.Equal(t, compact(t, c.Is), encode(t, old.upcast()))

				was, err := NewCatalog().Decode(version.Name, c.Was)
				require.NoError(t, err)
				is, err := NewCatalog().Decode(version.Successor, c.Is)
				require.NoError(t, err)
				require.Equal(t, is, was, "old and new bytes are the same fact")
			}
		})
	}
}

func compact(t *testing.T, data []byte) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, json.Compact(&b, data))
	return b.String()
}

func encode(t *testing.T, event Event) string {
	t.Helper()
	data, err := json.Marshal(event)
	require.NoError(t, err)
	return string(data)
}

// first, second and third are three versions of an event that there is not.
type (
	first  struct{ Event }
	second struct{ Event }
	third  struct{ CollaborationAccepted }
)

func (first) upcast() Event      { return second{} }
func (second) upcast() Event     { return third{CollaborationAccepted{Engagement: 7}} }
func (first) EventType() string  { return "collaboration.Thought.v1" }
func (second) EventType() string { return "collaboration.Thought.v2" }
func (third) EventType() string  { return "collaboration.Thought.v3" }

func TestUpcastersFormAChain(t *testing.T) {
	for _, version := range []Event{first{}, second{}, third{CollaborationAccepted{Engagement: 7}}} {
		require.Equal(t, third{CollaborationAccepted{Engagement: 7}}, Newest(version))
	}
	described := describe("Something is thought", third{}, formerly(first{}), formerly(second{}))
	require.Equal(t, "collaboration.Thought.v3", described.Name)
	require.Equal(t, []string{"collaboration.Thought.v2", "collaboration.Thought.v3"}, []string{described.Earlier[0].Successor, described.Earlier[1].Successor})
}

func TestNamesWithoutAVersionAreAllVersions(t *testing.T) {
	require.Equal(t, "collaboration.AccessGranted", Unversioned("collaboration.AccessGranted.v12"))
	require.Equal(t, "unnamed", Unversioned("unnamed"))
	for _, c := range []struct {
		names []string
		want  bool
	}{
		{nil, false},
		{[]string{"collaboration.ConversationRead.v1"}, false},
		{[]string{"task.TaskRaised.v1", "collaboration.ConversationRead.v2"}, true},
		{[]string{"collaboration.ConversationRead"}, true},
		{[]string{"collaboration"}, false},
	} {
		require.Equal(t, c.want, AnyOf(c.names, "collaboration.ConversationRead.v2"), c.names)
		require.Equal(t, c.want || len(c.names) == 0, WebhookTarget{Types: c.names}.Wants("collaboration.ConversationRead.v2"), c.names)
	}
	catalog := NewCatalog()
	require.True(t, catalog.Knows("collaboration.ConversationRead.v1"))
	require.True(t, catalog.Knows("collaboration.ConversationRead.v2"))
	require.True(t, catalog.Knows("collaboration.ConversationRead"))
	require.False(t, catalog.Knows("collaboration.ConversationRead.v3"))
	require.False(t, catalog.Knows("collaboration"))
}
