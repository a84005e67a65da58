package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/falloff-analytics/falloff/transforms/secret"
)

// Outcome is what became of one attempt, or of a message.
type Outcome string

// The outcomes. Of an attempt whose answer was lost it is not known whether it arrived; it is made again, under the same id.
const (
	Delivered Outcome = "delivered"
	Later     Outcome = "later"
	Unknown   Outcome = "unknown"
	Refused   Outcome = "refused"
	// GivenUp is a message that did not arrive within a day. Gone is one to a channel that the settings have no more.
	GivenUp Outcome = "given_up"
	Gone    Outcome = "channel_gone"
)

// final says that nothing more is tried.
func (o Outcome) final() bool { return o != Later && o != Unknown }

// An Attempt is how a try ended. Reason is a word of this package's, such as refused or timeout: no address, no URL, no server's text.
type Attempt struct {
	Outcome Outcome
	Reason  string
	// After is how long the other side asks to be left alone, 0 where it does not say.
	After time.Duration
}

// Message is what is sent over a channel.
type Message struct {
	// ID is the same in each attempt. MadeAt is when it was first to be sent.
	ID     string
	MadeAt time.Time
	Event  Event
	Text   Text
	// File goes with an e-mail.
	File *File
}

// File is what is attached.
type File struct {
	Name, Type string
	Body       []byte
}

// A Sender sends messages over one channel. It holds the channel's secrets.
type Sender interface {
	Send(ctx context.Context, m Message) Attempt
}

// sendTimeout bounds one attempt.
const sendTimeout = 30 * time.Second

// Open reads a channel's secrets and makes its sender. read gives the secret of a file; its errors name the file.
func (c *Channel) Open(read func(what, path string) (secret.Bytes, error), now func() time.Time) (Sender, error) {
	if now == nil {
		now = time.Now
	}
	switch {
	case c.SMTP != nil:
		s := &smtpSender{settings: *c.SMTP, now: now}
		var err error
		if s.tls, err = tlsTo(c.SMTP.Host, c.SMTP.CAFile); err != nil {
			return nil, err
		}
		if c.SMTP.PasswordFile != "" {
			s.password, err = read("the mail server's password", c.SMTP.PasswordFile)
		}
		return s, err
	case c.Slack != nil:
		address, err := read("the address of the Slack webhook", c.Slack.URLFile)
		if err != nil {
			return nil, err
		}
		if err := checkURL(address.Text()); err != nil {
			return nil, fmt.Errorf("the address of the Slack webhook, in %s: %w", c.Slack.URLFile, err)
		}
		client, err := clientTo(address.Text(), c.Slack.CAFile)
		return &slackSender{url: address, client: client}, err
	default:
		key, err := read("the webhook's secret", c.Webhook.SecretFile)
		if err != nil {
			return nil, err
		}
		signing, err := signingKey(key)
		if err != nil {
			return nil, fmt.Errorf("the webhook's secret, in %s: %w", c.Webhook.SecretFile, err)
		}
		client, err := clientTo(c.Webhook.URL, c.Webhook.CAFile)
		return &webhookSender{url: c.Webhook.URL, key: signing, client: client, now: now}, err
	}
}

// tlsTo demands TLS 1.3, but of loopback.
func tlsTo(host, caFile string) (*tls.Config, error) {
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS13}
	if isLoopback(host) {
		config.MinVersion = tls.VersionTLS12
	}
	if caFile == "" {
		return config, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("reading ca_file: %w", err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca_file %s holds no certificate in PEM", caFile)
	}
	return config, nil
}

// clientTo follows no redirect: it could lead a secret elsewhere.
func clientTo(address, caFile string) (*http.Client, error) {
	to, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("the webhook's address is none")
	}
	config, err := tlsTo(to.Hostname(), caFile)
	if err != nil {
		return nil, err
	}
	return &http.Client{
		Timeout:       sendTimeout,
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}
