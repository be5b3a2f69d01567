package audit_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/audit"
	"github.com/collabledger/collabledger/domain"
)

// example reads one of the documented policies.
func example(t *testing.T, name string) *audit.Policy {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "docs", "policies", name+".json"))
	require.NoError(t, err)
	return parsed(t, string(data))
}

func parsed(t *testing.T, text string) *audit.Policy {
	t.Helper()
	policy, err := audit.ParsePolicy([]byte(text))
	require.NoError(t, err)
	return policy
}

// refused is what a policy would have refused: each with its rule and the events told of.
func (p *play) refused(policy *audit.Policy) []string {
	p.t.Helper()
	p.policy = policy
	report := p.check()
	require.Empty(p.t, report.Violations)
	require.Len(p.t, report.Refused, report.Denied)
	told := []string{}
	for _, r := range report.Refused {
		require.NotEmpty(p.t, r.Detail)
		require.Equal(p.t, "policy", r.Source)
		told = append(told, string(r.Code)+": "+strings.Join(eventNames(r.Events), " "))
	}
	return told
}

// grantUntil grants access for so long, or without an end.
func (p *play) grantUntil(role domain.Role, lasts time.Duration) *play {
	p.t.Helper()
	e := grants(p, grantID, 1)
	e.ExpiresAt = time.Time{}
	if lasts != 0 {
		e.ExpiresAt = p.now.Add(lasts)
	}
	if e.RoleID = role; role == domain.RoleAdministrator {
		e.Permissions = domain.Permissions{}
		for _, section := range domain.Sections() {
			e.Permissions[section] = domain.Edit
		}
	}
	return p.by(lucia, e)
}

func TestTheDocumentedPolicies(t *testing.T) {
	for _, c := range []struct {
		name, policy string
		happens      func(*play)
		refused      []string
	}{
		{"90 days", "no-long-grants", func(p *play) { p.grantUntil(domain.RoleFinance, 90*day) }, []string{}},
		{"a moment more than 90 days", "no-long-grants", func(p *play) { p.grantUntil(domain.RoleFinance, 90*day+time.Microsecond) }, []string{"no-long-grants: AccessGranted"}},
		{"no end", "no-long-grants", func(p *play) { p.grantUntil(domain.RoleFinance, 0) }, []string{"no-long-grants: AccessGranted"}},
		{"extended too far", "no-long-grants", func(p *play) {
			p.grantUntil(domain.RoleFinance, 90*day).after(day).by(lucia, domain.AccessExtended{Pair: pair, GrantID: grantID, ExpiresAt: p.now.Add(91 * day)})
		}, []string{"no-long-extensions: AccessExtended"}},
		{"within the grant", "no-session-outside-the-grant", func(p *play) { p.grantUntil(domain.RoleFinance, day).by(anna, opens(p, anna)) }, []string{}},
		{"within a grant without an end", "no-session-outside-the-grant", func(p *play) { p.grantUntil(domain.RoleFinance, 0).by(anna, opens(p, anna)) }, []string{}},
		{"without a purpose", "no-session-without-purpose", func(p *play) { p.grantUntil(domain.RoleFinance, day).by(anna, opens(p, anna)) },
			[]string{"no-session-without-purpose: ClientAccountOpened"}},
		{"with a purpose", "no-session-without-purpose", func(p *play) {
			e := opens(p, anna)
			e.Purpose = "Monthly closing"
			p.grantUntil(domain.RoleFinance, day).by(anna, e)
		}, []string{}},
		{"an administrator", "no-administrators", func(p *play) { p.grantUntil(domain.RoleAdministrator, day) }, []string{"no-administrators: AccessGranted"}},
		{"no administrator", "no-administrators", func(p *play) { p.grantUntil(domain.RoleFinance, day) }, []string{}},
		{"never attested and still held", "attested-every-180-days", func(p *play) {
			p.grantUntil(domain.RoleFinance, 0).after(181*day).by(billing, raised())
		}, []string{"attested-every-180-days: AccessGranted"}},
		{"attested late", "attested-every-180-days", func(p *play) {
			p.grantUntil(domain.RoleFinance, 0).after(181*day).by(lucia, domain.AccessAttested{Pair: pair, GrantID: grantID, AttestedAt: p.now})
		}, []string{"attested-every-180-days: AccessGranted AccessAttested"}},
		{"attested in time, and revoked late", "attested-every-180-days", func(p *play) {
			p.grantUntil(domain.RoleFinance, 0).after(180*day).by(lucia, domain.AccessAttested{Pair: pair, GrantID: grantID, AttestedAt: p.now})
			p.after(181*day).by(lucia, domain.AccessRevoked{Pair: pair, GrantID: grantID, AccessEpoch: 2})
		}, []string{"attested-every-180-days: AccessAttested AccessRevoked"}},
		{"ended before it was due", "attested-every-180-days", func(p *play) {
			p.grantUntil(domain.RoleFinance, 170*day).after(300*day).by(billing, raised())
		}, []string{}},
	} {
		t.Run(c.policy+"/"+c.name, func(t *testing.T) {
			p := newPlay(t)
			c.happens(active(p))
			require.Equal(t, c.refused, p.refused(example(t, c.policy)))
		})
	}
}

