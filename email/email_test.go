package email

import (
	"net/mail"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/internal/smtptest"
	"github.com/collabledger/collabledger/projections"
)

func TestARequestIsMailedToTheAdministratorsAndAcceptanceToTheClient(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		o, server := newOffice(l), smtptest.New(t)
		m := l.mailer(server)
		l.works(m)
		o.request()
		l.settled(m)
		require.Equal(t, []string{"admin@vidal.example: Request from Soler", "owner@vidal.example: Request from Soler"}, got(server))

		o.do(o.owner, commands.AcceptCollaboration{PairFields: o.pair})
		l.settled(m)
		require.Len(t, got(server), 3)
		require.Equal(t, "owner@soler.example: Vidal accepted your request", got(server)[1])
		require.Equal(t, MailerStatus{Position: l.store.Committed(), Sent: 3, State: Live}, l.status(m))
	})
}

func TestAMailSaysWhatTheListSays(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		o, server := newOffice(l), smtptest.New(t)
		m := l.mailer(server)
		l.works(m)
		o.request()
		l.settled(m)
		item := l.list(o.admin)[0]
		sent := server.Mails()[0]
		require.Equal(t, item.Title, sent.Subject)
		require.Equal(t, item.Body+"\n\n-- \nThe collaboration ledger tells you this as a member of Vidal.\n", sent.Body)
		require.Equal(t, "Owner of Soler (Soler) asked Vidal to collaborate: “Please keep our books.”", item.Body)
		require.Equal(t, "ledger@example.com", sent.From)
		require.True(t, sent.Encrypted)

		from, err := mail.ParseAddress(sent.Header.Get("From"))
		require.NoError(t, err)
		require.Equal(t, mail.Address{Name: "The ledger", Address: "ledger@example.com"}, *from)
		require.Equal(t, "auto-generated", sent.Header.Get("Auto-Submitted"))
		require.Equal(t, "text/plain; charset=UTF-8", sent.Header.Get("Content-Type"))
		require.Regexp(t, `^<[0-9a-f-]{36}@example\.com>$`, sent.Header.Get("Message-Id"))
		require.NotEqual(t, sent.Header.Get("Message-Id"), server.Mails()[1].Header.Get("Message-Id"))
		date, err := sent.Header.Date()
		require.NoError(t, err)
		require.True(t, date.Equal(l.now()))
	})
}

func TestATaskIsMailedToThoseWhoChoseItsSection(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		o, server := newOffice(l), smtptest.New(t)
		o.request()
		o.do(o.owner, commands.AcceptCollaboration{PairFields: o.pair})
		o.do(o.client, commands.GrantAccess{PairFields: o.pair, GrantTerms: commands.GrantTerms{RoleID: domain.RoleFinance}})
		o.do(o.admin, commands.ConfigureKPINotifications{PairFields: o.pair, Sections: []domain.Section{domain.Sales}})
		m := l.mailer(server)
		l.works(m)
		for _, section := range []domain.Section{domain.Sales, domain.Banking} {
			o.do(o.client, commands.RaiseTask{ClientID: o.client.AccountID, Section: section, Title: "Match payments", ExternalRef: string(section), GoTo: "https://app.example/" + string(section)})
		}
		l.settled(m)
		require.Equal(t, []string{"admin@vidal.example: Task of Soler"}, got(server))
		require.Contains(t, server.Mails()[0].Body, "\nhttps://app.example/sales\n")
	})
}

