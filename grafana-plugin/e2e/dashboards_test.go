package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/falloff-analytics/falloff/warehouse/query"
)

const pluginID = "falloff-falloff-datasource"

// dashboard is what these tests look at of a dashboard's JSON.
type dashboard struct {
	UID, Title string
	Panels     []panel
	Templating struct{ List []variable }

	text []byte
}

type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ X, Y, W, H int }
	Datasource               source
	Targets                  []target
	FieldConfig              struct {
		Overrides []struct {
			Matcher struct {
				ID      string
				Options any
			}
		}
	}
}

type source struct{ Type, UID string }

type target struct {
	RefID        string
	Datasource   source
	Query        string
	Params       map[string]any
	Format       string
	UseTimeRange bool
}

type variable struct {
	Name, Type string
	Query      any
	Current    struct{ Value any }
}

// dashboards reads those that plugin.json ships, and fails if it names one that is not there or leaves one out.
func dashboards(t *testing.T) []dashboard {
	t.Helper()
	var manifest struct {
		ID       string
		Includes []struct{ Type, Path string }
	}
	read(t, "../src/plugin.json", &manifest)
	if manifest.ID != pluginID {
		t.Fatalf("the plugin's id is %q", manifest.ID)
	}
	var all []dashboard
	var named []string
	for _, include := range manifest.Includes {
		if include.Type != "dashboard" {
			continue
		}
		named = append(named, filepath.Base(include.Path))
		var d dashboard
		d.text = read(t, filepath.Join("../src", include.Path), &d)
		all = append(all, d)
	}
	files, err := os.ReadDir("../src/dashboards")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !slices.Contains(named, file.Name()) {
			t.Errorf("plugin.json does not ship %s", file.Name())
		}
	}
	if len(all) == 0 {
		t.Fatal("plugin.json ships no dashboard")
	}
	return all
}

func read(t *testing.T, path string, into any) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return text
}

// resolved puts the variables' values into a target's parameters.
func (d dashboard) resolved(params map[string]any) map[string]any {
	values := map[string]any{}
	for name, value := range params {
		for _, v := range d.Templating.List {
			if value == "$"+v.Name || value == "${"+v.Name+"}" {
				value = v.Current.Value
			}
		}
		values[name] = value
	}
	return values
}

func TestEveryPanelAsksWhatTheServerAnswers(t *testing.T) {
	for _, d := range dashboards(t) {
		for _, p := range d.Panels {
			t.Run(d.UID+"/"+p.Title, func(t *testing.T) {
				if p.Title == "" || p.Description == "" {
					t.Error("it has no title or no description")
				}
				if len(p.Targets) == 0 {
					t.Error("it asks nothing")
				}
				for _, asked := range p.Targets {
					checkTarget(t, d, asked)
				}
				checkOverrides(t, p)
			})
		}
	}
}

func checkTarget(t *testing.T, d dashboard, asked target) {
	t.Helper()
	definition, ok := query.Lookup(asked.Query)
	if !ok {
		t.Errorf("there is no query %q", asked.Query)
		return
	}
	if _, err := definition.Bind(d.resolved(asked.Params)); err != nil {
		t.Error(err)
	}
	if !slices.Contains([]string{"table", "series", "matrix"}, asked.Format) || asked.Format != "table" && definition.Series == nil {
		t.Errorf("%s cannot be shown as %q", asked.Query, asked.Format)
	}
	if asked.UseTimeRange && definition.TimeRange == "" {
		t.Errorf("%s knows no time range", asked.Query)
	}
	if asked.Datasource != (source{pluginID, "${datasource}"}) {
		t.Errorf("its data source is %+v: a dashboard that names one fits nobody else's Grafana", asked.Datasource)
	}
}

// checkOverrides demands that what a table's overrides name is a column's title. Series are named after values, which no
// catalogue knows.
func checkOverrides(t *testing.T, p panel) {
	t.Helper()
	titles := map[string]bool{}
	for _, asked := range p.Targets {
		definition, _ := query.Lookup(asked.Query)
		if asked.Format == "series" || strings.HasPrefix(p.Type, "stat") {
			return
		}
		for _, c := range definition.Columns {
			titles[c.Title] = true
		}
	}
	for _, o := range p.FieldConfig.Overrides {
		if name := fmt.Sprint(o.Matcher.Options); o.Matcher.ID == "byName" && !titles[name] {
			t.Errorf("an override is for a column %q, which the query does not answer", name)
		}
	}
}

