package reactors

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/internal/sqldb/sqldbtest"
	"github.com/collabledger/collabledger/projections"
)

// round records what is due now, all of it, as the clock does once a second, and tells what was recorded.
func (l *ledger) round(e *Engine) []domain.Event {
	l.t.Helper()
	after := l.head()
	require.NoError(l.t, l.models.Wait(l.t.Context(), after))
	for cursor, more := "", true; more; more = cursor != "" {
		var err error
		cursor, err = e.recordDue(l.t.Context(), cursor)
		require.NoError(l.t, err)
	}
	var events []domain.Event
	for _, h := range l.log(after) {
		require.Equal(l.t, "system:clock", h.actor)
		events = append(events, h.event)
	}
	return events
}

const (
	moment = time.Microsecond // the shortest time that the log knows
	day    = 24 * time.Hour
)

func TestTheClockRecordsWhatLapsesFromItsEndOn(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		clock := l.engine()
		vidal, soler, mas := l.partner("Vidal"), l.business("Soler"), l.business("Mas")
		invitation := l.do(vidal.owner, commands.InviteMember{
			AccountID: vidal.id, NewPerson: commands.NewPerson{Name: "Jordi Puig", Email: "jordi@firm.example"}, Role: domain.RoleAccountManager,
		}).Result.(commands.InvitationResult)
		invitationEnds := l.now().Add(domain.InvitationLasts)
		asked := domain.Pair(l.ask(vidal, mas))
		requestEnds := l.now().Add(domain.RequestLasts)
		worked := l.collaborate(vidal, soler)
		grantEnds := l.now().Add(12 * time.Hour)
		grant := l.grant(soler, worked, grantEnds)
		session := l.logIn(vidal.owner, worked)
		sessionEnds := l.now().Add(domain.MaxSessionLasts)

		for _, lapse := range []struct {
			end  time.Time
			want domain.Event
		}{
			{sessionEnds, domain.ClientAccountClosed{Pair: domain.Pair(worked), SessionID: session, Reason: domain.Lapsed}},
			{grantEnds, domain.AccessExpired{Pair: domain.Pair(worked), GrantID: grant, AccessEpoch: 2, ExpiredAt: grantEnds}},
			{invitationEnds, domain.InvitationExpired{AccountID: vidal.id, InvitationID: invitation.InvitationID, ExpiredAt: invitationEnds}},
			{requestEnds, domain.RequestExpired{Pair: asked, Engagement: 1, ExpiredAt: requestEnds}},
		} {
			l.set(lapse.end.Add(-moment))
			require.Empty(t, l.round(clock), "nothing lapses a moment before its end")
			l.set(lapse.end)
			require.Equal(t, []domain.Event{lapse.want}, l.round(clock))
			require.Empty(t, l.round(clock), "a lapse is recorded once")
		}
		l.isClean()
	})
}

func TestWhatEndedOtherwiseDoesNotLapse(t *testing.T) {
	l := newLedger(t, sqldbtest.SQLite(t))
	clock := l.engine()
	vidal, soler, mas := l.partner("Vidal"), l.business("Soler"), l.business("Mas")
	l.join(vidal, domain.RoleAccountManager)
	revoked := l.do(vidal.owner, commands.InviteMember{
		AccountID: vidal.id, NewPerson: commands.NewPerson{Name: "Jordi Puig", Email: "jordi@firm.example"}, Role: domain.RoleAccountManager,
	}).Result.(commands.InvitationResult)
	l.do(vidal.owner, commands.RevokeInvitation{AccountID: vidal.id, InvitationID: revoked.InvitationID})
	l.do(mas.owner, commands.WithdrawRequest{PairFields: l.ask(vidal, mas)})
	worked := l.collaborate(vidal, soler)
	l.grant(soler, worked, l.now().Add(time.Hour))
	l.do(soler.owner, commands.ChangeAccess{PairFields: worked, GrantTerms: commands.GrantTerms{RoleID: domain.RoleSales}})
	session := l.logIn(vidal.owner, worked)
	l.do(vidal.owner, commands.CloseClientAccount{SessionID: session})
	l.pass(2 * domain.RequestLasts)
	require.Empty(t, l.round(clock))
}

