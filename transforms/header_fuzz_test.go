package transforms

import (
	"bytes"
	"encoding/csv"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/tabular"
)

// FuzzHeader: a report's header is found in any order, spelling and company. A header that nobody knows is dropped, one that is there
// twice stops the file, and what is forbidden is kept in no case.
func FuzzHeader(f *testing.F) {
	for which := range uint(5) {
		f.Add(which, uint64(1), "Room", "A title", false)
		f.Add(which, uint64(2), "patient_first_name", "Date range: 2026-01-01 to 2026-01-31", true)
		f.Add(which, uint64(3), "Notes", "id,state", false)
	}
	known := layouts("HST")
	f.Fuzz(func(t *testing.T, which uint, seed uint64, extra, title string, shout bool) {
		layout := known[which%uint(len(known))]
		var cells []string
		for _, c := range layout.Columns {
			if len(c.Headers) > 0 {
				cells = append(cells, c.Headers[0])
			}
		}
		random := rand.New(rand.NewPCG(seed, 0))
		cells = slices.Insert(cells, random.IntN(len(cells)+1), extra)
		random.Shuffle(len(cells), func(i, j int) { cells[i], cells[j] = cells[j], cells[i] })
		if shout {
			for i, c := range cells {
				cells[i] = strings.ToUpper(strings.ReplaceAll(c, "_", " "))
			}
		}
		var body bytes.Buffer
		w := csv.NewWriter(&body)
		_ = w.Write([]string{title})
		_ = w.Write(cells)
		w.Flush()
		finder := &headerFinder{layouts: known}
		table, err := tabular.Open("f.csv", body.Bytes(), finder.isHeader, tabular.Limits{})
		var file *tabular.Error
		if errors.As(err, &file) && !errors.Is(err, tabular.ErrNoHeader) {
			return // the title is no text
		}
		if err != nil {
			t.Fatalf("%q is no header: %v", cells, err)
		}
		found, columns, err := finder.choose(table, "")
		if found.Name != layout.Name {
			t.Fatalf("%q is taken for %s, is %s", cells, found.Name, layout.Name)
		}
		at, isKnown := layout.column[fold(extra)]
		if shout {
			at, isKnown = layout.column[fold(strings.ToUpper(strings.ReplaceAll(extra, "_", " ")))]
		}
		doubled := isKnown && layout.Columns[at].Name != taxColumn
		var header *HeaderError
		if doubled != (errors.As(err, &header) && len(header.Doubled) == 1) && !(isKnown && layout.Columns[at].Name == taxColumn) {
			t.Fatalf("%q with a further %q: %v", cells, extra, err)
		}
		for i, c := range columns.kept {
			column := layout.Columns[layout.column[fold(table.Header[c])]]
			if column.Sensitivity == contract.Forbidden || columns.names[i] != column.Headers[0] {
				t.Fatalf("%q is kept as %q", table.Header[c], columns.names[i])
			}
		}
	})
}
