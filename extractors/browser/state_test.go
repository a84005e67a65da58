package browser

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-rod/rod/lib/proto"
)

// TestStateIsWhatTheNextSessionNeeds gives a portal that marks a device a second look at it.
func TestStateIsWhatTheNextSessionNeeds(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	address := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r.Header.Get("Cookie"))
		if r.Header.Get("Cookie") == "" {
			http.SetCookie(w, &http.Cookie{Name: "device", Value: "known-device-1", MaxAge: 100_000, HttpOnly: true, Path: "/"})
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: "signed-in-1", HttpOnly: true, Path: "/"})
		}
		htmlf(w, "x")
	}), nil)
	cfg := Config{Origin: mustOrigin(t, address), Rules: pageRules}
	s := startSession(t, cfg)
	open(t, s, address+"/page")
	elsewhere := proto.StorageSetCookies{BrowserContextID: s.rod.BrowserContextID, Cookies: []*proto.NetworkCookieParam{
		{Name: "other", Value: "other-host-1", Domain: "tracker.example", Path: "/", Expires: 4e9},
	}}
	if err := elsewhere.Call(s.rod); err != nil {
		t.Fatal(err)
	}
	state, err := s.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{"signed-in-1", "other-host-1"} {
		if strings.Contains(string(state), gone) {
			t.Errorf("the state holds %s", gone)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if got := fmt.Sprintf(verb, Config{State: state}); strings.Contains(got, "known-device") || strings.Contains(got, fmt.Sprintf("%x", "known-device")) {
			t.Errorf("%s prints %s", verb, got)
		}
	}
	if text, err := json.Marshal(state); err != nil || string(text) != `"[redacted]"` {
		t.Errorf("as JSON it is %s, %v", text, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	cfg.State = state
	s = startSession(t, cfg)
	open(t, s, address+"/page")
	mu.Lock()
	if want := []string{"", "device=known-device-1"}; !slices.Equal(slices.Compact(seen), want) {
		t.Errorf("the portal saw the cookies %q, want %q", seen, want)
	}
	mu.Unlock()
	// What is restored lasts: the state of the second session serves a third.
	again, err := s.State(t.Context())
	if err != nil || !strings.Contains(string(again), "known-device-1") {
		t.Errorf("the second session's state does not hold the device, %v", err)
	}
}

func TestStateOfAnother(t *testing.T) {
	origin := Origin{Scheme: "https", Host: "harbour.example.com", Port: "443"}
	kept := func(host string, cookies ...*keptCookie) State {
		text, err := json.Marshal(keptState{Version: stateVersion, Host: host, Cookies: cookies})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for name, state := range map[string]State{
		"damaged": State("{"), "another version": State(`{"version":9,"host":"harbour.example.com"}`), "another portal": kept("north.example.com"),
	} {
		if _, err := cookiesOf(origin, state); !errors.Is(err, ErrState) {
			t.Errorf("%s: %v", name, err)
		}
	}
	cookies, err := cookiesOf(origin, kept("harbour.example.com",
		&keptCookie{Name: "own", Domain: "harbour.example.com", Path: "/", Expires: 4e9},
		&keptCookie{Name: "wide", Domain: ".example.com", Path: "/", Expires: 4e9},
		&keptCookie{Name: "session", Domain: "harbour.example.com", Path: "/", Expires: -1},
		&keptCookie{Name: "neighbour", Domain: "north.example.com", Path: "/", Expires: 4e9},
		&keptCookie{Name: "below", Domain: "x.harbour.example.com", Path: "/", Expires: 4e9},
		&keptCookie{Name: "suffix", Domain: ".ple.com", Path: "/", Expires: 4e9},
		nil,
	))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range cookies {
		names = append(names, c.Name+" "+c.Domain)
	}
	if want := []string{"own ", "wide .example.com"}; !slices.Equal(names, want) {
		t.Errorf("restored are %q, want %q", names, want)
	}
}
