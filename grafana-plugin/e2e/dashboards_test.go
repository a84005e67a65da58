package e2e_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/falloff-analytics/falloff/warehouse/access"
	"github.com/falloff-analytics/falloff/warehouse/query"
)

const pluginID = "falloff-falloff-datasource"

// dashboard is what these tests look at of a dashboard's JSON.
type dashboard struct {
	UID, Title string
	Panels     []panel
	Tags       []string
	Links      []struct{ Tags []string }
	Templating struct{ List []variable }

	Annotations struct{ List []annotation }

	text []byte
}

type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ X, Y, W, H int }
	Datasource               source
	Targets                  []target
	Options                  struct {
		Content, Part string
		XField        string
		ReduceOptions struct {
			Fields string
			Values bool
		}
	}
	FieldConfig struct {
		Defaults  struct{ NoValue string }
		Overrides []struct {
			Matcher struct {
				ID      string
				Options any
			}
		}
	}
	Transformations []struct {
		ID      string
		Options struct {
			Include     struct{ Names []string }
			IndexByName map[string]int
			ExcludeByName,
			RenameByName map[string]any
			Conversions []struct{ TargetField string }
			Filters     []struct{ FieldName string }
		}
	}
}

// clinicPanel is the plugin's own panel, which asks by itself.
const clinicPanel = "falloff-clinic-panel"

// annotation is what charts mark.
type annotation struct {
	Name       string
	Datasource source
	Enable     bool
	Target     target
}

type source struct{ Type, UID string }

type target struct {
	RefID        string
	Datasource   source
	Query        string
	Params       map[string]any
	Format       string
	UseTimeRange bool
	// Desk is asked instead of a query, Kinds are those of events.
	Desk  string
	Kinds []string
}

// desks are what may be asked instead of a query, with the titles of their columns.
var desks = map[string][]string{
	"audit":   {"When", "Who", "What was done", "To what", "From where", "Before", "After"},
	"support": {"State", "Who", "Reason", "From", "Until", "Granted by", "Ended by", "Requests"},
}

type variable struct {
	Name, Type    string
	Hide, Refresh int
	SkipURLSync   bool
	Query         any
	Current       struct{ Value any }
	Options       []struct{ Value any }
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
				if p.Type == "text" {
					if p.Options.Content == "" || len(p.Targets) > 0 {
						t.Error("it says nothing, or asks something")
					}
					return
				}
				if p.Title == "" || p.Description == "" {
					t.Error("it has no title or no description")
				}
				if p.Type == clinicPanel {
					return
				}
				if p.FieldConfig.Defaults.NoValue == "" {
					t.Error("where there is nothing to show, it does not say why")
				}
				if len(p.Targets) != 1 {
					t.Errorf("it asks %d questions", len(p.Targets))
				}
				for _, asked := range p.Targets {
					checkTarget(t, d, asked)
				}
				checkColumns(t, p)
			})
		}
	}
}

func checkTarget(t *testing.T, d dashboard, asked target) {
	t.Helper()
	if asked.Datasource != (source{pluginID, "${datasource}"}) {
		t.Errorf("its data source is %+v: a dashboard that names one fits nobody else's Grafana", asked.Datasource)
	}
	if asked.Desk != "" {
		if desks[asked.Desk] == nil || asked.Query != "" {
			t.Errorf("there is no desk %q, or it asks for a query too", asked.Desk)
		}
		return
	}
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
}

// checkColumns demands that the columns which a panel names are those that its query answers with, by their titles. Series are
// named after values, and so are the fields of a panel that shows a row each: no catalogue knows those.
func checkColumns(t *testing.T, p panel) {
	t.Helper()
	asked := p.Targets[0]
	definition, _ := query.Lookup(asked.Query)
	titles := map[string]bool{}
	for _, c := range definition.Columns {
		titles[c.Title] = true
	}
	for _, title := range desks[asked.Desk] {
		titles[title] = true
	}
	named := func(by string, names ...string) {
		t.Helper()
		for _, name := range names {
			if !titles[name] {
				t.Errorf("%s names a column %q, which %s does not answer", by, name, asked.Query+asked.Desk)
			}
		}
	}
	for _, transformation := range p.Transformations {
		o := transformation.Options
		named(transformation.ID, o.Include.Names...)
		named(transformation.ID, slices.Concat(slices.Collect(maps.Keys(o.IndexByName)), slices.Collect(maps.Keys(o.ExcludeByName)))...)
		named(transformation.ID, slices.Collect(maps.Keys(o.RenameByName))...)
		for _, conversion := range o.Conversions {
			named(transformation.ID, conversion.TargetField)
		}
		for _, filter := range o.Filters {
			named(transformation.ID, filter.FieldName)
		}
	}
	if p.Options.XField != "" {
		named("the axis", p.Options.XField)
	}
	if asked.Format == "series" {
		return
	}
	if fields := p.Options.ReduceOptions.Fields; fields != "" {
		inner, isPattern := strings.CutPrefix(fields, "/^(")
		if isPattern {
			named("the panel", strings.Split(strings.TrimSuffix(inner, ")$/"), "|")...)
		} else {
			named("the panel", fields)
		}
	}
	if p.Options.ReduceOptions.Values {
		return
	}
	for _, o := range p.FieldConfig.Overrides {
		if o.Matcher.ID == "byName" {
			named("an override", fmt.Sprint(o.Matcher.Options))
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
			if asked["desk"] == "banner" {
				continue
			}
			definition, ok := query.Lookup(fmt.Sprint(asked["query"]))
			if !ok || !slices.ContainsFunc(definition.Columns, func(c query.Column) bool { return c.Name == "value" }) {
				t.Errorf("%s: variable %s asks %v, which has no column value", d.UID, v.Name, asked["query"])
			}
			params, _ := asked["params"].(map[string]any)
			if _, err := definition.Bind(params); err != nil {
				t.Errorf("%s: variable %s: %v", d.UID, v.Name, err)
			}
		}
	}
}

