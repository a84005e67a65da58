package disclosure_test

import (
	"testing"

	"github.com/falloff-analytics/falloff/warehouse/dictionary"
	"github.com/falloff-analytics/falloff/warehouse/disclosure"
)

// Every figure that is counted by people or things is released in some table, or it is said why nobody sees it who may
// see no rows.
func TestEveryMetricIsReleasedOrForRowsOnly(t *testing.T) {
	metrics, err := dictionary.Metrics()
	if err != nil {
		t.Fatal(err)
	}
	served := map[string]bool{}
	tables := map[string]bool{}
	for _, group := range disclosure.Groups() {
		for _, table := range group.Tables {
			if tables[table.Name] {
				t.Errorf("table %s is there twice", table.Name)
			}
			tables[table.Name] = true
			for _, metric := range table.Metrics {
				served[metric] = true
			}
		}
	}
	known := map[string]bool{}
	for _, metric := range metrics {
		known[metric.Name] = true
		reason := disclosure.RowsOnly()[metric.Name]
		if metric.Counts != dictionary.NoCounts && !served[metric.Name] && reason == "" {
			t.Errorf("metric %s is in no released table, and nothing says that it is for rows only", metric.Name)
		}
		if served[metric.Name] && reason != "" {
			t.Errorf("metric %s is released and for rows only", metric.Name)
		}
	}
	for metric := range served {
		if !known[metric] {
			t.Errorf("a released table serves metric %s, which there is not", metric)
		}
	}
	for metric := range disclosure.RowsOnly() {
		if !known[metric] {
			t.Errorf("metric %s is for rows only, and there is none", metric)
		}
	}
}
