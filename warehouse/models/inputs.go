package models

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/settings"
	"github.com/falloff-analytics/falloff/warehouse/parquetkeys"
)

// datasetRows maps each dataset to the contract's row type, whose parquet tags are the schema of its table.
func datasetRows() map[string]reflect.Type {
	return map[string]reflect.Type{
		contract.Appointments: reflect.TypeFor[contract.Appointment](),
		contract.InvoiceLines: reflect.TypeFor[contract.InvoiceLine](),
		contract.Claims:       reflect.TypeFor[contract.Claim](),
		contract.Policies:     reflect.TypeFor[contract.Policy](),
		contract.Shifts:       reflect.TypeFor[contract.Shift](),
		contract.ShiftPeriods: reflect.TypeFor[contract.Shift](),
		contract.Insurers:     reflect.TypeFor[contract.Insurer](),

		contract.Payments:            reflect.TypeFor[contract.Payment](),
		contract.AppliedPayments:     reflect.TypeFor[contract.AppliedPayment](),
		contract.Adjustments:         reflect.TypeFor[contract.Adjustment](),
		contract.WriteOffs:           reflect.TypeFor[contract.Adjustment](),
		contract.Credits:             reflect.TypeFor[contract.Credit](),
		contract.AccountsReceivable:  reflect.TypeFor[contract.Receivable](),
		contract.UnscheduledPatients: reflect.TypeFor[contract.UnscheduledPatient](),
		contract.LeakStates:          reflect.TypeFor[contract.LeakStep](),
	}
}

// inputTables names every table that models may read besides models.
func inputTables() []string {
	var names []string
	for dataset := range datasetRows() {
		names = append(names, "lake."+dataset)
	}
	for _, t := range settingsTables(Inputs{}) {
		names = append(names, "settings."+t.name)
	}
	for _, t := range closedTables(Inputs{}) {
		names = append(names, closedSchema+"."+t.name)
	}
	slices.Sort(names)
	return names
}

// schemaOf lists a dataset's columns with their SQL types, as its parquet tags say.
func schemaOf(row reflect.Type) ([]Column, error) {
	var columns []Column
	for field := range row.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("parquet"), ",")
		kind := field.Type
		if kind.Kind() == reflect.Pointer {
			kind = kind.Elem()
		}
		var sqlType string
		switch {
		case kind.Kind() == reflect.String:
			sqlType = "VARCHAR"
		case kind.Kind() == reflect.Bool:
			sqlType = "BOOLEAN"
		case kind.Kind() == reflect.Int32 && strings.Contains(options, "date"):
			sqlType = "DATE"
		case kind.Kind() == reflect.Int32:
			sqlType = "INTEGER"
		case kind.Kind() == reflect.Int64 && strings.Contains(options, "timestamp"):
			sqlType = "TIMESTAMP WITH TIME ZONE"
		case kind.Kind() == reflect.Int64:
			sqlType = "BIGINT"
		default:
			return nil, fmt.Errorf("column %s of %s: type %s has no SQL type here", name, row.Name(), field.Type)
		}
		columns = append(columns, Column{Name: name, Type: sqlType})
	}
	return columns, nil
}

// loadDatasets makes a view over each dataset's files, an empty table where there are none.
func (s *session) loadDatasets(ctx context.Context, files map[string][]string, keys *parquetkeys.Keys) error {
	rows := datasetRows()
	for dataset := range files {
		if _, isKnown := rows[dataset]; !isKnown {
			return fmt.Errorf("dataset %s is not in the contract: there are %s",
				dataset, strings.Join(slices.Sorted(maps.Keys(rows)), ", "))
		}
	}
	for _, dataset := range slices.Sorted(maps.Keys(rows)) {
		want, err := schemaOf(rows[dataset])
		if err != nil {
			return err
		}
		if len(files[dataset]) == 0 {
			if err := s.exec(ctx, "create table lake."+dataset+" "+columnList(want)); err != nil {
				return fmt.Errorf("making the empty dataset %s: %w", dataset, err)
			}
			continue
		}
		// Sorted, so that the order of the argument changes nothing.
		source := keys.Scan(slices.Sorted(slices.Values(files[dataset])), "hive_partitioning = false", parquetkeys.UnionByName)
		if err := s.loadDataset(ctx, dataset, source, keys != nil, want, nullable(rows[dataset])); err != nil {
			return err
		}
	}
	return nil
}

