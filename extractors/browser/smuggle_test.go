package browser

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// A rawPortal notes what arrives at it, headers and all.
type rawPortal struct {
	mu       sync.Mutex
	received []string
}

func (p *rawPortal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.received = append(p.received, fmt.Sprintf("%s %s %s %q", r.Method, r.Host, r.RequestURI, body))
	w.Header().Set("Alt-Svc", `h3=":443"`)
	w.Header().Set("Report-To", `{}`)
	w.WriteHeader(http.StatusEarlyHints)
	fmt.Fprint(w, "answered")
}

// speak sends bytes to the proxy as the browser's end of a connection to the portal, and reads the statuses that come
// back: those that are owed, and after it has said its last word any more that come.
func speak(t *testing.T, x *proxy, text string, answers int) (statuses []int) {
	t.Helper()
	var c net.Conn
	c, err := net.Dial("tcp", x.address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	in := bufio.NewReader(c)
	if x.identity != nil {
		origin := x.referee.policy.origin
		fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", origin.Address(), origin.Address())
		answer, err := http.ReadResponse(in, &http.Request{Method: http.MethodConnect})
		if err != nil || answer.StatusCode != 200 {
			t.Fatalf("the tunnel: %v", err)
		}
		roots := x509.NewCertPool()
		leaf, err := x509.ParseCertificate(x.identity.config.Certificates[0].Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		roots.AddCert(leaf)
		secured := tls.Client(c, &tls.Config{RootCAs: roots, ServerName: origin.Host, NextProtos: []string{"h2", "http/1.1"}})
		if err := secured.Handshake(); err != nil {
			t.Fatal(err)
		}
		if got := secured.ConnectionState().NegotiatedProtocol; got != "http/1.1" {
			t.Errorf("the proxy speaks %q", got)
		}
		c, in = secured, bufio.NewReader(secured)
	}
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	go io.WriteString(c, text)
	for {
		if len(statuses) == answers {
			c.(interface{ CloseWrite() error }).CloseWrite()
		}
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			return statuses
		}
		if answer.StatusCode < 200 {
			continue
		}
		body, _ := io.ReadAll(answer.Body)
		statuses = append(statuses, answer.StatusCode)
		for _, header := range []string{"Alt-Svc", "Report-To"} {
			if answer.Header.Get(header) != "" {
				t.Errorf("the answer carries %s: %s", header, body)
			}
		}
	}
}

// TestNothingIsSmuggled sends requests that two readers could read in two ways.
func TestNothingIsSmuggled(t *testing.T) {
	const post = "Content-Type: application/json\r\n"
	rules := []Rule{
		{Purpose: "read", Method: "GET", Path: "/api/account"},
		{Purpose: "start", Method: "POST", Path: "/api/exports", Body: map[string][]string{"report": {"sales"}}},
	}
	for _, secure := range []bool{false, true} {
		portal := &rawPortal{}
		var address string
		var roots *x509.CertPool
		if secure {
			address, roots, _ = serveTLS(t, portal, nil)
		} else {
			address = serve(t, portal, nil)
		}
		host := strings.TrimPrefix(strings.TrimPrefix(address, "http://"), "https://")
		base := address
		if secure {
			base = ""
		}
		get := "GET " + base + "/api/account HTTP/1.1\r\nHost: " + host + "\r\n\r\n"
		account := "GET " + host + " /api/account \"\""
		forbidden := "GET /api/patients/1 HTTP/1.1\r\nHost: " + host + "\r\n\r\n"
		exported := "POST " + host + ` /api/exports "{\"report\":\"sales\"}"`
		for _, test := range []struct {
			name, text string
			statuses   string
			received   []string
		}{
			{"plain", get, "[200]", []string{account}},
			{"pipelined", get + strings.Replace(get, "account", "patients/1", 1) + get, "[200 403 200]", []string{account, account}},
			{"both lengths", "POST " + base + "/api/exports HTTP/1.1\r\nHost: " + host + "\r\n" + post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n12\r\n{\"report\":\"sales\"}\r\n0\r\n\r\n" + forbidden, "[200 403]", []string{exported}},
			{"two lengths", "POST " + base + "/api/exports HTTP/1.1\r\nHost: " + host + "\r\n" + post + "Content-Length: 18\r\nContent-Length: 2\r\n\r\n{\"report\":\"sales\"}", "[400]", nil},
			{"odd coding", "POST " + base + "/api/exports HTTP/1.1\r\nHost: " + host + "\r\n" + post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "[501]", nil},
			{"trailer", "POST " + base + "/api/exports HTTP/1.1\r\nHost: " + host + "\r\n" + post + "Transfer-Encoding: chunked\r\nTrailer: X-Evil\r\n\r\n12\r\n{\"report\":\"sales\"}\r\n0\r\nX-Evil: canary\r\n\r\n", "[200]", []string{exported}},
			{"hidden in a body", "GET " + base + "/api/account HTTP/1.1\r\nHost: " + host + "\r\n" + post + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(forbidden)) + forbidden, "[403]", nil},
			{"host of another", "GET " + base + "/api/account HTTP/1.1\r\nHost: evil.example\r\n\r\n", map[bool]string{true: "[403]", false: "[200]"}[secure], map[bool][]string{false: {account}}[secure]},
			{"address of another", "GET http://evil.example/api/account HTTP/1.1\r\nHost: " + host + "\r\n\r\n", "[403]", nil},
			{"absolute address", "GET " + address + "/api/account HTTP/1.1\r\nHost: " + host + "\r\n\r\n", map[bool]string{true: "[403]", false: "[200]"}[secure], map[bool][]string{false: {account}}[secure]},
			{"two slashes", "GET //evil.example/api/account HTTP/1.1\r\nHost: " + host + "\r\n\r\n", "[403]", nil},
			{"credentials", "GET http://user@" + host + "/api/account HTTP/1.1\r\nHost: " + host + "\r\n\r\n", "[403]", nil},
			{"asterisk", "OPTIONS * HTTP/1.1\r\nHost: " + host + "\r\n\r\n", "[200]", nil},
			{"huge header", "GET " + base + "/api/account HTTP/1.1\r\nHost: " + host + "\r\nX: " + strings.Repeat("x", 2*maxRequestHeader) + "\r\n\r\n", "[431]", nil},
			{"huge body", "POST " + base + "/api/exports HTTP/1.1\r\nHost: " + host + "\r\n" + post + "Content-Length: 9999999\r\n\r\n" + strings.Repeat("x", maxRequestBody+1), "[403]", nil},
			{"upgrade", "GET " + base + "/api/account HTTP/1.1\r\nHost: " + host + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "[403]", nil},
			{"upgrade to h2", "GET " + base + "/api/account HTTP/1.1\r\nHost: " + host + "\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", "[403]", nil},
			{"a tunnel in the tunnel", "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", "[403]", nil},
			{"folded header", "GET " + base + "/api/account HTTP/1.1\r\nHost: " + host + "\r\nX: a\r\n Host: evil\r\n\r\n", "[200]", []string{account}},
			{"bare newline", "GET " + base + "/api/account HTTP/1.1\nHost: " + host + "\n\n", "[200]", []string{account}},
			{"expectation", "POST " + base + "/api/exports HTTP/1.1\r\nHost: " + host + "\r\n" + post + "Expect: 100-continue\r\nContent-Length: 18\r\n\r\n{\"report\":\"sales\"}", "[200]", []string{exported}},
		} {
			t.Run(fmt.Sprintf("%s, TLS %v", test.name, secure), func(t *testing.T) {
				x, _ := startTestProxy(t, address, rules)
				x.reading.TLSClientConfig.RootCAs, x.writing.TLSClientConfig.RootCAs = roots, roots
				portal.mu.Lock()
				portal.received = nil
				portal.mu.Unlock()
				got := fmt.Sprint(speak(t, x, test.text, len(strings.Fields(test.statuses))))
				if got != test.statuses {
					t.Errorf("the answers are %s, want %s", got, test.statuses)
				}
				portal.mu.Lock()
				defer portal.mu.Unlock()
				if fmt.Sprintf("%q", portal.received) != fmt.Sprintf("%q", test.received) {
					t.Errorf("the portal received %q, want %q", portal.received, test.received)
				}
			})
		}
	}
}

// TestPortalsThatAreNotWhoTheySay has a portal whose certificate nobody vouches for, one of another name, and one that
// speaks an old TLS.
func TestPortalsThatAreNotWhoTheySay(t *testing.T) {
	address, roots, _ := serveTLS(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the portal received a request") }), nil)
	old := serveOldTLS(t)
	for _, test := range []struct {
		name, host, at string
		roots          *x509.CertPool
		says           string
	}{
		{"unknown authority", "harbour.example.com", address, nil, "certificate"},
		{"another name", "harbour.example.net", address, roots, "certificate"},
		{"TLS 1.2", "harbour.example.com", old, roots, "TLS 1.3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			portal := "https://" + test.host
			s := startSession(t, Config{
				Origin: mustOrigin(t, portal), Rules: pageRules, roots: test.roots,
				dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
					return (&net.Dialer{}).DialContext(ctx, network, strings.TrimPrefix(test.at, "https://"))
				},
			})
			page, err := s.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := page.Navigate(portal + "/page"); err == nil {
				t.Error("the page opens")
			}
			if err := s.Unreachable(); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("the portal is unreachable because of %v", err)
			}
		})
	}
}

