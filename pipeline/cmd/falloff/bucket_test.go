package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// TestEverythingInABucket has lake and backup in buckets of a real S3 server, and tries what is said of them: that a backup comes back, that
// the doctor finds nothing to mend but what is not set up here, and a report.
func TestEverythingInABucket(t *testing.T) {
	dir := t.TempDir()
	config, bucket := storetest.Gateway(t)
	t.Setenv("FALLOFF_ACTOR", "ada")
	t.Setenv("AWS_ENDPOINT_URL", *config.BaseEndpoint)
	t.Setenv("AWS_REGION", storetest.Region)
	t.Setenv("AWS_ACCESS_KEY_ID", storetest.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", storetest.SecretKey)
	falloff := func(want int, args ...string) string {
		t.Helper()
		var stdout, stderr strings.Builder
		if code := run(context.WithoutCancel(t.Context()), args, strings.NewReader(""), &stdout, &stderr); code != want {
			t.Fatalf("falloff %v: %d, %s\n%s", args, code, stderr.String(), stdout.String())
		}
		return stdout.String() + stderr.String()
	}
	says := func(text string, wanted ...string) {
		t.Helper()
		for _, want := range wanted {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not said:\n%s", want, text)
			}
		}
	}
	lake, second := "s3://"+bucket+"/lake", "s3://"+bucket+"/second"
	settings := []string{"--lake", lake, "--config-dir", filepath.Join(dir, "config")}
	where := append([]string{"--clinic", "c"}, settings...)
	at := func(command ...string) []string { return append(command, where...) }
	reports := filepath.Join(dir, "reports")
	falloff(exitOK, "simclinic", "export", "--seed", "7", "--patients", "50", "--from", "2025-11-01", "--out", reports, "--truth", filepath.Join(dir, "truth.csv"), "-q")
	falloff(exitOK, at("import", "-q", reports)...)
	falloff(exitOK, at("build", "-q")...)
	falloff(exitOK, at("backup", "--to", second)...)
	says(falloff(exitOK, at("backup", "rehearse", "--from", second)...), "comes back, at commit ", "the lake says the same")
	says(falloff(exitOK, append([]string{"doctor"}, settings...)...), "ok    lake ", lake+" can be read and written", "ok    clock ", "ok    clinic c ")
	says(falloff(exitOK, append([]string{"status"}, settings...)...), "c       imported  2025-12-31")
	out := filepath.Join(dir, "report.html")
	says(falloff(exitOK, at("report", "--month", "2025-12", "--out", out)...), out)
}
