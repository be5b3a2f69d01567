package domain_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/collabledger/collabledger/domain"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// TestGrantHoldsFromUntil: validity is [from, until), invariant 3.
func TestGrantHoldsFromUntil(t *testing.T) {
	for name, test := range map[string]struct {
		grant *domain.Grant
		at    time.Time
		want  domain.GrantStatus
	}{
		"no grant":                          {nil, noon, "none"},
		"without an end":                    {&domain.Grant{Status: domain.GrantLive}, noon.AddDate(500, 0, 0), domain.GrantLive},
		"a microsecond before its end":      {&domain.Grant{Status: domain.GrantLive, ExpiresAt: noon}, noon.Add(-time.Microsecond), domain.GrantLive},
		"at its end":                        {&domain.Grant{Status: domain.GrantLive, ExpiresAt: noon}, noon, domain.GrantExpired},
		"after its end, in another zone":    {&domain.Grant{Status: domain.GrantLive, ExpiresAt: noon}, noon.In(time.FixedZone("", -7*3600)), domain.GrantExpired},
		"revoked before its end":            {&domain.Grant{Status: domain.GrantRevoked, ExpiresAt: noon}, noon.Add(-time.Hour), domain.GrantRevoked},
		"revoked, after its end":            {&domain.Grant{Status: domain.GrantRevoked, ExpiresAt: noon}, noon.Add(time.Hour), domain.GrantRevoked},
		"recorded as expired, clock behind": {&domain.Grant{Status: domain.GrantExpired, ExpiresAt: noon}, noon.Add(-time.Hour), domain.GrantExpired},
		"suspended before its end":          {&domain.Grant{Status: domain.GrantSuspended, ExpiresAt: noon}, noon.Add(-time.Microsecond), domain.GrantSuspended},
		"suspended, at its end":             {&domain.Grant{Status: domain.GrantSuspended, ExpiresAt: noon}, noon, domain.GrantExpired},
		"suspended without an end":          {&domain.Grant{Status: domain.GrantSuspended}, noon, domain.GrantSuspended},
		"of a status that nobody knows":     {&domain.Grant{Status: "frozen"}, noon, "frozen"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, test.grant.StatusAt(test.at))
			require.Equal(t, test.want == domain.GrantLive, test.grant.Live(test.at))
		})
	}
}

// TestRequestIsPendingUntilItLapses: also where nobody has recorded the lapse.
func TestRequestIsPendingUntilItLapses(t *testing.T) {
	pending := &domain.Collaboration{Status: domain.CollaborationPending, ExpiresAt: noon}
	require.Equal(t, domain.CollaborationPending, pending.StatusAt(noon.Add(-time.Microsecond)))
	require.Equal(t, domain.CollaborationExpired, pending.StatusAt(noon))
	require.Equal(t, domain.CollaborationExpired, pending.StatusAt(noon.Add(time.Hour)))
	for _, status := range []domain.CollaborationStatus{
		domain.CollaborationNone, domain.CollaborationEnquiry, domain.CollaborationActive, domain.CollaborationOver,
		domain.CollaborationRefused, domain.CollaborationWithdrawn, domain.CollaborationExpired,
	} {
		require.Equal(t, status, (&domain.Collaboration{Status: status}).StatusAt(noon))
	}
}

// TestNewEngagementRevivesNothing: whatever came before, a new engagement has no grant, manager or KPI choice, and its epoch is
// higher than that of any session before (invariants 4 and 5).
func TestNewEngagementRevivesNothing(t *testing.T) {
	pair := domain.Pair{ConsultancyID: ids[0], ClientID: ids[1]}
	events := rapid.SliceOfN(randomEvent(typesOf(domain.CollaborationStream)), 0, 30)
	rapid.Check(t, func(t *rapid.T) {
		state := &domain.Collaboration{}
		require.NoError(t, domain.Fold(state, events.Draw(t, "history")...))
		epoch := state.AccessEpoch
		require.NoError(t, domain.Fold(state,
			domain.CollaborationEnded{Pair: pair, Engagement: 1, EndedBy: domain.ClientSide, AccessEpoch: epoch + 1},
			domain.CollaborationRequested{Pair: pair, Engagement: 2, ExpiresAt: noon},
			domain.CollaborationAccepted{Pair: pair, Engagement: 2}))
		require.Equal(t, domain.CollaborationActive, state.Status)
		require.Nil(t, state.Grant)
		require.Empty(t, state.Managers)
		require.Empty(t, state.KPIs)
		require.Equal(t, epoch+1, state.AccessEpoch)
	})
}

// TestPairHasOneCollaboration: its id follows from the pair, and from which of the two is which.
func TestPairHasOneCollaboration(t *testing.T) {
	pair := domain.Pair{ConsultancyID: ids[0], ClientID: ids[1]}
	swapped := domain.Pair{ConsultancyID: ids[1], ClientID: ids[0]}
	require.Equal(t, uuid.MustParse("70bcda34-9725-5821-8d3e-f2bc8af8d30d"), pair.CollaborationID(), "the id never changes")
	require.NotEqual(t, pair.CollaborationID(), swapped.CollaborationID())
	for account, want := range map[uuid.UUID]domain.Side{ids[0]: domain.ConsultancySide, ids[1]: domain.ClientSide, ids[2]: ""} {
		side, ok := pair.Side(account)
		require.Equal(t, want, side)
		require.Equal(t, want != "", ok)
	}
}

// TestTaskIsNamedByClientAndReference: raising it twice is one task.
func TestTaskIsNamedByClientAndReference(t *testing.T) {
	require.Equal(t, uuid.MustParse("e25e25e2-9efa-5fcb-9173-7dcbedd26f08"), domain.TaskID(ids[0], "erp-1"), "the id never changes")
	require.NotEqual(t, domain.TaskID(ids[0], "erp-1"), domain.TaskID(ids[1], "erp-1"))
	require.NotEqual(t, domain.TaskID(ids[0], "erp-1"), domain.TaskID(ids[0], "erp-2"))
}
