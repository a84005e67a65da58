package main

import (
	"slices"
	"strings"
	"testing"
)

func TestAStatementEndsOutsideOfQuotes(t *testing.T) {
	for text, want := range map[string]bool{
		"select 1;": true, "select 1": false, "select ';": false, "select ';'": false, "select ';';": true, `select "a;`: false, "select 'it''s';": true, "": false,
	} {
		if ended(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}

func TestCompletion(t *testing.T) {
	s := &shell{words: []string{"lake.claims", "lake.credits", "limit", "marts.leak_ledger"}}
	head, found, tail := s.complete("from lake.c limit 1", 11)
	if head != "from " || tail != " limit 1" || !slices.Equal(found, []string{"lake.claims", "lake.credits"}) {
		t.Errorf("%q %q %q", head, found, tail)
	}
	if _, found, _ := s.complete("select ", 7); len(found) > 0 {
		t.Errorf("without a word: %q", found)
	}
}

// What does not fit into a terminal's line is printed a block a row.
func TestWideTables(t *testing.T) {
	for width, want := range map[int]string{
		0: "a  b\n─  ──────────\n1  long\u00b7value\n", 40: "a  b\n─  ──────────\n1  long\u00b7value\n", 10: "── row 1\na  1\nb  long\u00b7value\n",
	} {
		var out strings.Builder
		if err := printWide(&out, []string{"a", "b"}, [][]any{{"1", "long\x1bvalue"}}, width); err != nil || out.String() != want {
			t.Errorf("in %d: %q, want %q (%v)", width, out.String(), want, err)
		}
	}
}
