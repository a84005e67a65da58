package report

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/dictionary"
	"github.com/falloff-analytics/falloff/warehouse/query"
)

var hole = regexp.MustCompile(`\{[a-z_]+\}`)

// Every sentence is there in both languages, says the same things, and is used; every one that is used is there.
func TestSentencesAreInBothLanguages(t *testing.T) {
	t.Parallel()
	w, err := readWords()
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if body, err := os.ReadFile(file); err == nil && !strings.HasSuffix(file, "_test.go") {
			source.Write(body)
		}
	}
	for key, languages := range w.Sentences {
		en, fr := languages[English], languages[French]
		if en.Other == "" || fr.Other == "" {
			t.Errorf("%s is not in both languages", key)
		}
		if (en.One == "") != (fr.One == "") {
			t.Errorf("%s has plural forms in one language alone", key)
		}
		holes := func(text string) []string {
			return slices.Compact(slices.Sorted(slices.Values(hole.FindAllString(text, -1))))
		}
		if !slices.Equal(holes(en.Other), holes(fr.Other)) {
			t.Errorf("%s says %v in English and %v in French", key, holes(en.Other), holes(fr.Other))
		}
		if !strings.Contains(source.String(), `"`+key+`"`) {
			t.Errorf("nobody says %s", key)
		}
	}
	for _, call := range regexp.MustCompile(`c\.(?:text|plural)\("([a-z_]+)"`).FindAllStringSubmatch(source.String(), -1) {
		if _, ok := w.Sentences[call[1]]; !ok {
			t.Errorf("there are no words for %s", call[1])
		}
	}
	for name, meant := range w.Figures {
		if meant.Title == "" || meant.Definition == "" {
			t.Errorf("figure %s is not whole", name)
		}
	}
	metrics, err := dictionary.Metrics()
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range regexp.MustCompile(`c\.use\(([^)]*)\)`).FindAllStringSubmatch(source.String(), -1) {
		for _, name := range regexp.MustCompile(`"([a-z_]+)"`).FindAllStringSubmatch(call[1], -1) {
			if !slices.ContainsFunc(metrics, func(m dictionary.Metric) bool { return m.Name == name[1] }) {
				t.Errorf("the dictionary has no %s", name[1])
			}
			if w.Figures[name[1]].Title == "" {
				t.Errorf("%s has no French", name[1])
			}
		}
	}
}

// What answers say in English has French.
func TestTermsHaveFrench(t *testing.T) {
	t.Parallel()
	w, err := readWords()
	if err != nil {
		t.Fatal(err)
	}
	terms := []string{"Expected", "Collected", "Adjusted", "Not yet due", "Unreconciled", "Insurers", "Patients", "Not due", "Over 120", "Active", "At risk", "Fallen off", "Finished", "All disciplines"}
	for _, kind := range query.LeakCategories() {
		terms = append(terms, kind.Title, kind.Remedy)
	}
	restated, ok := query.Lookup("restatements")
	if !ok {
		t.Fatal("there is no query restatements")
	}
	for _, figure := range restated.Parameters[0].Allowed {
		if figure != "all" {
			terms = append(terms, figure)
		}
	}
	for _, term := range terms {
		if w.Terms[term] == "" {
			t.Errorf("%q has no French", term)
		}
	}
	for _, d := range contract.Datasets() {
		if said := w.Datasets[d.Name]; said[English] == "" || said[French] == "" {
			t.Errorf("dataset %s has no name for people", d.Name)
		}
	}
}

