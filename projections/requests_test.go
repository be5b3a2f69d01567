package projections

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

// inboxOf asks for a party's whole inbox as its own people see it.
func inboxOf(t testing.TB, engine *Engine, f firm, q RequestsQuery) []RequestItem {
	t.Helper()
	q.Party = f.id
	page, err := engine.Requests(t.Context(), f.viewer(), q)
	require.NoError(t, err)
	require.Empty(t, page.Next)
	return page.Items
}

// cursorOf is a cursor with a content that somebody made up.
func cursorOf(content string) string { return base64.RawURLEncoding.EncodeToString([]byte(content)) }

func TestTheInboxTellsHowEachPairStands(t *testing.T) {
	type step struct {
		by func(consultancy, client firm) domain.Actor
		do func(p commands.PairFields) commands.Command
	}
	byClient := func(_, client firm) domain.Actor { return client.owner }
	byConsultancy := func(consultancy, _ firm) domain.Actor { return consultancy.owner }
	write := step{byClient, func(p commands.PairFields) commands.Command {
		return commands.SendMessage{PairFields: p, Body: "Hello"}
	}}
	answer := step{byConsultancy, func(p commands.PairFields) commands.Command {
		return commands.SendMessage{PairFields: p, Body: "Welcome"}
	}}
	request := step{byClient, func(p commands.PairFields) commands.Command {
		return commands.RequestCollaboration{PairFields: p, Message: "Please"}
	}}
	accept := step{byConsultancy, func(p commands.PairFields) commands.Command { return commands.AcceptCollaboration{PairFields: p} }}
	decline := step{byConsultancy, func(p commands.PairFields) commands.Command {
		return commands.DeclineCollaboration{PairFields: p, ReasonCode: domain.DeclinedOther}
	}}
	withdraw := step{byClient, func(p commands.PairFields) commands.Command { return commands.WithdrawRequest{PairFields: p} }}
	block := step{byConsultancy, func(p commands.PairFields) commands.Command { return commands.BlockClient{PairFields: p} }}
	unblock := step{byConsultancy, func(p commands.PairFields) commands.Command { return commands.UnblockClient{PairFields: p} }}
	end := step{byClient, func(p commands.PairFields) commands.Command {
		return commands.EndCollaboration{PairFields: p, Reason: "Done"}
	}}
	read := step{byConsultancy, func(p commands.PairFields) commands.Command { return commands.MarkConversationRead{PairFields: p} }}

	// Each step happens a minute after the one before, the first one at minute 1. -1: nothing waits.
	cases := map[string]struct {
		steps        []step
		status       RequestStatus
		waitingSince int
		unread       [2]int // by the consultancy, by the client
		message      string
	}{
		"an enquiry waits from its first message":         {[]step{write, write}, RequestEnquiry, 1, [2]int{2, 0}, "Hello"},
		"an answered enquiry does not wait":               {[]step{write, answer}, RequestEnquiry, -1, [2]int{0, 1}, "Welcome"},
		"an enquiry waits again after the answer":         {[]step{write, answer, write, write}, RequestEnquiry, 3, [2]int{2, 0}, "Hello"},
		"reading is no answer":                            {[]step{write, read}, RequestEnquiry, 1, [2]int{0, 0}, "Hello"},
		"a request waits from when it was made":           {[]step{write, answer, request}, RequestPending, 3, [2]int{1, 0}, "Please"},
		"an answer by message leaves the request waiting": {[]step{request, answer}, RequestPending, 1, [2]int{0, 1}, "Welcome"},
		"accepted":                           {[]step{request, accept}, RequestApproved, -1, [2]int{1, 0}, "Please"},
		"declined":                           {[]step{request, decline}, RequestDeclined, -1, [2]int{1, 0}, "Please"},
		"withdrawn":                          {[]step{request, withdraw}, RequestCancelled, -1, [2]int{1, 0}, "Please"},
		"ended":                              {[]step{request, accept, end}, RequestEnded, -1, [2]int{1, 0}, "Please"},
		"asked again":                        {[]step{request, decline, request}, RequestPending, 3, [2]int{2, 0}, "Please"},
		"blocked while enquiring":            {[]step{write, block}, RequestBlocked, -1, [2]int{1, 0}, "Hello"},
		"unblocked, the enquiry waits on":    {[]step{write, block, unblock}, RequestEnquiry, 1, [2]int{1, 0}, "Hello"},
		"a block declines a pending request": {[]step{request, block, unblock}, RequestDeclined, -1, [2]int{1, 0}, "Please"},
	}
	eachLedger(t, func(t *testing.T, l *ledger) {
		vidal := l.partner("Vidal")
		clients, began := map[string]firm{}, map[string]time.Time{}
		for name, c := range cases {
			clients[name], began[name] = l.business(name), l.now
			for _, s := range c.steps {
				l.now = l.now.Add(time.Minute)
				l.do(s.by(vidal, clients[name]), s.do(pair(vidal, clients[name])))
			}
		}
		engine := l.caughtUp()
		lines := map[string]RequestItem{}
		for _, item := range inboxOf(t, engine, vidal, RequestsQuery{}) {
			lines[item.ClientName] = item
		}
		require.Len(t, lines, len(cases))
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				line := lines[name]
				require.Equal(t, c.status, line.Status)
				require.Equal(t, c.message, line.LastMessage)
				require.Equal(t, "Vidal", line.ConsultancyName)
				if c.waitingSince < 0 {
					require.Nil(t, line.WaitingSince)
				} else {
					require.NotNil(t, line.WaitingSince)
					require.WithinDuration(t, began[name].Add(time.Duration(c.waitingSince)*time.Minute), *line.WaitingSince, 0)
				}
				require.Equal(t, c.status == RequestPending, line.ExpiresAt != nil)
				mine := inboxOf(t, engine, clients[name], RequestsQuery{})
				require.Len(t, mine, 1)
				require.Equal(t, c.unread, [2]int{line.Unread, mine[0].Unread})
			})
		}
	})
}