// TestNothingThatPeopleWriteBecomesAHeaderOrACommand: neither in names, nor in a title, nor in the text.
func TestNothingThatPeopleWriteBecomesAHeaderOrACommand(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		o, server := newOffice(l), smtptest.New(t)
		o.do(o.client, commands.UpdateAccountDetails{AccountID: o.client.AccountID, AccountDetails: domain.AccountDetails{
			LegalName: "Soler S.L.", TradeName: "Soler\nBcc: all@vidal.example\n.\nMAIL FROM:<x@y.example>\n\n..\n", TaxID: "B12345678", Country: "ES", Email: "hola@soler.example", Phone: "+34 931 234 567",
		}})
		o.do(o.owner, commands.UpdateAccountDetails{AccountID: o.owner.AccountID, AccountDetails: domain.AccountDetails{
			LegalName: "Vidal S.L.", TradeName: "Vidal\nX-Spam: no", TaxID: "B12345678", Country: "ES", Email: "hola@vidal.example", Phone: "+34 931 234 567",
		}})
		o.join("Pau\nTo: all@vidal.example, \"Ñ\" <x@y.example>", "pau@vidal.example", domain.RoleAdministrator)
		m := l.mailer(server)
		l.works(m)
		o.say("Hello\n.\nSubject: no")
		l.settled(m)
		mails := server.Mails()
		require.Len(t, mails, 3, "each to one recipient")
		for _, got := range mails {
			var names []string
			for name, values := range got.Header {
				names = append(names, name)
				require.Len(t, values, 1, name)
			}
			slices.Sort(names)
			require.Equal(t, []string{"Auto-Submitted", "Content-Transfer-Encoding", "Content-Type", "Date", "From", "Message-Id", "Mime-Version", "Subject", "To"}, names)
			require.Equal(t, "Message from Soler Bcc: all@vidal.example . MAIL FROM:<x@y.example> ..", got.Subject)
			to, err := got.Header.AddressList("To")
			require.NoError(t, err)
			require.Len(t, to, 1)
			require.Equal(t, got.To, to[0].Address)
			require.Contains(t, got.Body, "(Soler\nBcc: all@vidal.example\n.\nMAIL FROM:<x@y.example>\n\n..")
			require.True(t, strings.HasSuffix(got.Body, " as a member of Vidal X-Spam: no.\n"), got.Body)
		}
	})
}

func TestAServerThatIsAwayIsWaitedFor(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		o, server := newOffice(l), smtptest.New(t)
		m := l.mailer(server)
		l.works(m)
		server.Stop()
		o.request()
		l.eventually(func() bool { return l.status(m).State == Retrying }, "it says that it cannot send")
		s := l.status(m)
		require.EqualValues(t, 2, s.Waiting)
		require.Contains(t, s.Error, "the mail server at "+server.Addr+": ")

		server.Start()
		l.settled(m)
		require.Equal(t, []string{"admin@vidal.example: Request from Soler", "owner@vidal.example: Request from Soler"}, got(server))
		l.eventually(func() bool { return l.status(m).State == Live }, "and that it can again")
		require.Equal(t, 1, strings.Count(l.log.String(), "e-mail is held up"), "once, not at every attempt: %s", &l.log)
	})
}

// refuses is what a server says to the recipients of an address.
func refuses(address string, code int) func(from, to string) error {
	return func(_, to string) error {
		if to != address {
			return nil
		}
		return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 1, 1}, Message: "not for <" + address + ">"}
	}
}

func TestARecipientWhoIsRefusedForNowGetsItLater(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		o, server := newOffice(l), smtptest.New(t)
		server.Refuses(refuses("admin@vidal.example", 451))
		m := l.mailer(server)
		l.works(m)
		o.request()
		l.eventually(func() bool { return l.status(m).Sent == 1 && l.dueLater() == 1 }, "the other one gets it")
		require.Equal(t, []string{"owner@vidal.example: Request from Soler"}, got(server))
		require.Equal(t, Live, l.status(m).State, "it is no fault of the server's")

		server.Refuses(nil)
		l.pass(firstRetry + firstRetry/jitterShare)
		l.settled(m)
		require.Equal(t, []string{"admin@vidal.example: Request from Soler", "owner@vidal.example: Request from Soler"}, got(server))
		require.Zero(t, l.status(m).GivenUp)
	})
}

func TestARecipientWhoIsRefusedForGoodIsInNobodysWay(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		o, server := newOffice(l), smtptest.New(t)
		server.Refuses(refuses("admin@vidal.example", 550))
		m := l.mailer(server)
		l.works(m)
		o.request()
		o.say("Are you there?")
		l.settled(m)
		require.Equal(t, []string{"owner@vidal.example: Message from Soler", "owner@vidal.example: Request from Soler"}, got(server))
		s := l.status(m)
		require.EqualValues(t, 2, s.GivenUp)
		require.EqualValues(t, 2, s.Sent)
		require.Contains(t, l.log.String(), "a mail is given up")
		require.Contains(t, l.log.String(), "5.1.1 not for <the recipient>")
		require.NotContains(t, l.log.String(), "admin@vidal.example", "logs name nobody")
		require.Len(t, l.list(o.admin), 2, "it stays in their list")
	})
}

