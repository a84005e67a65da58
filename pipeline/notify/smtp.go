package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/falloff-analytics/falloff/transforms/secret"
)

type smtpSender struct {
	settings SMTP
	password secret.Bytes
	tls      *tls.Config
	now      func() time.Time
}

func (s *smtpSender) Send(ctx context.Context, m Message) Attempt {
	message, err := s.compose(m)
	if err != nil {
		return Attempt{Outcome: Refused, Reason: "not_writable"}
	}
	client, err := s.client()
	if err != nil {
		return Attempt{Outcome: Refused, Reason: "settings"}
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	return attemptOf(client.DialAndSendWithContext(ctx, message), message.IsDelivered())
}

func (s *smtpSender) client() (*mail.Client, error) {
	options := []mail.Option{mail.WithPort(s.settings.Port), mail.WithTimeout(sendTimeout), mail.WithTLSConfig(s.tls), mail.WithHELO("falloff.invalid")}
	switch s.settings.TLS {
	case "tls":
		options = append(options, mail.WithSSL())
	case "none":
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if s.settings.Username != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(s.settings.Username), mail.WithPassword(s.password.Text()))
	}
	return mail.NewClient(s.settings.Host, options...)
}

// attemptOf names an error of the mail library, whose text has addresses. A connection that ends after the message has gone out, and
// before the server has answered, may have delivered it.
func attemptOf(err error, delivered bool) Attempt {
	if err == nil || delivered { // else it is only the farewell that failed
		return Attempt{Outcome: Delivered}
	}
	var failure *mail.SendError
	if !errors.As(err, &failure) {
		code := replyCode.FindStringSubmatch(err.Error())
		if code != nil && code[1] == "5" {
			return Attempt{Outcome: Refused, Reason: "sign_in"}
		}
		return Attempt{Outcome: Later, Reason: "unreachable"}
	}
	reason := "smtp"
	if code := failure.ErrorCode(); code != 0 {
		reason = fmt.Sprintf("smtp_%d", code)
	}
	switch {
	case failure.ErrorCode() >= 500:
		return Attempt{Outcome: Refused, Reason: reason}
	case failure.ErrorCode() == 0 && (failure.Reason == mail.ErrSMTPDataClose || failure.Reason == mail.ErrWriteContent):
		return Attempt{Outcome: Unknown, Reason: "no_answer"}
	default:
		return Attempt{Outcome: Later, Reason: reason}
	}
}

var (
	replyCode = regexp.MustCompile(`(?:^|: )([45])\d\d[ -]`)
	fileName  = regexp.MustCompile(`[^A-Za-z0-9._-]+`)
)

func (s *smtpSender) compose(m Message) (*mail.Msg, error) {
	message := mail.NewMsg()
	if err := message.From(s.settings.From); err != nil {
		return nil, err
	}
	if err := message.To(s.settings.To...); err != nil {
		return nil, err
	}
	_, domain, _ := strings.Cut(s.settings.From, "@")
	message.SetMessageIDWithValue(m.ID + "@" + domain)
	message.SetDateWithValue(m.MadeAt)
	message.Subject(m.Text.Subject)
	// RFC 3834: nobody's out-of-office note answers it.
	message.SetGenHeader("Auto-Submitted", "auto-generated")
	message.SetBodyString(mail.TypeTextPlain, m.Text.Plain())
	html, err := m.Text.HTML()
	if err != nil {
		return nil, err
	}
	message.AddAlternativeString(mail.TypeTextHTML, html)
	if m.File != nil {
		name := fileName.ReplaceAllString(path.Base(m.File.Name), "_")
		err = message.AttachReader(name, bytes.NewReader(m.File.Body), mail.WithFileContentType(mail.ContentType(m.File.Type)))
	}
	return message, err
}
