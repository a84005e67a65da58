package report

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/civil"
	"golang.org/x/net/html"

	"github.com/falloff-analytics/falloff/warehouse/disclosure"
	"github.com/falloff-analytics/falloff/warehouse/query/martstest"
	"github.com/falloff-analytics/falloff/warehouse/server"
	"github.com/falloff-analytics/falloff/warehouse/server/servertest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// owner owns every clinic, practitioner has a caseload, figures sees aggregates and no rows: logins of servertest.Policy.
const (
	owner        = "everywhere"
	practitioner = "practitioner"
)

// oneSnapshot serves fixture marts as the only snapshot of a clinic.
type oneSnapshot struct {
	marts    map[string][]string
	released *disclosure.Released
}

func (o oneSnapshot) Clinics(context.Context) ([]string, error) {
	return []string{servertest.Clinic}, nil
}
func (o oneSnapshot) Head(context.Context, string) (string, error) { return "7", nil }
func (o oneSnapshot) Open(ctx context.Context, clinic string, view server.View) (server.Engine, error) {
	return servertest.Open(ctx, o.marts, o.released, clinic, "7", view)
}

// refused is what a server said in the place of an answer.
type refused struct{ Message, Code string }

func (r *refused) Error() string       { return r.Message }
func (r *refused) RefusalCode() string { return r.Code }

// elsewhere has fixtures written to a folder that outlives the test that asks for them first.
type elsewhere struct {
	testing.TB
	folder func() string
}

func (e elsewhere) TempDir() string { return e.folder() }

// fixtures are query servers that all tests share: loading their marts takes the most of the tests' time.
type fixtures struct {
	folder        string
	small, closed func(*testing.T) http.Handler
}

var shared fixtures

func TestMain(m *testing.M) {
	flag.Parse()
	var err error
	if shared.folder, err = os.MkdirTemp("", "report-fixtures-"); err != nil {
		panic(err)
	}
	shared.small = once("small", func(t testing.TB) oneSnapshot {
		return oneSnapshot{marts: martstest.Small(t), released: martstest.Released(t)}
	})
	shared.closed = once("closed", func(t testing.TB) oneSnapshot { return oneSnapshot{marts: martstest.Closed(t)} })
	code := m.Run()
	if err := os.RemoveAll(shared.folder); err != nil {
		panic(err)
	}
	os.Exit(code)
}

// once makes a query server over fixtures the first time that somebody asks.
func once(name string, write func(testing.TB) oneSnapshot) func(*testing.T) http.Handler {
	var mu sync.Mutex
	var handler http.Handler
	return func(t *testing.T) http.Handler {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if handler != nil {
			return handler
		}
		// Closed writes some marts anew beside those of Small.
		n := 0
		folder := func() string {
			n++
			path := filepath.Join(shared.folder, name+strconv.Itoa(n))
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
			return path
		}
		options := servertest.Options(t, write(elsewhere{t, folder}))
		// Two cores load it beside other tests.
		options.QueryTimeout = 5 * time.Minute
		s, err := server.New(options)
		if err != nil {
			t.Fatal(err)
		}
		handler = s.Handler()
		return handler
	}
}

// asking gives what asks a query server as somebody.
func asking(handler http.Handler, login string) Ask {
	return func(ctx context.Context, method, path string, parameters url.Values, body any) ([]byte, error) {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		r := httptest.NewRequestWithContext(ctx, method, path+"?"+parameters.Encode(), bytes.NewReader(text))
		r.Header.Set("Authorization", "Bearer "+login)
		out := httptest.NewRecorder()
		handler.ServeHTTP(out, r)
		if out.Code == http.StatusOK {
			return out.Body.Bytes(), nil
		}
		var said struct{ Error, Code string }
		if err := json.Unmarshal(out.Body.Bytes(), &said); err != nil {
			return nil, err
		}
		return nil, &refused{said.Error, said.Code}
	}
}

// optionsFor are those of a report of a month, YYYY-MM, in HTML.
func optionsFor(ask Ask, month string, language Language) Options {
	first, err := ParseMonth(month)
	if err != nil {
		panic(err)
	}
	return Options{
		Clinic: servertest.Clinic, Month: first, Format: HTML, Language: language, Country: "CA", Ask: ask,
		Now: time.Date(2026, time.October, 2, 13, 5, 0, 0, time.UTC),
	}
}

// pageOf makes a report and gives its text.
func pageOf(t *testing.T, o Options) string {
	t.Helper()
	page, _, err := Make(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// asOf is the day that the fixtures are of.
var asOf = civil.Date{Year: 2026, Month: time.September, Day: 30}

// outline is a page as somebody hears it who does not see it: headings, tables cell by cell, charts by their words.
func outline(t *testing.T, page string) string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.ElementNode {
			switch n.Data {
			case "html":
				out.WriteString("lang " + attribute(n, "lang") + "\n")
			case "style", "nav", "title":
				return
			case "h1", "h2", "p", "li", "caption", "figcaption":
				out.WriteString(map[string]string{"h1": "# ", "h2": "\n## ", "p": "", "li": "- ", "caption": "[table] ", "figcaption": "[figure] "}[n.Data] + textOf(n) + "\n")
				return
			case "tr":
				var cells []string
				for c := n.FirstChild; c != nil; c = c.NextSibling {
					if c.Type != html.ElementNode {
						continue
					}
					text := textOf(c)
					if c.Data == "th" {
						text = attribute(c, "scope") + ":" + text
					}
					cells = append(cells, text)
				}
				out.WriteString("  " + strings.Join(cells, " | ") + "\n")
				return
			case "svg":
				out.WriteString("  " + attribute(n, "role") + ": " + textOf(find(n, "desc")) + "\n")
				return
			case "dt":
				out.WriteString("* " + textOf(n) + ": ")
				return
			case "dd":
				out.WriteString(textOf(n) + "\n")
				return
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(root)
	return out.String()
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func textOf(n *html.Node) string {
	if n == nil {
		return ""
	}
	if n.Type == html.TextNode {
		return n.Data
	}
	var out strings.Builder
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		out.WriteString(textOf(c))
	}
	// Spaces that do not break are shown, so that a golden file tells them from others.
	return strings.TrimSpace(strings.ReplaceAll(out.String(), hardSpace, "~"))
}

func find(n *html.Node, name string) *html.Node {
	if n.Type == html.ElementNode && n.Data == name {
		return n
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if found := find(c, name); found != nil {
			return found
		}
	}
	return nil
}
