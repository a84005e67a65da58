package contract_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

// rowTypes are the structs that each dataset's columns must equal.
var rowTypes = map[string]reflect.Type{
	contract.Appointments: reflect.TypeFor[contract.Appointment](),
	contract.InvoiceLines: reflect.TypeFor[contract.InvoiceLine](),
	contract.Claims:       reflect.TypeFor[contract.Claim](),
	contract.Policies:     reflect.TypeFor[contract.Policy](),
	contract.Shifts:       reflect.TypeFor[contract.Shift](),
	contract.ShiftPeriods: reflect.TypeFor[contract.Shift](),
	contract.Insurers:     reflect.TypeFor[contract.Insurer](),

	contract.Payments:           reflect.TypeFor[contract.Payment](),
	contract.AppliedPayments:    reflect.TypeFor[contract.AppliedPayment](),
	contract.Adjustments:        reflect.TypeFor[contract.Adjustment](),
	contract.WriteOffs:          reflect.TypeFor[contract.Adjustment](),
	contract.Credits:            reflect.TypeFor[contract.Credit](),
	contract.AccountsReceivable: reflect.TypeFor[contract.Receivable](),

	contract.UnscheduledPatients: reflect.TypeFor[contract.UnscheduledPatient](),
	contract.PortalActivity:      reflect.TypeFor[contract.Activity](),
	contract.AccessLedger:        reflect.TypeFor[contract.Access](),
	contract.LeakStates:          reflect.TypeFor[contract.LeakStep](),
	contract.Identities:          reflect.TypeFor[contract.Identified](),
}

// sqlType is what Parquet readers call a field with that tag.
func sqlType(field reflect.StructField, options []string) string {
	for _, o := range options {
		switch {
		case o == "date":
			return "DATE"
		case strings.HasPrefix(o, "timestamp"):
			return "TIMESTAMP"
		}
	}
	kind := field.Type
	if kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	return map[reflect.Kind]string{reflect.String: "VARCHAR", reflect.Int64: "BIGINT", reflect.Int32: "INTEGER",
		reflect.Bool: "BOOLEAN"}[kind.Kind()]
}

func TestColumnsEqualStructTags(t *testing.T) {
	datasets := contract.Datasets()
	if len(datasets) != len(rowTypes) {
		t.Fatalf("%d datasets are described, %d have a row type", len(datasets), len(rowTypes))
	}
	for _, d := range datasets {
		row, ok := rowTypes[d.Name]
		if !ok {
			t.Fatalf("dataset %s has no row type", d.Name)
		}
		stored := d.Stored()
		if len(stored) != row.NumField() {
			t.Errorf("%s: %d columns are described, the row has %d", d.Name, len(stored), row.NumField())
			continue
		}
		for i, c := range stored {
			field := row.Field(i)
			parts := strings.Split(field.Tag.Get("parquet"), ",")
			if c.Name != parts[0] {
				t.Errorf("%s column %d is described as %q, the row says %q", d.Name, i, c.Name, parts[0])
			}
			if want := sqlType(field, parts[1:]); c.Type != want {
				t.Errorf("%s.%s is described as %s, the row says %s", d.Name, c.Name, c.Type, want)
			}
			if optional := field.Type.Kind() == reflect.Pointer; c.Nullable != optional {
				t.Errorf("%s.%s: nullable is %v, the row says %v", d.Name, c.Name, c.Nullable, optional)
			}
			if money := strings.HasSuffix(c.Name, "_cents"); money != (c.Unit == "cents") {
				t.Errorf("%s.%s: unit %q", d.Name, c.Name, c.Unit)
			}
		}
	}
}

func TestEveryColumnIsExplained(t *testing.T) {
	for _, d := range contract.Datasets() {
		if d.Grain == "" {
			t.Errorf("%s has no grain", d.Name)
		}
		headers := map[string]bool{}
		for _, c := range d.Columns {
			label := d.Name + "." + c.Name + strings.Join(c.Headers, "/")
			if c.Meaning == "" || c.Sensitivity == "" {
				t.Errorf("%s has no meaning or no sensitivity", label)
			}
			if forbidden := c.Sensitivity == contract.Forbidden; forbidden != (c.Name == "") {
				t.Errorf("%s: a forbidden header has no stored name, and only that", label)
			} else if forbidden && (len(c.Headers) == 0 || c.Required || c.Type != "") {
				t.Errorf("%s: a forbidden header is neither stored nor required", label)
			}
			if c.Required && len(c.Headers) == 0 {
				t.Errorf("%s is required but no header fills it", label)
			}
			for _, h := range c.Headers {
				if key := strings.ToLower(strings.ReplaceAll(h, "_", " ")); headers[key] {
					t.Errorf("%s: header %q fills two columns", d.Name, h)
				} else {
					headers[key] = true
				}
			}
		}
		if d.Report != "" && len(d.Required()) == 0 {
			t.Errorf("%s cannot be recognised: no header is required", d.Name)
		}
	}
}

// Nothing that names a person may be filled from a header, whatever else changes in the contract.
func TestNamesAndFreeTextAreForbidden(t *testing.T) {
	refused := map[string][]string{
		contract.Appointments: {"patient_number", "patient_first_name", "patient_preferred_name", "patient_last_name", "chart_status", "notes_text"},
		contract.InvoiceLines: {"Patient", "Details"},
		contract.Claims:       {"Patient", "Adjuster", "Notes"},
		contract.Policies:     {"Patient", "Name", "Adjuster", "Notes"},

		contract.Payments:            {"Patient", "Reference", "Notes"},
		contract.AppliedPayments:     {"Patient", "Notes"},
		contract.Adjustments:         {"Patient", "Reason", "Notes"},
		contract.WriteOffs:           {"Patient", "Reason", "Notes"},
		contract.Credits:             {"Patient", "Notes"},
		contract.UnscheduledPatients: {"Patient", "Phone", "E-mail", "Notes"},
		contract.PortalActivity:      {"Patient"},
	}
	for name, headers := range refused {
		d, ok := contract.Find(name)
		if !ok {
			t.Fatalf("no dataset %s", name)
		}
		known := map[string]contract.Sensitivity{}
		for _, c := range d.Columns {
			for _, h := range c.Headers {
				known[h] = c.Sensitivity
			}
		}
		for _, h := range headers {
			if known[h] != contract.Forbidden {
				t.Errorf("%s: header %q is %q, must be forbidden", name, h, known[h])
			}
		}
	}
	for _, d := range contract.Datasets() {
		for _, c := range d.Columns {
			if identity := c.Sensitivity == contract.Identity; identity != (c.Name == "first_name" || c.Name == "patient_guid") ||
				identity && (d.Name != contract.Identities || len(c.Headers) > 0) {
				t.Errorf("%s.%s is %s", d.Name, c.Name, c.Sensitivity)
			}
			if (c.Name == "patient" || c.Name == "account" || strings.HasSuffix(c.Name, "payer_id") || c.Name == "policy_id" || c.Name == "claim_id") &&
				c.Sensitivity != contract.Pseudonym {
				t.Errorf("%s.%s is %s, must be a pseudonym", d.Name, c.Name, c.Sensitivity)
			}
		}
	}
}

func TestFind(t *testing.T) {
	if _, ok := contract.Find("charts"); ok {
		t.Error("found a dataset that does not exist")
	}
	d, ok := contract.Find(contract.Shifts)
	if !ok || d.Report != "shift" {
		t.Errorf("shifts come from report %q", d.Report)
	}
}
