package bench

import (
	"bufio"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAnswers goes through what may come over a connection: nothing but an accepted command is taken for one.
func TestAnswers(t *testing.T) {
	const body = `{"position":7}`
	for name, test := range map[string]struct {
		answer string
		fails  string // what the error says; empty: none
		closed bool
	}{
		"accepted":                 {answer: "HTTP/1.1 200 OK\r\nLedger-Position: 7\r\nContent-Length: 14\r\n\r\n" + body},
		"names in other letters":   {answer: "HTTP/1.1 200 OK\r\nledger-position:7\r\ncontent-length: 14 \r\n\r\n" + body},
		"the last on a connection": {answer: "HTTP/1.1 200 OK\r\nLedger-Position: 7\r\nContent-Length: 14\r\nConnection: close\r\n\r\n" + body, closed: true},
		"refused":                  {answer: "HTTP/1.1 409 Conflict\r\nContent-Length: 14\r\n\r\n" + body, fails: "the ledger answers HTTP/1.1 409 Conflict: " + body},
		"of another server":        {answer: "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n" + body, fails: "no Ledger-Position"},
		"without a length":         {answer: "HTTP/1.1 200 OK\r\nLedger-Position: 7\r\n\r\n" + body, fails: "Content-Length"},
		"too long":                 {answer: "HTTP/1.1 200 OK\r\nLedger-Position: 7\r\nContent-Length: 1048577\r\n\r\n" + body, fails: "Content-Length"},
		"a position that is none":  {answer: "HTTP/1.1 200 OK\r\nLedger-Position: x\r\nContent-Length: 14\r\n\r\n" + body, fails: "invalid syntax"},
		"broken off in its head":   {answer: "HTTP/1.1 200 OK\r\nLedger-Position: 7\r\n", fails: "EOF"},
		"broken off in its body":   {answer: "HTTP/1.1 200 OK\r\nLedger-Position: 7\r\nContent-Length: 14\r\n\r\n{", fails: "unexpected EOF"},
		"none":                     {fails: "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := net.Pipe()
			defer theirs.Close()
			c := &conn{conn: ours, reader: bufio.NewReader(strings.NewReader(test.answer))}
			got, err := c.read()
			if test.fails != "" {
				require.ErrorContains(t, err, test.fails)
				return
			}
			require.NoError(t, err)
			require.Equal(t, int64(7), got.position)
			require.Equal(t, body, string(got.body))
			require.Equal(t, test.closed, c.conn == nil)
		})
	}
}