// nullable says which of a dataset's columns may be null. A column that comes new into the contract must be one of these.
func nullable(row reflect.Type) map[string]bool {
	out := map[string]bool{}
	for field := range row.Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("parquet"), ","); field.Type.Kind() == reflect.Pointer {
			out[name] = true
		}
	}
	return out
}

// loadDataset makes the view. Files that were written before a column came are null in it; a type is never taken for another:
// where files disagree the type is none that the contract knows.
func (s *session) loadDataset(ctx context.Context, dataset, source string, encrypted bool, want []Column, nullable map[string]bool) error {
	have, err := s.columns(ctx, "select * from "+source)
	if err != nil {
		return fmt.Errorf("reading dataset %s: %w", dataset, err)
	}
	names := make([]string, len(want))
	for i, column := range want {
		names[i] = column.Name
		at := slices.IndexFunc(have, func(c Column) bool { return c.Name == column.Name })
		if at < 0 && nullable[column.Name] {
			names[i] = "null::" + column.Type + " as " + column.Name
			continue
		}
		if at < 0 {
			return fmt.Errorf("dataset %s has no column %s: it was written under another contract: import it again", dataset, column.Name)
		}
		if have[at].Type != column.Type {
			return fmt.Errorf("dataset %s: column %s is %s, the contract says %s: import it again",
				dataset, column.Name, have[at].Type, column.Type)
		}
	}
	kind := "view"
	if encrypted {
		kind = "table" // DuckDB cannot filter while it reads encrypted files: see parquetkeys
	}
	if err := s.exec(ctx, fmt.Sprintf("create %s lake.%s as select %s from %s", kind, dataset, strings.Join(names, ", "), source)); err != nil {
		return fmt.Errorf("reading dataset %s: %w", dataset, err)
	}
	if encrypted {
		return s.compress(ctx)
	}
	return nil
}

// columns describes what a query gives.
func (s *session) columns(ctx context.Context, query string) ([]Column, error) {
	rows, err := s.conn.QueryContext(ctx, "select column_name, column_type from (describe "+query+")")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var columns []Column
	for rows.Next() {
		var c Column
		if err := rows.Scan(&c.Name, &c.Type); err != nil {
			return nil, err
		}
		columns = append(columns, c)
	}
	return columns, rows.Err()
}