func TestAnInvitationThatIsSentAgainLapsesAgain(t *testing.T) {
	l := newLedger(t, sqldbtest.SQLite(t))
	clock, vidal := l.engine(), l.partner("Vidal")
	invitation := l.do(vidal.owner, commands.InviteMember{
		AccountID: vidal.id, NewPerson: commands.NewPerson{Name: "Jordi Puig", Email: "jordi@firm.example"}, Role: domain.RoleAccountManager,
	}).Result.(commands.InvitationResult).InvitationID
	for range 2 {
		l.pass(domain.InvitationLasts)
		require.Equal(t, []domain.Event{domain.InvitationExpired{AccountID: vidal.id, InvitationID: invitation, ExpiredAt: l.now()}}, l.round(clock))
		l.do(vidal.owner, commands.ResendInvitation{AccountID: vidal.id, InvitationID: invitation})
		require.Empty(t, l.round(clock))
	}
}

// Reminders are so many days of 24 hours before an end, whatever calendars and clocks on walls do meanwhile.
func TestTheClientIsReminded30And7And1DaysBeforeAGrantEnds(t *testing.T) {
	ends := []time.Time{
		time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC), // when Madrid's clocks change in autumn
		time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),   // the year's end
		time.Date(2027, 3, 28, 1, 0, 0, 0, time.UTC),  // when Madrid's clocks change in spring
		time.Date(2028, 2, 29, 0, 0, 0, 0, time.UTC),  // a leap day
		time.Date(2028, 3, 1, 12, 0, 0, 0, time.UTC),  // the day after it
	}
	eachLedger(t, func(t *testing.T, l *ledger) {
		l.set(time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC))
		clock, vidal := l.engine(), l.partner("Vidal")
		want := map[time.Time]domain.Event{}
		for _, end := range ends {
			soler := l.business("Soler")
			pair := l.collaborate(vidal, soler)
			grant := l.grant(soler, pair, end)
			for _, days := range []int{30, 7, 1} {
				want[end.Add(-time.Duration(days)*day)] = domain.GrantEndReminded{Pair: domain.Pair(pair), GrantID: grant, DaysBefore: days, ExpiresAt: end}
			}
			want[end] = domain.AccessExpired{Pair: domain.Pair(pair), GrantID: grant, AccessEpoch: 2, ExpiredAt: end}
		}
		require.Len(t, want, 4*len(ends))
		for _, due := range slices.SortedFunc(maps.Keys(want), time.Time.Compare) {
			l.set(due.Add(-moment))
			require.Empty(t, l.round(clock), "nothing comes a moment early")
			l.set(due)
			require.Equal(t, []domain.Event{want[due]}, l.round(clock))
			require.Empty(t, l.round(clock), "each comes once")
		}
		l.isClean()
	})
}

