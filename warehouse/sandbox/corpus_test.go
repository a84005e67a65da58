package sandbox

import (
	"bufio"
	"database/sql"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
)

// statement is one of testdata: the section that it stands in, its line, and its text.
type statement struct {
	section string
	line    int
	text    string
}

// corpus reads a file of testdata, with canary in place of CANARY.
func corpus(t testing.TB, file, canary string) []statement {
	t.Helper()
	f, err := os.Open("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []statement
	section := ""
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		text := lines.Text()
		if about, isSection := strings.CutPrefix(text, "# "); isSection {
			section = about
			continue
		}
		if text == "" {
			continue
		}
		if quoted, isQuoted := strings.CutPrefix(text, "!q "); isQuoted {
			if text, err = strconv.Unquote(quoted); err != nil {
				t.Fatalf("%s:%d: %v", file, n, err)
			}
		}
		if form, isRepeat := strings.CutPrefix(text, "!repeat "); isRepeat {
			p := strings.Split(form, "|")
			times, err := strconv.Atoi(p[0])
			if err != nil || len(p) != 5 {
				t.Fatalf("%s:%d: not N|head|open|middle|close", file, n)
			}
			text = p[1] + strings.Repeat(p[2], times) + p[3] + strings.Repeat(p[4], times)
		}
		out = append(out, statement{section: section, line: n, text: strings.ReplaceAll(text, "CANARY", canary)})
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// visible are the tables of the tests: payer_money is in no list.
var visible = Tables{{"marts", "visits"}, {"lake", "referrals"}}

func parserDB(t testing.TB) *sql.DB {
	t.Helper()
	db, err := openParser()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestTheCorpusIsLargeEnough(t *testing.T) {
	if n := len(corpus(t, "hostile.txt", "x")); n < 300 {
		t.Errorf("%d hostile statements", n)
	}
	if n := len(corpus(t, "harmless.txt", "x")); n < 60 {
		t.Errorf("%d harmless statements", n)
	}
}

func TestWhatIsHostileIsRefusedByTheGate(t *testing.T) {
	db := parserDB(t)
	for _, s := range corpus(t, "hostile.txt", "/tmp/canary.csv") {
		reads, err := Check(t.Context(), db, s.text, visible)
		if strings.HasSuffix(s.section, ": runs") {
			if err != nil {
				t.Errorf("line %d, %s: %s: it does not reach a worker: %v", s.line, s.section, clipped(s.text), err)
			}
			continue
		}
		if err == nil {
			t.Errorf("line %d, %s: it passes, and reads %v: %s", s.line, s.section, reads, clipped(s.text))
			continue
		}
		refusal, ok := errors.AsType[*Error](err)
		if !ok {
			t.Errorf("line %d: %s: not a refusal: %v", s.line, clipped(s.text), err)
			continue
		}
		if refusal.Hint() == "" {
			t.Errorf("line %d: %s: no hint: %v", s.line, clipped(s.text), err)
		}
		if len(refusal.Error()) > 400 || strings.ContainsAny(refusal.Error(), "\n\x1b\x00") {
			t.Errorf("line %d: the refusal repeats too much: %q", s.line, refusal.Error())
		}
	}
}

func TestWhatAnalystsAskPassesTheGate(t *testing.T) {
	db := parserDB(t)
	for _, s := range corpus(t, "harmless.txt", "") {
		if _, err := Check(t.Context(), db, s.text, visible); err != nil {
			t.Errorf("line %d: %s: %v", s.line, s.text, err)
		}
	}
}

func clipped(text string) string {
	if len(text) > 200 {
		return text[:200] + "…"
	}
	return text
}
