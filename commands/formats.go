package commands

import (
	"fmt"
	"net/mail"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	"golang.org/x/text/language"

	"github.com/collabledger/collabledger/domain"
)

// Bounds of the times that a command may name, in years.
const (
	EarliestYear = 2000
	LatestYear   = 2200
)

// hasControl finds what no text of a command may hold: control characters other than line feed and tab, and the character
// that stands for bytes which were not UTF-8.
func hasControl(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' && r != '\t' || r == unicode.ReplacementChar
	})
}

// checkFormat answers the rule of a format that a text breaks, or nothing. JSON Schema states most formats more loosely.
func checkFormat(format, text string) string {
	switch format {
	case "email":
		if a, err := mail.ParseAddress(text); err != nil || a.Address != text || !strings.Contains(text[strings.LastIndex(text, "@"):], ".") {
			return "must be an e-mail address such as anna@example.com"
		}
	case "uri":
		if u, err := url.Parse(text); err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.ContainsFunc(text, unicode.IsSpace) {
			return "must be an absolute https URL without credentials"
		}
	case "uuid":
		if id, ok := domain.ParseUUID(text); !ok || id == uuid.Nil {
			return "must be a UUID in lower case with hyphens, not all zeros"
		}
	case "country":
		if region, err := language.ParseRegion(text); err != nil || !region.IsCountry() || region.Canonicalize().String() != text {
			return "must be an ISO 3166-1 alpha-2 country such as ES"
		}
	case "language":
		if base, err := language.ParseBase(text); err != nil || len(text) != 2 || base.String() != text {
			return "must be an ISO 639-1 language such as es"
		}
	case "date-time":
		// Parse lets an hour of one digit and a decimal comma pass, which RFC 3339 does not know.
		t, err := time.Parse(time.RFC3339, text)
		if err != nil || text[13] != ':' || strings.Contains(text, ",") || t.UTC().Year() < EarliestYear || t.UTC().Year() >= LatestYear {
			return fmt.Sprintf("must be an RFC 3339 time from the year %d on and before %d", EarliestYear, LatestYear)
		}
	}
	return ""
}