func TestAMailThatIsRefusedOrBreaksTheConnectionIsInNobodysWay(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		o, server := newOffice(l), smtptest.New(t)
		server.RefusesMail(func(m smtptest.Mail) error {
			switch {
			case strings.Contains(m.Body, "spam"):
				return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "spam"}
			case strings.Contains(m.Body, "poison"):
				return smtptest.ErrBreakOff
			}
			return nil
		})
		o.say("before e-mail")
		m := l.mailer(server)
		l.works(m)
		o.say("poison")
		o.say("spam")
		o.say("fine")
		l.eventually(func() bool { return l.status(m).Sent == 2 && l.status(m).GivenUp == 2 && l.dueLater() == 2 }, "the rest goes on")
		require.Len(t, server.Mails(), 2)
		for _, got := range server.Mails() {
			require.Contains(t, got.Body, "fine")
		}
	})
}

func TestAMailIsTriedForThreeDays(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		o, server := newOffice(l), smtptest.New(t)
		server.Refuses(refuses("admin@vidal.example", 451))
		m := l.mailer(server)
		stop := l.runs(m.Follow)
		o.request()
		l.noted(m)
		stop()
		began, attempts := l.now(), 0
		for l.status(m).Waiting > 0 {
			worked, err := m.sendDue(t.Context())
			require.NoError(t, err)
			require.True(t, worked)
			attempts++
			l.passToDue()
		}
		require.GreaterOrEqual(t, l.now().Sub(began), giveUpAfter-maxRetry-maxRetry/jitterShare)
		require.LessOrEqual(t, l.now().Sub(began), giveUpAfter)
		require.Greater(t, attempts, 20)
		require.EqualValues(t, 1, l.status(m).GivenUp)
		require.Contains(t, l.log.String(), "4.1.1 not for <the recipient>")
	})
}

func TestWhatAServerWasAwayForTooLongForIsGivenUp(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		o, server := newOffice(l), smtptest.New(t)
		m := l.mailer(server)
		l.works(m)
		server.Stop()
		o.request()
		l.eventually(func() bool { return l.status(m).State == Retrying && l.status(m).Waiting == 2 }, "it waits")
		l.pass(giveUpAfter)
		l.settled(m)
		require.EqualValues(t, 2, l.status(m).GivenUp)
		require.Contains(t, l.log.String(), "it could not be sent within 72h0m0s")
	})
}

func TestWhatIsSentAgainAfterACrashHasTheSameMessageID(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		o, server := newOffice(l), smtptest.New(t)
		crashing := l.mailer(server)
		stop := l.runs(crashing.Follow)
		o.request()
		l.noted(crashing)
		stop()

		// It sends a mail, and is gone before it records that.
		due, err := crashing.due(t.Context())
		require.NoError(t, err)
		require.Len(t, due, 2)
		letter, found, err := crashing.write(t.Context(), due[0].Told)
		require.NoError(t, err)
		require.True(t, found)
		message, err := crashing.message(letter)
		require.NoError(t, err)
		claimed, err := crashing.claim(t.Context(), &due[0])
		require.NoError(t, err)
		require.True(t, claimed)
		conn, err := crashing.Server.dial(t.Context())
		require.NoError(t, err)
		require.Equal(t, outcome{}, conn.send(message, letter.to.Address))
		conn.close()

		m := l.mailer(server)
		l.works(m)
		l.eventually(func() bool { return l.status(m).Sent == 1 }, "the other one is sent")
		require.EqualValues(t, 1, l.status(m).Waiting, "the first is not, as its node may be at it")
		require.Len(t, server.Mails(), 2)
		l.pass(claimLasts)
		l.settled(m)
		ids := map[string]int{}
		for _, got := range server.Mails() {
			ids[got.To+got.Header.Get("Message-Id")]++
		}
		require.Len(t, ids, 2)
		require.Equal(t, 2, ids[letter.to.Address+"<"+letter.id+"@example.com>"])
	})
}

