package dictionary_test

import (
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/dictionary"
)

// Every table has a grain, an example about itself, and an explanation of each column.
func TestEverythingIsExplained(t *testing.T) {
	tables, err := dictionary.Tables(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	marts := 0
	for _, table := range tables {
		if table.Schema == "marts" {
			marts++
		}
		if table.Grain == "" || len(table.Columns) == 0 {
			t.Errorf("%s: grain %q, %d columns", table.FullName(), table.Grain, len(table.Columns))
		}
		if !strings.Contains(table.Example, "from "+table.FullName()+"\n") && !strings.HasSuffix(table.Example, "from "+table.FullName()) &&
			!strings.Contains(table.Example, "from "+table.FullName()+" as ") {
			t.Errorf("%s: its example does not read it: %q", table.FullName(), table.Example)
		}
		for _, c := range table.Columns {
			if c.Meaning == "" || c.Type == "" || c.Sensitivity == "" {
				t.Errorf("%s.%s is not explained: %+v", table.FullName(), c.Name, c)
			}
			if strings.HasSuffix(c.Name, "_cents") != (c.Unit == "cents") {
				t.Errorf("%s.%s counts %q", table.FullName(), c.Name, c.Unit)
			}
			if c.Name == "patient" && c.Sensitivity != contract.Pseudonym {
				t.Errorf("%s.patient is said to be %s", table.FullName(), c.Sensitivity)
			}
		}
	}
	if len(tables)-marts != len(contract.Datasets()) || marts < 10 {
		t.Errorf("%d tables, %d of them marts", len(tables), marts)
	}
}
