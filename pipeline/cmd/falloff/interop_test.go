package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/civil"
	icebergconfig "github.com/apache/iceberg-go/config"
	"github.com/aws/aws-sdk-go-v2/aws"
	_ "github.com/duckdb/duckdb-go/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/iceberg"
	"github.com/falloff-analytics/falloff/warehouse/lake/iceberg/icebergtest"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// interopEnv asks for the tests that need what infra/setup/spark.sh installs. `make interop` sets it.
const interopEnv = "FALLOFF_INTEROP"

// TestSparkReadsTheLake has Apache Spark read lakes with everything that can happen to a table, in a folder and in a bucket, and in the
// long suite all of a simulated clinic's, and compares what each column holds at each commit with what DuckDB reads out of the objects that the commit names.
func TestSparkReadsTheLake(t *testing.T) {
	if os.Getenv(interopEnv) == "" {
		t.Log("NOT RUN: Apache Spark over the lake; `make interop` runs it")
		return
	}
	// The S3 server of the tests works in a folder of its own, and so does this process then.
	spark := installedSpark(t)
	lakes := map[string]*sparkLake{
		"changes": changingLake(t, openFolder),
		"bucket":  changingLake(t, openBucket),
	}
	if os.Getenv("FALLOFF_LONG") != "" { // every dataset and mart, at some seventy queries more
		lakes["clinic"] = simulatedLake(t)
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	job := sparkJob{Conf: spark.conf(t), Queries: map[string]string{}}
	want := map[string][][]string{}
	for _, name := range slices.Sorted(maps.Keys(lakes)) {
		lakes[name].ask(t, db, name, &job, want)
	}
	got := spark.run(t, job)
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if diff := cmp.Diff(want[name], got[name]); diff != "" {
			t.Errorf("%s\n%s\nDuckDB, then Spark:\n%s", name, job.Queries[name], diff)
		}
	}
	t.Logf("%d answers were compared", len(want))
}

// sparkLake is a clinic whose Iceberg tables Spark reads.
type sparkLake struct {
	clinic *lake.Clinic
	tables []iceberg.Table
	conf   map[string]string
	byTime bool
}

// sparkJob is what testdata/spark.py does.
type sparkJob struct {
	Conf    map[string]string `json:"conf"`
	Queries map[string]string `json:"queries"`
}

// spark is what infra/setup/spark.sh installed, by absolute paths.
type spark struct {
	python, script string
	jars           []string
}

func installedSpark(t *testing.T) spark {
	t.Helper()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	jars, err := filepath.Glob(filepath.Join(root, ".bin", "jars", "*.jar"))
	if err != nil || len(jars) != 2 {
		t.Fatalf("%d jars are in .bin/jars (%v): run infra/setup/spark.sh", len(jars), err)
	}
	return spark{
		python: filepath.Join(root, ".bin", "spark", "bin", "python3"),
		script: filepath.Join(root, "warehouse", "lake", "iceberg", "testdata", "spark.py"), jars: jars,
	}
}

func (s spark) conf(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{
		"spark.jars":                         strings.Join(s.jars, ","),
		"spark.sql.extensions":               "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
		"spark.sql.session.timeZone":         "UTC",
		"spark.ui.enabled":                   "false",
		"spark.driver.bindAddress":           "127.0.0.1",
		"spark.driver.host":                  "127.0.0.1",
		"spark.driver.memory":                "1g",
		"spark.sql.shuffle.partitions":       "1",
		"spark.sql.warehouse.dir":            t.TempDir(),
		"spark.local.dir":                    t.TempDir(),
		"spark.sql.adaptive.enabled":         "false",
		"spark.sql.codegen.wholeStage":       "false",
		"spark.driver.extraJavaOptions":      "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
		"spark.sql.iceberg.locality.enabled": "false",
	}
}

