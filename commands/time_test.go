package commands

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/domain"
)

// oddMoments are ends at which calendars and clocks do something, all the same to a ledger that counts in UTC.
var oddMoments = map[string]time.Time{
	"the year's end":                           time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
	"the last microsecond of a year":           time.Date(2026, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
	"the beginning of a leap day":              time.Date(2028, 2, 29, 0, 0, 0, 0, time.UTC),
	"the end of a leap day":                    time.Date(2028, 3, 1, 0, 0, 0, 0, time.UTC),
	"when Madrid's clocks go forward":          time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC),
	"the hour that Madrid's clocks show twice": time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC),
	"an ordinary microsecond":                  time.Date(2026, 5, 6, 7, 8, 9, 10_000, time.UTC),
}

// lapsing is something that ends by itself: what it allows until then, and what records its lapse afterwards.
type lapsing struct {
	what   string
	given  []domain.Event
	uses   when
	over   then
	lapses when
	early  then
}

// allEnding is everything that ends at a moment.
func allEnding(end time.Time) []lapsing {
	asked, invited, entered := request(1), invitedNora, login
	asked.ExpiresAt, invited.ExpiresAt, entered.ExpiresAt = end, end, end
	return []lapsing{
		{"a request", history(market, asked), by(firmOwner, AcceptCollaboration{theirs}), refuses("not_pending", "expired"), by(clock, ExpireRequest{theirs}), refuses("not_due", "pending")},
		{"an invitation", history(firm, invited), by(newcomer, AcceptInvitation{firmID, invited.InvitationID}), refuses("invitation_expired", "expired"), by(clock, ExpireInvitation{firmID, invited.InvitationID}), refuses("not_due", "invited")},
		{"a grant", history(active, until(end)), by(firmOwner, OpenClientAccount{theirs, ""}), refuses("no_live_grant", "expired"), by(clock, ExpireAccess{theirs}), refuses("not_due", "granted")},
		{"a suspended grant", history(active, until(end), suspended), by(shopOwner, ResumeAccess{theirs}), refuses("grant_not_suspended", "expired"), by(clock, ExpireAccess{theirs}), refuses("not_due", "suspended")},
		{"a log-in", history(inside, entered), by(firmManager, CloseClientAccount{entered.SessionID}), refuses("session_closed", "closed"), by(clock, ExpireSession{entered.SessionID}), refuses("not_due", "open")},
	}
}

// TestEverythingHoldsFromUntil: requests, invitations, grants and log-ins hold in [from, until), to the microsecond: what they allow
// is allowed a microsecond before their end and refused at it, and their lapse can be recorded at their end and not before.
func TestEverythingHoldsFromUntil(t *testing.T) {
	for name, end := range oddMoments {
		for _, test := range allEnding(end) {
			t.Run(test.what+"/"+name, func(t *testing.T) {
				n := newNode(t)
				n.happened(test.given...)
				for _, after := range []time.Duration{-time.Microsecond, 0, time.Microsecond} {
					n.setClock(end.Add(after))
					_, used := n.decided(n.States, test.uses)
					_, lapsed := n.decided(n.States, test.lapses)
					if after < 0 {
						require.NoError(t, used)
						requireRefusal(t, test.early.refusal, lapsed)
					} else {
						require.NoError(t, lapsed)
						requireRefusal(t, test.over.refusal, used)
					}
				}
			})
		}
	}
}

// TestNothingIsRecordedBehindTheEndOfWhatAllowsIt: a command that is decided just in time and reaches the log just too late is decided
// again, so that nobody finds an act in the log that stands behind the end of what allowed it.
func TestNothingIsRecordedBehindTheEndOfWhatAllowsIt(t *testing.T) {
	for _, test := range allEnding(noon) {
		t.Run(test.what, func(t *testing.T) {
			for _, late := range []time.Duration{-time.Microsecond, 0, time.Hour} {
				n := newNode(t)
				n.happened(test.given...)
				before, err := n.Store.Head(t.Context())
				require.NoError(t, err)
				n.setClock(noon.Add(late)) // when the store writes
				decisions := 0
				clock := n.Executor.Clock
				n.Executor.Clock = func() time.Time {
					if decisions++; decisions == 1 {
						return noon.Add(-time.Microsecond)
					}
					return clock()
				}
				_, err = n.Execute(t.Context(), test.uses.under(uuid.New()))
				if late < 0 {
					require.NoError(t, err)
					require.Equal(t, 1, decisions)
					continue
				}
				requireRefusal(t, test.over.refusal, err)
				require.Equal(t, 2, decisions)
				after, err := n.Store.Head(t.Context())
				require.NoError(t, err)
				require.Equal(t, before, after, "nothing is recorded")
			}
		})
	}
}

