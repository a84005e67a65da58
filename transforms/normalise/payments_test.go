package normalise_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/normalise"
)

func TestPaymentWords(t *testing.T) {
	for _, test := range []struct {
		read func([]byte) (string, normalise.Reason)
		want map[string]string
	}{
		{normalise.PaymentMethod, map[string]string{
			"Visa": "card", "MasterCard": "card", "Debit Card": "card", "credit_card": "card", "CASH": "cash", "Check": "cheque", "Interac e-Transfer": "bank_transfer",
			"EFT": "bank_transfer", "Insurance Payment": "insurer", "Account Credit": "account_credit", "Gift Certificate": "gift", "Barter": "other",
			"Visa 4111 1111 1111 1111": "other", "other": "other",
		}},
		{normalise.PaymentKind, map[string]string{
			"Payment": "payment", "REFUND": "refund", "NSF": "bounce", "Chargeback": "bounce", "bank fee": "fee", "Wish": "other",
		}},
		{normalise.AdjustmentKind, map[string]string{
			"Write-Off": "write_off", "write off": "write_off", "Bad Debt": "write_off", "Credit Memo": "credit_memo", "Contractual reduction": "contractual",
			"Contractual Adjustment": "contractual", "Reversal": "reversal", "because": "other",
		}},
	} {
		for cell, want := range test.want {
			if got, reason := test.read([]byte(cell)); got != want || reason != "" {
				t.Errorf("%q is %q (%s), want %q", cell, got, reason, want)
			}
		}
		if _, reason := test.read([]byte(" ")); reason != normalise.Missing {
			t.Errorf("a blank cell is %q", reason)
		}
	}
}

func TestReference(t *testing.T) {
	for cell, want := range map[string]string{"9001": "9001", " #9001 ": "9001", "TX-17a": "TX-17a"} {
		if got, reason := normalise.Reference([]byte(cell)); string(got) != want || reason != "" {
			t.Errorf("%q is %q (%s)", cell, got, reason)
		}
	}
	for _, cell := range []string{"Ann", "Ann 7", "-7", "7|8", strings.Repeat("7", 41)} {
		if got, reason := normalise.Reference([]byte(cell)); reason != normalise.BadID {
			t.Errorf("%q is %q (%s)", cell, got, reason)
		}
	}
}

func TestInvoiceNumbers(t *testing.T) {
	var got []string
	unread := normalise.InvoiceNumbers([]byte("1531-P01, 1540-C02X;\n1541 ,, Ann Smith; Unapplied"), func(inv normalise.Invoice) {
		got = append(got, string(inv.Number)+inv.Side)
	})
	if unread != 1 || !slices.Equal(got, []string{"1531-P01P", "1540-C02XC", "1541"}) {
		t.Errorf("%v, %d unread", got, unread)
	}
}

func TestActivityPhrase(t *testing.T) {
	for cell, want := range map[string]normalise.Activity{
		"Signed in":  {Action: "signed_in"},
		"signed OUT": {Action: "signed_out"},
		"Ran report Sales for 2026-09-01 to 2026-09-30 at North of Ann Smith": {Action: "ran", Subject: "sales", From: "2026-09-01", To: "2026-09-30"},
		"Exported Write-offs to CSV for 2026-09-01 to 2026-09-30":             {Action: "exported", Subject: "write_off", From: "2026-09-01", To: "2026-09-30"},
		"Opened page 2 of Accounts receivable":                                {Action: "opened", Subject: "accounts_receivable"},
		"Opened account settings":                                             {Action: "opened", Subject: "account"},
		"Opened Patient 17":                                                   {Action: "opened", Subject: "patients"},
		"Asked for a code":                                                    {Action: "code_asked"},
		"Refused sign-in, wrong password":                                     {Action: "refused"},
		"Refused sign-in":                                                     {Action: "refused"},
		"Refused to say":                                                      {Action: "refused", Subject: "other"},
		"Downloaded c_applied_unapplied_payments_20260901_20260930.csv":       {Action: "downloaded", Subject: "applied_unapplied_payments", From: "2026-09-01", To: "2026-09-30"},
		"Recorded payment on 1531-P01":                                        {Action: "recorded", Subject: "other"},
		"Previewed c_insurance_policies_20260901_20260930.xlsx":               {Action: "previewed", Subject: "insurance_policies", From: "2026-09-01", To: "2026-09-30"},
		"Downloaded ann-smith.pdf":                                            {Action: "downloaded", Subject: "other"},
		"Salesforce":                                                          {Action: "other", Subject: "other"},
		"Ranted about Ann":                                                    {Action: "other", Subject: "other"},
	} {
		if got, reason := normalise.ActivityPhrase([]byte(cell)); got != want || reason != "" {
			t.Errorf("%q is %+v (%s), want %+v", cell, got, reason, want)
		}
	}
}

// FuzzActivityPhrase: nothing of a phrase comes out but values of fixed lists and days.
func FuzzActivityPhrase(f *testing.F) {
	for _, seed := range []string{"Ran report Sales for 2026-09-01 to 2026-09-30", "Downloaded x_sales_20260901_20260930.csv", "Opened page 9 of Patient list", "Ann"} {
		f.Add(seed)
	}
	known := []string{"", contract.SubjectAccount, contract.SubjectSchedule, contract.SubjectPatients, contract.SubjectCharts, contract.SubjectDocs, contract.OtherSubject}
	for _, d := range contract.Datasets() {
		known = append(known, d.Report)
	}
	f.Fuzz(func(t *testing.T, cell string) {
		a, reason := normalise.ActivityPhrase([]byte(cell))
		if reason != "" {
			return
		}
		if !slices.Contains(contract.Actions(), a.Action) || !slices.Contains(known, a.Subject) {
			t.Fatalf("%q gives %+v", cell, a)
		}
		for _, day := range []string{a.From, a.To} {
			if strings.Trim(day, "0123456789-") != "" || len(day) != 0 && len(day) != 10 {
				t.Fatalf("%q gives the day %q", cell, day)
			}
		}
	})
}
