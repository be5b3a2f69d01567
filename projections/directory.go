package projections

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// Limits of the directory's search.
const (
	maxSearchRunes = 200 // of the text that is searched for, and of each filter
	maxSearchWords = 20  // in it
	maxTermRunes   = 64  // of a word or tag that the index tells apart
	fewPages       = 4   // of candidates that a search begins with, rather than with the first names of the directory
)

// directoryModel keeps the profiles of the consultancies (S3). Words and tags that they are found by are rows of a table of their
// own, so that searching is the same on both databases.
func directoryModel() model {
	return model{
		name: "directory", version: 3,
		streams: []string{domain.AccountStream, domain.PartnershipStream},
		tables:  []table{directory.table, directoryTerms.table},
		fold:    foldDirectory,
	}
}

// directoryRow is what the directory knows of a consultancy. It is listed while it is in standing and its account open, when it has
// an approved revision and has not taken that off the directory.
type directoryRow struct {
	consultancyID   uuid.UUID
	closed          bool // its account is
	inStanding      bool
	unlisted        bool // at its own wish
	listed          bool
	listedAt        time.Time // since when; zero while it is not listed
	revision        int       // the approved one; 0: none yet
	profile         domain.Profile
	pendingRevision int // the one under review; 0: none
	pending         domain.Profile
	sortName        string // display name of the approved revision, folded
}

var directory = mapping[uuid.UUID, directoryRow]{
	table: table{
		name: "directory", key: 1,
		columns: []column{
			{"consultancy_id", identifier}, {"closed", boolean}, {"in_standing", boolean}, {"unlisted", boolean}, {"listed", boolean}, {"listed_at", integer},
			{"revision", integer}, {"profile", text}, {"pending_revision", integer}, {"pending", text}, {"sort_name", text},
		},
		indexes: []string{"listed, sort_name, consultancy_id"},
	},
	key:  func(r *directoryRow) uuid.UUID { return r.consultancyID },
	args: func(id uuid.UUID) []any { return []any{id} },
	fields: func(r *directoryRow) []any {
		return []any{
			&r.consultancyID, &r.closed, &r.inStanding, &r.unlisted, &r.listed, at(&r.listedAt),
			&r.revision, asJSON(&r.profile), &r.pendingRevision, asJSON(&r.pending), &r.sortName,
		}
	},
}

// termKind is in what way a profile is found by a term.
type termKind string

// The kinds of terms.
const (
	wordTerm      termKind = "word" // of the name, the description, the services, the specialties or the city
	serviceTerm   termKind = "service"
	specialtyTerm termKind = "specialty"
	languageTerm  termKind = "language"
	countryTerm   termKind = "country"
	cityTerm      termKind = "city"
)

// directoryTerm is a word or tag, folded, by which the approved revision of a profile is found. The row is nothing but its key.
type directoryTerm struct {
	consultancyID uuid.UUID
	kind          termKind
	term          string
}

var directoryTerms = mapping[directoryTerm, directoryTerm]{
	table: table{
		name: "directory_terms", key: 3,
		columns: []column{{"consultancy_id", identifier}, {"kind", text}, {"term", text}},
		indexes: []string{"kind, term, consultancy_id"},
	},
	key:    func(r *directoryTerm) directoryTerm { return *r },
	args:   func(r directoryTerm) []any { return []any{r.consultancyID, r.kind, r.term} },
	fields: func(r *directoryTerm) []any { return []any{&r.consultancyID, &r.kind, &r.term} },
}

func foldDirectory(ctx context.Context, tx tx, page []*Fact) error {
	var ids []uuid.UUID
	for _, fact := range tx.toLookUp(page) {
		if concernsDirectory(fact) {
			ids = append(ids, fact.Stream.ID)
		}
	}
	profiles, err := directory.load(ctx, tx, ids)
	if err != nil {
		return err
	}
	terms, err := directoryTerms.load(ctx, tx, nil)
	if err != nil {
		return err
	}
	for _, fact := range page {
		if !concernsDirectory(fact) {
			continue
		}
		profile := profiles.change(fact.Stream.ID)
		if profile == nil && fact.Stream.Kind != domain.PartnershipStream {
			continue // an account that never asked to be a partner
		}
		if profile == nil {
			profile = profiles.put(directoryRow{consultancyID: fact.Stream.ID})
		}
		if err := profile.apply(fact, terms); err != nil {
			return fmt.Errorf("position %d: %w", fact.Position, err)
		}
	}
	return nil
}

// concernsDirectory picks all facts of partnerships, and of accounts, which have the same ids, that they are closed.
func concernsDirectory(fact *Fact) bool {
	_, closed := fact.Event.(domain.AccountClosed)
	return closed || fact.Stream.Kind == domain.PartnershipStream
}

