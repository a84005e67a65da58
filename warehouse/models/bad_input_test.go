package models

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"cloud.google.com/go/civil"
	"github.com/parquet-go/parquet-go"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/settings"
)

// What somebody can do to a model is refused by model, line and remedy.
func TestAModelThatWasChanged(t *testing.T) {
	good := func() fstest.MapFS {
		return fstest.MapFS{
			"staging/a.sql": keyed("claim_id", "select claim.claim_id, claim.claimed_cents\nfrom lake.claims as claim"),
			"marts/m.sql":   keyed("claim_id", "select\n    a.claim_id,\n    a.claimed_cents + 0 as claimed_cents\nfrom staging.a as a\norder by a.claim_id"),
			"marts/m.yaml":  &fstest.MapFile{Data: []byte("columns: {claimed_cents: {one_of: ['1']}}")},
		}
	}
	for name, test := range map[string]struct {
		file, from, to string
		want           []string
	}{
		"a column renamed under its reader":      {"staging/a.sql", "claim.claimed_cents", "claim.claimed_cents as cents", []string{"model marts.m (marts/m.sql:6)", "claimed_cents", "staging.a has claim_id, cents"}},
		"a column that the lake does not have":   {"staging/a.sql", "claimed_cents", "claimed", []string{"model staging.a (staging/a.sql:4)", "claimed", "lake.claims has claim_id,", "claimed_cents"}},
		"a column renamed under its declaration": {"marts/m.sql", "    a.claimed_cents + 0 as claimed_cents", "    a.claimed_cents as cents", []string{"sql/marts/m.yaml", "column claimed_cents", "there are claim_id, cents"}},
		"a key renamed":                          {"marts/m.sql", "    a.claim_id,", "    a.claim_id as id,", []string{"sql/marts/m.sql", "key claim_id", "there are id, claimed_cents"}},
		"a type changed":                         {"staging/a.sql", "claim.claimed_cents", "claim.claim_id || '' as claimed_cents", []string{"model marts.m (marts/m.sql:6)", "VARCHAR", "cast"}},
		"a type that marts may not have":         {"marts/m.sql", "    a.claimed_cents + 0 as claimed_cents", "    a.claimed_cents / 1.5::decimal(4, 2) as claimed_cents, timestamp '2026-01-01' as at", []string{"marts.m", "column at is TIMESTAMP", "cast it", "marts/m.sql"}},
		"a join that doubles rows":               {"marts/m.sql", "from staging.a as a", "from staging.a as a\ncross join (values (1), (2)) as twice (n)", []string{"check marts.m: key (claim_id) (sql/marts/m.sql)", "claim_id=a times=2", "its joins do", "The marts of the last good build stay"}},
		"a model taken away":                     {"staging/a.sql", "", "", []string{"model marts.m (marts/m.sql:7) reads staging.a, which is no model and no input"}},
		"a circle":                               {"staging/a.sql", "lake.claims as claim", "lake.claims as claim, marts.m as m", []string{"circle", "marts.m reads staging.a reads marts.m"}},
		"a word misspelt":                        {"marts/m.sql", "order by", "oder by", []string{"marts/m.sql:8", "syntax error"}},
	} {
		t.Run(name, func(t *testing.T) {
			files := good()
			if test.from == "" {
				delete(files, test.file)
			} else {
				files[test.file] = &fstest.MapFile{Data: []byte(strings.Replace(string(files[test.file].Data), test.from, test.to, 1))}
			}
			in := Inputs{AsOf: civil.Date{Year: 2026, Month: 3, Day: 31}, Settings: settings.Clinic{TimeZone: "UTC", Currency: "CAD"}, Threads: 1}
			in.Tables = givenFiles(t, in, map[string]string{contract.Claims: "claim_id\na\nb"})
			project, err := Load(t.Context(), files)
			if err == nil {
				_, err = project.Build(t.Context(), in)
			}
			checkError(t, err, test.want)
		})
	}
}