func TestPluralFormsFollowTheLanguage(t *testing.T) {
	t.Parallel()
	w, err := readWords()
	if err != nil {
		t.Fatal(err)
	}
	w.Sentences["cats"] = map[Language]phrase{English: {"{n} cat", "{n} cats"}, French: {"{n} chat", "{n} chats"}}
	for _, test := range []struct {
		language Language
		n        int64
		want     string
	}{
		{English, 0, "0 cats"}, {English, 1, "1 cat"}, {English, 2, "2 cats"}, {English, 1234, "1,234 cats"},
		{French, 0, "0 chat"}, {French, 1, "1 chat"}, {French, 2, "2 chats"}, {French, 1234, "1\u00a0234 chats"},
	} {
		c := &composer{words: w, form: newForm(test.language, "CAD", "CA"), options: Options{Language: test.language}}
		if got := c.plural("cats", test.n, nil); got != test.want {
			t.Errorf("%s, %d: %q, want %q", test.language, test.n, got, test.want)
		}
	}
}

func TestFormsOfNumbersAndDays(t *testing.T) {
	t.Parallel()
	first := civil.Date{Year: 2026, Month: time.September, Day: 1}
	at := time.Date(2026, time.September, 1, 13, 5, 0, 0, time.UTC)
	for _, test := range []struct {
		language             Language
		money, country       string
		amount, loss, share  string
		day, moment, decimal string
	}{
		{English, "CAD", "CA", "$1,234,567.89", "−$0.05", "12.3%", "September 1, 2026", "September 1, 2026, 13:05", "78.2"},
		{English, "USD", "", "$1,234,567.89", "−$0.05", "12.3%", "September 1, 2026", "September 1, 2026, 13:05", "78.2"},
		{English, "GBP", "GB", "£1,234,567.89", "−£0.05", "12.3%", "1 September 2026", "1 September 2026, 13:05", "78.2"},
		{English, "AUD", "", "$1,234,567.89", "−$0.05", "12.3%", "1 September 2026", "1 September 2026, 13:05", "78.2"},
		{French, "CAD", "CA", "1 234 567,89 $", "−0,05 $", "12,3 %", "1er septembre 2026", "1er septembre 2026, 13 h 05", "78,2"},
	} {
		f := newForm(test.language, test.money, test.country)
		for _, pair := range [][2]string{
			{f.money(123456789), test.amount}, {f.money(-5), test.loss}, {f.share(0.123, 1), test.share}, {f.day(first), test.day},
			{f.moment(at, time.UTC), test.moment}, {f.decimal(78.2, 1), test.decimal},
		} {
			if got := strings.ReplaceAll(pair[0], hardSpace, " "); got != pair[1] {
				t.Errorf("%s %s: %q, want %q", test.language, test.money, got, pair[1])
			}
		}
		if strings.ContainsAny(f.money(123456789), " ") {
			t.Errorf("%s: an amount can be broken over two lines", test.language)
		}
	}
	f := newForm(English, "CAD", "CA")
	for cents, want := range map[int64]string{0: "$0.00", 1: "$0.01", -1: "−$0.01", 9007199254740: "$90,071,992,547.40"} {
		if got := f.money(cents); got != want {
			t.Errorf("%d: %q, want %q", cents, got, want)
		}
	}
	if got := f.wholeMoney(-20); got != "$0" {
		t.Errorf("a negative nothing is %q", got)
	}
	if got := (&composer{form: newForm(French, "CAD", "CA")}).spaced("« oui » : 5 % ; non ?"); got != "«\u00a0oui\u00a0»\u00a0: 5\u00a0%\u00a0; non\u00a0?" {
		t.Errorf("French is spaced as %q", got)
	}
}

func TestTicksAreRound(t *testing.T) {
	t.Parallel()
	for most, want := range map[float64][]float64{0: {0, 1}, 7: {0, 2, 4, 6, 8}, 100: {0, 25, 50, 75, 100}, 0.23: {0, 0.1, 0.2, 0.3}, 398700: {0, 100000, 200000, 300000, 400000}} {
		got := ticks(most, 4)
		if len(got) != len(want) {
			t.Errorf("%v: %v, want %v", most, got, want)
			continue
		}
		for i := range got {
			if d := got[i] - want[i]; d > 1e-9 || d < -1e-9 {
				t.Errorf("%v: %v, want %v", most, got, want)
			}
		}
	}
}
