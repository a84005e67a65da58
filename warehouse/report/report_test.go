package report

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/warehouse/query"
	"github.com/falloff-analytics/falloff/warehouse/query/martstest"
	"github.com/falloff-analytics/falloff/warehouse/server/servertest"
)

// What a report says, to whom, in which language. The pages' looks are for people's eyes.
func TestReportsSayWhatTheirReaderMaySee(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		golden, login, month string
		language             Language
		server               func(*testing.T) http.Handler
	}{
		{"owner.en.txt", owner, "2026-08", English, shared.small},
		{"owner.fr.txt", owner, "2026-08", French, shared.small},
		{"practitioner.en.txt", practitioner, "2026-08", English, shared.small},
		{"practitioner.fr.txt", practitioner, "2026-08", French, shared.small},
		{"closed.en.txt", owner, "2026-07", English, shared.closed},
		{"figures.en.txt", servertest.Figures, "2026-08", English, shared.small},
	} {
		t.Run(test.golden, func(t *testing.T) {
			t.Parallel()
			page := pageOf(t, optionsFor(asking(test.server(t), test.login), test.month, test.language))
			got, path := outline(t, page), filepath.Join("testdata", test.golden)
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s differs; go test -update writes it anew. Got:\n%s", path, got)
			}
			standsAlone(t, page)
			if at := regexp.MustCompile(`p\d+_[a-z0-9]+`).FindString(page); at != "" {
				t.Errorf("a pseudonym is in the report: %s", at)
			}
		})
	}
}

// standsAlone finds whatever a page would fetch, or lead to.
func standsAlone(t *testing.T, page string) {
	t.Helper()
	page = regexp.MustCompile(`data:font/ttf;base64,[A-Za-z0-9+/=]+`).ReplaceAllString(page, "data:")
	for _, found := range regexp.MustCompile(`https?:|//[a-z]|\bsrc=|@import|<script|<link|<iframe|<img|<image`).FindAllString(page, -1) {
		t.Errorf("the page reaches out: %s", found)
	}
	for _, found := range regexp.MustCompile(`url\(([^)]{0,10})`).FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(found[1], "data:") {
			t.Errorf("the style reaches out: %s", found[0])
		}
	}
	ids := map[string]bool{}
	for _, id := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if ids[id[1]] {
			t.Errorf("two elements are called %s", id[1])
		}
		ids[id[1]] = true
	}
	for _, link := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(link[1], "#") || !ids[link[1][1:]] {
			t.Errorf("a link leads nowhere: %s", link[1])
		}
	}
	for _, svg := range regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(page, -1) {
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Error("a chart is drawn at no place")
		}
	}
}

// The sums of a report are those of the queries, to the cent, and add up.
func TestSumsAreThoseOfTheQueries(t *testing.T) {
	t.Parallel()
	ask := asking(shared.small(t), owner)
	for month, want := range map[string][]string{
		// Expected = collected + adjusted + leaked + not yet due + unreconciled, as the fixture spells it out.
		"2026-08": {"Collected | $600.00", "Adjusted | $0.00", "Leaked | $175.00", "Not yet due | $125.00", "Unreconciled | $0.00", "Expected | $900.00"},
		"2026-09": {"Collected | $400.00", "Adjusted | $10.00", "Leaked | $145.00", "Not yet due | $540.00", "Unreconciled | $5.00", "Expected | $1,100.00"},
	} {
		said := outline(t, pageOf(t, optionsFor(ask, month, English)))
		for _, line := range want {
			if !strings.Contains(said, "  row:"+line) {
				t.Errorf("%s: no line %q in\n%s", month, line, said)
			}
		}
		if strings.Contains(said, "Ledger and identity differ") {
			t.Errorf("%s: the ledger and the identity differ", month)
		}
	}
	// Of the leaks of a month, those by category and those by certainty come to the same.
	said := outline(t, pageOf(t, optionsFor(ask, "2026-08", English)))
	if want := "row:Total | 2 | $80.00 | $95.00 | $175.00"; !strings.Contains(said, want) {
		t.Errorf("no line %q in\n%s", want, said)
	}
}

// A ledger that does not agree with the identity is shown, not smoothed over.
func TestADifferenceIsShown(t *testing.T) {
	t.Parallel()
	i, ok := identityOf(&answer{rows: []row{
		{"step": "Expected", "amount_cents": int64(1000), "kept_cents": int64(1000)},
		{"step": "Claim never sent", "amount_cents": int64(300), "leaked_cents": int64(300)},
		{"step": "Collected", "amount_cents": int64(600), "kept_cents": int64(600)},
	}})
	if !ok || i.rest() != 100 {
		t.Errorf("what does not add up is %d, want 100", i.rest())
	}
}

// Whoever sees no rows is told nothing of few patients, and that something is withheld.
func TestFewAreWithheld(t *testing.T) {
	t.Parallel()
	for _, language := range []Language{English, French} {
		page := pageOf(t, optionsFor(asking(shared.small(t), servertest.Figures), "2026-08", language))
		f := newForm(language, "CAD", "CA")
		for _, few := range []string{f.money(martstest.Few), f.wholeMoney(martstest.Few)} {
			if strings.Contains(page, few) {
				t.Errorf("%s: %s is told, which is of three patients", language, few)
			}
		}
		word := map[Language]string{English: "withheld", French: "masqué"}[language]
		if strings.Count(page, word) < 4 {
			t.Errorf("%s: nothing is said to be %s", language, word)
		}
	}
}