func TestASessionOutsideItsGrantIsRefusedByPolicyToo(t *testing.T) {
	p := newPlay(t)
	granted(p).after(10*day-90*time.Minute).by(anna, opens(p, anna))
	p.by(lucia, domain.AccessRevoked{Pair: pair, GrantID: grantID, AccessEpoch: 2})
	late := opens(p, anna)
	late.SessionID = otherSession
	p.by(anna, late)
	p.policy = example(t, "no-session-outside-the-grant")
	report := p.check()
	require.Equal(t, 3, report.Denied)
	require.EqualValues(t, "a-session-ends-with-its-grant", report.Refused[0].Code)
	require.EqualValues(t, "a-session-has-a-live-grant", report.Refused[1].Code)
	require.Equal(t, []string{"ClientAccountOpened", "AccessRevoked"}, eventNames(report.Refused[1].Events))
}

func TestEveryOperator(t *testing.T) {
	p := newPlay(t)
	p.by(billing, account(vidal, domain.Consultancy, anna)).by(billing, account(espiga, domain.Business, lucia))
	p.by(anna, domain.PartnershipApplied{ConsultancyID: vidal}).by(reviewer, domain.PartnershipAccepted{ConsultancyID: vidal})
	e := submitted(1)
	e.Languages, e.Services = []string{"es", "ca"}, []string{"bookkeeping"}
	p.by(anna, e)
	for condition, holds := range map[string]bool{
		`{"field":"revision","atLeast":1}`:                                 true,
		`{"field":"revision","atLeast":2}`:                                 false,
		`{"field":"revision","atMost":1}`:                                  true,
		`{"field":"revision","atMost":0}`:                                  false,
		`{"field":"revision","equals":1}`:                                  true,
		`{"field":"revision","oneOf":[2,3]}`:                               false,
		`{"field":"revision","present":false}`:                             false,
		`{"field":"time","atMost":"2026-03-02T12:00:00Z"}`:                 true,
		`{"field":"time","atLeast":"2026-03-02T12:00:01Z"}`:                false,
		`{"field":"time","since":"time","atLeast":"1s"}`:                   false,
		`{"field":"languages","oneOf":["es","ca","en"]}`:                   true,
		`{"field":"languages","oneOf":["es"]}`:                             false,
		`{"field":"languages","noneOf":["en"]}`:                            true,
		`{"field":"languages","noneOf":["en","ca"]}`:                       false,
		`{"field":"languages","present":true}`:                             true,
		`{"field":"specialties","present":true}`:                           false,
		`{"field":"specialties","noneOf":["retail"]}`:                      true,
		`{"field":"specialties","oneOf":["retail"]}`:                       false,
		`{"field":"website","present":false}`:                              true,
		`{"field":"website","equals":"https://x.example"}`:                 false,
		`{"field":"actor.kind","equals":"user"}`:                           true,
		`{"field":"actor.role","oneOf":["owner","administrator"]}`:         true,
		`{"field":"actor.role","noneOf":["owner"]}`:                        false,
		`{"field":"actor.accountId","equals":{"field":"consultancyId"}}`:   true,
		`{"field":"actor.accountId","equals":{"field":"actor.userId"}}`:    false,
		`{"field":"submittedBy","equals":"` + anna.String() + `"}`:         true,
		`{"field":"displayName","present":true}`:                           false,
		`{"field":"consultancyId","noneOf":["` + vidal.String() + `"]}`:    false,
		`{"field":"consultancyId","oneOf":["x","` + vidal.String() + `"]}`: true,
	} {
		policy := parsed(t, `{"rules":[{"name":"r","on":"ProfileSubmitted","require":[`+condition+`]}]}`)
		require.Equal(t, holds, len(p.refused(policy)) == 0, condition)
	}
}

