package lake_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// sound holds every commit of a clinic to everything that must be true of it.
func sound(t testing.TB, clinic *lake.Clinic) *lake.Verified {
	t.Helper()
	found, err := clinic.Verify(context.Background(), lake.VerifyOptions{All: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found.Findings {
		t.Errorf("%s", f)
	}
	return found
}

// hashOf is the name that an object of these bytes has.
func hashOf(body []byte) string {
	mac := hmac.New(sha256.New, testKey)
	mac.Write(body)
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(mac.Sum(nil)))
}

func TestVerifyNamesWhatIsWrong(t *testing.T) {
	const folder = "clinic=harbour-street/"
	commitName := func(n int) string { return fmt.Sprintf("%scommits/%012d.json", folder, n) }
	// edit changes the newest commit.
	edit := func(t *testing.T, store lake.Store, change func(c *lake.Commit)) {
		t.Helper()
		c := head(t, openClinic(t, store))
		change(c)
		body, err := lake.EncodeCommit(c)
		if err != nil {
			t.Fatal(err)
		}
		replace(t, store, commitName(int(c.Number)), body)
	}
	// plant puts other rows in the place of the first month's.
	plant := func(t *testing.T, store lake.Store, rows []contract.Appointment, body []byte) {
		t.Helper()
		if body == nil {
			var err error
			if body, err = lake.EncodeAppointments(rows); err != nil {
				t.Fatal(err)
			}
		}
		edit(t, store, func(c *lake.Commit) {
			d := c.Datasets["appointments"]
			d.Objects = slices.Clone(d.Objects)
			o := &d.Objects[0]
			o.Path = "data/appointments/month=" + o.Month + "/" + hashOf(body) + ".parquet"
			o.Bytes, o.Rows = int64(len(body)), int64(len(rows))
			c.Datasets["appointments"] = d
			if err := store.Create(t.Context(), folder+o.Path, body); err != nil && !errors.Is(err, lake.ErrExists) {
				t.Fatal(err)
			}
		})
	}
	for _, test := range []struct {
		name  string
		spoil func(t *testing.T, store lake.Store)
		want  []string // in the findings
	}{
		{"nothing", func(*testing.T, lake.Store) {}, nil},
		{"an object is gone", func(t *testing.T, store lake.Store) {
			o := head(t, openClinic(t, store)).Datasets["appointments"].Objects[1]
			if err := store.Delete(t.Context(), folder+o.Path); err != nil {
				t.Fatal(err)
			}
		}, []string{"month=2026-02", "not there"}},
		{"a byte has changed", func(t *testing.T, store lake.Store) {
			o := head(t, openClinic(t, store)).Datasets["invoice_lines"].Objects[0]
			body, err := store.Get(t.Context(), folder+o.Path)
			if err != nil {
				t.Fatal(err)
			}
			body[len(body)/2] ^= 1
			replace(t, store, folder+o.Path, body)
		}, []string{"data/invoice_lines", "do not have this name"}},
		{"the end is missing", func(t *testing.T, store lake.Store) {
			o := head(t, openClinic(t, store)).Settings
			replace(t, store, folder+o.Path, []byte("clin"))
		}, []string{"settings/", "4 bytes"}},
		{"the commit says another sum of money", func(t *testing.T, store lake.Store) {
			edit(t, store, func(c *lake.Commit) {
				d := c.Datasets["invoice_lines"]
				d.Objects = slices.Clone(d.Objects)
				d.Objects[0].Totals = map[string]int64{"total_cents": 1}
				c.Datasets["invoice_lines"] = d
			})
		}, []string{"data/invoice_lines", "total_cents:1"}},
		{"another number of rows", func(t *testing.T, store lake.Store) {
			edit(t, store, func(c *lake.Commit) {
				d := c.Datasets["appointments"]
				d.Objects = slices.Clone(d.Objects)
				d.Objects[0].Rows = 7
				c.Datasets["appointments"] = d
			})
		}, []string{"the commit says", "7"}},
		{"a row of another month", func(t *testing.T, store lake.Store) {
			plant(t, store, visits("7/0 2026-03-05 booked @2026-01-01"), nil)
		}, []string{"row 0 belongs to month 2026-03"}},
		{"a unit in two months", func(t *testing.T, store lake.Store) {
			plant(t, store, visits("2/0 2026-01-05 booked @2026-01-01"), nil)
		}, []string{"1 of its units are there twice"}},
		{"a row twice", func(t *testing.T, store lake.Store) {
			plant(t, store, visits("8/0 2026-01-05 booked @2026-01-01", "8/0 2026-01-05 booked @2026-01-01"), nil)
		}, []string{"row 1 is not after"}},
		{"a removed unit that lives", func(t *testing.T, store lake.Store) {
			plant(t, store, visits("9/0 2026-01-20 booked @2026-01-01"), nil)
		}, []string{"listed as removed, and live"}},
		{"bytes that are no Parquet file", func(t *testing.T, store lake.Store) {
			plant(t, store, nil, []byte("no Parquet"))
		}, []string{"month=2026-01", "not a Parquet file"}},
		{"a commit is missing", func(t *testing.T, store lake.Store) {
			if err := store.Delete(t.Context(), commitName(2)); err != nil {
				t.Fatal(err)
			}
		}, []string{"commits/000000000002.json", "missing"}},
		{"a commit is damaged", func(t *testing.T, store lake.Store) { replace(t, store, commitName(1), []byte("{")) },
			[]string{"commits/000000000001.json", "cannot be read"}},
		{"the days go backwards", func(t *testing.T, store lake.Store) {
			edit(t, store, func(c *lake.Commit) { c.AsOf = date("2025-01-01") })
		}, []string{"2025-01-01"}},
		{"pseudonyms of another key, without a rekey", func(t *testing.T, store lake.Store) {
			edit(t, store, func(c *lake.Commit) { c.KeyVersion, c.Format = 2, 2 })
		}, []string{"version 2"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			store := new(storetest.Memory)
			clinic := openClinic(t, store)
			for n, b := range []appointments{
				{Rows: visits("9/0 2026-01-20 booked @2026-01-01")},
				{Rows: visits("1/0 2026-01-05 booked @2026-01-02", "2/0 2026-02-05 booked @2026-01-02"), Covers: []lake.Cover{cover("2026-01-20", "2026-01-31", "2026-01-02")}},
				{Rows: visits("3/0 2026-02-06 booked @2026-01-03")},
			} {
				if err := run(t.Context(), clinic, b); err != nil {
					t.Fatalf("run %d: %v", n, err)
				}
			}
			upsertInto(t, clinic, lake.InvoiceLines, lake.Batch[contract.InvoiceLine]{Rows: []contract.InvoiceLine{
				{InvoiceNumber: "1-P01", Item: "Visit", PurchaseDate: day("2026-01-05"), TotalCents: 9500, ObservedOn: day("2026-01-06")}}})
			test.spoil(t, store)
			found, err := openClinic(t, store).Verify(t.Context(), lake.VerifyOptions{All: true})
			if err != nil {
				t.Fatal(err)
			}
			var said strings.Builder
			for _, f := range found.Findings {
				said.WriteString(f.String() + "\n")
			}
			if (len(test.want) == 0) != (len(found.Findings) == 0) {
				t.Errorf("findings: %s", said.String())
			}
			for _, want := range test.want {
				if !strings.Contains(said.String(), want) {
					t.Errorf("%q does not say %q", said.String(), want)
				}
			}
		})
	}
}

func TestVerifyLooksAtWhatIsAsked(t *testing.T) {
	store := new(storetest.Memory)
	clinic := openClinic(t, store)
	for n := range 3 {
		mustUpsert(t, clinic, appointments{Rows: visits(fmt.Sprintf("1/0 2026-01-05 state%d @2026-01-%02d", n, n+1))})
	}
	first, err := clinic.At(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Delete(t.Context(), "clinic=harbour-street/"+first.Datasets["appointments"].Objects[0].Path); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		o                          lake.VerifyOptions
		findings, commits, objects int
	}{
		{lake.VerifyOptions{}, 0, 1, 1},
		{lake.VerifyOptions{Commit: 2}, 0, 1, 1},
		{lake.VerifyOptions{Commit: 1}, 1, 1, 0},
		{lake.VerifyOptions{All: true}, 1, 3, 2},
		{lake.VerifyOptions{KeyName: func(version int) string { return fmt.Sprintf("check-%d.json", version) }}, 1, 1, 1},
	} {
		found, err := clinic.Verify(t.Context(), test.o)
		if err != nil || len(found.Findings) != test.findings || found.Commits != test.commits || found.Objects != test.objects {
			t.Errorf("%+v: %+v, %v", test.o, found, err)
		}
	}
	if _, err := clinic.Verify(t.Context(), lake.VerifyOptions{Commit: 9}); err == nil {
		t.Error("a commit that is not there was verified")
	}
	if _, err := newMemoryClinic(t).Verify(t.Context(), lake.VerifyOptions{}); err == nil {
		t.Error("a clinic without commits was verified")
	}
}
