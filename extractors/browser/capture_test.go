package browser

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-rod/rod"
)

const exportCanary = "CanaryMaryPatient555"

// exportPortal offers exports in several states of health. Its page links to each.
func exportPortal(t *testing.T, secure bool) (cfg Config, address string, canaryExport []byte) {
	canaryExport = bytes.Repeat([]byte("1,"+exportCanary+",95.00\n"), 50_000)
	page := func(w http.ResponseWriter) {
		links := ""
		for _, name := range []string{"good.csv", "inline.csv", "packed.csv", "slow.csv", "empty.csv", "page.csv", "missing.csv", "cut.csv", "moved.csv", "signedout.csv"} {
			links += fmt.Sprintf(`<a id="%s" href="/downloads/%s">x</a><a id="save-%s" href="/downloads/%s" download>x</a>`, name, name, name, name)
		}
		htmlf(w, "%s", links)
	}
	portal := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		csv := func() { w.Header().Set("Content-Type", "text/csv; charset=utf-8") }
		attachment := func() { w.Header().Set("Content-Disposition", `attachment; filename="good.csv"`) }
		switch r.URL.Path {
		case "/page":
			page(w)
		case "/downloads/good.csv":
			csv()
			attachment()
			w.Write(canaryExport)
		case "/downloads/inline.csv":
			csv()
			w.Write(canaryExport)
		case "/downloads/packed.csv":
			csv()
			attachment()
			w.Header().Set("Content-Encoding", "gzip")
			packed := gzip.NewWriter(w)
			packed.Write(canaryExport)
			packed.Close()
		case "/plain.txt":
			attachment()
			w.Write(canaryExport)
		case "/downloads/slow.csv":
			csv()
			w.Header().Set("Content-Length", "1000")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case "/downloads/empty.csv":
			csv()
			attachment()
		case "/downloads/page.csv":
			htmlf(w, "<p>still working")
		case "/downloads/cut.csv":
			csv()
			w.Header().Set("Content-Length", "1000")
			w.Write([]byte("half of it"))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		case "/downloads/signedout.csv":
			http.Redirect(w, r, "/page", http.StatusSeeOther)
		case "/downloads/moved.csv":
			http.Redirect(w, r, "/downloads/good.csv", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	})
	var roots *x509.CertPool
	if secure {
		address, roots, _ = serveTLS(t, portal, nil)
	} else {
		address = serve(t, portal, nil)
	}
	return Config{Origin: mustOrigin(t, address), Rules: exportRules, roots: roots}, address, canaryExport
}

var exportRules = []Rule{
	{Purpose: "open a page", Method: "GET", Path: "/page"},
	{Purpose: "download an export", Method: "GET", Path: "/downloads/:file", Capture: true},
	{Purpose: "read a text", Method: "GET", Path: "/plain.txt"},
}

// capture clicks a link while a capture waits.
func capture(t *testing.T, s *Session, page *rod.Page, id string) (Export, error) {
	t.Helper()
	waiting, err := s.Capture()
	if err != nil {
		t.Fatal(err)
	}
	eval(t, page, `() => document.getElementById('`+id+`').click()`)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	return waiting.Wait(ctx)
}

func TestExportsNeverTouchADisk(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %v", secure), func(t *testing.T) { exportsNeverTouchADisk(t, secure) })
	}
}

func exportsNeverTouchADisk(t *testing.T, secure bool) {
	cfg, address, want := exportPortal(t, secure)
	parent, tmp := shortDir(t), t.TempDir()
	t.Setenv("TMPDIR", tmp)
	cfg.ScratchParent = parent
	s := startSession(t, cfg)
	page := open(t, s, address+"/page")
	// No file comes to lie anywhere that the portal offers to save and nobody captures.
	eval(t, page, `() => {
		const a = document.createElement('a');
		a.href = '/plain.txt';
		document.body.append(a);
		a.click();
	}`)
	eventually(t, "the text is asked for", func() bool { return s.Ledger().Sent("read a text") == 1 })
	for _, id := range []string{"good.csv", "save-good.csv", "inline.csv", "packed.csv", "save-moved.csv", "moved.csv"} {
		export, err := capture(t, s, page, id)
		if err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		if export.Status != 200 || export.MediaType != "text/csv" || !bytes.Equal(export.Body, want) {
			t.Errorf("%s: status %d, %s, %d bytes; want 200, text/csv, %d bytes", id, export.Status, export.MediaType, len(export.Body), len(want))
		}
		if wantAttachment := id != "inline.csv"; export.Attachment != wantAttachment {
			t.Errorf("%s: attachment is %v", id, export.Attachment)
		}
		if found := filesWith(t, exportCanary, parent, tmp, s.Directory()); len(found) > 0 {
			t.Errorf("%s: the export's bytes lie in %v", id, found)
		}
		if got := eval(t, page, `() => document.body.innerText + document.title`); strings.Contains(got, exportCanary) {
			t.Errorf("%s: the page shows the export", id)
		}
	}
	// The proof is worth something only if the search finds what is there.
	if err := os.WriteFile(s.Directory()+"/planted", want, 0o600); err != nil {
		t.Fatal(err)
	}
	if found := filesWith(t, exportCanary, parent); len(found) != 1 {
		t.Errorf("the search found %v, not the planted file", found)
	}
	if err := os.Remove(s.Directory() + "/planted"); err != nil {
		t.Fatal(err)
	}
	// A page can also make a file of what it knows, and save it without any request. Chromium has its bytes in its own temporary
	// folder, which is the session's and in memory, before it learns that nothing may be saved; they do not stay there.
	eval(t, page, `() => {
		const a = document.createElement('a');
		a.href = URL.createObjectURL(new Blob(['`+exportCanary+`']));
		a.download = 'made.csv';
		document.body.append(a);
		a.click();
	}`)
	eventually(t, "what the page saved is gone", func() bool { return len(filesWith(t, exportCanary, parent, tmp)) == 0 })
}

