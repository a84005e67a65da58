package notify

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Settings is the section notify of falloff.yaml. It holds no secret: files do.
type Settings struct {
	Channels []Channel `yaml:"channels"`
	Rules    Rules     `yaml:"rules"`
	// Language of the messages: en, or fr for Canadian French.
	Language string `yaml:"language"`
	// DashboardURL is where the clinic's dashboards are, for a link.
	DashboardURL string `yaml:"dashboard_url"`
	// AgainAfterDays is when what still holds is said again.
	AgainAfterDays int `yaml:"again_after_days"`
}

// Rules say what is told of. The zero value tells of nothing.
type Rules struct {
	// LeaksOver is an amount in units of the clinic's currency: new leaks are told of once they come to it together.
	LeaksOver float64 `yaml:"leaks_over"`
	// StaleAfter is how old the newest day of good data may be, counted from that day's end.
	StaleAfter  time.Duration `yaml:"stale_after"`
	Falloff     bool          `yaml:"falloff"`
	NeedsPerson bool          `yaml:"needs_person"`
}

// A Channel is one way out: exactly one of SMTP, Slack and Webhook.
type Channel struct {
	// Name stands in the log in the place of the address.
	Name string `yaml:"name"`
	// AtMost is how many messages a day go out, 20 where it is 0. What is more waits.
	AtMost  int      `yaml:"at_most"`
	SMTP    *SMTP    `yaml:"smtp"`
	Slack   *Slack   `yaml:"slack"`
	Webhook *Webhook `yaml:"webhook"`
}

// SMTP is a mail server that takes messages for others.
type SMTP struct {
	Host string   `yaml:"host"`
	Port int      `yaml:"port"`
	From string   `yaml:"from"`
	To   []string `yaml:"to"`
	// TLS is starttls (the default), tls from the first byte, or none, to loopback alone.
	TLS          string `yaml:"tls"`
	Username     string `yaml:"username"`
	PasswordFile string `yaml:"password_file"`
	// CAFile names the authority of a certificate of one's own.
	CAFile string `yaml:"ca_file"`
}

// Slack is an incoming webhook of Slack, Mattermost, or whatever else takes {"text": …}. Its URL is a secret.
type Slack struct {
	URLFile string `yaml:"url_file"`
	CAFile  string `yaml:"ca_file"`
}

// Webhook takes events as JSON, signed as https://www.standardwebhooks.com says. The file has the secret in that form: whsec_
// and 24 to 64 bytes in base64.
type Webhook struct {
	URL        string `yaml:"url"`
	SecretFile string `yaml:"secret_file"`
	CAFile     string `yaml:"ca_file"`
}

// The bounds of settings.
const (
	mostChannels  = 5
	mostADay      = 100
	usuallyADay   = 20
	usuallyAgain  = 7
	mostAgainDays = 90
)