func TestSeveralNodesSendEachMailOnce(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		o, server := newOffice(l), smtptest.New(t)
		nodes := []*Mailer{l.mailer(server), l.mailer(server), l.mailer(server)}
		for _, m := range nodes {
			l.works(m)
		}
		const messages = 30
		for range messages {
			o.say("Hello?")
		}
		for _, m := range nodes {
			l.settled(m)
		}
		ids := map[string]bool{}
		for _, got := range server.Mails() {
			ids[got.Header.Get("Message-Id")] = true
		}
		require.Len(t, ids, 2*messages)
		require.Len(t, server.Mails(), 2*messages)
		require.EqualValues(t, 2*messages, l.status(nodes[0]).Sent)
	})
}

func TestOnlyWhatHappensWhileEmailIsSwitchedOnIsMailed(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		o, server := newOffice(l), smtptest.New(t)
		o.say("before")
		m := l.mailer(server)
		stop := l.works(m)
		o.say("while it is on")
		l.settled(m)
		stop()
		o.say("while the server is restarted")

		m = l.mailer(server)
		stop = l.works(m)
		l.settled(m)
		require.Len(t, server.Mails(), 4, "what came meanwhile is not lost, and nothing is sent twice")
		require.NoError(t, l.models.Rebuild(t.Context(), "notifications", nil))
		o.say("after a rebuild")
		l.settled(m)
		require.Len(t, server.Mails(), 6)
		stop()

		require.NoError(t, SwitchOff(t.Context(), l.db))
		o.say("while it is off")
		m = l.mailer(server)
		l.works(m)
		o.say("on again")
		l.settled(m)
		require.Len(t, server.Mails(), 8)
		for _, got := range server.Mails() {
			require.NotContains(t, got.Body, "before")
			require.NotContains(t, got.Body, "off")
		}
	})
}

func TestAServerWithoutEmailThatStartsBesideStopsNothing(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		o, server := newOffice(l), smtptest.New(t)
		m := l.mailer(server)
		l.works(m)
		o.say("first")
		l.settled(m)
		require.NoError(t, SwitchOff(t.Context(), l.db))
		o.say("at that moment")
		l.eventually(func() bool { return strings.Contains(l.log.String(), "a server without e-mail has started") }, "it is told")
		l.noted(m)
		o.say("afterwards")
		l.eventually(func() bool {
			return slices.ContainsFunc(server.Mails(), func(m smtptest.Mail) bool { return strings.Contains(m.Body, "afterwards") })
		}, "it goes on")
	})
}

func TestNothingIsSentInTheClearUnlessItMayBe(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		o, plain := newOffice(l), smtptest.New(t, smtptest.WithoutTLS)
		m := l.mailer(plain)
		stop := l.works(m)
		o.request()
		l.eventually(func() bool { return l.status(m).State == Retrying }, "it says so")
		require.Contains(t, l.status(m).Error, "does not support STARTTLS")
		require.Empty(t, plain.Mails())
		stop()

		unknown := smtptest.New(t)
		m = l.mailer(unknown, func(s *Server) { s.Roots = nil })
		stop = l.works(m)
		l.eventually(func() bool { return l.status(m).State == Retrying }, "it says so")
		require.Contains(t, l.status(m).Error, "certificate")
		require.Empty(t, unknown.Mails())
		stop()

		m = l.mailer(plain, func(s *Server) { s.TLS = NoTLS })
		l.works(m)
		l.settled(m)
		require.Len(t, plain.Mails(), 2)
		require.False(t, plain.Mails()[0].Encrypted)
	})
}