func TestALapsedRequestIsCancelledAsOfTheQuery(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		vidal, bar := l.partner("Vidal"), l.business("Bar")
		l.do(bar.owner, commands.RequestCollaboration{PairFields: pair(vidal, bar), Message: "Please"})
		engine := l.caughtUp()

		l.now = l.now.Add(domain.RequestLasts - time.Microsecond)
		require.Len(t, inboxOf(t, engine, vidal, RequestsQuery{Status: RequestPending}), 1)
		require.Empty(t, inboxOf(t, engine, vidal, RequestsQuery{Status: RequestCancelled}))

		l.now = l.now.Add(time.Microsecond)
		require.Empty(t, inboxOf(t, engine, vidal, RequestsQuery{Status: RequestPending}))
		lapsed := inboxOf(t, engine, vidal, RequestsQuery{Status: RequestCancelled})
		require.Len(t, lapsed, 1)
		require.Nil(t, lapsed[0].WaitingSince)
		require.Nil(t, lapsed[0].ExpiresAt)
	})
}

func TestTheInboxShowsTheBeginningOfALongMessage(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		vidal, bar := l.partner("Vidal"), l.business("Bar")
		l.do(bar.owner, commands.SendMessage{PairFields: pair(vidal, bar), Body: strings.Repeat("ñ", maxPreviewRunes+1)})
		require.Equal(t, strings.Repeat("ñ", maxPreviewRunes), inboxOf(t, l.caughtUp(), vidal, RequestsQuery{})[0].LastMessage)
	})
}

