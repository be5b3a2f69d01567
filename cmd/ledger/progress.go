package main

import (
	"github.com/schollz/progressbar/v3"

	"github.com/collabledger/collabledger/internal/term"
)

// progress draws on a terminal how far a command has come with the events of the log. It draws nothing anywhere else.
type progress struct {
	std   *streams
	doing string
	bar   *progressbar.ProgressBar // nil before there is something to tell
}

func (p *progress) tell(done, total int64) {
	if !term.IsTerminal(p.std.err) {
		return
	}
	if p.bar == nil {
		p.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(p.std.err), progressbar.OptionSetDescription(p.doing),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("events"), progressbar.OptionClearOnFinish())
	}
	p.bar.ChangeMax64(total)
	_ = p.bar.Set64(done) // a bar that cannot be drawn stops nothing
}

// end takes the bar away.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
