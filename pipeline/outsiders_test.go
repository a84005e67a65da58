package pipeline_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// imports lists the packages that each package of the module depends on, directly or not, tests left out.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}} {{join .Deps \" \"}}", module+"/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	deps := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		deps[fields[0]] = fields[1:]
	}
	if len(deps) < 15 {
		t.Fatalf("only %d packages were listed", len(deps))
	}
	return deps
}

const module = "github.com/falloff-analytics/falloff"

// TestWayOfImports holds the one direction of the data: nothing looks back up the way, and the simulated clinic stays
// outside of everything but the commands that show it.
func TestWayOfImports(t *testing.T) {
	deps := imports(t)
	under := func(pkg, folder string) bool {
		rest, ok := strings.CutPrefix(pkg, module+"/"+folder)
		return ok && (rest == "" || rest[0] == '/')
	}
	for pkg, needs := range deps {
		for _, need := range needs {
			for _, rule := range []struct {
				from, to, why string
				except        []string
			}{
				{"transforms", "extractors/browser", "transforms knows no browser", nil},
				{"transforms", "extractors/jane", "transforms knows no portal", nil},
				{"transforms", "warehouse", "transforms knows no lake", nil},
				{"warehouse", "extractors/jane", "the warehouse knows no portal", nil},
				{"warehouse", "extractors/browser", "the warehouse knows no browser", nil},
				{"warehouse", "pipeline", "the warehouse does not conduct", nil},
				{"extractors", "warehouse", "extractors know no lake", nil},
				{"extractors", "pipeline", "extractors do not conduct", nil},
				{"grafana-plugin", "warehouse", "the plugin asks over HTTP", nil},
				{"extractors/simclinic", "transforms", "the truth is written apart from what it checks", nil},
				{"extractors/simclinic", "sql", "the truth is written apart from what it checks", nil},
				{"", "extractors/simclinic", "the simulated clinic is for tests and the demo", []string{"pipeline/cmd/falloff", "extractors/simclinic"}},
			} {
				if !under(need, rule.to) || (rule.from != "" && !under(pkg, rule.from)) {
					continue
				}
				// What the plugin signs is written where the server reads it, in a package that knows nothing of a lake.
				if rule.from == "grafana-plugin" && under(need, "warehouse/identity/plugintoken") {
					continue
				}
				if slices.ContainsFunc(rule.except, func(folder string) bool { return under(pkg, folder) }) {
					continue
				}
				t.Errorf("%s imports %s: %s", strings.TrimPrefix(pkg, module+"/"), strings.TrimPrefix(need, module+"/"), rule.why)
			}
		}
		if under(pkg, "grafana-plugin") {
			for _, need := range needs {
				if strings.HasPrefix(need, "github.com/duckdb/") {
					t.Errorf("%s imports %s: the plugin is built without cgo", pkg, need)
				}
			}
		}
	}
}