var channelName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}$`)

// Files are the settings that name files, for the caller to make absolute.
func (s *Settings) Files() []*string {
	var out []*string
	for i := range s.Channels {
		c := &s.Channels[i]
		if c.SMTP != nil {
			out = append(out, &c.SMTP.PasswordFile, &c.SMTP.CAFile)
		}
		if c.Slack != nil {
			out = append(out, &c.Slack.URLFile, &c.Slack.CAFile)
		}
		if c.Webhook != nil {
			out = append(out, &c.Webhook.SecretFile, &c.Webhook.CAFile)
		}
	}
	return out
}

// Check fills in what is usual and says what is wrong. Its errors name the key and repeat no value.
func (s *Settings) Check() error {
	if s.Language == "" {
		s.Language = "en"
	}
	if s.AgainAfterDays == 0 {
		s.AgainAfterDays = usuallyAgain
	}
	names := map[string]bool{}
	for i := range s.Channels {
		c := &s.Channels[i]
		if err := c.check(); err != nil {
			return fmt.Errorf("channels[%d]: %w", i, err)
		}
		if names[c.Name] {
			return fmt.Errorf("channels[%d]: name: another channel has it", i)
		}
		names[c.Name] = true
	}
	switch {
	case len(s.Channels) > mostChannels:
		return fmt.Errorf("channels: at most %d", mostChannels)
	case !slices.Contains([]string{"en", "fr"}, s.Language):
		return errors.New("language: en or fr")
	case s.AgainAfterDays < 1 || s.AgainAfterDays > mostAgainDays:
		return fmt.Errorf("again_after_days: 1 to %d", mostAgainDays)
	case s.Rules.LeaksOver < 0 || s.Rules.LeaksOver > 1e9:
		return errors.New("rules: leaks_over: an amount such as 500.00, or 0 for no such messages")
	case s.Rules.StaleAfter != 0 && s.Rules.StaleAfter < time.Hour:
		return errors.New("rules: stale_after: an hour or more, such as 36h")
	}
	if s.DashboardURL != "" {
		if u, err := url.Parse(s.DashboardURL); err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
			return errors.New("dashboard_url: an address such as https://grafana.clinic.example/d/falloff, without user and password")
		}
	}
	return nil
}

// Kind is what a channel talks to: smtp, slack or webhook.
func (c *Channel) Kind() string {
	switch {
	case c.SMTP != nil:
		return "smtp"
	case c.Slack != nil:
		return "slack"
	default:
		return "webhook"
	}
}

func (c *Channel) check() error {
	ways := 0
	for _, is := range []bool{c.SMTP != nil, c.Slack != nil, c.Webhook != nil} {
		if is {
			ways++
		}
	}
	if c.AtMost == 0 {
		c.AtMost = usuallyADay
	}
	switch {
	case !channelName.MatchString(c.Name):
		return errors.New("name: lower-case letters, digits and hyphens, such as office")
	case ways != 1:
		return errors.New("say one of smtp, slack and webhook")
	case c.AtMost < 1 || c.AtMost > mostADay:
		return fmt.Errorf("at_most: 1 to %d messages a day", mostADay)
	case c.SMTP != nil:
		return c.SMTP.check()
	case c.Slack != nil && c.Slack.URLFile == "":
		return errors.New("slack: url_file: the file with the webhook's address, which is a secret")
	case c.Webhook != nil:
		if c.Webhook.SecretFile == "" {
			return errors.New("webhook: secret_file: the file with the secret that signs, whsec_…")
		}
		if err := checkURL(c.Webhook.URL); err != nil {
			return fmt.Errorf("webhook: url: %w", err)
		}
	}
	return nil
}

func (s *SMTP) check() error {
	if s.TLS == "" {
		s.TLS = "starttls"
	}
	if s.Port == 0 {
		s.Port = map[string]int{"starttls": 587, "tls": 465, "none": 25}[s.TLS]
	}
	switch {
	case s.Host == "" || strings.ContainsAny(s.Host, "/@ \r\n"):
		return errors.New("smtp: host: a mail server's name, such as smtp.clinic.example")
	case !slices.Contains([]string{"starttls", "tls", "none"}, s.TLS):
		return errors.New("smtp: tls: starttls, tls or none")
	case s.TLS == "none" && !isLoopback(s.Host):
		return errors.New("smtp: tls: none is for a server on loopback; over a network starttls or tls is needed")
	case s.Port < 1 || s.Port > 65535:
		return errors.New("smtp: port: 1 to 65535")
	case (s.Username == "") != (s.PasswordFile == ""):
		return errors.New("smtp: username and password_file belong together")
	case len(s.To) == 0 || len(s.To) > 20:
		return errors.New("smtp: to: 1 to 20 addresses")
	}
	for _, address := range append([]string{s.From}, s.To...) {
		if parsed, err := mail.ParseAddress(address); err != nil || parsed.Name != "" || strings.ContainsAny(address, "\r\n<>") {
			return errors.New("smtp: from and to: bare addresses, such as falloff@clinic.example")
		}
	}
	return nil
}

// checkURL takes https, and http to loopback.
func checkURL(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		return errors.New("an address that begins with https://, without user and password")
	case u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	default:
		return errors.New("https is needed, but for a server on loopback")
	}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