func serveOldTLS(t *testing.T) (address string) {
	t.Helper()
	address, _, _ = serveTLSOf(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the old portal received a request") }), nil, &tls.Config{MaxVersion: tls.VersionTLS12})
	return address
}

// TestExportsUnpacked reads bodies as a portal may send them.
func TestExportsUnpacked(t *testing.T) {
	plain := bytes.Repeat([]byte("a,b,c\n"), 1000)
	pack := func(w io.WriteCloser, into *bytes.Buffer) []byte {
		w.Write(plain)
		w.Close()
		return into.Bytes()
	}
	var one, two bytes.Buffer
	zipped, deflated := pack(gzip.NewWriter(&one), &one), pack(zlib.NewWriter(&two), &two)
	for _, test := range []struct {
		name, encoding string
		body           []byte
		limit          int
		want           error
		says           string
	}{
		{"plain", "", plain, 1 << 20, nil, ""},
		{"exactly the limit", "", plain, len(plain), nil, ""},
		{"one more than the limit", "", plain, len(plain) - 1, ErrTooLarge, ""},
		{"gzip", "gzip", zipped, 1 << 20, nil, ""},
		{"deflate", "deflate", deflated, 1 << 20, nil, ""},
		{"a bomb", "gzip", zipped, len(plain) - 1, ErrTooLarge, ""},
		{"half of gzip", "gzip", zipped[:len(zipped)/2], 1 << 20, ErrCutShort, ""},
		{"not gzip", "gzip", plain, 1 << 20, nil, "broke"},
		{"unknown", "br", plain, 1 << 20, nil, "broke"},
	} {
		answer := &http.Response{Header: http.Header{"Content-Encoding": {test.encoding}}, Body: io.NopCloser(bytes.NewReader(test.body)), ContentLength: -1}
		got, err := readExport(answer, test.limit)
		switch {
		case test.want != nil || test.says != "":
			if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%s: %v", test.name, err)
			}
		case err != nil || !bytes.Equal(got, plain):
			t.Errorf("%s: %d bytes, %v", test.name, len(got), err)
		}
	}
}