func TestRemindersOfThePastAreLeftOut(t *testing.T) {
	type days = map[int]int // on which day of the test a reminder comes, and how many days before the end it says that it is
	type acts = map[int]func(l *ledger, soler firm, pair commands.PairFields, in func(days int) time.Time)
	change := func(role domain.Role, end int) func(*ledger, firm, commands.PairFields, func(int) time.Time) {
		return func(l *ledger, soler firm, pair commands.PairFields, in func(int) time.Time) {
			terms := commands.GrantTerms{RoleID: role}
			if end > 0 {
				until := in(end)
				terms.ExpiresAt = &until
			}
			l.do(soler.owner, commands.ChangeAccess{PairFields: pair, GrantTerms: terms})
		}
	}
	suspend := func(l *ledger, soler firm, pair commands.PairFields, _ func(int) time.Time) {
		l.do(soler.owner, commands.SuspendAccess{PairFields: pair})
	}
	resume := func(l *ledger, soler firm, pair commands.PairFields, _ func(int) time.Time) {
		l.do(soler.owner, commands.ResumeAccess{PairFields: pair})
	}
	extend := func(l *ledger, soler firm, pair commands.PairFields, in func(int) time.Time) {
		l.do(soler.owner, commands.ExtendAccess{PairFields: pair, ExpiresAt: in(40)})
	}
	cases := map[string]struct {
		lasts int  // days that the grant is made for
		then  acts // by day
		want  days
	}{
		"made for 20 days":                          {20, nil, days{13: 7, 19: 1}},
		"made for exactly 30 days":                  {30, nil, days{23: 7, 29: 1}},
		"made for half a week":                      {3, nil, days{2: 1}},
		"made for a day":                            {1, nil, days{}},
		"extended":                                  {8, acts{2: extend}, days{1: 7, 10: 30, 33: 7, 39: 1}},
		"extended to an end that is near":           {15, acts{14: extend}, days{8: 7, 14: 1, 33: 7, 39: 1}},
		"changed to an earlier end":                 {40, acts{1: change(domain.RoleFinance, 9)}, days{2: 7, 8: 1}},
		"changed to another end and back":           {40, acts{11: change(domain.RoleFinance, 30), 12: change(domain.RoleFinance, 40)}, days{10: 30, 33: 7, 39: 1}},
		"changed to another role with the same end": {35, acts{6: change(domain.RoleSales, 35)}, days{5: 30, 28: 7, 34: 1}},
		"changed to have no end":                    {40, acts{11: change(domain.RoleFinance, 0)}, days{10: 30}},
		"suspended":                                 {40, acts{1: suspend}, days{}},
		"suspended over a reminder, and resumed":    {31, acts{0: suspend, 3: resume}, days{24: 7, 30: 1}},
	}
	l := newLedger(t, sqldbtest.SQLite(t))
	clock, vidal, start := l.engine(), l.partner("Vidal"), l.now()
	in := func(days int) time.Time { return start.Add(time.Duration(days) * day) }
	clients, named, got := map[string]firm{}, map[uuid.UUID]string{}, map[string]days{}
	for name, c := range cases {
		soler := l.business("Soler")
		l.grant(soler, l.collaborate(vidal, soler), in(c.lasts))
		clients[name], named[soler.id], got[name] = soler, name, days{}
	}
	for today := range 41 {
		l.set(in(today))
		for _, event := range l.round(clock) {
			if reminded, ok := event.(domain.GrantEndReminded); ok {
				got[named[reminded.ClientID]][today] = reminded.DaysBefore
			}
		}
		for name, c := range cases {
			if act := c.then[today]; act != nil {
				act(l, clients[name], pair(vidal, clients[name]), in)
			}
		}
	}
	for name, c := range cases {
		require.Equal(t, c.want, got[name], name)
	}
}

func TestALateClockGivesTheReminderThatIsTrueThen(t *testing.T) {
	l := newLedger(t, sqldbtest.SQLite(t))
	clock, vidal, soler := l.engine(), l.partner("Vidal"), l.business("Soler")
	pair := l.collaborate(vidal, soler)
	end := l.now().Add(60 * day)
	l.grant(soler, pair, end)
	l.set(end.Add(-6 * day))
	require.Equal(t, 7, l.round(clock)[0].(domain.GrantEndReminded).DaysBefore)
	l.set(end.Add(-day))
	require.Equal(t, 1, l.round(clock)[0].(domain.GrantEndReminded).DaysBefore)
}

func TestAClockThatGoesBackwardsEndsNothingEarly(t *testing.T) {
	l := newLedger(t, sqldbtest.SQLite(t))
	clock, vidal, soler := l.engine(), l.partner("Vidal"), l.business("Soler")
	pair := l.collaborate(vidal, soler)
	start := l.now()
	end := start.Add(40 * day)
	l.grant(soler, pair, end)
	l.set(end.Add(-moment))
	require.Len(t, l.round(clock), 1, "the reminder that is true then")
	l.set(start.Add(-day))
	require.Empty(t, l.round(clock))
	l.set(end.Add(-moment))
	require.Empty(t, l.round(clock), "nor is anything told twice")
	l.set(end)
	require.Len(t, l.round(clock), 1)
	l.set(start)
	require.Empty(t, l.round(clock))
}

