package bench

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/internal/term"
)

// timed is a measurement with latencies in milliseconds.
func timed(rate float64, p50, p99 int) figure {
	return figure{rate: rate, latency: &Latency{P50: Micros(time.Duration(p50) * time.Millisecond), P99: Micros(time.Duration(p99) * time.Millisecond)}}
}

func exampleReport() Report {
	r := newReport("append", "Postgres 15.18", "What was measured.")
	r.Machine = Machine{CPUs: 2, OS: "linux", Arch: "amd64", Go: "go1.26"}
	r.add("ledger", 1, eventsPerSecond, []figure{timed(900, 1, 2), timed(1_100, 2, 3), timed(1_000, 3, 9)})
	r.add("ledger", 64, eventsPerSecond, []figure{timed(25_000, 4, 5), timed(35_000, 6, 7)})
	r.add("insert", 1, eventsPerSecond, []figure{timed(500, 1, 2)})
	r.add("insert", 64, eventsPerSecond, []figure{timed(6_000, 1, 2)})
	r.add("copy", 1, eventsPerSecond, []figure{{rate: 120_000}})
	r.compare("ledger", "insert")
	r.compare("ledger", "copy")
	r.compare("ledger", "message-db")
	return r
}

func TestAReportForPeople(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, exampleReport().Write(&out, term.Style{}))
	require.Equal(t, `append · Postgres 15.18
2 CPUs, linux/amd64, go1.26
What was measured.

MEASURED  CLIENTS  MEDIAN   MIN      MAX      UNIT      P50  P99
ledger    1        1,000    900      1,100    events/s  2ms  3ms
ledger    64       30,000   25,000   35,000   events/s  5ms  6ms
insert    1        500      500      500      events/s  1ms  2ms
insert    64       6,000    6,000    6,000    events/s  1ms  2ms
copy      1        120,000  120,000  120,000  events/s  –    –

RATIO            CLIENTS  TIMES
ledger / insert  1        2.00
ledger / insert  64       5.00
ledger / copy    1        0.01
ledger / copy    64       0.25
`, out.String())
}

func TestAReportForPrograms(t *testing.T) {
	encoded, err := json.Marshal(exampleReport())
	require.NoError(t, err)
	var decoded struct {
		Benchmark string
		Machine   struct{ CPUs int }
		Results   []struct {
			Name    string
			Clients int
			Median  float64
			Latency *struct{ P50Micros, P99Micros float64 }
		}
		Ratios []Ratio
	}
	require.NoError(t, json.Unmarshal(encoded, &decoded))
	require.Equal(t, "append", decoded.Benchmark)
	require.Equal(t, 2, decoded.Machine.CPUs)
	require.Len(t, decoded.Results, 5)
	require.Equal(t, 2_000.0, decoded.Results[0].Latency.P50Micros)
	require.Equal(t, 3_000.0, decoded.Results[0].Latency.P99Micros)
	require.Nil(t, decoded.Results[4].Latency)
	require.Contains(t, decoded.Ratios, Ratio{Of: "ledger", To: "copy", Clients: 64, Ratio: 0.25})
}

func TestLatenciesForPeople(t *testing.T) {
	for micros, want := range map[int]string{0: "0s", 7: "7µs", 850: "850µs", 1_234: "1.23ms", 12_345: "12.3ms", 1_234_567: "1.2346s"} {
		require.Equal(t, want, Micros(time.Duration(micros)*time.Microsecond).String())
	}
}