// A practitioner's report has no money; a person without any role gets none.
func TestRolesBoundTheReport(t *testing.T) {
	t.Parallel()
	page := pageOf(t, optionsFor(asking(shared.small(t), practitioner), "2026-08", English))
	if strings.Contains(outline(t, page), "$") {
		t.Error("a practitioner's report has money in it")
	}
	_, _, err := Make(t.Context(), optionsFor(asking(shared.small(t), "nobody"), "2026-08", English))
	if refusal, ok := errors.AsType[*refused](err); !ok || refusal.Code != "forbidden" {
		t.Errorf("nobody got a report: %v", err)
	}
}

func TestMonths(t *testing.T) {
	t.Parallel()
	ask := asking(shared.small(t), owner)
	if _, _, err := Make(t.Context(), optionsFor(ask, "2026-10", English)); !errors.Is(err, ErrNoFigures) {
		t.Errorf("a month to come: %v", err)
	}
	early := func(a Ask) Ask { // as if the data ended in the middle of September
		return func(ctx context.Context, method, path string, parameters url.Values, body any) ([]byte, error) {
			text, err := a(ctx, method, path, parameters, body)
			if path == "/v1/freshness" {
				text = bytes.Replace(text, []byte(`"as_of":"`+asOf.String()), []byte(`"as_of":"2026-09-15`), 1)
			}
			return text, err
		}
	}
	if page := pageOf(t, optionsFor(early(ask), "2026-09", English)); !strings.Contains(page, "September 2026 is not over") {
		t.Error("a month that is not over is not said to be")
	}
	if page := pageOf(t, optionsFor(early(ask), "2026-08", English)); strings.Contains(page, "is not over") {
		t.Error("a month that is over is said not to be")
	}
	for _, wrong := range []string{"", "2026", "2026-13", "2026-9", "09-2026", "2026-09-01"} {
		if _, err := ParseMonth(wrong); err == nil {
			t.Errorf("%q was taken for a month", wrong)
		}
	}
}

// A report is of one snapshot, or there is none.
func TestAReportIsOfOneSnapshot(t *testing.T) {
	t.Parallel()
	ask := asking(shared.small(t), owner)
	moved := func(ctx context.Context, method, path string, parameters url.Values, body any) ([]byte, error) {
		text, err := ask(ctx, method, path, parameters, body)
		if path == "/v1/freshness" {
			text = bytes.Replace(text, []byte(`"commit":"7"`), []byte(`"commit":"6"`), 1)
		}
		return text, err
	}
	if _, _, err := Make(t.Context(), optionsFor(moved, "2026-08", English)); !errors.Is(err, ErrMoved) {
		t.Errorf("two snapshots gave %v", err)
	}
}

// What fails writes nothing, and a PDF needs what prints it.
func TestNothingIsHalfWritten(t *testing.T) {
	t.Parallel()
	ask := asking(shared.small(t), owner)
	broken := errors.New("the line is dead")
	for question := range 12 {
		var out bytes.Buffer
		n := 0
		_, err := Write(t.Context(), &out, optionsFor(func(ctx context.Context, method, path string, parameters url.Values, body any) ([]byte, error) {
			if n++; n > question {
				return nil, broken
			}
			return ask(ctx, method, path, parameters, body)
		}, "2026-08", English))
		if !errors.Is(err, broken) || out.Len() > 0 {
			t.Errorf("after %d questions: %v, and %d bytes", question, err, out.Len())
		}
	}
	o := optionsFor(ask, "2026-08", English)
	o.Format = PDF
	if _, _, err := Make(t.Context(), o); err == nil {
		t.Error("a PDF was made by nobody")
	}
	var paper Paper
	o.Country, o.Print = "GB", func(_ context.Context, page []byte, on Paper, footer string) ([]byte, error) {
		paper = on
		if !bytes.Contains(page, []byte("size: a4")) || !strings.Contains(footer, "pageNumber") {
			t.Error("the page is not laid out for its paper")
		}
		return []byte("%PDF-"), nil
	}
	if page, made, err := Make(t.Context(), o); err != nil || string(page) != "%PDF-" || paper != A4 || made.Snapshot != "7" || made.Queries < 10 {
		t.Errorf("%q on %s: %+v, %v", page, paper, made, err)
	}
}

// Every definition is given of the figures that are shown, and of every category of the ledger that is in a sum.
func TestEveryFigureIsDefined(t *testing.T) {
	t.Parallel()
	said := outline(t, pageOf(t, optionsFor(asking(shared.small(t), owner), "2026-08", French)))
	w, err := readWords()
	if err != nil {
		t.Fatal(err)
	}
	for name, figure := range w.Figures {
		if name != "restated" && name != "estimated_loss" && !strings.Contains(said, "* "+figure.Title) {
			t.Errorf("%s is not defined in the report", name)
		}
	}
	for _, kind := range query.LeakCategories() {
		estimate := slices.Contains([]string{"idle_capacity", "falloff"}, kind.Slug)
		if said := w.Categories[kind.Slug]; !estimate && (said[English] == "" || said[French] == "") {
			t.Errorf("category %s is not explained", kind.Slug)
		}
	}
}
