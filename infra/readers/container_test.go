package readers

import (
	"bytes"
	"os"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// BuildKit's own parser and linter read the Dockerfile.
func TestBuildKitReadsTheDockerfile(t *testing.T) {
	text, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range parsed.Warnings {
		t.Errorf("%s %v", w.Short, w.Location)
	}
	stages, _, err := instructions.Parse(parsed.AST, linter.New(&linter.Config{Warn: func(rule, _, _, says string, at []parser.Range) {
		t.Errorf("%s: %s %v", rule, says, at)
	}}))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range stages {
		names = append(names, s.Name)
	}
	if len(names) != 3 || names[2] != "falloff" {
		t.Errorf("the stages are %v", names)
	}
}

// Compose's own loader reads compose.yaml, as it is without a single variable set.
func TestComposeReadsTheComposeFile(t *testing.T) {
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir: "..", ConfigFiles: []types.ConfigFile{{Filename: "../compose.yaml"}}, Environment: map[string]string{},
	}, func(o *loader.Options) { o.Profiles = []string{"*"} })
	if err != nil {
		t.Fatal(err)
	}
	if len(project.Services) != 9 {
		t.Errorf("it has %d services", len(project.Services))
	}
	for name, s := range project.Services {
		if name != "grafana" && (!s.ReadOnly || s.NetworkMode != "host") {
			t.Errorf("%s is read as %+v", name, s)
		}
	}
	if command := project.Services["nightly"].Command; len(command) != 4 || command[2] != "--clinic=harbour-street" {
		t.Errorf("a night is %v", command)
	}
}
