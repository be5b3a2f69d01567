// Package term writes for people at a terminal: aligned tables, and colours where they are wanted.
package term

import (
	"io"
	"os"
	"strings"

	"github.com/rivo/uniseg"
	"golang.org/x/term"
)

// MaxCell is how many columns of the terminal one cell of a table takes at most; what is longer ends in an ellipsis.
const MaxCell = 100

// IsTerminal tells whether what is written reaches a person's screen rather than a file or another program.
func IsTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// Style marks text up for a terminal. The zero Style leaves it plain.
type Style struct{ colours bool }

// StyleFor is coloured on a terminal, unless NO_COLOR asks for none (https://no-color.org).
func StyleFor(w io.Writer) Style { return Style{colours: IsTerminal(w) && os.Getenv("NO_COLOR") == ""} }

func (s Style) paint(code, text string) string {
	if !s.colours || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Bold is for headings.
func (s Style) Bold(text string) string { return s.paint("1", text) }

// Dim is for what is there to be found, not read.
func (s Style) Dim(text string) string { return s.paint("2", text) }

// Good is for what went as it should.
func (s Style) Good(text string) string { return s.paint("32", text) }

// Bad is for what did not.
func (s Style) Bad(text string) string { return s.paint("31", text) }

// Warn is for refusals.
func (s Style) Warn(text string) string { return s.paint("33", text) }

// Pad fills a text with blanks up to a width in columns.
func Pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-uniseg.StringWidth(text)))
}

// Clip shortens a text to a width in columns, on one line and without anything that would move the cursor.
func Clip(text string, width int) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, text)
	if uniseg.StringWidth(text) <= width {
		return text
	}
	var clipped strings.Builder
	used := 0
	for clusters := uniseg.NewGraphemes(text); clusters.Next() && used+clusters.Width() < width; used += clusters.Width() {
		clipped.WriteString(clusters.Str())
	}
	return clipped.String() + "…"
}
