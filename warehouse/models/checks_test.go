package models

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/settings"
)

// unequalMoney is a clinic with an invoice of 100.00 of which 99.00 are accounted for.
func unequalMoney(t *testing.T) Inputs {
	in := Inputs{
		Settings: settings.Clinic{Name: "Unit", TimeZone: "America/Toronto", Currency: "CAD"}, Threads: 1,
		AsOf: civil.Date{Year: 2026, Month: 3, Day: 31},
		Covered: map[string]civil.Date{
			contract.AppliedPayments: {Year: 2026, Month: 1, Day: 1}, contract.Adjustments: {Year: 2026, Month: 1, Day: 1},
			contract.WriteOffs: {Year: 2026, Month: 2, Day: 1},
		},
	}
	in.Tables = givenFiles(t, in, map[string]string{
		contract.InvoiceLines: `
			invoice_number | purchase_date | total  | balance
			1-P01          | 2026-02-10    | 100.00 | 0.00`,
		contract.AppliedPayments: `
			payment_id | invoice_number | applied_on | amount
			a          | 1-P01          | 2026-02-10 | 99.00`,
	})
	return in
}

func TestMoneyThatDoesNotReconcileIsNotPublished(t *testing.T) {
	in := unequalMoney(t)
	_, err := Build(t.Context(), in)
	var broken *Broken
	if !errors.As(err, &broken) || broken.Check != "money_reconciles" || broken.Rows != 1 {
		t.Fatalf("got %v", err)
	}
	for _, part := range []string{"month_from=2026-02-01", "expected_cents=10000", "unreconciled_cents=100", "unreconciled_limit", "sql/checks/money_reconciles.sql"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the refusal does not say %q: %v", part, err)
		}
	}
	percent := int64(10_000)
	in.Settings.UnreconciledPerMillion = &percent
	if _, err := Build(t.Context(), in); err != nil {
		t.Errorf("1 %% is allowed, and it is refused: %v", err)
	}
	less := percent - 1
	in.Settings.UnreconciledPerMillion = &less
	if _, err := Build(t.Context(), in); !errors.As(err, &broken) {
		t.Errorf("a little less is allowed, and it passes: %v", err)
	}
}

// A month of which a report is missing cannot reconcile, and is no reason to refuse.
func TestMoneyIsCheckedWhereAllOfItIsKnown(t *testing.T) {
	for _, missing := range []string{contract.AppliedPayments, contract.Adjustments, contract.WriteOffs} {
		in := unequalMoney(t)
		delete(in.Covered, missing)
		if _, err := Build(t.Context(), in); err != nil {
			t.Errorf("without %s: %v", missing, err)
		}
	}
	in := unequalMoney(t)
	in.Covered[contract.WriteOffs] = civil.Date{Year: 2026, Month: 2, Day: 2}
	if _, err := Build(t.Context(), in); err != nil {
		t.Errorf("write-offs are known from the middle of the month: %v", err)
	}
}

func TestChecksOfATree(t *testing.T) {
	mart := header + "select 1::bigint as x union all select 2::bigint order by x"
	check := func(severity, text string) string {
		return "-- severity: " + severity + "\n-- description: x is 1.\n-- remedy: Do something.\n" + text
	}
	for name, test := range map[string]struct {
		check   string
		refused string
		warned  bool
	}{
		"holds":              {check("block", "select x from marts.m where x > 2"), "", false},
		"warns":              {check("warn", "select x from marts.m where x > 1"), "", true},
		"blocks":             {check("block", "select x from marts.m where x > 1"), "x=2", false},
		"does not run":       {check("block", "select\n  y from marts.m"), "checks/c.sql:5", false},
		"unknown":            {check("never", "select 1"), "severity", false},
		"no remedy":          {"-- severity: block\n-- description: x.\nselect 1", "remedy", false},
		"reads what is gone": {check("block", "select * from lake.claims"), "lake.claims", false},
	} {
		t.Run(name, func(t *testing.T) {
			files := tree(nil)
			files["marts/m.sql"] = &fstest.MapFile{Data: []byte(mart)}
			files["checks/c.sql"] = &fstest.MapFile{Data: []byte(test.check)}
			project, err := Load(t.Context(), files)
			var result *Result
			if err == nil {
				in := unequalMoney(t)
				in.Tables = nil
				result, err = project.Build(t.Context(), in)
			}
			switch {
			case test.refused != "" && (err == nil || !strings.Contains(err.Error(), test.refused)):
				t.Errorf("got %v, want it to say %s", err, test.refused)
			case test.refused == "" && err != nil:
				t.Errorf("got %v", err)
			case test.refused == "" && test.warned != (len(result.Warnings) == 1):
				t.Errorf("warnings: %v", result.Warnings)
			}
		})
	}
}
