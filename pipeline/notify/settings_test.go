package notify

import (
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

const goodSettings = `
channels:
- name: office
  at_most: 5
  smtp: {host: smtp.clinic.example, from: falloff@clinic.example, to: [owner@clinic.example], username: falloff, password_file: pass}
- name: team
  slack: {url_file: slack}
- name: ops
  webhook: {url: "https://ops.clinic.example/falloff", secret_file: key}
rules: {leaks_over: 500.00, stale_after: 36h, falloff: true, needs_person: true}
language: en
dashboard_url: https://grafana.clinic.example/d/falloff
`

func settingsOf(t *testing.T, text string) *Settings {
	t.Helper()
	var s Settings
	if err := yaml.UnmarshalWithOptions([]byte(text), &s, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	return &s
}

func TestSettings(t *testing.T) {
	t.Parallel()
	s := settingsOf(t, goodSettings)
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	if c := s.Channels[0]; c.SMTP.Port != 587 || c.SMTP.TLS != "starttls" || c.AtMost != 5 || s.Channels[1].AtMost != 20 || s.AgainAfterDays != 7 ||
		s.Rules.StaleAfter != 36*time.Hour || s.Rules.LeaksOver != 500 {
		t.Errorf("%+v", s)
	}
	for _, file := range s.Files() {
		if *file != "" {
			*file = "/etc/" + *file
		}
	}
	if s.Channels[0].SMTP.PasswordFile != "/etc/pass" || s.Channels[1].Slack.URLFile != "/etc/slack" || s.Channels[2].Webhook.SecretFile != "/etc/key" {
		t.Errorf("%+v", s.Channels)
	}
	for _, c := range []struct{ from, to, want string }{
		{"name: team", "name: office", "another channel"},
		{"name: team", "name: The Team", "channels[1]: name"},
		{"at_most: 5", "at_most: 500", "at_most"},
		{"slack: {url_file: slack}", "slack: {}", "url_file"},
		{"slack: {url_file: slack}", "at_most: 3", "say one of"},
		{"from: falloff@clinic.example", `from: "falloff@clinic.example\r\nBcc: planted@clinic.example"`, "bare addresses"},
		{"from: falloff@clinic.example", `from: "Planted <falloff@clinic.example>"`, "bare addresses"},
		{"[owner@clinic.example]", "[planted]", "bare addresses"},
		{"[owner@clinic.example]", "[]", "1 to 20 addresses"},
		{"host: smtp.clinic.example", "host: planted/x", "host"},
		{"host: smtp.clinic.example", "host: smtp.clinic.example, tls: none", "loopback"},
		{"host: smtp.clinic.example", "host: smtp.clinic.example, tls: sometimes", "tls"},
		{", password_file: pass", "", "belong together"},
		{"https://ops", "http://ops", "https is needed"},
		{"secret_file: key", "secret_file: ''", "secret_file"},
		{"leaks_over: 500.00", "leaks_over: -1", "leaks_over"},
		{"stale_after: 36h", "stale_after: 3m", "stale_after"},
		{"language: en", "language: de", "language"},
		{"language: en", "again_after_days: 1000", "again_after_days"},
		{"https://grafana", "https://user:planted@grafana", "dashboard_url"},
	} {
		s := settingsOf(t, strings.Replace(goodSettings, c.from, c.to, 1))
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "lanted") {
			t.Errorf("%s: error %v, want one of %q without the value", c.to, err, c.want)
		}
	}
}

func TestLoopbackMayBePlain(t *testing.T) {
	t.Parallel()
	s := settingsOf(t, "channels: [{name: a, smtp: {host: 127.0.0.1, port: 2525, tls: none, from: a@b.example, to: [c@d.example]}}, {name: b, webhook: {url: 'http://localhost:1/x', secret_file: k}}]")
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}

// Each message in each language, as it is read.
func TestTexts(t *testing.T) {
	t.Parallel()
	s := settingsOf(t, goodSettings)
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	plain := func(e Event) string {
		text := s.Text(e)
		page, err := text.HTML()
		if err != nil || !strings.Contains(page, "</html>") || text.Short() == "" {
			t.Errorf("%v: %s", err, page)
		}
		return text.Subject + "\n\n" + text.Plain()
	}
	const end = "\nDashboards: https://grafana.clinic.example/d/falloff\n\n-- \nfalloff sends this because falloff.yaml names you. It holds nothing about a\nsingle patient.\n"
	leaks := LeaksEvent("harbour", "commit/7", civilDay(25), 50000, "CAD", 40, []CategoryCount{{"copay_missed", 20, LeakCount{23, 123456}}, {"claim_rejected", 30, LeakCount{31, 70000000}}})
	few := LeaksEvent("harbour", "commit/7", civilDay(25), 50000, "CAD", 4, nil)
	for _, c := range []struct {
		event Event
		want  string
	}{
		{leaks, `falloff: New leaks at harbour

54 new leaks were found since the last message, 701,234.56 CAD in all.

The figures are as of 2026-11-25.

  Claims rejected          31  700,000.00 CAD
  Patients' shares missed  23    1,234.56 CAD
`},
		{few, `falloff: New leaks at harbour

New leaks were found since the last message, more than 500.00 CAD in all.
They are of fewer than 11 patients, so that no more is said here.

The figures are as of 2026-11-25.
`},
		{FalloffEvent("harbour", civilDay(25), civilDay(2), civilDay(22), 20, 31, 14.6), `falloff: Falloff above its usual range at harbour

From 2026-11-02 to 2026-11-22 there were 31 lapses: patients who reached
their limit of days without a visit or a booking. Usual would have been 15.

Usual is what the 52 weeks before expect of the same visits. What changed,
changed some weeks earlier: a lapse is counted once its days are over.

The figures are as of 2026-11-25.
`},
		{Event{Kind: NeedsPerson, Clinic: "harbour", State: "needs a person", Cause: "wrong_password"}, `falloff: Extraction of harbour needs a person

Extraction does not go on by itself.

State: needs a person.

Cause: wrong_password.

falloff status says what to do; the documentation, under "When a run stops",
what the cause means.
`},
		{Event{Kind: StaleData, Clinic: "harbour", AsOf: civilDay(20)}, `falloff: Data of harbour is out of date

The newest data is of 2026-11-20. Nothing newer has come for longer than it
should.

falloff status says what extraction waits for.
`},
	} {
		if got := plain(c.event); got != c.want+end {
			t.Errorf("got\n%s\nwant\n%s", got, c.want+end)
		}
	}
	s.Language = "fr"
	for _, kind := range []Kind{NewLeaks, Falloff, StaleData, NeedsPerson, Test, Report} {
		if got := plain(Event{Kind: kind, Clinic: "harbour", Month: "2026-10", Currency: "CAD"}); strings.Contains(got, "%!") || strings.Contains(got, "The ") {
			t.Errorf("%s:\n%s", kind, got)
		}
	}
}