func (s spark) run(t *testing.T, j sparkJob) map[string][][]string {
	t.Helper()
	body, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "answers.json")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, s.python, s.script, out)
	command.Stdin = bytes.NewReader(body)
	command.Dir = t.TempDir()
	// Another Spark of this machine is not the one that was installed for this.
	command.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.Contains(v, "SPARK") })
	command.Env = append(command.Env, "SPARK_LOCAL_IP=127.0.0.1", "PYSPARK_PYTHON="+s.python)
	command.WaitDelay = time.Minute
	if said, err := command.CombinedOutput(); err != nil {
		t.Fatalf("Spark: %v\n%s", err, said)
	}
	answers, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(answers, &raw); err != nil {
		t.Fatal(err)
	}
	got := map[string][][]string{}
	for name, answer := range raw {
		var rows [][]*string
		if json.Unmarshal(answer, &rows) != nil {
			t.Errorf("%s\n%s\nSpark: %s", name, j.Queries[name], answer)
			continue
		}
		got[name] = texts(rows)
	}
	return got
}

func texts(rows [][]*string) [][]string {
	out := make([][]string, len(rows))
	for i, row := range rows {
		for _, v := range row {
			text := "null"
			if v != nil {
				text = *v
			}
			out[i] = append(out[i], text)
		}
	}
	return out
}

// ask adds a lake's queries to the job, and what DuckDB answers.
func (l *sparkLake) ask(t *testing.T, db *sql.DB, name string, job *sparkJob, want map[string][][]string) {
	t.Helper()
	maps.Copy(job.Conf, prefixed("spark.sql.catalog."+name, l.conf))
	head, err := l.clinic.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	files, commits := map[int64]*lake.Local{}, map[int64]*lake.Commit{}
	for n := int64(1); n <= head.Number; n++ {
		commit, err := l.clinic.At(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		commits[n] = commit
		if files[n], err = l.clinic.Snapshot(commit).Materialise(t.Context(), lake.Want{Folder: t.TempDir()}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = files[n].Close() })
	}
	for _, table := range l.tables {
		var shown []string // what the table showed at the commit before
		for n := int64(1); n <= head.Number; n++ {
			namespace, short, _ := strings.Cut(table.Name, ".")
			paths := files[n].Datasets[short]
			if namespace == "marts" {
				paths = files[n].Marts[short]
			}
			commit := commits[n]
			changed := !slices.Equal(objectsOf(commit, namespace, short), shown)
			shown = objectsOf(commit, namespace, short)
			if len(paths) == 0 {
				continue
			}
			from := name + "." + table.Name
			var at []string
			if l.byTime { // at its time every commit shows what it named, also where it did not change this table
				at = append(at, fmt.Sprintf("timestamp as of '%s'", commit.CreatedAt.UTC().Format("2006-01-02 15:04:05.000")))
			}
			switch {
			case n == head.Number:
				at = append(at, "")
			case changed:
				at = append(at, fmt.Sprintf("version as of 'commit-%d'", n))
			}
			if len(at) == 0 {
				continue
			}
			duck, spark := fingerprint(t, db, paths)
			answer := ask(t, db, duck)
			for _, when := range at {
				query := fmt.Sprintf(spark, from+" "+when)
				key := fmt.Sprintf("%s at commit %d, %s", from, n, when)
				job.Queries[key], want[key] = query, answer
			}
		}
	}
}

func prefixed(prefix string, conf map[string]string) map[string]string {
	out := map[string]string{prefix: "org.apache.iceberg.spark.SparkCatalog"}
	for k, v := range conf {
		out[prefix+"."+k] = v
	}
	return out
}

// objectsOf are the objects that a commit names of a table.
func objectsOf(commit *lake.Commit, namespace, table string) []string {
	var out []string
	if namespace == "marts" {
		if m, found := commit.Marts[table]; found {
			out = append(out, m.Path)
		}
		return out
	}
	for _, o := range commit.Datasets[table].Objects {
		out = append(out, o.Path)
	}
	slices.Sort(out)
	return out
}

