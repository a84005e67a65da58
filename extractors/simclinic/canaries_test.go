package simclinic

import (
	"slices"
	"strings"
	"testing"
)

// whereCanariesLie maps each kind to the reports whose text must hold every canary of the kind; none for those of the
// portal's pages only. Styles add phones, mails, birth dates and diagnoses to some reports.
var whereCanariesLie = map[string][]string{
	"first_name": {Appointments, Sales, Claims, Policies}, "last_name": {Appointments, Sales, Claims, Policies},
	"preferred_name": {Appointments}, "payer_name": {Sales, Transactions}, "appointment_note": {Appointments}, "cancel_reason": {Appointments},
	"sale_detail": {Sales}, "claim_note": {Claims}, "claim_adjuster": {Claims}, "policy_name": {Policies},
	"policy_note": {Policies}, "policy_adjuster": {Policies},
	"payment_note": {Transactions}, "cheque_number": {Transactions}, "adjustment_reason": {Adjustments, WriteOffs},
	"phone": {Unscheduled}, "email": {Unscheduled}, "address": nil, "birth_date": nil, "card": nil, "patient_note": {Unscheduled}, "diagnosis": nil,
}

// printedReport is all of a report's text.
func printedReport(t testing.TB, c *Clinic, report string) string {
	t.Helper()
	table, err := c.Table(report, c.Dials().From, c.ReportDate())
	if report == Appointments {
		table, err = c.Table(report, c.Dials().From, c.Horizon())
	}
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, row := range table.Rows {
		for _, cell := range row {
			out.WriteString(cell.Text)
			out.WriteByte('\n')
		}
	}
	return out.String()
}

func TestCanariesAreWhereTheyShouldBe(t *testing.T) {
	d := DefaultDials()
	d.Style = &Style{}
	c := mustClinic(t, d)
	reports := map[string]string{}
	for _, report := range Reports() {
		reports[report] = printedReport(t, c, report)
	}
	found := map[string]map[string]int{}
	planted := map[string]int{}
	values := map[string]string{}
	for _, canary := range c.Canaries() {
		lies, known := whereCanariesLie[canary.Kind]
		if !known {
			t.Fatalf("canary of unknown kind %q", canary.Kind)
		}
		if other, twice := values[canary.Value]; twice {
			t.Errorf("%q is planted as %s and as %s", canary.Value, other, canary.Kind)
		}
		values[canary.Value] = canary.Kind
		if len(canary.Value) < 10 {
			t.Errorf("%s %q is short enough to occur by chance", canary.Kind, canary.Value)
		}
		planted[canary.Kind]++
		for _, report := range lies {
			if found[canary.Kind] == nil {
				found[canary.Kind] = map[string]int{}
			}
			if strings.Contains(reports[report], canary.Value) {
				found[canary.Kind][report]++
			}
		}
		if lies == nil {
			for report, body := range reports {
				if strings.Contains(body, canary.Value) {
					t.Errorf("%s %q lies in %s, where only pages should have it", canary.Kind, canary.Value, report)
				}
			}
		}
	}
	// Everybody has these, and not everybody is in the report.
	of := [...]string{"preferred_name", "phone", "email", "patient_note"}
	for kind, lies := range whereCanariesLie {
		if planted[kind] < 10 {
			t.Errorf("%d canaries of kind %s, want at least 10", planted[kind], kind)
		}
		for _, report := range lies {
			// Not everybody has claims, policies or invoices; what belongs to one report is in it to the last.
			if n := found[kind][report]; n == 0 || len(lies) == 1 && n != planted[kind] && !slices.Contains(of[:], kind) {
				t.Errorf("%d of %d canaries of kind %s lie in %s", n, planted[kind], kind, report)
			}
		}
	}
	for _, p := range c.Patients() {
		for kind, value := range map[string]string{
			"first_name": p.FirstName, "last_name": p.LastName, "phone": p.Phone, "email": p.Email, "birth_date": p.BirthDate, "card": p.Card,
		} {
			if values[value] != kind {
				t.Errorf("patient %d: %s %q is no canary", p.Number, kind, value)
			}
		}
		for kind, value := range map[string]string{"address": p.Address, "patient_note": p.Note, "diagnosis": p.Diagnosis} {
			held := false
			for _, word := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" ,:;()", r) }) {
				held = held || values[word] == kind
			}
			if !held {
				t.Errorf("patient %d: %s %q holds no canary", p.Number, kind, value)
			}
		}
	}
	if planted := c.Planted(); len(planted) != len(values) {
		t.Errorf("%d planted, %d canaries", len(planted), len(values))
	}
}

func TestExtraColumnsHoldCanaries(t *testing.T) {
	c := styled(t, Style{Extra: true})
	for report, kind := range map[string]string{Appointments: "phone", Sales: "email", Claims: "diagnosis", Policies: "birth_date"} {
		body, n := printedReport(t, c, report), 0
		for _, canary := range c.Canaries() {
			if canary.Kind == kind && strings.Contains(body, canary.Value) {
				n++
			}
		}
		if n < 10 {
			t.Errorf("the extra column of %s holds %d canaries of kind %s", report, n, kind)
		}
	}
}

// TestNoCanaryIsPartOfAnother: a search would name the wrong one. Only a last name holds its own plain part.
func TestNoCanaryIsPartOfAnother(t *testing.T) {
	c := defaultClinic(t, 4)
	kinds := map[string]string{}
	for _, canary := range c.Canaries() {
		kinds[canary.Value] = canary.Kind
	}
	for value, kind := range kinds {
		for start := range len(value) {
			for end := start + 10; end <= len(value); end++ {
				part := value[start:end]
				if other, ok := kinds[part]; ok && part != value && (kind != "last_name" || other != "last_name") {
					t.Errorf("%s %q holds %s %q", kind, value, other, part)
				}
			}
		}
	}
}

func TestTokensAreOneToOne(t *testing.T) {
	tokens := newTokens(9)
	seen := map[string]bool{}
	for n := range 200_000 {
		for _, token := range []string{tokens.of(firstNames, n), tokens.of(freeText, spaceDetails+n), tokens.phone("+1", n), tokens.card(n), tokens.email(n)} {
			if seen[token] {
				t.Fatalf("%q is given twice", token)
			}
			seen[token] = true
		}
	}
	if other := newTokens(10); other.of(firstNames, 5) == tokens.of(firstNames, 5) {
		t.Error("two seeds give the same name")
	}
}

func TestIdentifiersAreUnique(t *testing.T) {
	c := defaultClinic(t, 6)
	seen := map[string]bool{}
	claims := printedReport(t, c, Claims)
	numbers := 0
	for _, id := range c.Identifiers() {
		if seen[id.Value] {
			t.Errorf("%s %s is given twice", id.Kind, id.Value)
		}
		seen[id.Value] = true
		if id.Kind == "policy_number" && strings.Contains(claims, id.Value) {
			numbers++
		}
	}
	if numbers < 10 {
		t.Errorf("%d policy numbers in the claims report", numbers)
	}
}
