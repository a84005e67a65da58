package browser

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"sync"

	"github.com/go-rod/rod/lib/cdp"
	"github.com/go-rod/rod/lib/proto"
)

// An Answer is how the portal answered an allowed request.
type Answer struct {
	// Purpose and Method are those of the rule.
	Purpose, Method string
	// Status is the HTTP status, 0 if there was no answer.
	Status int
	// Failure is the browser's word for why there was no answer, for example `ConnectionRefused`.
	Failure string
	// Date and RetryAfter are the headers of these names, which say nothing about anybody.
	Date, RetryAfter string
}

// A guard is the wall inside the browser. Chromium pauses every request of every target (tabs, frames, workers) before
// it leaves, and every answer before it is used, and asks the guard, which is enabled for the browser as a whole before
// the first tab exists.
//
// BUG(guard): Two things do not pass here, as the tests show: WebSocket handshakes, and what pages have loaded ahead by
// speculation rules (Chromium asks neither a browser-wide nor a tab's interception, and has no flag to leave it). The
// proxy refuses both, for an HTTP portal. Of an HTTPS portal it sees tunnels only. There both reach no other host, and
// WebSockets to the portal are stopped by a Content-Security-Policy that the guard adds; but a speculative GET to the
// portal's own host would pass until the proxy terminates TLS.
type guard struct {
	policy *policy
	ledger *Ledger
	call   func(ctx context.Context, method string, params any) ([]byte, error)
	answer func(Answer)
	// maxBody bounds an export, in bytes.
	maxBody int

	// ctx ends when the session does; running counts the decisions under way.
	ctx     context.Context
	running sync.WaitGroup

	mu    sync.Mutex
	stage string
	used  map[*Rule]int
	// capture waits for an export; taking holds, by request, the captures whose export is on its way.
	capture *Capture
	taking  map[proto.FetchRequestID]*Capture
}

// tap claims the events of the Fetch domain from the pipe. They never reach rod, which could keep or answer them.
func (g *guard) tap(event *cdp.Event) bool {
	if !strings.HasPrefix(event.Method, "Fetch.") {
		return false
	}
	if event.Method != (proto.FetchRequestPaused{}).ProtoEvent() {
		return true
	}
	g.running.Go(func() { g.paused(event.Params) })
	return true
}

func (g *guard) paused(params json.RawMessage) {
	var event proto.FetchRequestPaused
	if json.Unmarshal(params, &event) != nil || event.Request == nil {
		// The request stays paused: an event that can't be read is not a reason to let anything pass.
		return
	}
	if event.ResponseStatusCode != nil || event.ResponseErrorReason != "" {
		g.answered(&event)
		return
	}
	g.asked(&event)
}

// asked judges a request before it leaves.
func (g *guard) asked(event *proto.FetchRequestPaused) {
	if local(event.Request.URL) {
		g.do(proto.FetchContinueRequest{RequestID: event.RequestID})
		return
	}
	rule, reason := g.judge(event)
	host, path := g.policy.shape(event.Request.URL)
	entry := Entry{
		Wall: InBrowser, Allowed: rule != nil, Method: methodShape(event.Request.Method), Host: host, Path: path,
		Kind: string(event.ResourceType), Reason: reason,
	}
	if rule == nil {
		g.ledger.add(entry)
		g.refuse(event)
		return
	}
	entry.Purpose, entry.Path = rule.Purpose, rule.Path
	g.ledger.add(entry)
	g.do(proto.FetchContinueRequest{RequestID: event.RequestID, InterceptResponse: true})
}

// judge applies the policy, and what the policy can't know: limits, and whether an export is expected.
func (g *guard) judge(event *proto.FetchRequestPaused) (*Rule, Reason) {
	r := requestOf(event.Request)
	g.mu.Lock()
	defer g.mu.Unlock()
	rule, reason := g.policy.check(r, g.stage)
	switch {
	case rule == nil:
		return nil, reason
	case rule.Limit > 0 && g.used[rule] >= rule.Limit:
		return nil, tooOften
	case rule.Capture && g.capture == nil:
		return nil, notExpected
	}
	g.used[rule]++
	if rule.Capture {
		g.taking[event.RequestID] = g.capture
	}
	return rule, ""
}

func (g *guard) refuse(event *proto.FetchRequestPaused) {
	why := proto.NetworkErrorReasonBlockedByClient
	if event.ResourceType == proto.NetworkResourceTypeDocument {
		// An aborted navigation leaves the page as it is; a blocked one replaces it by an error page.
		why = proto.NetworkErrorReasonAborted
	}
	g.do(proto.FetchFailRequest{RequestID: event.RequestID, ErrorReason: why})
}

