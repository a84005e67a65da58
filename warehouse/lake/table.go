package lake

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

// The datasets of the contract, as tables of the lake. The columns given are those that Unit needs; a test proves that it
// needs no other.
var (
	Appointments = mustTable[contract.Appointment](contract.Appointments, "service_date", "appointment_id")
	InvoiceLines = mustTable[contract.InvoiceLine](contract.InvoiceLines, "purchase_date", "invoice_number", "item", "ordinal")
	Claims       = mustTable[contract.Claim](contract.Claims, "service_date", "claim_id")
	Policies     = mustTable[contract.Policy](contract.Policies, "", "patient", "payer_id", "policy_id")
	Shifts       = mustTable[contract.Shift](contract.Shifts, "period_from", "staff_member", "period_from", "period_to")
	ShiftPeriods = mustTable[contract.Shift](contract.ShiftPeriods, "period_from", "staff_member", "period_from", "period_to")
	Insurers     = mustTable[contract.Insurer](contract.Insurers, "", "payer_id")

	Payments           = mustTable[contract.Payment](contract.Payments, "received_on", "payment_id")
	AppliedPayments    = mustTable[contract.AppliedPayment](contract.AppliedPayments, "received_on", "payment_id")
	Adjustments        = mustTable[contract.Adjustment](contract.Adjustments, "adjusted_on", "invoice_number", "kind", "adjusted_on", "ordinal")
	WriteOffs          = mustTable[contract.Adjustment](contract.WriteOffs, "adjusted_on", "invoice_number", "kind", "adjusted_on", "ordinal")
	Credits            = mustTable[contract.Credit](contract.Credits, "as_of", "as_of", "account")
	AccountsReceivable = mustTable[contract.Receivable](contract.AccountsReceivable, "period_from", "period_from")

	UnscheduledPatients = mustTable[contract.UnscheduledPatient](contract.UnscheduledPatients, "", "patient", "discipline")
	PortalActivity      = mustTable[contract.Activity](contract.PortalActivity, "occurred_on", "at", "action", "subject", "ordinal")
	AccessLedger        = mustTable[contract.Access](contract.AccessLedger, "occurred_on", "run_id", "line")
	LeakStates          = mustTable[contract.LeakStep](contract.LeakStates, "said_on", "leak_id", "sequence")
	Identities          = mustTable[contract.Identified](contract.Identities, "", "patient")
)

// observedColumn is the column every stored row has: the report date of the row's form. It is no part of a row's content.
const observedColumn = "observed_on"

// noDay is the Day of rows that belong to no month.
const noDay = math.MinInt32

// Table binds a dataset's name to its Go type, and says which columns identify and date a row, so that those can be
// read without the others. The zero value is not usable.
type Table[T contract.Row] struct {
	name    string
	columns []column
	// light are the columns, by index, that Unit, Day and Observed need.
	light    []int
	observed int
	day      string // column, empty where rows belong to no month
	undated  bool
	schema   *parquet.Schema
	hash     string
}

// column is one stored column of a row type.
type column struct {
	name     string
	field    int // index of the struct field
	kind     reflect.Kind
	optional bool
	// dictionary says that its values repeat.
	dictionary bool
}

// NewTable makes a table of a struct whose fields are strings, bools, int32, int64 or pointers to these, each with a
// parquet tag. Day is the column behind Row.Day, empty for a dataset whose rows belong to no month; unit are the columns,
// none of them nullable, behind Row.Unit.
func NewTable[T contract.Row](name, day string, unit ...string) (Table[T], error) {
	t := Table[T]{name: name, day: day, undated: day == "", observed: -1}
	fail := func(format string, args ...any) (Table[T], error) {
		return Table[T]{}, fmt.Errorf("table %s: "+format, append([]any{name}, args...)...)
	}
	if !datasetName.MatchString(name) {
		return fail("a name is a-z, 0-9 and '_'")
	}
	row := reflect.TypeFor[T]()
	if row.Kind() != reflect.Struct {
		return fail("a row is a struct, not %v", row)
	}
	for i := range row.NumField() {
		f := row.Field(i)
		c := column{field: i, kind: f.Type.Kind()}
		var options string
		c.name, options, _ = strings.Cut(f.Tag.Get("parquet"), ",")
		c.dictionary = slices.Contains(strings.Split(options, ","), "dict")
		if c.kind == reflect.Pointer {
			c.optional, c.kind = true, f.Type.Elem().Kind()
		}
		switch {
		case c.name == "" || c.name == "-":
			return fail("field %s has no parquet name", f.Name)
		case c.kind != reflect.String && c.kind != reflect.Bool && c.kind != reflect.Int32 && c.kind != reflect.Int64:
			return fail("column %s has the type %v", c.name, f.Type)
		}
		t.columns = append(t.columns, c)
	}
	find := func(name string) int {
		return slices.IndexFunc(t.columns, func(c column) bool { return c.name == name && !c.optional })
	}
	if t.observed = find(observedColumn); t.observed < 0 || t.columns[t.observed].kind != reflect.Int32 {
		return fail("no column %s of days", observedColumn)
	}
	wanted := append([]string{observedColumn}, unit...)
	if !t.undated {
		wanted = append(wanted, day)
	}
	for _, name := range wanted {
		i := find(name)
		if i < 0 || t.columns[i].kind == reflect.Bool {
			return fail("no text or number column %s that is always filled", name)
		}
		if !slices.Contains(t.light, i) {
			t.light = append(t.light, i)
		}
	}
	t.schema = parquet.SchemaOf(*new(T))
	t.hash = schemaHash(t.schema)
	return t, nil
}

