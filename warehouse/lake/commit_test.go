package lake_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// richCommit is the stored form of a commit that uses every part.
func richCommit(t testing.TB) (store *storetest.Memory, body []byte) {
	t.Helper()
	store = new(storetest.Memory)
	clinic := openClinic(t, store)
	_, err := clinic.Update(context.Background(), lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
		if _, err := lake.Upsert(ctx, tx, lake.InvoiceLines, lake.Batch[contract.InvoiceLine]{Rows: []contract.InvoiceLine{
			{InvoiceNumber: "1-P01", Item: "Visit", PurchaseDate: day("2026-01-05"), TotalCents: 9500, ObservedOn: day("2026-01-06")}}}); err != nil {
			return err
		}
		for _, b := range []appointments{
			{Rows: visits("1/0 2026-01-05 booked @2026-01-01", "2/0 2026-02-05 booked @2026-01-01")},
			{Covers: []lake.Cover{cover("2026-01-01", "2026-01-31", "2026-01-06")}},
		} {
			if _, err := lake.Upsert(ctx, tx, lake.Appointments, b); err != nil {
				return err
			}
		}
		if _, err := lake.Upsert(ctx, tx, lake.Policies, lake.Batch[contract.Policy]{
			Rows: []contract.Policy{{Patient: "p1", ObservedOn: day("2026-01-06")}}, Covers: []lake.Cover{{ObservedOn: date("2026-01-06")}}}); err != nil {
			return err
		}
		tx.AdvanceAsOf(date("2026-01-06"))
		tx.AdvanceAsOf(date("2026-01-05"))
		tx.SetQuarantine("appointments", map[string]int64{"no_date": 2})
		tx.SetChecks([]lake.Check{{Name: "identity", Passed: true}})
		if err := tx.SetSource("portal", map[string]any{"through": "2026-01-06"}); err != nil {
			return err
		}
		return tx.PutSettings(ctx, []byte("clinic: x\n"))
	})
	if err != nil {
		t.Fatal(err)
	}
	body, err = store.Get(context.Background(), "clinic=harbour-street/commits/000000000001.json")
	if err != nil {
		t.Fatal(err)
	}
	return store, body
}

func TestACommitSaysWhatItMust(t *testing.T) {
	store, body := richCommit(t)
	var c struct {
		Format    int
		Number    int64
		Parent    *int64
		CreatedAt string `json:"created_at"`
		Kind      string
		AsOf      string `json:"as_of"`
		Datasets  map[string]struct {
			Objects []struct {
				Path, Month, Schema string
				Bytes, Rows         int64
				Totals              map[string]int64
			}
			Removed *struct{ Path string }
			Covers  []map[string]string
		}
		Sources    map[string]json.RawMessage
		Settings   struct{ Path string }
		Checks     []map[string]any
		Quarantine map[string]map[string]int64
	}
	if err := json.Unmarshal(body, &c); err != nil { //nolint:musttag // names match but for case
		t.Fatal(err)
	}
	if c.Format != 1 || c.Number != 1 || c.Parent == nil || *c.Parent != 0 || c.CreatedAt != "2026-09-01T12:00:00Z" || c.Kind != "ingest" || c.AsOf != "2026-01-06" {
		t.Errorf("%s", body)
	}
	appts := c.Datasets["appointments"]
	if len(appts.Objects) != 1 || appts.Objects[0].Month != "2026-02" || appts.Objects[0].Rows != 1 || appts.Objects[0].Bytes == 0 || appts.Objects[0].Schema == "" || appts.Removed == nil {
		t.Errorf("%+v", appts)
	}
	if want := []map[string]string{{"from": "2026-01-01", "to": "2026-01-31", "observed_on": "2026-01-06"}}; !reflect.DeepEqual(appts.Covers, want) {
		t.Errorf("covers %v", appts.Covers)
	}
	if want := []map[string]string{{"observed_on": "2026-01-06"}}; !reflect.DeepEqual(c.Datasets["policies"].Covers, want) {
		t.Errorf("covers of policies %v", c.Datasets["policies"].Covers)
	}
	if got := c.Datasets["invoice_lines"].Objects[0].Totals["total_cents"]; got != 9500 {
		t.Errorf("total %d", got)
	}
	if string(c.Sources["portal"]) != `{"through":"2026-01-06"}` || c.Quarantine["appointments"]["no_date"] != 2 || len(c.Checks) != 1 {
		t.Errorf("%s", body)
	}
	if got, err := store.Get(t.Context(), "clinic=harbour-street/"+c.Settings.Path); err != nil || string(got) != "clinic: x\n" {
		t.Errorf("settings %q, %v", got, err)
	}
	commit, err := lake.DecodeCommit(body)
	if err != nil {
		t.Fatal(err)
	}
	again, err := lake.EncodeCommit(commit)
	if err != nil || !bytes.Equal(again, body) {
		t.Errorf("encoded again (%v):\n%s\n%s", err, again, body)
	}
}

