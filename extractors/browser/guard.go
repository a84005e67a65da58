package browser

import (
	"context"
	"encoding/json"
	"strconv"
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
// Two things do not pass here, as the tests show: WebSocket handshakes, and what pages have loaded ahead by speculation
// rules (Chromium asks neither a browser-wide nor a tab's interception, and has no flag to leave it). The proxy behind
// judges both.
type guard struct {
	referee *referee
	call    func(ctx context.Context, method string, params any) ([]byte, error)
	answer  func(Answer)

	// ctx ends when the session does; running counts the decisions under way.
	ctx     context.Context
	running sync.WaitGroup
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
	rule, _, reason := g.referee.judge(InBrowser, requestOf(event.Request))
	if rule == nil {
		g.referee.refused(InBrowser, event.Request.Method, event.Request.URL, string(event.ResourceType), reason)
		g.refuse(event)
		return
	}
	g.referee.ledger.add(Entry{
		Wall: InBrowser, Allowed: true, Method: rule.Method, Host: portalHost, Path: rule.Path, Kind: string(event.ResourceType),
		Purpose: rule.Purpose,
	})
	g.do(proto.FetchContinueRequest{RequestID: event.RequestID, InterceptResponse: true})
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
	rule, _ := g.referee.policy.check(requestOf(event.Request), anyStage)
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
	if taken, err := strconv.Atoi(header(event, takenHeader)); err == nil {
		status = taken
	}
	g.answer(Answer{
		Purpose: rule.Purpose, Method: rule.Method, Status: status, Date: header(event, "Date"), RetryAfter: header(event, "Retry-After"),
	})
	g.do(proto.FetchContinueResponse{RequestID: event.RequestID})
}

func header(event *proto.FetchRequestPaused, name string) string {
	for _, h := range event.ResponseHeaders {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// do sends a verdict to the browser, also where the session has just ended because of it. If it fails the browser is gone
// or has dropped the request itself; either way nothing has passed.
func (g *guard) do(verdict proto.Request) {
	_, _ = g.call(context.WithoutCancel(g.ctx), verdict.ProtoReq(), verdict)
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
