package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
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
	buffer []byte // of what is sent
	body   []byte // of the last answer
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
	key := uuid.Must(uuid.NewV7()).String()
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
	b = append(b, key...)
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\r\n\r\n"...)
	b = append(b, body...)
	c.buffer = b
	if _, err := c.conn.Write(b); err != nil {
		return answer{}, fmt.Errorf("%s: %w", name, err)
	}
	a, err := c.read()
	if err == nil && !bytes.Contains(a.body, []byte(key)) {
		err = errors.New("the answer is to another command")
	}
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
	line, err := c.line()
	if err != nil {
		return answer{}, err
	}
	status := string(line)
	head := head{length: -1, position: -1}
	for {
		if line, err = c.line(); err != nil {
			return answer{}, err
		}
		if len(line) == 0 {
			break
		}
		if err := head.take(line); err != nil {
			return answer{}, err
		}
	}
	if head.length < 0 || head.length > maxAnswerBytes {
		return answer{}, fmt.Errorf("an answer must tell its length, up to %d bytes, in Content-Length", maxAnswerBytes)
	}
	c.body = slices.Grow(c.body[:0], head.length)[:head.length]
	if _, err := io.ReadFull(c.reader, c.body); err != nil {
		return answer{}, err
	}
	if status != "HTTP/1.1 200 OK" {
		return answer{}, fmt.Errorf("the ledger answers %s: %s", status, c.body)
	}
	if head.position < 0 {
		return answer{}, errors.New("the answer does not come from a ledger: it has no Ledger-Position")
	}
	if head.closes {
		err, c.conn = c.conn.Close(), nil
	}
	return answer{position: int64(head.position), body: c.body}, err
}

// line reads a line of an answer's head, which is there until the next one is read.
func (c *conn) line() ([]byte, error) {
	line, err := c.reader.ReadSlice('\n')
	return bytes.TrimRight(line, "\r\n"), err
}

// head is what counts of an answer's head.
type head struct {
	length, position int // of the body, and in the log; -1 as long as it is not given
	closes           bool
}

// take takes in a header.
func (h *head) take(line []byte) error {
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimSpace(value)
	var err error
	switch {
	case bytes.EqualFold(name, []byte("Content-Length")):
		h.length, err = strconv.Atoi(string(value))
	case bytes.EqualFold(name, []byte("Ledger-Position")):
		h.position, err = strconv.Atoi(string(value))
	case bytes.EqualFold(name, []byte("Connection")):
		h.closes = bytes.EqualFold(value, []byte("close"))
	}
	return err
}

// close hangs up.
func (c *conn) close() error {
	if c.conn == nil {
		return nil
	}
	return c.conn.Close()
}
