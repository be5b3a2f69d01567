package projections

import (
	"flag"
	"os"
	"testing"
)

// How many random plays a property is tried on; folding them twice on two databases takes most of the tests' time.
const (
	playsUsually = "15"
	playsLong    = "1000" // with LEDGER_TEST_LONG=1, as of scripts/test --long
)

// TestMain sets how many plays are made: rapid knows one number for the whole package.
func TestMain(m *testing.M) {
	plays := playsUsually
	if os.Getenv("LEDGER_TEST_LONG") == "1" {
		plays = playsLong
	}
	flag.Parse()
	flag.Visit(func(given *flag.Flag) {
		if given.Name == "rapid.checks" {
			plays = given.Value.String()
		}
	})
	if err := flag.Set("rapid.checks", plays); err != nil {
		panic(err)
	}
	m.Run()
}