func TestExportsThatAreNotWhole(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %v", secure), func(t *testing.T) { exportsThatAreNotWhole(t, secure) })
	}
}

func exportsThatAreNotWhole(t *testing.T, secure bool) {
	cfg, address, _ := exportPortal(t, secure)
	cfg.MaxExport = 1 << 20
	s := startSession(t, cfg)
	page := open(t, s, address+"/page")

	if export, err := capture(t, s, page, "empty.csv"); err != nil || export.Status != 200 || len(export.Body) != 0 {
		t.Errorf("an empty export gave %+v, %v", export, err)
	}
	if export, err := capture(t, s, page, "page.csv"); err != nil || export.MediaType != "text/html" || export.Attachment {
		t.Errorf("a page in place of a file gave %s, attachment %v, %v", export.MediaType, export.Attachment, err)
	}
	if export, err := capture(t, s, page, "missing.csv"); err != nil || export.Status != 404 || !strings.Contains(string(export.Body), "not found") {
		t.Errorf("a missing file gave %+v, %v", export, err)
	}
	if export, err := capture(t, s, page, "signedout.csv"); err != nil || export.Status != 303 || export.Body != nil {
		t.Errorf("a way to another page in place of a file gave %+v, %v", export, err)
	}
	if _, err := capture(t, s, page, "cut.csv"); !errors.Is(err, ErrCutShort) {
		t.Errorf("half a file gave %v", err)
	}
	if _, err := capture(t, s, page, "good.csv"); !errors.Is(err, ErrTooLarge) {
		t.Errorf("an export above the limit gave %v", err)
	}
	if got := eval(t, page, `() => location.pathname`); got != "/page" {
		t.Errorf("the page has become %s", got)
	}
}

func TestExportsNobodyAskedFor(t *testing.T) {
	cfg, address, _ := exportPortal(t, false)
	s := startSession(t, cfg)
	page := open(t, s, address+"/page")
	eval(t, page, `() => document.getElementById('good.csv').click()`)
	want := Entry{Wall: InBrowser, Method: "GET", Host: "portal", Path: "/downloads/:file", Kind: "Document", Reason: notExpected}
	eventually(t, "the export is refused", func() bool { return countOf(s.Ledger().Entries(), want) == 1 })

	waiting, err := s.Capture()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Capture(); err == nil {
		t.Error("two captures wait at once")
	}
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := waiting.Wait(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for nothing: %v", err)
	}
	if second, err := s.Capture(); err != nil {
		t.Errorf("after one capture there is no second: %v", err)
	} else {
		second.Cancel()
	}
	waiting, err = s.Capture()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := waiting.Wait(t.Context()); err == nil {
		t.Error("a capture of a closed session gives an export")
	}
}

// TestExportsThatComeTooLate has one export come when nobody waits for it any more, and another be awaited meanwhile.
func TestExportsThatComeTooLate(t *testing.T) {
	cfg, address, want := exportPortal(t, true)
	s := startSession(t, cfg)
	page := open(t, s, address+"/page")
	first, err := s.Capture()
	if err != nil {
		t.Fatal(err)
	}
	eval(t, page, `() => { fetch('/downloads/slow.csv').then(() => document.title = 'ended', () => document.title = 'failed') }`)
	eventually(t, "the slow export is asked for", func() bool { return s.Ledger().Sent("download an export") == 1 })
	first.Cancel()
	eventually(t, "the slow export is given up", func() bool { return eval(t, page, `() => document.title`) != "t" })
	export, err := capture(t, s, page, "good.csv")
	if err != nil || !bytes.Equal(export.Body, want) {
		t.Errorf("after one that came too late: %d bytes, %v", len(export.Body), err)
	}
}

// TestExportsFetchedByThePage asks for an export as a script does, which sees an empty answer.
func TestExportsFetchedByThePage(t *testing.T) {
	cfg, address, want := exportPortal(t, true)
	s := startSession(t, cfg)
	page := open(t, s, address+"/page")
	waiting, err := s.Capture()
	if err != nil {
		t.Fatal(err)
	}
	got := eval(t, page, `() => fetch('/downloads/good.csv').then(async r => r.status + ' ' + (await r.text()).length)`)
	export, err := waiting.Wait(t.Context())
	if got != "204 0" || err != nil || !bytes.Equal(export.Body, want) {
		t.Errorf("the page sees %s; the export has %d bytes, %v", got, len(export.Body), err)
	}
}

// TestExportsOfADeadPortal asks for an export when the portal is gone.
func TestExportsOfADeadPortal(t *testing.T) {
	page := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/page" {
			panic(http.ErrAbortHandler)
		}
		htmlf(w, "<a id=gone href=/downloads/gone.csv>x</a>")
	}), nil)
	s := startSession(t, Config{Origin: mustOrigin(t, page), Rules: exportRules})
	if _, err := capture(t, s, open(t, s, page+"/page"), "gone"); err == nil || !strings.Contains(err.Error(), "could not be reached") || strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("got %v", err)
	}
}

// TestPasswordPromptsDoNotHoldUp has the portal ask for a password in the way that makes a browser ask a person.
func TestPasswordPromptsDoNotHoldUp(t *testing.T) {
	address := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
		w.WriteHeader(http.StatusUnauthorized)
		htmlf(w, "<h1>who?</h1>")
	}), nil)
	s := startSession(t, Config{Origin: mustOrigin(t, address), Rules: pageRules})
	if got := eval(t, open(t, s, address+"/page"), `() => document.querySelector('h1').textContent`); got != "who?" {
		t.Errorf("the page shows %q", got)
	}
}
