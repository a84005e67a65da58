package browser

import (
	"context"
	"net/http"
	"testing"
	"time"
)

// TestHungPagesAreReplaced has a page compute for ever.
func TestHungPagesAreReplaced(t *testing.T) {
	address := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: "kept"})
		htmlf(w, "<h1>here</h1><script>window.onbeforeunload = () => 'stay'; window.onunload = () => { for (;;); }</script>")
	}), nil)
	s := startSession(t, Config{Origin: mustOrigin(t, address), Rules: pageRules})
	for range 3 {
		page := open(t, s, address+"/page")
		// A tab that shares the renderer falls with it, and that is no crash of the session's.
		eval(t, page, `() => { open('/page') }`)
		if !s.Answers(t.Context(), page) {
			t.Fatal("a page that is well does not answer")
		}
		go func() { _, _ = page.Eval(`() => { for (;;); }`) }()
		eventually(t, "the page hangs", func() bool {
			short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			return !s.Answers(short, page)
		})
		bounded, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		fresh, err := s.Replace(bounded, page)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		fresh = fresh.Context(t.Context())
		if err := fresh.Navigate(address + "/page"); err != nil {
			t.Fatal(err)
		}
		if got := eval(t, fresh, `() => document.querySelector('h1').textContent + document.cookie`); got != "heresid=kept" {
			t.Errorf("the new tab shows %q", got)
		}
	}
	if cause := context.Cause(s.Context()); cause != nil {
		t.Errorf("the session ended with %v", cause)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	demandNothingLeft(t, s.Directory())
}