// TestSlowRequestsAreBounded drips a header and a body that never come to their end.
func TestSlowRequestsAreBounded(t *testing.T) {
	portal := serve(t, &rawPortal{}, nil)
	x, _ := startTestProxy(t, portal, nil)
	if x.server.ReadHeaderTimeout == 0 || x.server.ReadHeaderTimeout > time.Minute {
		t.Errorf("a header may take %v", x.server.ReadHeaderTimeout)
	}
	x.patience = 50 * time.Millisecond
	for name, text := range map[string]string{
		"a body that never comes": "POST " + portal + "/x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{",
	} {
		if got := speak(t, x, text, 1); len(got) != 1 || got[0] != http.StatusForbidden {
			t.Errorf("%s is answered %v", name, got)
		}
	}
}

// TestHonestName looks at what the portal is told of who asks, from a page and from workers.
func TestHonestName(t *testing.T) {
	var mu sync.Mutex
	names := map[string]string{}
	address := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		names[r.URL.RawQuery] = r.UserAgent()
		mu.Unlock()
		if r.URL.Path == "/worker.js" {
			w.Header().Set("Content-Type", "text/javascript")
			fmt.Fprint(w, "fetch('/page?'+location.search.slice(1)+'-fetch')")
			return
		}
		htmlf(w, "x")
	}), nil)
	queries := []string{"page", "worker", "shared", "service"}
	all := append([]string{"worker-fetch", "shared-fetch", "service-fetch"}, queries...)
	for _, name := range []string{"", "Clinic's own reader/1"} {
		clear(names)
		s := startSession(t, Config{Origin: mustOrigin(t, address), UserAgent: name, Rules: []Rule{
			{Purpose: "open a page", Method: "GET", Path: "/page", Query: all}, {Purpose: "load a worker", Method: "GET", Path: "/worker.js", Query: all},
		}})
		page := open(t, s, address+"/page?page")
		eval(t, page, `() => { new Worker('/worker.js?worker'); new SharedWorker('/worker.js?shared'); navigator.serviceWorker.register('/worker.js?service') }`)
		for _, query := range all {
			eventually(t, query+" is asked for", func() bool {
				mu.Lock()
				defer mu.Unlock()
				return names[query] != ""
			})
			mu.Lock()
			got := names[query]
			mu.Unlock()
			if name != "" && got != name || name == "" && (!strings.HasPrefix(got, "Mozilla/5.0 ") || !strings.Contains(got, "Chrome/") || !strings.Contains(got, " falloff/") || !strings.HasSuffix(got, "(read-only billing extraction)")) {
				t.Errorf("the portal is told %q by the %s", got, query)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
