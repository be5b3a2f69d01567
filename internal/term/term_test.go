package term_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/internal/term"
)

func TestTableLinesUpByColumnsOfTheTerminal(t *testing.T) {
	table := term.NewTable("NAME", "N", "CITY")
	table.Row("Núria", 7, "Logroño")
	table.Row("会計事務所", 12, "Tokyo")
	var out bytes.Buffer
	require.NoError(t, table.Write(&out, term.Style{}, "  "))
	require.Equal(t, ""+
		"  NAME        N   CITY\n"+
		"  Núria       7   Logroño\n"+
		"  会計事務所  12  Tokyo\n", out.String())
	require.Equal(t, 2, table.Len())
}

func TestClip(t *testing.T) {
	for name, test := range map[string]struct {
		text  string
		width int
		want  string
	}{
		"short enough":       {"Núria", 5, "Núria"},
		"one too long":       {"Núria!", 5, "Núri…"},
		"combining accents":  {"Nu\u0301ria!", 5, "Nu\u0301ri…"},
		"wide characters":    {"会計事務所", 6, "会計…"},
		"lines become one":   {"a\nb\tc", 9, "a b c"},
		"escapes are inert":  {"a\x1b[2Jb", 9, "a [2Jb"},
		"C1 control is gone": {"a\u009bb", 9, "a b"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, term.Clip(test.text, test.width)) })
	}
}

func TestNothingIsColouredOutsideATerminal(t *testing.T) {
	var out bytes.Buffer
	style := term.StyleFor(&out)
	require.False(t, term.IsTerminal(&out))
	require.Equal(t, "x", style.Bold("x")+style.Dim("")+style.Good("")+style.Bad("")+style.Warn(""))
}
