package browser

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// A proxy is the wall behind the browser: a forward proxy on loopback that is the browser's only way out, with the same
// allow-list. It reads every request, because it is what the browser takes for an HTTPS portal (see tls.go), and speaks
// to the portal itself. It stops what interception does not see, keeps exports, and writes the access ledger.
type proxy struct {
	proxyConfig

	listener net.Listener
	server   *http.Server
	// inner serves the connections whose TLS ends here; it is nil where the portal is plain HTTP.
	inner    *http.Server
	handover *handover
	// identity is what the browser takes for the portal's certificate.
	identity *identity
	// reading and writing reach the portal. A write always has a connection of its own: one that breaks on a connection
	// used before would be sent again by the transport.
	reading, writing *http.Transport
	// patience is how long a request's body may take.
	patience time.Duration
	ctx      context.Context
	cancel   context.CancelFunc

	mu      sync.Mutex
	closed  bool
	serving sync.WaitGroup
	telling sync.Mutex
}

// proxyConfig is what a proxy needs from its session.
type proxyConfig struct {
	referee *referee
	// reached is told of every attempt to reach the portal: nil, or why it failed.
	reached func(error)
	// access is told of every line of the access ledger, one at a time.
	access func(Access)
	// userAgent makes the browser's name for itself into the one that the portal is told.
	userAgent func(browsers string) string
	// maxExport bounds an export, in bytes.
	maxExport int
	dial      func(ctx context.Context, network, address string) (net.Conn, error)
	// roots replace the system's certificate authorities in tests.
	roots *x509.CertPool
	now   func() time.Time
}

// Bounds on what the browser sends and the portal answers. None is near what a real page needs.
const (
	maxRequestBody   = 1 << 20
	maxRequestHeader = 256 << 10
	maxAnswerHeader  = 1 << 20
	// slowest bounds the time in which a request must have arrived, its header and then its body.
	slowest = 30 * time.Second
	// longestThought bounds the time from a request to the beginning of its answer: a large report takes minutes.
	longestThought = 10 * time.Minute
)

func startProxy(cfg proxyConfig) (*proxy, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	x := &proxy{proxyConfig: cfg, listener: listener, patience: slowest}
	x.ctx, x.cancel = context.WithCancel(context.Background())
	x.reading, x.writing = x.transport(), x.transport()
	x.writing.DisableKeepAlives = true
	x.server = x.serverOf(http.HandlerFunc(x.outer))
	if origin := x.referee.policy.origin; origin.Scheme == "https" {
		if x.identity, err = newIdentity(origin.Host, x.now()); err != nil {
			x.cancel()
			listener.Close()
			return nil, err
		}
		x.handover = newHandover(listener.Addr())
		x.inner = x.serverOf(http.HandlerFunc(x.fromTunnel))
		x.serving.Go(func() { _ = x.inner.Serve(x.handover) })
	}
	x.serving.Go(func() { _ = x.server.Serve(listener) })
	return x, nil
}

// transport reaches the portal: directly, whatever the environment says of proxies, and over TLS 1.3 at least unless it
// is on this machine. Its certificate is always verified.
func (x *proxy) transport() *http.Transport {
	origin := x.referee.policy.origin
	oldest := uint16(tls.VersionTLS13)
	if origin.loopback() {
		oldest = tls.VersionTLS12
	}
	return &http.Transport{
		DialContext:            x.dial,
		TLSClientConfig:        &tls.Config{MinVersion: oldest, ServerName: origin.Host, RootCAs: x.roots},
		TLSHandshakeTimeout:    slowest,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    8,
		IdleConnTimeout:        90 * time.Second,
		ResponseHeaderTimeout:  longestThought,
		MaxResponseHeaderBytes: maxAnswerHeader,
	}
}

func (x *proxy) serverOf(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: slowest,
		MaxHeaderBytes:    maxRequestHeader,
		ErrorLog:          log.New(io.Discard, "", 0),
		// No other protocol is spoken, whatever a connection offers.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
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
	if x.inner != nil {
		_ = x.inner.Close()
		_ = x.handover.Close()
	}
	x.reading.CloseIdleConnections()
	x.serving.Wait()
	x.reading.CloseIdleConnections()
}

// outer judges what comes in the clear: requests with a whole address, and those for tunnels.
func (x *proxy) outer(w http.ResponseWriter, r *http.Request) {
	if !x.begin() {
		return
	}
	defer x.serving.Done()
	switch {
	case r.Method == http.MethodConnect:
		x.tunnel(w, r)
	case !r.URL.IsAbs():
		x.refuse(w, r.Method, r.Host, malformed)
	default:
		x.serve(w, r, r.URL.String())
	}
}

// fromTunnel judges what comes through the browser's end of a TLS connection to the portal. There an address is a path,
// and the host is the portal.
func (x *proxy) fromTunnel(w http.ResponseWriter, r *http.Request) {
	if !x.begin() {
		return
	}
	defer x.serving.Done()
	origin := x.referee.policy.origin
	switch {
	case !strings.HasPrefix(r.RequestURI, "/"):
		x.refuse(w, r.Method, r.RequestURI, malformed)
	case originOf(&url.URL{Scheme: origin.Scheme, Host: r.Host}) != origin:
		x.refuse(w, r.Method, origin.Scheme+"://"+r.Host, otherHost)
	default:
		x.serve(w, r, origin.String()+r.RequestURI)
	}
}