func TestTwoClocksRecordALapseOnce(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		one, other := l.engine(), l.engine()
		vidal, soler := l.partner("Vidal"), l.business("Soler")
		pair := l.collaborate(vidal, soler)
		l.grant(soler, pair)
		for range 30 {
			l.logIn(vidal.owner, pair)
		}
		l.pass(domain.MaxSessionLasts)
		after := l.head()
		require.NoError(t, l.models.Wait(t.Context(), after))
		done := make(chan error, 2)
		for _, clock := range []*Engine{one, other} {
			go func() {
				_, err := clock.recordDue(t.Context(), "")
				done <- err
			}()
		}
		require.NoError(t, <-done)
		require.NoError(t, <-done)
		require.Len(t, l.log(after), 30)
	})
}

func TestManyLapsesAreRecordedPageByPage(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		clock, vidal, soler := l.engine(), l.partner("Vidal"), l.business("Soler")
		pair := l.collaborate(vidal, soler)
		l.grant(soler, pair)
		for range projections.MaxPageItems + 50 {
			l.logIn(vidal.owner, pair)
		}
		l.pass(domain.MaxSessionLasts)
		after := l.head()
		require.NoError(t, l.models.Wait(t.Context(), after))
		next, err := clock.recordDue(t.Context(), "")
		require.NoError(t, err)
		require.Len(t, l.log(after), projections.MaxPageItems, "one page at a time")
		next, err = clock.recordDue(t.Context(), next)
		require.NoError(t, err)
		require.Empty(t, next)
		require.Len(t, l.log(after), projections.MaxPageItems+50)
	})
}

// The ids of the clock's commands can be foreseen by whoever sees the end in question.
func TestALapseIsRecordedAlsoWhereSomebodyHasUsedItsID(t *testing.T) {
	l := newLedger(t, sqldbtest.SQLite(t))
	clock, vidal, soler := l.engine(), l.partner("Vidal"), l.business("Soler")
	pair := l.collaborate(vidal, soler)
	end := l.now().Add(time.Hour)
	l.grant(soler, pair, end)
	foreseen, err := recording(projections.Deadline{
		Kind: projections.GrantEnds, Subject: domain.Pair(pair).CollaborationID(), Pair: domain.Pair(pair), DueAt: end, Until: end,
	})
	require.NoError(t, err)
	_, err = l.tryAs(foreseen.id, vidal.owner, commands.SendMessage{PairFields: pair, Body: "Hello"})
	require.NoError(t, err)
	l.set(end)
	require.Len(t, l.round(clock), 1)
	require.Empty(t, l.round(clock))
}

func TestTheClockRunsByItself(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		e := l.engine()
		stop := l.runs(e.Run)
		vidal, soler := l.partner("Vidal"), l.business("Soler")
		pair := l.collaborate(vidal, soler)
		l.grant(soler, pair)
		session := l.logIn(vidal.owner, pair)
		after := l.head()
		l.pass(domain.MaxSessionLasts)
		closed := domain.ClientAccountClosed{Pair: domain.Pair(pair), SessionID: session, Reason: domain.Lapsed}
		l.follows(after, closed)
		l.settled(e)

		stop()
		second := l.logIn(vidal.owner, pair)
		l.pass(domain.MaxSessionLasts)
		after = l.head()
		l.runs(l.engine().Run)
		closed.SessionID = second
		l.follows(after, closed)
	})
}

func TestTheClockKnowsEveryKindOfDeadline(t *testing.T) {
	ids := map[uuid.UUID]bool{}
	subject, end := uuid.New(), time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for _, kind := range []projections.DeadlineKind{
		projections.InvitationLapses, projections.RequestLapses, projections.GrantEnds, projections.GrantReminder, projections.SessionLapses,
	} {
		for _, until := range []time.Time{end, end.Add(moment)} {
			d := projections.Deadline{Kind: kind, Subject: subject, DueAt: end, Until: until}
			o, err := recording(d)
			require.NoError(t, err)
			ids[o.id] = true
			again, err := recording(d)
			require.NoError(t, err)
			require.Equal(t, o, again, "the same end is the same order")
		}
	}
	require.Len(t, ids, 10, "another end or another kind is another order")
	_, err := recording(projections.Deadline{Kind: "eclipse"})
	require.ErrorContains(t, err, "eclipse")
}