func TestCommitsOfTheFuture(t *testing.T) {
	_, body := richCommit(t)
	known, err := lake.DecodeCommit(body)
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Replace(string(body), `"number":1,`, `"number":1,"signature":{"by":"x"},`, 1)
	fields = strings.Replace(fields, `"path":`, `"iceberg":[1,2],"path":`, 1)
	if fields == string(body) {
		t.Fatal("nothing was added")
	}
	got, err := lake.DecodeCommit([]byte(fields))
	if err != nil || !reflect.DeepEqual(got, known) {
		t.Errorf("unknown fields: %v", err)
	}
	format := strings.Replace(string(body), `"format":1`, `"format":5`, 1)
	if _, err := lake.DecodeCommit([]byte(format)); err == nil || !strings.Contains(err.Error(), "newer falloff") || errors.Is(err, lake.ErrDamaged) {
		t.Errorf("a newer format: %v", err)
	}
	if _, err := lake.DecodeCommit([]byte(`{"format":5,"number":"one"}`)); err == nil || !strings.Contains(err.Error(), "newer falloff") {
		t.Errorf("a newer format that does not parse: %v", err)
	}
}

func TestDamagedCommits(t *testing.T) {
	store, body := richCommit(t)
	name := "clinic=harbour-street/commits/000000000001.json"
	clinic := openClinic(t, store)
	swap := func(from, to string) string {
		t.Helper()
		if !strings.Contains(string(body), from) {
			t.Fatalf("no %s in %s", from, body)
		}
		return strings.Replace(string(body), from, to, 1)
	}
	appts := strings.Index(string(body), `data/appointments/month=2026-02/`) + len(`data/appointments/month=2026-02/`)
	hash := string(body)[appts : appts+52]
	for name, damaged := range map[string]string{
		"empty":                       "",
		"half of it":                  string(body[:len(body)/2]),
		"zeroes":                      string(make([]byte, 100)),
		"no object":                   "[]",
		"null":                        "null",
		"two of them":                 string(body) + string(body),
		"another number":              swap(`"number":1,"parent":0`, `"number":2,"parent":1`),
		"a parent that is not before": swap(`"parent":0`, `"parent":5`),
		"a negative number":           swap(`"number":1,"parent":0`, `"number":-1,"parent":-2`),
		"no kind":                     swap(`"kind":"ingest"`, `"kind":""`),
		"a path out of the clinic":    swap("data/appointments/month=2026-02/"+hash, "../clinic=other/data/appointments/month=2026-02/"+hash),
		"a path of another dataset":   swap("data/appointments/month=2026-02/", "data/claims/month=2026-02/"),
		"a path of another month":     swap("month=2026-02/", "month=2026-03/"),
		"a path that is no hash":      swap(hash, "secrets"),
		"a month that is none":        swap(`"month":"2026-02"`, `"month":"2026-13"`),
		"rows below zero":             swap(`"rows":1`, `"rows":-1`),
		"a cover backwards":           swap(`"from":"2026-01-01"`, `"from":"2026-02-01"`),
		"a dataset's name":            swap(`"appointments":{"objects"`, `"../x":{"objects"`),
		"bytes as text":               swap(`"bytes":`, `"bytes":"x","was":`),
	} {
		replace(t, store, "clinic=harbour-street/commits/000000000001.json", []byte(damaged))
		_, err := clinic.Head(t.Context())
		if !errors.Is(err, lake.ErrDamaged) || !strings.Contains(err.Error(), "commit 1 of clinic harbour-street") || !strings.Contains(err.Error(), "backup") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := clinic.Update(t.Context(), lake.Ingest, func(context.Context, *lake.Tx) error { return nil }); !errors.Is(err, lake.ErrDamaged) {
			t.Errorf("%s: an update went on: %v", name, err)
		}
	}
	replace(t, store, name, body)
	if _, err := clinic.Head(t.Context()); err != nil {
		t.Error(err)
	}
}

// A commit is read from outside: whatever the bytes, decoding ends with a commit or an error, and a commit that decodes
// comes through encoding unchanged.
func FuzzDecodeCommit(f *testing.F) {
	_, body := richCommit(f)
	f.Add(body)
	f.Add([]byte(`{"format":1,"number":1,"parent":0,"kind":"ingest","created_at":"2026-09-01T12:00:00Z","writer":""}`))
	f.Add([]byte(`{"format":1,"number":1,"kind":"build","as_of":"2026-02-30"}`))
	f.Add([]byte(`{"format":1,"number":2,"parent":1,"kind":"build","marts":{"a":{"path":"marts/a/x","input":1}}}`))
	f.Add([]byte(`{"format":1,"number":1,"kind":"x","datasets":{"a":{"covers":[{"observed_on":"0001-01-01"}]}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := lake.DecodeCommit(body)
		if err != nil {
			return
		}
		once, err := lake.EncodeCommit(c)
		if err != nil {
			t.Fatalf("decoded, but cannot be encoded: %v", err)
		}
		again, err := lake.DecodeCommit(once)
		if err != nil {
			t.Fatalf("encoded, but cannot be decoded: %v\n%s", err, once)
		}
		twice, err := lake.EncodeCommit(again)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%v\n%s\n%s", err, once, twice)
		}
	})
}
