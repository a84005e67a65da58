package browser

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// A proxy is the wall behind the browser: a forward proxy on loopback that is the browser's only way out, with the
// same allow-list. It stops what interception does not see. Towards an HTTP portal (loopback only) it reads every
// request; an HTTPS portal it reaches through tunnels, of which it can judge only the host.
type proxy struct {
	policy *policy
	ledger *Ledger
	stage  func() string
	// reached is told of every attempt to reach the portal: nil, or why it failed.
	reached func(error)

	listener  net.Listener
	server    *http.Server
	transport *http.Transport
	dial      func(ctx context.Context, network, address string) (net.Conn, error)
	ctx       context.Context
	cancel    context.CancelFunc

	mu      sync.Mutex
	closed  bool
	serving sync.WaitGroup
}

// maxRequestBody is far above what a filter or a sign-in needs.
const maxRequestBody = 1 << 20

func startProxy(p *policy, l *Ledger, stage func() string, reached func(error), dial func(context.Context, string, string) (net.Conn, error)) (*proxy, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	x := &proxy{policy: p, ledger: l, stage: stage, reached: reached, listener: listener, dial: dial}
	x.ctx, x.cancel = context.WithCancel(context.Background())
	// The environment's own proxy settings do not apply: the portal is on loopback, or reached by a tunnel of ours.
	x.transport = &http.Transport{DialContext: dial, DisableCompression: true, MaxIdleConnsPerHost: 8}
	x.server = &http.Server{
		Handler:           x,
		ReadHeaderTimeout: 30 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	x.serving.Go(func() { _ = x.server.Serve(listener) })
	return x, nil
}

func (x *proxy) address() string { return x.listener.Addr().String() }

// begin counts a request under way; it fails once the proxy is closing.
func (x *proxy) begin() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.closed {
		x.serving.Add(1)
	}
	return !x.closed
}

func (x *proxy) close() {
	x.mu.Lock()
	x.closed = true
	x.mu.Unlock()
	x.cancel()
	_ = x.server.Close()
	x.transport.CloseIdleConnections()
	x.serving.Wait()
}

// ServeHTTP judges and forwards one request of the browser.
func (x *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !x.begin() {
		return
	}
	defer x.serving.Done()
	if r.Method == http.MethodConnect {
		x.tunnel(w, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequestBody))
	if err != nil {
		x.refuse(w, r, bodyUnreadable)
		return
	}
	if r.Header.Get("Upgrade") != "" {
		x.refuse(w, r, protocolUpgrade)
		return
	}
	rule, reason := x.policy.check(request{
		method: r.Method, url: r.URL.String(), contentType: r.Header.Get("Content-Type"), body: body, hasBody: len(body) > 0,
	}, x.stage())
	switch {
	case rule == nil:
		x.refuse(w, r, reason)
	case r.URL.Scheme != "http":
		x.refuse(w, r, otherScheme)
	default:
		x.forward(w, r, body)
	}
}

func (x *proxy) refuse(w http.ResponseWriter, r *http.Request, reason Reason) {
	address := r.URL.String()
	if r.Method == http.MethodConnect {
		address = "https://" + r.Host
	}
	host, path := x.policy.shape(address)
	x.ledger.add(Entry{Wall: InProxy, Method: methodShape(r.Method), Host: host, Path: path, Reason: reason})
	http.Error(w, "refused: "+string(reason), http.StatusForbidden)
}

// hopHeaders concern one connection only and are not forwarded (RFC 9110, section 7.6.1).
var hopHeaders = []string{
	"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade",
}

// unreachableHeader marks the proxy's own answer to the browser when the portal gave none. The guard turns it into a
// failed request before any page sees it.
const unreachableHeader = "X-Falloff-Unreachable"

func withoutHops(h http.Header) http.Header {
	h = h.Clone()
	for _, list := range h.Values("Connection") {
		for name := range strings.SplitSeq(list, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hopHeaders {
		h.Del(name)
	}
	return h
}

func (x *proxy) forward(w http.ResponseWriter, r *http.Request, body []byte) {
	out, err := http.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), bytes.NewReader(body))
	if err != nil {
		x.refuse(w, r, malformed)
		return
	}
	out.Header = withoutHops(r.Header)
	answer, err := x.transport.RoundTrip(out)
	if err != nil {
		if r.Context().Err() == nil {
			x.reached(err)
		}
		// Closing the connection would be plainer, but Chromium sends a request again, a POST too, when a connection
		// it has used before closes without an answer.
		w.Header().Set(unreachableHeader, "yes")
		http.Error(w, "the portal does not answer", http.StatusBadGateway)
		return
	}
	x.reached(nil)
	defer answer.Body.Close()
	answer.Header.Del(unreachableHeader)
	maps.Copy(w.Header(), withoutHops(answer.Header))
	w.WriteHeader(answer.StatusCode)
	if _, err := io.Copy(flusher{w}, answer.Body); err != nil {
		// A body cut short must not look whole.
		panic(http.ErrAbortHandler)
	}
}

// flusher sends on what it is given at once: an event stream's events must not wait in a buffer.
type flusher struct{ http.ResponseWriter }

func (f flusher) Write(b []byte) (int, error) {
	n, err := f.ResponseWriter.Write(b)
	if flushing, ok := f.ResponseWriter.(http.Flusher); ok && err == nil {
		flushing.Flush()
	}
	return n, err
}

// tunnel connects the browser to an HTTPS portal, and to nothing else. Chromium asks for tunnels for WebSockets also
// where the portal is plain HTTP: those are refused.
func (x *proxy) tunnel(w http.ResponseWriter, r *http.Request) {
	if x.policy.origin.Scheme != "https" || !strings.EqualFold(r.Host, x.policy.origin.Address()) {
		x.refuse(w, r, tunnel)
		return
	}
	portal, err := x.dial(r.Context(), "tcp", x.policy.origin.Address())
	if err != nil {
		if r.Context().Err() == nil {
			x.reached(err)
		}
		http.Error(w, "the portal does not answer", http.StatusBadGateway)
		return
	}
	x.reached(nil)
	defer portal.Close()
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		return
	}
	browser, buffered, err := hijacker.Hijack()
	if err != nil {
		return
	}
	defer browser.Close()
	if _, err := io.WriteString(browser, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	// A hijacked connection is no longer the server's to close.
	stop := context.AfterFunc(x.ctx, func() { browser.Close(); portal.Close() })
	defer stop()
	var up sync.WaitGroup
	up.Go(func() {
		_, _ = io.Copy(portal, buffered)
		halfClose(portal)
	})
	_, _ = io.Copy(browser, portal)
	halfClose(browser)
	up.Wait()
}

func halfClose(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
}

// unreachable says in a few words why the portal could not be reached, without its address.
func unreachable(err error) string {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &dns):
		return "its name is not known"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "it does not answer"
	case strings.Contains(err.Error(), "refused"):
		return "it refuses connections"
	default:
		return "the connection broke"
	}
}
