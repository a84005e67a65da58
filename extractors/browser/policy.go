package browser

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// A Reason says why a request was refused.
type Reason string

// The reasons of a refusal.
const (
	otherHost       Reason = "another host than the portal"
	otherScheme     Reason = "not an HTTP address"
	malformed       Reason = "malformed address"
	noRule          Reason = "no rule allows the path"
	noMethod        Reason = "no rule allows the method there"
	notNow          Reason = "not allowed in this stage"
	tooOften        Reason = "allowed, but not this often"
	queryKey        Reason = "a query key that no rule allows"
	bodyUnreadable  Reason = "the body could not be checked"
	bodyField       Reason = "a body field or value that no rule allows"
	notExpected     Reason = "an export that nobody asked for"
	tunnel          Reason = "a tunnel or WebSocket"
	protocolUpgrade Reason = "a change of protocol"
)

// A request is what both walls know of an HTTP request.
type request struct {
	method      string
	url         string
	contentType string
	body        []byte
	// hasBody is set if there is a body, also where its bytes are not to be had.
	hasBody bool
}

// A policy is the allow-list of one portal. It does not change and has no memory: limits and stages are the guard's.
type policy struct {
	origin    Origin
	rules     []Rule
	tolerated []Tolerated
	words     map[string]bool
}

func newPolicy(cfg Config) (*policy, error) {
	p := &policy{origin: cfg.Origin, rules: cfg.Rules, tolerated: cfg.Tolerated, words: map[string]bool{}}
	for _, word := range cfg.Words {
		p.words[word] = true
	}
	for i := range p.rules {
		if err := p.rules[i].check(); err != nil {
			return nil, err
		}
		for _, segment := range segments(p.rules[i].Path) {
			p.words[segment] = true
		}
	}
	for i := range p.tolerated {
		if err := p.tolerated[i].check(p.rules); err != nil {
			return nil, err
		}
		for _, segment := range segments(p.tolerated[i].Path) {
			p.words[segment] = true
		}
	}
	return p, nil
}

// anyStage is the stage in which the rules of every stage count.
const anyStage = "*"

// check finds the rule that allows a request, or the reason why none does. It is the nearest miss that gives the reason.
func (p *policy) check(r request, stage string) (*Rule, Reason) {
	u, err := url.Parse(r.url)
	if err != nil {
		return nil, malformed
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, otherScheme
	}
	if originOf(u) != p.origin {
		return nil, otherHost
	}
	path := u.EscapedPath()
	if u.User != nil || u.Opaque != "" || strings.ContainsAny(path, `\;`) {
		return nil, malformed
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, malformed
	}
	reason := noRule
	for i := range p.rules {
		rule := &p.rules[i]
		if !rule.matchesPath(segments(path)) {
			continue
		}
		miss := p.miss(rule, r, query, stage)
		if miss == "" {
			return rule, ""
		}
		if reason == noRule || reason == noMethod {
			reason = miss
		}
	}
	return nil, reason
}

// miss says why a rule whose path fits does not allow the request.
func (p *policy) miss(rule *Rule, r request, query url.Values, stage string) Reason {
	switch {
	case rule.Method != r.method:
		return noMethod
	case rule.Stage != "" && stage != anyStage && rule.Stage != stage:
		return notNow
	case !rule.matchesQuery(query):
		return queryKey
	case !r.hasBody:
		return ""
	case r.method == http.MethodGet || r.method == http.MethodHead:
		return bodyField
	}
	fields, ok := bodyFields(r.contentType, r.body)
	if !ok {
		return bodyUnreadable
	}
	if !fields.within(rule.Body) {
		return bodyField
	}
	return ""
}

// tolerates reports whether a refused write is one that the portal's application is known to try by itself.
func (p *policy) tolerates(method, address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	path := segments(u.EscapedPath())
	return slices.ContainsFunc(p.tolerated, func(t Tolerated) bool {
		return t.Method == method && matchPath(segments(t.Path), path)
	})
}

// local reports whether an address never leaves the browser.
func local(address string) bool {
	scheme, _, _ := strings.Cut(address, ":")
	switch strings.ToLower(scheme) {
	case "data", "blob", "about":
		return true
	}
	return false
}

// portalHost is how the portal's host is printed.
const portalHost = "portal"

// shape says where a request went without saying anything about anyone: the host as `portal` or by its registrable
// domain, the path with every segment replaced that is not one of the words the portal's profile knows.
func (p *policy) shape(address string) (host, path string) {
	u, err := url.Parse(address)
	if err != nil {
		return "?", "?"
	}
	switch u.Scheme {
	case "http", "https", "ws", "wss":
	case "file", "ftp", "mailto", "tel", "javascript", "chrome", "filesystem":
		return u.Scheme + ":", ""
	default:
		return "other:", ""
	}
	host = hostShape(u.Hostname())
	asked := originOf(&url.URL{Scheme: strings.Replace(u.Scheme, "ws", "http", 1), Host: u.Host})
	// The same host is the portal at any port, but for loopback, where ports are all that tells hosts apart.
	if asked.Host == p.origin.Host && (asked.Port == p.origin.Port || !p.origin.loopback()) {
		host = portalHost
	}
	var out strings.Builder
	for _, segment := range segments(u.EscapedPath()) {
		out.WriteString("/" + p.wordOr(segment))
	}
	if out.Len() == 0 {
		return host, "/"
	}
	return host, out.String()
}

func (p *policy) wordOr(segment string) string {
	switch {
	case p.words[segment]:
		return segment
	case fileSegment.MatchString(segment):
		return ":file"
	case strings.ContainsAny(segment, "0123456789"):
		return ":id"
	default:
		return ":word"
	}
}

// methodShape hides methods that a page has made up.
func methodShape(method string) string {
	switch method {
	case http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return method
	}
	if slices.Contains(methods, method) {
		return method
	}
	return "other"
}

// hostShape cuts a host down to its registrable domain, since what stands before may have been chosen by the page.
func hostShape(host string) string {
	host = strings.ToLower(host)
	domain, err := publicsuffix.EffectiveTLDPlusOne(host)
	switch {
	case err == nil && domain != host:
		return "*." + domain
	default:
		return host
	}
}