// serve judges and forwards one request.
func (x *proxy) serve(w http.ResponseWriter, r *http.Request, address string) {
	if r.Header.Get("Upgrade") != "" {
		x.refuse(w, r.Method, address, protocolUpgrade)
		return
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(x.patience))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequestBody))
	if err != nil {
		x.refuse(w, r.Method, address, bodyUnreadable)
		return
	}
	_ = control.SetReadDeadline(time.Time{})
	q := request{method: r.Method, url: address, contentType: r.Header.Get("Content-Type"), body: body, hasBody: len(body) > 0}
	rule, capture, reason := x.referee.judge(InProxy, q)
	if rule == nil {
		x.refuse(w, r.Method, address, reason)
		return
	}
	// The policy has read it already, so that it is the portal's address.
	u, err := url.Parse(address)
	if err != nil {
		x.refuse(w, r.Method, address, malformed)
		return
	}
	u.Fragment = ""
	x.forward(w, r, q, u, rule, capture)
}

func (x *proxy) refuse(w http.ResponseWriter, method, address string, reason Reason) {
	x.referee.refused(InProxy, method, address, "", reason)
	http.Error(w, "refused: "+string(reason), http.StatusForbidden)
}

// unreachableHeader marks the proxy's own answer to the browser when the portal gave none. The guard turns it into a
// failed request before any page sees it.
const unreachableHeader = "X-Falloff-Unreachable"

// hopHeaders concern one connection only and are not forwarded (RFC 9110, section 7.6.1).
var hopHeaders = []string{
	"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade",
}

// ownHeaders are the proxy's alone. Those after them ask the browser to report to, or to switch to, other addresses.
var ownHeaders = []string{unreachableHeader, takenHeader, "Alt-Svc", "Nel", "Report-To", "Reporting-Endpoints"}

func without(h http.Header, more ...string) http.Header {
	h = h.Clone()
	for _, list := range h.Values("Connection") {
		for name := range strings.SplitSeq(list, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, names := range [][]string{hopHeaders, more} {
		for _, name := range names {
			h.Del(name)
		}
	}
	return h
}

// forward sends an allowed request on, and its answer back: to the browser, or where it is an export to who waits.
func (x *proxy) forward(w http.ResponseWriter, r *http.Request, q request, address *url.URL, rule *Rule, capture *Capture) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(x.ctx, cancel)()
	if capture != nil {
		defer context.AfterFunc(capture.ctx, cancel)()
	}
	line, told := accessOf(rule, q, x.now())
	if told {
		defer func() {
			x.telling.Lock()
			defer x.telling.Unlock()
			x.access(line)
		}()
	}
	answer, err := x.send(ctx, r, q, address, capture != nil)
	if err != nil {
		if ctx.Err() == nil {
			x.reached(err)
		}
		if capture != nil {
			capture.deliver(Export{}, errors.New("the portal could not be reached: "+unreachable(err)))
		}
		// Closing the connection would be plainer, but Chromium sends a request again, a POST too, when a connection
		// it has used before closes without an answer.
		w.Header().Set(unreachableHeader, "yes")
		http.Error(w, "the portal does not answer", http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	x.reached(nil)
	line.Status = answer.StatusCode
	if capture != nil && !x.referee.policy.leadsToExport(answer, address) {
		length, whole := x.take(w, answer, address, capture)
		line.Bytes, line.Whole = int64(length), whole
		return
	}
	if capture == nil && isSaved(r, answer) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	maps.Copy(w.Header(), without(answer.Header, ownHeaders...))
	w.WriteHeader(answer.StatusCode)
	if capture != nil {
		// The way to the file is all the browser needs of it.
		line.Whole = true
		return
	}
	line.Bytes, err = io.Copy(flusher{w}, answer.Body)
	line.Whole = err == nil
	if err != nil {
		// A body cut short must not look whole.
		panic(http.ErrAbortHandler)
	}
}

func (x *proxy) send(ctx context.Context, r *http.Request, q request, address *url.URL, export bool) (*http.Response, error) {
	out, err := http.NewRequestWithContext(ctx, r.Method, address.String(), bytes.NewReader(q.body))
	if err != nil {
		return nil, err
	}
	out.Header = without(r.Header, "Expect")
	out.Header.Set("User-Agent", x.userAgent(r.UserAgent()))
	if export {
		out.Header.Set("Accept-Encoding", "gzip")
		out.Header.Del("Range")
	}
	through := x.reading
	if writes(r.Method) {
		through = x.writing
	}
	answer, err := through.RoundTrip(out)
	if err == nil && answer.StatusCode < http.StatusOK {
		answer.Body.Close()
		return nil, errors.New("the portal changed the protocol unasked")
	}
	return answer, err
}

// flusher sends on what it is given at once: an event stream's events must not wait in a buffer.
type flusher struct{ http.ResponseWriter }

// Write writes and flushes.
func (f flusher) Write(b []byte) (int, error) {
	n, err := f.ResponseWriter.Write(b)
	if flushing, ok := f.ResponseWriter.(http.Flusher); ok && err == nil {
		flushing.Flush()
	}
	return n, err
}

// unreachable says in a few words why the portal could not be reached, without its address.
func unreachable(err error) string {
	var dns *net.DNSError
	var timeout net.Error
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate):
		return "its certificate is not to be trusted; somebody may be between this machine and the portal"
	case strings.Contains(err.Error(), "protocol version not supported"):
		return "it does not speak TLS 1.3"
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
