package dictionary

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/falloff-analytics/falloff/sql"
)

// Metric is one figure: what it means, and the query over marts that gives it.
type Metric struct {
	// Name is the file's, without its ending.
	Name  string `json:"name"  yaml:"-"`
	Title string `json:"title" yaml:"title"`
	// Unit is what the figure counts: cents, share (0 to 1), days, or things by their name.
	Unit       string `json:"unit"       yaml:"unit"`
	Definition string `json:"definition" yaml:"definition"`
	// Grain says what one row of the answer is.
	Grain string `json:"grain" yaml:"grain"`
	// Source is where the formula is from, empty for plain counts and sums.
	Source string `json:"source,omitempty" yaml:"source"`
	// Dimensions are the columns of the answer that the figure is split by.
	Dimensions []string `json:"dimensions" yaml:"dimensions"`
	// Counts is the column of the answer that says how many people or things a figure is of, which suppression looks at; none where
	// it is of the whole clinic.
	Counts string `json:"counts" yaml:"counts"`
	// Combine says how figures of several rows become one: their sum, their mean by weight, or not at all.
	Combine Combine `json:"combine" yaml:"combine"`
	// Weight is the column that a mean is by; empty is the one that Counts names.
	Weight string `json:"weight,omitempty" yaml:"weight"`
	// Hold says of a dimension, by its value, what is looked at where nobody splits by it or chooses of it: a row that is of all, or one
	// of several ways to count the same thing, which must never be added up.
	Hold map[string]string `json:"hold,omitempty" yaml:"hold"`
	// Series are the values of the column dimension, where the figure is split by one of several things at a time: split_by then has
	// that thing's value, and whoever asks takes each of them for a dimension.
	Series []string `json:"series,omitempty" yaml:"series"`
	// Permission is the group of permissions that shows it.
	Permission string `json:"permission" yaml:"permission"`
	// Query gives the dimensions, the figure as `value`, and the column that Counts names.
	Query string `json:"query" yaml:"query"`
}

// Combine is how figures of several rows become one.
type Combine string

// The ways of combining.
const (
	Sum  Combine = "sum"
	Mean Combine = "mean"
	// Never is of medians and the like: a row is shown as it is, or not at all.
	Never Combine = "none"
)

// NoCounts is what Counts says of a figure of the whole clinic.
const NoCounts = "none"

// Permissions are the groups that metrics may ask for.
func Permissions() []string { return []string{"falloff", "money", "payers", "schedule"} }

var metricName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// Metrics reads the dictionary of figures, in the order of their names.
func Metrics() ([]Metric, error) { return readMetrics(sql.Metrics()) }

func readMetrics(tree fs.FS) ([]Metric, error) {
	files, err := fs.Glob(tree, "metrics/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("listing metrics: %w", err)
	}
	var out []Metric
	for _, file := range files {
		text, err := fs.ReadFile(tree, file)
		if err != nil {
			return nil, fmt.Errorf("reading metric %s: %w", file, err)
		}
		m := Metric{Name: strings.TrimSuffix(path.Base(file), ".yaml")}
		if err := yaml.UnmarshalWithOptions(text, &m, yaml.Strict()); err != nil {
			return nil, fmt.Errorf("metric %s: %s", file, yaml.FormatError(err, false, true))
		}
		m.Query = strings.TrimSpace(m.Query)
		if err := m.validate(); err != nil {
			return nil, fmt.Errorf("metric %s: %w", file, err)
		}
		out = append(out, m)
	}
	return out, nil
}

