package audit

import "time"

// How long things last at most.
const (
	invitationLasts = 7 * 24 * time.Hour   // S4
	requestLasts    = 90 * 24 * time.Hour  // B
	grantLasts      = 730 * 24 * time.Hour // B, of a grant with an end
	sessionLasts    = time.Hour            // S9
)

// notLongerThan checks how long after the event an end is. A decision comes before its record, so an end that was counted from the
// decision is never too late.
func (c *checker) notLongerThan(end time.Time, lasts time.Duration) {
	if !end.IsZero() {
		c.must(end.Sub(c.now.at()) <= lasts, TermTooLong, nil, "it ends at %s, more than %d days later", stamp(end), int(lasts.Hours()/24))
	}
}

// clock checks that an end is recorded no earlier than it comes, and as what it was (invariant 3).
func (c *checker) clock(end, told time.Time, since EventRef) {
	c.must(reached(end, c.now.at()) && told.Equal(end), ClockEarly, refs(since),
		"the end is at %s, and it is recorded as of %s", stamp(end), stamp(told))
}