func TestFactsOfTheContext(t *testing.T) {
	p := newPlay(t)
	granted(p).by(anna, opens(p, anna))
	p.by(lucia, domain.AccessSuspended{Pair: pair, GrantID: grantID, AccessEpoch: 2})
	for condition, refusedOf := range map[string][]string{
		`{"field":"actor.side","equals":"consultancy"}`:             {"AccessSuspended"},
		`{"field":"grant.status","equals":"granted"}`:               {},
		`{"field":"grant.live","equals":false}`:                     {"ClientAccountOpened", "AccessSuspended"},
		`{"field":"grant.roleId","equals":"finance"}`:               {},
		`{"field":"time","since":"grant.grantedAt","atMost":"59m"}`: {"ClientAccountOpened", "AccessSuspended"},
		`{"field":"time","since":"grant.attestedAt","atMost":"1h"}`: {},
		`{"field":"grant.expiresAt","since":"time","atLeast":"9d"}`: {},
		`{"field":"collaboration.status","equals":"active"}`:        {},
		`{"field":"collaboration.engagement","equals":1}`:           {},
		`{"field":"client.plan","oneOf":["premium"]}`:               {"ClientAccountOpened", "AccessSuspended"},
		`{"field":"partnership.status","equals":"accepted"}`:        {},
		`{"field":"grantId","equals":{"field":"grant.grantId"}}`:    {},
		`{"field":"accessEpoch","atMost":1}`:                        {"AccessSuspended"},
	} {
		policy := parsed(t, `{"rules":[{"name":"r","on":["ClientAccountOpened","AccessSuspended"],"require":[`+condition+`]}]}`)
		of := []string{}
		for _, told := range p.refused(policy) {
			of = append(of, strings.Fields(told)[1])
		}
		require.Equal(t, refusedOf, of, condition)
	}
	opened := parsed(t, `{"rules":[{"name":"r","on":"ClientAccountOpened","when":[{"field":"permissions.payroll","equals":"none"}],"require":[{"field":"permissions.sales","equals":"read"}]}]}`)
	require.Equal(t, []string{"r: ClientAccountOpened"}, p.refused(opened))
	p.by(anna, domain.NotificationsRead{AccountID: vidal, UserID: anna.UserID, UpTo: 5})
	read := parsed(t, `{"rules":[{"name":"r","on":"NotificationsRead","require":[{"field":"upTo","atMost":4}]}]}`)
	require.Equal(t, []string{"r: NotificationsRead"}, p.refused(read))
	registered := parsed(t, `{"rules":[{"name":"r","on":"AccountRegistered","when":[{"field":"type","equals":"business"}],"require":[{"field":"owner.userId","equals":"x"}]}]}`)
	require.Equal(t, []string{"r: AccountRegistered"}, p.refused(registered))
}

