package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/proto"
)

// State is what a portal wants its browser to remember from one session to the next: its lasting cookies, such as the
// one by which it knows a device it has seen before. It is a credential: it prints as [redacted], and whoever keeps it
// encrypts it.
type State []byte

// ErrState says that a kept state can't be used: it is damaged or another portal's. Without it the portal sees a new
// device.
var ErrState = errors.New("the kept browser state can't be used")

// Format prints [redacted] for every verb.
func (State) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }

// MarshalJSON gives "[redacted]".
func (State) MarshalJSON() ([]byte, error) { return []byte(`"[redacted]"`), nil }

// MarshalYAML gives [redacted].
func (State) MarshalYAML() (any, error) { return "[redacted]", nil }

type keptState struct {
	Version int           `json:"version"`
	Host    string        `json:"host"`
	Cookies []*keptCookie `json:"cookies"`
}

const stateVersion = 1

// keptCookie is a cookie as the protocol gives and takes it.
type keptCookie struct {
	Name     string                      `json:"name"`
	Value    string                      `json:"value"`
	Domain   string                      `json:"domain"`
	Path     string                      `json:"path"`
	Expires  proto.TimeSinceEpoch        `json:"expires"`
	HTTPOnly bool                        `json:"http_only"`
	Secure   bool                        `json:"secure"`
	SameSite proto.NetworkCookieSameSite `json:"same_site"`
	Priority proto.NetworkCookiePriority `json:"priority"`
}

// keeps reports whether a cookie of a domain is one that the portal itself gets. A domain with a dot before it stands for
// every host below.
func (o Origin) keeps(domain string) bool {
	if parent, wide := strings.CutPrefix(domain, "."); wide {
		return o.Host == parent || strings.HasSuffix(o.Host, domain)
	}
	return o.Host == domain
}

// State is what the next session needs to be taken for the same browser: the portal's lasting cookies. Those of a
// session, by which it knows who is signed in, end with the browser.
func (s *Session) State(ctx context.Context) (State, error) {
	all, err := proto.StorageGetCookies{BrowserContextID: s.rod.BrowserContextID}.Call(s.rod.Context(ctx))
	if err != nil {
		return nil, s.cause(ctx, fmt.Errorf("reading the browser's state: %w", err))
	}
	kept := keptState{Version: stateVersion, Host: s.cfg.Origin.Host}
	for _, c := range all.Cookies {
		if c.Session || !s.cfg.Origin.keeps(c.Domain) {
			continue
		}
		kept.Cookies = append(kept.Cookies, &keptCookie{
			Name: c.Name, Value: c.Value, Domain: c.Domain, Path: c.Path, Expires: c.Expires, HTTPOnly: c.HTTPOnly, Secure: c.Secure,
			SameSite: c.SameSite, Priority: c.Priority,
		})
	}
	return json.Marshal(kept)
}

// restore gives the browser what an earlier session kept, before its first page.
func restore(b *rod.Browser, id proto.BrowserBrowserContextID, origin Origin, state State) error {
	if len(state) == 0 {
		return nil
	}
	cookies, err := cookiesOf(origin, state)
	if err != nil || len(cookies) == 0 {
		return err
	}
	if err := (proto.StorageSetCookies{Cookies: cookies, BrowserContextID: id}).Call(b); err != nil {
		// The browser's own words could name a cookie.
		return fmt.Errorf("%w: the browser does not take it", ErrState)
	}
	return nil
}

func cookiesOf(origin Origin, state State) ([]*proto.NetworkCookieParam, error) {
	var kept keptState
	if json.Unmarshal(state, &kept) != nil || kept.Version != stateVersion {
		return nil, fmt.Errorf("%w: it is damaged or of another version", ErrState)
	}
	if kept.Host != origin.Host {
		return nil, fmt.Errorf("%w: it belongs to another portal", ErrState)
	}
	var cookies []*proto.NetworkCookieParam
	for _, c := range kept.Cookies {
		if c == nil || !origin.keeps(c.Domain) || c.Expires <= 0 {
			continue
		}
		cookie := &proto.NetworkCookieParam{
			Name: c.Name, Value: c.Value, Path: c.Path, Expires: c.Expires, HTTPOnly: c.HTTPOnly, Secure: c.Secure,
			SameSite: c.SameSite, Priority: c.Priority,
			// Beside an address, no domain makes it the host's alone.
			URL: origin.String() + "/",
		}
		if strings.HasPrefix(c.Domain, ".") {
			cookie.Domain = c.Domain
		}
		cookies = append(cookies, cookie)
	}
	return cookies, nil
}