// TestSameInstantInAnotherZone: in the hour that summer time ends, 02:30 comes twice, and the offset tells which. The ledger keeps
// the instant, so that naming it in another zone changes nothing.
func TestSameInstantInAnotherZone(t *testing.T) {
	grant := func(command, expiresAt string) when {
		body := `{"consultancyId":"FIRM","clientId":"SHOP","roleId":"finance","expiresAt":"AT"}`
		return byJSON(shopOwner, command, strings.NewReplacer("FIRM", firmID.String(), "SHOP", shopID.String(), "AT", expiresAt).Replace(body))
	}
	n := nodeAfter(t, active)
	n.must(grant("GrantAccess", "2026-10-25T02:30:00+02:00"))
	state, _ := n.load()
	require.Equal(t, time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC), state.Grant.ExpiresAt)
	for _, same := range []string{"2026-10-25T01:30:00+01:00", "2026-10-25T00:30:00Z", "2026-10-24T19:30:00-05:00", "2026-10-25T00:30:00.0000009Z"} {
		n.refused(grant("ChangeAccess", same), refuses("nothing_changed", "granted"))
	}
	n.must(grant("ChangeAccess", "2026-10-25T02:30:00+01:00")) // the second time that clocks show it, an hour later
	state, _ = n.load()
	require.Equal(t, time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC), state.Grant.ExpiresAt)

	extend := `{"consultancyId":"` + firmID.String() + `","clientId":"` + shopID.String() + `","expiresAt":"2026-10-25T03:30:00+02:00"}`
	n.refused(byJSON(shopOwner, "ExtendAccess", extend), refuses("not_an_extension", "granted"))
}

// TestTermsAreCountedInDaysOf24Hours: across a leap day, a year's end and the change of summer time alike.
func TestTermsAreCountedInDaysOf24Hours(t *testing.T) {
	for name, test := range map[string]struct{ at, requestEnds, invitationEnds, sessionEnds time.Time }{
		"over a leap day":           {time.Date(2028, 2, 28, 23, 30, 0, 0, time.UTC), time.Date(2028, 5, 28, 23, 30, 0, 0, time.UTC), time.Date(2028, 3, 6, 23, 30, 0, 0, time.UTC), time.Date(2028, 2, 29, 0, 30, 0, 0, time.UTC)},
		"over the same without one": {time.Date(2027, 2, 28, 23, 30, 0, 0, time.UTC), time.Date(2027, 5, 29, 23, 30, 0, 0, time.UTC), time.Date(2027, 3, 7, 23, 30, 0, 0, time.UTC), time.Date(2027, 3, 1, 0, 30, 0, 0, time.UTC)},
		"over the year's end":       {time.Date(2026, 12, 31, 23, 59, 59, 999_999_000, time.UTC), time.Date(2027, 3, 31, 23, 59, 59, 999_999_000, time.UTC), time.Date(2027, 1, 7, 23, 59, 59, 999_999_000, time.UTC), time.Date(2027, 1, 1, 0, 59, 59, 999_999_000, time.UTC)},
		"over the end of summer":    {time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC), time.Date(2027, 1, 23, 0, 30, 0, 0, time.UTC), time.Date(2026, 11, 1, 0, 30, 0, 0, time.UTC), time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC)},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t)
			n.happened(history(market)...)
			n.setClock(test.at)
			n.must(by(shopOwner, RequestCollaboration{theirs, "Please keep our books."}))
			state, _ := n.load()
			require.Equal(t, test.requestEnds, state.ExpiresAt)

			invitation := result[InvitationResult](n, by(firmOwner, InviteMember{firmID, NewPerson{"Nora", "nora@example.com"}, domain.RoleAccountManager}))
			account, _, err := Load[domain.Account](t.Context(), n.States, streamOf(firm[0]))
			require.NoError(t, err)
			require.Equal(t, test.invitationEnds, account.Invitations[invitation.InvitationID].ExpiresAt)

			n.must(by(firmOwner, AcceptCollaboration{theirs}))
			n.must(by(shopOwner, GrantAccess{theirs, GrantTerms{RoleID: domain.RoleFinance}}))
			session := result[SessionResult](n, by(firmOwner, OpenClientAccount{theirs, ""}))
			require.Equal(t, test.sessionEnds, session.ExpiresAt)
		})
	}
}

// TestClockBackwardsRevivesNothing: what was recorded as over stays so when a clock falls behind, and what has lapsed by the facts of
// its own streams does too.
func TestClockBackwardsRevivesNothing(t *testing.T) {
	n := nodeAfter(t, history(active, until(requestEnd)))
	n.setClock(requestEnd)
	n.must(by(clock, ExpireAccess{theirs}))
	n.setClock(requestEnd.Add(-time.Hour))
	n.refused(by(firmOwner, OpenClientAccount{theirs, ""}), refuses("no_live_grant", "expired"))
	n.refused(by(shopOwner, ExtendAccess{theirs, requestEnd.AddDate(0, 1, 0)}), refuses("no_live_grant", "expired"))

	end := requestEnd.Add(time.Hour)
	n.must(by(shopOwner, GrantAccess{theirs, GrantTerms{domain.RoleFinance, &end}}))
	n.setClock(end)
	n.must(by(firmOwner, SendMessage{theirs, "The grant is over, and nobody has recorded it."}))
	n.setClock(end.Add(-time.Minute))
	n.refused(by(firmOwner, OpenClientAccount{theirs, ""}), refuses("no_live_grant", "expired"))
	n.must(by(clock, ExpireAccess{theirs}))
}
