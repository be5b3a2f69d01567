package commands

import (
	"testing"

	"github.com/collabledger/collabledger/domain"
)

func TestNotificationCommands(t *testing.T) { run(t, notificationScenarios()) }

func notificationScenarios() []scenario {
	mark := func(upTo int64) MarkNotificationsRead { return MarkNotificationsRead{UpTo: upTo} }
	read := func(a domain.Actor, upTo int64) domain.NotificationsRead {
		return domain.NotificationsRead{AccountID: a.AccountID, UserID: a.UserID, UpTo: upTo}
	}
	end := int64(len(market))
	return []scenario{
		{"the consultancy's owner", market, by(firmOwner, mark(3)), raises(read(firmOwner, 3))},
		{"any other member", market, by(shopFinance, mark(3)), raises(read(shopFinance, 3))},
		{"up to the log's end", market, by(firmOwner, mark(end)), raises(read(firmOwner, end))},
		{"further than before", history(market, read(firmOwner, 3)), by(firmOwner, mark(4)), raises(read(firmOwner, 4))},
		{"as far as before", history(market, read(firmOwner, 3)), by(firmOwner, mark(3)), nothing()},
		{"less far than before", history(market, read(firmOwner, 3)), by(firmOwner, mark(2)), nothing()},
		{"another has read as far", history(market, read(firmAdmin, 3)), by(firmOwner, mark(3)), raises(read(firmOwner, 3))},
		{"the same person has read as far for another firm", history(market, read(impostor, 3)), by(firmOwner, mark(3)), raises(read(firmOwner, 3))},
		{"nothing", market, byJSON(firmOwner, "MarkNotificationsRead", `{"upTo":0}`), malforms("upTo")},
		{"what has not happened yet", market, by(firmOwner, mark(end+1)), malforms("upTo")},
		{"what has not happened yet, a stranger", market, by(stranger, mark(end+1)), malforms("upTo")},
		{"a stranger", market, by(stranger, mark(3)), forbids("not_a_member")},
		{"a member who was removed", history(market, domain.MemberRemoved{AccountID: firmID, UserID: firmAdmin.UserID}), by(firmAdmin, mark(3)), forbids("not_a_member")},
		{"a service", market, by(operator, mark(3)), forbids("member_required")},
		{"a reviewer", market, by(maria, mark(3)), forbids("member_required")},
	}
}