func TestVariablesAskWhatTheServerAnswers(t *testing.T) {
	for _, d := range dashboards(t) {
		for _, v := range d.Templating.List {
			if v.Type != "query" {
				continue
			}
			asked, ok := v.Query.(map[string]any)
			if !ok {
				t.Errorf("%s: variable %s is not asked as a query", d.UID, v.Name)
				continue
			}
			definition, ok := query.Lookup(fmt.Sprint(asked["query"]))
			if !ok || !slices.ContainsFunc(definition.Columns, func(c query.Column) bool { return c.Name == "value" }) {
				t.Errorf("%s: variable %s asks %v, which has no column value", d.UID, v.Name, asked["query"])
			}
		}
	}
}

// Panels must neither overlap nor stick out of Grafana's 24 columns, and ids must differ.
func TestLayout(t *testing.T) {
	for _, d := range dashboards(t) {
		taken := map[[2]int]string{}
		ids := map[int]bool{}
		for _, p := range d.Panels {
			if ids[p.ID] {
				t.Errorf("%s: id %d is there twice", d.UID, p.ID)
			}
			ids[p.ID] = true
			at := p.GridPos
			if at.X < 0 || at.W < 1 || at.H < 1 || at.X+at.W > 24 {
				t.Errorf("%s: %q lies at %+v", d.UID, p.Title, at)
			}
			for x := at.X; x < at.X+at.W; x++ {
				for y := at.Y; y < at.Y+at.H; y++ {
					if other, ok := taken[[2]int{x, y}]; ok && other != p.Title {
						t.Fatalf("%s: %q lies over %q", d.UID, p.Title, other)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
		}
	}
}

// The compose file and what it provisions must speak of this plugin, and of no port that other machines reach.
func TestInfrastructureFitsThePlugin(t *testing.T) {
	var compose struct {
		Services map[string]struct {
			Image       string
			NetworkMode string `yaml:"network_mode"`
			Environment map[string]string
			Volumes     []string
			Ports       []string
		}
	}
	readYAML(t, "../../infra/compose.yaml", &compose)
	grafana, ok := compose.Services["grafana"]
	if !ok || !strings.HasPrefix(grafana.Image, "grafana/grafana:12.3") {
		t.Errorf("compose starts %q, and the plugin asks for 12.3 or newer", grafana.Image)
	}
	if grafana.Environment["GF_PLUGINS_ALLOW_LOADING_UNSIGNED_PLUGINS"] != pluginID {
		t.Error("compose does not allow the plugin, which is not signed")
	}
	if grafana.Environment["GF_SERVER_HTTP_ADDR"] != "127.0.0.1" {
		t.Errorf("Grafana listens on %q", grafana.Environment["GF_SERVER_HTTP_ADDR"])
	}
	for _, volume := range grafana.Volumes {
		from, _, _ := strings.Cut(volume, ":")
		if strings.HasPrefix(from, ".") && !strings.HasSuffix(from, "/dist") {
			if _, err := os.Stat(filepath.Join("../../infra", from)); err != nil {
				t.Errorf("compose mounts what is not there: %v", err)
			}
		}
	}
	var sources struct {
		Datasources []struct {
			Type, URL string
			JSONData  map[string]string `yaml:"jsonData"` //nolint:tagliatelle // as Grafana spells its settings
		}
	}
	readYAML(t, "../../infra/grafana/provisioning/datasources/falloff.yaml", &sources)
	if len(sources.Datasources) != 1 || sources.Datasources[0].Type != pluginID {
		t.Errorf("provisioned are %+v", sources.Datasources)
	}
	for _, name := range []string{"FALLOFF_URL", "FALLOFF_CLINIC", "FALLOFF_KEY", "FALLOFF_DASHBOARDS"} {
		if _, ok := grafana.Environment[name]; !ok {
			t.Errorf("compose does not hand %s to Grafana, which the provisioning asks for", name)
		}
	}
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
