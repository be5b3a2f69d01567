package projections

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

// found lists the names that the public finds, in order.
func found(t *testing.T, engine *Engine, q DirectoryQuery) []string {
	t.Helper()
	names := []string{}
	for {
		page, err := engine.Directory(t.Context(), Viewer{}, q)
		require.NoError(t, err)
		for _, item := range page.Items {
			names = append(names, item.DisplayName)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return names
		}
	}
}

func TestTheDirectoryListsTheApprovedRevision(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		vidal := l.consultancy("Vidal")
		engine := l.open()
		l.run(engine)
		listed := func() []DirectoryItem {
			l.await(engine)
			page, err := engine.Directory(t.Context(), Viewer{}, DirectoryQuery{})
			require.NoError(t, err)
			return page.Items
		}
		submit := func(name string) {
			l.do(vidal.owner, commands.SubmitProfile{ConsultancyID: vidal.id, Profile: profile(name)})
		}
		l.do(vidal.owner, commands.ApplyForPartnership{ConsultancyID: vidal.id})
		l.do(operator, commands.AcceptPartnership{ConsultancyID: vidal.id})
		submit("First")
		require.Empty(t, listed(), "a revision under review is not listed")

		l.do(operator, commands.RejectProfile{ConsultancyID: vidal.id, Revision: 1, ReasonCode: "incomplete"})
		require.Empty(t, listed(), "a rejected revision is not listed")

		submit("Second")
		l.now = l.now.Add(time.Hour)
		since := l.now
		l.do(operator, commands.ApproveProfile{ConsultancyID: vidal.id, Revision: 2})
		second := []DirectoryItem{{ConsultancyID: vidal.id, Revision: 2, Profile: profile("Second"), ListedAt: since}}
		require.Equal(t, second, listed())

		submit("Third")
		submit("Fourth")
		require.Equal(t, second, listed(), "the approved revision stays while another one is under review")

		l.do(operator, commands.RejectProfile{ConsultancyID: vidal.id, Revision: 4, ReasonCode: "incomplete"})
		require.Equal(t, second, listed(), "and when that is rejected")

		submit("Fifth")
		l.now = l.now.Add(time.Hour)
		l.do(operator, commands.ApproveProfile{ConsultancyID: vidal.id, Revision: 5})
		require.Equal(t, []DirectoryItem{{ConsultancyID: vidal.id, Revision: 5, Profile: profile("Fifth"), ListedAt: since}}, listed())
		require.Empty(t, found(t, engine, DirectoryQuery{Text: "Second"}), "nothing is found by what an older revision said")
	})
}

func TestTheDirectoryListsOnlyPartnersInStandingWhoWishIt(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		vidal := l.partner("Vidal")
		engine := l.open()
		l.run(engine)
		listed := func() []string {
			l.await(engine)
			return found(t, engine, DirectoryQuery{Text: "vidal"})
		}
		require.Equal(t, []string{"Vidal"}, listed())

		l.do(vidal.owner, commands.UnlistProfile{ConsultancyID: vidal.id})
		require.Empty(t, listed(), "taken off at its own wish")
		l.do(vidal.owner, commands.RelistProfile{ConsultancyID: vidal.id})
		require.Equal(t, []string{"Vidal"}, listed())

		l.do(operator, commands.SuspendPartnership{ConsultancyID: vidal.id, Reason: domain.SuspendedForBreach})
		require.Empty(t, listed(), "suspended")
		l.do(operator, commands.ReinstatePartnership{ConsultancyID: vidal.id})
		require.Equal(t, []string{"Vidal"}, listed())

		l.do(operator, commands.TerminatePartnership{ConsultancyID: vidal.id, Reason: "terms_breached"})
		require.Empty(t, listed(), "terminated")
		require.Zero(t, number(t, engine, "SELECT count(*) FROM {directory_terms}"), "and found by nothing any more")
		l.do(vidal.owner, commands.ApplyForPartnership{ConsultancyID: vidal.id})
		l.do(operator, commands.AcceptPartnership{ConsultancyID: vidal.id})
		require.Empty(t, listed(), "who is accepted again begins with a new profile")
		l.do(vidal.owner, commands.SubmitProfile{ConsultancyID: vidal.id, Profile: profile("Vidal")})
		l.do(operator, commands.ApproveProfile{ConsultancyID: vidal.id, Revision: 2})
		require.Equal(t, []string{"Vidal"}, listed())

		l.do(vidal.owner, commands.CloseAccount{AccountID: vidal.id})
		require.Empty(t, listed(), "closed")
	})
}