func TestTheInboxIsSortedAndPaged(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		vidal := l.partner("Vidal")
		// Met in this order: Ávila waits longest, Cal has been declined, Bar waits, and Zoo was answered last.
		avila, cal, bar, zoo := l.business("Ávila"), l.business("cal"), l.business("Bar"), l.business("Zoo")
		for _, client := range []firm{avila, cal, bar, zoo} {
			l.now = l.now.Add(time.Minute)
			l.do(client.owner, commands.RequestCollaboration{PairFields: pair(vidal, client), Message: "Please"})
		}
		l.do(vidal.owner, commands.DeclineCollaboration{PairFields: pair(vidal, cal), ReasonCode: domain.DeclinedOther})
		l.do(vidal.owner, commands.AcceptCollaboration{PairFields: pair(vidal, zoo)})
		engine := l.caughtUp()
		for sort, want := range map[string][]string{
			"":        {"Ávila", "Bar", "Zoo", "cal"},
			"waiting": {"Ávila", "Bar", "Zoo", "cal"},
			"recent":  {"Zoo", "Bar", "cal", "Ávila"},
			"name":    {"Ávila", "Bar", "cal", "Zoo"},
		} {
			for limit := 1; limit <= len(want)+1; limit++ {
				var got []string
				query := RequestsQuery{Party: vidal.id, Sort: sort, Paging: Paging{Limit: limit}}
				for {
					page, err := engine.Requests(t.Context(), vidal.viewer(), query)
					require.NoError(t, err)
					require.LessOrEqual(t, len(page.Items), limit)
					for _, item := range page.Items {
						got = append(got, item.ClientName)
					}
					if query.Cursor = page.Next; query.Cursor == "" {
						break
					}
				}
				require.Equal(t, want, got, "sort %q, limit %d", sort, limit)
			}
		}
	})
}

func TestTheInboxRefusesWhatMakesNoSense(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		vidal, other := l.partner("Vidal"), l.business("Other")
		for range 2 {
			client := l.business("Bar")
			l.do(client.owner, commands.SendMessage{PairFields: pair(vidal, client), Body: "Hello"})
		}
		engine := l.caughtUp()
		byName, err := engine.Requests(t.Context(), vidal.viewer(), RequestsQuery{Party: vidal.id, Sort: "name", Paging: Paging{Limit: 1}})
		require.NoError(t, err)
		require.NotEmpty(t, byName.Next)

		for name, c := range map[string]struct {
			query RequestsQuery
			code  string
			field string
		}{
			"another's inbox":            {RequestsQuery{Party: other.id}, "not_your_account", ""},
			"no party":                   {RequestsQuery{}, "invalid", "party"},
			"an unknown status":          {RequestsQuery{Party: vidal.id, Status: "open"}, "invalid", "status"},
			"an unknown order":           {RequestsQuery{Party: vidal.id, Sort: "size"}, "invalid", "sort"},
			"too large a page":           {RequestsQuery{Party: vidal.id, Paging: Paging{Limit: MaxPageItems + 1}}, "invalid", "limit"},
			"a negative page":            {RequestsQuery{Party: vidal.id, Paging: Paging{Limit: -1}}, "invalid", "limit"},
			"a cursor made up":           {RequestsQuery{Party: vidal.id, Paging: Paging{Cursor: "%%%"}}, "invalid", "cursor"},
			"a cursor of no JSON":        {RequestsQuery{Party: vidal.id, Paging: Paging{Cursor: "AAAA"}}, "invalid", "cursor"},
			"a cursor with a NUL":        {RequestsQuery{Party: vidal.id, Sort: "name", Paging: Paging{Cursor: cursorOf(`{"sort":"name","text":"\u0000"}`)}}, "invalid", "cursor"},
			"a cursor of another order":  {RequestsQuery{Party: vidal.id, Paging: Paging{Cursor: byName.Next}}, "invalid", "cursor"},
			"a cursor of another's kind": {RequestsQuery{Party: vidal.id, Paging: Paging{Cursor: cursorOf(`17`)}}, "invalid", "cursor"},
		} {
			t.Run(name, func(t *testing.T) {
				_, err := engine.Requests(t.Context(), vidal.viewer(), c.query)
				refusal := domain.AsError(err)
				require.Equal(t, c.code, refusal.Code)
				if c.field != "" {
					require.Equal(t, c.field, refusal.Fields[0].Field)
				}
			})
		}

		page, err := engine.Requests(t.Context(), ViewerFor(operator), RequestsQuery{Party: uuid.New()})
		require.NoError(t, err)
		require.Empty(t, page.Items)
	})
}