func TestItLogsInWhereItMust(t *testing.T) {
	for name, way := range map[string]struct {
		tls TLS
		new func(*testing.T) *smtptest.Server
	}{
		"with STARTTLS": {StartTLS, func(t *testing.T) *smtptest.Server { return smtptest.New(t) }},
		"with TLS":      {ImplicitTLS, smtptest.NewTLS},
	} {
		t.Run(name, func(t *testing.T) {
			eachLedger(t, func(t *testing.T, l *ledger) {
				o, server := newOffice(l), way.new(t)
				server.WantsPassword("hunter2")
				login := func(password string) func(*Server) {
					return func(s *Server) { s.TLS, s.User, s.Password = way.tls, "ledger", password }
				}
				m := l.mailer(server, login("hunter3"))
				stop := l.works(m)
				o.request()
				l.eventually(func() bool { return l.status(m).State == Retrying }, "it says that it cannot log in")
				require.Contains(t, l.status(m).Error, "535")
				stop()

				m = l.mailer(server, func(s *Server) { s.TLS = way.tls })
				stop = l.works(m)
				l.eventually(func() bool { return l.status(m).State == Retrying }, "nor send without")
				require.Contains(t, l.status(m).Error, "MAIL FROM")
				require.Zero(t, l.status(m).GivenUp, "it is no fault of the recipient's")
				stop()

				m = l.mailer(server, login("hunter2"))
				l.works(m)
				l.pass(claimLasts + firstRetry)
				l.settled(m)
				require.Len(t, server.Mails(), 2)
				require.Equal(t, "ledger", server.Mails()[0].User)
				require.True(t, server.Mails()[0].Encrypted)
				require.NotContains(t, l.log.String(), "hunter")
			})
		})
	}
}

func TestWhoHasLeftGetsNothing(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		o, server := newOffice(l), smtptest.New(t)
		m := l.mailer(server)
		following := l.runs(m.Follow)
		o.request()
		l.noted(m)
		following()
		require.EqualValues(t, 2, l.status(m).Waiting)
		o.do(o.owner, commands.RemoveMember{AccountID: o.owner.AccountID, UserID: o.admin.UserID})
		require.NoError(t, l.models.Wait(t.Context(), l.store.Committed()))
		l.works(m)
		l.settled(m)
		require.Equal(t, []string{"owner@vidal.example: Request from Soler"}, got(server))
		require.Zero(t, l.status(m).GivenUp)

		o.say("to the owner of an account that is being closed")
		o.do(o.owner, commands.CloseAccount{AccountID: o.owner.AccountID})
		l.settled(m)
		for _, told := range l.waitingFor(o.owner) {
			_, found, err := m.write(t.Context(), told)
			require.NoError(t, err)
			require.False(t, found)
		}
	})
}

func TestNoMoreMailsWaitThanMay(t *testing.T) {
	eachLedger(t, func(t *testing.T, l *ledger) {
		o, server := newOffice(l), smtptest.New(t)
		m := l.mailer(server)
		m.maxWaiting = 3
		l.runs(m.Follow)
		o.request()
		o.say("Are you there?")
		l.noted(m)
		require.EqualValues(t, 3, l.status(m).Waiting)
		require.EqualValues(t, 1, l.status(m).GivenUp)
		require.Contains(t, l.log.String(), "too many mails wait already")
	})
}

func TestWhatAMailServerMayNotBe(t *testing.T) {
	fine := Server{Address: "smtp.example.com:587", TLS: StartTLS, From: "ledger@example.com"}
	require.NoError(t, fine.Check())
	for want, change := range map[string]func(*Server){
		"HOST:PORT":                 func(s *Server) { s.Address = "smtp.example.com" },
		"number from 1 to 65535":    func(s *Server) { s.Address = "smtp.example.com:0" },
		"starttls, tls or none":     func(s *Server) { s.TLS = "maybe" },
		"an address such as":        func(s *Server) { s.From = "The ledger" },
		"only one of them is given": func(s *Server) { s.User = "ledger" },
		"without TLS":               func(s *Server) { s.User, s.Password, s.TLS = "ledger", "hunter2", NoTLS },
	} {
		server := fine
		change(&server)
		require.ErrorContains(t, server.Check(), want)
		require.NotContains(t, server.Check().Error(), "hunter2")
	}
}

func TestAMessageIDIsThatOfOneNotification(t *testing.T) {
	told := projections.Told{Account: id(1), User: id(2), Position: 7}
	other := told
	other.Position = 8
	require.Equal(t, messageID(id(3), told), messageID(id(3), told))
	require.NotEqual(t, messageID(id(3), told), messageID(id(3), other))
	require.NotEqual(t, messageID(id(3), told), messageID(id(4), told), "a restored log begins anew")
}
