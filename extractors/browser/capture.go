package browser

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-rod/rod/lib/proto"
)

// An Export is an answer that the guard took out of the browser's hands.
type Export struct {
	// Name is the last segment of the address, for example `clinic_sales_20260101_20260331.csv`.
	Name string
	// Status is the HTTP status. Where it is not 200, Body is the page that came in the export's place, and empty if it
	// led elsewhere.
	Status int
	// MediaType is the Content-Type without parameters, in lower case.
	MediaType string
	// Attachment says that the answer was offered as a file to save.
	Attachment bool
	Body       []byte
}

// A Capture waits for one export. Between Session.Capture and the end of its Wait, the next request that a rule with
// Capture allows is taken; outside of that such requests are refused.
type Capture struct {
	guard  *guard
	result chan captured
}

type captured struct {
	export Export
	err    error
}

// ErrTooLarge says that an export was longer than the session allows.
var ErrTooLarge = errors.New("the export is larger than allowed")

// ErrCutShort says that the answer ended before its stated length.
var ErrCutShort = errors.New("the export ended before its stated length")

func (g *guard) expect() (*Capture, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.capture != nil {
		return nil, errors.New("an export is already being waited for")
	}
	g.capture = &Capture{guard: g, result: make(chan captured, 1)}
	return g.capture, nil
}

// Wait returns the export, or the context's error if none came. It ends the capture.
func (c *Capture) Wait(ctx context.Context) (Export, error) {
	defer c.Cancel()
	select {
	case r := <-c.result:
		return r.export, r.err
	case <-ctx.Done():
		return Export{}, context.Cause(ctx)
	case <-c.guard.ctx.Done():
		return Export{}, context.Cause(c.guard.ctx)
	}
}

// Cancel ends the capture without an export. It may be called at any time, also after Wait.
func (c *Capture) Cancel() {
	c.guard.mu.Lock()
	defer c.guard.mu.Unlock()
	if c.guard.capture == c {
		c.guard.capture = nil
	}
}

// take reads an answer's body through the protocol into memory, and then fails the request, so that the browser has
// nothing to show or save.
func (g *guard) take(event *proto.FetchRequestPaused) {
	g.mu.Lock()
	capture := g.taking[event.RequestID]
	delete(g.taking, event.RequestID)
	awaited := capture != nil && capture == g.capture
	g.mu.Unlock()
	if !awaited {
		// It comes too late: whoever asked for it has given up, and it must not pass for what the next one asks for.
		g.refuse(event)
		return
	}
	export := exportOf(event)
	var err error
	if export.Status/100 != 3 {
		export.Body, err = g.body(event)
	}
	g.do(proto.FetchFailRequest{RequestID: event.RequestID, ErrorReason: proto.NetworkErrorReasonAborted})
	select {
	case capture.result <- captured{export, err}:
	default:
		// A second answer to one capture: the first stands.
	}
}

func exportOf(event *proto.FetchRequestPaused) Export {
	export := Export{Status: *event.ResponseStatusCode}
	if u, err := url.Parse(event.Request.URL); err == nil {
		export.Name = u.Path[strings.LastIndexByte(u.Path, '/')+1:]
	}
	export.MediaType, _, _ = mime.ParseMediaType(header(event, "Content-Type"))
	disposition, _, _ := mime.ParseMediaType(header(event, "Content-Disposition"))
	export.Attachment = disposition == "attachment"
	return export
}

func header(event *proto.FetchRequestPaused, name string) string {
	for _, h := range event.ResponseHeaders {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// chunk is how much of a body is asked for at once.
const chunk = 1 << 20

// body reads the paused answer as a stream. Chromium feeds such a stream from the network through a pipe in memory;
// it does not pass through its cache or a temporary file.
func (g *guard) body(event *proto.FetchRequestPaused) ([]byte, error) {
	var stream proto.FetchTakeResponseBodyAsStreamResult
	if err := g.ask(proto.FetchTakeResponseBodyAsStream{RequestID: event.RequestID}, &stream); err != nil {
		return nil, fmt.Errorf("taking the export from the browser: %w", err)
	}
	defer g.do(proto.IOClose{Handle: stream.Stream})

	var body []byte
	size := chunk
	for {
		var part proto.IOReadResult
		if err := g.ask(proto.IORead{Handle: stream.Stream, Size: &size}, &part); err != nil {
			return nil, fmt.Errorf("reading the export from the browser: %w", err)
		}
		data := []byte(part.Data)
		if part.Base64Encoded {
			var err error
			if data, err = base64.StdEncoding.DecodeString(part.Data); err != nil {
				return nil, fmt.Errorf("reading the export from the browser: %w", err)
			}
		}
		body = append(body, data...)
		if len(body) > g.maxBody {
			return nil, ErrTooLarge
		}
		if part.EOF {
			return body, complete(event, len(body))
		}
	}
}

// complete compares a body's length with the one that was stated. Of a compressed answer only the compressed length is.
func complete(event *proto.FetchRequestPaused, length int) error {
	if header(event, "Content-Encoding") != "" {
		return nil
	}
	if stated, err := strconv.Atoi(header(event, "Content-Length")); err == nil && stated != length {
		return ErrCutShort
	}
	return nil
}

func (g *guard) ask(req proto.Request, answer any) error {
	raw, err := g.call(g.ctx, req.ProtoReq(), req)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, answer)
}
