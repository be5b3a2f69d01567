package projections

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"
)

// foldText makes texts comparable without regard to case, accents and surrounding space: 'Asesoría ' becomes 'asesoria'. It is
// done here rather than by the databases, which differ in it.
func foldText(s string) string {
	fold := transform.Chain(norm.NFKD, runes.Remove(runes.In(unicode.Mn)), cases.Fold(), norm.NFC)
	folded, _, err := transform.String(fold, strings.TrimSpace(s))
	if err != nil {
		return strings.ToLower(s) // texts in the log are valid UTF-8, on which no step of the chain fails
	}
	return folded
}

// words lists the words of a text, folded, each as often as it occurs.
func words(s string) []string {
	return strings.FieldsFunc(foldText(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// firstRunes cuts a text to n runes.
func firstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// foldTexts folds each text of a list.
func foldTexts(texts []string) []string {
	folded := make([]string, len(texts))
	for i, text := range texts {
		folded[i] = foldText(text)
	}
	return folded
}
