package bench

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAsManyConsultanciesAskInEveryLedger(t *testing.T) {
	ledger := func(clients ...int) *asked {
		a := &asked{}
		for _, n := range clients {
			a.firms = append(a.firms, asking{clients: make([]askingClient, n)})
		}
		return a
	}
	clients := func(a *asked) (clients []int) {
		for _, firm := range a.firms {
			clients = append(clients, len(firm.clients))
		}
		return clients
	}
	short, long := ledger(20, 9, 20, 10), ledger(3, 21, 20, 22, 20)
	level([]*asked{short, long})
	require.Equal(t, []int{20, 20, 10}, clients(short), "one has just begun")
	require.Equal(t, []int{22, 21, 20}, clients(long), "the largest")

	alone := ledger(1, 20)
	level([]*asked{alone})
	require.Equal(t, []int{1, 20}, clients(alone), "it is compared with nothing")
}
