// Package smtptest has a real mail server in the process of a test.
package smtptest

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	"net/mail"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"
)

// ErrBreakOff has the server end the connection in place of a reply.
var ErrBreakOff = errors.New("break off")

// Mail is one that the server has taken.
type Mail struct {
	From, To  string // of the envelope
	User      string // who had logged in; empty: nobody
	Encrypted bool
	Raw       string // as it came, but for the lines' ends
	Header    mail.Header
	Subject   string // decoded
	Body      string // decoded
}

// Server is a mail server that takes everything, unless the test says otherwise.
type Server struct {
	Addr  string         // host:port
	Roots *x509.CertPool // that its certificate goes back to

	t        *testing.T
	change   func(*smtp.Server)
	implicit bool
	identity *tls.Config

	mu       sync.Mutex
	away     bool
	taken    []Mail
	refuse   func(from, to string) error
	refuseIt func(Mail) error
	password string
}

// New starts a server that offers STARTTLS and no log-in, until the end of the test. change sets it up otherwise.
func New(t *testing.T, change ...func(*smtp.Server)) *Server {
	t.Helper()
	return start(t, &Server{change: func(s *smtp.Server) {
		for _, c := range change {
			c(s)
		}
	}})
}

// NewTLS starts a server that is spoken to in TLS from the first byte on.
func NewTLS(t *testing.T) *Server {
	t.Helper()
	return start(t, &Server{implicit: true, change: func(*smtp.Server) {}})
}

// WithoutTLS has a server offer none.
func WithoutTLS(s *smtp.Server) { s.TLSConfig = nil }

func start(t *testing.T, s *Server) *Server {
	t.Helper()
	s.t = t
	donor := httptest.NewTLSServer(nil) // its certificate is for 127.0.0.1
	s.identity = &tls.Config{Certificates: donor.TLS.Certificates}
	s.Roots = x509.NewCertPool()
	s.Roots.AddCert(donor.Certificate())
	donor.Close()
	s.serve()
	return s
}

// serve answers until the end of the test.
func (s *Server) serve() {
	s.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(s.t, err)
	s.Addr = listener.Addr().String()
	listener = &door{listener, s}
	if s.implicit {
		listener = tls.NewListener(listener, s.identity)
	}
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{server: s, conn: c}, nil }))
	server.Domain, server.TLSConfig, server.ErrorLog = "mail.example", s.identity, log.New(io.Discard, "", 0)
	s.change(server)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener) // until it is closed
	}()
	s.t.Cleanup(func() {
		require.NoError(s.t, server.Close())
		<-served
	})
}

// door is where connections come in. It keeps its port while nobody is let in, so that nobody else takes it.
type door struct {
	net.Listener
	server *Server
}

func (d *door) Accept() (net.Conn, error) {
	for {
		conn, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		d.server.mu.Lock()
		away := d.server.away
		d.server.mu.Unlock()
		if !away {
			return conn, nil
		}
		if err := conn.Close(); err != nil {
			return nil, err
		}
	}
}

// Stop has it hang up on whoever connects.
func (s *Server) Stop() { s.isAway(true) }

// Start has it answer again.
func (s *Server) Start() { s.isAway(false) }

func (s *Server) isAway(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

// Refuses says which recipients it refuses from now on; nil: none. The errors are smtp.SMTPError.
func (s *Server) Refuses(refuse func(from, to string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = refuse
}

// RefusesMail says which mails it refuses from now on, once it has read them; nil: none.
func (s *Server) RefusesMail(refuse func(Mail) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuseIt = refuse
}

// WantsPassword has it take mail only from who logs in with this one.
func (s *Server) WantsPassword(password string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.password = password
}

// Mails are those that it has taken, in their order.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail{}, s.taken...)
}

// session is a connection to the server.
type session struct {
	server         *Server
	conn           *smtp.Conn
	user, from, to string
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		s.server.mu.Lock()
		defer s.server.mu.Unlock()
		if password != s.server.password {
			return smtp.ErrAuthFailed
		}
		s.user = user
		return nil
	}), nil
}

func (s *session) Reset() { s.from, s.to = "", "" }

func (s *session) Logout() error { return nil }

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if s.server.password != "" && s.user == "" {
		return smtp.ErrAuthRequired
	}
	s.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.server.mu.Lock()
	refuse := s.server.refuse
	s.server.mu.Unlock()
	if refuse != nil {
		if err := refuse(s.from, to); err != nil {
			return err
		}
	}
	s.to = to
	return nil
}

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	parsed, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		s.server.t.Errorf("what came is no mail: %v", err)
		return err
	}
	_, encrypted := s.conn.TLSConnectionState()
	got := Mail{From: s.from, To: s.to, User: s.user, Encrypted: encrypted, Raw: string(raw), Header: parsed.Header}
	if got.Subject, err = new(mime.WordDecoder).DecodeHeader(parsed.Header.Get("Subject")); err != nil {
		return err
	}
	body := io.Reader(parsed.Body)
	if parsed.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
		body = quotedprintable.NewReader(body)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	got.Body = string(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")))
	s.server.mu.Lock()
	refuse := s.server.refuseIt
	s.server.mu.Unlock()
	if refuse != nil {
		err := refuse(got)
		if errors.Is(err, ErrBreakOff) {
			err = errors.Join(err, s.conn.Close())
		}
		if err != nil {
			return err
		}
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.taken = append(s.server.taken, got)
	return nil
}
