package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/collabledger/collabledger/audit"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
)

// tampered is a log whose bytes somebody has changed, as no store would let them.
type tampered struct {
	head    eventstore.Head
	records [][]byte
}

// tamper copies a log, for a test to change.
func (p *play) tamper() *tampered {
	p.t.Helper()
	head, err := p.store.Head(p.t.Context())
	require.NoError(p.t, err)
	records, err := p.store.ReadAll(p.t.Context(), 0, eventstore.MaxPageEvents)
	require.NoError(p.t, err)
	log := &tampered{head: head}
	for _, r := range records {
		log.records = append(log.records, r.Bytes)
	}
	return log
}

// replace changes what one record says; from must be there.
func (l *tampered) replace(position int, from, to string) {
	before := l.records[position-1]
	if !bytes.Contains(before, []byte(from)) {
		panic(fmt.Sprintf("record %d has no %q: %s", position, from, before))
	}
	l.records[position-1] = bytes.Replace(bytes.Clone(before), []byte(from), []byte(to), 1)
}

// Head is the head that the log had.
func (l *tampered) Head(context.Context) (eventstore.Head, error) { return l.head, nil }

// ReadAll reads records as a backend does: in the order in which they are stored, and of none it knows more than its bytes.
func (l *tampered) ReadAll(_ context.Context, after int64, limit int) ([]eventstore.Record, error) {
	var page []eventstore.Record
	for i, record := range l.records {
		if int64(i+1) <= after || len(page) == limit {
			continue
		}
		parsed, err := eventstore.ParseRecord(record)
		if err != nil {
			return nil, fmt.Errorf("read the log after position %d: %w", after, err)
		}
		page = append(page, parsed)
	}
	return page, nil
}

// wrongLog is a log that somebody has tampered with.
type wrongLog struct {
	name   string
	code   audit.Code
	tamper func(*tampered)
	at     []int64 // positions of the events told of
}

// field is the text of a record's attribute.
func field(record []byte, name string) string {
	_, rest, _ := strings.Cut(string(record), `"`+name+`":"`)
	value, _, _ := strings.Cut(rest, `"`)
	return `"` + name + `":"` + value + `"`
}

// The log that is tampered with: position 3 invites Núria, 4 lets her join, 5 and 6 are the same of Pere.
func wrongLogs() []wrongLog {
	return []wrongLog{
		{"the last event is gone", audit.PositionGap, func(l *tampered) { l.records = l.records[:5] }, nil},
		{"a position skipped", audit.PositionGap, func(l *tampered) { l.replace(6, `"sequence":"6"`, `"sequence":"7"`) }, []int64{7, 5}},
		{"a version skipped", audit.StreamVersionGap, func(l *tampered) { l.replace(6, `"streamversion":"3"`, `"streamversion":"4"`) }, []int64{6}},
		{"an id twice", audit.EventIDRepeated, func(l *tampered) { l.replace(6, field(l.records[5], "id"), field(l.records[4], "id")) }, []int64{6}},
		{"an id that is none", audit.RecordMalformed, func(l *tampered) { l.replace(6, field(l.records[5], "id"), `"id":"6"`) }, []int64{6}},
		{"an earlier time", audit.TimeBackwards, func(l *tampered) { l.replace(6, "T12:00:00", "T11:59:59") }, []int64{6, 5}},
		{"another log's record", audit.SourceForeign, func(l *tampered) {
			l.replace(6, "urn:uuid:"+l.head.Epoch.String(), "urn:uuid:"+uuid.NewString())
		}, []int64{6}},
		{"no CloudEvent", audit.RecordMalformed, func(l *tampered) { l.records[5] = []byte("{}") }, []int64{6}},
		{"another schema", audit.RecordMalformed, func(l *tampered) { l.replace(6, "/schemas/account.MemberJoined.v1.json", "/schemas/x.json") }, []int64{6}},
		{"an attribute too many", audit.RecordMalformed, func(l *tampered) { l.replace(6, `,"data":`, `,"note":"x","data":`) }, []int64{6}},
		{"an actor who is none", audit.RecordMalformed, func(l *tampered) {
			l.replace(2, `"actor":"service:billing"`, `"actor":"service:billing","onbehalfof":"nobody"`)
		}, []int64{2}},
		{"an actor without a name", audit.RecordMalformed, func(l *tampered) { l.replace(2, `"actor":"service:billing"`, `"actor":"service:"`) }, []int64{2}},
		{"a person who acts on behalf of another", audit.RecordMalformed, func(l *tampered) {
			name := pere.String()
			l.replace(6, `"actor":"`+name+`"`, `"actor":"`+lucia.String()+`","onbehalfof":"`+name+`"`)
		}, []int64{6}},
		{"a field too many", audit.EventMalformed, func(l *tampered) { l.replace(6, `"data":{`, `"data":{"extra":1,`) }, []int64{6}},
		{"a field too few", audit.EventMalformed, func(l *tampered) { l.replace(6, `,"role":"sales"`, ``) }, []int64{6}},
		{"fields in another order", audit.EventMalformed, func(l *tampered) {
			l.replace(6, `"data":{"accountId":"`+espiga.String()+`",`, `"data":{`)
			l.replace(6, `"role":"sales"}`, `"role":"sales","accountId":"`+espiga.String()+`"}`)
		}, []int64{6}},
		{"an event that nobody knows", audit.EventMalformed, func(l *tampered) {
			l.records[5] = bytes.ReplaceAll(l.records[5], []byte("account.MemberJoined.v1"), []byte("account.MemberGone.v1"))
		}, []int64{6}},
		{"a command that comes back", audit.CommandReused, func(l *tampered) {
			l.replace(6, field(l.records[5], "commandid"), field(l.records[3], "commandid"))
		}, []int64{6}},
		{"a command of two actors", audit.CommandMixed, func(l *tampered) {
			l.replace(6, field(l.records[5], "commandid"), field(l.records[4], "commandid"))
		}, []int64{6, 5}},
	}
}