// Clinics of any shape build, with all that is declared of every model.
func TestClinicsOfUnusualShape(t *testing.T) {
	for name, change := range map[string]func(c *randomClinic){
		"no claims":           func(c *randomClinic) { c.Claims = nil },
		"no insurers at all":  func(c *randomClinic) { c.Claims, c.Policies, c.Insurers = nil, nil, nil },
		"no appointments":     func(c *randomClinic) { c.Appointments = nil },
		"no invoices":         func(c *randomClinic) { c.Lines = nil },
		"no prices, no fees":  func(c *randomClinic) { c.Settings.Prices, c.Settings.Fees = nil, nil },
		"prices of zero":      func(c *randomClinic) { c.Settings.Prices[0].GrossCents, c.Settings.Prices[1].GrossCents = 0, 0 },
		"all in the future":   func(c *randomClinic) { c.asOf = c.asOf.AddDays(-2000) },
		"all long ago":        func(c *randomClinic) { c.asOf = c.asOf.AddDays(4000) },
		"one patient":         func(c *randomClinic) { *c = *newRandomClinic(t, 12, 1) },
		"on a leap day":       func(c *randomClinic) { c.asOf = civil.Date{Year: 2024, Month: 2, Day: 29} },
		"two currencies":      twoCurrencies,
		"negative invoices":   negative,
		"everyone is one":     func(c *randomClinic) { one := "p1_000"; mergeInto(c, one) },
		"midnight in no zone": func(c *randomClinic) { c.Settings.TimeZone = "Africa/Cairo" }, // its clocks change at midnight
	} {
		t.Run(name, func(t *testing.T) {
			clinic := newRandomClinic(t, 11, 25)
			change(clinic)
			in := clinic.inputs(t, 1, nil)
			result, err := Build(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			if name == "two currencies" {
				for _, mart := range []string{"money_identity", "receivables_aging"} {
					if got := currenciesOf(t, result, mart); !slices.Equal(got, []string{"CAD", "USD"}) {
						t.Errorf("%s adds up in %v", mart, got)
					}
				}
			}
		})
	}
}

// twoCurrencies bills every other visit in dollars of another country, all sides of it.
func twoCurrencies(c *randomClinic) {
	foreign := map[string]bool{}
	for i := range c.Lines {
		l := &c.Lines[i]
		if len(l.InvoiceBase)%2 == 0 || l.InvoiceBase[len(l.InvoiceBase)-1]%2 == 0 {
			l.Currency, foreign[l.InvoiceNumber] = "USD", true
		}
	}
	for i := range c.Applied {
		if foreign[c.Applied[i].InvoiceNumber] {
			c.Applied[i].Currency = "USD"
		}
	}
}

// negative turns the sign of every third line that is no reversal.
func negative(c *randomClinic) {
	for i := range c.Lines {
		if l := &c.Lines[i]; i%3 == 0 && !l.IsReversal {
			l.TotalCents, l.SubtotalCents, l.BalanceCents, l.CollectedCents = -l.TotalCents, -l.SubtotalCents, -l.BalanceCents, -l.CollectedCents
		}
	}
}

// mergeInto makes one patient of all, as a portal does that merges records. A group's seats are then the same patient's.
func mergeInto(c *randomClinic, one string) {
	for i := range c.Appointments {
		c.Appointments[i].Patient = &one
	}
	for i := range c.Lines {
		c.Lines[i].Patient = one
	}
	for i := range c.Claims {
		c.Claims[i].Patient = one
	}
	for i := range c.Policies {
		c.Policies[i].Patient = one
	}
}

func currenciesOf(t *testing.T, r *Result, name string) []string {
	t.Helper()
	mart, _ := r.Mart(name)
	type row struct {
		Currency string `parquet:"currency,optional"`
	}
	rows, err := parquet.Read[row](bytes.NewReader(mart.Parquet), int64(len(mart.Parquet)))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range rows {
		out = append(out, r.Currency)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
