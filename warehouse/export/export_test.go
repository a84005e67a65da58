package export

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// nasty are texts that files and spreadsheets trip over.
var nasty = []string{
	"", "'", "''", "'''", "=1+1", "'=1+1", "''=1", "+1", "-1", "@x", "\t=1", "\r", "\n", "\r\n", "a\r\nb", "a\n=b", ";", ";=", "';='", "|'-", "a;'=b",
	" =1", "\u00a0'=1", "\ufeff=1", "\u200b", "\u202e=x", "＝1", "'＝1", `"`, `""`, `,`, `a,"b"`, "null", "NULL", "\\N", "true", "0x1", "1e9", "<b>&amp;",
	"שלום", "مرحبا", "Ünï☂", "👩‍👩‍👧", "\u0000", "\u0001\u001b[2J", `\`, `\n`, `{"a":1}`, "'; drop table x; --", "../../etc/passwd", "\u2028", "=cmd|' /C calc'!A0",
}

func TestTablesAreThoseOfTheContract(t *testing.T) {
	var ours, all []string
	for _, table := range tables() {
		ours = append(ours, table.name())
	}
	for _, d := range contract.Datasets() {
		all = append(all, d.Name)
	}
	if slices.Sort(ours); !slices.Equal(ours, slices.Sorted(slices.Values(all))) {
		t.Errorf("%v\nthe contract has %v", ours, all)
	}
}

// Any text goes through any form and comes back as it was, beside null.
func TestNastyTextsComeBack(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 32)
	open := func() *lake.Clinic {
		c, err := lake.Open(&storetest.Memory{}, "c", lake.Options{NamingKey: key})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	day := contract.DayOf(civil.Date{Year: 2026, Month: 1, Day: 31})
	var rows []contract.Appointment
	for i, text := range nasty {
		reason := &nasty[i]
		if i%5 == 4 {
			reason = nil
		}
		yes := i%2 == 0
		rows = append(rows, contract.Appointment{AppointmentID: int64(i), Location: text, StaffMember: text, Treatment: text, State: text, TimeZone: text,
			ServiceDate: day - int32(i), StartsAt: int64(i) * 1_000_000_007, FirstVisit: &yes, CancelledReason: reason, ObservedOn: day})
	}
	first := open()
	was, err := first.Update(t.Context(), lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
		_, err := lake.Upsert(ctx, tx, lake.Appointments, lake.Batch[contract.Appointment]{Rows: rows})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range Forms() {
		place := filepath.Join(t.TempDir(), "out")
		folder, _, err := Create(place)
		if err != nil {
			t.Fatal(err)
		}
		m := &Manifest{Clinic: "c", Form: form, KeyVersion: 1}
		if m.Datasets, err = folder.WriteDatasets(t.Context(), first.Snapshot(was), form, nil); err != nil {
			t.Fatal(err)
		}
		if err := folder.Finish(m, nil); err != nil {
			t.Fatal(err)
		}
		opened, err := Open(place)
		if err != nil {
			t.Fatal(err)
		}
		if err := opened.Verify(); err != nil {
			t.Error(err)
		}
		is, err := open().Update(t.Context(), lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
			return opened.Place(ctx, tx, func(string) {})
		})
		if err != nil {
			t.Fatalf("%s: %v", form, err)
		}
		a, b := was.Datasets[contract.Appointments].Objects, is.Datasets[contract.Appointments].Objects
		if len(a) != 2 || !slices.EqualFunc(a, b, func(a, b lake.Object) bool { return a.Path == b.Path && a.Rows == b.Rows }) {
			t.Errorf("%s: was %v, is %v", form, a, b)
		}
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	}
}

// FuzzCell: every text comes back from its cell, no two share one, and none begins a formula.
func FuzzCell(f *testing.F) {
	for _, text := range nasty {
		f.Add(text, true)
		f.Add(text, false)
	}
	f.Fuzz(func(t *testing.T, s string, nullable bool) {
		c := cell(s, false, nullable)
		back, null, err := text(c, nullable)
		if err != nil || null || back != s {
			t.Fatalf("%q is written %q and read %q, null %v: %v", s, c, back, null, err)
		}
		if again, err := Active(Inert(s)); err != nil || again != s {
			t.Fatalf("%q becomes %q, and back %q: %v", s, Inert(s), again, err)
		}
		if r := []rune(strings.TrimLeft(c, " \u00a0")); len(r) > 0 && beginsFormula(r[0]) {
			t.Fatalf("%q is written %q", s, c)
		}
		// What Active takes is what Inert gives.
		if active, err := Active(s); err == nil && Inert(active) != s {
			t.Fatalf("%q is taken for %q, which is written %q", s, active, Inert(active))
		}
	})
}

// FuzzCSV: records come back as they were written; nothing crashes on others.
func FuzzCSV(f *testing.F) {
	f.Add("a,b", "\"\r\n", []byte("a,\"b\"\"\r\n\"\r\nc"))
	f.Add("", "", []byte("\"\",\r"))
	f.Fuzz(func(t *testing.T, one, two string, raw []byte) {
		var out bytes.Buffer
		w := bufio.NewWriter(&out)
		for _, record := range [][]string{{one, two}, {two}, {one, "", two}} {
			if err := (csvWriter{w}).record(record); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		r := &csvReader{in: bufio.NewReader(&out)}
		for _, record := range [][]string{{one, two}, {two}, {one, "", two}} {
			if got, err := r.record(); err != nil || !slices.Equal(got, record) {
				t.Fatalf("%q came back as %q: %v", record, got, err)
			}
		}
		if _, err := r.record(); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		r = &csvReader{in: bufio.NewReader(bytes.NewReader(raw))}
		for err := error(nil); err == nil; {
			_, err = r.record()
		}
	})
}

// An export that refuses somebody is of a version that older programs do not take, and refuses by hashes in order alone; one that
// refuses nobody stays readable for them.
func TestRefusalsOfAManifest(t *testing.T) {
	a, b := strings.Repeat("a", 52), strings.Repeat("b", 52)
	for _, test := range []struct {
		name    string
		refused []string
		version string
		taken   bool
	}{
		{"nobody", nil, `"version": 1`, true},
		{"two", []string{a, b}, `"version": 2`, true},
		{"not in order", []string{b, a}, "", false},
		{"one twice", []string{a, a}, "", false},
		{"a pseudonym", []string{"p1_" + a[:26]}, "", false},
		{"a way out", []string{"../../" + a}, "", false},
		{"none", []string{""}, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			place := filepath.Join(t.TempDir(), "out")
			folder, _, err := Create(place)
			if err != nil {
				t.Fatal(err)
			}
			m := &Manifest{Clinic: "c", Form: CSV, KeyVersion: 1, Refused: test.refused}
			if err := folder.Finish(m, nil); (err == nil) != test.taken {
				t.Errorf("writing it: %v", err)
			}
			if test.taken {
				written, err := os.ReadFile(filepath.Join(place, ManifestName))
				if err != nil || !bytes.Contains(written, []byte(test.version)) {
					t.Errorf("%v\n%s", err, written)
				}
			}
			body, err := json.Marshal(m) // as somebody may have changed it
			if err != nil {
				t.Fatal(err)
			}
			if read, err := DecodeManifest(body); (err == nil) != test.taken || err == nil && !slices.Equal(read.Refused, test.refused) {
				t.Errorf("reading it: %v", err)
			}
		})
	}
}

// FuzzManifest: what is no manifest is refused, and one that is taken leads to no file outside of the export.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"format":"falloff export","version":1,"clinic":"c","commit":1,"committed_at":"2026-01-01T00:00:00Z","exported_at":"2026-01-01T00:00:00Z","form":"parquet","rules":null,"key_version":1,"key_check":"x","datasets":{"claims":{"files":[{"path":"datasets/claims/2026-01.parquet","bytes":1,"rows":1,"sha256":"` + strings.Repeat("0", 64) + `"}],"rows":1}}}`))
	f.Add([]byte(`{"format":"falloff export","version":1,"clinic":"c","form":"csv","key_version":1,"datasets":{"claims":{"files":[{"path":"../claims.csv"}]}}}`))
	f.Add([]byte(`{"format":"falloff export","version":3}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := DecodeManifest(body)
		if err != nil {
			return
		}
		for _, file := range m.files() {
			if !filepath.IsLocal(filepath.FromSlash(file.Path)) || strings.Contains(file.Path, `\`) {
				t.Fatalf("it leads to %q", file.Path)
			}
		}
	})
}

// FuzzLine: a line of JSON is taken or refused.
func FuzzLine(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":"x","c":null,"d":true}` + "\n"))
	f.Add([]byte(`{"a":{"b":1}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		l := &lines{in: bufio.NewReader(bytes.NewReader(body))}
		for err := error(nil); err == nil; {
			_, err = l.next()
		}
	})
}
