package bench

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// Limits of a connection to a ledger.
const (
	answerWait     = 30 * time.Second // for one command to be answered, and for a connection to be made
	maxAnswerBytes = 1 << 20          // of one answer
)

// server is the address of a ledger and its operator's key.
type server struct {
	address, host string
	secure        bool
	key           string
}

// newServer reads a base URL, for example http://127.0.0.1:8080.
func newServer(base, key string) (*server, error) {
	parsed, err := url.Parse(base)
	if err != nil || parsed.Hostname() == "" || (parsed.Scheme != "http" && parsed.Scheme != "https") {
		return nil, &InvalidError{Setting: "url", Rule: "must be like http://host:port"}
	}
	port := parsed.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[parsed.Scheme]
	}
	return &server{address: net.JoinHostPort(parsed.Hostname(), port), host: parsed.Host, secure: parsed.Scheme == "https", key: key}, nil
}

// conn is one connection that stays open, over which one command follows another. It does by hand the little of HTTP/1.1 that
// this takes: a client that shares its machine with the ledger would otherwise be much of what is measured.
type conn struct {
	server *server
	conn   net.Conn // nil before the first command
	reader *bufio.Reader
	buffer []byte
}

// answer is what the ledger says to an accepted command.
type answer struct {
	position int64
	body     []byte // until the next command
}

// post submits a command for a person, account/user, or for the service itself. Anything but its acceptance is an error.
func (c *conn) post(ctx context.Context, name, actAs string, body []byte) (answer, error) {
	if err := c.dial(ctx); err != nil {
		return answer{}, fmt.Errorf("connect to %s: %w", c.server.address, err)
	}
	if err := c.conn.SetDeadline(time.Now().Add(answerWait)); err != nil {
		return answer{}, err
	}
	b := c.buffer[:0]
	b = append(b, "POST /v1/commands/"...)
	b = append(b, name...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, c.server.host...)
	b = append(b, "\r\nAuthorization: Bearer "...)
	b = append(b, c.server.key...)
	if actAs != "" {
		b = append(b, "\r\nLedger-Act-As: "...)
		b = append(b, actAs...)
	}
	b = append(b, "\r\nContent-Type: application/json\r\nIdempotency-Key: "...)
	b = append(b, uuid.Must(uuid.NewV7()).String()...)
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\r\n\r\n"...)
	b = append(b, body...)
	c.buffer = b
	if _, err := c.conn.Write(b); err != nil {
		return answer{}, fmt.Errorf("%s: %w", name, err)
	}
	a, err := c.read()
	if err != nil {
		return answer{}, fmt.Errorf("%s: %w", name, err)
	}
	return a, nil
}

func (c *conn) dial(ctx context.Context) error {
	if c.conn != nil {
		return nil
	}
	plain := net.Dialer{Timeout: answerWait}
	var err error
	if c.server.secure {
		c.conn, err = (&tls.Dialer{NetDialer: &plain}).DialContext(ctx, "tcp", c.server.address)
	} else {
		c.conn, err = plain.DialContext(ctx, "tcp", c.server.address)
	}
	if err != nil {
		c.conn = nil
		return err
	}
	c.reader = bufio.NewReader(c.conn)
	return nil
}

// read reads the answer to the one command that is under way.
func (c *conn) read() (answer, error) {
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return answer{}, err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return answer{}, err
	}
	if response.StatusCode != http.StatusOK {
		return answer{}, fmt.Errorf("the ledger answers %s: %s", response.Status, body)
	}
	if response.Close {
		err, c.conn = c.conn.Close(), nil
	}
	position, notNumber := strconv.ParseInt(response.Header.Get("Ledger-Position"), 10, 64)
	if notNumber != nil {
		return answer{}, fmt.Errorf("the answer does not come from a ledger: it has no Ledger-Position")
	}
	return answer{position: position, body: body}, err
}

// close hangs up.
func (c *conn) close() error {
	if c.conn == nil {
		return nil
	}
	return c.conn.Close()
}
