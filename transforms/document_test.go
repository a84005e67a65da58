package transforms_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/settings"
)

var update = flag.Bool("update", false, "rewrite the tables of docs/import.md")

const document = "../docs/import.md"

// headerTable lists a dataset's headers.
func headerTable(d contract.Dataset) string {
	var b strings.Builder
	b.WriteString("| header | | stored as | meaning |\n|---|---|---|---|\n")
	for _, c := range d.Stored() {
		if len(c.Headers) == 0 {
			continue
		}
		need := "optional"
		if c.Required {
			need = "required"
			if c.Nullable {
				need = "required, may be blank"
			}
		}
		unit := ""
		if c.Unit != "" {
			unit = ", " + c.Unit
		}
		secret := ""
		if c.Sensitivity == contract.Pseudonym {
			secret = ", pseudonym"
		}
		fmt.Fprintf(&b, "| %s | %s | `%s` %s%s%s | %s |\n", "`"+strings.Join(c.Headers, "`, `")+"`", need, c.Name, c.Type, unit, secret, c.Meaning)
	}
	if refused := d.Refused(); len(refused) > 0 {
		b.WriteString("\nRefused: ")
		for i, c := range refused {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "`%s` (%s)", c.Headers[0], c.Meaning)
		}
		b.WriteString(".\n")
	}
	return b.String()
}

// The tables of docs/import.md are those of the contract; -update rewrites them.
func TestImportDocument(t *testing.T) {
	body, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	text := string(body)
	for _, d := range contract.Datasets() {
		if d.Report == "" {
			continue
		}
		start := "<!-- " + d.Name + ": generated -->\n"
		before, rest, ok := strings.Cut(text, start)
		_, after, closed := strings.Cut(rest, "<!-- end -->")
		if !ok || !closed {
			t.Fatalf("%s has no place for the table of %s", document, d.Name)
		}
		text = before + start + headerTable(d) + "<!-- end -->" + after
	}
	if text == string(body) {
		return
	}
	if !*update {
		t.Fatalf("the tables of %s are stale: run go test ./transforms -run TestImportDocument -update", document)
	}
	if err := os.WriteFile(document, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The samples of docs/import.md are read as they stand there.
func TestDocumentedSamples(t *testing.T) {
	body, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	yaml := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(body)
	if yaml == nil {
		t.Fatal("no sample of clinic.yaml")
	}
	clinic, err := settings.Parse(yaml[1], "docs/import.md")
	if err != nil {
		t.Fatal(err)
	}
	tr, err := transforms.New(transforms.Options{Keys: keys(t), Settings: clinic, Account: "Falloff"})
	if err != nil {
		t.Fatal(err)
	}
	read := map[string]int{}
	for _, m := range regexp.MustCompile("(?s)```csv\n(.*?)```").FindAllSubmatch(body, -1) {
		b, err := tr.Read(t.Context(), extractors.Report{Name: "sample_20260901_20260930.csv", Body: m[1], StatedRows: -1})
		if err != nil {
			t.Errorf("%v\n%s", err, m[1])
			continue
		}
		if b.Remarks[transforms.OtherAccount] == 1 {
			delete(b.Remarks, transforms.OtherAccount) // the sample shows a line of somebody else's
		}
		if len(b.Quarantine)+len(b.Dropped)+len(b.Remarks) > 0 {
			t.Errorf("%s: %v %v %v", b.Dataset, b.Quarantine, b.Dropped, b.Remarks)
		}
		read[b.Dataset]++
		// A sample shows every header that is named first in the contract, so that a table of it can be copied.
		d, _ := contract.Find(b.Dataset)
		for _, c := range d.Columns {
			if len(c.Headers) > 0 && c.Name != "tax_cents" && !strings.Contains(string(m[1]), c.Headers[0]) && !slices.Contains([]string{"Notes", "IP Address"}, c.Headers[0]) &&
				(b.Dataset != contract.PortalActivity || c.Headers[0] != "Patient") {
				t.Errorf("the sample of %s lacks `%s`", b.Dataset, c.Headers[0])
			}
		}
	}
	for _, d := range contract.Datasets() {
		if d.Report != "" && read[d.Name] != 1 {
			t.Errorf("%d samples of %s", read[d.Name], d.Name)
		}
	}
}
