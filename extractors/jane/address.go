package jane

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/falloff-analytics/falloff/extractors/browser"
)

// domain is where clinics have their accounts.
const domain = "janeapp.com"

var (
	// clinicHost is an account's host, nothing before or after it.
	clinicHost = regexp.MustCompile(`^([a-z0-9](?:[a-z0-9-]*[a-z0-9])?)\.janeapp\.com$`)
	// clinicWithin finds an account's host within what somebody typed.
	clinicWithin = regexp.MustCompile(`([a-z0-9](?:[a-z0-9-]*[a-z0-9])?)\.janeapp\.com(?:[/:?#]|$)`)
	// labelAlone is a clinic's name without the domain.
	labelAlone = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$`)
)

// notClinics are hosts of the domain that are nobody's account.
var notClinics = map[string]bool{"www": true, "api": true, "help": true, "support": true, "status": true}

// ParseAddress takes what a person typed as the portal's address and returns its origin, `https://<name>.janeapp.com`,
// or, for a portal on this machine, `http://127.0.0.1:8080`. A missing scheme and a path behind the host are put right.
// Everything else that is wrong gives an error that says what to type instead; it never repeats what was typed, which
// may hold a password.
func ParseAddress(typed string) (string, error) {
	text := strings.ToLower(strings.TrimSpace(typed))
	if text == "" {
		return "", errors.New("the portal's address is empty: type https://<clinic>." + domain + ", as in your browser's address bar")
	}
	if !strings.Contains(text, "://") {
		if strings.Contains(text, "//") || strings.Contains(text, ":") && !looksLocal(text) {
			return "", mangled(text)
		}
		text = "https://" + text
		if looksLocal(strings.TrimPrefix(text, "https://")) {
			text = "http://" + strings.TrimPrefix(text, "https://")
		}
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" || strings.Count(text, "://") > 1 {
		return "", mangled(text)
	}
	switch {
	case u.User != nil:
		return "", fmt.Errorf("the portal's address must not hold a name or password: type %s, and give the credentials apart", suggestion(u.Hostname()))
	case looksLocal(u.Host):
		return localAddress(u)
	}
	return clinicAddress(u)
}

func clinicAddress(u *url.URL) (string, error) {
	host := strings.TrimSuffix(u.Hostname(), ".")
	found := clinicHost.FindStringSubmatch(host)
	switch {
	case host == domain || len(found) > 1 && notClinics[found[1]]:
		return "", fmt.Errorf("that is Jane's own site, not a clinic's account: type https://<clinic>.%s, as in your browser's address bar when you are signed in", domain)
	case strings.HasPrefix(host, "www.") && clinicHost.MatchString(host[len("www."):]):
		return "", fmt.Errorf("leave out `www.`: such an address has no valid certificate; type https://%s", host[len("www."):])
	case strings.HasSuffix(host, "."+domain) && found == nil:
		return "", fmt.Errorf("an account's address has one name before %s: type %s", domain, suggestion(host))
	case found == nil && labelAlone.MatchString(host):
		return "", fmt.Errorf("the address is not complete: type https://%s.%s", host, domain)
	case found == nil:
		return "", fmt.Errorf("that is not a clinic's account with Jane: only https://<clinic>.%s and addresses of this machine are accepted", domain)
	case u.Scheme != "https":
		return "", fmt.Errorf("the address must begin with https://: type https://%s", host)
	case u.Port() != "" && u.Port() != "443":
		return "", fmt.Errorf("the address must not name a port: type https://%s", host)
	}
	return "https://" + host, nil
}

func looksLocal(host string) bool {
	for _, name := range []string{"127.0.0.1", "localhost", "[::1]"} {
		if rest, ok := strings.CutPrefix(host, name); ok && (rest == "" || strings.ContainsAny(rest[:1], ":/?#")) {
			return true
		}
	}
	return false
}

func localAddress(u *url.URL) (string, error) {
	origin, err := browser.ParseOrigin(u.Scheme + "://" + u.Host)
	if err != nil {
		return "", errors.New("an address of this machine must look like http://127.0.0.1:8080")
	}
	return origin.String(), nil
}

// mangled names the clinic's address if it can be found in what was typed.
func mangled(text string) error {
	text = strings.NewReplacer("https://", "", "http://", "").Replace(text)
	return fmt.Errorf("the portal's address is garbled: type %s, nothing before and nothing after it", suggestion(text))
}

// suggestion is the nearest right address.
func suggestion(text string) string {
	for _, found := range clinicWithin.FindAllStringSubmatch(text, -1) {
		if !notClinics[found[1]] {
			return "https://" + found[1] + "." + domain
		}
	}
	return "https://<clinic>." + domain
}
