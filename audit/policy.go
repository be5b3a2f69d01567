package audit

import "github.com/collabledger/collabledger/domain"

// Policy is a set of rules.
type Policy struct{}

type backtest struct {
	policy *Policy
	world  *world
	report *Report
}

func (b *backtest) before(*fact)                       {}
func (b *backtest) held(domain.Pair, *grant, EventRef) {}
func (b *backtest) atEnd(EventRef)                     {}