// fingerprint gives two queries, for DuckDB and for Spark (with a place for the table), that say as text what every column of some
// files holds: how many values, their sum and range.
func fingerprint(t *testing.T, db *sql.DB, paths []string) (duck, spark string) {
	t.Helper()
	list := make([]string, len(paths))
	for i, p := range paths {
		list[i] = "'" + strings.ReplaceAll(p, "'", "''") + "'"
	}
	source := "read_parquet([" + strings.Join(list, ", ") + "], union_by_name = true, hive_partitioning = false)"
	ducks, sparks := []string{"count(*)::varchar"}, []string{"cast(count(*) as string)"}
	for _, column := range ask(t, db, "select column_name, column_type from (describe select * from "+source+")") {
		name, kind := column[0], column[1]
		d, s := `"`+name+`"`, "`"+name+"`"
		ducks = append(ducks, "count("+d+")::varchar")
		sparks = append(sparks, "cast(count("+s+") as string)")
		both := func(forms ...[2]string) {
			for _, f := range forms {
				ducks = append(ducks, strings.ReplaceAll(f[0], "$", d))
				sparks = append(sparks, strings.ReplaceAll(f[1], "$", s))
			}
		}
		switch {
		case kind == "VARCHAR":
			both([2]string{"min($)", "min($)"}, [2]string{"max($)", "max($)"},
				[2]string{"min(md5($))", "min(md5($))"},
				[2]string{"sum(instr('0123456789abcdef', substr(md5($), 1, 1)))::bigint::varchar", "cast(sum(instr('0123456789abcdef', substr(md5($), 1, 1))) as string)"},
				[2]string{"sum(strlen($))::bigint::varchar", "cast(sum(octet_length($)) as string)"})
		case kind == "DATE":
			both([2]string{"min($)::varchar", "cast(min($) as string)"}, [2]string{"max($)::varchar", "cast(max($) as string)"},
				[2]string{"sum($ - date '1970-01-01')::bigint::varchar", "cast(sum(datediff($, date '1970-01-01')) as string)"})
		case strings.HasPrefix(kind, "TIMESTAMP"):
			both([2]string{"min(epoch_us($))::varchar", "cast(min(unix_micros(cast($ as timestamp))) as string)"},
				[2]string{"max(epoch_us($))::varchar", "cast(max(unix_micros(cast($ as timestamp))) as string)"},
				[2]string{"sum(epoch_us($) // 1000000)::bigint::varchar", "cast(sum(unix_micros(cast($ as timestamp)) div 1000000) as string)"})
		case kind == "BOOLEAN":
			both([2]string{"count(*) filter (where $)::varchar", "cast(count_if($) as string)"})
		case kind == "DOUBLE", kind == "FLOAT":
			both([2]string{"sum(round($::double * 1000)::bigint)::bigint::varchar", "cast(sum(cast(round(cast($ as double) * 1000) as bigint)) as string)"})
		case strings.HasPrefix(kind, "DECIMAL"):
			both([2]string{"sum($)::decimal(38,6)::varchar", "cast(cast(sum($) as decimal(38,6)) as string)"})
		default: // whole numbers
			both([2]string{"sum($)::bigint::varchar", "cast(cast(sum($) as bigint) as string)"},
				[2]string{"min($)::varchar", "cast(min($) as string)"}, [2]string{"max($)::varchar", "cast(max($) as string)"})
		}
	}
	return "select " + strings.Join(ducks, ", ") + " from " + source, "select " + strings.Join(sparks, ", ") + " from %s"
}

