package domain_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/collabledger/collabledger/domain"
)

var update = flag.Bool("update", false, "write the golden encodings of event types that have none yet")

const goldenDir = "testdata/events"

// TestEventEncodingsAreGolden holds every event type to the encoding with which it entered the log: a field that is renamed,
// moved or dropped is another version of the type. -update writes missing files and never changes one.
func TestEventEncodingsAreGolden(t *testing.T) {
	for _, event := range domain.Versions() {
		t.Run(event.Name, func(t *testing.T) {
			path := filepath.Join(goldenDir, event.Name+".json")
			encoded, err := json.Marshal(event.Example)
			require.NoError(t, err)
			golden, err := os.ReadFile(path)
			if os.IsNotExist(err) && *update {
				var indented bytes.Buffer
				require.NoError(t, json.Indent(&indented, encoded, "", "  "))
				indented.WriteByte('\n')
				golden = indented.Bytes()
				err = os.WriteFile(path, golden, 0o644)
			}
			require.NoError(t, err, "every event type has a golden encoding; run with -update to write it")
			var compact bytes.Buffer
			require.NoError(t, json.Compact(&compact, golden))
			require.Equal(t, compact.String(), string(encoded), "a change of shape is a new version of the type")
		})
	}
}

// TestEveryEncodingEverWrittenIsDecodable also reads the files of versions that are written no longer.
func TestEveryEncodingEverWrittenIsDecodable(t *testing.T) {
	catalog := domain.NewCatalog()
	examples := map[string]domain.Event{}
	for _, event := range domain.Versions() {
		examples[event.Name] = domain.Newest(event.Example)
	}
	files, err := filepath.Glob(filepath.Join(goldenDir, "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			event, err := catalog.Decode(name, data)
			require.NoError(t, err)
			require.Equal(t, examples[name], event)
		})
	}
}

// TestEventTypesAreDescribedInFull keeps the list fit to make documents from.
func TestEventTypesAreDescribedInFull(t *testing.T) {
	streams := []string{domain.AccountStream, domain.PartnershipStream, domain.CollaborationStream, domain.SessionStream, domain.TaskStream, domain.NotificationsStream, domain.WebhookStream}
	name := regexp.MustCompile(`^[a-z]+\.[A-Z][A-Za-z]+\.v[1-9][0-9]*$`)
	seen := map[string]bool{}
	for _, event := range domain.Versions() {
		require.Regexp(t, name, event.Name)
		require.False(t, seen[event.Name], "%s is listed twice", event.Name)
		seen[event.Name] = true
		require.Contains(t, streams, event.Stream)
		if event.Successor == "" {
			require.Contains(t, event.Name, "."+reflect.TypeOf(event.Example).Name()+".", "a type's name is that of its struct")
		}
		require.NotEmpty(t, event.Title)
		require.NotEmpty(t, event.Example.Parties())
		requireComplete(t, event.Name, reflect.ValueOf(event.Example))
	}
}

// requireComplete fails for a field of an example that was left zero: its encoding would not be golden. A SubmittedBy or a
// FirmKind that only some events have is set in the example.
func requireComplete(t *testing.T, path string, v reflect.Value) {
	t.Helper()
	if v.Kind() == reflect.Struct && v.Type().PkgPath() == reflect.TypeFor[domain.Pair]().PkgPath() {
		for i := range v.NumField() {
			requireComplete(t, path+"."+v.Type().Field(i).Name, v.Field(i))
		}
		return
	}
	require.False(t, v.IsZero(), "%s of the example is empty", path)
}

// TestPartiesAreNamedInTheEvent: whoever may see a fact is told by the fact itself.
func TestPartiesAreNamedInTheEvent(t *testing.T) {
	for _, event := range domain.Versions() {
		data, err := json.Marshal(event.Example)
		require.NoError(t, err)
		for _, party := range event.Example.Parties() {
			require.Contains(t, string(data), party.String(), "%s", event.Name)
		}
	}
}

// TestEncodingRoundTrips: whatever an event says, reading it back gives the same, and encoding that gives the same bytes.
func TestEncodingRoundTrips(t *testing.T) {
	catalog := domain.NewCatalog()
	for _, event := range domain.Events() {
		t.Run(event.Name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				event := randomEvent([]domain.EventType{event}).Draw(t, "event")
				data, err := json.Marshal(event)
				require.NoError(t, err)
				decoded, err := catalog.Decode(event.EventType(), data)
				require.NoError(t, err)
				require.Equal(t, event, decoded)
				again, err := json.Marshal(decoded)
				require.NoError(t, err)
				require.Equal(t, string(data), string(again))
			})
		})
	}
}

