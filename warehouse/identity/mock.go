package identity

import (
	"net"
	"net/http"
	"strings"

	"github.com/falloff-analytics/falloff/warehouse/access"
)

// MockScheme begins the Authorization header of a request that asks as a mock user: `Mock LOGIN`.
const MockScheme = "Mock"

// MockPrefix begins the Person of a mock user, so that nobody takes a test for somebody's doing.
const MockPrefix = "mock/"

// Mock is whom a request asks as that names a mock user and is signed by nobody; named is false where it names none. It is for trying a
// policy out, and refused unless the policy allows it, the server listens on this machine alone, and the request comes from this
// machine and by no proxy.
func Mock(r *http.Request, allowed bool, listens net.Addr, checkPerson func(string) error) (who access.Principal, named bool, err error) {
	scheme, login, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, MockScheme) {
		return access.Principal{}, false, nil
	}
	login = strings.TrimSpace(login)
	if !allowed || !onLoopback(listens.String()) || !onLoopback(r.RemoteAddr) || !onLoopback(r.Host) || proxied(r) {
		return access.Principal{}, true, refuse(MockRefused, nil)
	}
	if login == "" || len(login) > longestName || len(r.Header.Values("Authorization")) > 1 || r.Header.Get(grafanaHeader) != "" {
		return access.Principal{}, true, refuse(Malformed, nil)
	}
	person := MockPrefix + login
	if err := checkPerson(person); err != nil {
		return access.Principal{}, true, refuse(Malformed, err)
	}
	return access.Principal{Person: person, Issuer: access.Grafana, Subject: login, SecondFactor: true}, true, nil
}

// onLoopback says whether an address, with or without a port, is this machine's own.
func onLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.Trim(address, "[]")
	}
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// proxied says whether a request was passed on.
func proxied(r *http.Request) bool {
	for _, header := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if r.Header.Get(header) != "" {
			return true
		}
	}
	return false
}
