package email

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

// Limits of what the mail server may take.
const (
	serverTimeout = 20 * time.Second // to be connected to and logged in at; and to take one mail
	stopWait      = 3 * time.Second  // to take the mail that is under way when the ledger stops
	maxReply      = 300              // bytes of what it says that are kept
)

// permanentReply is the first of the replies that refuse for good (RFC 5321, section 4.2.1).
const permanentReply = 500

// TLS is how the connection to the mail server is encrypted.
type TLS string

// The ways to encrypt it.
const (
	StartTLS    TLS = "starttls" // after it has begun in the clear; a server that does not offer it is sent nothing
	ImplicitTLS TLS = "tls"      // from its first byte on
	NoTLS       TLS = "none"     // not at all: for a server on the same machine
)

// Server is the mail server that takes the ledger's mail, and how.
type Server struct {
	Address  string // host:port
	TLS      TLS
	User     string // to log in with; empty: without
	Password string
	From     string         // the sender: an address, or a name with an address in angle brackets
	Roots    *x509.CertPool // that the server's certificate must go back to; nil: those of the system
}

// Check tells what cannot be right about the server.
func (s Server) Check() error {
	host, port, err := net.SplitHostPort(s.Address)
	if err != nil || host == "" {
		return fmt.Errorf("the mail server must be HOST:PORT, not %q", s.Address)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("the mail server's port must be a number from 1 to 65535, not %q", port)
	}
	switch s.TLS {
	case StartTLS, ImplicitTLS, NoTLS:
	default:
		return fmt.Errorf("the mail server's encryption must be starttls, tls or none, not %q", s.TLS)
	}
	from, err := mail.ParseAddress(s.From)
	if err != nil || !strings.Contains(from.Address, "@") {
		return fmt.Errorf("the sender of mail must be an address such as ledger@example.com or Ledger <ledger@example.com>, not %q", s.From)
	}
	if (s.User == "") != (s.Password == "") {
		return errors.New("logging in at the mail server takes a user and a password: only one of them is given")
	}
	if s.User != "" && s.TLS == NoTLS {
		return errors.New("no password is sent to a mail server without TLS")
	}
	return nil
}

// connection is one to the mail server, ready to take mail.
type connection struct {
	mails  *gomail.Client
	smtp   *smtp.Client
	conn   net.Conn    // nil until it is open
	forget func() bool // that it is to end with the ledger
}

// dial connects to the server, encrypts as it must be, and logs in. When ctx ends the connection has stopWait left.
func (s Server) dial(ctx context.Context) (*connection, error) {
	host, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	encryption := &tls.Config{ServerName: host, RootCAs: s.Roots, MinVersion: tls.VersionTLS12}
	stopping := ctx
	c := &connection{}
	options := []gomail.Option{
		gomail.WithPort(number), gomail.WithTimeout(serverTimeout), gomail.WithTLSConfig(encryption),
		gomail.WithDialContextFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
			var err error
			if s.TLS == ImplicitTLS {
				c.conn, err = (&tls.Dialer{Config: encryption}).DialContext(ctx, network, address)
			} else {
				c.conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
			}
			if err == nil {
				c.forget = context.AfterFunc(stopping, func() { _ = c.conn.SetDeadline(time.Now().Add(stopWait)) }) // fails only if it is closed
			}
			return c.conn, err
		}),
	}
	switch s.TLS {
	case StartTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	case ImplicitTLS:
		options = append(options, gomail.WithSSL())
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	}
	if s.User != "" {
		// Both of the last refuse to send a password in the clear.
		options = append(options, gomail.WithUsername(s.User), gomail.WithPassword(s.Password),
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256PLUS, gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin))
	}
	if c.mails, err = gomail.NewClient(host, options...); err != nil {
		return nil, err
	}
	if c.smtp, err = c.mails.DialToSMTPClientWithContext(ctx); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// close ends the connection. What the server was to take it has taken or refused by then, whatever it makes of the end.
func (c *connection) close() {
	_ = c.mails.CloseWithSMTPClient(c.smtp) // of which there is none where dialling failed on the way
	if c.conn != nil {
		c.forget()
		_ = c.conn.Close()
	}
}

// outcome is what came of one mail.
type outcome struct {
	problem error // why the server has not taken it; nil: it has
	forGood bool  // it never will
	lost    error // why the connection can take no further mail; nil: it can
}

// send hands one mail to the server.
func (c *connection) send(message *gomail.Msg, recipient string) outcome {
	err := c.mails.SendWithSMTPClient(c.smtp, message)
	if err == nil {
		return outcome{}
	}
	said := errors.New(masked(err, recipient))
	if message.IsDelivered() { // it is the tidying up afterwards that failed
		return outcome{lost: said}
	}
	o := outcome{problem: said}
	failed, ok := errors.AsType[*gomail.SendError](err)
	switch {
	case !ok || failed.ErrorCode() == 0: // it broke off
		o.lost = said
	case failed.Reason == gomail.ErrSMTPMailFrom: // it will not have the sender, whoever the recipient
		o.lost = said
	case failed.ErrorCode() >= permanentReply:
		o.forGood = true
	}
	if o.lost == nil {
		o.lost = c.mails.ResetWithSMTPClient(c.smtp)
	}
	return o
}

// masked is what the server said, without the recipient's address: logs name nobody.
func masked(err error, recipient string) string {
	text, _, _ := strings.Cut(err.Error(), ", affected ")
	for _, address := range []string{recipient, strings.ToLower(recipient)} {
		text = strings.ReplaceAll(text, address, "the recipient")
	}
	return strings.ToValidUTF8(text[:min(len(text), maxReply)], "")
}
