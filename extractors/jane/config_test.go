package jane_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/jane"
)

func TestCredentialsPrintAsRedacted(t *testing.T) {
	secret := jane.NewCredentials("clerk@harbour.test", "correct-horse-battery")
	within := struct {
		Exported jane.Credentials
		hidden   jane.Credentials
		pointer  *jane.Credentials
	}{secret, secret, &secret}
	var printed []string
	for _, value := range []any{secret, &secret, within, &within, []jane.Credentials{secret}, map[string]jane.Credentials{"k": secret}, jane.Config{Account: secret}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T %p"} {
			printed = append(printed, fmt.Sprintf(verb, value))
		}
	}
	for _, encode := range []func(any) ([]byte, error){json.Marshal, yaml.Marshal} {
		text, err := encode(struct{ Account jane.Credentials }{secret})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "[redacted]") {
			t.Errorf("encoded as %s", text)
		}
		printed = append(printed, string(text))
	}
	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(handler).Info("signing in", "account", secret, "config", jane.Config{Account: secret}, "within", within)
	}
	printed = append(printed, log.String(), fmt.Sprint(fmt.Errorf("with %v", secret)))
	for _, text := range printed {
		for _, part := range []string{"clerk", "horse", fmt.Sprintf("%x", "clerk"), fmt.Sprintf("%x", "horse")} {
			if strings.Contains(text, part) {
				t.Errorf("printed: %s", text)
			}
		}
	}
	if got := fmt.Sprintf("%#v", secret); got != "[redacted]" {
		t.Errorf("printed as %s", got)
	}
}

func TestNew(t *testing.T) {
	good := config("https://harbour.janeapp.com")
	if _, err := jane.New(good); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		edit func(*jane.Config)
		says string
	}{
		{"address", func(c *jane.Config) { c.BaseURL = "https://harbour.example.com" }, "not a clinic's account"},
		{"no account", func(c *jane.Config) { c.Account = jane.Credentials{} }, "name and password"},
		{"no password", func(c *jane.Config) { c.Account = jane.NewCredentials("clerk", "") }, "name and password"},
		{"no order", func(c *jane.Config) { c.Orders = nil }, "no report"},
		{"no window", func(c *jane.Config) { c.Orders = []extractors.Order{{Report: "sales"}} }, "no day"},
		{"window backwards", func(c *jane.Config) {
			c.Orders = []extractors.Order{{Report: "sales", Window: extractors.Window{From: quarter.To, To: quarter.From}}}
		}, "no day"},
		{"twice", func(c *jane.Config) { c.Orders = append(orders("sales"), orders("sales")...) }, "twice"},
		{"pause", func(c *jane.Config) { c.Politeness.MinPause = time.Second }, "pause"},
		{"quiet", func(c *jane.Config) { c.Politeness.QuietFrom, c.Politeness.QuietTo = time.Hour, time.Hour }, "quiet"},
		{"format", func(c *jane.Config) { c.Format = "pdf" }, `"pdf"`},
		{"report", func(c *jane.Config) { c.Orders = []extractors.Order{{Report: "patients", Window: quarter}} }, `"patients"`},
	} {
		cfg := good
		test.edit(&cfg)
		if _, err := jane.New(cfg); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want an error that says %s", test.name, err, test.says)
		}
	}
}

// TestProfile breaks the profile in ways that a person who edits it might.
func TestProfile(t *testing.T) {
	original, err := os.ReadFile("profile.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jane.ParseProfile(original); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, from, to, says string }{
		{"misspelt key", "signed_in:", "signd_in:", "signd_in"},
		{"empty selector", `menu_items: "[data-role=menu-items]"`, `menu_items: ""`, "screen.menu_items"},
		{"no reports", "\nreports:", "\nreports: []\nx_reports:", "x_reports"},
		{"bad pattern", `count_text: '^([0-9,]+) of ([0-9,]+)$'`, `count_text: '^([0-9,]+ of ([0-9,]+)$'`, "screen.count_text"},
		{"pattern without groups", `count_text: '^([0-9,]+) of ([0-9,]+)$'`, `count_text: '^[0-9,]+$'`, "2 groups"},
		{"range without end", `range_text: "{from} – {to}"`, `range_text: "{from}"`, "{to}"},
		{"unknown cause", "cause: wrong_password", "cause: bad_password", "bad_password"},
		{"unknown period", "period: ahead", "period: behind", "behind"},
		{"double report", "name: claims", "name: sales", "sales is there twice"},
		{"forbidden route", `route: "#reports/sales"`, `route: "#patients/list"`, "#patients/list"},
		{"forbidden request", "path: /api/reports/sales", "path: /api/patients/:id", "forbidden"},
		{"wild request", "path: /api/reports/sales", "path: /api/*", `"*"`},
		{"write without a stage", "    stage: export\n", "", "needs a stage"},
		{"no such purpose", "rows: run a report", "rows: run a raport", "run a raport"},
		{"no capture", `path: "/downloads/:file", capture: true`, `path: "/downloads/:file"`, "captures"},
		{"not YAML", "app: /admin", "app: [", "reading the portal profile"},
	} {
		changed := strings.Replace(string(original), test.from, test.to, 1)
		if changed == string(original) {
			t.Errorf("%s: the profile has no %q", test.name, test.from)
			continue
		}
		if _, err := jane.ParseProfile([]byte(changed)); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want an error that names %s", test.name, err, test.says)
		}
	}
}

// TestProfileAllowsNoMore lists every request that is not a GET, and demands that nothing more is allowed: whoever adds
// one must add it here too, and think twice.
func TestProfileAllowsNoMore(t *testing.T) {
	profile, err := jane.DefaultProfile()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"POST /api/session":      "sign in",
		"POST /api/session/code": "sign in",
		"DELETE /api/session":    "sign out",
		"PUT /api/filters":       "filter",
		"POST /api/exports":      "export",
	}
	for _, r := range profile.Requests {
		if r.Method == "GET" {
			if strings.Contains(r.Path, "/api/") && strings.Contains(r.Path, ":") {
				t.Errorf("GET %s allows more than one known address", r.Path)
			}
			continue
		}
		if want[r.Method+" "+r.Path] != r.Stage {
			t.Errorf("%s %s in stage %q is allowed", r.Method, r.Path, r.Stage)
		}
		if r.Method != "DELETE" && len(r.Body) == 0 {
			t.Errorf("%s %s does not say which fields it may have", r.Method, r.Path)
		}
	}
}
