package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/collabledger/collabledger/email"
)

// passwordVariable is the only way to give the mail server's password but for a file: others on the machine can read command lines.
const passwordVariable = "LEDGER_SMTP_PASSWORD"

// mailing is by which mail server people are told of what is in their notifications.
type mailing struct {
	SMTPServer       string    `name:"smtp-server" group:"E-mail:" placeholder:"HOST:PORT" help:"Mail server to send people their notifications by; without it, no e-mail is sent."`
	SMTPTLS          email.TLS `name:"smtp-tls" group:"E-mail:" enum:"starttls,tls,none" default:"starttls" placeholder:"HOW" help:"How the connection to it is encrypted: starttls, tls from the first byte on, or none; ${default} unless given. A server that does not offer it is sent nothing."`
	SMTPUser         string    `name:"smtp-user" group:"E-mail:" placeholder:"NAME" help:"Who logs in at the mail server; without it, nobody does."`
	SMTPPasswordFile string    `name:"smtp-password-file" group:"E-mail:" placeholder:"FILE" help:"File with the password to log in with; without it, the one in LEDGER_SMTP_PASSWORD."`
	EmailFrom        string    `name:"email-from" group:"E-mail:" placeholder:"ADDRESS" help:"Sender of the mail, such as Ledger <ledger@example.com>."`
}

// server is the mail server that the flags tell of; nil when they tell of none.
func (m mailing) server() (*email.Server, error) {
	if m.SMTPServer == "" {
		if m.SMTPUser != "" || m.SMTPPasswordFile != "" || m.EmailFrom != "" {
			return nil, usageError{errors.New("what is said of e-mail needs a mail server: --smtp-server HOST:PORT")}
		}
		return nil, nil
	}
	server := &email.Server{Address: m.SMTPServer, TLS: m.SMTPTLS, User: m.SMTPUser, Password: os.Getenv(passwordVariable), From: m.EmailFrom}
	if m.SMTPPasswordFile != "" {
		content, err := os.ReadFile(m.SMTPPasswordFile)
		if err != nil {
			return nil, fmt.Errorf("read the mail server's password: %w", err)
		}
		server.Password = strings.TrimRight(string(content), "\r\n")
	}
	if err := server.Check(); err != nil {
		return nil, usageError{err}
	}
	return server, nil
}