func mustTable[T contract.Row](name, day string, unit ...string) Table[T] {
	t, err := NewTable[T](name, day, unit...)
	if err != nil {
		panic(err) // a mistake in the lines above, which every test of this package would hit
	}
	return t
}

// Name is the dataset's name, and its folder in the lake.
func (t Table[T]) Name() string { return t.name }

// schemaHash tells two sets of columns apart; it is no secret.
func schemaHash(s *parquet.Schema) string {
	sum := sha256.Sum256([]byte(s.String()))
	return hex.EncodeToString(sum[:8])
}

// moneyColumn says whether a column holds cents, whose totals a commit keeps.
func moneyColumn(name string) bool { return strings.HasSuffix(name, "_cents") }

// totals sums the money columns over rows; nil where the table has none.
func (t Table[T]) totals(rows []T) map[string]int64 {
	var sums map[string]int64
	for _, c := range t.columns {
		if !moneyColumn(c.name) || c.kind != reflect.Int64 {
			continue
		}
		var sum int64
		for i := range rows {
			v := reflect.ValueOf(&rows[i]).Elem().Field(c.field)
			if c.optional {
				if v.IsNil() {
					continue
				}
				v = v.Elem()
			}
			sum += v.Int()
		}
		if sums == nil {
			sums = map[string]int64{}
		}
		sums[c.name] = sum
	}
	return sums
}

func (t Table[T]) setObserved(row *T, day int32) {
	reflect.ValueOf(row).Elem().Field(t.columns[t.observed].field).SetInt(int64(day))
}

// content is what a unit's rows say, apart from when it was observed: equal for equal content, and totally ordered.
type content struct {
	// filled is the number of columns that are not null, over all rows.
	filled int32
	digest [16]byte
}

// compare puts the fuller content above. Two reports of one day cannot be told apart by time; what was booked, and is
// now booked and arrived, has more columns filled. Beyond that the order means nothing, and is the same everywhere.
func (c content) compare(other content) int {
	if d := cmp.Compare(c.filled, other.filled); d != 0 {
		return d
	}
	return slices.Compare(c.digest[:], other.digest[:])
}

// contentOf is the content of a unit's rows, which must be sorted by key.
func (t Table[T]) contentOf(rows []T) content {
	var out content
	buf := make([]byte, 0, 512)
	for i := range rows {
		row := reflect.ValueOf(&rows[i]).Elem()
		for n, c := range t.columns {
			if n == t.observed {
				continue
			}
			v := row.Field(c.field)
			if c.optional {
				if v.IsNil() {
					buf = append(buf, 0)
					continue
				}
				v = v.Elem()
			}
			out.filled++
			buf = append(buf, 1)
			switch c.kind {
			case reflect.String:
				s := v.String()
				buf = binary.AppendUvarint(buf, uint64(len(s)))
				buf = append(buf, s...)
			case reflect.Bool:
				b := byte(0)
				if v.Bool() {
					b = 1
				}
				buf = append(buf, b)
			default:
				buf = binary.LittleEndian.AppendUint64(buf, uint64(v.Int()))
			}
		}
		buf = append(buf, 2) // ends a row
	}
	sum := sha256.Sum256(buf)
	copy(out.digest[:], sum[:])
	return out
}
