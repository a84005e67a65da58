package browser

import (
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// An Export is an answer that never reached the browser.
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
	// Date and RetryAfter are the headers of these names.
	Date, RetryAfter string
	Body             []byte
}

// A Capture waits for one export. Between Session.Capture and the end of its Wait, the next request that a rule with
// Capture allows is taken; outside of that such requests are refused.
type Capture struct {
	referee *referee
	result  chan captured
	// ctx ends with the wait: nobody wants what has not come by then.
	ctx context.Context
	end context.CancelFunc
}

type captured struct {
	export Export
	err    error
}

// ErrTooLarge says that an export was longer than the session allows.
var ErrTooLarge = errors.New("the export is larger than allowed")

// ErrCutShort says that the answer ended before its stated length.
var ErrCutShort = errors.New("the export ended before its stated length")

func (r *referee) expect() (*Capture, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.capture != nil {
		return nil, errors.New("an export is already being waited for")
	}
	c := &Capture{referee: r, result: make(chan captured, 1)}
	c.ctx, c.end = context.WithCancel(r.ctx)
	r.capture = c
	return c, nil
}

// Wait returns the export, or the context's error if none came. It ends the capture.
func (c *Capture) Wait(ctx context.Context) (Export, error) {
	defer c.Cancel()
	select {
	case r := <-c.result:
		return r.export, r.err
	case <-ctx.Done():
		return Export{}, context.Cause(ctx)
	case <-c.referee.ctx.Done():
		return Export{}, context.Cause(c.referee.ctx)
	}
}

// Cancel ends the capture without an export. It may be called at any time, also after Wait.
func (c *Capture) Cancel() {
	c.end()
	c.referee.mu.Lock()
	defer c.referee.mu.Unlock()
	if c.referee.capture == c {
		c.referee.capture = nil
	}
}

// deliver hands an export to whoever waits. If nobody does any more it is dropped: it must not pass for what the next
// one asks for. Of two answers to one capture the first stands.
func (c *Capture) deliver(export Export, err error) {
	if !c.referee.awaited(c) {
		return
	}
	select {
	case c.result <- captured{export, err}:
	default:
	}
}

// takenHeader stands on the proxy's own empty answer in place of an export, and holds the portal's status.
const takenHeader = "X-Falloff-Taken"

// take reads the portal's answer into memory, hands it over, and answers the browser that there is nothing to show or
// save.
func (x *proxy) take(w http.ResponseWriter, answer *http.Response, asked *url.URL, c *Capture) (length int, whole bool) {
	export := Export{Status: answer.StatusCode, Name: asked.Path[strings.LastIndexByte(asked.Path, '/')+1:]}
	export.Date, export.RetryAfter = answer.Header.Get("Date"), answer.Header.Get("Retry-After")
	export.MediaType, _, _ = mime.ParseMediaType(answer.Header.Get("Content-Type"))
	disposition, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Disposition"))
	export.Attachment = disposition == "attachment"
	var err error
	if export.Status/100 != 3 {
		export.Body, err = readExport(answer, x.maxExport)
	}
	c.deliver(export, err)
	w.Header().Set(takenHeader, strconv.Itoa(answer.StatusCode))
	w.WriteHeader(http.StatusNoContent)
	return len(export.Body), err == nil
}

// readExport reads a body, unpacks it, and checks that it is whole. Neither what comes nor what it unpacks to may be
// longer than limit.
func readExport(answer *http.Response, limit int) ([]byte, error) {
	packed := &bounded{r: answer.Body, left: limit}
	plain, err := unpack(packed, answer.Header.Get("Content-Encoding"))
	if err != nil {
		return nil, readingError(err)
	}
	// A stated length saves growing the buffer step by step; it is not trusted with much.
	body := make([]byte, 0, min(max(int(answer.ContentLength), 0), limit, 64<<20)+512)
	out := &bounded{r: plain, left: limit}
	for {
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
		n, err := out.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, readingError(err)
		}
	}
	// What follows the end of a packed body would otherwise be left unread, and with it the check of its length.
	if n, err := io.Copy(io.Discard, packed); err != nil || n > 0 && answer.Header.Get("Content-Encoding") != "" {
		if err == nil {
			err = errors.New("something follows its end")
		}
		return nil, readingError(err)
	}
	return body, nil
}

func readingError(err error) error {
	switch {
	case errors.Is(err, ErrTooLarge):
		return ErrTooLarge
	case errors.Is(err, io.ErrUnexpectedEOF):
		return ErrCutShort
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("reading the export: %w", err)
	default:
		// The text of a network error holds addresses.
		return fmt.Errorf("reading the export: %s", unreachable(err))
	}
}

func unpack(packed io.Reader, encoding string) (io.Reader, error) {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "identity":
		return packed, nil
	case "gzip", "x-gzip":
		return gzip.NewReader(packed)
	case "deflate":
		return zlib.NewReader(packed)
	default:
		return nil, errors.New("it is packed in a way that was not asked for")
	}
}

// bounded fails with ErrTooLarge where io.LimitReader would pretend that the end has come.
type bounded struct {
	r    io.Reader
	left int
}

// Read reads at most one byte more than is left, to see whether there is one.
func (b *bounded) Read(p []byte) (int, error) {
	if len(p) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.r.Read(p)
	if n > b.left {
		return 0, ErrTooLarge
	}
	b.left -= n
	return n, err
}

// leadsToExport reports whether an answer sends the browser on to what is an export as well. One that leads elsewhere, to
// the sign-in screen for example, is what came in the export's place.
func (p *policy) leadsToExport(answer *http.Response, asked *url.URL) bool {
	if answer.StatusCode/100 != 3 {
		return false
	}
	target, err := asked.Parse(answer.Header.Get("Location"))
	if err != nil {
		return false
	}
	rule, _ := p.check(request{method: http.MethodGet, url: target.String()}, anyStage)
	return rule != nil && rule.Capture
}