// answered looks at an answer before the browser uses it.
func (g *guard) answered(event *proto.FetchRequestPaused) {
	rule, _ := g.policy.check(requestOf(event.Request), anyStage)
	if rule == nil {
		// Only allowed requests ask for their answer, so this can't be; if it is, it is refused.
		g.refuse(event)
		return
	}
	if event.ResponseErrorReason == "" && header(event, unreachableHeader) != "" {
		event.ResponseErrorReason = proto.NetworkErrorReasonConnectionFailed
	}
	if event.ResponseErrorReason != "" {
		g.answer(Answer{Purpose: rule.Purpose, Method: rule.Method, Failure: string(event.ResponseErrorReason)})
		g.do(proto.FetchFailRequest{RequestID: event.RequestID, ErrorReason: event.ResponseErrorReason})
		return
	}
	status := *event.ResponseStatusCode
	g.answer(Answer{
		Purpose: rule.Purpose, Method: rule.Method, Status: status, Date: header(event, "Date"), RetryAfter: header(event, "Retry-After"),
	})
	if rule.Capture && !g.leadsToExport(event) {
		g.take(event)
		return
	}
	if g.policy.origin.Scheme == "https" && status/100 != 3 && runsScripts(event.ResourceType) {
		g.fulfil(event)
		return
	}
	g.do(proto.FetchContinueResponse{RequestID: event.RequestID})
}

// leadsToExport reports whether an answer sends the browser on to what is an export as well. One that leads elsewhere, to
// the sign-in screen for example, is what came in the export's place.
func (g *guard) leadsToExport(event *proto.FetchRequestPaused) bool {
	if *event.ResponseStatusCode/100 != 3 {
		return false
	}
	base, err := url.Parse(event.Request.URL)
	if err != nil {
		return false
	}
	target, err := base.Parse(header(event, "Location"))
	if err != nil {
		return false
	}
	rule, _ := g.policy.check(request{method: event.Request.Method, url: target.String()}, anyStage)
	return rule != nil && rule.Capture
}

// runsScripts reports whether an answer can be a document or a worker, which has a Content-Security-Policy of its own.
func runsScripts(kind proto.NetworkResourceType) bool {
	return kind == proto.NetworkResourceTypeDocument || kind == proto.NetworkResourceTypeScript || kind == proto.NetworkResourceTypeOther
}

// noSockets is a Content-Security-Policy that takes away what interception does not see, WebSockets and WebRTC, and
// nothing else: a policy can't give rights, and http: and https: do not match ws: and wss:.
const noSockets = "connect-src http: https: blob: data:; webrtc 'block'"

// fulfil answers in the portal's stead with the portal's own answer and noSockets beside its headers. It takes the body
// along because Chromium evaluates the policy of a document before interception could change its headers.
func (g *guard) fulfil(event *proto.FetchRequestPaused) {
	body, err := g.body(event)
	if err != nil {
		g.do(proto.FetchFailRequest{RequestID: event.RequestID, ErrorReason: proto.NetworkErrorReasonFailed})
		return
	}
	headers := []*proto.FetchHeaderEntry{{Name: "Content-Security-Policy", Value: noSockets}}
	for _, h := range event.ResponseHeaders {
		switch strings.ToLower(h.Name) {
		case "content-encoding", "content-length", "transfer-encoding":
			// They were true of the body on the wire.
		default:
			headers = append(headers, h)
		}
	}
	g.do(proto.FetchFulfillRequest{RequestID: event.RequestID, ResponseCode: *event.ResponseStatusCode, ResponseHeaders: headers, Body: body})
}

// do sends a verdict to the browser. If it fails the browser is gone or has dropped the request itself; either way
// nothing has passed.
func (g *guard) do(verdict proto.Request) {
	_, _ = g.call(g.ctx, verdict.ProtoReq(), verdict)
}

func (g *guard) enter(stage string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stage = stage
}

func (g *guard) current() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.stage
}

func requestOf(r *proto.NetworkRequest) request {
	out := request{method: r.Method, url: r.URL, hasBody: r.HasPostData || r.PostData != "" || len(r.PostDataEntries) > 0}
	for name, value := range r.Headers {
		if strings.EqualFold(name, "Content-Type") {
			out.contentType = value.Str()
		}
	}
	for _, entry := range r.PostDataEntries {
		if len(entry.Bytes) == 0 {
			// A file or blob whose bytes Chromium does not show: without a type the body counts as unreadable.
			out.contentType = ""
		}
		out.body = append(out.body, entry.Bytes...)
	}
	if len(out.body) == 0 {
		out.body = []byte(r.PostData)
	}
	return out
}
