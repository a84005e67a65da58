package infra_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// instruction is one of a Dockerfile: `RUN`, and what follows it in one line.
type instruction struct{ name, rest string }

// stages parts a Dockerfile into stages, the arguments before the first as stage 0.
func stages(text string) [][]instruction {
	out := [][]instruction{nil}
	var plain []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			plain = append(plain, line)
		}
	}
	for line := range strings.SplitSeq(strings.ReplaceAll(strings.Join(plain, "\n"), "\\\n", " "), "\n") {
		name, rest, _ := strings.Cut(line, " ")
		if name == "FROM" {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], instruction{name, strings.Join(strings.Fields(rest), " ")})
	}
	return out
}

// last is what the last instruction of a name in a stage says.
func last(stage []instruction, name string) string {
	for _, i := range slices.Backward(stage) {
		if i.name == name {
			return i.rest
		}
	}
	return ""
}

func dockerfileFindings(text string) (out []string) {
	found := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	all := stages(text)
	if len(all) != 4 || !strings.HasSuffix(all[len(all)-1][0].rest, "AS falloff") {
		found("the stages are not build, s3 and falloff")
		return out
	}
	for _, i := range all[0] {
		if image, ok := strings.CutPrefix(i.rest, "DEBIAN="); i.name == "ARG" && ok && !regexp.MustCompile(`^debian:[0-9]+-slim$`).MatchString(image) {
			found("the image is based on %s", image)
		}
		if strings.Contains(i.rest, ":latest") {
			found("%s is of no version", i.rest)
		}
	}
	for n, stage := range all[1:] {
		if from := stage[0].rest; !strings.HasPrefix(from, "${GO} ") && !strings.HasPrefix(from, "${DEBIAN} ") {
			found("stage %d is built from %s", n, from)
		}
		for _, i := range stage {
			switch {
			case i.name == "ADD":
				found("ADD takes from anywhere: %s", i.rest)
			case i.name == "COPY" && strings.HasPrefix(i.rest, ". "):
				found("everything is copied: %s", i.rest)
			case (i.name == "ARG" || i.name == "ENV") && regexp.MustCompile(`(?i)pass|secret|token|key`).MatchString(i.rest):
				found("a secret would stay in the image: %s", i.rest)
			case i.name == "RUN" && strings.Contains(i.rest, "apt-get install"):
				if !strings.Contains(i.rest, "--no-install-recommends") || !strings.Contains(i.rest, "rm -rf /var/lib/apt/lists/*") {
					found("packages leave things behind: %s", i.rest)
				}
				for _, pinned := range []string{"chromium-headless-shell", "tini"} {
					if !regexp.MustCompile(pinned + `=\$\{[A-Z]+\}`).MatchString(i.rest) {
						found("%s is of any version", pinned)
					}
				}
			case i.name == "RUN" && regexp.MustCompile(`curl|wget|\| *(ba)?sh\b|sudo|chmod 777`).MatchString(i.rest):
				found("it runs what nobody has looked at: %s", i.rest)
			}
		}
		if n == 0 {
			continue
		}
		if user := last(stage, "USER"); user != "10001:10001" {
			found("stage %d runs as %q", n, user)
		}
		var entry []string
		if err := json.Unmarshal([]byte(last(stage, "ENTRYPOINT")), &entry); err != nil {
			found("stage %d: the entry point is a shell's: %v", n, err)
		}
	}
	image := all[3]
	if entry := last(image, "ENTRYPOINT"); entry != `["/usr/bin/tini", "--", "/usr/local/bin/falloff"]` {
		found("nobody reaps what Chromium leaves: the entry point is %s", entry)
	}
	if health := last(image, "HEALTHCHECK"); !strings.Contains(health, `CMD ["/usr/local/bin/falloff", "ready"`) || !strings.Contains(health, "--timeout=5s") {
		found("the health check is %s", health)
	}
	if !strings.Contains(last(all[1], "RUN"), "-tags duckdb_arrow") || !strings.Contains(last(all[1], "RUN"), "-trimpath") {
		found("the program is built without its tag, or names the builder's paths")
	}
	return out
}