// apply follows the partnership's standing and the review of its profile, as domain.Partnership does, and replaces the terms when
// another revision is published, or none any more.
func (r *directoryRow) apply(fact *Fact, terms *rows[directoryTerm, directoryTerm]) error {
	switch e := fact.Event.(type) {
	case domain.AccountClosed:
		r.closed = true
	case domain.PartnershipAccepted, domain.PartnershipReinstated:
		r.inStanding = true
	case domain.PartnershipSuspended:
		r.inStanding = false
	case domain.PartnershipTerminated:
		replaceTerms(terms, r.consultancyID, r.profile, domain.Profile{})
		*r = directoryRow{consultancyID: r.consultancyID, closed: r.closed, listed: r.listed}
	case domain.ProfileUnlisted:
		r.unlisted = true
	case domain.ProfileRelisted:
		r.unlisted = false
	case domain.ProfileSubmitted:
		r.pendingRevision, r.pending = e.Revision, e.Profile
	case domain.ProfileRejected:
		r.pendingRevision, r.pending = 0, domain.Profile{}
	case domain.ProfileApproved:
		if r.pendingRevision != e.Revision {
			return fmt.Errorf("revision %d is approved while %d is under review", e.Revision, r.pendingRevision)
		}
		replaceTerms(terms, r.consultancyID, r.profile, r.pending)
		r.publish()
	}
	if listed := r.inStanding && !r.closed && !r.unlisted && r.revision > 0; listed != r.listed {
		r.listed, r.listedAt = listed, time.Time{}
		if listed {
			r.listedAt = fact.At
		}
	}
	return nil
}

// publish makes the revision under review the approved one.
func (r *directoryRow) publish() {
	r.revision, r.profile = r.pendingRevision, r.pending
	r.pendingRevision, r.pending = 0, domain.Profile{}
	r.sortName = foldText(r.profile.DisplayName)
}

// replaceTerms makes a consultancy findable by what its new approved revision says, and no more by what the old one said.
func replaceTerms(terms *rows[directoryTerm, directoryTerm], consultancyID uuid.UUID, before, after domain.Profile) {
	for _, term := range termsOf(consultancyID, before) {
		terms.delete(term)
	}
	for _, term := range termsOf(consultancyID, after) {
		terms.put(term)
	}
}

// termsOf lists by what a profile is found; some may come twice.
func termsOf(consultancyID uuid.UUID, p domain.Profile) (terms []directoryTerm) {
	add := func(kind termKind, texts ...string) {
		for _, text := range texts {
			if text != "" { // as in the profile of one that has none
				terms = append(terms, directoryTerm{consultancyID, kind, firstRunes(text, maxTermRunes)})
			}
		}
	}
	for _, text := range slices.Concat([]string{p.DisplayName, p.Description, p.City}, p.Services, p.Specialties) {
		add(wordTerm, words(text)...)
	}
	add(serviceTerm, foldTexts(p.Services)...)
	add(specialtyTerm, foldTexts(p.Specialties)...)
	add(languageTerm, foldTexts(p.Languages)...)
	add(countryTerm, foldText(p.Country))
	add(cityTerm, foldText(p.City))
	return terms
}

// directoryKey is where a profile stands in the directory's order; it goes into the cursor.
type directoryKey struct {
	Name string    `json:"name"`
	ID   uuid.UUID `json:"id"`
}

// directoryLine is an item with what its page is made from.
type directoryLine struct {
	item DirectoryItem
	key  directoryKey
}

// Directory searches the listed profiles, in the order of their names. It is the one query that the public may ask.
func (e *Engine) Directory(ctx context.Context, _ Viewer, q DirectoryQuery) (page Page[DirectoryItem], err error) {
	err = e.read(ctx, func(v view) error {
		page, err = queryDirectory(ctx, v, q)
		return err
	})
	return page, err
}

// queryDirectory reads one page of what is listed: a profile is found when every word of the text begins one of its words, and when
// all filters fit.
func queryDirectory(ctx context.Context, v view, q DirectoryQuery) (Page[DirectoryItem], error) {
	limit, err := q.limit()
	if err != nil {
		return Page[DirectoryItem]{}, err
	}
	searched, err := q.check()
	if err != nil {
		return Page[DirectoryItem]{}, err
	}
	condition, args, err := q.condition(ctx, v, searched, fewPages*(limit+1))
	if err != nil {
		return Page[DirectoryItem]{}, fmt.Errorf("query the directory: %w", err)
	}
	var from directoryKey
	if found, err := q.after(&from); err != nil {
		return Page[DirectoryItem]{}, err
	} else if found {
		condition += " AND (d.sort_name, d.consultancy_id) > (" + args.add(from.Name) + ", " + args.add(from.ID) + ")"
	}
	lines, err := collect(ctx, v, `SELECT d.consultancy_id, d.revision, d.profile, d.listed_at, d.sort_name FROM {directory} d
		WHERE `+condition+` ORDER BY d.sort_name, d.consultancy_id LIMIT `+args.add(limit+1), args,
		func(scan func(...any) error) (directoryLine, error) {
			var l directoryLine
			err := scan(&l.item.ConsultancyID, &l.item.Revision, asJSON(&l.item.Profile), at(&l.item.ListedAt), &l.key.Name)
			l.key.ID = l.item.ConsultancyID
			return l, err
		})
	if err != nil {
		return Page[DirectoryItem]{}, fmt.Errorf("query the directory: %w", err)
	}
	page, err := paged(lines, limit, func(l directoryLine) directoryKey { return l.key })
	return pageOf(page, func(l directoryLine) DirectoryItem { return l.item }), err
}

