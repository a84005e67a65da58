// Package rules has the operators' alert rules and the expressions of their page evaluated by Prometheus' own engine, over series that
// are written in testdata. It imports the engine and no storage: those of Prometheus would be two minutes of a build.
package rules

import (
	"context"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql"
	"sigs.k8s.io/yaml"
)

const (
	rulesFile  = "../../grafana/provisioning/alerting/operators.yaml"
	promSource = "falloff-prometheus"
	// goneAfter is after how many evaluations without an answer Grafana ends the alert of a series, unless a rule says otherwise.
	goneAfter = 2
)

// group is a group of rules as Grafana's provisioning has it.
type group struct {
	Interval string `json:"interval"`
	Rules    []rule `json:"rules"`
}

type rule struct {
	UID         string `json:"uid"`
	Condition   string `json:"condition"`
	Data        []step `json:"data"`
	For         string `json:"for"`
	NoDataState string
	Annotations map[string]string `json:"annotations"`
}

// step is a question to Prometheus, or what Grafana makes of the answer to another step.
type step struct {
	RefID         string
	DatasourceUID string
	Model         struct {
		RefID      string
		Expr       string `json:"expr"`
		Instant    bool   `json:"instant"`
		Type       string `json:"type"`
		Expression string `json:"expression"`
		Conditions []struct {
			Evaluator struct {
				Type   string    `json:"type"`
				Params []float64 `json:"params"`
			} `json:"evaluator"`
		} `json:"conditions"`
	} `json:"model"`
}

// story is what Prometheus is told from an instant on, and what Grafana then says of a rule.
type story struct {
	When string `json:"when"`
	// Series are in Prometheus' own notation for tests, a sample a minute, from the instant 0.
	Series map[string]string `json:"series"`
	// From and Until bound the time in which the rule is evaluated.
	From  string `json:"from"`
	Until string `json:"until"`
	// Then are alerts that begin and end: `2d20m clinic=harbour-street fires`.
	Then []string `json:"then"`
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = yaml.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func duration(t *testing.T, text string) time.Duration {
	t.Helper()
	if text == "" {
		return 0
	}
	d, err := model.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(d)
}

// Each rule fires in the stories in which somebody must be told, when they say so and of whom, and in no other.
func TestRulesFireInTheirStories(t *testing.T) {
	t.Parallel()
	var file struct {
		Groups []group `json:"groups"`
	}
	readYAML(t, rulesFile, &file)
	stories := map[string][]story{}
	readYAML(t, "testdata/rules.yaml", &stories)
	seen := 0
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			told := stories[r.UID]
			seen++
			if !slices.ContainsFunc(told, func(s story) bool { return len(s.Then) > 0 }) || !slices.ContainsFunc(told, func(s story) bool { return len(s.Then) == 0 }) {
				t.Errorf("%s has no story in which it fires, or none in which it does not", r.UID)
			}
			for _, s := range told {
				t.Run(r.UID+"/"+s.When, func(t *testing.T) {
					t.Parallel()
					if got := live(t, r, s, duration(t, g.Interval)); !slices.Equal(got, s.Then) {
						t.Errorf("alerts:\n  %s\nand not\n  %s", strings.Join(got, "\n  "), strings.Join(s.Then, "\n  "))
					}
				})
			}
		}
	}
	if seen != len(stories) {
		t.Errorf("%d rules, stories of %d", seen, len(stories))
	}
}

// alert is how Grafana keeps the alert of one series, or of a rule without any.
type alert struct {
	// since is when the condition began to hold.
	since   time.Time
	firing  bool
	missing int
}

// live evaluates a rule as often as Grafana does, and keeps its alerts as Grafana does.
func live(t *testing.T, r rule, s story, every time.Duration) (out []string) {
	t.Helper()
	from, until, hold := duration(t, s.From), duration(t, s.Until), duration(t, r.For)
	if until <= from || every <= 0 {
		t.Fatalf("nothing is evaluated from %s until %s", from, until)
	}
	data := load(t, s.Series)
	alerts := map[string]*alert{}
	for at := from; at <= until; at += every {
		now := start.Add(at)
		say := func(of, what string) {
			out = append(out, strings.Join(strings.Fields(fmt.Sprintf("%s %s %s", model.Duration(at), of, what)), " "))
		}
		truths := evaluate(t, r, data, now)
		if len(truths) == 0 { // no data: one state for all that is there
			if r.NoDataState != "OK" && r.NoDataState != "Alerting" {
				t.Fatalf("noDataState %q", r.NoDataState)
			}
			truths = map[string]bool{"": r.NoDataState == "Alerting"}
			for of := range alerts {
				truths[of] = r.NoDataState == "Alerting"
			}
		}
		for of, a := range alerts {
			if _, answered := truths[of]; answered {
				a.missing = 0
			} else if a.missing++; a.missing < goneAfter {
				truths[of] = a.firing
			} else {
				truths[of] = false
			}
		}
		for _, of := range sorted(truths) {
			a := alerts[of]
			if !truths[of] {
				if a != nil && a.firing {
					say(of, "is over")
				}
				delete(alerts, of)
				continue
			}
			if a == nil {
				a = &alert{since: now}
				alerts[of] = a
			}
			if !a.firing && now.Sub(a.since) >= hold {
				a.firing = true
				say(of, "fires")
			}
		}
	}
	return out
}

var labelOf = regexp.MustCompile(`\$labels\.(\w+)`)

// evaluate says of each series that a rule's question is answered with whether its condition holds.
func evaluate(t *testing.T, r rule, data series, now time.Time) map[string]bool {
	t.Helper()
	question, condition := r.Data[0], r.Data[len(r.Data)-1]
	if len(r.Data) != 2 || question.DatasourceUID != promSource || !question.Model.Instant || condition.DatasourceUID != "__expr__" ||
		condition.Model.Type != "threshold" || condition.Model.Expression != question.RefID || r.Condition != condition.RefID ||
		question.RefID != question.Model.RefID || condition.RefID != condition.Model.RefID || len(condition.Model.Conditions) != 1 {
		t.Fatalf("this test does not know such a rule: %+v", r)
	}
	evaluator := condition.Model.Conditions[0].Evaluator
	if evaluator.Type != "gt" || len(evaluator.Params) != 1 {
		t.Fatalf("this test does not know such a threshold: %+v", evaluator)
	}
	query, err := engine(t).NewInstantQuery(context.Background(), data, nil, question.Model.Expr, now)
	if err != nil {
		t.Fatal(err)
	}
	defer query.Close()
	result := query.Exec(context.Background())
	vector, err := result.Vector()
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Warnings) > 0 {
		t.Fatalf("Prometheus warns: %v", result.Warnings)
	}
	truths := map[string]bool{}
	for _, sample := range vector {
		of := of(sample)
		if _, twice := truths[of]; twice || math.IsNaN(sample.F) {
			t.Fatalf("%s is answered twice, or with no number", of)
		}
		truths[of] = sample.F > evaluator.Params[0]
		for _, text := range r.Annotations {
			for _, label := range labelOf.FindAllStringSubmatch(text, -1) {
				if !sample.Metric.Has(label[1]) {
					t.Errorf("the message names %s, which the answer has not: %s", label[1], sample.Metric)
				}
			}
		}
	}
	return truths
}

// of names whom a sample is about: labels but for those that a scrape adds.
func of(sample promql.Sample) string {
	var parts []string
	for name, value := range sample.Metric.Map() {
		if name != "__name__" && name != "instance" && name != "job" {
			parts = append(parts, name+"="+value)
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}