func columnList(columns []Column) string {
	parts := make([]string, len(columns))
	for i, c := range columns {
		parts[i] = c.Name + " " + c.Type
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// settingsTable is one table made from clinic.yaml.
type settingsTable struct {
	name    string
	columns []Column
	rows    [][]any
}

// settingsTables gives the settings as tables. An empty text and a zero date are null.
func settingsTables(in Inputs) []settingsTable {
	c := in.Settings
	clinic := settingsTable{name: "clinic", columns: []Column{
		{"name", "VARCHAR"}, {"country", "VARCHAR"}, {"region", "VARCHAR"}, {"time_zone", "VARCHAR"},
		{"currency", "VARCHAR"}, {"week_starts", "VARCHAR"}, {"as_of", "DATE"}, {"history_from", "DATE"},
		{"unreconciled_per_million", "BIGINT"}, {"patient_due_days", "INTEGER"}, {"insurer_due_days", "INTEGER"}, {"alive_model", "VARCHAR"},
	}, rows: [][]any{{
		c.Name, optional(c.Country), optional(c.Region), c.TimeZone,
		c.Currency, or(c.WeekStarts, "monday"), day(&in.AsOf), day(&in.HistoryFrom),
		c.UnreconciledLimit(), c.PatientDueDays, c.InsurerDueDays, optional(c.AliveModel),
	}}}
	coverage := settingsTable{name: "coverage", columns: []Column{{"dataset", "VARCHAR"}, {"first_on", "DATE"}}}
	for _, dataset := range slices.Sorted(maps.Keys(in.Covered)) {
		first := in.Covered[dataset]
		coverage.rows = append(coverage.rows, []any{dataset, day(&first)})
	}
	disciplines := settingsTable{name: "disciplines", columns: []Column{{"name", "VARCHAR"}, {"falloff_days", "INTEGER"}}}
	for _, d := range c.Disciplines {
		disciplines.rows = append(disciplines.rows, []any{d.Name, positive(d.FalloffDays)})
	}
	prices := settingsTable{name: "prices", columns: []Column{
		{"item", "VARCHAR"}, {"discipline", "VARCHAR"}, {"location", "VARCHAR"}, {"gross_cents", "BIGINT"},
		{"valid_from", "DATE"}, {"valid_to", "DATE"},
	}}
	for _, p := range c.Prices {
		prices.rows = append(prices.rows, []any{
			p.Item, optional(p.Discipline), optional(p.Location), p.GrossCents, day(p.From), day(p.To),
		})
	}
	fees := settingsTable{name: "fees", columns: []Column{
		{"kind", "VARCHAR"}, {"item", "VARCHAR"}, {"discipline", "VARCHAR"}, {"location", "VARCHAR"},
		{"gross_cents", "BIGINT"}, {"notice_hours", "INTEGER"}, {"valid_from", "DATE"}, {"valid_to", "DATE"},
	}}
	for _, f := range c.Fees {
		fees.rows = append(fees.rows, []any{
			string(f.Kind), f.Item, optional(f.Discipline), optional(f.Location),
			f.GrossCents, f.NoticeHours, day(f.From), day(f.To),
		})
	}
	insurers := settingsTable{name: "insurers", columns: []Column{{"name", "VARCHAR"}}}
	for _, name := range c.Insurers {
		insurers.rows = append(insurers.rows, []any{name})
	}
	limits := settingsTable{name: "filing_limits", columns: []Column{{"insurer", "VARCHAR"}, {"days", "INTEGER"}, {"is_default", "BOOLEAN"}}}
	for _, l := range c.FilingLimits {
		limits.rows = append(limits.rows, []any{l.Insurer, l.Days, false})
	}
	for _, l := range settings.DefaultFilingLimits() {
		limits.rows = append(limits.rows, []any{l.Insurer, l.Days, true})
	}
	return []settingsTable{clinic, coverage, disciplines, prices, fees, insurers, limits}
}

func (s *session) loadSettings(ctx context.Context, in Inputs) error {
	if err := checkSettings(in.Settings, in.AsOf); err != nil {
		return err
	}
	for _, t := range settingsTables(in) {
		if err := s.exec(ctx, "create table settings."+t.name+" "+columnList(t.columns)); err != nil {
			return fmt.Errorf("making settings.%s: %w", t.name, err)
		}
		places := strings.TrimSuffix(strings.Repeat("?, ", len(t.columns)), ", ")
		for _, row := range t.rows {
			if _, err := s.conn.ExecContext(ctx, "insert into settings."+t.name+" values ("+places+")", row...); err != nil {
				return fmt.Errorf("filling settings.%s: %w", t.name, err)
			}
		}
	}
	return nil
}

func checkSettings(c settings.Clinic, asOf civil.Date) error {
	switch {
	case !asOf.IsValid():
		return fmt.Errorf("as-of day %s is no day: give the newest day that the reports cover", asOf)
	case c.TimeZone == "":
		return fmt.Errorf("the clinic's time_zone is missing: add it to clinic.yaml")
	case c.Currency == "":
		return fmt.Errorf("the clinic's currency is missing: add it to clinic.yaml")
	}
	return nil
}

func optional(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func positive(n int) any {
	if n <= 0 {
		return nil
	}
	return n
}

// day is a date as text, which DuckDB casts without a zone coming into it.
func day(d *civil.Date) any {
	if d == nil || d.IsZero() {
		return nil
	}
	return d.String()
}
