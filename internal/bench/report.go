package bench

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/collabledger/collabledger/internal/term"
)

// Report is what a benchmark found out, for people as a table and for programs as JSON.
type Report struct {
	Benchmark string   `json:"benchmark"`
	Machine   Machine  `json:"machine"`
	Database  string   `json:"database,omitempty"` // which one, and how it is set up
	Notes     []string `json:"notes"`              // what exactly was measured, in sentences
	Results   []Result `json:"results"`
	Ratios    []Ratio  `json:"ratios,omitempty"`
}

// Machine is where a benchmark ran. Its figures mean little without it.
type Machine struct {
	CPUs int    `json:"cpus"`
	OS   string `json:"os"`
	Arch string `json:"arch"`
	Go   string `json:"go"`
}

// Result is what several measurements of the same thing came to.
type Result struct {
	Name    string   `json:"name"`    // what was measured
	Clients int      `json:"clients"` // at the same time
	Unit    string   `json:"unit"`    // of the rates, for example events/s
	Median  float64  `json:"median"`
	Min     float64  `json:"min"`
	Max     float64  `json:"max"`
	Latency *Latency `json:"latency,omitempty"` // of one operation; nil where nobody waits for one
}

// Latency is how long half of all operations took at most, and all but one of a hundred.
type Latency struct {
	P50 Micros `json:"p50Micros"`
	P99 Micros `json:"p99Micros"`
}

// Micros is a latency, in JSON a number of microseconds.
type Micros time.Duration

// MarshalJSON writes microseconds.
func (m Micros) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(m)/float64(time.Microsecond), 'f', -1, 64), nil
}

// String is the latency for people, to three digits or so.
func (m Micros) String() string {
	switch d := time.Duration(m); {
	case d < 100*time.Microsecond:
		return d.Round(100 * time.Nanosecond).String()
	case d < 10*time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	default:
		return d.Round(100 * time.Microsecond).String()
	}
}

// Ratio compares two results of the same run.
type Ratio struct {
	Of      string  `json:"of"`
	To      string  `json:"to"`
	Clients int     `json:"clients"` // of both, unless To has a load of its own
	Ratio   float64 `json:"ratio"`
}

func newReport(benchmark, database string, notes ...string) Report {
	return Report{
		Benchmark: benchmark, Database: database, Notes: notes, Results: []Result{},
		Machine: Machine{CPUs: runtime.GOMAXPROCS(0), OS: runtime.GOOS, Arch: runtime.GOARCH, Go: runtime.Version()},
	}
}

// figure is one measurement.
type figure struct {
	rate    float64
	latency *Latency
}

// figure tells a sample's rate and latency.
func (s sample) figure() figure {
	return figure{
		rate:    float64(s.things) / s.elapsed.Seconds(),
		latency: &Latency{P50: Micros(s.quantile(0.50)), P99: Micros(s.quantile(0.99))},
	}
}

// add adds the medians of what several measurements of one thing came to.
func (r *Report) add(name string, clients int, unit string, figures []figure) {
	rates := sorted(figures, func(f figure) float64 { return f.rate })
	result := Result{Name: name, Clients: clients, Unit: unit, Median: median(rates), Min: rates[0], Max: rates[len(rates)-1]}
	if figures[0].latency != nil {
		result.Latency = &Latency{
			P50: median(sorted(figures, func(f figure) Micros { return f.latency.P50 })),
			P99: median(sorted(figures, func(f figure) Micros { return f.latency.P99 })),
		}
	}
	r.Results = append(r.Results, result)
}

// tell adds what a thing is and what its turns came to.
func (r *Report) tell(name, note, unit string, turns []turn, figures [][]figure) {
	r.Notes = append(r.Notes, name+": "+note)
	for i, turn := range turns {
		if turn.name == name {
			r.add(name, turn.clients, unit, figures[i])
		}
	}
}

// compare adds how many times as fast one thing was as another at each of its loads. A thing that was not measured is left out.
func (r *Report) compare(of, to string) {
	for _, one := range r.Results {
		if one.Name != of {
			continue
		}
		for _, other := range r.Results {
			if other.Name == to && (other.Clients == one.Clients || r.loads(to) == 1) {
				r.Ratios = append(r.Ratios, Ratio{Of: of, To: to, Clients: one.Clients, Ratio: one.Median / other.Median})
			}
		}
	}
}

// loads is at how many numbers of clients a thing was measured.
func (r *Report) loads(name string) int {
	n := 0
	for _, result := range r.Results {
		if result.Name == name {
			n++
		}
	}
	return n
}

func sorted[N cmp.Ordered](figures []figure, of func(figure) N) []N {
	values := make([]N, len(figures))
	for i, f := range figures {
		values[i] = of(f)
	}
	slices.Sort(values)
	return values
}

// median is the middle of sorted values, or the mean of the two in the middle.
func median[N float64 | Micros](values []N) N {
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}

// Write writes the report for people.
func (r Report) Write(w io.Writer, style term.Style) error {
	heading := r.Benchmark
	if r.Database != "" {
		heading += " · " + r.Database
	}
	if _, err := fmt.Fprintf(w, "%s\n%s\n", style.Bold(heading), style.Dim(fmt.Sprintf("%d CPUs, %s/%s, %s", r.Machine.CPUs, r.Machine.OS, r.Machine.Arch, r.Machine.Go))); err != nil {
		return err
	}
	for _, note := range r.Notes {
		if _, err := fmt.Fprintln(w, style.Dim(note)); err != nil {
			return err
		}
	}
	results := term.NewTable("MEASURED", "CLIENTS", "MEDIAN", "MIN", "MAX", "UNIT", "P50", "P99")
	for _, result := range r.Results {
		var p50, p99 any = "–", "–"
		if result.Latency != nil {
			p50, p99 = result.Latency.P50, result.Latency.P99
		}
		results.Row(result.Name, result.Clients, round(result.Median), round(result.Min), round(result.Max), result.Unit, p50, p99)
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	if err := results.Write(w, style, ""); err != nil || len(r.Ratios) == 0 {
		return err
	}
	ratios := term.NewTable("RATIO", "CLIENTS", "TIMES")
	for _, ratio := range r.Ratios {
		ratios.Row(ratio.Of+" / "+ratio.To, ratio.Clients, strconv.FormatFloat(ratio.Ratio, 'f', 2, 64))
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return ratios.Write(w, style, "")
}

// round writes a rate without digits that say nothing, in groups of three.
func round(rate float64) string {
	digits := strconv.FormatFloat(rate, 'f', 0, 64)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}