// Every value of a variable must be one that the panels' questions take, not only the one that it begins with.
func TestEveryValueOfAVariableCanBeAsked(t *testing.T) {
	for _, d := range dashboards(t) {
		for i, v := range d.Templating.List {
			for _, option := range v.Options {
				d.Templating.List[i].Current.Value = option.Value
				for _, p := range d.Panels {
					for _, asked := range p.Targets {
						if asked.Desk != "" {
							continue
						}
						definition, _ := query.Lookup(asked.Query)
						if _, err := definition.Bind(d.resolved(asked.Params)); err != nil {
							t.Errorf("%s: %q with %s = %v: %v", d.UID, p.Title, v.Name, option.Value, err)
						}
					}
				}
			}
		}
	}
}

// Whatever page people open, it says first how fresh it is and what is withheld, and leads to the others.
func TestEveryDashboardSaysHowFreshItIsAndWhatIsWithheld(t *testing.T) {
	all := dashboards(t)
	uids := map[string]bool{}
	for _, d := range all {
		if uids[d.UID] || !slices.Contains(d.Tags, "falloff") {
			t.Errorf("%s: another dashboard has its uid, or it lacks the tag that the others find it by", d.Title)
		}
		uids[d.UID] = true
	}
	link := regexp.MustCompile(`"/d/([a-z-]+)\?`)
	for _, d := range all {
		top, note := d.Panels[0], d.Panels[1]
		if top.GridPos.Y != 0 || top.Targets[0].Query != "freshness" {
			t.Errorf("%s begins with %q, not with how fresh it is", d.Title, top.Title)
		}
		if !strings.Contains(note.Options.Content, "1–10 patients") && !strings.Contains(note.Options.Content, "Small groups are withheld") {
			t.Errorf("%s does not say what is withheld", d.Title)
		}
		if len(d.Links) == 0 || !slices.Equal(d.Links[0].Tags, []string{"falloff"}) {
			t.Errorf("%s leads to no other dashboard", d.Title)
		}
		for _, found := range link.FindAllSubmatch(d.text, -1) {
			if !uids[string(found[1])] {
				t.Errorf("%s links to %s, which is not there", d.Title, found[1])
			}
		}
	}
}

// K10: support access that goes on is said at the top of every page, by a variable that nobody sets and no link carries along.
func TestEveryDashboardHasTheSupportBanner(t *testing.T) {
	for _, d := range dashboards(t) {
		if !strings.HasPrefix(d.Panels[1].Options.Content, "${support}\n\n") || d.Panels[1].GridPos.Y != 0 {
			t.Errorf("%s does not begin with it", d.Title)
		}
		at := slices.IndexFunc(d.Templating.List, func(v variable) bool { return v.Name == "support" })
		if at < 0 {
			t.Errorf("%s does not ask for it", d.Title)
			continue
		}
		v := d.Templating.List[at]
		asked, _ := v.Query.(map[string]any)
		if asked["desk"] != "banner" || !v.SkipURLSync || v.Hide != 2 || v.Refresh != 2 {
			t.Errorf("%s asks for it as %+v", d.Title, v)
		}
	}
}

// Charts mark what happened, where that helps: each kind can be switched off, and what comes every night is off at first.
func TestAnnotationsAskForEvents(t *testing.T) {
	kinds := []string{"sync", "setting", "price", "support"}
	marked := map[string][]string{}
	for _, d := range dashboards(t) {
		for _, a := range d.Annotations.List {
			if a.Datasource != (source{pluginID, "${datasource}"}) || a.Target.Desk != "events" || len(a.Target.Kinds) == 0 || a.Name == "" {
				t.Errorf("%s: %+v", d.Title, a)
			}
			for _, kind := range a.Target.Kinds {
				if !slices.Contains(kinds, kind) || a.Enable == (kind == "sync") {
					t.Errorf("%s: %s marks %s: %v", d.Title, a.Name, kind, a.Enable)
				}
				marked[d.UID] = append(marked[d.UID], kind)
			}
		}
	}
	for uid, want := range map[string][]string{
		"falloff-overview": {"price", "support", "sync"}, "falloff-leaks": {"price", "support", "sync"}, "falloff-trust": {"price", "setting", "support", "sync"},
	} {
		if slices.Sort(marked[uid]); !slices.Equal(marked[uid], want) {
			t.Errorf("%s marks %v, and should mark %v", uid, marked[uid], want)
		}
	}
}