// ask gives DuckDB's answer as text.
func ask(t *testing.T, db *sql.DB, query string) [][]string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%v\n%s", err, query)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var out [][]*string
	for rows.Next() {
		row, into := make([]*string, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		out = append(out, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return texts(out)
}

// falloff runs the program and gives what it printed.
func falloff(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr strings.Builder
	if code := run(t.Context(), args, strings.NewReader(""), &stdout, &stderr); code != 0 {
		t.Fatalf("falloff %s: code %d\n%s", strings.Join(args, " "), code, stderr.String())
	}
	return stdout.String()
}

// simulatedLake is a clinic's history, landed and built twice as a user would: once up to a day, then with what came after.
func simulatedLake(t *testing.T) *sparkLake {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("HOME", filepath.Join(dir, "home"))
	t.Setenv("XDG_CONFIG_HOME", "")
	where := []string{"--lake", filepath.Join(dir, "lake"), "--clinic", "c", "--unencrypted"}
	for _, to := range []string{"2025-11-30", "2026-02-28"} {
		out := filepath.Join(dir, "reports-"+to)
		falloff(t, "simclinic", "export", "-q", "--patients", "60", "--from", "2025-06-01", "--to", to, "--out", out, "--truth", out+".csv")
		falloff(t, append([]string{"import", "-q"}, append(where, out)...)...)
		falloff(t, append([]string{"build", "-q"}, where...)...)
		falloff(t, append([]string{"lake", "iceberg", "-q"}, where...)...)
	}
	var report iceberg.Report
	if err := json.Unmarshal([]byte(falloff(t, append([]string{"lake", "iceberg", "--json"}, where...)...)), &report); err != nil {
		t.Fatal(err)
	}
	store, err := lake.OpenStore(t.Context(), filepath.Join(dir, "lake"))
	if err != nil {
		t.Fatal(err)
	}
	clinic, err := lake.Open(store, "c", lake.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &sparkLake{clinic: clinic, tables: report.Tables, conf: map[string]string{"type": "hadoop", "warehouse": iceberg.Warehouse(clinic)}}
}

func openFolder(t *testing.T) (lake.Store, map[string]string) {
	t.Helper()
	store, err := lake.OpenStore(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return store, map[string]string{"type": "hadoop"}
}

func openBucket(t *testing.T) (lake.Store, map[string]string) {
	t.Helper()
	cfg, bucket := storetest.Gateway(t)
	store, err := lake.OpenS3(t.Context(), lake.S3Location{Bucket: bucket, Prefix: "lakes/one", Config: &cfg})
	if err != nil {
		t.Fatal(err)
	}
	// Spark by itself has no file system for S3, in which a Hadoop catalog lies. It takes the tables from a REST catalog, in which
	// they are registered, and reads metadata and objects with Iceberg's own.
	return store, map[string]string{
		"type": "rest", "uri": icebergtest.Catalog(t, store), "io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
		"s3.endpoint": aws.ToString(cfg.BaseEndpoint), "s3.path-style-access": "true", "client.region": storetest.Region,
		"s3.access-key-id": storetest.AccessKey, "s3.secret-access-key": storetest.SecretKey,
	}
}

// oldAppointment is an appointment before most of its columns were there.
type oldAppointment struct {
	AppointmentID int64   `parquet:"appointment_id"`
	Patient       *string `parquet:"patient,optional,dict"`
	ServiceDate   int32   `parquet:"service_date,date"`
	ObservedOn    int32   `parquet:"observed_on,date"`
}

func (a oldAppointment) whole() contract.Appointment {
	return contract.Appointment{AppointmentID: a.AppointmentID, Patient: a.Patient, ServiceDate: a.ServiceDate, ObservedOn: a.ObservedOn}
}
func (a oldAppointment) Key() string        { return a.whole().Key() }
func (a oldAppointment) Unit() string       { return a.whole().Unit() }
func (a oldAppointment) Day() int32         { return a.ServiceDate }
func (a oldAppointment) PatientRef() string { return "" }
func (a oldAppointment) Observed() int32    { return a.ObservedOn }

// changingLake makes commits in which columns and months come, change and go.
func changingLake(t *testing.T, open func(*testing.T) (lake.Store, map[string]string)) *sparkLake {
	t.Helper()
	store, conf := open(t)
	now := time.Date(2026, 4, 1, 6, 0, 0, 0, time.UTC)
	clinic, err := lake.Open(store, "c", lake.Options{
		NamingKey: []byte("a naming key of thirty-two bytes"), Now: func() time.Time { now = now.Add(time.Hour); return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	old, err := lake.NewTable[oldAppointment](contract.Appointments, "service_date", "appointment_id")
	if err != nil {
		t.Fatal(err)
	}
	day := func(month time.Month, d int) int32 {
		return contract.DayOf(civil.Date{Year: 2026, Month: month, Day: d})
	}
	commit := func(plan func(ctx context.Context, tx *lake.Tx) error) {
		t.Helper()
		if _, err := clinic.Update(t.Context(), lake.Ingest, plan); err != nil {
			t.Fatal(err)
		}
		if _, err := iceberg.Sync(t.Context(), clinic, iceberg.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	commit(func(ctx context.Context, tx *lake.Tx) error { // few columns
		var rows []oldAppointment
		for i := range 40 {
			rows = append(rows, oldAppointment{int64(i), new(fmt.Sprintf("p1_%d", i)), day(time.Month(1+i%2), 1+i%28), day(3, 1)})
		}
		if _, err := lake.Upsert(ctx, tx, old, lake.Batch[oldAppointment]{Rows: rows}); err != nil {
			return err
		}
		var lines []contract.InvoiceLine // text that no dictionary holds, and money
		for i := range 50 {
			lines = append(lines, contract.InvoiceLine{
				InvoiceNumber: fmt.Sprintf("%06d-C", i), Item: "visit", PurchaseDate: day(time.Month(1+i%3), 1+i%28), Patient: fmt.Sprintf("p1_%d", i),
				TotalCents: int64(100 * i), BalanceCents: int64(-i), Currency: "CAD", ObservedOn: day(3, 1),
			})
		}
		_, err := lake.Upsert(ctx, tx, lake.InvoiceLines, lake.Batch[contract.InvoiceLine]{Rows: lines})
		return err
	})
	commit(func(ctx context.Context, tx *lake.Tx) error { // more columns, in a new month only
		var rows []contract.Appointment
		for i := range 30 {
			at := int64(day(3, 1+i%28)) * 86_400_000_000
			rows = append(rows, contract.Appointment{
				AppointmentID: int64(1000 + i), State: "booked", ServiceDate: day(3, 1+i%28), StartsAt: at + int64(i), EndsAt: at + 3_600_000_000,
				FirstVisit: new(i%3 == 0), TimeZone: "America/Toronto", ObservedOn: day(3, 31),
			})
		}
		_, err := lake.Upsert(ctx, tx, lake.Appointments, lake.Batch[contract.Appointment]{Rows: rows})
		return err
	})
	commit(func(ctx context.Context, tx *lake.Tx) error { // a month changes, and an appointment moves into another
		_, err := lake.Upsert(ctx, tx, lake.Appointments, lake.Batch[contract.Appointment]{Rows: []contract.Appointment{
			{AppointmentID: 1000, State: "arrived", ServiceDate: day(3, 2), ObservedOn: day(4, 1)},
			{AppointmentID: 1001, State: "booked", ServiceDate: day(4, 2), ObservedOn: day(4, 1)},
		}})
		return err
	})
	commit(func(ctx context.Context, tx *lake.Tx) error { // a month goes
		_, err := lake.Upsert(ctx, tx, lake.Appointments, lake.Batch[contract.Appointment]{Covers: []lake.Cover{{
			From: civil.Date{Year: 2026, Month: 1, Day: 1}, To: civil.Date{Year: 2026, Month: 1, Day: 31}, ObservedOn: civil.Date{Year: 2026, Month: 4, Day: 2},
		}}})
		return err
	})
	commit(func(_ context.Context, tx *lake.Tx) error { return tx.SetSource("files", 1) }) // nothing for a table
	report, err := iceberg.Sync(t.Context(), clinic, iceberg.Options{Thorough: true})
	if err != nil {
		t.Fatal(err)
	}
	if conf["type"] == "hadoop" {
		conf["warehouse"] = iceberg.Warehouse(clinic)
		return &sparkLake{clinic: clinic, tables: report.Tables, conf: conf, byTime: true}
	}
	was := icebergconfig.EnvConfig.Catalogs
	t.Cleanup(func() { icebergconfig.EnvConfig.Catalogs = was })
	icebergconfig.EnvConfig.Catalogs = map[string]icebergconfig.CatalogConfig{"analysts": {CatalogType: "rest", URI: conf["uri"]}}
	if err := iceberg.Register(t.Context(), "analysts", report); err != nil {
		t.Fatal(err)
	}
	return &sparkLake{clinic: clinic, tables: report.Tables, conf: conf, byTime: true}
}
