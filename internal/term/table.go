package term

import (
	"fmt"
	"io"
	"strings"

	"github.com/rivo/uniseg"
)

// columnGap is how many blanks stand between two columns.
const columnGap = 2

// Table lines up rows of cells under a header.
type Table struct {
	header []string
	rows   [][]string
}

// NewTable begins a table with the names of its columns.
func NewTable(header ...string) *Table { return &Table{header: header} }

// Row adds a row, one cell for each column.
func (t *Table) Row(cells ...any) {
	row := make([]string, len(t.header))
	for i := range row {
		row[i] = Clip(fmt.Sprint(cells[i]), MaxCell)
	}
	t.rows = append(t.rows, row)
}

// Len is how many rows the table has.
func (t *Table) Len() int { return len(t.rows) }

// Write writes the table, each line behind the indent.
func (t *Table) Write(w io.Writer, style Style, indent string) error {
	widths := make([]int, len(t.header))
	for _, row := range append([][]string{t.header}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], uniseg.StringWidth(cell))
		}
	}
	var out strings.Builder
	out.WriteString(indent + style.Dim(line(t.header, widths)) + "\n")
	for _, row := range t.rows {
		out.WriteString(indent + line(row, widths) + "\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// line pads all cells but the last.
func line(cells []string, widths []int) string {
	padded := make([]string, len(cells))
	for i, cell := range cells {
		padded[i] = Pad(cell, widths[i]+columnGap)
	}
	return strings.TrimRight(strings.Join(padded, ""), " ")
}