// The rules that are provisioned must ask what the server answers, and reckon with a column of it.
func TestAlertRulesAskWhatTheServerAnswers(t *testing.T) {
	var provisioned struct {
		Groups []struct {
			Name, Folder, Interval string
			Rules                  []struct {
				UID, Title, Condition string
				NoDataState           string `yaml:"noDataState"`  //nolint:tagliatelle // as Grafana spells its rules
				ExecErrState          string `yaml:"execErrState"` //nolint:tagliatelle // as Grafana spells its rules
				Annotations           map[string]string
				Data                  []struct {
					RefID         string `yaml:"refId"`         //nolint:tagliatelle // as Grafana spells its rules
					DatasourceUID string `yaml:"datasourceUid"` //nolint:tagliatelle // as Grafana spells its rules
					Model         struct {
						RefID                                  string `yaml:"refId"` //nolint:tagliatelle // as Grafana spells its rules
						Query, Format, Value, Type, Expression string
						Params                                 map[string]any
						Labels                                 []string
					}
				}
			}
		}
	}
	readYAML(t, "../../infra/grafana/provisioning/alerting/falloff.yaml", &provisioned)
	var sources struct{ Datasources []struct{ UID string } }
	readYAML(t, "../../infra/grafana/provisioning/datasources/falloff.yaml", &sources)
	asked := map[string]string{}
	for _, group := range provisioned.Groups {
		for _, rule := range group.Rules {
			if rule.UID == "" || rule.Annotations["summary"] == "" || rule.NoDataState == "" || rule.ExecErrState != "Error" || len(rule.Data) != 2 {
				t.Fatalf("a rule is %+v", rule)
			}
			ask, judge := rule.Data[0], rule.Data[1]
			if ask.DatasourceUID != sources.Datasources[0].UID || judge.DatasourceUID != "__expr__" || judge.Model.Expression != ask.RefID ||
				rule.Condition != judge.RefID || judge.Model.Type != "threshold" || ask.Model.RefID != ask.RefID || judge.Model.RefID != judge.RefID {
				t.Errorf("%s does not hang together: %+v", rule.Title, rule.Data)
			}
			definition, ok := query.Lookup(ask.Model.Query)
			if !ok || ask.Model.Format != "number" {
				t.Errorf("%s asks %q as %q", rule.Title, ask.Model.Query, ask.Model.Format)
			}
			if _, err := definition.Bind(ask.Model.Params); err != nil {
				t.Errorf("%s: %v", rule.Title, err)
			}
			for _, column := range append([]string{ask.Model.Value}, ask.Model.Labels...) {
				at := slices.IndexFunc(definition.Columns, func(c query.Column) bool { return c.Name == column })
				if at < 0 || column == ask.Model.Value && definition.Columns[at].Type == query.Text {
					t.Errorf("%s reckons with %q, which %s does not answer as a number", rule.Title, column, ask.Model.Query)
				}
			}
			asked[ask.Model.Query] = ask.Model.Value
		}
	}
	if !maps.Equal(asked, map[string]string{"freshness": "as_of", "leak_total": "amount_cents"}) {
		t.Errorf("the rules watch %v", asked)
	}
}

// A practitioner's own page must be answered to a practitioner, whole, and to a manager too.
func TestWhoIsAnswered(t *testing.T) {
	policy, err := access.Parse([]byte(`version: 1
require_second_factor: false
clinics: [harbour-street]
people:
  - login: robin
    roles: [{role: practitioner, clinics: [harbour-street]}]
    staff: [{clinic: harbour-street, names: [Robin Mercer]}]
  - login: mia
    roles: [{role: manager, clinics: [harbour-street]}]
  - login: anna
    roles: [{role: analyst, clinics: [harbour-street]}]
`), "access.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		login string
		whole []string
	}{
		{"robin", []string{"falloff-my-patients"}},
		{"mia", nil}, // all of them
		{"anna", nil},
	} {
		sees := policy.Visible(access.Principal{Person: test.login, Subject: test.login, Issuer: access.Grafana}, time.Date(2026, time.October, 1, 9, 0, 0, 0, time.UTC))
		for _, d := range dashboards(t) {
			if test.whole != nil && !slices.Contains(test.whole, d.UID) {
				continue
			}
			for _, p := range d.Panels {
				for _, asked := range p.Targets {
					if asked.Desk == "" && sees.Query("harbour-street", asked.Query).None() {
						t.Errorf("%s is refused %q of %s", test.login, p.Title, d.Title)
					}
				}
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
	if grafana.Environment["GF_PLUGINS_ALLOW_LOADING_UNSIGNED_PLUGINS"] != pluginID+","+clinicPanel {
		t.Error("compose does not allow the plugin and its panel, which are not signed")
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
	for _, name := range []string{"FALLOFF_URL", "FALLOFF_CLINIC", "FALLOFF_KEY", "FALLOFF_DASHBOARDS", "FALLOFF_SERVICE_TOKEN"} {
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