func TestDecodeSkipsNothing(t *testing.T) {
	catalog := domain.NewCatalog()
	for name, test := range map[string]struct{ eventType, data, message string }{
		"an unknown type":            {"account.AccountCloned.v1", `{}`, `event type "account.AccountCloned.v1" is not known`},
		"a version to come":          {"collaboration.ConversationRead.v3", `{}`, `event type "collaboration.ConversationRead.v3" is not known to this version of the ledger`},
		"a name without a version":   {"collaboration.ConversationRead", `{}`, "is not known"},
		"another version's field":    {"collaboration.ConversationRead.v1", `{"upTo":"1"}`, "data of collaboration.ConversationRead.v1"},
		"null":                       {"account.MemberRemoved.v1", `null`, "data of account.MemberRemoved.v1: is null"},
		"an array":                   {"account.MemberRemoved.v1", `[]`, "data of account.MemberRemoved.v1"},
		"a field of another type":    {"account.MemberRemoved.v1", `{"userId":7}`, "data of account.MemberRemoved.v1"},
		"an id that is none":         {"account.MemberRemoved.v1", `{"userId":"anna"}`, "data of account.MemberRemoved.v1"},
		"a time that is none":        {"account.InvitationResent.v1", `{"expiresAt":"soon"}`, "data of account.InvitationResent.v1"},
		"something that is not JSON": {"account.MemberRemoved.v1", `{`, "data of account.MemberRemoved.v1"},
		"no data at all":             {"account.MemberRemoved.v1", ``, "data of account.MemberRemoved.v1"},
	} {
		t.Run(name, func(t *testing.T) {
			event, err := catalog.Decode(test.eventType, []byte(test.data))
			require.ErrorContains(t, err, test.message)
			require.Nil(t, event)
		})
	}
}

// FuzzCatalogDecode: no bytes make decoding panic, and what decodes can be encoded and folded.
func FuzzCatalogDecode(f *testing.F) {
	types := domain.Versions()
	for i, event := range types {
		data, err := json.Marshal(event.Example)
		require.NoError(f, err)
		f.Add(i, data)
	}
	f.Add(0, []byte(`null`))
	f.Add(1, []byte(`{"accountId":[]}`))
	catalog := domain.NewCatalog()
	f.Fuzz(func(t *testing.T, index int, data []byte) {
		eventType := types[uint(index)%uint(len(types))]
		event, err := catalog.Decode(eventType.Name, data)
		if err != nil {
			return
		}
		_, err = json.Marshal(event)
		require.NoError(t, err)
		require.NoError(t, foldAny(eventType.Stream, event))
	})
}

// TestWhatDoesNotApplyIsLeftOut: an optional field that is zero is not in the encoding, and reads back as zero.
func TestWhatDoesNotApplyIsLeftOut(t *testing.T) {
	catalog := domain.NewCatalog()
	pair := domain.Pair{ConsultancyID: ids[0], ClientID: ids[1]}
	for _, test := range []struct {
		event domain.Event
		want  string
	}{
		{domain.AccessGranted{Pair: pair, GrantID: ids[2], RoleID: domain.RoleCRM, RoleVersion: 1, Permissions: domain.Permissions{domain.CRM: domain.Edit}, AccessEpoch: 1},
			`{"consultancyId":"A1","clientId":"A2","grantId":"A3","roleId":"crm","roleVersion":1,"permissions":{"crm":"edit"},"accessEpoch":1}`},
		{domain.AccessChanged{Pair: pair, GrantID: ids[2], RoleID: domain.RoleCRM, RoleVersion: 1, Permissions: domain.Permissions{domain.CRM: domain.Edit}, AccessEpoch: 2},
			`{"consultancyId":"A1","clientId":"A2","grantId":"A3","roleId":"crm","roleVersion":1,"permissions":{"crm":"edit"},"accessEpoch":2}`},
		{domain.TaskRaised{TaskID: ids[2], ClientID: ids[1], Section: domain.Sales, Title: "t", ExternalRef: "r", GoTo: "g"},
			`{"taskId":"A3","clientId":"A2","section":"sales","title":"t","externalRef":"r","goTo":"g"}`},
		{domain.TaskCompleted{TaskID: ids[2], ClientID: ids[1], Section: domain.Sales},
			`{"taskId":"A3","clientId":"A2","section":"sales"}`},
		{domain.ProfileRejected{ConsultancyID: ids[0], Revision: 2, ReasonCode: "other"},
			`{"consultancyId":"A1","revision":2,"reasonCode":"other"}`},
		{domain.KPINotificationsConfigured{Pair: pair, UserID: ids[2], Sections: []domain.Section{}},
			`{"consultancyId":"A1","clientId":"A2","userId":"A3","sections":[]}`},
	} {
		want := strings.NewReplacer("A1", ids[0].String(), "A2", ids[1].String(), "A3", ids[2].String()).Replace(test.want)
		data, err := json.Marshal(test.event)
		require.NoError(t, err)
		require.Equal(t, want, string(data))
		decoded, err := catalog.Decode(test.event.EventType(), data)
		require.NoError(t, err)
		require.Equal(t, test.event, decoded)
	}
}