func TestARefusalSaysWhatIsWrong(t *testing.T) {
	p := newPlay(t)
	active(p).grantUntil(domain.RoleFinance, 100*day+time.Hour)
	p.policy = example(t, "no-long-grants")
	require.Equal(t, `a grant ends within 90 days of being given or changed: expiresAt is 100d1h0m0s after time, and must meet {"field": "expiresAt", "since": "time", "atMost": "90d"}`,
		p.check().Refused[0].Detail)
}

func TestWhatAPolicyCannotSayIsAnErrorThatNamesRuleAndField(t *testing.T) {
	rule := func(on, require string) string {
		return `{"rules":[{"name":"r","on":` + on + `,"require":[` + require + `]}]}`
	}
	for _, c := range []struct{ name, policy, want string }{
		{"no JSON", `rules: []`, "not JSON with rules"},
		{"no rules", `{}`, "has 0 rules"},
		{"something else", `{"rules":[],"polices":[]}`, `unknown field "polices"`},
		{"two values", `{"rules":[]} {}`, "something follows"},
		{"a rule without a name", `{"rules":[{"on":"AccessGranted","require":[{"field":"time","present":true}]}]}`, "rule 1: name must be"},
		{"an unknown part", `{"rules":[{"name":"r","on":"AccessGranted","maxDays":90}]}`, `rule "r": json: unknown field "maxDays"`},
		{"no condition", `{"rules":[{"name":"r","on":"AccessGranted"}]}`, `rule "r": require must have a condition`},
		{"no event", `{"rules":[{"name":"r","require":[{"field":"time","present":true}]}]}`, `rule "r": on must name an event`},
		{"on a number", rule(`7`, `{"field":"time","present":true}`), `rule "r": on must be the name`},
		{"an unknown event", rule(`"AccessGiven"`, `{"field":"time","present":true}`), `rule "r": on: the ledger has no event "AccessGiven"`},
		{"a name twice", `{"rules":[{"name":"r","on":"AccessGranted","require":[{"field":"time","present":true}]},{"name":"r","on":"AccessGranted","require":[{"field":"time","present":true}]}]}`, `rule "r": another rule has its name`},
		{"an unknown field", rule(`"AccessGranted"`, `{"field":"expires","present":true}`), `rule "r": require 1: AccessGranted has no field "expires"`},
		{"a field of one event only", rule(`["AccessGranted","AccessRevoked"]`, `{"field":"expiresAt","present":true}`), `AccessRevoked has no field "expiresAt"`},
		{"a grant of no pair", rule(`"AccountClosed"`, `{"field":"grant.live","equals":true}`), `AccountClosed has no field "grant.live"`},
		{"a condition that is none", rule(`"AccessGranted"`, `7`), `rule "r": require 1: a condition must be an object`},
		{"no field", rule(`"AccessGranted"`, `{"present":true}`), `rule "r": require 1: field must name a field of AccessGranted`},
		{"no operator", rule(`"AccessGranted"`, `{"field":"expiresAt"}`), `expiresAt: a condition needs one of the operators`},
		{"an unknown operator", rule(`"AccessGranted"`, `{"field":"expiresAt","max":1}`), `expiresAt: there is no operator "max"`},
		{"two operators", rule(`"AccessGranted"`, `{"field":"accessEpoch","atLeast":1,"atMost":2}`), `accessEpoch: a condition has one operator`},
		{"a number for a text", rule(`"AccessGranted"`, `{"field":"roleId","equals":7}`), `roleId: equals: 7 is not a text`},
		{"a text for a number", rule(`"AccessGranted"`, `{"field":"accessEpoch","oneOf":["1"]}`), `accessEpoch: oneOf: "1" is not a number`},
		{"nothing for a text", rule(`"AccessGranted"`, `{"field":"roleId","equals":null}`), `roleId: equals: null is not a text`},
		{"an empty set", rule(`"AccessGranted"`, `{"field":"roleId","oneOf":[]}`), `roleId: oneOf: must be a list of values`},
		{"an order of texts", rule(`"AccessGranted"`, `{"field":"roleId","atMost":"sales"}`), `roleId: atMost: compares numbers and times, and the field is a text`},
		{"the time since a text", rule(`"AccessGranted"`, `{"field":"expiresAt","since":"roleId","atMost":"1d"}`), `expiresAt since roleId: both must be times`},
		{"since nothing", rule(`"AccessGranted"`, `{"field":"expiresAt","since":"then","atMost":"1d"}`), `AccessGranted has no field "then"`},
		{"a duration in weeks", rule(`"AccessGranted"`, `{"field":"expiresAt","since":"time","atMost":"2w"}`), `expiresAt: atMost: "2w" is not a duration`},
		{"a number for a duration", rule(`"AccessGranted"`, `{"field":"expiresAt","since":"time","atMost":90}`), `with since it must be a duration`},
		{"an endless duration", rule(`"AccessGranted"`, `{"field":"expiresAt","since":"time","atMost":"999999999d"}`), `longer than 100 years`},
		{"present since", rule(`"AccessGranted"`, `{"field":"expiresAt","since":"time","present":true}`), `expiresAt: present: goes without since`},
		{"fields of two kinds", rule(`"AccessGranted"`, `{"field":"roleId","equals":{"field":"time"}}`), `roleId is a text, and time is a time`},
		{"an unknown other field", rule(`"AccessGranted"`, `{"field":"roleId","equals":{"field":"role"}}`), `AccessGranted has no field "role"`},
		{"a list that equals", rule(`"ProfileSubmitted"`, `{"field":"languages","equals":"es"}`), `a list is compared by`},
		{"no time", rule(`"AccessGranted"`, `{"field":"time","atMost":"noon"}`), `time: atMost: "noon" is not a time`},
		{"too long", `{"rules":[` + strings.Repeat(" ", audit.MaxPolicyBytes) + `]}`, "more than 65536 bytes"},
		{"too many conditions", rule(`"AccessGranted"`, strings.Repeat(`{"field":"time","present":true},`, audit.MaxPolicyConditions)+`{"field":"time","present":true}`), "20 conditions each at most"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := audit.ParsePolicy([]byte(c.policy))
			require.ErrorContains(t, err, c.want)
		})
	}
}

