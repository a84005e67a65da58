package rules

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql"
)

const pageFile = "../../grafana/operators/operators.json"

// asGrafana puts in what Grafana does: all clinics, and four scrapes, the least that a rate is reckoned over.
var asGrafana = strings.NewReplacer("$clinic", ".*", "$__rate_interval", "4m")

// Every question of the operators' page is answered by Prometheus, with what the page should show.
func TestPageIsAnswered(t *testing.T) {
	t.Parallel()
	var page struct {
		Panels []struct {
			Title   string `json:"title"`
			Targets []struct {
				RefID string
				Expr  string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	text, err := os.ReadFile(pageFile)
	if err == nil {
		err = json.Unmarshal(text, &page)
	}
	if err != nil {
		t.Fatal(err)
	}
	var story struct {
		At      string                         `json:"at"`
		Series  map[string]string              `json:"series"`
		Answers map[string]map[string][]string `json:"answers"`
	}
	readYAML(t, "testdata/page.yaml", &story)
	data, now := load(t, story.Series), start.Add(duration(t, story.At))
	asked := 0
	for _, p := range page.Panels {
		for _, target := range p.Targets {
			asked++
			t.Run(p.Title+"/"+target.RefID, func(t *testing.T) {
				t.Parallel()
				if strings.Contains(asGrafana.Replace(target.Expr), "$") {
					t.Fatalf("this test does not know a variable in %s", target.Expr)
				}
				query, err := engine(t).NewInstantQuery(context.Background(), data, nil, asGrafana.Replace(target.Expr), now)
				if err != nil {
					t.Fatal(err)
				}
				defer query.Close()
				result := query.Exec(context.Background())
				vector, err := result.Vector()
				if err != nil || len(result.Warnings) > 0 {
					t.Fatal(err, result.Warnings)
				}
				if got, want := answers(vector), story.Answers[p.Title][target.RefID]; len(got) == 0 || !slices.Equal(got, want) {
					t.Errorf("the answer is\n  %s\nand not\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
				}
				// Before anything was measured there is nothing to see, or none: no error.
				query, err = engine(t).NewInstantQuery(context.Background(), series{}, nil, asGrafana.Replace(target.Expr), now)
				if err != nil {
					t.Fatal(err)
				}
				defer query.Close()
				if vector, err := query.Exec(context.Background()).Vector(); err != nil || len(vector) > 1 || len(vector) == 1 && vector[0].F != 0 {
					t.Errorf("without a metric: %v, %v", vector, err)
				}
			})
		}
	}
	if told := len(story.Answers); asked < told {
		t.Errorf("%d questions, answers of %d panels", asked, told)
	}
}

// answers are the samples, in the order of their labels.
func answers(vector promql.Vector) (out []string) {
	for _, sample := range vector {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %v", of(sample), math.Round(sample.F*1000)/1000)))
	}
	slices.Sort(out)
	return out
}