func TestTheDirectoryIsSearched(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		for _, p := range []domain.Profile{
			{DisplayName: "Vidal Asesoría", Description: "Impuestos y nóminas.", Services: []string{"Bookkeeping", "Tax"}, Specialties: []string{"retail"}, Languages: []string{"es", "ca"}, Country: "ES", City: "Málaga"},
			{DisplayName: "Ábaco", Description: "Accounts for makers of Straßen.", Services: []string{"payroll"}, Languages: []string{"de"}, Country: "DE", City: "Köln"},
			{DisplayName: "zeta 42", Description: "Tax.", Services: []string{"tax advice"}, Languages: []string{"es"}, Country: "ES", City: "Malaga"},
		} {
			p.ContactEmail = "hola@firm.example"
			f := l.consultancy(p.DisplayName)
			l.do(f.owner, commands.ApplyForPartnership{ConsultancyID: f.id})
			l.do(operator, commands.AcceptPartnership{ConsultancyID: f.id})
			p.Specialties = append([]string{}, p.Specialties...)
			l.do(f.owner, commands.SubmitProfile{ConsultancyID: f.id, Profile: p})
			l.do(operator, commands.ApproveProfile{ConsultancyID: f.id, Revision: 1})
		}
		engine := l.caughtUp()
		const abaco, vidal, zeta = "Ábaco", "Vidal Asesoría", "zeta 42"
		for name, c := range map[string]struct {
			query DirectoryQuery
			want  []string
		}{
			"everything, by name":                  {DirectoryQuery{}, []string{abaco, vidal, zeta}},
			"page by page":                         {DirectoryQuery{Paging: Paging{Limit: 1}}, []string{abaco, vidal, zeta}},
			"without accents":                      {DirectoryQuery{Text: "asesoria"}, []string{vidal}},
			"with accents where there are none":    {DirectoryQuery{Text: "ZÉTA"}, []string{zeta}},
			"a letter that folds to two":           {DirectoryQuery{Text: "STRASSEN"}, []string{abaco}},
			"by the beginning of a word":           {DirectoryQuery{Text: "nomi"}, []string{vidal}},
			"not by its end":                       {DirectoryQuery{Text: "minas"}, []string{}},
			"all words must be found":              {DirectoryQuery{Text: "vidal payroll"}, []string{}},
			"in any order and field":               {DirectoryQuery{Text: "malaga, tax vidal!"}, []string{vidal}},
			"digits are words":                     {DirectoryQuery{Text: "42"}, []string{zeta}},
			"a wildcard of SQL is no wildcard":     {DirectoryQuery{Text: "v%l"}, []string{}},
			"by country":                           {DirectoryQuery{Country: "es"}, []string{vidal, zeta}},
			"by city, however it is written":       {DirectoryQuery{City: "MÁLAGA"}, []string{vidal, zeta}},
			"a filter is exact":                    {DirectoryQuery{City: "Mal"}, []string{}},
			"by service, which is more than words": {DirectoryQuery{Service: "tax"}, []string{vidal}},
			"by specialty":                         {DirectoryQuery{Specialty: "Retail"}, []string{vidal}},
			"a specialty is no service":            {DirectoryQuery{Service: "retail"}, []string{}},
			"by language":                          {DirectoryQuery{Language: "es"}, []string{vidal, zeta}},
			"by all at once":                       {DirectoryQuery{Text: "ta", Country: "ES", City: "malaga", Service: "tax advice", Language: "es"}, []string{zeta}},
		} {
			t.Run(name, func(t *testing.T) { require.Equal(t, c.want, found(t, engine, c.query)) })
		}
		for name, c := range map[string]struct {
			query DirectoryQuery
			field string
		}{
			"no word":           {DirectoryQuery{Text: "?!"}, "text"},
			"too many words":    {DirectoryQuery{Text: strings.Repeat("a ", maxSearchWords+1)}, "text"},
			"too long a text":   {DirectoryQuery{Text: strings.Repeat("a", maxSearchRunes+1)}, "text"},
			"too long a filter": {DirectoryQuery{City: strings.Repeat("a", maxSearchRunes+1)}, "city"},
			"a NUL":             {DirectoryQuery{Country: "E\x00"}, "country"},
			"no UTF-8":          {DirectoryQuery{Service: "\xff"}, "service"},
			"a cursor with NUL": {DirectoryQuery{Paging: Paging{Cursor: cursorOf(`{"name":"\u0000"}`)}}, "cursor"},
			"too large a page":  {DirectoryQuery{Paging: Paging{Limit: MaxPageItems + 1}}, "limit"},
		} {
			t.Run(name, func(t *testing.T) {
				_, err := engine.Directory(t.Context(), Viewer{}, c.query)
				require.Equal(t, domain.Malformed, domain.AsError(err).Kind)
				require.Equal(t, c.field, domain.AsError(err).Fields[0].Field)
			})
		}
	})
}

func TestAProfileOfVeryLongWordsIsListedAndFound(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		vidal := l.consultancy("Vidal")
		l.do(vidal.owner, commands.ApplyForPartnership{ConsultancyID: vidal.id})
		l.do(operator, commands.AcceptPartnership{ConsultancyID: vidal.id})
		long := profile("Vidal")
		long.Description = strings.Repeat("ñ", 4000)
		l.do(vidal.owner, commands.SubmitProfile{ConsultancyID: vidal.id, Profile: long})
		l.do(operator, commands.ApproveProfile{ConsultancyID: vidal.id, Revision: 1})
		require.Equal(t, []string{"Vidal"}, found(t, l.caughtUp(), DirectoryQuery{Text: strings.Repeat("Ñ", maxSearchRunes)}))
	})
}
