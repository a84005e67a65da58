package browser

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// A Rule allows one kind of request to the portal. What no rule allows is refused.
type Rule struct {
	// Purpose says in a few words what the request is for, for example `sign in`. The ledger and the statement of what
	// is accessed print it.
	Purpose string `yaml:"purpose"`
	// Method is the HTTP method, in capitals.
	Method string `yaml:"method"`
	// Path is the URL's path: literal segments, `:id` (one segment of letters, digits, `-`, `_`) or `:file` (one
	// segment that ends in .csv or .xlsx). Nothing in it stands for more than one segment.
	Path string `yaml:"path"`
	// Query lists the query's keys that may occur; none if empty. `*` alone lets any pass.
	Query []string `yaml:"query,omitempty"`
	// Stage is the stage of the work in which the rule counts (Session.Enter); always if empty.
	Stage string `yaml:"stage,omitempty"`
	// Body lists the fields that the body of a request other than GET may have, JSON or form, nested ones as `a.b`.
	// The list beside a field holds the values it may take; an empty one allows any text, number or truth value.
	Body map[string][]string `yaml:"body,omitempty"`
	// Capture says that the response is an export: its body goes to Session.Capture, never to the browser.
	Capture bool `yaml:"capture,omitempty"`
	// Limit is how often the request may be sent in a session; any number of times if zero.
	Limit int `yaml:"limit,omitempty"`
	// Access makes each request a line of the access ledger (Config.OnAccess) and says what it does there: signed_in,
	// signed_out, opened, ran, exported, previewed or downloaded. A rule without it leaves no line.
	Access string `yaml:"access,omitempty"`
	// Subject is the screen or report that the line is about, for example `sales`. `{report}` stands for the value of
	// the body field of that name, whose values the rule must list.
	Subject string `yaml:"subject,omitempty"`
}

// Tolerated is a write that the portal's application is known to try by itself, for example a usage beacon. It is
// refused and counted like any other, but does not end the session.
type Tolerated struct {
	// Why says what the application wants with it.
	Why string `yaml:"why"`
	// Method and Path are those of a Rule; the method is none that only reads.
	Method string `yaml:"method"`
	Path   string `yaml:"path"`
}

// CheckRules says what is wrong with a list of rules and of tolerated writes, nil if nothing is.
func CheckRules(rules []Rule, tolerated []Tolerated) error {
	_, err := newPolicy(Config{Rules: rules, Tolerated: tolerated})
	return err
}

var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

var (
	idSegment   = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	fileSegment = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.(csv|xlsx)$`)
	// literalSegment is what a rule may spell out; `.` occurs in the names of scripts and styles.
	literalSegment = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
)

func (r *Rule) check() error {
	switch {
	case r.Purpose == "":
		return fmt.Errorf("rule %s %s: it has no purpose", r.Method, r.Path)
	case !slices.Contains(methods, r.Method):
		return fmt.Errorf("rule %q: method %q is none of %s", r.Purpose, r.Method, strings.Join(methods, ", "))
	case !strings.HasPrefix(r.Path, "/"):
		return fmt.Errorf("rule %q: path %q does not start with /", r.Purpose, r.Path)
	case r.Limit < 0:
		return fmt.Errorf("rule %q: the limit %d is negative", r.Purpose, r.Limit)
	case len(r.Body) > 0 && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		return fmt.Errorf("rule %q: a %s has no body", r.Purpose, r.Method)
	case r.Capture && r.Method != http.MethodGet:
		return fmt.Errorf("rule %q: only the answer to a GET can be captured", r.Purpose)
	}
	if segment, bad := badSegment(r.Path); bad {
		return fmt.Errorf("rule %q: %q in its path is neither a plain segment nor :id nor :file", r.Purpose, segment)
	}
	return r.checkAccess()
}

// badSegment finds the first segment of a path that can't be matched.
func badSegment(path string) (segment string, bad bool) {
	for _, segment := range segments(path) {
		if segment != ":id" && segment != ":file" && !literalSegment.MatchString(segment) {
			return segment, true
		}
	}
	return "", false
}

func (t *Tolerated) check(rules []Rule) error {
	switch {
	case t.Why == "":
		return fmt.Errorf("tolerated %s %s: nothing says why", t.Method, t.Path)
	case !slices.Contains(methods, t.Method) || !writes(t.Method):
		return fmt.Errorf("tolerated %q: method %q is none that could change something", t.Why, t.Method)
	case !strings.HasPrefix(t.Path, "/"):
		return fmt.Errorf("tolerated %q: path %q does not start with /", t.Why, t.Path)
	}
	if segment, bad := badSegment(t.Path); bad {
		return fmt.Errorf("tolerated %q: %q in its path is neither a plain segment nor :id nor :file", t.Why, segment)
	}
	for i := range rules {
		if rules[i].Method == t.Method && rules[i].Path == t.Path {
			return fmt.Errorf("tolerated %q: the rule %q allows it", t.Why, rules[i].Purpose)
		}
	}
	return nil
}

// writes reports whether a method could change something at the portal. A tunnel asks for nothing yet.
func writes(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodConnect:
		return false
	}
	return true
}

// segments splits a path at its slashes; `/` has none.
func segments(path string) []string {
	path = strings.TrimPrefix(path, "/")
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}

func (r *Rule) matchesPath(path []string) bool { return matchPath(segments(r.Path), path) }

func matchPath(pattern, path []string) bool {
	if len(pattern) != len(path) {
		return false
	}
	for i, want := range pattern {
		switch want {
		case ":id":
			if !idSegment.MatchString(path[i]) {
				return false
			}
		case ":file":
			if !fileSegment.MatchString(path[i]) {
				return false
			}
		default:
			if path[i] != want {
				return false
			}
		}
	}
	return true
}

func (r *Rule) matchesQuery(query url.Values) bool {
	if len(r.Query) == 1 && r.Query[0] == "*" {
		return true
	}
	for key := range query {
		if !slices.Contains(r.Query, key) {
			return false
		}
	}
	return true
}

// Origin is the scheme, host and port of the portal.
type Origin struct {
	Scheme string
	Host   string
	Port   string
}

// ParseOrigin takes the origin of an address. Only HTTPS is accepted, and HTTP on loopback.
func ParseOrigin(address string) (Origin, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil {
		return Origin{}, fmt.Errorf("the address %q is not of the form https://host", address)
	}
	o := originOf(u)
	if o.Scheme == "https" || o.Scheme == "http" && o.loopback() {
		return o, nil
	}
	return Origin{}, fmt.Errorf("the address %q must start with https:// (plain http:// is for this machine's own addresses only)", address)
}

func originOf(u *url.URL) Origin {
	o := Origin{Scheme: strings.ToLower(u.Scheme), Host: strings.ToLower(u.Hostname()), Port: u.Port()}
	if o.Port == "" {
		o.Port = map[string]string{"http": "80", "https": "443"}[o.Scheme]
	}
	return o
}

func (o Origin) loopback() bool {
	return o.Host == "127.0.0.1" || o.Host == "::1" || o.Host == "localhost"
}

// Address is host and port in the form that net.Dial takes.
func (o Origin) Address() string {
	if strings.Contains(o.Host, ":") {
		return "[" + o.Host + "]:" + o.Port
	}
	return o.Host + ":" + o.Port
}

// String is the origin as a browser writes it, the default port left out.
func (o Origin) String() string {
	host := o.Address()
	if o.Scheme == "http" && o.Port == "80" || o.Scheme == "https" && o.Port == "443" {
		host = strings.TrimSuffix(host, ":"+o.Port)
	}
	return o.Scheme + "://" + host
}