func TestALogThatWasTamperedWithIsReported(t *testing.T) {
	p := newPlay(t)
	p.by(billing, account(vidal, domain.Consultancy, anna)).by(billing, account(espiga, domain.Business, lucia))
	p.joins(nuria, domain.RoleAccountManager, anna).joins(pere, domain.RoleSales, lucia)
	for _, w := range wrongLogs() {
		t.Run(string(w.code)+"/"+w.name, func(t *testing.T) {
			log := p.tamper()
			report, err := audit.Check(t.Context(), log, audit.Options{})
			require.NoError(t, err)
			require.Empty(t, report.Violations, "the log before")
			w.tamper(log)
			report, err = audit.Check(t.Context(), log, audit.Options{})
			require.NoError(t, err)
			require.Len(t, report.Violations, 1)
			violation := report.Violations[0]
			require.Equal(t, w.code, violation.Code, violation.Detail)
			var at []int64
			for _, e := range violation.Events {
				at = append(at, e.Position)
			}
			require.Equal(t, w.at, at)
		})
	}
}

func TestWhatIsNoRecordHidesNoneOfItsNeighbours(t *testing.T) {
	p := newPlay(t)
	registered(p)
	log := p.tamper()
	log.records[2] = []byte("nothing")
	report, err := audit.Check(t.Context(), log, audit.Options{})
	require.NoError(t, err)
	require.EqualValues(t, 6, report.Events)
	require.Equal(t, audit.RecordMalformed, report.Violations[0].Code)
	require.EqualValues(t, 3, report.Violations[0].Events[0].Position)
	shown, err := json.Marshal(report.Violations[0].Events[0])
	require.NoError(t, err)
	require.JSONEq(t, `{"position":3}`, string(shown))
}

// No type of event goes unchecked: each is held at least to the stream that its fields name.
func TestEveryTypeOfEventIsChecked(t *testing.T) {
	for _, e := range domain.Versions() {
		log := logOf([]domain.EventType{e})
		stream := streamOf(e.Example)
		log.replace(1, stream.ID.String(), "0192f3c4-0000-7000-8000-00000000ffff")
		report, err := audit.Check(t.Context(), log, audit.Options{})
		require.NoError(t, err)
		require.True(t, slices.ContainsFunc(report.Violations, func(v audit.Violation) bool { return v.Code == audit.StreamWrong }), e.Name)
	}
}

// Whatever follows whatever, a check goes on to the end.
func TestEventsInAnyOrderAreCheckedToTheEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		order := rapid.Permutation(domain.Versions()).Draw(t, "order")
		report, err := audit.Check(context.Background(), logOf(order), audit.Options{})
		require.NoError(t, err)
		require.EqualValues(t, len(order), report.Events)
		require.NotZero(t, report.Found)
		for _, v := range report.Violations {
			require.NotEmpty(t, v.Source)
			require.NotContains(t, v.Detail, "%!")
		}
	})
}

// logOf is a log of examples of events, one of each of the types.
func logOf(types []domain.EventType) *tampered {
	log := &tampered{head: eventstore.Head{Epoch: uuid.MustParse("0192f3c4-0000-7000-8000-0000000000ff"), Position: int64(len(types))}}
	versions := map[eventstore.StreamID]int{}
	for i, e := range types {
		data, err := json.Marshal(e.Example)
		if err != nil {
			panic(err)
		}
		stream := streamOf(e.Example)
		versions[stream]++
		log.records = append(log.records, fmt.Appendf(nil, `{"specversion":"1.0","id":"%s","source":"urn:uuid:%s","type":"%s","subject":"%s","time":"2026-03-02T12:00:00.000000Z",`+
			`"datacontenttype":"application/json","dataschema":"/schemas/%s.json","sequence":"%d","streamversion":"%d","actor":"%s","commandid":"%s","data":%s}`,
			uuid.New(), log.head.Epoch, e.Name, stream, e.Name, i+1, versions[stream], lucia, uuid.New(), data))
	}
	return log
}

// gone is a log whose database does not answer.
type gone struct{ *tampered }

var errGone = errors.New("the database is gone")

func (gone) ReadAll(context.Context, int64, int) ([]eventstore.Record, error) { return nil, errGone }

func TestALogThatCannotBeReadIsAnErrorAndNoViolation(t *testing.T) {
	_, err := audit.Check(t.Context(), gone{&tampered{head: eventstore.Head{Position: 1}}}, audit.Options{})
	require.ErrorIs(t, err, errGone)
}

func TestAReportIsBounded(t *testing.T) {
	p := newPlay(t)
	p.by(billing, account(espiga, domain.Business, lucia))
	events := make([]domain.Event, audit.MaxFindings+5)
	for i := range events {
		events[i] = domain.TaskRaised{TaskID: domain.TaskID(espiga, fmt.Sprint(i)), ClientID: espiga, Section: domain.Sales, ExternalRef: fmt.Sprint(i)}
	}
	p.by(reviewer, events...)
	var told []int64
	report, err := audit.Check(t.Context(), p.store, audit.Options{Progress: func(done, total int64) { told = append(told, done, total) }})
	require.NoError(t, err)
	require.Equal(t, audit.MaxFindings+5, report.Found)
	require.Len(t, report.Violations, audit.MaxFindings)
	require.Equal(t, []int64{1000, audit.MaxFindings + 6, audit.MaxFindings + 6, audit.MaxFindings + 6}, told)
}
