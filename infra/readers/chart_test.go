// Package readers has the chart of infra/helm linted and rendered by Helm itself, and what comes out read by Kubernetes' own types. It
// is a module of its own: Helm and what it needs would be a hundred modules of the product, and minutes of its build.
package readers

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

const (
	chartDir    = "../helm/falloff"
	examplesDir = "../helm/examples"
	renderedDir = "../helm/rendered"
	release     = "harbour-street"
	namespace   = "falloff"
)

var update = flag.Bool("update", false, "write infra/helm/rendered anew")

func examples(t *testing.T) map[string]map[string]any {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(examplesDir, "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("examples: %v, %v", paths, err)
	}
	out := map[string]map[string]any{}
	for _, path := range paths {
		values, err := chartutil.ReadValuesFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimSuffix(filepath.Base(path), ".yaml")] = values
	}
	return out
}

func load(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.Load(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// render gives the manifests in the order of their files, as `helm template` does.
func render(c *chart.Chart, values map[string]any) (string, error) {
	given, err := chartutil.ToRenderValues(c, values, chartutil.ReleaseOptions{Name: release, Namespace: namespace, Revision: 1, IsInstall: true}, chartutil.DefaultCapabilities)
	if err != nil {
		return "", err
	}
	files, err := engine.Render(c, given)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if text := strings.TrimSpace(files[name]); text != "" && strings.HasSuffix(name, ".yaml") {
			fmt.Fprintf(&out, "---\n# Source: %s\n%s\n", name, strings.TrimPrefix(text, "---\n"))
		}
	}
	return out.String(), nil
}

// sum is of everything that the rendering rests on. The ordinary tests, which have no Helm, see by it that a rendering is stale.
func sum(t *testing.T, example string) string {
	t.Helper()
	hash := sha256.New()
	err := filepath.WalkDir(chartDir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		fmt.Fprintf(hash, "%s %d\n%s", filepath.ToSlash(path), len(text), text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(examplesDir, example+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	hash.Write(text)
	return fmt.Sprintf("%x", hash.Sum(nil))
}

func TestTheChartIsLinted(t *testing.T) {
	for name, values := range examples(t) {
		linted := lint.All(chartDir, values, namespace, true)
		for _, m := range linted.Messages {
			if m.Severity >= support.WarningSev {
				t.Errorf("%s: %v", name, m)
			}
		}
	}
}

// What is rendered is kept, so that everybody sees what a change does, and tests without Helm can look at it.
func TestWhatIsRenderedIsKept(t *testing.T) {
	for name, values := range examples(t) {
		text, err := render(load(t), values)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text = fmt.Sprintf("# Rendered by Helm from infra/helm/examples/%s.yaml: cd infra/readers && go test -update\n# of sources %s\n%s", name, sum(t, name), text)
		path := filepath.Join(renderedDir, name+".yaml")
		if *update {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		kept, err := os.ReadFile(path)
		if err != nil || string(kept) != text {
			t.Errorf("%s is not what the chart renders now (%v): cd infra/readers && go test -update", path, err)
		}
	}
}

// Kubernetes' own types read every object, and refuse a field that they do not have.
func TestKubernetesKnowsEveryField(t *testing.T) {
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	foreign := []string{"CiliumNetworkPolicy", "ExternalSecret"}
	for name, values := range examples(t) {
		text, err := render(load(t), values)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		names := map[string]bool{}
		for _, document := range strings.Split(text, "\n---\n") {
			var head struct {
				Kind     string
				Metadata struct{ Name string }
			}
			if err := yaml.Unmarshal([]byte(document), &head); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, document)
			}
			if id := head.Kind + "/" + head.Metadata.Name; head.Kind == "" || names[id] || len(head.Metadata.Name) > 63 {
				t.Errorf("%s: the object %q is nameless, there twice, or its name is too long", name, id)
			} else {
				names[id] = true
			}
			if slices.Contains(foreign, head.Kind) {
				continue
			}
			if _, _, err := decoder.Decode([]byte(document), nil, nil); err != nil {
				if runtime.IsNotRegisteredError(err) {
					t.Errorf("%s: nobody knows a %s", name, head.Kind)
				} else {
					t.Errorf("%s: %s: %v", name, head.Metadata.Name, err)
				}
			}
		}
		if len(names) < 10 {
			t.Errorf("%s: only %d objects were rendered", name, len(names))
		}
	}
}

// Values that would make something unsafe are refused before anything is installed, with a word that says which.
func TestUnsafeValuesAreRefused(t *testing.T) {
	for _, c := range []struct{ base, change, says string }{
		{"minimal", "region: eu-central-1", "region"},
		{"minimal", "lake: /srv/lake", "lake"},
		{"minimal", "image: {repository: falloff, tag: latest}", "tag"},
		{"minimal", "network: {portal: {cidrs: [0.0.0.0/0]}}", "cidrs"},
		{"minimal", "network: {portal: {cidrs: ['::/0']}}", "cidrs"},
		{"minimal", "network: {portal: {cidrs: []}}", "network.portal.cidrs"},
		{"minimal", "network: {flavour: cilium}", "names"},
		{"minimal", "network: {clients: {podLabels: null}}", "podLabels"},
		{"minimal", "server: {tls: {existingSecret: ''}}", "kubernetes.io/tls"},
		{"minimal", "vault: {existingSecret: ''}", "existingSecret"},
		{"minimal", "vault: {passphrase: hunter2}", "passphrase"},
		{"minimal", "store: {endpoint: 'http://s3.clinic.example'}", "endpoint"},
		{"minimal", "accessPolicy: ''", "accessPolicy"},
		{"minimal", "clinics: [{id: harbour-street, schedule: nightly, timeZone: America/Vancouver}]", "schedule"},
		{"minimal", "clinics: [{id: 'Harbour Street', schedule: '0 3 * * *', timeZone: America/Vancouver}]", "id"},
		{"minimal", "server: {replicas: 2}", "replicas"},
		{"aws", "vault: {kmsKey: ''}", "kmsKey"},
		{"aws", "s3KmsKey: arn:aws:kms:us-east-1:111122223333:key/1", "s3KmsKey"},
		{"external-secrets", "externalSecrets: {passphraseFrom: ''}", "passphraseFrom"},
	} {
		var change map[string]any
		if err := yaml.Unmarshal([]byte(c.change), &change); err != nil {
			t.Fatal(err)
		}
		values := chartutil.CoalesceTables(change, examples(t)[c.base])
		if _, err := render(load(t), values); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s with %s: %v, and the word is %q", c.base, c.change, err, c.says)
		}
	}
}

func TestTheSchemaKnowsEveryValue(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(chartDir, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	schema := load(t).Schema
	var values map[string]any
	if err := yaml.Unmarshal(text, &values); err != nil {
		t.Fatal(err)
	}
	for name := range values {
		if !bytes.Contains(schema, []byte(`"`+name+`"`)) {
			t.Errorf("the schema does not know %s", name)
		}
	}
}
