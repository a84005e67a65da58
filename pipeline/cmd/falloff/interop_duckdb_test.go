package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// anotherDuckDB runs the script that it is given first, then the question, and prints the answer.
const anotherDuckDB = `
import sys, duckdb
from duckdb_extensions import import_extension
for name in ("httpfs", "aws"):
    import_extension(name)
db = duckdb.connect()
db.execute(open(sys.argv[1]).read())
print(db.sql(sys.argv[2]).fetchall()[0][0])
`

// TestAnotherDuckDBReadsTheLakeInS3 has a DuckDB that is not ours run the script of falloff sql --init over a bucket of a real S3
// server, and compares its answer with falloff's own.
func TestAnotherDuckDBReadsTheLakeInS3(t *testing.T) {
	if os.Getenv(interopEnv) == "" {
		t.Log("NOT RUN: another DuckDB over a lake in S3; `make interop` runs it")
		return
	}
	python, err := filepath.Abs("../../../.bin/duckdb/bin/python3")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(python); err != nil {
		t.Fatalf("%v: run infra/setup/duckdb.sh", err)
	}
	dir := t.TempDir()
	config, bucket := storetest.Gateway(t)
	t.Setenv("AWS_ENDPOINT_URL", *config.BaseEndpoint)
	t.Setenv("AWS_REGION", storetest.Region)
	t.Setenv("AWS_ACCESS_KEY_ID", storetest.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", storetest.SecretKey)
	t.Setenv("HOME", dir) // its extensions go there
	falloff := func(args ...string) string {
		t.Helper()
		var stdout, stderr strings.Builder
		if code := run(context.WithoutCancel(t.Context()), args, strings.NewReader(""), &stdout, &stderr); code != 0 {
			t.Fatalf("falloff %v: %d, %s", args, code, stderr.String())
		}
		return stdout.String()
	}
	reports, script := filepath.Join(dir, "reports"), filepath.Join(dir, "lake.sql")
	where := []string{"--lake", "s3://" + bucket + "/lake", "--clinic", "c", "--config-dir", filepath.Join(dir, "config")}
	falloff("simclinic", "export", "--seed", "7", "--patients", "50", "--from", "2025-10-01", "--out", reports, "--truth", filepath.Join(dir, "truth.csv"), "-q")
	falloff(append([]string{"import", "-q", reports}, where...)...)
	falloff(append([]string{"build", "-q"}, where...)...)
	if err := os.WriteFile(script, []byte(falloff(append([]string{"sql", "--init"}, where...)...)), 0o600); err != nil {
		t.Fatal(err)
	}
	const question = "select concat_ws(' ', count(*), sum(total_cents), (select sum(amount_cents) from marts.leak_ledger)) from lake.invoice_lines"
	cmd := exec.CommandContext(t.Context(), python, "-c", anotherDuckDB, script, question)
	cmd.Stderr = os.Stderr
	theirs, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	ours := falloff(append([]string{"sql", "--format", "csv", "-c", question}, where...)...)
	if _, answer, _ := strings.Cut(strings.TrimSpace(ours), "\n"); answer == "" || strings.TrimSpace(string(theirs)) != answer {
		t.Errorf("another DuckDB says %q, falloff %q", strings.TrimSpace(string(theirs)), answer)
	}
}