func TestTheImageKeepsItsRules(t *testing.T) {
	text := read(t, "Dockerfile")
	for _, finding := range dockerfileFindings(text) {
		t.Error(finding)
	}
	for _, c := range []struct{ old, new, sees string }{
		{"USER 10001:10001\nEXPOSE", "EXPOSE", "runs as"},
		{"ARG DEBIAN=debian:12-slim", "ARG DEBIAN=debian:latest", "latest"},
		{"chromium-headless-shell=${CHROMIUM}", "chromium-headless-shell", "any version"},
		{"--no-install-recommends", "", "leave things behind"},
		{`ENTRYPOINT ["/usr/bin/tini", "--", "/usr/local/bin/falloff"]`, `ENTRYPOINT /usr/local/bin/falloff`, "reaps"},
		{"HEALTHCHECK ", "LABEL ", "health check"},
		{"COPY pipeline pipeline", "COPY . .", "everything is copied"},
		{"ENV HOME=/tmp", "ENV FALLOFF_TOKEN=x", "secret"},
		{"-tags duckdb_arrow ", "", "without its tag"},
	} {
		if !strings.Contains(text, c.old) {
			t.Errorf("the Dockerfile has no %q any more", c.old)
		}
		if seen := strings.Join(dockerfileFindings(strings.Replace(text, c.old, c.new, 1)), "\n"); !strings.Contains(seen, c.sees) {
			t.Errorf("%q is not seen: %s", c.new, seen)
		}
	}
}

// What the build takes must be all that the programs are made of, and the context must let it through.
func TestTheImageIsBuiltOfWhatItNeeds(t *testing.T) {
	listed := exec.CommandContext(t.Context(), "go", "list", "-tags", "duckdb_arrow", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}} {{.EmbedFiles}}{{end}}", "../pipeline/cmd/falloff", "./s3server")
	out, err := listed.Output()
	if err != nil {
		t.Fatal(err)
	}
	var copied []string
	for _, i := range stages(read(t, "Dockerfile"))[1] {
		if from, _, ok := strings.Cut(i.rest, " "); i.name == "COPY" && ok && from != "go.mod" {
			copied = append(copied, from)
		}
	}
	ignored := read(t, "Dockerfile.dockerignore")
	for _, from := range append(copied, "go.mod", "go.sum", "LICENSE") {
		if _, err := os.Stat(filepath.Join("..", from)); err != nil {
			t.Errorf("the build copies what is not there: %v", err)
		}
		if !strings.Contains(ignored, "\n!"+from+"\n") {
			t.Errorf("the build's context leaves %s out", from)
		}
	}
	const module = "github.com/falloff-analytics/falloff/"
	ours := 0
	for line := range strings.Lines(string(out)) {
		path, embedded, _ := strings.Cut(strings.TrimSpace(line), " ")
		folder, ok := strings.CutPrefix(path, module)
		if !ok {
			continue
		}
		ours++
		if !slices.ContainsFunc(copied, func(from string) bool { return folder == from || strings.HasPrefix(folder, from+"/") }) {
			t.Errorf("the build does not copy %s", folder)
		}
		if strings.Contains(embedded, "testdata/") || strings.Contains(embedded, "_test.go") {
			t.Errorf("%s embeds what the build's context leaves out: %s", folder, embedded)
		}
	}
	if ours < 20 {
		t.Fatalf("only %d packages of ours were listed", ours)
	}
}

type service struct {
	Image        string
	NetworkMode  string   `yaml:"network_mode"`
	ReadOnly     bool     `yaml:"read_only"`
	Capabilities []string `yaml:"cap_drop"`
	Security     []string `yaml:"security_opt"`
	Tmpfs        []string
	Privileged   bool
	Ports        []string
	Volumes      []string
	Environment  map[string]string
	Command      []string
	Build        struct{ Context, Dockerfile, Target string }
}