// No field of an event hides a fact of the context.
func TestFactsHaveNamesOfTheirOwn(t *testing.T) {
	for _, e := range domain.Events() {
		short := strings.Split(e.Name, ".")[1]
		_, err := audit.ParsePolicy([]byte(`{"rules":[{"name":"r","on":"` + short + `","require":[{"field":"time","since":"time","atMost":"0s"},{"field":"actor.kind","equals":"user"}]}]}`))
		require.NoError(t, err, short)
	}
}

// FuzzParsePolicy: whatever a policy says, it is an error or can be tried on every event.
func FuzzParsePolicy(f *testing.F) {
	examples, err := filepath.Glob(filepath.Join("..", "docs", "policies", "*.json"))
	require.NoError(f, err)
	require.NotEmpty(f, examples)
	for _, path := range examples {
		data, err := os.ReadFile(path)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Add([]byte(`{"rules":[{"name":"r","on":"ProfileSubmitted","require":[{"field":"languages","oneOf":["es",null]}]}]}`))
	log := logOf(domain.Versions())
	f.Fuzz(func(t *testing.T, data []byte) {
		policy, err := audit.ParsePolicy(data)
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		report, err := audit.Check(t.Context(), log, audit.Options{Policy: policy})
		require.NoError(t, err)
		require.EqualValues(t, len(domain.Versions()), report.Events)
	})
}
