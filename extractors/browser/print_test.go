package browser

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

func TestPrint(t *testing.T) {
	t.Parallel()
	page := `<!doctype html><html lang="fr-CA"><head><meta charset="utf-8"><title>Rapport</title></head><body><h1>Un</h1><h2>Deux</h2>
		<table><tr><th scope="col">A</th></tr><tr><td>1</td></tr></table></body></html>`
	printed, err := Print(t.Context(), Config{}, []byte(page), Sheet{Width: 8.5, Height: 11}, `<span class="pageNumber"></span>`)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"%PDF-", "/MarkInfo", "/StructTreeRoot", "/Lang (fr-CA)", "/Outlines", "/MediaBox [0 0 612 792]"} {
		if !bytes.Contains(printed, []byte(want)) {
			t.Errorf("the PDF has no %s", want)
		}
	}
}

// A page that has to fetch something is not printed, and fetches nothing.
func TestPrintReachesNothing(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	outside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(outside.Close)
	page := `<!doctype html><html lang="en"><head><title>x</title></head><body><img src="` + outside.URL + `/x.png" alt=""></body></html>`
	_, err := Print(t.Context(), Config{}, []byte(page), Sheet{Width: 8.5, Height: 11}, "")
	if err == nil || !strings.Contains(err.Error(), "asked for") {
		t.Errorf("a page that reaches out was printed: %v", err)
	}
	if asked.Load() > 0 {
		t.Error("the page reached a server")
	}
}
