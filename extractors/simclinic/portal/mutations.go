package portal

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
)

// A Mutation is one way in which a portal's page, call or file may turn out different from what an extractor knows. A
// test serves the portal through Wrap and looks what becomes of an extraction: right data, or a refusal that says so.
type Mutation struct {
	// Name is unique and says what changed, for example `apply button renamed`.
	Name string
	// Class is the kind of change: renamed, moved, doubled, hidden, retyped, reordered, translated…
	Class string
	// Harmless says that all that a careful extractor relies on is as it was: it must then bring the right data.
	Harmless bool
	// Report is the report, by slug, that must be read for the change to be met; the sales report where empty.
	Report string
	// Twice says that the report must have been computed before, so that the portal shows a remembered result.
	Twice bool

	// texts are what must stand in the application's script for the mutation to work.
	texts []string
	// rewrite changes an answer and reports whether it did.
	rewrite func(r *http.Request, a *answer) bool
}

// answer is what the portal answered, before it is sent.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	a.body = append(a.body, b...)
	return len(b), nil
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) { a.status = status }

// isHTML says that the answer is a page.
func (a *answer) isHTML() bool { return strings.HasPrefix(a.header.Get("Content-Type"), "text/html") }

// replace puts one text in the place of another, everywhere, and reports whether it was there.
func (a *answer) replace(old, now string) bool {
	if !bytes.Contains(a.body, []byte(old)) {
		return false
	}
	a.body = bytes.ReplaceAll(a.body, []byte(old), []byte(now))
	return true
}

// Wrap serves a portal with the mutation in it. met counts the answers that were changed: a mutation that changes
// nothing proves nothing.
func (m Mutation) Wrap(next http.Handler) (handler http.Handler, met func() int) {
	var changed atomic.Int64
	handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/cable" {
			next.ServeHTTP(w, r)
			return
		}
		a := &answer{status: http.StatusOK, header: w.Header()}
		next.ServeHTTP(a, r)
		if m.rewrite != nil && m.rewrite(r, a) {
			changed.Add(1)
			a.header.Del("Content-Length")
		}
		if a.header.Get("Content-Length") == "" {
			a.header.Set("Content-Length", fmt.Sprint(len(a.body)))
		}
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body)
	})
	return handler, func() int { return int(changed.Load()) }
}

// Mutations are the ways in which pages and calls can differ, in an order that does not change.
func Mutations() []Mutation {
	var all []Mutation
	for _, family := range [][]Mutation{
		elementMutations(), signInMutations(), accountMutations(), reportMutations(), countMutations(), tableMutations(),
		exportMutations(), routeMutations(), frameMutations(), downloadMutations(), harmlessMutations(),
	} {
		all = append(all, family...)
	}
	return all
}

// inScript changes the application's script.
func inScript(class, name, old, now string) Mutation {
	return Mutation{Name: name, Class: class, texts: []string{old}, rewrite: func(r *http.Request, a *answer) bool {
		return r.URL.Path == "/assets/app.js" && a.replace(old, now)
	}}
}

// inPage runs a piece of JavaScript after every change of any page of the portal. It finds `once(element)`, which is true
// the first time that it is asked about an element.
func inPage(class, name, js string) Mutation {
	script := `(() => {
  const seen = new WeakSet();
  const once = (e) => { if (!e || seen.has(e)) return false; seen.add(e); return true; };
  const all = (selector) => [...document.querySelectorAll(selector)].filter(once);
  const mutate = () => { ` + js + ` };
  mutate();
  new MutationObserver(mutate).observe(document, {childList: true, subtree: true});
})();`
	return Mutation{Name: name, Class: class, rewrite: func(r *http.Request, a *answer) bool {
		switch {
		case r.URL.Path == "/assets/app.js":
			a.body = append(a.body, []byte("\n"+script+"\n")...)
			return true
		case a.isHTML() && strings.HasPrefix(r.URL.Path, "/downloads/"):
			return a.replace("</body>", "<script>"+script+"</script></body>")
		}
		return false
	}}
}

// inAnswer changes the text of the answers to calls whose path starts with a prefix.
func inAnswer(class, name, prefix, old, now string) Mutation {
	return Mutation{Name: name, Class: class, rewrite: func(r *http.Request, a *answer) bool {
		return strings.HasPrefix(r.URL.Path, prefix) && a.replace(old, now)
	}}
}

// inHTML changes every page that the server sends.
func inHTML(class, name, old, now string) Mutation {
	return Mutation{Name: name, Class: class, rewrite: func(_ *http.Request, a *answer) bool {
		return a.isHTML() && a.replace(old, now)
	}}
}

// inFile changes the exported file, its name or its type.
func inFile(class, name string, change func(a *answer)) Mutation {
	return Mutation{Name: name, Class: class, rewrite: func(r *http.Request, a *answer) bool {
		if !strings.Contains(a.header.Get("Content-Disposition"), "attachment") {
			return false
		}
		change(a)
		return true
	}}
}

func (m Mutation) harmless() Mutation             { m.Harmless = true; return m }
func (m Mutation) reading(report string) Mutation { m.Report = report; return m }
func (m Mutation) twice() Mutation                { m.Twice = true; return m }
