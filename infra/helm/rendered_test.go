package helm_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// object is one of Kubernetes', or a part of one.
type object = map[string]any

// at follows keys into an object; nil where one is missing.
func at(of any, keys ...string) any {
	for _, key := range keys {
		within, ok := of.(object)
		if !ok {
			return nil
		}
		of = within[key]
	}
	return of
}

func list(of any, keys ...string) []any {
	out, _ := at(of, keys...).([]any)
	return out
}

func text(of any, keys ...string) string {
	value := at(of, keys...)
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}

func name(o object) string { return text(o, "kind") + " " + text(o, "metadata", "name") }

func documents(t *testing.T, manifest []byte) []object {
	t.Helper()
	var out []object
	for decoder := yaml.NewDecoder(bytes.NewReader(manifest)); ; {
		var o object
		err := decoder.Decode(&o)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if o != nil {
			out = append(out, o)
		}
	}
}

func renderings(t *testing.T) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("rendered/*.yaml")
	if err != nil || len(paths) != 4 {
		t.Fatalf("renderings: %v, %v", paths, err)
	}
	out := map[string][]byte{}
	for _, path := range paths {
		if out[strings.TrimSuffix(filepath.Base(path), ".yaml")], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// What is kept must be of the chart as it is. The sum is made as infra/readers makes it.
func TestTheRenderingsAreOfThisChart(t *testing.T) {
	for example, rendered := range renderings(t) {
		hash := sha256.New()
		err := filepath.WalkDir("falloff", func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			body, err := os.ReadFile(path)
			fmt.Fprintf(hash, "%s %d\n%s", "../helm/"+filepath.ToSlash(path), len(body), body)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		values, err := os.ReadFile("examples/" + example + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		hash.Write(values)
		if sum := fmt.Sprintf("%x", hash.Sum(nil)); !bytes.Contains(rendered, []byte("# of sources "+sum+"\n")) {
			t.Errorf("rendered/%s.yaml is of another chart: run make readers", example)
		}
	}
}

func TestTheChartKeepsWhatIsPromised(t *testing.T) {
	for example, rendered := range renderings(t) {
		for _, finding := range findings(documents(t, rendered)) {
			t.Errorf("%s: %s", example, finding)
		}
	}
}

// Each is a mistake that a change of the chart could make.
func TestTheRulesSeeMistakes(t *testing.T) {
	whole := renderings(t)
	for _, c := range []struct{ example, old, new, sees string }{
		{"minimal", "runAsNonRoot: true", "runAsNonRoot: false", "runAsNonRoot"},
		{"minimal", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "readOnlyRootFilesystem"},
		{"minimal", "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true", "allowPrivilegeEscalation"},
		{"minimal", "drop: [ALL]", "drop: [NET_RAW]", "capabilities"},
		{"minimal", "type: RuntimeDefault", "type: Unconfined", "seccomp"},
		{"minimal", "medium: Memory", "medium: ''", "memory"},
		{"minimal", "automountServiceAccountToken: false", "automountServiceAccountToken: true", "token"},
		{"minimal", "path: /readyz", "path: /ready", "/ready"},
		{"minimal", "scheme: HTTPS", "scheme: HTTP", "HTTPS"},
		{"minimal", "type: ClusterIP", "type: LoadBalancer", "ClusterIP"},
		{"minimal", "value: service/nightly", "value: root", "actor"},
		{"minimal", "fsGroupChangePolicy: OnRootMismatch", "fsGroupChangePolicy: Always", "fsGroup"},
		{"minimal", "concurrencyPolicy: Forbid", "concurrencyPolicy: Allow", "at once"},
		{"minimal", "values: [5, 6, 130]", "values: [4, 5, 6, 130]", "exit codes"},
		{"minimal", "policyTypes: [Ingress, Egress]", "policyTypes: [Ingress]", "everything else"},
		{"minimal", "cidr: 203.0.113.0/24", "cidr: 0.0.0.0/0", "0.0.0.0/0"},
		{"minimal", "s3_encryption: demand", "s3_encryption: off", "s3_encryption"},
		{"minimal", "replicas: 1", "replicas: 2", "replicas"},
		{"minimal", "maxUnavailable: 1", "maxUnavailable: 0", "drained"},
		{"minimal", "app.kubernetes.io/component: server\n  policyTypes: [Ingress]", "app.kubernetes.io/component: backup\n  policyTypes: [Ingress]", "may ask the server"},
		{"minimal", "image: images.clinic.example/falloff:0.1.0", "image: images.clinic.example/falloff:latest", "image"},
		{"workers", "terminationGracePeriodSeconds: 390", "terminationGracePeriodSeconds: 60", "seconds to end"},
		{"workers", "- name: FALLOFF_DATABASE_URL\n              valueFrom:\n                secretKeyRef:", "- name: FALLOFF_DATABASE_URL\n              valueFrom:\n                configMapKeyRef:", "not from a secret"},
		{"workers", "cidr: 192.0.2.5/32", "cidr: 192.0.2.6/32", "192.0.2.6"},
		{"aws", "- matchName: login.clinic.example", "- matchPattern: '*'", "pattern"},
		{"external-secrets", "kind: ExternalSecret", "kind: Secret", "Secret"},
	} {
		if !bytes.Contains(whole[c.example], []byte(c.old)) {
			t.Errorf("%s has no %q any more", c.example, c.old)
			continue
		}
		broken := bytes.Replace(whole[c.example], []byte(c.old), []byte(c.new), 1)
		if seen := strings.Join(findings(documents(t, broken)), "\n"); !strings.Contains(seen, c.sees) {
			t.Errorf("%s: %q in the place of %q is not seen; seen is:\n%s", c.example, c.new, c.old, seen)
		}
	}
}

// reaches is what each part may send to, by the examples' own addresses.
var reaches = map[string][]string{"extraction": {"portal", "store", "database"}, "backup": {"store"}, "server": {"store"}}

// meaning says what the examples' addresses are.
var meaning = map[string]string{
	"192.0.2.5/32":   "database",
	"203.0.113.0/24": "portal", "2001:db8:7::/48": "portal", "harbour-street.janeapp.com": "portal",
	"198.51.100.7/32": "store", "198.51.100.0/24": "store",
	"harbour-harbour-street-ca-central-1-data.s3.ca-central-1.amazonaws.com": "store", "harbour-harbour-street-ca-central-1-backup.s3.ca-central-1.amazonaws.com": "store",
	"kms.ca-central-1.amazonaws.com": "store", "sts.ca-central-1.amazonaws.com": "store", // what the store's keys and sign-in need
}

func findings(objects []object) []string {
	var out []string
	found := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	kinds := map[string]int{}
	policies := map[string]bool{}
	for _, o := range objects {
		kinds[text(o, "kind")]++
		switch text(o, "kind") {
		case "Deployment":
			if strings.HasSuffix(text(o, "metadata", "name"), "-worker") {
				workerPods(o, found)
			} else {
				deployment(o, found)
			}
		case "CronJob":
			cronJob(o, found)
		case "NetworkPolicy", "CiliumNetworkPolicy":
			network(o, policies, found)
		case "Secret":
			found("%s: a Secret is made by the chart, and so lies in Helm's own records", name(o))
		case "Service":
			if text(o, "spec", "type") != "ClusterIP" {
				found("%s is no ClusterIP: it can be reached from outside", name(o))
			}
		case "PodDisruptionBudget":
			if text(o, "spec", "maxUnavailable") != "1" {
				found("%s: a node could not be drained", name(o))
			}
		case "ServiceAccount":
			if text(o, "automountServiceAccountToken") != "false" {
				found("%s has a token for Kubernetes", name(o))
			}
		case "ConfigMap":
			if settings := text(o, "data", "falloff.yaml"); !strings.Contains(settings, "s3_encryption: demand\n") {
				found("%s does not say s3_encryption: demand", name(o))
			}
		case "PersistentVolumeClaim":
			if text(o, "metadata", "annotations", "helm.sh/resource-policy") != "keep" {
				found("%s: the vault would go with the release", name(o))
			}
		case "ExternalSecret":
		default:
			found("nobody thought of a %s", text(o, "kind"))
		}
	}
	for _, must := range []string{"everything else", "extraction", "server", "clients"} {
		if !policies[must] {
			found("no network policy says what %s may reach, or who may ask the server", must)
		}
	}
	// Clinics have CronJobs, or else there are workers.
	workers := kinds["Deployment"] - 1
	if workers < 0 || workers > 1 || (kinds["CronJob"] == 0) != (workers == 1) || kinds["PodDisruptionBudget"] != 1+workers || kinds["ServiceAccount"] != 3 {
		found("something is missing: %v", kinds)
	}
	return out
}

func deployment(o object, found func(string, ...any)) {
	if text(o, "spec", "replicas") != "1" || text(o, "spec", "strategy", "type") != "Recreate" {
		found("%s: replicas must be 1 and recreated: servers must not share an audit chain", name(o))
	}
	template := at(o, "spec", "template", "spec")
	container := pod(name(o), template, found)
	for probe, paths := range map[string][]string{"startupProbe": {"/readyz"}, "readinessProbe": {"/readyz"}, "livenessProbe": {"/healthz"}} {
		get := at(container, probe, "httpGet")
		if !slices.Contains(paths, text(get, "path")) || text(get, "scheme") != "HTTPS" || text(get, "port") != "https" {
			found("%s: the %s asks %s by %s, not %v by HTTPS", name(o), probe, text(get, "path"), text(get, "scheme"), paths)
		}
	}
	if grace, _ := at(template, "terminationGracePeriodSeconds").(uint64); grace < 35 { // ten for requests, twenty for the audit log
		found("%s has %d seconds to end", name(o), grace)
	}
}

// workerPods looks at the pods that read every clinic: any number of them, whose database's address nobody sees.
func workerPods(o object, found func(string, ...any)) {
	template := at(o, "spec", "template", "spec")
	container := pod(name(o), template, found)
	if grace, _ := at(template, "terminationGracePeriodSeconds").(uint64); grace < 120 { // nights may end, and a minute for those that are asked to
		found("%s has %d seconds to end", name(o), grace)
	}
	actor, secret := "", ""
	for _, variable := range list(container, "env") {
		switch text(variable, "name") {
		case "FALLOFF_ACTOR":
			actor = text(variable, "value")
		case "FALLOFF_DATABASE_URL":
			secret = text(variable, "valueFrom", "secretKeyRef", "name")
		}
	}
	if !strings.HasPrefix(actor, "service/") {
		found("%s: the actor of its audit records is %q", name(o), actor)
	}
	if secret == "" {
		found("%s: the database's address is not from a secret", name(o))
	}
}

func cronJob(o object, found func(string, ...any)) {
	job := at(o, "spec", "jobTemplate", "spec")
	if text(o, "spec", "concurrencyPolicy") != "Forbid" {
		found("%s: two could be at work at once", name(o))
	}
	if text(o, "spec", "timeZone") == "" || text(job, "activeDeadlineSeconds") == "" {
		found("%s has no zone, or no deadline", name(o))
	}
	last := list(job, "podFailurePolicy", "rules")
	if len(last) != 2 || text(last[1], "action") != "FailJob" || text(last[1], "onExitCodes", "operator") != "NotIn" || text(last[1], "onExitCodes", "values") != "[5 6 130]" {
		found("%s: exit codes other than 5, 6 and 130 are tried again", name(o))
	}
	template := at(job, "template", "spec")
	if text(template, "restartPolicy") != "Never" { // a pod failure policy holds with no other
		found("%s: pods are started again", name(o))
	}
	container := pod(name(o), template, found)
	actor := ""
	for _, variable := range list(container, "env") {
		if text(variable, "name") == "FALLOFF_ACTOR" {
			actor = text(variable, "value")
		}
	}
	if !strings.HasPrefix(actor, "service/") || len(actor) < 10 {
		found("%s: the actor of its audit records is %q", name(o), actor)
	}
}

var tagged = regexp.MustCompile(`:[0-9]+\.[0-9]+\.[0-9]+$|@sha256:[0-9a-f]{64}$`)

// pod looks at what every pod must be, and gives its container.
func pod(of string, spec any, found func(string, ...any)) any {
	containers := list(spec, "containers")
	if len(containers) != 1 || len(list(spec, "initContainers")) > 0 {
		found("%s has %d containers", of, len(containers))
		return nil
	}
	container := containers[0]
	for _, must := range []struct {
		of   any
		path string
		is   string
	}{
		{spec, "securityContext.runAsNonRoot", "true"}, {spec, "securityContext.runAsUser", "10001"}, {spec, "securityContext.seccompProfile.type", "RuntimeDefault"},
		{spec, "securityContext.fsGroupChangePolicy", "OnRootMismatch"}, {spec, "automountServiceAccountToken", "false"},
		{container, "securityContext.allowPrivilegeEscalation", "false"}, {container, "securityContext.readOnlyRootFilesystem", "true"},
		{container, "securityContext.privileged", "false"}, {container, "securityContext.capabilities.drop", "[ALL]"}, {container, "securityContext.capabilities.add", ""},
		{spec, "hostNetwork", ""}, {spec, "hostPID", ""}, {spec, "hostIPC", ""},
	} {
		if is := text(must.of, strings.Split(must.path, ".")...); is != must.is {
			found("%s: %s is %q, not %q (a token, seccomp, fsGroup, capabilities …)", of, must.path, is, must.is)
		}
	}
	if text(container, "resources", "limits", "memory") == "" || text(container, "resources", "requests", "cpu") == "" {
		found("%s has no limits", of)
	}
	if !tagged.MatchString(text(container, "image")) {
		found("%s: the image %s is not of one version", of, text(container, "image"))
	}
	volumes := map[string]any{}
	for _, v := range list(spec, "volumes") {
		volumes[text(v, "name")] = v
		if at(v, "hostPath") != nil {
			found("%s mounts the node's own disk", of)
		}
	}
	mounted := map[string]bool{}
	for _, m := range list(container, "volumeMounts") {
		path := text(m, "mountPath")
		mounted[path] = true
		v, ok := volumes[text(m, "name")]
		if !ok {
			found("%s mounts %s, which is no volume", of, text(m, "name"))
		}
		if memory := path == "/dev/shm" || path == "/tmp"; memory && (text(v, "emptyDir", "medium") != "Memory" || text(v, "emptyDir", "sizeLimit") == "") {
			found("%s: %s is not bounded memory, and what names patients lies there", of, path)
		}
		if secret := at(v, "secret") != nil || at(v, "configMap") != nil; secret && text(m, "readOnly") != "true" {
			found("%s can write to %s", of, path)
		}
	}
	for _, path := range []string{"/dev/shm", "/tmp", "/var/lib/falloff", "/var/cache/falloff", "/etc/falloff"} {
		if !mounted[path] {
			found("%s has no %s", of, path)
		}
	}
	return container
}

// network notes which policy this is, and says where one allows more than its part needs.
func network(o object, seen map[string]bool, found func(string, ...any)) {
	selector := at(o, "spec", "podSelector", "matchLabels")
	if selector == nil {
		selector = at(o, "spec", "endpointSelector", "matchLabels")
	}
	part := text(selector, "app.kubernetes.io/component")
	types := text(o, "spec", "policyTypes")
	switch {
	case text(selector, "app.kubernetes.io/instance") == "":
		found("%s selects pods of others", name(o))
		return
	case part == "" && types == "[Ingress Egress]" && at(o, "spec", "ingress") == nil && at(o, "spec", "egress") == nil:
		seen["everything else"] = true
		return
	case part == "server" && types == "[Ingress]":
		for _, rule := range list(o, "spec", "ingress") {
			for _, from := range list(rule, "from") {
				if at(from, "namespaceSelector", "matchLabels") == nil || at(from, "podSelector", "matchLabels") == nil {
					found("%s lets any pod ask", name(o))
					return
				}
			}
			seen["clients"] = len(list(rule, "from")) > 0 && len(list(rule, "ports")) == 1
		}
		return
	}
	seen[part] = true
	for _, rule := range list(o, "spec", "egress") {
		peers := append(append(list(rule, "to"), list(rule, "toFQDNs")...), list(rule, "toEndpoints")...)
		if len(peers) == 0 || len(list(rule, "ports"))+len(list(rule, "toPorts")) == 0 {
			found("%s allows everything in one rule", name(o))
		}
		for _, peer := range peers {
			address := text(peer, "ipBlock", "cidr") + text(peer, "matchName")
			switch {
			case at(peer, "matchPattern") != nil:
				found("%s allows a pattern of names", name(o))
			case address == "" && (at(peer, "namespaceSelector") != nil || at(peer, "matchLabels") != nil): // the cluster's own resolver
			case part == "server" && address == "login.clinic.example": // the example's issuer
			case !slices.Contains(reaches[part], meaning[address]):
				found("%s reaches %q", name(o), address)
			}
		}
		for _, port := range list(rule, "toPorts") {
			for _, asked := range list(port, "rules", "dns") {
				if at(asked, "matchPattern") != nil {
					found("%s lets a pattern of names be asked for", name(o))
				}
			}
		}
	}
}