// validate says what an entry lacks.
func (m Metric) validate() error {
	switch {
	case !metricName.MatchString(m.Name):
		return errors.New("a name is lower-case letters, digits and '_', a letter first")
	case m.Title == "" || m.Unit == "" || m.Grain == "" || m.Query == "":
		return errors.New("title, unit, grain and query are needed")
	case len(strings.Fields(m.Definition)) < 4:
		return errors.New("the definition says too little: write a sentence")
	case len(m.Dimensions) == 0:
		return errors.New("dimensions are needed")
	case m.Counts == "":
		return fmt.Errorf("counts is needed: the column that suppression looks at, or %s for a figure of the whole clinic", NoCounts)
	case !slices.Contains([]Combine{Sum, Mean, Never}, m.Combine):
		return fmt.Errorf("combine is needed: %s, %s or %s", Sum, Mean, Never)
	case m.Combine == Mean && m.WeightColumn() == "":
		return errors.New("weight is needed: the column that the mean is by")
	case m.Weight != "" && m.Combine != Mean:
		return errors.New("only a mean has a weight")
	case len(m.Series) > 0 && (!slices.Contains(m.Dimensions, seriesColumn) || !slices.Contains(m.Dimensions, splitColumn) || m.Hold[seriesColumn] == ""):
		return fmt.Errorf("series need the dimensions %s and %s, and what %s is held at", seriesColumn, splitColumn, seriesColumn)
	case len(m.Series) == 0 && slices.Contains(m.Dimensions, seriesColumn):
		return fmt.Errorf("series are needed: the values of %s", seriesColumn)
	case !slices.Contains(Permissions(), m.Permission):
		return fmt.Errorf("permission %q: there are %s", m.Permission, strings.Join(Permissions(), ", "))
	}
	return nil
}

// WeightColumn is the column that a mean is by, empty where there is none.
func (m Metric) WeightColumn() string {
	switch {
	case m.Weight != "":
		return m.Weight
	case m.Counts == NoCounts:
		return ""
	default:
		return m.Counts
	}
}

// combined says in words how figures of several rows become one.
func (m Metric) combined() string {
	switch m.Combine {
	case Sum:
		return "Figures of several rows are added up."
	case Mean:
		return "Figures of several rows are their mean by `" + m.WeightColumn() + "`."
	default:
		return "Figures of several rows are not to be combined."
	}
}

// held says in words what is looked at where nobody chooses.
func (m Metric) held() string {
	if len(m.Hold) == 0 {
		return ""
	}
	var parts []string
	for _, dimension := range slices.Sorted(maps.Keys(m.Hold)) {
		parts = append(parts, "`"+dimension+"` = "+m.Hold[dimension])
	}
	return " Unless it is split by them or narrowed to others: " + strings.Join(parts, ", ") + "."
}

// MetricsMarkdown is docs/metrics.md.
func MetricsMarkdown(metrics []Metric) string {
	var out strings.Builder
	out.WriteString("# Metrics\n\n<!-- generated by `make docs` from sql/metrics: do not edit -->\n\n" +
		"Every figure that dashboards and reports show, with the query that gives it. `value` is the figure in its unit: money is whole cents, a share is 0 to 1.\n" +
		"*Counted by* names the column that says how many people or things a figure is of, which suppression looks at. All are as of the day D of the marts.\n\n" +
		"| metric | unit | permission |\n|---|---|---|\n")
	for _, m := range metrics {
		fmt.Fprintf(&out, "| [%s](#%s) | %s | %s |\n", m.Title, m.Name, m.Unit, m.Permission)
	}
	for _, m := range metrics {
		fmt.Fprintf(&out, "\n## %s\n\n**%s**, in %s. %s\n\n", m.Name, m.Title, m.Unit, m.Definition)
		if m.Source != "" {
			fmt.Fprintf(&out, "Source: %s.\n\n", strings.TrimSuffix(m.Source, "."))
		}
		counts := "`" + m.Counts + "`"
		if m.Counts == NoCounts {
			counts = "nothing: it is of the whole clinic"
		}
		fmt.Fprintf(&out, "One row is %s. Split by `%s`. Counted by %s. %s%s Permission: %s.\n\n```sql\n%s;\n```\n",
			m.Grain, strings.Join(m.Dimensions, "`, `"), counts, m.combined(), m.held(), m.Permission, m.Query)
	}
	return out.String()
}