// check refuses what no profile can be found by, and lists the words that the text asks for.
func (q DirectoryQuery) check() ([]string, error) {
	for _, input := range []struct{ field, value string }{
		{"text", q.Text}, {"country", q.Country}, {"city", q.City}, {"service", q.Service}, {"specialty", q.Specialty}, {"language", q.Language},
	} {
		if firstRunes(input.value, maxSearchRunes) != input.value {
			return nil, domain.Invalid(input.field, fmt.Sprintf("must have at most %d characters", maxSearchRunes))
		}
		if !utf8.ValidString(input.value) || strings.ContainsFunc(input.value, unicode.IsControl) {
			return nil, domain.Invalid(input.field, "must be text without control characters")
		}
	}
	searched := words(q.Text)
	if q.Text != "" && len(searched) == 0 {
		return nil, domain.Invalid("text", "must hold a letter or a digit")
	}
	if len(searched) > maxSearchWords {
		return nil, domain.Invalid("text", fmt.Sprintf("must have at most %d words", maxSearchWords))
	}
	return searched, nil
}

// condition is what a listed profile must fulfil. If a term fits only few profiles, those are looked at one by one. Else the directory is
// gone through by name, until the page is full: OFFSET 0 keeps Postgres from finding all that a term fits first, and sorting them.
func (q DirectoryQuery) condition(ctx context.Context, v view, searched []string, few int) (string, arguments, error) {
	var args arguments
	terms := q.terms(&args, searched)
	rarest, err := rarestTerm(ctx, v, terms, args, few)
	if err != nil {
		return "", nil, err
	}
	condition := "d.listed"
	for i, term := range terms {
		if i == rarest {
			condition += " AND d.consultancy_id IN (SELECT t.consultancy_id FROM {directory_terms} t WHERE " + term + ")"
		} else {
			condition += " AND EXISTS (SELECT 1 FROM {directory_terms} t WHERE t.consultancy_id = d.consultancy_id AND " + term + " LIMIT 1 OFFSET 0)"
		}
	}
	return condition, args, nil
}

// terms are what must be among the terms of a profile, each as a condition on their table.
func (q DirectoryQuery) terms(args *arguments, searched []string) (terms []string) {
	for _, word := range searched {
		word = firstRunes(word, maxTermRunes)
		// The last code point sorts after whatever a word may go on with.
		terms = append(terms, fmt.Sprintf("t.kind = '%s' AND t.term >= %s AND t.term < %s", wordTerm, args.add(word), args.add(word+"\U0010FFFF")))
	}
	for _, filter := range []struct {
		kind  termKind
		value string
	}{{serviceTerm, q.Service}, {specialtyTerm, q.Specialty}, {languageTerm, q.Language}, {countryTerm, q.Country}, {cityTerm, q.City}} {
		if filter.value != "" {
			terms = append(terms, fmt.Sprintf("t.kind = '%s' AND t.term = %s", filter.kind, args.add(firstRunes(foldText(filter.value), maxTermRunes))))
		}
	}
	return terms
}

// rarestTerm is the index of the term that fits the fewest profiles, or -1 if each fits more than few.
func rarestTerm(ctx context.Context, v view, terms []string, args arguments, few int) (int, error) {
	if len(terms) == 0 {
		return -1, nil
	}
	args = slices.Clone(args)
	limit := args.add(few + 1)
	counts := make([]string, len(terms))
	for i, term := range terms {
		counts[i] = fmt.Sprintf("SELECT %d AS n, count(*) AS found FROM (SELECT 1 FROM {directory_terms} t WHERE %s LIMIT %s) AS fits", i, term, limit)
	}
	type counted struct{ term, found int }
	rarest, err := collect(ctx, v, strings.Join(counts, " UNION ALL ")+" ORDER BY found, n LIMIT 1", args,
		func(scan func(...any) error) (counted, error) {
			var c counted
			err := scan(&c.term, &c.found)
			return c, err
		})
	if err != nil {
		return -1, err
	}
	if rarest[0].found > few {
		return -1, nil
	}
	return rarest[0].term, nil
}
