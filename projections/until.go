package projections

import (
	"fmt"
	"math"
	"time"
)

// optional is a time that an answer leaves out when there is none.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// never is the moment of what does not happen: later than every other.
const never = int64(math.MaxInt64)

// until keeps in an integer column when something ends. The zero time is no end: it is kept as never, so that it compares and sorts last.
func until(t *time.Time) any { return (*untilMicros)(t) }

type untilMicros time.Time

func (m *untilMicros) micros() int64 {
	if time.Time(*m).IsZero() {
		return never
	}
	return time.Time(*m).UnixMicro()
}

// Scan reads what the column holds.
func (m *untilMicros) Scan(value any) error {
	us, ok := value.(int64)
	if !ok {
		return fmt.Errorf("a time is kept as an integer, not as %T", value)
	}
	*m = untilMicros{}
	if us != never {
		*m = untilMicros(time.UnixMicro(us).UTC())
	}
	return nil
}
