package jane_test

import (
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/extractors/jane"
)

func TestParseAddress(t *testing.T) {
	const right = "https://harbour.janeapp.com"
	for typed, want := range map[string]string{
		"https://harbour.janeapp.com":                  right,
		"  https://Harbour.JaneApp.com/ ":              right,
		"harbour.janeapp.com":                          right,
		"harbour.janeapp.com/admin#schedule":           right,
		"https://harbour.janeapp.com/#/staff_member/1": right,
		"https://harbour.janeapp.com:443/admin":        right,
		"https://harbour-street-2.janeapp.com":         "https://harbour-street-2.janeapp.com",
		"http://127.0.0.1:8080/admin":                  "http://127.0.0.1:8080",
		"127.0.0.1:8080":                               "http://127.0.0.1:8080",
		"localhost:8080":                               "http://localhost:8080",
		"http://[::1]:8080":                            "http://[::1]:8080",
		"https://localhost:8443":                       "https://localhost:8443",
	} {
		if got, err := jane.ParseAddress(typed); err != nil || got != want {
			t.Errorf("%q is read as %q, %v; want %q", typed, got, err, want)
		}
	}
	for typed, says := range map[string][]string{
		"":                                      {"empty", "https://<clinic>.janeapp.com"},
		"www.harbour.janeapp.com":               {"leave out `www.`", right},
		"https://www.harbour.janeapp.com/admin": {"leave out `www.`", right},
		"http://harbour.janeapp.com":            {"https://", right},
		"https://https://harbour.janeapp.com":   {"garbled", right},
		"https:/harbour.janeapp.com":            {"garbled", right},
		"https//harbour.janeapp.com":            {"garbled", right},
		"htps://harbour.janeapp.com":            {"garbled", right},
		"harbour.https://janeapp.com":           {"garbled", right},
		"https://harbour.janeapp.com:8443":      {"port", right},
		"https://a.harbour.janeapp.com":         {"one name", right},
		"https://janeapp.com":                   {"Jane's own site", "https://<clinic>.janeapp.com"},
		"www.janeapp.com":                       {"Jane's own site"},
		"harbour":                               {"not complete", right},
		"https://harbour.example.com":           {"not a clinic's account"},
		"https://harbour.janeapp.com.evil.com":  {"not a clinic's account"},
		"https://janeapp.com.evil.com":          {"not a clinic's account"},
		"http://127.0.0.1.evil.com":             {"not a clinic's account"},
		"http://192.0.2.1:8080":                 {"not a clinic's account"},
		"//harbour.janeapp.com":                 {"garbled", right},
		"file:///etc/passwd":                    {"garbled"},
		"javascript:alert(1)":                   {"garbled"},
		"https://har bour.janeapp.com":          {"garbled"},
	} {
		got, err := jane.ParseAddress(typed)
		if err == nil {
			t.Errorf("%q is accepted as %q", typed, got)
			continue
		}
		for _, text := range says {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%q: the error does not say %q: %v", typed, text, err)
			}
		}
	}
	// Whoever types a password into the address must not find it in a log.
	if _, err := jane.ParseAddress("https://clerk:secret-word@harbour.janeapp.com"); err == nil ||
		strings.Contains(err.Error(), "secret-word") || !strings.Contains(err.Error(), right) {
		t.Errorf("an address with a password: %v", err)
	}
}

func FuzzParseAddress(f *testing.F) {
	f.Add("https://harbour.janeapp.com")
	f.Add("http://127.0.0.1:80/x?y#z")
	f.Add("https://a@b:c@www.janeapp.com")
	f.Fuzz(func(t *testing.T, typed string) {
		got, err := jane.ParseAddress(typed)
		if err != nil {
			return
		}
		clinic := strings.HasPrefix(got, "https://") && strings.HasSuffix(got, ".janeapp.com")
		local := strings.Contains(got, "://127.0.0.1") || strings.Contains(got, "://localhost") || strings.Contains(got, "://[::1]")
		if !clinic && !local {
			t.Errorf("%q is accepted as %q", typed, got)
		}
		if again, err := jane.ParseAddress(got); err != nil || again != got {
			t.Errorf("%q gives %q, and that %q, %v", typed, got, again, err)
		}
	})
}
