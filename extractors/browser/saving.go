package browser

import (
	"mime"
	"net/http"
	"slices"
	"strings"
)

// shown are the media types besides text and images that Chromium shows when it is led to them.
var shown = []string{"application/json", "application/xml", "application/xhtml+xml", "application/javascript"}

// isSaved reports whether Chromium would save an answer instead of showing it. It does so in a file of its own first, and only then finds
// that it may not. What a script asks for is kept in memory, and so is what a page consists of.
func isSaved(r *http.Request, answer *http.Response) bool {
	mode := r.Header.Get("Sec-Fetch-Mode")
	if mode != "" && mode != "navigate" || answer.StatusCode/100 == 3 {
		return false
	}
	// What is neither this nor that, or cannot be read, counts as an attachment (RFC 6266, section 4.2).
	if stated := answer.Header.Get("Content-Disposition"); stated != "" {
		if disposition, _, err := mime.ParseMediaType(stated); err != nil || disposition != "inline" {
			return true
		}
	}
	if mode == "" {
		return false
	}
	if r.Header.Get("Sec-Fetch-Dest") == "empty" { // a link with the attribute download
		return true
	}
	media, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if media == "" { // it looks for itself what it is
		return false
	}
	kind, _, _ := strings.Cut(media, "/")
	return media == "text/csv" || kind != "text" && kind != "image" && !slices.Contains(shown, media)
}
