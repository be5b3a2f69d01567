package email

import (
	"context"
	"fmt"
	"net/mail"
	"strings"
	"unicode"

	"github.com/google/uuid"
	gomail "github.com/wneessen/go-mail"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
	"github.com/collabledger/collabledger/projections"
)

// letter is what a mail says, and to whom.
type letter struct {
	id      string       // without the domain
	to      mail.Address // as the account has it when the mail is sent
	account string       // trade name of the account as whose member they are told
	projections.NotificationItem
}

// write looks up what a notification says and where the person receives mail. There is nothing to write to who has left or whose
// account is closed, nor of what their list does not hold any more.
func (m *Mailer) write(ctx context.Context, told projections.Told) (letter, bool, error) {
	item, found, err := m.Models.Notification(ctx, told)
	if err != nil || !found {
		return letter{}, false, err
	}
	account, _, err := commands.Load[domain.Account](ctx, m.States, eventstore.StreamID{Kind: domain.AccountStream, ID: told.Account})
	if err != nil {
		return letter{}, false, fmt.Errorf("look up an address: %w", err)
	}
	person, member := account.Members[told.User]
	if !member || account.Status == domain.AccountOver {
		return letter{}, false, nil
	}
	head, err := m.Store.Head(ctx)
	if err != nil {
		return letter{}, false, fmt.Errorf("look up the epoch: %w", err)
	}
	return letter{
		id: messageID(head.Epoch, told), to: mail.Address{Name: oneLine(person.Name), Address: person.Email},
		account: account.Details.TradeName, NotificationItem: item,
	}, true, nil
}

// messageID is the same whenever the same notification is sent, and another one for each: what is sent again after a crash can be
// recognised by it. The epoch is in it as positions begin anew in a log that was restored.
func messageID(epoch uuid.UUID, told projections.Told) string {
	return uuid.NewSHA1(epoch, fmt.Appendf(nil, "%s/%s/%d", told.Account, told.User, told.Position)).String()
}

// message is the letter as RFC 5322 has it: plain text in UTF-8, which no program should answer (RFC 3834).
func (m *Mailer) message(l letter) (*gomail.Msg, error) {
	from, err := mail.ParseAddress(m.Server.From)
	if err != nil {
		return nil, err
	}
	message := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	message.FromMailAddress(from)
	message.ToMailAddress(&l.to)
	message.Subject(oneLine(l.Title))
	message.SetDateWithValue(m.now())
	message.SetMessageIDWithValue(l.id + from.Address[strings.LastIndex(from.Address, "@"):])
	message.SetGenHeader("Auto-Submitted", "auto-generated")
	message.SetBodyString(gomail.TypeTextPlain, l.text())
	return message, nil
}

// text is what the mail says: the notification, where it leads, and why it comes.
func (l letter) text() string {
	text := l.Body + "\n"
	if l.GoTo != "" {
		text += "\n" + l.GoTo + "\n"
	}
	return text + "\n-- \nThe collaboration ledger tells you this as a member of " + oneLine(l.account) + ".\n"
}

// oneLine is a text for a header. The library encodes what a header may not hold, line breaks among it; here they become spaces, so
// that they do not come back when it is decoded.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }), " ")
}
