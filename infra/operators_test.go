package infra_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/falloff-analytics/falloff/pipeline"
)

var (
	describedMetric = regexp.MustCompile(`fqName: "([a-z_]+)".*variableLabels: \{([a-z_,]*)\}`)
	sourceMetric    = regexp.MustCompile(`Name: "(falloff_[a-z_]+)"[^}]*\}(?:,\s*\})?(?:, \[\]string\{([^}]*)\})?`)
	word            = regexp.MustCompile(`[a-z_]+`)
)

// told are the metrics that Prometheus can be told, with the names of their labels: those of clinics by their descriptions, those of the
// server by its source. What a scrape adds is left out, but for up.
func told(t *testing.T) map[string][]string {
	t.Helper()
	names := map[string][]string{"up": {"job", "instance"}}
	described := make(chan *prometheus.Desc, 64)
	pipeline.NewClinicMetrics(nil, nil, 0, nil).Describe(described)
	close(described)
	for d := range described {
		m := describedMetric.FindStringSubmatch(d.String())
		names[m[1]] = word.FindAllString(m[2], -1)
	}
	for _, m := range sourceMetric.FindAllStringSubmatch(read(t, "../warehouse/server/telemetry.go"), -1) {
		labels := word.FindAllString(m[2], -1)
		names[m[1]], names[m[1]+"_bucket"] = labels, append([]string{"le"}, labels...)
	}
	if len(names) < 20 {
		t.Fatalf("only %d metrics were found", len(names))
	}
	return names
}

var metricName = regexp.MustCompile(`\b(?:falloff_[a-z_]+|up)\b`)

func unknownMetrics(t *testing.T, expr string) (out []string) {
	t.Helper()
	known := told(t)
	found := metricName.FindAllString(expr, -1)
	if len(found) == 0 {
		return []string{"none"}
	}
	for _, name := range found {
		if _, ok := known[name]; !ok {
			out = append(out, name)
		}
	}
	return out
}

func TestOperatorsPageAsksForWhatIsTold(t *testing.T) {
	t.Parallel()
	var page struct {
		UID    string `json:"uid"`
		Panels []struct {
			Type, Title, Description string
			Targets                  []struct{ Expr string }
		} `json:"panels"`
	}
	if err := json.Unmarshal([]byte(read(t, "grafana/operators/operators.json")), &page); err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, p := range page.Panels {
		if p.Type != "row" && (p.Title == "" || p.Description == "") {
			t.Errorf("a panel does not say what it shows: %+v", p)
		}
		for _, target := range p.Targets {
			asked++
			if unknown := unknownMetrics(t, target.Expr); unknown != nil {
				t.Errorf("%s asks for %v", p.Title, unknown)
			}
		}
	}
	if asked < 15 {
		t.Errorf("the page asks %d questions", asked)
	}
}

func TestOperatorsRulesWatchWhatIsTold(t *testing.T) {
	t.Parallel()
	var file struct {
		Groups []struct {
			Rules []struct {
				UID, Title, Condition string
				Data                  []struct {
					RefID         string `yaml:"refId"`         //nolint:tagliatelle // Grafana's name
					DatasourceUID string `yaml:"datasourceUid"` //nolint:tagliatelle // Grafana's name
					Model         struct{ Expr string }
				}
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, "grafana/provisioning/alerting/operators.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	var sources struct{ Datasources []struct{ UID string } }
	if err := yaml.Unmarshal([]byte(read(t, "grafana/provisioning/datasources/operators.yaml")), &sources); err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, r := range file.Groups[0].Rules {
		named[strings.TrimPrefix(r.UID, "falloff-")] = true
		if r.Data[0].DatasourceUID != sources.Datasources[0].UID {
			t.Errorf("%s asks the data source %q", r.Title, r.Data[0].DatasourceUID)
		}
		if unknown := unknownMetrics(t, r.Data[0].Model.Expr); unknown != nil {
			t.Errorf("%s watches %v", r.Title, unknown)
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" || r.Labels["severity"] == "" {
			t.Errorf("%s does not say what to do: %+v", r.Title, r)
		}
	}
	for _, must := range []string{"stale-clinic", "page-changed", "credential-rejected", "quarantine-grows", "build-failed", "portal-slow"} {
		if !named[must] {
			t.Errorf("nothing watches for %s", must)
		}
	}
}

// The series over which infra/readers/rules has rules and page evaluated could be falloff's own: by name, and by the names of labels.
func TestStoriesOfRulesAreOfWhatIsTold(t *testing.T) {
	t.Parallel()
	known := told(t)
	seen := map[string]bool{}
	for _, path := range []string{"readers/rules/testdata/rules.yaml", "readers/rules/testdata/page.yaml"} {
		for _, m := range regexp.MustCompile(`(?m)^ +(falloff_[a-z_]+|up)(?:\{(.*)\})?: `).FindAllStringSubmatch(read(t, path), -1) {
			labels, ok := known[m[1]]
			if !ok {
				t.Errorf("%s: nobody tells %s", path, m[1])
			}
			seen[m[1]] = true
			for _, label := range regexp.MustCompile(`([a-z_]+)="`).FindAllStringSubmatch(m[2], -1) {
				if name := label[1]; name != "job" && name != "instance" && !slices.Contains(labels, name) {
					t.Errorf("%s: %s has no label %s", path, m[1], name)
				}
			}
		}
	}
	if len(seen) < 18 {
		t.Errorf("only %d metrics were found", len(seen))
	}
}