func composeFindings(t *testing.T, text string) (out []string) {
	t.Helper()
	found := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	var compose struct {
		Services map[string]service
		Volumes  map[string]any
	}
	if err := yaml.Unmarshal([]byte(text), &compose); err != nil {
		return []string{err.Error()}
	}
	for _, name := range []string{"s3", "server", "nightly", "worker", "cli", "portal", "prometheus", "grafana"} {
		s, ok := compose.Services[name]
		if !ok {
			found("there is no service %s", name)
			continue
		}
		if len(s.Ports) > 0 || s.NetworkMode != "host" {
			found("%s can be reached by other ways than this machine's loopback", name)
		}
		if s.Privileged {
			found("%s is privileged", name)
		}
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			_, named := compose.Volumes[from]
			if _, err := os.Stat(from); !named && err != nil && !strings.HasSuffix(from, "/dist") {
				found("%s mounts %s, which is not there", name, from)
			}
			if strings.HasPrefix(from, ".") && !strings.HasSuffix(v, ":ro") {
				found("%s can write to %s", name, from)
			}
		}
		if name == "grafana" {
			continue
		}
		if !s.ReadOnly || !slices.Equal(s.Capabilities, []string{"ALL"}) || !slices.Equal(s.Security, []string{"no-new-privileges:true"}) {
			found("%s is not shut in", name)
		}
		if name == "prometheus" {
			continue
		}
		if s.Build.Context != ".." || s.Build.Dockerfile != "infra/Dockerfile" || !strings.Contains(read(t, "Dockerfile"), " AS "+s.Build.Target+"\n") {
			found("%s is built from %+v", name, s.Build)
		}
		if name != "s3" && (len(s.Tmpfs) != 1 || !strings.HasPrefix(s.Tmpfs[0], "/tmp:")) {
			found("%s has no memory for what is temporary", name)
		}
	}
	for _, address := range regexp.MustCompile(`\b([0-9]+\.[0-9]+\.[0-9]+\.[0-9]+):`).FindAllStringSubmatch(text, -1) {
		if address[1] != "127.0.0.1" {
			found("something listens on %s", address[1])
		}
	}
	// The server and the S3 server must mean the same address, bucket and credentials.
	s3, server := compose.Services["s3"], compose.Services["server"]
	listen := s3.Command[slices.Index(s3.Command, "--listen")+1]
	if !strings.Contains(server.Environment["AWS_ENDPOINT_URL"], "http://"+listen) {
		found("the S3 server listens on %s, and is asked at %s", listen, server.Environment["AWS_ENDPOINT_URL"])
	}
	// So must the worker and its database, which lets in whoever reaches it.
	database, worker := compose.Services["postgres"], compose.Services["worker"]
	port := ""
	for _, word := range database.Command {
		if at, ok := strings.CutPrefix(word, "port="); ok {
			port = at
		}
	}
	if !slices.Contains(database.Command, "listen_addresses=127.0.0.1") || len(database.Ports) > 0 || !slices.Equal(database.Capabilities, []string{"ALL"}) {
		found("the worker's database is not shut in")
	}
	if port == "" || !strings.Contains(worker.Environment["FALLOFF_DATABASE_URL"], "@127.0.0.1:"+port+"/") {
		found("the database listens on port %q, and is asked at %s", port, worker.Environment["FALLOFF_DATABASE_URL"])
	}
	gateway := read(t, "../warehouse/lake/storetest/gateway.go")
	for variable, constant := range map[string]string{"AWS_ACCESS_KEY_ID": "AccessKey", "AWS_SECRET_ACCESS_KEY": "SecretKey", "AWS_REGION": "Region"} {
		is := regexp.MustCompile(`\b` + constant + ` += "(.*)"`).FindStringSubmatch(gateway)[1]
		if !strings.HasSuffix(server.Environment[variable], ":-"+is+"}") {
			found("%s is %s, the S3 server's %s", variable, server.Environment[variable], is)
		}
	}
	bucket := s3.Command[slices.Index(s3.Command, "--bucket")+1]
	if settings := read(t, "compose/settings/falloff.yaml"); !strings.Contains(settings, "lake: s3://"+bucket+"/") {
		found("the lake is not in the bucket %s", bucket)
	}
	return out
}

func TestComposeKeepsItsRules(t *testing.T) {
	text := read(t, "compose.yaml")
	for _, finding := range composeFindings(t, text) {
		t.Error(finding)
	}
	for _, c := range []struct{ old, new, sees string }{
		{"  read_only: true\n", "", "not shut in"},
		{"./compose/settings:/etc/falloff:ro", "./compose/settings:/etc/falloff", "can write"},
		{"./compose/settings:", "./compose/setings:", "not there"},
		{"target: s3", "target: s4", "is built from"},
		{`"--listen", "127.0.0.1:7070"`, `"--listen", "0.0.0.0:7070"`, "listens on 0.0.0.0"},
		{":-falloff-test-secret}", ":-secret}", "AWS_SECRET_ACCESS_KEY"},
		{`tmpfs: ["/tmp:mode=1777,size=512m"]`, `tmpfs: []`, "no memory"},
		{"cap_drop: [ALL]", "cap_drop: []", "not shut in"},
		{"listen_addresses=127.0.0.1", "listen_addresses=*", "database is not shut in"},
		{"port=5433", "port=5432", "listens on port"},
	} {
		if !strings.Contains(text, c.old) {
			t.Errorf("compose.yaml has no %q any more", c.old)
		}
		if seen := strings.Join(composeFindings(t, strings.Replace(text, c.old, c.new, 1)), "\n"); !strings.Contains(seen, c.sees) {
			t.Errorf("%q is not seen: %s", c.new, seen)
		}
	}
}
