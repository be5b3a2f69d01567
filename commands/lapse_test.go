package commands

import (
	"testing"
	"time"

	"github.com/collabledger/collabledger/domain"
)

func TestGrantEndCommands(t *testing.T) { run(t, grantEndScenarios()) }

// grantEndScenarios are what the clock records of a grant: its end, and the reminders before it.
func grantEndScenarios() []scenario {
	end := noon.AddDate(0, 3, 0)
	ending := history(active, until(end))
	expire, remind := ExpireAccess{theirs}, RemindGrantEnds{theirs}
	ended1 := domain.AccessExpired{Pair: firmAndShop, GrantID: grantID, AccessEpoch: 2, ExpiredAt: end}
	ended2 := ended1
	ended2.AccessEpoch = 3
	revoked := domain.AccessRevoked{Pair: firmAndShop, GrantID: grantID, AccessEpoch: 2}
	over := domain.CollaborationEnded{Pair: firmAndShop, Engagement: 1, EndedBy: domain.ClientSide, Reason: "done", AccessEpoch: 3}
	days := func(n int) time.Time { return end.Add(-time.Duration(n) * 24 * time.Hour) }
	reminded := func(n int, of time.Time) domain.Event {
		return domain.GrantEndReminded{Pair: firmAndShop, GrantID: grantID, DaysBefore: n, ExpiresAt: of}
	}
	later := end.AddDate(0, 0, 40)
	extended := domain.AccessExtended{Pair: firmAndShop, GrantID: grantID, ExpiresAt: later}
	changed := func(of time.Time) domain.Event {
		return domain.AccessChanged{Pair: firmAndShop, GrantID: grantID, RoleID: domain.RoleSales, RoleVersion: 1, Permissions: salesMay, AccessEpoch: 2, ExpiresAt: of}
	}
	return []scenario{
		{"at its end", ending, by(clock, expire).at(end), raises(ended1)},
		{"long after its end", ending, by(clock, expire).at(end.AddDate(5, 0, 0)), raises(ended1)},
		{"of a suspended one", history(ending, suspended), by(clock, expire).at(end), raises(ended2)},
		{"without standing", history(ending, terminated), by(clock, expire).at(end), raises(ended1)},
		{"of a client that has closed its account", history(ending, shopClosed), by(clock, expire).at(end), raises(ended1)},
		{"an unknown client", firm, by(clock, expire), misses("client_not_found")},
		{"a pair without history", market, by(clock, expire), misses("collaboration_not_found")},
		{"the client", ending, by(shopOwner, expire).at(end), forbids("system_required")},
		{"the consultancy", ending, by(firmOwner, expire).at(end), forbids("system_required")},
		{"a service", ending, by(operator, expire).at(end), forbids("system_required")},
		{"before the request is accepted", pending, by(clock, expire), refuses("collaboration_not_active", "pending")},
		{"after the collaboration ended", history(ending, revoked, over), by(clock, expire).at(end), refuses("collaboration_not_active", "ended")},
		{"without a grant", active, by(clock, expire), refuses("no_grant", "none")},
		{"after it was revoked", history(ending, revoked), by(clock, expire).at(end), refuses("no_grant", "revoked")},
		{"twice", history(ending, ended1), by(clock, expire).at(end), refuses("no_grant", "expired")},
		{"a grant without an end", inside, by(clock, expire), refuses("grant_without_end", "granted")},
		{"a microsecond before its end", ending, by(clock, expire).at(end.Add(-time.Microsecond)), refuses("not_due", "granted")},
		{"of a suspended one, before its end", history(ending, suspended), by(clock, expire), refuses("not_due", "suspended")},
		{"after it was extended", history(ending, extended), by(clock, expire).at(end), refuses("not_due", "granted")},

		{"30 days before", ending, by(clock, remind).at(days(30)), raises(reminded(30, end))},
		{"7 days before", history(ending, reminded(30, end)), by(clock, remind).at(days(7)), raises(reminded(7, end))},
		{"1 day before", history(ending, reminded(30, end), reminded(7, end)), by(clock, remind).at(days(1)), raises(reminded(1, end))},
		{"late, the one that is true then", ending, by(clock, remind).at(days(1).Add(-time.Microsecond)), raises(reminded(7, end))},
		{"of the new end, once it was extended", history(ending, reminded(30, end), reminded(7, end), extended), by(clock, remind).at(later.AddDate(0, 0, -30)), raises(reminded(30, later))},
		{"of the new end, once it was changed", history(ending, reminded(30, end), changed(later)), by(clock, remind).at(later.AddDate(0, 0, -30)), raises(reminded(30, later))},
		{"an unknown client", firm, by(clock, remind), misses("client_not_found")},
		{"a pair without history", market, by(clock, remind), misses("collaboration_not_found")},
		{"the client", ending, by(shopOwner, remind).at(days(7)), forbids("system_required")},
		{"a service", ending, by(operator, remind).at(days(7)), forbids("system_required")},
		{"after the collaboration ended", history(ending, revoked, over), by(clock, remind).at(days(7)), refuses("collaboration_not_active", "ended")},
		{"a client that has closed its account", history(ending, shopClosed), by(clock, remind).at(days(7)), refuses("account_closed", "closed")},
		{"without a grant", active, by(clock, remind), refuses("no_live_grant", "none")},
		{"of a suspended one", history(ending, suspended), by(clock, remind).at(days(7)), refuses("no_live_grant", "suspended")},
		{"after it was revoked", history(ending, revoked), by(clock, remind).at(days(7)), refuses("no_live_grant", "revoked")},
		{"at its end", ending, by(clock, remind).at(end), refuses("no_live_grant", "expired")},
		{"a grant without an end", inside, by(clock, remind), refuses("grant_without_end", "granted")},
		{"a microsecond before the first is due", ending, by(clock, remind).at(days(30).Add(-time.Microsecond)), refuses("not_due", "granted")},
		{"twice", history(ending, reminded(30, end)), by(clock, remind).at(days(30)), refuses("already_reminded", "granted")},
		{"twice, of a grant whose role was changed", history(ending, reminded(30, end), changed(end)), by(clock, remind).at(days(30)), refuses("already_reminded", "granted")},
	}
}
